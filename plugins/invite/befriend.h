// What an invitation does to rosters.
#pragma once

#include "core/hold.h"
#include "core/jid.h"
#include "core/stanza.h"

namespace epode {

class Account;
class Server;

// Two accounts of this server see each other from now on (XEP-0401, 5.5).
void befriend(Server& server, const Jid& one, const Jid& other);

// The account accepts a subscription request, and asks back (XEP-0379, 3.5).
void acceptRequest(Account& account, StanzaPtr request, Hold hold);

}  // namespace epode
