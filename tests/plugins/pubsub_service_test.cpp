// The publish-subscribe service beside accounts (XEP-0060).
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string romeos = "romeo@montague.example";
const std::string juliets = "juliet@capulet.example";

// Juliet owns a node; Romeo and Tybalt are there.
struct Verona {
    explicit Verona(const Fields& config = {}, std::string_view toml = {}, unsigned shards = 3)
        : server{toml, shards},
          juliet{server.login("juliet@capulet.example/balcony")},
          romeo{server.login("romeo@montague.example/orchard")},
          tybalt{server.login("tybalt@capulet.example/street")} {
        CHECK(outcome(juliet.ask("set", create("letters", config), service)) == "result");
    }
    std::string publishes(TestClient& client, const std::string& id, const std::string& text = "x",
                          const Fields& options = {}) {
        return failure(client.ask("set", publish("letters", id, note(text), options), service));
    }
    std::string reads(TestClient& client, const std::string& what = {}) {
        return listed(client.ask("get", items("letters", what), service));
    }
    std::string subscribes(TestClient& client, const std::string& more = {}) {
        return failure(client.ask(
            "set", subscribeTo("letters", Jid::parse(client.jid())->bare().text(), more), service));
    }

    TestServer server;
    TestClient& juliet;
    TestClient& romeo;
    TestClient& tybalt;
};

const std::string told = service + " headline letters";

}  // namespace

TEST_CASE("a node is created, published at, subscribed to and read") {
    Verona verona;
    CHECK(verona.subscribes(verona.romeo) == "result");
    CHECK(verona.publishes(verona.juliet, "a", "one") == "result");
    CHECK(verona.publishes(verona.juliet, "b", "two") == "result");
    CHECK(events(verona.romeo) == Events{told + " a:one", told + " b:two"});
    CHECK(events(verona.tybalt).empty());
    CHECK(verona.reads(verona.tybalt) == "a:one b:two");
    CHECK(verona.publishes(verona.juliet, "a", "three") == "result");
    CHECK(verona.reads(verona.romeo) == "b:two a:three");
    CHECK(outcome(verona.romeo.ask("set", unsubscribeFrom("letters", romeos), service)) ==
          "result");
    verona.romeo.forget();
    CHECK(verona.publishes(verona.juliet, "c") == "result");
    CHECK(events(verona.romeo).empty());
}

TEST_CASE("everything of a node outlives a restart") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    juliet.ask("set", create("n", {{"max_items", "5"}, {"title", "Letters &amp; more"}}), service);
    juliet.ask("set", affiliate("n", {{romeos, "publisher"}}), service);
    romeo.ask("set", subscribeTo("n", romeos), service);
    romeo.ask("set", publish("n", "a", note("x")), service);
    server.restart();
    auto& back = server.login("romeo@montague.example/orchard");
    CHECK(outcome(back.ask("set", publish("n", "b", note("y")), service)) == "result");
    CHECK(events(back) == Events{service + " headline n b:y"});
    CHECK(listed(back.ask("get", items("n"), service)) == "a:x b:y");
    auto& owner = server.login("juliet@capulet.example/balcony");
    const auto config = owner.ask("get", ownerPubsub("<configure node='n'/>"), service);
    CHECK(config.find("<value>Letters &amp; more</value>") != std::string::npos);
    CHECK(config.find("<value>5</value>") != std::string::npos);
}

TEST_CASE("a new subscriber gets the last item, unless the node says never") {
    Verona verona;
    verona.publishes(verona.juliet, "a", "one");
    verona.publishes(verona.juliet, "b", "two");
    CHECK(verona.subscribes(verona.romeo) == "result");
    CHECK(events(verona.romeo) == Events{told + " b:two delayed"});
    CHECK(outcome(verona.juliet.ask(
              "set", configure("letters", {{"send_last_published_item", "never"}}), service)) ==
          "result");
    CHECK(verona.subscribes(verona.tybalt) == "result");
    CHECK(events(verona.tybalt).empty());
}

TEST_CASE("only who may creates nodes") {
    const auto [creators, byRomeo] = GENERATE(table<std::string, std::string>(
        {{"accounts", "result"}, {"everybody", "result"}, {"nobody", "auth forbidden"}}));
    TestServer server{"[pubsub]\ncreators = '" + creators + "'"};
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(failure(romeo.ask("set", create("n"), service)) == byRomeo);
}

TEST_CASE("a stranger from elsewhere creates nothing where accounts may") {
    TestServer server;
    auto stanza = Stanza::parse("<iq type='set' id='1' from='mallory@elsewhere.example/x' to='" +
                                service + "'>" + create("n") + "</iq>");
    server.server().shard(0).executor().post([&] { server.server().route(stanza); });
    server.run();
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(failure(juliet.ask("get", items("n"), service)) == "cancel item-not-found");
}

TEST_CASE("there is no service when the operator wants none") {
    TestServer server{"[pubsub]\ndomain = ''"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(failure(juliet.ask("set", create("n"), service)) == "cancel remote-server-not-found");
    CHECK(outcome(juliet.ask("set", publish("urn:n", "a", note("x")))) == "result");
}

TEST_CASE("an instant node gets a name, and a name is taken once") {
    Verona verona;
    for (int i = 0; i < 5; ++i) {
        const auto answer =
            parseXml(verona.romeo.ask("set", pubsub("<create/>"), service), ns::client);
        const std::string name{(*answer)->firstChild()->child("create")->get("node")};
        CHECK(name.size() >= 16);
        CHECK(outcome(verona.romeo.ask("set", publish(name, "a", note("x")), service)) == "result");
    }
    CHECK(failure(verona.romeo.ask("set", create("letters"), service)) == "cancel conflict");
}

// ---- who may do what

TEST_CASE("each access model lets the right people read and subscribe") {
    struct Row {
        std::string model, affiliation, reads, subscribes;
    };
    const std::string presence = "auth not-authorized presence-subscription-required";
    const std::string group = "auth not-authorized not-in-roster-group";
    const std::string closed = "cancel not-allowed closed-node";
    const std::vector<Row> rows{
        {"open", "none", "a:x", "result"},
        {"open", "outcast", "auth forbidden", "auth forbidden"},
        {"open", "publish-only", "auth forbidden", "auth forbidden"},
        {"open", "member", "a:x", "result"},
        {"presence", "none", presence, presence},
        {"presence", "member", "a:x", "result"},
        {"presence", "outcast", "auth forbidden", "auth forbidden"},
        {"roster", "none", group, group},
        {"roster", "publisher", "a:x", "result"},
        {"authorize", "none", "auth not-authorized not-subscribed", "result"},
        {"authorize", "member", "a:x", "result"},
        {"whitelist", "none", closed, closed},
        {"whitelist", "member", "a:x", "result"},
        {"whitelist", "publisher", "a:x", "result"},
        {"whitelist", "owner", "a:x", "result"},
        {"whitelist", "outcast", "auth forbidden", "auth forbidden"},
    };
    for (const auto& row : rows) {
        INFO(row.model << " " << row.affiliation);
        Verona verona{{{"access_model", row.model}}, {}, 2};
        if (row.affiliation != "none")
            CHECK(outcome(verona.juliet.ask(
                      "set", affiliate("letters", {{romeos, row.affiliation}}), service)) ==
                  "result");
        CHECK(verona.publishes(verona.juliet, "a") == "result");
        CHECK(verona.reads(verona.romeo) == row.reads);
        CHECK(verona.subscribes(verona.romeo) == row.subscribes);
    }
}

TEST_CASE("a node of the service for contacts looks at its owner's contacts, wherever they are") {
    Verona verona{{{"access_model", "presence"}}};
    befriend(verona.juliet, verona.romeo);
    CHECK(verona.subscribes(verona.romeo) == "result");
    verona.romeo.forget();
    CHECK(verona.publishes(verona.juliet, "a", "one") == "result");
    CHECK(events(verona.romeo) == Events{told + " a:one"});
    CHECK(verona.reads(verona.tybalt) == "auth not-authorized presence-subscription-required");
    verona.juliet.send("<presence type='unsubscribed' to='" + romeos + "'/>");
    verona.romeo.forget();
    CHECK(verona.publishes(verona.juliet, "b", "two") == "result");
    CHECK(events(verona.romeo).empty());
    CHECK(verona.reads(verona.romeo) == "auth not-authorized presence-subscription-required");
}

TEST_CASE("each publish model lets the right people publish") {
    struct Row {
        std::string model, affiliation;
        bool subscribes;
        std::string outcome;
    };
    const std::vector<Row> rows{
        {"publishers", "none", true, "auth forbidden"},
        {"publishers", "member", true, "auth forbidden"},
        {"publishers", "publisher", false, "result"},
        {"publishers", "publish-only", false, "result"},
        {"publishers", "owner", false, "result"},
        {"subscribers", "none", false, "auth forbidden"},
        {"subscribers", "none", true, "result"},
        {"subscribers", "outcast", false, "auth forbidden"},
        {"open", "none", false, "result"},
        {"open", "outcast", false, "auth forbidden"},
    };
    for (const auto& row : rows) {
        INFO(row.model << " " << row.affiliation << " " << row.subscribes);
        Verona verona{{{"publish_model", row.model}}, {}, 2};
        if (row.subscribes) CHECK(verona.subscribes(verona.romeo) == "result");
        if (row.affiliation != "none")
            verona.juliet.ask("set", affiliate("letters", {{romeos, row.affiliation}}), service);
        CHECK(verona.publishes(verona.romeo, "a") == row.outcome);
    }
}

TEST_CASE("where everybody publishes, nobody touches what others have published") {
    Verona verona{{{"publish_model", "open"}}};
    CHECK(verona.publishes(verona.romeo, "a", "romeo's") == "result");
    CHECK(verona.publishes(verona.tybalt, "a", "tybalt's") == "auth forbidden");
    CHECK(failure(verona.tybalt.ask("set", retract("letters", "a"), service)) == "auth forbidden");
    CHECK(verona.reads(verona.tybalt) == "a:romeo's");
    const auto raw = verona.tybalt.ask("get", items("letters"), service);
    CHECK(raw.find("publisher='" + romeos + "'") != std::string::npos);
    CHECK(verona.publishes(verona.romeo, "a", "changed") == "result");
    CHECK(outcome(verona.juliet.ask("set", retract("letters", "a"), service)) == "result");
    CHECK(verona.reads(verona.romeo) == "");
}

TEST_CASE("nobody but owners does what owners do") {
    Verona verona;
    verona.juliet.ask("set", affiliate("letters", {{romeos, "publisher"}}), service);
    const std::vector<std::pair<std::string, std::string>> requests{
        {"get", ownerPubsub("<configure node='letters'/>")},
        {"set", configure("letters", {{"access_model", "open"}})},
        {"set", ownerPubsub("<delete node='letters'/>")},
        {"set", ownerPubsub("<purge node='letters'/>")},
        {"get", ownerPubsub("<subscriptions node='letters'/>")},
        {"set", ownerPubsub("<subscriptions node='letters'><subscription jid='" + romeos +
                            "' subscription='subscribed'/></subscriptions>")},
        {"get", ownerPubsub("<affiliations node='letters'/>")},
        {"set", affiliate("letters", {{romeos, "owner"}})},
    };
    for (const auto& [type, request] : requests)
        for (auto* client : {&verona.romeo, &verona.tybalt}) {
            INFO(request);
            CHECK(failure(client->ask(type, request, service)) == "auth forbidden");
        }
    verona.publishes(verona.juliet, "a");
    CHECK(verona.reads(verona.juliet) == "a:x");
    for (const auto& [type, request] : requests) {
        std::string other = request;
        other.replace(other.find("'letters'"), 9, "'nothing'");
        CHECK(failure(verona.juliet.ask(type, other, service)) == "cancel item-not-found");
        other.replace(other.find(" node='nothing'"), 15, "");
        CHECK(failure(verona.juliet.ask(type, other, service)) ==
              "modify bad-request nodeid-required");
    }
}

TEST_CASE("nobody subscribes, unsubscribes or configures somebody else") {
    Verona verona;
    CHECK(verona.subscribes(verona.romeo) == "result");
    auto& tybalt = verona.tybalt;
    CHECK(failure(tybalt.ask("set", subscribeTo("letters", juliets), service)) ==
          "modify bad-request invalid-jid");
    CHECK(failure(tybalt.ask("set", unsubscribeFrom("letters", romeos), service)) ==
          "auth forbidden");
    const std::string about = "<options node='letters' jid='" + romeos + "'";
    CHECK(failure(tybalt.ask("get", pubsub(about + "/>"), service)) == "auth forbidden");
    CHECK(
        failure(tybalt.ask(
            "set",
            pubsub(about + ">" + form("subscribe_options", {{"deliver", "false"}}) + "</options>"),
            service)) == "auth forbidden");
    verona.romeo.forget();
    verona.publishes(verona.juliet, "a", "one");
    CHECK(events(verona.romeo) == Events{told + " a:one"});
    const auto own = tybalt.ask("get", pubsub("<subscriptions/>"), service);
    CHECK(own.find("romeo") == std::string::npos);
}

// ---- subscriptions

TEST_CASE("a subscription to an authorize node waits for an owner") {
    Verona verona{{{"access_model", "authorize"}}};
    verona.publishes(verona.juliet, "a", "secret");
    verona.juliet.forget();
    const auto answer = verona.romeo.ask("set", subscribeTo("letters", romeos), service);
    CHECK(answer.find("subscription='pending'") != std::string::npos);
    CHECK(failure(verona.romeo.ask("set", subscribeTo("letters", romeos), service)) ==
          "auth not-authorized pending-subscription");
    CHECK(verona.reads(verona.romeo) == "auth not-authorized not-subscribed");
    verona.publishes(verona.juliet, "b", "more");
    CHECK(events(verona.romeo).empty());

    const auto request = verona.juliet.next();
    CHECK(request.find("subscribe_authorization") != std::string::npos);
    CHECK(request.find("<value>" + romeos + "</value>") != std::string::npos);
    const auto decides = [&](TestClient& client, const std::string& allow) {
        client.send("<message to='" + service + "' id='x'>" +
                    form("subscribe_authorization",
                         {{"node", "letters"}, {"subscriber_jid", romeos}, {"allow", allow}}) +
                    "</message>");
    };
    decides(verona.tybalt, "true");
    decides(verona.romeo, "true");
    CHECK(verona.reads(verona.romeo) == "auth not-authorized not-subscribed");
    decides(verona.juliet, "true");
    CHECK(events(verona.romeo) ==
          Events{told + " subscription " + romeos + " subscribed", told + " b:more delayed"});
    CHECK(verona.reads(verona.romeo) == "a:secret b:more");

    // A second one is refused.
    verona.tybalt.ask("set", subscribeTo("letters", "tybalt@capulet.example"), service);
    verona.juliet.send(
        "<message to='" + service + "'>" +
        form("subscribe_authorization",
             {{"node", "letters"}, {"subscriber_jid", "tybalt@capulet.example"}, {"allow", "0"}}) +
        "</message>");
    CHECK(events(verona.tybalt) == Events{told + " subscription tybalt@capulet.example none"});
}

TEST_CASE("a request stays open when the form is cancelled or makes no sense") {
    Verona verona{{{"access_model", "authorize"}}};
    verona.subscribes(verona.romeo);
    for (const std::string& form :
         {form("subscribe_authorization", {}, "cancel"), form("subscribe_authorization", {}),
          form("subscribe_authorization", {{"node", "letters"}, {"allow", "true"}}),
          form("subscribe_authorization",
               {{"node", "letters"}, {"subscriber_jid", "@@"}, {"allow", "true"}}),
          form("subscribe_authorization",
               {{"node", "other"}, {"subscriber_jid", romeos}, {"allow", "true"}}),
          form("subscribe_authorization",
               {{"node", "letters"}, {"subscriber_jid", romeos}, {"allow", "maybe"}}),
          form("node_config",
               {{"node", "letters"}, {"subscriber_jid", romeos}, {"allow", "true"}})}) {
        INFO(form);
        verona.juliet.send("<message to='" + service + "'>" + form + "</message>");
        CHECK(failure(verona.romeo.ask("set", subscribeTo("letters", romeos), service)) ==
              "auth not-authorized pending-subscription");
    }
}

TEST_CASE("a subscriber may have no notifications, or have them until a time") {
    Verona verona;
    const auto options = [&](TestClient& client, const Fields& fields) {
        return failure(client.ask(
            "set",
            pubsub("<options node='letters' jid='" + Jid::parse(client.jid())->bare().text() +
                   "'>" + form("subscribe_options", fields) + "</options>"),
            service));
    };
    CHECK(options(verona.romeo, {{"deliver", "0"}}) == "cancel unexpected-request not-subscribed");
    CHECK(verona.subscribes(verona.romeo, "<options>" +
                                              form("subscribe_options", {{"deliver", "0"}}) +
                                              "</options>") == "result");
    verona.publishes(verona.juliet, "a");
    CHECK(events(verona.romeo).empty());
    CHECK(options(verona.romeo, {{"deliver", "true"}}) == "result");
    verona.publishes(verona.juliet, "b");
    CHECK(events(verona.romeo) == Events{told + " b:x"});
    const auto until = [&](Duration after) {
        const auto time = verona.server.simulation().wallNow() +
                          std::chrono::duration_cast<std::chrono::milliseconds>(after);
        return formatDateTime(time);
    };
    CHECK(options(verona.romeo, {{"expire", until(std::chrono::hours{1})}}) == "result");
    verona.publishes(verona.juliet, "c");
    CHECK(events(verona.romeo).size() == 1);
    for (const Fields& bad : {Fields{{"deliver", "perhaps"}}, Fields{{"expire", "tomorrow"}},
                              Fields{{"expire", "2001-01-01T00:00:00Z"}}})
        CHECK(options(verona.romeo, bad) == "modify bad-request invalid-options");
    verona.server.advance(std::chrono::hours{2});
    auto& romeo = verona.server.login("romeo@montague.example/later");
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    CHECK(verona.publishes(juliet, "d") == "result");
    CHECK(events(romeo).empty());
}

TEST_CASE("owners list and change subscriptions, as far as that is possible") {
    Verona verona;
    verona.subscribes(verona.romeo);
    const auto list = [&] {
        return verona.juliet.ask("get", ownerPubsub("<subscriptions node='letters'/>"), service);
    };
    CHECK(list().find("<subscription jid='" + romeos + "' subscription='subscribed'/>") !=
          std::string::npos);
    verona.romeo.forget();
    const auto changes = [&](const std::string& content) {
        return verona.juliet.ask(
            "set", ownerPubsub("<subscriptions node='letters'>" + content + "</subscriptions>"),
            service);
    };
    const std::string answer =
        changes("<subscription jid='" + romeos +
                "' subscription='none'/>"
                "<subscription jid='tybalt@capulet.example' subscription='subscribed'/>"
                "<subscription jid='nurse@capulet.example' subscription='pending'/>");
    CHECK(outcome(answer) == "modify not-acceptable");
    CHECK(answer.find("<subscription jid='nurse@capulet.example' subscription='none'/>") !=
          std::string::npos);
    CHECK(answer.find("tybalt") == std::string::npos);
    CHECK(events(verona.romeo) == Events{told + " subscription " + romeos + " none"});
    CHECK(events(verona.tybalt) ==
          Events{told + " subscription tybalt@capulet.example subscribed"});
    for (const std::string bad :
         {"<subscription jid='@' subscription='none'/>", "<subscription subscription='none'/>",
          "<subscription jid='a@b.example' subscription='none'/>"
          "<subscription jid='a@b.example' subscription='none'/>"})
        CHECK(outcome(changes(bad)) == "modify bad-request");
}

TEST_CASE("affiliations are changed, but there is always an owner") {
    Verona verona;
    const auto changes = [&](const Fields& people) {
        return verona.juliet.ask("set", affiliate("letters", people), service);
    };
    const auto refused = changes({{juliets, "none"}, {romeos, "publisher"}});
    CHECK(outcome(refused) == "modify not-acceptable");
    CHECK(refused.find("<affiliation jid='" + juliets + "' affiliation='owner'/>") !=
          std::string::npos);
    CHECK(verona.publishes(verona.romeo, "a") == "result");
    const auto own = verona.romeo.ask("get", pubsub("<affiliations/>"), service);
    CHECK(own.find("<affiliation node='letters' affiliation='publisher'/>") != std::string::npos);
    CHECK(outcome(changes({{romeos, "king"}})) == "modify not-acceptable");
    CHECK(outcome(changes({{"@", "member"}})) == "modify bad-request");
    CHECK(outcome(changes({{romeos, "member"}, {romeos + "/x", "none"}})) == "modify bad-request");
    // She hands over, and has nothing more to say.
    CHECK(outcome(changes({{juliets, "none"}, {romeos, "owner"}})) == "result");
    CHECK(outcome(changes({{juliets, "owner"}})) == "auth forbidden");
}

TEST_CASE("who is shut out is no subscriber any more") {
    Verona verona;
    verona.subscribes(verona.romeo);
    verona.romeo.forget();
    verona.juliet.ask("set", affiliate("letters", {{romeos, "outcast"}}), service);
    CHECK(events(verona.romeo) == Events{told + " subscription " + romeos + " none"});
    verona.publishes(verona.juliet, "a");
    CHECK(events(verona.romeo).empty());
    CHECK(verona.subscribes(verona.romeo) == "auth forbidden");
}

TEST_CASE("a member need not wait for approval any more") {
    Verona verona{{{"access_model", "authorize"}}};
    verona.subscribes(verona.romeo);
    verona.juliet.ask("set", affiliate("letters", {{romeos, "member"}}), service);
    CHECK(events(verona.romeo) == Events{told + " subscription " + romeos + " subscribed"});
}

TEST_CASE("a subscriber who is away finds normal notifications later, and no headlines") {
    const auto [type, expected] =
        GENERATE(table<std::string, std::size_t>({{"normal", 1u}, {"headline", 0u}}));
    Verona verona{{{"notification_type", type}}};
    verona.subscribes(verona.romeo);
    verona.romeo.send("</stream:stream>");
    verona.publishes(verona.juliet, "a", "later");
    auto& back = verona.server.login("romeo@montague.example/orchard", false);
    back.available();
    CHECK(events(back).size() == expected);
}

// ---- items

TEST_CASE("items are read by their ids, from the end, and page by page") {
    Verona verona{{{"max_items", "max"}}};
    for (const std::string id : {"a", "b", "c", "d", "e"}) verona.publishes(verona.juliet, id, id);
    const auto asks = [&](const std::string& attributes, const std::string& rsm = {}) {
        return verona.romeo.ask(
            "get",
            pubsub("<items node='letters'" + attributes + "/>" +
                   (rsm.empty() ? ""
                                : "<set xmlns='http://jabber.org/protocol/rsm'>" + rsm + "</set>")),
            service);
    };
    CHECK(verona.reads(verona.romeo, "<item id='d'/><item id='b'/><item id='z'/>") == "d:d b:b");
    CHECK(listed(asks(" max_items='2'")) == "d:d e:e");
    CHECK(listed(asks(" max_items='99999999999999999999'")) == "a:a b:b c:c d:d e:e");
    CHECK(listed(asks("", "<max>2</max>")) == "a:a b:b");
    CHECK(
        asks("", "<max>2</max>").find("<first index='0'>a</first><last>b</last><count>5</count>") !=
        std::string::npos);
    CHECK(listed(asks("", "<max>2</max><after>b</after>")) == "c:c d:d");
    CHECK(listed(asks("", "<max>2</max><before/>")) == "d:d e:e");
    CHECK(asks("", "<max>2</max><before>d</before>").find("<first index='1'>b</first>") !=
          std::string::npos);
    CHECK(listed(asks("", "<max>2</max><before>d</before>")) == "b:b c:c");
    CHECK(listed(asks("", "<max>2</max><index>3</index>")) == "d:d e:e");
    const auto count = asks("", "<max>0</max>");
    CHECK(listed(count) == "");
    CHECK(count.find("<count>5</count>") != std::string::npos);
    for (const std::string bad :
         {" max_items='0'", " max_items='-1'", " max_items='x'", " max_items=''"}) {
        INFO(bad);
        CHECK(failure(asks(bad)) == "modify bad-request");
    }
    for (const std::string bad : {"<max>-1</max>", "<max>x</max>", "<max/>", "<index>y</index>",
                                  "<index>1</index><after>a</after>"}) {
        INFO(bad);
        CHECK(failure(asks("", bad)) == "modify bad-request");
    }
    CHECK(failure(asks("", "<after>nothing</after>")) == "cancel item-not-found");
}

TEST_CASE("an answer that would be too large is cut, and says so") {
    Verona verona{{{"max_items", "max"}}};
    const std::string large(60000, 'x');
    for (const std::string id : {"a", "b", "c", "d", "e"})
        CHECK(verona.publishes(verona.juliet, id, large) == "result");
    const auto answer = verona.romeo.ask("get", items("letters"), service);
    CHECK(answer.size() < 230000);
    CHECK(answer.find("<last>c</last><count>5</count>") != std::string::npos);
}

TEST_CASE("the oldest items make room, or new ones are refused") {
    const auto [full, outcome, left, notices] =
        GENERATE(table<std::string, std::string, std::string, std::size_t>(
            {{"retract-oldest", "result", "b:x c:x", 4u},
             {"discard-oldest", "result", "b:x c:x", 3u},
             {"reject", "cancel conflict node-full", "a:x b:x", 2u}}));
    Verona verona{{{"max_items", "2"}, {"publish_node_full", full}}};
    verona.subscribes(verona.romeo);
    verona.publishes(verona.juliet, "a");
    verona.publishes(verona.juliet, "b");
    CHECK(verona.publishes(verona.juliet, "c") == outcome);
    CHECK(verona.reads(verona.romeo) == left);
    CHECK(events(verona.romeo).size() == notices);
    CHECK(verona.publishes(verona.juliet, "b", "changed") == "result");
}

TEST_CASE("expired items are gone") {
    Verona verona{{{"item_expire", "3600"}, {"max_items", "10"}}};
    verona.publishes(verona.juliet, "a");
    const auto later = [&](Duration time, const std::string& resource) -> TestClient& {
        verona.server.advance(time);
        return verona.server.login("juliet@capulet.example/" + resource);
    };
    auto& first = later(std::chrono::minutes{40}, "one");
    verona.publishes(first, "b");
    CHECK(verona.reads(first) == "a:x b:x");
    auto& second = later(std::chrono::minutes{30}, "two");
    CHECK(verona.reads(second) == "b:x");
    const auto rows =
        verona.server.wait(verona.server.database().read([](SqlConnection& connection) {
            std::int64_t count = -1;
            connection.run("SELECT COUNT(*) FROM pubsub_item", {},
                           [&](const SqlRow& row) { count = row.integer(0); });
            return count;
        }));
    CHECK(rows == 1);
    auto& third = later(std::chrono::hours{2}, "three");
    CHECK(verona.reads(third) == "");
    CHECK(verona.subscribes(third) == "result");
    CHECK(events(third).empty());
}

TEST_CASE("a transient node keeps nothing, and one without payloads shows none") {
    Verona verona{{{"persist_items", "0"}}};
    verona.subscribes(verona.romeo);
    CHECK(verona.publishes(verona.juliet, "a", "one") == "result");
    CHECK(events(verona.romeo) == Events{told + " a:one"});
    CHECK(verona.reads(verona.romeo) ==
          "cancel feature-not-implemented unsupported persistent-items");
    CHECK(failure(verona.juliet.ask("set", retract("letters", "a"), service)) ==
          "cancel feature-not-implemented unsupported persistent-items");
    CHECK(failure(verona.juliet.ask("set", ownerPubsub("<purge node='letters'/>"), service)) ==
          "cancel feature-not-implemented unsupported persistent-items");
    verona.juliet.ask("set", configure("letters", {{"deliver_payloads", "0"}}), service);
    CHECK(verona.publishes(verona.juliet, "b") == "modify bad-request item-forbidden");
    CHECK(outcome(verona.juliet.ask("set", pubsub("<publish node='letters'/>"), service)) ==
          "result");
    CHECK(events(verona.romeo) == Events{told});
    verona.juliet.ask("set", configure("letters", {{"persist_items", "1"}}), service);
    CHECK(verona.publishes(verona.juliet, "c", "hidden") == "result");
    CHECK(events(verona.romeo) == Events{told + " c:"});
    CHECK(verona.reads(verona.romeo) == "c:hidden");
}

TEST_CASE("a node that was deleted says where it went, until there is a new one") {
    Verona verona;
    verona.subscribes(verona.romeo);
    const std::string uri = "xmpp:pubsub.capulet.example?;node=new";
    CHECK(outcome(verona.juliet.ask(
              "set", ownerPubsub("<delete node='letters'><redirect uri='" + uri + "'/></delete>"),
              service)) == "result");
    CHECK(events(verona.romeo) == Events{told + " delete redirect:"});
    const auto gone = verona.romeo.ask("set", subscribeTo("letters", romeos), service);
    CHECK(outcome(gone) == "modify gone");
    CHECK(gone.find(uri) != std::string::npos);
    CHECK(outcome(verona.juliet.ask("set", create("letters"), service)) == "result");
    CHECK(verona.subscribes(verona.romeo) == "result");
}

TEST_CASE("a changed configuration is told when the node says so") {
    Verona verona{{{"notify_config", "1"}}};
    verona.subscribes(verona.romeo);
    verona.romeo.forget();
    CHECK(outcome(verona.juliet.ask("set", configure("letters", {{"title", "New"}}), service)) ==
          "result");
    const auto message = verona.romeo.next();
    CHECK(message.find("<configuration node='letters'>") != std::string::npos);
    CHECK(message.find("<value>New</value>") != std::string::npos);
    CHECK(outcome(verona.juliet.ask(
              "set",
              ownerPubsub("<configure node='letters'>" + form("", {}, "cancel") + "</configure>"),
              service)) == "result");
    CHECK(verona.romeo.next() == "");
}

TEST_CASE("the service tells what it is and which nodes there are") {
    Verona verona{{{"title", "Letters"}}};
    verona.juliet.ask("set", create("secret", {{"access_model", "whitelist"}}), service);
    verona.publishes(verona.juliet, "a");
    const std::string items = "<query xmlns='http://jabber.org/protocol/disco#items'";
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'";
    CHECK(verona.romeo.ask("get", items + "/>", "capulet.example").find("jid='" + service + "'") !=
          std::string::npos);
    const auto about = verona.romeo.ask("get", info + "/>", service);
    CHECK(about.find("<identity category='pubsub' type='service'") != std::string::npos);
    CHECK(about.find("pubsub#create-nodes'") != std::string::npos);
    CHECK(about.find("filtered-notifications") == std::string::npos);
    const auto nodes = verona.romeo.ask("get", items + "/>", service);
    CHECK(nodes.find("node='letters' name='Letters'") != std::string::npos);
    CHECK(nodes.find("secret") == std::string::npos);
    CHECK(verona.juliet.ask("get", items + "/>", service).find("secret") != std::string::npos);
    CHECK(verona.romeo.ask("get", items + " node='letters'/>", service).find("name='a'") !=
          std::string::npos);
    const auto meta = verona.romeo.ask("get", info + " node='letters'/>", service);
    CHECK(meta.find("<identity category='pubsub' type='leaf'/>") != std::string::npos);
    CHECK(meta.find("<value>Letters</value>") != std::string::npos);
    CHECK(meta.find("<value>" + juliets + "</value>") != std::string::npos);
    CHECK(failure(verona.romeo.ask("get", info + " node='secret'/>", service)) ==
          "cancel item-not-found");
    CHECK(failure(verona.romeo.ask("get", items + " node='secret'/>", service)) ==
          "cancel not-allowed closed-node");
    CHECK(failure(verona.romeo.ask("get", info + " node='none'/>", service)) ==
          "cancel item-not-found");
}

TEST_CASE("defaults are told: of nodes and of subscriptions") {
    Verona verona;
    const auto nodes = verona.romeo.ask("get", ownerPubsub("<default/>"), service);
    CHECK(nodes.find("pubsub#access_model") != std::string::npos);
    CHECK(nodes.find("<option") != std::string::npos);
    CHECK(failure(verona.romeo.ask("get", ownerPubsub("<default type='collection'/>"), service)) ==
          "cancel feature-not-implemented unsupported collections");
    const auto options = verona.romeo.ask("get", pubsub("<default/>"), service);
    CHECK(options.find("pubsub#deliver") != std::string::npos);
}
