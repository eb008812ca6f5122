// Limits for strangers, blocked addresses, lists that others publish, suspended accounts.
#include "plugins/moderation/block_list.h"
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"

using namespace epode;
using namespace epode::moderation;

namespace {

CommandResult run(TestServer& server, const std::string& name, CommandValues values = {}) {
    return runCommand(server, "moderation", name, std::move(values));
}
CommandValues whom(const std::string& address) { return {{"address", *Jid::parse(address)}}; }

// Something comes from another server.
void arrives(TestServer& server, const std::string& xml) {
    auto stanza = Stanza::parse(xml);
    REQUIRE(stanza);
    server.server().shard(0).executor().post([&server, stanza] { server.server().route(stanza); });
    server.run();
}

std::string message(const std::string& from, const std::string& body,
                    const std::string& to = "juliet@capulet.example") {
    return "<message from='" + from + "' to='" + to + "' type='chat'><body>" + body +
           "</body></message>";
}
std::string request(const std::string& from, const std::string& to = "juliet@capulet.example") {
    return "<presence from='" + from + "' to='" + to + "' type='subscribe'/>";
}

Texts bodies(TestClient& client) {
    Texts all;
    for (const auto& xml : client.all()) {
        const auto stanza = parseXml(xml, ns::client);
        if (!stanza || (**stanza).name() != "message") continue;
        if ((**stanza).get("type") == "error")
            all.push_back("!" + outcome(xml));
        else
            all.emplace_back((**stanza).childText("body"));
    }
    return all;
}

std::size_t requests(TestClient& client) {
    std::size_t count = 0;
    for (const auto& xml : client.all())
        if (xml.find("type='subscribe'") != std::string::npos) ++count;
    return count;
}

const std::string linked = "look: https://spam.example/";
const std::string stranger = "mallory@elsewhere.example/x";

}  // namespace

TEST_CASE("a foreign stranger's first message has no link, later ones may") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    arrives(server, message(stranger, linked));
    arrives(server, message(stranger, "no link"));
    CHECK(bodies(juliet) == Texts{"no link"});
    // She answers: he is no stranger any more, on any client and after a restart.
    juliet.send("<message to='mallory@elsewhere.example' type='chat'><body>who?</body></message>");
    arrives(server, message("mallory@elsewhere.example/other", linked));
    CHECK(bodies(juliet) == Texts{"!cancel remote-server-not-found", linked});
    server.restart();
    auto& later = server.login("juliet@capulet.example/later");
    arrives(server, message(stranger, linked));
    arrives(server, message("trudy@elsewhere.example", linked));
    CHECK(bodies(later) == Texts{linked});
}

TEST_CASE("contacts, people of this server, rooms one is in, and errors may have links") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    romeo.send("<message to='juliet@capulet.example' type='chat'><body>" + linked +
               "</body></message>");
    CHECK(bodies(juliet) == Texts{linked});
    juliet.ask("set",
               "<query xmlns='jabber:iq:roster'><item jid='nurse@elsewhere.example'/></query>");
    arrives(server, message("nurse@elsewhere.example/x", linked));
    CHECK(bodies(juliet) == Texts{linked});
    arrives(server, message("room@rooms.example/nick", linked));
    CHECK(bodies(juliet).empty());
    juliet.send("<presence to='room@rooms.example/juliet'/>");
    juliet.forget();
    arrives(server, message("room@rooms.example/nick", linked));
    CHECK(bodies(juliet) == Texts{linked});
}

TEST_CASE("whose first messages may have links is the operator's choice") {
    for (const auto& [choice, local, foreign] :
         {std::tuple{"pass", 1u, 1u}, {"remote", 1u, 0u}, {"all", 0u, 0u}}) {
        INFO(choice);
        TestServer server{"[moderation]\nstrangers_links = '" + std::string{choice} + "'"};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        auto& romeo = server.login("romeo@montague.example/orchard");
        romeo.send("<message to='juliet@capulet.example' type='chat'><body>" + linked +
                   "</body></message>");
        CHECK(bodies(juliet).size() == local);
        CHECK(bodies(romeo) == (local ? Texts{} : Texts{"!modify policy-violation"}));
        arrives(server, message(stranger, linked));
        CHECK(bodies(juliet).size() == foreign);
    }
}

TEST_CASE("an account is asked by so many strangers in an hour, and then by no more") {
    TestServer server{
        "[moderation]\nrequests_per_hour_to_account = 5\n[client]\nping_after = '24h'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (int i = 0; i < 20; ++i)
        arrives(server, request("m" + std::to_string(i) + "@e" + std::to_string(i) + ".example"));
    CHECK(requests(juliet) == 5);
    server.advance(std::chrono::minutes{61});
    arrives(server, request("late@elsewhere.example"));
    CHECK(requests(juliet) == 1);
}

TEST_CASE("one address, and one foreign domain, asks so many people in an hour") {
    TestServer server{
        "[moderation]\nrequests_per_hour_from_address = 3\nrequests_per_hour_from_domain = 5", 3};
    std::vector<TestClient*> people;
    for (int i = 0; i < 8; ++i)
        people.push_back(&server.login("p" + std::to_string(i) + "@capulet.example/x"));
    const auto reached = [&] {
        std::size_t count = 0;
        for (TestClient* one : people) count += requests(*one);
        return count;
    };
    for (int i = 0; i < 8; ++i)
        arrives(server,
                request("mallory@elsewhere.example", "p" + std::to_string(i) + "@capulet.example"));
    CHECK(reached() == 3);
    for (int i = 0; i < 8; ++i)
        arrives(server, request("m" + std::to_string(i) + "@elsewhere.example",
                                "p" + std::to_string(i) + "@capulet.example"));
    CHECK(reached() == 2);
    // An account of this server.
    auto& tybalt = server.login("tybalt@capulet.example/street");
    for (int i = 0; i < 8; ++i)
        tybalt.send("<presence type='subscribe' to='p" + std::to_string(i) + "@capulet.example'/>");
    CHECK(reached() == 3);
    std::size_t refused = 0;
    for (const auto& xml : tybalt.all())
        if (xml.find("policy-violation") != std::string::npos) ++refused;
    CHECK(refused == 5);
}

TEST_CASE("a domain that has asked too often gains nothing by making up names") {
    TestServer server{"[moderation]\nrequests_per_hour_from_domain = 1"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto ask = [&](int name) {
        arrives(server, request("m" + std::to_string(name) + "@elsewhere.example"));
    };
    ask(0);
    CHECK(requests(juliet) == 1);
    // More of them than are counted.
    constexpr int many = 51'000;
    for (int name = 1; name < many; ++name) ask(name);
    CHECK(requests(juliet) == 0);
}

TEST_CASE("nothing comes from a blocked address or domain, and nothing goes there") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(run(server, "block list").rows().empty());
    CHECK_FALSE(run(server, "block add", whom("spam.example")).isRefusal());
    CHECK_FALSE(run(server, "block add", whom("mallory@elsewhere.example")).isRefusal());
    for (const char* from : {"a@spam.example", "spam.example", "b@rooms.spam.example/x",
                             "mallory@elsewhere.example/any"}) {
        INFO(from);
        arrives(server, message(from, "buy"));
        arrives(server, request(from));
        arrives(server,
                "<iq type='get' id='1' from='" + std::string{from} +
                    "' to='juliet@capulet.example/balcony'><ping xmlns='urn:xmpp:ping'/></iq>");
        CHECK(juliet.all().empty());
    }
    for (const char* from : {"a@nospam.example", "trudy@elsewhere.example", "elsewhere.example"}) {
        INFO(from);
        arrives(server, message(from, "hello"));
        CHECK(bodies(juliet) == Texts{"hello"});
    }
    juliet.send("<message to='a@spam.example' type='chat'><body>no</body></message>");
    CHECK(bodies(juliet) == Texts{"!cancel policy-violation"});
    CHECK(outcome(juliet.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "spam.example")) ==
          "cancel policy-violation");

    // After a restart as well; until it is taken back.
    server.restart();
    auto& later = server.login("juliet@capulet.example/later");
    arrives(server, message("a@spam.example", "buy"));
    CHECK(bodies(later).empty());
    CHECK(run(server, "block list").rows().size() == 2);
    CHECK_FALSE(run(server, "block remove", whom("spam.example")).isRefusal());
    CHECK(run(server, "block remove", whom("spam.example")).isRefusal());
    arrives(server, message("a@spam.example", "hello"));
    CHECK(bodies(later) == Texts{"hello"});
}

TEST_CASE("a block has a term, a limit, and is never of an own host") {
    TestServer server{"[moderation]\nblocked_max = 2\n[client]\nping_after = '24h'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(run(server, "block add", whom("capulet.example")).isRefusal());
    auto values = whom("tybalt@capulet.example");
    values.emplace("term", Duration{std::chrono::hours{1}});
    values.emplace("reason", std::string{"duels"});
    CHECK_FALSE(run(server, "block add", values).isRefusal());
    CHECK_FALSE(run(server, "block add", values).isRefusal());  // the same again
    CHECK_FALSE(run(server, "block add", whom("a.example")).isRefusal());
    CHECK(run(server, "block add", whom("b.example")).isRefusal());
    auto& tybalt = server.login("tybalt@capulet.example/street");
    const auto says = [&] {
        tybalt.send(
            "<message to='juliet@capulet.example' type='chat'><body>peace</body></message>");
        return bodies(juliet).size();
    };
    CHECK(says() == 0);
    server.advance(std::chrono::minutes{61});
    CHECK(says() == 1);
    CHECK(run(server, "block list").rows().size() == 1);
    values["term"] = Duration{};
    CHECK(run(server, "block add", values).isRefusal());
    values["term"] = Duration{std::chrono::hours{1}};
    values["reason"] = std::string(2000, 'x');
    CHECK(run(server, "block add", values).isRefusal());
}

TEST_CASE("who is blocked enters no room, and is sent out when he speaks") {
    Coven verona;
    verona.everybodyIn();
    CHECK_FALSE(run(verona.server, "block add", whom("tybalt@capulet.example")).isRefusal());
    verona.says(verona.tybalt, "still here");
    CHECK(hears(verona.romeo) == Texts{"-tybalt none/none (This server has blocked you.) 307"});
    CHECK(verona.joins(verona.tybalt, "tybalt").front().starts_with("!presence"));
}

TEST_CASE("a list is searched by address, domain and the domains above") {
    const WallTime now = fromMilliseconds(1'000'000);
    const BlockList list{
        {{.target = "a@b.example"},
         {.target = "c.example"},
         {.target = "old.example", .until = now}},
        {std::make_shared<Hashes>(Hashes{hashOf("x@y.example"), hashOf("z.example")})}};
    const auto jid = [](const char* text) { return *Jid::parse(text); };
    for (const char* text :
         {"a@b.example", "a@b.example/r", "c.example", "d@c.example", "e@d.c.example/r"})
        CHECK(list.find(jid(text), now));
    for (const char* text :
         {"b.example", "aa@b.example", "cc.example", "old.example", "x@y.example"})
        CHECK_FALSE(list.find(jid(text), now));
    for (const char* text : {"x@y.example/r", "z.example", "any@z.example"})
        CHECK(list.isPublished(jid(text)));
    for (const char* text : {"y.example", "xx@y.example", "a.z.example"})
        CHECK_FALSE(list.isPublished(jid(text)));
    CHECK(BlockList{}.empty());
}

TEST_CASE("a suspended account's sessions end, and its login is told why and how long") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto values = whom("juliet@capulet.example");
    values.emplace("term", Duration{std::chrono::hours{24}});
    values.emplace("reason", std::string{"spam"});
    CHECK_FALSE(run(server, "account suspend", values).isRefusal());
    CHECK(juliet.streamError() == "policy-violation");
    CHECK(juliet.streamErrorXml().find(": spam") != std::string::npos);
    auto& again = server.connect({}, true).sendHeader();
    again.forget().send(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
        "AGp1bGlldABzZWNyZXQ=</auth>");  // \0juliet\0secret
    const std::string refused = again.next();
    CHECK(refused.find("account-disabled") != std::string::npos);
    CHECK(refused.find("suspended until ") != std::string::npos);
    CHECK(refused.find(": spam") != std::string::npos);

    // Messages wait for the account.
    auto& romeo = server.login("romeo@montague.example/orchard");
    romeo.send("<message to='juliet@capulet.example' type='chat'><body>art thou?</body></message>");
    server.advance(std::chrono::hours{25});
    auto& back = server.login("juliet@capulet.example/later", false);
    back.send("<presence/>");
    CHECK(bodies(back) == Texts{"art thou?"});

    CHECK_FALSE(run(server, "account suspend", whom("juliet@capulet.example")).isRefusal());
    CHECK(back.streamError() == "policy-violation");
    CHECK_FALSE(run(server, "account unsuspend", whom("juliet@capulet.example")).isRefusal());
    CHECK(run(server, "account unsuspend", whom("juliet@capulet.example")).isRefusal());
    CHECK(run(server, "account unsuspend", whom("nobody@capulet.example")).isRefusal());
    CHECK(run(server, "account suspend", whom("nobody@capulet.example")).isRefusal());
    CHECK(server.login("juliet@capulet.example/free").streamError().empty());
}

TEST_CASE("a list that others publish is read, kept up, and counts for strangers and in rooms") {
    const std::string lists = "pubsub.montague.example";
    TestServer server{"[moderation]\npublished_lists = ['" + lists +
                      "/spam', 'no list']\n[client]\nping_after = '24h'"};
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto pubsub = [&](const std::string& inside) {
        return outcome(romeo.ask(
            "set", "<pubsub xmlns='http://jabber.org/protocol/pubsub'>" + inside + "</pubsub>",
            lists));
    };
    const auto publish = [&](const std::string& id) {
        return pubsub("<publish node='spam'><item id='" + id +
                      "'><report xmlns='urn:xmpp:reporting:1'/></item></publish>");
    };
    CHECK(pubsub("<create node='spam'/><configure><x xmlns='jabber:x:data' type='submit'><field "
                 "var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#node_config</value>"
                 "</field><field var='pubsub#persist_items'><value>1</value></field><field "
                 "var='pubsub#max_items'><value>100</value></field><field "
                 "var='pubsub#access_model'><value>open</value></field></x></configure>") ==
          "result");
    CHECK(publish(hashOf("mallory@elsewhere.example")) == "result");
    CHECK(publish("no-hash") == "result");
    server.advance(std::chrono::minutes{2});
    const auto state = run(server, "block published");
    REQUIRE_FALSE(state.rows().empty());
    CHECK(textOf(state.rows().front()[1]) == "1");

    const auto hearsOf = [&](const std::string& from) {
        arrives(server, message(from, "hello"));
        return bodies(juliet).size();
    };
    CHECK(hearsOf(stranger) == 0);
    CHECK(hearsOf("trudy@elsewhere.example") == 1);
    CHECK(publish(hashOf("elsewhere.example")) == "result");
    CHECK(hearsOf("trudy@elsewhere.example") == 0);
    CHECK(pubsub("<retract node='spam' notify='1'><item id='" + hashOf("elsewhere.example") +
                 "'/></retract>") == "result");
    CHECK(hearsOf("trudy@elsewhere.example") == 1);
    // A contact is no stranger.
    juliet.ask("set",
               "<query xmlns='jabber:iq:roster'><item jid='mallory@elsewhere.example'/></query>");
    CHECK(hearsOf(stranger) == 1);
    // Nobody else says what is on the list.
    arrives(server,
            "<message from='mallory@elsewhere.example' to='capulet.example'><event "
            "xmlns='http://jabber.org/protocol/pubsub#event'><items node='spam'><item id='" +
                hashOf("trudy@elsewhere.example") + "'/></items></event></message>");
    CHECK(hearsOf("trudy@elsewhere.example") == 1);
    juliet.send(joinXml("juliet"));
    juliet.ask("set", configXml({}), coven);
    CHECK(publish(hashOf("romeo@montague.example")) == "result");
    romeo.forget();
    romeo.send(joinXml("romeo"));
    CHECK(hears(romeo) == Texts{"!presence auth forbidden"});
}
