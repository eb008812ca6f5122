// What a notification of personal eventing costs, without the kernel and without TLS: an item is
// published, stored in memory, and told to a hundred contacts, whose simulated clients parse it.
#include "core/caps.h"
#include "core/namespaces.h"
#include "tests/bench/bench.h"
#include "tests/support/test_server.h"

#include <string>

using namespace epode;

namespace {

constexpr int contacts = 100;
const std::string node = "urn:example:note";
const std::string abilities =
    "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='" + node +
    "+notify'/></query>";

// A contact that sees Juliet and is interested in her notes.
void makeContact(TestServer& server, TestClient& juliet, const std::string& bare) {
    auto& contact = server.login(bare + "/x");
    contact.send("<presence type='subscribe' to='juliet@capulet.example'/>");
    juliet.send("<presence type='subscribed' to='" + bare + "'/>");
    contact.forget();
    contact.send("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='x' ver='" +
                 capsVerification(**parseXml(abilities)).value() + "'/></presence>");
    for (const auto& xml : contact.all()) {
        const auto stanza = parseXml(xml, ns::client);
        if ((*stanza)->name() == "iq")
            contact.send("<iq type='result' to='montague.example' id='" +
                         std::string{(*stanza)->get("id")} + "'>" + abilities + "</iq>");
    }
    contact.forget();
}

}  // namespace

BENCH("pubsub: a notification of 300 bytes, one of those to 100 contacts") {
    TestServer server{"[client]\nbytes_per_second = \"0 B\""};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (int i = 0; i < contacts; ++i)
        makeContact(server, juliet, "c" + std::to_string(i) + "@montague.example");
    const std::string text(300, 'x');
    int number = 0;
    for (int left = 0; run.next(); --left) {
        if (left > 0) continue;
        juliet.send("<iq type='set' id='p" + std::to_string(++number) +
                    "'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" + node +
                    "'><item id='current'><note xmlns='" + node + "'>" + text +
                    "</note></item></publish></pubsub></iq>");
        left = contacts;
    }
}
