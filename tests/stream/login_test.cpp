// STARTTLS and SASL on clients' streams (RFC 6120, 5 and 6; XEP-0178, 0440, 0474).
#include "tests/stream/conversation.h"

#include "core/base64.h"
#include "core/sasl/scram_client.h"
#include "net/certificate.h"
#include "store/stores.h"

using namespace epode;

namespace {

constexpr std::string_view saslNs = "urn:ietf:params:xml:ns:xmpp-sasl";
constexpr std::string_view starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

std::string saslElement(std::string_view name, std::string_view text, std::string_view more = {}) {
    return "<" + std::string{name} + " xmlns='" + std::string{saslNs} + "'" + std::string{more} +
           ">" + std::string{text} + "</" + std::string{name} + ">";
}

std::string auth(std::string_view mechanism, std::string_view text = {}) {
    return saslElement("auth", text, " mechanism='" + std::string{mechanism} + "'");
}

std::string plain(std::string_view local, std::string_view password = "secret",
                  std::string_view authzid = {}) {
    return auth("PLAIN", encodeBase64(std::string{authzid} + '\0' + std::string{local} + '\0' +
                                      std::string{password}));
}

// The condition of a <failure/>, or what else came.
std::string failureOf(const std::string& xml) {
    const auto element = parseXml(xml, ns::client);
    if (!element || !(*element)->is("failure", saslNs)) return xml;
    CHECK((*element)->child("text"));
    return std::string{(*element)->firstChild()->name()};
}
std::string failureOf(TestClient& client) { return failureOf(client.next()); }

std::vector<std::string> texts(std::string_view features, std::string_view list,
                               std::string_view ns, std::string_view attributeName = {}) {
    std::vector<std::string> found;
    const auto element = parseXml(features, ns::client);
    REQUIRE(element);
    const Element* child = (*element)->child(list, ns);
    if (!child) return found;
    for (const Element& item : child->children())
        found.emplace_back(attributeName.empty() ? item.text() : item.get(attributeName));
    return found;
}

std::vector<std::string> mechanismsOf(std::string_view features) {
    return texts(features, "mechanisms", saslNs);
}
std::vector<std::string> bindingsOf(std::string_view features) {
    return texts(features, "sasl-channel-binding", "urn:xmpp:sasl-cb:0", "type");
}

// Logs in by SCRAM; what the server said last.
std::string scram(TestClient& client, sasl::ScramClient& machine) {
    client.forget().send(auth(machine.name(), encodeBase64(machine.first().value())));
    const auto challenge = parseXml(client.next(), ns::client);
    if (!challenge || (*challenge)->name() != "challenge") return toXml(**challenge, ns::client);
    const auto answer = machine.answer(decodeBase64((*challenge)->text()).value());
    if (!answer) return machine.problem();
    client.send(saslElement("response", encodeBase64(*answer)));
    return client.next();
}

bool isSuccess(std::string_view xml) { return xml.starts_with("<success "); }

sasl::ScramClient::Options juliet(TestClient& client) {
    const auto features = client.next();
    return {.username = "juliet",
            .password = "secret",
            .mechanismsSeen = mechanismsOf(features),
            .bindingTypesSeen = bindingsOf(features),
            .iterationsLeast = 1};
}

std::string certificateOf(const std::vector<std::string>& addresses) {
    const auto made = makeSelfSigned({"capulet.example"}, addresses, std::chrono::hours{1});
    const auto& pem = made.certificatePem;
    const auto begin = pem.find('\n') + 1;
    std::string text = pem.substr(begin, pem.find("-----END") - begin);
    std::erase(text, '\n');
    return decodeBase64(text).value();
}

}  // namespace

// ---- STARTTLS

TEST_CASE("before TLS nothing is offered but TLS, and nothing else is done") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect().sendHeader();
    const auto features = client.next();
    CHECK(
        features.find("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>") !=
        std::string::npos);
    CHECK(mechanismsOf(features).empty());

    client.send(plain("juliet"));
    isEndedWith(server, client, "policy-violation");
}

TEST_CASE("STARTTLS secures a stream, which begins anew and offers no second one") {
    TestServer server;
    auto& client = server.connect();
    client.startTls();
    CHECK(client.isSecured());
    client.sendHeader();
    const auto features = client.next();
    CHECK(features.find("starttls") == std::string::npos);
    CHECK(!mechanismsOf(features).empty());

    client.send(starttls);
    CHECK(client.next() == "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    CHECK(client.isStreamClosed());
    CHECK(client.streamError() == "");
}

TEST_CASE("what comes along with <starttls/> is dropped and never looked at") {
    const std::size_t chunkMax = GENERATE(0, 1);
    TestServer server{"[client]\nrequire_tls = false"};
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({.chunkMax = chunkMax}).sendHeader();
    client.forget();
    const std::string injected =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        "version='1.0' to='capulet.example'>" +
        plain("juliet");
    client.send(std::string{starttls} + injected);
    client.forget();
    server.clientExecutor().post(
        [&client] { static_cast<SimTransport&>(client.transport()).startTls("capulet.example"); });
    server.run();
    if (chunkMax == 0) {
        client.sendHeader();
        CHECK(client.isSecured());
        CHECK(mechanismsOf(client.next()).size() > 0);
        getsNothing(client);
    }
    // Read in parts, the rest may come when TLS is expected: then the connection fails.
    CHECK(client.isSecured() != client.isClosed());
    std::size_t headers = 0;
    const auto& bytes = client.bytes();
    for (auto at = bytes.find("<stream:stream "); at != bytes.npos;
         at = bytes.find("<stream:stream ", at + 1))
        ++headers;
    CHECK(headers == (chunkMax == 0 ? 2 : 1));
    CHECK(bytes.find("<failure ") == bytes.npos);
    CHECK(bytes.find("<success ") == bytes.npos);
}

TEST_CASE("where TLS is not required it is offered beside SASL, which has no PLAIN then") {
    TestServer server{"[client]\nrequire_tls = false"};
    auto& client = server.connect().sendHeader();
    const auto features = client.next();
    CHECK(features.find("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") !=
          std::string::npos);
    CHECK(mechanismsOf(features) == std::vector<std::string>{"SCRAM-SHA-256", "SCRAM-SHA-1"});
    CHECK(bindingsOf(features).empty());
    client.send(plain("juliet"));
    CHECK(failureOf(client) == "invalid-mechanism");
}

TEST_CASE("a handshake takes no longer than a login may") {
    TestServer server{"[client]\nlogin_timeout = '30s'"};
    auto& client = server.connect({.delay = 1s});
    client.send(
        "<stream:stream xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "to='capulet.example'>" +
        std::string{starttls});
    server.advance(29s);
    server.clientExecutor().post(
        [&client] { static_cast<SimTransport&>(client.transport()).startTls("capulet.example"); });
    server.run();
    client.send(
        "<stream:stream xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "to='capulet.example'>");
    server.advance(20s);
    CHECK(client.isClosed());
    CHECK(client.bytes().find("mechanism") == std::string::npos);
}

// ---- mechanisms

TEST_CASE("over TLS the strongest mechanisms come first, and the channel bindings are told") {
    TestServer server;
    auto& client = server.connect({}, true).sendHeader();
    const auto features = client.next();
    CHECK(mechanismsOf(features) == std::vector<std::string>{"SCRAM-SHA-256-PLUS",
                                                             "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
                                                             "SCRAM-SHA-1", "PLAIN"});
    CHECK(bindingsOf(features) == std::vector<std::string>{"tls-exporter", "tls-server-end-point"});
}

TEST_CASE("PLAIN can be switched off") {
    TestServer server{"[client]\nallow_plain = false"};
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    const auto offered = mechanismsOf(client.next());
    CHECK(std::count(offered.begin(), offered.end(), "PLAIN") == 0);
    client.send(plain("juliet"));
    CHECK(failureOf(client) == "invalid-mechanism");
}

TEST_CASE("SCRAM logs in with each hash, with and without channel binding") {
    const Hash hash = GENERATE(Hash::Sha1, Hash::Sha256);
    const std::string bindingType = GENERATE("", "tls-exporter", "tls-server-end-point");
    const std::size_t chunkMax = GENERATE(0, 1);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({.chunkMax = chunkMax}, true).sendHeader();
    auto options = juliet(client);
    options.hash = hash;
    const TlsInfo& tls = *client.transport().tls();
    if (!bindingType.empty())
        options.binding = {bindingType,
                           bindingType == "tls-exporter" ? tls.exporter : tls.serverEndPoint};
    sasl::ScramClient machine{options};

    const auto last = scram(client, machine);

    CHECK(machine.problem() == "");
    REQUIRE(isSuccess(last));
    const auto proof = parseXml(last, ns::client);
    CHECK(machine.isServerProven(decodeBase64((*proof)->text()).value()));
    client.bind("balcony");
    CHECK(client.jid() == "juliet@capulet.example/balcony");
}

TEST_CASE("the server's first message proves what was offered") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    auto options = juliet(client);
    options.mechanismsSeen = {"SCRAM-SHA-1"};
    sasl::ScramClient machine{options};
    CHECK(scram(client, machine) == "Somebody has changed what the server offers.");
}

TEST_CASE("somebody between client and server is found by the channel binding") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    auto options = juliet(client);
    SECTION("another connection's") {
        options.binding = {"tls-exporter", std::string(32, 'x')};
        sasl::ScramClient machine{options};
        CHECK(failureOf(scram(client, machine)) == "not-authorized");
    }
    SECTION("a type that was not offered") {
        options.binding = {"tls-unique", "x"};
        sasl::ScramClient machine{options};
        client.send(auth(machine.name(), encodeBase64(machine.first().value())));
        CHECK(failureOf(client) == "not-authorized");
    }
    SECTION("the offer was taken away") {
        options.couldBind = true;
        sasl::ScramClient machine{options};
        client.send(auth(machine.name(), encodeBase64(machine.first().value())));
        CHECK(failureOf(client) == "not-authorized");
    }
}

TEST_CASE("a wrong password and an unknown account can't be told apart") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto conversation = [&server](std::string_view user, std::string_view mechanism) {
        auto& client = server.connect({}, true).sendHeader();
        client.forget();
        if (mechanism == "PLAIN") {
            client.send(plain(user, "wrong"));
            return client.next();
        }
        sasl::ScramClient machine{
            {.username = std::string{user}, .password = "wrong", .iterationsLeast = 1}};
        return scram(client, machine);
    };
    for (const auto mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
        const auto known = conversation("juliet", mechanism);
        CHECK(known.find("<not-authorized/>") != std::string::npos);
        CHECK(conversation("nobody", mechanism) == known);
    }
}

TEST_CASE("the salt of an account that doesn't exist is always the same") {
    TestServer server;
    const auto salt = [&server](std::string_view user) {
        auto& client = server.connect({}, true).sendHeader();
        client.forget().send(
            auth("SCRAM-SHA-256", encodeBase64("n,,n=" + std::string{user} + ",r=abc")));
        const auto challenge = parseXml(client.next(), ns::client);
        const auto text = decodeBase64((*challenge)->text()).value();
        const auto begin = text.find(",s=");
        return text.substr(begin, text.find(",i=") - begin);
    };
    CHECK(salt("nobody") == salt("nobody"));
    CHECK(salt("nobody") != salt("somebody"));
}

TEST_CASE("what can't be done ends an attempt with the condition of RFC 6120") {
    struct Row {
        std::string sent;
        std::string_view condition;
    };
    const std::string stranger =
        encodeBase64(std::string{"romeo@capulet.example\0juliet\0secret", 35});
    const auto row = GENERATE_COPY(values<Row>({
        {auth("PLAIN", "!!!"), "incorrect-encoding"},
        {auth("PLAIN", "anVsaWV0"), "malformed-request"},
        {auth("PLAIN", "="), "malformed-request"},
        {auth("PLAIN", stranger), "invalid-authzid"},
        {auth("SCRAM-SHA-256", "!!!"), "incorrect-encoding"},
        {auth("SCRAM-SHA-256", encodeBase64("hello")), "malformed-request"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=,r=abc")), "malformed-request"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=")), "malformed-request"},
        {auth("SCRAM-SHA-256", encodeBase64("n,a=romeo@capulet.example,n=juliet,r=abc")),
         "invalid-authzid"},
        {auth("EXTERNAL", "="), "invalid-mechanism"},
        {auth("ANONYMOUS"), "invalid-mechanism"},
        {auth("DIGEST-MD5"), "invalid-mechanism"},
        {auth("plain", "="), "invalid-mechanism"},
        {auth(""), "invalid-mechanism"},
        {saslElement("auth", "="), "invalid-mechanism"},
        {saslElement("response", "="), "malformed-request"},
        {saslElement("abort", ""), "aborted"},
        {saslElement("challenge", "="), "malformed-request"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=abc")) + saslElement("abort", ""),
         "aborted"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=abc")) +
             auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=abc")),
         "malformed-request"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=abc")) + saslElement("response", "#"),
         "incorrect-encoding"},
        {auth("SCRAM-SHA-256", encodeBase64("n,,n=juliet,r=abc")) + saslElement("response", "="),
         "malformed-request"},
    }));
    INFO(row.sent);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget().send(row.sent);
    if (row.sent.find("abc") == std::string::npos &&
        row.sent.find(encodeBase64("n,,n=juliet,r=abc")) != std::string::npos)
        CHECK(client.next().starts_with("<challenge "));
    CHECK(failureOf(client) == row.condition);

    // The next attempt is a new one.
    client.send(plain("juliet"));
    CHECK(isSuccess(client.next()));
}

TEST_CASE("an authorization identity is the account's own address") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget().send(plain("juliet", "secret", "Juliet@CAPULET.example"));
    CHECK(isSuccess(client.next()));
}

TEST_CASE("a client without an initial response is asked for it") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget().send(auth("PLAIN"));
    gets(client, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    client.send(saslElement("response", encodeBase64(std::string{"\0juliet\0secret", 14})));
    CHECK(isSuccess(client.next()));
}

TEST_CASE("after five failures the stream ends") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget();
    for (int i = 0; i < 4; ++i) {
        client.send(plain("juliet", "wrong"));
        CHECK(failureOf(client) == "not-authorized");
        CHECK(client.streamError() == "");
    }
    client.send(auth("ANONYMOUS"));
    CHECK(failureOf(client) == "invalid-mechanism");
    isEndedWith(server, client, "policy-violation");
}

TEST_CASE("a disabled account is told so, and only to who knows its password") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.wait(server.server().stores().accounts.setDisabled("juliet@capulet.example", true));
    auto& client = server.connect({}, true).sendHeader();
    client.forget().send(plain("juliet", "wrong"));
    CHECK(failureOf(client) == "not-authorized");
    client.send(plain("juliet"));
    CHECK(failureOf(client) == "account-disabled");
}

TEST_CASE("a database that doesn't answer is a temporary failure") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    server.database().fail();
    client.forget().send(plain("juliet"));
    CHECK(failureOf(client) == "temporary-auth-failure");
    server.database().repair();
    client.send(plain("juliet"));
    CHECK(isSuccess(client.next()));
}

TEST_CASE("a client that leaves while its account is looked up is forgotten") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    server.database().stall();
    auto& gone = server.connect({}, true).sendHeader();
    gone.send(plain("juliet")).cut();
    auto& late = server.connect({}, true).sendHeader();
    late.send(plain("juliet"));
    server.advance(61s);
    CHECK(late.streamError() == "connection-timeout");
    server.database().goOn();
    server.run();
    CHECK(late.bytes().find("success") == std::string::npos);
}

// ---- limits

TEST_CASE("failures are limited for each address") {
    TestServer server{"[login]\naddress_burst = 3\nrefill = '60s'"};
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@capulet.example");
    const auto tryOut = [&server](std::string address, std::string_view user,
                                  std::string_view password) {
        auto& client = server.connect({.clientAddress = std::move(address)}, true).sendHeader();
        client.forget().send(plain(user, password));
        return failureOf(client);
    };
    const std::string home = GENERATE("192.0.2.7", "2001:db8:1:2::7");
    const std::string neighbour = home[0] == '1' ? "192.0.2.7" : "2001:db8:1:2:ffff::1";
    const std::string elsewhere = home[0] == '1' ? "192.0.2.8" : "2001:db8:1:3::7";
    for (const auto user : {"juliet", "romeo", "nobody"})
        CHECK(tryOut(home, user, "wrong") == "not-authorized");

    CHECK(tryOut(neighbour, "juliet", "secret") == "temporary-auth-failure");
    CHECK(isSuccess(tryOut(elsewhere, "juliet", "secret")));
    server.advance(61s);
    CHECK(tryOut(home, "romeo", "wrong") == "not-authorized");
    CHECK(tryOut(home, "romeo", "secret") == "temporary-auth-failure");
    server.advance(61s);
    CHECK(isSuccess(tryOut(home, "romeo", "secret")));
}

TEST_CASE("a client that could bind to the channel but says it saw no offer ends with PLAIN") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget();
    // As RFC 5802, 6 wants it, each is refused; as many as there are mechanisms don't end the stream.
    for (const int round : {1, 2}) {
        INFO(round);
        for (const Hash hash : {Hash::Sha256, Hash::Sha1}) {
            sasl::ScramClient machine{
                {.hash = hash, .username = "juliet", .password = "secret", .couldBind = true}};
            client.send(auth(machine.name(), encodeBase64(machine.first().value())));
            CHECK(failureOf(client) == "not-authorized");
        }
    }
    for (int i = 0; i < 4; ++i) {
        client.send(plain("juliet", "wrong"));
        CHECK(failureOf(client) == "not-authorized");
    }
    client.send(plain("juliet"));
    CHECK(isSuccess(client.next()));
}

TEST_CASE("attempts that come to no password are not without end") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader();
    client.forget();
    int attempts = 0;
    while (!client.isStreamClosed() && attempts < 100) {
        sasl::ScramClient machine{{.username = "juliet", .password = "secret", .couldBind = true}};
        client.send(auth(machine.name(), encodeBase64(machine.first().value())));
        ++attempts;
    }
    CHECK(attempts == 10);
    CHECK(client.streamError() == "policy-violation");
}

TEST_CASE("a stranger's failures don't lock out who logs in from where he is known") {
    TestServer server{"[login]\naccount_total_burst = 3"};
    server.addAccount("juliet@capulet.example");
    const auto tryOut = [&](std::string address, std::string_view password) {
        auto& client = server.connect({.clientAddress = std::move(address)}, true);
        client.sendHeader().forget().send(plain("juliet", password));
        return failureOf(client);
    };
    CHECK(isSuccess(tryOut("192.0.2.1", "secret")));
    for (int i = 10; i < 13; ++i)
        CHECK(tryOut("192.0.2." + std::to_string(i), "wrong") == "not-authorized");
    CHECK(tryOut("192.0.2.13", "wrong") == "temporary-auth-failure");
    CHECK(tryOut("192.0.2.13", "secret") == "temporary-auth-failure");
    CHECK(isSuccess(tryOut("192.0.2.1", "secret")));
}

TEST_CASE("failures are limited for each account, from wherever they come") {
    TestServer server{"[login]\naccount_total_burst = 2\nrefill = '60s'"};
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@capulet.example");
    int number = 0;
    const auto tryOut = [&](std::string_view user, std::string_view password) {
        auto& client =
            server.connect({.clientAddress = "192.0.2." + std::to_string(++number)}, true);
        client.sendHeader().forget().send(plain(user, password));
        return failureOf(client);
    };
    CHECK(tryOut("juliet", "wrong") == "not-authorized");
    CHECK(tryOut("juliet", "false") == "not-authorized");
    CHECK(tryOut("juliet", "secret") == "temporary-auth-failure");
    CHECK(isSuccess(tryOut("romeo", "secret")));
    server.advance(61s);
    CHECK(isSuccess(tryOut("juliet", "secret")));
}

// ---- certificates

TEST_CASE("a certificate that names an account logs in by EXTERNAL") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto certificate = certificateOf({"juliet@capulet.example"});
    auto& client =
        server.connect({.clientCertificate = certificate, .isClientVerified = true}, true);
    client.sendHeader();
    CHECK(mechanismsOf(client.next()).front() == "EXTERNAL");

    SECTION("without an address") { client.send(auth("EXTERNAL", "=")); }
    SECTION("with the address") {
        client.send(auth("EXTERNAL", encodeBase64("juliet@capulet.example")));
    }
    SECTION("when it is asked for") {
        client.send(auth("EXTERNAL"));
        gets(client, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        client.send(saslElement("response", "="));
    }
    CHECK(isSuccess(client.next()));
    client.bind("balcony");
    CHECK(client.jid() == "juliet@capulet.example/balcony");
}

TEST_CASE("a certificate serves nobody but whom it names") {
    TestServer server;
    for (const auto account : {"juliet@capulet.example", "romeo@capulet.example"})
        server.addAccount(account);
    const auto connect = [&server](const std::vector<std::string>& names) -> TestClient& {
        auto& client = server.connect(
            {.clientCertificate = certificateOf(names), .isClientVerified = true}, true);
        return client.sendHeader().forget();
    };
    SECTION("somebody else is wanted") {
        auto& client = connect({"juliet@capulet.example"});
        client.send(auth("EXTERNAL", encodeBase64("romeo@capulet.example")));
        CHECK(failureOf(client) == "invalid-authzid");
    }
    SECTION("it names two") {
        auto& client = connect({"juliet@capulet.example", "romeo@capulet.example"});
        client.send(auth("EXTERNAL", "="));
        CHECK(failureOf(client) == "invalid-authzid");
        client.send(auth("EXTERNAL", encodeBase64("romeo@capulet.example")));
        CHECK(isSuccess(client.next()));
    }
    SECTION("it names somebody of another server") {
        auto& client = connect({"juliet@verona.example"});
        client.send(auth("EXTERNAL", "="));
        CHECK(failureOf(client) == "not-authorized");
    }
    SECTION("it names an account that doesn't exist") {
        auto& client = connect({"nobody@capulet.example"});
        client.send(auth("EXTERNAL", "="));
        CHECK(failureOf(client) == "not-authorized");
    }
    SECTION("it names nobody") {
        auto& client = connect({});
        client.send(auth("EXTERNAL", "="));
        CHECK(failureOf(client) == "invalid-mechanism");
    }
}

TEST_CASE("a certificate that nobody vouches for is none") {
    TestServer server;
    auto& client =
        server.connect({.clientCertificate = certificateOf({"juliet@capulet.example"})}, true);
    const auto offered = mechanismsOf(client.sendHeader().next());
    CHECK(std::count(offered.begin(), offered.end(), "EXTERNAL") == 0);
}

TEST_CASE("a certificate that can't be read is none") {
    TestServer server;
    auto& client = server.connect({.clientCertificate = "hello", .isClientVerified = true}, true);
    const auto offered = mechanismsOf(client.sendHeader().next());
    CHECK(std::count(offered.begin(), offered.end(), "EXTERNAL") == 0);
}

// ---- the order of steps

TEST_CASE("nothing of a session is taken before login") {
    const std::string sent = GENERATE(
        "<message to='romeo@capulet.example'><body>hello</body></message>", "<presence/>",
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
        "<enable xmlns='urn:xmpp:sm:3'/>", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
        "<r xmlns='urn:xmpp:sm:3'/>", "<hello xmlns='urn:nobody'/>");
    INFO(sent);
    TestServer server;
    auto& romeo = server.login("romeo@capulet.example/orchard");
    auto& client = server.connect({}, true).sendHeader();
    client.forget().send(sent);
    isEndedWith(server, client, "not-authorized");
    getsNothing(romeo);
}

TEST_CASE("after login there is no second one") {
    TestServer server;
    auto& client = loggedIn(server, "juliet");
    client.send(plain("juliet"));
    isEndedWith(server, client, "not-authorized");
}

TEST_CASE("the stream after login is for the same host") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader().logIn("juliet");
    client.sendHeader("montague.example");
    isEndedWith(server, client, "host-unknown");
}
