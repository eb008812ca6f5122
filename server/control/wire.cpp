#include "control/wire.h"

#include "core/command_json.h"
#include "core/json_text.h"
#include "core/json_writer.h"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <array>
#include <cstdio>

namespace epode::wire {

namespace {

// Deeper than any line of ours.
constexpr std::size_t depthMax = 12;

constexpr std::array<std::string_view, 9> cellKinds{"null", "flag",     "integer", "number", "text",
                                                    "size", "duration", "time",    "list"};

void writeTypedCell(JsonWriter& line, const Cell& cell) {
    line.open('[').value(cellKinds[cell.value().index()]);
    writeCell(line, cell);
    line.close(']');
}

void writeResult(JsonWriter& line, const CommandResult& result) {
    line.open('{');
    if (!result.text().empty()) line.key("message").value(std::string_view{result.text()});
    if (!result.facts().empty()) {
        line.key("facts").open('[');
        for (const auto& fact : result.facts()) {
            line.open('[').value(std::string_view{fact.name});
            writeTypedCell(line, fact.value);
            line.close(']');
        }
        line.close(']');
    }
    if (result.hasTable()) {
        line.key("columns").list(result.columns()).key("rows").open('[');
        for (const auto& row : result.rows()) {
            line.open('[');
            for (const auto& cell : row) writeTypedCell(line, cell);
            line.close(']');
        }
        line.close(']');
    }
    if (!result.warnings().empty()) line.key("warnings").list(result.warnings());
    line.close('}');
}

void writeHello(JsonWriter& line, const Hello& hello) {
    line.open('{').key("hello").open('{').key("protocol").value(std::int64_t{hello.protocol});
    line.key("program").value(std::string_view{hello.program}).close('}').close('}');
}

void writeArgumentValue(JsonWriter& line, const RawArgument& value) {
    if (const auto* flag = std::get_if<bool>(&value))
        line.flag(*flag);
    else if (const auto* number = std::get_if<std::int64_t>(&value))
        line.value(*number);
    else if (const auto* text = std::get_if<std::string>(&value))
        line.value(std::string_view{*text});
    else
        line.list(std::get<std::vector<std::string>>(value));
}

using Poco::Dynamic::Var;
using ObjectPtr = Poco::JSON::Object::Ptr;
using ArrayPtr = Poco::JSON::Array::Ptr;

ObjectPtr parseObject(std::string_view line) {
    for (std::size_t i = 0; i < line.size();) {
        const auto bytes = utf8Bytes(line, i);
        if (bytes == 0 || line[i] == '\0') throw Malformed{"The line is no valid UTF-8."};
        i += bytes;
    }
    try {
        Poco::JSON::Parser parser;
        parser.setDepth(depthMax);
        const auto value = parser.parse(std::string{line});
        if (value.type() == typeid(ObjectPtr)) return value.extract<ObjectPtr>();
    } catch (const std::exception&) {  // Poco's own text would say less than ours.
        throw Malformed{"The line is no valid JSON."};
    }
    throw Malformed{"A line must be a JSON object."};
}

ObjectPtr objectOf(const Var& value, const char* what) {
    if (value.type() == typeid(ObjectPtr)) return value.extract<ObjectPtr>();
    throw Malformed{std::string{what} + " must be an object."};
}

ArrayPtr arrayOf(const Var& value, const char* what) {
    if (value.type() == typeid(ArrayPtr)) return value.extract<ArrayPtr>();
    throw Malformed{std::string{what} + " must be a list."};
}

std::string textOf(const Var& value, const char* what) {
    if (value.isString()) return value.extract<std::string>();
    throw Malformed{std::string{what} + " must be a text."};
}

std::int64_t integerOf(const Var& value, const char* what) {
    // Booleans are integers to Poco.
    if (value.isInteger() && !value.isBoolean()) {
        try {
            return value.convert<Poco::Int64>();
        } catch (const Poco::Exception&) {  // larger than the type
        }
    }
    throw Malformed{std::string{what} + " must be a whole number."};
}

double numberOf(const Var& value, const char* what) {
    if (value.isNumeric() && !value.isBoolean()) return value.convert<double>();
    throw Malformed{std::string{what} + " must be a number."};
}

bool flagOf(const Var& value, const char* what) {
    if (value.isBoolean()) return value.extract<bool>();
    throw Malformed{std::string{what} + " must be true or false."};
}

std::string optionalText(const ObjectPtr& object, const char* name) {
    return object->has(name) ? textOf(object->get(name), name) : "";
}

std::vector<std::string> textsOf(const Var& value, const char* what) {
    std::vector<std::string> texts;
    const auto array = arrayOf(value, what);
    for (const auto& text : *array) texts.push_back(textOf(text, what));
    return texts;
}

Hello readHello(const ObjectPtr& object) {
    const auto hello = objectOf(object->get("hello"), "hello");
    const auto number = integerOf(hello->get("protocol"), "protocol");
    // What does not fit is no protocol that we know.
    const int version = number >= 0 && number < 1000 ? static_cast<int>(number) : 0;
    return {version, optionalText(hello, "program")};
}

RawArgument readArgumentValue(const Var& value, const std::string& name) {
    if (value.isBoolean()) return value.extract<bool>();
    if (value.isString()) return value.extract<std::string>();
    if (value.type() == typeid(ArrayPtr)) return textsOf(value, name.c_str());
    return integerOf(value, name.c_str());
}

Cell readCell(const Var& value) {
    const auto pair = arrayOf(value, "a value");
    if (pair->size() != 2) throw Malformed{"A value must be a kind and the value."};
    const auto kind = textOf(pair->get(0), "kind");
    const auto inner = pair->get(1);
    if (inner.isEmpty() || kind == "null") return Cell{};
    if (kind == "flag") return Cell{flagOf(inner, "flag")};
    if (kind == "integer") return Cell{integerOf(inner, "integer")};
    if (kind == "number") return Cell{numberOf(inner, "number")};
    if (kind == "size") return Cell{Bytes{static_cast<std::uint64_t>(integerOf(inner, "size"))}};
    if (kind == "duration") {
        return Cell{Duration{static_cast<std::int64_t>(numberOf(inner, "duration") * 1e9)}};
    }
    if (kind == "list") return Cell{textsOf(inner, "list")};
    const auto text = textOf(inner, "value");
    if (kind == "time") {
        int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millisecond = 0;
        if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &year, &month, &day, &hour, &minute,
                        &second, &millisecond) == 7) {
            using namespace std::chrono;
            const sys_days date{std::chrono::year{year} / month / day};
            return Cell{WallTime{date.time_since_epoch() + hours{hour} + minutes{minute} +
                                 seconds{second} + milliseconds{millisecond}}};
        }
    }
    // A newer server may know kinds that this tool does not; its text is shown as it is.
    return Cell{text};
}

CommandResult readResult(const ObjectPtr& object) {
    CommandResult result;
    if (object->has("columns")) {
        result = CommandResult::table(textsOf(object->get("columns"), "columns"));
        const auto rows = arrayOf(object->get("rows"), "rows");
        for (const auto& row : *rows) {
            std::vector<Cell> cells;
            const auto values = arrayOf(row, "a row");
            for (const auto& cell : *values) cells.push_back(readCell(cell));
            if (cells.size() != result.columns().size()) {
                throw Malformed{"A row has another number of values than there are columns."};
            }
            result.row(std::move(cells));
        }
    }
    result.say(optionalText(object, "message"));
    if (object->has("facts")) {
        const auto facts = arrayOf(object->get("facts"), "facts");
        for (const auto& fact : *facts) {
            const auto pair = arrayOf(fact, "a fact");
            if (pair->size() != 2) throw Malformed{"A fact must be a name and a value."};
            result.fact(textOf(pair->get(0), "name"), readCell(pair->get(1)));
        }
    }
    if (object->has("warnings")) {
        for (auto& warning : textsOf(object->get("warnings"), "warnings")) {
            result.warn(std::move(warning));
        }
    }
    return result;
}

Argument readArgument(const ObjectPtr& object) {
    Argument argument;
    argument.name = textOf(object->get("name"), "name");
    const auto kind = textOf(object->get("kind"), "kind");
    if (const auto known = parseArgumentKind(kind)) argument.kind = *known;
    if (!flagOf(object->get("required"), "required")) argument.presence = Presence::Optional;
    if (flagOf(object->get("option"), "option")) argument.form = Form::Option;
    if (flagOf(object->get("repeats"), "repeats")) argument.repeats = Repeats::Yes;
    if (object->has("choices")) argument.choices = textsOf(object->get("choices"), "choices");
    if (object->has("least")) argument.least = integerOf(object->get("least"), "least");
    if (object->has("most")) argument.most = integerOf(object->get("most"), "most");
    argument.help = optionalText(object, "help");
    return argument;
}

CommandInfo readCommand(const ObjectPtr& object) {
    CommandInfo command;
    command.name = textOf(object->get("name"), "name");
    command.summary = textOf(object->get("summary"), "summary");
    command.details = optionalText(object, "details");
    const auto permission = optionalText(object, "permission");
    for (const auto level : {Permission::Watch, Permission::Operate, Permission::Administer}) {
        if (permission == toText(level)) command.permission = level;
    }
    if (flagOf(object->get("dangerous"), "dangerous")) command.danger = Danger::Dangerous;
    command.plugin = optionalText(object, "plugin");
    const auto arguments = arrayOf(object->get("arguments"), "arguments");
    for (const auto& argument : *arguments) {
        command.arguments.push_back(readArgument(objectOf(argument, "argument")));
    }
    const auto examples = arrayOf(object->get("examples"), "examples");
    for (const auto& entry : *examples) {
        const auto example = objectOf(entry, "example");
        command.examples.push_back(
            {textOf(example->get("line"), "line"), optionalText(example, "help")});
    }
    return command;
}

void writeReply(JsonWriter& line, const ListReply& reply) {
    line.open('{').key("id").value(reply.id).key("commands").open('[');
    for (const auto& command : reply.commands) writeCommand(line, command);
    line.close(']').close('}');
}

void writeReply(JsonWriter& line, const ProgressReply& reply) {
    line.open('{').key("id").value(reply.id).key("progress").open('{');
    line.key("text").value(std::string_view{reply.progress.text});
    line.key("done").value(reply.progress.done).key("total").value(reply.progress.total);
    line.close('}').close('}');
}

void writeReply(JsonWriter& line, const ResultReply& reply) {
    line.open('{').key("id").value(reply.id);
    if (reply.result.isRefusal()) {
        line.key("error");
        writeError(line, reply.result.error());
    } else {
        line.key("result");
        writeResult(line, reply.result);
    }
    line.close('}');
}

void writeReply(JsonWriter& line, const Hello& hello) { writeHello(line, hello); }

}  // namespace

std::string write(const Request& request) {
    JsonWriter line;
    if (const auto* hello = std::get_if<Hello>(&request)) {
        writeHello(line, *hello);
    } else if (const auto* list = std::get_if<ListRequest>(&request)) {
        line.open('{').key("id").value(list->id).key("commands").flag(true).close('}');
    } else {
        const auto& call = std::get<CallRequest>(request);
        line.open('{').key("id").value(call.id).key("call").value(std::string_view{call.command});
        line.key("arguments").open('{');
        for (const auto& [name, value] : call.arguments) {
            line.key(name);
            writeArgumentValue(line, value);
        }
        line.close('}').close('}');
    }
    return line.take();
}

std::string write(const Reply& reply) {
    JsonWriter line;
    std::visit([&line](const auto& kind) { writeReply(line, kind); }, reply);
    return line.take();
}

Request readRequest(std::string_view line) {
    const auto object = parseObject(line);
    if (object->has("hello")) return readHello(object);
    const auto id = integerOf(object->get("id"), "id");
    if (object->has("commands")) return ListRequest{id};
    if (!object->has("call")) throw Malformed{"A line must have one of hello, commands and call."};
    CallRequest call;
    call.id = id;
    call.command = textOf(object->get("call"), "call");
    if (object->has("arguments")) {
        const auto arguments = objectOf(object->get("arguments"), "arguments");
        for (const auto& [name, value] : *arguments) {
            // Null is as good as absent.
            if (!value.isEmpty()) call.arguments.emplace(name, readArgumentValue(value, name));
        }
    }
    return call;
}

Reply readReply(std::string_view line) {
    const auto object = parseObject(line);
    if (object->has("hello")) return readHello(object);
    const auto id = integerOf(object->get("id"), "id");
    if (object->has("commands")) {
        ListReply reply;
        reply.id = id;
        const auto commands = arrayOf(object->get("commands"), "commands");
        for (const auto& command : *commands) {
            reply.commands.push_back(readCommand(objectOf(command, "command")));
        }
        return reply;
    }
    if (object->has("progress")) {
        const auto progress = objectOf(object->get("progress"), "progress");
        return ProgressReply{
            id,
            {optionalText(progress, "text"), integerOf(progress->get("done"), "done"),
             integerOf(progress->get("total"), "total")}};
    }
    if (object->has("error")) {
        const auto error = objectOf(object->get("error"), "error");
        return ResultReply{
            id, CommandResult::refusal(optionalText(error, "code"), optionalText(error, "message"),
                                       optionalText(error, "hint"))};
    }
    return ResultReply{id, readResult(objectOf(object->get("result"), "result"))};
}

std::string plainJson(const CommandResult& result) { return toJson(result); }

std::string plainJson(const std::vector<CommandInfo>& commands) { return toJson(commands); }

}  // namespace epode::wire
