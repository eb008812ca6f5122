#include "tests/store/databases.h"

#include <algorithm>
#include <chrono>

using namespace epode;
using namespace std::chrono_literals;

namespace {

constexpr WallTime noon = WallTime{std::chrono::milliseconds{1'800'000'000'000}};

AccountId make(Setup& setup, Stores& stores, std::string jid) {
    return *setup.await(stores.accounts.create(std::move(jid), {}, noon));
}

StoredToken token(std::string nonce, Duration lifetime) {
    return {.nonce = std::move(nonce),
            .mechanism = "HT-SHA-256-NONE",
            .issued = noon,
            .expires = noon + std::chrono::duration_cast<std::chrono::milliseconds>(lifetime)};
}

std::string nonces(const std::optional<DeviceTokens>& found) {
    if (!found) return "no account";
    std::vector<std::string> all;
    for (const auto& one : found->tokens) all.push_back(one.nonce);
    std::sort(all.begin(), all.end());
    std::string text;
    for (const auto& one : all) text += one + " ";
    return text;
}

DeviceLogin seen(AccountId account, std::string device, Duration after, bool byPassword = true) {
    return {.account = account,
            .device = std::move(device),
            .software = "Balcony",
            .name = "phone",
            .byPassword = byPassword,
            .when = noon + std::chrono::duration_cast<std::chrono::milliseconds>(after)};
}

std::string names(const std::vector<StoredDevice>& devices) {
    std::string text;
    for (const auto& device : devices) text += device.device + " ";
    return text;
}

}  // namespace

TEST_CASE("a device is kept with its first and its last login") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& devices = stores.devices;
        const auto juliet = make(setup, stores, "juliet@capulet.example");
        const auto romeo = make(setup, stores, "romeo@capulet.example");
        const auto note = [&](DeviceLogin login, std::int64_t most) {
            devices.noteLogin(setup.executor, std::move(login), most);
            setup.await(devices.forgetTokens(0, ""));  // behind it in the writer's queue
        };
        note(seen(juliet, "phone", 0s, false), 9);
        note(seen(romeo, "phone", 1s), 9);
        note(seen(juliet, "phone", 2s, true), 9);
        note(seen(juliet, "phone", 3s, false), 9);
        note(seen(juliet, "laptop", 1s), 9);
        note(seen(999, "nobody's", 1s), 9);
        const auto found = setup.await(devices.list(juliet));
        REQUIRE(names(found) == "phone laptop ");
        CHECK(found[0].firstSeen == noon);
        CHECK(found[0].lastSeen == noon + 3s);
        CHECK(found[0].hasPassword);
        CHECK_FALSE(found[0].tokenExpires);
        CHECK(setup.await(devices.list(999)).empty());

        // The one that was away longest goes, with its token.
        setup.await(devices.putToken(juliet, "laptop", token("a", 1h), 9));
        note(seen(juliet, "tablet", 4s), 2);
        CHECK(names(setup.await(devices.list(juliet))) == "tablet phone ");
        CHECK(nonces(setup.await(devices.tokens("juliet@capulet.example", "laptop"))) == "");
        CHECK(names(setup.await(devices.list(romeo))) == "phone ");

        CHECK(setup.await(devices.forget(juliet, "phone")));
        CHECK_FALSE(setup.await(devices.forget(juliet, "phone")));
        CHECK(names(setup.await(devices.list(romeo))) == "phone ");
    });
}

TEST_CASE("a device has at most a token that it uses and one that it may not have got") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& devices = stores.devices;
        const std::string jid = "juliet@capulet.example";
        const auto juliet = make(setup, stores, jid);
        const auto all = [&] { return nonces(setup.await(devices.tokens(jid, "phone"))); };
        CHECK(nonces(setup.await(devices.tokens("nobody@capulet.example", "phone"))) ==
              "no account");
        CHECK(all() == "");

        setup.await(devices.putToken(juliet, "phone", token("a", 1h), 9));
        setup.await(devices.putToken(juliet, "phone", token("b", 2h), 9));
        CHECK(all() == "b ");
        CHECK_FALSE(setup.await(devices.useToken(juliet, "phone", "a", std::nullopt)));
        CHECK(setup.await(devices.useToken(juliet, "phone", "b", std::nullopt)));
        setup.await(devices.putToken(juliet, "phone", token("c", 3h), 9));
        setup.await(devices.putToken(juliet, "phone", token("d", 4h), 9));
        CHECK(all() == "b d ");
        CHECK(setup.await(devices.useToken(juliet, "phone", "b", std::nullopt)));
        CHECK(all() == "b d ");
        CHECK(setup.await(devices.useToken(juliet, "phone", "d", std::nullopt)));
        CHECK(all() == "d ");
        CHECK_FALSE(setup.await(devices.useToken(juliet, "laptop", "d", std::nullopt)));
        CHECK(setup.await(devices.forgetTokens(juliet, "phone")));
        CHECK_FALSE(setup.await(devices.forgetTokens(juliet, "phone")));
    });
}

TEST_CASE("the counter of a token only grows") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& devices = stores.devices;
        const auto juliet = make(setup, stores, "juliet@capulet.example");
        setup.await(devices.putToken(juliet, "phone", token("a", 1h), 9));
        CHECK(setup.await(devices.useToken(juliet, "phone", "a", 3)));
        CHECK_FALSE(setup.await(devices.useToken(juliet, "phone", "a", 3)));
        CHECK_FALSE(setup.await(devices.useToken(juliet, "phone", "a", 2)));
        CHECK(setup.await(devices.useToken(juliet, "phone", "a", std::nullopt)));
        CHECK(setup.await(devices.useToken(juliet, "phone", "a", 2147483647)));
        CHECK(setup.await(devices.tokens("juliet@capulet.example", "phone"))->tokens[0].counter ==
              2147483647);
    });
}

TEST_CASE("of too many devices the one whose token expires first loses it") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& devices = stores.devices;
        const std::string jid = "juliet@capulet.example";
        const auto juliet = make(setup, stores, jid);
        setup.await(devices.putToken(juliet, "one", token("a", 2h), 2));
        setup.await(devices.putToken(juliet, "two", token("b", 1h), 2));
        setup.await(devices.putToken(juliet, "three", token("c", 3h), 2));
        CHECK(nonces(setup.await(devices.tokens(jid, "one"))) == "a ");
        CHECK(nonces(setup.await(devices.tokens(jid, "two"))) == "");
        CHECK(nonces(setup.await(devices.tokens(jid, "three"))) == "c ");
    });
}

TEST_CASE("tokens end with the password, with the account, and with their time") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        auto& devices = stores.devices;
        const std::string jid = "juliet@capulet.example";
        const auto juliet = make(setup, stores, jid);
        const auto romeo = make(setup, stores, "romeo@capulet.example");
        devices.noteLogin(setup.executor, seen(juliet, "phone", 0s), 9);
        setup.await(devices.putToken(juliet, "phone", token("a", 1h), 9));
        setup.await(devices.putToken(romeo, "phone", token("b", 2h), 9));

        CHECK(setup.await(stores.accounts.setCredentials(jid, {})));
        CHECK(nonces(setup.await(devices.tokens(jid, "phone"))) == "");
        CHECK_FALSE(setup.await(devices.list(juliet)).front().hasPassword);
        CHECK(nonces(setup.await(devices.tokens("romeo@capulet.example", "phone"))) == "b ");

        setup.await(devices.putToken(juliet, "phone", token("c", 1h), 9));
        CHECK(setup.await(devices.expire(noon + 1h, noon + 1h, 9)) == 0);
        CHECK(setup.await(devices.expire(noon + 1h + 1ms, noon, 9)) == 1);
        CHECK(nonces(setup.await(devices.tokens(jid, "phone"))) == "");
        CHECK(setup.await(devices.expire(noon + 1h, noon + 1ms, 9)) == 1);
        CHECK(setup.await(devices.list(juliet)).empty());

        CHECK(setup.await(stores.accounts.remove("romeo@capulet.example")));
        // What comes too late stays out.
        setup.await(devices.putToken(romeo, "phone", token("d", 2h), 9));
        CHECK(setup.await(devices.expire(noon + 9h, noon, 9)) == 0);
    });
}

TEST_CASE("keys for another hash are added, and never replaced") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        const std::string jid = "juliet@capulet.example";
        const StoredKeys old{"SHA-1", "salt", 1, "stored", "server"};
        const StoredKeys fresh{"SHA-256", "pepper", 4096, "key", "other"};
        const auto juliet = *setup.await(accounts.create(jid, {old}, noon));
        setup.await(accounts.addCredentials(juliet, fresh));
        setup.await(accounts.addCredentials(juliet, {"SHA-1", "x", 2, "y", "z"}));
        setup.await(accounts.addCredentials(999, fresh));
        CHECK(setup.await(accounts.credentials(jid))->keys == std::vector{old, fresh});
    });
}
