// Rooms: those that somebody has noted (XEP-0402), those that anybody may find (XEP-0030), and
// going in (XEP-0045), which a message to a room needs.
#include "rooms.h"
#include "pubsub.h"
#include "service.h"

#include "core/data_form.h"
#include "core/json_writer.h"
#include "core/namespaces.h"
#include "route/shard.h"

#include <algorithm>
#include <charconv>

namespace epode::rest {

namespace {

constexpr std::string_view bookmarksNode = "urn:xmpp:bookmarks:1";

void writeText(JsonWriter& json, std::string_view name, std::string_view text) {
    if (!text.empty()) json.key(name).value(text);
}

// `inside`: as whom one is there, or nobody.
void writeBookmark(JsonWriter& json, std::string_view address, const Element& conference,
                   const Jid* inside) {
    json.open('{').key("address").value(address);
    writeText(json, "name", conference.get("name"));
    writeText(json, "nick", inside ? inside->resource() : conference.childText("nick"));
    const auto autojoin = conference.get("autojoin");
    json.key("autojoin").flag(autojoin == "true" || autojoin == "1");
    json.key("bookmarked").flag(true).key("joined").flag(inside != nullptr).close('}');
}

bool hasStatus(const Stanza& presence, std::string_view code) {
    const Element* x = presence.child("x", ns::mucUser);
    if (!x) return false;
    for (const Element& child : x->children())
        if (child.name() == "status" && child.get("code") == code) return true;
    return false;
}

MutableStanzaPtr askAbout(const Jid& whom, std::string_view what) {
    auto request = Stanza::iq(StanzaType::Get, {}, whom, "");
    request->edit().add("query", what);
    return request;
}

// The virtual host's domain of rooms, as its discovery would tell it.
const ServedDomain* roomsOf(const Services& services) {
    for (const ServedDomain& domain : services.domains)
        for (const auto& identity : domain.disco.identities)
            if (identity.category == "conference") return &domain;
    return nullptr;
}

const Element* bookmarkIn(const Client::Answered& answered, std::string_view room) {
    for (const Element* item : itemsOf(answered))
        if (item->get("id") == room) return item->child("conference", bookmarksNode);
    return nullptr;
}

}  // namespace

// Where clients of this interface are at this moment, and as whom.
std::map<std::string, Jid, std::less<>> Service::roomsOfClients(const Call& call) {
    std::map<std::string, Jid, std::less<>> inside;
    const auto& all = here(*call.shard).clients;
    const auto found = all.find(call.who.account.text());
    if (found == all.end()) return inside;
    const auto add = [&inside](const ClientPtr& client) {
        if (client && !client->isOver())
            inside.insert(client->rooms().begin(), client->rooms().end());
    };
    add(found->second.usual);
    for (const auto& client : found->second.listening) add(client);
    return inside;
}

Task<Outcome> Service::listRooms(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = askForItems({}, bookmarksNode);
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered); problem && !isAbsent(answered)) co_return *problem;
    std::map<std::string, Jid, std::less<>> inside = roomsOfClients(call);
    JsonWriter json;
    json.open('{').key("rooms").open('[');
    for (const Element* item : itemsOf(answered)) {
        const Element* conference = item->child("conference", bookmarksNode);
        if (!conference) continue;
        const auto own = inside.extract(std::string{item->get("id")});
        writeBookmark(json, item->get("id"), *conference, own ? &own.mapped() : nullptr);
    }
    for (const auto& [address, own] : inside) {
        json.open('{').key("address").value(std::string_view{address});
        json.key("nick").value(own.resource());
        json.key("autojoin").flag(false).key("bookmarked").flag(false).key("joined").flag(true);
        json.close('}');
    }
    co_return jsonAnswer(json.close(']').close('}').take());
}

Task<Outcome> Service::listPublicRooms(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const ServedDomain* domain = roomsOf(*call.services);
    const auto service = call.has("service") ? Jid::parse(call.text("service"))
                         : domain            ? Jid::parse(domain->domain)
                                             : std::optional<Jid>{};
    if (!service || !service->isDomain()) co_return notFound("There is no such service of rooms.");
    auto request = askAbout(*service, ns::discoItems);
    Element& set = request->edit().child("query", ns::discoItems)->add("set", ns::rsm);
    set.addWithText("max", std::to_string(call.integer("limit", 50)));
    if (call.has("after")) set.addWithText("after", call.text("after"));
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered)) co_return *problem;
    const Element* query = answered.answer->payload();
    JsonWriter json;
    json.open('{').key("rooms").open('[');
    for (const Element& item : query->children()) {
        if (item.name() != "item" || item.ns() != ns::discoItems) continue;
        json.open('{').key("address").value(item.get("jid"));
        writeText(json, "name", item.get("name"));
        json.close('}');
    }
    json.close(']');
    // Without result sets the service has told all of them.
    const Element* told = query->child("set", ns::rsm);
    const Element* last = told ? told->child("last") : nullptr;
    if (last) json.key("last").value(last->text());
    if (const Element* count = told ? told->child("count") : nullptr) {
        std::int64_t number = 0;
        const auto text = count->text();
        std::from_chars(text.data(), text.data() + text.size(), number);
        json.key("count").value(number);
    }
    co_return jsonAnswer(json.close('}').take());
}

Task<Outcome> Service::showRoom(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const Jid room = call.address("room");
    auto request = askAbout(room, ns::discoInfo);
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered)) co_return *problem;
    const RoomInfo info = readRoomInfo(*answered.answer->payload());
    if (!info.isRoom) co_return notFound("This is no room.");
    auto bookmarks = askForItems({}, bookmarksNode);
    const auto noted = co_await ask(found.client, std::move(bookmarks));
    JsonWriter json;
    json.open('{').key("address").value(std::string_view{room.text()});
    writeText(json, "name", info.name);
    writeText(json, "description", info.description);
    writeText(json, "subject", info.subject);
    if (info.occupants) json.key("occupants").value(*info.occupants);
    for (const auto& [name, isSo] : info.flags) json.key(name).flag(isSo);
    const auto inside = found.client->rooms().find(room.text());
    const Element* bookmark = bookmarkIn(noted, room.text());
    json.key("bookmarked").flag(bookmark != nullptr);
    std::string nick;
    if (inside != found.client->rooms().end())
        nick = inside->second.resource();
    else if (bookmark)
        nick = bookmark->childText("nick");
    writeText(json, "nick", nick);
    co_return jsonAnswer(json.close('}').take());
}

Task<Outcome> Service::putRoom(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const Jid room = call.address("room");
    if (!room.hasLocal()) co_return badRequest("A room has an address like balcony@rooms.example.");
    auto request = askForItems({}, bookmarksNode);
    const auto noted = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(noted); problem && !isAbsent(noted)) co_return *problem;
    const Element* known = bookmarkIn(noted, room.text());
    auto publishing = publication(bookmarksNode, room.text());
    Element& conference =
        known ? publishing.item->add(*known) : publishing.item->add("conference", bookmarksNode);
    if (call.has("name")) conference.set("name", call.text("name"));
    if (call.has("autojoin"))
        conference.set("autojoin", call.flag("autojoin", false) ? "true" : "false");
    if (call.has("nick")) {
        conference.removeChildren(
            [](const Element& child) { return child.is("nick", bookmarksNode); });
        if (!call.text("nick").empty()) conference.addWithText("nick", call.text("nick"));
    }
    const auto published = co_await ask(found.client, std::move(publishing.stanza));
    if (auto problem = problemWith(published)) co_return *problem;
    co_return Answer{.status = known ? 200 : 201, .body = "{}\n"};
}

Task<Outcome> Service::removeRoom(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = retraction(bookmarksNode, call.address("room").text());
    const auto removed = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(removed)) co_return *problem;
    co_return noContent();
}

// ---- being there

RoomInfo readRoomInfo(const Element& query) {
    RoomInfo info;
    bool isConference = false;
    for (const Element& child : query.children()) {
        if (child.name() == "identity" && child.get("category") == "conference") {
            isConference = true;
            if (info.name.empty()) info.name = child.get("name");
        }
        if (child.name() != "feature") continue;
        const auto feature = child.get("var");
        struct Flag {
            std::string_view feature;
            std::string_view name;
            bool isSo;
        };
        static constexpr Flag flags[]{
            {"muc_membersonly", "members_only", true},
            {"muc_open", "members_only", false},
            {"muc_moderated", "moderated", true},
            {"muc_unmoderated", "moderated", false},
            {"muc_nonanonymous", "anonymous", false},
            {"muc_semianonymous", "anonymous", true},
            {"muc_passwordprotected", "password", true},
            {"muc_unsecured", "password", false},
            {"muc_hidden", "public", false},
            {"muc_public", "public", true},
            {"muc_persistent", "persistent", true},
            {"muc_temporary", "persistent", false},
        };
        for (const Flag& flag : flags)
            if (flag.feature == feature) info.flags.emplace(flag.name, flag.isSo);
        if (feature == ns::muc) info.isRoom = true;
    }
    info.isRoom = info.isRoom && isConference;
    for (const Element& child : query.children()) {
        if (!child.is("x", ns::dataForms)) continue;
        const auto form = DataForm::read(child);
        if (!form || form->formType() != "http://jabber.org/protocol/muc#roominfo") continue;
        info.description = form->text("muc#roominfo_description");
        info.subject = form->text("muc#roominfo_subject");
        info.occupants = form->number("muc#roominfo_occupants");
    }
    return info;
}

// As its bookmark says, else as the account is called.
Task<std::string> Service::nickFor(Call& call, ClientPtr client, Jid room) {
    auto request = askForItems({}, bookmarksNode);
    const auto noted = co_await ask(client, std::move(request));
    std::string nick;
    if (const Element* bookmark = bookmarkIn(noted, room.text()))
        nick = bookmark->childText("nick");
    if (nick.empty()) nick = call.who.account.local();
    co_return nick;
}

Task<std::optional<Problem>> Service::enter(ClientPtr client, Jid room, std::string nick,
                                            std::string password) {
    if (client->rooms().contains(room.text())) co_return std::nullopt;
    const auto occupant = room.withResource(nick);
    if (!room.hasLocal() || !occupant) co_return badRequest("This is no nickname or no room.");
    // Who enters a room that isn't there makes one: nobody wants that by a slip of the pen.
    const auto info = co_await ask(client, askAbout(room, ns::discoInfo));
    if (auto problem = problemWith(info)) co_return problem;
    if (!readRoomInfo(*info.answer->payload()).isRoom) co_return notFound("This is no room.");
    auto presence = Stanza::presence(StanzaType::None, {}, *occupant);
    Element& x = presence->edit().add("x", ns::muc);
    x.add("history").set("maxstanzas", "0");
    if (!password.empty()) x.addWithText("password", password);
    Client::Fits fits = [room = room.text()](const Stanza& stanza) {
        return stanza.isPresence() && stanza.from().bareText() == room &&
               (stanza.isError() ||
                (stanza.type() == StanzaType::None && hasStatus(stanza, "110")));
    };
    const auto answer = co_await sayAndAwait(client, std::move(presence), std::move(fits));
    if (!answer) co_return timedOut("The room did not answer in time.");
    if (answer->isError()) {
        const auto error = StanzaError::read(answer->root());
        co_return error ? problemOf(*error) : notFound("The room can't be entered.");
    }
    if (hasStatus(*answer, "201")) {
        client->say(Stanza::presence(StanzaType::Unavailable, {}, answer->from()));
        co_return notFound("There is no such room.");
    }
    co_return std::nullopt;
}

}  // namespace epode::rest
