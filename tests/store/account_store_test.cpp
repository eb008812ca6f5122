#include "tests/store/databases.h"

#include "store/keyed_store.h"

using namespace epode;

namespace {

const WallTime day = fromMilliseconds(1'790'000'000'000);
const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";

StoredKeys keysOf(std::string hash, std::string salt) {
    return {std::move(hash), std::move(salt), 4096, std::string{"\0stored", 7}, "server\xff"};
}

std::vector<std::string> addressesOf(const std::vector<AccountSummary>& accounts) {
    std::vector<std::string> addresses;
    for (const auto& account : accounts) addresses.push_back(account.jid);
    return addresses;
}

}  // namespace

TEST_CASE("an account is created once, with its keys") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        const std::vector<StoredKeys> keys{keysOf("SHA-1", "salt"),
                                           keysOf("SHA-256", std::string{"\0\1", 2})};
        const auto account = setup.await(accounts.create(juliet, keys, day));
        REQUIRE(account);
        CHECK_FALSE(setup.await(accounts.create(juliet, {keysOf("SHA-1", "other")}, day)));

        const auto found = setup.await(accounts.credentials(juliet));
        REQUIRE(found);
        CHECK(found->account == *account);
        CHECK_FALSE(found->isDisabled);
        CHECK(found->keys == keys);
        CHECK_FALSE(setup.await(accounts.credentials(romeo)));
        CHECK(setup.await(accounts.find(juliet)) == account);
        CHECK_FALSE(setup.await(accounts.find(romeo)));
        const auto summary = setup.await(accounts.summary(juliet));
        REQUIRE(summary);
        CHECK(summary->created == day);
        CHECK_FALSE(summary->lastLogin);
        CHECK_FALSE(setup.await(accounts.summary(romeo)));
    });
}

TEST_CASE("new keys replace all old ones") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        setup.await(accounts.create(juliet, {keysOf("SHA-1", "a"), keysOf("SHA-256", "a")}, day));
        const std::vector<StoredKeys> keys{keysOf("SHA-256", "b")};
        CHECK(setup.await(accounts.setCredentials(juliet, keys)));
        CHECK(setup.await(accounts.credentials(juliet))->keys == keys);
        CHECK_FALSE(setup.await(accounts.setCredentials(romeo, keys)));
        CHECK(setup.await(accounts.setCredentials(juliet, {})));
        CHECK(setup.await(accounts.credentials(juliet))->keys.empty());
    });
}

TEST_CASE("a disabled account says so wherever it is asked for") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        setup.await(stores.accounts.create(juliet, {}, day));
        CHECK(setup.await(stores.accounts.setDisabled(juliet, true)));
        CHECK(setup.await(stores.accounts.credentials(juliet))->isDisabled);
        CHECK(setup.await(stores.accounts.summary(juliet))->isDisabled);
        CHECK(setup.await(stores.load(juliet))->isDisabled);
        CHECK(setup.await(stores.accounts.setDisabled(juliet, false)));
        CHECK_FALSE(setup.await(stores.load(juliet))->isDisabled);
        CHECK_FALSE(setup.await(stores.accounts.setDisabled(romeo, true)));
    });
}

TEST_CASE("an account is disabled for a reason and a time, which ends by itself") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        setup.await(accounts.create(juliet, {}, day));
        setup.await(accounts.create(romeo, {}, day));
        CHECK(setup.await(accounts.setDisabled(
            juliet, true, {.reason = "spam", .until = day + std::chrono::hours{1}})));
        CHECK(setup.await(accounts.setDisabled(romeo, true)));
        const auto disabling = setup.await(accounts.credentials(juliet))->disabling;
        CHECK(disabling.reason == "spam");
        CHECK(disabling.until == day + std::chrono::hours{1});
        CHECK(disabling.text().ends_with(": spam"));
        CHECK(setup.await(accounts.summary(juliet))->disabling.reason == "spam");
        CHECK(setup.await(accounts.summary(romeo))->disabling.text() ==
              "The account has been disabled.");

        CHECK(setup.await(accounts.endDisabling(day + std::chrono::minutes{59})).empty());
        CHECK(setup.await(accounts.endDisabling(day + std::chrono::hours{1})) ==
              std::vector<std::string>{juliet});
        CHECK_FALSE(setup.await(accounts.credentials(juliet))->isDisabled);
        CHECK(setup.await(accounts.summary(juliet))->disabling.reason.empty());
        // Without a time it is for good.
        CHECK(setup.await(accounts.endDisabling(day + std::chrono::hours{10000})).empty());
        CHECK(setup.await(accounts.credentials(romeo))->isDisabled);
    });
}

TEST_CASE("accounts are listed by address, in pages, for a domain or all") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        for (const auto* local : {"nurse", "juliet", "Älvira", "tybalt"}) {
            setup.await(accounts.create(std::string{local} + "@capulet.example", {}, day));
        }
        setup.await(accounts.create(romeo, {}, day));
        CHECK(setup.await(accounts.count("")) == 5);
        CHECK(setup.await(accounts.count("capulet.example")) == 4);
        CHECK(setup.await(accounts.count("nowhere.example")) == 0);

        using Texts = std::vector<std::string>;
        CHECK(addressesOf(setup.await(accounts.list("capulet.example", "", 3))) ==
              Texts{juliet, "nurse@capulet.example", "tybalt@capulet.example"});
        CHECK(addressesOf(setup.await(accounts.list("capulet.example", "tybalt@capulet.example",
                                                    3))) == Texts{"Älvira@capulet.example"});
        CHECK(addressesOf(setup.await(accounts.list("", "nurse@capulet.example", 2))) ==
              Texts{romeo, "tybalt@capulet.example"});
        CHECK(setup.await(accounts.list("nowhere.example", "", 10)).empty());
    });
}

TEST_CASE("the times of the last login and activity are kept") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        const auto account = setup.await(accounts.create(juliet, {}, day));
        accounts.noteLogin(setup.executor, *account, day + std::chrono::seconds{1});
        accounts.noteLogin(setup.executor, *account, day + std::chrono::seconds{2});
        accounts.noteActivity(setup.executor, *account, day + std::chrono::seconds{3});
        accounts.noteActivity(setup.executor, 4711, day);  // nobody
        setup.await(accounts.setDisabled(juliet, false));  // waits for a commit after them
        const auto summary = setup.await(accounts.summary(juliet));
        CHECK(summary->lastLogin == day + std::chrono::seconds{2});
        CHECK(summary->lastActivity == day + std::chrono::seconds{3});
        CHECK(setup.await(setup.stores().load(juliet))->lastActivity == summary->lastActivity);
    });
}

TEST_CASE("what is stored between the halves of a removal is erased by the second") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        KeyedStore keyed{setup.database(), "vcard"};
        const auto account = *setup.await(stores.accounts.create(juliet, {}, day));
        CHECK_FALSE(setup.await(stores.accounts.beginRemoval(romeo)));
        CHECK(setup.await(stores.accounts.beginRemoval(juliet)) == account);
        CHECK_FALSE(setup.await(stores.accounts.find(juliet)));
        setup.await(keyed.put(account, "vcard", "<vCard/>"));
        setup.await(stores.accounts.finishRemoval(account));
        CHECK_FALSE(setup.await(keyed.get(account, "vcard")));
    });
}

TEST_CASE("a removed account leaves nothing behind and its number is not used again") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        KeyedStore keyed{setup.database(), "vcard"};
        const auto fill = [&](AccountId account) {
            setup.await(keyed.put(account, "vcard", "<vCard/>"));
            setup.await(stores.rosters.put(account, {.jid = romeo}));
            setup.await(stores.rosters.putRequest(account, {romeo, "<presence/>"}, day));
            setup.await(stores.archive.setPreferences(account, {.always = {romeo}}));
            const SavedSession session{.id = "id", .account = account, .resource = "balcony"};
            setup.await(stores.sessions.saveAll({session}));
            stores.archive.setDelivered(setup.executor, account, day, {});
            for (int n = 0; n < 5; ++n) {
                ArchiveEntry entry{Uuid::at(day + std::chrono::milliseconds{n}), {}, "<message/>"};
                stores.archive.append(setup.executor, account, romeo, entry, {});
            }
        };
        const auto first =
            *setup.await(stores.accounts.create(juliet, {keysOf("SHA-1", "a")}, day));
        fill(first);
        CHECK(setup.await(stores.accounts.remove(juliet)));
        CHECK_FALSE(setup.await(stores.accounts.remove(juliet)));
        CHECK_FALSE(setup.await(stores.load(juliet)));

        // Every table that has a column for accounts is empty again.
        auto count = [](SqlConnection& connection) {
            std::vector<std::string> left;
            for (const auto* table :
                 {"credential", "account", "account_removal", "roster_item", "roster_version",
                  "roster_request", "archive", "conversation", "conversation_span",
                  "archive_delivered", "archive_preference", "keyed", "saved_session"}) {
                connection.run("SELECT 1 FROM " + std::string{table} + " LIMIT 1", {},
                               [&](const SqlRow&) { left.emplace_back(table); });
            }
            return left;
        };
        CHECK(setup.await(setup.database().read(count)) == std::vector<std::string>{});

        const auto second = *setup.await(stores.accounts.create(juliet, {}, day));
        CHECK(second > first);
        CHECK(setup.await(stores.rosters.load(second)).items.empty());
    });
}

TEST_CASE("what there is of an account is told by table, values of plugins by plugin") {
    overAllDatabases([](Setup& setup) {
        auto& accounts = setup.stores().accounts;
        const auto account = *setup.await(accounts.create(juliet, {keysOf("SHA-1", "salt")}, day));
        const auto other = *setup.await(accounts.create(romeo, {}, day));
        CHECK(setup.await(accounts.rows(other)).empty());
        KeyedStore vcards{setup.database(), "vcard"}, notes{setup.database(), "notes"};
        setup.await(vcards.put(account, "vcard", "<vCard/>"));
        setup.await(notes.put(account, "one", "1"));
        setup.await(notes.put(account, "two", "2"));
        CHECK(setup.await(KeyedStore::components(setup.database(), account)) ==
              std::vector<std::string>{"notes", "vcard"});
        std::vector<std::string> told;
        for (const auto& rows : setup.await(accounts.rows(account)))
            told.push_back(rows.table + ": " + std::to_string(rows.rows) + " " + rows.what);
        CHECK(told == std::vector<std::string>{"credential: 1 keys of the password",
                                               "keyed: 2 values of notes",
                                               "keyed: 1 values of vcard"});
        CHECK(setup.await(accounts.rows(other)).empty());
        CHECK(setup.await(accounts.remove(juliet)));
        CHECK(setup.await(accounts.rows(account)).empty());
    });
}

TEST_CASE("a removal that was interrupted is finished at the next start") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        KeyedStore keyed{setup.database(), "vcard"};
        const auto account = *setup.await(stores.accounts.create(juliet, {}, day));
        setup.await(keyed.put(account, "vcard", "<vCard/>"));
        // The state in which a crash after the first step leaves it.
        auto interrupt = [account](SqlConnection& connection) {
            connection.run("DELETE FROM account WHERE id = ?1", {account});
            connection.run("INSERT INTO account_removal VALUES(?1)", {account});
        };
        setup.await(setup.database().write(interrupt));
        setup.await(stores.accounts.finishRemovals());
        CHECK_FALSE(setup.await(keyed.get(account, "vcard")));
        setup.await(stores.accounts.finishRemovals());
    });
}

TEST_CASE("what belongs to accounts is declared for every table that has a column for them") {
    overDatabases({Kind::Memory}, [](Setup& setup) {
        setup.stores();
        auto work = [](SqlConnection& connection) {
            std::vector<std::string> tables;
            connection.run(
                "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c "
                "WHERE m.type = 'table' AND c.name = 'account' AND m.name <> 'account_removal'",
                {}, [&](const SqlRow& row) { tables.emplace_back(row.text(0)); });
            return tables;
        };
        auto tables = setup.await(setup.database().read(work));
        std::vector<std::string> declared{"credential"};
        for (const auto some : {RosterStore::accountTables(), ArchiveStore::accountTables(),
                                SessionStore::accountTables(), KeyedStore::accountTables(),
                                DeviceStore::accountTables()}) {
            for (const auto& table : some) declared.emplace_back(table.table);
        }
        std::sort(tables.begin(), tables.end());
        std::sort(declared.begin(), declared.end());
        CHECK(tables == declared);
    });
}
