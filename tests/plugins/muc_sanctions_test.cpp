// What moderators do to people in rooms: bans and mutes with a term, voice that lasts, lock-down,
// asking to become a member, and the log of all of it.
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"

using namespace epode;

namespace {

const std::string tybaltJid = "tybalt@capulet.example";
// Time passes here, and clients that are not asked whether they are there stay.
constexpr std::string_view patient = "[client]\nping_after = '24h'";

CommandResult run(TestServer& server, const std::string& name, CommandValues values) {
    values.try_emplace("room", coven);
    return runCommand(server, "muc", "room " + name, std::move(values));
}
CommandResult sanction(TestServer& server, const std::string& name, const std::string& whom,
                       std::optional<Duration> term = {}, const std::string& reason = {}) {
    CommandValues values{{"address", *Jid::parse(whom)}};
    if (term) values.emplace("term", *term);
    if (!reason.empty()) values.emplace("reason", reason);
    return run(server, name, std::move(values));
}

// "actor action target (reason)", the oldest first.
Texts audited(TestServer& server, CommandValues values = {}) {
    const auto result = run(server, "audit", std::move(values));
    Texts all;
    for (const auto& row : result.rows()) {
        std::string text = textOf(row[1]) + " " + textOf(row[2]) + " " + textOf(row[3]);
        if (!textOf(row[4]).empty()) text += " (" + textOf(row[4]) + ")";
        all.insert(all.begin(), text);
    }
    return all;
}

std::string commandXml(const std::string& node, const FieldList& fields = {},
                       const std::string& action = {}) {
    std::string xml =
        "<command xmlns='http://jabber.org/protocol/commands' node='urn:epode:room:" + node + "'" +
        (action.empty() ? "" : " action='" + action + "'") + ">";
    if (!fields.empty()) {
        xml += "<x xmlns='jabber:x:data' type='submit'>";
        for (const auto& [var, value] : fields)
            xml += "<field var='" + var + "'><value>" + value + "</value></field>";
        xml += "</x>";
    }
    return xml + "</command>";
}

}  // namespace

TEST_CASE("a ban with a term ends when the term is over, and not before") {
    Coven verona{{}, patient};
    verona.everybodyIn();
    CHECK_FALSE(
        sanction(verona.server, "ban", tybaltJid, std::chrono::hours{2}, "duels").isRefusal());
    const auto gone = hears(verona.tybalt);
    REQUIRE(gone.size() == 1);
    CHECK(gone.front().find("-tybalt outcast/none") == 0);
    CHECK(gone.front().find("(duels)") != std::string::npos);
    CHECK(gone.front().find(" 301") != std::string::npos);
    verona.tybalt.forget();
    verona.tybalt.send(joinXml("tybalt"));
    const auto refused = verona.tybalt.all();
    REQUIRE(refused.size() == 1);
    CHECK(outcome(refused.front()) == "auth forbidden");
    CHECK(refused.front().find("until ") != std::string::npos);
    CHECK(refused.front().find(": duels") != std::string::npos);

    verona.server.advance(std::chrono::minutes{119});
    CHECK(verona.joins(verona.tybalt, "tybalt") == Texts{"!presence auth forbidden"});
    verona.server.advance(std::chrono::minutes{2});
    CHECK(verona.joins(verona.tybalt, "tybalt").size() > 2);
    CHECK(audited(verona.server) == Texts{"operator root ban tybalt@capulet.example (duels)",
                                          " unban tybalt@capulet.example (The term is over.)"});
}

TEST_CASE("a ban's term goes on while the server is down") {
    Coven verona{{{"persistentroom", "1"}}, patient};
    CHECK_FALSE(sanction(verona.server, "ban", tybaltJid, std::chrono::hours{2}).isRefusal());
    CHECK_FALSE(sanction(verona.server, "ban", "montague.example").isRefusal());
    verona.server.restart();
    auto& tybalt = verona.server.login("tybalt@capulet.example/later");
    auto& romeo = verona.server.login("romeo@montague.example/later");
    CHECK(verona.joins(tybalt, "tybalt") == Texts{"!presence auth forbidden"});
    CHECK(verona.joins(romeo, "romeo") == Texts{"!presence auth forbidden"});
    verona.server.advance(std::chrono::hours{3});
    CHECK(verona.joins(tybalt, "tybalt").size() > 1);
    CHECK(verona.joins(romeo, "romeo") == Texts{"!presence auth forbidden"});
    CHECK_FALSE(sanction(verona.server, "unban", "montague.example").isRefusal());
    CHECK(verona.joins(romeo, "romeo").size() > 1);
}

TEST_CASE("who is muted stays, reads, and has his voice back when the term is over") {
    Coven verona{{}, patient};
    verona.everybodyIn();
    CHECK_FALSE(sanction(verona.server, "mute", tybaltJid, std::chrono::minutes{10}, "shouting")
                    .isRefusal());
    CHECK(hears(verona.romeo) == Texts{"+tybalt none/visitor (shouting)"});
    verona.forget();
    verona.says(verona.tybalt, "a word with one of you");
    CHECK(hears(verona.romeo).empty());
    const auto refused = verona.tybalt.all();
    REQUIRE(refused.size() == 1);
    CHECK(outcome(refused.front()) == "auth forbidden");
    CHECK(refused.front().find(": shouting") != std::string::npos);
    verona.says(verona.romeo, "peace");
    CHECK(hears(verona.tybalt) == Texts{"romeo: peace"});

    // To leave and to come again does not help.
    verona.tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
    const auto again = verona.joins(verona.tybalt, "prince");
    CHECK(std::count(again.begin(), again.end(),
                     "+prince none/visitor tybalt@capulet.example/street 110 170") == 1);
    verona.forget();
    verona.server.advance(std::chrono::minutes{11});
    CHECK(hears(verona.romeo) == Texts{"+prince none/participant"});
    verona.says(verona.tybalt, "now");
    CHECK(hears(verona.romeo) == Texts{"prince: now"});
}

TEST_CASE("voice that a moderator gives or takes lasts from visit to visit") {
    Coven verona{{{"moderatedroom", "1"}, {"persistentroom", "1"}}};
    const auto roleOf = [&](TestClient& client, const std::string& nick) {
        for (const auto& word : verona.joins(client, nick))
            if (word.find(" 110") != std::string::npos) return word.substr(0, word.find(' ', 20));
        return std::string{};
    };
    const auto leaves = [&](TestClient& client, const std::string& nick) {
        client.send("<presence type='unavailable' to='" + coven + "/" + nick + "'/>");
    };
    CHECK(roleOf(verona.romeo, "romeo").find("none/visitor") != std::string::npos);
    CHECK(outcome(verona.juliet.ask("set", giveRole("romeo", "participant"), coven)) == "result");
    leaves(verona.romeo, "romeo");
    CHECK(roleOf(verona.romeo, "romeo").find("none/participant") != std::string::npos);
    verona.server.restart();
    auto& romeo = verona.server.login("romeo@montague.example/later");
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    CHECK(roleOf(romeo, "romeo").find("none/participant") != std::string::npos);
    verona.joins(juliet, "juliet");
    CHECK(outcome(juliet.ask("set", giveRole("romeo", "visitor"), coven)) == "result");
    leaves(romeo, "romeo");
    CHECK(roleOf(romeo, "romeo").find("none/visitor") != std::string::npos);
    CHECK(audited(verona.server) ==
          Texts{"juliet@capulet.example configure ",
                "juliet@capulet.example voice romeo@montague.example",
                "juliet@capulet.example no voice romeo@montague.example"});
}

TEST_CASE("in an open room whose voice was taken has none when he comes again") {
    Coven verona;
    verona.everybodyIn();
    CHECK(outcome(verona.juliet.ask("set", giveRole("tybalt", "visitor"), coven)) == "result");
    verona.tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
    verona.joins(verona.tybalt, "tybalt");
    verona.forget();
    verona.says(verona.tybalt, "hear me");
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden"});
    CHECK(outcome(verona.juliet.ask("set", giveRole("tybalt", "participant"), coven)) == "result");
    verona.forget();
    verona.says(verona.tybalt, "hear me");
    CHECK(hears(verona.romeo) == Texts{"tybalt: hear me"});
}

TEST_CASE("orders that a room refuses") {
    Coven verona;
    verona.everybodyIn();
    TestServer& server = verona.server;
    CHECK(sanction(server, "ban", "juliet@capulet.example").isRefusal());   // the last owner
    CHECK(sanction(server, "mute", "juliet@capulet.example").isRefusal());  // a moderator
    CHECK(sanction(server, "unban", tybaltJid).isRefusal());
    CHECK(sanction(server, "unmute", tybaltJid).isRefusal());
    CHECK(sanction(server, "kick", "nurse@capulet.example").isRefusal());
    CHECK(sanction(server, "ban", tybaltJid, Duration{}).isRefusal());
    CHECK(sanction(server, "ban", tybaltJid, std::chrono::hours{24 * 5000}).isRefusal());
    CHECK(sanction(server, "ban", tybaltJid, {}, std::string(5000, 'x')).isRefusal());
    CHECK(run(server, "ban", {{"room", std::string{"none"}}, {"address", *Jid::parse(tybaltJid)}})
              .isRefusal());
    CHECK(hears(verona.tybalt).empty());
    CHECK_FALSE(sanction(server, "ban", tybaltJid).isRefusal());
    CHECK(sanction(server, "mute", tybaltJid).isRefusal());  // he is banned
    CHECK(audited(server) == Texts{"operator root ban tybalt@capulet.example"});
}

TEST_CASE("who was made a moderator by hand loses that when he is muted") {
    Coven verona;
    verona.everybodyIn();
    verona.juliet.ask("set", giveRole("tybalt", "moderator"), coven);
    verona.forget();
    CHECK_FALSE(sanction(verona.server, "mute", tybaltJid).isRefusal());
    CHECK(hears(verona.romeo) == Texts{"+tybalt none/visitor"});
    CHECK_FALSE(sanction(verona.server, "unmute", tybaltJid).isRefusal());
    CHECK(hears(verona.romeo) == Texts{"+tybalt none/participant"});
}

TEST_CASE("the log tells who did what to whom, and why, also of a room that is gone") {
    Coven verona;
    verona.everybodyIn();
    const auto set = [&](const std::string& xml) {
        CHECK(outcome(verona.juliet.ask("set", xml, coven)) == "result");
    };
    set(giveRole("tybalt", "moderator"));
    set(giveRole("tybalt", "none", "<reason>out</reason>"));
    set(affiliate("romeo@montague.example", "member"));
    set(affiliate("romeo@montague.example", "admin"));
    set(affiliate("romeo@montague.example", "none"));
    set(affiliate(tybaltJid, "outcast", "<reason>duels</reason>"));
    set(affiliate(tybaltJid, "outcast", "<reason>duels</reason>"));  // nothing new
    set(affiliate(tybaltJid, "none"));
    CHECK(verona.configures({{"roomname", "The crypt"}}) == "result");
    set(ownerXml("<destroy><reason>over</reason></destroy>"));
    const Texts all{"juliet@capulet.example moderator tybalt@capulet.example",
                    "juliet@capulet.example kick tybalt@capulet.example (out)",
                    "juliet@capulet.example member romeo@montague.example",
                    "juliet@capulet.example admin romeo@montague.example",
                    "juliet@capulet.example none romeo@montague.example",
                    "juliet@capulet.example ban tybalt@capulet.example (duels)",
                    "juliet@capulet.example unban tybalt@capulet.example",
                    "juliet@capulet.example configure ",
                    "juliet@capulet.example destroy  (over)"};
    CHECK(audited(verona.server) == all);
    CHECK(audited(verona.server, {{"person", *Jid::parse(tybaltJid)}}).size() == 4);
    CHECK(audited(verona.server, {{"limit", std::int64_t{1}}}) == Texts{all.back()});
    verona.server.advance(std::chrono::hours{48});
    CHECK(audited(verona.server, {{"since", Duration{std::chrono::hours{1}}}}).empty());
    CHECK(audited(verona.server).size() == all.size());
    verona.server.advance(std::chrono::hours{24 * 366});
    CHECK(audited(verona.server).empty());
}

TEST_CASE("while a room is locked down, only members come in and speak") {
    Coven verona;
    verona.everybodyIn();
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    verona.forget();
    CHECK_FALSE(run(verona.server, "lockdown", {{"state", std::string{"on"}}}).isRefusal());
    CHECK(hears(verona.tybalt) == Texts{" 104"});
    verona.forget();
    verona.says(verona.tybalt, "raid");
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden"});
    verona.says(verona.romeo, "calm");
    CHECK(hears(verona.tybalt) == Texts{"romeo: calm"});
    verona.tybalt.send("<message to='" + coven +
                       "/romeo' type='chat'><body>psst</body></message>"
                       "<message to='" +
                       coven +
                       "/juliet' type='chat'><body>why?</body></message>"
                       "<presence to='" +
                       coven + "/prince'/>");
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden", "!presence auth forbidden"});
    CHECK(hears(verona.juliet).back() == "*tybalt: why?");
    auto& paris = verona.server.login("paris@capulet.example/house");
    CHECK(verona.joins(paris, "paris") == Texts{"!presence auth registration-required"});
    CHECK_FALSE(run(verona.server, "lockdown", {{"state", std::string{"off"}}}).isRefusal());
    CHECK(verona.joins(paris, "paris").size() > 3);
    CHECK(audited(verona.server).back() == "operator root end of lockdown ");
}

TEST_CASE("admins and moderators have commands in their clients, others do not") {
    Coven verona;
    verona.everybodyIn();
    verona.juliet.ask("set", giveRole("romeo", "moderator"), coven);
    const std::string list =
        "<query xmlns='http://jabber.org/protocol/disco#items' "
        "node='http://jabber.org/protocol/commands'/>";
    CHECK(verona.juliet.ask("get", list, coven).find("urn:epode:room:audit") != std::string::npos);
    const std::string forModerators = verona.romeo.ask("get", list, coven);
    CHECK(forModerators.find("urn:epode:room:mute") != std::string::npos);
    CHECK(forModerators.find("urn:epode:room:ban") == std::string::npos);
    CHECK(verona.tybalt.ask("get", list, coven).find("<item") == std::string::npos);

    const auto command = [&](TestClient& client, const std::string& node,
                             const FieldList& fields = {}, const std::string& action = {}) {
        return client.ask("set", commandXml(node, fields, action), coven);
    };
    const std::string form = command(verona.juliet, "ban");
    CHECK(form.find("status='executing'") != std::string::npos);
    CHECK(form.find("var='term'") != std::string::npos);
    CHECK(outcome(command(verona.romeo, "ban")) == "cancel forbidden");
    CHECK(outcome(command(verona.tybalt, "mute")) == "cancel forbidden");
    CHECK(outcome(command(verona.juliet, "none")) == "cancel item-not-found");
    CHECK(outcome(command(verona.juliet, "ban", {}, "prev")) == "modify bad-request");
    CHECK(command(verona.juliet, "ban", {}, "cancel").find("status='canceled'") !=
          std::string::npos);

    // A nickname, an address, a domain; terms; what a moderator may not.
    verona.forget();
    CHECK(outcome(command(verona.romeo, "mute",
                          {{"person", "tybalt"}, {"term", "1h"}, {"reason", "loud"}})) == "result");
    CHECK(hears(verona.tybalt) ==
          Texts{"+tybalt none/visitor tybalt@capulet.example/street by romeo (loud) 110"});
    CHECK(outcome(command(verona.romeo, "mute", {{"person", "juliet"}})) == "cancel not-allowed");
    CHECK(outcome(command(verona.romeo, "mute", {{"person", "romeo"}})) == "cancel conflict");
    CHECK(outcome(command(verona.juliet, "mute", {{"person", "tybalt"}, {"term", "soon"}})) ==
          "modify not-acceptable");
    CHECK(outcome(command(verona.juliet, "mute", {{"person", "nobody"}})) ==
          "cancel item-not-found");
    CHECK(outcome(command(verona.romeo, "kick", {{"person", "juliet"}})) == "cancel not-allowed");
    CHECK(outcome(command(verona.juliet, "ban",
                          {{"person", "capulet.example"}, {"reason", "feud"}})) == "result");
    CHECK(hears(verona.tybalt).back().find("outcast/none") != std::string::npos);
    CHECK(outcome(command(verona.juliet, "ban", {{"person", "juliet"}})) == "cancel conflict");
    CHECK(outcome(command(verona.juliet, "unban", {{"person", "capulet.example"}})) == "result");
    CHECK(outcome(command(verona.romeo, "lockdown", {{"lockdown", "1"}})) == "result");
    CHECK(outcome(command(verona.romeo, "lockdown", {{"lockdown", "maybe"}})) ==
          "modify bad-request");
    const std::string log = command(verona.juliet, "audit", {{"person", ""}});
    CHECK(log.find("<value>feud</value>") != std::string::npos);
    CHECK(log.find("<value>lockdown</value>") != std::string::npos);
    CHECK(outcome(command(verona.romeo, "audit", {{"person", ""}})) == "cancel forbidden");
}

TEST_CASE("who may not enter asks to become a member, and an admin answers") {
    Coven verona{{{"membersonly", "1"}, {"persistentroom", "1"}}};
    const std::string get = "<query xmlns='jabber:iq:register'/>";
    const auto submit = [](const std::string& nick) {
        return "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field "
               "var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>"
               "<field var='muc#register_roomnick'><value>" +
               nick + "</value></field></x></query>";
    };
    CHECK(verona.joins(verona.romeo, "romeo") == Texts{"!presence auth registration-required"});
    CHECK(verona.romeo.ask("get", get, coven).find("will be asked") != std::string::npos);
    CHECK(outcome(verona.romeo.ask("set", submit("romeo"), coven)) == "result");
    const auto asked = verona.juliet.all();
    REQUIRE(asked.size() == 1);
    CHECK(asked.front().find("muc#register_allow") != std::string::npos);
    CHECK(asked.front().find("<value>romeo@montague.example</value>") != std::string::npos);
    // Once is enough.
    CHECK(outcome(verona.romeo.ask("set", submit("romeo"), coven)) == "wait unexpected-request");
    CHECK(verona.joins(verona.romeo, "romeo") == Texts{"!presence auth registration-required"});

    const auto answer = [](const std::string& allow) {
        return "<message to='" + coven +
               "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
               "http://jabber.org/protocol/muc#register</value></field><field "
               "var='muc#register_jid'><value>romeo@montague.example</value></field><field "
               "var='muc#register_roomnick'><value>romeo</value></field><field "
               "var='muc#register_allow'><value>" +
               allow + "</value></field></x></message>";
    };
    verona.forget();
    verona.tybalt.send(answer("1"));  // nobody to say so
    CHECK(hears(verona.tybalt) == Texts{"!message auth forbidden"});
    verona.juliet.send(answer("0"));
    CHECK(verona.joins(verona.romeo, "romeo") == Texts{"!presence auth registration-required"});
    verona.romeo.forget();
    verona.juliet.send(answer("1"));
    CHECK(hears(verona.romeo) == Texts{"* invited by juliet@capulet.example"});
    CHECK(verona.joins(verona.romeo, "romeo").size() > 2);
    // The nickname is his.
    CHECK(verona.romeo.ask("get", get, coven).find("<username>romeo</username>") !=
          std::string::npos);

    CHECK(verona.configures({{"urn:epode:room#knock", "0"}}) == "result");
    CHECK(outcome(verona.tybalt.ask("get", get, coven)) == "cancel not-allowed");
    CHECK(outcome(verona.tybalt.ask("set", submit("tybalt"), coven)) == "cancel not-allowed");
}
