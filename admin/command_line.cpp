#include "admin/command_line.h"

#include "control/command_pages.h"
#include "control/nearest.h"

#include <algorithm>

namespace epode::admin {

namespace {

struct OptionText {
    std::string name;  // "--reason"
    std::optional<std::string> value;
};

OptionText splitOption(const std::string& word) {
    const auto equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string::npos) return {word, std::nullopt};
    return {word.substr(0, equals), word.substr(equals + 1)};
}

bool isOptionWord(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::string joined(const std::vector<std::string>& words, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count && i < words.size(); ++i) text += (i ? " " : "") + words[i];
    return text;
}

bool nameBegins(const std::string& name, const std::string& words) {
    return name == words || name.starts_with(words + " ");
}

// The words of the invocation sorted into arguments, with all complaints collected.
class Parser {
public:
    Parser(const CommandInfo& command, const std::vector<std::string>& words)
        : command_{command}, words_{words} {
        for (const auto& argument : command.arguments) {
            if (!argument.isOption()) places_.push_back(&argument);
        }
    }

    Invocation parse() {
        bool optionsEnded = false;
        while (index_ < words_.size()) {
            const auto& word = words_[index_++];
            if (!optionsEnded && word == "--")
                optionsEnded = true;
            else if (!optionsEnded && isOptionWord(word))
                option(word);
            else
                place(word);
        }
        findMissing();
        if (!problems_.empty()) {
            throw UsageError{problems_, "Usage: " + usageLine(command_)};
        }
        return std::move(invocation_);
    }

private:
    void complain(const std::string& problem) {
        problems_ += (problems_.empty() ? "" : " ") + problem;
    }

    void place(const std::string& word) {
        if (nextPlace_ >= places_.size()) return complain("\"" + word + "\" is one word too many.");
        const auto& argument = *places_[nextPlace_];
        if (argument.repeats == Repeats::No) ++nextPlace_;
        add(argument, word);
    }

    void add(const Argument& argument, const std::string& text) {
        if (argument.repeats == Repeats::No) {
            const auto [entry, isNew] = invocation_.arguments.emplace(argument.name, text);
            if (!isNew) complain("--" + argument.name + " is given more than once.");
            return;
        }
        auto& entry = invocation_.arguments[argument.name];
        if (!std::holds_alternative<std::vector<std::string>>(entry)) {
            entry = std::vector<std::string>{};
        }
        std::get<std::vector<std::string>>(entry).push_back(text);
    }

    void option(const std::string& word) {
        auto [name, value] = splitOption(word);
        for (const auto& argument : command_.arguments) {
            const bool isFile =
                argument.kind == ArgumentKind::Secret && name == "--" + argument.name + "-file";
            if (!isFile && name != "--" + argument.name) continue;
            if (!takesValue(argument) && !isFile) return switchOn(argument, value);
            if (!value && index_ < words_.size()) value = words_[index_++];
            if (!value) return complain(name + " needs a value.");
            if (!isFile) return add(argument, *value);
            invocation_.secrets[argument.name] =
                *value == "-" ? SecretSource{SecretSource::Kind::StandardInput, ""}
                              : SecretSource{SecretSource::Kind::File, *value};
            return;
        }
        complain(command_.name + " has no option " + name + "." + didYouMean(name, optionNames()));
    }

    static bool takesValue(const Argument& argument) {
        return argument.kind != ArgumentKind::Flag && argument.kind != ArgumentKind::Secret;
    }

    void switchOn(const Argument& argument, const std::optional<std::string>& value) {
        if (argument.kind == ArgumentKind::Secret) {
            if (value) {
                return complain(
                    "--" + argument.name +
                    " takes no value: others could read it in the list of processes. Use --" +
                    argument.name + "-file.");
            }
            invocation_.secrets.emplace(argument.name, SecretSource{});
            return;
        }
        if (value) return complain("--" + argument.name + " takes no value.");
        invocation_.arguments[argument.name] = true;
    }

    std::vector<std::string> optionNames() const {
        std::vector<std::string> names;
        for (const auto& argument : command_.arguments) {
            names.push_back("--" + argument.name);
            if (argument.kind == ArgumentKind::Secret)
                names.push_back("--" + argument.name + "-file");
        }
        return names;
    }

    void findMissing() {
        for (const auto& argument : command_.arguments) {
            if (!argument.isRequired() || invocation_.arguments.contains(argument.name)) continue;
            if (argument.kind == ArgumentKind::Secret) {
                invocation_.secrets.emplace(argument.name, SecretSource{});
            } else {
                complain((argument.isOption() ? "--" : "") + argument.name + " is missing.");
            }
        }
    }

    const CommandInfo& command_;
    const std::vector<std::string>& words_;
    std::size_t index_ = 0;
    std::vector<const Argument*> places_;
    std::size_t nextPlace_ = 0;
    Invocation invocation_;
    std::string problems_;
};

}  // namespace

ToolOptions takeToolOptions(std::vector<std::string>& words) {
    ToolOptions options;
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--") {
            rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
            break;
        }
        auto [name, value] = splitOption(words[i]);
        if (name == "--socket" || name == "--timeout") {
            if (!value && i + 1 < words.size()) value = words[++i];
            if (!value || value->empty()) throw UsageError{name + " needs a value."};
            if (name == "--socket") {
                options.socket = *value;
            } else if (const auto timeout = parseDuration(*value)) {
                options.timeout = *timeout;
            } else {
                throw UsageError{"--timeout is \"" + *value +
                                 "\" instead of a duration like 30s or 5min."};
            }
        } else if (name == "--json" && !value) {
            options.json = true;
        } else if ((name == "--quiet" || name == "-q") && !value) {
            options.quiet = true;
        } else if ((name == "--yes" || name == "-y") && !value) {
            options.yes = true;
        } else if ((name == "--help" || name == "-h") && !value) {
            options.help = true;
        } else if (name == "--version" && !value) {
            options.version = true;
        } else {
            rest.push_back(words[i]);
        }
    }
    words = std::move(rest);
    return options;
}

std::size_t wordCount(const std::string& name) {
    return 1 + static_cast<std::size_t>(std::count(name.begin(), name.end(), ' '));
}

const CommandInfo* findCommand(const std::vector<CommandInfo>& commands,
                               const std::vector<std::string>& words) {
    for (const auto& command : commands) {
        const auto count = wordCount(command.name);
        if (count <= words.size() && joined(words, count) == command.name) return &command;
    }
    return nullptr;
}

std::vector<CommandInfo> commandsBelow(const std::vector<CommandInfo>& commands,
                                       const std::vector<std::string>& words) {
    std::vector<CommandInfo> below;
    const auto prefix = joined(words, words.size());
    for (const auto& command : commands) {
        if (prefix.empty() || nameBegins(command.name, prefix)) below.push_back(command);
    }
    return below;
}

UsageError unknownCommand(const std::vector<CommandInfo>& commands,
                          const std::vector<std::string>& words) {
    // "user lst" may be meant as "user list", "usr list" as well; arguments that follow are no part
    // of it.
    std::string best;
    std::size_t bestDistance = SIZE_MAX;
    for (const auto& command : commands) {
        const auto typed = joined(words, wordCount(command.name));
        if (!nearestName(typed, {command.name})) continue;
        const auto distance = editDistance(typed, command.name);
        if (distance < bestDistance) {
            bestDistance = distance;
            best = command.name;
        }
    }
    const auto group = commandsBelow(commands, {words.front()});
    if (best.empty() && !group.empty()) {
        std::string names;
        for (const auto& command : group) names += (names.empty() ? "" : ", ") + command.name;
        return UsageError{"There is no command \"" + joined(words, 2) + "\".",
                          "There are: " + names + "."};
    }
    return UsageError{"There is no command \"" + joined(words, 2) + "\"." +
                          (best.empty() ? "" : " Did you mean " + best + "?"),
                      "epodectl help lists all commands."};
}

Invocation parseInvocation(const CommandInfo& command, const std::vector<std::string>& words) {
    return Parser{command, words}.parse();
}

}  // namespace epode::admin
