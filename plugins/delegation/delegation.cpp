// Namespace Delegation (XEP-0355), as the operator wants it (admin mode): components answer
// requests of some namespaces in place of a host and its accounts.
#include "delegations.h"
#include "nesting.h"

#include "core/forwarded.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "plugin/plugin.h"
#include "route/asking.h"

#include <atomic>
#include <memory>
#include <string>
#include <variant>

namespace epode {
namespace {

using delegation::Delegated;
using delegation::Delegations;
using delegation::Managing;

const Log delegationLog{"plugin.delegation"};
Counter forwardedRequests{"epode_delegation_requests_total",
                          "Requests that were delegated to a component"};
Counter failedRequests{"epode_delegation_failed_total",
                       "Delegated requests that the component did not answer as it has to"};

// It is kept until the answer has come.
constexpr std::size_t idBytesMax = 1024;
constexpr auto lookAgain = std::chrono::hours{24};

// What components were told last of what they manage; a host's, on the first shard.
struct Told {
    std::map<std::string, std::string, std::less<>> adverts;  // by component
};

// What a delegated request is answered with, or why it can't be (the end of a sentence about the
// component).
using Answer = std::variant<MutableStanzaPtr, std::string>;

// RFC 6120, 8.3.2: a type and a condition.
bool isWhole(const Element& error) {
    for (const Element& child : error.children())
        if (child.ns() == ns::stanzaErrors && child.name() != "text")
            return StanzaError::read(*error.parent()).has_value();
    return false;
}

// XEP-0355, 4.3. `asked` has the request's addresses and id, and the host is whose it is. The
// document wants an error of the component's to be told as service-unavailable, and knows none
// within a result; but one who publishes to a node that isn't there has to hear just that.
Answer readAnswer(const Stanza* answer, const Stanza& asked, const Jid& host) {
    if (!answer) return "has not answered in time";
    if (answer->isError()) return "has refused it, or is not connected";
    const Element* wrapper = answer->child("delegation", delegation::ns);
    const auto inner = wrapper ? forwardedStanza(*wrapper, StanzaKind::Iq) : nullptr;
    if (!inner || inner->isRequest()) return "has answered without a forwarded answer";
    if (inner->id() != asked.id() || inner->to() != asked.from())
        return "has answered to somebody else, or to another id";
    const Jid& from = inner->from();
    const bool isFrom =
        asked.to().empty() ? from == asked.from().bare() || from == host : from == asked.to();
    if (!from.empty() && !isFrom) return "has answered in the name of somebody else";

    auto reply = Stanza::iq(inner->type(), asked.to(), asked.from(), asked.id());
    if (inner->isError()) {
        const Element* error = inner->child("error", ns::client);
        if (!error || !isWhole(*error)) return "has answered with a malformed error";
        reply->edit().add(*error);
        return reply;
    }
    std::size_t children = 0;
    for (const Element& child : inner->root().children()) {
        if (++children > 1) return "has answered with more than one element";
        reply->edit().add(child);
    }
    return reply;
}

class Delegation final : public Plugin {
public:
    explicit Delegation(PluginContext& context);

private:
    Verdict take(RequestEvent& event);
    const Delegated* find(const RequestEvent& event) const;
    void forward(RequestEvent& event, const Managing& managing);

    Verdict advertise(ComponentEvent& event);
    Task<Duration> tellChanges();
    StanzaPtr advert(const Jid& host, const Jid& component) const;
    Verdict nest(DiscoEvent& event);

    Server& server_;
    const std::string host_;
    const Delegations delegations_;
    // Requests that wait for each component. Counted by who waits, who may outlive this.
    std::map<std::string, std::shared_ptr<std::atomic<std::int64_t>>, std::less<>> waiting_;
};

std::vector<std::string> configuredComponents(Server& server) {
    std::vector<std::string> all;
    for (const Elsewhere* elsewhere : server.elsewhere())
        for (auto& domain : elsewhere->configured()) all.push_back(std::move(domain));
    return all;
}

bool isConnected(Server& server, std::string_view component) {
    for (const Elsewhere* elsewhere : server.elsewhere())
        for (const auto& domain : elsewhere->domains())
            if (domain == component) return true;
    return false;
}

Delegation::Delegation(PluginContext& context)
    : server_{context.server()},
      host_{context.host()},
      delegations_{context.settings(), configuredComponents(server_)} {
    for (const auto& [component, name] : delegations_.taken())
        delegationLog.error("a namespace is delegated to two components; the other one has it",
                            {{"component", component},
                             {"namespace", name},
                             {"other", delegations_.find(name)->to->jid.text()}});
    for (const auto& [component, managing] : delegations_.components())
        waiting_[component] = std::make_shared<std::atomic<std::int64_t>>(0);
    context.hostFeature(delegation::ns);
    // Who has nothing any more is told so.
    context.inBackground(Duration{}, this, &Delegation::tellChanges);
    if (delegations_.empty()) return;
    context.on(&Services::componentConnected, Phase::Act, this, &Delegation::advertise);
    context.on(&Services::requested, Phase::Act, this, &Delegation::take);
    context.on(&Services::discoTold, Phase::Change, this, &Delegation::nest);
}

// ---- requests

const Delegated* Delegation::find(const RequestEvent& event) const {
    const Element& payload = *event.stanza->payload();
    if (const Delegated* found = delegations_.find(payload.ns()); found && found->fits(payload))
        return found;
    const bool isInfo = payload.is("query", ns::discoInfo);
    if (event.addressee != Addressee::Account || event.stanza->type() != StanzaType::Get ||
        (!isInfo && !payload.is("query", ns::discoItems)))
        return nullptr;
    const Delegated* found =
        delegations_.find(isInfo ? delegation::bareInfo : delegation::bareItems);
    const bool hasNode = !payload.get("node").empty();
    if (!found || (isInfo && !hasNode)) return nullptr;
    // What other plugins answer for stays theirs.
    const Iq iq{event.stanza, event.addressee, event.host, event.shard};
    if (hasNode)
        for (const auto& nodes : event.host.services().discoNodes)
            if (nodes.addressee == event.addressee && nodes.isOwn(iq)) return nullptr;
    return found;
}

Verdict Delegation::take(RequestEvent& event) {
    const Delegated* found = find(event);
    const Stanza& request = *event.stanza;
    if (!found || request.from().empty()) return Verdict::Pass;
    const Managing& managing = *found->to;
    // 4.3.1: what the managing entity itself asks, also in the name of an account, is answered as
    // if nothing were delegated.
    const auto component = managing.jid.domain();
    if (request.from().domain() == component || request.agent() == component) return Verdict::Pass;
    if (request.id().size() > idBytesMax) {
        event.refusal =
            StanzaError{Condition::PolicyViolation, "The id of this request is too long."};
        return Verdict::Stop;
    }
    if (waiting_.find(component)->second->load() >= managing.waitingMax) {
        event.refusal =
            StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                        "Too many requests wait for an answer already; try again later."};
        return Verdict::Stop;
    }
    forward(event, managing);
    return Verdict::Stop;
}

void Delegation::forward(RequestEvent& event, const Managing& managing) {
    const Stanza& request = *event.stanza;
    forwardedRequests.add();
    // Who waits keeps the addresses of the request, not what is in it.
    const StanzaPtr asked = Stanza::iq(request.type(), request.from(), request.to(), request.id());
    const auto& counter = waiting_.find(managing.jid.domain())->second;
    counter->fetch_add(1);
    const std::shared_ptr<void> counted{nullptr, [counter](void*) { counter->fetch_sub(1); }};

    auto outer = Stanza::iq(StanzaType::Set, event.host.jid(), managing.jid, "");
    addForwarded(outer->edit().add("delegation", delegation::ns), request);
    event.shard.asking().ask(
        std::move(outer), managing.patience,
        [&shard = event.shard, host = event.host.jid(), component = managing.jid.text(), asked,
         counted, hold = event.hold](const StanzaPtr& answer) {
            const Answer read = readAnswer(answer.get(), *asked, host);
            if (const auto* reply = std::get_if<MutableStanzaPtr>(&read)) {
                shard.server().route(*reply, hold);
                return;
            }
            failedRequests.add();
            delegationLog.warning("a delegated request was not answered as it has to be",
                                  {{"component", component},
                                   {"host", host.text()},
                                   {"why", component + " " + std::get<std::string>(read)}});
            shard.server().route(
                asked->error({Condition::ServiceUnavailable,
                              "Who serves this can't be reached at the moment, or has failed."}),
                hold);
        });
}

// ---- what components are told

StanzaPtr Delegation::advert(const Jid& host, const Jid& component) const {
    auto message = Stanza::message(StanzaType::Normal, host, component, randomId());
    delegations_.advertise(message->edit(), component.domain());
    return message;
}

Verdict Delegation::advertise(ComponentEvent& event) {
    const auto found = delegations_.components().find(event.domain);
    if (found == delegations_.components().end()) return Verdict::Pass;
    event.send(advert(event.host.jid(), found->second.jid));
    askForNesting(event.shard, event.host, delegations_, event.domain);
    return Verdict::Pass;
}

// Business rule 3: after the start, and when a change of the configuration has made this plugin
// anew.
Task<Duration> Delegation::tellChanges() {
    Shard& shard = server_.shard(0);
    Host* host = shard.host(host_);
    if (!host) co_return lookAgain;
    auto& told = host->state<Told>().adverts;
    auto before = std::exchange(told, {});
    for (const auto& [component, managing] : delegations_.components())
        told[component] = toXml(advert(host->jid(), managing.jid)->root());
    for (const auto& [component, advert] : told) before.try_emplace(component, "");
    for (const auto& [component, advertBefore] : before) {
        const auto now = told.find(component);
        if (now != told.end() && now->second == advertBefore) continue;
        const auto jid = Jid::parse(component);
        if (!jid || !isConnected(server_, component)) continue;
        const StanzaPtr message = advert(host->jid(), *jid);
        for (Elsewhere* elsewhere : server_.elsewhere()) elsewhere->tellAll(message);
        askForNesting(shard, *host, delegations_, component);
    }
    co_return lookAgain;
}

Verdict Delegation::nest(DiscoEvent& event) {
    delegation::nest(event.query, event.addressee, event.host.slots().find<delegation::Nested>(),
                     delegations_);
    return Verdict::Pass;
}

const PluginInfo pluginInfo{
    .name = "delegation",
    .summary = "Components that answer requests of some namespaces for a host and its accounts",
    .implements = {{"XEP-0355", "0.5"}},
    .options = delegation::options(),
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Delegation, pluginInfo)

}  // namespace epode
