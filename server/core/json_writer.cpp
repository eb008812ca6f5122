#include "core/json_writer.h"

#include "core/json_text.h"

#include <charconv>
#include <cmath>

namespace epode {

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    appendJsonString(text_, name);
    text_ += ':';
    needsComma_ = false;
    return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
    separate();
    appendJsonString(text_, text);
    return *this;
}

JsonWriter& JsonWriter::value(double number) {
    if (!std::isfinite(number)) return raw("null");
    char digits[40];
    const auto [end, failure] = std::to_chars(digits, digits + sizeof digits, number);
    return raw({digits, static_cast<std::size_t>(end - digits)});
}

JsonWriter& JsonWriter::list(const std::vector<std::string>& texts) {
    open('[');
    for (const auto& text : texts) value(std::string_view{text});
    return close(']');
}

}  // namespace epode
