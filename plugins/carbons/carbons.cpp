// Message Carbons (XEP-0280): every client of an account sees both sides of its conversations.
#include "core/forwarded.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "eligible.h"
#include "enable.h"
#include "plugin/plugin.h"

#include <algorithm>

namespace epode {
namespace {

using carbons::Direction;

constexpr QName enableElement{carbons::ns, "enable"};
constexpr QName disableElement{carbons::ns, "disable"};

Counter copiesMade{"epode_carbons_total",
                   "Copies of messages for the sender's or addressee's other clients"};
Counter forgedCopies{"epode_carbons_forged_total",
                     "Copies that somebody else claimed to have made, removed"};

class Carbons final : public Plugin {
public:
    explicit Carbons(PluginContext& context) {
        context.onIq(StanzaType::Set, enableElement, Addressee::Account, this, &Carbons::enable);
        context.onIq(StanzaType::Set, disableElement, Addressee::Account, this, &Carbons::disable);
        context.onInline(enableElement, this, &Carbons::enableInline);
        context.on(&Services::incoming, Phase::Check, this, &Carbons::removeForged);
        context.on(&Services::delivered, Phase::Act, this, &Carbons::copy);
        context.savedState<carbons::Enabled>("carbons");
        for (const auto feature : {carbons::ns, std::string_view{"urn:xmpp:carbons:rules:0"}}) {
            context.hostFeature(feature);
            context.accountFeature(feature);
        }
    }

private:
    static StanzaError foreign() {
        return {Condition::NotAllowed, "A client asks its own account for copies."};
    }

    Task<Reply> enable(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        if (Session* session = iq.sender()) carbons::enable(*session);
        co_return Reply{};
    }
    void enableInline(InlineRequest& request) { carbons::enable(request.session); }
    Task<Reply> disable(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        if (Session* session = iq.sender()) carbons::disable(*session);
        co_return Reply{};
    }

    // Copies are made here and go to the session itself; what comes from outside and looks like one
    // is an attempt to speak in somebody else's name (XEP-0280, 11). Clients have fallen for it.
    Verdict removeForged(IncomingEvent& event) {
        if (!event.stanza->isMessage()) return Verdict::Pass;
        for (const Element& child : event.stanza->root().children()) {
            if (!carbons::isCopy(child)) continue;
            forgedCopies.add(
                std::int64_t(event.stanza.change().edit().removeChildren(carbons::isCopy)));
            break;
        }
        return Verdict::Pass;
    }

    Verdict copy(DeliveredEvent& event) {
        const auto direction = event.outgoing ? Direction::Sent : Direction::Received;
        StanzaPtr carbon;
        for (const auto& session : event.account.sessions()) {
            if (!carbons::isEnabled(*session) || !wants(*session, event)) continue;
            if (!carbon) {
                if (!isWorthIt(event, direction)) break;
                carbon = wrap(event, direction);
            }
            copiesMade.add();
            event.account.deliverCopy(*session, Stanza::readdressed(carbon, session->jid()),
                                      event.stamp);
        }
        return Verdict::Pass;
    }

    static bool wants(const Session& session, const DeliveredEvent& event) {
        if (event.outgoing) return &session != event.origin;
        const auto& got = event.sessions;
        if (std::find(got.begin(), got.end(), &session) != got.end()) return false;
        // What somebody sends to himself.
        if (session.jid() == event.message->from()) return false;
        // A message that waits in the log is delivered to those who take messages, each in its
        // turn: the first gets it from there, the others get their copy then. Who takes none has
        // had it before.
        if (event.isFromLog)
            return session.takesMessages() && toMilliseconds(session.boundAt()) <= event.stamp;
        const bool waits = got.empty() && !event.message->isError();
        return !waits || (session.isAvailable() && !session.takesMessages());
    }

    static bool isWorthIt(const DeliveredEvent& event, Direction direction) {
        StateSlots& slots = event.account.slots();
        if (event.message->isError()) {
            const auto* copied = slots.find<carbons::CopiedMessages>();
            return copied && copied->isAnsweredBy(*event.message, direction);
        }
        if (!carbons::isEligible(*event.message, direction)) return false;
        slots.get<carbons::CopiedMessages>().add(*event.message, direction);
        return true;
    }

    // Written once for all clients: what differs is the address of the wrapping message.
    static StanzaPtr wrap(const DeliveredEvent& event, Direction direction) {
        const std::string_view name = direction == Direction::Sent ? "sent" : "received";
        auto carbon = Stanza::message(event.message->type(), event.account.jid(), {});
        addForwarded(carbon->edit().add(name, carbons::ns), *event.message);
        std::string xml;
        xml.append("<").append(name).append(" xmlns='").append(carbons::ns).append("'>");
        beginForwarded(xml);
        event.message->write(xml, {}, nullptr, event.insertion);
        xml.append(forwardedEnd).append("</").append(name).append(">");
        carbon->setInner(xml);
        return carbon;
    }
};

const PluginInfo info{
    .name = "carbons",
    .summary = "Copies messages to the other clients of an account",
    .implements = {{"XEP-0280", "1.0.1"}},
};

}  // namespace

DECLARE_PLUGIN(Carbons, info)

}  // namespace epode
