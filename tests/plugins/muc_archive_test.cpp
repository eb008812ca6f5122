// What rooms keep: history (XEP-0045, 7.2.13), the archive (XEP-0313), moderation in it (XEP-0425).
#include "tests/plugins/muc_support.h"

using namespace epode;

namespace {

std::string queryXml(const std::string& inside = {}) {
    return "<query xmlns='urn:xmpp:mam:2' queryid='q'>" + inside + "</query>";
}

// The bodies of a page, or how the query failed.
Texts pageOf(TestClient& client, const std::string& inside = {}) {
    client.forget();
    const std::string answer = client.ask("set", queryXml(inside), coven);
    if (outcome(answer) != "result") return {outcome(answer)};
    Texts bodies;
    for (const auto& xml : client.all()) {
        const auto stanza = parseXml(xml, ns::client);
        const Element* result = stanza ? (*stanza)->child("result", "urn:xmpp:mam:2") : nullptr;
        if (!result) continue;
        const Element* forwarded = result->child("forwarded", ns::forward);
        const Element* message = forwarded ? forwarded->child("message", ns::client) : nullptr;
        bodies.push_back(message ? std::string{message->childText("body")} : "?");
    }
    return bodies;
}

std::string stanzaIdOf(const std::string& xml) {
    const auto stanza = parseXml(xml, ns::client);
    const Element* id = stanza ? (*stanza)->child("stanza-id", ns::stanzaIds) : nullptr;
    return id ? std::string{id->get("id")} : std::string{};
}

// Romeo has said one to five, a minute apart.
struct Said : Coven {
    explicit Said(const FieldList& config = {}, std::string_view toml = {}) : Coven{config, toml} {
        joins(romeo, "romeo");
        for (const char* text : {"one", "two", "three", "four", "five"}) {
            says(romeo, text);
            server.advance(std::chrono::minutes{1});
        }
        forget();
    }
    Texts history(const std::string& wanted) {
        Texts found;
        for (const auto& text : joins(tybalt, "tybalt", wanted))
            if (text.starts_with("romeo: ")) found.push_back(text.substr(7));
        tybalt.send("<presence type='unavailable' to='" + coven + "/tybalt'/>");
        return found;
    }
};

}  // namespace

TEST_CASE("who enters is told as much of the history as he wants, and no more than there is") {
    Said verona;
    const Texts all{"one delayed", "two delayed", "three delayed", "four delayed", "five delayed"};
    CHECK(verona.history("") == all);
    CHECK(verona.history("<history maxstanzas='2'/>") == Texts{"four delayed", "five delayed"});
    CHECK(verona.history("<history maxstanzas='0'/>").empty());
    CHECK(verona.history("<history maxchars='0'/>").empty());
    CHECK(verona.history("<history maxchars='100000'/>") == all);
    CHECK(verona.history("<history seconds='130'/>") == Texts{"four delayed", "five delayed"});
    CHECK(verona.history("<history since='1970-01-01T00:00:00Z'/>") == all);
    CHECK(verona.history("<history since='2999-01-01T00:00:00Z'/>").empty());
    CHECK(verona.history("<history maxstanzas='3' seconds='70'/>") == Texts{"five delayed"});
    // What can't be understood says nothing.
    CHECK(verona.history("<history maxstanzas='many' seconds='-1' since='yesterday'/>") == all);
    CHECK(verona.configures({{"muc#maxhistoryfetch", "1"}}) == "result");
    CHECK(verona.history("") == Texts{"five delayed"});
}

TEST_CASE("the history is there after a restart, with the same ids") {
    Said verona{{{"persistentroom", "1"}}};
    verona.server.restart();
    auto& tybalt = verona.server.login("tybalt@capulet.example/street");
    tybalt.send(joinXml("tybalt"));
    std::string last;
    for (const auto& xml : tybalt.all())
        if (heard(xml) == "romeo: five delayed") last = xml;
    REQUIRE(!last.empty());
    CHECK(last.find("muc#user") == std::string::npos);
    const std::string id = stanzaIdOf(last);
    CHECK(pageOf(tybalt,
                 "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                 "urn:xmpp:mam:2</value></field><field var='ids'><value>" +
                     id + "</value></field></x>") == Texts{"five"});
}

TEST_CASE("the archive is read page by page by those who may enter") {
    Said verona;
    CHECK(pageOf(verona.tybalt) == Texts{"one", "two", "three", "four", "five"});
    CHECK(pageOf(verona.tybalt,
                 "<set xmlns='http://jabber.org/protocol/rsm'><max>2</max><before/>"
                 "</set>") == Texts{"four", "five"});
    verona.juliet.ask("set", affiliate("tybalt@capulet.example", "outcast"), coven);
    CHECK(pageOf(verona.tybalt) == Texts{"auth forbidden"});
    verona.configures({{"membersonly", "1"}});
    CHECK(pageOf(verona.juliet).size() == 5);
    auto& mercutio = verona.server.login("mercutio@montague.example/tomb");
    CHECK(pageOf(mercutio) == Texts{"auth forbidden"});
    CHECK(pageOf(verona.juliet,
                 "<set xmlns='http://jabber.org/protocol/rsm'><after>nonsense"
                 "</after></set>") == Texts{"cancel item-not-found"});
}

TEST_CASE("who has said it is told to those alone who see addresses") {
    Said verona;
    verona.tybalt.ask("set", queryXml(), coven);
    const auto byStranger = verona.tybalt.all();
    REQUIRE(byStranger.size() == 5);
    CHECK(byStranger[0].find("romeo@montague.example") == std::string::npos);
    CHECK(byStranger[0].find("muc#user") == std::string::npos);
    CHECK(byStranger[0].find("from='" + coven + "/romeo'") != std::string::npos);
    verona.juliet.ask("set", queryXml(), coven);
    const auto byOwner = verona.juliet.all();
    REQUIRE(byOwner.size() == 5);
    CHECK(byOwner[0].find("jid='romeo@montague.example/orchard'") != std::string::npos);
    const std::string with =
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2"
        "</value></field><field var='with'><value>romeo@montague.example</value></field></x>";
    CHECK(pageOf(verona.juliet, with).size() == 5);
    CHECK(pageOf(verona.tybalt, with) == Texts{"auth forbidden"});
}

TEST_CASE("private messages, and what is not worth it, are in no archive") {
    Coven verona;
    verona.everybodyIn();
    verona.romeo.send("<message type='chat' to='" + coven +
                      "/tybalt'><body>a secret</body></message>");
    verona.romeo.send("<message type='groupchat' to='" + coven +
                      "'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    verona.romeo.send("<message type='groupchat' to='" + coven +
                      "'><body>unkept</body><no-store xmlns='urn:xmpp:hints'/></message>");
    verona.says(verona.romeo, "kept");
    CHECK(pageOf(verona.juliet) == Texts{"kept"});
    verona.configures({{"enablearchiving", "0"}});
    verona.forget();
    verona.says(verona.romeo, "not any more");
    CHECK(stanzaIdOf(verona.juliet.next()).empty());
    CHECK(pageOf(verona.juliet) == Texts{"kept"});
}

TEST_CASE("stamps of an archive rise strictly") {
    Coven verona;
    verona.joins(verona.romeo, "romeo");
    verona.juliet.forget();
    std::string all;
    for (int i = 0; i < 20; ++i)
        all += "<message type='groupchat' to='" + coven + "'><body>x</body></message>";
    verona.romeo.send(all);
    std::string before;
    for (const auto& xml : verona.juliet.all()) {
        const std::string id = stanzaIdOf(xml);
        REQUIRE(Uuid::parse(id));
        if (!before.empty()) CHECK(Uuid::parse(before)->stamp() < Uuid::parse(id)->stamp());
        before = id;
    }
}

TEST_CASE("a moderator takes back what somebody has said, and a tombstone remains") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "spam");
    const std::string id = stanzaIdOf(verona.juliet.next());
    verona.forget();
    const auto moderate = [](const std::string& which,
                             const std::string& what =
                                 "<retract xmlns='urn:xmpp:message-retract:1'/>") {
        return "<moderate xmlns='urn:xmpp:message-moderate:1' id='" + which + "'>" + what +
               "<reason>no</reason></moderate>";
    };
    CHECK(outcome(verona.romeo.ask("set", moderate(id), coven)) == "auth forbidden");
    CHECK(outcome(verona.juliet.ask("set", moderate("nonsense"), coven)) ==
          "cancel item-not-found");
    CHECK(outcome(verona.juliet.ask("set", moderate(Uuid::at(fromMilliseconds(5)).text()),
                                    coven)) == "cancel item-not-found");
    CHECK(outcome(verona.juliet.ask("set", moderate(id, ""), coven)) ==
          "cancel feature-not-implemented");
    CHECK(outcome(verona.juliet.ask("set", moderate(id), coven)) == "result");
    const std::string xml = verona.tybalt.next();
    CHECK(xml.find("from='" + coven + "'") != std::string::npos);
    CHECK(xml.find("<retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'>") !=
          std::string::npos);
    CHECK(xml.find("by='" + coven + "/juliet'") != std::string::npos);
    verona.tybalt.ask("set", queryXml(), coven);
    const auto page = verona.tybalt.all();
    REQUIRE(page.size() == 2);
    CHECK(page[0].find("spam") == std::string::npos);
    CHECK(page[0].find("<retracted") != std::string::npos);
    // Nobody who enters hears it, and it can't be taken back twice.
    auto& mercutio = verona.server.login("mercutio@montague.example/tomb");
    for (const auto& text : verona.joins(mercutio, "mercutio"))
        CHECK(text.find("spam") == std::string::npos);
    CHECK(outcome(verona.juliet.ask("set", moderate(id), coven)) == "cancel item-not-found");
}

TEST_CASE("who has said something takes it back, and nobody else does") {
    Coven verona;
    verona.everybodyIn();
    verona.says(verona.romeo, "mistake");
    const std::string id = stanzaIdOf(verona.juliet.next());
    const auto retracts = [&](TestClient& client) {
        client.send("<message type='groupchat' id='r' to='" + coven +
                    "'><retract xmlns='urn:xmpp:message-retract:1' id='" + id + "'/></message>");
    };
    retracts(verona.tybalt);
    CHECK(pageOf(verona.juliet).front() == "mistake");
    retracts(verona.romeo);
    // Both are in the archive, for those who were away.
    CHECK(pageOf(verona.juliet) == Texts{"", "", ""});
    verona.juliet.forget();
    verona.juliet.ask("set", queryXml(), coven);
    CHECK(verona.juliet.all().front().find("<retracted") != std::string::npos);
}

TEST_CASE(
    "nobody hears a message before it is stored, and who has sent it hears when it can't be") {
    Coven verona;
    verona.joins(verona.romeo, "romeo");
    verona.romeo.send("<enable xmlns='urn:xmpp:sm:3'/>");
    verona.forget();
    verona.server.database().stall();
    verona.says(verona.romeo, "slow");
    verona.romeo.send("<r xmlns='urn:xmpp:sm:3'/>");
    CHECK(hears(verona.romeo).empty());
    CHECK(hears(verona.juliet).empty());
    verona.server.database().goOn();
    verona.server.run();
    CHECK(hears(verona.juliet) == Texts{"romeo: slow"});
    CHECK(hears(verona.romeo) == Texts{"romeo: slow", "<a xmlns='urn:xmpp:sm:3' h='1'/>"});
    verona.server.database().fail();
    verona.says(verona.romeo, "lost");
    CHECK(hears(verona.romeo) == Texts{"!message wait resource-constraint"});
    verona.server.database().repair();
    verona.says(verona.romeo, "kept");
    CHECK(hears(verona.juliet) == Texts{"romeo: kept"});
    CHECK(pageOf(verona.juliet) == Texts{"slow", "kept"});
}

TEST_CASE("what is older than the owner wants is deleted") {
    Said verona{{{"persistentroom", "1"}, {"urn:epode:room#retention_days", "1"}}};
    verona.server.advance(std::chrono::hours{12});
    auto& romeo = verona.server.login("romeo@montague.example/later");
    verona.joins(romeo, "romeo");
    verona.says(romeo, "young");
    verona.server.advance(std::chrono::hours{14});
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    CHECK(pageOf(juliet) == Texts{"young"});
}
