// Publish-subscribe and those who mean harm, or can't do better.
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string juliets = "juliet@capulet.example";

std::string configuration(TestClient& client, const std::string& node, const std::string& to) {
    return payload(client.ask("get", ownerPubsub("<configure node='" + node + "'/>"), to));
}

}  // namespace

TEST_CASE("a form that makes no sense changes nothing") {
    struct Row {
        std::string form;
        std::string outcome;
    };
    const std::string bad = "modify bad-request";
    const std::string senseless = "modify not-acceptable";
    std::vector<Row> rows{
        {"", bad},
        {"<x xmlns='jabber:x:data'/>", bad},
        {"<x xmlns='jabber:x:data' type='form'/>", bad},
        {"<x xmlns='jabber:x:data' type='result'/>", bad},
        {"<x xmlns='jabber:x:other' type='submit'/>", bad},
        {form("publish-options", {{"title", "x"}}), bad},
        {form("node_config", {{"title", "x"}, {"title", "y"}}), bad},
        {"<x xmlns='jabber:x:data' type='submit'><field><value>1</value></field></x>", bad},
        {form("node_config", {{"access_model", "everybody"}}),
         "modify not-acceptable unsupported-access-model"},
        {form("node_config", {{"title", std::string(1025, 'x')}}), senseless},
        {form("node_config", {{"contact", "@@"}}), senseless},
        {form("node_config", {{"roster_groups_allowed", std::string(1025, 'x')}}), senseless},
    };
    const std::vector<std::string> words{"publish_model", "send_last_published_item",
                                         "publish_node_full", "notification_type", "node_type"};
    for (const auto& field : words)
        for (const std::string value : {"OPEN ", "collection", "1", "&lt;x/&gt;"})
            rows.push_back({form("node_config", {{field, value}}), senseless});
    for (const std::string field :
         {"persist_items", "deliver_notifications", "deliver_payloads", "notify_config",
          "notify_delete", "notify_retract", "notify_sub", "subscribe"})
        for (const std::string value : {"yes", "2", "TRUE", "-1", "open"})
            rows.push_back({form("node_config", {{field, value}}), senseless});
    for (const std::string field : {"max_items", "item_expire", "max_payload_size"})
        for (const std::string value : {"0", "-1", "1.5", "1e3", "0x10", "many", " 5", "maximum",
                                        "123456789012345678901234567890"})
            rows.push_back({form("node_config", {{field, value}}), senseless});
    // Several values where there is one.
    rows.push_back(
        {"<x xmlns='jabber:x:data' type='submit'><field var='pubsub#max_items'>"
         "<value>1</value><value>2</value></field></x>",
         senseless});

    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const std::string& to : {std::string{}, service}) {
        CHECK(outcome(juliet.ask("set", create("n", {{"title", "before"}}), to)) == "result");
        const auto before = configuration(juliet, "n", to);
        CHECK(before.find("before") != std::string::npos);
        for (const auto& row : rows) {
            INFO(row.form.substr(0, 300));
            CHECK(failure(juliet.ask(
                      "set", ownerPubsub("<configure node='n'>" + row.form + "</configure>"),
                      to)) == row.outcome);
            if (!row.form.empty())
                CHECK(
                    failure(juliet.ask(
                        "set", pubsub("<create node='m'/><configure>" + row.form + "</configure>"),
                        to)) == (row.form.find("jabber:x:other") != std::string::npos
                                     ? "result"
                                     : row.outcome));
            juliet.ask("set", ownerPubsub("<delete node='m'/>"), to);
        }
        CHECK(configuration(juliet, "n", to) == before);
    }
}

TEST_CASE("what is left out, unset or unknown in a form is as it was") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", create("n", {{"title", "t"}, {"max_items", "7"}}), service);
    CHECK(outcome(juliet.ask("set", configure("n", {{"x-own", "1"}, {"max_items", "8"}}),
                             service)) == "result");
    auto config = configuration(juliet, "n", service);
    CHECK(config.find("<value>t</value>") != std::string::npos);
    CHECK(config.find("<value>8</value>") != std::string::npos);
    CHECK(outcome(juliet.ask("set", configure("n", {{"title", ""}, {"max_items", ""}}), service)) ==
          "result");
    config = configuration(juliet, "n", service);
    CHECK(config.find("<value>t</value>") == std::string::npos);
    CHECK(config.find("<value>20</value>") != std::string::npos);
    CHECK(outcome(juliet.ask("set", configure("n", {{"max_items", "99999999999"}}), service)) ==
          "result");
    CHECK(configuration(juliet, "n", service).find("<value>max</value>") != std::string::npos);
}

TEST_CASE("publish options are preconditions: known, sensible and met") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publish("urn:n", "a", note("x"), {{"max_items", "5"}}));
    struct Row {
        Fields options;
        std::string outcome;
    };
    const std::string unmet = "cancel conflict precondition-not-met";
    for (const auto& [options, expected] : std::vector<Row>{
             {{{"max_items", "5"}}, "result"},
             {{{"max_items", "5"}, {"persist_items", "true"}}, "result"},
             {{{"persist_items", "1"}, {"access_model", "presence"}}, "result"},
             {{{"max_items", "6"}}, unmet},
             {{{"max_items", "max"}}, unmet},
             {{{"access_model", "open"}}, unmet},
             {{{"access_model", "presence"}, {"persist_items", "0"}}, unmet},
             {{{"unknown", "1"}}, unmet},
             {{{"x-unknown", "1"}}, unmet},
             {{{"access_model", "nonsense"}}, "modify not-acceptable unsupported-access-model"},
             {{{"max_items", "nonsense"}}, "modify not-acceptable"}}) {
        for (const std::string node : {"urn:n", "urn:new"}) {
            const bool isNew = node == "urn:new";
            const bool isUnknown = options.front().first.find("unknown") != std::string::npos;
            INFO(node << " " << options.front().first << " " << options.front().second);
            const auto answer = failure(juliet.ask("set", publish(node, "a", note("y"), options)));
            // A new node is made as the options say.
            CHECK(answer == (isNew && expected == unmet && !isUnknown ? "result" : expected));
            if (isNew && answer == "result")
                juliet.ask("set", ownerPubsub("<delete node='urn:new'/>"));
            else if (isNew)
                CHECK(failure(juliet.ask("get", items(node))) == "cancel item-not-found");
        }
    }
    const std::string publication =
        "<publish node='urn:n'><item id='b'>" + note("x") + "</item></publish><publish-options>";
    for (const std::string& content :
         {std::string{}, form("node_config", {{"max_items", "5"}}), form("", {{"max_items", "5"}}),
          form("publish-options", {{"max_items", "5"}}, "form")}) {
        INFO(content);
        CHECK(failure(juliet.ask("set", pubsub(publication + content + "</publish-options>"))) ==
              "modify bad-request");
    }
    CHECK(listed(juliet.ask("get", items("urn:n"))) == "a:y");
}

TEST_CASE("items that can't be published are refused as the specification says") {
    TestServer server{"[pubsub]\nitem_bytes_max = '1 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto publishes = [&](const std::string& content) {
        return failure(juliet.ask("set", pubsub(content)));
    };
    CHECK(publishes("<publish node='urn:n'/>") == "modify bad-request item-required");
    CHECK(publishes("<publish node='urn:n'><item/></publish>") ==
          "modify bad-request payload-required");
    CHECK(publishes("<publish node='urn:n'><item><a xmlns='urn:a'/><b xmlns='urn:b'/></item>"
                    "</publish>") == "modify bad-request invalid-payload");
    CHECK(publishes("<publish node='urn:n'><item><a xmlns='urn:a'/></item>"
                    "<item><b xmlns='urn:b'/></item></publish>") == "modify bad-request");
    CHECK(publishes("<publish><item><a xmlns='urn:a'/></item></publish>") ==
          "modify bad-request nodeid-required");
    CHECK(publishes("<publish node=''><item><a xmlns='urn:a'/></item></publish>") ==
          "modify bad-request nodeid-required");
    CHECK(publishes("<publish node='" + std::string(1024, 'n') +
                    "'><item><a xmlns='urn:a'/></item></publish>") == "modify bad-request");
    CHECK(publishes("<publish node='urn:n'><item id='" + std::string(1024, 'i') +
                    "'><a xmlns='urn:a'/></item></publish>") == "modify bad-request");
    CHECK(failure(juliet.ask("set", publish("urn:big", "a", note(std::string(1100, 'x'))))) ==
          "modify not-acceptable payload-too-big");
    CHECK(failure(juliet.ask("get", items("urn:big"))) == "cancel item-not-found");
    CHECK(failure(juliet.ask("set", publish("urn:t", "a", note("x"), {{"type", "urn:else"}}))) ==
          "modify bad-request invalid-payload");
    CHECK(failure(juliet.ask("set", publish("urn:s", "a", note("xxxxxxxxxxxxxxxxxxxxxxxxxxx"),
                                            {{"max_payload_size", "30"}}))) ==
          "modify not-acceptable payload-too-big");
    for (const char* content : {"", "<publish xmlns='urn:other' node='urn:n'/>", "text"})
        CHECK(publishes(content) == "modify bad-request");
    CHECK(publishes("<explode node='urn:n'/>") == "cancel feature-not-implemented");
    CHECK(failure(juliet.ask("get", publish("urn:n", "a", note("x")))) ==
          "cancel feature-not-implemented");
    CHECK(failure(juliet.ask("set", items("urn:n"))) == "cancel feature-not-implemented");
}

TEST_CASE("names and ids may be anything that XML can say") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    wants(juliet, {"x"});
    juliet.forget();
    for (const std::string name :
         {"a&amp;b", "&lt;/pubsub&gt;", "&quot;&apos;", "äöü\xF0\x9F\x98\x80", "a b\u00A0c",
          "../../x", "'; DROP TABLE pubsub_item; --", "%00", "null", "0"}) {
        std::string safe;
        for (const char c : name) safe += c == '\'' ? std::string{"&apos;"} : std::string{c};
        for (const std::string& to : {std::string{}, service}) {
            INFO(safe);
            CHECK(outcome(juliet.ask("set", publish(safe, safe, note(safe)), to)) == "result");
            const auto answer = juliet.ask("get", items(safe), to);
            CHECK(outcome(answer) == "result");
            const auto stanza = parseXml(answer, ns::client);
            const Element* list = (*stanza)->firstChild()->child("items");
            REQUIRE(list->child("item"));
            CHECK(list->get("node") == list->child("item")->get("id"));
            CHECK(list->get("node") == list->child("item")->firstChild()->text());
            CHECK(outcome(juliet.ask("set", retract(safe, safe), to)) == "result");
            CHECK(outcome(juliet.ask("set", ownerPubsub("<delete node='" + safe + "'/>"), to)) ==
                  "result");
        }
    }
}

TEST_CASE("nobody reads or changes what is somebody else's, by whichever request") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    juliet.ask("set", publish("urn:n", "a", note("secret"), {{"access_model", "whitelist"}}));
    juliet.ask("set", publish("urn:p", "a", note("secret")));
    juliet.ask("set", publish("urn:o", "a", note("open"), {{"access_model", "open"}}));
    befriend(juliet, romeo);  // even a contact
    const std::vector<std::pair<std::string, std::string>> requests{
        {"set", publish("NODE", "a", note("forged"))},
        {"set", publish("NODE", "b", note("forged"))},
        {"set", retract("NODE", "a")},
        {"set", create("urn:new")},
        {"set", publish("urn:new", "a", note("x"), {{"access_model", "open"}})},
        {"get", ownerPubsub("<configure node='NODE'/>")},
        {"set", configure("NODE", {{"access_model", "open"}})},
        {"get", ownerPubsub("<default/>")},
        {"set", ownerPubsub("<delete node='NODE'/>")},
        {"set", ownerPubsub("<purge node='NODE'/>")},
        {"get", ownerPubsub("<subscriptions node='NODE'/>")},
        {"set", ownerPubsub("<subscriptions node='NODE'><subscription jid='romeo@montague.example' "
                            "subscription='subscribed'/></subscriptions>")},
        {"get", ownerPubsub("<affiliations node='NODE'/>")},
        {"set", affiliate("NODE", {{"romeo@montague.example", "owner"}})},
    };
    for (const std::string node : {"urn:n", "urn:p", "urn:o"})
        for (const auto& [type, pattern] : requests) {
            std::string request = pattern;
            if (const auto at = request.find("NODE"); at != std::string::npos)
                request.replace(at, 4, node);
            INFO(request);
            const auto answer = failure(romeo.ask(type, request, juliets));
            CHECK((answer == "auth forbidden" || answer == "cancel item-not-found"));
        }
    CHECK(failure(romeo.ask("get", items("urn:n"), juliets)) == "cancel not-allowed closed-node");
    CHECK(failure(romeo.ask("set", subscribeTo("urn:n", "romeo@montague.example"), juliets)) ==
          "cancel not-allowed closed-node");
    CHECK(listed(juliet.ask("get", items("urn:n"))) == "a:secret");
    CHECK(listed(juliet.ask("get", items("urn:p"))) == "a:secret");
    CHECK(listed(juliet.ask("get", items("urn:o"))) == "a:open");
    CHECK(failure(juliet.ask("get", items("urn:new"))) == "cancel item-not-found");
    // Nor does an owner of a node give it to somebody else, or lose it.
    for (const Fields& people : {Fields{{"romeo@montague.example", "owner"}},
                                 Fields{{juliets, "none"}}, Fields{{juliets, "outcast"}}})
        CHECK(outcome(juliet.ask("set", affiliate("urn:n", people))) == "modify not-acceptable");
}

TEST_CASE("an account that does not exist answers as one without nodes") {
    TestServer server{"", 2};
    server.addAccount("empty@capulet.example");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const std::vector<std::pair<std::string, std::string>> requests{
        {"get", items("urn:n")},
        {"set", publish("urn:n", "a", note("x"))},
        {"set", create("urn:n")},
        {"set", create("")},
        {"set", retract("urn:n", "a")},
        {"set", subscribeTo("urn:n", "romeo@montague.example")},
        {"set", unsubscribeFrom("urn:n", "romeo@montague.example")},
        {"get", pubsub("<subscriptions/>")},
        {"get", pubsub("<affiliations/>")},
        {"get", pubsub("<default/>")},
        {"get", ownerPubsub("<default/>")},
        {"get", ownerPubsub("<configure node='urn:n'/>")},
        {"set", ownerPubsub("<delete node='urn:n'/>")},
        {"get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"},
        {"get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"},
        {"get", "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:n'/>"},
        {"get", "<query xmlns='http://jabber.org/protocol/disco#items' node='urn:n'/>"},
    };
    for (const auto& [type, request] : requests) {
        INFO(request);
        const auto strip = [](std::string answer) { return answer.substr(answer.find('>')); };
        CHECK(strip(romeo.ask(type, request, "empty@capulet.example")) ==
              strip(romeo.ask(type, request, "nobody@capulet.example")));
    }
}

TEST_CASE("what can grow has limits") {
    TestServer server{
        "[pubsub]\nnodes_max = 3\nitems_max = 4\nbytes_max = '64 KiB'\n"
        "subscriptions_max = 2\npending_max = 1\naffiliations_max = 3"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    auto& nurse = server.login("nurse@capulet.example/house");
    for (const std::string& to : {std::string{}, service}) {
        for (const std::string node : {"a", "b", "c"})
            CHECK(outcome(juliet.ask(
                      "set", create(node, {{"max_items", "max"}, {"access_model", "open"}}), to)) ==
                  "result");
        CHECK(failure(juliet.ask("set", create("d"), to)) == "wait resource-constraint");
        CHECK(failure(juliet.ask("set", publish("d", "x", note("x")), to)) ==
              "wait resource-constraint");
        CHECK(outcome(juliet.ask("set", ownerPubsub("<delete node='c'/>"), to)) == "result");
        CHECK(outcome(juliet.ask("set", create("d", {{"access_model", "authorize"}}), to)) ==
              "result");
        for (const std::string id : {"1", "2", "3", "4", "5", "6"})
            CHECK(outcome(juliet.ask("set", publish("a", id, note(id)), to)) == "result");
        CHECK(listed(juliet.ask("get", items("a"), to)) == "3:3 4:4 5:5 6:6");
        const std::string large(30000, 'x');
        CHECK(outcome(juliet.ask("set", publish("a", "l", note(large)), to)) == "result");
        CHECK(outcome(juliet.ask("set", publish("b", "m", note(large)), to)) == "result");
        CHECK(failure(juliet.ask("set", publish("b", "n", note(large)), to)) ==
              "wait resource-constraint");
        CHECK(outcome(juliet.ask("set", publish("b", "m", note(large)), to)) == "result");

        const std::string node = to.empty() ? juliets : service;
        CHECK(outcome(romeo.ask("set", subscribeTo("a", "romeo@montague.example"), node)) ==
              "result");
        CHECK(outcome(tybalt.ask("set", subscribeTo("a", "tybalt@capulet.example"), node)) ==
              "result");
        CHECK(failure(nurse.ask("set", subscribeTo("a", "nurse@capulet.example"), node)) ==
              "wait policy-violation too-many-subscriptions");
        CHECK(outcome(romeo.ask("set", subscribeTo("d", "romeo@montague.example"), node)) ==
              "result");
        CHECK(failure(nurse.ask("set", subscribeTo("d", "nurse@capulet.example"), node)) ==
              "wait policy-violation too-many-subscriptions");
        CHECK(outcome(juliet.ask("set",
                                 affiliate("a", {{"x@y.example", "member"},
                                                 {"y@y.example", "member"},
                                                 {"z@y.example", "member"}}),
                                 to)) == "modify not-acceptable");
    }
}

TEST_CASE("one entity does not subscribe with any number of addresses") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    juliet.ask("set", create("n"), service);
    int done = 0;
    for (int i = 0; i < 30; ++i)
        done += outcome(romeo.ask("set",
                                  subscribeTo("n", "romeo@montague.example/" + std::to_string(i)),
                                  service)) == "result";
    CHECK(done == 20);
}

TEST_CASE("requests at the same time leave one result") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    std::string burst;
    for (int i = 0; i < 20; ++i)
        burst += "<iq type='set' id='p" + std::to_string(i) + "'>" +
                 publish("urn:n", "i" + std::to_string(i), note("x"), {{"max_items", "50"}}) +
                 "</iq><iq type='set' id='c" + std::to_string(i) + "' to='" + service + "'>" +
                 create("n") + "</iq>";
    juliet.send(burst);
    int published = 0;
    int created = 0;
    for (const auto& xml : juliet.all()) {
        const auto stanza = parseXml(xml, ns::client);
        const std::string id{(*stanza)->get("id")};
        published += id.starts_with("p") && outcome(xml) == "result";
        created += id.starts_with("c") && outcome(xml) == "result";
    }
    CHECK(created == 1);
    CHECK(published == 20);
    const auto stanza = parseXml(juliet.ask("get", items("urn:n")), ns::client);
    CHECK((*stanza)->firstChild()->child("items")->children().size() == std::size_t(published));
}

TEST_CASE("messages to the service are answered or ignored, never more") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<message to='" + service + "' id='m'><body>hello</body></message>");
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
    juliet.send("<message type='error' to='" + service + "' id='m'/><presence to='" + service +
                "'/><presence type='subscribe' to='" + service +
                "'/><iq type='result' id='x' to='" + service + "'/>");
    CHECK(juliet.next() == "");
    CHECK(failure(juliet.ask("get", "<x xmlns='urn:unknown'/>", service)) ==
          "cancel service-unavailable");
    CHECK(failure(juliet.ask("get", items("n"), "x@" + service)) == "cancel service-unavailable");
    CHECK(failure(juliet.ask("get", items("n"), "capulet.example")) ==
          "cancel service-unavailable");
}

TEST_CASE("retractions name what there is") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publish("urn:n", "a", note("x"), {{"max_items", "5"}}));
    const auto retracts = [&](const std::string& content) {
        return failure(juliet.ask("set", pubsub(content)));
    };
    CHECK(retracts("<retract node='urn:n'/>") == "modify bad-request item-required");
    CHECK(retracts("<retract node='urn:n'><item/></retract>") ==
          "modify bad-request item-required");
    CHECK(retracts("<retract><item id='a'/></retract>") == "modify bad-request nodeid-required");
    CHECK(retracts("<retract node='urn:n'><item id='b'/></retract>") == "cancel item-not-found");
    CHECK(retracts("<retract node='urn:m'><item id='a'/></retract>") == "cancel item-not-found");
    CHECK(retracts("<retract node='urn:n' notify='often'><item id='a'/></retract>") ==
          "modify bad-request");
    CHECK(retracts("<retract node='urn:n'><item id='a'/><item id='a'/></retract>") == "result");
    CHECK(listed(juliet.ask("get", items("urn:n"))) == "");
}
