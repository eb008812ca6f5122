// The <body/> that each request of BOSH consists of (XEP-0124, 6).
#pragma once

#include "core/element.h"
#include "core/xml_stream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

inline constexpr std::string_view boshNs = "http://jabber.org/protocol/httpbind";
inline constexpr std::string_view xboshNs = "urn:xmpp:xbosh";
inline constexpr std::uint64_t boshRidMax = 9007199254740991;  // XEP-0124, 14.1

struct BoshBody {
    std::uint64_t rid = 0;
    Document wrapper;                        // without its content
    std::vector<std::string_view> payloads;  // views of the text that was parsed

    std::string_view get(std::string_view name) const { return wrapper->get(name); }
    // An attribute that is a whole number.
    std::optional<std::uint64_t> number(std::string_view name) const;
    bool isRestart() const;
    bool isTerminate() const { return get("type") == "terminate"; }
};

// Nothing when the text is no such element: other text between payloads, comments, instructions, no
// number in 'rid'. What the payloads contain is judged by the stream.
std::optional<BoshBody> parseBoshBody(std::string_view text);

}  // namespace epode
