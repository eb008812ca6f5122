// Live events: a client of the account that is as online as any other, and tells what it gets.
#include "listener.h"
#include "pubsub.h"
#include "service.h"

#include "core/json_writer.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "route/account.h"
#include "route/shard.h"
#include "store/stores.h"

namespace epode::rest {

namespace {

constexpr std::string_view carbonsNs = "urn:xmpp:carbons:2";
constexpr std::size_t replayPage = 20;
constexpr std::size_t replayPages = 50;

MutableStanzaPtr availability(const Call& call) {
    auto presence = Stanza::presence(StanzaType::None, {}, {});
    Element& root = presence->edit();
    const std::string show = call.textOr("show", "available");
    if (show != "available") root.addWithText("show", show);
    if (call.has("status")) root.addWithText("status", call.text("status"));
    root.addWithText("priority", std::to_string(call.integer("priority", 0)));
    addCaps(root);
    return presence;
}

}  // namespace

// The newest of an archive, for who begins to listen now; or what was missed since.
Task<bool> Service::catchUp(ClientPtr client, ListenerPtr listener, std::size_t archive,
                            bool isNew) {
    const Jid whose = archive == 0 ? Jid{} : listener->archiveOf(archive);
    for (std::size_t page = 0; page < replayPages; ++page) {
        Span span;
        span.limit = isNew ? 1 : replayPage;
        if (!isNew) {
            span.after = listener->cursorOf(archive);
            // Where nothing was yet, all that there is has come since.
            if (span.after == "-") span.after.clear();
            span.isFromStart = true;
        }
        const std::string queryId = randomId();
        auto request = archiveRequest(whose, span, queryId);
        const auto answered = co_await askArchive(client, std::move(request), queryId);
        if (problemWith(answered)) co_return isNew;  // no archive, or it has lost that one
        const ArchivePiece piece = readArchive(answered);
        if (isNew) {
            if (!piece.entries.empty()) listener->advance(archive, piece.entries.back().id);
            co_return true;
        }
        listener->replay(archive, piece);
        // No faster than it is taken.
        UniqueFunction<void(Callback<bool>::Resolve)> begin =
            [&listener](Callback<bool>::Resolve resolve) { listener->drained(std::move(resolve)); };
        Callback<bool> drained(std::move(begin));
        co_await drained;
        if (piece.isComplete || listener->isOver()) co_return true;
    }
    co_return false;
}

Task<Outcome> Service::openEvents(Call& call) {
    if (call.exchange->request().method == HttpMethod::Head)
        co_return Answer{.type = "text/event-stream"};
    // Loads the account. What others send to the session of requests is copied here (XEP-0280).
    auto usual = co_await clientOf(call);
    if (usual.problem) co_return *usual.problem;
    const auto& listening = here(*call.shard).clients[call.who.account.text()].listening;
    if (std::int64_t(listening.size()) >= limits_.eventConnectionsMax)
        co_return Problem{.status = 429,
                          .word = "too-many",
                          .detail = "So many connections for events as there may be are open.",
                          .fields = {{"Retry-After", "60"}}};
    Account* account = call.shard->loaded(call.who.account.text());
    if (!account) co_return unavailable("The account is not there at the moment.");
    const Found found = begin(*account, call.exchange->request().address, Use::Events);
    if (found.problem) co_return *found.problem;
    const ClientPtr client = found.client;
    auto outcome = co_await listen(call, client);
    if (std::holds_alternative<Problem>(outcome.what)) client->close();
    co_return outcome;
}

Task<Outcome> Service::listen(Call& call, ClientPtr client) {
    std::vector<Jid> rooms = call.addresses("room");
    Listener::Settings settings;
    settings.bytesMax = limits_.eventBytesMax;
    settings.keepAlive = limits_.keepAlive;
    settings.lifetime =
        std::chrono::duration_cast<Duration>(call.who.expires - call.shard->executor().wallNow());
    settings.token = call.token;
    settings.services = call.services;
    const auto listener =
        std::make_shared<Listener>(call.exchange, client, rooms, std::move(settings));
    const bool isNew = !call.has("Last-Event-ID");
    if (!isNew && !listener->setCursor(call.text("Last-Event-ID")))
        co_return badRequest("Last-Event-ID is not one of these events and rooms.");
    client->acknowledgeLater();
    client->describe = answerInfo;
    client->received = [weak = std::weak_ptr<Listener>{listener}](const StanzaPtr& stanza) {
        if (const auto self = weak.lock()) self->take(stanza);
    };
    auto enable = Stanza::iq(StanzaType::Set, {}, {}, "");
    enable->edit().add("enable", carbonsNs);
    const auto enabled = co_await ask(client, std::move(enable));
    // With the roster asked for, its changes are told.
    auto roster = Stanza::iq(StanzaType::Get, {}, {}, "");
    roster->edit().add("query", ns::roster);
    const auto contacts = co_await ask(client, std::move(roster));
    for (const Jid& room : rooms) {
        auto naming = nickFor(call, client, room);
        std::string nick = co_await naming;
        std::string noPassword;
        auto entering = enter(client, room, std::move(nick), std::move(noPassword));
        auto problem = co_await entering;
        if (problem) co_return *problem;
    }
    if (client->isOver()) co_return unavailable("The session has ended.");
    listener->begin();
    if (call.textOr("show", "available") != "invisible") client->say(availability(call));

    bool isWhole = true;
    for (std::size_t i = 0; i < listener->archiveCount(); ++i) {
        auto catching = catchUp(client, listener, i, isNew);
        const bool isCaughtUp = co_await catching;
        isWhole = isWhole && isCaughtUp;
    }
    JsonWriter json;
    json.open('{').key("address").value(std::string_view{client->jid().text()});
    json.key("cursor").value(std::string_view{listener->cursor()});
    // More was missed than is told here: the history has it.
    json.key("complete").flag(isWhole).close('}');
    listener->ready(json.take());
    listener->live();
    co_return Outcome{};
}

}  // namespace epode::rest
