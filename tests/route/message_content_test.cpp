// Which messages are archived, which wait, and which are of the moment.
#include "route/message_content.h"

#include "tests/support/catch.h"

#include <string>

using namespace epode;

namespace {

Keeping keepingOf(std::string type, std::string content) {
    const auto stanza = Stanza::parse(
        "<message xmlns='jabber:client' from='romeo@montague.example/orchard' "
        "to='juliet@capulet.example' type='" +
        type + "'>" + content + "</message>");
    REQUIRE(stanza);
    return epode::keepingOf(*stanza);
}

const std::string body = "<body>Wilt thou be gone?</body>";
const std::string noStore = "<no-store xmlns='urn:xmpp:hints'/>";
const std::string noPermanentStore = "<no-permanent-store xmlns='urn:xmpp:hints'/>";
const std::string store = "<store xmlns='urn:xmpp:hints'/>";
const std::string composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";

struct Row {
    const char* what;
    std::string content;
    Keeping keeping;
};

}  // namespace

TEST_CASE("what a message holds decides whether it is kept") {
    const Row rows[] = {
        {"a text", body, Keeping::Message},
        {"an empty body is a text too", "<body/>", Keeping::Message},
        {"a text with a chat state", body + composing, Keeping::Message},
        {"a subject alone", "<subject>Soft</subject>", Keeping::Message},
        {"a receipt", "<received xmlns='urn:xmpp:receipts' id='1'/>", Keeping::Message},
        {"a marker", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", Keeping::Message},
        {"a reaction",
         "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>!</reaction></reactions>",
         Keeping::Message},
        {"a retraction", "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", Keeping::Message},
        {"a correction", "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>", Keeping::Message},
        {"OMEMO", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", Keeping::Message},
        {"OMEMO 2", "<encrypted xmlns='urn:xmpp:omemo:2'/>", Keeping::Message},
        {"OpenPGP", "<openpgp xmlns='urn:xmpp:openpgp:0'/>", Keeping::Message},
        {"what says that it is encrypted",
         "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:x'/><x xmlns='urn:x'/>",
         Keeping::Message},
        {"a call", "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", Keeping::Message},
        {"a direct invitation", "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>",
         Keeping::Message},
        {"a mediated invitation",
         "<x xmlns='http://jabber.org/protocol/muc#user'><invite "
         "from='nurse@capulet.example'/></x>",
         Keeping::Message},
        {"what its sender wants stored", "<x xmlns='urn:unknown'/>" + store, Keeping::Message},
        {"a hint to store alone", store, Keeping::Message},

        {"something that nobody here understands", "<x xmlns='urn:unknown'/>",
         Keeping::UntilDelivered},
        {"the same with a chat state", "<x xmlns='urn:unknown'/>" + composing,
         Keeping::UntilDelivered},
        {"a text off the record", body + noPermanentStore, Keeping::UntilDelivered},
        {"both hints to keep and not for long", body + store + noPermanentStore,
         Keeping::UntilDelivered},
        {"a room's status",
         "<x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/></x>",
         Keeping::UntilDelivered},

        {"a text that must not be stored", body + noStore, Keeping::Refused},
        {"a text that must and must not be stored", body + store + noStore, Keeping::Refused},
        {"a receipt that must not be stored",
         "<received xmlns='urn:xmpp:receipts' id='1'/>" + noStore, Keeping::Refused},
        {"an unknown thing that must not be stored", "<x xmlns='urn:unknown'/>" + noStore,
         Keeping::Refused},

        {"nothing at all", "", Keeping::Nothing},
        {"a chat state", composing, Keeping::Nothing},
        {"a chat state with its thread and ids",
         composing + "<thread>1</thread><origin-id xmlns='urn:xmpp:sid:0' id='1'/>",
         Keeping::Nothing},
        {"a chat state with a hint", composing + noStore, Keeping::Nothing},
        {"only a hint not to store", noStore, Keeping::Nothing},
        {"a carbon",
         "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>",
         Keeping::Nothing},
        {"an archive's result", "<result xmlns='urn:xmpp:mam:2' id='1'/>", Keeping::Nothing},
        {"a text of another namespace", "<body xmlns='http://www.w3.org/1999/xhtml'/>",
         Keeping::UntilDelivered},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(keepingOf("chat", row.content) == row.keeping);
        CHECK(keepingOf("normal", row.content) == row.keeping);
    }
}

TEST_CASE("headlines, errors and what rooms say are not kept, whatever they hold") {
    for (const std::string type : {"headline", "error", "groupchat"})
        for (const std::string& content : {body, body + store, store, noStore, std::string{}}) {
            INFO(type << ": " << content);
            CHECK(keepingOf(type, content) == Keeping::Nothing);
        }
}
