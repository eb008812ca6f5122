// The ways to components: several instances, instances that go, reloads, archives, presence.
#include "tests/stream/component.h"
#include "tests/stream/conversation.h"

#include "route/host.h"
#include "tests/plugins/answers.h"

#include <map>
#include <set>

using namespace epode;

namespace {

const std::string timeout =
    "<error type='wait'><remote-server-timeout "
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

std::string errorOf(std::string_view kind, std::string_view from, std::string_view id) {
    return "<" + std::string{kind} + " xmlns='jabber:client' type='error' from='" +
           std::string{from} + "' id='" + std::string{id} + "'>" + timeout + "</" +
           std::string{kind} + ">";
}

std::string iqTo(std::string_view to, std::string_view id) {
    return "<iq type='get' to='" + std::string{to} + "' id='" + std::string{id} +
           "'><ping xmlns='urn:xmpp:ping'/></iq>";
}

std::string discoItems(TestClient& client) {
    return payload(client.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                              "capulet.example"));
}

// Which of the instances each of many senders comes to; none comes to two of them.
std::map<std::string, std::size_t> shares(std::vector<TestClient*> instances, TestClient& sender,
                                          int senders) {
    for (auto* instance : instances) answersPings(*instance);
    for (int i = 0; i < senders; ++i)
        sender.send("<message from='u" + std::to_string(i) +
                    "@crowd.example' to='a@bridge.capulet.example'><body>" + std::to_string(i) +
                    "</body></message>");
    std::map<std::string, std::size_t> found;
    for (std::size_t i = 0; i < instances.size(); ++i)
        for (const auto& xml : answersPings(*instances[i])) {
            const auto stanza = Stanza::parse(xml);
            REQUIRE(stanza);
            CHECK(found.emplace(std::string{stanza->body()}, i).second);
        }
    return found;
}

}  // namespace

TEST_CASE("what is sent to a component that isn't connected is refused, and presence is dropped") {
    TestServer server{bridgeConfig, GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(message("a@bridge.capulet.example", "hi", "m"));
    gets(juliet, errorOf("message", "a@bridge.capulet.example", "m"));
    juliet.send(iqTo("bridge.capulet.example", "q"));
    gets(juliet, errorOf("iq", "bridge.capulet.example", "q"));
    juliet.send("<presence to='a@bridge.capulet.example/nick'/>");
    juliet.send("<iq type='result' to='bridge.capulet.example' id='r'/>");
    juliet.send("<message type='error' to='bridge.capulet.example' id='r'/>");
    getsNothing(juliet);
    // What is no component and no host is somewhere else.
    juliet.send(iqTo("other.capulet.example", "o"));
    CHECK(outcome(juliet.next()) == "cancel remote-server-not-found");
}

TEST_CASE("a component that is connected is listed with its host, if it may be") {
    TestServer server{bridgeConfig +
                      "name = 'The bridge'\n[component.'hidden.capulet.example']\nsecret = 'h'\n"
                      "listed = false\n[component.'far.example']\nsecret = 'f'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(discoItems(juliet).find("bridge") == std::string::npos);
    auto& component = join(server);
    join(server, 0, "hidden.capulet.example", "h");
    join(server, 0, "far.example", "f");
    const auto items = discoItems(juliet);
    CHECK(items.find("<item jid='bridge.capulet.example' name='The bridge'/>") !=
          std::string::npos);
    CHECK(items.find("hidden") == std::string::npos);
    CHECK(items.find("far.example") == std::string::npos);
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(romeo
              .ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                   "montague.example")
              .find("bridge") == std::string::npos);
    component.cut();
    CHECK(discoItems(juliet).find("bridge") == std::string::npos);
}

TEST_CASE("each sender comes to one instance, and when it goes to another, while the rest stay") {
    TestServer server{bridgeConfig + "[component.'crowd.example']\nsecret = 'c'\n",
                      GENERATE(1u, 3u)};
    const unsigned shards = server.server().shardCount();
    auto& crowd = join(server, 0, "crowd.example", "c");
    auto& one = join(server, 0);
    auto& two = join(server, shards - 1);
    auto& three = join(server, shards / 2);
    const auto before = shares({&one, &two, &three}, crowd, 120);
    CHECK(before.size() == 120);
    std::map<std::size_t, int> counts;
    for (const auto& [sender, instance] : before) ++counts[instance];
    for (std::size_t i = 0; i < 3; ++i) CHECK(counts[i] > 15);
    // The same once more.
    CHECK(shares({&one, &two, &three}, crowd, 120) == before);

    answersPings(two);
    two.cut();
    crowd.forget();
    const auto without = shares({&one, &three}, crowd, 120);
    REQUIRE(without.size() == 120);
    for (const auto& [sender, instance] : before) {
        if (instance == 0) CHECK(without.at(sender) == 0);
        if (instance == 2) CHECK(without.at(sender) == 1);
    }
    // Who comes in its place gets its share.
    auto& again = join(server, 0);
    CHECK(shares({&one, &again, &three}, crowd, 120) == before);
}

TEST_CASE("instances may be chosen by the addressee") {
    TestServer server{bridgeConfig + "instance_by = 'addressee'\n", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    std::vector<TestClient*> instances{&join(server, 0), &join(server, 1)};
    std::set<std::size_t> used;
    for (int i = 0; i < 20; ++i) {
        const std::string room = "room" + std::to_string(i) + "@bridge.capulet.example";
        juliet.send(message(room + "/x", "a"));
        romeo.send(message(room, "b"));
        std::size_t with = 0;
        for (std::size_t j = 0; j < 2; ++j) {
            const auto got = answersPings(*instances[j]);
            CHECK((got.empty() || got.size() == 2));
            if (got.size() == 2) {
                used.insert(j);
                ++with;
            }
        }
        CHECK(with == 1);
    }
    CHECK(used.size() == 2);
}

TEST_CASE("the answer to a request goes to the instance that has asked") {
    TestServer server{bridgeConfig, GENERATE(1u, 2u)};
    std::vector<TestClient*> instances;
    for (unsigned i = 0; i < 4; ++i)
        instances.push_back(&join(server, i % server.server().shardCount()));
    for (auto* instance : instances) answersPings(*instance);
    // The same id by all of them: the last has asked last.
    for (std::size_t i = 0; i < 4; ++i) {
        const std::string from = "user" + std::to_string(i) + "@bridge.capulet.example";
        instances[i]->send("<iq type='get' id='1' from='" + from +
                           "' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>");
        gets(*instances[i], "<iq type='result' id='1' from='capulet.example' to='" + from + "'/>");
    }
    for (auto* instance : instances) CHECK(answersPings(*instance).empty());
}

TEST_CASE("more instances than there may be are refused, and those who are gone make room") {
    TestServer server{bridgeConfig + "instances_max = 1\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& first = join(server);
    auto& second = server.connectComponent();
    second.send(componentHeader());
    second.send(handshake(second));
    isEndedWith(server, second, "conflict");
    // The first is asked whether it is there.
    CHECK(isPing(first.next()));
    first.send(
        "<message from='bridge.capulet.example' to='juliet@capulet.example/balcony' "
        "type='headline'>"
        "<body>here</body></message>");
    CHECK(bodies(juliet) == "here");
}

TEST_CASE("an instance that doesn't answer when another comes is taken for lost") {
    TestServer server{bridgeConfig + "ping_timeout = '1 min'\n"};
    auto& first = join(server);
    server.advance(70s);
    CHECK(answersPings(first).empty());  // it answers pings
    auto& second = join(server);
    server.advance(16s);
    CHECK(first.streamError() == "connection-timeout");
    CHECK(second.streamError() == "");
    CHECK(server.components().status().front().instances.size() == 1);
}

TEST_CASE("what an instance may not have read goes back when it is lost, once") {
    TestServer server{bridgeConfig, GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server, server.server().shardCount() - 1);
    juliet.send(message("a@bridge.capulet.example", "one", "1"));
    server.advance(200ms);
    // Answers what came with it: "one" has arrived.
    CHECK(answersPings(component).size() == 1);
    juliet.send(message("a@bridge.capulet.example", "two", "2"));
    juliet.send(iqTo("bridge.capulet.example", "q"));
    juliet.send(iqTo("bridge.capulet.example", "answered"));
    juliet.send("<presence to='a@bridge.capulet.example/nick'/>");
    component.send(
        "<iq type='result' id='answered' from='bridge.capulet.example' "
        "to='juliet@capulet.example/balcony'/>");
    gets(juliet, "<iq type='result' id='answered' from='bridge.capulet.example'/>");
    getsNothing(juliet);
    component.cut();
    gets(juliet, errorOf("message", "a@bridge.capulet.example", "2"));
    gets(juliet, errorOf("iq", "bridge.capulet.example", "q"));
    getsNothing(juliet);
}

TEST_CASE("a component that answers no pings is left alone, and its messages count as arrived") {
    TestServer server{bridgeConfig + "ping_timeout = '10 s'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    juliet.send(message("a@bridge.capulet.example", "one", "1"));
    server.advance(5min);
    CHECK(component.streamError() == "");
    juliet.send(message("a@bridge.capulet.example", "two", "2"));
    server.advance(1s);
    CHECK(bodies(component) == "one two");
    juliet.forget();  // she was pinged
    component.cut();
    getsNothing(juliet);
}

TEST_CASE(
    "a silent component is pinged, and ended when it has answered before and doesn't any more") {
    TestServer server{bridgeConfig + "ping_after = '1 min'\nping_timeout = '30 s'\n"};
    auto& component = join(server);
    server.advance(66s);
    const std::string ping = component.next();
    REQUIRE(isPing(ping));
    // An error is an answer as well.
    component.send("<iq type='error' from='bridge.capulet.example' to='capulet.example' id='" +
                   attribute(ping, "id") +
                   "'><error type='cancel'><service-unavailable "
                   "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    server.advance(66s);
    CHECK(isPing(component.next()));
    // While it says something else it is there.
    for (int i = 0; i < 3; ++i) {
        component.send(" ");
        server.advance(25s);
    }
    CHECK(component.streamError() == "");
    server.advance(15s);
    isEndedWith(server, component, "connection-timeout");
}

TEST_CASE("a sender hears that a message is safe when the component has it, or after a second") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    enable(juliet);
    juliet.send(message("a@bridge.capulet.example", "one") + std::string{request});
    CHECK(juliet.next() == "");
    server.advance(100ms);
    CHECK(juliet.next() == "");
    CHECK(answersPings(component).size() == 1);
    CHECK(juliet.next() == ack(1));

    juliet.send(message("a@bridge.capulet.example", "two") + std::string{request});
    server.advance(900ms);
    CHECK(juliet.next() == "");
    server.advance(300ms);
    CHECK(juliet.next() == ack(2));
    // When it is lost meanwhile the error comes first.
    answersPings(component);
    juliet.send(message("a@bridge.capulet.example", "three", "3") + std::string{request});
    CHECK(juliet.next() == "");
    component.cut();
    gets(juliet, errorOf("message", "a@bridge.capulet.example", "3"));
    CHECK(juliet.next() == ack(3));
}

TEST_CASE("messages with components are in the archive as with any contact") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    juliet.send(message("a@bridge.capulet.example", "there", "1"));
    component.send(
        "<message id='2' type='chat' from='a@bridge.capulet.example/x' to='juliet@capulet.example'>"
        "<body>and back</body></message>");
    juliet.forget();
    juliet.send(
        "<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' "
        "type='submit'>"
        "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
        "<field var='with'><value>a@bridge.capulet.example</value></field></x></query></iq>");
    std::string all;
    for (const auto& xml : juliet.all()) all += xml;
    const auto there = all.find("<body>there</body>");
    CHECK(there != std::string::npos);
    CHECK(all.find("<body>and back</body>") > there);
    CHECK(all.find("<body>and back</body>") != std::string::npos);
    // A message that comes while nobody is there waits.
    juliet.send("</stream:stream>");
    component.send(
        "<message id='3' type='chat' from='a@bridge.capulet.example/x' to='juliet@capulet.example'>"
        "<body>later</body></message>");
    auto& back = server.login("juliet@capulet.example/balcony", false);
    back.available();
    CHECK(bodies(back) == "later");
}

TEST_CASE("presence subscriptions with entities of a component work in both directions") {
    TestServer server{bridgeConfig, GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    const std::string contact = "romeo@bridge.capulet.example";
    juliet.send("<presence type='subscribe' to='" + contact + "' id='s'/>");
    gets(component,
         "<presence type='subscribe' from='juliet@capulet.example' to='" + contact + "'/>");
    component.send("<presence type='subscribed' from='" + contact +
                   "' to='juliet@capulet.example'/>"
                   "<presence from='" +
                   contact +
                   "/irc' to='juliet@capulet.example'><show>away</show></presence>"
                   "<presence type='subscribe' from='" +
                   contact + "' to='juliet@capulet.example'/>");
    juliet.send("<presence type='subscribed' to='" + contact + "'/>");
    std::string heard;
    for (const auto& xml : juliet.all()) heard += xml;
    CHECK(heard.find("<show>away</show>") != std::string::npos);
    heard.clear();
    for (const auto& xml : component.all()) heard += xml;
    CHECK(heard.find("type='subscribed'") != std::string::npos);
    CHECK(heard.find("from='juliet@capulet.example/balcony'") != std::string::npos);

    juliet.send("<presence><show>dnd</show></presence>");
    gets(component, "<presence from='juliet@capulet.example/balcony' to='" + contact +
                        "'><show>dnd</show></presence>");
    // A gateway that is back asks where people are.
    component.cut();
    auto& again = join(server);
    again.send("<presence type='probe' from='" + contact +
               "' to='juliet@capulet.example' id='p'/>");
    gets(again, "<presence from='juliet@capulet.example/balcony' to='" + contact +
                    "'><show>dnd</show></presence>");
    juliet.cut();
    server.advance(10min);
    CHECK(again.next().find("type='unavailable'") != std::string::npos);
}

TEST_CASE("a reload lets new components in, ends those that went, and changes secrets") {
    TestServer server{bridgeConfig, GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server, server.server().shardCount() - 1);
    auto& waiting = server.connectComponent();
    waiting.send(componentHeader());

    server.reload(bridgeConfig + "name = 'new'\n[component.'bot.example']\nsecret = 'b'\n");
    CHECK(component.streamError() == "");
    auto& bot = join(server, 0, "bot.example", "b");
    juliet.send(message("bot.example", "hi"));
    server.advance(200ms);
    CHECK(answersPings(bot).size() == 1);
    answersPings(component);

    server.reload("[component.'bridge.capulet.example']\nsecret = 'changed'\n");
    waiting.send(handshake(waiting, "mab"));
    isEndedWith(server, waiting, "not-authorized");
    isEndedWith(server, component, "reset");
    isEndedWith(server, bot, "host-gone");
    juliet.send(iqTo("bot.example", "b"));
    CHECK(outcome(juliet.next()) == "cancel remote-server-not-found");
    juliet.send(iqTo("bridge.capulet.example", "c"));
    CHECK(outcome(juliet.next()) == "wait remote-server-timeout");
    auto& again = join(server, 0, bridge, "changed");
    juliet.send(message("bridge.capulet.example", "again"));
    CHECK(bodies(again) == "again");

    server.reload("");
    server.advance(2s);
    CHECK(again.streamError() == "host-gone");
}

TEST_CASE("a component that has to go may first confirm what it has read") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    juliet.send(message("a@bridge.capulet.example", "one", "1"));
    const bool confirms = GENERATE(true, false);
    server.reload("");
    // From now on it is nobody's.
    juliet.send(message("a@bridge.capulet.example", "two", "2"));
    CHECK(outcome(juliet.next()) == "cancel remote-server-not-found");
    CHECK(component.streamError() == "");
    if (confirms) {
        CHECK(answersPings(component).size() == 1);
        getsNothing(juliet);
    } else {
        server.advance(1s);
        gets(juliet, errorOf("message", "a@bridge.capulet.example", "1"));
    }
    CHECK(component.streamError() == "host-gone");
}

TEST_CASE("a stop of the server ends components first, so that senders still hear") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    enable(juliet);
    juliet.send(message("a@bridge.capulet.example", "one", "1"));
    const bool confirms = GENERATE(true, false);
    server.advance(100ms);
    if (confirms) answersPings(component);
    server.restart();
    CHECK(component.streamError() == "system-shutdown");
    std::string errors;
    for (const auto& xml : juliet.all())
        if (outcome(xml) == "wait remote-server-timeout") errors += attribute(xml, "id");
    CHECK(errors == (confirms ? "" : "1"));
}

TEST_CASE("a component that doesn't take what is sent to it makes nobody's memory grow") {
    TestServer server{bridgeConfig + "output_bytes_max = '64 KiB'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    component.transport().pauseReading();
    const std::string large(10000, 'x');
    int refused = 0;
    for (int i = 0; i < 60; ++i) {
        juliet.send(message("a@bridge.capulet.example", large, std::to_string(i)));
        for (const auto& xml : juliet.all()) refused += outcome(xml) == "wait resource-constraint";
    }
    CHECK(refused > 0);
    CHECK(refused < 60);
    // Presence goes on for a while; then the stream ends.
    for (int i = 0; i < 60; ++i)
        juliet.send("<presence to='a@bridge.capulet.example'><status>" + large +
                    "</status></presence>");
    CHECK(server.components().status().front().instances.empty());
    int returned = 0;
    for (const auto& xml : juliet.all()) returned += outcome(xml) == "wait remote-server-timeout";
    CHECK(returned + refused == 60);
}

TEST_CASE("components speak to each other, and to themselves") {
    TestServer server{bridgeConfig + "[component.'bot.example']\nsecret = 'b'\n", 2};
    auto& component = join(server, 0);
    auto& bot = join(server, 1, "bot.example", "b");
    component.send(
        "<message from='a@bridge.capulet.example' to='x@bot.example'><body>1</body></message>");
    gets(bot,
         "<message from='a@bridge.capulet.example' to='x@bot.example'><body>1</body></message>");
    bot.send("<message from='x@bot.example' to='y@bot.example'><body>2</body></message>");
    CHECK(bodies(bot) == "2");
}
