// Stream management while the connection lasts (XEP-0198, 3 and 4): counts, requests, limits.
#include "tests/stream/conversation.h"

#include "route/account.h"
#include "route/session.h"
#include "route/shard.h"
#include "route/stream_management.h"
#include "tests/support/test_executor.h"

using namespace epode;

namespace {

constexpr std::string_view ping = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";

std::string failed(std::string_view condition) {
    return "<failed xmlns='urn:xmpp:sm:3'><" + std::string{condition} +
           " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
}

std::string bodyOf(const Unacknowledged& entry) { return std::string{entry.stanza->body()}; }

Unacknowledged entry(std::string_view body) {
    auto made = Stanza::message(StanzaType::Chat, {}, {}, body);
    made->edit().addWithText("body", body);
    return {.stanza = std::move(made)};
}

}  // namespace

// ---- the counters by themselves

TEST_CASE("acknowledgements take from the front of the queue, and never what was not sent") {
    TestExecutor executor;
    StreamManagement sm{executor, "id", true};
    std::string acknowledged;
    const auto acknowledge = [&](std::uint32_t h) {
        return sm.acknowledge(h, [&](const Unacknowledged& e) { acknowledged += bodyOf(e); });
    };
    const std::uint32_t start = GENERATE(0u, 7u, 0x7FFFFFFFu, 0xFFFFFFFEu);
    sm.setAcknowledged(start);
    for (const auto body : {"a", "b", "c", "d"}) sm.push(entry(body));
    CHECK(sm.sent() == start + 4);

    CHECK(acknowledge(start));
    CHECK(acknowledged == "");
    CHECK(acknowledge(start + 2));
    CHECK(acknowledged == "ab");
    CHECK(acknowledge(start + 2));
    CHECK(acknowledge(start + 1));  // an older one comes late
    CHECK(acknowledge(start));
    CHECK(acknowledged == "ab");
    CHECK(!acknowledge(start + 5));
    CHECK(!acknowledge(start + 1000));
    CHECK(acknowledged == "ab");
    CHECK(acknowledge(start + 4));
    CHECK(acknowledged == "abcd");
    CHECK(sm.queue().empty());
    CHECK(sm.queueCost() == 0);
    CHECK(sm.acknowledged() == start + 4);
}

TEST_CASE("received stanzas are safe in their order, also beyond 2^32") {
    TestExecutor executor;
    const std::uint32_t start = GENERATE(0u, 0xFFFFFFFEu);
    const auto window = std::make_shared<AckWindow>(executor, start);
    int advanced = 0;
    window->setAdvanced([&advanced] { ++advanced; });
    std::vector<Hold> holds;
    for (int i = 0; i < 4; ++i) holds.push_back(window->receive());
    CHECK(window->received() == std::uint32_t(start + 4));
    const auto release = [&](std::size_t i) {
        executor.post([&holds, i] { holds[i] = {}; });
        executor.settle();
    };
    release(1);
    CHECK(window->safe() == start);
    release(0);
    CHECK(window->safe() == std::uint32_t(start + 2));
    const Hold copy = holds[2];
    release(2);
    release(3);
    CHECK(window->unsafe() == 2);
    CHECK(advanced == 1);
}

// ---- conversations

TEST_CASE("stream management is switched on, resumable or not") {
    TestServer server{"[sm]\nresume_timeout = '5 min'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<enable xmlns='urn:xmpp:sm:3'/>");
    gets(juliet, "<enabled xmlns='urn:xmpp:sm:3'/>");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='1'/>");
    const auto enabled = romeo.next();
    CHECK(mismatch("<enabled xmlns='urn:xmpp:sm:3' resume='true' max='300'/>", enabled) == "");
    CHECK(attribute(enabled, "id").size() >= 16);

    juliet.send("<enable xmlns='urn:xmpp:sm:3'/>");
    gets(juliet, failed("unexpected-request"));
    CHECK(juliet.streamError() == "");
}

TEST_CASE("resumption is not promised when it is switched off") {
    TestServer server{"[sm]\nresume_timeout = '0s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(enableResumption);
    gets(juliet, "<enabled xmlns='urn:xmpp:sm:3'/>");
}

TEST_CASE("stream management is for sessions alone") {
    const std::string sent =
        GENERATE("<enable xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>",
                 "<a xmlns='urn:xmpp:sm:3' h='0'/>");
    TestServer server;
    auto& unbound = loggedIn(server, "juliet");
    unbound.send(sent);
    gets(unbound, failed("unexpected-request"));
    unbound.send(bindRequest);
    CHECK(attribute(unbound.next(), "type") == "result");
}

TEST_CASE("what can't be asked is refused and nothing more") {
    const std::string sent = GENERATE(
        "<r xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='0'/>",
        "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", "<hello xmlns='urn:xmpp:sm:3'/>");
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(sent);
    gets(juliet, failed("unexpected-request"));
    CHECK(juliet.streamError() == "");
}

TEST_CASE("the server counts stanzas, and nothing else") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(ping).send("<presence/>");  // before it was on
    enable(juliet);
    const auto count = [&juliet] {
        juliet.forget().send(request);
        return attribute(juliet.next(), "h");
    };
    CHECK(count() == "0");
    CHECK(count() == "0");
    juliet.send(message("juliet@capulet.example/balcony", "a"));
    CHECK(count() == "1");
    juliet.send("<presence/>").send(ping).send("<iq type='result' id='x'/>");
    CHECK(count() == "4");
    // Also what is refused was handled.
    juliet.send("<message to='@@'/>").send("<iq type='ask' id='1'/>").send("<presence type='x'/>");
    CHECK(count() == "7");
    juliet.send(" \n")
        .send("<a xmlns='urn:xmpp:sm:3' h='0'/>")
        .send("<enable xmlns='urn:xmpp:sm:3'/>");
    CHECK(count() == "7");
}

TEST_CASE("several requests at once are all answered") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    enable(juliet);
    const std::string r{request};
    juliet.send(r + std::string{ping} + r + r);
    std::vector<std::string> answers;
    for (const auto& xml : juliet.all())
        if (xml.starts_with("<a ")) answers.push_back(attribute(xml, "h"));
    REQUIRE(!answers.empty());
    CHECK(answers.front() == "0");
    CHECK(answers.back() == "1");
}

TEST_CASE("who acknowledges what was never sent has lost count: the stream ends") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    enable(juliet);
    juliet.send(ping).send(ack(1));
    CHECK(juliet.streamError() == "");
    juliet.send(ack(3));
    isEndedWith(server, juliet, "undefined-condition");
    CHECK(juliet.streamErrorXml().find(
              "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='3' send-count='1'/>") !=
          std::string::npos);
}

TEST_CASE("an acknowledgement without a number ends the stream") {
    const std::string h = GENERATE("", " h=''", " h='one'", " h='-1'", " h='1x'", " h=' 1'",
                                   " h='4294967296'", " h='99999999999999999999'");
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    enable(juliet);
    juliet.send("<a xmlns='urn:xmpp:sm:3'" + h + "/>");
    isEndedWith(server, juliet, "invalid-xml");
}

TEST_CASE("the server asks after so many stanzas, or when some time has passed") {
    TestServer server{"[sm]\nrequest_every = 3\nrequest_delay = '2s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(juliet);
    juliet.showsRequests = true;
    const auto requests = [&juliet] {
        int count = 0;
        for (const auto& xml : juliet.all()) count += xml == "<r xmlns='urn:xmpp:sm:3'/>";
        return count;
    };
    romeo.send(message("juliet@capulet.example", "1")).send(message("juliet@capulet.example", "2"));
    CHECK(requests() == 0);
    romeo.send(message("juliet@capulet.example", "3"));
    CHECK(requests() == 1);
    SECTION("what comes while it waits for the answer is asked for afterwards") {
        romeo.send(message("juliet@capulet.example", "4"));
        server.advance(5s);
        CHECK(requests() == 0);
        juliet.send(ack(3));
        server.advance(1900ms);
        CHECK(requests() == 0);
        server.advance(200ms);
        CHECK(requests() == 1);
        juliet.send(ack(4));
        server.advance(30s);
        CHECK(requests() == 0);
    }
    SECTION("a single stanza") {
        juliet.send(ack(3));
        romeo.send(message("juliet@capulet.example", "4"));
        server.advance(2100ms);
        CHECK(requests() == 1);
    }
}

TEST_CASE("who doesn't answer a request for acknowledgement has lost the connection") {
    TestServer server{"[sm]\nanswer_timeout = '10s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const bool isResumable = GENERATE(false, true);
    std::string id;
    if (isResumable)
        id = enable(juliet);
    else
        juliet.send("<enable xmlns='urn:xmpp:sm:3'/>");
    romeo.send(message("juliet@capulet.example", "one"));
    server.advance(9s);
    CHECK(juliet.streamError() == "");
    server.advance(2s);
    isEndedWith(server, juliet, "connection-timeout");

    auto& back = loggedIn(server, "juliet");
    if (isResumable) {
        back.send(resume(id, 0));
        CHECK(back.next().starts_with("<resumed "));
    } else {
        back.send(bindRequest).send("<presence/>");
    }
    CHECK(bodies(back) == "one");
}

TEST_CASE("a queue that is never acknowledged has a limit, and its messages stay") {
    TestServer server{"[sm]\nqueue_max = 10\nanswer_timeout = '1h'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const bool isAway = GENERATE(false, true);
    const auto id = enable(juliet);
    if (isAway) juliet.cut();
    std::string sent;
    for (int i = 0; i < 11; ++i) {
        romeo.send(message("juliet@capulet.example", std::to_string(i)));
        sent += (i ? " " : "") + std::to_string(i);
    }
    if (!isAway) isEndedWith(server, juliet, "resource-constraint");
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    CHECK(back.next().find("item-not-found") != std::string::npos);
    back.send(bindRequest).send("<presence/>");
    CHECK(bodies(back) == sent);
}

TEST_CASE("the queue is limited by memory too") {
    TestServer server{"[sm]\nqueue_bytes_max = '64 KiB'\nanswer_timeout = '1h'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(juliet);
    romeo.send(message("juliet@capulet.example", std::string(30'000, 'x'), "1"));
    CHECK(juliet.streamError() == "");
    romeo.send(message("juliet@capulet.example", std::string(36'000, 'x'), "2"));
    isEndedWith(server, juliet, "resource-constraint");
}

// ---- what <a/> promises

TEST_CASE("a message is acknowledged when it is stored, not before") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(romeo);
    server.database().stall();
    romeo.send(std::string{ping} + message("juliet@capulet.example", "one") + std::string{request});
    CHECK(romeo.next().starts_with("<iq "));
    CHECK(romeo.next() == "");

    SECTION("the answer waits for the disk") {
        server.database().goOn();
        server.run();
        CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    }
    SECTION("a client that would take the silence for death hears what is safe") {
        server.advance(3s);
        CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='1'/>");
        server.database().goOn();
        server.run();
        CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    }
    SECTION("the disk fails: the client is told, and knows which message") {
        romeo.send(message("juliet@capulet.example", "two", "m2"));
        server.database().fail();
        server.database().goOn();
        romeo.send(message("juliet@capulet.example", "three", "m3") + std::string{request});
        server.run();
        auto got = romeo.all();
        CHECK(got.back() == "<a xmlns='urn:xmpp:sm:3' h='4'/>");
        std::erase_if(got, [](const auto& xml) { return xml.starts_with("<a "); });
        REQUIRE(got.size() == 1);
        CHECK(got[0].find("id='m3'") != std::string::npos);
        CHECK(got[0].find("<resource-constraint ") != std::string::npos);
        const auto& bytes = romeo.bytes();
        CHECK(bytes.find("id='m3'") < bytes.find("h='4'/>"));
        CHECK(bytes.find("h='3'/>") == std::string::npos);
    }
    CHECK(juliet.streamError() == "");
}

TEST_CASE("what needs no storing is acknowledged while the disk hangs") {
    const std::string sent = GENERATE(
        "<message type='chat' to='juliet@capulet.example/balcony'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        "<message type='chat' to='juliet@capulet.example/balcony'><body>psst</body>"
        "<no-store xmlns='urn:xmpp:hints'/></message>",
        "<message type='headline' to='juliet@capulet.example'><body>news</body></message>",
        "<presence to='juliet@capulet.example/balcony'/>",
        "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    INFO(sent);
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(romeo);
    server.database().stall();
    romeo.send(sent + std::string{request});
    CHECK(romeo.all().back() == "<a xmlns='urn:xmpp:sm:3' h='1'/>");
}

TEST_CASE("who asks again and again while the disk hangs is not remembered each time") {
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(romeo);
    server.database().stall();
    romeo.send(message("juliet@capulet.example", "one"));
    std::string many;
    for (int i = 0; i < 1000; ++i) many += request;
    romeo.send(many);
    Session* session =
        server.server().shard(0).session(*Jid::parse("romeo@capulet.example/orchard"));
    CHECK(session->sm()->pendingRequests.size() == 1);
}

TEST_CASE("a session that ends leaves nothing that is told of its messages later") {
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    server.database().stall();
    romeo.send(message("juliet@capulet.example", "one") + std::string{request});
    SECTION("by the client") { romeo.send("</stream:stream>"); }
    SECTION("by the network") { romeo.cut(); }
    CHECK(!server.server().shard(0).session(*Jid::parse("romeo@capulet.example/orchard")));
    server.database().goOn();
    server.run();
    CHECK(romeo.bytes().find("h='1'") == std::string::npos);
}

TEST_CASE("a client that closes its stream hears what was safe") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    enable(juliet);
    juliet.send(std::string{ping} + "</stream:stream>");
    CHECK(juliet.bytes().ends_with("<a xmlns='urn:xmpp:sm:3' h='1'/></stream:stream>"));
}
