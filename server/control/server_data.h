// What the server itself keeps of accounts, as their files have it: keys of passwords, contacts,
// preferences of the archive. (The archive and what waits for delivery are large:
// account_archive.h.)
#pragma once

#include "route/account_data.h"

#include <vector>

namespace epode {

std::vector<OwnedData> serverData();

// Of one account: what tells whether and how somebody logs in.
struct ImportedAccount {
    std::vector<StoredKeys> keys;
    bool isDisabled = false;
    std::optional<WallTime> created;
};
// Takes <scram-credentials/> and our own <account/>. False for other elements, or bad ones.
bool readAccountElement(const Element& element, ImportedAccount& account);
std::string writeAccountElements(const AccountSummary& summary,
                                 const AccountCredentials& credentials);

// <values xmlns='urn:epode:account:0' component='…'/>: what a plugin keeps that has no form of its
// own.
std::string writeValues(std::string_view component,
                        const std::vector<std::pair<std::string, std::string>>& values);
struct ImportedValues {
    std::string component;
    std::vector<std::pair<std::string, std::string>> values;
    std::int64_t refused = 0;
};
std::optional<ImportedValues> readValues(const Element& element);

}  // namespace epode
