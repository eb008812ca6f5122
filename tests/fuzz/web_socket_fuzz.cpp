// Any bytes as frames of WebSocket: the same messages however they are cut, none too long, text
// always UTF-8.
#include "net/web_socket_frames.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace epode;

namespace {

constexpr std::size_t most = 300;

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

std::string read(std::string_view bytes, std::size_t step) {
    WebSocketReader reader{most};
    std::string all;
    while (!bytes.empty()) {
        std::string_view input = bytes.substr(0, step == 0 ? bytes.size() : step);
        bytes.remove_prefix(input.size());
        while (!input.empty()) {
            const auto event = reader.next(input);
            if (event == WebSocketReader::Event::NeedMore) continue;
            if (event == WebSocketReader::Event::Failure)
                return all + "!" + std::to_string(unsigned(reader.code()));
            demand(reader.payload().size() <= most, "no message is too long");
            if (event == WebSocketReader::Event::Text)
                demand(isUtf8(reader.payload()), "text is UTF-8");
            all.append(std::to_string(int(event))).append(":").append(reader.payload()).append(";");
        }
    }
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const std::string whole = read(text, 0);
    demand(whole == read(text, 1), "byte by byte it is the same");
    demand(whole == read(text, 5), "and in pieces");
    return 0;
}
