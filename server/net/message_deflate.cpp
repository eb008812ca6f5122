#include "net/message_deflate.h"

#include "net/http_message.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <new>
#include <optional>
#include <vector>

namespace epode {

namespace {

constexpr unsigned bitsMax = 15;
// zlib can't compress with less.
constexpr unsigned bitsMin = 9;
constexpr std::size_t offersMax = 16;
// What ends each message, and is not sent (RFC 7692, 7.2.1).
constexpr std::string_view tail{"\x00\x00\xFF\xFF", 4};
constexpr std::size_t stepBytes = 16 * 1024;
// Smaller texts don't get smaller.
constexpr std::size_t worthwhile = 96;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// At a mark that stands in no quotes.
std::vector<std::string_view> split(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    bool isQuoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') isQuoted = !isQuoted;
        if (text[i] != mark || isQuoted) continue;
        parts.push_back(trimmed(text.substr(begin, i - begin)));
        begin = i + 1;
    }
    parts.push_back(trimmed(text.substr(begin)));
    return parts;
}

// 8 to 15, in decimal and without zeros before it.
std::optional<unsigned> windowBitsIn(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    unsigned bits = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), bits);
    if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size() ||
        value.front() == '0' || bits < 8 || bits > bitsMax)
        return std::nullopt;
    return bits;
}

// The bits of our own window when the offer can be taken.
std::optional<unsigned> take(std::string_view offer, bool& namesServerBits) {
    const auto parts = split(offer, ';');
    if (!equalIgnoringCase(parts.front(), "permessage-deflate")) return std::nullopt;
    std::vector<std::string> seen;
    unsigned bits = bitsMax;
    namesServerBits = false;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equal = parts[i].find('=');
        std::string name;
        for (const char c : trimmed(parts[i].substr(0, equal)))
            name += c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
        const bool hasValue = equal != std::string_view::npos;
        const auto value = hasValue ? trimmed(parts[i].substr(equal + 1)) : std::string_view{};
        // Unknown ones, doubled ones and bad values: the offer is declined (7.1).
        if (std::find(seen.begin(), seen.end(), name) != seen.end()) return std::nullopt;
        seen.push_back(name);
        if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
            if (hasValue) return std::nullopt;
        } else if (name == "client_max_window_bits") {
            if (hasValue && !windowBitsIn(value)) return std::nullopt;
        } else if (name == "server_max_window_bits") {
            const auto asked = windowBitsIn(value);
            if (!asked || *asked < bitsMin) return std::nullopt;
            bits = *asked;
            namesServerBits = true;
        } else {
            return std::nullopt;
        }
    }
    return bits;
}

class Inflater {
public:
    Inflater() {
        if (inflateInit2(&stream_, -int(bitsMax)) != Z_OK) throw std::bad_alloc{};
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // Appends; false when the bytes are no such thing.
    bool add(std::string_view bytes, std::size_t most, std::string& text) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = uInt(bytes.size());
        std::array<char, stepBytes> piece;
        while (true) {
            stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
            stream_.avail_out = uInt(piece.size());
            const int done = ::inflate(&stream_, Z_SYNC_FLUSH);
            text.append(piece.data(), piece.size() - stream_.avail_out);
            if (text.size() > most) return true;
            if (done == Z_STREAM_END) {
                // A last block, as some make it (7.2.3.4): another stream may follow.
                inflateReset(&stream_);
                if (stream_.avail_in == 0) return true;
                continue;
            }
            if (done != Z_OK && done != Z_BUF_ERROR) return false;
            if (stream_.avail_out != 0) return stream_.avail_in == 0;
        }
    }
    void reset() { inflateReset(&stream_); }

private:
    z_stream stream_{};
};

class Deflater {
public:
    explicit Deflater(unsigned bits) {
        constexpr int memory = 8;
        if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -int(bits), memory,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc{};
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    // Without its tail.
    bool run(std::string_view text, std::string& compressed) {
        deflateReset(&stream_);
        compressed.resize(text.size());
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
        stream_.avail_in = uInt(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(compressed.data());
        stream_.avail_out = uInt(compressed.size());
        const int done = ::deflate(&stream_, Z_SYNC_FLUSH);
        // No room left: it isn't smaller.
        if (done != Z_OK || stream_.avail_in != 0 || stream_.avail_out == 0) return false;
        compressed.resize(compressed.size() - stream_.avail_out);
        if (!std::string_view{compressed}.ends_with(tail)) return false;
        compressed.resize(compressed.size() - tail.size());
        return true;
    }

private:
    z_stream stream_{};
};

}  // namespace

DeflateAgreement agreeOnDeflate(std::string_view offers) {
    std::size_t looked = 0;
    for (const std::string_view offer : split(offers, ',')) {
        if (++looked > offersMax) break;
        bool namesServerBits = false;
        const auto bits = take(offer, namesServerBits);
        if (!bits) continue;
        DeflateAgreement agreement{
            .windowBits = *bits,
            .answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"};
        if (namesServerBits)
            agreement.answer += "; server_max_window_bits=" + std::to_string(*bits);
        return agreement;
    }
    return {};
}

Inflated inflateMessage(std::string_view compressed, std::size_t bytesMax, std::string& text) {
    thread_local Inflater inflater;
    text.clear();
    inflater.reset();
    if (!inflater.add(compressed, bytesMax, text)) return Inflated::Broken;
    if (text.size() > bytesMax) return Inflated::TooLarge;
    if (!inflater.add(tail, bytesMax, text)) return Inflated::Broken;
    return text.size() > bytesMax ? Inflated::TooLarge : Inflated::Whole;
}

bool deflateMessage(std::string_view text, unsigned windowBits, std::string& compressed) {
    if (text.size() < worthwhile) return false;
    thread_local std::array<std::unique_ptr<Deflater>, bitsMax + 1> deflaters;
    auto& deflater = deflaters[std::clamp(windowBits, bitsMin, bitsMax)];
    if (!deflater) deflater = std::make_unique<Deflater>(std::clamp(windowBits, bitsMin, bitsMax));
    return deflater->run(text, compressed);
}

}  // namespace epode
