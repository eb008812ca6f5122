// Invitations that lead to a room: it lets in who has one.
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string capulet = "capulet.example";
const std::string landing = "[invite]\nlanding_url = 'https://{host}/i/#{token}'";

std::string preauth(const std::string& token) {
    return "<preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/>";
}
// The token of a new invitation to the coven.
std::string invite(Coven& coven, CommandValues values = {}) {
    values.emplace("room", *Jid::parse(::coven));
    const auto made = runCommand(coven.server, "invite", "invite create", std::move(values));
    if (made.isRefusal()) throw std::runtime_error{made.error().message};
    const auto page = textOf(made, "page");
    return page.substr(page.find('#') + 1);
}
TestClient& registers(TestServer& server, const std::string& name, const std::string& token) {
    SimLinkSettings settings;
    settings.clientAddress = "192.0.2.1";
    auto& client = server.connect(settings, true).sendHeader(capulet);
    CHECK(outcome(client.ask("set", preauth(token))) == "result");
    CHECK(outcome(client.ask("set", "<query xmlns='jabber:iq:register'><username>" + name +
                                        "</username><password>a long password</password>"
                                        "</query>")) == "result");
    client.logIn(name, "a long password").bind("house").forget();
    return client.available();
}
std::string asks(TestClient& client, const std::string& token,
                 const std::string& host = "capulet.example") {
    return outcome(client.ask("set", preauth(token), host));
}
bool wasInvited(TestClient& client) {
    for (const auto& xml : client.all())
        if (xml.find("<invite from='capulet.example'/>") != std::string::npos) return true;
    return false;
}
const std::string closed = "!presence auth registration-required";

}  // namespace

TEST_CASE("who makes an account with an invitation to a room is a member of it, and told") {
    Coven coven{{{"membersonly", "1"}}, landing, GENERATE(1u, 3u)};
    auto& nurse = registers(coven.server, "nurse", invite(coven));
    CHECK(wasInvited(nurse));
    CHECK(hears(coven.juliet) == Texts{});
    CHECK(coven.joins(nurse, "nurse").back() == "# ");
    CHECK(hears(coven.juliet) == Texts{"+nurse member/participant nurse@capulet.example/house"});
    CHECK(coven.joins(coven.tybalt, "tybalt") == Texts{closed});
}

TEST_CASE("who has an account shows the invitation, as often as it may be used") {
    Coven coven{{{"membersonly", "1"}}, landing, GENERATE(1u, 3u)};
    const bool isOnce = GENERATE(true, false);
    CommandValues values{{"no-account", true}};
    if (!isOnce) values.emplace("uses", std::int64_t{2});
    const auto token = invite(coven, std::move(values));
    CHECK(coven.joins(coven.tybalt, "tybalt") == Texts{closed});
    coven.tybalt.forget();
    CHECK(asks(coven.tybalt, token) == "result");
    CHECK(wasInvited(coven.tybalt));
    CHECK(coven.joins(coven.tybalt, "tybalt").back() == "# ");
    CHECK(asks(coven.romeo, token) == (isOnce ? "cancel item-not-found" : "result"));
    CHECK((coven.joins(coven.romeo, "romeo") == Texts{closed}) == isOnce);
}

TEST_CASE("a room is opened by its own invitation alone, and while that can be used") {
    Coven coven{{{"membersonly", "1"}, {"persistentroom", "1"}}, landing};
    const auto token =
        invite(coven, {{"no-account", true}, {"expires", Duration{std::chrono::hours{1}}}});
    for (const std::string& wrong :
         {std::string{}, std::string{"x"}, token + "x", token.substr(1), std::string(300, 'x')})
        CHECK(asks(coven.tybalt, wrong) == "cancel item-not-found");
    CHECK(asks(coven.tybalt, token, "montague.example") == "cancel item-not-found");
    CHECK(outcome(coven.tybalt.ask("get", preauth(token), capulet)) ==
          "cancel service-unavailable");
    const auto other = runCommand(coven.server, "invite", "invite create");
    const auto page = textOf(other, "page");
    CHECK(asks(coven.tybalt, page.substr(page.find('#') + 1)) == "cancel item-not-found");
    coven.server.advance(std::chrono::hours{2});
    auto& later = coven.server.login("mercutio@capulet.example/street");
    CHECK(asks(later, token) == "cancel item-not-found");
    CHECK(coven.joins(later, "mercutio") == Texts{closed});
}

TEST_CASE("nobody but the server speaks for it") {
    Coven coven{{{"membersonly", "1"}}, landing};
    coven.forget();
    const std::string request = "<message to='" + ::coven + "'><x xmlns='" + mucNs +
                                "#user'><invite to='tybalt@capulet.example'/></x></message>";
    coven.tybalt.send(request);
    CHECK(hears(coven.tybalt) == Texts{"!message cancel not-acceptable"});
    // Whatever a client says of where it comes from.
    coven.tybalt.forget();
    coven.tybalt.send("<message from='capulet.example'" + request.substr(8));
    CHECK_FALSE(wasInvited(coven.tybalt));
    auto& again = coven.server.login("tybalt@capulet.example/house");
    CHECK(coven.joins(again, "tybalt") == Texts{closed});
}

TEST_CASE("an invitation doesn't end a ban, and makes nobody more or less than he is") {
    Coven coven{{{"membersonly", "1"}}, landing};
    coven.juliet.ask("set", affiliate("tybalt@capulet.example", "outcast"), ::coven);
    coven.juliet.ask("set", affiliate("romeo@montague.example", "admin"), ::coven);
    const auto token = invite(coven, {{"no-account", true}, {"uses", std::int64_t{5}}});
    coven.forget();
    CHECK(asks(coven.tybalt, token) == "result");
    CHECK_FALSE(wasInvited(coven.tybalt));
    CHECK(coven.joins(coven.tybalt, "tybalt") == Texts{"!presence auth forbidden"});
    CHECK(asks(coven.romeo, token) == "result");
    CHECK(coven.joins(coven.romeo, "romeo").back() == "# ");
    CHECK(hears(coven.juliet) == Texts{"+romeo admin/moderator romeo@montague.example/orchard"});
}

TEST_CASE("whose room has gone, or is elsewhere, has his account and his contact all the same") {
    const auto room = GENERATE(as<std::string>{}, "gone@conference.capulet.example",
                               "coven@conference.verona.example", "coven@capulet.example");
    TestServer server{landing};
    server.addAccount("romeo@capulet.example");
    const auto made = runCommand(
        server, "invite", "invite create",
        {{"room", *Jid::parse(room)}, {"contact", *Jid::parse("romeo@capulet.example")}});
    const auto page = textOf(made, "page");
    auto& nurse = registers(server, "nurse", page.substr(page.find('#') + 1));
    CHECK_FALSE(wasInvited(nurse));
    CHECK(payload(nurse.ask("get", "<query xmlns='jabber:iq:roster'/>"))
              .find("subscription='both'") != std::string::npos);
}

TEST_CASE("who comes to a room by a friend's invitation has the friend as a contact") {
    Coven coven{{{"membersonly", "1"}}, landing};
    const bool asContact = GENERATE(true, false);
    const auto token =
        invite(coven, {{"no-account", true}, {"contact", *Jid::parse("juliet@capulet.example")}});
    if (asContact)
        coven.tybalt.send("<presence type='subscribe' to='juliet@capulet.example'>" +
                          preauth(token) + "</presence>");
    else
        CHECK(asks(coven.tybalt, token) == "result");
    CHECK(wasInvited(coven.tybalt));
    CHECK(payload(coven.tybalt.ask("get", "<query xmlns='jabber:iq:roster'/>"))
              .find(asContact ? "subscription='to'" : "subscription='both'") != std::string::npos);
    CHECK(coven.joins(coven.tybalt, "tybalt").back() == "# ");
    CHECK(asks(coven.romeo, token) == "cancel item-not-found");
}
