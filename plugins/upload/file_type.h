// Names and media types of strangers' files, and what a browser may do with them.
#pragma once

#include <string>
#include <string_view>

namespace epode::upload {

inline constexpr std::string_view unknownType = "application/octet-stream";

// "type/subtype" with parameters, as HTTP writes it; in lower case and without blanks up to the
// parameters. Empty when it is none.
std::string readMediaType(std::string_view text);
// Whether both name the same type, whatever their parameters.
bool isSameType(std::string_view a, std::string_view b);

// How a file is served. Browsers show pictures, sounds, films and plain text in place. Everything
// else is saved and not opened; and what a page could load as a part of itself, scripts and style
// sheets, isn't called that, so that nobody's page takes its code from here.
struct Serving {
    std::string contentType;
    bool isShown = false;
};
Serving servingOf(std::string_view mediaType);

// The name of a file as it goes into an address: without folders and control characters. Empty when
// nothing is left, or when it is longer than `bytesMax`.
std::string readFileName(std::string_view text, std::size_t bytesMax);

// RFC 3986: everything but letters, digits and -._~ as %XX.
std::string percentEncoded(std::string_view text);

// `attachment; filename*=UTF-8''…` (RFC 6266).
std::string contentDisposition(std::string_view name, bool isShown);

}  // namespace epode::upload
