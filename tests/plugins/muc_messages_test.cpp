// What is said in rooms (XEP-0045, 7.4, 7.5, 7.8, 7.13, 8.1, 8.6).
#include "tests/plugins/muc_support.h"

using namespace epode;

namespace {

std::string voiceForm(const std::string& fields) {
    return "<message to='" + coven +
           "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>" +
           mucNs + "#request</value></field>" + fields + "</x></message>";
}
std::string field(const std::string& var, const std::string& value) {
    return "<field var='" + var + "'><value>" + value + "</value></field>";
}
std::string inviteXml(const std::string& to, const std::string& reason = "Hey") {
    return "<message to='" + coven + "'><x xmlns='" + mucNs + "#user'><invite to='" + to +
           "'><reason>" + reason + "</reason></invite></x></message>";
}

}  // namespace

TEST_CASE("what an occupant says comes to all, to himself as well, with his id") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "Harpier cries");
    for (TestClient* client : {&verona.juliet, &verona.romeo, &verona.tybalt}) {
        const std::string xml = client->next();
        CHECK(heard(xml) == "romeo: Harpier cries");
        CHECK(xml.find(" id='m'") != std::string::npos);
        CHECK(xml.find("<stanza-id xmlns='urn:xmpp:sid:0' by='" + coven + "'") !=
              std::string::npos);
        CHECK(xml.find("<occupant-id xmlns='urn:xmpp:occupant-id:0'") != std::string::npos);
        CHECK(xml.find("to='" + client->jid() + "'") != std::string::npos);
        CHECK(client->all().empty());
    }
}

TEST_CASE("who is not in, or has no voice, is not heard") {
    Coven verona{{{"moderatedroom", "1"}}};
    verona.says(verona.romeo, "from outside");
    CHECK(hears(verona.romeo) == Texts{"!message cancel not-acceptable"});
    verona.joins(verona.romeo, "romeo");
    verona.says(verona.romeo, "without voice");
    CHECK(hears(verona.romeo) == Texts{"!message auth forbidden"});
    CHECK(outcome(verona.juliet.ask("set", giveRole("romeo", "participant"), coven)) == "result");
    verona.forget();
    verona.says(verona.romeo, "with voice");
    CHECK(hears(verona.juliet) == Texts{"romeo: with voice"});
    verona.romeo.forget();
    verona.romeo.send(
        "<message type='groupchat' to='none@conference.capulet.example'><body>x"
        "</body></message>");
    CHECK(hears(verona.romeo) == Texts{"!message cancel item-not-found"});
    verona.romeo.send("<message to='" + coven + "'><body>typed wrongly</body></message>");
    CHECK(hears(verona.romeo) == Texts{"!message modify bad-request"});
}

TEST_CASE("a client says nothing that only a room says") {
    Coven verona;
    verona.everybodyIn();
    verona.says(
        verona.romeo, "forger",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='COVEN@conference.capulet.example' id='forged-1'/>"
        "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='kept'/>"
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged-2'/>"
        "<delay xmlns='urn:xmpp:delay' stamp='2002-10-13T23:58:37Z' id='forged-3'/>"
        "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104' id='forged-4'/></x>"
        "<retract xmlns='urn:xmpp:message-retract:1' id='forged-5'><moderated "
        "xmlns='urn:xmpp:message-moderate:1' by='x@y.example'/></retract>"
        "<origin-id xmlns='urn:xmpp:sid:0' id='kept2'/>");
    const std::string xml = verona.juliet.next();
    CHECK(heard(xml) == "romeo: forger");
    for (const char* forged : {"forged", "moderated"}) CHECK(xml.find(forged) == std::string::npos);
    CHECK(xml.find("id='kept'") != std::string::npos);
    CHECK(xml.find("id='kept2'") != std::string::npos);
}

TEST_CASE("a private message comes to one, and says in whose name") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<message type='chat' id='p' to='" + coven +
                      "/tybalt'><body>I'll give thee a wind.</body></message>");
    const std::string xml = verona.tybalt.next();
    CHECK(heard(xml) == "*romeo: I'll give thee a wind.");
    CHECK(xml.find("<x xmlns='http://jabber.org/protocol/muc#user'/>") != std::string::npos);
    CHECK(hears(verona.juliet).empty());
    struct Row {
        std::string type;
        std::string to;
        std::string answer;
    };
    for (const Row& row : {
             Row{"groupchat", "/tybalt", "!message modify bad-request"},
             Row{"chat", "/nobody", "!message cancel item-not-found"},
             Row{"normal", "/nobody", "!message cancel item-not-found"},
         }) {
        verona.romeo.send("<message type='" + row.type + "' to='" + coven + row.to +
                          "'><body>x</body></message>");
        CHECK(hears(verona.romeo) == Texts{row.answer});
    }
    auto& outside = verona.server.login("mercutio@montague.example/tomb");
    outside.send("<message type='chat' to='" + coven + "/tybalt'><body>x</body></message>");
    CHECK(hears(outside) == Texts{"!message cancel not-acceptable"});
}

TEST_CASE("who may send private messages is the owner's choice") {
    const auto [allowed, byParticipant, byModerator] =
        GENERATE(table<std::string, std::string, std::string>({
            {"anyone", "", ""},
            {"participants", "", ""},
            {"moderators", "!message auth forbidden", ""},
            {"none", "!message auth forbidden", "!message auth forbidden"},
        }));
    Coven verona{{{"allowpm", allowed}}};
    verona.everybodyIn();
    const std::string xml =
        "<message type='chat' to='" + coven + "/tybalt'><body>x</body></message>";
    verona.romeo.send(xml);
    CHECK(heard(verona.romeo.next()) == byParticipant);
    verona.juliet.send(xml);
    CHECK(heard(verona.juliet.next()) == byModerator);
}

TEST_CASE("the subject is changed by who may, and told to who comes later") {
    Coven verona;
    verona.everybodyIn();
    const std::string change =
        "<message type='groupchat' to='" + coven + "'><subject>Fire Burn</subject></message>";
    verona.romeo.send(change);
    CHECK(hears(verona.romeo) == Texts{"!message auth forbidden"});
    verona.juliet.send(change);
    CHECK(hears(verona.romeo) == Texts{"juliet# Fire Burn"});
    // A message with a body is no change of the subject.
    verona.romeo.send("<message type='groupchat' to='" + coven +
                      "'><subject>No</subject><body>text</body></message>");
    CHECK(hears(verona.tybalt).back() == "romeo: text");
    verona.romeo.send("<presence type='unavailable' to='" + coven + "/romeo'/>");
    CHECK(verona.joins(verona.romeo, "romeo").back() == "juliet# Fire Burn delayed");
    CHECK(verona.configures({{"changesubject", "1"}}) == "result");
    verona.forget();
    verona.romeo.send("<message type='groupchat' to='" + coven + "'><subject/></message>");
    CHECK(hears(verona.tybalt) == Texts{"romeo# "});
}

TEST_CASE("a subject has a limit") {
    Coven verona{{}, "[muc]\nsubject_bytes_max = 64"};
    verona.juliet.send("<message type='groupchat' to='" + coven + "'><subject>" +
                       std::string(100, 'x') + "</subject></message>");
    CHECK(hears(verona.juliet) == Texts{"!message modify not-acceptable"});
}

TEST_CASE("an invitation goes through the room, and its refusal back") {
    Coven verona{{{"passwordprotectedroom", "1"}, {"roomsecret", "cauldronburn"}}};
    verona.juliet.send(inviteXml("romeo@montague.example"));
    const std::string xml = verona.romeo.next();
    CHECK(heard(xml) == "* invited by juliet@capulet.example");
    CHECK(xml.find("<password>cauldronburn</password>") != std::string::npos);
    CHECK(xml.find("<reason>Hey</reason>") != std::string::npos);
    const std::string no = "<x xmlns='" + mucNs + "#user'><decline to='";
    verona.romeo.send("<message to='" + coven + "'>" + no +
                      "juliet@capulet.example'><reason>busy</reason></decline></x></message>");
    CHECK(hears(verona.juliet) == Texts{"* declined by romeo@montague.example"});
    // It is no way to write to people who have nothing to do with the room.
    verona.romeo.send("<message to='" + coven + "'>" + no +
                      "tybalt@capulet.example'><reason>spam</reason></decline></x></message>");
    CHECK(hears(verona.romeo) == Texts{"!message cancel item-not-found"});
    CHECK(hears(verona.tybalt).empty());
    verona.tybalt.send(inviteXml("romeo@montague.example"));
    CHECK(hears(verona.tybalt) == Texts{"!message cancel not-acceptable"});
    verona.juliet.send(inviteXml("capulet.example"));
    CHECK(hears(verona.juliet) == Texts{"!message modify jid-malformed"});
}

TEST_CASE("in a members-only room an invitation makes a member, if the inviter may") {
    const auto [mayInvite, affiliation, answer] =
        GENERATE(table<std::string, std::string, std::string>({
            {"0", "member", "!message auth forbidden"},
            {"1", "member", ""},
            {"0", "admin", ""},
        }));
    Coven verona{{{"membersonly", "1"}, {"allowinvites", mayInvite}}};
    verona.juliet.ask("set", affiliate("tybalt@capulet.example", affiliation), coven);
    verona.joins(verona.tybalt, "tybalt");
    verona.forget();
    verona.tybalt.send(inviteXml("romeo@montague.example"));
    CHECK(heard(verona.tybalt.next()) == answer);
    CHECK((verona.joins(verona.romeo, "romeo").front() == "!presence auth registration-required") ==
          !answer.empty());
}

TEST_CASE("voice is asked for, and given by a moderator") {
    Coven verona{{{"moderatedroom", "1"}}};
    verona.everybodyIn();
    verona.romeo.send(voiceForm(field("muc#role", "participant")));
    CHECK(hears(verona.tybalt).empty());
    const std::string xml = verona.juliet.next();
    CHECK(xml.find("muc#request_allow") != std::string::npos);
    CHECK(xml.find("<value>romeo@montague.example/orchard</value>") != std::string::npos);
    const std::string approval = voiceForm(
        field("muc#role", "participant") + field("muc#jid", "romeo@montague.example/orchard") +
        field("muc#roomnick", "romeo") + field("muc#request_allow", "true"));
    verona.tybalt.send(approval);
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden"});
    verona.juliet.send(approval);
    CHECK(hears(verona.tybalt) == Texts{"+romeo none/participant"});
    verona.romeo.forget();
    verona.tybalt.send(voiceForm(field("muc#role", "moderator")));
    CHECK(hears(verona.tybalt) == Texts{"!message modify bad-request"});
    verona.configures({{"allowvoicerequests", "0"}});
    verona.forget();
    verona.tybalt.send(voiceForm(field("muc#role", "participant")));
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden"});
}

TEST_CASE("a message that comes back tells that a client has gone") {
    Coven verona;
    verona.everybodyIn();
    verona.tybalt.send("<message type='error' to='" + coven +
                       "/romeo'><error type='cancel'><feature-not-implemented "
                       "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    CHECK(hears(verona.romeo).empty());
    verona.tybalt.send("<message type='error' to='" + coven +
                       "/romeo'><error type='cancel'><recipient-unavailable "
                       "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    CHECK(hears(verona.romeo) == Texts{"-tybalt none/none 333"});
    CHECK(hears(verona.tybalt) == Texts{"-tybalt none/none tybalt@capulet.example/street 110 333"});
}

TEST_CASE("who waits for messages before him comes after them") {
    Coven verona;
    verona.everybodyIn();
    // In one turn: a message, and its author leaves.
    verona.romeo.send("<message type='groupchat' to='" + coven +
                      "'><body>farewell</body></message><presence type='unavailable' to='" + coven +
                      "/romeo'/>");
    CHECK(hears(verona.juliet) ==
          Texts{"romeo: farewell", "-romeo none/none romeo@montague.example/orchard"});
}
