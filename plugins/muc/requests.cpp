// Requests from one occupant to another (XEP-0045, 17.4), and to himself (XEP-0410).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/namespaces.h"
#include "route/session.h"

#include <charconv>

namespace epode::muc {

namespace {

// The id under which a request is passed on says who has asked and who was asked; both are names
// within the room that tell nobody an address.
std::string idOf(unsigned asking, unsigned asked, std::string_view id) {
    return std::to_string(asking) + "." + std::to_string(asked) + "." + std::string{id};
}

struct PassedId {
    unsigned asking = 0;
    unsigned asked = 0;
    std::string_view id;
};
std::optional<PassedId> readId(std::string_view text) {
    PassedId read;
    for (unsigned* part : {&read.asking, &read.asked}) {
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *part);
        if (problem != std::errc{} || end == text.data() + text.size() || *end != '.')
            return std::nullopt;
        text.remove_prefix(std::size_t(end - text.data()) + 1);
    }
    read.id = text;
    return read;
}

// What servers answer for their accounts goes to the account.
bool isForAccount(const Element& payload) {
    return payload.ns() == names::vcard || payload.ns() == names::pubsub;
}

}  // namespace

// After a crash a client that has come anew under its old name must not hear that it is in: its
// session would know that it has entered. One that was brought back knows.
void Service::answerRestored(const At& at, const StanzaPtr& ping) {
    Shard& theirs = server_.shardOf(ping->from().bareText());
    theirs.executor().post([this, &theirs, at, ping, keep = at.host.sharedServices()]() mutable {
        const Session* session = theirs.session(ping->from());
        const bool isThere = session && session->hasDirectedTo(at.room->address);
        Executor& back = at.shard.executor();
        back.post([this, at = std::move(at), ping, isThere, keep = std::move(keep)] {
            Occupant* occupant = at.room->byClient(ping->from());
            if (occupant && isThere) {
                occupant->place(ping->from())->isRestored = false;
                server_.route(ping->result());
                return;
            }
            refuse(at, *ping, notInRoom());
            if (occupant) leave(at, *occupant, ping->from(), nullptr, {.codes = {333}});
        });
    });
}

void Service::forward(const At& at, const StanzaPtr& request) {
    Room& room = *at.room;
    if (request->to().isBare() || !request->payload()) {
        refuse(at, *request, {Condition::ServiceUnavailable, "A room does not serve this."});
        return;
    }
    Occupant* asking = room.byClient(request->from());
    Occupant* asked = room.byNick(request->to().resource());
    const Element& payload = *request->payload();
    const bool isPing = payload.is("ping", names::ping) && request->type() == StanzaType::Get;
    if (!asking) {
        const bool isDisco = payload.ns() == ns::discoInfo || payload.ns() == ns::discoItems;
        refuse(at, *request, isDisco ? badRequest("Only occupants ask each other.") : notInRoom());
        return;
    }
    if (!asked) {
        refuse(at, *request, noSuchOccupant());
        return;
    }
    if (isPing && asking == asked) {
        if (asking->place(request->from())->isRestored && server_.isLocal(request->from().domain()))
            answerRestored(at, request);
        else
            server_.route(request->result());
        return;
    }
    if (room.config.allowPm == AllowPm::Nobody && asking->role != Role::Moderator) {
        refuse(at, *request, forbidden("Occupants of this room don't ask each other."));
        return;
    }
    const Place& from = *asking->place(request->from());
    const Place& to = asked->places.front();
    auto passed = request->copy();
    passed->setFrom(asking->address);
    passed->setTo(isForAccount(payload) ? asked->bare : to.jid);
    passed->setId(idOf(from.serial, to.serial, request->id()));
    server_.route(passed);
}

void Service::forwardAnswer(const At& at, const StanzaPtr& answer) {
    Room& room = *at.room;
    const auto id = readId(answer->id());
    if (!id) return;
    Place* to = nullptr;
    Place* from = nullptr;
    Occupant* asking = room.bySerial(id->asking, to);
    Occupant* asked = room.bySerial(id->asked, from);
    if (!asking || !asked || asked->bare.text() != answer->from().bareText()) return;
    auto passed = answer->copy();
    passed->setFrom(asked->address);
    passed->setTo(to->jid);
    passed->setId(id->id);
    server_.route(passed);
}

}  // namespace epode::muc
