#include "tests/store/databases.h"

#include "store/keyed_store.h"

using namespace epode;

namespace {
constexpr AccountId juliet = 1;
constexpr AccountId romeo = 2;
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

TEST_CASE("changes are made all or none, and never beyond the number of keys that is allowed") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        KeyedStore store{setup.database(), "private"};
        KeyedStore other{setup.database(), "vcard"};
        setup.await(other.put(juliet, "card", "does not count"));
        setup.await(store.put(romeo, "a", "does not count either"));
        const auto change = [&](KeyedStore::Changes changes, std::int64_t keysMax) {
            return setup.await(store.change(juliet, std::move(changes), keysMax));
        };
        CHECK_FALSE(change({{"a", "1"}, {"b", "2"}, {"c", "3"}}, 2));
        CHECK(setup.await(store.list(juliet, "")).empty());
        CHECK(change({{"a", "1"}, {"b", ""}}, 2));
        CHECK_FALSE(change({{"a", "other"}, {"c", "3"}}, 2));
        CHECK(setup.await(store.get(juliet, "a")) == "1");
        CHECK(change({{"a", std::nullopt}, {"c", "3"}, {"d", std::nullopt}}, 2));
        CHECK(setup.await(store.list(juliet, "")) == KeyedStore::Values{{"b", ""}, {"c", "3"}});
        // Who has more than is allowed by now may still change what there is.
        CHECK(change({{"b", "2"}}, 1));
        CHECK_FALSE(change({{"d", "4"}}, 1));
        CHECK(change({{"b", std::nullopt}}, 0));
        CHECK(setup.await(store.list(juliet, "")) == KeyedStore::Values{{"c", "3"}});
        CHECK(setup.await(store.get(romeo, "a")).has_value());
    });
}
