// Resumption of sessions (XEP-0198, 5): after a lost connection, a restart, a crash.
#include "tests/stream/conversation.h"

#include "route/account.h"
#include "route/session.h"
#include "route/shard.h"

using namespace epode;

namespace {

std::string failed(std::string_view condition) {
    return "<failed xmlns='urn:xmpp:sm:3'><" + std::string{condition} +
           " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
}

// Each sees the other's presence.
void befriend(TestClient& one, TestClient& other) {
    const auto bare = [](TestClient& client) {
        return client.jid().substr(0, client.jid().find('/'));
    };
    for (auto* client : {&one, &other}) {
        auto& peer = client == &one ? other : one;
        client->send("<presence type='subscribe' to='" + bare(peer) + "'/>");
        peer.send("<presence type='subscribed' to='" + bare(*client) + "'/>");
    }
    one.forget();
    other.forget();
}

Session* sessionOf(TestServer& server, std::string_view jid) {
    const Jid full = Jid::parse(jid).value();
    return server.server().shardOf(full.bareText()).session(full);
}

bool hasSession(TestServer& server, std::string_view jid) { return sessionOf(server, jid); }

}  // namespace

TEST_CASE("a session is resumed after its connection was lost, and nothing is lost or doubled") {
    const std::uint64_t seed = GENERATE(1, 2, 3);
    const unsigned shards = GENERATE(1, 3);
    TestServer server{{}, shards, seed};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    const auto id = enable(juliet);
    romeo.send(message("juliet@capulet.example", "1")).send(message("juliet@capulet.example", "2"));
    juliet.send(message("romeo@capulet.example", "a")).send(message("romeo@capulet.example", "b"));
    CHECK(bodies(juliet) == "1 2");
    juliet.send(ack(1));

    juliet.cut();
    romeo.send(message("juliet@capulet.example", "3"));
    romeo.send("<presence><show>away</show></presence>");
    romeo.send(message("juliet@capulet.example/balcony", "4"));
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 1));

    gets(back, resumed(id, 2));
    const auto got = back.all();
    REQUIRE(got.size() == 4);
    CHECK(got[0].find("<body>2</body>") != std::string::npos);
    CHECK(got[1].find("<body>3</body>") != std::string::npos);
    CHECK(got[2].find("<show>away</show>") != std::string::npos);
    CHECK(got[3].find("<body>4</body>") != std::string::npos);
    CHECK(bodies(romeo) == "a b");  // and no word of any absence

    // It goes on where it was.
    back.send(ack(5));
    back.send(message("romeo@capulet.example", "c") + std::string{request});
    CHECK(back.next() == "<a xmlns='urn:xmpp:sm:3' h='3'/>");
    romeo.send(message("juliet@capulet.example", "5"));
    CHECK(bodies(back) == "5");
    CHECK(bodies(romeo) == "c");
    CHECK(back.streamError() == "");
    // Once more, and only the last is missing.
    back.cut();
    auto& again = loggedIn(server, "juliet");
    again.send(resume(id, 5));
    CHECK(bodies(again) == "5");
}

TEST_CASE("what the server has not got before the cut is not counted") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(juliet);
    juliet.send(message("romeo@capulet.example", "1") + "<message to='romeo@capulet.ex");
    juliet.cut();
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    gets(back, resumed(id, 1));
    back.send(message("romeo@capulet.example", "2"));
    CHECK(bodies(romeo) == "1 2");
}

TEST_CASE("a session that can't be resumed is not, and binding works then") {
    TestServer server{"[sm]\nresume_timeout = '60s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto id = enable(juliet);
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto romeoId = enable(romeo);
    std::string asked = resume(id, 0);
    std::string_view condition = "item-not-found";
    SECTION("the id is nobody's") {
        juliet.cut();
        asked = resume("unknown", 0);
    }
    SECTION("the id is that of another account") {
        romeo.cut();
        asked = resume(romeoId, 0);
    }
    SECTION("too much time has passed") {
        juliet.cut();
        server.advance(61s);
    }
    SECTION("the stream was closed in order") { juliet.send("</stream:stream>"); }
    SECTION("the session was never to be resumed") {
        auto& third = server.login("juliet@capulet.example/third");
        third.forget().send("<enable xmlns='urn:xmpp:sm:3'/>");
        asked = resume(attribute(third.next(), "id"), 0);
        third.cut();
    }
    SECTION("without id") {
        asked = "<resume xmlns='urn:xmpp:sm:3' h='0'/>";
        condition = "bad-request";
    }
    SECTION("without count") {
        asked = "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "'/>";
        condition = "bad-request";
    }
    SECTION("with no number") {
        asked = "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='x'/>";
        condition = "bad-request";
    }
    auto& back = loggedIn(server, "juliet");
    back.send(asked);
    gets(back, failed(condition));
    back.send(bindRequest);
    CHECK(attribute(back.next(), "type") == "result");
    CHECK(back.streamError() == "");
}

TEST_CASE("who resumes with a count that is too high has lost count, and the session stays") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto id = enable(juliet);
    juliet.cut();
    auto& wrong = loggedIn(server, "juliet");
    wrong.send(resume(id, 1));
    isEndedWith(server, wrong, "undefined-condition");
    CHECK(wrong.streamErrorXml().find("handled-count-too-high") != std::string::npos);
    auto& right = loggedIn(server, "juliet");
    right.send(resume(id, 0));
    gets(right, resumed(id, 0));
}

TEST_CASE("a session is taken over from a connection that is still open") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    const auto id = enable(juliet);
    juliet.link().stall();
    romeo.send(message("juliet@capulet.example", "1"));
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    gets(back, resumed(id, 0));
    CHECK(bodies(back) == "1");
    juliet.link().goOn();
    server.run();
    isEndedWith(server, juliet, "conflict");
    getsNothing(romeo);
    romeo.send(message("juliet@capulet.example", "2"));
    CHECK(bodies(back) == "2");
}

TEST_CASE(
    "who is away too long has left: contacts hear of it, messages wait, requests are answered") {
    TestServer server{"[sm]\nresume_timeout = '60s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    enable(juliet);
    romeo.send(message("juliet@capulet.example", "1"));
    juliet.cut();
    romeo.send(message("juliet@capulet.example", "2"));
    romeo.send("<iq type='get' id='q' to='juliet@capulet.example/balcony'><q xmlns='x'/></iq>");
    romeo.send(
        "<message type='chat' id='secret' to='juliet@capulet.example/balcony'><body>s</body>"
        "<no-store xmlns='urn:xmpp:hints'/></message>");
    romeo.send(
        "<message type='groupchat' id='room' to='juliet@capulet.example/balcony'>"
        "<body>g</body></message>");
    romeo.send(
        "<message type='chat' to='juliet@capulet.example/balcony'>"
        "<composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    server.advance(59s);
    getsNothing(romeo);
    server.advance(2s);
    CHECK(!hasSession(server, "juliet@capulet.example/balcony"));

    auto got = romeo.all();
    REQUIRE(got.size() == 4);
    CHECK(attribute(got[0], "type") == "unavailable");
    CHECK(attribute(got[1], "id") == "q");
    CHECK(attribute(got[2], "id") == "secret");
    CHECK(attribute(got[3], "id") == "room");
    for (int i = 1; i < 4; ++i) CHECK(got[i].find("<service-unavailable ") != std::string::npos);
    auto& back = server.login("juliet@capulet.example/garden", false);
    back.send("<presence/>");
    const auto all = back.bytes();
    CHECK(bodies(back) == "1 2");
    CHECK(all.find("<delay xmlns='urn:xmpp:delay'") != std::string::npos);
}

TEST_CASE("messages of a session that has ended go to another client that is there, once") {
    TestServer server{"[sm]\nresume_timeout = '60s'"};
    auto& phone = server.login("juliet@capulet.example/phone");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(phone);
    for (const auto body : {"1", "2", "3"})
        romeo.send(message("juliet@capulet.example/phone", body));
    phone.send(ack(1));
    auto& desk = server.login("juliet@capulet.example/desk");
    enable(desk);
    romeo.send(message("juliet@capulet.example/desk", "4"));
    CHECK(bodies(desk) == "4");
    desk.send(ack(1));

    phone.cut();
    server.advance(61s);

    CHECK(bodies(desk) == "2 3");
    desk.send(ack(desk.handled()));
    server.advance(2s);
    desk.cut();
    server.advance(61s);
    auto& third = server.login("juliet@capulet.example/third", false);
    third.send("<presence/>");
    CHECK(bodies(third) == "");
}

TEST_CASE("a second session's end while waiting messages are read forgets none of its own") {
    TestServer server{"[sm]\nresume_timeout = '60s'"};
    auto& phone = server.login("juliet@capulet.example/phone");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(phone);
    romeo.send(message("juliet@capulet.example/phone", "1"));
    phone.cut();
    server.advance(50s);
    auto& tablet = server.login("juliet@capulet.example/tablet");
    enable(tablet);
    romeo.send(message("juliet@capulet.example/tablet", "2"));
    auto& desk = server.login("juliet@capulet.example/desk");
    server.database().setDelay(20ms);
    server.advance(9990ms);  // the phone's session ends now, and its message is being read
    server.advance(15ms);
    tablet.send("</stream:stream>");
    server.advance(1s);
    CHECK(bodies(desk) == "1 2");
}

TEST_CASE("an offline message is for the client that stays, when the first one leaves at once") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    std::string expected;
    for (int i = 0; i < 250; ++i) {
        if (i < 249) romeo.send(message("juliet@capulet.example", std::to_string(i)));
        expected += (i ? " " : "") + std::to_string(i);
    }
    server.database().setDelay(20ms);
    auto& first = loggedIn(server, "juliet");
    server.advance(1s);
    first.send(bindRequest);
    auto& second = loggedIn(server, "juliet");
    server.advance(1s);
    second.send(bindRequest);
    server.advance(1s);
    first.forget();
    second.forget();
    // The last is not stored yet when the first client wants them.
    romeo.send(message("juliet@capulet.example", "249"));
    first.send(enableResumption).send("<presence/>");
    server.advance(5ms);
    second.send("<presence/>");
    server.advance(5ms);
    romeo.send(message("juliet@capulet.example", "live"));
    first.send("</stream:stream>");
    server.advance(10s);
    CHECK(bodies(second) == expected + " live");
}

TEST_CASE("a database that fails while waiting messages are read is asked again") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send(message("juliet@capulet.example", "1"));
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    server.database().fail();
    juliet.send("<presence/>");
    CHECK(bodies(juliet) == "");
    server.database().repair();
    server.advance(30s);
    CHECK(bodies(juliet) == "1");
}

TEST_CASE("a resumption waits for the disk, and says what is safe") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(romeo);
    server.database().stall();
    romeo.send(message("juliet@capulet.example", "1") + message("juliet@capulet.example", "2"));
    romeo.cut();
    server.database().goOn();
    auto& back = loggedIn(server, "romeo");
    back.send(resume(id, 0));
    gets(back, resumed(id, 2));
}

TEST_CASE("a resumption doesn't wait for ever, and counts on from what is safe") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(romeo);
    auto& back = loggedIn(server, "romeo");
    romeo.send(message("juliet@capulet.example/balcony", "0"));
    server.database().stall();
    romeo.send(message("juliet@capulet.example/balcony", "1") +
               message("juliet@capulet.example/balcony", "2"));
    romeo.cut();
    back.send(resume(id, 0));
    server.advance(4s);
    CHECK(back.next() == "");
    server.advance(2s);
    gets(back, resumed(id, 1));
    // The client says again what it has no answer for.
    back.send(message("juliet@capulet.example/balcony", "1") +
              message("juliet@capulet.example/balcony", "2") + std::string{request});
    CHECK(back.next() == "");
    server.database().goOn();
    server.run();
    CHECK(back.next() == "<a xmlns='urn:xmpp:sm:3' h='3'/>");
    CHECK(back.streamError() == "");
    CHECK(bodies(juliet) == "0 1 2 1 2");
}

TEST_CASE("a client that leaves while its resumption waits doesn't take the session with it") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(romeo);
    auto& gone = loggedIn(server, "romeo");
    auto& tooMuch = loggedIn(server, "romeo");
    server.database().stall();
    romeo.send(message("juliet@capulet.example", "1"));
    romeo.cut();
    gone.send(resume(id, 0));
    tooMuch.transport().pauseReading();  // so that its end takes a while
    tooMuch.send(resume(id, 0)).send("<message>" + std::string(70'000, ' '));
    gone.cut();
    server.database().goOn();
    server.advance(100ms);
    Session* session = sessionOf(server, "romeo@capulet.example/orchard");
    REQUIRE(session);
    CHECK(!session->outlet());
    tooMuch.transport().resumeReading();
    server.run();
    CHECK(tooMuch.streamError() == "policy-violation");
    auto& back = loggedIn(server, "romeo");
    back.send(resume(id, 0));
    gets(back, resumed(id, 1));
}

// ---- restart

TEST_CASE("after a restart sessions are resumed with nothing lost or doubled") {
    const unsigned shards = GENERATE(1, 3);
    TestServer server{{}, shards};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    for (auto* client : {&juliet, &romeo}) client->ask("get", "<query xmlns='jabber:iq:roster'/>");
    const auto julietId = enable(juliet);
    const auto romeoId = enable(romeo);
    romeo.send(message("juliet@capulet.example", "1")).send(message("juliet@capulet.example", "2"));
    juliet.send(message("romeo@capulet.example", "a"));
    juliet.send(ack(1));
    // One who is away already.
    romeo.cut();
    juliet.send(message("romeo@capulet.example", "b"));

    server.restart();
    // Not a closed stream, but one that was cut: clients resume no other.
    CHECK(juliet.isClosed());
    CHECK(juliet.streamError() == "");
    CHECK_FALSE(juliet.isStreamClosed());
    auto& julietBack = loggedIn(server, "juliet");
    julietBack.send(resume(julietId, 1));
    gets(julietBack, resumed(julietId, 2));
    CHECK(bodies(julietBack) == "2");
    julietBack.send(message("romeo@capulet.example", "c"));
    julietBack.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
        "<item jid='nurse@capulet.example'/></query></iq>");
    const auto pushed = julietBack.all();
    CHECK(std::count_if(pushed.begin(), pushed.end(),
                        [](const auto& xml) { return attribute(xml, "type") == "set"; }) == 1);

    auto& romeoBack = loggedIn(server, "romeo");
    romeoBack.send(resume(romeoId, 0));
    gets(romeoBack, resumed(romeoId, 2));
    CHECK(bodies(romeoBack) == "a b c");
    // Both see each other still.
    julietBack.forget();
    romeoBack.send("<presence><show>dnd</show></presence>");
    CHECK(julietBack.next().find("<show>dnd</show>") != std::string::npos);
    getsNothing(julietBack);
    // Everything is acknowledged: nothing comes again.
    romeoBack.send(ack(romeoBack.handled())).send("</stream:stream>");
    julietBack.send(ack(julietBack.handled() + 1)).send("</stream:stream>");
    server.advance(5s);
    auto& later = server.login("romeo@capulet.example/later");
    CHECK(bodies(later) == "");
}

TEST_CASE("a second restart finds the sessions that nobody has resumed meanwhile") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(juliet);
    romeo.send(message("juliet@capulet.example", "1"));
    server.restart();
    auto& romeoBack = server.login("romeo@capulet.example/orchard");
    romeoBack.send(message("juliet@capulet.example", "2"));
    server.restart();
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    gets(back, resumed(id, 0));
    CHECK(bodies(back) == "1 2");
}

TEST_CASE("a stop lets what clients have sent come to its end") {
    const unsigned shards = GENERATE(1, 3);
    TestServer server{{}, shards};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto julietId = enable(juliet);
    const auto romeoId = enable(romeo);
    server.database().setDelay(300ms);
    romeo.send(message("juliet@capulet.example", "1") + std::string{request});
    server.restart();
    server.database().setDelay({});

    // He is told that it is safe, and has no reason to send it again, whether he can resume or not.
    CHECK(romeo.bytes().find("h='1'") != std::string::npos);
    auto& romeoBack = loggedIn(server, "romeo");
    romeoBack.send(resume(romeoId, 0));
    gets(romeoBack, resumed(romeoId, 1));
    auto& back = loggedIn(server, "juliet");
    back.send(resume(julietId, 0));
    CHECK(bodies(back) == "1");
}

TEST_CASE("a stop doesn't wait for ever, and what is not stored then is not counted") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(romeo);
    romeo.send(message("juliet@capulet.example", "1"));
    server.database().setDelay(7s);
    romeo.send(message("juliet@capulet.example", "2"));
    server.restart();
    server.database().setDelay({});
    auto& back = loggedIn(server, "romeo");
    back.send(resume(id, 0));
    gets(back, resumed(id, 1));
}

TEST_CASE("contacts of a session that ends with the stop are told, also when they resume") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    const auto id = enable(juliet);  // Romeo has no stream management
    server.restart();
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    gets(back, resumed(id, 0));
    gets(back, "<presence type='unavailable' from='romeo@capulet.example/orchard'/>");
}

TEST_CASE(
    "what a client acknowledged out of the account's order is not told again after a restart") {
    TestServer server;
    auto& phone = server.login("juliet@capulet.example/phone");
    auto& desk = server.login("juliet@capulet.example/desk");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto phoneId = enable(phone);
    const auto deskId = enable(desk);
    romeo.send(message("juliet@capulet.example/phone", "1"));
    romeo.send(message("juliet@capulet.example/desk", "2"));
    desk.send(ack(1));
    server.restart();
    auto& deskBack = loggedIn(server, "juliet");
    deskBack.send(resume(deskId, 1));
    CHECK(bodies(deskBack) == "");
    auto& phoneBack = loggedIn(server, "juliet");
    phoneBack.send(resume(phoneId, 0));
    CHECK(bodies(phoneBack) == "1");
}

TEST_CASE("nobody binds or resumes while the server stops") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto id = enable(juliet);
    juliet.cut();
    auto& binding = loggedIn(server, "juliet");
    auto& resuming = loggedIn(server, "juliet");
    server.server().shutdown({});
    binding.send(bindRequest);
    resuming.send(resume(id, 0));
    CHECK(binding.streamError() == "system-shutdown");
    CHECK(resuming.streamError() == "system-shutdown");
}

TEST_CASE("a session whose time ends while the server is down has ended") {
    TestServer server{"[sm]\nresume_timeout = '60s'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(juliet);
    romeo.send(message("juliet@capulet.example", "1"));
    server.restart();
    server.advance(61s);
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    gets(back, failed("item-not-found"));
    back.send(bindRequest).send("<presence/>");
    CHECK(bodies(back) == "1");
}

TEST_CASE("a session that expires while the server is down has ended at the start, and it is told") {
    TestServer server{"[sm]\nresume_timeout = '60s'", GENERATE(1u, 3u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    const auto julietId = enable(juliet);
    const auto romeoId = enable(romeo);
    juliet.send("<presence to='nurse@capulet.example/x'/>");
    romeo.send(message("juliet@capulet.example", "1"));
    romeo.send(
        "<iq type='get' id='v' to='juliet@capulet.example/balcony'>"
        "<query xmlns='jabber:iq:version'/></iq>");
    juliet.cut();
    server.advance(30s);
    // He comes back within his time after the start; hers has begun anew with the stop.
    SECTION("in time: nobody hears of it") {
        server.restart(59s);
        auto& back = loggedIn(server, "romeo");
        back.send(resume(romeoId, 0));
        gets(back, resumed(romeoId, 2));
        getsNothing(back);
        auto& hers = loggedIn(server, "juliet");
        hers.send(resume(julietId, 0));
        CHECK(bodies(hers) == "1");
    }
    SECTION("too late") {
        server.restart(61s);
        CHECK_FALSE(hasSession(server, "juliet@capulet.example/balcony"));
        auto& hers = loggedIn(server, "juliet");
        hers.send(resume(julietId, 0));
        gets(hers, failed("item-not-found"));
        hers.send(bindRequest).send("<presence/>");
        CHECK(bodies(hers) == "1");
    }
}

TEST_CASE("who is still there hears of the sessions that have expired while the server was down") {
    TestServer server{"[sm]\nresume_timeout = '60s'\n[host.\"montague.example\".sm]\nresume_timeout = '1h'",
                      GENERATE(1u, 3u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    enable(juliet);
    const auto romeoId = enable(romeo);
    romeo.send(
        "<iq type='get' id='v' to='juliet@capulet.example/balcony'>"
        "<query xmlns='jabber:iq:version'/></iq>");
    server.restart(61s);
    server.addAccount("romeo@montague.example");
    auto& back = server.connect({}, true);
    back.sendHeader("montague.example").logIn("romeo").sendHeader("montague.example").forget();
    back.send(resume(romeoId, 0));
    gets(back, resumed(romeoId, 1));
    gets(back, "<presence type='unavailable' from='juliet@capulet.example/balcony'/>");
    gets(back,
         "<iq type='error' id='v' from='juliet@capulet.example/balcony'><error type='cancel'>"
         "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
}

// ---- crash

TEST_CASE("after a crash no session is resumed, and unacknowledged messages come again") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(juliet);
    enable(romeo);
    for (const auto body : {"1", "2", "3"}) romeo.send(message("juliet@capulet.example", body));
    romeo.forget().send(request);
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='3'/>");
    juliet.send(ack(1));
    server.advance(2s);  // the position is stored now and then

    server.crash();
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 3));
    gets(back, failed("item-not-found"));
    back.send(bindRequest).send("<presence/>");
    CHECK(bodies(back) == "2 3");
}

TEST_CASE("a message that was not stored at the crash was not acknowledged either") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enable(romeo);
    server.database().stall();
    romeo.send(message("juliet@capulet.example", "1") + std::string{request});
    server.crash();
    CHECK(romeo.bytes().find("<a ") == std::string::npos);
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    juliet.send("<presence/>");
    CHECK(bodies(juliet) == "");
}
