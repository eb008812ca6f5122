// Contacts that many accounts have in common without a row for each pair: the members of groups
// that an administrator makes. They are in the roster like others, with a subscription in both
// directions.
#pragma once

#include "route/roster.h"

#include <map>
#include <string>

namespace epode {

// One immutable object for all accounts that have the same ones. An account may be among them
// itself.
struct SharedContacts {
    std::map<Jid, Contact> contacts;  // each listed, and subscribed in both directions
    std::string version;  // another one when clients see another list; letters and digits
};

}  // namespace epode
