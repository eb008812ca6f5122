// Push services that are told by HTTP, and who is called by name.
#include "plugins/push/delivery.h"
#include "plugins/push/mention.h"
#include "route/account.h"
#include "route/shard.h"
#include "tests/plugins/answers.h"
#include "tests/support/answering_server.h"
#include "tests/support/messages.h"

using namespace epode;
using epode::test::AnsweringServer;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";

std::string enablePush(const std::string& jid) {
    return "<enable xmlns='urn:xmpp:push:0' jid='" + jid +
           "' node='n&quot;1'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
           "http://jabber.org/protocol/pubsub#publish-options</value></field>"
           "<field var='secret'><value>s3cret</value></field></x></enable>";
}

std::string bodyOf(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("a push service may be a web server") {
    AnsweringServer web;
    TestServer server{"[push]\nwith_sender = true\nhttp_services = [\"push.capulet.example " +
                      web.url() + "\", \"nonsense\", \"b.example http://elsewhere.example/\"]"};
    auto& friendly = server.login(romeo + "/orchard");
    auto& phone = server.login(juliet + "/phone");
    CHECK(outcome(phone.ask("set", enablePush("push.capulet.example"))) == "result");
    phone.send("</stream:stream>");
    server.advance(seconds{10});
    friendly.send(chat(juliet, "one"));
    auto requests = web.taken();
    REQUIRE(requests.size() == 1);
    CHECK(requests.front().starts_with("POST /hook HTTP/1.1\r\n"));
    CHECK(
        bodyOf(requests.front()) ==
        R"({"service":"push.capulet.example","node":"n\"1","message-count":1,)"
        R"("last-message-sender":"romeo@montague.example/orchard","options":{"secret":"s3cret"}})");
    const auto next = [&] {
        server.advance(seconds{10});
        friendly.send(chat(juliet, "more"));
        return web.taken().size();
    };
    SECTION("which hears of what comes later") { CHECK(next() == 1); }
    SECTION("which is forgotten when it says so") {
        web.answerStatus(GENERATE(404, 410));
        CHECK(next() == 1);
        CHECK(next() == 0);
    }
    SECTION("which may fail for a while") {
        web.answerStatus(503);
        for (int i = 0; i < 9; ++i) CHECK(next() == 1);
        web.answerStatus(204);
        CHECK(next() == 1);
        web.answerStatus(503);
        for (int i = 0; i < 10; ++i) CHECK(next() == 1);
        CHECK(next() == 0);
    }
}

TEST_CASE("a web server for push is named with its address") {
    struct Row {
        std::string text;
        bool isGood;
    };
    const auto row = GENERATE(values<Row>({
        {"push.capulet.example https://notify.example/hook", true},
        {"push@capulet.example/x   https://notify.example/hook", true},
        {"push.capulet.example", false},
        {"https://notify.example/hook", false},
        {"@ https://notify.example/hook", false},
        {"push.capulet.example http://notify.example/hook", false},
        {"push.capulet.example ", false},
        {"", false},
    }));
    INFO(row.text);
    CHECK(push::readHttpService(row.text).problem.empty() == row.isGood);
}

TEST_CASE("who is mentioned is found by reference or nick") {
    struct Row {
        std::string inner;
        bool isMentioned;
        std::string type = "groupchat";
    };
    const std::string reference =
        "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:";
    const auto row = GENERATE_COPY(values<Row>({
        {"<body>Jules, come!</body>", true},
        {"<body>where is JULES</body>", true},
        {"<body>(jules)</body>", true},
        {"<body>julesverne, jules</body>", true},
        {"<body>hello</body>" + reference + "juliet@capulet.example'/>", true},
        {"<body>hello</body>" + reference + "juliet@capulet.example?message'/>", true},
        {"<body>?</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>", true},
        {"<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true},
        {"<body>Juliet</body>", true, "chat"},
        {"<body>hello</body>", false},
        {"<body>julesverne</body>", false},
        {"<body>überjules</body>", false},
        {"<body>éjules</body>", false},
        {"<body>juliet</body>", false},
        {"<body/>", false},
        {"<body>hello</body>" + reference + "juliet@capulet.example.evil'/>", false},
        {"<body>hello</body>" + reference + "romeo@montague.example'/>", false},
        {"<body>hello</body><reference xmlns='urn:xmpp:reference:0' type='data' "
         "uri='xmpp:juliet@capulet.example'/>",
         false},
        {"<body>jules</body>", false, "chat"},
    }));
    CAPTURE(row.inner, row.type);
    TestServer server;
    auto& phone = server.login(juliet + "/phone");
    phone.send("<presence to='party@rooms.example/Jules'/>");
    const auto message = Stanza::parse("<message xmlns='jabber:client' type='" + row.type +
                                       "' from='party@rooms.example/Nurse' to='" + juliet +
                                       "/phone'>" + row.inner + "</message>");
    REQUIRE(message);
    Account* account = server.server().shardOf(juliet).loaded(juliet);
    REQUIRE(account);
    CHECK(push::mentions(*message, *account) == row.isMentioned);
}
