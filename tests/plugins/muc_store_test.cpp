// The store of rooms, over every database.
#include "plugins/muc/store.h"
#include "tests/store/databases.h"

using namespace epode;
using namespace epode::muc;

namespace {

const WallTime noon = fromMilliseconds(1'700'000'000'000);
const Jid coven = *Jid::parse("coven@conference.capulet.example");
const Jid juliet = *Jid::parse("juliet@capulet.example");
const Jid romeo = *Jid::parse("romeo@montague.example");
const std::string domain = "conference.capulet.example";

struct Tables {
    explicit Tables(Setup& setup) : setup{setup}, store{setup.database()} {
        setup.stores();
        std::vector<Migration> all = Stores::migrations();
        for (const Migration* migration : Store::migrations()) all.push_back(*migration);
        setup.database().migrate(all);
    }
    template <typename T>
    auto await(Task<T> task) {
        return setup.await(std::move(task));
    }
    StoredRoom room(std::int64_t id, const std::string& title = {}, bool isPublic = true) {
        StoredRoom made;
        made.id = id;
        made.creator = juliet.text();
        made.created = noon;
        made.config.name = title;
        made.config.isPublic = isPublic;
        made.secret = std::string("\0\xff secret", 9);
        made.affiliations.set(juliet, {Affiliation::Owner});
        return made;
    }
    Store::Created make(const std::string& name, StoredRoom room, std::int64_t most = 0) {
        return await(store.create(*Jid::make(name, domain), std::move(room), most));
    }
    std::string names(Store::Listing listing) {
        listing.domain = domain;
        std::string text;
        for (const auto& each : await(store.list(std::move(listing))).rooms)
            text += each.name + " ";
        return text;
    }

    Setup& setup;
    Store store;
};

}  // namespace

TEST_CASE("a room is stored with all that belongs to it, and goes with all of it") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        CHECK(tables.make("coven", tables.room(-1, "two\nlines \\ here")) == Store::Created::Yes);
        CHECK(tables.make("coven", tables.room(-2)) == Store::Created::Exists);
        tables.await(tables.store.saveAffiliations(
            -1, {{romeo, {Affiliation::Member, "romeo", {}}},
                 {*Jid::parse("verona.example"), {Affiliation::Outcast, {}, "feud"}}}));
        Subject subject;
        subject.xml = "<subject>Fire</subject>";
        subject.nick = "juliet";
        subject.at = noon;
        tables.await(tables.store.saveSubject(-1, subject));
        tables.await(tables.store.saveVcard(-1, "<vCard/>"));
        Executor& executor = setup.executor;
        tables.store.saveOccupant(
            executor, -1, {"juliet@capulet.example/b", "juliet", Role::Moderator, "<p/>", 2});
        tables.store.saveOccupant(executor, -1,
                                  {"romeo@montague.example/o", "r", Role::Visitor, "<p/>", 1});
        tables.store.saveOccupant(executor, -1,
                                  {"romeo@montague.example/o", "romeo", Role::Visitor, "<p/>", 9});

        auto found = tables.await(tables.store.load(coven));
        REQUIRE(found);
        CHECK(found->id == -1);
        CHECK(found->config.name == "two\nlines \\ here");
        CHECK(found->secret == std::string("\0\xff secret", 9));
        CHECK(found->subject.xml == "<subject>Fire</subject>");
        CHECK(found->subject.at == noon);
        CHECK(found->vcard == "<vCard/>");
        CHECK(found->affiliations.size() == 3);
        CHECK(found->affiliations.find(romeo)->nick == "romeo");
        REQUIRE(found->occupants.size() == 2);
        CHECK(found->occupants[0].nick == "romeo");
        CHECK(found->occupants[1].role == Role::Moderator);
        CHECK(tables.await(tables.store.inhabited(domain)) == std::vector<std::string>{"coven"});

        tables.store.removeOccupant(executor, -1, "romeo@montague.example/o");
        tables.await(tables.store.saveAffiliations(-1, {{romeo, {}}}));
        tables.await(tables.store.forgetPerson(juliet.text()));
        found = tables.await(tables.store.load(coven));
        CHECK(found->occupants.size() == 1);
        CHECK(found->creator.empty());
        // Who is banned stays so.
        CHECK(found->affiliations.size() == 1);
        tables.await(tables.store.remove(-1));
        CHECK(!tables.await(tables.store.load(coven)));
        CHECK(tables.await(tables.store.inhabited(domain)).empty());
    });
}

TEST_CASE("terms, voice, hats and the log are stored") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        tables.make("coven", tables.room(-1));
        AuditEntry ban{.room = coven,
                       .at = noon,
                       .actor = juliet.text(),
                       .action = "ban",
                       .target = romeo.text(),
                       .reason = "feud",
                       .until = noon + std::chrono::hours{1}};
        tables.await(tables.store.saveAffiliations(
            -1,
            {{romeo, {Affiliation::None, {}, "loud", Voice::Muted, noon + std::chrono::hours{1}}}},
            {ban}));
        auto found = tables.await(tables.store.load(coven));
        REQUIRE(found);
        CHECK(found->affiliations.find(romeo)->voice == Voice::Muted);
        CHECK(found->affiliations.find(romeo)->until == noon + std::chrono::hours{1});

        AuditEntry later = ban;
        later.at = noon + std::chrono::hours{2};
        later.action = "unban";
        later.until.reset();
        tables.store.log(setup.executor, later);
        AuditEntry elsewhere = ban;
        elsewhere.room = *Jid::parse("other@conference.montague.example");
        tables.store.log(setup.executor, elsewhere);
        const auto log = tables.await(tables.store.audit({.room = coven.text()}));
        REQUIRE(log.size() == 2);
        CHECK(log[0].action == "unban");
        CHECK_FALSE(log[0].until);
        CHECK(log[1].reason == "feud");
        CHECK(log[1].until == ban.until);
        const auto count = [&](Store::AuditWish wish) {
            wish.room = coven.text();
            return tables.await(tables.store.audit(std::move(wish))).size();
        };
        CHECK(count({.person = romeo.text()}) == 2);
        CHECK(count({.person = "tybalt@capulet.example"}) == 0);
        CHECK(count({.since = noon + std::chrono::hours{1}}) == 1);
        CHECK(count({.most = 1}) == 1);
        const WallTime end = noon + std::chrono::hours{24};
        CHECK(tables.await(tables.store.forgetAudit(domain, end, 1)) == 1);
        CHECK(tables.await(tables.store.forgetAudit(domain, end, 100)) == 1);
        CHECK(tables.await(tables.store.audit({.room = elsewhere.room.text()})).size() == 1);

        tables.await(tables.store.saveHat(-1, "u", Hat{"Assistant", "1.5"}));
        tables.await(tables.store.saveWearer(-1, romeo.text(), "u", true));
        found = tables.await(tables.store.load(coven));
        CHECK(found->hats.all["u"].title == "Assistant");
        CHECK(found->hats.wearers[romeo] == std::vector<std::string>{"u"});
        tables.await(tables.store.saveHat(-1, "u", std::nullopt));
        found = tables.await(tables.store.load(coven));
        CHECK(found->hats.all.empty());
        CHECK(found->hats.wearers.empty());

        tables.await(tables.store.saveAffiliations(-1, {{romeo, {Affiliation::Member, "r"}}}));
        tables.store.noteLeft(setup.executor, -1, romeo.text(), noon);
        tables.await(tables.store.saveVcard(-1, {}));  // committed with it
        const auto places = tables.await(tables.store.membershipsOf(romeo.text(), domain, 10));
        REQUIRE(places.size() == 1);
        CHECK(places[0].name == "coven");
        CHECK(places[0].left == noon);
        CHECK_FALSE(places[0].isInside);
        CHECK(tables.await(tables.store.membershipsOf(romeo.text(), "other.example", 10)).empty());
    });
}

TEST_CASE("nobody makes more rooms than he may") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        CHECK(tables.make("a", tables.room(-1), 2) == Store::Created::Yes);
        CHECK(tables.make("b", tables.room(-2), 2) == Store::Created::Yes);
        CHECK(tables.make("c", tables.room(-3), 2) == Store::Created::TooMany);
        tables.await(tables.store.remove(-1));
        CHECK(tables.make("c", tables.room(-3), 2) == Store::Created::Yes);
    });
}

TEST_CASE("rooms are listed for who may see them, in pages and by words") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        tables.make("a", tables.room(-1, "Fencing 100%"));
        tables.make("b", tables.room(-2, "secret", false));
        tables.make("c", tables.room(-3,
                                     "B\xC3\xBC"
                                     "cher"));
        auto locked = tables.room(-4);
        locked.lockedBy = "juliet@capulet.example/b";
        tables.make("d", std::move(locked));
        CHECK(tables.names({}) == "a c ");
        CHECK(tables.names({.who = juliet.text()}) == "a b c ");
        CHECK(tables.names({.who = romeo.text()}) == "a c ");
        CHECK(tables.names({.isEverything = true}) == "a b c ");
        CHECK(tables.names({.after = "a"}) == "c ");
        CHECK(tables.names({.before = "c", .isBackwards = true}) == "a ");
        CHECK(tables.names({.isBackwards = true, .most = 1}) == "c ");
        CHECK(tables.names({.most = 1}) == "a ");
        CHECK(tables.names({.matching = "FENC"}) == "a ");
        CHECK(tables.names({.matching = "100%"}) == "a ");
        CHECK(tables.names({.matching = "1_0"}).empty());
        CHECK(tables.names({.matching = "B\xC3\x9C"
                                        "CHER"}) == "c ");
        CHECK(tables.names({.matching = "!"}).empty());
    });
}
