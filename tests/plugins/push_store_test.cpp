// The store of push registrations over each database.
#include "plugins/push/push_store.h"
#include "tests/store/databases.h"

using namespace epode;
using namespace epode::push;

namespace {

const WallTime now = fromMilliseconds(1'790'000'000'000);
constexpr std::int64_t registrationsMax = 3;

// A store with two accounts, read as "service node resource options unread failures".
struct PushTables {
    explicit PushTables(Setup& over) : setup{over} {
        setup.stores();
        std::vector<Migration> all;
        for (const Migration* migration : PushStore::migrations()) all.push_back(*migration);
        setup.database().migrate(all);
        setup.stores().accounts.addTable(PushStore::table());
        juliet = *setup.await(setup.stores().accounts.create("juliet@capulet.example", {}, now));
        nurse = *setup.await(setup.stores().accounts.create("nurse@capulet.example", {}, now));
    }

    bool put(AccountId account, const std::string& service, const std::string& node,
             const std::string& resource = "phone", const std::string& options = {}) {
        StoredRegistration registration{service, node, resource, options};
        return setup.await(store.put(account, std::move(registration), registrationsMax));
    }
    std::vector<std::string> of(AccountId account) {
        std::vector<std::string> texts;
        for (const auto& one :
             setup.await(setup.database().read([account](SqlConnection& connection) {
                 return readRegistrations(connection, account);
             })))
            texts.push_back(one.service + " " + one.node + " " + one.resource + " " + one.options +
                            " " + std::to_string(one.unread) + " " + std::to_string(one.failures));
        return texts;
    }

    Setup& setup;
    PushStore store{setup.database()};
    AccountId juliet{}, nurse{};
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a push registration replaces the one of its service and node", "[store]") {
    overAllDatabases([](Setup& setup) {
        PushTables tables{setup};
        CHECK(tables.put(tables.juliet, "push.example", "n'1", "phone", "<x>“it's”</x>"));
        setup.await(tables.store.count(
            tables.juliet, {.service = "push.example", .node = "n'1", .unread = 7, .failures = 2}));
        CHECK(tables.of(tables.juliet) == Texts{"push.example n'1 phone <x>“it's”</x> 7 2"});
        CHECK(tables.put(tables.juliet, "push.example", "n'1", "tablet"));
        CHECK(tables.of(tables.juliet) == Texts{"push.example n'1 tablet  0 0"});
        CHECK(tables.of(tables.nurse).empty());
    });
}

TEST_CASE("an account has as many push registrations as it may, and loses none by trying more",
          "[store]") {
    overAllDatabases([](Setup& setup) {
        PushTables tables{setup};
        CHECK(tables.put(tables.juliet, "a.example", "1"));
        CHECK(tables.put(tables.juliet, "a.example", "2"));
        CHECK(tables.put(tables.juliet, "b.example", "1"));
        CHECK_FALSE(tables.put(tables.juliet, "c.example", "1"));
        CHECK(tables.of(tables.juliet) ==
              Texts{"a.example 1 phone  0 0", "a.example 2 phone  0 0", "b.example 1 phone  0 0"});
        CHECK(tables.put(tables.juliet, "b.example", "1",
                         "tablet"));  // there is room for what replaces
        CHECK(tables.put(tables.nurse, "c.example", "1"));
    });
}

TEST_CASE("push registrations are removed one by one, by service, and with their account",
          "[store]") {
    overAllDatabases([](Setup& setup) {
        PushTables tables{setup};
        for (const auto account : {tables.juliet, tables.nurse})
            for (const auto* node : {"1", "2"}) CHECK(tables.put(account, "a.example", node));
        CHECK(tables.put(tables.juliet, "b.example", "1"));
        setup.await(tables.store.remove(tables.juliet, "a.example", "2"));
        setup.await(tables.store.remove(tables.juliet, "a.example", "nothing"));
        CHECK(tables.of(tables.juliet) ==
              Texts{"a.example 1 phone  0 0", "b.example 1 phone  0 0"});
        setup.await(tables.store.removeAll(tables.juliet, "a.example"));
        setup.await(tables.store.removeAll(tables.juliet, "nothing.example"));
        CHECK(tables.of(tables.juliet) == Texts{"b.example 1 phone  0 0"});
        CHECK(tables.of(tables.nurse).size() == 2);
        // What is counted after it has gone does not come back.
        setup.await(
            tables.store.count(tables.juliet, {.service = "a.example", .node = "1", .unread = 1}));
        CHECK(tables.of(tables.juliet).size() == 1);
        CHECK(setup.await(setup.stores().accounts.remove("nurse@capulet.example")));
        CHECK(tables.of(tables.nurse).empty());
        CHECK(tables.of(tables.juliet).size() == 1);
    });
}
