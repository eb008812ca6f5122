// What the web page learns of invitations, and invitations to rooms.
#include "tests/plugins/run_command.h"
#include "tests/stream/web_client.h"

using namespace epode;

namespace {

const std::string romeo = "romeo@montague.example";

std::string tokenIn(const std::string& uri) {
    const auto begin = uri.find("preauth=") + 8;
    return uri.substr(begin, uri.find(';', begin) - begin);
}
// The link of a new invitation.
std::string invite(TestServer& server, CommandValues values) {
    const auto result = runCommand(server, "invite", "invite create", std::move(values));
    if (result.isRefusal()) throw std::runtime_error{result.error().message};
    return textOf(result, "link");
}

}  // namespace

TEST_CASE("the page learns what an invitation is for, and of others nothing") {
    TestServer server;
    server.addAccount("romeo@montague.example");
    const auto about = [&](const std::string& token, std::string_view host = "capulet.example") {
        WebClient web{server};
        const auto answer = web.get("/invitation/" + token, {}, host);
        CHECK(statusOf(answer) == "200");
        CHECK(has(answer, "Cache-Control: no-store\r\n"));
        CHECK(has(answer, "Content-Type: application/json\r\n"));
        return bodyOf(answer);
    };
    const std::string nothing = "{\"open\":false}";
    const auto account = tokenIn(invite(server, {{"account", std::string{"nurse"}}}));
    CHECK(about(account) ==
          "{\"open\":true,\"account\":true,\"name\":\"nurse\",\"contact\":\"\",\"room\":\"\"}");
    CHECK(about(account, "montague.example") == nothing);
    const auto contact =
        tokenIn(invite(server, {{"contact", *Jid::parse(romeo)},
                                {"room", *Jid::parse("orchard@conference.montague.example")},
                                {"no-account", true},
                                {"expires", Duration{std::chrono::hours{1}}}}));
    CHECK(about(contact, "montague.example") ==
          "{\"open\":true,\"account\":false,\"name\":\"\",\"contact\":\"romeo@montague.example\","
          "\"room\":\"orchard@conference.montague.example\"}");
    for (const std::string& wrong : {std::string{}, std::string{"x"}, account.substr(1),
                                     account + "x", std::string(300, 'x'), std::string{"%22"}})
        CHECK(about(wrong) == nothing);
    WebClient web{server};
    CHECK(statusOf(web.ask("POST /invitation/x HTTP/1.1\r\nHost: capulet.example\r\n"
                           "Content-Length: 0\r\n\r\n")) == "405");
    server.advance(std::chrono::hours{2});
    CHECK(about(contact, "montague.example") == nothing);
}

TEST_CASE("an invitation to a room alone is the room's address") {
    TestServer server;
    CHECK(invite(server, {{"room", *Jid::parse("orchard@rooms.example")}, {"no-account", true}}) ==
          "xmpp:orchard@rooms.example?join");
    CHECK(invite(server, {{"room", *Jid::parse("orchard@rooms.example")}})
              .starts_with("xmpp:capulet.example?register;preauth="));
    for (CommandValues values : {CommandValues{{"room", *Jid::parse("rooms.example")}},
                                 CommandValues{{"no-account", true}},
                                 CommandValues{{"room", *Jid::parse("orchard@rooms.example")},
                                               {"no-account", true},
                                               {"account", std::string{"nurse"}}}})
        CHECK(runCommand(server, "invite", "invite create", std::move(values)).isRefusal());
}
