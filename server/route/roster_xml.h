// The roster as clients read it (RFC 6121, 2.1).
#pragma once

#include "core/stanza.h"
#include "route/roster.h"

#include <string>

namespace epode {

class Account;
class Session;

// Adds <item/> to a query. `Removed`: nothing but its address, with subscription='remove'.
enum class ItemForm { Full, Removed };
Element& addRosterItem(Element& query, const Contact& contact, ItemForm form = ItemForm::Full);

// The 'ver' attribute. It names the account, too: the numbers of one that was removed and made
// again start anew, and a client may still have the old ones.
std::string rosterVersionText(const Account& account, std::int64_t version);
// The number in a client's 'ver'; nothing when it was never this account's.
std::optional<std::int64_t> rosterVersion(const Account& account, std::string_view text);

// A push of the contact as it was with `version`. Send it readdressed to each resource.
StanzaPtr rosterPush(const Account& account, const Contact& contact, ItemForm form,
                     std::int64_t version);

}  // namespace epode
