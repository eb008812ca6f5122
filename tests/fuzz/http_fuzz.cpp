// Any bytes as requests of HTTP: the same events however they are cut, and what is accepted can't
// be read in two ways.
#include "net/http_parser.h"
#include "net/proxy_protocol.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace epode;

namespace {

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void checkRequest(const HttpRequest& request) {
    demand(request.path == "*" || request.path.starts_with('/'), "a path begins with a slash");
    demand(request.path.find('\0') == std::string::npos, "a path has no NUL");
    demand((request.path + "/").find("/../") == std::string::npos, "a path leads nowhere else");
    demand(!(request.isChunked && request.contentLength), "one way to find the end");
    demand(!request.isVersion11 || !request.host.empty(), "a request has a host");
    for (const auto& field : request.fields) {
        demand(isHttpToken(field.name), "names of fields are tokens");
        demand(field.value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string::npos,
               "values are one line");
    }
}

// What came of it, as text; `step` 0: all at once.
std::string read(std::string_view bytes, std::size_t step) {
    HttpParser parser;
    std::string all;
    std::string body;
    while (!bytes.empty()) {
        std::string_view input = bytes.substr(0, step == 0 ? bytes.size() : step);
        bytes.remove_prefix(input.size());
        while (true) {
            const auto before = input.size();
            const auto event = parser.next(input);
            if (event == HttpParser::Event::NeedMore) {
                demand(input.empty(), "all input is taken before more is asked for");
                break;
            }
            demand(input.size() <= before, "input only becomes less");
            if (event == HttpParser::Event::Failure)
                return all + "!" + std::to_string(parser.status());
            if (event == HttpParser::Event::Head) {
                checkRequest(parser.request());
                all.append(toText(parser.request().method))
                    .append(parser.request().path)
                    .append("\n");
            } else if (event == HttpParser::Event::Data) {
                demand(!parser.data().empty(), "data is not empty");
                body.append(parser.data());
            } else {
                all.append(body).append(";");
                body.clear();
            }
        }
    }
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const std::string whole = read(text, 0);
    demand(whole == read(text, 1), "byte by byte it is the same");
    demand(whole == read(text, 7), "and in pieces");
    const auto header = readProxyHeader(text);
    demand(header.bytes <= size, "a header is within the input");
    return 0;
}
