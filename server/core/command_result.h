// What a command answers: a message, facts, a table, or a refusal; typed, so that people read
// "64 KiB" and "3 min ago" where programs read 65536 and a time stamp.
#pragma once

#include "core/option.h"
#include "core/time.h"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace epode {

// One value of a result. Null is "not known" or "never".
class Cell {
public:
    using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes,
                               Duration, WallTime, std::vector<std::string>>;

    Cell() = default;
    Cell(std::nullptr_t) {}
    Cell(std::same_as<bool> auto value) : value_{value} {}
    Cell(std::integral auto value)
        requires(!std::same_as<decltype(value), bool>)
        : value_{static_cast<std::int64_t>(value)} {}
    Cell(double value) : value_{value} {}
    Cell(const char* value) : value_{std::string{value}} {}
    Cell(std::string_view value) : value_{std::string{value}} {}
    Cell(std::string value) : value_{std::move(value)} {}
    Cell(Bytes value) : value_{value} {}
    Cell(Duration value) : value_{value} {}
    Cell(WallTime value) : value_{value} {}
    Cell(std::vector<std::string> value) : value_{std::move(value)} {}
    template <typename T>
    Cell(std::optional<T> value) {
        if (value) *this = Cell{std::move(*value)};
    }

    const Value& value() const { return value_; }
    bool isNull() const { return value_.index() == 0; }

private:
    Value value_;
};

struct Fact {
    std::string name;
    Cell value;
};

// Refusals carry a code for programs, a sentence for people, and what to do about it.
// Codes in use: usage, unknown-command, forbidden, not-found, exists, invalid, unavailable, failed;
// commands may have their own.
struct CommandError {
    std::string code;
    std::string message;
    std::string hint;
};

class CommandResult {
public:
    CommandResult() = default;

    static CommandResult message(std::string text) {
        CommandResult result;
        result.message_ = std::move(text);
        return result;
    }
    static CommandResult table(std::vector<std::string> columns) {
        CommandResult result;
        result.columns_ = std::move(columns);
        return result;
    }
    static CommandResult refusal(std::string code, std::string message, std::string hint = {}) {
        CommandResult result;
        result.error_ = CommandError{std::move(code), std::move(message), std::move(hint)};
        return result;
    }

    // Adds a row; as many cells as there are columns.
    CommandResult& row(std::vector<Cell> cells) {
        rows_.push_back(std::move(cells));
        return *this;
    }
    // Replaces a fact of the same name, as names are the keys of an object for programs.
    CommandResult& fact(std::string name, Cell value) {
        for (auto& fact : facts_) {
            if (fact.name != name) continue;
            fact.value = std::move(value);
            return *this;
        }
        facts_.push_back({std::move(name), std::move(value)});
        return *this;
    }
    CommandResult& say(std::string text) {
        message_ = std::move(text);
        return *this;
    }
    // What went well but should be known; the tool shows it on standard error.
    CommandResult& warn(std::string text) {
        warnings_.push_back(std::move(text));
        return *this;
    }

    bool isRefusal() const { return error_.has_value(); }
    const CommandError& error() const { return *error_; }
    const std::string& text() const { return message_; }
    const std::vector<Fact>& facts() const { return facts_; }
    bool hasTable() const { return !columns_.empty(); }
    const std::vector<std::string>& columns() const { return columns_; }
    const std::vector<std::vector<Cell>>& rows() const { return rows_; }
    const std::vector<std::string>& warnings() const { return warnings_; }

private:
    std::optional<CommandError> error_;
    std::string message_;
    std::vector<Fact> facts_;
    std::vector<std::string> columns_;
    std::vector<std::vector<Cell>> rows_;
    std::vector<std::string> warnings_;
};

}  // namespace epode
