// Options of the configuration, declared once beside the code that obeys them:
//
//     const Option<Bytes> fragmentBytesMax{
//         .key = "private_storage.fragment_bytes_max",
//         .fallback = 64_KiB,
//         .range = {1_KiB, 1_MiB},
//         .help = "The largest fragment an account may keep; a larger one is refused.",
//     };
//
// The key is the path in the TOML file (`[private_storage] fragment_bytes_max = "64 KiB"`); below
// `[host."example.org"]` the same path holds for one virtual host alone. Sample configuration,
// reference page and checks are made from the declarations.
#pragma once

#include "core/time.h"

#include <any>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace epode {

// A size; written "64 KiB", "1 MiB", or a plain number of bytes.
struct Bytes {
    std::uint64_t value = 0;
    constexpr operator std::uint64_t() const { return value; }
};
constexpr Bytes operator""_B(unsigned long long n) { return {n}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return {n << 10}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {n << 20}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {n << 30}; }
std::string toText(Bytes bytes);        // "64 KiB"
std::string toText(Duration duration);  // "30 s"; units in files: ms, s, min, h, d
std::optional<Bytes> parseBytes(std::string_view text);
std::optional<Duration> parseDuration(std::string_view text);

// When a changed value takes effect.
enum class Takes { AtReload, AtRestart };
// Who may have a value of its own: a virtual host, nobody, or a component (below
// `[component."irc.example.org"]`, without the section's name: `[component] output_bytes_max` is
// for all of them).
enum class Scope { Host, Server, Component };

template <typename T>
struct Range {
    std::optional<T> least{};
    std::optional<T> most{};
    Range() = default;
    Range(T from, T to) : least{from}, most{to} {}
};

// T is bool, std::int64_t, Bytes, Duration, std::string or std::vector<std::string>.
// For strings `choices` lists what is allowed (empty: anything); true and false need no quotes.
template <typename T>
struct Option {
    std::string_view key;
    T fallback{};
    Range<T> range{};
    std::vector<std::string_view> choices{};
    std::string_view help;
    Takes takes = Takes::AtReload;
    Scope scope = Scope::Host;
    // What the above doesn't say: "expected …, not …" about a value that is wrong, else nothing.
    std::string (*problem)(const T&) = nullptr;
    // Of a port that the server listens on: the key of the option with the addresses, so that no
    // other listens there, too.
    std::string_view listensOn = {};
};

// An option of any type, as lists of options hold it: points to a static Option<T>.
class OptionRef {
public:
    template <typename T>
    OptionRef(const Option<T>* option);
    std::string_view key() const { return key_; }
    std::string_view help() const { return help_; }
    std::string typeText() const { return type_; }          // "size", "duration", "true or false", …
    std::string fallbackToml() const { return fallback_; }  // as written in a file
    std::any fallback() const { return fallbackOf_(option_); }
    Takes takes() const { return takes_; }
    Scope scope() const { return scope_; }
    std::vector<std::string_view> choices() const { return choices_; }
    std::string rangeText() const { return rangeText_; }
    std::string_view listensOn() const { return listensOn_; }

    // What a TOML value can be, for the one who reads the file.
    using Raw = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;
    // The typed value (held as T), or a sentence that says what was expected.
    struct Read {
        std::any value;
        std::string problem;
    };
    Read read(const Raw& raw) const;

private:
    std::string_view key_, help_, listensOn_;
    std::string type_, fallback_, rangeText_;
    Takes takes_;
    Scope scope_;
    std::vector<std::string_view> choices_;
    const void* option_;
    Read (*read_)(const void* option, const Raw& raw);
    std::any (*fallbackOf_)(const void* option);
};

// The values in force: immutable, shared, replaced as a whole by a reload. What is not set has its
// option's fallback.
class Settings {
public:
    // For code and tests; the control floor fills one from a file.
    void set(std::string_view host, std::string_view key, std::any value);

    // The host's own value, else the server's, else the fallback.
    template <typename T>
    const T& get(const Option<T>& option, std::string_view host = {}) const {
        if (const std::any* found = find(option.key, host))
            // Of another type for a moment only, while a plugin is replaced by a newer one.
            if (const T* value = std::any_cast<T>(found)) return *value;
        return option.fallback;
    }

private:
    const std::any* find(std::string_view key, std::string_view host) const;
    std::map<std::string, std::any, std::less<>> values_;           // by key
    std::map<std::string, std::map<std::string, std::any, std::less<>>, std::less<>> hostValues_;
};
using SettingsPtr = std::shared_ptr<const Settings>;

}  // namespace epode
