// Personal eventing (XEP-0163).
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {
const std::string juliets = "juliet@capulet.example";
}

TEST_CASE("an account publishes, and reads what it has published") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto answer = juliet.ask("set", publish("urn:n", "a", note("hello")));
    CHECK(payload(answer) ==
          "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:n'>"
          "<item id='a'/></publish></pubsub>");
    CHECK(listed(juliet.ask("get", items("urn:n"))) == "a:hello");
    CHECK(listed(juliet.ask("get", items("urn:n"), juliets)) == "a:hello");
    // One item is kept unless the node is configured otherwise.
    CHECK(outcome(juliet.ask("set", publish("urn:n", "b", note("again")), juliets)) == "result");
    CHECK(listed(juliet.ask("get", items("urn:n"))) == "b:again");
    server.restart();
    auto& later = server.login("juliet@capulet.example/balcony");
    CHECK(listed(later.ask("get", items("urn:n"))) == "b:again");
}

TEST_CASE("an item without an id gets one") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto answer = parseXml(juliet.ask("set", publish("urn:n", "", note("x"))), ns::client);
    const Element* published = (*answer)->firstChild()->child("publish");
    REQUIRE(published->child("item"));
    const std::string id{published->child("item")->get("id")};
    CHECK(id.size() >= 16);
    CHECK(listed(juliet.ask("get", items("urn:n"))) == id + ":x");
}

TEST_CASE("contacts and own clients that want it are notified, others are not") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& home = server.login("romeo@montague.example/home");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    befriend(juliet, romeo);
    for (auto* client : {&juliet, &romeo, &tybalt}) wants(*client, {"urn:n"});
    wants(chamber, {"urn:other"});
    for (auto* client : {&juliet, &chamber, &romeo, &home, &tybalt}) client->forget();

    CHECK(outcome(juliet.ask("set", publish("urn:n", "a", note("hello")))) == "result");
    const std::string told = juliets + " headline urn:n a:hello";
    CHECK(events(juliet) == Events{told});
    CHECK(events(romeo) == Events{told});
    CHECK(events(chamber).empty());
    CHECK(events(home).empty());
    CHECK(events(tybalt).empty());

    // Nothing reaches who has turned away.
    romeo.send("<presence type='unavailable'/>");
    romeo.forget();
    CHECK(outcome(juliet.ask("set", publish("urn:n", "b", note("bye")))) == "result");
    CHECK(events(romeo).empty());
    CHECK(events(juliet) == Events{juliets + " headline urn:n b:bye"});
}

TEST_CASE("a client that comes online gets the last items of its contacts, also of absent ones") {
    TestServer server{"", 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& nurse = server.login("nurse@capulet.example/house");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    befriend(nurse, romeo);
    juliet.ask("set", publish("urn:n", "a", note("from juliet")));
    juliet.ask("set", publish("urn:unwanted", "a", note("no")));
    nurse.ask("set", publish("urn:n", "b", note("from nurse")));
    nurse.cut();
    romeo.cut();
    server.advance(std::chrono::minutes{10});  // they are not in memory any more
    server.login("juliet@capulet.example/balcony");
    auto& back = server.login("romeo@montague.example/orchard", false);

    wants(back, {"urn:n"});
    auto got = events(back);
    std::sort(got.begin(), got.end());
    CHECK(got == Events{"juliet@capulet.example headline urn:n a:from juliet delayed",
                        "nurse@capulet.example headline urn:n b:from nurse delayed"});
    // Not again with every presence, and only what is new to it when it wants more.
    back.send(presenceWith(capsOf({"urn:n+notify"})));
    CHECK(events(back).empty());
    wants(back, {"urn:n", "urn:unwanted"});
    CHECK(events(back) == Events{juliets + " headline urn:unwanted a:no delayed"});
}

TEST_CASE("an operator can have the last items of those alone who are online") {
    TestServer server{"[pubsub]\nlast_items_of_absent = false", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& nurse = server.login("nurse@capulet.example/house");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    befriend(nurse, romeo);
    juliet.ask("set", publish("urn:n", "a", note("here")));
    nurse.ask("set", publish("urn:n", "b", note("away")));
    nurse.cut();
    romeo.forget();
    wants(romeo, {"urn:n"});
    CHECK(events(romeo) == Events{juliets + " headline urn:n a:here delayed"});
}

TEST_CASE("the own last items come to one's own new client") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publish("urn:n", "a", note("x"), {{"access_model", "whitelist"}}));
    auto& chamber = server.login("juliet@capulet.example/chamber", false);
    wants(chamber, {"urn:n"});
    CHECK(events(chamber) == Events{juliets + " headline urn:n a:x delayed"});
}

TEST_CASE("a large last item is read from the store when it is wanted") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string large(20000, 'x');
    CHECK(outcome(juliet.ask("set", publish("urn:n", "a", note(large)))) == "result");
    auto& chamber = server.login("juliet@capulet.example/chamber", false);
    wants(chamber, {"urn:n"});
    CHECK(events(chamber) == Events{juliets + " headline urn:n a:" + large + " delayed"});
}

TEST_CASE("no last item when the node says never, and none that was retracted") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set",
               publish("urn:never", "a", note("x"), {{"send_last_published_item", "never"}}));
    juliet.ask("set", publish("urn:gone", "a", note("x"), {{"max_items", "max"}}));
    juliet.ask("set", publish("urn:gone", "b", note("y")));
    CHECK(outcome(juliet.ask("set", retract("urn:gone", "b"))) == "result");
    auto& chamber = server.login("juliet@capulet.example/chamber", false);
    wants(chamber, {"urn:never", "urn:gone"});
    CHECK(events(chamber) == Events{juliets + " headline urn:gone a:x delayed"});
}

TEST_CASE("capabilities are asked for once, and shared by all who announce the same") {
    TestServer server{"", 1};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    auto& nurse = server.login("nurse@capulet.example/house");
    befriend(juliet, romeo);
    befriend(juliet, nurse);
    const std::string ver = capsOf({"urn:n+notify"});
    romeo.send(presenceWith(ver));
    nurse.send(presenceWith(ver));
    CHECK(tells(romeo, {"urn:n+notify"}));
    CHECK_FALSE(tells(nurse, {"urn:n+notify"}));
    romeo.forget();
    juliet.ask("set", publish("urn:n", "a", note("x")));
    CHECK(events(romeo).size() == 1);
    CHECK(events(nurse).size() == 1);
    // Also after a restart.
    server.restart();
    auto& back = server.login("nurse@capulet.example/house", false);
    back.send(presenceWith(ver));
    CHECK(events(back) == Events{juliets + " headline urn:n a:x delayed"});
}

TEST_CASE("a forged hash deceives nobody else") {
    TestServer server{"", 1};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& mallory = server.login("mallory@capulet.example/cave");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    auto& nurse = server.login("nurse@capulet.example/house");
    befriend(juliet, mallory);
    befriend(juliet, romeo);
    befriend(juliet, nurse);
    const std::string ver = capsOf({"urn:n+notify"});
    mallory.send(presenceWith(ver));
    romeo.send(presenceWith(ver));
    nurse.send(presenceWith(ver));
    // She claims that this hash means something else; then the next one is asked.
    CHECK(tells(mallory, {"urn:other+notify"}));
    CHECK(tells(romeo, {"urn:n+notify"}));
    CHECK_FALSE(tells(nurse, {"urn:n+notify"}));
    for (auto* client : {&mallory, &romeo, &nurse}) client->forget();
    juliet.ask("set", publish("urn:n", "a", note("x")));
    juliet.ask("set", publish("urn:other", "b", note("y")));
    CHECK(events(romeo) == Events{juliets + " headline urn:n a:x"});
    CHECK(events(nurse) == Events{juliets + " headline urn:n a:x"});
    // What she said holds for herself.
    CHECK(events(mallory) == Events{juliets + " headline urn:other b:y"});
}

TEST_CASE("who does not answer for a hash is passed over") {
    TestServer server{"", 1};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& silent = server.login("silent@capulet.example/a");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    silent.send(presenceWith(capsOf({"urn:n+notify"})));
    romeo.send(presenceWith(capsOf({"urn:n+notify"})));
    romeo.forget();
    server.advance(std::chrono::seconds{25});
    CHECK(tells(romeo, {"urn:n+notify"}));
    juliet.ask("set", publish("urn:n", "a", note("x")));
    CHECK(events(romeo).size() == 1);
}

TEST_CASE("the second form of capabilities is understood") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::vector<std::string> features{"urn:n+notify"};
    const auto hash = capsHash(**parseXml(discoInfo(features)), Hash::Sha256).value();
    juliet.send(
        "<presence><c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>" +
        hash + "</hash></c></presence>");
    const auto asked = juliet.all();
    REQUIRE(asked.size() == 2);
    CHECK(asked.back().find("node='urn:xmpp:caps#sha-256." + hash + "'") != std::string::npos);
    juliet.send("<iq type='result' to='capulet.example' id='" +
                std::string{(*parseXml(asked.back(), ns::client))->get("id")} + "'>" +
                discoInfo(features) + "</iq>");
    juliet.ask("set", publish("urn:n", "a", note("x")));
    CHECK(events(juliet) == Events{juliets + " headline urn:n a:x"});
}

TEST_CASE("capabilities that make no sense are not asked for, or hold for one client alone") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    for (const std::string caps :
         {"<c xmlns='http://jabber.org/protocol/caps'/>",
          "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x'/>",
          "<c xmlns='urn:xmpp:caps'/>",
          "<c xmlns='urn:xmpp:caps'><hash xmlns='urn:xmpp:hashes:2' algo='md5'>x</hash></c>"}) {
        INFO(caps);
        juliet.send("<presence>" + caps + "</presence>");
        CHECK_FALSE(tells(juliet, {"urn:n+notify"}));
    }
    // The version of a program: nobody can check that.
    juliet.send(
        "<presence><c xmlns='http://jabber.org/protocol/caps' node='x' ver='1.0'/></presence>");
    CHECK(tells(juliet, {"urn:n+notify"}));
    juliet.ask("set", publish("urn:n", "a", note("x")));
    CHECK(events(juliet).size() == 1);
    auto& chamber = server.login("juliet@capulet.example/chamber", false);
    chamber.send(
        "<presence><c xmlns='http://jabber.org/protocol/caps' node='x' ver='1.0'/></presence>");
    CHECK(tells(chamber, {"urn:else+notify"}));
    CHECK(events(chamber).empty());
}

TEST_CASE("somebody who is no contact hears of open nodes while he sends presence") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& stranger = server.login("stranger@montague.example/x");
    juliet.ask("set", publish("urn:open", "a", note("1"), {{"access_model", "open"}}));
    juliet.ask("set", publish("urn:closed", "a", note("1")));
    const std::vector<std::string> features{"urn:closed+notify", "urn:open+notify"};
    stranger.send(presenceWith(capsOf(features), juliets));
    CHECK(tells(stranger, features));
    CHECK(events(stranger) == Events{juliets + " headline urn:open a:1 delayed"});
    juliet.ask("set", publish("urn:open", "b", note("2")));
    juliet.ask("set", publish("urn:closed", "b", note("2")));
    CHECK(events(stranger) == Events{juliets + " headline urn:open b:2"});
    stranger.send("<presence type='unavailable' to='" + juliets + "'/>");
    juliet.ask("set", publish("urn:open", "c", note("3")));
    CHECK(events(stranger).empty());
}

TEST_CASE("who is not seen any more hears nothing any more") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    wants(romeo, {"urn:n"});
    juliet.ask("set", publish("urn:n", "a", note("x")));
    CHECK(events(romeo).size() == 1);
    juliet.send("<presence type='unsubscribed' to='romeo@montague.example'/>");
    romeo.forget();
    juliet.ask("set", publish("urn:n", "b", note("y")));
    CHECK(events(romeo).empty());
    CHECK(failure(romeo.ask("get", items("urn:n"), juliets)) ==
          "auth not-authorized presence-subscription-required");
}

TEST_CASE("who is blocked hears nothing, however he has subscribed") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& paris = server.login("paris@montague.example/x");
    befriend(juliet, romeo);
    juliet.ask("set", publish("urn:n", "a", note("1"), {{"access_model", "open"}}));
    wants(romeo, {"urn:n"});
    CHECK(outcome(paris.ask("set", subscribeTo("urn:n", "paris@montague.example"), juliets)) ==
          "result");
    for (const char* jid : {"romeo@montague.example", "paris@montague.example"})
        CHECK(outcome(juliet.ask("set", "<block xmlns='urn:xmpp:blocking'><item jid='" +
                                            std::string{jid} + "'/></block>")) == "result");
    romeo.forget();
    paris.forget();
    juliet.ask("set", publish("urn:n", "b", note("2")));
    CHECK(events(romeo).empty());
    CHECK(events(paris).empty());
}

// XEP-0384, as Conversations, profanity and Dino do it.
TEST_CASE("device lists and bundles are published, corrected and read by strangers") {
    const std::string node = GENERATE(
        as<std::string>{}, "eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices");
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const Fields options{{"persist_items", "true"}, {"access_model", "open"}};
    // An old client has made the node as it is by default.
    CHECK(outcome(juliet.ask("set", publish(node, "current", note("1")))) == "result");
    CHECK(failure(romeo.ask("get", items(node), juliets)) ==
          "auth not-authorized presence-subscription-required");
    CHECK(failure(juliet.ask("set", publish(node, "current", note("2"), options))) ==
          "cancel conflict precondition-not-met");
    CHECK(listed(juliet.ask("get", items(node))) == "current:1");
    // The client fetches the configuration, changes it, and publishes again.
    const auto config = juliet.ask("get", ownerPubsub("<configure node='" + node + "'/>"));
    CHECK(config.find("pubsub#access_model") != std::string::npos);
    CHECK(outcome(juliet.ask("set", configure(node, options))) == "result");
    CHECK(outcome(juliet.ask("set", publish(node, "current", note("2"), options))) == "result");
    CHECK(listed(romeo.ask("get", items(node), juliets)) == "current:2");
    // Bundles are made with the right options at once.
    CHECK(outcome(juliet.ask("set", publish(node + ":7", "current", note("keys"), options))) ==
          "result");
    CHECK(listed(romeo.ask("get", items(node + ":7"), juliets)) == "current:keys");
    CHECK(failure(romeo.ask("get", items(node + ":8"), juliets)) == "cancel item-not-found");
    // Nobody publishes in somebody else's name.
    CHECK(failure(romeo.ask("set", publish(node, "current", note("3"), options), juliets)) ==
          "auth forbidden");
}

TEST_CASE("private data is kept from contacts, as XEP-0223 has it") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    wants(romeo, {"urn:private"});
    const Fields options{{"persist_items", "true"},
                         {"max_items", "max"},
                         {"send_last_published_item", "never"},
                         {"access_model", "whitelist"}};
    for (const std::string id : {"a", "b", "c"})
        CHECK(outcome(juliet.ask("set", publish("urn:private", id, note(id), options))) ==
              "result");
    CHECK(listed(juliet.ask("get", items("urn:private"))) == "a:a b:b c:c");
    CHECK(events(romeo).empty());
    CHECK(failure(romeo.ask("get", items("urn:private"), juliets)) ==
          "cancel not-allowed closed-node");
}

TEST_CASE("a node for groups of contacts is for these groups") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& nurse = server.login("nurse@capulet.example/house");
    befriend(juliet, romeo);
    befriend(juliet, nurse);
    juliet.ask("set",
               "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example'>"
               "<group>Love</group></item></query>");
    for (auto* client : {&romeo, &nurse}) wants(*client, {"urn:n"});
    CHECK(outcome(juliet.ask("set", publish("urn:n", "a", note("x"),
                                            {{"access_model", "roster"},
                                             {"roster_groups_allowed", "Love"}}))) == "result");
    CHECK(events(romeo).size() == 1);
    CHECK(events(nurse).empty());
    CHECK(listed(romeo.ask("get", items("urn:n"), juliets)) == "a:x");
    CHECK(failure(nurse.ask("get", items("urn:n"), juliets)) ==
          "auth not-authorized not-in-roster-group");
}

TEST_CASE("retractions, purges and the end of a node are told") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    wants(juliet, {"urn:n"});
    juliet.forget();
    juliet.ask("set", publish("urn:n", "a", note("x"), {{"max_items", "3"}}));
    juliet.ask("set", retract("urn:n", "a", "true"));
    juliet.ask("set", publish("urn:n", "b", note("y")));
    juliet.ask("set", retract("urn:n", "b", "0"));
    juliet.ask("set", publish("urn:n", "c", note("z")));
    juliet.ask("set", ownerPubsub("<purge node='urn:n'/>"));
    juliet.ask("set", ownerPubsub("<delete node='urn:n'/>"));
    const std::string from = juliets + " headline urn:n";
    CHECK(events(juliet) == Events{from + " a:x", from + " retract:a", from + " b:y", from + " c:z",
                                   from + " purge", from + " delete"});
    CHECK(failure(juliet.ask("get", items("urn:n"))) == "cancel item-not-found");
}

TEST_CASE("nothing of an account is left when it is removed") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publish("urn:n", "a", note("x"), {{"access_model", "open"}}));
    juliet.ask("set", subscribeTo("urn:n", juliets));
    juliet.ask("set", ownerPubsub("<delete node='urn:m'><redirect uri='xmpp:x'/></delete>"));
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(listed(romeo.ask("get", items("urn:n"), juliets)) == "a:x");
    juliet.ask("set", "<query xmlns='jabber:iq:register'><remove/></query>");
    server.advance(std::chrono::seconds{5});
    CHECK(failure(romeo.ask("get", items("urn:n"), juliets)) == "cancel item-not-found");
    for (const std::string table : {"pubsub_node", "pubsub_item", "pubsub_affiliation",
                                    "pubsub_subscription", "pubsub_moved"}) {
        INFO(table);
        const auto rows = server.wait(server.database().read([&](SqlConnection& connection) {
            std::int64_t count = -1;
            connection.run("SELECT COUNT(*) FROM " + table, {},
                           [&](const SqlRow& row) { count = row.integer(0); });
            return count;
        }));
        CHECK(rows == 0);
    }
    auto& next = server.login("juliet@capulet.example/balcony");
    CHECK(failure(next.ask("get", items("urn:n"))) == "cancel item-not-found");
    CHECK(outcome(next.ask("set", publish("urn:n", "a", note("new")))) == "result");
    CHECK(listed(next.ask("get", items("urn:n"))) == "a:new");
}

TEST_CASE("an account tells that it has personal eventing, and which nodes") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const std::string infoQuery = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    const std::string itemsQuery = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    juliet.ask("set", publish("urn:open", "a", note("x"),
                              {{"access_model", "open"}, {"title", "For all"}}));
    juliet.ask("set", publish("urn:closed", "a", note("x")));
    const auto info = juliet.ask("get", infoQuery);
    CHECK(info.find("<identity category='pubsub' type='pep'/>") != std::string::npos);
    for (const std::string feature : {"publish-options", "auto-create", "filtered-notifications",
                                      "persistent-items", "pubsub-on-a-jid"})
        CHECK(info.find("pubsub#" + feature + "'") != std::string::npos);
    const auto own = juliet.ask("get", itemsQuery);
    CHECK(own.find("node='urn:open' name='For all'") != std::string::npos);
    CHECK(own.find("node='urn:closed'") != std::string::npos);
    const auto seen = romeo.ask("get", itemsQuery, juliets);
    CHECK(seen.find("node='urn:open'") != std::string::npos);
    CHECK(seen.find("urn:closed") == std::string::npos);
    CHECK(seen.find("balcony") == std::string::npos);
    const std::string about =
        "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:open'/>";
    const auto meta = romeo.ask("get", about, juliets);
    CHECK(meta.find("<identity category='pubsub' type='leaf'/>") != std::string::npos);
    CHECK(meta.find("pubsub#creation_date") != std::string::npos);
    const std::string hidden =
        "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:closed'/>";
    CHECK(failure(romeo.ask("get", hidden, juliets)) == "cancel item-not-found");
}
