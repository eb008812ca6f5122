// Long lists of people: in pages, small, and changed without being rewritten.
#include "plugins/muc/affiliations.h"
#include "tests/plugins/muc_support.h"

#include <malloc.h>
#include <algorithm>

using namespace epode;
using namespace epode::muc;

namespace {

const WallTime noon = fromMilliseconds(1'700'000'000'000);
constexpr int crowd = 100'000;

Jid jid(const std::string& text) { return *Jid::parse(text); }
Jid person(int number) { return jid("person" + std::to_string(number) + "@elsewhere.example"); }

std::string names(const std::vector<Affiliations::Entry>& entries) {
    std::string text;
    for (const auto& [jid, entry] : entries) text += std::string{jid.local()} + " ";
    return text;
}

const std::string rsm = "http://jabber.org/protocol/rsm";
std::string listXml(const std::string& affiliation, const std::string& set = {}) {
    return adminXml("<item affiliation='" + affiliation + "'/>" +
                    (set.empty() ? "" : "<set xmlns='" + rsm + "'>" + set + "</set>"));
}
int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}
std::string inside(const std::string& xml, const std::string& name) {
    const auto begin = xml.find("<" + name + ">");
    if (begin == std::string::npos) return {};
    const auto from = begin + name.size() + 2;
    return xml.substr(from, xml.find("</" + name + ">") - from);
}

// A lasting room with so many who are banned, read from the disk.
struct Crowded {
    explicit Crowded(
        std::string_view toml = "[client]\nping_after = '24h'\n[muc]\naffiliations_max = 200000")
        : verona{{{"persistentroom", "1"}}, toml} {
        auto insert = [](SqlConnection& connection) {
            return connection.run(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1) "
                "INSERT INTO muc_affiliation(room, jid, affiliation, nick, reason, voice, until) "
                "SELECT r.id, 'person' || n.i || '@elsewhere.example', 0, '', '', 0, 0 "
                "FROM n, muc_room r",
                {std::int64_t(crowd)});
        };
        verona.server.wait(verona.server.database().write(insert));
        verona.server.restart();
        juliet = &verona.server.login("juliet@capulet.example/later");
        verona.joins(*juliet, "juliet");
    }
    std::uint64_t committed() { return verona.server.database().activity().committed; }

    Coven verona;
    TestClient* juliet = nullptr;
};

}  // namespace

TEST_CASE("lists are read in pages, from both ends") {
    Affiliations all;
    for (const char* name : {"d", "a", "c", "b", "e"})
        all.set(jid(std::string{name} + "@x.example"), {Affiliation::Member});
    all.set(jid("z@x.example"), {Affiliation::Outcast, {}, "spam"});
    const auto at = [](const char* name) { return jid(std::string{name} + "@x.example"); };
    CHECK(names(all.page(Affiliation::Member, {}, 10)) == "a b c d e ");
    CHECK(names(all.page(Affiliation::Member, {}, 2)) == "a b ");
    CHECK(names(all.page(Affiliation::Member, at("b"), 2)) == "c d ");
    CHECK(names(all.page(Affiliation::Member, at("bb"), 2)) == "c d ");
    CHECK(names(all.page(Affiliation::Member, at("e"), 2)).empty());
    CHECK(names(all.page(Affiliation::Member, {}, 0)).empty());
    CHECK(names(all.pageBefore(Affiliation::Member, {}, 2)) == "d e ");
    CHECK(names(all.pageBefore(Affiliation::Member, at("d"), 2)) == "b c ");
    CHECK(names(all.pageBefore(Affiliation::Member, at("a"), 2)).empty());
    CHECK(names(all.page(Affiliation::Owner, {}, 10)).empty());
    CHECK(all.count(Affiliation::Member) == 5);
    CHECK(all.count(Affiliation::Admin) == 0);
    CHECK(all.size() == 6);
}

TEST_CASE("who changes his place in the lists is in one of them, with all that is known of him") {
    Affiliations all;
    const Jid romeo = jid("romeo@montague.example");
    const Affiliated muted{Affiliation::None, "romeo", "Shouting", Voice::Muted, noon};
    for (const Affiliated& entry : {
             Affiliated{Affiliation::Member},
             Affiliated{Affiliation::Admin, "romeo"},
             Affiliated{Affiliation::Outcast, {}, "Treason", Voice::Usual, noon},
             muted,
             Affiliated{Affiliation::Owner},
         }) {
        all.set(romeo, entry);
        CHECK(all.size() == 1);
        CHECK(all.find(romeo) == entry);
        CHECK(all.affiliationOf(romeo) == entry.affiliation);
        CHECK((all.firstTerm() != nullptr) == entry.until.has_value());
        CHECK((all.reserver("romeo") == romeo) == !entry.nick.empty());
    }
    // A nickname that two have reserved (an older version let them) stays with one of them.
    all.set(romeo, {Affiliation::Member, "r"});
    all.set(jid("rosaline@capulet.example"), {Affiliation::Member, "r"});
    all.set(jid("rosaline@capulet.example"), {Affiliation::Member});
    CHECK(all.reserver("r") == romeo);
    all.set(romeo, {});
    CHECK(!all.find(romeo));
    CHECK(all.reserver("r").empty());
    CHECK(all.affiliationOf(romeo) == Affiliation::None);
}

TEST_CASE("somebody who is banned or a member costs less than two hundred bytes") {
    const auto before = ::mallinfo2().uordblks;
    Affiliations all;
    for (int i = 0; i < crowd; ++i)
        all.set(person(i), {i % 2 ? Affiliation::Member : Affiliation::Outcast});
    const auto after = ::mallinfo2().uordblks;
    // (Zero: another allocator, of a sanitizer.)
    if (after > before) CHECK((after - before) / crowd < 200);
    CHECK(all.size() == crowd);
}

TEST_CASE(
    "a room with a hundred thousand who are banned answers in pages and writes only changes") {
    Crowded room;
    TestClient& juliet = *room.juliet;
    // Who does not ask for pages gets the first one, and is told how many there are.
    std::string answer = juliet.ask("get", listXml("outcast"), coven);
    CHECK(count(answer, "<item ") > 1000);
    CHECK(answer.size() < 256 * 1024);  // what others take
    CHECK(inside(answer, "count") == std::to_string(crowd));
    // All of it, page by page, from both ends.
    for (const bool isForward : {true, false}) {
        const std::string direction = isForward ? "after" : "before";
        int seen = 0;
        int pages = 0;
        std::string mark = isForward ? "" : "<before/>";
        for (; pages <= 200; ++pages) {
            answer = juliet.ask("get", listXml("outcast", "<max>1000</max>" + mark), coven);
            const int items = count(answer, "<item ");
            seen += items;
            if (items < 1000) break;
            const std::string edge = inside(answer, isForward ? "last" : "first");
            mark = "<" + direction + ">" + edge + "</" + direction + ">";
        }
        CHECK(seen == crowd);
        CHECK(pages == 100);
    }
    // One row and its line in the log, whatever the length of the list.
    for (const auto& change :
         {affiliate("one@elsewhere.example", "outcast"),
          affiliate("person7@elsewhere.example", "member"),
          affiliate("person8@elsewhere.example", "none"), affiliate("flood.example", "outcast")}) {
        const auto before = room.committed();
        CHECK(outcome(juliet.ask("set", change, coven)) == "result");
        CHECK(room.committed() - before <= 1);
    }
    answer = juliet.ask("get", listXml("outcast", "<max>0</max>"), coven);
    CHECK(inside(answer, "count") == std::to_string(crowd));
    CHECK(count(answer, "<item ") == 0);
    // The other lists, and people, are found as fast as in a small room.
    CHECK(count(juliet.ask("get", listXml("owner"), coven), "<item ") == 1);
    auto& banned = room.verona.server.login("romeo@montague.example/flood");
    CHECK(room.verona.joins(banned, "romeo").size() == 3);
}

TEST_CASE("pages of lists that a room refuses") {
    Coven verona;
    struct Row {
        std::string query;
        std::string outcome;
    };
    for (const Row& row : {
             Row{listXml("member", "<max>10</max>"), "result"},
             Row{listXml("member", "<before/>"), "result"},
             Row{listXml("member", "<after>nobody@elsewhere.example</after>"), "result"},
             Row{listXml("member", "<max>ten</max>"), "modify bad-request"},
             Row{listXml("member", "<max>-1</max>"), "modify bad-request"},
             Row{listXml("member", "<after>@</after>"), "cancel item-not-found"},
             Row{listXml("member", "<before>a@@b</before>"), "cancel item-not-found"},
             Row{listXml("member", "<index>5</index>"), "cancel feature-not-implemented"},
             Row{adminXml("<item affiliation='member'/><item affiliation='outcast'/>"
                          "<set xmlns='" +
                          rsm + "'><max>1</max></set>"),
                 "modify bad-request"},
         }) {
        CAPTURE(row.query);
        CHECK(outcome(verona.juliet.ask("get", row.query, coven)) == row.outcome);
    }
    CHECK(outcome(verona.romeo.ask("get", listXml("member", "<max>1</max>"), coven)) ==
          "auth forbidden");
}

TEST_CASE("a form leaves out the admins when there are more of them than a form can change") {
    Coven verona;
    auto insert = [](SqlConnection& connection) {
        return connection.run(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 600) "
            "INSERT INTO muc_affiliation(room, jid, affiliation, nick, reason, voice, until) "
            "SELECT r.id, 'admin' || n.i || '@elsewhere.example', 3, '', '', 0, 0 FROM n, muc_room "
            "r");
    };
    CHECK(verona.configures({{"persistentroom", "1"}}) == "result");
    verona.server.wait(verona.server.database().write(insert));
    verona.server.restart();
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    const std::string form = juliet.ask("get", ownerXml(), coven);
    CHECK(form.find("roomadmins") == std::string::npos);
    CHECK(form.find("roomowners") != std::string::npos);
    CHECK(outcome(juliet.ask("set", configXml({{"roomname", "A Dark Cave"}}), coven)) == "result");
    CHECK(outcome(juliet.ask("set", configXml({{"roomadmins", ""}}), coven)) ==
          "modify not-acceptable");
    CHECK(count(juliet.ask("get", listXml("admin"), coven), "<item ") == 601);
}
