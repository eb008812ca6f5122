#include "metadata.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace epode::image {

namespace {

constexpr std::string_view pngSignature{"\x89PNG\r\n\x1a\n", 8};
constexpr std::string_view exifName{"Exif\0\0", 6};

unsigned byteAt(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}
std::uint32_t bigEndian(std::string_view bytes, std::size_t at, unsigned count) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < count; ++i) value = value << 8 | byteAt(bytes, at + i);
    return value;
}
std::uint32_t littleEndian(std::string_view bytes, std::size_t at, unsigned count) {
    std::uint32_t value = 0;
    for (unsigned i = count; i-- > 0;) value = value << 8 | byteAt(bytes, at + i);
    return value;
}
void addBigEndian(std::string& out, std::uint32_t value, unsigned count) {
    for (unsigned i = count; i-- > 0;) out += char(value >> (8 * i));
}
void addLittleEndian(std::string& out, std::uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) out += char(value >> (8 * i));
}

// Of the first directory of a TIFF file, which EXIF is.
unsigned orientationIn(std::string_view tiff) {
    if (tiff.starts_with(exifName)) tiff.remove_prefix(exifName.size());
    if (tiff.size() < 8) return 1;
    const bool isBig = tiff.starts_with("MM");
    if (!isBig && !tiff.starts_with("II")) return 1;
    const auto number = [&](std::size_t at, unsigned count) {
        return isBig ? bigEndian(tiff, at, count) : littleEndian(tiff, at, count);
    };
    const std::size_t directory = number(4, 4);
    if (directory < 8 || directory > tiff.size() - 2) return 1;
    const std::size_t entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
        const std::size_t at = directory + 2 + 12 * i;
        if (at + 12 > tiff.size()) return 1;
        constexpr unsigned orientation = 0x0112;
        constexpr unsigned shortNumber = 3;
        if (number(at, 2) != orientation) continue;
        const unsigned value = number(at + 8, 2);
        return number(at + 2, 2) == shortNumber && value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

// A TIFF file that says nothing else.
std::string tiffOf(unsigned orientation) {
    std::string tiff{"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01", 18};
    addBigEndian(tiff, orientation, 2);
    return tiff.append(6, '\0');
}

// ---- JPEG (ITU-T T.81, annex B)

class Jpeg {
public:
    explicit Jpeg(std::string_view image) : rest_{image} {}

    bool read() {
        if (!rest_.starts_with("\xFF\xD8")) return false;
        rest_.remove_prefix(2);
        while (true) {
            const auto marker = takeMarker();
            if (!marker) return false;
            if (*marker == 0xD9) {
                // What follows is no part of the picture: previews, films, other pictures.
                body_ += "\xFF\xD9";
                return hasScan_;
            }
            if (*marker < 0xC0 || (*marker >= 0xD0 && *marker <= 0xD8)) return false;
            if (rest_.size() < 2) return false;
            const std::size_t size = bigEndian(rest_, 0, 2);
            if (size < 2 || size > rest_.size()) return false;
            takeSegment(*marker, rest_.substr(2, size - 2));
            rest_.remove_prefix(size);
            if (*marker == 0xDA) takeScan();
        }
    }
    unsigned orientation() const { return orientation_; }
    std::string result() const {
        std::string image{"\xFF\xD8"};
        image += head_;
        if (orientation_ != 1) {
            const std::string tiff = tiffOf(orientation_);
            image += "\xFF\xE1";
            addBigEndian(image, std::uint32_t(2 + exifName.size() + tiff.size()), 2);
            image.append(exifName).append(tiff);
        }
        return image += body_;
    }

private:
    std::optional<unsigned> takeMarker() {
        if (rest_.empty() || rest_.front() != '\xFF') return std::nullopt;
        while (!rest_.empty() && rest_.front() == '\xFF') rest_.remove_prefix(1);
        if (rest_.empty()) return std::nullopt;
        const unsigned marker = byteAt(rest_, 0);
        rest_.remove_prefix(1);
        return marker;
    }
    static void add(std::string& to, unsigned marker, std::string_view content) {
        to += '\xFF';
        to += char(marker);
        addBigEndian(to, std::uint32_t(content.size() + 2), 2);
        to += content;
    }
    void takeSegment(unsigned marker, std::string_view content) {
        using namespace std::string_view_literals;
        switch (marker) {
            case 0xE0:  // how many pixels there are to an inch; without its small picture
                if (content.size() >= 14 && content.starts_with("JFIF\0"sv) && head_.empty())
                    add(head_, marker, std::string{content.substr(0, 12)} + std::string(2, '\0'));
                return;
            case 0xE1:
                if (content.starts_with(exifName) && orientation_ == 1)
                    orientation_ = orientationIn(content);
                return;
            case 0xE2:
                if (content.starts_with("ICC_PROFILE\0"sv)) add(body_, marker, content);
                return;
            case 0xEE:  // which colours there are
                if (content.starts_with("Adobe")) add(body_, marker, content.substr(0, 12));
                return;
            case 0xFE:
                return;
            default:
                if (marker >= 0xE0 && marker <= 0xEF) return;
                add(body_, marker, content);
        }
    }
    // Up to the next marker that isn't a part of it.
    void takeScan() {
        hasScan_ = true;
        std::size_t end = 0;
        while (true) {
            end = rest_.find('\xFF', end);
            if (end == std::string_view::npos || end + 1 >= rest_.size()) {
                end = rest_.size();
                break;
            }
            const unsigned next = byteAt(rest_, end + 1);
            if (next != 0 && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) break;
            end += next == 0xFF ? 1 : 2;
        }
        body_ += rest_.substr(0, end);
        rest_.remove_prefix(end);
    }

    std::string_view rest_;
    std::string head_;
    std::string body_;
    unsigned orientation_ = 1;
    bool hasScan_ = false;
};

// ---- PNG

bool isKeptInPng(std::string_view type) {
    static constexpr std::array<std::string_view, 16> kept{
        "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", "pHYs",
        "hIST", "sPLT", "acTL", "fcTL", "fdAT", "cICP", "mDCv", "cLLi"};
    // A capital letter: without it there is no picture.
    const bool isCritical = type.front() >= 'A' && type.front() <= 'Z';
    return isCritical || std::find(kept.begin(), kept.end(), type) != kept.end();
}

void addPngChunk(std::string& out, std::string_view type, std::string_view content) {
    addBigEndian(out, std::uint32_t(content.size()), 4);
    const std::size_t begin = out.size();
    out.append(type).append(content);
    const auto* const bytes = reinterpret_cast<const Bytef*>(out.data() + begin);
    addBigEndian(out, std::uint32_t(::crc32(0, bytes, uInt(out.size() - begin))), 4);
}

std::optional<std::string> readPng(std::string_view rest, unsigned& orientation) {
    std::string head{pngSignature};
    std::string body;
    rest.remove_prefix(pngSignature.size());
    bool hasData = false;
    while (rest.size() >= 12) {
        const std::size_t size = bigEndian(rest, 0, 4);
        if (size > rest.size() - 12) return std::nullopt;
        const std::string_view type = rest.substr(4, 4);
        const std::string_view whole = rest.substr(0, size + 12);
        if (head.size() == pngSignature.size() && type != "IHDR") return std::nullopt;
        if (type == "IHDR")
            head += whole;
        else if (isKeptInPng(type))
            body += whole;
        if (type == "eXIf") orientation = orientationIn(rest.substr(8, size));
        hasData = hasData || type == "IDAT";
        rest.remove_prefix(size + 12);
        if (type != "IEND") continue;
        if (!hasData) return std::nullopt;
        if (orientation != 1) addPngChunk(head, "eXIf", tiffOf(orientation));
        return head + body;
    }
    return std::nullopt;
}

// ---- WebP

std::optional<std::string> readWebp(std::string_view image, unsigned& orientation) {
    const std::size_t size = littleEndian(image, 4, 4);
    if (size < 4 || size > image.size() - 8) return std::nullopt;
    std::string_view rest = image.substr(12, size - 4);
    std::string out{"RIFF\0\0\0\0WEBP", 12};
    std::size_t flagsAt = 0;
    bool hasPicture = false;
    while (rest.size() >= 8) {
        const std::size_t bytes = littleEndian(rest, 4, 4);
        const std::size_t padded = bytes + bytes % 2;
        if (bytes > rest.size() - 8) return std::nullopt;
        const std::string_view type = rest.substr(0, 4);
        static constexpr std::array<std::string_view, 7> kept{"VP8X", "VP8 ", "VP8L", "ALPH",
                                                              "ANIM", "ANMF", "ICCP"};
        if (std::find(kept.begin(), kept.end(), type) != kept.end()) {
            if (type == "VP8X" && bytes >= 10) flagsAt = out.size() + 8;
            hasPicture = hasPicture || type == "VP8 " || type == "VP8L" || type == "ANMF";
            out.append(rest.substr(0, 8 + bytes)).append(bytes % 2, '\0');
        } else if (type == "EXIF") {
            orientation = orientationIn(rest.substr(8, bytes));
        }
        rest.remove_prefix(std::min(rest.size(), 8 + padded));
    }
    if (!hasPicture) return std::nullopt;
    // Only files that say what they hold may hold more than a picture.
    if (flagsAt == 0) orientation = 1;
    constexpr char exifFlag = 0x08;
    constexpr char xmpFlag = 0x04;
    if (flagsAt != 0) {
        out[flagsAt] = char(out[flagsAt] & ~(exifFlag | xmpFlag));
        if (orientation != 1) {
            const std::string tiff = tiffOf(orientation);
            out[flagsAt] = char(out[flagsAt] | exifFlag);
            out += "EXIF";
            addLittleEndian(out, std::uint32_t(tiff.size()), 4);
            out += tiff;
        }
    }
    std::string length;
    addLittleEndian(length, std::uint32_t(out.size() - 8), 4);
    return out.replace(4, 4, length);
}

// ---- GIF

// Blocks that say how long they are, up to an empty one; their size, 0 when it is missing.
std::size_t subBlocks(std::string_view rest) {
    std::size_t at = 0;
    while (at < rest.size()) {
        const std::size_t size = byteAt(rest, at);
        at += 1 + size;
        if (size == 0) return at;
    }
    return 0;
}

std::optional<std::string> readGif(std::string_view image) {
    const auto colours = [](unsigned flags) {
        return flags & 0x80 ? std::size_t{3} << ((flags & 7) + 1) : std::size_t{0};
    };
    if (image.size() < 13) return std::nullopt;
    const std::size_t head = 13 + colours(byteAt(image, 10));
    if (head > image.size()) return std::nullopt;
    std::string out{image.substr(0, head)};
    std::string_view rest = image.substr(head);
    while (!rest.empty()) {
        const unsigned kind = byteAt(rest, 0);
        std::size_t before = 2;
        bool isKept = true;
        if (kind == 0x3B) return out += ';';
        if (kind == 0x21) {
            if (rest.size() < 3) return std::nullopt;
            const unsigned label = byteAt(rest, 1);
            const std::string_view name = rest.substr(3, 11);
            // How it moves; other programs' own data and comments go.
            isKept = label == 0xF9 || label == 0x01 ||
                     (label == 0xFF && (name == "NETSCAPE2.0" || name == "ANIMEXTS1.0"));
        } else if (kind == 0x2C) {
            if (rest.size() < 11) return std::nullopt;
            before = 10 + colours(byteAt(rest, 9)) + 1;
        } else {
            return std::nullopt;
        }
        if (before >= rest.size()) return std::nullopt;
        const std::size_t blocks = subBlocks(rest.substr(before));
        if (blocks == 0) return std::nullopt;
        if (isKept) out += rest.substr(0, before + blocks);
        rest.remove_prefix(before + blocks);
    }
    return std::nullopt;
}

std::optional<std::string> read(std::string_view image, unsigned& orientation) {
    orientation = 1;
    switch (formatOf(image)) {
        case Format::Jpeg: {
            Jpeg jpeg{image};
            if (!jpeg.read()) return std::nullopt;
            orientation = jpeg.orientation();
            return jpeg.result();
        }
        case Format::Png:
            return readPng(image, orientation);
        case Format::Webp:
            return readWebp(image, orientation);
        case Format::Gif:
            return readGif(image);
        case Format::None:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Format formatOf(std::string_view image) {
    if (image.starts_with("\xFF\xD8\xFF")) return Format::Jpeg;
    if (image.starts_with(pngSignature)) return Format::Png;
    if (image.size() >= 12 && image.starts_with("RIFF") && image.substr(8, 4) == "WEBP")
        return Format::Webp;
    if (image.starts_with("GIF87a") || image.starts_with("GIF89a")) return Format::Gif;
    return Format::None;
}

unsigned orientationOf(std::string_view image) {
    unsigned orientation = 1;
    return read(image, orientation) ? orientation : 1;
}

std::optional<std::string> withoutMetadata(std::string_view image) {
    unsigned orientation = 1;
    return read(image, orientation);
}

}  // namespace epode::image
