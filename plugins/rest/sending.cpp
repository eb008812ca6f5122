// Messages to people and rooms: said by a client of the account, and answered when the server would
// acknowledge them to one (XEP-0198).
#include "history.h"
#include "messages.h"
#include "pubsub.h"
#include "service.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/json_writer.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "core/time_format.h"
#include "core/uuid.h"
#include "route/shard.h"
#include "store/stores.h"

namespace epode::rest {

namespace {

Counter sentMessages{"epode_rest_messages_total", "Messages that were sent by REST"};
Counter repeated{"epode_rest_repeated_total",
                 "Requests that were made again with their key, and answered as before"};

constexpr std::string_view markersNs = "urn:xmpp:chat-markers:0";
constexpr std::string_view displayedNs = "urn:xmpp:mds:displayed:0";
// Of a room's archive, after a message that may have been sent there: another server's clock may
// be another.
constexpr auto clockTolerance = std::chrono::minutes{5};
constexpr std::size_t soughtPage = 100;
constexpr std::size_t soughtPages = 20;

// Every client of XMPP would do the same of its own accord.
MutableStanzaPtr messageOf(const Call& call, StanzaType type, const Jid& to,
                           const std::string& id) {
    auto message = Stanza::message(type, {}, to, id);
    Element& root = message->edit();
    if (call.has("subject")) root.addWithText("subject", call.text("subject"));
    if (call.has("body")) root.addWithText("body", call.text("body"));
    if (call.has("thread")) root.addWithText("thread", call.text("thread"));
    if (call.has("replaces"))
        root.add("replace", "urn:xmpp:message-correct:0").set("id", call.text("replaces"));
    if (call.has("retracts"))
        root.add("retract", "urn:xmpp:message-retract:1").set("id", call.text("retracts"));
    if (call.has("reply_to"))
        root.add("reply", "urn:xmpp:reply:0").set("id", call.text("reply_to")).set("to", to.text());
    if (call.has("reacts_to")) {
        Element& reactions =
            root.add("reactions", "urn:xmpp:reactions:0").set("id", call.text("reacts_to"));
        for (const auto& reaction : call.texts("reactions"))
            reactions.addWithText("reaction", reaction);
    }
    for (const auto& url : call.texts("attachments"))
        root.add("x", "jabber:x:oob").addWithText("url", url);
    root.add("origin-id", ns::stanzaIds).set("id", id);
    if (call.has("retracts") || call.has("reacts_to")) root.add("store", ns::hints);
    return message;
}

bool saysAnything(const Call& call) {
    return call.has("body") || call.has("subject") || call.has("retracts") ||
           call.has("reacts_to") || !call.texts("attachments").empty();
}

Answer sentAnswer(const std::string& id, std::string_view archiveId, const Jid& to,
                  std::optional<WallTime> at) {
    JsonWriter json;
    json.open('{').key("message_id").value(std::string_view{id});
    if (!archiveId.empty()) json.key("id").value(archiveId);
    json.key("to").value(std::string_view{to.text()});
    if (at) json.key("at").value(std::string_view{formatDateTime(*at)});
    return jsonAnswer(json.close('}').take(), 201);
}

}  // namespace

Task<Outcome> Service::sendMessage(Call& call) {
    if (!saysAnything(call)) co_return badRequest("The message says nothing: it has no body.");
    if (call.has("reacts_to") != (call.values.count("reactions") > 0))
        co_return badRequest("Reactions and what they are about belong together.");
    std::string id = Uuid::at(call.shard->executor().wallNow()).text();
    if (!call.has("Idempotency-Key")) {
        auto outcome = co_await sendNow(call, std::move(id));
        co_return outcome;
    }
    const AccountId account = call.who.id;
    const std::string key = call.text("Idempotency-Key");
    const std::string fingerprint = digest(Hash::Sha256, call.bytes);
    const WallTime now = call.shard->executor().wallNow();
    const auto begun = co_await idempotency_.begin(account, key, fingerprint, std::move(id), now);
    switch (begun.what) {
        case Idempotency::What::OtherRequest:
            co_return Problem{.status = 422,
                              .word = "key-used",
                              .detail = "This key was sent with another message before."};
        case Idempotency::What::UnderWay:
            co_return Problem{.status = 409,
                              .word = "under-way",
                              .detail = "The message of this key is being sent at this moment.",
                              .fields = {{"Retry-After", "1"}}};
        case Idempotency::What::Repeated: {
            repeated.add();
            Answer answer{.status = begun.status, .body = begun.answer};
            answer.fields.push_back({"Idempotency-Replayed", "true"});
            co_return answer;
        }
        case Idempotency::What::Interrupted: {
            // It may have been sent by a server that has ended since.
            std::string sent = begun.messageId;
            auto finding = findSent(call, std::move(sent), begun.at);
            auto known = co_await finding;
            if (known.problem) co_return *known.problem;
            if (!known.answer) break;
            co_await idempotency_.finish(account, key, known.answer->status, known.answer->body);
            co_return *known.answer;
        }
        case Idempotency::What::Fresh:
            break;
    }
    std::string messageId = begun.messageId;
    auto outcome = co_await sendNow(call, std::move(messageId));
    if (const auto* answer = std::get_if<Answer>(&outcome.what)) {
        co_await idempotency_.finish(account, key, answer->status, answer->body);
    } else if (const auto* problem = std::get_if<Problem>(&outcome.what);
               problem && problem->status != 504) {
        // Refused: it was not sent. After silence nobody knows, and the key keeps its message.
        co_await idempotency_.forget(account, key);
    }
    co_return outcome;
}

// What no archive keeps is sent once more, under its id.
Task<Service::Sought> Service::findSent(Call& call, std::string id, WallTime since) {
    if (call.textOr("type", "chat") == "groupchat") {
        auto finding = findSentToRoom(call, std::move(id), since);
        auto found = co_await finding;
        co_return found;
    }
    ArchiveStore::MessageSearch search;
    search.account = call.who.id;
    search.peer = call.address("to").text();
    search.id = id;
    search.isOutgoing = true;
    const auto known = co_await server_.stores().archive.findMessage(std::move(search));
    Sought sought;
    if (known) sought.answer = sentAnswer(id, known->id.text(), call.address("to"), known->stamp());
    co_return sought;
}

// Among what the room has kept since then, as far as it lets one read.
Task<Service::Sought> Service::findSentToRoom(Call& call, std::string id, WallTime since) {
    Sought sought;
    auto found = co_await clientOf(call);
    if (found.problem) {
        sought.problem = std::move(found.problem);
        co_return sought;
    }
    const Jid room = call.address("to");
    Span span;
    span.start = since - clockTolerance;
    span.isFromStart = true;
    span.limit = soughtPage;
    for (std::size_t page = 0; page < soughtPages; ++page) {
        const std::string queryId = randomId();
        auto request = archiveRequest(room, span, queryId);
        const auto answered = co_await askArchive(found.client, std::move(request), queryId);
        if (!answered.answer) {
            sought.problem = timedOut("The room did not answer in time; ask again later.");
            co_return sought;
        }
        if (answered.answer->isError()) co_return sought;  // it keeps nothing, or not for this one
        const ArchivePiece piece = readArchive(answered);
        for (const auto& entry : piece.entries) {
            if (entry.message->get("id") != id) continue;
            sought.answer = sentAnswer(id, entry.id, room, entry.at);
            co_return sought;
        }
        if (piece.isComplete || piece.entries.empty()) break;
        span.after = piece.entries.back().id;
    }
    co_return sought;
}

Task<Outcome> Service::sendNow(Call& call, std::string id) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const bool isToRoom = call.textOr("type", "chat") == "groupchat";
    auto sending = isToRoom ? sendToRoom(call, found.client, std::move(id))
                            : sendChat(call, found.client, std::move(id));
    auto outcome = co_await sending;
    if (std::holds_alternative<Answer>(outcome.what)) sentMessages.add();
    co_return outcome;
}

Task<Outcome> Service::sendChat(Call& call, ClientPtr client, std::string id) {
    const Jid to = call.address("to");
    const auto type =
        call.textOr("type", "chat") == "normal" ? StanzaType::Normal : StanzaType::Chat;
    const auto sent = co_await send(client, messageOf(call, type, to, id));
    if (sent.error) {
        const auto error = StanzaError::read(sent.error->root());
        co_return error ? problemOf(*error)
                        : Problem{.status = 422, .word = "refused", .detail = "It was refused."};
    }
    if (sent.isTimedOut)
        co_return timedOut(
            "Nobody knows yet whether it has arrived; with an Idempotency-Key it may "
            "be sent again.");
    // Its place in the sender's own archive, if it has one.
    ArchiveStore::MessageSearch search;
    search.account = call.who.id;
    search.peer = to.text();
    search.id = id;
    search.isOutgoing = true;
    search.most = 50;
    const auto archived = co_await server_.stores().archive.findMessage(std::move(search));
    if (!archived || !archived->flags.isArchived)
        co_return sentAnswer(id, "", to, call.shard->executor().wallNow());
    co_return sentAnswer(id, archived->id.text(), to, archived->stamp());
}

// A room tells everybody what is stored, the sender among them: that is its answer.
Task<Outcome> Service::sendToRoom(Call& call, ClientPtr client, std::string id) {
    const Jid room = call.address("to");
    std::string nick = call.textOr("nick", "");
    if (nick.empty() && !client->rooms().contains(room.text())) {
        auto naming = nickFor(call, client, room);
        nick = co_await naming;
    }
    auto entering = enter(client, room, std::move(nick), call.textOr("password", ""));
    auto problem = co_await entering;
    if (problem) co_return *problem;
    Client::Fits fits = [room = room.text(), id](const Stanza& stanza) {
        return stanza.isMessage() && stanza.id() == id && stanza.from().bareText() == room &&
               (stanza.isError() || stanza.type() == StanzaType::Groupchat);
    };
    auto message = messageOf(call, StanzaType::Groupchat, room, id);
    const auto told = co_await sayAndAwait(client, std::move(message), std::move(fits));
    if (!told)
        co_return timedOut(
            "The room has not told whether it has taken it; with an "
            "Idempotency-Key it may be sent again.");
    if (told->isError()) {
        const auto error = StanzaError::read(told->root());
        co_return error ? problemOf(*error)
                        : Problem{.status = 422, .word = "refused", .detail = "It was refused."};
    }
    co_return sentAnswer(id, archiveIdOf(told->root(), room.text()), room,
                         call.shard->executor().wallNow());
}

// How far somebody has read: for his own clients (XEP-0490), and, if he wants, for the other side
// (XEP-0333).
Task<Outcome> Service::setRead(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const Jid chat = call.address("with");
    auto publishing = publication(displayedNs, chat.text());
    publishing.item->add("displayed", displayedNs)
        .add("stanza-id", ns::stanzaIds)
        .set("by", call.flag("room", false) ? chat.text() : call.who.account.text())
        .set("id", call.text("id"));
    const auto published = co_await ask(found.client, std::move(publishing.stanza));
    if (auto problem = problemWith(published)) co_return *problem;
    if (call.has("marks")) {
        auto marker = Stanza::message(StanzaType::Chat, {}, chat);
        marker->edit().add("displayed", markersNs).set("id", call.text("marks"));
        marker->edit().add("store", ns::hints);
        const auto sent = co_await send(found.client, std::move(marker));
        if (sent.isTimedOut) co_return timedOut("The mark could not be sent in time.");
    }
    co_return noContent();
}

}  // namespace epode::rest
