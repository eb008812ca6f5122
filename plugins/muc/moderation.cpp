// Taking back what was said: by who has said it (XEP-0424), or by a moderator (XEP-0425). What
// remains is a tombstone.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/namespaces.h"
#include "core/time_format.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::muc {

namespace {

StanzaError noSuchMessage() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "There is no such message."};
}

void addModerated(Element& parent, std::string_view by, std::string_view byId) {
    Element& moderated = parent.add("moderated", names::moderate);
    moderated.set("by", by);
    if (!byId.empty()) moderated.add("occupant-id", names::occupantId).set("id", byId);
}

}  // namespace

// What remains says who has said it, and that it was taken back (XEP-0424, 4; XEP-0425, 4).
Task<bool> Service::entomb(RoomPtr room, Retraction retraction) {
    ArchiveStore& archive = server_.stores().archive;
    ArchiveQuery query;
    query.account = room->id;
    query.ids.push_back(retraction.message);
    const auto page = co_await archive.query(std::move(query));
    if (page.isIdUnknown || page.entries.empty()) co_return false;
    const auto original = Stanza::parse(page.entries.front().stanza);
    const bool isSaid = original && !original->from().isBare() &&
                        !original->child("retracted", names::retract) &&
                        original->child("occupant-id", names::occupantId);
    if (!isSaid) co_return false;
    const Element& author = *original->child("occupant-id", names::occupantId);
    if (!retraction.author.empty() && author.get("id") != retraction.author) co_return false;

    auto tombstone = original->copy();
    Element& root = tombstone->edit();
    root.removeChildren([](const Element&) { return true; });
    root.add(author);
    Element& retracted = root.add("retracted", names::retract);
    retracted.set("id", retraction.id).set("stamp", formatDateTime(Executor::current()->wallNow()));
    if (!retraction.by.empty()) addModerated(retracted, retraction.by, retraction.byId);
    if (!retraction.reason.empty()) retracted.addWithText("reason", retraction.reason);
    if (const Element* real = original->child("x", names::user)) root.add(*real);
    const std::int64_t id = room->id;
    const Uuid message = retraction.message;
    std::string xml = tombstone->toXml();
    const bool isReplaced = co_await archive.replace(id, message, std::move(xml));
    std::erase_if(room->history, [&message](const Remembered& said) { return said.id == message; });
    co_return isReplaced;
}

Task<Reply> Service::moderate(const Iq& iq) {
    if (!iq.payload().child("retract", names::retract))
        co_return StanzaError{Condition::FeatureNotImplemented,
                              "Messages can be retracted, nothing else."};
    std::string message{iq.payload().get("id")};
    std::string reason;
    for (const Element& child : iq.payload().children())
        if (child.name() == "reason") reason = child.text();
    auto done = co_await moderateMessage(iq, std::move(message), std::move(reason));
    co_return std::move(done);
}

// Version 0.2 of the document, which many clients still speak.
Task<Reply> Service::moderateInOldWords(const Iq& iq) {
    const Element* wanted = iq.payload().child("moderate", names::oldModerate);
    if (!wanted || !wanted->child("retract", names::oldRetract))
        co_return StanzaError{Condition::FeatureNotImplemented,
                              "Messages can be retracted, nothing else."};
    std::string message{iq.payload().get("id")};
    std::string reason{wanted->childText("reason")};
    auto done = co_await moderateMessage(iq, std::move(message), std::move(reason));
    co_return std::move(done);
}

Task<Reply> Service::moderateMessage(const Iq& iq, std::string messageId, std::string reason) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const Occupant* own = room->byClient(iq.from());
    const bool may = (own && own->role == Role::Moderator) ||
                     room->affiliationOf(iq.from().bare()) >= Affiliation::Admin;
    if (!may) co_return forbidden("Only moderators take back what others have said.");
    const auto message = Uuid::parse(messageId);
    if (!message) co_return noSuchMessage();
    Retraction retraction;
    retraction.message = *message;
    retraction.id = Uuid::at(iq.shard().executor().wallNow()).text();
    retraction.by = own ? own->address.text() : room->address.text();
    if (own) retraction.byId = own->id;
    retraction.reason = std::move(reason);
    if (retraction.reason.size() > limits_.reasonBytesMax) co_return tooLong("reason");
    Retraction kept = retraction;
    const bool isDone = co_await entomb(room, std::move(kept));
    if (!isDone) co_return noSuchMessage();
    if (room->isGone) co_return noSuchRoom();

    auto told = Stanza::message(StanzaType::Groupchat, room->address, {}, retraction.id);
    Element& retract =
        told->edit().add("retract", names::retract).set("id", retraction.message.text());
    addModerated(retract, retraction.by, retraction.byId);
    if (!retraction.reason.empty()) retract.addWithText("reason", retraction.reason);
    Element& old = told->edit().add("apply-to", names::fasten);
    old.set("id", retraction.message.text());
    Element& moderated = old.add("moderated", names::oldModerate).set("by", retraction.by);
    moderated.add("retract", names::oldRetract);
    if (!retraction.reason.empty()) moderated.addWithText("reason", retraction.reason);
    reply(iq);
    log({iq.shard(), iq.host(), room}, iq.from().bare().text(), "retract",
        retraction.message.text(), retraction.reason);
    publish({iq.shard(), iq.host(), room},
            {.message = std::move(told), .standing = {}, .isKept = room->config.isArchived});
    co_return Reply::none();
}

}  // namespace epode::muc
