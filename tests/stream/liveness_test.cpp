// Clients that are silent, slow, or too fast.
#include "tests/stream/conversation.h"

#include "route/account.h"
#include "route/session.h"
#include "route/shard.h"

using namespace epode;

namespace {

constexpr std::string_view pings = "[client]\nping_after = '60s'\nping_timeout = '30s'\n";

std::string bodyOf(std::size_t bytes) { return std::string(bytes, 'x'); }

}  // namespace

TEST_CASE("a silent client is pinged, and stays when it answers") {
    TestServer server{pings};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.advance(55s);
    getsNothing(juliet);
    server.advance(20s);
    const auto ping = juliet.next();
    CHECK(mismatch("<iq type='get' from='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>",
                   ping) == "");
    CHECK(attribute(ping, "to") == "juliet@capulet.example/balcony");
    const std::string answer = GENERATE("result", "error");
    juliet.send("<iq type='" + answer + "' to='capulet.example' id='" + attribute(ping, "id") +
                "'/>");
    server.advance(45s);
    CHECK(juliet.streamError() == "");
    getsNothing(juliet);
    server.advance(30s);
    CHECK(juliet.next().starts_with("<iq "));
}

TEST_CASE("a client that doesn't answer a ping is gone") {
    TestServer server{pings};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("juliet@capulet.example/garden");
    romeo.forget();
    for (int i = 0; i < 11; ++i) {
        server.advance(10s);
        romeo.send(" ");
    }
    isEndedWith(server, juliet, "connection-timeout");
    gets(romeo, "<presence type='unavailable' from='juliet@capulet.example/balcony'/>");
    CHECK(romeo.streamError() == "");
}

TEST_CASE("white space is a sign of life") {
    TestServer server{pings};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (int i = 0; i < 20; ++i) {
        server.advance(50s);
        juliet.send(" ");
    }
    CHECK(juliet.next() == "");
    CHECK(juliet.streamError() == "");
}

TEST_CASE("with stream management a silent client is asked to acknowledge instead") {
    TestServer server{pings};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto id = enable(juliet);
    juliet.showsRequests = true;
    server.advance(75s);
    CHECK(juliet.next() == "<r xmlns='urn:xmpp:sm:3'/>");
    SECTION("and answers") {
        juliet.send(ack(0));
        server.advance(45s);
        CHECK(juliet.streamError() == "");
    }
    SECTION("and doesn't: its session waits") {
        server.advance(45s);
        isEndedWith(server, juliet, "connection-timeout");
        auto& back = loggedIn(server, "juliet");
        back.send(resume(id, 0));
        CHECK(back.next().starts_with("<resumed "));
    }
}

TEST_CASE("who sends too fast is read more slowly, and nothing is lost") {
    TestServer server{"[client]\nbytes_per_second = '10 KiB'\nbytes_burst = '64 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = loggedIn(server, "romeo", {.window = 16384});
    romeo.send(bindRequest);
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        romeo.send(message("juliet@capulet.example/balcony", bodyOf(1000), std::to_string(i)));
        expected += (i ? " " : "") + std::to_string(i);
    }
    const auto received = [&juliet] {
        std::string ids;
        for (const auto& xml : juliet.all()) ids += (ids.empty() ? "" : " ") + attribute(xml, "id");
        return ids;
    };
    auto got = received();
    const auto early = std::count(got.begin(), got.end(), ' ') + 1;
    CHECK(early >= 50);
    CHECK(early <= 90);
    // Others don't wait.
    auto& nurse = server.login("nurse@capulet.example/kitchen");
    nurse.send(message("juliet@capulet.example/balcony", "quick", "quick"));
    CHECK(received() == "quick");
    server.advance(5s);
    const auto later = received();
    const auto some = std::count(later.begin(), later.end(), ' ') + 1;
    CHECK(some >= 30);
    CHECK(some <= 60);
    got += " " + later;
    server.advance(30s);
    got += " " + received();
    CHECK(got == expected);
    CHECK(romeo.streamError() == "");
}

TEST_CASE("a client that is read slowly is still found gone") {
    TestServer server{"[client]\nbytes_per_second = '1 KiB'\nbytes_burst = '64 KiB'"};
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send(message("romeo@capulet.example/orchard", bodyOf(60'000)));
    romeo.send(message("romeo@capulet.example/orchard", bodyOf(60'000)));
    romeo.cut();
    server.advance(1s);
    CHECK(!server.server().shard(0).session(*Jid::parse("romeo@capulet.example/orchard")));
}

TEST_CASE("the rate has no limit when it is 0") {
    TestServer server{"[client]\nbytes_per_second = 0"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    for (int i = 0; i < 100; ++i)
        romeo.send(message("juliet@capulet.example/balcony", bodyOf(200'000), "m"));
    CHECK(juliet.all().size() == 100);
}

TEST_CASE("a slow reader is bounded: its stream ends, its session when it can't be resumed") {
    TestServer server{"[client]\noutput_bytes_max = '64 KiB'\n[archive]\ndefault = 'never'"};
    server.addAccount("juliet@capulet.example");
    auto& juliet = loggedIn(server, "juliet", {.window = 4096});
    auto& romeo = server.login("romeo@capulet.example/orchard");
    juliet.send(bindRequest).send("<presence/>");
    const bool isResumable = GENERATE(false, true);
    const auto id = isResumable ? enable(juliet) : "";
    const auto count = [&server] {
        std::size_t sessions = 0;
        server.server().shard(0).eachAccount([&](Account& account) {
            if (account.jid().text() == "juliet@capulet.example")
                sessions += account.sessions().size();
        });
        return sessions;
    };
    juliet.transport().pauseReading();
    std::string expected;
    for (int i = 0; i < 8; ++i) {
        romeo.send(message("juliet@capulet.example", bodyOf(10'000), std::to_string(i)));
        if (i < 6) CHECK(count() == 1);
    }
    server.advance(10s);
    CHECK(server.streamCount() == 1);  // Romeo's; also nothing waits any more for her to read
    CHECK(count() == (isResumable ? 1 : 0));
    if (!isResumable) return;
    auto& back = loggedIn(server, "juliet");
    back.send(resume(id, 0));
    std::vector<std::string> ids;
    for (const auto& xml : back.all())
        if (xml.starts_with("<message")) ids.push_back(attribute(xml, "id"));
    CHECK(ids == std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7"});
}

TEST_CASE("who asks without reading the answers is bounded as well") {
    TestServer server{"[client]\noutput_bytes_max = '64 KiB'"};
    auto& juliet = loggedIn(server, "juliet", {.window = 4096});
    juliet.send(bindRequest);
    juliet.transport().pauseReading();
    for (int i = 0; i < 600 && !juliet.isClosed(); ++i)
        juliet.send("<iq type='get' id='" + std::to_string(i) + "'><q xmlns='nobody:knows'/></iq>");
    server.advance(10s);
    CHECK(server.streamCount() == 0);
    CHECK(!server.server().shard(0).loaded("juliet@capulet.example")->sessions().size());
}
