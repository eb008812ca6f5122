// What is built on rooms: discovery, self-ping (XEP-0410), occupant ids (XEP-0421), avatars
// (XEP-0486), slow mode (XEP-0500), requests between occupants, restarts, the operator's commands.
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"

using namespace epode;

namespace {

const std::string service = "conference.capulet.example";
const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const std::string items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const std::string ping = "<ping xmlns='urn:xmpp:ping'/>";

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t times = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
    return times;
}

}  // namespace

TEST_CASE("the service and its rooms tell what they are") {
    Coven verona{{{"roomname", "A Dark Cave"}, {"publicroom", "1"}, {"moderatedroom", "1"}}};
    const std::string about = verona.romeo.ask("get", info, service);
    CHECK(about.find("category='conference' type='text'") != std::string::npos);
    for (const char* feature : {"http://jabber.org/protocol/muc", "urn:xmpp:occupant-id:0",
                                "http://jabber.org/protocol/muc#stable_id"})
        CHECK(about.find("var='" + std::string{feature} + "'") != std::string::npos);
    const std::string room = verona.romeo.ask("get", info, coven);
    CHECK(room.find("name='A Dark Cave'") != std::string::npos);
    for (const char* feature :
         {"muc_public", "muc_temporary", "muc_open", "muc_moderated", "muc_unsecured",
          "muc_semianonymous", "urn:xmpp:mam:2", "urn:xmpp:message-moderate:1", "vcard-temp",
          "jabber:iq:register", "http://jabber.org/protocol/muc#self-ping-optimization"})
        CHECK(room.find("var='" + std::string{feature} + "'") != std::string::npos);
    CHECK(room.find("muc#roominfo_occupants") != std::string::npos);
    CHECK(outcome(verona.romeo.ask("get", info, "none@" + service)) == "cancel item-not-found");
    const std::string node = "<query xmlns='http://jabber.org/protocol/disco#info' node='";
    CHECK(outcome(verona.romeo.ask("get", node + "http://jabber.org/protocol/muc#traffic'/>",
                                   coven)) == "cancel service-unavailable");
    CHECK(outcome(verona.romeo.ask("get", node + "other'/>", coven)) ==
          "cancel feature-not-implemented");
    CHECK(outcome(verona.romeo.ask("get", node + "x-roomuser-item'/>", coven)) == "result");
    CHECK(verona.romeo.ask("get", items, "capulet.example").find("jid='" + service + "'") !=
          std::string::npos);
    // Who is in a room is told to those who are in it.
    CHECK(count(verona.romeo.ask("get", items, coven), "<item") == 0);
    CHECK(count(verona.juliet.ask("get", items, coven), "<item") == 1);
}

TEST_CASE("rooms are listed page by page: public ones, and those that one belongs to") {
    Coven verona{{{"publicroom", "0"}}};
    for (const char* name : {"a", "b", "c"}) {
        const std::string room = std::string{name} + "@" + service;
        verona.tybalt.send(joinXml("tybalt", {}, room));
        verona.tybalt.ask("set", configXml({{"publicroom", "1"}, {"persistentroom", "1"}}), room);
    }
    CHECK(count(verona.romeo.ask("get", items, service), "<item") == 3);
    CHECK(count(verona.juliet.ask("get", items, service), "<item") == 4);
    const auto page = [&](const std::string& set) {
        return verona.romeo.ask("get",
                                "<query xmlns='http://jabber.org/protocol/disco#items'><set "
                                "xmlns='http://jabber.org/protocol/rsm'>" +
                                    set + "</set></query>",
                                service);
    };
    const std::string first = page("<max>2</max>");
    CHECK(count(first, "<item") == 2);
    CHECK(first.find("<count>3</count>") != std::string::npos);
    const std::string second = page("<max>2</max><after>b@" + service + "</after>");
    CHECK(count(second, "<item") == 1);
    CHECK(second.find("jid='c@" + service + "'") != std::string::npos);
    CHECK(page("<max>1</max><before/>").find("jid='c@" + service + "'") != std::string::npos);
    CHECK(count(page("<max>0</max>"), "<item") == 0);
    const auto search = [&](const std::string& words) {
        return verona.romeo.ask(
            "get",
            "<search xmlns='https://xmlns.zombofant.net/muclumbus/search/1.0'><x "
            "xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
            "https://xmlns.zombofant.net/muclumbus/search/1.0#params</value></field><field "
            "var='q'><value>" +
                words + "</value></field></x></search>",
            service);
    };
    verona.tybalt.ask("set", configXml({{"roomname", "Fencing 100%"}}), "b@" + service);
    CHECK(count(search("FENC"), "<item") == 1);
    CHECK(search("fencing 100%").find("address='b@" + service + "'") != std::string::npos);
    CHECK(count(search("_encing"), "<item") == 0);
    CHECK(count(search("coven"), "<item") == 0);
}

TEST_CASE("a client asks whether it is still in") {
    Coven verona;
    const auto asks = [&](TestClient& client, const std::string& to) {
        return outcome(client.ask("get", ping, to));
    };
    CHECK(asks(verona.romeo, coven + "/romeo") == "cancel not-acceptable");
    verona.joins(verona.romeo, "romeo");
    CHECK(asks(verona.romeo, coven + "/romeo") == "result");
    CHECK(asks(verona.romeo, coven + "/nobody") == "cancel item-not-found");
    CHECK(asks(verona.romeo, coven) == "result");
    CHECK(asks(verona.romeo, "none@" + service + "/romeo") == "cancel not-acceptable");
    CHECK(asks(verona.romeo, service) == "result");
    verona.juliet.ask("set", giveRole("romeo", "none"), coven);
    CHECK(asks(verona.romeo, coven + "/romeo") == "cancel not-acceptable");
    CHECK(outcome(verona.romeo.ask("get", info, coven + "/juliet")) == "modify bad-request");
}

TEST_CASE("a request to another occupant reaches him without telling who asks") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<iq type='get' id='v' to='" + coven +
                      "/tybalt'><query xmlns='jabber:iq:version'/></iq>");
    const auto asked = parseXml(verona.tybalt.next(), ns::client);
    REQUIRE(asked);
    CHECK((*asked)->get("from") == coven + "/romeo");
    CHECK((*asked)->get("id") != "v");
    verona.tybalt.send("<iq type='result' id='" + std::string{(*asked)->get("id")} + "' to='" +
                       coven +
                       "/romeo'><query xmlns='jabber:iq:version'><name>x</name></query></iq>");
    const auto answer = parseXml(verona.romeo.next(), ns::client);
    REQUIRE(answer);
    CHECK((*answer)->get("from") == coven + "/tybalt");
    CHECK((*answer)->get("id") == "v");
    CHECK((*answer)->get("type") == "result");
    // An answer to what nobody has asked goes nowhere.
    verona.tybalt.send("<iq type='result' id='1.1.x' to='" + coven + "/romeo'/>");
    verona.tybalt.send("<iq type='result' id='nonsense' to='" + coven + "/romeo'/>");
    CHECK(hears(verona.romeo).empty());
    // A vCard is asked of the account, whose server answers.
    CHECK(outcome(verona.romeo.ask("get", "<vCard xmlns='vcard-temp'/>", coven + "/tybalt")) != "");
}

TEST_CASE("an occupant's id is the same in one room and another in the next") {
    Coven verona;
    const auto idIn = [&](TestClient& client, const std::string& room, const std::string& nick) {
        client.forget();
        client.send(joinXml(nick, {}, room));
        std::string id;
        for (const auto& xml : client.all()) {
            const auto stanza = parseXml(xml, ns::client);
            const auto from = Jid::parse((*stanza)->get("from"));
            if (from->resource() != nick) continue;
            if (const Element* found = (*stanza)->child("occupant-id", "urn:xmpp:occupant-id:0"))
                id = found->get("id");
        }
        client.send("<presence type='unavailable' to='" + room + "/" + nick + "'/>");
        return id;
    };
    const std::string first = idIn(verona.romeo, coven, "romeo");
    CHECK(!first.empty());
    CHECK(first.size() <= 128);
    CHECK(idIn(verona.romeo, coven, "montague") == first);
    CHECK(idIn(verona.tybalt, coven, "tybalt") != first);
    verona.tybalt.send(joinXml("tybalt", {}, "other@" + service));
    verona.tybalt.ask("set", configXml({}), "other@" + service);
    CHECK(idIn(verona.romeo, "other@" + service, "romeo") != first);
}

TEST_CASE("a room has a picture that its owner sets") {
    Coven verona;
    verona.everybodyIn();
    const std::string vcard =
        "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>cGljdHVyZQ==</BINVAL>"
        "</PHOTO></vCard>";
    CHECK(outcome(verona.romeo.ask("set", vcard, coven)) == "auth forbidden");
    CHECK(outcome(verona.juliet.ask("set", vcard, coven)) == "result");
    CHECK(verona.tybalt.all().front().find("vcard-temp:x:update") != std::string::npos);
    CHECK(verona.romeo.ask("get", "<vCard xmlns='vcard-temp'/>", coven).find("cGljdHVyZQ==") !=
          std::string::npos);
    // sha1("picture")
    CHECK(verona.romeo.ask("get", info, coven)
              .find("<value>0e66b49d04a43c19bcb2e13a53aff5d174f610fc</value>") !=
          std::string::npos);
    CHECK(
        outcome(verona.juliet.ask(
            "set", "<vCard xmlns='vcard-temp'><NOTE>" + std::string(70000, 'x') + "</NOTE></vCard>",
            coven)) == "modify not-acceptable");
}

TEST_CASE("in slow mode an occupant waits between two messages, moderators do not") {
    Coven verona{{{"slow_mode_duration", "20"}}};
    verona.everybodyIn();
    CHECK(verona.romeo.ask("get", info, coven).find("muc#roominfo_slow_mode_duration") !=
          std::string::npos);
    verona.says(verona.romeo, "one");
    verona.says(verona.romeo, "two");
    CHECK(hears(verona.romeo) == Texts{"romeo: one", "!message wait policy-violation"});
    verona.server.advance(std::chrono::seconds{20});
    verona.says(verona.romeo, "three");
    CHECK(hears(verona.romeo) == Texts{"romeo: three"});
    verona.says(verona.juliet, "a");
    verona.says(verona.juliet, "b");
    CHECK(hears(verona.romeo) == Texts{"juliet: a", "juliet: b"});
}

TEST_CASE("after a restart everybody is where he was") {
    Coven verona{{{"whois", "anyone"}}};
    const auto login = [&](const std::string& jid) -> TestClient& {
        auto& client = verona.server.login(jid);
        client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        return client;
    };
    auto& mercutio = login("mercutio@capulet.example/tomb");
    std::string id;
    for (const auto& xml : mercutio.all())
        if (const auto enabled = parseXml(xml); enabled && (*enabled)->name() == "enabled")
            id = (*enabled)->get("id");
    REQUIRE(!id.empty());
    mercutio.send(joinXml("mercutio"));
    verona.joins(verona.romeo, "romeo");
    const std::uint32_t handled = mercutio.handled();
    verona.server.restart();
    // Juliet and Romeo could not be resumed; Mercutio is there, and hears of their going.
    verona.server.advance(std::chrono::seconds{10});
    auto& juliet = verona.server.login("juliet@capulet.example/balcony");
    juliet.send(joinXml("juliet"));
    const auto all = hears(juliet);
    REQUIRE(!all.empty());
    CHECK(all.front() == "+mercutio none/participant mercutio@capulet.example/tomb");
    CHECK(all[1].starts_with("+juliet owner/moderator"));
    juliet.send("<message type='groupchat' to='" + coven + "'><body>missed?</body></message>");
    auto& back = verona.server.connect({}, true);
    back.sendHeader().logIn("mercutio").sendHeader().forget();
    back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + std::to_string(handled) +
              "'/>");
    const auto missed = hears(back);
    CHECK(std::find(missed.begin(), missed.end(), "juliet: missed?") != missed.end());
}

TEST_CASE("after a crash nobody is in a room who is not there") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.everybodyIn();
    verona.says(verona.romeo, "before");
    verona.server.crash();
    auto& juliet = verona.server.login("juliet@capulet.example/balcony");
    // Her new client has not entered it, although it has the name of the old one.
    verona.server.advance(std::chrono::seconds{10});
    CHECK(outcome(juliet.ask("get", ping, coven + "/juliet")) == "cancel not-acceptable");
    CHECK(hears(juliet).back().starts_with("-juliet owner/none"));
    juliet.send(joinXml("juliet"));
    CHECK(hears(juliet).front().starts_with("+juliet owner/moderator"));
}

TEST_CASE("a room that nobody is in leaves memory, and is there again when somebody asks") {
    Coven verona{{{"persistentroom", "1"}, {"roomname", "A Dark Cave"}}};
    verona.says(verona.juliet, "said");
    verona.juliet.send("<presence type='unavailable' to='" + coven + "/juliet'/>");
    verona.server.advance(std::chrono::minutes{20});
    // What is in the database now is what is seen.
    auto rename = [](SqlConnection& connection) {
        return connection.run(
            "UPDATE muc_room SET config = 'muc#roomconfig_persistentroom 1' || "
            "char(10) || 'muc#roomconfig_roomname Changed'");
    };
    CHECK(verona.server.wait(verona.server.database().write(rename)) == 1);
    auto& romeo = verona.server.login("romeo@montague.example/later");
    CHECK(romeo.ask("get", info, coven).find("Changed") != std::string::npos);
    const auto all = verona.joins(romeo, "romeo");
    REQUIRE(all.size() == 3);
    CHECK(all[1] == "juliet: said delayed");
}

TEST_CASE("rooms go on when plugins are made anew") {
    Coven verona;
    verona.everybodyIn();
    verona.server.rewire();
    verona.says(verona.romeo, "still here");
    CHECK(hears(verona.tybalt) == Texts{"romeo: still here"});
    CHECK(hears(verona.juliet) == Texts{"romeo: still here"});
}

TEST_CASE("the operator makes, lists, shows and destroys rooms") {
    TestServer server{"", 2};
    const auto jid = [](const char* text) { return *Jid::parse(text); };
    const auto run = [&](const char* name, CommandValues values) {
        return runCommand(server, "muc", name, std::move(values));
    };
    auto made = run("room create", {{"room", std::string{"garden"}},
                                    {"owner", std::vector<Jid>{jid("juliet@capulet.example")}},
                                    {"preset", std::string{"announcement"}},
                                    {"name", std::string{"The garden"}}});
    CHECK(!made.isRefusal());
    CHECK(run("room create", {{"room", std::string{"garden"}},
                              {"owner", std::vector<Jid>{jid("juliet@capulet.example")}}})
              .isRefusal());
    auto& romeo = server.login("romeo@montague.example/orchard");
    const std::string garden = "garden@conference.capulet.example";
    romeo.send(joinXml("romeo", {}, garden));
    CHECK(hears(romeo).front() == "+romeo none/visitor romeo@montague.example/orchard 110 170");
    CHECK(!run("room member set", {{"room", garden},
                                   {"address", jid("romeo@montague.example")},
                                   {"affiliation", std::string{"admin"}}})
               .isRefusal());
    CHECK(hears(romeo) == Texts{"+romeo admin/moderator romeo@montague.example/orchard 110"});
    CHECK(run("room member set", {{"room", garden},
                                  {"address", jid("juliet@capulet.example")},
                                  {"affiliation", std::string{"none"}}})
              .isRefusal());
    const auto list = run("room list", {});
    CHECK(list.rows().size() == 1);
    CHECK(textOf(run("room show", {{"room", garden}}), "name") == "The garden");
    CHECK(run("room show", {{"room", std::string{"none"}}}).isRefusal());
    CHECK(run("room show", {{"room", std::string{"a@elsewhere.example"}}}).isRefusal());
    CHECK(!run("room destroy", {{"room", garden}, {"reason", std::string{"winter"}}}).isRefusal());
    CHECK(hears(romeo).front().find("destroyed") != std::string::npos);
    CHECK(run("room destroy", {{"room", garden}}).isRefusal());
}
