// Shared roster groups.
#include "plugins/groups/directory.h"
#include "route/account_admin.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"
#include "tests/plugins/run_command.h"
#include "tests/support/messages.h"

#include <algorithm>

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string nurse = "nurse@capulet.example";
const std::string tybalt = "tybalt@capulet.example";
const std::string romeo = "romeo@montague.example";

CommandResult run(TestServer& server, std::string_view name, CommandValues values) {
    return runCommand(server, "groups", name, std::move(values));
}
void addGroup(TestServer& server, const std::string& name, const std::string& title) {
    REQUIRE_FALSE(run(server, "group add", {{"name", name}, {"title", title}}).isRefusal());
}
std::vector<Jid> jids(const Texts& texts) {
    std::vector<Jid> all;
    for (const auto& text : texts) all.push_back(*Jid::parse(text));
    return all;
}
CommandResult member(TestServer& server, const std::string& direction, const std::string& group,
                     const Texts& members) {
    const auto result =
        run(server, "group member " + direction, {{"name", group}, {"address", jids(members)}});
    server.run();
    return result;
}
void join(TestServer& server, const std::string& group, const Texts& members) {
    for (const auto& jid : members) server.addAccount(jid);
    REQUIRE_FALSE(member(server, "add", group, members).isRefusal());
}

// A roster item: "juliet@capulet.example both Juliet [House,Friends]".
std::string describe(const Element& item) {
    std::string text{item.get("jid")};
    text += " " + std::string{item.get("subscription")};
    if (item.find("name")) text += " " + std::string{item.get("name")};
    std::string groups;
    for (const Element& group : item.children())
        groups += (groups.empty() ? "" : ",") + std::string{group.text()};
    return text + " [" + groups + "]";
}

struct RosterAnswer {
    std::string version;
    Texts items;
};
RosterAnswer roster(TestClient& client, const std::string& version = {}) {
    const auto answer =
        client.ask("get", "<query xmlns='jabber:iq:roster'" +
                              (version.empty() ? "" : " ver='" + version + "'") + "/>");
    RosterAnswer result;
    const auto query = parseXml(payload(answer));
    if (!query) return result;
    result.version = (*query)->get("ver");
    for (const Element& item : (*query)->children()) result.items.push_back(describe(item));
    return result;
}

struct Heard {
    Texts items;          // of pushes
    Texts presences;      // "unavailable nurse@capulet.example/door"
    std::string version;  // of the last push
};
Heard news(TestClient& client) {
    Heard all;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza) continue;
        if (stanza->isPresence()) {
            const std::string type{toText(stanza->type())};
            all.presences.push_back((type.empty() ? "available" : type) + " " +
                                    stanza->from().text());
        }
        const Element* query = stanza->isIq() ? stanza->child("query", ns::roster) : nullptr;
        if (!query || stanza->type() != StanzaType::Set) continue;
        all.version = query->get("ver");
        for (const Element& item : query->children()) all.items.push_back(describe(item));
    }
    std::sort(all.presences.begin(), all.presences.end());
    return all;
}

}  // namespace

TEST_CASE("members of a group are in each other's rosters, and see each other") {
    TestServer server{"", GENERATE(1u, 3u)};
    addGroup(server, "house", "House of Capulet");
    join(server, "house", {juliet, nurse, tybalt});
    auto& balcony = server.login(juliet + "/balcony");
    auto& door = server.login(nurse + "/door");
    CHECK(roster(balcony).items == Texts{nurse + " both nurse [House of Capulet]",
                                         tybalt + " both tybalt [House of Capulet]"});
    CHECK(news(balcony).presences == Texts{"available " + nurse + "/door"});
    door.send("<presence><show>away</show></presence>");
    CHECK(news(balcony).presences == Texts{"available " + nurse + "/door"});
    CHECK(outcome(balcony.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                              nurse)) == "result");
    CHECK(outcome(balcony.ask("get", "<ping xmlns='urn:xmpp:ping'/>", nurse + "/door")) == "");
    CHECK(door.all().back().find("urn:xmpp:ping") != std::string::npos);
    door.cut();
    CHECK(news(balcony).presences == Texts{"unavailable " + nurse + "/door"});
    // Who is in no group has nobody.
    auto& orchard = server.login(romeo + "/orchard");
    CHECK(roster(orchard).items.empty());
}

TEST_CASE("who joins or leaves is shown to the members that are there, and they to him") {
    TestServer server{"", GENERATE(1u, 3u)};
    addGroup(server, "house", "House");
    join(server, "house", {juliet, tybalt});
    auto& balcony = server.login(juliet + "/balcony");
    auto& door = server.login(nurse + "/door");
    roster(balcony);
    roster(door);
    balcony.forget();
    door.forget();

    join(server, "house", {nurse});
    auto toJuliet = news(balcony);
    CHECK(toJuliet.items == Texts{nurse + " both nurse [House]"});
    CHECK(toJuliet.presences == Texts{"available " + nurse + "/door"});
    auto toNurse = news(door);
    CHECK(toNurse.items == Texts{juliet + " both juliet [House]", tybalt + " both tybalt [House]"});
    CHECK(toNurse.presences == Texts{"available " + juliet + "/balcony"});

    CHECK_FALSE(member(server, "remove", "house", {nurse}).isRefusal());
    toJuliet = news(balcony);
    CHECK(toJuliet.items == Texts{nurse + " remove []"});
    CHECK(toJuliet.presences == Texts{"unavailable " + nurse + "/door"});
    toNurse = news(door);
    CHECK(toNurse.items == Texts{juliet + " remove []", tybalt + " remove []"});
    CHECK(toNurse.presences == Texts{"unavailable " + juliet + "/balcony"});
    door.send("<presence><show>dnd</show></presence>");
    CHECK(news(balcony).presences.empty());
}

TEST_CASE("a group that is removed leaves those together who had found each other before") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& door = server.login(nurse + "/door");
    subscribe(balcony, door);
    subscribe(door, balcony);
    addGroup(server, "house", "House");
    join(server, "house", {juliet, nurse, tybalt});
    roster(balcony);
    balcony.forget();
    door.forget();
    CHECK_FALSE(run(server, "group remove", {{"name", std::string{"house"}}}).isRefusal());
    server.run();
    const auto toJuliet = news(balcony);
    CHECK(toJuliet.items == Texts{nurse + " both []", tybalt + " remove []"});
    CHECK(toJuliet.presences.empty());
    CHECK(roster(balcony).items == Texts{nurse + " both []"});
}

TEST_CASE("the version of a roster tells whether a group has changed") {
    TestServer server;
    addGroup(server, "house", "House");
    join(server, "house", {juliet, nurse});
    auto& balcony = server.login(juliet + "/balcony");
    const auto first = roster(balcony);
    // Nothing has changed: an empty answer.
    CHECK(payload(balcony.ask(
              "get", "<query xmlns='jabber:iq:roster' ver='" + first.version + "'/>")) == "");
    // A change of her own comes as a push.
    balcony.forget();
    balcony.ask("set", "<query xmlns='jabber:iq:roster'><item jid='" + romeo + "'/></query>");
    const auto own = news(balcony);
    CHECK(own.items == Texts{romeo + " none []"});
    auto& chamber = server.login(juliet + "/chamber");
    CHECK(roster(chamber, first.version).items.empty());
    CHECK(news(chamber).items == Texts{romeo + " none []"});
    CHECK(payload(chamber.ask(
              "get", "<query xmlns='jabber:iq:roster' ver='" + own.version + "'/>")) == "");

    // A change of the group while she is away: the whole roster.
    balcony.cut();
    chamber.cut();
    join(server, "house", {tybalt});
    auto& again = server.login(juliet + "/balcony");
    const auto whole = roster(again, own.version);
    CHECK(whole.items.size() == 3);
    CHECK(payload(again.ask(
              "get", "<query xmlns='jabber:iq:roster' ver='" + whole.version + "'/>")) == "");
    CHECK(roster(again, first.version).items.size() == 3);
    server.restart();
    auto& later = server.login(juliet + "/balcony");
    CHECK(payload(later.ask(
              "get", "<query xmlns='jabber:iq:roster' ver='" + whole.version + "'/>")) == "");
}

TEST_CASE("of several pushes only the last one makes a client up to date") {
    TestServer server;
    addGroup(server, "house", "House");
    auto& door = server.login(nurse + "/door");
    roster(door);
    door.forget();
    join(server, "house", {juliet, tybalt, nurse});
    Texts versions;
    for (const auto& xml : door.all()) {
        const auto stanza = Stanza::parse(xml);
        if (const Element* query = stanza ? stanza->child("query", ns::roster) : nullptr)
            versions.emplace_back(query->get("ver"));
    }
    REQUIRE(versions.size() == 2);
    door.cut();
    auto& again = server.login(nurse + "/door");
    CHECK(roster(again, versions[0]).items.size() == 2);
    CHECK(payload(again.ask("get",
                            "<query xmlns='jabber:iq:roster' ver='" + versions[1] + "'/>")) == "");
}

TEST_CASE("a member names another as he likes, and can't remove him") {
    TestServer server;
    addGroup(server, "house", "House");
    join(server, "house", {juliet, nurse});
    auto& balcony = server.login(juliet + "/balcony");
    auto& door = server.login(nurse + "/door");
    roster(balcony);
    balcony.forget();
    const std::string remove =
        "<query xmlns='jabber:iq:roster'><item jid='" + nurse + "' subscription='remove'/></query>";
    CHECK(outcome(balcony.ask("set", remove)) == "cancel not-allowed");

    CHECK(outcome(balcony.ask(
              "set", "<query xmlns='jabber:iq:roster'><item jid='" + nurse +
                         "' name='Angelica'><group>Friends</group></item></query>")) == "result");
    CHECK(news(balcony).items == Texts{nurse + " both Angelica [House,Friends]"});
    CHECK(roster(balcony).items == Texts{nurse + " both Angelica [House,Friends]"});
    door.forget();
    CHECK(outcome(balcony.ask("set", remove)) == "result");
    CHECK(news(balcony).items == Texts{nurse + " both nurse [House]"});
    CHECK(news(door).presences.empty());
    CHECK(roster(balcony).items == Texts{nurse + " both nurse [House]"});
}

TEST_CASE("subscriptions within a group are as the group says") {
    TestServer server;
    addGroup(server, "house", "House");
    join(server, "house", {juliet, nurse});
    auto& balcony = server.login(juliet + "/balcony");
    auto& door = server.login(nurse + "/door");
    roster(balcony);
    roster(door);
    for (const std::string type : {"subscribe", "subscribed", "unsubscribe", "unsubscribed"}) {
        INFO(type);
        balcony.forget();
        door.forget();
        balcony.send("<presence type='" + type + "' to='" + nurse + "'/>");
        const auto heard = news(balcony);
        CHECK(heard.items == Texts{nurse + " both nurse [House]"});
        CHECK(heard.presences == (type == "subscribe" ? Texts{"subscribed " + nurse} : Texts{}));
        CHECK(door.all().empty());
        balcony.send("<presence/>");
        CHECK(news(door).presences == Texts{"available " + juliet + "/balcony"});
    }
}

TEST_CASE("a member can be blocked") {
    TestServer server;
    addGroup(server, "house", "House");
    join(server, "house", {juliet, tybalt});
    auto& balcony = server.login(juliet + "/balcony");
    auto& street = server.login(tybalt + "/street");
    street.forget();
    CHECK(outcome(balcony.ask("set", "<block xmlns='urn:xmpp:blocking'><item jid='" + tybalt +
                                         "'/></block>")) == "result");
    CHECK(news(street).presences == Texts{"unavailable " + juliet + "/balcony"});
    balcony.send("<presence><show>away</show></presence>");
    CHECK(news(street).presences.empty());
}

TEST_CASE("who is in two groups has the contacts of both, each once") {
    TestServer server;
    addGroup(server, "house", "House");
    addGroup(server, "staff", "Staff");
    join(server, "house", {juliet, nurse});
    join(server, "staff", {nurse, tybalt, juliet});
    auto& balcony = server.login(juliet + "/balcony");
    CHECK(roster(balcony).items ==
          Texts{nurse + " both nurse [House,Staff]", tybalt + " both tybalt [Staff]"});
    CHECK_FALSE(run(server, "group remove", {{"name", std::string{"staff"}}}).isRefusal());
    server.run();
    CHECK(roster(balcony).items == Texts{nurse + " both nurse [House]"});
}

TEST_CASE("a group for everybody has those who come later, and loses those who go") {
    TestServer server{"", GENERATE(1u, 2u)};
    auto& balcony = server.login(juliet + "/balcony");
    server.addAccount(romeo);  // of another host
    REQUIRE_FALSE(
        run(server, "group add", {{"name", std::string{"all"}}, {"everybody", true}}).isRefusal());
    server.run();
    CHECK(roster(balcony).items.empty());
    balcony.forget();
    REQUIRE(server.wait(createAccount(server.server(), *Jid::parse(nurse), "secret")) ==
            Creation::Done);
    server.run();
    CHECK(news(balcony).items == Texts{nurse + " both nurse [all]"});
    REQUIRE(server.wait(removeAccount(server.server(), *Jid::parse(nurse))));
    server.run();
    CHECK(news(balcony).items == Texts{nurse + " remove []"});
    CHECK(member(server, "add", "all", {juliet}).error().code == "invalid");
}

TEST_CASE("a member whose account is removed is a member no more, also under the same name") {
    TestServer server;
    addGroup(server, "house", "House");
    join(server, "house", {juliet, nurse});
    auto& balcony = server.login(juliet + "/balcony");
    CHECK(roster(balcony).items.size() == 1);
    balcony.forget();
    REQUIRE(server.wait(removeAccount(server.server(), *Jid::parse(nurse))));
    server.run();
    CHECK(news(balcony).items == Texts{nurse + " remove []"});
    server.addAccount(nurse);
    auto& door = server.login(nurse + "/door");
    CHECK(roster(door).items.empty());
    server.restart();
    auto& again = server.login(juliet + "/balcony");
    CHECK(roster(again).items.empty());
}

TEST_CASE("what can't be done with a group is refused") {
    TestServer server{"[groups]\nmembers_max = 2"};
    addGroup(server, "house", "House");
    for (const auto& jid : {juliet, nurse, tybalt, romeo}) server.addAccount(jid);
    CHECK(run(server, "group add", {{"name", std::string{"house"}}}).error().code == "exists");
    CHECK(run(server, "group add", {{"name", std::string{"two words"}}}).error().code == "invalid");
    CHECK(run(server, "group add", {{"name", std::string{"all"}}, {"everybody", true}})
              .error()
              .code == "invalid");
    CHECK(run(server, "group remove", {{"name", std::string{"none"}}}).error().code == "not-found");
    CHECK(run(server, "group show", {{"name", std::string{"none"}}}).error().code == "not-found");
    CHECK(member(server, "add", "none", {juliet}).error().code == "not-found");
    CHECK(member(server, "add", "house", {"nobody@capulet.example"}).error().code == "not-found");
    CHECK(member(server, "add", "house", {juliet, romeo}).error().code == "invalid");
    CHECK(member(server, "add", "house", {juliet, nurse, tybalt}).error().code == "invalid");
    CHECK(run(server, "group show", {{"name", std::string{"house"}}}).rows().empty());
    join(server, "house", {juliet, nurse});
    const auto shown = run(server, "group show", {{"name", std::string{"house"}}});
    REQUIRE(shown.rows().size() == 2);
    CHECK(textOf(shown.rows()[0][0]) == juliet);
    CHECK(run(server, "group list", {}).rows().size() == 1);
}

TEST_CASE("a large group is one list in memory and a row for each member") {
    TestServer server;
    addGroup(server, "town", "Verona");
    constexpr int size = 300;
    Texts members;
    for (int i = 0; i < size; ++i) members.push_back("m" + std::to_string(i) + "@capulet.example");
    join(server, "town", members);
    auto& one = server.login(members[0] + "/x");
    auto& other = server.login(members[1] + "/x");
    CHECK(roster(one).items.size() == size - 1);
    CHECK(roster(other).items.size() == size - 1);
    Shard& shard = server.server().shard(0);
    CHECK(shard.loaded(members[0])->roster().shared() ==
          shard.loaded(members[1])->roster().shared());
    CHECK(shard.loaded(members[0])->roster().contacts().empty());
    const auto rows = server.wait(server.database().read([](SqlConnection& connection) {
        std::int64_t count = 0;
        connection.run(
            "SELECT (SELECT count(*) FROM roster_item) + "
            "(SELECT count(*) FROM contact_group_member)",
            {}, [&](const SqlRow& row) { count = row.integer(0); });
        return count;
    }));
    CHECK(rows == size);
}

TEST_CASE("what has not changed is shared with the directory before") {
    const auto jid = [](const std::string& text) { return *Jid::parse(text); };
    std::vector<Group> groups{
        {.id = 1, .name = "a", .title = "A", .members = {jid("x@h.example"), jid("y@h.example")}},
        {.id = 2, .name = "b", .title = "B", .members = {jid("z@h.example")}}};
    const Directory first{groups, nullptr};
    groups[1].members.push_back(jid("zz@h.example"));
    const Directory second{groups, &first};
    CHECK(first.contactsOf(jid("x@h.example")) == second.contactsOf(jid("y@h.example")));
    CHECK(first.contactsOf(jid("z@h.example")) != second.contactsOf(jid("z@h.example")));
    CHECK_FALSE(first.contactsOf(jid("zz@h.example")));
    const auto difference = differenceOf(first.contactsOf(jid("z@h.example")).get(),
                                         second.contactsOf(jid("z@h.example")).get());
    CHECK(difference.added == std::vector<Jid>{jid("zz@h.example")});
    CHECK(difference.removed.empty());
    CHECK(difference.changed.empty());
}
