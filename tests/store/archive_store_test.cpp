#include "tests/store/databases.h"

#include <map>
#include <random>

using namespace epode;

namespace {

constexpr AccountId juliet = 1;
constexpr AccountId romeo = 2;
const std::string nurse = "nurse@capulet.example";
const std::string paris = "paris@x.example";
const WallTime day = fromMilliseconds(1'790'000'000'000);

WallTime at(std::int64_t seconds) { return day + std::chrono::seconds{seconds}; }

ArchiveEntry entryAt(WallTime stamp, std::string stanza = "<message/>", ArchiveFlags flags = {}) {
    return {Uuid::at(stamp), flags, std::move(stanza)};
}

void append(Setup& setup, AccountId account, const std::string& peer, ArchiveEntry entry) {
    bool isDone = false;
    setup.stores().archive.append(setup.executor, account, peer, std::move(entry),
                                  [&](std::exception_ptr failure) {
                                      CHECK_FALSE(failure);
                                      isDone = true;
                                  });
    setup.executor.turnUntil([&] { return isDone; });
}

void setDelivered(Setup& setup, AccountId account, WallTime position) {
    bool isDone = false;
    setup.stores().archive.setDelivered(setup.executor, account, position,
                                        [&](std::exception_ptr) { isDone = true; });
    setup.executor.turnUntil([&] { return isDone; });
}

// Ten entries of Juliet, one each second: even ones with the nurse, odd ones with Paris; and one of
// Romeo. The body of each is its number.
std::vector<Uuid> fill(Setup& setup) {
    std::vector<Uuid> ids;
    for (int n = 0; n < 10; ++n) {
        auto entry = entryAt(at(n), std::to_string(n));
        ids.push_back(entry.id);
        append(setup, juliet, n % 2 ? paris : nurse, std::move(entry));
    }
    append(setup, romeo, nurse, entryAt(at(3), "romeo's"));
    return ids;
}

std::string bodies(const std::vector<ArchiveEntry>& entries) {
    std::string text;
    for (const auto& entry : entries) text += (text.empty() ? "" : " ") + entry.stanza;
    return text;
}

// The bodies of a page, with "…" where more is left, and "?" for an id that is not known.
std::string show(const ArchivePage& page, bool isBackwards = false) {
    if (page.isIdUnknown) return "?";
    const std::string text = bodies(page.entries);
    if (page.isComplete) return text;
    return isBackwards ? "… " + text : text + " …";
}

}  // namespace

TEST_CASE("an entry comes back as it was appended") {
    overAllDatabases([](Setup& setup) {
        ArchiveFlags flags;
        flags.isOutgoing = true;
        flags.isOffline = true;
        flags.hasBody = true;
        flags.kind = MessageKind::Headline;
        const std::string stanza{"<message>\0\xC3\xA9</message>", 21};
        const auto appended = entryAt(at(0), stanza, flags);
        append(setup, juliet, nurse, appended);
        append(setup, juliet, nurse, entryAt(at(1), std::string(300'000, 'x')));
        auto& archive = setup.stores().archive;
        const auto page = setup.await(archive.query({.account = juliet}));
        REQUIRE(page.entries.size() == 2);
        CHECK(page.entries[0].id == appended.id);
        CHECK(page.entries[0].flags == flags);
        CHECK(page.entries[0].stanza == stanza);
        CHECK(page.entries[1].flags == ArchiveFlags{});
        CHECK(page.entries[1].stanza == std::string(300'000, 'x'));
    });
}

TEST_CASE("pages of an archive, by filter and position") {
    overAllDatabases([](Setup& setup) {
        const auto ids = fill(setup);
        auto& archive = setup.stores().archive;
        const Uuid unknown = Uuid::at(at(4));  // the stamp of an entry, but not its id
        struct Case {
            const char* what;
            ArchiveQuery query;
            const char* expected;
        };
        const Case cases[] = {
            {"everything", {}, "0 1 2 3 4 5 6 7 8 9"},
            {"the first page", {.most = 3}, "0 1 2 …"},
            {"a page that fits exactly", {.most = 10}, "0 1 2 3 4 5 6 7 8 9"},
            {"the next page", {.after = ids[2], .most = 3}, "3 4 5 …"},
            {"the last page from the front", {.after = ids[8], .most = 3}, "9"},
            {"nothing after the last", {.after = ids[9], .most = 3}, ""},
            {"the last page", {.isBackwards = true, .most = 3}, "… 7 8 9"},
            {"the page before", {.before = ids[7], .most = 3}, "… 4 5 6"},
            {"the first page from the back", {.before = ids[2], .most = 3}, "0 1"},
            {"nothing before the first", {.before = ids[0], .most = 3}, ""},
            {"between two, forwards", {.after = ids[2], .before = ids[7], .most = 2}, "3 4 …"},
            {"between two, backwards",
             {.after = ids[2], .before = ids[7], .isBackwards = true, .most = 2},
             "… 5 6"},
            {"a contact", {.with = nurse}, "0 2 4 6 8"},
            {"the other contact, paged", {.with = paris, .after = ids[1], .most = 2}, "3 5 …"},
            {"a contact, backwards", {.with = nurse, .isBackwards = true, .most = 2}, "… 6 8"},
            {"after an entry of another contact", {.with = nurse, .after = ids[5]}, "6 8"},
            {"before an entry of another contact",
             {.with = nurse, .before = ids[5], .most = 2},
             "… 2 4"},
            {"a stranger", {.with = "nobody@x.example"}, ""},
            {"since a time, included", {.start = at(7)}, "7 8 9"},
            {"until a time, included", {.end = at(2)}, "0 1 2"},
            {"a time between entries", {.start = at(7) + std::chrono::milliseconds{1}}, "8 9"},
            {"a window of a contact", {.with = nurse, .start = at(1), .end = at(5)}, "2 4"},
            {"an empty window", {.start = at(5), .end = at(4)}, ""},
            {"the time before 1970", {.start = fromMilliseconds(-5), .end = at(0)}, "0"},
            {"a form after an id", {.afterId = ids[6]}, "7 8 9"},
            {"a form before an id", {.beforeId = ids[2]}, "0 1"},
            {"a form between ids, the last page",
             {.afterId = ids[1], .beforeId = ids[6], .isBackwards = true, .most = 2},
             "… 4 5"},
            {"named entries, in the order of time", {.ids = {ids[7], ids[2], ids[7]}}, "2 7"},
            {"named entries, paged", {.ids = {ids[7], ids[2], ids[5]}, .most = 2}, "2 5 …"},
            {"named entries, the last of them",
             {.ids = {ids[7], ids[2], ids[5]}, .isBackwards = true, .most = 1},
             "… 7"},
            {"named entries of a contact", {.with = nurse, .ids = {ids[1], ids[2]}}, "2"},
            {"nothing but the end", {.most = 0}, " …"},
            {"after an unknown id", {.after = unknown}, "?"},
            {"before an unknown id", {.before = unknown}, "?"},
            {"a form after an unknown id", {.afterId = unknown}, "?"},
            {"a form before an unknown id", {.beforeId = unknown}, "?"},
            {"a named entry that is unknown", {.ids = {ids[1], unknown}}, "?"},
            {"after the empty id", {.after = Uuid{}}, "?"},
        };
        for (const auto& [what, asked, expected] : cases) {
            ArchiveQuery query = asked;
            query.account = juliet;
            const bool isBackwards = query.isBackwards || (query.before && !query.after);
            INFO(what);
            CHECK(show(setup.await(archive.query(query)), isBackwards) == expected);
        }
        ArchiveQuery others{.account = romeo};
        CHECK(show(setup.await(archive.query(others))) == "romeo's");
        others.after = ids[2];
        CHECK(show(setup.await(archive.query(others))) == "?");
        CHECK(show(setup.await(archive.query({.account = 77}))).empty());
    });
}

TEST_CASE("a query may ask for the count and the place of its page") {
    overAllDatabases([](Setup& setup) {
        const auto ids = fill(setup);
        auto& archive = setup.stores().archive;
        const auto ask = [&](ArchiveQuery query) {
            query.account = juliet;
            query.wantsCount = true;
            return setup.await(archive.query(query));
        };
        auto page = ask({.after = ids[3], .most = 2});
        CHECK(page.count == 10);
        CHECK(page.firstIndex == 4);
        page = ask({.with = nurse, .isBackwards = true, .most = 2});
        CHECK(page.count == 5);
        CHECK(page.firstIndex == 3);
        page = ask({.afterId = ids[3], .before = ids[9], .most = 1});
        CHECK(page.count == 6);
        CHECK(page.firstIndex == 4);
        page = ask({.most = 0});
        CHECK(page.count == 10);
        CHECK(page.entries.empty());
        CHECK_FALSE(page.firstIndex);
        page = ask({.ids = {ids[1], ids[4], ids[8]}, .isBackwards = true, .most = 1});
        CHECK(page.count == 3);
        CHECK(page.firstIndex == 2);
        page = ask({.with = "nobody@x.example"});
        CHECK(page.count == 0);
        CHECK_FALSE(setup.await(archive.query({.account = juliet})).count);
    });
}

TEST_CASE("a full address selects what was sent from it or to it") {
    overAllDatabases([](Setup& setup) {
        auto& archive = setup.stores().archive;
        ArchiveFlags outgoing;
        outgoing.isOutgoing = true;
        int second = 0;
        const auto add = [&](const std::string& stanza, ArchiveFlags flags) {
            append(setup, juliet, nurse, entryAt(at(second++), stanza, flags));
        };
        add("<message from='nurse@capulet.example/a' to='juliet@capulet.example'/>", {});
        add("<message from='nurse@capulet.example/b' to='x'><body from='y'/></message>", {});
        add("<message to='nurse@capulet.example/a' from='juliet@capulet.example/a'/>", outgoing);
        add("<message from='juliet@capulet.example/a' to='nurse@capulet.example'/>", outgoing);
        add("<message id=\"1\" from=\"nurse@capulet.example/&lt;&apos;&amp;lt;\"/>", {});
        const auto count = [&](const std::string& with) {
            ArchiveQuery query{.account = juliet, .with = with, .most = 1, .wantsCount = true};
            const auto page = setup.await(archive.query(query));
            CHECK(page.isComplete == (page.count <= 1));
            return *page.count;
        };
        CHECK(count(nurse) == 5);
        CHECK(count(nurse + "/a") == 2);
        CHECK(count(nurse + "/b") == 1);
        CHECK(count(nurse + "/<'&lt;") == 1);
        CHECK(count(nurse + "/c") == 0);
        CHECK(count(paris + "/a") == 0);

        // Those that fit are found among many that don't.
        for (int n = 0; n < 600; ++n) {
            archive.append(setup.executor, juliet, nurse,
                           entryAt(at(second++), "<message from='nurse@capulet.example/z'/>"), {});
        }
        add("<message from='nurse@capulet.example/a'/>", {});
        CHECK(count(nurse + "/a") == 3);
        CHECK(count(nurse + "/z") == 600);
    });
}

TEST_CASE("what is not archived is not seen by queries") {
    overAllDatabases([](Setup& setup) {
        auto& archive = setup.stores().archive;
        ArchiveFlags offlineOnly;
        offlineOnly.isArchived = false;
        offlineOnly.isOffline = true;
        const auto hidden = entryAt(at(0), "hidden", offlineOnly);
        append(setup, juliet, nurse, hidden);
        CHECK_FALSE(setup.await(archive.metadata(juliet)));
        append(setup, juliet, nurse, entryAt(at(1), "seen"));
        append(setup, juliet, nurse, entryAt(at(2), "hidden", offlineOnly));

        for (const std::string& with : {std::string{}, nurse}) {
            ArchiveQuery query{.account = juliet, .with = with, .wantsCount = true};
            const auto page = setup.await(archive.query(query));
            CHECK(show(page) == "seen");
            CHECK(page.count == 1);
        }
        CHECK(setup.await(archive.query({.account = juliet, .after = hidden.id})).isIdUnknown);
        CHECK(setup.await(archive.query({.account = juliet, .ids = {hidden.id}})).isIdUnknown);
        const auto metadata = setup.await(archive.metadata(juliet));
        REQUIRE(metadata);
        CHECK(metadata->first == metadata->last);
        CHECK(metadata->first.stamp() == at(1));
    });
}

TEST_CASE("entries wait for offline delivery until the position has passed them") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& archive = stores.archive;
        const auto account =
            *setup.await(stores.accounts.create("juliet@capulet.example", {}, day));
        ArchiveFlags offline;
        offline.isOffline = true;
        ArchiveFlags offlineOnly = offline;
        offlineOnly.isArchived = false;
        append(setup, account, nurse, entryAt(at(0), "0", offline));
        append(setup, account, nurse, entryAt(at(1), "1"));
        append(setup, account, paris, entryAt(at(2), "2", offlineOnly));
        append(setup, account, nurse, entryAt(at(3), "3", offline));
        append(setup, account, nurse, entryAt(at(4), "4", offlineOnly));

        const auto pending = [&](WallTime position, std::size_t most) {
            return bodies(setup.await(archive.pendingAfter(account, position, most)));
        };
        const WallTime never{};
        CHECK(pending(never, 10) == "0 2 3 4");
        CHECK(pending(never, 3) == "0 2 3");
        CHECK(pending(at(2), 10) == "3 4");
        CHECK(pending(at(4), 10).empty());
        auto record = *setup.await(stores.load("juliet@capulet.example"));
        CHECK(record.archive.pending == 4);
        CHECK(record.archive.delivered == never);
        CHECK(record.archive.last == at(4));

        // What queries don't see goes away when it was delivered.
        setDelivered(setup, account, at(3));
        CHECK(pending(never, 10) == "0 3 4");
        setDelivered(setup, account, at(1));
        record = *setup.await(stores.load("juliet@capulet.example"));
        CHECK(record.archive.delivered == at(3));
        CHECK(record.archive.pending == 1);
        CHECK(show(setup.await(archive.query({.account = account}))) == "0 1 3");
        setDelivered(setup, account, at(4));
        CHECK(pending(never, 10) == "0 3");
        CHECK(setup.await(stores.load("juliet@capulet.example"))->archive.last == at(3));
    });
}

TEST_CASE("an entry's stanza can be replaced, by its whole id") {
    overAllDatabases([](Setup& setup) {
        const auto ids = fill(setup);
        auto& archive = setup.stores().archive;
        CHECK(setup.await(archive.replace(juliet, ids[3], "<retracted/>")));
        CHECK_FALSE(setup.await(archive.replace(romeo, ids[3], "no")));
        CHECK_FALSE(setup.await(archive.replace(juliet, Uuid::at(at(3)), "no")));
        ArchiveQuery query{.account = juliet, .start = at(2), .end = at(4)};
        CHECK(show(setup.await(archive.query(query))) == "2 <retracted/> 4");
    });
}

TEST_CASE("expiry deletes what is old and has been delivered, in bounded steps") {
    overAllDatabases([](Setup& setup) {
        const auto ids = fill(setup);
        auto& archive = setup.stores().archive;
        ArchiveFlags offline;
        offline.isOffline = true;
        append(setup, romeo, nurse, entryAt(at(4), "waits", offline));
        append(setup, romeo, nurse, entryAt(at(20), "young", offline));

        std::int64_t deleted = 0;
        int steps = 0;
        std::optional<std::int64_t> position = 0;
        while (position) {
            const auto expired = setup.await(archive.expire(at(6), *position, 4));
            CHECK(expired.deleted <= 4);
            deleted += expired.deleted;
            position = expired.next;
            ++steps;
        }
        CHECK(deleted == 7);
        CHECK(steps > 2);
        CHECK(show(setup.await(archive.query({.account = juliet}))) == "6 7 8 9");
        CHECK(show(setup.await(archive.query({.account = juliet, .with = nurse}))) == "6 8");
        CHECK(show(setup.await(archive.query({.account = romeo, .with = nurse}))) == "waits young");
        CHECK(setup.await(archive.query({.account = juliet, .after = ids[2]})).isIdUnknown);

        setDelivered(setup, romeo, at(4));
        CHECK(setup.await(archive.purge(romeo, at(30), 10)) == 1);
        CHECK(show(setup.await(archive.query({.account = romeo}))) == "young");
        CHECK(setup.await(archive.purge(juliet, at(30), 3)) == 3);
        CHECK(setup.await(archive.purge(juliet, at(30), 3)) == 1);
        CHECK(setup.await(archive.purge(juliet, at(30), 3)) == 0);
        CHECK_FALSE(setup.await(archive.metadata(juliet)));

        // The conversation goes on as if nothing had been.
        append(setup, juliet, nurse, entryAt(at(40), "again"));
        CHECK(show(setup.await(archive.query({.account = juliet, .with = nurse}))) == "again");
    });
}

TEST_CASE("archive preferences are kept") {
    overAllDatabases([](Setup& setup) {
        auto& archive = setup.stores().archive;
        CHECK_FALSE(setup.await(archive.preferences(juliet)));
        using Fallback = ArchivePreferences::Fallback;
        ArchivePreferences preferences{Fallback::Roster, {nurse, paris}, {"tybalt@x.example"}};
        setup.await(archive.setPreferences(juliet, preferences));
        CHECK(setup.await(archive.preferences(juliet)) == preferences);
        preferences = {Fallback::Never, {}, {}};
        setup.await(archive.setPreferences(juliet, preferences));
        CHECK(setup.await(archive.preferences(juliet)) == preferences);
        CHECK_FALSE(setup.await(archive.preferences(romeo)));
    });
}

TEST_CASE("an entry with the stamp of another is refused, and nobody else suffers") {
    overAllDatabases([](Setup& setup) {
        auto& archive = setup.stores().archive;
        std::string told;
        const auto add = [&](const std::string& peer, WallTime stamp, std::string body) {
            archive.append(
                setup.executor, juliet, peer, entryAt(stamp, body),
                [&told, body](std::exception_ptr failure) { told += (failure ? "!" : "") + body; });
        };
        add(nurse, at(0), "a");
        add(nurse, at(0), "b");
        add("new@x.example", at(1), "c");
        setup.executor.turnUntil([&] { return told.size() >= 4; });
        CHECK(told == "a!bc");
        CHECK(show(setup.await(archive.query({.account = juliet}))) == "a c");
        CHECK(show(setup.await(archive.query({.account = juliet, .with = "new@x.example"}))) ==
              "c");
    });
}

TEST_CASE("every page of a long archive is what a plain list would give") {
    overAllDatabases([](Setup& setup) {
        auto& archive = setup.stores().archive;
        std::mt19937 random{7};
        const auto below = [&](unsigned limit) { return static_cast<int>(random() % limit); };
        const std::vector<std::string> peers{nurse, paris, "seldom@x.example"};
        struct Known {
            Uuid id;
            std::string peer, body;
        };
        std::vector<Known> list;
        WallTime stamp = day;
        for (int n = 0; n < 700; ++n) {
            // From one entry in a millisecond to one in days: dense and sparse spans.
            const std::int64_t steps[] = {1, 500, 4'000'000, 300'000'000};
            stamp += std::chrono::milliseconds{1 + below(static_cast<unsigned>(steps[below(4)]))};
            const auto& peer = peers[n % 97 == 0 ? 2 : static_cast<std::size_t>(below(2))];
            auto entry = entryAt(stamp, std::to_string(n));
            list.push_back({entry.id, peer, entry.stanza});
            archive.append(setup.executor, juliet, peer, std::move(entry), {});
        }
        setup.await(archive.setPreferences(juliet, {}));  // waits for a commit after them

        for (int round = 0; round < 120; ++round) {
            ArchiveQuery query{.account = juliet};
            if (below(3) != 0) query.with = peers[static_cast<std::size_t>(below(3))];
            int low = 0;
            int high = static_cast<int>(list.size());
            if (below(2) != 0)
                query.start = list[static_cast<std::size_t>(low = below(700))].id.stamp();
            if (below(2) != 0) {
                high = below(700) + 1;
                query.end = list[static_cast<std::size_t>(high - 1)].id.stamp();
            }
            if (below(2) != 0) {
                const int mark = below(700);
                if (below(2) != 0) {
                    query.after = list[static_cast<std::size_t>(mark)].id;
                } else {
                    query.before = list[static_cast<std::size_t>(mark)].id;
                }
            }
            query.isBackwards = below(2) != 0;
            query.most = static_cast<std::size_t>(below(60));
            query.wantsCount = true;

            std::vector<std::string> selected;
            std::vector<std::string> window;
            for (int n = low; n < high; ++n) {
                const auto& known = list[static_cast<std::size_t>(n)];
                if (!query.with.empty() && known.peer != query.with) continue;
                selected.push_back(known.body);
                if (query.after && known.id <= *query.after) continue;
                if (query.before && known.id >= *query.before) continue;
                window.push_back(known.body);
            }
            const bool isComplete = window.size() <= query.most;
            if (!isComplete) {
                if (query.isBackwards || (query.before && !query.after)) {
                    window.erase(window.begin(),
                                 window.end() - static_cast<std::ptrdiff_t>(query.most));
                } else {
                    window.resize(query.most);
                }
            }
            std::string expected;
            for (const auto& body : window) expected += (expected.empty() ? "" : " ") + body;

            const auto page = setup.await(archive.query(query));
            INFO("round " << round);
            REQUIRE(bodies(page.entries) == expected);
            REQUIRE(page.isComplete == isComplete);
            REQUIRE(page.count == static_cast<std::int64_t>(selected.size()));
            if (!window.empty()) {
                const auto first = std::find(selected.begin(), selected.end(), window.front());
                REQUIRE(page.firstIndex == first - selected.begin());
            }
        }
    });
}
