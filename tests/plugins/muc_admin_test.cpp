// Moderators, admins and owners at work (XEP-0045, 8, 9, 10).
#include "store/stores.h"
#include "tests/plugins/muc_support.h"

using namespace epode;

namespace {

const std::string romeos = "romeo@montague.example";
const std::string tybalts = "tybalt@capulet.example";

std::string asks(TestClient& client, const std::string& payload) {
    return outcome(client.ask("set", payload, coven));
}

}  // namespace

TEST_CASE("a kicked occupant hears it with reason and actor, and so do the others") {
    Coven verona;
    verona.everybodyIn();
    CHECK(asks(verona.juliet, giveRole("romeo", "none", "<reason>Avaunt!</reason>")) == "result");
    CHECK(hears(verona.romeo) ==
          Texts{"-romeo none/none romeo@montague.example/orchard by juliet (Avaunt!) 110 307"});
    CHECK(hears(verona.tybalt) == Texts{"-romeo none/none by juliet (Avaunt!) 307"});
    verona.says(verona.romeo, "I am");
    CHECK(hears(verona.romeo) == Texts{"!message cancel not-acceptable"});
    // A kick is no ban.
    CHECK(verona.joins(verona.romeo, "romeo").size() == 4);
}

TEST_CASE("the moderator hears of his success before the others hear what has happened") {
    Coven verona;
    verona.everybodyIn();
    verona.juliet.send("<iq type='set' id='k' to='" + coven + "'>" + giveRole("romeo", "none") +
                       "</iq>");
    const auto all = verona.juliet.all();
    REQUIRE(all.size() == 2);
    CHECK(outcome(all[0]) == "result");
    CHECK(heard(all[1]).starts_with("-romeo"));
}

TEST_CASE("requests that a room refuses") {
    struct Row {
        std::string who;
        std::string payload;
        std::string answer;
    };
    const auto row = GENERATE(values<Row>({
        {"romeo", giveRole("tybalt", "none"), "auth forbidden"},
        {"romeo", giveRole("tybalt", "moderator"), "auth forbidden"},
        {"romeo", affiliate(tybalts, "outcast"), "auth forbidden"},
        {"romeo", affiliate(romeos, "owner"), "auth forbidden"},
        {"romeo", affiliate(romeos, "member"), "auth forbidden"},
        {"juliet", giveRole("nobody", "none"), "cancel item-not-found"},
        {"juliet", giveRole("romeo", "king"), "modify bad-request"},
        {"juliet", affiliate(romeos, "king"), "modify bad-request"},
        {"juliet", adminXml("<item role='none'/>"), "modify bad-request"},
        {"juliet", adminXml("<item affiliation='member'/>"), "modify bad-request"},
        {"juliet", adminXml("<item nick='romeo' role='none' affiliation='none'/>"),
         "modify bad-request"},
        {"juliet", adminXml(""), "modify bad-request"},
        {"juliet", adminXml("<item affiliation='member' jid='@@'/>"), "modify jid-malformed"},
        {"juliet", affiliate("juliet@capulet.example", "outcast"), "cancel conflict"},
        {"juliet", affiliate("juliet@capulet.example", "admin"), "cancel conflict"},
        {"juliet", affiliate("juliet@capulet.example", "none"), "cancel conflict"},
        {"juliet", giveRole("tybalt", "visitor"), "cancel not-allowed"},
        {"juliet", affiliate("montague.example", "owner"), "modify not-acceptable"},
        {"tybalt", affiliate("juliet@capulet.example", "outcast"), "cancel not-allowed"},
        {"tybalt", affiliate("juliet@capulet.example", "none"), "auth forbidden"},
        {"tybalt", affiliate(romeos, "admin"), "auth forbidden"},
        {"tybalt", giveRole("juliet", "none"), "cancel not-allowed"},
        {"tybalt", giveRole("juliet", "participant"), "cancel not-allowed"},
        {"juliet", giveRole("romeo", "none", "<reason>" + std::string(2000, 'x') + "</reason>"),
         "modify not-acceptable"},
    }));
    CAPTURE(row.who, row.payload);
    Coven verona;
    verona.everybodyIn();
    CHECK(asks(verona.juliet, affiliate(tybalts, "admin")) == "result");
    verona.forget();
    TestClient& who = row.who == "romeo"    ? verona.romeo
                      : row.who == "juliet" ? verona.juliet
                                            : verona.tybalt;
    CHECK(asks(who, row.payload) == row.answer);
    // Nothing has happened.
    CHECK(hears(verona.romeo).empty());
    CHECK(hears(verona.tybalt).empty());
}

TEST_CASE("of several changes all are made, or none") {
    Coven verona;
    verona.everybodyIn();
    CHECK(asks(verona.juliet, adminXml("<item jid='" + romeos +
                                       "' affiliation='outcast'/><item jid='juliet@"
                                       "capulet.example' affiliation='outcast'/>")) ==
          "cancel conflict");
    CHECK(hears(verona.romeo).empty());
    CHECK(asks(verona.juliet,
               adminXml("<item jid='" + romeos + "' affiliation='member'/><item jid='" + tybalts +
                        "' affiliation='outcast'/>")) == "result");
    CHECK(hears(verona.romeo).front() ==
          "+romeo member/participant romeo@montague.example/orchard by juliet 110");
    CHECK(hears(verona.tybalt).front().find("301") != std::string::npos);
}

TEST_CASE("who is banned is out, and his ban is found by its domain as well") {
    Coven verona;
    verona.everybodyIn();
    CHECK(asks(verona.juliet, affiliate("montague.example", "outcast", "<reason>feud</reason>")) ==
          "result");
    CHECK(hears(verona.romeo) ==
          Texts{"-romeo outcast/none romeo@montague.example/orchard by juliet (feud) 110 301"});
    CHECK(hears(verona.tybalt) == Texts{"-romeo outcast/none by juliet (feud) 301"});
    CHECK(verona.joins(verona.romeo, "romeo") == Texts{"!presence auth forbidden"});
    // His own affiliation is looked at first.
    CHECK(asks(verona.juliet, affiliate(romeos, "member")) == "result");
    CHECK(verona.joins(verona.romeo, "romeo").size() == 4);
    const std::string list =
        verona.juliet.ask("get", adminXml("<item affiliation='outcast'/>"), coven);
    CHECK(list.find("jid='montague.example'") != std::string::npos);
    CHECK(list.find("feud") != std::string::npos);
    CHECK(list.find("nick=") == std::string::npos);
}

TEST_CASE("who loses his membership of a members-only room loses his place in it") {
    Coven verona{{{"membersonly", "1"}}};
    CHECK(asks(verona.juliet, affiliate(romeos, "member")) == "result");
    // Who becomes a member is invited (9.5).
    CHECK(hears(verona.romeo) == Texts{"* invited by juliet@capulet.example"});
    verona.joins(verona.romeo, "romeo");
    CHECK(asks(verona.juliet, affiliate(romeos, "none")) == "result");
    CHECK(hears(verona.romeo) ==
          Texts{"-romeo none/none romeo@montague.example/orchard by juliet 110 321"});
    CHECK(verona.joins(verona.romeo, "romeo") == Texts{"!presence auth registration-required"});
}

TEST_CASE("a room that becomes members-only sends strangers away") {
    Coven verona;
    verona.everybodyIn();
    asks(verona.juliet, affiliate(tybalts, "member"));
    verona.forget();
    CHECK(verona.configures({{"membersonly", "1"}}) == "result");
    CHECK(hears(verona.romeo) == Texts{"-romeo none/none romeo@montague.example/orchard 110 322"});
    CHECK(hears(verona.tybalt) == Texts{"-romeo none/none 322", " 104"});
}

TEST_CASE("changes that matter for secrets are told with their own codes") {
    const auto [config, codes] = GENERATE(table<FieldList, Texts>({
        {{{"whois", "anyone"}}, {" 172"}},
        {{{"enablearchiving", "0"}}, {" 171"}},
        {{{"roomname", "A Dark Cave"}}, {" 104"}},
        {{{"whois", "anyone"}, {"roomname", "x"}}, {" 172", " 104"}},
        {{{"whois", "moderators"}}, {}},
    }));
    Coven verona;
    verona.everybodyIn();
    CHECK(verona.configures(config) == "result");
    CHECK(hears(verona.romeo) == codes);
}

TEST_CASE("configurations that a room refuses") {
    Coven verona;
    verona.everybodyIn();
    for (const auto& [config, answer] : std::vector<std::pair<FieldList, std::string>>{
             {{{"passwordprotectedroom", "1"}}, "modify not-acceptable"},
             {{{"whois", "nobody"}}, "modify not-acceptable"},
             {{{"maxusers", "many"}}, "modify not-acceptable"},
             {{{"maxusers", "-1"}}, "modify not-acceptable"},
             {{{"persistentroom", "maybe"}}, "modify not-acceptable"},
             {{{"roomname", std::string(5000, 'x')}}, "modify not-acceptable"},
             {{{"slow_mode_duration", "1e3"}}, "modify not-acceptable"},
             {{{"roomowners", "@@"}}, "modify not-acceptable"},
             {{{"roomowners", ""}}, "cancel conflict"},
             {{{"unknown", "1"}}, "result"},
         })
        CHECK(verona.configures(config) == answer);
    CHECK(asks(verona.romeo, configXml({{"roomname", "mine"}})) == "auth forbidden");
    CHECK(outcome(verona.romeo.ask("get", ownerXml(), coven)) == "auth forbidden");
    CHECK(asks(verona.juliet, ownerXml()) == "modify bad-request");
    CHECK(outcome(verona.juliet.ask("get", ownerXml(), "none@conference.capulet.example")) ==
          "cancel item-not-found");
}

TEST_CASE("the form shows what was configured, over a restart as well") {
    Coven verona{{{"roomname", "A Dark Cave"}, {"persistentroom", "1"}, {"maxusers", "37"}}};
    verona.juliet.send("<message type='groupchat' to='" + coven +
                       "'><subject>Fire &amp; Burn</subject></message>");
    verona.server.restart();
    auto& juliet = verona.server.login("juliet@capulet.example/balcony");
    const std::string form = juliet.ask("get", ownerXml(), coven);
    CHECK(form.find("<value>A Dark Cave</value>") != std::string::npos);
    CHECK(form.find("<value>37</value>") != std::string::npos);
    CHECK(form.find("<value>juliet@capulet.example</value>") != std::string::npos);
    const std::string info =
        juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", coven);
    CHECK(info.find("Fire &amp; Burn") != std::string::npos);
}

TEST_CASE("owners and admins are named in the form, too") {
    Coven verona;
    verona.everybodyIn();
    CHECK(verona.configures({{"roomadmins", tybalts}}) == "result");
    CHECK(hears(verona.romeo) == Texts{"+tybalt admin/moderator"});
    CHECK(verona.configures({{"roomowners", tybalts}}) == "result");
    // There is one owner now, and he is another.
    CHECK(verona.configures({{"roomname", "x"}}) == "auth forbidden");
    CHECK(asks(verona.tybalt, configXml({{"roomname", "x"}})) == "result");
}

TEST_CASE("lists are read by who may") {
    struct Row {
        std::string whois;
        std::string who;
        std::string item;
        std::string answer;
    };
    const auto row = GENERATE(values<Row>({
        {"moderators", "juliet", "<item affiliation='owner'/>", "result"},
        {"moderators", "juliet", "<item role='participant'/>", "result"},
        {"moderators", "romeo", "<item affiliation='owner'/>", "auth forbidden"},
        {"moderators", "romeo", "<item affiliation='member'/>", "auth forbidden"},
        {"moderators", "romeo", "<item role='participant'/>", "auth forbidden"},
        {"anyone", "romeo", "<item affiliation='member'/>", "result"},
        {"anyone", "romeo", "<item affiliation='owner'/>", "result"},
        {"anyone", "romeo", "<item affiliation='outcast'/>", "auth forbidden"},
        {"anyone", "mercutio", "<item affiliation='member'/>", "auth forbidden"},
        {"anyone", "juliet", "<item affiliation='none'/>", "modify bad-request"},
        {"anyone", "juliet", "<item/>", "modify bad-request"},
        {"anyone", "juliet", "", "modify bad-request"},
    }));
    Coven verona{{{"whois", row.whois}}};
    verona.everybodyIn();
    auto& mercutio = verona.server.login("mercutio@montague.example/tomb");
    TestClient& who = row.who == "juliet"  ? verona.juliet
                      : row.who == "romeo" ? verona.romeo
                                           : mercutio;
    CAPTURE(row.whois, row.who, row.item);
    CHECK(outcome(who.ask("get", adminXml(row.item), coven)) == row.answer);
}

TEST_CASE("a destroyed room tells why, and where to go") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.everybodyIn();
    const std::string request = ownerXml(
        "<destroy jid='heath@conference.capulet.example'><reason>Macbeth doth come.</reason>"
        "</destroy>");
    CHECK(asks(verona.romeo, request) == "auth forbidden");
    CHECK(asks(verona.juliet, request) == "result");
    const std::string xml = verona.romeo.next();
    CHECK(heard(xml) == "-romeo none/none destroyed heath@conference.capulet.example 110");
    CHECK(xml.find("Macbeth doth come.") != std::string::npos);
    CHECK(verona.romeo.all().empty());
    // The name is free, and what was said is gone.
    CHECK(verona.joins(verona.romeo, "romeo").front().find("201") != std::string::npos);
}

TEST_CASE("a nickname is registered, kept for its owner, and given back") {
    Coven verona;
    const auto form = [](const std::string& nick) {
        return "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field "
               "var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>"
               "<field var='muc#register_roomnick'><value>" +
               nick + "</value></field></x></query>";
    };
    const std::string ask = "<query xmlns='jabber:iq:register'/>";
    CHECK(verona.romeo.ask("get", ask, coven).find("muc#register_roomnick") != std::string::npos);
    CHECK(asks(verona.romeo, "<query xmlns='jabber:iq:register'/>") == "modify bad-request");
    CHECK(asks(verona.romeo, form("juliet")) == "cancel conflict");
    CHECK(asks(verona.romeo, form(" ")) == "modify not-acceptable");
    CHECK(asks(verona.romeo, form("thirdwitch")) == "result");
    CHECK(verona.romeo.ask("get", ask, coven).find("<username>thirdwitch</username>") !=
          std::string::npos);
    CHECK(asks(verona.tybalt, form("ThirdWitch")) == "cancel conflict");
    CHECK(verona.joins(verona.tybalt, "thirdwitch") == Texts{"!presence cancel conflict"});
    CHECK(verona.joins(verona.romeo, "thirdwitch")[1].starts_with("+thirdwitch member/"));
    const std::string node = verona.romeo.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>",
        coven);
    CHECK(node.find("name='thirdwitch'") != std::string::npos);
    CHECK(asks(verona.romeo, "<query xmlns='jabber:iq:register'><remove/></query>") == "result");
    CHECK(asks(verona.tybalt, form("other")) == "result");
    verona.configures({{"allowregister", "0"}});
    auto& mercutio = verona.server.login("mercutio@montague.example/tomb");
    CHECK(outcome(mercutio.ask("get", ask, coven)) == "cancel not-allowed");
    asks(verona.juliet, affiliate("mercutio@montague.example", "outcast"));
    CHECK(asks(mercutio, form("mercutio")) == "auth forbidden");
}

TEST_CASE("who gets the name of a removed account does not get its rights") {
    Coven verona{{{"persistentroom", "1"}}};
    asks(verona.juliet, affiliate(tybalts, "owner"));
    verona.server.wait(verona.server.server().stores().accounts.count("capulet.example"));
    verona.tybalt.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    verona.server.run();
    auto& again = verona.server.login("tybalt@capulet.example/street");
    CHECK(outcome(again.ask("get", ownerXml(), coven)) == "auth forbidden");
}
