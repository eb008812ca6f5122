// Invitations (XEP-0401, XEP-0379, XEP-0445).
#include "plugins/invite/invitations.h"
#include "plugins/invite/invite_link.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"
#include "tests/plugins/run_command.h"
#include "tests/support/messages.h"

#include <set>

using namespace epode;

namespace {

const std::string romeo = "romeo@montague.example";

std::string preauth(const std::string& token) {
    return "<preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/>";
}
std::string account(const std::string& username) {
    return "<query xmlns='jabber:iq:register'><username>" + username +
           "</username><password>a long password</password></query>";
}
const std::string form = "<query xmlns='jabber:iq:register'/>";

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
std::string invite(TestServer& server) {
    return invite(server, {{"host", std::string{"capulet.example"}}});
}

TestClient& stranger(TestServer& server, const std::string& host = "capulet.example") {
    SimLinkSettings settings;
    settings.clientAddress = "192.0.2.1";
    return server.connect(settings, true).sendHeader(host);
}
bool exists(TestServer& server, const std::string& jid) {
    return server.wait(server.server().stores().accounts.find(jid)).has_value();
}
std::string subscription(TestClient& client, const std::string& jid) {
    const auto roster = parseXml(payload(client.ask("get", "<query xmlns='jabber:iq:roster'/>")));
    if (!roster) return "";
    for (const Element& item : (*roster)->children())
        if (item.get("jid") == jid) return std::string{item.get("subscription")};
    return "nobody";
}

}  // namespace

TEST_CASE("a token makes an account where registration is closed, once") {
    TestServer server;
    const auto token = tokenIn(invite(server));
    auto& client = stranger(server);
    CHECK(client.next().find("<register xmlns='urn:xmpp:ibr-token:0'/>") != std::string::npos);
    CHECK(outcome(client.ask("set", account("juliet"))) == "cancel service-unavailable");
    CHECK(outcome(client.ask("set", preauth(token))) == "result");
    CHECK(outcome(client.ask("get", form)) == "result");
    CHECK(outcome(client.ask("set", account("juliet"))) == "result");
    CHECK(exists(server, "juliet@capulet.example"));
    // Neither on this stream nor on another.
    CHECK(outcome(client.ask("set", account("juliet2"))) == "cancel service-unavailable");
    auto& other = stranger(server);
    CHECK(outcome(other.ask("set", preauth(token))) == "cancel item-not-found");
    CHECK(outcome(other.ask("set", account("juliet2"))) == "cancel service-unavailable");
    CHECK_FALSE(exists(server, "juliet2@capulet.example"));
    client.logIn("juliet", "a long password");
    CHECK(client.all().back().starts_with("<success"));
}

TEST_CASE("a token that is none opens nothing") {
    TestServer server;
    const auto token = tokenIn(invite(server));
    for (const std::string& wrong :
         {std::string{}, std::string{"x"}, token + "x", token.substr(1), std::string(300, 'x')}) {
        INFO(wrong);
        auto& client = stranger(server);
        CHECK(outcome(client.ask("set", preauth(wrong))) == "cancel item-not-found");
        CHECK(outcome(client.ask("get", form)) == "cancel service-unavailable");
        CHECK(outcome(client.ask("set", account("juliet"))) == "cancel service-unavailable");
    }
    auto& client = stranger(server);
    CHECK(outcome(client.ask("get", preauth(token))) == "modify bad-request");
    for (int i = 0; i < 5; ++i) client.ask("set", preauth("x"));
    CHECK(outcome(client.ask("set", preauth(token))) == "modify policy-violation");
    // It is for one host.
    auto& elsewhere = stranger(server, "montague.example");
    CHECK(outcome(elsewhere.ask("set", preauth(token))) == "cancel item-not-found");
}

TEST_CASE("a token that was shown in time is good for this stream, and for no other") {
    TestServer server;
    const auto token = tokenIn(invite(server, {{"host", std::string{"capulet.example"}},
                                               {"expires", Duration{std::chrono::seconds{20}}}}));
    auto& inTime = stranger(server);
    CHECK(outcome(inTime.ask("set", preauth(token))) == "result");
    server.advance(std::chrono::seconds{30});
    auto& late = stranger(server);
    CHECK(outcome(late.ask("set", preauth(token))) == "cancel item-not-found");
    CHECK(outcome(inTime.ask("set", account("juliet"))) == "result");
}

TEST_CASE("a registration that fails uses nothing up") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const auto token = tokenIn(invite(server));
    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", preauth(token))) == "result");
    CHECK(outcome(client.ask("set", account("juliet"))) == "cancel conflict");
    CHECK(outcome(client.ask("set",
                             "<query xmlns='jabber:iq:register'><username>nurse</username>"
                             "<password>x</password></query>")) == "modify not-acceptable");
    CHECK(outcome(client.ask("set", account("nurse"))) == "result");
}

TEST_CASE("however many register at once with one token, so many as may become accounts") {
    const auto seed = GENERATE(range(1u, 13u));
    const int uses = GENERATE(1, 3);
    TestServer server{"[registration]\nper_address_max = 100", 1 + seed % 3, seed};
    const auto token = tokenIn(
        invite(server, {{"host", std::string{"capulet.example"}}, {"uses", std::int64_t{uses}}}));
    std::vector<TestClient*> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(&stranger(server));
        CHECK(outcome(clients.back()->ask("set", preauth(token))) == "result");
    }
    for (int i = 0; i < 8; ++i) {
        clients[i]->forget().sendSoon("<iq type='set' id='r'>" +
                                      account("user" + std::to_string(i)) + "</iq>");
        if (seed % 4 == 0)
            clients[i]->sendSoon("<iq type='set' id='s'>" + account("more") + "</iq>");
    }
    server.run();
    int made = 0;
    for (int i = 0; i < 8; ++i)
        made += exists(server, "user" + std::to_string(i) + "@capulet.example");
    made += exists(server, "more@capulet.example");
    CHECK(made == uses);
}

TEST_CASE("a name that is kept is for whom it is kept") {
    TestServer server{"[registration]\nenabled = true"};
    const auto uri = invite(server, {{"host", std::string{"capulet.example"}},
                                     {"account", std::string{"Juliet"}},
                                     {"expires", Duration{std::chrono::hours{1}}}});
    CHECK(uri.starts_with("xmpp:juliet@capulet.example?register;preauth="));
    auto& other = stranger(server);
    CHECK(outcome(other.ask("set", account("juliet"))) == "cancel conflict");
    CHECK(runCommand(server, "invite", "invite create", {{"account", std::string{"juliet"}}})
              .error()
              .code == "exists");

    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", preauth(tokenIn(uri)))) == "result");
    CHECK(payload(client.ask("get", form)).find("<username>juliet</username>") !=
          std::string::npos);
    CHECK(outcome(client.ask("set", account("rosaline"))) == "modify not-acceptable");
    SECTION("he takes it") { CHECK(outcome(client.ask("set", account("JULIET"))) == "result"); }
    SECTION("it is free when the invitation has expired") {
        server.advance(std::chrono::hours{2});
        auto& later = stranger(server);
        CHECK(outcome(later.ask("set", account("juliet"))) == "result");
    }
}

TEST_CASE("the operator can give a reserved name") {
    TestServer server;
    const auto token = tokenIn(invite(server, {{"account", std::string{"admin"}}}));
    auto& client = stranger(server);
    client.ask("set", preauth(token));
    CHECK(outcome(client.ask("set", account("admin"))) == "result");
}

TEST_CASE("who was invited by somebody is his contact at once, and he hears of it") {
    TestServer server{"", GENERATE(1u, 2u)};
    auto& orchard = server.login("romeo@capulet.example/orchard");
    orchard.ask("get", "<query xmlns='jabber:iq:roster'/>");
    orchard.forget();
    const auto uri = invite(server, {{"contact", *Jid::parse("romeo@capulet.example")}});
    CHECK(uri.starts_with("xmpp:romeo@capulet.example?roster;preauth="));
    CHECK(uri.ends_with(";ibr=y"));
    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", preauth(tokenIn(uri)))) == "result");
    CHECK(outcome(client.ask("set", account("juliet"))) == "result");
    const auto push = orchard.next();
    CHECK(push.find("jid='juliet@capulet.example'") != std::string::npos);
    CHECK(push.find("subscription='both'") != std::string::npos);

    client.logIn("juliet", "a long password").bind("balcony").forget();
    CHECK(subscription(client, "romeo@capulet.example") == "both");
    orchard.forget();
    client.available();
    CHECK(orchard.next().find("from='juliet@capulet.example/balcony'") != std::string::npos);
}

TEST_CASE("a subscription request with a token is accepted and asked back, once") {
    TestServer server{"", GENERATE(1u, 2u)};
    const bool isThere = GENERATE(true, false);
    server.addAccount(romeo);
    TestClient* orchard = isThere ? &server.login(romeo + "/orchard") : nullptr;
    const auto uri = invite(server, {{"contact", *Jid::parse(romeo)}, {"no-account", true}});
    CHECK(uri.find("ibr") == std::string::npos);
    const auto token = tokenIn(uri);

    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<presence type='subscribed' to='" + romeo + "'/>");  // she approves beforehand
    juliet.send("<presence type='subscribe' to='" + romeo + "'>" + preauth(token) + "</presence>");
    CHECK(subscription(juliet, romeo) == "both");
    if (!orchard) orchard = &server.login(romeo + "/orchard");
    CHECK(subscription(*orchard, "juliet@capulet.example") == "both");

    auto& rosaline = server.login("rosaline@capulet.example/x");
    orchard->forget();
    rosaline.send("<presence type='subscribe' to='" + romeo + "'>" + preauth(token) +
                  "</presence>");
    CHECK(subscription(rosaline, romeo) == "none");
    CHECK(orchard->next().find("type='subscribe'") != std::string::npos);
}

TEST_CASE("a token is good for its inviter alone") {
    TestServer server;
    auto& orchard = server.login(romeo + "/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    const auto token =
        tokenIn(invite(server, {{"contact", *Jid::parse(romeo)}, {"no-account", true}}));
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<presence type='subscribe' to='tybalt@capulet.example'>" + preauth(token) +
                "</presence>");
    CHECK(subscription(juliet, "tybalt@capulet.example") == "none");
    // With all that it came with: the token may be one of his client's.
    CHECK(tybalt.next().find(token) != std::string::npos);
    // It opens no account either.
    auto& client = stranger(server, "montague.example");
    CHECK(outcome(client.ask("set", preauth(token))) == "cancel item-not-found");
    juliet.send("<presence type='subscribe' to='" + romeo + "'>" + preauth(token) + "</presence>");
    CHECK(subscription(orchard, "juliet@capulet.example") == "from");
}

TEST_CASE("invitations are listed, revoked, and go with their account") {
    TestServer server;
    auto& orchard = server.login(romeo + "/orchard");
    const auto first = invite(server);
    const auto second = invite(server, {{"contact", *Jid::parse(romeo)}});
    auto list = runCommand(server, "invite", "invite list");
    REQUIRE(list.rows().size() == 2);
    for (const auto& row : list.rows())
        for (const auto& cell : row) CHECK(textOf(cell).find(tokenIn(first)) == std::string::npos);
    const auto number = std::get<std::int64_t>(list.rows()[1][0].value());
    CHECK_FALSE(runCommand(server, "invite", "invite revoke", {{"number", number}}).isRefusal());
    CHECK(runCommand(server, "invite", "invite revoke", {{"number", number}}).isRefusal());
    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", preauth(tokenIn(first)))) == "cancel item-not-found");
    CHECK(runCommand(server, "invite", "invite list").rows().size() == 1);
    CHECK(runCommand(server, "invite", "invite list", {{"all", true}}).rows().size() == 2);

    CHECK(outcome(orchard.ask("set", "<query xmlns='jabber:iq:register'><remove/></query>")) ==
          "result");
    CHECK(runCommand(server, "invite", "invite list").rows().empty());
    auto& other = stranger(server, "montague.example");
    CHECK(outcome(other.ask("set", preauth(tokenIn(second)))) == "cancel item-not-found");
}

TEST_CASE("revoking stops also who has shown the token already") {
    TestServer server;
    const auto token = tokenIn(invite(server));
    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", preauth(token))) == "result");
    runCommand(server, "invite", "invite revoke", {{"number", std::int64_t{1}}});
    CHECK(outcome(client.ask("set", account("juliet"))) == "cancel item-not-found");
    CHECK_FALSE(exists(server, "juliet@capulet.example"));
}

TEST_CASE("no token is stored") {
    TestServer server;
    const auto token = tokenIn(invite(server));
    CHECK(token.size() == 24);
    const auto found = server.wait(server.database().read([token](SqlConnection& connection) {
        bool isThere = false;
        connection.run("SELECT token FROM invite", {}, [&](const SqlRow& row) {
            isThere = row.blob(0).find(token) != std::string_view::npos;
        });
        return isThere;
    }));
    CHECK_FALSE(found);
    std::set<std::string> all;
    for (int i = 0; i < 1000; ++i) all.insert(makeToken());
    CHECK(all.size() == 1000);
}

TEST_CASE("people invite as far as the operator lets them") {
    const auto may = GENERATE(as<std::string>{}, "nothing", "contacts", "accounts");
    TestServer server{"[invite]\nusers_may = '" + may + "'\nper_account_max = 2"};
    server.addAccount(romeo);
    Invitations invitations{server.server()};
    const auto make = [&](bool forAccount) {
        const auto outcome =
            server.wait(invitations.makeFor(*Jid::parse(romeo + "/orchard"), forAccount, "", true));
        const auto* made = std::get_if<InviteMade>(&outcome);
        return made ? made->uri.substr(0, made->uri.find("preauth=")) +
                          (made->uri.ends_with(";ibr=y") ? " ibr" : "")
                    : std::string{toText(std::get<StanzaError>(outcome).condition)};
    };
    if (may == "nothing") CHECK(make(false) == "forbidden");
    if (may == "contacts") CHECK(make(false) == "xmpp:romeo@montague.example?roster;");
    if (may == "accounts") CHECK(make(false) == "xmpp:romeo@montague.example?roster; ibr");
    CHECK(make(true) ==
          (may == "accounts" ? "xmpp:romeo@montague.example?roster; ibr" : "forbidden"));
    if (may == "accounts") CHECK(make(true) == "resource-constraint");
}

TEST_CASE("links are written so that they can be read") {
    Invite forAccount{.host = "capulet.example", .mayRegister = true};
    CHECK(inviteUri(forAccount, "T") == "xmpp:capulet.example?register;preauth=T");
    forAccount.username = "juliet";
    CHECK(inviteUri(forAccount, "T") == "xmpp:juliet@capulet.example?register;preauth=T");
    forAccount.username = "o'h?ra;x";
    CHECK(inviteUri(forAccount, "T") == "xmpp:o%27h%3Fra%3Bx@capulet.example?register;preauth=T");
    const Invite contact{.host = "montague.example", .inviter = romeo, .inviterAccount = 1};
    CHECK(inviteUri(contact, "T") == "xmpp:romeo@montague.example?roster;preauth=T");
    CHECK(landingUrl("https://{host}/i/#{token}", contact, "T") == "https://montague.example/i/#T");
    CHECK(landingUrl("https://x.example/#{uri}", contact, "T") ==
          "https://x.example/#xmpp%3Aromeo%40montague.example%3Froster%3Bpreauth%3DT");
    CHECK(landingUrl("", contact, "T") == "");
    CHECK(landingUrl("https://x.example/{what}{token", contact, "T") == "https://x.example/T");
}
