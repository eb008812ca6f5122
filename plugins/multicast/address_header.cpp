#include "address_header.h"

#include <algorithm>
#include <array>

namespace epode {

namespace {

constexpr std::array<std::string_view, 3> deliverable{"to", "cc", "bcc"};
constexpr std::array<std::string_view, 4> informative{"replyto", "replyroom", "noreply", "ofrom"};

template <std::size_t Size>
bool isOneOf(const std::array<std::string_view, Size>& types, std::string_view type) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

StanzaError badRequest(std::string text) { return {Condition::BadRequest, std::move(text)}; }

bool isAddress(const Element& element) { return element.is("address", addressNs); }

}  // namespace

std::variant<AddressHeader, StanzaError> readAddressHeader(const Element& addresses,
                                                           std::size_t addressesMax) {
    AddressHeader header;
    std::size_t count = 0;
    for (const Element& address : addresses.children()) {
        if (!isAddress(address)) continue;
        if (++count > addressesMax)
            return StanzaError{Condition::NotAcceptable, "These are too many addresses."};
        const std::string_view type = address.get("type");
        const bool isRecipient = isOneOf(deliverable, type);
        if (!isRecipient && !isOneOf(informative, type))
            return badRequest("An address has a type that is not known.");
        if (address.find("uri"))
            return StanzaError{Condition::JidMalformed, "Only addresses of XMPP are served."};
        const auto text = address.find("jid");
        if (!text) {
            if (type == "noreply") continue;
            return badRequest("An address says nothing.");
        }
        auto jid = Jid::parse(*text);
        if (!jid) return StanzaError{Condition::JidMalformed, "One of the addresses is none."};
        if (!isRecipient || address.get("delivered") == "true") continue;
        const auto isSame = [&jid](const Recipient& other) { return other.jid == *jid; };
        if (std::any_of(header.recipients.begin(), header.recipients.end(), isSame)) continue;
        header.recipients.push_back({std::move(*jid), type == "bcc" ? &address : nullptr});
    }
    return header;
}

StanzaPtr forRecipients(const Stanza& stanza) {
    auto copy = stanza.copy();
    Element* addresses = copy->edit().child("addresses", addressNs);
    addresses->removeChildren(
        [](const Element& child) { return isAddress(child) && child.get("type") == "bcc"; });
    for (Element& address : addresses->children())
        if (isAddress(address) && isOneOf(deliverable, address.get("type")))
            address.set("delivered", "true");
    return copy;
}

StanzaPtr forBlind(const Stanza& prepared, const Recipient& recipient) {
    auto copy = prepared.copy();
    copy->edit().child("addresses", addressNs)->add(*recipient.blind).set("delivered", "true");
    copy->setTo(recipient.jid);
    return copy;
}

}  // namespace epode
