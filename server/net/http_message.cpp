#include "net/http_message.h"

#include <algorithm>
#include <array>

namespace epode {

namespace {

constexpr std::array<std::string_view, 7> methodNames{"GET",    "HEAD",  "POST",   "PUT",
                                                      "DELETE", "PATCH", "OPTIONS"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }

int hexValue(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string_view toText(HttpMethod method) { return methodNames[std::size_t(method)]; }

std::optional<HttpMethod> parseHttpMethod(std::string_view text) {
    const auto found = std::find(methodNames.begin(), methodNames.end(), text);
    if (found == methodNames.end()) return std::nullopt;
    return HttpMethod(found - methodNames.begin());
}

std::string_view HttpRequest::field(std::string_view name) const {
    for (const auto& field : fields)
        if (field.name == name) return field.value;
    return {};
}

bool HttpRequest::lists(std::string_view name, std::string_view token) const {
    for (const auto& field : fields) {
        if (field.name != name) continue;
        std::string_view rest = field.value;
        while (!rest.empty()) {
            const auto comma = std::min(rest.find(','), rest.size());
            if (equalIgnoringCase(trimmed(rest.substr(0, comma)), token)) return true;
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

bool HttpResponse::has(std::string_view name) const {
    return std::any_of(fields.begin(), fields.end(), [name](const HttpField& field) {
        return equalIgnoringCase(field.name, name);
    });
}

HttpResponse HttpResponse::of(std::string_view contentType, std::string body) {
    HttpResponse response;
    response.body = std::move(body);
    response.set("Content-Type", contentType);
    return response;
}

HttpResponse HttpResponse::error(int status, std::string_view sentence) {
    std::string text = std::to_string(status);
    text.append(" ").append(httpReason(status));
    if (!sentence.empty()) text.append("\n\n").append(sentence);
    text.append("\n");
    HttpResponse response = of("text/plain; charset=utf-8", std::move(text));
    response.status = status;
    return response;
}

std::string_view httpReason(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        case 507:
            return "Insufficient Storage";
        default:
            return "Unknown";
    }
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

bool isHttpToken(std::string_view text) {
    static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
               marks.find(c) != std::string_view::npos;
    });
}

std::optional<std::string> decodePercent(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hexValue(text[i + 1]);
        const int low = hexValue(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        decoded += char(high * 16 + low);
        i += 2;
    }
    return decoded;
}

std::optional<std::string> queryValue(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        if (pair.substr(0, equals) != name) continue;
        std::string value{pair.substr(std::min(equals + 1, pair.size()))};
        std::replace(value.begin(), value.end(), '+', ' ');
        return decodePercent(value);
    }
    return std::nullopt;
}

}  // namespace epode
