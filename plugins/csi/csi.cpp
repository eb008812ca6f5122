// Client State Indication (XEP-0352): a phone that nobody looks at is woken by what matters, and
// hears the rest along with it, or when it is looked at again.
#include "client_state.h"
#include "core/namespaces.h"
#include "importance.h"
#include "plugin/plugin.h"
#include "route/message_content.h"
#include "route/stream_facts.h"

namespace epode {
namespace {

constexpr std::string_view csiNs = "urn:xmpp:csi:0";

const Option<std::int64_t> heldMax{
    .key = "csi.held_max",
    .fallback = 250,
    .range = {1, 10000},
    .help = "How many stanzas wait for an inactive client; with one more they are all sent.",
};
const Option<Bytes> heldBytesMax{
    .key = "csi.held_bytes_max",
    .fallback = 256_KiB,
    .range = {4_KiB, 16_MiB},
    .help =
        "How much memory the stanzas take that wait for an inactive client, before they are all "
        "sent.",
};

class ClientStates final : public Plugin {
public:
    explicit ClientStates(PluginContext& context)
        : heldMax_{std::size_t(context.value(heldMax))},
          heldBytesMax_{std::size_t(context.value(heldBytesMax))} {
        context.onElement({csiNs, "active"}, this, &ClientStates::activate);
        context.onElement({csiNs, "inactive"}, this, &ClientStates::deactivate);
        context.onInline({csiNs, "inactive"}, this, &ClientStates::beginInactive);
        context.on(&Services::features, Phase::Change, this, &ClientStates::announce);
        context.on(&Services::sessionOutput, Phase::Act, this, &ClientStates::filter);
        context.on(&Services::releaseOutput, Phase::Act, this, &ClientStates::release);
    }

private:
    Verdict announce(FeaturesEvent& event) {
        if (event.stream.isAuthenticated()) event.features.add("csi", csiNs);
        return Verdict::Pass;
    }

    void beginInactive(InlineRequest& request) { csi::becomeInactive(request.session); }
    void deactivate(Session& session, const Element&) { csi::becomeInactive(session); }
    void activate(Session& session, const Element&) {
        csi::Inactive* state = csi::inactive(session);
        if (!state) return;
        state->flush(session);
        csi::becomeActive(session);
    }

    Verdict filter(SessionOutputEvent& event) {
        csi::Inactive* state = csi::inactive(event.session);
        if (!state) return Verdict::Pass;
        const auto key = csi::heldAs(*event.stanza);
        const bool isFull = state->count() >= heldMax_ || state->bytes() >= heldBytesMax_;
        if (!key || isFull || isOnlyHere(event)) {
            state->flush(event.session);
            return Verdict::Pass;
        }
        state->hold(event.stanza, event.insertion, event.stamp, *key,
                    event.session.shard().executor().wallNow());
        return Verdict::Stop;
    }

    // Without stream management a connection that is lost takes with it what is held: then that can
    // only be what is of the moment.
    static bool isOnlyHere(const SessionOutputEvent& event) {
        return !event.session.sm() && event.stanza->isMessage() &&
               keepingOf(*event.stanza) != Keeping::Nothing;
    }

    // A client that resumes its session is active until it says otherwise (XEP-0352, 5.2).
    Verdict release(ReleaseEvent& event) {
        csi::Inactive* state = csi::inactive(event.session);
        if (!state) return Verdict::Pass;
        state->flush(event.session);
        if (event.reason == ReleaseEvent::Reason::Detached) csi::becomeActive(event.session);
        return Verdict::Pass;
    }

    const std::size_t heldMax_;
    const std::size_t heldBytesMax_;
};

const PluginInfo info{
    .name = "csi",
    .summary = "Spares clients that nobody looks at what can wait",
    .implements = {{"XEP-0352", "1.0.0",
                    "tests/plugins/csi_test.cpp: what matters goes at once, and takes along what is held, in order"}},
    .options = {&heldMax, &heldBytesMax},
};

}  // namespace

DECLARE_PLUGIN(ClientStates, info)

}  // namespace epode
