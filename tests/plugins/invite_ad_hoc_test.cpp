// Invitations that people make in their clients (XEP-0401, by XEP-0050).
#include "core/time_format.h"
#include "tests/plugins/commands.h"

using namespace epode;

namespace {

const std::string capulet = "capulet.example";
const std::string inviteNode = "urn:xmpp:invite#invite";
const std::string accountNode = "urn:xmpp:invite#create-account";

}  // namespace

TEST_CASE("people invite to what they may, and see no command for anything else") {
    for (const std::string may : {"nothing", "contacts", "accounts"}) {
        INFO(may);
        TestServer server{"[invite]\nusers_may = '" + may + "'"};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        auto& romeo = server.login("romeo@montague.example/orchard");
        const auto nodes = commandNodes(juliet, capulet);
        CHECK(nodes.contains(inviteNode) == (may != "nothing"));
        CHECK(nodes.contains(accountNode) == (may == "accounts"));
        CHECK(commandNodes(romeo, capulet).empty());  // not his host
        CHECK(outcome(execute(romeo, capulet, inviteNode)) == "cancel forbidden");
        if (may == "nothing") {
            CHECK(outcome(execute(juliet, capulet, inviteNode)) == "cancel forbidden");
            continue;
        }
        const auto done = command(execute(juliet, capulet, inviteNode));
        CHECK(done.status == "completed");
        REQUIRE(done.form);
        CHECK(done.form->kind() == FormKind::Result);
        CHECK(done.form->formType() == "urn:xmpp:invite#invitation");
        CHECK(done.form->text("uri").starts_with("xmpp:juliet@capulet.example?roster;preauth="));
        CHECK(parseDateTime(done.form->text("expire")));
        if (may != "accounts")
            CHECK(outcome(execute(juliet, capulet, accountNode)) == "cancel forbidden");
    }
}

TEST_CASE("somebody is invited to an account, with a name or without") {
    TestServer server{"[invite]\nusers_may = 'accounts'\nper_account_max = 2"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto invite = [&](const std::string& name, const std::string& asContact = "0") {
        return answer(juliet, capulet, command(execute(juliet, capulet, accountNode)),
                      {{"username", name}, {"roster-subscription", asContact}});
    };
    CHECK(outcome(invite("a@b")) == "modify jid-malformed");
    CHECK(command(invite("paris", "1"))
              .form->text("uri")
              .starts_with("xmpp:paris@capulet.example?register;preauth="));
    CHECK(command(invite(""))
              .form->text("uri")
              .starts_with("xmpp:capulet.example?register;preauth="));
    // Also those that make nobody a contact count.
    CHECK(outcome(invite("benvolio")) == "wait resource-constraint");
}
