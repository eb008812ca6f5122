// Writes JSON, piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// Builds one line. Members come in the order of the calls; the caller keeps brackets in pairs.
class JsonWriter {
public:
    JsonWriter& open(char bracket) {
        separate();
        text_ += bracket;
        needsComma_ = false;
        return *this;
    }
    JsonWriter& close(char bracket) {
        text_ += bracket;
        needsComma_ = true;
        return *this;
    }
    JsonWriter& key(std::string_view name);
    JsonWriter& value(std::string_view text);
    JsonWriter& value(std::int64_t number) { return raw(std::to_string(number)); }
    JsonWriter& value(double number);  // null when JSON has no such number
    JsonWriter& flag(bool value) { return raw(value ? "true" : "false"); }
    JsonWriter& list(const std::vector<std::string>& texts);
    // What is JSON already.
    JsonWriter& raw(std::string_view json) {
        separate();
        text_ += json;
        return *this;
    }
    std::string take() { return std::move(text_); }

private:
    void separate() {
        if (needsComma_) text_ += ',';
        needsComma_ = true;
    }
    std::string text_;
    bool needsComma_ = false;
};

}  // namespace epode
