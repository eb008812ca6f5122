// Components that answer in place of a host and its accounts (XEP-0355).
#include "control/config.h"
#include "core/forwarded.h"
#include "stream/component_options.h"
#include "tests/plugins/answers.h"
#include "tests/route/stanza_pattern.h"
#include "tests/stream/component.h"

using namespace epode;

namespace {

const std::string enabled = "[plugins]\nenabled = ['delegation', 'privilege']\n";
const std::string enabledAtOne = "[host.'capulet.example']\nplugins.enabled = ['delegation']\n";

std::string delegates(std::string_view what, std::string_view further = {}) {
    return enabledAtOne + bridgeConfig + "delegated = [" + std::string{what} + "]\n" +
           std::string{further};
}

void gets(TestClient& client, std::string_view pattern) {
    const std::string got = client.next();
    INFO("expected: " << std::string{pattern} << "\ngot: " << got);
    CHECK(mismatch(pattern, got) == "");
}

// A component that was told what it manages and what the host wants to know, and has answered
// nothing.
TestClient& joinForgetting(TestServer& server, unsigned shard = 0) {
    auto& component = join(server, shard);
    server.run();
    component.forget();
    return component;
}

// What was forwarded to the component; null when the next stanza is something else.
struct Delegated {
    MutableStanzaPtr outer, inner;
};
Delegated nextDelegated(TestClient& component) {
    Delegated found;
    found.outer = Stanza::parse(component.next());
    const Element* wrapper =
        found.outer ? found.outer->child("delegation", "urn:xmpp:delegation:2") : nullptr;
    if (wrapper) found.inner = forwardedStanza(*wrapper, StanzaKind::Iq);
    return found;
}

std::string wrapped(std::string_view inner) {
    return "<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>" +
           std::string{inner} + "</forwarded></delegation>";
}

std::string outerAnswer(const Stanza& outer, std::string_view content,
                        std::string_view type = "result") {
    return "<iq from='" + outer.to().text() + "' to='" + outer.from().text() + "' id='" +
           std::string{outer.id()} + "' type='" + std::string{type} + "'>" + std::string{content} +
           "</iq>";
}

// As a good component answers.
void answer(TestClient& component, const Delegated& request, std::string_view payload) {
    component.send(outerAnswer(
        *request.outer,
        wrapped("<iq xmlns='jabber:client' type='result' to='" + request.inner->from().text() +
                "' id='" + std::string{request.inner->id()} + "'>" + std::string{payload} +
                "</iq>")));
}

constexpr std::string_view note = "<query xmlns='urn:note'><item/></query>";

}  // namespace

TEST_CASE("a component is told which namespaces it manages, by the hosts that delegate them") {
    struct Row {
        std::string delegated, told;
    };
    const auto [delegated, told] = GENERATE(values<Row>({
        {"'urn:note'", "<delegated namespace='urn:note'/>"},
        {"'urn:xmpp:mam:2 node', 'http://jabber.org/protocol/pubsub'",
         "<delegated namespace='http://jabber.org/protocol/pubsub'/>"
         "<delegated namespace='urn:xmpp:mam:2'><attribute name='node'/></delegated>"},
        {"'urn:a x  y-z '",
         "<delegated namespace='urn:a'><attribute name='x'/><attribute name='y-z'/></delegated>"},
        {"'urn:xmpp:delegation:2:bare:disco#items:*'",
         "<delegated namespace='urn:xmpp:delegation:2:bare:disco#items:*'/>"},
    }));
    TestServer server{delegates(delegated)};
    auto& component = join(server);
    gets(component,
         "<message from='capulet.example' to='bridge.capulet.example'><delegation "
         "xmlns='urn:xmpp:delegation:2'>" +
             told + "</delegation></message>");
}

TEST_CASE(
    "a component that manages nothing is told nothing, and without the plugin nobody manages") {
    const auto config = GENERATE(values<std::string>({
        bridgeConfig + "delegated = ['urn:note']\n",
        delegates(""),
        enabledAtOne + bridgeConfig,
    }));
    TestServer server{config};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    CHECK(outcome(juliet.ask("get", note)) == "cancel service-unavailable");
    CHECK(component.all().empty());
}

TEST_CASE(
    "a request of a delegated namespace is the component's, whoever asks, and so is its answer") {
    struct Row {
        std::string from, to;
    };
    const auto [from, to] = GENERATE(values<Row>({
        {"juliet@capulet.example/balcony", ""},
        {"juliet@capulet.example/balcony", "juliet@capulet.example"},
        {"juliet@capulet.example/balcony", "capulet.example"},
        {"romeo@montague.example/orchard", "juliet@capulet.example"},
        {"romeo@montague.example/orchard", "capulet.example"},
        {"romeo@montague.example/orchard", "nobody@capulet.example"},
    }));
    const unsigned shards = GENERATE(1u, 3u);
    const std::string type = GENERATE("get", "set");
    INFO(from << " to " << to);
    TestServer server{delegates("'urn:note'"), shards};
    server.login("juliet@capulet.example/balcony");
    auto& asker = from.starts_with("juliet") ? server.login("juliet@capulet.example/balcony")
                                             : server.login(from);
    auto& component = joinForgetting(server, shards - 1);
    asker.forget();
    asker.send("<iq type='" + type + "' id='n1'" + (to.empty() ? "" : " to='" + to + "'") +
               " xml:lang='la'>" + std::string{note} + "</iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    CHECK(request.outer->type() == StanzaType::Set);
    CHECK(request.outer->from().text() == "capulet.example");
    CHECK(request.outer->to().text() == bridge);
    CHECK(request.inner->from().text() == from);
    CHECK(request.inner->to().text() == to);
    CHECK(request.inner->id() == "n1");
    CHECK(toText(request.inner->type()) == type);
    CHECK(request.inner->lang() == "la");
    CHECK(toXml(*request.inner->payload()) == note);
    CHECK(asker.next() == "");

    answer(component, request, "<query xmlns='urn:note'>here</query>");
    const auto answered = Stanza::parse(asker.next());
    REQUIRE(answered);
    CHECK(answered->type() == StanzaType::Result);
    CHECK(answered->from().text() == to);
    CHECK(answered->id() == "n1");
    CHECK(toXml(*answered->payload()) == "<query xmlns='urn:note'>here</query>");
    CHECK(component.next() == "");
    // Once.
    answer(component, request, "<query xmlns='urn:note'>again</query>");
    CHECK(asker.next() == "");
}

TEST_CASE("what isn't delegated stays the server's, as do all things that aren't addressed to it") {
    struct Row {
        std::string to, payload;
    };
    const auto [to, payload] = GENERATE(values<Row>({
        {"", "<query xmlns='urn:other'/>"},
        {"", "<query xmlns='urn:note:2'/>"},
        {"", "<note xmlns='urn:filtered'/>"},
        {"", "<note xmlns='urn:filtered' node='x'/>"},
        {"montague.example", "<query xmlns='urn:note'/>"},
        {"romeo@montague.example", "<query xmlns='urn:note'/>"},
        {"juliet@capulet.example/balcony", "<query xmlns='urn:note'/>"},
        {"capulet.example/x", "<query xmlns='urn:note'/>"},
        {"conference.capulet.example", "<query xmlns='urn:note'/>"},
        {"garden@conference.capulet.example", "<query xmlns='urn:note'/>"},
    }));
    TestServer server{delegates("'urn:note', 'urn:filtered node item'")};
    server.login("romeo@montague.example/orchard", false);
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    INFO(to << payload);
    juliet.send("<iq type='get' id='1'" + (to.empty() ? "" : " to='" + to + "'") + ">" + payload +
                "</iq>");
    CHECK(component.next() == "");
}

TEST_CASE("with all the attributes that are asked for a request is meant") {
    TestServer server{delegates("'urn:filtered node item'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    juliet.send("<iq type='get' id='1'><note xmlns='urn:filtered' item='' node='x'/></iq>");
    CHECK(nextDelegated(component).inner);
}

TEST_CASE("a delegated namespace takes the place of what the server itself would do") {
    TestServer server{delegates("'jabber:iq:private'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    const std::string payload = "<query xmlns='jabber:iq:private'><note xmlns='urn:note'/></query>";
    juliet.send("<iq type='get' id='1'>" + payload + "</iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    answer(component, request, payload);
    CHECK(outcome(juliet.next()) == "result");
    // An answer is no request.
    juliet.send("<iq type='result' id='1'>" + payload + "</iq>");
    juliet.send("<iq type='set' id='1'>" + payload + payload + "</iq>");
    CHECK(component.next() == "");
    CHECK(outcome(juliet.next()) == "modify bad-request");
}

TEST_CASE("an answer that isn't one to this request is not believed") {
    const std::string ok = " xmlns='jabber:client' to='juliet@capulet.example/balcony' id='n1'";
    const auto [type, content] = GENERATE_COPY(table<std::string, std::string>({
        {"result", ""},
        {"result", "<delegation xmlns='urn:xmpp:delegation:2'/>"},
        {"result",
         "<forwarded xmlns='urn:xmpp:forward:0'><iq type='result'" + ok + "/></forwarded>"},
        {"result", "<iq type='result'" + ok + "/>"},
        {"result", wrapped("")},
        {"result", wrapped("<message" + ok + "/>")},
        {"result", wrapped("<iq type='get'" + ok + "/>")},
        {"result", wrapped("<iq type='set'" + ok + "><query xmlns='jabber:iq:roster'/></iq>")},
        {"result", wrapped("<iq type='other'" + ok + "/>")},
        {"result", wrapped("<iq type='result' xmlns='jabber:server' "
                           "to='juliet@capulet.example/balcony' id='n1'/>")},
        {"result", wrapped("<iq type='result' xmlns='jabber:client' id='n1'/>")},
        {"result",
         wrapped("<iq type='result' xmlns='jabber:client' to='juliet@capulet.example' id='n1'/>")},
        {"result", wrapped("<iq type='result' xmlns='jabber:client' "
                           "to='romeo@montague.example/orchard' id='n1'/>")},
        {"result", wrapped("<iq type='result' xmlns='jabber:client' "
                           "to='juliet@capulet.example/balcony' id='n2'/>")},
        {"result",
         wrapped("<iq type='result' xmlns='jabber:client' to='juliet@capulet.example/balcony'/>")},
        {"result", wrapped("<iq type='result' from='bridge.capulet.example'" + ok + "/>")},
        {"result", wrapped("<iq type='result' from='romeo@montague.example'" + ok + "/>")},
        {"result", wrapped("<iq type='result' from='juliet@capulet.example/x'" + ok + "/>")},
        {"result", wrapped("<iq type='result'" + ok + "><a xmlns='a'/><b xmlns='b'/></iq>")},
        {"result", wrapped("<iq type='result'" + ok + "/><iq type='result'" + ok + "/>")},
        {"result", wrapped("<iq type='error'" + ok + "/>")},
        {"result", wrapped("<iq type='error'" + ok + "><error/></iq>")},
        {"result", wrapped("<iq type='error'" + ok + "><error type='cancel'/></iq>")},
        {"result",
         wrapped("<iq type='error'" + ok +
                 "><error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")},
        {"error",
         "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"},
        {"error", wrapped("<iq type='result'" + ok + "/>")},
    }));
    TestServer server{delegates("'urn:note'")};
    server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& component = joinForgetting(server);
    INFO(content);
    juliet.forget();
    romeo.forget();
    juliet.send("<iq type='get' id='n1'>" + std::string{note} + "</iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    component.send(outerAnswer(*request.outer, content, type));
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
    CHECK(romeo.next() == "");
    // The stream goes on.
    CHECK_FALSE(component.isStreamClosed());
}

TEST_CASE("only the component can answer what was delegated to it") {
    TestServer server{delegates("'urn:note'") + "[component.'other.example']\nsecret = 'o'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& component = joinForgetting(server);
    auto& other = join(server, 0, "other.example", "o");
    juliet.send("<iq type='get' id='n1'>" + std::string{note} + "</iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    const std::string forged = " to='capulet.example' type='result' id='" +
                               std::string{request.outer->id()} + "'>" +
                               wrapped(
                                   "<iq xmlns='jabber:client' type='result' "
                                   "to='juliet@capulet.example/balcony' id='n1'/>") +
                               "</iq>";
    other.send("<iq from='other.example'" + forged);
    romeo.send("<iq" + forged);
    component.send("<iq from='somebody@bridge.capulet.example'" + forged);
    CHECK(juliet.next() == "");
    // To whom it concerns: a forwarded answer that nobody waits for is nothing.
    romeo.send("<iq to='juliet@capulet.example/balcony' type='result' id='n1'>" +
               wrapped("<iq xmlns='jabber:client' type='result' "
                       "to='juliet@capulet.example/balcony' id='n1'/>") +
               "</iq>");
    juliet.forget();
    answer(component, request, note);
    CHECK(outcome(juliet.next()) == "result");
}

TEST_CASE("the component's refusal is told as it is, so that who asks can do something about it") {
    TestServer server{delegates("'urn:note'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    juliet.send("<iq type='set' id='n1' to='juliet@capulet.example'>" + std::string{note} +
                "</iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    component.send(outerAnswer(
        *request.outer,
        wrapped("<iq xmlns='jabber:client' type='error' from='juliet@capulet.example' "
                "to='juliet@capulet.example/balcony' id='n1'>" +
                std::string{note} +
                "<error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                "<precondition-not-met "
                "xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>")));
    gets(juliet,
         "<iq type='error' from='juliet@capulet.example' to='juliet@capulet.example/balcony' "
         "id='n1'>"
         "<error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
         "<precondition-not-met xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>");
}

TEST_CASE("while the component is away, or says nothing, what it manages is unavailable") {
    TestServer server{delegates("'urn:note'", "delegated_timeout = '10 s'\n"), GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(outcome(juliet.ask("get", note)) == "cancel service-unavailable");
    CHECK(outcome(juliet.ask("get", note, "capulet.example")) == "cancel service-unavailable");

    auto& component = joinForgetting(server);
    juliet.send("<iq type='get' id='n1'>" + std::string{note} + "</iq>");
    const auto request = nextDelegated(component);
    server.advance(std::chrono::seconds{9});
    CHECK(juliet.next() == "");
    server.advance(std::chrono::seconds{2});
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
    answer(component, request, note);
    CHECK(juliet.next() == "");

    // It goes while somebody waits.
    juliet.send("<iq type='get' id='n2'>" + std::string{note} + "</iq>");
    component.cut();
    server.run();
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
}

TEST_CASE(
    "no more requests wait for a component than may, and those of others are not in the way") {
    TestServer server{delegates("'urn:note'", "delegated_waiting_max = 3\n")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    std::vector<Delegated> waiting;
    for (int i = 0; i < 3; ++i) {
        juliet.send("<iq type='get' id='n" + std::to_string(i) + "'>" + std::string{note} +
                    "</iq>");
        waiting.push_back(nextDelegated(component));
        REQUIRE(waiting.back().inner);
    }
    CHECK(outcome(juliet.ask("get", note)) == "wait resource-constraint");
    CHECK(component.next() == "");
    answer(component, waiting[1], note);
    CHECK(outcome(juliet.next()) == "result");
    juliet.send("<iq type='get' id='" + std::string(1025, 'n') + "'>" + std::string{note} +
                "</iq>");
    CHECK(outcome(juliet.next()) == "modify policy-violation");
    juliet.send("<iq type='get' id='n4'>" + std::string{note} + "</iq>");
    CHECK(nextDelegated(component).inner);
}

TEST_CASE("what a managing component asks itself is answered as if nothing were delegated") {
    TestServer server{
        enabled + bridgeConfig +
            "delegated = ['jabber:iq:private', 'jabber:iq:roster']\nroster_access = 'both'\n"
            "iq_access = ['jabber:iq:private=both']\n"
            "[component.'other.example']\nsecret = 'o'\niq_access = ['jabber:iq:private=both']\n",
        GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server, server.server().shardCount() - 1);
    auto& other = join(server, 0, "other.example", "o");
    server.run();
    other.forget();
    // XEP-0355, 4.3.1: the component takes what a client has asked, and does it in its name.
    juliet.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item "
        "jid='romeo@montague.example'/></query></iq>");
    const auto request = nextDelegated(component);
    REQUIRE(request.inner);
    answer(component, request, "");
    CHECK(outcome(juliet.next()) == "result");
    component.send(
        "<iq id='1' type='set' from='bridge.capulet.example' to='juliet@capulet.example'><query "
        "xmlns='jabber:iq:roster'><item jid='romeo@montague.example'><group>Rivals</group></item>"
        "</query></iq>");
    std::string pushed, answered;
    for (const auto& xml : component.all())
        (xml.find("type='result'") != std::string::npos ? answered : pushed) += xml;
    CHECK(pushed.find("<group>Rivals</group>") != std::string::npos);
    CHECK(outcome(answered) == "result");

    const std::string stored =
        "<privileged_iq xmlns='urn:xmpp:privilege:2'><iq xmlns='jabber:client' type='set' "
        "id='in'><query "
        "xmlns='jabber:iq:private'><note xmlns='urn:note'>x</note></query></iq></privileged_iq>";
    component.send(
        "<iq id='2' type='set' from='bridge.capulet.example' to='juliet@capulet.example'>" +
        stored + "</iq>");
    CHECK(outcome(component.next()) == "result");
    // Another one's request in her name is hers, and goes the way of hers.
    other.send("<iq id='3' type='set' from='other.example' to='juliet@capulet.example'>" + stored +
               "</iq>");
    const auto forwarded = nextDelegated(component);
    REQUIRE(forwarded.inner);
    CHECK(forwarded.inner->from().text() == "juliet@capulet.example");
    answer(component, forwarded, "");
    const std::string got = other.next();
    CHECK(outcome(got) == "result");
    CHECK(got.find("id='in'") != std::string::npos);
    CHECK(component.next() == "");
}

// ---- service discovery

namespace {

constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";

std::string info(std::string_view content) {
    return "<query xmlns='http://jabber.org/protocol/disco#info'>" + std::string{content} +
           "</query>";
}

// Answers what the host asks about what it delegates.
void answersNesting(TestClient& component, std::string_view forHost, std::string_view forAccounts) {
    int asked = 0;
    for (const auto& xml : component.all()) {
        const auto stanza = Stanza::parse(xml);
        const Element* query =
            stanza ? stanza->child("query", "http://jabber.org/protocol/disco#info") : nullptr;
        if (!query) continue;
        ++asked;
        const bool isBare = query->get("node").starts_with("urn:xmpp:delegation:2:bare:");
        CHECK(query->get("node") ==
              "urn:xmpp:delegation:2:" + std::string{isBare ? "bare:" : ":"} + std::string{pubsub});
        component.send(outerAnswer(*stanza, info(isBare ? forAccounts : forHost)));
    }
    CHECK(asked == 2);
}

bool has(const std::string& answer, std::string_view text) {
    return answer.find(text) != std::string::npos;
}

std::string discoInfo(TestClient& client, std::string_view to) {
    return client.ask("get", info(""), to);
}

}  // namespace

TEST_CASE(
    "what a component tells of its namespaces takes the place of what the server has of them") {
    TestServer server{delegates("'http://jabber.org/protocol/pubsub'"), GENERATE(1u, 3u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto feature = [](std::string_view name) {
        return "<feature var='http://jabber.org/protocol/" + std::string{name} + "'/>";
    };
    // The server has its own for accounts, and doesn't tell of them: they are not served any more.
    CHECK_FALSE(has(discoInfo(juliet, "juliet@capulet.example"), feature("pubsub#publish")));
    auto& component = join(server, server.server().shardCount() - 1);
    answersNesting(
        component, feature("pubsub#retract-items") + feature("disco#info"),
        "<identity category='pubsub' type='pep' name='Their own'/>" + feature("pubsub#publish") +
            feature("pubsub#publish") +
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>"
            "http://jabber.org/protocol/pubsub#meta-data</value></field></x>"
            "<note xmlns='urn:note'/>");
    server.run();
    const std::string host = discoInfo(juliet, "capulet.example");
    CHECK(has(host, feature("pubsub#retract-items")));
    CHECK(has(host, "<feature var='urn:xmpp:delegation:2'/>"));
    CHECK(has(host, "<identity category='server' type='im'"));
    const auto count = [](const std::string& text, const std::string& part) {
        int found = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
            ++found;
        return found;
    };
    CHECK(count(host, feature("disco#info")) == 1);
    const std::string account = discoInfo(juliet, "juliet@capulet.example");
    CHECK(count(account, feature("pubsub#publish")) == 1);
    CHECK(count(account, "category='pubsub'") == 1);
    CHECK(has(account, "name='Their own'"));
    CHECK(has(account, "<identity category='account' type='registered'/>"));
    CHECK(has(account, "pubsub#meta-data"));
    CHECK_FALSE(has(account, "urn:note"));
    CHECK_FALSE(has(account, feature("pubsub#retract-items")));
    // Also while it is away for a moment, and after a reload that changes other things.
    component.cut();
    server.rewire();
    CHECK(payload(discoInfo(juliet, "juliet@capulet.example")) == payload(account));
    // The other host delegates nothing.
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK_FALSE(has(discoInfo(romeo, "montague.example"), "urn:xmpp:delegation:2"));
    CHECK(has(discoInfo(romeo, "romeo@montague.example"), feature("pubsub#publish")));
}

TEST_CASE("the hash of the host's capabilities has in it what components tell") {
    TestServer server{delegates("'http://jabber.org/protocol/pubsub'")};
    const auto version = [&server] {
        auto& client = server.connect();
        client.sendHeader();
        const std::string features = client.next();
        const auto parsed = parseXml(features);
        REQUIRE(parsed);
        const Element* caps = (*parsed)->child("c", "http://jabber.org/protocol/caps");
        REQUIRE(caps);
        return std::string{caps->get("ver")};
    };
    const std::string before = version();
    auto& component = join(server);
    answersNesting(component, "<feature var='http://jabber.org/protocol/pubsub#collections'/>", "");
    server.run();
    const std::string after = version();
    CHECK(before != after);
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string node =
        "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:epode:server#";
    CHECK(has(juliet.ask("get", node + after + "'/>", "capulet.example"), "pubsub#collections"));
    CHECK(outcome(juliet.ask("get", node + before + "'/>", "capulet.example")) ==
          "cancel item-not-found");
}

TEST_CASE("nodes and items of accounts that nobody else answers for can be a component's") {
    TestServer server{
        delegates("'urn:xmpp:delegation:2:bare:disco#info:*', "
                  "'urn:xmpp:delegation:2:bare:disco#items:*'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    gets(
        component,
        "<message from='capulet.example' to='bridge.capulet.example'><delegation "
        "xmlns='urn:xmpp:delegation:2'><delegated "
        "namespace='urn:xmpp:delegation:2:bare:disco#info:*'/>"
        "<delegated namespace='urn:xmpp:delegation:2:bare:disco#items:*'/></delegation></message>");
    CHECK(component.next() == "");  // there is nothing to nest
    const auto asks = [&](std::string_view what, std::string_view node, std::string_view to) {
        juliet.forget();
        component.forget();
        juliet.send("<iq type='get' id='1' to='" + std::string{to} +
                    "'><query xmlns='http://jabber.org/protocol/disco#" + std::string{what} + "'" +
                    (node.empty() ? "" : " node='" + std::string{node} + "'") + "/></iq>");
        return bool(nextDelegated(component).inner);
    };
    CHECK(asks("info", "urn:xmpp:microblog:0", "juliet@capulet.example"));
    CHECK(asks("items", "urn:xmpp:microblog:0", "juliet@capulet.example"));
    CHECK(asks("items", "", "juliet@capulet.example"));
    CHECK(asks("items", "", "nobody@capulet.example"));
    CHECK_FALSE(asks("info", "", "juliet@capulet.example"));
    CHECK_FALSE(asks("info", "urn:xmpp:microblog:0", "capulet.example"));
    CHECK_FALSE(asks("items", "", "capulet.example"));
    // Not of the type that is asked.
    juliet.send(
        "<iq type='set' id='1'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    CHECK_FALSE(nextDelegated(component).inner);
}

// ---- changes

TEST_CASE("a reload that changes what is delegated is told to every instance, and is in force") {
    TestServer server{delegates("'urn:note'"), 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& first = joinForgetting(server, 0);
    auto& second = join(server, 1);
    server.run();
    first.forget();
    second.forget();
    const auto told = [](TestClient& component) {
        std::string all;
        for (const auto& xml : component.all())
            if (xml.find("<delegation") != std::string::npos) all += xml;
        return all;
    };
    server.reload(delegates("'urn:note', 'urn:other'"));
    server.run();
    for (auto* component : {&first, &second}) {
        const std::string news = told(*component);
        CHECK(has(news, "<delegated namespace='urn:note'/><delegated namespace='urn:other'/>"));
    }
    server.reload(delegates("'urn:note', 'urn:other'", "delegated_timeout = '10 s'\n"));
    server.run();
    CHECK(told(first) + told(second) == "");
    server.reload(delegates(""));
    server.run();
    for (auto* component : {&first, &second})
        CHECK(has(told(*component), "<delegation xmlns='urn:xmpp:delegation:2'/>"));
    CHECK(outcome(juliet.ask("get", note)) == "cancel service-unavailable");
    CHECK(told(first) + told(second) == "");
}

TEST_CASE("of two components that a namespace is delegated to the first has it") {
    TestServer server{
        delegates("'urn:note'") +
        "[component.'other.example']\nsecret = 'o'\ndelegated = ['urn:note', 'urn:other']\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    auto& other = join(server, 0, "other.example", "o");
    gets(other,
         "<message from='capulet.example' to='other.example'><delegation "
         "xmlns='urn:xmpp:delegation:2'>"
         "<delegated namespace='urn:other'/></delegation></message>");
    other.forget();
    juliet.send("<iq type='get' id='1'>" + std::string{note} + "</iq>");
    CHECK(nextDelegated(component).inner);
    CHECK(other.next() == "");
}

TEST_CASE("what can't be delegated, or asked for a component, is told with its line") {
    const PluginHost plugins{""};
    auto options = plugins.options();
    for (const auto& option : componentOptions()) options.push_back(option);
    const auto read = [&options](const std::string& line) {
        return readConfig(bridgeConfig + line + "\n", "epode.toml", options);
    };
    const auto entry = GENERATE(values<std::string>({
        "",
        " ",
        "urn:xmpp:delegation:2",
        "urn:xmpp:delegation:2 node",
        "urn:xmpp:delegation:2:bare:disco#info:* node",
        "urn:xmpp:delegation:2:bare:disco#other:*",
        "urn:xmpp:delegation:1",
        "urn:note <x>",
        "urn:note 1x",
        "urn:note a='b'",
    }));
    INFO(entry);
    const auto bad = read("delegated = [\"urn:fine\", \"" + entry + "\"]");
    REQUIRE(bad.mistakes.size() == 1);
    CHECK(bad.mistakes.front().line == 3);
    CHECK(bad.mistakes.front().message.find("such as \"urn:xmpp:mam:2 node\", not \"" + entry +
                                            "\".") != std::string::npos);
    CHECK(read("delegated = ['urn:note', 'urn:xmpp:mam:2 node', "
               "'urn:xmpp:delegation:2:bare:disco#items:*']")
              .ok());
    for (const std::string access : {"nonsense", "urn:a=", "=get", "urn:a=push"})
        CHECK(read("iq_access = ['urn:a=get', '" + access + "']").mistakes.size() == 1);
    CHECK(read("iq_access = ['urn:a=get', 'urn:=b=both', 'urn:c=none']").ok());
}
