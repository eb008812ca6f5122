// What a component may do in the name of the accounts of a host (XEP-0356), as the configuration
// says.
#pragma once

#include "core/option.h"
#include "core/stanza.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace epode::privilege {

inline constexpr std::string_view ns = "urn:xmpp:privilege:2";

std::vector<OptionRef> options();

// Requests of one namespace: which types are allowed.
struct RequestAccess {
    bool get = false;
    bool set = false;

    bool allows(StanzaType type) const {
        return type == StanzaType::Get ? get : type == StanzaType::Set && set;
    }
    bool any() const { return get || set; }
};
RequestAccess parseRequestAccess(
    std::string_view type);  // "get", "set", "both"; nothing else allows anything
std::string_view toText(RequestAccess access);  // "none" as well

struct Access {
    Access(const Settings& settings, std::string_view component);

    RequestAccess roster;
    bool rosterPush;
    bool messages;
    bool presence;
    std::map<std::string, RequestAccess, std::less<>> requests;  // by namespace

    bool any() const { return roster.any() || messages || presence || !requests.empty(); }
    bool allows(StanzaType type, std::string_view payloadNs) const;
    // <privilege/> with what is allowed.
    void advertise(Element& message) const;
};

}  // namespace epode::privilege
