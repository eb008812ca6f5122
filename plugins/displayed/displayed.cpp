// Message Displayed Synchronization (XEP-0490): how far each chat was read, in a node of the
// account that its clients keep themselves, or leave to the server along with a message.
#include "core/log.h"
#include "core/namespaces.h"
#include "plugin/plugin.h"

namespace epode {
namespace {

constexpr std::string_view displayedNs = "urn:xmpp:mds:displayed:0";
constexpr std::string_view displayedNode = displayedNs;

const Log displayedLog{"displayed"};

class Displayed final : public Plugin {
public:
    explicit Displayed(PluginContext& context) : server_{context.server()}, host_{context.host()} {
        context.knowPepNode({.name = std::string{displayedNode},
                             .config = {{"pubsub#persist_items", "true"},
                                        {"pubsub#max_items", "max"},
                                        {"pubsub#send_last_published_item", "never"},
                                        {"pubsub#access_model", "whitelist"}},
                             .isPrivate = true});
        context.on(&Services::outgoing, Phase::Change, this, &Displayed::leaves);
        context.accountFeatureWithPep("urn:xmpp:mds:server-assist:0");
    }

private:
    Verdict leaves(OutgoingEvent& event);

    Server& server_;
    const std::string host_;
};

// What a client says to its own devices along with a message is taken out before anybody else sees
// it (XEP-0490, 4.5.3), and what makes no sense of it as well.
Verdict Displayed::leaves(OutgoingEvent& event) {
    StanzaEdit& message = event.stanza;
    if (!message->isMessage()) return Verdict::Pass;
    const Element* displayed = message->child("displayed", displayedNs);
    if (!displayed) return Verdict::Pass;
    const bool isWhole =
        displayed->children().size() == 1 && displayed->child("stanza-id", ns::stanzaIds);
    PepPublication publication;
    publication.node = displayedNode;
    publication.id = message->to().text();
    publication.payload = toXml(*displayed);
    message.change().edit().removeChildren(
        [](const Element& child) { return child.is("displayed", displayedNs); });

    const auto services = server_.here().host(host_)->sharedServices();
    if (!isWhole || publication.id.empty() || !services->pep) return Verdict::Pass;
    start(services->pep->publish(event.session.account().jid(), std::move(publication)),
          [services](std::optional<std::optional<StanzaError>> refused, std::exception_ptr) {
              if (!refused || *refused) displayedLog.info("a read position could not be kept");
          });
    return Verdict::Pass;
}

const PluginInfo displayedInfo{
    .name = "displayed",
    .summary = "Lets the clients of an account know how far each of them has read",
    .implements = {{"XEP-0490", "1.0.1"}},
};

}  // namespace

DECLARE_PLUGIN(Displayed, displayedInfo)

}  // namespace epode
