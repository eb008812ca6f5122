// Structured logs: the text of a line is constant, the facts are fields.
//
// `error` means that the operator has something to do, which a stranger's bad input never does.
// Secrets, message bodies and SASL payloads appear at no level.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace epode {

enum class LogLevel : std::uint8_t { Debug, Info, Notice, Warning, Error, Off };

std::string_view toText(LogLevel level);  // "warning"

struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    template <typename T>
    LogField(std::string_view fieldKey, const T& fieldValue) : key{fieldKey} {
        if constexpr (std::is_same_v<T, bool>) {
            value = fieldValue;
        } else if constexpr (std::is_integral_v<T>) {
            value = static_cast<std::int64_t>(fieldValue);
        } else if constexpr (std::is_floating_point_v<T>) {
            value = static_cast<double>(fieldValue);
        } else {
            value = std::string_view{fieldValue};
        }
    }
};

struct LogLine {
    LogLevel level;
    std::string_view area;  // "net", "stream", "plugin.mam"
    std::string_view text;
    std::initializer_list<LogField> fields;
};

// Where lines go. Set once by main (the control floor has the real one); until then, and in tests
// that don't set one, lines of Warning and above go to standard error. Must be thread-safe.
using LogSink = std::function<void(const LogLine&)>;
void setLogSink(LogSink sink);

// The level below which an area is silent; `area` "" is the default of all others. Thread-safe.
void setLogLevel(std::string_view area, LogLevel level);
LogLevel logLevel(std::string_view area);

// One per area, usually a static of the file: `const Log log{"stream"};`
class Log {
public:
    explicit constexpr Log(std::string_view area) : area_{area} {}

    bool isOn(LogLevel level) const;
    void debug(std::string_view text, std::initializer_list<LogField> fields = {}) const;
    void info(std::string_view text, std::initializer_list<LogField> fields = {}) const;
    void notice(std::string_view text, std::initializer_list<LogField> fields = {}) const;
    void warning(std::string_view text, std::initializer_list<LogField> fields = {}) const;
    void error(std::string_view text, std::initializer_list<LogField> fields = {}) const;

private:
    std::string_view area_;
};

}  // namespace epode
