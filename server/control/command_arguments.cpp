// Checks what came through a door against the declaration of the command.
#include "control/command_registry.h"
#include "control/nearest.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

using Value = CommandCall::Value;

std::optional<std::int64_t> toInteger(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string inQuotes(std::string_view text) {
    // Long texts (files, garbage) would hide the sentence that they stand in.
    constexpr std::size_t shown = 60;
    if (text.size() <= shown) return "\"" + std::string{text} + "\"";
    return "\"" + std::string{text.substr(0, shown)} + "…\"";
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

// One text as the argument's kind wants it. Either the value or the problem is set.
struct Typed {
    std::optional<Value> value;
    std::string problem;
};

Typed typed(const Argument& argument, const std::string& text) {
    switch (argument.kind) {
        case ArgumentKind::Text:
        case ArgumentKind::Secret:
            if (text.empty()) return {{}, argument.name + " is empty."};
            return {Value{text}, {}};
        case ArgumentKind::File:
            return {Value{NamedText{"", text}}, {}};
        case ArgumentKind::Jid: {
            auto jid = Jid::parse(text);
            if (!jid) {
                return {{},
                        argument.name + " is " + inQuotes(text) +
                            ", which is no valid address like juliet@capulet.example."};
            }
            return {Value{std::move(*jid)}, {}};
        }
        case ArgumentKind::Host: {
            auto domain = prepareDomain(text);
            if (!domain) {
                return {{},
                        argument.name + " is " + inQuotes(text) +
                            ", which is no valid domain like capulet.example."};
            }
            return {Value{std::move(*domain)}, {}};
        }
        case ArgumentKind::Integer: {
            const auto number = toInteger(text);
            if (!number || *number < argument.least || *number > argument.most) {
                std::string expected = " instead of a whole number";
                if (argument.most != INT64_MAX) {
                    expected += " from " + std::to_string(argument.least) + " to " +
                                std::to_string(argument.most);
                } else if (argument.least != INT64_MIN) {
                    expected += " of at least " + std::to_string(argument.least);
                }
                return {{}, argument.name + " is " + inQuotes(text) + expected + "."};
            }
            return {Value{*number}, {}};
        }
        case ArgumentKind::Size: {
            const auto size = parseBytes(text);
            if (!size) {
                return {{},
                        argument.name + " is " + inQuotes(text) +
                            " instead of a size like 64 KiB or 1 MiB."};
            }
            return {Value{*size}, {}};
        }
        case ArgumentKind::Duration: {
            const auto duration = parseDuration(text);
            if (!duration) {
                return {{},
                        argument.name + " is " + inQuotes(text) +
                            " instead of a duration like 30 s, 5 min or 7 d."};
            }
            return {Value{*duration}, {}};
        }
        case ArgumentKind::Choice:
            if (std::find(argument.choices.begin(), argument.choices.end(), text) ==
                argument.choices.end()) {
                return {{},
                        argument.name + " is " + inQuotes(text) + " instead of one of " +
                            joined(argument.choices) + "." + didYouMean(text, argument.choices)};
            }
            return {Value{text}, {}};
        case ArgumentKind::Flag:
            break;
    }
    return {{}, argument.name + " takes no value."};
}

// All that `raw` holds, as texts; a flag that came where a text is expected is none.
std::vector<std::string> textsOf(const RawArgument& raw) {
    if (const auto* text = std::get_if<std::string>(&raw)) return {*text};
    if (const auto* number = std::get_if<std::int64_t>(&raw)) return {std::to_string(*number)};
    if (const auto* many = std::get_if<std::vector<std::string>>(&raw)) return *many;
    return {};
}

void checkRepeated(const Argument& argument, const std::vector<std::string>& texts,
                   CheckedArguments& checked, std::string& problems) {
    std::vector<std::string> strings;
    std::vector<Jid> jids;
    for (const auto& text : texts) {
        auto one = typed(argument, text);
        if (!one.value) {
            problems += (problems.empty() ? "" : " ") + one.problem;
        } else if (auto* jid = std::get_if<Jid>(&*one.value)) {
            jids.push_back(std::move(*jid));
        } else if (auto* string = std::get_if<std::string>(&*one.value)) {
            strings.push_back(std::move(*string));
        } else {
            strings.push_back(text);
        }
    }
    if (argument.kind == ArgumentKind::Jid) {
        checked.values.emplace(argument.name, std::move(jids));
    } else {
        checked.values.emplace(argument.name, std::move(strings));
    }
}

void checkOne(const Argument& argument, const RawArgument& raw, CheckedArguments& checked,
              std::string& problems) {
    const auto complain = [&problems](const std::string& problem) {
        problems += (problems.empty() ? "" : " ") + problem;
    };
    if (argument.kind == ArgumentKind::Flag) {
        const bool* flag = std::get_if<bool>(&raw);
        if (!flag) return complain(argument.name + " takes no value.");
        checked.values.emplace(argument.name, *flag);
        return;
    }
    auto texts = textsOf(raw);
    if (argument.kind == ArgumentKind::File && texts.size() == 2) {
        checked.values.emplace(argument.name, NamedText{std::move(texts[0]), std::move(texts[1])});
        return;
    }
    if (texts.empty()) return complain(argument.name + " has no value.");
    if (argument.repeats == Repeats::Yes) return checkRepeated(argument, texts, checked, problems);
    if (texts.size() > 1) return complain(argument.name + " is given more than once.");
    auto one = typed(argument, texts.front());
    if (!one.value) return complain(one.problem);
    checked.values.emplace(argument.name, std::move(*one.value));
}

}  // namespace

CheckedArguments checkArguments(const CommandInfo& command, const RawArguments& raw) {
    CheckedArguments checked;
    std::string problems;
    std::vector<std::string> names;
    for (const auto& argument : command.arguments) {
        names.push_back(argument.name);
        const auto given = raw.find(argument.name);
        if (given != raw.end()) {
            checkOne(argument, given->second, checked, problems);
        } else if (argument.isRequired()) {
            problems += (problems.empty() ? "" : " ") + argument.name + " is missing.";
        }
    }
    for (const auto& [name, value] : raw) {
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        problems += (problems.empty() ? "" : " ") + ("There is no argument " + inQuotes(name) + ".") +
                    didYouMean(name, names);
    }
    if (!problems.empty()) {
        checked.problem = CommandError{"usage", command.name + ": " + problems,
                                       "epodectl help " + command.name + " shows how it is used."};
    }
    return checked;
}

}  // namespace epode
