// Reads what a request brings along, as its operation declares it. Strict: what is not declared,
// comes twice, or is of another kind is refused, and all mistakes are told at once.
#pragma once

#include "call.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace epode::rest {

using PathValues = std::map<std::string, std::string, std::less<>>;

// Fills `call`, or says what is wrong.
std::optional<Problem> readRequest(const OperationInfo& operation, const PathValues& path,
                                   const HttpRequest& request, std::string_view body, Call& call);

// A JSON object of an operation's fields, and of a command's arguments. The texts are what is
// wrong.
using Places = std::vector<std::pair<std::string, std::string>>;
void readJson(const OperationInfo& operation, std::string_view json, Values& values, Places& wrong);
void readArguments(std::string_view json, RawArguments& arguments, Places& wrong);

// One value as text (of a path, query or header); nothing when it is none, and then `why` says so.
std::optional<Value> readValue(const Field& field, const std::string& text, std::string& why);

}  // namespace epode::rest
