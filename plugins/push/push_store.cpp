#include "push_store.h"

namespace epode::push {

namespace {

const Migration tables{"push", 1, "push services of clients", R"(
    CREATE TABLE push_registration(
        account {bigint} NOT NULL,
        service {text} NOT NULL,
        node {text} NOT NULL,
        resource {text} NOT NULL,
        options {text} NOT NULL,
        unread {bigint} NOT NULL,
        failures {bigint} NOT NULL,
        PRIMARY KEY(account, service, node)) {clustered};
)"};

}  // namespace

const std::vector<const Migration*>& PushStore::migrations() {
    static const std::vector<const Migration*> all{&tables};
    return all;
}

const AccountTable& PushStore::table() {
    static const AccountTable registrations{"push_registration"};
    return registrations;
}

std::vector<StoredRegistration> readRegistrations(SqlConnection& connection, AccountId account) {
    std::vector<StoredRegistration> found;
    connection.run(
        "SELECT service, node, resource, options, unread, failures FROM push_registration "
        "WHERE account = ?1 ORDER BY service, node",
        {account}, [&](const SqlRow& row) {
            found.push_back({std::string{row.text(0)}, std::string{row.text(1)},
                             std::string{row.text(2)}, std::string{row.text(3)}, row.integer(4),
                             row.integer(5)});
        });
    return found;
}

Task<bool> PushStore::put(AccountId account, StoredRegistration registration,
                          std::int64_t registrationsMax) {
    struct TooMany {};  // thrown, so that what was added is undone
    auto work = [account, registration = std::move(registration),
                 registrationsMax](SqlConnection& connection) {
        connection.run(
            "INSERT INTO push_registration VALUES(?1, ?2, ?3, ?4, ?5, 0, 0) "
            "ON CONFLICT(account, service, node) DO UPDATE SET "
            "resource = excluded.resource, options = excluded.options, unread = 0, failures = 0",
            {account, registration.service, registration.node, registration.resource,
             registration.options});
        std::int64_t count = 0;
        connection.run("SELECT count(*) FROM push_registration WHERE account = ?1", {account},
                       [&](const SqlRow& row) { count = row.integer(0); });
        if (count > registrationsMax) throw TooMany{};
    };
    auto write = database_.write(std::move(work));
    try {
        co_await write;
    } catch (const TooMany&) {
        co_return false;
    }
    co_return true;
}

Task<void> PushStore::remove(AccountId account, std::string service, std::string node) {
    auto work = [account, service = std::move(service),
                 node = std::move(node)](SqlConnection& connection) {
        connection.run(
            "DELETE FROM push_registration WHERE account = ?1 AND service = ?2 AND node = ?3",
            {account, service, node});
    };
    return database_.write(std::move(work));
}

Task<void> PushStore::removeAll(AccountId account, std::string service) {
    auto work = [account, service = std::move(service)](SqlConnection& connection) {
        connection.run("DELETE FROM push_registration WHERE account = ?1 AND service = ?2",
                       {account, service});
    };
    return database_.write(std::move(work));
}

Task<void> PushStore::count(AccountId account, StoredRegistration registration) {
    auto work = [account, registration = std::move(registration)](SqlConnection& connection) {
        connection.run(
            "UPDATE push_registration SET unread = ?4, failures = ?5 "
            "WHERE account = ?1 AND service = ?2 AND node = ?3",
            {account, registration.service, registration.node, registration.unread,
             registration.failures});
    };
    return database_.write(std::move(work));
}

}  // namespace epode::push
