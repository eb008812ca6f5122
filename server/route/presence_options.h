// Limits of contacts and presence: what the account's own clients and strangers can make grow.
#pragma once

#include "core/option.h"

#include <cstdint>
#include <vector>

namespace epode {

std::vector<OptionRef> presenceOptions();

// Contacts in one account's roster, whether they were put there by a roster set or by subscribing.
extern const Option<std::int64_t> rosterItemsMax;
// Unanswered subscription requests that are kept for one account.
extern const Option<std::int64_t> presenceRequestsMax;
// Of one kept request, as XML; a larger one is kept without its content.
extern const Option<Bytes> presenceRequestBytesMax;
// Addresses beside the contacts that one session's presence goes to (rooms, mostly).
extern const Option<std::int64_t> presenceDirectedMax;

}  // namespace epode
