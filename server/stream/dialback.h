// Server Dialback (XEP-0220): the key by which a server shows that a connection is its own, and the
// elements that carry it.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/stanza_error.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

inline constexpr std::string_view dialbackNs = "jabber:server:dialback";
inline constexpr std::string_view dialbackFeatureNs = "urn:xmpp:features:dialback";

// XEP-0185: who receives, who sends, and the id of the receiver's stream.
std::string dialbackKey(std::string_view secret, std::string_view receiving,
                        std::string_view originating, std::string_view streamId);

// <db:result/> and <db:verify/>, as they came.
struct DialbackElement {
    enum class Kind : std::uint8_t { Result, Verify };
    enum class Type : std::uint8_t { Request, Valid, Invalid, Error };
    Kind kind;
    Type type;
    std::string from;  // prepared domains
    std::string to;
    std::string id;
    std::string key;
    std::string condition;  // of an error: "item-not-found"

    // Nothing when it is no element of dialback; `isMalformed` when it is, and a bad one.
    static std::optional<DialbackElement> read(const Element& element, bool& isMalformed);

    void write(std::string& out) const;
};

}  // namespace epode
