// vCard4 (XEP-0292), vcard-temp (XEP-0054) and the nickname (XEP-0172), kept the same.
#include "plugins/vcard/mapping.h"
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string node = "urn:xmpp:vcard4";
const std::string nickNode = "http://jabber.org/protocol/nick";
const std::string juliets = "juliet@capulet.example";

std::string oldCard(const std::string& content) {
    return content.empty() ? "<vCard xmlns='vcard-temp'/>"
                           : "<vCard xmlns='vcard-temp'>" + content + "</vCard>";
}
std::string newCard(const std::string& content) {
    return content.empty()
               ? "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"
               : "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>" + content + "</vcard>";
}
std::string nick(const std::string& name) {
    return "<nick xmlns='" + nickNode + "'>" + name + "</nick>";
}
std::string carried(const std::string& from, const std::string& into) {
    const auto source = parseXml(from);
    auto target = parseXml(into);
    REQUIRE(source);
    REQUIRE(target);
    vcard::carry(**source, **target);
    return toXml(**target);
}
// The payload of the only item of a node.
std::string published(TestClient& client, const std::string& which, const std::string& to = {}) {
    const auto answer = client.ask("get", items(which), to);
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    const Element* item = (*stanza)->firstChild()->child("items")->firstChild();
    return item && item->firstChild() ? toXml(*item->firstChild()) : "";
}

}  // namespace

TEST_CASE("each property has its like in the other form, there and back") {
    struct Row {
        std::string old;
        std::string now;
    };
    for (const auto& row : {
             Row{"<FN>Juliet Capulet</FN>", "<fn><text>Juliet Capulet</text></fn>"},
             Row{"<N><FAMILY>Capulet</FAMILY><GIVEN>Juliet</GIVEN><MIDDLE>G</MIDDLE></N>",
                 "<n><surname>Capulet</surname><given>Juliet</given><additional>G</additional></"
                 "n>"},
             Row{"<NICKNAME>J</NICKNAME><NICKNAME>Jul</NICKNAME>",
                 "<nickname><text>J</text></nickname><nickname><text>Jul</text></nickname>"},
             Row{"<BDAY>1476-01-29</BDAY>", "<bday><date>1476-01-29</date></bday>"},
             Row{"<ADR><HOME/><STREET>Via Cappello</STREET><LOCALITY>Verona</LOCALITY>"
                 "<PCODE>37121</PCODE><CTRY>Italy</CTRY></ADR>",
                 "<adr><parameters><type><text>home</text></type></parameters>"
                 "<street>Via Cappello</street><locality>Verona</locality><code>37121</code>"
                 "<country>Italy</country></adr>"},
             Row{"<TEL><WORK/><VOICE/><PREF/><NUMBER>+1-303-308-3282</NUMBER></TEL>",
                 "<tel><parameters><type><text>work</text><text>voice</text></type>"
                 "<pref><integer>1</integer></pref></parameters>"
                 "<uri>tel:+1-303-308-3282</uri></tel>"},
             Row{"<TEL><NUMBER>+1 303 ext. 5</NUMBER></TEL>",
                 "<tel><text>+1 303 ext. 5</text></tel>"},
             Row{"<EMAIL><HOME/><USERID>juliet@mail.example</USERID></EMAIL>",
                 "<email><parameters><type><text>home</text></type></parameters>"
                 "<text>juliet@mail.example</text></email>"},
             Row{"<JABBERID>juliet@capulet.example</JABBERID>",
                 "<impp><uri>xmpp:juliet@capulet.example</uri></impp>"},
             Row{"<TITLE>Daughter</TITLE><ROLE>Heroine</ROLE>",
                 "<title><text>Daughter</text></title><role><text>Heroine</text></role>"},
             Row{"<ORG><ORGNAME>Capulet</ORGNAME><ORGUNIT>Balcony</ORGUNIT></ORG>",
                 "<org><text>Capulet</text><text>Balcony</text></org>"},
             Row{"<CATEGORIES><KEYWORD>love</KEYWORD><KEYWORD>death</KEYWORD></CATEGORIES>",
                 "<categories><text>love</text><text>death</text></categories>"},
             Row{"<DESC>Thirteen &amp; in love</DESC>",
                 "<note><text>Thirteen &amp; in love</text></note>"},
             Row{"<URL>https://capulet.example/</URL>",
                 "<url><uri>https://capulet.example/</uri></url>"},
             Row{"<GEO><LAT>45.44</LAT><LON>10.99</LON></GEO>",
                 "<geo><uri>geo:45.44,10.99</uri></geo>"},
             Row{"<TZ>Europe/Rome</TZ>", "<tz><text>Europe/Rome</text></tz>"},
             Row{"<KEY><CRED>abc</CRED></KEY>", "<key><text>abc</text></key>"},
             Row{"<LOGO><EXTVAL>https://capulet.example/l.png</EXTVAL></LOGO>",
                 "<logo><uri>https://capulet.example/l.png</uri></logo>"},
             Row{"<PHOTO><EXTVAL>https://capulet.example/p.png</EXTVAL></PHOTO>",
                 "<photo><uri>https://capulet.example/p.png</uri></photo>"},
             Row{"<UID>urn:uuid:1</UID><REV>2026-01-01T00:00:00Z</REV><PRODID>x</PRODID>",
                 "<prodid><text>x</text></prodid><rev><timestamp>2026-01-01T00:00:00Z</timestamp>"
                 "</rev><uid><text>urn:uuid:1</text></uid>"},
             // What says nothing, or nothing that the other form knows.
             Row{"", ""},
         }) {
        INFO(row.old);
        CHECK(carried(oldCard(row.old), newCard("")) == newCard(row.now));
        const auto back = carried(newCard(row.now), oldCard(""));
        CHECK(carried(back, newCard("")) == newCard(row.now));
        CHECK(back.size() == oldCard(row.old).size());
        // What says the same is left as it is.
        CHECK(carried(oldCard(row.old), newCard(row.now)) == newCard(row.now));
        CHECK(carried(newCard(row.now), oldCard(row.old)) == oldCard(row.old));
    }
}

TEST_CASE("what the other form can't say is neither carried nor lost") {
    struct Row {
        std::string from;
        std::string into;
        std::string expected;
    };
    for (const auto& row : {
             // Not mapped at all.
             Row{oldCard("<MAILER>x</MAILER><CLASS><PUBLIC/></CLASS><FN/>"), newCard(""),
                 newCard("")},
             Row{newCard("<gender><sex><text>F</text></sex></gender><fn><text/></fn>"), oldCard(""),
                 oldCard("")},
             Row{oldCard("<FN>J</FN>"), newCard("<gender><sex><text>F</text></sex></gender>"),
                 newCard("<gender><sex><text>F</text></sex></gender><fn><text>J</text></fn>")},
             Row{newCard("<fn><text>J</text></fn>"),
                 oldCard("<MAILER>x</MAILER><X xmlns='urn:x'/>"),
                 oldCard("<MAILER>x</MAILER><X xmlns='urn:x'/><FN>J</FN>")},
             // More than the other form says.
             Row{oldCard("<TEL><NUMBER>1</NUMBER></TEL>"),
                 newCard("<tel><parameters><altid><text>1</text></altid></parameters>"
                         "<uri>tel:1</uri></tel>"),
                 newCard("<tel><parameters><altid><text>1</text></altid></parameters>"
                         "<uri>tel:1</uri></tel>")},
             Row{newCard("<tel><uri>tel:1</uri></tel>"),
                 oldCard("<TEL><ISDN/><NUMBER>1</NUMBER></TEL>"),
                 oldCard("<TEL><ISDN/><NUMBER>1</NUMBER></TEL>")},
             Row{newCard("<note><text>n</text></note>"), oldCard("<NOTE>n</NOTE>"),
                 oldCard("<NOTE>n</NOTE>")},
             // Only what has changed is replaced.
             Row{newCard("<tel><uri>tel:1</uri></tel><tel><uri>tel:3</uri></tel>"),
                 oldCard("<TEL><ISDN/><NUMBER>1</NUMBER></TEL><TEL><NUMBER>2</NUMBER></TEL>"),
                 oldCard("<TEL><ISDN/><NUMBER>1</NUMBER></TEL><TEL><NUMBER>3</NUMBER></TEL>")},
             Row{newCard(""), oldCard("<FN>J</FN><MAILER>x</MAILER>"),
                 oldCard("<MAILER>x</MAILER>")},
             // Pictures are somebody else's matter, and other addresses than ours.
             Row{oldCard("<PHOTO><TYPE>image/png</TYPE><BINVAL>AAAA</BINVAL></PHOTO>"),
                 newCard("<photo><uri>data:image/png;base64,AAAA</uri></photo>"),
                 newCard("<photo><uri>data:image/png;base64,AAAA</uri></photo>")},
             Row{newCard("<impp><uri>sip:j@example</uri></impp>"),
                 oldCard("<PHOTO><BINVAL>AAAA</BINVAL></PHOTO>"),
                 oldCard("<PHOTO><BINVAL>AAAA</BINVAL></PHOTO>")},
             Row{newCard("<geo><uri>http://x</uri></geo><geo><uri>geo:1</uri></geo>"), oldCard(""),
                 oldCard("")},
         }) {
        INFO(row.from);
        INFO(row.into);
        CHECK(carried(row.from, row.into) == row.expected);
    }
}

TEST_CASE("a vCard is the same in both forms, whichever is changed") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    CHECK(outcome(juliet.ask("set", oldCard("<FN>Juliet</FN><MAILER>m</MAILER>"))) == "result");
    CHECK(published(tybalt, node, juliets) == newCard("<fn><text>Juliet</text></fn>"));

    const std::string gender = "<gender><sex><text>F</text></sex></gender>";
    CHECK(outcome(juliet.ask("set",
                             publish(node, "", newCard("<fn><text>Jule</text></fn>" + gender)))) ==
          "result");
    CHECK(payload(tybalt.ask("get", oldCard(""), juliets)) ==
          oldCard("<MAILER>m</MAILER><FN>Jule</FN>"));
    server.restart();
    auto& again = server.login("juliet@capulet.example/balcony");
    auto& other = server.login("tybalt@capulet.example/street");
    CHECK(outcome(again.ask("set", oldCard("<FN>Juliet</FN><ROLE>Heroine</ROLE>"))) == "result");
    CHECK(published(other, node, juliets) ==
          newCard(gender + "<fn><text>Juliet</text></fn><role><text>Heroine</text></role>"));
    // By a request of its own.
    CHECK(payload(other.ask("get", newCard(""), juliets)) ==
          newCard(gender + "<fn><text>Juliet</text></fn><role><text>Heroine</text></role>"));
    // What is taken away is gone in both.
    again.ask("set", ownerPubsub("<delete node='" + node + "'/>"));
    CHECK(payload(other.ask("get", oldCard(""), juliets)) == oldCard(""));
}

TEST_CASE("changes of a vCard are told, and only changes") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    wants(romeo, {node, nickNode});
    romeo.forget();
    juliet.ask("set", oldCard("<FN>Juliet</FN><NICKNAME>J</NICKNAME>"));
    CHECK(events(romeo).size() == 2);
    juliet.ask("set", oldCard("<FN>Juliet</FN><NICKNAME>J</NICKNAME><MAILER>x</MAILER>"));
    CHECK(events(romeo).empty());
    juliet.ask("set",
               publish(node, "",
                       newCard("<fn><text>Jule</text></fn><nickname><text>J</text></nickname>")));
    CHECK(events(romeo).size() == 1);
}

TEST_CASE("the nickname is the one in the vCard") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    befriend(juliet, romeo);
    juliet.ask("set", oldCard("<FN>Juliet</FN><NICKNAME>J</NICKNAME><NICKNAME>Other</NICKNAME>"));
    CHECK(published(tybalt, nickNode, juliets) == nick("J"));
    juliet.ask("set", publish(nickNode, "", nick("Jule")));
    CHECK(payload(tybalt.ask("get", oldCard(""), juliets)) ==
          oldCard("<FN>Juliet</FN><NICKNAME>Jule</NICKNAME><NICKNAME>Other</NICKNAME>"));
    CHECK(published(tybalt, node, juliets).find("<text>Jule</text>") != std::string::npos);
    juliet.ask("set", publish(node, "", newCard("<fn><text>Juliet</text></fn>")));
    CHECK(published(tybalt, nickNode, juliets) == "<nick xmlns='" + nickNode + "'/>");
    CHECK(payload(tybalt.ask("get", oldCard(""), juliets)) == oldCard("<FN>Juliet</FN>"));
}

TEST_CASE("what only contacts may see is never shown to strangers in another form") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    befriend(juliet, romeo);
    // A nickname for contacts, with a vCard for everybody.
    juliet.ask("set", publish(nickNode, "", nick("Secret"), {{"access_model", "presence"}}));
    juliet.ask("set", oldCard("<FN>Juliet</FN>"));
    juliet.ask("set", publish(nickNode, "", nick("Secret")));
    CHECK(payload(tybalt.ask("get", oldCard(""), juliets)) == oldCard("<FN>Juliet</FN>"));
    CHECK(payload(romeo.ask("get", oldCard(""), juliets)) ==
          oldCard("<FN>Juliet</FN><NICKNAME>Secret</NICKNAME>"));
    CHECK(published(tybalt, node, juliets) == newCard("<fn><text>Juliet</text></fn>"));

    // A vCard for contacts.
    juliet.ask("set", configure(node, {{"access_model", "presence"}}));
    CHECK(outcome(tybalt.ask("get", oldCard(""), juliets)) == "cancel service-unavailable");
    CHECK(outcome(tybalt.ask("get", newCard(""), juliets)) == "cancel service-unavailable");
    CHECK(outcome(tybalt.ask("get", items(node), juliets)) == "auth not-authorized");
    CHECK(payload(romeo.ask("get", newCard(""), juliets)) ==
          newCard("<fn><text>Juliet</text></fn>"));
    juliet.ask("set", oldCard("<FN>Jule</FN>"));
    CHECK(outcome(tybalt.ask("get", oldCard(""), juliets)) == "cancel service-unavailable");
    CHECK(payload(romeo.ask("get", oldCard(""), juliets)).find("Jule") != std::string::npos);
}

TEST_CASE("a vCard from before is found in the new form at the first request") {
    TestServer server{"[plugins]\ndisabled = ['pubsub']"};
    auto& before = server.login("juliet@capulet.example/balcony");
    before.ask("set", oldCard("<FN>Juliet</FN>"));
    CHECK(payload(before.ask("get", newCard(""))) == newCard("<fn><text>Juliet</text></fn>"));
    server.configure("");
    server.restart();
    auto& tybalt = server.login("tybalt@capulet.example/street");
    CHECK(published(tybalt, node, juliets) == newCard("<fn><text>Juliet</text></fn>"));
    CHECK(outcome(tybalt.ask("get", items(node), "nobody@capulet.example")) ==
          outcome(tybalt.ask("get", items(nickNode), juliets)));
}

TEST_CASE("what is no vCard is not published as one, and nobody publishes somebody else's") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    juliet.ask("set", publish(nickNode, "", nick("J"), {{"access_model", "open"}}));
    juliet.ask("set", oldCard("<FN>Juliet</FN>"));
    CHECK(outcome(juliet.ask("set", publish(node, "", note("x")))) == "modify bad-request");
    CHECK(outcome(juliet.ask("set", publish(node, "", oldCard("<FN>x</FN>")))) ==
          "modify bad-request");
    CHECK(outcome(romeo.ask("set", publish(node, "", newCard("")), juliets)) == "auth forbidden");
    CHECK(outcome(romeo.ask("set", publish(nickNode, "", nick("x")), juliets)) == "auth forbidden");
    CHECK(outcome(romeo.ask("get", newCard(""), "nobody@capulet.example")) ==
          "cancel service-unavailable");
    CHECK(payload(juliet.ask("get", oldCard(""))) == oldCard("<FN>Juliet</FN>"));
    CHECK(payload(juliet.ask("get", newCard(""), "capulet.example")).find("<kind>") !=
          std::string::npos);
}
