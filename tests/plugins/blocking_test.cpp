// Blocking Command (XEP-0191).
#include "plugins/blocking/block_list.h"
#include "route/reach.h"
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

using namespace epode;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";

std::string element(const std::string& name, std::initializer_list<std::string> jids) {
    std::string xml = "<" + name + " xmlns='urn:xmpp:blocking'>";
    for (const auto& jid : jids) xml += "<item jid='" + jid + "'/>";
    return xml + "</" + name + ">";
}
std::string block(std::initializer_list<std::string> jids) { return element("block", jids); }
std::string unblock(std::initializer_list<std::string> jids) { return element("unblock", jids); }
const std::string list = "<blocklist xmlns='urn:xmpp:blocking'/>";

// What came of presence: "unavailable romeo@montague.example/orchard", without what changes
// nothing.
Texts presences(TestClient& client) {
    Texts found;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza || !stanza->isPresence()) continue;
        std::string type{toText(stanza->type())};
        found.push_back((type.empty() ? "available" : type) + " " + stanza->from().text());
    }
    return found;
}

// Of a <blocklist/>, a push: the addresses in it.
Texts items(const std::string& xml) {
    const auto element = parseXml(xml, ns::client);
    Texts jids;
    if (!element) return jids;
    for (const Element& item : (*element)->children()) jids.emplace_back(item.get("jid"));
    return jids;
}

struct Verona {
    explicit Verona(std::string_view toml = {}, unsigned shards = 1)
        : server{toml, shards},
          balcony{server.login(juliet + "/balcony")},
          orchard{server.login(romeo + "/orchard")} {}

    void befriend() {
        subscribe(balcony, orchard);
        subscribe(orchard, balcony);
    }

    TestServer server;
    TestClient& balcony;
    TestClient& orchard;
};

}  // namespace

TEST_CASE("an entry of a block list means what XEP-0191 says") {
    struct Row {
        std::string entry, address;
        bool isBlocked;
    };
    const std::vector<Row> rows{
        {"romeo@montague.example/orchard", "romeo@montague.example/orchard", true},
        {"romeo@montague.example/orchard", "romeo@montague.example/tomb", false},
        {"romeo@montague.example/orchard", "romeo@montague.example", false},
        {"romeo@montague.example", "romeo@montague.example", true},
        {"romeo@montague.example", "romeo@montague.example/orchard", true},
        {"romeo@montague.example", "mercutio@montague.example/orchard", false},
        {"romeo@montague.example", "montague.example", false},
        {"montague.example/orchard", "montague.example/orchard", true},
        {"montague.example/orchard", "romeo@montague.example/orchard", true},
        {"montague.example/orchard", "montague.example", false},
        {"montague.example/orchard", "romeo@montague.example/tomb", false},
        {"montague.example", "montague.example", true},
        {"montague.example", "montague.example/orchard", true},
        {"montague.example", "romeo@montague.example", true},
        {"montague.example", "romeo@montague.example/orchard", true},
        {"montague.example", "romeo@garden.montague.example", false},
        {"montague.example", "romeo@capulet.example/montague.example", false},
    };
    for (const auto& row : rows) {
        INFO(row.entry << " and " << row.address);
        BlockList one;
        CHECK(one.add(Jid::parse(row.entry)->text()));
        CHECK(one.blocks(*Jid::parse(row.address)) == row.isBlocked);
    }
    CHECK_FALSE(BlockList{}.blocks(*Jid::parse("romeo@montague.example")));
    BlockList none;
    none.add("montague.example");
    CHECK_FALSE(none.blocks(Jid{}));
}

TEST_CASE("a block list is kept over a restart, and belongs to one account") {
    Verona verona;
    CHECK(payload(verona.balcony.ask("get", list)) == "<blocklist xmlns='urn:xmpp:blocking'/>");
    CHECK(outcome(verona.balcony.ask("set", block({romeo, "Tybalt@capulet.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    CHECK(items(payload(verona.balcony.ask("get", list))) ==
          Texts{romeo, "tybalt@capulet.example"});
    CHECK(items(payload(verona.orchard.ask("get", list))).empty());
    verona.server.restart();

    auto& again = verona.server.login(juliet + "/balcony");
    auto& orchard = verona.server.login(romeo + "/orchard");
    CHECK(items(payload(again.ask("get", list))) == Texts{romeo, "tybalt@capulet.example"});
    orchard.send(chat(juliet, "Is she there?"));
    CHECK(heard(orchard) == Texts{"error service-unavailable"});
    CHECK(heard(again).empty());
    CHECK(outcome(again.ask("set", unblock({romeo}))) == "result");
    CHECK(items(payload(again.ask("get", list))) == Texts{"tybalt@capulet.example"});
}

TEST_CASE("what is no request to block somebody is refused, and nothing is stored") {
    Verona verona;
    struct Row {
        std::string request, outcome;
    };
    const std::string ns = " xmlns='urn:xmpp:blocking'";
    const std::vector<Row> rows{
        {"<block" + ns + "/>", "modify bad-request"},
        {"<block" + ns + "><item/></block>", "modify bad-request"},
        {"<block" + ns + "><item jid=''/></block>", "modify jid-malformed"},
        {"<block" + ns + "><item jid='@montague.example'/></block>", "modify jid-malformed"},
        {"<block" + ns + "><contact jid='" + romeo + "'/></block>", "modify bad-request"},
        {"<block" + ns + "><item jid='" + romeo + "'/><item jid='a@b@c/'/></block>",
         "modify jid-malformed"},
        {"<block" + ns + "><item jid='" + juliet + "'/></block>", "cancel not-allowed"},
        {"<block" + ns + "><item jid='" + juliet + "/balcony'/></block>", "cancel not-allowed"},
        {"<unblock" + ns + "><item jid='/'/></unblock>", "modify jid-malformed"},
        {"<unblock" + ns + "><item/></unblock>", "modify bad-request"},
        {"<unblock" + ns + "><other xmlns='somebody:else'/></unblock>", "modify bad-request"},
    };
    for (const auto& row : rows) {
        INFO(row.request);
        CHECK(outcome(verona.balcony.ask("set", row.request)) == row.outcome);
    }
    CHECK(items(payload(verona.balcony.ask("get", list))).empty());
    // Somebody else's list is nobody's business.
    for (const auto& request : {block({"nurse@capulet.example"}), unblock({})})
        CHECK(outcome(verona.orchard.ask("set", request, juliet)) == "auth forbidden");
    CHECK(outcome(verona.orchard.ask("get", list, juliet)) == "auth forbidden");
}

TEST_CASE("a list has an end, and what would go beyond it changes nothing") {
    Verona verona{"[blocking]\nentries_max = 3"};
    CHECK(outcome(verona.balcony.ask("set", block({"a.example", "b.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", block({"c.example", "d.example"}))) ==
          "wait resource-constraint");
    CHECK(items(payload(verona.balcony.ask("get", list))) == Texts{"a.example", "b.example"});
    CHECK(outcome(verona.balcony.ask("set", block({"a.example", "c.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", block({"d.example"}))) == "wait resource-constraint");
    CHECK(outcome(verona.balcony.ask("set", block({"a.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", unblock({}))) == "result");
    CHECK(items(payload(verona.balcony.ask("get", list))).empty());
}

TEST_CASE("changes are pushed to the clients that have asked for the list") {
    Verona verona;
    auto& chamber = verona.server.login(juliet + "/chamber");
    auto& garden = verona.server.login(juliet + "/garden");
    for (auto* client : {&verona.balcony, &chamber}) client->ask("get", list);
    for (auto* client : {&verona.balcony, &chamber, &garden}) client->forget();

    CHECK(outcome(garden.ask("set", block({romeo, "tybalt@capulet.example"}))) == "result");
    CHECK(garden.all().empty());
    for (auto* client : {&verona.balcony, &chamber}) {
        const auto push = parseXml(client->next(), ns::client);
        REQUIRE(push);
        CHECK((*push)->get("type") == "set");
        CHECK((*push)->get("to") == client->jid());
        CHECK(toXml(*(*push)->firstChild()) == block({romeo, "tybalt@capulet.example"}));
        CHECK(client->all().empty());
    }
    CHECK(outcome(garden.ask("set", unblock({}))) == "result");
    CHECK(toXml(*(*parseXml(chamber.next(), ns::client))->firstChild()) ==
          "<unblock xmlns='urn:xmpp:blocking'/>");
}

TEST_CASE("nothing comes from whom one has blocked, and he finds nobody") {
    Verona verona{"", GENERATE(1u, 2u)};
    verona.befriend();
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    verona.balcony.forget();
    verona.orchard.forget();

    SECTION("messages come back") {
        verona.orchard.send(chat(juliet, "one")).send(chat(juliet + "/balcony", "two"));
        verona.orchard.send(message(juliet, "three", "normal"));
        CHECK(heard(verona.orchard) == Texts(3, "error service-unavailable"));
        verona.orchard.send("<message type='error' to='" + juliet +
                            "/balcony'><body>x</body></message>");
        CHECK(verona.orchard.all().empty());
    }
    SECTION("requests are answered as for nobody") {
        for (const auto& to : {juliet, juliet + "/balcony"})
            CHECK(outcome(verona.orchard.ask("get", "<vCard xmlns='vcard-temp'/>", to)) ==
                  "cancel service-unavailable");
        verona.orchard.send("<iq type='result' id='x' to='" + juliet + "/balcony'/>");
        CHECK(verona.orchard.all().empty());
    }
    SECTION("presence of every kind is dropped") {
        for (const std::string type :
             {"", "unavailable", "subscribe", "unsubscribe", "unsubscribed", "probe", "error"}) {
            INFO(type);
            verona.orchard.send("<presence to='" + juliet + "'" +
                                (type.empty() ? "" : " type='" + type + "'") + "/>");
            CHECK(presences(verona.orchard).empty());
        }
    }
    CHECK(verona.balcony.all().empty());
}

TEST_CASE("what a blocked sender says is not in the archive, and waits for nobody") {
    Verona verona;
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    verona.orchard.send(chat(juliet, "one"));
    verona.balcony.cut();
    verona.orchard.send(chat(juliet, "two"));
    // Romeo has what he has sent in his own archive, as ever.
    CHECK(storedMessages(verona.server) == 2);
    auto& again = verona.server.login(juliet + "/balcony");
    CHECK(outcome(again.ask("set", unblock({romeo}))) == "result");
    CHECK(heard(again).empty());
    again.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    for (const auto& xml : again.all()) CHECK(xml.find("<body") == std::string::npos);
}

TEST_CASE("what waits from before the block is not delivered after it") {
    const bool hasSm = GENERATE(false, true);
    Verona verona;
    verona.balcony.send("<presence type='unavailable'/>");
    verona.orchard.send(chat(juliet, "one"))
        .send("<presence type='subscribe' to='" + juliet + "'/>");
    auto& nurse = verona.server.login("nurse@capulet.example/door");
    nurse.send(chat(juliet, "two"));
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    if (hasSm) enableSm(verona.balcony);
    verona.balcony.forget().available();
    const auto came = verona.balcony.all();
    for (const auto& xml : came) CHECK(xml.find("montague") == std::string::npos);
    CHECK(std::any_of(came.begin(), came.end(),
                      [](const auto& xml) { return xml.find("two") != std::string::npos; }));
    // And it does not come back.
    if (hasSm) acknowledge(verona.balcony, int(verona.balcony.handled()));
    verona.server.advance(seconds{5});
    CHECK(outcome(verona.balcony.ask("set", unblock({romeo}))) == "result");
    verona.balcony.cut();
    verona.server.advance(std::chrono::hours{1});
    auto& again = verona.server.login(juliet + "/balcony");
    verona.server.run();
    for (const auto& text : heard(again)) CHECK(text.find("one") == std::string::npos);
}

TEST_CASE("one's own words to somebody blocked come back with the reason") {
    Verona verona;
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    verona.balcony.forget();
    const auto isReason = [](const std::string& xml) {
        const auto stanza = parseXml(xml, ns::client);
        const Element* error = stanza ? (*stanza)->child("error") : nullptr;
        return error && error->get("type") == "cancel" &&
               error->child("not-acceptable", ns::stanzaErrors) &&
               error->child("blocked", "urn:xmpp:blocking:errors");
    };
    for (const std::string& stanza :
         {"<message to='" + romeo + "'><body>x</body></message>",
          "<message to='" + romeo + "/orchard' type='headline'><body>x</body></message>",
          "<presence to='" + romeo + "'/>", "<presence type='subscribe' to='" + romeo + "'/>",
          "<iq type='get' id='i' to='" + romeo + "'><ping xmlns='urn:xmpp:ping'/></iq>"}) {
        INFO(stanza);
        verona.balcony.send(stanza);
        const auto answer = verona.balcony.next();
        CHECK(isReason(answer));
        CHECK(Stanza::parse(answer)->from().bareText() == romeo);
        CHECK(verona.balcony.all().empty());
    }
    verona.balcony.send("<message type='error' to='" + romeo + "'><body>x</body></message>");
    CHECK(verona.balcony.all().empty());
    CHECK(verona.orchard.all().empty());
    CHECK(storedMessages(verona.server) == 0);
}

TEST_CASE("to whom is blocked the account goes offline, and comes back with the end of it") {
    const unsigned shards = GENERATE(1u, 2u);
    Verona verona{"", shards};
    verona.befriend();
    auto& chamber = verona.server.login(juliet + "/chamber");
    verona.balcony.forget();
    verona.orchard.forget();

    CHECK(outcome(chamber.ask("set", block({romeo}))) == "result");
    auto seen = presences(verona.orchard);
    std::sort(seen.begin(), seen.end());
    CHECK(seen ==
          Texts{"unavailable " + juliet + "/balcony", "unavailable " + juliet + "/chamber"});
    verona.balcony.forget();

    // Whatever either does meanwhile, neither hears of it.
    verona.balcony.send("<presence><show>away</show></presence>");
    chamber.send("<presence type='unavailable'/>").available();
    verona.orchard.send("<presence><show>dnd</show></presence>");
    auto& tomb = verona.server.login(romeo + "/tomb");
    CHECK(presences(verona.orchard) ==
          Texts{"available " + romeo + "/orchard", "available " + romeo + "/tomb"});
    for (const auto& text : presences(tomb)) CHECK(text.find(juliet) == std::string::npos);
    for (const auto& text : presences(verona.balcony)) CHECK(text.find(romeo) == std::string::npos);
    verona.orchard.forget();

    CHECK(outcome(chamber.ask("set", unblock({romeo}))) == "result");
    seen = presences(verona.orchard);
    std::sort(seen.begin(), seen.end());
    CHECK(seen == Texts{"available " + juliet + "/balcony", "available " + juliet + "/chamber"});
    auto back = presences(verona.balcony);
    std::sort(back.begin(), back.end());
    CHECK(back == Texts{"available " + romeo + "/orchard", "available " + romeo + "/tomb"});
}

TEST_CASE("a stranger whom the account has not shown itself to learns nothing from a block") {
    Verona verona;
    CHECK(outcome(verona.balcony.ask("set", block({romeo, "montague.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", unblock({}))) == "result");
    CHECK(verona.orchard.all().empty());
}

TEST_CASE("directed presence is taken back from whom is blocked") {
    Verona verona;
    verona.balcony.send("<presence to='" + romeo + "/orchard'/>");
    CHECK(presences(verona.orchard) == Texts{"available " + juliet + "/balcony"});
    CHECK(outcome(verona.balcony.ask("set", block({"montague.example"}))) == "result");
    CHECK(presences(verona.orchard) == Texts{"unavailable " + juliet + "/balcony"});
    verona.balcony.cut();
    CHECK(presences(verona.orchard).empty());
}

TEST_CASE("one resource can be blocked, and the others hear as before") {
    Verona verona;
    verona.befriend();
    auto& tomb = verona.server.login(romeo + "/tomb");
    CHECK(outcome(verona.balcony.ask("set", block({romeo + "/tomb"}))) == "result");
    CHECK(presences(tomb).back() == "unavailable " + juliet + "/balcony");
    verona.orchard.send(chat(juliet, "one"));
    tomb.send(chat(juliet, "two"));
    CHECK(heard(verona.balcony) == Texts{"one"});
    CHECK(heard(tomb) == Texts{"error service-unavailable"});
}

TEST_CASE("a block of one's own server does not cut the account off") {
    Verona verona;
    auto& nurse = verona.server.login("nurse@capulet.example/door");
    auto& chamber = verona.server.login(juliet + "/chamber");
    verona.balcony.forget();
    CHECK(outcome(verona.balcony.ask("set", block({"capulet.example"}))) == "result");
    CHECK(outcome(verona.balcony.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "capulet.example")) ==
          "result");
    CHECK(outcome(verona.balcony.ask("get", "<query xmlns='jabber:iq:roster'/>")) == "result");
    chamber.send(chat(juliet + "/balcony", "a note to myself"));
    CHECK(heard(verona.balcony) == Texts{"a note to myself"});
    nurse.send(chat(juliet, "Madam!"));
    CHECK(heard(nurse) == Texts{"error service-unavailable"});
    CHECK(heard(verona.balcony).empty());
}

TEST_CASE("a request that waits is forgotten when its sender is blocked") {
    Verona verona;
    verona.orchard.send("<presence type='subscribe' to='" + juliet + "'/>");
    verona.balcony.forget();
    verona.orchard.forget();
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    CHECK(outcome(verona.balcony.ask("set", unblock({romeo}))) == "result");
    auto& chamber = verona.server.login(juliet + "/chamber");
    CHECK(chamber.all().empty());
    CHECK(verona.orchard.all().empty());
    // He may ask again.
    verona.orchard.send("<presence type='subscribe' to='" + juliet + "'/>");
    CHECK(presences(chamber) == Texts{"subscribe " + romeo});
}

TEST_CASE("what the server says for an account asks whether it may") {
    Verona verona;
    CHECK(outcome(verona.balcony.ask("set", block({"montague.example"}))) == "result");
    Account& account = *verona.server.server().shard(0).loaded(juliet);
    CHECK_FALSE(mayReach(account, *Jid::parse(romeo)));
    CHECK(mayReach(account, *Jid::parse("nurse@capulet.example")));
    CHECK(mayReach(account, account.jid()));
    CHECK(mayReach(*verona.server.server().shard(0).loaded(romeo), *Jid::parse(juliet)));
}

TEST_CASE("who blocks nobody has no list in memory") {
    Verona verona;
    Account& account = *verona.server.server().shard(0).loaded(juliet);
    CHECK_FALSE(account.slots().find<BlockList>());
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "result");
    CHECK(account.slots().find<BlockList>());
    CHECK(outcome(verona.balcony.ask("set", unblock({romeo}))) == "result");
    CHECK_FALSE(account.slots().find<BlockList>());
}

TEST_CASE("a block that can't be stored is refused, and nobody is blocked") {
    Verona verona;
    runSql(verona.server,
           "CREATE TRIGGER broken BEFORE INSERT ON blocked "
           "BEGIN SELECT RAISE(ABORT, 'broken by the test'); END");
    CHECK(outcome(verona.balcony.ask("set", block({romeo}))) == "wait internal-server-error");
    verona.orchard.send(chat(juliet, "one"));
    CHECK(heard(verona.balcony) == Texts{"one"});
}

TEST_CASE("blocking is advertised") {
    Verona verona;
    const auto info = verona.balcony.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "capulet.example");
    CHECK(info.find("'urn:xmpp:blocking'") != std::string::npos);
}
