#include "core/command_json.h"

#include "core/time_format.h"

#include <array>

namespace epode {

namespace {

struct KindName {
    ArgumentKind kind;
    std::string_view name;
};
constexpr std::array<KindName, 10> kindNames{{
    {ArgumentKind::Text, "text"},
    {ArgumentKind::Jid, "jid"},
    {ArgumentKind::Host, "host"},
    {ArgumentKind::Secret, "secret"},
    {ArgumentKind::Integer, "integer"},
    {ArgumentKind::Size, "size"},
    {ArgumentKind::Duration, "duration"},
    {ArgumentKind::Choice, "choice"},
    {ArgumentKind::Flag, "flag"},
    {ArgumentKind::File, "file"},
}};

std::string_view nameOf(ArgumentKind kind) {
    for (const auto& entry : kindNames) {
        if (entry.kind == kind) return entry.name;
    }
    return "text";
}

// Whole seconds stay whole; fractions are exact to a microsecond.
void writeSeconds(JsonWriter& line, Duration duration) {
    const auto nanoseconds = duration.count();
    if (nanoseconds % 1'000'000'000 == 0) {
        line.value(std::int64_t{nanoseconds / 1'000'000'000});
    } else {
        line.value(static_cast<double>(nanoseconds) / 1e9);
    }
}

struct CellWriter {
    JsonWriter& line;
    void operator()(std::monostate) const { line.raw("null"); }
    void operator()(bool value) const { line.flag(value); }
    void operator()(std::int64_t value) const { line.value(value); }
    void operator()(double value) const { line.value(value); }
    void operator()(const std::string& value) const { line.value(std::string_view{value}); }
    void operator()(Bytes value) const { line.raw(std::to_string(value.value)); }
    void operator()(Duration value) const { writeSeconds(line, value); }
    void operator()(WallTime value) const { line.value(std::string_view{formatDateTime(value)}); }
    void operator()(const std::vector<std::string>& value) const { line.list(value); }
};

void writeArgument(JsonWriter& line, const Argument& argument) {
    line.open('{').key("name").value(std::string_view{argument.name});
    line.key("kind").value(nameOf(argument.kind));
    line.key("required").flag(argument.isRequired());
    line.key("option").flag(argument.isOption());
    line.key("repeats").flag(argument.repeats == Repeats::Yes);
    if (!argument.choices.empty()) line.key("choices").list(argument.choices);
    if (argument.kind == ArgumentKind::Integer) {
        line.key("least").value(argument.least).key("most").value(argument.most);
    }
    line.key("help").value(std::string_view{argument.help}).close('}');
}

}  // namespace

std::optional<ArgumentKind> parseArgumentKind(std::string_view name) {
    for (const auto& entry : kindNames) {
        if (entry.name == name) return entry.kind;
    }
    return std::nullopt;
}

void writeCell(JsonWriter& line, const Cell& cell) { std::visit(CellWriter{line}, cell.value()); }

void writeError(JsonWriter& line, const CommandError& error) {
    line.open('{').key("code").value(std::string_view{error.code});
    line.key("message").value(std::string_view{error.message});
    if (!error.hint.empty()) line.key("hint").value(std::string_view{error.hint});
    line.close('}');
}

void writeCommand(JsonWriter& line, const CommandInfo& command) {
    line.open('{').key("name").value(std::string_view{command.name});
    line.key("summary").value(std::string_view{command.summary});
    if (!command.details.empty()) line.key("details").value(std::string_view{command.details});
    line.key("permission").value(toText(command.permission));
    line.key("dangerous").flag(command.danger == Danger::Dangerous);
    if (!command.plugin.empty()) line.key("plugin").value(std::string_view{command.plugin});
    line.key("arguments").open('[');
    for (const auto& argument : command.arguments) writeArgument(line, argument);
    line.close(']').key("examples").open('[');
    for (const auto& example : command.examples) {
        line.open('{').key("line").value(std::string_view{example.line});
        line.key("help").value(std::string_view{example.help}).close('}');
    }
    line.close(']').close('}');
}

std::string toJson(const CommandResult& result) {
    JsonWriter line;
    line.open('{');
    if (result.isRefusal()) {
        line.key("error");
        writeError(line, result.error());
        return line.close('}').take();
    }
    if (!result.text().empty()) line.key("message").value(std::string_view{result.text()});
    for (const auto& fact : result.facts()) {
        line.key(fact.name);
        writeCell(line, fact.value);
    }
    if (result.hasTable()) {
        line.key("rows").open('[');
        for (const auto& row : result.rows()) {
            line.open('{');
            for (std::size_t i = 0; i < row.size(); ++i) {
                line.key(result.columns()[i]);
                writeCell(line, row[i]);
            }
            line.close('}');
        }
        line.close(']');
    }
    if (!result.warnings().empty()) line.key("warnings").list(result.warnings());
    return line.close('}').take();
}

std::string toJson(const std::vector<CommandInfo>& commands) {
    JsonWriter line;
    line.open('{').key("commands").open('[');
    for (const auto& command : commands) writeCommand(line, command);
    return line.close(']').close('}').take();
}

}  // namespace epode
