#include "tests/store/databases.h"

using namespace epode;

namespace {

constexpr AccountId juliet = 1;
constexpr AccountId romeo = 2;
const WallTime day = fromMilliseconds(1'790'000'000'000);

RosterItem contact(std::string jid) { return {.jid = std::move(jid)}; }

// "+jid" for a contact that was put, "-jid" for one that was removed.
std::vector<std::string> linesOf(const RosterChanges& changes) {
    std::vector<std::string> lines;
    for (const auto& change : changes.changes) {
        lines.push_back((change.isRemoved ? "-" : "+") + change.item.jid);
    }
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a contact comes back as it was put") {
    overAllDatabases([](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        CHECK(setup.await(rosters.load(juliet)).version == 0);
        const RosterItem full{.jid = "nurse@capulet.example",
                              .name = "Nurse 'n' \"more\"",
                              .groups = {"Servants", "7:odd,\n", "", "Ünïcode"},
                              .subscription = Subscription::Both,
                              .isAsking = true,
                              .isApproved = true};
        const RosterItem plain = contact("romeo@montague.example");
        setup.await(rosters.put(juliet, plain));
        setup.await(rosters.put(juliet, full));
        setup.await(rosters.put(romeo, contact("juliet@capulet.example")));

        const auto roster = setup.await(rosters.load(juliet));
        CHECK(roster.version == 2);
        CHECK(roster.items == std::vector<RosterItem>{full, plain});

        RosterItem changed = full;
        changed.groups.clear();
        changed.subscription = Subscription::From;
        CHECK(setup.await(rosters.put(juliet, changed)) == 3);
        CHECK(setup.await(rosters.load(juliet)).items == std::vector<RosterItem>{changed, plain});
    });
}

TEST_CASE("changes since a version are told once each, in the order of the last change") {
    overAllDatabases([](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        const auto since = [&](std::int64_t version) {
            const auto changes = setup.await(rosters.changesSince(juliet, version));
            return changes ? linesOf(*changes) : Lines{"all"};
        };
        CHECK(since(0).empty());
        CHECK(since(1) == Lines{"all"});
        for (const auto* jid : {"a@x.example", "b@x.example", "c@x.example"}) {
            setup.await(rosters.put(juliet, contact(jid)));
        }
        setup.await(rosters.put(juliet, contact("a@x.example")));
        CHECK(setup.await(rosters.remove(juliet, "b@x.example")) == 5);

        CHECK(since(0) == Lines{"+c@x.example", "+a@x.example", "-b@x.example"});
        CHECK(since(3) == Lines{"+a@x.example", "-b@x.example"});
        CHECK(since(4) == Lines{"-b@x.example"});
        CHECK(since(5).empty());
        CHECK(since(6) == Lines{"all"});
        CHECK(since(-1) == Lines{"all"});
        CHECK(setup.await(rosters.changesSince(juliet, 5))->version == 5);
        CHECK(setup.await(rosters.load(juliet)).items.size() == 2);

        setup.await(rosters.put(juliet, contact("b@x.example")));
        CHECK(since(4) == Lines{"+b@x.example"});
    });
}

TEST_CASE("nobody is removed twice, and a removal of nobody is no change") {
    overAllDatabases([](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        setup.await(rosters.put(juliet, contact("a@x.example")));
        CHECK_FALSE(setup.await(rosters.remove(juliet, "nobody@x.example")));
        CHECK_FALSE(setup.await(rosters.remove(romeo, "a@x.example")));
        CHECK(setup.await(rosters.remove(juliet, "a@x.example")) == 2);
        CHECK_FALSE(setup.await(rosters.remove(juliet, "a@x.example")));
        CHECK(setup.await(rosters.load(juliet)).version == 2);
    });
}

TEST_CASE("removals of long ago are forgotten, and older clients get the whole roster") {
    overDatabases({Kind::Memory, Kind::Postgres}, [](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        setup.await(rosters.put(juliet, contact("stays@x.example")));
        for (int n = 0; n < 110; ++n) {
            const std::string jid = std::to_string(n) + "@x.example";
            setup.await(rosters.put(juliet, contact(jid)));
            setup.await(rosters.remove(juliet, jid));
        }
        const auto version = setup.await(rosters.load(juliet)).version;
        CHECK(version == 221);
        CHECK_FALSE(setup.await(rosters.changesSince(juliet, 1)));
        const auto changes = setup.await(rosters.changesSince(juliet, version - 200));
        REQUIRE(changes);
        CHECK(changes->changes.size() == 100);
        CHECK_FALSE(setup.await(rosters.changesSince(juliet, version - 202)));
    });
}

TEST_CASE("subscription requests wait in their order until they are answered") {
    overAllDatabases([](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        const std::string stanza =
            "<presence type='subscribe'><status>\xE2\x9D\xA4</status></presence>";
        setup.await(rosters.putRequest(juliet, {"tybalt@x.example", "<presence/>"}, day));
        setup.await(rosters.putRequest(juliet, {"paris@x.example", "<presence/>"},
                                       day + std::chrono::seconds{1}));
        setup.await(rosters.putRequest(juliet, {"tybalt@x.example", stanza},
                                       day + std::chrono::seconds{2}));
        const auto requests = setup.await(rosters.requests(juliet));
        REQUIRE(requests.size() == 2);
        CHECK(requests[0].jid == "tybalt@x.example");
        CHECK(requests[0].stanza == stanza);
        CHECK(requests[1].jid == "paris@x.example");

        CHECK(setup.await(rosters.removeRequest(juliet, "tybalt@x.example")));
        CHECK_FALSE(setup.await(rosters.removeRequest(juliet, "tybalt@x.example")));
        CHECK_FALSE(setup.await(rosters.removeRequest(romeo, "paris@x.example")));
        CHECK(setup.await(rosters.requests(juliet)).size() == 1);
        CHECK(setup.await(rosters.requests(romeo)).empty());
    });
}

TEST_CASE("a request is answered by the contact who sees us, or who is removed") {
    overAllDatabases([](Setup& setup) {
        auto& rosters = setup.stores().rosters;
        const auto asking = [&] { return setup.await(rosters.load(juliet)).asking; };
        for (const auto* jid : {"c@x.example", "a@x.example", "b@x.example"}) {
            setup.await(rosters.putRequest(juliet, {jid, "<presence/>"}, day));
        }
        CHECK(asking() == Lines{"a@x.example", "b@x.example", "c@x.example"});
        setup.await(rosters.put(juliet, contact("a@x.example")));
        setup.await(rosters.put(juliet, contact("b@x.example")));
        CHECK(asking().size() == 3);
        setup.await(rosters.remove(juliet, "a@x.example"));
        RosterItem seen = contact("b@x.example");
        seen.subscription = Subscription::From;
        setup.await(rosters.put(juliet, seen));
        CHECK(asking() == Lines{"c@x.example"});
    });
}
