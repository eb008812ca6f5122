#include "control/config.h"

#include "control/listen_check.h"
#include "control/nearest.h"
#include "control/toml_recovery.h"
#include "core/jid.h"
#include "stream/component_options.h"
#include "stream/remote_options.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <tuple>

namespace epode {

namespace {

std::string inQuotes(std::string_view text) {
    std::string result = "\"";
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            result += '\\';
            result += letter;
        } else if (letter == '\n') {
            result += "\\n";
        } else if (letter == '\t') {
            result += "\\t";
        } else if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) {
            constexpr std::string_view digits = "0123456789ABCDEF";
            result += "\\u00";
            result += digits[static_cast<unsigned char>(letter) >> 4];
            result += digits[static_cast<unsigned char>(letter) & 15];
        } else {
            result += letter;
        }
    }
    return result + "\"";
}

bool isBareKey(std::string_view key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
    });
}

std::string keyText(std::string_view key) {
    return isBareKey(key) ? std::string{key} : inQuotes(key);
}

std::string joinedKey(const std::string& prefix, std::string_view key) {
    return prefix.empty() ? keyText(key) : prefix + "." + keyText(key);
}

std::string lastPart(std::string_view key) { return std::string{key.substr(key.rfind('.') + 1)}; }

constexpr std::string_view componentSection = "component";
constexpr std::string_view componentPrefix = "component.";

// What a value is, for the sentence "… is X".
std::string describe(const toml::node& node) {
    constexpr std::size_t shown = 60;
    switch (node.type()) {
        case toml::node_type::table:
            return "a section";
        case toml::node_type::array:
            return "a list";
        case toml::node_type::date:
        case toml::node_type::time:
        case toml::node_type::date_time:
            return "a date or time";
        case toml::node_type::boolean:
            return node.value_or(false) ? "true" : "false";
        default:
            break;
    }
    if (const auto text = node.value_exact<std::string>()) {
        return text->size() <= shown ? inQuotes(*text)
                                     : "a text of " + std::to_string(text->size()) + " bytes";
    }
    std::ostringstream number;
    if (const auto integer = node.value_exact<std::int64_t>())
        number << *integer;
    else
        number << node.value_or(0.0);
    return number.str();
}

// The value as options take it; nothing for what no option can be. Arrays come apart before.
std::optional<OptionRef::Raw> scalar(const toml::node& node) {
    if (const auto value = node.value_exact<bool>()) return OptionRef::Raw{*value};
    if (const auto value = node.value_exact<std::int64_t>()) return OptionRef::Raw{*value};
    if (const auto value = node.value_exact<double>()) return OptionRef::Raw{*value};
    if (const auto value = node.value_exact<std::string>()) return OptionRef::Raw{*value};
    return std::nullopt;
}

std::optional<OptionRef::Raw> rawOf(const toml::node& node) {
    const auto* array = node.as_array();
    if (!array) return scalar(node);
    std::vector<std::string> texts;
    for (const auto& element : *array) {
        const auto text = element.value_exact<std::string>();
        if (!text) return std::nullopt;
        texts.push_back(*text);
    }
    return OptionRef::Raw{std::move(texts)};
}

class Reader {
public:
    Reader(std::string file, const OptionList& options)
        : file_{std::move(file)}, options_{options} {
        for (const auto& option : options) keys_.emplace_back(option.key());
        config_->file = file_;
    }

    void syntax(const SyntaxMistake& mistake) {
        mistakes_.push_back({file_, mistake.line, mistake.column, "", mistake.message});
    }

    void read(const toml::table& root) {
        for (const auto& [key, node] : root) {
            if (key.str() == "host")
                hosts(key, node);
            else if (key.str() == componentSection)
                components(key, node);
            else
                entry(key, node, "", "");
        }
    }

    void override(const std::string& key, const std::string& text) {
        const OptionRef* option = find(key);
        if (!option) {
            mistakes_.push_back({overridePlace, 0, 0, key,
                                 "There is no option " + key + "." + suggestion(key, keys_)});
            return;
        }
        // What reads as TOML may still be meant as a text: `--set motd=123`.
        auto read = option->read(OptionRef::Raw{text});
        if (!read.problem.empty()) {
            const auto parsed = tryParse("value = " + text);
            const auto raw = parsed ? rawOf(*parsed->get("value")) : std::nullopt;
            if (raw) read = option->read(*raw);
        }
        if (!read.problem.empty()) {
            mistakes_.push_back({overridePlace, 0, 0, key,
                                 badValue(key, inQuotes(text), read.problem, *option, text)});
            return;
        }
        config_->values.insert_or_assign(key,
                                         Config::Entry{std::move(read.value), {overridePlace, 0}});
    }

    ConfigResult result() {
        auto settings = std::make_shared<Settings>();
        for (const auto& [key, entry] : config_->values) settings->set("", key, entry.value);
        for (const auto& [host, entries] : config_->hostValues) {
            for (const auto& [key, entry] : entries) settings->set(host, key, entry.value);
        }
        checkComponents(*settings);
        checkDomainRates(*settings);
        for (auto& mistake : sharedPorts(*config_, *settings, options_))
            mistakes_.push_back(std::move(mistake));
        std::sort(mistakes_.begin(), mistakes_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
        });
        config_->settings = std::move(settings);
        if (!mistakes_.empty()) return {nullptr, std::move(mistakes_), config_};
        return {config_, {}, config_};
    }

private:
    static constexpr const char* overridePlace = "the command line";

    static std::optional<toml::table> tryParse(const std::string& text) {
        try {
            return toml::parse(text);
        } catch (const toml::parse_error&) {
            return std::nullopt;
        }
    }

    const OptionRef* find(std::string_view key) const {
        for (const auto& option : options_) {
            if (option.key() == key) return &option;
        }
        return nullptr;
    }

    std::vector<std::string> keysBelow(const std::string& section) const {
        std::vector<std::string> below;
        for (const auto& key : keys_) {
            if (key.compare(0, section.size() + 1, section + ".") == 0) below.push_back(key);
        }
        return below;
    }

    // All sections that options live in: "log", "limits.login".
    std::vector<std::string> sections() const {
        std::vector<std::string> all;
        for (const auto& key : keys_) {
            for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
                if (std::find(all.begin(), all.end(), key.substr(0, dot)) == all.end()) {
                    all.push_back(key.substr(0, dot));
                }
            }
        }
        return all;
    }

    // The nearest name; else the one that ends alike, for a section that was left out or is wrong.
    static std::string suggestion(const std::string& key, const std::vector<std::string>& names) {
        auto near = didYouMean(key, names);
        if (!near.empty()) return near;
        const std::string* only = nullptr;
        for (const auto& name : names) {
            if (lastPart(name) != lastPart(key)) continue;
            if (only) return "";
            only = &name;
        }
        return only ? " Did you mean " + *only + "?" : "";
    }

    void mistake(const toml::source_region& where, std::string key, std::string message) {
        mistakes_.push_back({file_, static_cast<int>(where.begin.line),
                             static_cast<int>(where.begin.column), std::move(key),
                             std::move(message)});
    }

    static std::string badValue(const std::string& key, const std::string& found,
                                const std::string& problem, const OptionRef& option,
                                const std::string& text) {
        std::vector<std::string> choices;
        for (const auto choice : option.choices()) choices.emplace_back(choice);
        // What was found is told once.
        std::string expected = problem;
        if (const auto tail = ", not " + found; expected.ends_with(tail)) {
            expected.resize(expected.size() - tail.size());
        }
        return key + " is " + found + "; " + expected + "." + didYouMean(text, choices);
    }

    void entry(const toml::key& key, const toml::node& node, const std::string& prefix,
               const std::string& host) {
        const auto path = joinedKey(prefix, key.str());
        const auto shown = keyOf(host, path);
        if (const OptionRef* option = find(path)) return value(key, node, *option, host);
        const auto below = keysBelow(path);
        if (const auto* table = node.as_table()) {
            if (!below.empty()) {
                for (const auto& [innerKey, inner] : *table) entry(innerKey, inner, path, host);
                return;
            }
            return mistake(key.source(), shown,
                           "There is no section " + path + "." + suggestion(path, sections()));
        }
        if (!below.empty()) {
            return mistake(node.source(), shown,
                           path + " is " + describe(node) +
                               "; it is a section, with options like " + below.front() + ".");
        }
        mistake(key.source(), shown, "There is no option " + path + "." + suggestion(path, keys_));
    }

    void value(const toml::key& key, const toml::node& node, const OptionRef& option,
               const std::string& host) {
        const std::string name{option.key()};
        const auto shown = keyOf(host, name);
        if (const auto wrong = misplaced(option, host); !wrong.empty())
            return mistake(key.source(), shown, name + wrong);
        if (const auto* array = node.as_array()) {
            for (const auto& element : *array) {
                if (element.is_string()) continue;
                return mistake(
                    element.source(), shown,
                    name + " holds " + describe(element) + "; expected a list of texts.");
            }
        }
        const auto raw = rawOf(node);
        if (!raw) {
            return mistake(
                node.source(), shown,
                name + " is " + describe(node) + "; expected " + option.typeText() + ".");
        }
        auto read = option.read(*raw);
        if (!read.problem.empty()) {
            return mistake(node.source(), shown,
                           badValue(name, describe(node), read.problem, option,
                                    node.value_exact<std::string>().value_or("")));
        }
        auto& entries = host.empty() ? config_->values : config_->hostValues[host];
        entries.insert_or_assign(
            name, Config::Entry{std::move(read.value),
                                {file_, static_cast<int>(node.source().begin.line)}});
    }

    // Why the option has no place there; empty when it has.
    std::string misplaced(const OptionRef& option, const std::string& domain) const {
        if (domain.empty()) return "";
        const bool isComponent = isIn(config_->components, domain);
        if (option.scope() == Scope::Server)
            return std::string{" belongs to the whole server; it can't be set for one "} +
                   (isComponent ? "component." : "host.");
        if (option.scope() == Scope::Component && !isComponent)
            return " belongs to components; it can't be set for a host.";
        return "";
    }

    static bool isIn(const std::vector<std::string>& all, const std::string& one) {
        return std::find(all.begin(), all.end(), one) != all.end();
    }

    // The section [component] has options as any other, and a section for each component.
    void components(const toml::key& key, const toml::node& node) {
        const auto* table = node.as_table();
        if (!table || keysBelow(std::string{componentSection}).empty())
            return entry(key, node, "", "");
        for (const auto& [name, inner] : inOrder(*table)) {
            const std::string path = std::string{componentPrefix} + std::string{name->str()};
            const bool isOption = find(path) || !keysBelow(path).empty();
            if (isOption || !inner->is_table())
                entry(*name, *inner, std::string{componentSection}, "");
            else
                component(*name, *inner->as_table());
        }
    }

    void component(const toml::key& key, const toml::table& table) {
        const std::string name{key.str()};
        const auto shown = "component." + inQuotes(name);
        if (const auto domain = unquotedDomain(name, table, std::string{componentPrefix})) {
            return mistake(key.source(), shown,
                           "The name of the component needs quotes: [component." +
                               inQuotes(*domain) + "].");
        }
        const auto domain = prepareDomain(name);
        if (!domain) {
            return mistake(
                key.source(), shown,
                inQuotes(name) + " is no valid domain; expected one like irc.capulet.example.");
        }
        if (isIn(config_->components, *domain)) {
            return mistake(key.source(), shown,
                           "The component " + inQuotes(*domain) + " is there twice.");
        }
        config_->components.push_back(*domain);
        componentPlaces_.emplace(*domain, key.source());
        for (const auto& [innerKey, inner] : table)
            entry(innerKey, inner, std::string{componentSection}, *domain);
    }

    // What can be told when the whole file is read.
    void checkComponents(const Settings& settings) {
        for (const auto& domain : config_->components) {
            const auto shown = "component." + inQuotes(domain);
            const auto& place = componentPlaces_.at(domain);
            if (isIn(config_->hosts, domain)) {
                mistake(place, shown, inQuotes(domain) + " is a host already; a component needs a domain of its own.");
                continue;
            }
            const auto secret = readComponentSecret(settings, domain);
            if (!secret.problem.empty())
                mistake(place, shown, "The component " + inQuotes(domain) + " " + secret.problem);
        }
    }

    void checkDomainRates(const Settings& settings) {
        constexpr std::string_view key = "s2s.domain_rates";
        const auto entry = config_->values.find(key);
        if (entry == config_->values.end()) return;
        for (const auto& text : badDomainRates(settings))
            mistakes_.push_back({entry->second.place.file, entry->second.place.line, 1, std::string{key},
                                 inQuotes(text) + " is no domain with a rate, such as \"example.org 64 KiB\" or "
                                 "\"*.example.org 1 MiB, 200 stanzas\"."});
    }

    // The parser sorts by name; people mean their own order.
    static std::vector<std::pair<const toml::key*, const toml::node*>> inOrder(const toml::table& table) {
        std::vector<std::pair<const toml::key*, const toml::node*>> all;
        for (const auto& [name, inner] : table) all.emplace_back(&name, &inner);
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
            const auto& one = a.first->source().begin;
            const auto& other = b.first->source().begin;
            return std::tie(one.line, one.column) < std::tie(other.line, other.column);
        });
        return all;
    }

    void hosts(const toml::key& key, const toml::node& node) {
        const auto* table = node.as_table();
        if (!table) {
            return mistake(node.source(), "host",
                           "host is " + describe(node) +
                               "; expected sections like [host.\"capulet.example\"].");
        }
        const auto ordered = inOrder(*table);
        if (!ordered.empty()) config_->hosts.clear();
        for (const auto& [hostName, inner] : ordered) host(*hostName, *inner);
    }

    void host(const toml::key& key, const toml::node& node) {
        const std::string name{key.str()};
        const auto shown = "host." + inQuotes(name);
        const auto* table = node.as_table();
        if (!table) {
            return mistake(node.source(), shown,
                           "The host " + inQuotes(name) + " is " + describe(node) +
                               "; expected a section, [host." + inQuotes(name) + "].");
        }
        if (const auto domain = unquotedDomain(name, *table)) {
            return mistake(key.source(), shown,
                           "The name of the host needs quotes: [host." + inQuotes(*domain) + "].");
        }
        const auto domain = prepareDomain(name);
        if (!domain) {
            return mistake(
                key.source(), shown,
                inQuotes(name) + " is no valid domain; expected one like capulet.example.");
        }
        if (isIn(config_->hosts, *domain)) {
            return mistake(key.source(), shown, "The host " + inQuotes(*domain) + " is there twice.");
        }
        config_->hosts.push_back(*domain);
        for (const auto& [innerKey, inner] : *table) entry(innerKey, inner, "", *domain);
    }

    // `[host.capulet.example]` makes a host "capulet" with a section "example": forgotten quotes,
    // if nothing of that name is an option or section.
    std::optional<std::string> unquotedDomain(const std::string& name, const toml::table& table,
                                              const std::string& prefix = {}) const {
        if (name.find('.') != std::string::npos || table.size() != 1) return std::nullopt;
        const auto only = table.begin();
        const std::string inner{only->first.str()};
        const auto* innerTable = only->second.as_table();
        if (!innerTable || find(prefix + inner) || !keysBelow(prefix + inner).empty()) return std::nullopt;
        // A third label would again look like a section.
        if (const auto longer = unquotedDomain(inner, *innerTable, prefix)) return name + "." + *longer;
        return name + "." + inner;
    }

    std::string file_;
    const OptionList& options_;
    std::vector<std::string> keys_;
    std::shared_ptr<Config> config_ = std::make_shared<Config>();
    std::map<std::string, toml::source_region, std::less<>> componentPlaces_;
    std::vector<ConfigMistake> mistakes_;
};

template <typename T>
bool sameAs(const std::any& one, const std::any& other) {
    const T* left = std::any_cast<T>(&one);
    const T* right = std::any_cast<T>(&other);
    return left && right && *left == *right;
}

bool sameValue(const std::any& one, const std::any& other) {
    return sameAs<bool>(one, other) || sameAs<std::int64_t>(one, other) ||
           sameAs<Bytes>(one, other) || sameAs<Duration>(one, other) ||
           sameAs<std::string>(one, other) || sameAs<std::vector<std::string>>(one, other);
}

const Config::Entry* findEntry(const Config& config, std::string_view host, std::string_view key) {
    if (!host.empty()) {
        const auto entries = config.hostValues.find(host);
        if (entries != config.hostValues.end()) {
            const auto found = entries->second.find(key);
            if (found != entries->second.end()) return &found->second;
        }
    }
    const auto found = config.values.find(key);
    return found == config.values.end() ? nullptr : &found->second;
}

std::any effective(const Config& config, const OptionRef& option, std::string_view host) {
    if (const auto* entry = findEntry(config, host, option.key())) return entry->value;
    const auto table = toml::parse("value = " + option.fallbackToml());
    const auto raw = rawOf(*table.get("value"));
    return raw ? option.read(*raw).value : std::any{};
}

bool hasOwn(const Config& config, const std::string& host, std::string_view key) {
    const auto entries = config.hostValues.find(host);
    return entries != config.hostValues.end() && entries->second.find(key) != entries->second.end();
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::string ConfigMistake::text() const {
    std::string where = file;
    if (line > 0) where += ":" + std::to_string(line) + ":" + std::to_string(column);
    return where.empty() ? message : where + ": " + message;
}

std::string ConfigResult::report() const {
    std::string text;
    for (const auto& mistake : mistakes) text += mistake.text() + "\n";
    if (!mistakes.empty()) {
        text +=
            mistakes.size() == 1 ? "1 mistake\n" : std::to_string(mistakes.size()) + " mistakes\n";
    }
    return text;
}

ConfigResult readConfig(std::string_view text, std::string file, const OptionList& options,
                        const ConfigOverrides& overrides) {
    Reader reader{std::move(file), options};
    std::vector<SyntaxMistake> mistakes;
    const auto table = parseWithRecovery(text, mistakes);
    for (const auto& mistake : mistakes) reader.syntax(mistake);
    reader.read(table);
    for (const auto& [key, value] : overrides) reader.override(key, value);
    return reader.result();
}

ConfigResult loadConfig(const std::string& path, const OptionList& options,
                        const ConfigOverrides& overrides, MissingFile missing) {
    errno = 0;
    std::ifstream stream{path, std::ios::binary};
    std::ostringstream text;
    if (stream) text << stream.rdbuf();
    // A folder opens, and fails when it is read; an empty file sets the fail bit of `text` alone.
    if (!stream.is_open() || stream.bad() || errno == EISDIR) {
        const int reason = errno;
        if (!stream.is_open() && reason == ENOENT && missing == MissingFile::Empty) {
            return readConfig("", "", options, overrides);
        }
        return {nullptr,
                {{path, 0, 0, "",
                  "The file cannot be read: " + std::generic_category().message(reason) + "."}},
                nullptr};
    }
    return readConfig(text.str(), path, options, overrides);
}

std::vector<ConfigChange> ConfigChanges::needingRestart() const {
    std::vector<ConfigChange> needing;
    std::copy_if(options.begin(), options.end(), std::back_inserter(needing),
                 [](const auto& change) { return change.takes == Takes::AtRestart; });
    return needing;
}

ConfigChanges compareConfigs(const Config& before, const Config& after, const OptionList& options) {
    ConfigChanges changes;
    const auto compare = [&](const OptionRef& option, const std::string& host) {
        if (sameValue(effective(before, option, host), effective(after, option, host))) return;
        changes.options.push_back({keyOf(host, option.key()), host,
                                   effectiveToml(before, option, host),
                                   effectiveToml(after, option, host), option.takes()});
    };
    for (const auto& option : options) compare(option, "");
    const auto compareDomains = [&](const std::vector<std::string>& old,
                                    const std::vector<std::string>& now, auto& added, auto& removed) {
        for (const auto& domain : now) {
            if (!contains(old, domain)) {
                added.push_back(domain);
                continue;
            }
            for (const auto& option : options) {
                // Without a value of its own it follows the server, whose change is told already.
                if (hasOwn(before, domain, option.key()) || hasOwn(after, domain, option.key()))
                    compare(option, domain);
            }
        }
        for (const auto& domain : old)
            if (!contains(now, domain)) removed.push_back(domain);
    };
    compareDomains(before.hosts, after.hosts, changes.hostsAdded, changes.hostsRemoved);
    compareDomains(before.components, after.components, changes.componentsAdded,
                   changes.componentsRemoved);
    return changes;
}

std::string keyOf(std::string_view domain, std::string_view key) {
    if (domain.empty()) return std::string{key};
    if (!key.starts_with(componentPrefix))
        return "host." + inQuotes(domain) + "." + std::string{key};
    key.remove_prefix(componentPrefix.size());
    return std::string{componentPrefix} + inQuotes(domain) + "." + std::string{key};
}

std::string tomlText(const std::any& value) {
    if (const auto* flag = std::any_cast<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* number = std::any_cast<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* bytes = std::any_cast<Bytes>(&value)) return inQuotes(toText(*bytes));
    if (const auto* duration = std::any_cast<Duration>(&value)) return inQuotes(toText(*duration));
    if (const auto* text = std::any_cast<std::string>(&value)) return inQuotes(*text);
    if (const auto* texts = std::any_cast<std::vector<std::string>>(&value)) {
        std::string list;
        for (const auto& text : *texts) list += (list.empty() ? "" : ", ") + inQuotes(text);
        return "[" + list + "]";
    }
    return "";
}

std::string effectiveToml(const Config& config, const OptionRef& option, std::string_view host) {
    const auto* entry = findEntry(config, host, option.key());
    return entry ? tomlText(entry->value) : option.fallbackToml();
}

}  // namespace epode
