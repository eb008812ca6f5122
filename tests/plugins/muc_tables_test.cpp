// The tables of XEP-0045, 5, as they are seen from outside. (As pure rules:
// muc_privileges_test.cpp.)
#include "tests/plugins/muc_support.h"

#include <algorithm>
#include <functional>
#include <map>

using namespace epode;

namespace {

const std::string ping = "<ping xmlns='urn:xmpp:ping'/>";

bool has(const Texts& all, const std::string& text) {
    return std::find(all.begin(), all.end(), text) != all.end();
}

// Juliet owns the room; its visitor, participant and moderator have no affiliation.
struct Moderated : Coven {
    Moderated() : Coven{{{"moderatedroom", "1"}}} {
        for (const char* role :
             {"visitor", "participant", "moderator", "stranger", "admin", "member"})
            people[role] = &server.login(std::string{role} + "@montague.example/x");
        const auto give = [&](const char* name, const char* affiliation) {
            juliet.ask("set", affiliate(std::string{name} + "@montague.example", affiliation),
                       coven);
        };
        give("admin", "admin");
        give("member", "member");
        for (const char* role : {"visitor", "participant", "moderator", "admin", "member"})
            people[role]->send(joinXml(role));
        juliet.ask("set", giveRole("participant", "participant"), coven);
        juliet.ask("set", giveRole("moderator", "moderator"), coven);
        forgetAll();
    }
    void forgetAll() {
        forget();
        for (auto& [role, client] : people) client->forget();
    }
    std::map<std::string, TestClient*> people;
};

}  // namespace

TEST_CASE("table 3: what each role may do") {
    struct Privilege {
        const char* name;
        // By none, a visitor, a participant, a moderator.
        std::string allowed;
        // Whether it worked.
        std::function<bool(Moderated&, TestClient&, const std::string& nick)> tries;
    };
    const auto isHeard = [](TestClient& client, const std::string& text) {
        return has(hears(client), text);
    };
    const Privilege table[] = {
        {"present in room", "no yes yes yes",
         [](Moderated&, TestClient& who, const std::string& nick) {
             return outcome(who.ask("get", ping, coven + "/" + nick)) == "result";
         }},
        {"receive messages", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string&) {
             room.says(room.juliet, "hear");
             return isHeard(who, "juliet: hear");
         }},
        {"receive occupant presence", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string&) {
             room.juliet.send("<presence to='" + coven + "/juliet'/>");
             return !who.all().empty();
         }},
        {"broadcast presence, change availability", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             who.send("<presence to='" + coven + "/" + nick + "'><show>away</show></presence>");
             return !room.juliet.all().empty();
         }},
        {"change room nickname", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             who.send("<presence to='" + coven + "/" + nick + "2'/>");
             const bool isChanged = !room.juliet.all().empty();
             who.send("<presence to='" + coven + "/" + nick + "'/>");
             return isChanged;
         }},
        {"send private messages", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             who.send("<message type='chat' to='" + coven + "/juliet'><body>psst</body></message>");
             return isHeard(room.juliet, "*" + nick + ": psst");
         }},
        {"invite other users", "no yes yes yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             who.send("<message to='" + coven + "'><x xmlns='" + mucNs +
                      "#user'><invite to='romeo@montague.example'/></x></message>");
             return isHeard(room.romeo, "* invited by " + nick + "@montague.example");
         }},
        {"send messages to all", "no no yes yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             room.says(who, "hear");
             return isHeard(room.juliet, nick + ": hear");
         }},
        {"modify subject", "no no no yes",
         [&](Moderated& room, TestClient& who, const std::string& nick) {
             who.send("<message type='groupchat' to='" + coven +
                      "'><subject>s</subject></message>");
             return isHeard(room.juliet, nick + "# s");
         }},
        {"grant voice", "no no no yes",
         [](Moderated&, TestClient& who, const std::string&) {
             return outcome(who.ask("set", giveRole("visitor", "participant"), coven)) == "result";
         }},
        {"revoke voice", "no no no yes",
         [](Moderated& room, TestClient& who, const std::string&) {
             // (Nobody's own.)
             room.juliet.ask("set", giveRole("visitor", "participant"), coven);
             const bool may =
                 outcome(who.ask("set", giveRole("visitor", "visitor"), coven)) == "result";
             room.juliet.ask("set", giveRole("visitor", "visitor"), coven);
             return may;
         }},
        {"grant voice back to a participant, revoke it from an admin", "no no no no",
         [](Moderated&, TestClient& who, const std::string&) {
             return outcome(who.ask("set", giveRole("admin", "visitor"), coven)) == "result";
         }},
        {"make moderators", "no no no no",
         [](Moderated&, TestClient& who, const std::string&) {
             return outcome(who.ask("set", giveRole("member", "moderator"), coven)) == "result";
         }},
        {"read the list of those with voice", "no no no yes",
         [](Moderated&, TestClient& who, const std::string&) {
             return outcome(who.ask("get", adminXml("<item role='participant'/>"), coven)) ==
                    "result";
         }},
        {"kick participants and visitors", "no no no yes",
         [](Moderated& room, TestClient& who, const std::string&) {
             room.tybalt.send(joinXml("tybalt"));
             return outcome(who.ask("set", giveRole("tybalt", "none"), coven)) == "result";
         }},
    };
    Moderated room;
    for (const Privilege& privilege : table) {
        std::string allowed;
        for (const char* role : {"stranger", "visitor", "participant", "moderator"}) {
            room.forgetAll();
            allowed += allowed.empty() ? "" : " ";
            allowed += privilege.tries(room, *room.people[role], role) ? "yes" : "no";
        }
        CAPTURE(privilege.name);
        CHECK(allowed == privilege.allowed);
    }
}

TEST_CASE("table 3: what owners change of what a role may do") {
    Moderated room;
    TestClient& visitor = *room.people["visitor"];
    TestClient& participant = *room.people["participant"];
    const auto whispers = [&](TestClient& who) {
        room.forgetAll();
        who.send("<message type='chat' to='" + coven + "/juliet'><body>psst</body></message>");
        return !room.juliet.all().empty();
    };
    const auto subject = [&](TestClient& who) {
        room.forgetAll();
        who.send("<message type='groupchat' to='" + coven + "'><subject>s</subject></message>");
        return !room.juliet.all().empty();
    };
    const auto isSeen = [&](TestClient& who, const std::string& nick) {
        room.forgetAll();
        who.send("<presence to='" + coven + "/" + nick + "'><show>dnd</show></presence>");
        return !room.juliet.all().empty();
    };
    struct Row {
        std::string var;
        std::string value;
        bool visitors;
        bool participants;
        std::function<bool(TestClient&, const std::string&)> tries;
    };
    const auto w = [&](TestClient& who, const std::string&) { return whispers(who); };
    const auto s = [&](TestClient& who, const std::string&) { return subject(who); };
    const auto p = [&](TestClient& who, const std::string& nick) { return isSeen(who, nick); };
    for (const Row& row : {
             Row{"allowpm", "participants", false, true, w},
             Row{"allowpm", "moderators", false, false, w},
             Row{"allowpm", "none", false, false, w},
             Row{"allowpm", "anyone", true, true, w},
             Row{"changesubject", "1", false, true, s},
             Row{"changesubject", "0", false, false, s},
             Row{"presencebroadcast", "participant", false, true, p},
             Row{"presencebroadcast", "visitor", true, false, p},
         }) {
        CAPTURE(row.var, row.value);
        CHECK(room.configures({{row.var, row.value}}) == "result");
        CHECK(row.tries(visitor, "visitor") == row.visitors);
        CHECK(row.tries(participant, "participant") == row.participants);
    }
}

TEST_CASE("table 5: each way from one role to another, and who may not go it") {
    struct Row {
        std::string before;
        std::string wanted;
        std::string actor;  // "self" by coming or going
        std::string outcome;
    };
    Moderated room;
    // Tybalt, of no affiliation, is what the row says.
    const auto become = [&](const std::string& role) {
        if (role == "none") {
            room.tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
        } else {
            room.tybalt.send(joinXml("tybalt"));
            room.juliet.ask("set", giveRole("tybalt", role), coven);
        }
        room.forgetAll();
    };
    for (const Row& row : {
             Row{"none", "visitor", "self", ""},
             Row{"visitor", "none", "self", ""},
             Row{"participant", "none", "self", ""},
             Row{"moderator", "none", "self", ""},
             Row{"visitor", "none", "moderator", "result"},
             Row{"participant", "none", "moderator", "result"},
             Row{"moderator", "none", "moderator", "cancel not-allowed"},
             Row{"moderator", "none", "admin", "result"},
             Row{"moderator", "none", "juliet", "result"},
             Row{"visitor", "none", "participant", "auth forbidden"},
             Row{"visitor", "participant", "moderator", "result"},
             Row{"visitor", "participant", "admin", "result"},
             Row{"visitor", "participant", "visitor", "auth forbidden"},
             Row{"visitor", "participant", "stranger", "auth forbidden"},
             Row{"visitor", "moderator", "admin", "result"},
             Row{"visitor", "moderator", "juliet", "result"},
             Row{"visitor", "moderator", "moderator", "auth forbidden"},
             Row{"participant", "visitor", "moderator", "result"},
             Row{"participant", "visitor", "member", "auth forbidden"},
             Row{"participant", "moderator", "admin", "result"},
             Row{"participant", "moderator", "moderator", "auth forbidden"},
             Row{"moderator", "visitor", "admin", "result"},
             Row{"moderator", "visitor", "moderator", "cancel not-allowed"},
             Row{"moderator", "participant", "juliet", "result"},
             Row{"moderator", "participant", "moderator", "cancel not-allowed"},
             Row{"moderator", "participant", "stranger", "auth forbidden"},
             Row{"none", "participant", "moderator", "cancel item-not-found"},
             Row{"none", "moderator", "juliet", "cancel item-not-found"},
         }) {
        CAPTURE(row.before, row.wanted, row.actor);
        become(row.before);
        TestClient& observer = *room.people["member"];
        if (row.actor == "self") {
            if (row.wanted == "none")
                room.tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
            else
                room.tybalt.send(joinXml("tybalt"));
        } else {
            TestClient& actor = row.actor == "juliet" ? room.juliet : *room.people[row.actor];
            CHECK(outcome(actor.ask("set", giveRole("tybalt", row.wanted), coven)) == row.outcome);
        }
        const auto seen = hears(observer);
        if (!row.outcome.empty() && row.outcome != "result") {
            if (row.actor != "member") CHECK(seen.empty());
            continue;
        }
        REQUIRE(seen.size() == 1);
        const std::string who =
            row.wanted == "none" ? "-tybalt none/none" : "+tybalt none/" + row.wanted;
        CHECK(seen.front().starts_with(who));
    }
}

TEST_CASE("tables 6 and 7: each way from one affiliation to another, and who may not go it") {
    const Texts all{"outcast", "none", "member", "admin", "owner"};
    const auto rank = [&](const std::string& name) {
        return std::find(all.begin(), all.end(), name) - all.begin();
    };
    Moderated room;
    const auto set = [&](TestClient& who, const std::string& affiliation) {
        return outcome(who.ask("set", affiliate("tybalt@capulet.example", affiliation), coven));
    };
    const auto isIn = [&](const std::string& affiliation) {
        const std::string list =
            room.juliet.ask("get", adminXml("<item affiliation='" + affiliation + "'/>"), coven);
        return list.find("jid='tybalt@capulet.example'") != std::string::npos;
    };
    const std::map<std::string, std::string> roles{{"outcast", "none"},
                                                   {"none", "visitor"},
                                                   {"member", "participant"},
                                                   {"admin", "moderator"},
                                                   {"owner", "moderator"}};
    for (const std::string actor : {"juliet", "admin", "member", "moderator", "stranger"})
        for (const auto& before : all)
            for (const auto& wanted : all) {
                CAPTURE(actor, before, wanted);
                CHECK(set(room.juliet, before) == "result");
                room.tybalt.send(joinXml("tybalt"));
                room.forgetAll();
                TestClient& who = actor == "juliet" ? room.juliet : *room.people[actor];
                const bool mayAll = actor == "juliet";
                const bool maySome = actor == "admin" && rank(before) <= 2 && rank(wanted) <= 2;
                const std::string refusal =
                    actor == "admin" && rank(before) >= 3 && wanted == "outcast"
                        ? "cancel not-allowed"
                        : "auth forbidden";
                const std::string outcome = mayAll || maySome ? "result" : refusal;
                CHECK(set(who, wanted) == outcome);
                const std::string now = outcome == "result" ? wanted : before;
                for (const auto& each : all)
                    if (each != "none") CHECK(isIn(each) == (each == now));
                // What the others have seen of it.
                const auto seen = hears(*room.people["visitor"]);
                if (outcome != "result" || before == wanted || before == "outcast") {
                    CHECK(seen.empty());
                } else {
                    REQUIRE(seen.size() == 1);
                    const std::string shown = wanted + "/" + roles.at(wanted);
                    CHECK(seen.front().starts_with((wanted == "outcast" ? "-tybalt " : "+tybalt ") +
                                                   shown));
                }
                room.tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
            }
}

TEST_CASE("table 6: what each affiliation may do") {
    struct Row {
        const char* name;
        // By an outcast, none, a member, an admin, an owner.
        std::string allowed;
        std::function<bool(TestClient&)> tries;
    };
    Moderated room;
    auto& outcast = room.server.login("outcast@montague.example/x");
    room.juliet.ask("set", affiliate("outcast@montague.example", "outcast"), coven);
    const auto asks = [](const std::string& type, const std::string& payload) {
        return [type, payload](TestClient& who) {
            return outcome(who.ask(type, payload, coven)) == "result";
        };
    };
    const auto enters = [&](TestClient& who) {
        who.send("<presence type='unavailable' to='" + coven + "/x'/>");
        who.forget().send(joinXml(Jid::parse(who.jid())->local() == "juliet"
                                      ? "juliet"
                                      : std::string{Jid::parse(who.jid())->local()}));
        const auto heard = hears(who);
        return !heard.empty() && !heard.front().starts_with("!");
    };
    const std::string registers =
        "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE'><value>" +
        mucNs +
        "#register</value></field><field var='muc#register_roomnick'><value>NICK</value>"
        "</field></x></query>";
    const auto registersAs = [&](TestClient& who) {
        std::string xml = registers;
        xml.replace(xml.find("NICK"), 4, "n" + std::string{Jid::parse(who.jid())->local()});
        return outcome(who.ask("set", xml, coven)) == "result";
    };
    const auto run = [&](const Row& row) {
        std::string allowed;
        for (TestClient* who : {&outcast, room.people["stranger"], room.people["member"],
                                room.people["admin"], &room.juliet}) {
            allowed += allowed.empty() ? "" : " ";
            allowed += row.tries(*who) ? "yes" : "no";
        }
        CAPTURE(row.name);
        CHECK(allowed == row.allowed);
    };
    run({"enter an open room", "no yes yes yes yes", enters});
    run({"retrieve the member list of a semi-anonymous room", "no no no yes yes",
         asks("get", adminXml("<item affiliation='member'/>"))});
    run({"retrieve the ban list", "no no no yes yes",
         asks("get", adminXml("<item affiliation='outcast'/>"))});
    run({"edit the member list", "no no no yes yes",
         asks("set", affiliate("new@montague.example", "member"))});
    run({"ban members and the unaffiliated", "no no no yes yes",
         asks("set", affiliate("new@montague.example", "outcast"))});
    run({"assign and remove the moderator role", "no no no yes yes",
         asks("set", giveRole("visitor", "moderator"))});
    run({"retrieve the list of admins and owners", "no no no no yes",
         asks("get", adminXml("<item affiliation='admin'/><item affiliation='owner'/>"))});
    run({"edit the admin list", "no no no no yes",
         asks("set", affiliate("new@montague.example", "admin"))});
    run({"edit the owner list", "no no no no yes",
         asks("set", affiliate("new@montague.example", "owner"))});
    run({"change the room's configuration", "no no no no yes", asks("get", ownerXml())});
    run({"change it", "no no no no yes", asks("set", configXml({{"whois", "anyone"}}))});
    run({"retrieve the member list of a room without secrets", "no no yes yes yes",
         asks("get", adminXml("<item affiliation='member'/>"))});
    room.configures({{"membersonly", "1"}});
    run({"enter a members-only room", "no no yes yes yes", enters});
    room.configures({{"membersonly", "0"}});
    run({"register with an open room", "no yes yes yes yes", registersAs});
    run({"destroy the room", "no no no no yes", asks("set", ownerXml("<destroy/>"))});
}
