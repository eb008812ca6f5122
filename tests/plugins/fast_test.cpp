// Tokens in place of passwords (XEP-0484).
#include "tests/stream/sasl2.h"

#include "core/time_format.h"
#include "route/account_admin.h"

using namespace epode;

namespace {

constexpr std::string_view expr = "HT-SHA-256-EXPR";
constexpr std::string_view none = "HT-SHA-256-NONE";
constexpr std::string_view endp = "HT-SHA-256-ENDP";

// A login by token; its <success/>.
Success2 login(TestServer& server, std::string_view token, std::string_view mechanism = expr,
               std::string_view attributes = {}, std::string_view more = {}) {
    auto& client = open(server).forget();
    client.send(byToken(client, "juliet", mechanism, token, phone, attributes, more));
    return success2(client);
}

std::string count(std::string_view number) { return " count='" + std::string{number} + "'"; }

}  // namespace

TEST_CASE("a device gets a token with its password, and logs in with it in one round trip") {
    const std::string mechanism = GENERATE(as<std::string>{}, expr, endp, none);
    INFO(mechanism);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& first = open(server).forget();
    first.send(plain2("juliet", userAgent(phone) + requestToken(mechanism)));
    const auto given = success2(first);
    REQUIRE(!given.token.empty());
    CHECK(given.token.size() >= 43);
    const auto expiry = parseDateTime(given.expiry);
    REQUIRE(expiry);
    CHECK(*expiry - server.simulation().wallNow() <= 21 * 24h);
    CHECK(*expiry - server.simulation().wallNow() > 20 * 24h);

    auto& client = open(server, "juliet@capulet.example").forget();
    client.send(byToken(client, "juliet", mechanism, given.token, phone, {}, bind2()));
    const auto success = success2(client);
    CHECK(success.resource.starts_with("Balcony/"));
    CHECK(success.token.empty());
    const auto known = sasl::parseHtName(mechanism).value();
    const TlsInfo& tls = *client.transport().tls();
    const std::string binding = mechanism == expr   ? tls.exporter
                                : mechanism == endp ? tls.serverEndPoint
                                                    : std::string{};
    CHECK(success.xml->childText("additional-data") ==
          encodeBase64(sasl::htAnswer(known.hash, given.token, binding)));
}

TEST_CASE("a token that is shown wrongly is none") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@capulet.example");
    const auto token = getToken(server, "juliet");
    SECTION("another token") {
        CHECK(tryToken(server, "juliet", expr, token + "x") == "not-authorized");
    }
    SECTION("another account") {
        CHECK(tryToken(server, "romeo", expr, token) == "not-authorized");
    }
    SECTION("nobody's account") {
        CHECK(tryToken(server, "nobody", expr, token) == "not-authorized");
    }
    SECTION("no name of an account") {
        CHECK(tryToken(server, "a b", expr, token) == "not-authorized");
    }
    SECTION("another device") {
        CHECK(tryToken(server, "juliet", expr, token, laptop) == "not-authorized");
    }
    SECTION("a mechanism that is bound less") {
        CHECK(tryToken(server, "juliet", none, token) == "not-authorized");
        CHECK(tryToken(server, "juliet", endp, token) == "not-authorized");
    }
    SECTION("the proof of another connection") {
        auto& client = open(server).forget();
        const auto proof =
            std::string{"juliet"} + '\0' + sasl::htProof(Hash::Sha256, token, std::string(32, 'x'));
        client.send(
            authenticate(expr, proof, userAgent(phone) + "<fast xmlns='urn:xmpp:fast:0'/>"));
        CHECK(failure2(client) == "not-authorized");
    }
    SECTION("somebody else in the header") {
        auto& client = open(server, "romeo@capulet.example").forget();
        client.send(byToken(client, "juliet", expr, token));
        CHECK(failure2(client) == "not-authorized");
    }
    SECTION("as a password") {
        auto& client = open(server).forget();
        client.send(plain2("juliet", userAgent(phone), token));
        CHECK(failure2(client) == "not-authorized");
    }
    SECTION("by RFC 6120") {
        auto& client = open(server).forget();
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='HT-SHA-256-EXPR'>" +
                    encodeBase64(htMessage(client, "juliet", expr, token)) + "</auth>");
        CHECK(client.next().find("invalid-mechanism") != std::string::npos);
    }
    CHECK(tryToken(server, "juliet", expr, token) == "");
}

TEST_CASE("a login by token that is malformed is refused") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    auto& client = open(server).forget();
    const auto message = htMessage(client, "juliet", expr, token);
    const std::string fast = "<fast xmlns='urn:xmpp:fast:0'/>";
    const auto withAttributes = [&](std::string_view attributes) {
        return authenticate(
            expr, message,
            userAgent(phone) + "<fast xmlns='urn:xmpp:fast:0' " + std::string{attributes} + "/>");
    };
    const std::string sent = GENERATE_COPY(
        as<std::string>{}, authenticate(expr, message, userAgent(phone)),
        authenticate(expr, message, fast), authenticate(expr, message, "<user-agent/>" + fast),
        authenticate(expr, std::nullopt, userAgent(phone) + fast),
        authenticate(expr, "", userAgent(phone) + fast),
        authenticate(expr, "juliet", userAgent(phone) + fast),
        authenticate(expr, message + "x", userAgent(phone) + fast),
        authenticate(expr, message.substr(6), userAgent(phone) + fast),
        authenticate(expr, std::string(2000, 'j') + message.substr(6), userAgent(phone) + fast),
        withAttributes("count='0'"), withAttributes("count='-1'"), withAttributes("count=''"),
        withAttributes("count='x'"), withAttributes("count='1x'"), withAttributes("count=' 1'"),
        withAttributes("count='2147483648'"), withAttributes("invalidate='yes'"),
        withAttributes("invalidate=''"));
    INFO(sent);
    client.send(sent);
    CHECK(failure2(client) == "malformed-request");
}

TEST_CASE("an expired token is told so, and then forgotten") {
    TestServer server{"[fast]\ntoken_lifetime = '1h'\nrotate_after = '2h'"};
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    server.advance(59min);
    CHECK(tryToken(server, "juliet", expr, token) == "");
    server.advance(2min);
    CHECK(tryToken(server, "juliet", expr, token) == "credentials-expired");
    server.advance(2h);
    CHECK(tryToken(server, "juliet", expr, token) == "not-authorized");
}

TEST_CASE("a count that does not grow is a replay") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("5")) == "");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("5")) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("4")) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("6")) == "");
    // Without early data a count is not needed.
    CHECK(tryToken(server, "juliet", expr, token) == "");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("6")) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, token, phone, count("2147483647")) == "");
    server.crash();
    CHECK(tryToken(server, "juliet", expr, token, phone, count("7")) == "not-authorized");
}

TEST_CASE("two logins with one count at the same time are one") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet", none);
    auto& one = open(server).forget();
    auto& other = open(server).forget();
    one.sendSoon(byToken(one, "juliet", none, token, phone, count("1")));
    other.sendSoon(byToken(other, "juliet", none, token, phone, count("1")));
    server.run();
    const bool oneIsIn = one.next().starts_with("<success ");
    const bool otherIsIn = other.next().starts_with("<success ");
    CHECK(oneIsIn != otherIsIn);
}

TEST_CASE("a token is replaced in time, and ends when the new one is used") {
    TestServer server{"[fast]\nrotate_after = '24h'"};
    server.addAccount("juliet@capulet.example");
    const auto old = getToken(server, "juliet");
    server.advance(23h);
    CHECK(login(server, old).token.empty());
    server.advance(2h);
    const auto lost = login(server, old).token;
    REQUIRE(!lost.empty());
    // It never arrived: the old one is still good, and brings another, after which the lost one is
    // none.
    const auto fresh = login(server, old).token;
    REQUIRE(!fresh.empty());
    CHECK(fresh != lost);
    CHECK(tryToken(server, "juliet", expr, lost) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, old) == "");
    // (That login has brought a third.)
    CHECK(tryToken(server, "juliet", expr, fresh) == "not-authorized");
    const auto last = login(server, old).token;
    CHECK(login(server, last).token.empty());
    CHECK(tryToken(server, "juliet", expr, old) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, last) == "");
}

TEST_CASE("a client invalidates its token") {
    TestServer server{"[fast]\nrotate_after = '1h'"};
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    const auto others = getToken(server, "juliet", expr, laptop);
    server.advance(2h);
    const std::string value = GENERATE("true", "1");
    CHECK(login(server, token, expr, " invalidate='" + value + "'").token.empty());
    CHECK(tryToken(server, "juliet", expr, token) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, others, laptop) == "");
}

TEST_CASE("a client invalidates its token and asks for another") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    const auto fresh = login(server, token, expr, " invalidate='true'", requestToken(expr)).token;
    REQUIRE(!fresh.empty());
    CHECK(tryToken(server, "juliet", expr, token) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, fresh) == "");
}

TEST_CASE("no token is given to who may not have it") {
    const std::string more = GENERATE(
        as<std::string>{}, requestToken(expr), "<user-agent/>" + requestToken(expr),
        userAgent(phone) + requestToken("SCRAM-SHA-256"), userAgent(phone) + requestToken(""),
        userAgent(phone) + requestToken("HT-SHA-256-UNIQ"),
        userAgent(phone) + "<request-token xmlns='urn:xmpp:fast:0'/>",
        userAgent(phone) + "<request-token xmlns='urn:other' mechanism='HT-SHA-256-EXPR'/>");
    INFO(more);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet", more));
    CHECK(success2(client).token.empty());
}

TEST_CASE("a token doesn't buy one for another mechanism") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet", none);
    CHECK(login(server, token, none, {}, requestToken(expr)).token.empty());
    CHECK(!login(server, token, none, {}, requestToken(none)).token.empty());
}

TEST_CASE("tokens end with the password, and with the account") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@capulet.example");
    const auto token = getToken(server, "juliet");
    const auto romeos = getToken(server, "romeo");
    const auto jid = Jid::parse("juliet@capulet.example").value();
    SECTION("password") {
        CHECK(server.wait(changePassword(server.server(), jid, "another")) == PasswordChange::Done);
    }
    SECTION("account") {
        CHECK(server.wait(removeAccount(server.server(), jid)));
        server.addAccount("juliet@capulet.example");
    }
    CHECK(tryToken(server, "juliet", expr, token) == "not-authorized");
    CHECK(tryToken(server, "romeo", expr, romeos) == "");
}

TEST_CASE("of too many devices the one whose token ends first loses it") {
    TestServer server{"[fast]\ndevices_max = 2"};
    server.addAccount("juliet@capulet.example");
    const auto agent = [](int number) {
        return "00000000-0000-4000-8000-00000000000" + std::to_string(number);
    };
    std::vector<std::string> tokens;
    for (int i = 0; i < 3; ++i) {
        tokens.push_back(getToken(server, "juliet", expr, agent(i)));
        server.advance(1s);
    }
    CHECK(tryToken(server, "juliet", expr, tokens[0], agent(0)) == "not-authorized");
    CHECK(tryToken(server, "juliet", expr, tokens[1], agent(1)) == "");
    CHECK(tryToken(server, "juliet", expr, tokens[2], agent(2)) == "");
}

TEST_CASE("tokens outlive a restart and a crash") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    server.restart();
    CHECK(tryToken(server, "juliet", expr, token) == "");
    server.crash();
    CHECK(tryToken(server, "juliet", expr, token) == "");
}

TEST_CASE("a token that can't be stored is not given, and the login succeeds") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.login("juliet@capulet.example/balcony");
    const auto token = getToken(server, "juliet");
    CHECK(tryToken(server, "juliet", expr, token) == "");
    auto& client = open(server).forget();
    // The account is in memory, and its keys are read before the disk fails.
    sasl::ScramClient machine{{.username = "juliet", .password = "secret", .iterationsLeast = 1}};
    client.send(authenticate(machine.name(), machine.first().value(),
                             userAgent(phone) + requestToken(expr)));
    const auto challenge = parsed(client.next());
    const auto answer = machine.answer(decodeBase64(challenge->text()).value());
    server.database().fail();
    client.send("<response xmlns='urn:xmpp:sasl:2'>" + encodeBase64(*answer) + "</response>");
    CHECK(success2(client).token.empty());
    server.database().repair();
    CHECK(tryToken(server, "juliet", expr, token) == "");
}

TEST_CASE("wrong tokens count against their address alone") {
    TestServer server{"[login]\naddress_burst = 4\naccount_burst = 1\naccount_total_burst = 1"};
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    const auto from = [&](std::string address, std::string_view shown) {
        auto& client = open(server, {}, {.clientAddress = std::move(address)}).forget();
        client.send(byToken(client, "juliet", expr, shown));
        const auto answer = failure2(client);
        return answer.starts_with("<success ") ? std::string{} : answer;
    };
    for (int i = 0; i < 4; ++i) CHECK(from("192.0.2.66", "wrong") == "not-authorized");
    CHECK(from("192.0.2.66", token) == "temporary-auth-failure");
    CHECK(from("192.0.2.67", token) == "");
}
