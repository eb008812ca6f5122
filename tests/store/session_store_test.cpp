#include "tests/store/databases.h"

using namespace epode;

namespace {

const WallTime day = fromMilliseconds(1'790'000'000'000);
const WallTime later = day + std::chrono::seconds{9};

SavedSession session(std::string id, AccountId account, std::string state,
                     WallTime expires = later) {
    return {.id = std::move(id),
            .account = account,
            .resource = "balcony",
            .expires = expires,
            .state = std::move(state)};
}

AccountId makeAccount(Setup& setup, std::string jid) {
    return *setup.await(setup.stores().accounts.create(std::move(jid), {}, day));
}

}  // namespace

TEST_CASE("saved sessions are taken once, those that have expired among them") {
    overAllDatabases([](Setup& setup) {
        auto& sessions = setup.stores().sessions;
        const AccountId juliet = makeAccount(setup, "juliet@capulet.example");
        const AccountId romeo = makeAccount(setup, "romeo@montague.example");
        const std::string state{"h=5\0<message/>", 14};
        setup.await(sessions.saveAll({session("of before", juliet, "replaced")}));
        setup.await(sessions.saveAll({session("b", juliet, state), session("a", romeo, ""),
                                      session("c", romeo, "expired", day)}));
        const auto taken = setup.await(sessions.takeAll());
        REQUIRE(taken.size() == 3);
        CHECK(taken[0].id == "a");
        CHECK(taken[0].account == romeo);
        CHECK(taken[0].jid == "romeo@montague.example");
        CHECK(taken[0].state.empty());
        CHECK(taken[1].id == "b");
        CHECK(taken[1].resource == "balcony");
        CHECK(taken[1].state == state);
        CHECK(taken[1].expires == later);
        CHECK(taken[2].id == "c");
        CHECK(taken[2].expires == day);
        CHECK(setup.await(sessions.takeAll()).empty());
    });
}

TEST_CASE("the session of an account that is gone is not taken") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        const AccountId juliet = makeAccount(setup, "juliet@capulet.example");
        setup.await(stores.sessions.saveAll({session("a", juliet, ""), session("b", 4711, "")}));
        CHECK(setup.await(stores.accounts.remove("juliet@capulet.example")));
        CHECK(setup.await(stores.sessions.takeAll()).empty());
    });
}

TEST_CASE("each node takes the sessions that it has saved") {
    overAllDatabases([](Setup& setup) {
        const AccountId juliet = makeAccount(setup, "juliet@capulet.example");
        SessionStore one{setup.database(), "one"};
        SessionStore two{setup.database(), "two"};
        setup.await(one.saveAll({session("id", juliet, "1")}));
        setup.await(two.saveAll({session("id", juliet, "2")}));
        CHECK(setup.await(one.takeAll()).at(0).state == "1");
        CHECK(setup.await(one.takeAll()).empty());
        CHECK(setup.await(two.takeAll()).at(0).state == "2");
    });
}
