// Bind 2 (XEP-0386) and stream management along with a login (XEP-0198, 9).
#include "tests/stream/sasl2.h"

#include "route/account.h"
#include "route/session.h"
#include "route/shard.h"

using namespace epode;

namespace {

constexpr std::string_view enableInline = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";

// Logged in with a session; `more` goes into <bind/>.
TestClient& bound(TestServer& server, Success2& success, std::string_view agent = phone,
                  std::string_view inside = "<tag>Balcony</tag>", std::string_view more = {}) {
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet", (agent.empty() ? std::string{} : userAgent(agent)) +
                                     bind2(inside) + std::string{more}));
    success = success2(client);
    return client;
}

std::string smIdOf(const Success2& success) {
    REQUIRE(success.bound);
    const Element* enabled = success.bound->child("enabled", ns::streamManagement);
    REQUIRE(enabled);
    CHECK(enabled->get("resume") == "true");
    return std::string{enabled->get("id")};
}

std::size_t sessions(TestServer& server) {
    const Account* account = server.server().shard(0).loaded("juliet@capulet.example");
    return account ? account->sessions().size() : 0;
}

}  // namespace

TEST_CASE("a session is there after one round trip, and the features follow") {
    TestServer server;
    Success2 success;
    auto& client = bound(server, success);
    CHECK(success.identity.starts_with("juliet@capulet.example/Balcony/"));
    const auto features = parsed(client.next());
    REQUIRE(features->is("features", ns::streams));
    CHECK(!features->child("bind", ns::bind));
    CHECK(features->child("sm", ns::streamManagement));
    const auto pong = client.ask("get", "<ping xmlns='urn:xmpp:ping'/>");
    CHECK(attribute(pong, "to") == success.identity);
}

TEST_CASE("the resource is the same each time for an installation, and tells nothing of its id") {
    TestServer server;
    Success2 first, again, other, renamed, nobody, nobodyAgain;
    bound(server, first).cut();
    bound(server, again).cut();
    bound(server, other, laptop).cut();
    bound(server, renamed, phone, "<tag>Orchard</tag>").cut();
    bound(server, nobody, "").cut();
    bound(server, nobodyAgain, "").cut();
    CHECK(first.identity == again.identity);
    CHECK(first.identity != other.identity);
    CHECK(renamed.resource == "Orchard" + first.resource.substr(first.resource.find('/')));
    CHECK(nobody.resource != nobodyAgain.resource);
    CHECK(first.resource.find("d4565fa7") == std::string::npos);
    CHECK(first.resource.size() < 40);

    server.addAccount("romeo@capulet.example");
    auto& romeo = open(server).forget();
    romeo.send(plain2("romeo", userAgent(phone) + bind2()));
    CHECK(success2(romeo).resource != first.resource);
}

TEST_CASE("a tag that can't be part of a resource is left out") {
    const std::string inside = GENERATE(as<std::string>{}, "", "<tag/>", "<tag> </tag>",
                                        "<tag>a\xE2\x80\xA8"
                                        "b</tag>",
                                        "<tag>" + std::string(129, 'x') + "</tag>",
                                        "<tag xmlns='urn:other'>Balcony</tag>");
    INFO(inside);
    TestServer server;
    Success2 success;
    bound(server, success, phone, inside);
    CHECK(success.bound);
    CHECK(success.resource.size() == 16);
}

TEST_CASE("a client that comes back takes the place of its own session, under any tag") {
    const std::string tag = GENERATE("Balcony", "Orchard");
    TestServer server;
    Success2 first, second, other;
    auto& old = bound(server, first);
    auto& laptopClient = bound(server, other, laptop);
    bound(server, second, phone, "<tag>" + tag + "</tag>");
    isEndedWith(server, old, "conflict");
    CHECK(!laptopClient.isClosed());
    CHECK(sessions(server) == 2);
}

TEST_CASE("what an earlier session of a client had not acknowledged goes to its next one") {
    TestServer server{"[archive]\ndefault = 'never'"};
    Success2 first, second;
    auto& old = bound(server, first, phone, enableInline);
    old.available().forget();
    old.link().stall();
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send(message("juliet@capulet.example", "hark"));
    auto& client = bound(server, second, phone, enableInline);
    client.forget().available();
    server.advance(2s);
    CHECK(bodies(client) == "hark");
}

TEST_CASE("archived messages that wait are left to the archive, whose state is told") {
    TestServer server;
    Success2 empty, success;
    auto& before = bound(server, empty);
    REQUIRE(empty.bound->child("metadata", "urn:xmpp:mam:2"));
    CHECK(empty.bound->child("metadata", "urn:xmpp:mam:2")->children().empty());
    before.send("</stream:stream>");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send(message("juliet@capulet.example", "one"))
        .send(message("juliet@capulet.example", "two"));
    server.advance(2s);

    auto& client = bound(server, success);
    const Element* metadata = success.bound->child("metadata", "urn:xmpp:mam:2");
    REQUIRE(metadata);
    const Element* start = metadata->child("start");
    const Element* end = metadata->child("end");
    REQUIRE(start);
    REQUIRE(end);
    CHECK(start->get("id") < end->get("id"));
    client.forget().available();
    CHECK(bodies(client) == "");
    romeo.send(message("juliet@capulet.example", "three"));
    CHECK(bodies(client) == "three");
    CHECK(client.ask("set", "<query xmlns='urn:xmpp:mam:2'/>").find("complete='true'") !=
          std::string::npos);
    CHECK(client.all().size() == 3);
}

TEST_CASE("messages that are in no archive wait for Bind 2 as for anybody") {
    TestServer server{"[archive]\ndefault = 'never'"};
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send(message("juliet@capulet.example", "hark"));
    server.advance(2s);
    Success2 success;
    auto& client = bound(server, success);
    client.forget().available();
    CHECK(bodies(client) == "hark");
}

TEST_CASE("stream management begins along with the session") {
    TestServer server;
    Success2 success;
    auto& client =
        bound(server, success, phone, std::string{"<tag>x</tag>"} + std::string{enableInline});
    smIdOf(success);
    const auto features = parsed(client.next());
    CHECK(!features->child("sm", ns::streamManagement));
    client.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>").forget();
    client.send(request);
    gets(client, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
    client.send(enableResumption);
    CHECK(client.next().find("unexpected-request") != std::string::npos);
}

TEST_CASE("a session is resumed along with the login, and asks for no binding") {
    TestServer server;
    Success2 first;
    auto& old = bound(server, first, phone, enableInline);
    const auto id = smIdOf(first);
    old.available().forget();
    auto& romeo = server.login("romeo@capulet.example/orchard");
    old.cut();
    romeo.send(message(first.identity, "hark"));

    auto& client = open(server).forget();
    client.send(plain2("juliet", userAgent(phone) + resume(id, 0) + bind2(enableInline)));
    const auto success = success2(client);
    CHECK(success.identity == first.identity);
    CHECK(!success.bound);
    const Element* resumed = success.xml->child("resumed", ns::streamManagement);
    REQUIRE(resumed);
    CHECK(resumed->get("previd") == id);
    CHECK(resumed->get("h") == "1");
    // No features: the session goes on at once.
    const auto all = client.all();
    CHECK(std::none_of(all.begin(), all.end(),
                       [](const auto& xml) { return xml.find("features") != xml.npos; }));
    CHECK(std::any_of(all.begin(), all.end(),
                      [](const auto& xml) { return xml.find("hark") != xml.npos; }));
    CHECK(sessions(server) == 1);
    CHECK(client.ask("get", "<ping xmlns='urn:xmpp:ping'/>").find("result") != std::string::npos);
}

TEST_CASE("a resumption that fails falls through to the binding") {
    struct Row {
        std::string resume;
        std::string condition;
    };
    const auto row = GENERATE(values<Row>({
        {resume("nobody", 0), "item-not-found"},
        {"<resume xmlns='urn:xmpp:sm:3' previd='x'/>", "bad-request"},
        {"<resume xmlns='urn:xmpp:sm:3' h='0'/>", "bad-request"},
        {"<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>", "bad-request"},
        {"<resume xmlns='urn:xmpp:sm:3' previd='x' h='4294967296'/>", "bad-request"},
    }));
    const bool binds = GENERATE(true, false);
    INFO(row.resume);
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(
        plain2("juliet", userAgent(phone) + row.resume + (binds ? bind2() : std::string{})));
    const auto success = success2(client);
    const Element* failed = success.xml->child("failed", ns::streamManagement);
    REQUIRE(failed);
    CHECK(failed->firstChild()->name() == row.condition);
    CHECK((success.bound != nullptr) == binds);
    CHECK(success.resource.empty() == !binds);
    CHECK(parsed(client.next())->is("features", ns::streams));
    getsNothing(client);
}

TEST_CASE("nobody resumes the session of another account along with a login") {
    TestServer server;
    Success2 first;
    bound(server, first, phone, enableInline).cut();
    server.addAccount("romeo@capulet.example");
    auto& romeo = open(server).forget();
    romeo.send(plain2("romeo", resume(smIdOf(first), 0)));
    const auto success = success2(romeo);
    CHECK(success.identity == "romeo@capulet.example");
    REQUIRE(success.xml->child("failed", ns::streamManagement));
}

TEST_CASE("a client that acknowledges too much along with its login is told so") {
    TestServer server;
    Success2 first;
    bound(server, first, phone, enableInline).cut();
    auto& client = open(server).forget();
    client.send(plain2("juliet", resume(smIdOf(first), 17) + bind2()));
    CHECK(client.streamErrorXml().find("handled-count-too-high") != std::string::npos);
    CHECK(client.bytes().find("<success") == std::string::npos);
}

TEST_CASE("an account has no more sessions by Bind 2 than by RFC 6120") {
    TestServer server{"[client]\nresources_max = 2"};
    Success2 one, two, three;
    bound(server, one, phone);
    bound(server, two, laptop);
    auto& client = open(server).forget();
    client.send(plain2("juliet", bind2()));
    isEndedWith(server, client, "resource-constraint");
    bound(server, three, phone);
    CHECK(sessions(server) == 2);
}

TEST_CASE("what else stands in a request to bind is ignored") {
    TestServer server;
    Success2 success;
    bound(server, success, phone,
          "<enable xmlns='urn:nobody'/><tag>x</tag><tag>y</tag><enable xmlns='urn:xmpp:sm:3'/>"
          "<enable xmlns='urn:xmpp:sm:3'/>");
    REQUIRE(success.bound);
    CHECK(success.resource.starts_with("x/"));
    std::size_t enabled = 0;
    for (const Element& child : success.bound->children()) enabled += child.name() == "enabled";
    CHECK(enabled == 1);
}

TEST_CASE("a session is resumed along with the login after a restart") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    Success2 first;
    bound(server, first, phone, enableInline);
    server.restart();
    auto& client = open(server).forget();
    client.send(plain2("juliet", userAgent(phone) + resume(smIdOf(first), 0) + bind2()));
    CHECK(success2(client).xml->child("resumed", ns::streamManagement));
}
