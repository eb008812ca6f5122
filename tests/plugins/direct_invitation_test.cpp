// Invitations to rooms from one user to another (XEP-0249): messages between clients without a
// body, which the server treats as what people say.
#include "route/account.h"
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";

std::string invitation(const std::string& room) {
    return "<message to='" + juliet + "'><x xmlns='jabber:x:conference' jid='" + room +
           "' reason='Hey' password='cauldronburn' continue='true'/></message>";
}

// The rooms to which somebody was invited: directly, or in a copy for another client.
Texts invited(TestClient& client) {
    Texts rooms;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza || !stanza->isMessage()) continue;
        const Element* message = &stanza->root();
        std::string how = stanza->child("delay", ns::delay) ? "late " : "";
        if (const Element* copy = stanza->child("received", "urn:xmpp:carbons:2")) {
            message = copy->child("forwarded", ns::forward)->child("message", ns::client);
            how = "copy ";
        }
        if (const Element* x = message->child("x", "jabber:x:conference"))
            rooms.push_back(how + std::string{x->get("jid")});
    }
    return rooms;
}

}  // namespace

TEST_CASE("a direct invitation reaches all clients of who is invited, and waits for who is away") {
    TestServer server;
    server.addAccount(juliet);
    auto& romeo = server.login("romeo@montague.example/orchard");
    romeo.send(invitation("darkcave@rooms.example"));
    server.advance(std::chrono::seconds{1});
    auto& desk = server.login(juliet + "/desk", false);
    desk.available(5);
    server.advance(std::chrono::seconds{1});
    CHECK(invited(desk) == Texts{"late darkcave@rooms.example"});

    auto& phone = server.login(juliet + "/phone", false);
    CHECK(outcome(phone.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")) == "result");
    phone.available();
    // Nobody looks at it; an invitation is worth waking its owner.
    phone.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    romeo.send(invitation("heath@rooms.example"));
    CHECK(invited(desk) == Texts{"heath@rooms.example"});
    CHECK(invited(phone) == Texts{"copy heath@rooms.example"});

    // And it is in the archive.
    server.advance(std::chrono::seconds{1});
    phone.forget().send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    server.run();
    std::size_t kept = 0;
    for (const auto& xml : phone.all())
        if (xml.find("jabber:x:conference") != std::string::npos) ++kept;
    CHECK(kept == 2);
}
