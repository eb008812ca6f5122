// Who is told of rooms that he is not in (XEP-0437, XEP-0452); finding rooms (XEP-0433) and what
// somebody has said in them.
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"

using namespace epode;

namespace {

const std::string service = "conference.capulet.example";
const std::string listen =
    "<presence to='" + service + "'><rai xmlns='urn:xmpp:rai:0'/></presence>";
const std::string news = "<activity>" + coven + "</activity>";

std::size_t count(const Texts& all, const std::string& part) {
    std::size_t times = 0;
    for (const auto& xml : all)
        for (auto at = xml.find(part); at != std::string::npos; at = xml.find(part, at + 1))
            ++times;
    return times;
}

void leaves(TestClient& client, const std::string& nick) {
    client.send("<presence type='unavailable' to='" + coven + "/" + nick + "'/>");
}

std::string searchXml(const FieldList& fields, const std::string& set = {}) {
    std::string xml = "<search xmlns='urn:xmpp:channel-search:0:search'>" + set +
                      "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                      "urn:xmpp:channel-search:0:search-params</value></field>";
    for (const auto& [var, value] : fields)
        xml += "<field var='" + var + "'><value>" + value + "</value></field>";
    return xml + "</x></search>";
}

}  // namespace

TEST_CASE("a member hears once that something happens in a room that he is not in") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    verona.romeo.send(listen);
    verona.tybalt.send(listen);  // no member
    verona.forget();
    verona.says(verona.juliet, "one");
    verona.says(verona.juliet, "two");
    CHECK(count(verona.romeo.all(), news) == 1);
    CHECK(verona.tybalt.all().empty());
    // Who is in hears it there; and when he was in, the next is news again.
    verona.joins(verona.romeo, "romeo");
    verona.says(verona.juliet, "three");
    CHECK(count(verona.romeo.all(), news) == 0);
    leaves(verona.romeo, "romeo");
    verona.romeo.forget();
    verona.says(verona.juliet, "four");
    CHECK(count(verona.romeo.all(), news) == 1);
    // What is no message for people is nothing.
    verona.romeo.send(listen);
    verona.romeo.forget();
    verona.juliet.send("<message type='groupchat' to='" + coven +
                       "'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    CHECK(verona.romeo.all().empty());
    // He has heard enough.
    verona.romeo.send("<presence type='unavailable' to='" + service + "'/>");
    verona.says(verona.juliet, "five");
    CHECK(verona.romeo.all().empty());
}

TEST_CASE("who begins to listen is told what he has missed since he was there") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    verona.joins(verona.romeo, "romeo");
    verona.says(verona.juliet, "heard");
    verona.server.advance(std::chrono::seconds{5});
    leaves(verona.romeo, "romeo");
    verona.romeo.forget();
    verona.romeo.send(listen);
    CHECK(count(verona.romeo.all(), news) == 0);
    verona.romeo.send("<presence type='unavailable' to='" + service + "'/>");
    verona.server.advance(std::chrono::seconds{5});
    verona.says(verona.juliet, "missed");
    CHECK(verona.romeo.all().empty());
    verona.romeo.send(listen);
    CHECK(count(verona.romeo.all(), news) == 1);
    verona.says(verona.juliet, "more of it");
    CHECK(verona.romeo.all().empty());
}

TEST_CASE("a member who is mentioned and away gets the message, if the owner wants that") {
    Coven verona{{{"persistentroom", "1"}}};
    const std::string nurse =
        "<item jid='nurse@capulet.example' nick='nurse' affiliation='member'/>";
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    verona.juliet.ask("set", adminXml(nurse), coven);
    auto& away = verona.server.login("nurse@capulet.example/house");
    const auto mention = [&](const std::string& address) {
        verona.says(verona.juliet, "hear me",
                    "<reference xmlns='urn:xmpp:reference:0' type='mention' begin='0' end='4' "
                    "uri='xmpp:" +
                        address + "'/>");
    };
    mention("nurse@capulet.example");
    CHECK(away.all().empty());
    verona.configures({{"forwardmentions", "1"}});
    mention("nurse@capulet.example");
    const auto got = away.all();
    REQUIRE(got.size() == 1);
    CHECK(got.front().find("<mentions xmlns='urn:xmpp:mmn:0'>") != std::string::npos);
    CHECK(got.front().find("<body>hear me</body>") != std::string::npos);
    CHECK(got.front().find("from='" + coven + "/juliet'") != std::string::npos);
    CHECK(got.front().find("<stanza-id") != std::string::npos);
    mention(coven + "/nurse");
    CHECK(away.all().size() == 1);
    // Nobody who has not registered a nickname, or does not belong to the room, or is in it.
    mention("romeo@montague.example");
    mention("tybalt@capulet.example");
    CHECK(verona.romeo.all().empty());
    CHECK(verona.tybalt.all().empty());
    verona.joins(away, "nurse");
    away.forget();
    mention("nurse@capulet.example");
    CHECK(hears(away) == Texts{"juliet: hear me"});
}

TEST_CASE("channels are searched by words, by address and by how many are there") {
    Coven verona{{{"publicroom", "1"}, {"roomname", "A Dark Cave"}}};
    verona.everybodyIn();
    for (const char* name : {"alpha", "beta"}) {
        const std::string room = std::string{name} + "@" + service;
        verona.tybalt.send(joinXml("tybalt", {}, room));
        verona.tybalt.ask("set", configXml({{"publicroom", "1"}, {"roomdesc", "Of letters"}}),
                          room);
    }
    const auto ask = [&](const FieldList& fields, const std::string& set = {}) {
        return verona.romeo.ask("get", searchXml(fields, set), service);
    };
    const auto found = [](const std::string& answer) {
        Texts rooms;
        const auto xml = parseXml(answer, ns::client);
        const Element* result = (**xml).child("result", "urn:xmpp:channel-search:0:search");
        if (!result) return Texts{outcome(answer)};
        for (const Element& item : result->children())
            if (item.name() == "item") rooms.emplace_back(item.get("address"));
        return rooms;
    };
    const std::string a = "alpha@" + service, b = "beta@" + service;
    CHECK(verona.romeo.ask("get", "<search xmlns='urn:xmpp:channel-search:0:search'/>", service)
              .find("sinaddress") != std::string::npos);
    CHECK(found(ask({{"all", "1"}})) == Texts{a, b, coven});
    CHECK(found(ask({{"q", "dark"}})) == Texts{coven});
    CHECK(found(ask({{"q", "letters"}})) == Texts{a, b});
    CHECK(found(ask({{"q", "letters"}, {"sindescription", "0"}})).empty());
    CHECK(found(ask({{"q", "alpha"}, {"sinname", "0"}})) == Texts{a});
    CHECK(found(ask({{"all", "1"}, {"key", "{urn:xmpp:channel-search:0:order}nusers"}})).front() ==
          coven);
    CHECK(found(ask({{"all", "1"}, {"min_users", "2"}})) == Texts{coven});
    CHECK(found(ask({{"all", "1"}, {"types", "xep-0369"}})).empty());
    const std::string page = "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>";
    CHECK(found(ask({{"all", "1"}}, page + "</set>")) == Texts{a, b});
    CHECK(found(ask({{"all", "1"}}, page + "<after>" + b + "</after></set>")) == Texts{coven});
    const FieldList byUsers{{"all", "1"}, {"key", "{urn:xmpp:channel-search:0:order}nusers"}};
    CHECK(found(ask(byUsers, page + "<after>1</after></set>")) == Texts{b});
    CHECK(found(ask(byUsers, page + "<after>x</after></set>")) == Texts{"cancel item-not-found"});
    // 4.2.2.2 to 4.2.2.7.
    const auto refused = [&](const FieldList& fields) {
        const std::string answer = ask(fields);
        const auto at = answer.find(" xmlns='urn:xmpp:channel-search:0:error'");
        const auto begin = at == std::string::npos ? at : answer.rfind('<', at);
        return begin == std::string::npos ? answer : answer.substr(begin + 1, at - begin - 1);
    };
    CHECK(refused({{"q", "x"}, {"all", "1"}}) == "conflicting-fields");
    CHECK(refused({{"sinname", "1"}}) == "no-search-conditions");
    CHECK(refused({{"q", "  "}}) == "invalid-search-terms");
    CHECK(refused({{"q", "x"}, {"key", "other"}}) == "invalid-sort-key");
}

TEST_CASE("what one occupant has said is found by his nickname") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "r1");
    verona.says(verona.tybalt, "t1");
    verona.says(verona.romeo, "r2");
    verona.forget();
    const auto bodiesOf = [&](const std::string& with) {
        Texts bodies;
        const std::string answer = verona.tybalt.ask(
            "set",
            "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field "
            "var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field><field var='with'><value>" +
                with + "</value></field></x></query>",
            coven);
        if (outcome(answer) != "result") return Texts{outcome(answer)};
        for (const auto& xml : verona.tybalt.all()) {
            const auto begin = xml.find("<body>");
            bodies.push_back(xml.substr(begin + 6, xml.find("</body>") - begin - 6));
        }
        return bodies;
    };
    CHECK(bodiesOf(coven + "/romeo") == Texts{"r1", "r2"});
    CHECK(bodiesOf(coven + "/nobody") == Texts{"cancel item-not-found"});
    CHECK(bodiesOf("romeo@montague.example") == Texts{"auth forbidden"});
}

TEST_CASE("clients that speak the older form of moderation are understood, and understand") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.tybalt, "words");
    const std::string said = verona.romeo.next();
    const auto begin = said.find("id='", said.find("<stanza-id")) + 4;
    const std::string id = said.substr(begin, said.find('\'', begin) - begin);
    verona.forget();
    const std::string request =
        "<apply-to xmlns='urn:xmpp:fasten:0' id='" + id +
        "'><moderate xmlns='urn:xmpp:message-moderate:0'><retract "
        "xmlns='urn:xmpp:message-retract:0'/><reason>rude</reason></moderate></apply-to>";
    CHECK(outcome(verona.romeo.ask("set", request, coven)) == "auth forbidden");
    CHECK(outcome(verona.juliet.ask("set", request, coven)) == "result");
    const std::string told = verona.romeo.next();
    CHECK(told.find("<retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'>") !=
          std::string::npos);
    CHECK(told.find("<apply-to xmlns='urn:xmpp:fasten:0' id='" + id + "'>") != std::string::npos);
    CHECK(outcome(verona.juliet.ask("set", "<apply-to xmlns='urn:xmpp:fasten:0' id='" + id + "'/>",
                                    coven)) == "cancel feature-not-implemented");
}

TEST_CASE("a crowd of a hundred thousand affiliations costs nobody in the room anything") {
    // Of two thousand here; memory and time are in proportion.
    constexpr int crowd = 2'000;
    Coven verona{{{"persistentroom", "1"}}, "[client]\nping_after = '24h'"};
    auto insert = [](SqlConnection& connection) {
        std::int64_t room = 0;
        connection.run("SELECT id FROM muc_room", {},
                       [&](const SqlRow& row) { room = row.integer(0); });
        for (int i = 0; i < crowd; ++i)
            connection.run(
                "INSERT INTO muc_affiliation(room, jid, affiliation, nick, reason, voice, until) "
                "VALUES(?1, ?2, 0, '', 'spam', 0, ?3)",
                {room, "spammer" + std::to_string(i) + "@elsewhere.example", std::int64_t(i % 2)});
        return room;
    };
    verona.server.wait(verona.server.database().write(insert));
    verona.server.restart();
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    verona.joins(juliet, "juliet");
    // Every second one had a term that is over: these end in portions, and others are heard
    // between.
    verona.says(juliet, "calm");
    verona.server.advance(std::chrono::minutes{10});
    const std::string list = juliet.ask("get", adminXml("<item affiliation='outcast'/>"), coven);
    CHECK(count({list}, "<item ") == crowd / 2);
    CHECK(outcome(juliet.ask("set", affiliate("one@elsewhere.example", "outcast"), coven)) ==
          "result");
}
