// Letting somebody into the room that an invitation leads to.
#pragma once

#include "core/jid.h"

#include <string>

namespace epode {

class Server;

// The host invites the person there (XEP-0045, 7.8.2): a room of this server makes a member of whom
// the server itself invites, and tells the person's client. Nothing happens when the room is
// elsewhere or isn't there. From any thread.
void admitToRoom(Server& server, const std::string& host, const std::string& room,
                 const Jid& person);

}  // namespace epode
