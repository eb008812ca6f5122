// XMPP Ping (XEP-0199): the host and every account answer, so that a client can test its connection.
#include "plugin/plugin.h"

namespace epode {
namespace {

constexpr QName pingElement{"urn:xmpp:ping", "ping"};

class Ping final : public Plugin {
public:
    explicit Ping(PluginContext& context) {
        context.onIq(StanzaType::Get, pingElement, Addressee::Host, this, &Ping::answer);
        context.onIq(StanzaType::Get, pingElement, Addressee::Account, this, &Ping::answer);
        context.hostFeature(pingElement.ns);
        context.accountFeature(pingElement.ns);
    }

private:
    // A client pings its server without an address; the bare address of somebody else is not answered,
    // so that nobody learns which accounts exist (XEP-0199, 6).
    Task<Reply> answer(const Iq& iq) {
        if (!iq.isToHost() && !iq.isToOwnAccount())
            co_return StanzaError{Condition::ServiceUnavailable, "Accounts answer their owners only."};
        co_return Reply{};
    }
};

const PluginInfo info{
    .name = "ping",
    .summary = "Answers pings",
    .implements = {{"XEP-0199", "2.0.1"}},
};

}  // namespace

DECLARE_PLUGIN(Ping, info)

}  // namespace epode
