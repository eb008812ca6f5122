// Session establishment (RFC 3921, 3): a step that RFC 6121 has dropped and that clients still take.
#include "core/namespaces.h"
#include "plugin/plugin.h"

#include "route/stream_facts.h"

namespace epode {
namespace {

constexpr QName sessionElement{ns::session, "session"};

class LegacySession final : public Plugin {
public:
    explicit LegacySession(PluginContext& context) {
        context.onIq(StanzaType::Set, sessionElement, Addressee::Account, this, &LegacySession::accept);
        context.onIq(StanzaType::Set, sessionElement, Addressee::Host, this, &LegacySession::accept);
        context.on(&Services::features, Phase::Change, this, &LegacySession::announce);
    }

private:
    Verdict announce(FeaturesEvent& event) {
        if (event.stream.isAuthenticated())
            event.features.add(sessionElement.name, sessionElement.ns).add("optional");
        return Verdict::Pass;
    }

    // There is nothing to do: the session began when the resource was bound.
    Task<Reply> accept(const Iq& iq) { co_return Reply{}; }
};

const PluginInfo info{
    .name = "legacy_session",
    .summary = "Accepts the session request of RFC 3921",
    .implements = {{"RFC 3921"}},
};

}  // namespace

DECLARE_PLUGIN(LegacySession, info)

}  // namespace epode
