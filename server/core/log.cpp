#include "core/log.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace epode {

namespace {

struct LogState {
    std::shared_mutex mutex;
    std::map<std::string, LogLevel, std::less<>> areas;  // without the default
    std::shared_ptr<const LogSink> sink;
    std::atomic<LogLevel> fallback{LogLevel::Info};
    // The lowest level of any area: most calls that write nothing end at this one comparison.
    std::atomic<LogLevel> lowest{LogLevel::Info};
    std::atomic<bool> hasAreas{false};
};

// Never destroyed: statics of other files may log while the program ends.
LogState& state() {
    static auto* instance = new LogState;
    return *instance;
}

void append(std::string& out, const LogField& field) {
    out.append(" ").append(field.key).append("=");
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
        // A line is a line, whatever a stranger wrote.
        for (const char c : *text) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                out += '?';
            } else {
                out += c;
            }
        }
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
        out += std::to_string(*number);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
        out += std::to_string(*real);
    } else {
        out += std::get<bool>(field.value) ? "true" : "false";
    }
}

// Until there is a sink.
void writeToStandardError(const LogLine& line) {
    if (line.level < LogLevel::Warning) return;
    std::string out;
    out.append(toText(line.level)).append(" ").append(line.area).append(": ").append(line.text);
    for (const auto& field : line.fields) append(out, field);
    out += '\n';
    std::fwrite(out.data(), 1, out.size(), stderr);
}

void write(const LogLine& line) {
    std::shared_ptr<const LogSink> sink;
    {
        const std::shared_lock lock{state().mutex};
        sink = state().sink;
    }
    if (sink) {
        (*sink)(line);
    } else {
        writeToStandardError(line);
    }
}

void findLowest(LogState& logs) {
    LogLevel lowest = logs.fallback;
    for (const auto& [area, level] : logs.areas) lowest = std::min(lowest, level);
    logs.lowest = lowest;
    logs.hasAreas = !logs.areas.empty();
}

}  // namespace

std::string_view toText(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return "debug";
        case LogLevel::Info:
            return "info";
        case LogLevel::Notice:
            return "notice";
        case LogLevel::Warning:
            return "warning";
        case LogLevel::Error:
            return "error";
        case LogLevel::Off:
            return "off";
    }
    return "off";
}

void setLogSink(LogSink sink) {
    auto shared = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
    const std::unique_lock lock{state().mutex};
    state().sink.swap(shared);
}

void setLogLevel(std::string_view area, LogLevel level) {
    auto& logs = state();
    const std::unique_lock lock{logs.mutex};
    if (area.empty()) {
        logs.fallback = level;
    } else {
        logs.areas.insert_or_assign(std::string{area}, level);
    }
    findLowest(logs);
}

LogLevel logLevel(std::string_view area) {
    auto& logs = state();
    if (!area.empty() && logs.hasAreas.load(std::memory_order_relaxed)) {
        const std::shared_lock lock{logs.mutex};
        if (const auto found = logs.areas.find(area); found != logs.areas.end()) {
            return found->second;
        }
    }
    return logs.fallback.load(std::memory_order_relaxed);
}

bool Log::isOn(LogLevel level) const {
    if (level < state().lowest.load(std::memory_order_relaxed)) return false;
    return level >= logLevel(area_);
}

void Log::debug(std::string_view text, std::initializer_list<LogField> fields) const {
    if (isOn(LogLevel::Debug)) write({LogLevel::Debug, area_, text, fields});
}

void Log::info(std::string_view text, std::initializer_list<LogField> fields) const {
    if (isOn(LogLevel::Info)) write({LogLevel::Info, area_, text, fields});
}

void Log::notice(std::string_view text, std::initializer_list<LogField> fields) const {
    if (isOn(LogLevel::Notice)) write({LogLevel::Notice, area_, text, fields});
}

void Log::warning(std::string_view text, std::initializer_list<LogField> fields) const {
    if (isOn(LogLevel::Warning)) write({LogLevel::Warning, area_, text, fields});
}

void Log::error(std::string_view text, std::initializer_list<LogField> fields) const {
    if (isOn(LogLevel::Error)) write({LogLevel::Error, area_, text, fields});
}

}  // namespace epode
