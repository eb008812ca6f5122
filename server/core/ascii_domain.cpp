#include "core/ascii_domain.h"

#include <unicode/uidna.h>

#include <algorithm>
#include <memory>

namespace epode {

namespace {

// The longest name of the DNS (RFC 1035, 2.3.4), as text.
constexpr std::size_t nameBytesMax = 253;

}  // namespace

std::optional<std::string> asciiDomain(std::string_view domain) {
    if (domain.empty()) return std::nullopt;
    const bool isAscii =
        std::all_of(domain.begin(), domain.end(), [](char c) { return (c & 0x80) == 0; });
    if (isAscii) {
        if (domain.size() > nameBytesMax) return std::nullopt;
        return std::string{domain};
    }
    UErrorCode problem = U_ZERO_ERROR;
    const std::unique_ptr<UIDNA, void (*)(UIDNA*)> idna{
        uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_USE_STD3_RULES, &problem),
        uidna_close};
    if (U_FAILURE(problem)) return std::nullopt;
    char text[nameBytesMax + 1];
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    const auto size = uidna_nameToASCII_UTF8(idna.get(), domain.data(), std::int32_t(domain.size()),
                                             text, sizeof text, &info, &problem);
    if (U_FAILURE(problem) || info.errors != 0 || size <= 0 || std::size_t(size) > nameBytesMax)
        return std::nullopt;
    return std::string(text, std::size_t(size));
}

}  // namespace epode
