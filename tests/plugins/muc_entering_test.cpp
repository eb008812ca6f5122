// Entering rooms, being there, leaving them (XEP-0045, 7.2, 7.6, 7.7, 7.14, 10.1).
#include "tests/plugins/muc_support.h"

using namespace epode;

namespace {

const std::string julietsJid = "juliet@capulet.example/balcony";
const std::string romeosJid = "romeo@montague.example/orchard";

}  // namespace

TEST_CASE("who enters hears of the others, of himself, and of the subject, in this order") {
    Coven coven;
    CHECK(coven.joins(coven.romeo, "romeo") ==
          Texts{"+juliet owner/moderator",
                "+romeo none/participant romeo@montague.example/orchard 110 170", "# "});
    // A moderator sees the address.
    CHECK(hears(coven.juliet) == Texts{"+romeo none/participant " + romeosJid});
    CHECK(coven.joins(coven.tybalt, "tybalt").size() == 4);
    CHECK(hears(coven.romeo) == Texts{"+tybalt none/participant"});
}

TEST_CASE("in a room without secrets everybody sees addresses, and is warned") {
    Coven coven{{{"whois", "anyone"}}};
    CHECK(coven.joins(coven.romeo, "romeo") ==
          Texts{"+juliet owner/moderator " + julietsJid,
                "+romeo none/participant " + romeosJid + " 100 110 170", "# "});
}

TEST_CASE("a new room is closed until its owner has configured it, and goes when he gives up") {
    const auto [how, isThere] = GENERATE(table<std::string, bool>({
        {"accept", true},
        {"cancel", false},
        {"leave", false},
    }));
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    juliet.send(joinXml("juliet"));
    romeo.send(joinXml("romeo"));
    CHECK(hears(romeo) == Texts{"!presence cancel item-not-found"});
    if (how == "accept") juliet.ask("set", configXml({}), coven);
    if (how == "cancel")
        juliet.ask("set", ownerXml("<x xmlns='jabber:x:data' type='cancel'/>"), coven);
    if (how == "leave") juliet.send("<presence type='unavailable' to='" + coven + "/juliet'/>");
    juliet.forget();
    romeo.send(joinXml("romeo"));
    const auto all = hears(romeo);
    REQUIRE(!all.empty());
    // If there was none any more, he has made one himself.
    CHECK((all.front() == "+juliet owner/moderator") == isThere);
    if (!isThere) CHECK(all.front() == "+romeo owner/moderator " + romeosJid + " 110 170 201");
}

TEST_CASE("who may enter, and who may not") {
    struct Row {
        FieldList config;
        std::string affiliation;
        std::string nick;
        std::string inside;
        std::string answer;
    };
    const auto row = GENERATE(values<Row>({
        {{}, "", "romeo", "", "+juliet owner/moderator"},
        {{}, "member", "romeo", "", "+juliet owner/moderator"},
        {{}, "outcast", "romeo", "", "!presence auth forbidden"},
        {{}, "", "JULIET", "", "!presence cancel conflict"},
        {{}, "", "juliet", "", "!presence cancel conflict"},
        {{}, "", "%20", "", "+juliet owner/moderator"},
        {{}, "", "\xC2\xA0", "", "!presence modify jid-malformed"},
        {{}, "", std::string(300, 'r'), "", "!presence modify not-acceptable"},
        {{{"membersonly", "1"}}, "", "romeo", "", "!presence auth registration-required"},
        {{{"membersonly", "1"}}, "member", "romeo", "", "+juliet owner/moderator"},
        {{{"membersonly", "1"}}, "outcast", "romeo", "", "!presence auth forbidden"},
        {{{"passwordprotectedroom", "1"}, {"roomsecret", "cauldronburn"}},
         "",
         "romeo",
         "",
         "!presence auth not-authorized"},
        {{{"passwordprotectedroom", "1"}, {"roomsecret", "cauldronburn"}},
         "",
         "romeo",
         "<password>cauldron</password>",
         "!presence auth not-authorized"},
        {{{"passwordprotectedroom", "1"}, {"roomsecret", "cauldronburn"}},
         "",
         "romeo",
         "<password>cauldronburn</password>",
         "+juliet owner/moderator"},
        {{{"maxusers", "1"}}, "", "romeo", "", "!presence wait service-unavailable"},
        {{{"maxusers", "1"}}, "admin", "romeo", "", "+juliet owner/moderator " + julietsJid},
    }));
    CAPTURE(row.affiliation, row.nick, row.inside, row.answer);
    Coven verona{row.config};
    if (!row.affiliation.empty())
        CHECK(outcome(verona.juliet.ask("set", affiliate("romeo@montague.example", row.affiliation),
                                        coven)) == "result");
    const auto all = verona.joins(verona.romeo, row.nick, row.inside);
    // A new member of a members-only room is invited.
    REQUIRE(!all.empty());
    CHECK(all.front() == row.answer);
}

TEST_CASE("entering needs a nickname, and the mark of a client that knows rooms") {
    Coven verona;
    verona.romeo.send("<presence to='" + coven + "'><x xmlns='" + mucNs + "'/></presence>");
    CHECK(hears(verona.romeo) == Texts{"!presence modify jid-malformed"});
    // Who believes to be in is told that he is not (7.2.18).
    verona.romeo.send("<presence to='" + coven + "/romeo'/>");
    CHECK(hears(verona.romeo) == Texts{"-romeo none/none 110 307 333"});
    verona.romeo.send("<presence to='nowhere@conference.capulet.example/romeo'/>");
    CHECK(hears(verona.romeo) == Texts{"-romeo none/none 110 307 333"});
    // Neither other presence nor what is meant for nobody makes a room or enters one.
    for (const char* type : {"probe", "subscribe", "unsubscribed", "unavailable", "error"})
        verona.romeo.send("<presence type='" + std::string{type} + "' to='" + coven + "/romeo'/>");
    CHECK(hears(verona.romeo).empty());
    CHECK(hears(verona.juliet).empty());
}

TEST_CASE("a nickname that is not prepared is shown prepared") {
    Coven coven;
    const auto all = coven.joins(coven.romeo, "the  Romeo");
    REQUIRE(all.size() == 3);
    CHECK(all[1] == "+the Romeo none/participant " + romeosJid + " 110 170 210");
}

TEST_CASE("several clients of a person have one nickname") {
    Coven verona;
    verona.joins(verona.romeo, "romeo");
    auto& phone = verona.server.login("romeo@montague.example/phone");
    verona.forget();
    CHECK(verona.joins(phone, "romeo").size() == 3);
    CHECK(hears(verona.juliet).empty());
    verona.says(phone, "from the phone");
    CHECK(hears(verona.romeo) == Texts{"romeo: from the phone"});
    CHECK(hears(phone) == Texts{"romeo: from the phone"});
    verona.juliet.forget();
    phone.send("<presence type='unavailable' to='" + coven + "/romeo'/>");
    CHECK(hears(phone) == Texts{"-romeo none/none romeo@montague.example/phone 110"});
    CHECK(hears(verona.juliet).empty());
    verona.romeo.send("<presence type='unavailable' to='" + coven + "/romeo'/>");
    CHECK(hears(verona.juliet) == Texts{"-romeo none/none " + romeosJid});
}

TEST_CASE("a nickname is changed for everybody, and not to one that is taken") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<presence to='" + coven + "/Montague'/>");
    CHECK(hears(verona.tybalt) ==
          Texts{"-romeo none/participant >Montague 303", "+Montague none/participant"});
    CHECK(hears(verona.romeo) ==
          Texts{"-romeo none/participant " + romeosJid + " >Montague 110 303",
                "+Montague none/participant " + romeosJid + " 110"});
    verona.romeo.send("<presence to='" + coven + "/TYBALT'/>");
    CHECK(hears(verona.romeo) == Texts{"!presence cancel conflict"});
    // Another spelling of one's own is none that is taken.
    verona.romeo.send("<presence to='" + coven + "/montague'/>");
    CHECK(hears(verona.romeo).size() == 2);
    verona.says(verona.romeo, "it is I");
    CHECK(hears(verona.juliet).back() == "montague: it is I");
}

TEST_CASE("presence is passed on without what only the room says") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<presence to='" + coven +
                      "/romeo'><show>away</show><x xmlns='http://jabber.org/protocol/muc#user'>"
                      "<item affiliation='owner' role='moderator'/></x>"
                      "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/></presence>");
    const std::string xml = verona.tybalt.next();
    CHECK(heard(xml) == "+romeo none/participant");
    CHECK(xml.find("<show>away</show>") != std::string::npos);
    CHECK(xml.find("forged") == std::string::npos);
    CHECK(xml.find("urn:xmpp:occupant-id:0") != std::string::npos);
}

TEST_CASE("who leaves is gone, with his words, and a room that does not last goes with the last") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<presence type='unavailable' to='" + coven +
                      "/romeo'><status>gone where the goblins go</status></presence>");
    CHECK(hears(verona.romeo) == Texts{"-romeo none/none " + romeosJid + " 110"});
    const std::string xml = verona.tybalt.next();
    CHECK(heard(xml) == "-romeo none/none");
    CHECK(xml.find("goblins") != std::string::npos);
    verona.says(verona.romeo, "still here?");
    CHECK(hears(verona.romeo) == Texts{"!message cancel not-acceptable"});
    verona.juliet.send("<presence type='unavailable'/>");
    verona.tybalt.cut();
    verona.server.run();
    CHECK(outcome(verona.romeo.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                                   coven)) == "cancel item-not-found");
}

TEST_CASE("a client whose connection is lost leaves at once") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.cut();
    verona.server.run();
    CHECK(hears(verona.juliet) == Texts{"-romeo none/none " + romeosJid});
}

TEST_CASE("who enters again gets everything again, and nobody else hears of it") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send(joinXml("romeo"));
    CHECK(hears(verona.romeo).size() == 4);
    CHECK(hears(verona.tybalt).empty());
}

TEST_CASE("who may make rooms is the operator's choice, and how many") {
    const auto [toml, answer] = GENERATE(table<std::string, std::string>({
        {"[muc]\ncreators = 'nobody'", "!presence cancel not-allowed"},
        {"[muc]\nrooms_per_account_max = 1", "!presence wait resource-constraint"},
        {"[muc]\nrooms_per_account_max = 2",
         "+romeo owner/moderator " + romeosJid + " 110 170 201"},
    }));
    TestServer server{toml, 2};
    auto& romeo = server.login("romeo@montague.example/orchard");
    romeo.send(joinXml("romeo", {}, "first@conference.capulet.example"));
    romeo.forget();
    romeo.send(joinXml("romeo", {}, "second@conference.capulet.example"));
    CHECK(hears(romeo).front() == answer);
}

TEST_CASE("there are no rooms when the operator wants none") {
    TestServer server{"[muc]\ndomain = ''"};
    auto& romeo = server.login("romeo@montague.example/orchard");
    romeo.send(joinXml("romeo"));
    CHECK(hears(romeo) == Texts{"!presence cancel remote-server-not-found"});
}

TEST_CASE("whose presence is not shown is seen by himself alone") {
    Coven verona{{{"moderatedroom", "1"}, {"presencebroadcast", "moderator"}}};
    CHECK(verona.joins(verona.romeo, "romeo").size() == 3);
    CHECK(hears(verona.juliet).empty());
    CHECK(verona.joins(verona.tybalt, "tybalt").size() == 3);
    CHECK(hears(verona.romeo).empty());
    // He is shown from the moment in which he is one of those who are.
    CHECK(outcome(verona.juliet.ask("set", giveRole("romeo", "moderator"), coven)) == "result");
    CHECK(hears(verona.tybalt) == Texts{"+romeo none/moderator by juliet"});
}
