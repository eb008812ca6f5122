// Resource binding (RFC 6120, 7), and the way to the account's shard.
#include "tests/stream/conversation.h"

#include "core/base64.h"
#include "route/account.h"
#include "route/session.h"

#include <set>

using namespace epode;

namespace {

std::string bindTo(std::string_view resource) {
    return "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
           std::string{resource} + "</resource></bind></iq>";
}

std::string bound(std::string_view jid) {
    return "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>" +
           std::string{jid} + "</jid></bind></iq>";
}

std::string error(std::string_view type, std::string_view condition) {
    return "<iq type='error' id='b'><error type='" + std::string{type} + "'><" +
           std::string{condition} + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
}

}  // namespace

TEST_CASE("after login binding and stream management are offered") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader().logIn("juliet").forget().sendHeader();
    const auto features = client.next();
    CHECK(features.find("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") != std::string::npos);
    CHECK(features.find("<sm xmlns='urn:xmpp:sm:3'/>") != std::string::npos);
    CHECK(features.find("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/>") !=
          std::string::npos);
    CHECK(features.find("mechanism") == std::string::npos);
    CHECK(features.find("starttls") == std::string::npos);
}

TEST_CASE("a client gets the resource it asks for, prepared") {
    struct Row {
        std::string_view wanted;
        std::string_view jid;
    };
    const auto row = GENERATE(values<Row>({
        {"balcony", "juliet@capulet.example/balcony"},
        {"Balcony &amp; garden", "juliet@capulet.example/Balcony &amp; garden"},
        {"a/b@c", "juliet@capulet.example/a/b@c"},
        {"e\xCC\x81", "juliet@capulet.example/\xC3\xA9"},
    }));
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    client.send(bindTo(row.wanted));
    gets(client, bound(row.jid));
}

TEST_CASE("a client that asks for no resource gets one that nobody else has") {
    const std::string asked = GENERATE(std::string{bindRequest}, bindTo(""));
    TestServer server;
    std::set<std::string> jids;
    for (int i = 0; i < 3; ++i) {
        auto& client = loggedIn(server, "juliet");
        client.send(asked);
        const auto answer = parseXml(client.next(), ns::client);
        REQUIRE(answer);
        const std::string jid{(*answer)->child("bind", ns::bind)->childText("jid")};
        CHECK(jid.starts_with("juliet@capulet.example/"));
        CHECK(jid.size() >= 23 + 8);
        jids.insert(jid);
    }
    CHECK(jids.size() == 3);
}

TEST_CASE("a resource that is none is refused, and the client may ask again") {
    const std::string wanted = GENERATE(std::string{"\xC2\xAD"}, std::string(1024, 'x'));
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    client.send(bindTo(wanted));
    gets(client, error("modify", "bad-request"));
    client.send(bindTo("balcony"));
    gets(client, bound("juliet@capulet.example/balcony"));
}

TEST_CASE("who takes a resource that is in use ends the stream that has it") {
    TestServer server;
    auto& before = server.login("juliet@capulet.example/balcony");
    auto& nurse = server.login("juliet@capulet.example/nurse");
    before.forget();
    nurse.forget();
    auto& after = loggedIn(server, "juliet");
    after.send(bindTo("balcony"));
    gets(after, bound("juliet@capulet.example/balcony"));
    isEndedWith(server, before, "conflict");
    gets(nurse, "<presence type='unavailable' from='juliet@capulet.example/balcony'/>");
    after.send(message("juliet@capulet.example/balcony", "me"));
    CHECK(bodies(after) == "me");
}

TEST_CASE("an account has as many sessions as it may, and no more") {
    TestServer server{"[client]\nresources_max = 2"};
    server.login("juliet@capulet.example/a");
    server.login("juliet@capulet.example/b");
    auto& third = loggedIn(server, "juliet");
    third.send(bindTo("c"));
    gets(third, error("wait", "resource-constraint"));
    // Taking the place of one's own is no further session.
    third.send(bindTo("a"));
    gets(third, bound("juliet@capulet.example/a"));
}

TEST_CASE("sessions that wait to be resumed make room for a new one, the oldest first") {
    TestServer server{"[client]\nresources_max = 2"};
    auto& first = server.login("juliet@capulet.example/a", false);
    const auto firstId = enable(first);
    auto& second = server.login("juliet@capulet.example/b", false);
    const auto secondId = enable(second);
    first.cut();
    second.cut();

    auto& third = loggedIn(server, "juliet");
    third.send(bindTo("c"));
    gets(third, bound("juliet@capulet.example/c"));
    auto& back = loggedIn(server, "juliet");
    back.send(resume(firstId, 0));
    CHECK(back.next().find("item-not-found") != std::string::npos);
    back.send(resume(secondId, 0));
    CHECK(back.next().starts_with("<resumed "));
}

TEST_CASE("nothing of a session is taken before a resource is bound") {
    const std::string sent = GENERATE(
        "<message to='juliet@capulet.example'><body>hello</body></message>", "<presence/>",
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='get' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
        "<hello xmlns='urn:nobody'/>");
    INFO(sent);
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    client.send(sent);
    isEndedWith(server, client, "not-authorized");
}

TEST_CASE("the session request of older clients is answered") {
    TestServer server;
    auto& client = server.login("juliet@capulet.example/balcony");
    CHECK(mismatch("<iq type='result'/>",
                   client.ask("set", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")) ==
          "");
}

TEST_CASE("binding once is enough") {
    TestServer server;
    auto& client = server.login("juliet@capulet.example/balcony");
    client.send(bindTo("chamber"));
    gets(client, error("cancel", "service-unavailable"));
}

TEST_CASE("a database that doesn't answer ends the stream that wants to bind") {
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    server.database().fail();
    client.send(bindTo("balcony"));
    isEndedWith(server, client, "internal-server-error");
}

TEST_CASE("an account that was removed between login and binding has no sessions") {
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    server.wait(server.database().write([](SqlConnection& connection) {
        connection.run("DELETE FROM account");
        return true;
    }));
    client.send(bindTo("balcony"));
    isEndedWith(server, client, "not-authorized");
}

TEST_CASE("a client may send on without waiting for the answer to its binding") {
    const std::size_t chunkMax = GENERATE(0, 1, 7);
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = loggedIn(server, "romeo", {.chunkMax = chunkMax});
    romeo.send(bindTo("orchard") + message("juliet@capulet.example/balcony", "one") +
               std::string{enableResumption} + message("juliet@capulet.example/balcony", "two") +
               std::string{request});
    CHECK(bodies(juliet) == "one two");
    gets(romeo, bound("romeo@capulet.example/orchard"));
    CHECK(romeo.next().starts_with("<enabled "));
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='1'/>");
}

TEST_CASE("who sends without end while he has to wait is sent away") {
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    server.database().stall();
    client.send(bindTo("balcony"));
    std::string more;
    while (more.size() < 70'000) more += message("juliet@capulet.example", "hello");
    client.send(more);
    isEndedWith(server, client, "policy-violation");
    server.database().goOn();
    server.run();
    CHECK(client.bytes().find("<jid>") == std::string::npos);
}

TEST_CASE("with several shards each connection moves to its account, and loses nothing") {
    const std::uint64_t seed = GENERATE(1, 2, 3, 4, 5, 6, 7, 8);
    const std::size_t chunkMax = GENERATE(0, 3);
    TestServer server{{}, 3, seed};
    std::vector<TestClient*> clients;
    const std::vector<std::string> names{"juliet", "romeo", "nurse", "tybalt", "mercutio"};
    for (const auto& name : names) {
        server.addAccount(name + "@capulet.example");
        auto& client = server.connect({.chunkMax = chunkMax}, true);
        clients.push_back(&client);
        client.sendHeader().forget();
        // All at once, as a client may that trusts in its password.
        const std::string plain = std::string{'\0'} + name + '\0' + "secret";
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                    encodeBase64(plain) + "</auth>" +
                    "<stream:stream xmlns='jabber:client' "
                    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
                    "to='capulet.example'>" +
                    bindTo("x") + "<presence/>");
        const std::string bytes = client.bytes();
        CHECK(bytes.find("<jid>" + name + "@capulet.example/x</jid>") != std::string::npos);
    }
    for (std::size_t i = 0; i < clients.size(); ++i)
        for (const auto& name : names)
            clients[i]->send(message(name + "@capulet.example/x", names[i] + "-" + name));
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const std::string& bytes = clients[i]->bytes();
        std::size_t place = 0;
        for (const auto& name : names) {
            const auto found = bytes.find("<body>" + name + "-" + names[i] + "</body>", place);
            CHECK(found != std::string::npos);
            place = found;
        }
    }
}

TEST_CASE("a connection that ends while it moves to another shard leaves nothing behind") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        TestServer server{{}, 4, seed};
        for (const auto name : {"juliet", "romeo", "nurse", "tybalt"}) {
            server.addAccount(std::string{name} + "@capulet.example");
            auto& client = server.connect({.chunkMax = 40}, true);
            client.sendHeader();
            const std::string plain = std::string{'\0'} + name + '\0' + "secret";
            server.clientExecutor().post([&client, plain] {
                client.transport().send(
                    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                    encodeBase64(plain) + "</auth>");
            });
            server.clientExecutor().post([&server, &client] {
                server.clientExecutor().post([&client] { client.link().cut(); });
            });
            server.run();
            CHECK(client.isClosed());
        }
        server.advance(2min);
        for (unsigned i = 0; i < 4; ++i)
            server.server().shard(i).eachAccount(
                [](Account& account) { CHECK(account.sessions().empty()); });
    }
}
