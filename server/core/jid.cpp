#include "core/jid.h"

#include "core/precis.h"

#include <arpa/inet.h>
#include <unicode/uidna.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace epode {

namespace {

constexpr std::size_t partBytesMax = 1023;  // RFC 7622, 3.2 to 3.4
// Preparation can make a text shorter, by no more than this.
constexpr std::size_t unpreparedBytesMax = 3 * partBytesMax;
constexpr std::size_t domainBytesMax = 253;  // RFC 1034, 3.1, without the dot of the root
constexpr std::size_t labelBytesMax = 63;

// What an ASCII character may be; nothing for a byte that isn't ASCII.
enum Ascii : std::uint8_t {
    InLocal = 1,     // RFC 8264's ASCII7 without RFC 7622, 3.3.1
    InDomain = 2,    // a letter, a digit or a hyphen
    InResource = 4,  // printable, or the space
    Digit = 8,
};

constexpr auto asciiClasses = [] {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = 0x20; c <= 0x7E; ++c) {
        const bool isDigit = c >= '0' && c <= '9';
        const bool isLetter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        std::uint8_t& flags = classes[c];
        flags = InResource;
        if (c != ' ' && c != '"' && c != '&' && c != '\'' && c != '/' && c != ':' && c != '<' &&
            c != '>' && c != '@') {
            flags |= InLocal;
        }
        if (isDigit || isLetter || c == '-') flags |= InDomain;
        if (isDigit) flags |= Digit;
    }
    return classes;
}();

constexpr auto asciiLower = [] {
    std::array<char, 256> lower{};
    for (unsigned c = 0; c < 256; ++c) lower[c] = char(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    return lower;
}();

std::uint8_t classOf(char c) { return asciiClasses[static_cast<unsigned char>(c)]; }
char lowerOf(char c) { return asciiLower[static_cast<unsigned char>(c)]; }

// Lowers the text in place. False when the ASCII rules don't suffice to say what it is.
bool lowerAsciiLocal(char* text, std::size_t bytes) {
    std::uint8_t common = InLocal;
    for (std::size_t i = 0; i < bytes; ++i) {
        common &= classOf(text[i]);
        text[i] = lowerOf(text[i]);
    }
    return common != 0;
}

bool isAsciiResource(const char* text, std::size_t bytes) {
    std::uint8_t common = InResource;
    for (std::size_t i = 0; i < bytes; ++i) common &= classOf(text[i]);
    return common != 0 && text[0] != ' ';
}

// Four decimal numbers without leading zeros: what nobody can read in two ways.
bool isIpv4(std::string_view text) {
    in_addr parsed;
    return inet_pton(AF_INET, std::string{text}.c_str(), &parsed) == 1;
}

// Lowers the text in place. False for everything but a plain name of ordinary labels: A-labels,
// literals, a final dot and all mistakes are for others to judge.
bool lowerAsciiDomain(char* text, std::size_t bytes) {
    if (bytes > domainBytesMax) return false;
    std::size_t labelStart = 0;
    std::uint8_t common = InDomain | Digit;
    for (std::size_t i = 0; i <= bytes; ++i) {
        if (i < bytes && text[i] != '.') {
            common &= classOf(text[i]);
            text[i] = lowerOf(text[i]);
            continue;
        }
        const char* label = text + labelStart;
        const std::size_t labelBytes = i - labelStart;
        if (labelBytes == 0 || labelBytes > labelBytesMax) return false;
        if (!(common & InDomain) || label[0] == '-' || label[labelBytes - 1] == '-') return false;
        if (labelBytes > 3 && label[2] == '-' && label[3] == '-') return false;
        if (i == bytes) break;
        labelStart = i + 1;
        common = InDomain | Digit;
    }
    // A name whose last label is a number would be taken for an address (RFC 1123, 2.1).
    if ((common & Digit) && labelStart != 0) return isIpv4({text, bytes});
    return true;
}

const UIDNA& idna() {
    static const UIDNA* instance = [] {
        UErrorCode code = U_ZERO_ERROR;
        const auto* opened =
            uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO |
                                UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE |
                                UIDNA_USE_STD3_RULES,
                            &code);
        if (U_FAILURE(code)) throw std::runtime_error{u_errorName(code)};
        return opened;
    }();
    return *instance;
}

using IdnaFunction = std::int32_t (*)(const UIDNA*, const char*, std::int32_t, char*, std::int32_t,
                                      UIDNAInfo*, UErrorCode*);

std::optional<std::string> mapName(IdnaFunction function, std::string_view name) {
    char out[2048];
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode code = U_ZERO_ERROR;
    const auto length = function(&idna(), name.data(), std::int32_t(name.size()), out,
                                 std::int32_t(sizeof out), &info, &code);
    if (U_FAILURE(code) || info.errors != 0) return std::nullopt;
    return std::string(out, std::size_t(length));
}

bool hasOnlyIdnaLabels(std::string_view domain) {
    while (true) {
        const auto dot = domain.find('.');
        const auto label = precis::codePoints(domain.substr(0, dot));
        if (!label || label->empty() || !precis::isIdnaLabel(*label)) return false;
        if (dot == std::string_view::npos) return true;
        domain.remove_prefix(dot + 1);
    }
}

std::optional<std::string> prepareIpv6(std::string_view bracketed) {
    if (bracketed.size() < 4 || bracketed.back() != ']') return std::nullopt;
    const std::string address{bracketed.substr(1, bracketed.size() - 2)};
    in6_addr parsed;
    if (address.find('\0') != std::string::npos) return std::nullopt;
    if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return std::nullopt;
    char text[INET6_ADDRSTRLEN];
    if (!inet_ntop(AF_INET6, &parsed, text, sizeof text)) return std::nullopt;
    return "[" + std::string{text} + "]";
}

std::optional<std::string> prepareUnicodeDomain(std::string_view domain) {
    if (domain.size() > partBytesMax) return std::nullopt;
    auto prepared = mapName(uidna_nameToUnicodeUTF8, domain);
    if (!prepared || prepared->empty()) return std::nullopt;
    if (!hasOnlyIdnaLabels(*prepared)) return std::nullopt;

    // The limits of RFC 1034 hold for the form that goes on the wire of DNS.
    auto ascii = mapName(uidna_nameToASCII_UTF8, *prepared);
    if (!ascii || ascii->size() > domainBytesMax) return std::nullopt;
    // What has mapped to plain ASCII, from fullwidth digits for instance, is judged as such.
    if (*ascii == *prepared && !lowerAsciiDomain(prepared->data(), prepared->size())) {
        return std::nullopt;
    }
    return prepared;
}

bool hasExcludedFromLocal(std::string_view local) {
    return local.find_first_of("\"&'/:<>@") != std::string_view::npos;
}

// XEP-0106: the characters that are escaped, and their codes.
struct Escape {
    char character;
    std::string_view code;
};
constexpr Escape escapes[] = {
    {' ', "\\20"}, {'"', "\\22"}, {'&', "\\26"}, {'\'', "\\27"}, {'/', "\\2f"},
    {':', "\\3a"}, {'<', "\\3c"}, {'>', "\\3e"}, {'@', "\\40"},  {'\\', "\\5c"},
};

const Escape* escapeAtStart(std::string_view text) {
    for (const auto& escape : escapes) {
        if (text.substr(0, 3) == escape.code) return &escape;
    }
    return nullptr;
}

const Escape* escapeOf(char c) {
    for (const auto& escape : escapes) {
        if (escape.character == c) return &escape;
    }
    return nullptr;
}

}  // namespace

std::optional<Jid> Jid::parse(std::string_view text) {
    // RFC 7622, 3.2: the resource is cut off first, since it may hold an '@'.
    const auto slash = text.find('/');
    const auto bare = text.substr(0, slash);
    const auto at = bare.find('@');
    const bool hasLocal = at != std::string_view::npos;
    const bool hasResource = slash != std::string_view::npos;
    const std::size_t localBytes = hasLocal ? at : 0;
    const std::size_t domainStart = hasLocal ? at + 1 : 0;
    const std::size_t domainBytes = bare.size() - domainStart;
    const std::size_t resourceBytes = hasResource ? text.size() - slash - 1 : 0;
    if ((hasLocal && localBytes == 0) || domainBytes == 0 || (hasResource && resourceBytes == 0)) {
        return std::nullopt;
    }

    if (localBytes <= partBytesMax && resourceBytes <= partBytesMax) {
        std::optional<Jid> jid{std::in_place};
        jid->text_.assign(text);
        char* out = jid->text_.data();
        if (lowerAsciiDomain(out + domainStart, domainBytes) &&
            (!hasLocal || lowerAsciiLocal(out, localBytes)) &&
            (!hasResource || isAsciiResource(out + slash + 1, resourceBytes))) {
            jid->localBytes_ = std::uint16_t(localBytes);
            jid->bareBytes_ = std::uint16_t(bare.size());
            return jid;
        }
    }
    return make(text.substr(0, localBytes), bare.substr(domainStart),
                hasResource ? text.substr(slash + 1) : std::string_view{});
}

std::optional<Jid> Jid::make(std::string_view local, std::string_view domain,
                             std::string_view resource) {
    const auto preparedDomain = prepareDomain(domain);
    if (!preparedDomain) return std::nullopt;

    std::optional<Jid> jid{std::in_place};
    jid->text_.reserve(local.size() + preparedDomain->size() + resource.size() + 2);
    if (!local.empty()) {
        const auto preparedLocal = prepareLocal(local);
        if (!preparedLocal) return std::nullopt;
        jid->localBytes_ = std::uint16_t(preparedLocal->size());
        jid->text_.append(*preparedLocal).push_back('@');
    }
    jid->text_.append(*preparedDomain);
    jid->bareBytes_ = std::uint16_t(jid->text_.size());
    if (!resource.empty()) {
        const auto preparedResource = prepareResource(resource);
        if (!preparedResource) return std::nullopt;
        jid->text_.append("/").append(*preparedResource);
    }
    return jid;
}

Jid Jid::bare() const {
    Jid jid;
    jid.text_.assign(text_, 0, bareBytes_);
    jid.localBytes_ = localBytes_;
    jid.bareBytes_ = bareBytes_;
    return jid;
}

Jid Jid::host() const {
    Jid jid;
    jid.text_ = domain();
    jid.bareBytes_ = std::uint16_t(jid.text_.size());
    return jid;
}

std::optional<Jid> Jid::withResource(std::string_view resource) const {
    const auto prepared = prepareResource(resource);
    if (!prepared || empty()) return std::nullopt;
    Jid jid;
    jid.text_.reserve(bareBytes_ + 1 + prepared->size());
    jid.text_.append(text_, 0, bareBytes_).append("/").append(*prepared);
    jid.localBytes_ = localBytes_;
    jid.bareBytes_ = bareBytes_;
    return jid;
}

std::optional<std::string> prepareLocal(std::string_view local) {
    if (local.empty() || local.size() > unpreparedBytesMax) return std::nullopt;
    std::string ascii{local};
    if (lowerAsciiLocal(ascii.data(), ascii.size())) {
        if (ascii.size() > partBytesMax) return std::nullopt;
        return ascii;
    }
    auto prepared = precis::usernameCaseMapped(local);
    if (!prepared || prepared->size() > partBytesMax) return std::nullopt;
    // After the mapping, for a fullwidth '@' has become one by it.
    if (hasExcludedFromLocal(*prepared)) return std::nullopt;
    return prepared;
}

std::optional<std::string> prepareDomain(std::string_view domain) {
    if (!domain.empty() && domain.front() == '[') return prepareIpv6(domain);
    if (!domain.empty() && domain.back() == '.') domain.remove_suffix(1);
    if (domain.empty()) return std::nullopt;
    std::string ascii{domain};
    if (lowerAsciiDomain(ascii.data(), ascii.size())) return ascii;
    return prepareUnicodeDomain(domain);
}

std::optional<std::string> prepareResource(std::string_view resource) {
    if (resource.empty() || resource.size() > unpreparedBytesMax) return std::nullopt;
    if (resource.size() <= partBytesMax && isAsciiResource(resource.data(), resource.size())) {
        return std::string{resource};
    }
    auto prepared = precis::opaqueString(resource);
    if (!prepared || prepared->size() > partBytesMax) return std::nullopt;
    // OpaqueString would let it pass, but RFC 7622 lists it as no address (3.5, example 18).
    if (prepared->front() == ' ') return std::nullopt;
    return prepared;
}

std::optional<std::string> preparePassword(std::string_view password) {
    if (password.empty()) return std::nullopt;
    std::uint8_t common = InResource;
    for (const char c : password) common &= classOf(c);
    if (common != 0) return std::string{password};
    return precis::opaqueString(password);
}

std::string escapeLocal(std::string_view text) {
    // XEP-0106, 4.1: no escaped space at either end.
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto* escape = escapeOf(text[i]);
        // A backslash is escaped only where it would be read as the start of an escape.
        const bool mustEscape = escape && (text[i] != '\\' || escapeAtStart(text.substr(i)));
        if (mustEscape) {
            out.append(escape->code);
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

std::string unescapeLocal(std::string_view local) {
    std::string out;
    out.reserve(local.size());
    for (std::size_t i = 0; i < local.size(); ++i) {
        const auto* escape = escapeAtStart(local.substr(i));
        // An escaped space at either end is none: it would make two addresses look alike.
        const bool isAtEnd = i == 0 || i + 3 == local.size();
        if (escape && !(escape->character == ' ' && isAtEnd)) {
            out.push_back(escape->character);
            i += 2;
        } else {
            out.push_back(local[i]);
        }
    }
    return out;
}

}  // namespace epode
