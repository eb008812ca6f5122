// The rules that owners give their rooms: words, links, how often, how soon, and what happens to
// who breaks them again and again.
#include "plugins/moderation/room_rules.h"
#include "tests/plugins/muc_support.h"
#include "tests/plugins/run_command.h"

using namespace epode;
using namespace epode::moderation;

namespace {

const std::string field = "urn:epode:moderation#";

// The first answer to what he says; "" when it was heard.
std::string refusalOf(Coven& verona, TestClient& client, const std::string& text) {
    verona.forget();
    verona.says(client, text);
    const auto heardOf = client.all();
    if (heardOf.empty()) return "nothing";
    return heard(heardOf.front()).starts_with("!") ? outcome(heardOf.front()) : "";
}

}  // namespace

TEST_CASE("words are found as people write them, and not within others") {
    struct Row {
        const char* word;
        const char* text;
        bool isFound;
    };
    const Row rows[] = {
        {"plague", "A plague o' both your houses!", true},
        {"plague", "PLAGUE", true},
        {"plague", "plague", true},  // full width
        {"plague", "plagues", false},
        {"plague", "the-plague.", true},
        {"plague", "pla gue", false},
        {"plague", "", false},
        {"both your", "a plague o' both\nYOUR houses", true},
        {"both your", "both of your", false},
        {"Straße", "die STRASSE", false},  // another word for a computer
        {"Straße", "die Straße!", true},
        {"don't", "I don't", true},
        {"ÜBER", "über alles", true},
        {"\xff\xfe", "\xff\xfe and more", true},  // malformed, and still no crash
    };
    for (const Row& row : rows) {
        INFO(row.word << " in " << row.text);
        const RoomRules rules{{{field + "words", {row.word}}}, {}};
        CHECK(rules.wordIn(row.text).has_value() == row.isFound);
    }
}

TEST_CASE("links are known by how they begin") {
    for (const char* text :
         {"http://spam.example", "see HTTPS://spam.example/x", "(www.spam.example)",
          "xmpp:room@spam.example?join", "look:\nhttps://x", "magnet:?xt=1"}) {
        INFO(text);
        CHECK(hasLink(text));
    }
    for (const char* text : {"", "no link", "http: is a word", "www. is one", "swww.example",
                             "spam.example", "3.14", "https:", "xmpp: is nice"}) {
        INFO(text);
        CHECK_FALSE(hasLink(text));
    }
}

TEST_CASE("settings that owners may not make") {
    Coven verona;
    const auto setting = [&](const char* name, const std::string& value) {
        return verona.configures({{field + name, value}});
    };
    CHECK(setting("links", "members") == "result");
    CHECK(setting("links", "nobody") == "modify not-acceptable");
    CHECK(setting("messages_per_minute", "10") == "result");
    CHECK(setting("messages_per_minute", "-1") == "modify not-acceptable");
    CHECK(setting("messages_per_minute", "ten") == "modify not-acceptable");
    CHECK(setting("messages_per_minute", "10001") == "modify not-acceptable");
    CHECK(setting("words", "plague") == "result");
    CHECK(setting("words", "!") == "modify not-acceptable");  // nothing of it is a word
    CHECK(setting("words", std::string(300, 'x')) == "modify not-acceptable");
    CHECK(setting("penalty", "death") == "modify not-acceptable");
    CHECK(setting("nothing", "1") == "result");  // unknown fields are ignored, as always
    const std::string form = verona.juliet.ask("get", ownerXml(), coven);
    CHECK(form.find("<value>plague</value>") != std::string::npos);
    CHECK(form.find("<value>10</value>") != std::string::npos);
}

TEST_CASE(
    "words of a room's list are refused from everybody but moderators, over a restart as well") {
    Coven verona{{{"persistentroom", "1"}, {field + "words", "plague"}}};
    verona.everybodyIn();
    CHECK(refusalOf(verona, verona.tybalt, "A plague on you") == "modify policy-violation");
    CHECK(hears(verona.romeo).empty());
    CHECK(refusalOf(verona, verona.tybalt, "Peace").empty());
    CHECK(refusalOf(verona, verona.juliet, "No plague here, please").empty());
    // In private messages, subjects and nicknames, too.
    verona.forget();
    verona.tybalt.send("<message to='" + coven +
                       "/romeo' type='chat'><body>plague!</body></message><presence to='" + coven +
                       "/the plague'/>");
    CHECK(hears(verona.tybalt) ==
          Texts{"!message modify policy-violation", "!presence modify policy-violation"});
    CHECK(hears(verona.romeo).empty());
    verona.server.restart();
    auto& tybalt = verona.server.login("tybalt@capulet.example/later");
    verona.joins(tybalt, "tybalt");
    CHECK(refusalOf(verona, tybalt, "plague") == "modify policy-violation");
}

TEST_CASE("an invitation is judged like a private message") {
    Coven verona{{{field + "words", "plague"},
                  {field + "links", "members"},
                  {field + "newcomer_seconds", "60"}}};
    verona.everybodyIn();
    auto& nurse = verona.server.login("nurse@capulet.example/house");
    const auto invite = [&](const std::string& reason) {
        verona.forget();
        verona.tybalt.send("<message to='" + coven + "'><x xmlns='" + mucNs +
                           "#user'><invite to='nurse@capulet.example'><reason>" + reason +
                           "</reason></invite></x></message>");
        const auto all = hears(verona.tybalt);
        return all.empty() ? std::string{} : all.front();
    };
    CHECK(invite("Come") == "!message wait policy-violation");
    verona.server.advance(std::chrono::minutes{2});
    CHECK(invite("A plague on both") == "!message modify policy-violation");
    CHECK(invite("See https://spam.example") == "!message modify policy-violation");
    CHECK(nurse.all().empty());
    CHECK(invite("Come").empty());
    CHECK(hears(nurse) == Texts{"* invited by tybalt@capulet.example"});
}

TEST_CASE("who may send links is the owners' choice") {
    Coven verona{{{field + "links", "members"}}};
    verona.everybodyIn();
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    CHECK(refusalOf(verona, verona.tybalt, "https://spam.example") == "modify policy-violation");
    CHECK(refusalOf(verona, verona.tybalt, "I say nothing").empty());
    CHECK(refusalOf(verona, verona.romeo, "https://verona.example").empty());
    verona.forget();
    verona.says(verona.tybalt, "a picture", "<x xmlns='jabber:x:oob'><url>https://x</url></x>");
    CHECK(hears(verona.tybalt) == Texts{"!message modify policy-violation"});
    CHECK(verona.configures({{field + "links", "moderators"}}) == "result");
    CHECK(refusalOf(verona, verona.romeo, "https://verona.example") == "modify policy-violation");
    CHECK(refusalOf(verona, verona.juliet, "https://verona.example").empty());
    CHECK(verona.configures({{field + "links", "everybody"}}) == "result");
    CHECK(refusalOf(verona, verona.tybalt, "https://verona.example").empty());
}

TEST_CASE("a flood of messages is cut, and its sender heard again later") {
    Coven verona{{{field + "messages_per_minute", "6"}}};
    verona.everybodyIn();
    for (int i = 0; i < 20; ++i) verona.says(verona.tybalt, "flood");
    const auto all = hears(verona.romeo);
    CHECK(all == Texts(6, "tybalt: flood"));
    CHECK(refusalOf(verona, verona.romeo, "somebody else speaks").empty());
    verona.server.advance(std::chrono::seconds{10});
    CHECK(refusalOf(verona, verona.tybalt, "one more").empty());
    CHECK(refusalOf(verona, verona.tybalt, "and one") == "wait policy-violation");
    for (int i = 0; i < 20; ++i) CHECK(refusalOf(verona, verona.juliet, "a moderator").empty());
}

TEST_CASE("a flood of strangers does not get in, members do") {
    Coven verona{{{field + "joins_per_minute", "3"}}};
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    std::size_t inside = 0;
    for (int i = 0; i < 10; ++i) {
        auto& one = verona.server.login("s" + std::to_string(i) + "@capulet.example/x");
        one.send(joinXml("s" + std::to_string(i)));
        const auto all = hears(one);
        REQUIRE_FALSE(all.empty());
        if (all.front() == "!presence wait resource-constraint")
            CHECK(all.size() == 1);
        else
            ++inside;
    }
    CHECK(inside == 3);
    CHECK(verona.joins(verona.romeo, "romeo").size() > 3);
    verona.server.advance(std::chrono::minutes{1});
    CHECK(verona.joins(verona.tybalt, "tybalt").size() > 3);
}

TEST_CASE("who changes his nickname all the time is stopped, in every room") {
    Coven verona;
    verona.everybodyIn();
    for (int i = 0; i < 50; ++i)
        verona.tybalt.send("<presence to='" + coven + "/t" + std::to_string(i) + "'/>");
    // Going and coming, ten times.
    CHECK(hears(verona.romeo).size() == 20);
    verona.server.advance(std::chrono::minutes{1});
    verona.forget();
    verona.tybalt.send("<presence to='" + coven + "/prince'/>");
    CHECK(hears(verona.romeo).back() == "+prince none/participant");
}

TEST_CASE("who is new listens before he speaks") {
    Coven verona{{{field + "newcomer_seconds", "60"}}};
    verona.everybodyIn();
    verona.juliet.ask("set", affiliate("romeo@montague.example", "member"), coven);
    CHECK(refusalOf(verona, verona.romeo, "I belong here").empty());
    CHECK(refusalOf(verona, verona.tybalt, "spam") == "wait policy-violation");
    verona.server.advance(std::chrono::seconds{59});
    CHECK(refusalOf(verona, verona.tybalt, "spam") == "wait policy-violation");
    verona.server.advance(std::chrono::seconds{1});
    CHECK(refusalOf(verona, verona.tybalt, "good day").empty());
}

TEST_CASE("who breaks the rules three times is muted for a while, and that is in the log") {
    Coven verona{{{field + "words", "plague"},
                  {field + "penalty", "mute"},
                  {field + "penalty_minutes", "30"}},
                 "[client]\nping_after = '24h'"};
    verona.everybodyIn();
    CHECK(refusalOf(verona, verona.tybalt, "plague") == "modify policy-violation");
    verona.server.advance(std::chrono::minutes{11});  // forgiven
    CHECK(refusalOf(verona, verona.tybalt, "plague") == "modify policy-violation");
    CHECK(refusalOf(verona, verona.tybalt, "plague") == "modify policy-violation");
    CHECK(refusalOf(verona, verona.tybalt, "sorry").empty());
    CHECK(refusalOf(verona, verona.tybalt, "plague") == "modify policy-violation");
    CHECK(hears(verona.romeo).back().starts_with("+tybalt none/visitor"));
    CHECK(refusalOf(verona, verona.tybalt, "sorry") == "auth forbidden");
    const auto log = runCommand(verona.server, "muc", "room audit", {{"room", coven}});
    REQUIRE_FALSE(log.rows().empty());
    CHECK(textOf(log.rows().front()[1]) == "rule words");
    CHECK(textOf(log.rows().front()[2]) == "mute");
    verona.server.advance(std::chrono::minutes{31});
    CHECK(refusalOf(verona, verona.tybalt, "sorry").empty());
}

TEST_CASE("a rule sends out or bans whom the owner wants it to") {
    for (const auto& [penalty, codes] : {std::pair{"kick", " 307"}, {"ban", " 301"}}) {
        INFO(penalty);
        Coven verona{{{field + "links", "moderators"}, {field + "penalty", penalty}}};
        verona.everybodyIn();
        for (int i = 0; i < 3; ++i) verona.says(verona.tybalt, "https://spam.example");
        const auto all = hears(verona.romeo);
        REQUIRE(all.size() == 1);
        CHECK(all.front().starts_with("-tybalt"));
        CHECK(all.front().ends_with(codes));
    }
}

TEST_CASE("rules of rooms stay with the rooms when the plugin is away") {
    Coven verona{{{field + "words", "plague"}}};
    verona.everybodyIn();
    verona.server.reload("[plugins]\ndisabled = ['moderation']");
    CHECK(refusalOf(verona, verona.tybalt, "plague").empty());
    CHECK(verona.configures({{"roomname", "The crypt"}}) == "result");
    verona.server.reload("");
    CHECK(refusalOf(verona, verona.tybalt, "plague") == "modify policy-violation");
}
