#include "route/iq.h"

#include "core/log.h"
#include "route/account.h"
#include "route/host.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/database.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace epode {

namespace {

const Log routeLog{"route"};

StanzaError unserved() {
    return {Condition::ServiceUnavailable, "Nobody here serves this request."};
}

bool hasFurtherElement(const Element& first) {
    for (const Element* node = first.nextSibling(); node; node = node->nextSibling())
        if (!node->isText()) return true;
    return false;
}

// What a handler's exception means for the one who asked.
StanzaError refusalFor(const std::exception_ptr& failure, std::string_view owner) {
    try {
        std::rethrow_exception(failure);
    } catch (const StoreUnavailable& unavailable) {
        routeLog.warning("a request failed for want of the database",
                         {{"plugin", owner}, {"failure", unavailable.what()}});
        return {ErrorType::Wait, Condition::InternalServerError,
                "The server can't reach its storage at the moment; try again later."};
    } catch (const std::exception& other) {
        routeLog.error("a request's handler failed", {{"plugin", owner}, {"failure", other.what()}});
    } catch (...) {
        routeLog.error("a request's handler failed", {{"plugin", owner}});
    }
    return {ErrorType::Wait, Condition::InternalServerError,
            "The server failed while it handled this."};
}

}  // namespace

MutableStanzaPtr Reply::answer(const Stanza& request) const {
    if (const auto* error = std::get_if<StanzaError>(&content_)) return request.error(*error);
    if (const auto* payload = std::get_if<Document>(&content_)) return request.result(**payload);
    return request.result();
}

Jid Iq::owner() const {
    if (addressee_ != Addressee::Account) return {};
    return to().empty() ? from().bare() : to().bare();
}

bool Iq::isToOwnAccount() const {
    return addressee_ == Addressee::Account &&
           (to().empty() || to().bareText() == from().bareText());
}

Account* Iq::account() const {
    if (addressee_ != Addressee::Account) return nullptr;
    return shard_.loaded(to().empty() ? from().bareText() : to().bareText());
}

Session* Iq::sender() const { return shard_.session(from()); }

void IqTable::add(IqKey key, std::string_view owner, IqHandler handler, PluginMeter* meter) {
    entries_[std::move(key)] = Entry{std::string{owner}, std::move(handler), meter};
}

// The ends of namespaces tell them apart ("…:mam:2"). Strangers choose what is looked up, but not what
// is in the table.
std::size_t IqTable::HashOf::operator()(const View& key) const {
    const auto& [type, name, ns, addressee] = key;
    const auto last = [](std::string_view text) {
        std::uint64_t bytes = 0;
        const std::size_t count = std::min(text.size(), sizeof bytes);
        std::memcpy(&bytes, text.data() + text.size() - count, count);
        return bytes + text.size();
    };
    std::uint64_t hash = last(ns) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32 ^ last(name)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 29 ^ std::uint64_t(type) << 8 ^ std::uint64_t(addressee)) * 0x94d049bb133111ebu;
    return std::size_t(hash ^ hash >> 31);
}

const IqTable::Entry* IqTable::find(StanzaType type, std::string_view name, std::string_view ns,
                                    Addressee addressee) const {
    const auto found = entries_.find(View{type, name, ns, addressee});
    return found == entries_.end() ? nullptr : &found->second;
}

void receiveServed(ServedStanza stanza) {
    const auto services = stanza.host.sharedServices();  // they live until the call returns
    Shard& shard = stanza.shard;
    const StanzaPtr kept = stanza.stanza;
    try {
        stanza.domain.receive(std::move(stanza));
    } catch (...) {
        shard.refuse(*kept, refusalFor(std::current_exception(), kept->to().domain()));
    }
}

void dispatchIq(Shard& shard, Host& host, Addressee addressee, const StanzaPtr& stanza,
                Hold hold, const ServedDomain* domain) {
    const Element* payload = stanza->payload();
    if (!payload || hasFurtherElement(*payload)) {
        shard.refuse(*stanza, {Condition::BadRequest, "A request has exactly one child element."});
        return;
    }
    if (const auto& hook = host.services().requested; !hook.empty() && !domain) {
        RequestEvent event{shard, host, addressee, stanza, hold};
        if (hook.run(event) == Verdict::Stop) {
            if (event.refusal) shard.refuse(*stanza, *event.refusal);
            return;
        }
    }
    const IqTable::Entry* entry = nullptr;
    if (domain)
        entry = domain->iqs.find(stanza->type(), payload->name(), payload->ns(), addressee);
    if (!entry)
        entry = host.services().iqs.find(stanza->type(), payload->name(), payload->ns(), addressee);
    if (!entry) {
        if (domain && domain->receive) {
            receiveServed({stanza, std::move(hold), *domain, host, shard});
            return;
        }
        shard.refuse(*stanza, unserved());
        return;
    }
    // What the handler refers to lives as long as the handler runs.
    struct Call {
        Iq iq;
        std::shared_ptr<const Services> services;
        const IqTable::Entry* entry;
        Hold hold;
        PluginMeter::Call metered{entry->meter, PluginMeter::Kind::Request};
        Call(Iq request, std::shared_ptr<const Services> shared, const IqTable::Entry* served, Hold held)
            : iq{std::move(request)}, services{std::move(shared)}, entry{served}, hold{std::move(held)} {}
    };
    auto call = std::make_shared<Call>(Iq{stanza, addressee, host, shard, domain}, host.sharedServices(),
                                       entry, std::move(hold));
    Task<Reply> task;
    try {
        task = entry->handler(call->iq);
    } catch (...) {  // a handler that is no coroutine
        call->metered.failed();
        shard.refuse(*stanza, refusalFor(std::current_exception(), entry->owner));
        return;
    }
    start(std::move(task), [call](std::optional<Reply> reply, std::exception_ptr failure) {
        Shard& shard = call->iq.shard();
        call->metered.end();
        if (failure) {
            call->metered.failed();
            shard.refuse(call->iq.stanza(), refusalFor(failure, call->entry->owner));
        } else if (!reply->isNone()) {
            shard.server().route(reply->answer(call->iq.stanza()), call->hold);
        }
    });
}

}  // namespace epode
