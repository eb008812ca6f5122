#include "tests/store/databases.h"

#include "store/keyed_store.h"

using namespace epode;

namespace {
constexpr AccountId juliet = 1;
constexpr AccountId romeo = 2;
const WallTime day = fromMilliseconds(1'790'000'000'000);
}  // namespace

TEST_CASE("a value is found by its owner, component and key alone") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        KeyedStore vcards{setup.database(), "vcard"};
        KeyedStore others{setup.database(), "private_storage"};
        const std::string bytes{"\0any\xff", 5};
        setup.await(vcards.put(juliet, "card", bytes));
        CHECK(setup.await(vcards.get(juliet, "card")) == bytes);
        CHECK_FALSE(setup.await(vcards.get(juliet, "Card")));
        CHECK_FALSE(setup.await(vcards.get(romeo, "card")));
        CHECK_FALSE(setup.await(others.get(juliet, "card")));

        setup.await(vcards.put(juliet, "card", ""));
        CHECK(setup.await(vcards.get(juliet, "card")) == "");
        CHECK_FALSE(setup.await(others.remove(juliet, "card")));
        CHECK(setup.await(vcards.remove(juliet, "card")));
        CHECK_FALSE(setup.await(vcards.remove(juliet, "card")));
        CHECK_FALSE(setup.await(vcards.get(juliet, "card")));
    });
}

TEST_CASE("values are put together and listed by prefix") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        KeyedStore store{setup.database(), "private_storage"};
        const KeyedStore::Values values{
            {"a/1", "one"}, {"a/2", "two"}, {"b", "three"}, {"\xC3\xA9", "four"}};
        setup.await(store.putAll(juliet, values));
        CHECK(setup.await(store.list(juliet, "")) == values);
        CHECK(setup.await(store.list(juliet, "a/")) ==
              KeyedStore::Values{{"a/1", "one"}, {"a/2", "two"}});
        CHECK(setup.await(store.list(juliet, "c")).empty());
        CHECK(setup.await(store.list(romeo, "")).empty());
    });
}

TEST_CASE("saved sessions are taken once, without those that have expired") {
    overAllDatabases([](Setup& setup) {
        auto& sessions = setup.stores().sessions;
        auto& accounts = setup.stores().accounts;
        const AccountId juliet = *setup.await(accounts.create("juliet@capulet.example", {}, day));
        const AccountId romeo = *setup.await(accounts.create("romeo@montague.example", {}, day));
        const std::string state{"h=5\0<message/>", 14};
        setup.await(sessions.saveAll({{"of before", juliet, "old", day, "gone"}}));
        setup.await(
            sessions.saveAll({{"b", juliet, "balcony", day + std::chrono::seconds{9}, state},
                              {"a", romeo, "", day + std::chrono::seconds{9}, ""},
                              {"c", romeo, "late", day, "expired"}}));
        const auto taken = setup.await(sessions.takeAll(day));
        REQUIRE(taken.size() == 2);
        CHECK(taken[0].id == "a");
        CHECK(taken[0].account == romeo);
        CHECK(taken[0].jid == "romeo@montague.example");
        CHECK(taken[0].state.empty());
        CHECK(taken[1].id == "b");
        CHECK(taken[1].resource == "balcony");
        CHECK(taken[1].state == state);
        CHECK(taken[1].expires == day + std::chrono::seconds{9});
        CHECK(setup.await(sessions.takeAll(day)).empty());
    });
}

TEST_CASE("each node takes the sessions that it has saved") {
    overAllDatabases([](Setup& setup) {
        const AccountId juliet =
            *setup.await(setup.stores().accounts.create("juliet@capulet.example", {}, day));
        SessionStore one{setup.database(), "one"};
        SessionStore two{setup.database(), "two"};
        const WallTime later = day + std::chrono::seconds{1};
        setup.await(one.saveAll({{"id", juliet, "balcony", later, "1"}}));
        setup.await(two.saveAll({{"id", juliet, "orchard", later, "2"}}));
        CHECK(setup.await(one.takeAll(day)).at(0).state == "1");
        CHECK(setup.await(one.takeAll(day)).empty());
        CHECK(setup.await(two.takeAll(day)).at(0).state == "2");
    });
}
