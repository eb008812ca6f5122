#include "core/option.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace epode {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

// From the largest to the smallest; the last is the one that needs no name to be exact.
constexpr std::array<Unit, 4> byteUnits{{
    {"GiB", 1ull << 30},
    {"MiB", 1ull << 20},
    {"KiB", 1ull << 10},
    {"B", 1},
}};
constexpr std::array<Unit, 5> durationUnits{{
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"min", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
}};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// "64 KiB" or "64KiB": a whole number and a unit of the list, in the list's smallest measure.
template <std::size_t N>
std::optional<std::uint64_t> parseQuantity(std::string_view text, const std::array<Unit, N>& units,
                                           std::uint64_t most, bool mayLackUnit) {
    text = trimmed(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const auto unitName = trimmed(text.substr(std::size_t(end - text.data())));
    if (unitName.empty() && (mayLackUnit || number == 0)) {
        if (number > most) return std::nullopt;
        return number;
    }
    for (const auto& unit : units) {
        if (unit.name != unitName) continue;
        if (number > most / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

template <std::size_t N>
const Unit* largestExactUnit(std::uint64_t value, const std::array<Unit, N>& units) {
    for (const auto& unit : units) {
        if (value != 0 && value % unit.factor == 0) return &unit;
    }
    return nullptr;
}

std::string inQuotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += c;
        }
    }
    return out + '"';
}

// What differs between the types an option can have.
template <typename T>
struct Kind;

template <>
struct Kind<bool> {
    static constexpr std::string_view type = "true or false";
    static constexpr std::string_view expected = "true or false";
    static std::string toml(bool value) { return value ? "true" : "false"; }
    static std::optional<bool> from(const OptionRef::Raw& raw) {
        if (const auto* value = std::get_if<bool>(&raw)) return *value;
        return std::nullopt;
    }
};

template <>
struct Kind<std::int64_t> {
    static constexpr std::string_view type = "number";
    static constexpr std::string_view expected = "a whole number";
    static std::string toml(std::int64_t value) { return std::to_string(value); }
    static std::optional<std::int64_t> from(const OptionRef::Raw& raw) {
        if (const auto* value = std::get_if<std::int64_t>(&raw)) return *value;
        return std::nullopt;
    }
};

template <>
struct Kind<Bytes> {
    static constexpr std::string_view type = "size";
    static constexpr std::string_view expected = "a size such as \"64 KiB\" or \"1 MiB\"";
    static std::string toml(Bytes value) { return inQuotes(toText(value)); }
    static std::optional<Bytes> from(const OptionRef::Raw& raw) {
        if (const auto* text = std::get_if<std::string>(&raw)) return parseBytes(*text);
        if (const auto* number = std::get_if<std::int64_t>(&raw)) {
            if (*number >= 0) return Bytes{std::uint64_t(*number)};
        }
        return std::nullopt;
    }
};

template <>
struct Kind<Duration> {
    static constexpr std::string_view type = "duration";
    static constexpr std::string_view expected =
        "a duration such as \"30 s\", \"5 min\" or \"1 d\"";
    static std::string toml(Duration value) { return inQuotes(toText(value)); }
    static std::optional<Duration> from(const OptionRef::Raw& raw) {
        if (const auto* text = std::get_if<std::string>(&raw)) return parseDuration(*text);
        return std::nullopt;
    }
};

template <>
struct Kind<std::string> {
    static constexpr std::string_view type = "text";
    static constexpr std::string_view expected = "a text in quotation marks";
    static std::string toml(const std::string& value) { return inQuotes(value); }
    static std::optional<std::string> from(const OptionRef::Raw& raw) {
        if (const auto* value = std::get_if<std::string>(&raw)) return *value;
        return std::nullopt;
    }
};

template <>
struct Kind<std::vector<std::string>> {
    static constexpr std::string_view type = "list of texts";
    static constexpr std::string_view expected = "a list of texts such as [\"a\", \"b\"]";
    static std::string toml(const std::vector<std::string>& values) {
        std::string out = "[";
        for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + inQuotes(value);
        return out + "]";
    }
    static std::optional<std::vector<std::string>> from(const OptionRef::Raw& raw) {
        if (const auto* values = std::get_if<std::vector<std::string>>(&raw)) return *values;
        return std::nullopt;
    }
};

// A value of a range, without the quotation marks that a file needs.
std::string plain(std::int64_t value) { return std::to_string(value); }
std::string plain(Bytes value) { return toText(value); }
std::string plain(Duration value) { return toText(value); }

template <typename T>
constexpr bool hasRange =
    std::is_same_v<T, std::int64_t> || std::is_same_v<T, Bytes> || std::is_same_v<T, Duration>;

template <typename T>
std::string textOf(const Range<T>& range) {
    if constexpr (hasRange<T>) {
        if (range.least && range.most) return plain(*range.least) + " to " + plain(*range.most);
        if (range.least) return "at least " + plain(*range.least);
        if (range.most) return "at most " + plain(*range.most);
    }
    return {};
}

template <typename T>
bool isInRange(const Range<T>& range, const T& value) {
    if constexpr (hasRange<T>) {
        if (range.least && value < *range.least) return false;
        if (range.most && value > *range.most) return false;
    }
    return true;
}

std::string textOf(const std::vector<std::string_view>& choices) {
    std::string out;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
        out += inQuotes(choices[i]);
    }
    return out;
}

bool isChoice(const std::vector<std::string_view>& choices, std::string_view value) {
    return choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end();
}

// The first text that isn't among the choices; null when all are.
template <typename T>
const std::string* firstUnknown(const std::vector<std::string_view>& choices, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
        return isChoice(choices, value) ? nullptr : &value;
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
        for (const auto& item : value) {
            if (!isChoice(choices, item)) return &item;
        }
    }
    return nullptr;
}

template <typename T>
OptionRef::Read readAs(const void* opaque, const OptionRef::Raw& raw) {
    const auto& option = *static_cast<const Option<T>*>(opaque);
    auto value = Kind<T>::from(raw);
    // What isn't only yes or no is written as if it were.
    if constexpr (std::is_same_v<T, std::string>) {
        if (const auto* flag = std::get_if<bool>(&raw); flag && !option.choices.empty()) {
            if (auto text = Kind<bool>::toml(*flag); isChoice(option.choices, text))
                value = std::move(text);
        }
    }
    if (!value) {
        std::string problem = "expected " + std::string{Kind<T>::expected};
        if (const auto range = textOf(option.range); !range.empty()) problem += " (" + range + ")";
        return {{}, problem};
    }
    if (!isInRange(option.range, *value)) {
        return {{}, "expected " + textOf(option.range) + ", not " + Kind<T>::toml(*value)};
    }
    if (const auto* unknown = firstUnknown(option.choices, *value)) {
        return {{}, "expected " + textOf(option.choices) + ", not " + inQuotes(*unknown)};
    }
    if (option.problem) {
        if (auto problem = option.problem(*value); !problem.empty()) return {{}, std::move(problem)};
    }
    return {std::any{std::move(*value)}, {}};
}

}  // namespace

std::string toText(Bytes bytes) {
    const auto* unit = largestExactUnit(bytes.value, byteUnits);
    if (!unit) return "0 B";
    return std::to_string(bytes.value / unit->factor) + " " + std::string{unit->name};
}

std::string toText(Duration duration) {
    const auto count = duration.count();
    if (count == 0) return "0 s";
    const auto magnitude = count < 0 ? 0 - std::uint64_t(count) : std::uint64_t(count);
    const std::string sign = count < 0 ? "-" : "";
    const auto* unit = largestExactUnit(magnitude, durationUnits);
    if (!unit) return sign + std::to_string(magnitude) + " ns";
    return sign + std::to_string(magnitude / unit->factor) + " " + std::string{unit->name};
}

std::optional<Bytes> parseBytes(std::string_view text) {
    const auto value =
        parseQuantity(text, byteUnits, std::numeric_limits<std::uint64_t>::max(), true);
    if (!value) return std::nullopt;
    return Bytes{*value};
}

std::optional<Duration> parseDuration(std::string_view text) {
    const auto most = std::uint64_t(std::numeric_limits<std::int64_t>::max());
    const auto value = parseQuantity(text, durationUnits, most, false);
    if (!value) return std::nullopt;
    return Duration{std::int64_t(*value)};
}

template <typename T>
OptionRef::OptionRef(const Option<T>* option)
    : key_{option->key},
      help_{option->help},
      listensOn_{option->listensOn},
      type_{Kind<T>::type},
      fallback_{Kind<T>::toml(option->fallback)},
      rangeText_{textOf(option->range)},
      takes_{option->takes},
      scope_{option->scope},
      choices_{option->choices},
      option_{option},
      read_{&readAs<T>},
      fallbackOf_{[](const void* opaque) -> std::any {
          return static_cast<const Option<T>*>(opaque)->fallback;
      }} {}

template OptionRef::OptionRef(const Option<bool>*);
template OptionRef::OptionRef(const Option<std::int64_t>*);
template OptionRef::OptionRef(const Option<Bytes>*);
template OptionRef::OptionRef(const Option<Duration>*);
template OptionRef::OptionRef(const Option<std::string>*);
template OptionRef::OptionRef(const Option<std::vector<std::string>>*);

OptionRef::Read OptionRef::read(const Raw& raw) const { return read_(option_, raw); }

void Settings::set(std::string_view host, std::string_view key, std::any value) {
    auto& values = host.empty() ? values_ : hostValues_[std::string{host}];
    values.insert_or_assign(std::string{key}, std::move(value));
}

const std::any* Settings::find(std::string_view key, std::string_view host) const {
    if (!host.empty()) {
        if (const auto own = hostValues_.find(host); own != hostValues_.end()) {
            if (const auto found = own->second.find(key); found != own->second.end()) {
                return &found->second;
            }
        }
    }
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
}

}  // namespace epode
