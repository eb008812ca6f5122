// Where an account's clients want to be woken: rows of the plugin's own table.
#pragma once

#include "core/task.h"
#include "store/account_store.h"
#include "store/database.h"
#include "store/migration.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::push {

struct StoredRegistration {
    std::string service;  // address of the push service
    std::string node;
    std::string resource;  // of the client that has asked
    std::string options;   // the form that goes with each notification, as XML; may be empty
    std::int64_t unread = 0;
    std::int64_t failures = 0;  // in a row
};

std::vector<StoredRegistration> readRegistrations(SqlConnection& connection, AccountId account);

// No call blocks the loop. All throw StoreUnavailable when the database does not answer; what they
// change is durable once the task is done.
class PushStore {
public:
    explicit PushStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();
    static const AccountTable& table();

    // Replaces one of the same service and node. False, and nothing is stored, when the account
    // would have more than `registrationsMax`.
    Task<bool> put(AccountId account, StoredRegistration registration,
                   std::int64_t registrationsMax);
    Task<void> remove(AccountId account, std::string service, std::string node);
    // All of a service.
    Task<void> removeAll(AccountId account, std::string service);
    // The counts of one that may be gone meanwhile.
    Task<void> count(AccountId account, StoredRegistration registration);

private:
    Database& database_;
};

}  // namespace epode::push
