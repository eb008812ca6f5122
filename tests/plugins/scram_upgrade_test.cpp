// New keys for an account that has none for a better hash (XEP-0480).
#include "tests/stream/sasl2.h"

#include "store/stores.h"

using namespace epode;

namespace {

constexpr std::string_view wanted =
    "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>";
constexpr std::string_view next = "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>";

// An account that came from elsewhere.
void addOld(TestServer& server) {
    const auto made = *sasl::makeScramKeys(Hash::Sha1, "secret", 1);
    std::vector<StoredKeys> keys{
        {"SHA-1", made.salt, made.iterations, made.storedKey, made.serverKey}};
    server.wait(server.server().stores().accounts.create("juliet@capulet.example", std::move(keys),
                                                         server.simulation().wallNow()));
}

std::size_t keys(TestServer& server) {
    return server.wait(server.server().stores().accounts.credentials("juliet@capulet.example"))
        ->keys.size();
}

std::string hashAnswer(std::string_view bytes) {
    return "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>" +
           encodeBase64(bytes) + "</hash></task-data>";
}

bool scramWorks(TestServer& server, Hash hash) {
    auto& client = open(server).forget();
    sasl::ScramClient machine{
        {.hash = hash, .username = "juliet", .password = "secret", .iterationsLeast = 1}};
    client.send(authenticate(machine.name(), machine.first().value()));
    const auto challenge = parsed(client.next());
    const auto answer = machine.answer(decodeBase64(challenge->text()).value());
    client.send("<response xmlns='urn:xmpp:sasl:2'>" + encodeBase64(*answer) + "</response>");
    return client.next().starts_with("<success ");
}

}  // namespace

TEST_CASE("a client that asks for it salts its password for a better mechanism") {
    const unsigned shards = GENERATE(1u, 3u);
    TestServer server{{}, shards};
    addOld(server);
    CHECK(!scramWorks(server, Hash::Sha256));
    auto& client = open(server).forget();
    sasl::ScramClient machine{
        {.hash = Hash::Sha1, .username = "juliet", .password = "secret", .iterationsLeast = 1}};
    client.send(
        authenticate(machine.name(), machine.first().value(), bind2() + std::string{wanted}));
    const auto challenge = parsed(client.next());
    const auto answer = machine.answer(decodeBase64(challenge->text()).value());
    client.send("<response xmlns='urn:xmpp:sasl:2'>" + encodeBase64(*answer) + "</response>");

    const auto offered = parsed(client.next());
    REQUIRE(offered->is("continue", sasl2Ns));
    CHECK(machine.isServerProven(decodeBase64(offered->childText("additional-data")).value()));
    REQUIRE(offered->child("tasks"));
    CHECK(offered->child("tasks")->childText("task") == "UPGR-SCRAM-SHA-256");
    getsNothing(client);
    client.send(next);
    const auto data = parsed(client.next());
    REQUIRE(data->is("task-data", sasl2Ns));
    const Element* salt = data->child("salt", "urn:xmpp:scram-upgrade:0");
    REQUIRE(salt);
    CHECK(salt->get("iterations") == "4096");
    client.send(
        hashAnswer(pbkdf2(Hash::Sha256, "secret", decodeBase64(salt->text()).value(), 4096)));

    const auto success = success2(client);
    CHECK(success.bound);
    CHECK(!success.xml->child("additional-data"));
    CHECK(keys(server) == 2);
    CHECK(scramWorks(server, Hash::Sha256));
    CHECK(scramWorks(server, Hash::Sha1));
}

TEST_CASE("an upgrade that nobody needs is none") {
    TestServer server;
    SECTION("not asked for") {
        addOld(server);
        auto& client = open(server).forget();
        client.send(plain2("juliet"));
        CHECK(success2(client).identity == "juliet@capulet.example");
    }
    SECTION("it is there") {
        server.addAccount("juliet@capulet.example");
        auto& client = open(server).forget();
        client.send(plain2("juliet", wanted));
        CHECK(success2(client).identity == "juliet@capulet.example");
    }
    SECTION("unknown") {
        addOld(server);
        auto& client = open(server).forget();
        client.send(
            plain2("juliet", "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-BLOOP</upgrade>"));
        CHECK(success2(client).identity == "juliet@capulet.example");
    }
}

TEST_CASE("an upgrade that goes wrong ends the login, and changes nothing") {
    struct Row {
        std::string sent;
        std::string condition;
    };
    TestServer server;
    addOld(server);
    auto& client = open(server).forget();
    client.send(plain2("juliet", bind2() + std::string{wanted}));
    CHECK(parsed(client.next())->is("continue", sasl2Ns));
    SECTION("another task") {
        client.send("<next xmlns='urn:xmpp:sasl:2' task='TOTP'/>");
        CHECK(failure2(client) == "malformed-request");
    }
    SECTION("given up") {
        client.send("<abort xmlns='urn:xmpp:sasl:2'/>");
        CHECK(failure2(client) == "aborted");
    }
    SECTION("data before the task has begun") {
        client.send(hashAnswer(std::string(32, 'x')));
        isEndedWith(server, client, "not-authorized");
    }
    SECTION("another login") {
        client.send(plain2("juliet"));
        isEndedWith(server, client, "not-authorized");
    }
    SECTION("begun") {
        client.send(next).forget();
        SECTION("twice") {
            client.send(next);
            isEndedWith(server, client, "not-authorized");
        }
        SECTION("a hash of another size") {
            client.send(hashAnswer(std::string(20, 'x')));
            CHECK(failure2(client) == "malformed-request");
        }
        SECTION("an empty hash") {
            client.send(hashAnswer(""));
            CHECK(failure2(client) == "malformed-request");
        }
        SECTION("no hash") {
            client.send("<task-data xmlns='urn:xmpp:sasl:2'/>");
            CHECK(failure2(client) == "malformed-request");
        }
        SECTION("no base 64") {
            client.send(
                "<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>%"
                "</hash></task-data>");
            CHECK(failure2(client) == "incorrect-encoding");
        }
        SECTION("nobody answers") {
            server.advance(61s);
            CHECK(client.streamError() == "connection-timeout");
        }
    }
    CHECK(keys(server) == 1);
    CHECK(client.bytes().find("<success") == std::string::npos);
}
