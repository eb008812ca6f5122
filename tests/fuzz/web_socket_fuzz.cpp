// Any bytes as frames of WebSocket: the same messages however they are cut, none too long, text
// always UTF-8.
#include "net/message_deflate.h"
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

std::string read(std::string_view bytes, std::size_t step, bool isCompressed) {
    WebSocketReader reader{most};
    if (isCompressed) reader.allowCompression();
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
    for (const bool isCompressed : {false, true}) {
        const std::string whole = read(text, 0, isCompressed);
        demand(whole == read(text, 1, isCompressed), "byte by byte it is the same");
        demand(whole == read(text, 5, isCompressed), "and in pieces");
    }
    // What is compressed comes back; offers are read, whatever they are.
    agreeOnDeflate(text);
    std::string packed;
    std::string unpacked;
    if (deflateMessage(text, 9 + text.size() % 7, packed))
        demand(inflateMessage(packed, text.size(), unpacked) == Inflated::Whole && unpacked == text,
               "what is compressed comes back");
    return 0;
}
