// What happens at the same time to one person or one room: the disk hangs, and everybody goes on.
#include "tests/plugins/muc_support.h"

#include <algorithm>

using namespace epode;

namespace {

// Sends without waiting for the answer.
void asks(TestClient& client, const std::string& payload, const std::string& id) {
    client.send("<iq type='set' id='" + id + "' to='" + coven + "'>" + payload + "</iq>");
}
std::string answerTo(TestClient& client, const std::string& id) {
    for (const auto& xml : client.all())
        if (xml.starts_with("<iq") && xml.find("id='" + id + "'") != std::string::npos)
            return outcome(xml);
    return {};
}
std::string affiliationOf(TestClient& owner, const std::string& person) {
    for (const char* affiliation : {"outcast", "member", "admin", "owner"}) {
        const std::string list = owner.ask(
            "get", adminXml("<item affiliation='" + std::string{affiliation} + "'/>"), coven);
        if (list.find("jid='" + person + "'") != std::string::npos) return affiliation;
    }
    return "none";
}
std::string inviteXml(const std::string& whom) {
    return "<message to='" + coven + "' id='invites'><x xmlns='" + mucNs + "#user'><invite to='" +
           whom + "'/></x></message>";
}
std::string approveXml(const std::string& nick) {
    return "<message to='" + coven +
           "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + mucNs +
           "#request</value></field><field var='muc#role'><value>participant</value></field>"
           "<field var='muc#roomnick'><value>" +
           nick +
           "</value></field><field var='muc#request_allow'><value>1</value></field></x>"
           "</message>";
}
// What is in memory is what is on the disk.
std::string afterRestart(Coven& verona, const std::string& person) {
    verona.server.restart();
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    return affiliationOf(juliet, person);
}

}  // namespace

TEST_CASE("an invitation does not undo a ban that comes at the same time") {
    Coven verona{{{"membersonly", "1"}, {"persistentroom", "1"}}};
    verona.server.database().stall();
    asks(verona.juliet, affiliate("tybalt@capulet.example", "outcast"), "bans");
    verona.juliet.send(inviteXml("tybalt@capulet.example"));
    verona.server.database().goOn();
    verona.server.run();
    const auto all = hears(verona.juliet);
    CHECK(std::find(all.begin(), all.end(), "!message auth forbidden") != all.end());
    CHECK(hears(verona.tybalt).empty());
    CHECK(affiliationOf(verona.juliet, "tybalt@capulet.example") == "outcast");
    CHECK(afterRestart(verona, "tybalt@capulet.example") == "outcast");
}

TEST_CASE("voice that is given does not undo a membership that comes at the same time") {
    Coven verona{{{"moderatedroom", "1"}, {"persistentroom", "1"}}};
    verona.everybodyIn();
    verona.server.database().stall();
    asks(verona.juliet, affiliate("romeo@montague.example", "member"), "member");
    verona.juliet.send(approveXml("romeo"));
    verona.server.database().goOn();
    verona.server.run();
    CHECK(affiliationOf(verona.juliet, "romeo@montague.example") == "member");
    CHECK(afterRestart(verona, "romeo@montague.example") == "member");
}

TEST_CASE("a ban that is renewed while its term ends is in force, on the disk as well") {
    Coven verona{{{"persistentroom", "1"}}, "[client]\nping_after = '24h'"};
    const auto ban = [&](const char* term) {
        return "<command xmlns='http://jabber.org/protocol/commands' node='urn:epode:room:ban'>"
               "<x xmlns='jabber:x:data' type='submit'><field var='person'><value>"
               "romeo@montague.example</value></field><field var='term'><value>" +
               std::string{term} +
               "</value></field><field var='reason'><value>duels</value></field></x></command>";
    };
    const std::string first = verona.juliet.ask("set", ban("10min"), coven);
    INFO(first);
    REQUIRE(affiliationOf(verona.juliet, "romeo@montague.example") == "outcast");
    verona.server.advance(std::chrono::minutes{10} - std::chrono::seconds{1});
    verona.server.database().stall();
    asks(verona.juliet, affiliate("romeo@montague.example", "outcast", "<reason>again</reason>"),
         "renews");
    // The first term is over meanwhile, and somebody comes by.
    verona.server.advance(std::chrono::seconds{40});
    verona.romeo.send("<presence to='" + coven + "/romeo'/>");
    verona.server.database().goOn();
    verona.server.run();
    CHECK(answerTo(verona.juliet, "renews") == "result");
    verona.server.advance(std::chrono::minutes{1});
    CHECK(affiliationOf(verona.juliet, "romeo@montague.example") == "outcast");
    CHECK(afterRestart(verona, "romeo@montague.example") == "outcast");
}

TEST_CASE("an admin who answers a knock does not undo what another one does meanwhile") {
    Coven verona{{{"membersonly", "1"}, {"persistentroom", "1"}}};
    const std::string answer =
        "<message to='" + coven +
        "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + mucNs +
        "#register</value></field><field var='muc#register_jid'><value>romeo@montague.example"
        "</value></field><field var='muc#register_roomnick'><value>romeo</value></field>"
        "<field var='muc#register_allow'><value>1</value></field></x></message>";
    verona.server.database().stall();
    asks(verona.juliet, affiliate("romeo@montague.example", "admin"), "admin");
    verona.juliet.send(answer);
    verona.server.database().goOn();
    verona.server.run();
    CHECK(affiliationOf(verona.juliet, "romeo@montague.example") == "admin");
    CHECK(afterRestart(verona, "romeo@montague.example") == "admin");
}

TEST_CASE("who is removed while he is made a member does not leave a member behind") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.server.database().stall();
    asks(verona.juliet, affiliate("tybalt@capulet.example", "member"), "member");
    verona.tybalt.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    verona.server.database().goOn();
    verona.server.run();
    CHECK(answerTo(verona.juliet, "member") == "result");
    CHECK(affiliationOf(verona.juliet, "tybalt@capulet.example") == "none");
    CHECK(afterRestart(verona, "tybalt@capulet.example") == "none");
}

TEST_CASE("a room that is destroyed while others come in, speak and ask is gone for all of them") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.everybodyIn();
    auto& nurse = verona.server.login("nurse@capulet.example/house");
    verona.server.database().stall();
    verona.says(verona.romeo, "last words");
    asks(verona.juliet, giveRole("romeo", "visitor"), "mutes");
    asks(verona.juliet, affiliate("nurse@capulet.example", "member"), "member");
    asks(verona.juliet, ownerXml("<destroy/>"), "destroys");
    nurse.send(joinXml("nurse"));
    verona.tybalt.send("<presence to='" + coven + "/cat'/>");
    verona.server.database().goOn();
    verona.server.run();
    for (TestClient* client : {&verona.romeo, &verona.tybalt, &verona.juliet}) {
        const auto all = hears(*client);
        const bool isTold = std::any_of(all.begin(), all.end(), [](const std::string& text) {
            return text.find("destroyed") != std::string::npos;
        });
        CHECK(isTold);
    }
    // Nothing of it is left, and it can be made again, with nobody in it but who makes it.
    CHECK(outcome(verona.romeo.ask("get", "<ping xmlns='urn:xmpp:ping'/>", coven + "/romeo")) !=
          "result");
    auto left = [](SqlConnection& connection) {
        std::int64_t rows = 0;
        for (const char* sql :
             {"SELECT COUNT(*) FROM muc_occupant", "SELECT COUNT(*) FROM muc_affiliation"})
            connection.run(sql, {}, [&](const SqlRow& row) { rows += row.integer(0); });
        return rows;
    };
    const auto present = hears(nurse);
    const bool isMaker = std::any_of(present.begin(), present.end(), [](const std::string& text) {
        return text.starts_with("+nurse owner/moderator");
    });
    CHECK(verona.server.wait(verona.server.database().read(left)) == (isMaker ? 2 : 0));
}

TEST_CASE("a room that its maker does not get into has never been") {
    TestServer server{"[muc]\npresence_bytes_max = '1 KiB'", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<presence to='" + coven + "/juliet'><x xmlns='" + mucNs + "'/><status>" +
                std::string(2000, 's') + "</status></presence>");
    CHECK(hears(juliet) == Texts{"!presence modify not-acceptable"});
    auto rooms = [](SqlConnection& connection) {
        std::int64_t count = 0;
        connection.run("SELECT COUNT(*) FROM muc_room", {},
                       [&](const SqlRow& row) { count = row.integer(0); });
        return count;
    };
    CHECK(server.wait(server.database().read(rooms)) == 0);
    juliet.send(joinXml("juliet"));
    CHECK(hears(juliet).front() ==
          "+juliet owner/moderator juliet@capulet.example/balcony 110 170 201");
}

TEST_CASE("a temporary room whose occupants a crash has lost does not stay on the disk") {
    Coven verona;
    auto lose = [](SqlConnection& connection) {
        return connection.run("DELETE FROM muc_occupant");
    };
    verona.server.wait(verona.server.database().write(lose));
    verona.server.crash();
    auto& romeo = verona.server.login("romeo@montague.example/later");
    romeo.send(joinXml("romeo"));
    CHECK(hears(romeo).front() ==
          "+romeo owner/moderator romeo@montague.example/later 110 170 201");
}

TEST_CASE("of one address there is one change at a time, of one nickname one owner") {
    Coven verona;
    const auto changes = [&](const std::string& items) {
        return outcome(verona.juliet.ask("set", adminXml(items), coven));
    };
    const std::string nurse = "jid='nurse@capulet.example'";
    // Otherwise the room would be nobody's.
    CHECK(changes("<item affiliation='owner' " + nurse +
                  "/><item affiliation='none' jid='juliet@capulet.example'/>"
                  "<item affiliation='none' " +
                  nurse + "/>") == "modify bad-request");
    CHECK(changes("<item affiliation='member' " + nurse +
                  " nick='n'/>"
                  "<item affiliation='member' jid='peter@capulet.example' nick='N'/>") ==
          "cancel conflict");
    CHECK(changes("<item affiliation='member' " + nurse +
                  " nick='n'/>"
                  "<item affiliation='member' jid='peter@capulet.example' nick='p'/>") == "result");
    CHECK(affiliationOf(verona.juliet, "juliet@capulet.example") == "owner");
}
