#include "command_forms.h"

#include "core/time_format.h"

#include <algorithm>

namespace epode::adhoc {

namespace {

constexpr std::string_view nodePrefix = "urn:epode:command:";
constexpr std::string_view formType = "urn:epode:command";
constexpr std::string_view confirmVar = "confirm";

std::string capitalized(std::string text) {
    if (!text.empty() && text.front() >= 'a' && text.front() <= 'z') text.front() -= 'a' - 'A';
    return text;
}

FieldType typeOf(const Argument& argument) {
    const bool isRepeated = argument.repeats == Repeats::Yes;
    switch (argument.kind) {
        case ArgumentKind::Jid:
            return isRepeated ? FieldType::JidMulti : FieldType::JidSingle;
        case ArgumentKind::Host:
        case ArgumentKind::Choice:
            return isRepeated ? FieldType::ListMulti : FieldType::ListSingle;
        case ArgumentKind::Secret:
            return FieldType::TextPrivate;
        case ArgumentKind::Flag:
            return FieldType::Boolean;
        case ArgumentKind::File:
            return FieldType::TextMulti;
        default:
            return isRepeated ? FieldType::TextMulti : FieldType::TextSingle;
    }
}

std::string hintFor(ArgumentKind kind) {
    if (kind == ArgumentKind::Size) return "A size like 64 KiB or 1 MiB.";
    if (kind == ArgumentKind::Duration) return "A duration like 30 s, 5 min or 7 d.";
    if (kind == ArgumentKind::File) return "The text of the file.";
    return {};
}

FormField fieldFor(const Argument& argument, std::span<const std::string> hosts) {
    FormField field{.var = argument.name,
                    .type = typeOf(argument),
                    .label = argument.help.empty() ? capitalized(argument.name) : argument.help,
                    .isRequired = argument.isRequired(),
                    .description = hintFor(argument.kind)};
    for (const auto& choice : argument.choices) field.options.push_back({choice});
    if (argument.kind == ArgumentKind::Host)
        for (const auto& host : hosts) field.options.push_back({host});
    if (argument.kind == ArgumentKind::Flag) field.values = {"0"};
    if (argument.kind == ArgumentKind::Integer) {
        field.datatype = "xs:integer";
        if (argument.least != INT64_MIN) field.least = std::to_string(argument.least);
        if (argument.most != INT64_MAX) field.most = std::to_string(argument.most);
    }
    return field;
}

std::string varOf(std::string_view name) {
    std::string var{name};
    std::replace(var.begin(), var.end(), ' ', '_');
    return var;
}

FormField cellField(std::string_view name, const Cell& cell) {
    FormField field{
        .var = varOf(name), .label = capitalized(std::string{name}), .values = textsOf(cell)};
    if (std::holds_alternative<bool>(cell.value())) field.type = FieldType::Boolean;
    if (field.values.size() > 1) field.type = FieldType::TextMulti;
    return field;
}

// Pages of text are no note.
bool isPage(std::string_view text) { return text.find('\n') != std::string_view::npos; }

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
            out += "\xEF\xBF\xBD";
        else
            out += c;
    }
    return out;
}

std::vector<std::string> textsOf(const Cell& cell) {
    struct Visitor {
        std::vector<std::string> operator()(std::monostate) const { return {}; }
        std::vector<std::string> operator()(bool value) const { return {value ? "1" : "0"}; }
        std::vector<std::string> operator()(std::int64_t value) const {
            return {std::to_string(value)};
        }
        std::vector<std::string> operator()(double value) const { return {std::to_string(value)}; }
        std::vector<std::string> operator()(const std::string& value) const {
            return {printable(value)};
        }
        std::vector<std::string> operator()(Bytes value) const { return {toText(value)}; }
        std::vector<std::string> operator()(Duration value) const { return {toText(value)}; }
        std::vector<std::string> operator()(WallTime value) const {
            return {formatDateTime(value)};
        }
        std::vector<std::string> operator()(const std::vector<std::string>& value) const {
            std::vector<std::string> all;
            for (const auto& one : value) all.push_back(printable(one));
            return all;
        }
    };
    return std::visit(Visitor{}, cell.value());
}

std::string nodeOf(const CommandInfo& command) {
    std::string name = command.name;
    std::replace(name.begin(), name.end(), ' ', '.');
    return std::string{nodePrefix} + name;
}

bool isNodeOfCommand(std::string_view node) { return node.starts_with(nodePrefix); }

DataForm questionFor(const CommandInfo& command, std::span<const std::string> hosts) {
    DataForm form{FormKind::Form, formType};
    form.setTitle(command.summary);
    if (!command.details.empty()) form.setInstructions(command.details);
    for (const auto& argument : command.arguments) form.add(fieldFor(argument, hosts));
    return form;
}

DataForm confirmationFor(const CommandInfo& command, const DataForm& answer) {
    DataForm form{FormKind::Form, formType};
    form.setTitle(command.summary);
    form.setInstructions("This can't be undone. Is it really meant?");
    for (const auto& argument : command.arguments) {
        const FormField* given = answer.find(argument.name);
        if (!given || argument.kind == ArgumentKind::Secret || argument.kind == ArgumentKind::File)
            continue;
        std::string told = argument.name + ":";
        for (const auto& value : given->values) told += " " + value;
        form.add({.type = FieldType::Fixed, .values = {told}});
    }
    form.add({.var = std::string{confirmVar},
              .type = FieldType::Boolean,
              .label = "Yes, do it",
              .values = {"0"},
              .isRequired = true});
    return form;
}

bool isConfirmed(const DataForm& answer) { return answer.boolean(confirmVar).value_or(false); }

RawArguments argumentsFrom(const CommandInfo& command, const DataForm& answer) {
    RawArguments all;
    for (const auto& argument : command.arguments) {
        const FormField* given = answer.find(argument.name);
        if (!given) continue;
        if (argument.kind == ArgumentKind::Flag) {
            if (answer.boolean(argument.name).value_or(false)) all.emplace(argument.name, true);
        } else if (argument.kind == ArgumentKind::File) {
            auto text = answer.lines(argument.name);
            if (!text.empty()) all.emplace(argument.name, std::move(text));
        } else {
            std::vector<std::string> values;
            for (const auto& value : given->values)
                if (!value.empty()) values.push_back(value);
            if (values.size() == 1)
                all.emplace(argument.name, std::move(values.front()));
            else if (!values.empty())
                all.emplace(argument.name, std::move(values));
        }
    }
    return all;
}

AdHocReply replyFor(const CommandInfo& command, const CommandResult& result, std::size_t rowsMax) {
    if (result.isRefusal()) {
        const auto& error = result.error();
        if (error.code == "forbidden")
            return AdHocReply::failed({Condition::Forbidden, error.message});
        auto reply = AdHocReply::done();
        reply.note(printable(error.message), AdHocNote::Kind::Error);
        return reply;
    }
    DataForm form{FormKind::Result, formType};
    form.setTitle(command.summary);
    for (const auto& fact : result.facts()) form.add(cellField(fact.name, fact.value));
    if (isPage(result.text())) form.addLines("text", printable(result.text()), command.summary);
    if (result.hasTable()) {
        std::vector<FormField> columns;
        for (const auto& column : result.columns())
            columns.push_back({.var = varOf(column), .label = capitalized(column)});
        form.report(std::move(columns));
        const std::size_t shown = std::min(rowsMax, result.rows().size());
        for (std::size_t i = 0; i < shown; ++i) {
            std::vector<FormField> cells;
            for (std::size_t k = 0; k < result.rows()[i].size(); ++k)
                cells.push_back(cellField(result.columns()[k], result.rows()[i][k]));
            form.addItem(std::move(cells));
        }
    }
    const bool hasContent = form.fields().size() > 1 || result.hasTable();
    auto reply = hasContent ? AdHocReply::done(std::move(form)) : AdHocReply::done();
    if (!result.text().empty() && !isPage(result.text())) reply.note(printable(result.text()));
    for (const auto& warning : result.warnings())
        reply.note(printable(warning), AdHocNote::Kind::Warn);
    if (result.rows().size() > rowsMax)
        reply.note("Shown are " + std::to_string(rowsMax) + " of " +
                       std::to_string(result.rows().size()) + " rows.",
                   AdHocNote::Kind::Warn);
    return reply;
}

}  // namespace epode::adhoc
