#include "cli/invocation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace epode::cli {

namespace {

const Option* find(const Verb& verb, std::string_view name, char letter) {
    const auto search = [&](const std::vector<Option>& options) -> const Option* {
        for (const Option& option : options) {
            if (letter ? option.letter == letter : option.name == name) return &option;
        }
        return nullptr;
    };
    if (const auto* option = search(verb.options)) return option;
    if (const auto* option = search(commonOptions())) return option;
    return verb.reach == Verb::Reach::Server ? search(connectionOptions()) : nullptr;
}

Failure unknownOption(const Verb& verb, const std::string& word) {
    std::vector<std::string> names;
    const auto collect = [&](const std::vector<Option>& options) {
        for (const Option& option : options) names.push_back("--" + std::string{option.name});
    };
    collect(verb.options);
    collect(commonOptions());
    if (verb.reach == Verb::Reach::Server) collect(connectionOptions());
    const auto near = nearest(word, names);
    const std::string name{verb.name};
    return usage("epode " + name + " has no option " + word + ".",
                 near.empty() ? "See epode help " + name + "." : "Did you mean " + near + "?");
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace

const std::vector<Option>& commonOptions() {
    static const std::vector<Option> options{
        {.name = "json", .help = "One JSON object for each line of output, errors too"},
        {.name = "quiet", .help = "Print nothing but the result", .letter = 'q'},
        {.name = "config",
         .value = "FILE",
         .help = "The accounts file (default: ~/.config/epode/accounts.toml)"},
        {.name = "help", .help = "Explain the command", .letter = 'h'},
    };
    return options;
}

const std::vector<Option>& connectionOptions() {
    static const std::vector<Option> options{
        {.name = "account",
         .value = "NAME",
         .help = "The account of the accounts file (else EPODE_ACCOUNT, else its default)",
         .letter = 'a'},
        {.name = "jid", .value = "ADDRESS", .help = "An address instead of a named account"},
        {.name = "password-file", .value = "FILE", .help = "The password is the file's first line"},
        {.name = "password-command",
         .value = "COMMAND",
         .help = "The password is the first line that the command prints"},
        {.name = "host", .value = "HOST", .help = "The server's host, instead of asking DNS"},
        {.name = "port", .value = "PORT", .help = "The server's port (5222, direct TLS 5223)"},
        {.name = "tls",
         .value = "HOW",
         .help = "starttls or direct (default: direct on ports 5223 and 443)"},
        {.name = "trust-fingerprint",
         .value = "SHA256",
         .help = "Accept the certificate with this fingerprint though its check fails",
         .times = Option::Times::Repeated},
        {.name = "ca-file", .value = "FILE", .help = "Trust these certificate authorities as well"},
        {.name = "insecure", .help = "Accept any certificate: anyone on the way can read along"},
        {.name = "resource", .value = "NAME", .help = "The resource to ask for"},
        {.name = "connect-timeout",
         .value = "SECONDS",
         .help = "Time to connect and log in (default: 20)"},
        {.name = "trace", .help = "Show the XML on standard error, without passwords"},
    };
    return options;
}

const Verb& findVerb(std::vector<std::string>& words) {
    for (const Verb* verb : verbs()) {
        const auto space = verb->name.find(' ');
        if (words[0] != verb->name.substr(0, space)) continue;
        if (space == std::string_view::npos) {
            words.erase(words.begin());
            return *verb;
        }
        if (words.size() > 1 && words[1] == verb->name.substr(space + 1)) {
            words.erase(words.begin(), words.begin() + 2);
            return *verb;
        }
    }
    std::vector<std::string> names;
    std::vector<std::string> ofNoun;
    for (const Verb* verb : verbs()) {
        names.emplace_back(verb->name.substr(0, verb->name.find(' ')));
        if (verb->name.starts_with(words[0] + " ")) ofNoun.emplace_back(verb->name);
    }
    if (!ofNoun.empty()) {
        std::string list;
        for (const auto& name : ofNoun) list += (list.empty() ? "epode " : ", epode ") + name;
        throw usage("What shall happen with the " + words[0] + "?", "There is: " + list + ".");
    }
    const auto near = nearest(words[0], names);
    throw usage("There is no command " + words[0] + ".",
                near.empty() ? "epode help lists the commands." : "Did you mean " + near + "?");
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t least = word.size() / 3 + 2;
    for (const auto& candidate : candidates) {
        const auto away = distance(word, candidate);
        if (away < least) {
            least = away;
            best = candidate;
        }
    }
    return best;
}

Invocation Invocation::parse(const Verb& verb, const std::vector<std::string>& words) {
    Invocation parsed;
    parsed.verb_ = &verb;
    bool onlyArguments = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (onlyArguments || word.size() < 2 || word[0] != '-') {
            parsed.arguments_.push_back(word);
            continue;
        }
        if (word == "--") {
            onlyArguments = true;
            continue;
        }
        const bool isLong = word[1] == '-';
        const auto equals = isLong ? word.find('=') : std::string::npos;
        const std::string name = isLong ? word.substr(2, equals - 2) : std::string{};
        const Option* option = find(verb, name, isLong ? char{} : word[1]);
        if (!option) throw unknownOption(verb, word.substr(0, equals));
        const std::string dashed = "--" + std::string{option->name};

        std::string value;
        if (option->value.empty()) {
            if (equals != std::string::npos || (!isLong && word.size() > 2)) {
                throw usage(dashed + " takes no value.");
            }
        } else if (equals != std::string::npos) {
            value = word.substr(equals + 1);
        } else if (!isLong && word.size() > 2) {
            value = word.substr(2);
        } else if (i + 1 < words.size()) {
            value = words[++i];
        } else {
            throw usage(dashed + " needs a value: " + dashed + " " + std::string{option->value} +
                        ".");
        }
        auto& values = parsed.options_[std::string{option->name}];
        if (!values.empty() && option->times == Option::Times::Once) {
            throw usage(dashed + " was given twice.");
        }
        values.push_back(value);
    }
    if (parsed.has("help")) return parsed;

    std::size_t least = 0;
    bool any = false;
    for (const Argument& argument : verb.arguments) {
        if (argument.count == Argument::Count::One) ++least;
        if (argument.count == Argument::Count::Any) any = true;
    }
    const std::string help = "See epode help " + std::string{verb.name} + ".";
    if (parsed.arguments_.size() < least) {
        throw usage("epode " + std::string{verb.name} + " needs " +
                        std::string{verb.arguments[parsed.arguments_.size()].name} + ".",
                    help);
    }
    if (!any && parsed.arguments_.size() > verb.arguments.size()) {
        throw usage("epode " + std::string{verb.name} + " does not know what to do with \"" +
                        parsed.arguments_[verb.arguments.size()] + "\".",
                    help);
    }
    return parsed;
}

std::string Invocation::argument(std::size_t index) const {
    return index < arguments_.size() ? arguments_[index] : std::string{};
}

bool Invocation::has(std::string_view option) const {
    return options_.find(option) != options_.end();
}

std::string Invocation::value(std::string_view option, std::string_view fallback) const {
    const auto found = options_.find(option);
    return found == options_.end() ? std::string{fallback} : found->second.back();
}

std::vector<std::string> Invocation::values(std::string_view option) const {
    const auto found = options_.find(option);
    return found == options_.end() ? std::vector<std::string>{} : found->second;
}

long Invocation::number(std::string_view option, long fallback, long least, long most) const {
    if (!has(option)) return fallback;
    const auto text = value(option);
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < least ||
        number > most) {
        throw usage("--" + std::string{option} + " wants a number from " + std::to_string(least) +
                    " to " + std::to_string(most) + ", not \"" + text + "\".");
    }
    return number;
}

std::optional<std::chrono::milliseconds> Invocation::duration(std::string_view option) const {
    if (!has(option)) return std::nullopt;
    const auto text = value(option);
    char* end = nullptr;
    const double amount = std::strtod(text.c_str(), &end);
    const std::string unit{end};
    const double factor = unit == "ms"                ? 1
                          : unit == "" || unit == "s" ? 1e3
                          : unit == "m"               ? 60e3
                          : unit == "h"               ? 3600e3
                                                      : 0;
    if (end == text.c_str() || factor == 0 || !std::isfinite(amount) || amount < 0 ||
        amount * factor > 1e12) {
        throw usage("--" + std::string{option} + " wants a time such as 30, 500ms or 2m, not \"" +
                    text + "\".");
    }
    return std::chrono::milliseconds{static_cast<long long>(amount * factor)};
}

}  // namespace epode::cli
