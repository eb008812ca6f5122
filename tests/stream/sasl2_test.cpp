// Logins by SASL2 (XEP-0388), and what is refused.
#include "tests/stream/sasl2.h"

#include "net/certificate.h"

using namespace epode;

namespace {

std::string response(std::string_view bytes) {
    return "<response xmlns='urn:xmpp:sasl:2'>" + encodeBase64(bytes) + "</response>";
}

std::vector<std::string> texts(const Element* list, std::string_view name) {
    std::vector<std::string> found;
    if (!list) return found;
    for (const Element& item : list->children())
        if (item.name() == name) found.emplace_back(item.text());
    return found;
}

sasl::ScramClient::Options juliet() {
    return {.username = "juliet", .password = "secret", .iterationsLeast = 1};
}

// The first step of SCRAM; then the challenge.
std::string beginScram(TestClient& client, sasl::ScramClient& machine, std::string_view more = {}) {
    client.forget().send(authenticate(machine.name(), machine.first().value(), more));
    const auto challenge = parsed(client.next());
    REQUIRE(challenge->is("challenge", sasl2Ns));
    return decodeBase64(challenge->text()).value();
}

}  // namespace

TEST_CASE("SASL2 is offered over TLS beside SASL, with what can be had along with it") {
    TestServer server;
    auto& client = open(server);
    const auto features = parsed(client.next());
    const Element* offer = features->child("authentication", sasl2Ns);
    REQUIRE(offer);
    CHECK(texts(offer, "mechanism") == texts(features->child("mechanisms", ns::sasl), "mechanism"));
    const Element* inlined = offer->child("inline");
    REQUIRE(inlined);
    CHECK(inlined->child("sm", ns::streamManagement));
    const Element* bind = inlined->child("bind", "urn:xmpp:bind:0");
    REQUIRE(bind);
    REQUIRE(bind->child("inline"));
    CHECK(bind->child("inline")->firstChild()->get("var") == "urn:xmpp:sm:3");
    const Element* fast = inlined->child("fast", "urn:xmpp:fast:0");
    REQUIRE(fast);
    CHECK(texts(fast, "mechanism") ==
          std::vector<std::string>{"HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"});
    CHECK(!fast->find("tls-0rtt"));
    CHECK(texts(offer, "upgrade") == std::vector<std::string>{"UPGR-SCRAM-SHA-256"});
}

TEST_CASE("SASL2 is not offered without TLS, and not taken") {
    TestServer server{"[client]\nrequire_tls = false"};
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect().sendHeader();
    CHECK(!parsed(client.next())->child("authentication", sasl2Ns));
    sasl::ScramClient machine{juliet()};
    client.send(authenticate(machine.name(), machine.first().value()));
    isEndedWith(server, client, "not-authorized");
}

TEST_CASE("a login without more goes on with the features, on the same stream") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet"));
    gets(client,
         "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>juliet@capulet.example"
         "</authorization-identifier></success>");
    const auto features = parsed(client.next());
    REQUIRE(features->is("features", ns::streams));
    CHECK(features->child("bind", ns::bind));
    CHECK(features->child("sm", ns::streamManagement));
    CHECK(!features->child("authentication", sasl2Ns));

    const auto answer = client.ask("set",
                                   "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>"
                                   "balcony</resource></bind>");
    CHECK(answer.find("juliet@capulet.example/balcony") != answer.npos);
    client.available();
    CHECK(client.ask("get", "<ping xmlns='urn:xmpp:ping'/>").find("result") != std::string::npos);
}

TEST_CASE("SCRAM by SASL2 proves the server, with each hash and binding") {
    const Hash hash = GENERATE(Hash::Sha1, Hash::Sha256);
    const std::string bindingType = GENERATE("", "tls-exporter", "tls-server-end-point");
    const std::size_t chunkMax = GENERATE(0, 1);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server, {}, {.chunkMax = chunkMax});
    const auto features = parsed(client.next());
    auto options = juliet();
    options.hash = hash;
    // XEP-0474: what SASL2 has offered is what counts.
    options.mechanismsSeen = texts(features->child("authentication", sasl2Ns), "mechanism");
    options.bindingTypesSeen = {"tls-exporter", "tls-server-end-point"};
    const TlsInfo& tls = *client.transport().tls();
    if (!bindingType.empty())
        options.binding = {bindingType,
                           bindingType == "tls-exporter" ? tls.exporter : tls.serverEndPoint};
    sasl::ScramClient machine{options};

    const auto answer = machine.answer(beginScram(client, machine, bind2()));
    CHECK(machine.problem() == "");
    REQUIRE(answer);
    client.send(response(*answer));

    const auto success = success2(client);
    CHECK(machine.isServerProven(decodeBase64(success.xml->childText("additional-data")).value()));
    CHECK(success.resource.starts_with("Balcony/"));
}

TEST_CASE("white space around base 64 is no harm") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>\n  " +
                encodeBase64(plainMessage("juliet")) + "\n</initial-response></authenticate>");
    CHECK(success2(client).identity == "juliet@capulet.example");
}

TEST_CASE("a certificate logs in by EXTERNAL, with and without an initial response") {
    const auto made = makeSelfSigned({"capulet.example"}, {"juliet@capulet.example"}, 1h);
    const auto& pem = made.certificatePem;
    const auto begin = pem.find('\n') + 1;
    std::string text = pem.substr(begin, pem.find("-----END") - begin);
    std::erase(text, '\n');
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(
        server, {}, {.clientCertificate = decodeBase64(text).value(), .isClientVerified = true});
    client.forget();
    SECTION("with an empty one") { client.send(authenticate("EXTERNAL", "")); }
    SECTION("without") {
        client.send(authenticate("EXTERNAL", std::nullopt));
        gets(client, "<challenge xmlns='urn:xmpp:sasl:2'/>");
        client.send("<response xmlns='urn:xmpp:sasl:2'/>");
    }
    CHECK(success2(client).identity == "juliet@capulet.example");
}

// ---- refusals

TEST_CASE("a login by SASL2 that is refused says why, and another may follow") {
    struct Row {
        std::string what;
        std::string sent;
        std::string condition;
    };
    const auto row = GENERATE(values<Row>({
        {"a wrong password", plain2("juliet", "", "wrong"), "not-authorized"},
        {"nobody", plain2("nobody"), "not-authorized"},
        {"an unknown mechanism", authenticate("BLURDYBLOOP", "x"), "invalid-mechanism"},
        {"no mechanism", "<authenticate xmlns='urn:xmpp:sasl:2'/>", "invalid-mechanism"},
        {"a mechanism of certificates", authenticate("EXTERNAL", ""), "invalid-mechanism"},
        {"no base 64",
         "<authenticate xmlns='urn:xmpp:sasl:2' "
         "mechanism='PLAIN'><initial-response>%</initial-response>"
         "</authenticate>",
         "incorrect-encoding"},
        {"the = of RFC 6120",
         "<authenticate xmlns='urn:xmpp:sasl:2' "
         "mechanism='PLAIN'><initial-response>=</initial-response>"
         "</authenticate>",
         "incorrect-encoding"},
        {"no message of PLAIN", authenticate("PLAIN", "hello"), "malformed-request"},
        {"somebody else",
         authenticate("PLAIN", plainMessage("juliet", "secret", "romeo@capulet.example")),
         "invalid-authzid"},
        {"an id that is no UUID", plain2("juliet", "<user-agent id='phone'/>"),
         "malformed-request"},
        {"an empty id", plain2("juliet", "<user-agent id=''/>"), "malformed-request"},
        {"a UUID of version 1",
         plain2("juliet", "<user-agent id='d4565fa7-4d72-1749-b3d3-740edbf87770'/>"),
         "malformed-request"},
        {"a UUID of another variant",
         plain2("juliet", "<user-agent id='d4565fa7-4d72-4749-c3d3-740edbf87770'/>"),
         "malformed-request"},
        {"a UUID with more",
         plain2("juliet", "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf877700'/>"),
         "malformed-request"},
        {"a UUID in braces",
         plain2("juliet", "<user-agent id='{d4565fa7-4d72-4749-b3d3-740edbf8777}'/>"),
         "malformed-request"},
        {"a response to nothing", "<response xmlns='urn:xmpp:sasl:2'>AA==</response>",
         "malformed-request"},
        {"a task of nothing", "<next xmlns='urn:xmpp:sasl:2' task='TOTP'/>", "malformed-request"},
        {"an element that nobody knows", "<hello xmlns='urn:xmpp:sasl:2'/>", "malformed-request"},
        {"the end of nothing", "<abort xmlns='urn:xmpp:sasl:2'/>", "aborted"},
    }));
    INFO(row.what);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(row.sent);
    CHECK(failure2(client) == row.condition);
    getsNothing(client);
    client.send(plain2("juliet", userAgent("D4565FA7-4D72-4749-B3D3-740EDBF87770")));
    CHECK(success2(client).identity == "juliet@capulet.example");
}

TEST_CASE("a login can be given up in its midst") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server);
    sasl::ScramClient first{juliet()};
    beginScram(client, first);
    client.send("<abort xmlns='urn:xmpp:sasl:2'><text>Changed my mind.</text></abort>");
    CHECK(failure2(client) == "aborted");
    sasl::ScramClient second{juliet()};
    client.send(response("hello"));
    CHECK(failure2(client) == "malformed-request");
    const auto answer = second.answer(beginScram(client, second));
    client.send(response(*answer));
    CHECK(success2(client).identity == "juliet@capulet.example");
}

TEST_CASE("nothing but the answer to the last step may come during a login") {
    const std::string sent = GENERATE(
        as<std::string>{}, "<message to='romeo@capulet.example'><body>hello</body></message>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
        "mechanism='PLAIN'>AGp1bGlldABzZWNyZXQ=</auth>",
        "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>",
        "<task-data xmlns='urn:xmpp:sasl:2'/>",
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'/>");
    INFO(sent);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server);
    sasl::ScramClient machine{juliet()};
    beginScram(client, machine);
    client.send(sent);
    isEndedWith(server, client, "not-authorized");
}

TEST_CASE("after a login by SASL2 there is no second one") {
    const bool isBound = GENERATE(false, true);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet", isBound ? bind2() : std::string{}));
    success2(client);
    client.send(plain2("juliet"));
    isEndedWith(server, client, isBound ? "unsupported-stanza-type" : "not-authorized");
}

TEST_CASE("a wrong password and an unknown account look the same to SASL2") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const std::string mechanism = GENERATE("PLAIN", "HT-SHA-256-NONE", "HT-SHA-256-EXPR");
    const auto conversation = [&](std::string_view user) {
        auto& client = open(server).forget();
        if (mechanism == "PLAIN")
            client.send(plain2(user, userAgent(phone), "wrong"));
        else
            client.send(byToken(client, user, mechanism, "a token of nobody"));
        return client.next();
    };
    CHECK(conversation("juliet") == conversation("nobody"));
}

TEST_CASE("a refused login leaves nothing of what was asked for along with it") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(
        plain2("juliet", bind2() + userAgent(phone) + requestToken("HT-SHA-256-NONE"), "wrong"));
    CHECK(failure2(client) == "not-authorized");
    getsNothing(client);
    CHECK(server.server().shard(0).loaded("juliet@capulet.example") == nullptr);
}

TEST_CASE("an authorization identity has to be whom the stream's header names") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@capulet.example");
    auto& client = open(server, "romeo@capulet.example/orchard").forget();
    client.send(authenticate("PLAIN", plainMessage("juliet", "secret", "juliet@capulet.example")));
    CHECK(failure2(client) == "invalid-authzid");
    client.send(authenticate("PLAIN", plainMessage("romeo", "secret", "romeo@capulet.example")));
    CHECK(success2(client).identity == "romeo@capulet.example");
}

TEST_CASE("a stream that comes from another domain than it goes to claims no account") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server, "romeo@montague.example").forget();
    client.send(authenticate("PLAIN", plainMessage("juliet", "secret")));
    CHECK(success2(client).identity == "juliet@capulet.example");
}

TEST_CASE("a disabled account is told so to who knows its password") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    server.wait(server.server().stores().accounts.setDisabled("juliet@capulet.example", true));
    auto& client = open(server).forget();
    client.send(plain2("juliet"));
    CHECK(failure2(client) == "account-disabled");
    CHECK(tryToken(server, "juliet", "HT-SHA-256-EXPR", token) == "account-disabled");
}

TEST_CASE("what can't be looked up is a temporary failure") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    server.database().fail();
    client.send(plain2("juliet", bind2()));
    CHECK(failure2(client) == "temporary-auth-failure");
    client.send(byToken(client, "juliet", "HT-SHA-256-EXPR", "token"));
    CHECK(failure2(client) == "temporary-auth-failure");
    server.database().repair();
    client.send(plain2("juliet", bind2()));
    CHECK(success2(client).bound);
}

TEST_CASE("a client that leaves while SASL2 waits is forgotten") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet");
    for (const bool isMethod : {false, true}) {
        server.database().stall();
        auto& client = open(server).forget();
        client.send(isMethod ? byToken(client, "juliet", "HT-SHA-256-EXPR", token)
                             : plain2("juliet", bind2()));
        client.cut();
        server.advance(61s);
        server.database().goOn();
        server.run();
    }
    CHECK(server.streamCount() == 0);
}

TEST_CASE("a user agent may say as much as it likes, and is cut") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    std::string software;
    for (int i = 0; i < 3000; ++i) software += "ä";
    client.send(plain2("juliet", userAgent(phone, software, "a\tb\xC2\x9B c") + bind2()));
    CHECK(success2(client).bound);
    const auto found = server.wait(server.server().stores().devices.list(1));
    REQUIRE(found.size() == 1);
    CHECK(found.front().software == software.substr(0, 128));
    CHECK(found.front().name == "a b  c");
}

TEST_CASE("SASL2 works over shards") {
    TestServer server{{}, 3};
    for (const auto local : {"juliet", "romeo", "nurse", "tybalt"}) {
        server.addAccount(std::string{local} + "@capulet.example");
        auto& client = open(server).forget();
        client.send(
            plain2(local, bind2("<tag>x</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/>") +
                              userAgent(phone) + requestToken("HT-SHA-256-EXPR")));
        const auto success = success2(client);
        CHECK(success.bound);
        CHECK(parsed(client.next())->is("features", ns::streams));
        CHECK(client.ask("get", "<ping xmlns='urn:xmpp:ping'/>").find("result") !=
              std::string::npos);
        CHECK(tryToken(server, local, "HT-SHA-256-EXPR", success.token) == "");
    }
}
