// The configuration file: TOML, all of it optional. Every mistake is found in one go, with its
// place, what was expected, and the nearest known name.
//
//     [log]
//     level = "info"
//
//     [host."capulet.example"]
//     private_storage.fragment_bytes_max = "16 KiB"
//
//     [component."irc.capulet.example"]
//     secret = "…"
#pragma once

#include "core/option.h"

#include <any>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

// Something that the file's author has to change.
struct ConfigMistake {
    std::string file;
    int line = 0;         // from 1; 0 when it has no place in a file
    int column = 0;       // in characters, from 1
    std::string key;      // "log.level", or `host."capulet.example".log.level`; empty for syntax
    std::string message;  // what was found and what was expected, one or two sentences

    std::string text() const;  // "/etc/epode/epode.toml:3:9: log.level is …"
};

// Where a value was set.
struct ConfigPlace {
    std::string file;  // "the command line" for overrides
    int line = 0;
};

// A file's values in force with all that is needed to compare and show them.
struct Config {
    struct Entry {
        std::any value;  // of the option's type
        ConfigPlace place;
    };
    using Entries = std::map<std::string, Entry, std::less<>>;  // by key

    SettingsPtr settings = std::make_shared<const Settings>();
    // Prepared domains in the order of the file; localhost when the file names none.
    std::vector<std::string> hosts{"localhost"};
    std::vector<std::string> components;  // the same; there is none by itself
    std::string file;  // empty when there was none
    Entries values;
    std::map<std::string, Entries, std::less<>> hostValues;  // and those of components
};
using ConfigPtr = std::shared_ptr<const Config>;

struct ConfigResult {
    ConfigPtr config;                     // null when there are mistakes
    std::vector<ConfigMistake> mistakes;  // by place
    // What could be read in spite of mistakes; null when there was no file to read.
    ConfigPtr understood;
    bool ok() const { return config != nullptr; }
    // One mistake a line, and how many there are.
    std::string report() const;
};

// `--set KEY=VALUE` of the command line; stronger than the file. The value is TOML, or else a text.
using ConfigOverrides = std::vector<std::pair<std::string, std::string>>;

// Options are given by those who declare them; a key may be declared once.
using OptionList = std::vector<OptionRef>;

// `file` is the name to tell in mistakes.
ConfigResult readConfig(std::string_view text, std::string file, const OptionList& options,
                        const ConfigOverrides& overrides = {});

enum class MissingFile { Refused, Empty };
ConfigResult loadConfig(const std::string& path, const OptionList& options,
                        const ConfigOverrides& overrides = {},
                        MissingFile missing = MissingFile::Refused);

// What a reload would change.
struct ConfigChange {
    std::string key;            // as in ConfigMistake
    std::string host;           // or component; empty: the server's own
    std::string before, after;  // as written in a file
    Takes takes = Takes::AtReload;
};
struct ConfigChanges {
    std::vector<ConfigChange> options;
    std::vector<std::string> hostsAdded, hostsRemoved;
    std::vector<std::string> componentsAdded, componentsRemoved;
    bool empty() const {
        return options.empty() && hostsAdded.empty() && hostsRemoved.empty() &&
               componentsAdded.empty() && componentsRemoved.empty();
    }
    std::vector<ConfigChange> needingRestart() const;
};
ConfigChanges compareConfigs(const Config& before, const Config& after, const OptionList& options);

// How a file says it for one host or component alone: `host."capulet.example".log.level`,
// `component."irc.capulet.example".secret`. The key itself when there is no domain.
std::string keyOf(std::string_view domain, std::string_view key);

// A value as written in a file.
std::string tomlText(const std::any& value);

// The value in force: the entry, else the fallback.
std::string effectiveToml(const Config& config, const OptionRef& option,
                          std::string_view host = {});

}  // namespace epode
