// The rows of uploaded files, over every database.
#include "plugins/upload/file_store.h"
#include "tests/store/databases.h"

using namespace epode;
using namespace epode::upload;

namespace {

const WallTime noon = fromMilliseconds(1'700'000'000'000);
constexpr FileStore::Quotas roomy{100, 1'000'000, 10'000'000};

struct Tables {
    explicit Tables(Setup& setup) : setup{setup}, store{setup.database()} {
        setup.stores();
        std::vector<Migration> all = Stores::migrations();
        for (const Migration* migration : FileStore::migrations()) all.push_back(*migration);
        setup.database().migrate(all);
    }
    template <typename T>
    auto await(Task<T> task) {
        return setup.await(std::move(task));
    }
    StoredFile file(const std::string& token, std::int64_t bytes,
                    const std::string& owner = "juliet@capulet.example") {
        StoredFile made;
        made.token = token;
        made.putHash = std::string("\0\xff hash", 7);
        made.place = "place of " + token;
        made.host = "capulet.example";
        made.account = 7;
        made.owner = owner;
        made.name = "tr\xC3\xA8s \"cool\".jpg";
        made.type = "image/jpeg";
        made.bytes = bytes;
        made.created = noon;
        made.expires = noon + std::chrono::minutes{5};
        made.keptUntil = noon + std::chrono::hours{1};
        return made;
    }
    // The number of what is announced; 0 when that is refused.
    std::int64_t announce(StoredFile file, FileStore::Quotas quotas = roomy) {
        const auto outcome = await(store.announce(std::move(file), quotas));
        const auto* id = std::get_if<std::int64_t>(&outcome);
        return id ? *id : 0;
    }
    std::int64_t keep(const std::string& token, std::int64_t bytes) {
        const auto id = announce(file(token, bytes));
        REQUIRE(await(store.complete(id, "image/jpeg", "sum")));
        return id;
    }
    HostUsage usage() {
        const auto all = await(store.usage());
        return all.empty() ? HostUsage{} : all.front();
    }

    Setup& setup;
    FileStore store;
};

}  // namespace

TEST_CASE("a file is announced, completed once, and found with all that was said of it") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const auto id = tables.announce(tables.file("one", 10));
        auto found = tables.await(tables.store.find("one"));
        REQUIRE(found);
        CHECK(found->id == id);
        CHECK(found->state == FileState::Announced);
        CHECK(found->putHash == std::string("\0\xff hash", 7));
        CHECK(found->name == "tr\xC3\xA8s \"cool\".jpg");
        CHECK(found->expires == noon + std::chrono::minutes{5});
        CHECK_FALSE(tables.await(tables.store.find("two")));
        CHECK(tables.await(tables.store.extend(id, noon + std::chrono::hours{3})));
        CHECK(tables.await(tables.store.complete(id, "image/png", std::string("\0sum", 4))));
        CHECK_FALSE(tables.await(tables.store.complete(id, "text/html", "other")));
        CHECK_FALSE(tables.await(tables.store.extend(id, noon)));
        found = tables.await(tables.store.find("one"));
        REQUIRE(found);
        CHECK(found->state == FileState::Stored);
        CHECK(found->type == "image/png");
        CHECK(found->checksum == std::string("\0sum", 4));
        CHECK(found->expires == noon + std::chrono::hours{1});
        CHECK(tables.usage().files == 1);
        CHECK(tables.usage().bytes == 10);
    });
}

TEST_CASE("quotas count what is announced and stored, and not what is doomed") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const FileStore::Quotas quotas{2, 100, 150};
        CHECK(tables.announce(tables.file("a", 101), quotas) == 0);
        const auto first = tables.announce(tables.file("a", 60), quotas);
        CHECK(first != 0);
        CHECK(tables.announce(tables.file("b", 41), quotas) == 0);
        CHECK(tables.announce(tables.file("b", 40), quotas) != 0);
        CHECK(tables.announce(tables.file("c", 1, "nurse@capulet.example"), quotas) != 0);
        auto third = tables.await(tables.store.announce(tables.file("c", 1), {2, 1000, 1000}));
        REQUIRE(std::get_if<FileStore::Refused>(&third));
        CHECK(std::get<FileStore::Refused>(third).what == FileStore::Full::Slots);
        // Of another purpose: another quota, the same host.
        auto profile = tables.file("d", 50);
        profile.purpose = Purpose::Profile;
        auto outcome = tables.await(tables.store.announce(profile, {10, 100, 150}));
        REQUIRE(std::get_if<FileStore::Refused>(&outcome));
        CHECK(std::get<FileStore::Refused>(outcome).what == FileStore::Full::Host);
        CHECK(tables.await(tables.store.complete(first, "", "sum")));
        CHECK(tables.await(tables.store.doom({first}, "nurse@capulet.example")) == 0);
        CHECK(tables.await(tables.store.doom({first, first}, "juliet@capulet.example")) == 1);
        CHECK(tables.await(tables.store.doom({first}, "")) == 0);
        CHECK(tables.usage().bytes == 41);
        CHECK(tables.usage().files == 2);
        CHECK(tables.announce(tables.file("e", 60), quotas) != 0);
    });
}

TEST_CASE("who waits for room is told when enough of his files will have gone") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        for (int i = 0; i < 4; ++i) {
            auto file = tables.file("f" + std::to_string(i), 25);
            file.keptUntil = i == 3 ? farFuture : noon + std::chrono::hours{i + 1};
            const auto id = tables.announce(file);
            CHECK(tables.await(tables.store.complete(id, "", "")));
        }
        const auto retry = [&](std::int64_t bytes) {
            const auto outcome =
                tables.await(tables.store.announce(tables.file("g", bytes), {10, 100, 1000}));
            const auto* refused = std::get_if<FileStore::Refused>(&outcome);
            return refused ? refused->retry : noon;
        };
        CHECK(retry(1) == noon + std::chrono::hours{1});
        CHECK(retry(25) == noon + std::chrono::hours{1});
        CHECK(retry(26) == noon + std::chrono::hours{2});
        CHECK(retry(75) == noon + std::chrono::hours{3});
        CHECK(retry(76) == std::nullopt);
        CHECK(retry(101) == std::nullopt);
    });
}

TEST_CASE("what has expired is doomed, listed no more, and forgotten when its bytes are gone") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const auto kept = tables.keep("kept", 10);
        const auto later = tables.announce(tables.file("later", 20));
        CHECK(tables.await(tables.store.list({}, noon)).size() == 1);
        CHECK(tables.await(tables.store.takeDoomed(noon, 10)).empty());
        auto doomed = tables.await(tables.store.takeDoomed(noon + std::chrono::minutes{5}, 10));
        REQUIRE(doomed.size() == 1);
        CHECK(doomed[0].id == later);
        CHECK(tables.usage().bytes == 10);
        // Until it is forgotten it is told again, and counted once.
        doomed = tables.await(tables.store.takeDoomed(noon + std::chrono::hours{1}, 10));
        CHECK(doomed.size() == 2);
        CHECK(tables.usage().bytes == 0);
        CHECK(tables.usage().files == 0);
        CHECK(tables.await(tables.store.list({}, noon)).empty());
        tables.await(tables.store.postpone({kept}, noon + std::chrono::hours{9}));
        tables.await(tables.store.forget({later}));
        CHECK(tables.await(tables.store.takeDoomed(noon + std::chrono::hours{8}, 10)).empty());
        CHECK(tables.await(tables.store.takeDoomed(noon + std::chrono::hours{9}, 10)).size() == 1);
        CHECK_FALSE(tables.await(tables.store.find("later")));
    });
}

TEST_CASE("files of accounts that are gone are found in pages") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const auto account =
            tables.await(setup.stores().accounts.create("nurse@capulet.example", {}, noon));
        REQUIRE(account);
        auto hers = tables.file("hers", 1, "nurse@capulet.example");
        hers.account = *account;
        tables.announce(hers);
        auto guests = tables.file("guest", 1, "irc.capulet.example");
        guests.account = 0;
        tables.announce(guests);
        for (int i = 0; i < 3; ++i) {
            auto orphan = tables.file("orphan" + std::to_string(i), 1, "gone@capulet.example");
            orphan.account = *account + 1 + i;
            tables.announce(orphan);
        }
        AccountId at = 0;
        int pages = 0;
        do {
            at = tables.await(tables.store.doomOrphans(at, 2));
            ++pages;
        } while (at != 0 && pages < 10);
        CHECK(pages == 3);
        CHECK(tables.usage().files == 2);
        CHECK(tables.await(tables.store.find("hers"))->state == FileState::Announced);
        CHECK(tables.await(tables.store.find("guest"))->state == FileState::Announced);
        CHECK(tables.await(tables.store.find("orphan2"))->state == FileState::Doomed);
        CHECK(tables.await(tables.store.doomOrphans("nurse@capulet.example")) == 0);
        CHECK(tables.await(tables.store.doomAll(*account)) == 1);
    });
}
