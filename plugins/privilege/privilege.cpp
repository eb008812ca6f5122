// Privileged Entity (XEP-0356): components that act in the name of accounts.
#include "access.h"

#include "core/forwarded.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "plugin/plugin.h"
#include "route/asking.h"

#include <algorithm>

namespace epode {
namespace {

using privilege::Access;

constexpr auto answerPatience = std::chrono::minutes{1};

StanzaError forbidden(std::string text) { return {Condition::Forbidden, std::move(text)}; }

class Privilege final : public Plugin {
public:
    explicit Privilege(PluginContext& context) : server_{context.server()} {
        context.on(&Services::componentConnected, Phase::Act, this, &Privilege::advertise);
        context.on(&Services::incoming, Phase::Check, this, &Privilege::request);
        context.on(&Services::toHost, Phase::Act, this, &Privilege::message);
        context.on(&Services::presenceChanged, Phase::Observe, this, &Privilege::presence);
        context.on(&Services::rosterPushed, Phase::Observe, this, &Privilege::rosterPush);
    }

private:
    Verdict advertise(ComponentEvent& event);
    Verdict request(IncomingEvent& event);
    Verdict message(HostEvent& event);
    Verdict presence(PresenceEvent& event);
    Verdict rosterPush(RosterPushEvent& event);

    Verdict rosterRequest(IncomingEvent& event, const Access& access);
    Verdict privilegedRequest(IncomingEvent& event, const Element& envelope, const Access& access);
    void ask(Shard& shard, StanzaPtr outer, MutableStanzaPtr request,
             std::function<MutableStanzaPtr(const StanzaPtr& outer, const StanzaPtr& answer)>
                 answerWith);
    bool isComponent(const Jid& jid) const;
    // Calls `use` with each component's address and what it may do.
    template <typename Use>
    void eachComponent(const Host& host, Use use) const;

    Server& server_;
};

// Options that hold for all components would give privileges to every domain that is none.
bool Privilege::isComponent(const Jid& jid) const {
    if (!jid.isDomain()) return false;
    const auto& elsewhere = server_.elsewhere();
    return std::any_of(elsewhere.begin(), elsewhere.end(),
                       [&jid](const Elsewhere* one) { return one->owns(jid.domain()); });
}

template <typename Use>
void Privilege::eachComponent(const Host& host, Use use) const {
    for (const Elsewhere* elsewhere : server_.elsewhere())
        for (const auto& domain : elsewhere->domains())
            if (const auto jid = Jid::parse(domain)) use(*jid, Access{host.settings(), domain});
}

// XEP-0356, 4.2. Business rule 1: who comes late hears who is there.
Verdict Privilege::advertise(ComponentEvent& event) {
    const Access access{event.host.settings(), event.domain};
    if (!access.any()) return Verdict::Pass;
    const Jid component = *Jid::parse(event.domain);
    auto told = Stanza::message(StanzaType::Normal, event.host.jid(), component, randomId());
    access.advertise(told->edit());
    event.send(told);
    if (!access.presence) return Verdict::Pass;
    for (unsigned i = 0; i < server_.shardCount(); ++i) {
        Shard& shard = server_.shard(i);
        shard.executor().post([&shard, component, domain = event.host.domain()] {
            shard.eachAccount([&](Account& account) {
                if (account.host().domain() != domain) return;
                for (const auto& session : account.sessions())
                    if (session->isAvailable())
                        shard.server().route(Stanza::readdressed(session->presence(), component));
            });
        });
    }
    return Verdict::Pass;
}

// ---- requests

Verdict Privilege::request(IncomingEvent& event) {
    const Stanza& stanza = *event.stanza;
    if (!stanza.isIq() || !stanza.isRequest() || !stanza.from().isDomain() || !stanza.payload())
        return Verdict::Pass;
    const Element& payload = *stanza.payload();
    const bool isEnvelope = payload.is("privileged_iq", privilege::ns);
    const bool isRoster = payload.is("query", ns::roster);
    if ((!isEnvelope && !isRoster) || !isComponent(stanza.from())) return Verdict::Pass;
    const Access access{event.account.host().settings(), stanza.from().domain()};
    if (isRoster) return rosterRequest(event, access);
    return privilegedRequest(event, payload, access);
}

Verdict Privilege::rosterRequest(IncomingEvent& event, const Access& access) {
    const StanzaPtr outer = event.stanza.share();
    if (!outer->to().isBare() || !access.roster.allows(outer->type())) {
        event.refusal = forbidden("This component may not do that with rosters.");
        return Verdict::Stop;
    }
    const Jid& owner = event.account.jid();
    auto request = Stanza::iq(outer->type(), owner, owner, outer->id());
    request->edit().add(*outer->payload());
    request->setAgent(outer->from().domain());
    ask(event.account.shard(), outer, std::move(request),
        [](const StanzaPtr& asked, const StanzaPtr& answer) {
            auto reply = answer->copy();
            reply->setFrom(asked->to());
            reply->setTo(asked->from());
            reply->setId(asked->id());
            return reply;
        });
    return Verdict::Stop;
}

// XEP-0356, 6.3.
Verdict Privilege::privilegedRequest(IncomingEvent& event, const Element& envelope,
                                     const Access& access) {
    const StanzaPtr outer = event.stanza.share();
    const Jid& owner = event.account.jid();
    const Element* inner = envelope.child("iq", ns::client);
    auto problem = Stanza::Problem::None;
    const auto refuse = [&event](std::string text) {
        event.refusal = forbidden(std::move(text));
        return Verdict::Stop;
    };
    if (!outer->to().isBare())
        return refuse("Such a request goes to the bare address of an account.");
    if (!inner) return refuse("There is no iq of jabber:client in this.");
    auto request = Stanza::fromDocument(Document{*inner}, {}, problem);
    if (problem != Stanza::Problem::None) return refuse("The iq in this is malformed.");
    if (request->type() != outer->type())
        return refuse("The iq in this is of another type than the request.");
    if (!request->from().empty() && request->from() != owner)
        return refuse("The iq in this is in somebody else's name.");
    if (!request->payload() || !access.allows(request->type(), request->payload()->ns()))
        return refuse("This component may not make such requests.");

    request->setFrom(owner);
    if (request->to().empty()) request->setTo(owner);
    request->setAgent(outer->from().domain());
    const std::string id{request->id()};
    ask(event.account.shard(), outer, std::move(request),
        [id](const StanzaPtr& asked, const StanzaPtr& answer) {
            const auto given = answer->copy();
            given->setId(id);
            auto reply = asked->result();
            addForwarded(reply->edit().add("privilege", privilege::ns), *given);
            return reply;
        });
    return Verdict::Stop;
}

void Privilege::ask(
    Shard& shard, StanzaPtr outer, MutableStanzaPtr request,
    std::function<MutableStanzaPtr(const StanzaPtr& outer, const StanzaPtr& answer)> answerWith) {
    shard.asking().ask(std::move(request), answerPatience,
                       [&shard, outer = std::move(outer),
                        answerWith = std::move(answerWith)](const StanzaPtr& answer) {
                           if (answer)
                               shard.server().route(answerWith(outer, answer));
                           else
                               shard.refuse(*outer, {Condition::RemoteServerTimeout,
                                                     "Nobody has answered in time."});
                       });
}

// ---- messages (XEP-0356, 5)

Verdict Privilege::message(HostEvent& event) {
    const Stanza& stanza = *event.stanza;
    const Element* privilege = stanza.isMessage() && !stanza.isError()
                                   ? stanza.child("privilege", privilege::ns)
                                   : nullptr;
    if (!privilege || !isComponent(stanza.from())) return Verdict::Pass;
    const Access access{event.host.settings(), stanza.from().domain()};
    if (!access.messages) {
        event.refusal = forbidden("This component may not send messages for others.");
        return Verdict::Stop;
    }
    auto message = forwardedStanza(*privilege, StanzaKind::Message);
    if (!message || message->to().empty()) {
        event.refusal =
            StanzaError{Condition::BadRequest, "There is no message with an addressee in this."};
        return Verdict::Stop;
    }
    const Jid& from = message->from();
    if (!from.isBare() || from.domain() != event.host.domain()) {
        event.refusal = forbidden("A message may be sent for bare addresses of this host alone.");
        return Verdict::Stop;
    }
    message->setAgent(stanza.from().domain());
    if (from.isDomain()) {
        server_.route(std::move(message), event.hold);
        return Verdict::Stop;
    }
    Shard& home = server_.shardOf(from.bareText());
    home.executor().post([&home, outer = event.stanza, message = StanzaPtr{std::move(message)},
                          hold = event.hold] {
        home.withAccount(
            message->from(),
            [&home, outer, message, hold](Account* account) {
                if (!account) {
                    home.refuse(*outer, forbidden("There is no such account here."));
                    return;
                }
                account->sent(nullptr, message, hold);
                home.server().route(message, hold);
            },
            [&home, outer] {
                home.refuse(*outer,
                            {ErrorType::Wait, Condition::InternalServerError,
                             "The server can't reach its storage at the moment; try again later."});
            });
    });
    return Verdict::Stop;
}

// ---- what a component is told

Verdict Privilege::presence(PresenceEvent& event) {
    eachComponent(event.session.host(), [&](const Jid& component, const Access& access) {
        if (access.presence) server_.route(Stanza::readdressed(event.presence, component));
    });
    return Verdict::Pass;
}

Verdict Privilege::rosterPush(RosterPushEvent& event) {
    eachComponent(event.account.host(), [&](const Jid& component, const Access& access) {
        if (!access.rosterPush) return;
        const auto push = event.push->copy();
        push->setFrom(event.account.jid());
        push->setTo(component);
        server_.route(push);
    });
    return Verdict::Pass;
}

const PluginInfo pluginInfo{
    .name = "privilege",
    .summary = "Components that act in the name of accounts, as far as they may",
    .implements = {{"XEP-0356", "0.4.1"}},
    .options = privilege::options(),
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Privilege, pluginInfo)

}  // namespace epode
