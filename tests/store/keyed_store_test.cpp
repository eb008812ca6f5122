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
