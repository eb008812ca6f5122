// JSON of strangers: bodies of REST, and the parts of a token.
#include "plugins/rest/body.h"
#include "plugins/token/jwt.h"

#include "core/base64.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

// A token that says this; nobody has signed it.
std::string unsignedToken(std::string_view header) {
    std::string text = epode::encodeBase64(header);
    while (text.ends_with('=')) text.pop_back();
    for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text + ".e30.AAAA";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace epode::rest;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static const OperationInfo operation{
        .id = "fuzz",
        .path = "/",
        .fields = {{.name = "text", .most = 100},
                   {.name = "to", .kind = Kind::Address},
                   {.name = "number", .kind = Kind::Integer, .least = 1, .most = 9},
                   {.name = "flag", .kind = Kind::Boolean},
                   {.name = "id", .kind = Kind::Id},
                   {.name = "time", .kind = Kind::Time},
                   {.name = "kind", .kind = Kind::Choice, .choices = {"a", "b"}},
                   {.name = "list", .many = Many::Yes, .most = 3}},
        .body = Body::Json};
    Values values;
    Places wrong;
    readJson(operation, text, values, wrong);
    for (const auto& [name, value] : values) {
        if (const auto* number = std::get_if<std::int64_t>(&value);
            number && (*number < 1 || *number > 9))
            std::abort();
        if (const auto* said = std::get_if<std::string>(&value); said && said->size() > 100)
            std::abort();
        if (const auto* list = std::get_if<std::vector<std::string>>(&value);
            list && list->size() > 3)
            std::abort();
    }
    epode::RawArguments arguments;
    Places refused;
    readArguments(text, arguments, refused);
    if (arguments.size() > 100) std::abort();

    try {
        for (const auto& key : epode::token::readKeySet(std::string{text}))
            if (key.algorithm != epode::token::Algorithm::Hs256 && !key.pkey) std::abort();
    } catch (const std::runtime_error&) {  // it is none
    }
    const auto token = unsignedToken(text);
    epode::token::keyIdOf(token);
    if (epode::token::readToken(token, {})) std::abort();
    return 0;
}
