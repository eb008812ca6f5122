// What the interface offers, declared: reading of requests, answers with errors, the OpenAPI
// document and the pages for people are made from these.
#pragma once

#include "net/http_message.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

// Where all of it is.
inline constexpr std::string_view basePath = "/api/v1";

// What a token has to be good for.
enum class Scope : std::uint8_t { None, Read, Write, Send, Admin };
std::string_view toText(Scope scope);  // "rest:read"
inline constexpr Scope allScopes[]{Scope::Read, Scope::Write, Scope::Send, Scope::Admin};
std::string_view helpOf(Scope scope);

enum class Kind : std::uint8_t {
    Text,
    Secret,   // a text that nobody repeats
    Address,  // of a person or room: bare
    Integer,
    Boolean,
    Time,  // 2026-11-20T10:00:00Z
    Id,    // of what is archived
    Choice,
    Object,  // of answers: as `schema` says
    Any,     // of answers: whatever a command says
};
enum class In : std::uint8_t { Path, Query, Header, Body };
enum class Need : std::uint8_t { Optional, Required };
enum class Many : std::uint8_t { No, Yes };

// One value of a request or an answer.
struct Field {
    std::string_view name;
    Kind kind = Kind::Text;
    In in = In::Body;
    Need need = Need::Optional;
    Many many = Many::No;
    std::int64_t least = 0;  // of numbers; of texts: bytes; of many: how many
    std::int64_t most = 0;   // 0: the kind's own limit
    std::vector<std::string_view> choices{};
    std::string_view schema{};  // of an Object
    std::string_view help{};
};

// What a body of a request is.
enum class Body : std::uint8_t {
    None,
    Json,       // an object with the fields that are declared
    Arguments,  // an object with whatever a command takes
    Bytes,      // a picture
};

// A part of answers that has a name.
struct Schema {
    std::string_view name;
    std::string_view help;
    std::vector<Field> fields;
};
const std::vector<Schema>& schemas();

struct Call;
struct Outcome;
class Service;
template <typename T>
using Handler = T (Service::*)(Call&);

// One thing that can be asked for.
struct OperationInfo {
    std::string_view id;  // "sendMessage"
    HttpMethod method = HttpMethod::Get;
    std::string_view path;   // "/contacts/{address}", below `basePath`
    std::string_view group;  // "Contacts"
    std::string_view summary;
    std::string_view details{};
    Scope scope = Scope::None;
    std::vector<Field> fields{};
    Body body = Body::None;
    int status = 200;  // of success
    std::vector<Field> answer{};
    std::string_view answerType = "application/json";
    std::vector<int> errors{};  // besides those that everything may be answered with
};

// A problem as RFC 9457 has it: a word for programs, the rest for people.
struct ProblemKind {
    int status;
    std::string_view word;  // the end of its type
    std::string_view title;
};
const std::vector<ProblemKind>& problemKinds();

}  // namespace epode::rest
