// What the server checks of each stanza before it is routed (RFC 6120, 8 and 10).
#include "tests/stream/conversation.h"

#include "route/host.h"
#include "route/shard.h"

using namespace epode;

namespace {

std::string error(std::string_view kind, std::string_view type, std::string_view condition) {
    const std::string name{kind};
    return "<" + name + " type='error' from='*' id='1'><error type='" + std::string{type} + "'><" +
           std::string{condition} + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></" +
           name + ">";
}

// From nobody: the address that it was sent to was none.
std::string errorFromNobody(std::string_view kind, std::string_view type,
                            std::string_view condition) {
    auto pattern = error(kind, type, condition);
    return pattern.erase(pattern.find(" from='*'"), 9);
}

}  // namespace

TEST_CASE("a stanza comes from who has sent it, whatever it says") {
    const std::string from =
        GENERATE("", " from='juliet@capulet.example/balcony'", " from='juliet@capulet.example'",
                 " from='juliet@capulet.example/chamber'", " from='nurse@capulet.example/x'",
                 " from='capulet.example'", " from='verona.example'", " from='@@'", " from=''");
    INFO(from);
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    juliet.send("<message to='romeo@capulet.example/orchard'" + from + "><body>a</body></message>");
    juliet.send("<presence to='romeo@capulet.example/orchard'" + from + "/>");
    juliet.send("<iq to='juliet@capulet.example/balcony' type='get' id='1'" + from +
                "><a xmlns='b'/></iq>");
    for (int i = 0; i < 2; ++i)
        CHECK(attribute(romeo.next(), "from") == "juliet@capulet.example/balcony");
    CHECK(attribute(juliet.next(), "from") == "juliet@capulet.example/balcony");
    CHECK(juliet.streamError() == "");
}

TEST_CASE("what is wrong beside a wrong `from` is still found") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string from = " from='@@'";
    juliet.send("<message id='1' to='@@'" + from + "><body>to myself?</body></message>");
    gets(juliet, errorFromNobody("message", "modify", "jid-malformed"));
    juliet.send("<iq id='1' type='ask'" + from + "/>");
    gets(juliet, errorFromNobody("iq", "modify", "bad-request"));
    juliet.send("<iq type='get'" + from + "><ping xmlns='urn:xmpp:ping'/></iq>");
    gets(juliet,
         "<iq type='error'><error type='modify'>"
         "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
}

TEST_CASE("an address that is none is refused") {
    const std::string to =
        GENERATE(std::string{"@capulet.example"}, std::string{"a b@capulet.example"},
                 std::string{"romeo@"}, std::string{""}, std::string{"romeo@capulet.example/"},
                 std::string{"romeo@-.example"}, std::string(1024, 'x') + "@capulet.example");
    const std::string kind = GENERATE("message", "presence", "iq type='get'");
    INFO(to.substr(0, 40));
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto name = kind.substr(0, kind.find(' '));
    juliet.send("<" + kind + " id='1' to='" + to + "'><body/></" + name + ">");
    gets(juliet, errorFromNobody(name, "modify", "jid-malformed"));
    CHECK(juliet.streamError() == "");
}

TEST_CASE("every request is answered, by whomever it is for") {
    struct Row {
        std::string_view to;
        std::string_view condition;
    };
    const auto row = GENERATE(values<Row>({
        {"", "service-unavailable"},
        {"juliet@capulet.example", "service-unavailable"},
        {"capulet.example", "service-unavailable"},
        {"capulet.example/echo", "service-unavailable"},
        {"montague.example", "service-unavailable"},
        {"romeo@capulet.example", "service-unavailable"},
        {"romeo@capulet.example/nowhere", "service-unavailable"},
        {"romeo@capulet.example/orchard", "service-unavailable"},  // he shares no presence
        {"nobody@capulet.example", "service-unavailable"},
        {"nobody@capulet.example/x", "service-unavailable"},
        {"verona.example", "remote-server-not-found"},
        {"romeo@verona.example/x", "remote-server-not-found"},
    }));
    const std::string type = GENERATE("get", "set");
    INFO(row.to);
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const std::string to = row.to.empty() ? "" : " to='" + std::string{row.to} + "'";
    juliet.send("<iq type='" + type + "' id='1'" + to + "><query xmlns='urn:nobody:knows'/></iq>");
    auto pattern = error("iq", "cancel", row.condition);
    if (row.to.empty()) pattern.erase(pattern.find(" from='*'"), 9);
    gets(juliet, pattern);
    getsNothing(juliet);
    getsNothing(romeo);
}

TEST_CASE("a request to the own other client reaches it, and its answer comes back") {
    TestServer server;
    auto& balcony = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    balcony.forget();
    chamber.forget();
    balcony.send("<iq type='get' id='1' to='juliet@capulet.example/chamber'><q xmlns='x'/></iq>");
    gets(chamber,
         "<iq type='get' id='1' from='juliet@capulet.example/balcony'><q xmlns='x'/></iq>");
    chamber.send(
        "<iq type='result' id='1' to='juliet@capulet.example/balcony'><q xmlns='x'/></iq>");
    gets(balcony,
         "<iq type='result' id='1' from='juliet@capulet.example/chamber'><q xmlns='x'/></iq>");
}

TEST_CASE("a request without exactly one element is refused") {
    const std::string content =
        GENERATE("", "text", "<a xmlns='x'/><b xmlns='x'/>",
                 "<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>");
    const std::string to = GENERATE("", " to='capulet.example'", " to='juliet@capulet.example'");
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<iq type='get' id='1'" + to + ">" + content + "</iq>");
    const auto got = juliet.next();
    INFO(got);
    CHECK(attribute(got, "type") == "error");
    CHECK(got.find("<bad-request ") != std::string::npos);
}

TEST_CASE("an iq of no known type, or of none, is refused") {
    const std::string type = GENERATE("", " type=''", " type='ask'", " type='GET'");
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<iq id='1'" + type + "><ping xmlns='urn:xmpp:ping'/></iq>");
    gets(juliet, errorFromNobody("iq", "modify", "bad-request"));
}

TEST_CASE("presence of no known type is refused, and nobody's presence changes") {
    const std::string type = GENERATE("available", "", "invisible");
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<presence id='1' type='" + type + "'/>");
    gets(juliet, errorFromNobody("presence", "modify", "bad-request"));
}

TEST_CASE("a message of no known type is a normal one") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(
        "<message type='telegram' to='juliet@capulet.example'><body>hello</body></message>");
    const auto got = juliet.next();
    CHECK(attribute(got, "type") == "");
    CHECK(got.find("<body>hello</body>") != std::string::npos);
}

TEST_CASE("a message without an address is for oneself") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<message id='1'><body>remember</body></message>");
    const auto got = juliet.next();
    CHECK(attribute(got, "to") == "juliet@capulet.example");
    CHECK(attribute(got, "from") == "juliet@capulet.example/balcony");
}

TEST_CASE("errors and results are never answered") {
    const std::string to = GENERATE("", " to='capulet.example'", " to='romeo@capulet.example'",
                                    " to='romeo@capulet.example/x'", " to='nobody@capulet.example'",
                                    " to='verona.example'", " to='@@'");
    const std::string kind = GENERATE("iq type='error'", "iq type='result'", "message type='error'",
                                      "presence type='error'");
    INFO(kind << to);
    TestServer server;
    server.addAccount("romeo@capulet.example");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto name = kind.substr(0, kind.find(' '));
    juliet.send(
        "<" + kind + " id='1'" + to +
        "><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></" +
        name + ">");
    getsNothing(juliet);
    CHECK(juliet.streamError() == "");
}

TEST_CASE("what is no stanza ends the stream") {
    const std::string sent = GENERATE(
        "<query/>", "<hello xmlns='urn:nobody'/>", "<Message/>", "<message xmlns='jabber:server'/>",
        "<message xmlns=''/>", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<stream:features/>");
    INFO(sent);
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send(sent);
    isEndedWith(server, juliet, "unsupported-stanza-type");
}

TEST_CASE("a handler that fails answers all the same") {
    const bool isCoroutine = GENERATE(false, true);
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto before = server.server().shard(0).host("capulet.example")->sharedServices();
    auto services =
        std::shared_ptr<Services>{new Services{*before}, [before](Services* mine) { delete mine; }};
    struct Failing {
        static Task<Reply> later(const Iq&) {
            throw std::runtime_error{"later"};
            co_return Reply{};
        }
    };
    services->iqs.add({StanzaType::Get, "q", "x", Addressee::Host}, "test",
                      [isCoroutine](const Iq& iq) -> Task<Reply> {
                          if (!isCoroutine) throw std::runtime_error{"at once"};
                          return Failing::later(iq);
                      });
    server.server().replace("capulet.example", services);
    server.run();
    juliet.send("<iq type='get' id='1' to='capulet.example'><q xmlns='x'/></iq>");
    gets(juliet, error("iq", "wait", "internal-server-error"));
}

TEST_CASE("presence to an address that is no client's changes nothing of the session") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard", false);
    romeo.send("<presence to='@@' id='1'/>");
    gets(romeo, errorFromNobody("presence", "modify", "jid-malformed"));
    juliet.send(message("romeo@capulet.example", "wait"));
    getsNothing(romeo);  // still unavailable
    romeo.send("<presence/>");
    CHECK(bodies(romeo) == "wait");
}
