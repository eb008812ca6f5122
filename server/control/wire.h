// What is said over the control socket: JSON, one object a line. A tool says hello first:
//
//     > {"hello":{"protocol":1,"program":"epodectl 0.1.0"}}
//     < {"hello":{"protocol":1,"program":"epoded 0.1.0"}}
//     > {"id":1,"commands":true}
//     < {"id":1,"commands":[{"name":"user add",…},…]}
//     > {"id":2,"call":"user list","arguments":{"host":"capulet.example"}}
//     < {"id":2,"progress":{"text":"…","done":3,"total":10}}
//     < {"id":2,"result":{"message":"…","facts":[…],"columns":[…],"rows":[…],"warnings":[…]}}
//     < {"id":3,"error":{"code":"not-found","message":"…","hint":"…"}}
//
// Sizes are bytes, durations seconds, times ISO 8601; the kind of each value stands beside it.
#pragma once

#include "core/command.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epode::wire {

constexpr int protocol = 1;

// A line that is not understood; the text says why.
class Malformed : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Hello {
    int protocol = wire::protocol;
    std::string program;
};
struct ListRequest {
    std::int64_t id = 0;
};
struct CallRequest {
    std::int64_t id = 0;
    std::string command;
    RawArguments arguments;
};
using Request = std::variant<Hello, ListRequest, CallRequest>;

struct ListReply {
    std::int64_t id = 0;
    std::vector<CommandInfo> commands;
};
struct ProgressReply {
    std::int64_t id = 0;
    Progress progress;
};
// Also a refusal; id 0 when it answers no request in particular.
struct ResultReply {
    std::int64_t id = 0;
    CommandResult result;
};
using Reply = std::variant<Hello, ListReply, ProgressReply, ResultReply>;

// Lines without their end. Reading throws Malformed.
std::string write(const Request& request);
std::string write(const Reply& reply);
Request readRequest(std::string_view line);
Reply readReply(std::string_view line);

// A result as programs want it: {"message":…,"<fact>":…,"rows":[{"<column>":…}]} or {"error":{…}}.
std::string plainJson(const CommandResult& result);
std::string plainJson(const std::vector<CommandInfo>& commands);

}  // namespace epode::wire
