// Requests and responses of HTTP/1.1 (RFC 9110), as handlers see them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

enum class HttpMethod : std::uint8_t { Get, Head, Post, Put, Delete, Patch, Options };
std::string_view toText(HttpMethod method);  // "GET"
std::optional<HttpMethod> parseHttpMethod(std::string_view text);

struct HttpField {
    std::string name;  // of requests: in lower case
    std::string value;
};

struct HttpRequest {
    HttpMethod method = HttpMethod::Get;
    // Decoded, begins with "/", holds no "." or ".." as a part and no control characters.
    std::string path;
    std::string query;  // behind the "?", as it was sent
    std::string host;   // in lower case, without the port; "" when HTTP/1.0 named none
    std::vector<HttpField> fields;
    std::optional<std::uint64_t> contentLength;
    bool isChunked = false;
    bool isPersistent = true;  // the client wants to keep the connection
    bool isVersion11 = true;
    bool expectsContinue = false;

    // Of the connection, after trusted proxies have said for whom they speak.
    std::string address;
    bool isSecure = false;     // nobody between the client and us can read it
    bool isForwarded = false;  // a trusted proxy has told the address

    // The value of the first such field; "" when there is none. `name` in lower case.
    std::string_view field(std::string_view name) const;
    // Whether the comma-separated fields of this name have the token, in any case.
    bool lists(std::string_view name, std::string_view token) const;
    bool hasBody() const { return isChunked || contentLength.value_or(0) > 0; }
};

struct HttpResponse {
    int status = 200;
    std::vector<HttpField> fields{};
    std::string body{};

    HttpResponse& set(std::string_view name, std::string_view value) & {
        fields.push_back({std::string{name}, std::string{value}});
        return *this;
    }
    HttpResponse&& set(std::string_view name, std::string_view value) && {
        return std::move(set(name, value));
    }
    bool has(std::string_view name) const;

    static HttpResponse of(std::string_view contentType, std::string body);
    // A page that says what went wrong, in one sentence of plain text.
    static HttpResponse error(int status, std::string_view sentence = {});
};

std::string_view httpReason(int status);  // "Not Found"

// Compares as tokens do: ASCII, in any case.
bool equalIgnoringCase(std::string_view a, std::string_view b);
// Letters, digits and the marks of RFC 9110, 5.6.2; not empty.
bool isHttpToken(std::string_view text);
// Undoes %XX; nothing when a percent sign is followed by anything else.
std::optional<std::string> decodePercent(std::string_view text);
// The value of a parameter of a query, decoded ("+" is a space); nothing when there is none.
std::optional<std::string> queryValue(std::string_view query, std::string_view name);

}  // namespace epode
