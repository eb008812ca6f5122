// Floods: of people, of one person's presence and nicknames; and names made to be mistaken.
#include "core/confusable.h"
#include "plugins/muc/room.h"
#include "tests/plugins/muc_support.h"

#include <algorithm>

using namespace epode;

namespace {

const std::string garden = "garden@conference.capulet.example";

std::string presenceXml(const std::string& nick, const std::string& inside = {}) {
    return "<presence to='" + coven + "/" + nick + "'>" + inside + "</presence>";
}
std::ptrdiff_t countOf(const Texts& all, const std::string& text) {
    return std::count(all.begin(), all.end(), text);
}
std::ptrdiff_t countBeginning(const Texts& all, const std::string& text) {
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& each) { return each.starts_with(text); });
}

}  // namespace

TEST_CASE("a flood of one person's presence is cut, and he is heard again later") {
    const std::string how =
        GENERATE(as<std::string>{}, "status", "nickname", "coming and going", "entering again");
    CAPTURE(how);
    // (The plugin that counts nicknames by itself is not asked here.)
    Coven verona{{},
                 "[muc]\nactions_per_minute = 20\n[moderation]\nroom_nick_changes_per_minute = 0"};
    verona.everybodyIn();
    verona.server.advance(std::chrono::minutes{2});
    verona.forget();
    for (int i = 0; i < 100; ++i) {
        if (how == "status")
            verona.romeo.send(presenceXml("romeo", "<status>" + std::to_string(i) + "</status>"));
        if (how == "nickname") verona.romeo.send(presenceXml("romeo" + std::to_string(i)));
        if (how == "coming and going") {
            verona.romeo.send("<presence type='unavailable' to='" + coven + "/romeo'/>");
            verona.romeo.send(joinXml("romeo"));
        }
        if (how == "entering again") verona.romeo.send(joinXml("romeo"));
    }
    const auto told = hears(verona.romeo);
    CHECK(countOf(told, "!presence wait policy-violation") == 80);
    CHECK(countBeginning(hears(verona.tybalt), "+") <= 21);
    // Others are not the worse for it, and neither is he in other rooms.
    verona.tybalt.send(presenceXml("tybalt", "<show>away</show>"));
    CHECK(hears(verona.tybalt) ==
          Texts{"+tybalt none/participant tybalt@capulet.example/street 110"});
    verona.romeo.forget().send(joinXml("romeo", {}, garden));
    CHECK(hears(verona.romeo).front().starts_with("+romeo owner/moderator"));
    // Later he may.
    verona.server.advance(std::chrono::minutes{1});
    verona.forget();
    verona.romeo.send(how == "coming and going" ? joinXml("romeo") : presenceXml("calm"));
    CHECK(countBeginning(hears(verona.tybalt), "+") == 1);
    // Whoever owns the room is not counted.
    verona.forget();
    for (int i = 0; i < 50; ++i) verona.juliet.send(presenceXml("juliet"));
    CHECK(countBeginning(hears(verona.juliet), "+juliet") == 50);
}

TEST_CASE("who goes is let go, however often he came") {
    Coven verona{{}, "[muc]\nactions_per_minute = 2"};
    verona.joins(verona.romeo, "romeo");
    for (int i = 0; i < 10; ++i) verona.romeo.send(presenceXml("romeo"));
    verona.romeo.forget().send("<presence type='unavailable' to='" + coven + "/romeo'/>");
    CHECK(hears(verona.romeo) == Texts{"-romeo none/none romeo@montague.example/orchard 110"});
}

TEST_CASE("nobody writes to strangers, or to moderators, by the dozen") {
    Coven verona{{{"moderatedroom", "1"}}, "[muc]\nactions_per_minute = 20"};
    verona.joins(verona.romeo, "romeo");
    verona.forget();
    auto& nurse = verona.server.login("nurse@capulet.example/house");
    const std::string invite = "<invite to='nurse@capulet.example'/>";
    const auto invites = [&](TestClient& who, int times) {
        std::string all;
        for (int i = 0; i < times; ++i) all += invite;
        who.send("<message to='" + coven + "'><x xmlns='" + mucNs + "#user'>" + all +
                 "</x></message>");
    };
    // Also not by making a room of one's own.
    for (int i = 0; i < 5; ++i) invites(verona.juliet, 8);
    CHECK(countOf(hears(verona.juliet), "!message wait policy-violation") == 3);
    CHECK(nurse.all().size() == 16);
    verona.server.advance(std::chrono::minutes{1});
    verona.juliet.forget();
    invites(verona.juliet, 20);
    CHECK(nurse.all().size() == 20);
    // Voice is asked for once.
    verona.forget();
    for (int i = 0; i < 5; ++i)
        verona.romeo.send(
            "<message to='" + coven +
            "'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + mucNs +
            "#request</value></field><field var='muc#role'><value>participant"
            "</value></field></x></message>");
    CHECK(verona.juliet.all().size() == 1);
    CHECK(countOf(hears(verona.romeo), "!message wait policy-violation") == 4);
}

TEST_CASE("a flood of strangers into one room leaves the next room alone") {
    Coven verona{{{"urn:epode:moderation#joins_per_minute", "5"}}};
    verona.juliet.send(joinXml("juliet", {}, garden));
    verona.juliet.ask("set", configXml({}), garden);
    verona.juliet.forget();
    int inside = 0;
    for (int i = 0; i < 30; ++i) {
        auto& client = verona.server.login("fan" + std::to_string(i) + "@montague.example/x");
        const auto all = verona.joins(client, "fan" + std::to_string(i));
        REQUIRE(!all.empty());
        if (all.front() != "!presence wait resource-constraint") ++inside;
        client.forget().send(joinXml("fan" + std::to_string(i), {}, garden));
        CHECK(hears(client).front().starts_with("+juliet"));
    }
    CHECK(inside == 5);
    // What is said in either is heard at once by those who are there.
    verona.juliet.forget();
    verona.says(verona.juliet, "order!");
    verona.juliet.send("<message type='groupchat' to='" + garden +
                       "'><body>peace</body></message>");
    const auto all = hears(verona.juliet);
    CHECK(countOf(all, "juliet: order!") == 1);
    CHECK(countOf(all, "juliet: peace") == 1);
}

TEST_CASE("a nickname that looks like another's is refused, if the operator wants that") {
    struct Row {
        std::string nick;
        bool isAlike;  // to "paypal juliet"
    };
    const Row table[] = {
        {"p\xD0\xB0ypal juliet", true},          // Cyrillic a
        {"\xD1\x80\xD0\xB0ypal juliet", true},   // Cyrillic r and a
        {"P\xD0\x90YPAL JULIET", true},          // in capitals
        {"paypa1 juliet", true},                 // the digit one
        {"paypal ju\xC7\x80iet", true},          // a click letter
        {"p\xF0\x9D\x97\xAEypal juliet", true},  // mathematical bold
        {"PayPal Juliet", true},                 // the same nickname
        {"paypal julie", false},
        {"paypal  juliette", false},
        {"romeo", false},
        {"\xE2\x99\x9A", false},
        {"\xD1\x80\xD0\xBE\xD0\xBC\xD0\xB5\xD0\xBE", false},  // romeo, all in Cyrillic
    };
    const bool isAsked = GENERATE(true, false);
    Coven verona{{},
                 std::string{"[muc]\nrefuse_confusable_nicks = "} + (isAsked ? "true" : "false")};
    verona.juliet.send(presenceXml("paypal juliet"));
    for (const Row& row : table) {
        CAPTURE(row.nick, isAsked);
        const bool isSame =
            row.nick == "PayPal Juliet" || row.nick.find("\xF0\x9D") != std::string::npos;
        const bool isRefused = row.isAlike && (isAsked || isSame);
        const auto all = verona.joins(verona.romeo, row.nick);
        REQUIRE(!all.empty());
        CHECK((all.front() == "!presence cancel conflict") == isRefused);
        // His own other client may, whatever it looks like.
        if (!isRefused)
            verona.romeo.send("<presence type='unavailable' to='" + coven + "/" + row.nick + "'/>");
    }
    // The same for who is in and takes another one; and nobody is in the way of himself.
    verona.joins(verona.romeo, "romeo");
    verona.romeo.send(presenceXml("p\xD0\xB0ypal juliet"));
    CHECK((hears(verona.romeo).front() == "!presence cancel conflict") == isAsked);
    verona.juliet.forget().send(presenceXml("paypa1 juliet"));
    CHECK(!hears(verona.juliet).front().starts_with("!"));
}

TEST_CASE("skeletons of names") {
    struct Row {
        const char* a;
        const char* b;
        bool isSame;
    };
    for (const Row& row : {
             Row{"romeo", "r\xD0\xBEmeo", true},
             Row{"rn", "m", true},
             Row{"l", "1", true},
             Row{"I", "l", true},
             Row{"romeo", "juliet", false},
             Row{"romeo", "romeo ", false},
             Row{"a", "\xD1\x8F", false},
             Row{"", "a", false},
         }) {
        CAPTURE(row.a, row.b);
        CHECK((skeletonOf(row.a) == skeletonOf(row.b)) == row.isSame);
    }
    CHECK(skeletonOf("\xFF\xFE").size() < 100);
    CHECK(skeletonOf(std::string(5000, 'm')).size() >= 5000);
}

TEST_CASE("nicknames as they are prepared (RFC 8266), and what is none") {
    struct Row {
        std::string text;
        std::string shown;  // empty: none
    };
    for (const Row& row : {
             Row{"Foo", "Foo"}, Row{"Foo  Bar ", "Foo Bar"}, Row{"foo bar", "foo bar"},
             Row{"\xCE\xA3", "\xCE\xA3"},                // SIGMA
             Row{"Richard \xE2\x85\xA3", "Richard IV"},  // a Roman numeral
             Row{"\xE3\x80\x80"
                 "a",
                 "a"},                          // an ideographic space
             Row{"\xEF\xBC\xB2omeo", "Romeo"},  // full width
             Row{"\xE2\x80\x8B", ""},           // a space of no width
             Row{"a\xE2\x80\xAE"
                 "b",
                 ""},  // the other direction
             Row{"a\xC2\xAD"
                 "b",
                 ""},  // a soft hyphen
             Row{"a\tb", ""}, Row{"a\x7F", ""},
             Row{"\xE2\x80\x8D\xE2\x80\x8D", ""},  // joiners of nothing
             Row{"\xEF\xBB\xBF", ""},              // a mark of byte order
             Row{"\xE2\x81\xA0", ""},              // a joiner of words
             Row{"\xED\xA0\x80", ""},              // half of a pair
             Row{"\xC0\xAF", ""},                  // too long a form
         }) {
        CAPTURE(row.text);
        const auto nick = muc::readNick(row.text, 256);
        CHECK((nick ? nick->text : "") == row.shown);
    }
}
