// Extended Stanza Addressing (XEP-0033): a message or presence that is sent to the host goes to all
// whom its address header names.
#include "address_header.h"

#include "core/metric.h"
#include "plugin/plugin.h"
#include "route/presence_options.h"
#include "route/reach.h"

#include <algorithm>

namespace epode {
namespace {

const Option<std::int64_t> addressesMax{
    .key = "multicast.addresses_max",
    .fallback = 50,
    .range = {1, 1000},
    .help = "How many addresses the header of one stanza may have.",
};
const Option<std::string> access{
    .key = "multicast.access",
    .fallback = "local",
    .choices = {"local", "everybody"},
    .help =
        "Who may send to several at once: accounts of this server, or everybody. Others than "
        "accounts of this server never get anything relayed to other servers.",
};

Counter sentOn{"epode_multicast_sent_total", "Stanzas sent to one of several recipients"};

StanzaError forbidden() {
    return {Condition::Forbidden, "You may not send to several addresses here."};
}

class Multicast final : public Plugin {
public:
    explicit Multicast(PluginContext& context)
        : server_{context.server()},
          addressesMax_{std::size_t(context.value(addressesMax))},
          isOpen_{context.value(access) == "everybody"} {
        context.on(&Services::toHost, Phase::Act, this, &Multicast::receive);
        context.hostFeature(addressNs);
    }

private:
    Verdict receive(HostEvent& event);
    std::optional<StanzaError> problemWith(const HostEvent& event,
                                           const std::vector<Recipient>& recipients) const;
    std::optional<StanzaError> track(Session& session, const Stanza& presence,
                                     const std::vector<Recipient>& recipients) const;

    Server& server_;
    const std::size_t addressesMax_;
    const bool isOpen_;
};

Verdict Multicast::receive(HostEvent& event) {
    const Stanza& stanza = *event.stanza;
    const Element* addresses = stanza.child("addresses", addressNs);
    if (!addresses || stanza.isError() || !stanza.to().isDomain()) return Verdict::Pass;
    auto read = readAddressHeader(*addresses, addressesMax_);
    if (const auto* error = std::get_if<StanzaError>(&read)) {
        event.refusal = *error;
        return Verdict::Stop;
    }
    auto& recipients = std::get<AddressHeader>(read).recipients;
    if (auto problem = problemWith(event, recipients)) {
        event.refusal = std::move(*problem);
        return Verdict::Stop;
    }

    // A client's stanza comes here on the shard of its account, whose rules hold for each copy.
    Session* session = event.shard.session(stanza.from());
    if (session)
        std::erase_if(recipients, [session](const Recipient& recipient) {
            return !mayReach(session->account(), recipient.jid);
        });
    if (session && stanza.isPresence())
        if (auto problem = track(*session, stanza, recipients)) {
            event.refusal = std::move(*problem);
            return Verdict::Stop;
        }
    const StanzaPtr prepared = forRecipients(stanza);
    for (const Recipient& recipient : recipients) {
        sentOn.add();
        server_.route(recipient.blind ? forBlind(*prepared, recipient)
                                      : Stanza::readdressed(prepared, recipient.jid),
                      event.hold);
    }
    return Verdict::Stop;
}

// Nothing is sent to anybody when one of them may not be sent to (XEP-0033, 2.2).
std::optional<StanzaError> Multicast::problemWith(const HostEvent& event,
                                                  const std::vector<Recipient>& recipients) const {
    const Stanza& stanza = *event.stanza;
    const bool isOwn = server_.isLocal(stanza.from().domain()) && stanza.from().hasLocal();
    if (!isOwn && !isOpen_) return forbidden();
    if (stanza.isPresence() && stanza.type() != StanzaType::None &&
        stanza.type() != StanzaType::Unavailable)
        return StanzaError{Condition::BadRequest, "Ask each for a subscription on its own."};
    for (const Recipient& recipient : recipients) {
        const bool isHere = server_.isLocal(recipient.jid.domain());
        if (!isHere && !isOwn) return forbidden();
        // It would come here again.
        if (isHere && !recipient.jid.hasLocal())
            return StanzaError{Condition::NotAcceptable, "A server is nobody's recipient."};
    }
    return std::nullopt;
}

// What ends when the client goes, as for presence that it sends itself (XEP-0033, 5.1).
std::optional<StanzaError> Multicast::track(Session& session, const Stanza& presence,
                                            const std::vector<Recipient>& recipients) const {
    auto& directed = session.directed();
    if (presence.type() == StanzaType::Unavailable) {
        for (const Recipient& recipient : recipients) directed.erase(recipient.jid);
        return std::nullopt;
    }
    const auto most = std::size_t(session.host().get(presenceDirectedMax));
    const auto added = std::count_if(recipients.begin(), recipients.end(), [&](const auto& other) {
        return !directed.contains(other.jid);
    });
    if (directed.size() + std::size_t(added) > most)
        return StanzaError{Condition::ResourceConstraint,
                           "This client's presence goes to as many addresses as it may."};
    for (const Recipient& recipient : recipients) directed.insert(recipient.jid);
    return std::nullopt;
}

const PluginInfo info{
    .name = "multicast",
    .summary = "Sends one stanza to several addresses",
    .implements = {{"XEP-0033", "1.2.1"}},
    .options = {&addressesMax, &access},
};

}  // namespace

DECLARE_PLUGIN(Multicast, info)

}  // namespace epode
