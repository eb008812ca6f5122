// What clients put into their stanzas that only a room says (XEP-0045, 17.3; XEP-0203, 5; XEP-0359,
// 3; XEP-0421, 4; XEP-0425, 5): it is removed or replaced, and what only looks like it stays.
#include "tests/plugins/muc_support.h"

#include <algorithm>

using namespace epode;

namespace {

struct Row {
    std::string part;
    std::string rest;  // what others get of it
};

const std::string user = mucNs + "#user";
const std::string sid = "urn:xmpp:sid:0";
const std::string occupant = "urn:xmpp:occupant-id:0";

std::string only(const std::string& xml) { return xml; }

// The children of a stanza, without what the room itself adds to each.
std::string partsOf(const std::string& xml, const std::string& ownId) {
    const auto stanza = parseXml(xml, ns::client);
    if (!stanza) return xml;
    std::string parts;
    for (const Element& child : (*stanza)->children()) {
        const bool isIdOfRoom =
            child.is("stanza-id", sid) && child.get("by") == coven && child.get("id") != "forged";
        const bool isOwnId = child.is("occupant-id", occupant) && child.get("id") == ownId;
        const bool isItem = child.is("x", user) && child.child("item");
        const bool isMark = child.is("x", user) && !child.firstChild();
        if (isIdOfRoom || isOwnId || isItem || isMark || child.is("body", ns::client)) continue;
        parts += toXml(child);
    }
    return parts;
}
std::string idOf(const std::string& xml) {
    const auto stanza = parseXml(xml, ns::client);
    const Element* id = stanza ? (*stanza)->child("occupant-id", occupant) : nullptr;
    return id ? std::string{id->get("id")} : "";
}
int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

const std::vector<Row> everywhere{
    // Who has said it (XEP-0421, 4).
    {"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>", ""},
    {"<occupant-id xmlns='urn:xmpp:occupant-id:0' id='a'/>"
     "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='b'>text</occupant-id>",
     ""},
    {"<occupant-id xmlns='urn:xmpp:occupant-id:0'/>", ""},
    {"<other xmlns='urn:xmpp:occupant-id:0'/>", ""},
    {"<occupant-id xmlns='urn:example:occupant-id:0' id='like'/>",
     only("<occupant-id xmlns='urn:example:occupant-id:0' id='like'/>")},
    {"<note xmlns='urn:example'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/></note>",
     "<note xmlns='urn:example'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='x'/></note>"},
    // Roles, affiliations, addresses, status codes (XEP-0045, 17.3, 6).
    {"<x xmlns='" + user + "'><item affiliation='owner' role='moderator' jid='a@b.example/c'/></x>",
     ""},
    {"<x xmlns='" + user + "'/><x xmlns='" + user + "'><status code='301'/></x>", ""},
    {"<y xmlns='" + user + "'><x><status code='104'/></x></y>", ""},
    {"<x xmlns='http://jabber.org/protocol/MUC#user'><status code='301'/></x>",
     "<x xmlns='http://jabber.org/protocol/MUC#user'><status code='301'/></x>"},
    // When it was said (XEP-0203, 5), by who is no owner.
    {"<x xmlns='jabber:x:delay' stamp='20021013T23:58:37'/>", ""},
    {"<delay xmlns='urn:xmpp:delay' from='" + coven + "' stamp='2002-10-13T23:58:37Z'/>", ""},
    {"<delay xmlns='urn:xmpp:delay' from='COVEN@conference.capulet.example/juliet' "
     "stamp='2002-10-13T23:58:37Z'/>",
     ""},
    {"<delay xmlns='urn:xmpp:delay' stamp='2002-10-13T23:58:37Z'/>", ""},
    {"<delay xmlns='urn:xmpp:delay' from='@' stamp='2002-10-13T23:58:37Z'>why not</delay>", ""},
    {"<delay xmlns='urn:example:delay' stamp='2002-10-13T23:58:37Z'/>",
     "<delay xmlns='urn:example:delay' stamp='2002-10-13T23:58:37Z'/>"},
};

const std::vector<Row> inMessages{
    {"<x xmlns='" + mucNs + "'><password>cauldronburn</password></x>", ""},
    // Which message it is (XEP-0359, 3).
    {"<stanza-id xmlns='urn:xmpp:sid:0' by='" + coven + "' id='forged'/>", ""},
    {"<stanza-id xmlns='urn:xmpp:sid:0' by='" + coven +
         "' id='forged'/>"
         "<stanza-id xmlns='urn:xmpp:sid:0' by='Coven@Conference.Capulet.Example' id='forged'/>",
     ""},
    {"<stanza-id xmlns='urn:xmpp:sid:0' by='" + coven + "/juliet' id='forged'/>", ""},
    {"<stanza-id xmlns='urn:xmpp:sid:0' by='' id='forged'/>", ""},
    {"<stanza-id xmlns='urn:xmpp:sid:0' id='forged'/>", ""},
    {"<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='theirs'/>",
     "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='theirs'/>"},
    {"<origin-id xmlns='urn:xmpp:sid:0' id='own'/>",
     "<origin-id xmlns='urn:xmpp:sid:0' id='own'/>"},
    {"<stanza-id xmlns='urn:xmpp:sid:1' by='" + coven + "' id='like'/>",
     "<stanza-id xmlns='urn:xmpp:sid:1' by='" + coven + "' id='like'/>"},
    {"<delay xmlns='urn:xmpp:delay' from='elsewhere.example' stamp='2002-10-13T23:58:37Z'/>", ""},
    // What moderators do (XEP-0425, 5), in the words of both versions.
    {"<moderated xmlns='urn:xmpp:message-moderate:1' by='" + coven + "/juliet'/>", ""},
    {"<moderated xmlns='urn:xmpp:message-moderate:0' by='" + coven + "/juliet'/>", ""},
    {"<retracted xmlns='urn:xmpp:message-retract:1' stamp='2002-10-13T23:58:37Z'/>", ""},
    {"<retracted xmlns='urn:xmpp:message-retract:0' stamp='2002-10-13T23:58:37Z'/>", ""},
    {"<retract xmlns='urn:xmpp:message-retract:1' id='1'><moderated "
     "xmlns='urn:xmpp:message-moderate:1' by='x'/></retract>",
     ""},
    {"<retract xmlns='urn:xmpp:message-retract:1' id='1'><a xmlns='urn:example'/><moderated "
     "xmlns='urn:xmpp:message-moderate:0' by='x'/></retract>",
     ""},
    {"<apply-to xmlns='urn:xmpp:fasten:0' id='1'><moderated xmlns='urn:xmpp:message-moderate:0' "
     "by='x'><retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>",
     ""},
    {"<apply-to xmlns='urn:xmpp:fasten:0' id='1'><moderated xmlns='urn:xmpp:message-moderate:1' "
     "by='x'/></apply-to>",
     ""},
    {"<retract xmlns='urn:xmpp:message-retract:1' id='1'/>",
     "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>"},
    {"<apply-to xmlns='urn:xmpp:fasten:0' id='1'><external name='body'/></apply-to>",
     "<apply-to xmlns='urn:xmpp:fasten:0' id='1'><external name='body'/></apply-to>"},
    // What others say to each other is theirs.
    {"<reply xmlns='urn:xmpp:reply:0' to='" + coven + "/juliet' id='1'/>",
     "<reply xmlns='urn:xmpp:reply:0' to='" + coven + "/juliet' id='1'/>"},
    {"<x xmlns='jabber:x:conference' jid='elsewhere@conference.capulet.example'/>",
     "<x xmlns='jabber:x:conference' jid='elsewhere@conference.capulet.example'/>"},
};

const std::vector<Row> inPresence{
    {"<hats xmlns='urn:xmpp:hats:0'><hat uri='urn:example:host' title='Host'/></hats>", ""},
    {"<query xmlns='" + mucNs + "#admin'/>", ""},
    {"<x xmlns='" + mucNs + "#owner'/>", ""},
    {"<delay xmlns='urn:xmpp:delay' from='montague.example' stamp='2002-10-13T23:58:37Z'/>",
     "<delay xmlns='urn:xmpp:delay' from='montague.example' stamp='2002-10-13T23:58:37Z'/>"},
    {"<hats xmlns='urn:example:hats'/>", "<hats xmlns='urn:example:hats'/>"},
    {"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='x'/>",
     "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='x'/>"},
};

std::vector<Row> both(const std::vector<Row>& more) {
    auto all = everywhere;
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

}  // namespace

TEST_CASE("in a message to all, only the room says what is a room's to say") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "who am I?");
    const std::string id = idOf(verona.tybalt.next());
    REQUIRE(!id.empty());
    for (const Row& row : both(inMessages)) {
        CAPTURE(row.part);
        verona.forget();
        verona.says(verona.romeo, "x", row.part);
        const std::string xml = verona.tybalt.next();
        CHECK(partsOf(xml, id) == row.rest);
        CHECK(idOf(xml) == id);
        CHECK(count(xml, "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='" + id) == 1);
        CHECK(count(xml, "by='" + coven + "' id=") ==
              (row.rest.find(coven + "' id=") == std::string::npos ? 1 : 2));
    }
    // And neither is it in the archive, nor in what who comes later is told.
    auto& nurse = verona.server.login("nurse@capulet.example/house");
    nurse.send(joinXml("nurse"));
    for (const auto& xml : nurse.all()) {
        CHECK(xml.find("forged") == std::string::npos);
        CHECK(count(xml, "<delay xmlns='urn:xmpp:delay'") <= 1);
    }
    verona.juliet.forget();
    verona.juliet.ask("set", "<query xmlns='urn:xmpp:mam:2'/>", coven);
    for (const auto& xml : verona.juliet.all()) CHECK(xml.find("forged") == std::string::npos);
}

TEST_CASE("in a private message, only the room says what is a room's to say") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "who am I?");
    const std::string id = idOf(verona.tybalt.next());
    for (const Row& row : both(inMessages)) {
        CAPTURE(row.part);
        verona.forget();
        verona.romeo.send("<message type='chat' to='" + coven + "/tybalt'><body>x</body>" +
                          row.part + "</message>");
        const auto all = verona.tybalt.all();
        REQUIRE(all.size() == 1);
        CHECK(all.front().find("forged") == std::string::npos);
        CHECK(idOf(all.front()) == id);
        CHECK(count(all.front(), "<x xmlns='" + user + "'") == 1);
        const std::string rest = partsOf(all.front(), id);
        // (His own server adds its id of what it keeps.)
        CHECK(rest.find(row.rest) != std::string::npos);
    }
}

TEST_CASE("in a subject and in words taken back, only the room says what is a room's to say") {
    Coven verona{{{"changesubject", "1"}}};
    verona.everybodyIn();
    for (const Row& row : both(inMessages)) {
        CAPTURE(row.part);
        verona.forget();
        verona.romeo.send("<message type='groupchat' to='" + coven + "'><subject>s</subject>" +
                          row.part + "</message>");
        CHECK(partsOf(verona.tybalt.next(), idOf(verona.juliet.next())) ==
              "<subject xmlns='jabber:client'>s</subject>" + row.rest);
    }
}

TEST_CASE("in presence, only the room says what is a room's to say") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<presence to='" + coven + "/romeo'/>");
    const std::string id = idOf(verona.tybalt.next());
    REQUIRE(!id.empty());
    for (const bool isGoing : {false, true})
        for (const Row& row : both(inPresence)) {
            CAPTURE(row.part, isGoing);
            verona.forget();
            verona.romeo.send("<presence " + std::string{isGoing ? "type='unavailable' " : ""} +
                              "to='" + coven + "/romeo'>" + row.part + "</presence>");
            const std::string xml = verona.tybalt.next();
            CHECK(partsOf(xml, id) == row.rest);
            CHECK(count(xml, "<x xmlns='" + user + "'") == 1);
            CHECK(count(xml, "urn:xmpp:occupant-id:0' id='" + id) == 1);
            CHECK(heard(xml) == (isGoing ? "-romeo none/none" : "+romeo none/participant"));
            if (isGoing) verona.romeo.send(joinXml("romeo"));
        }
}

TEST_CASE("what an owner says of when something was said is kept, if the room did not say it") {
    Coven verona;
    verona.everybodyIn();
    struct Said {
        std::string from;
        bool isKept;
    };
    for (const Said& row : {
             Said{"from='juliet@capulet.example/balcony' ", true},
             Said{"from='elsewhere.example' ", true},
             Said{"from='" + coven + "' ", false},
             Said{"from='" + coven + "/romeo' ", false},
             Said{"from='conference.capulet.example' ", false},
             Said{"from='@' ", false},
             Said{"", false},
         }) {
        CAPTURE(row.from);
        verona.forget();
        verona.says(verona.juliet, "x",
                    "<delay xmlns='urn:xmpp:delay' " + row.from +
                        "stamp='2004-09-29T01:54:37Z'/><x xmlns='jabber:x:delay' stamp='x'/>");
        const std::string xml = verona.romeo.next();
        CHECK((xml.find("2004-09-29T01:54:37Z") != std::string::npos) == row.isKept);
        CHECK(xml.find("jabber:x:delay") == std::string::npos);
    }
}
