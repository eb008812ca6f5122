// A session that waits to be resumed, in the form in which it is kept over a restart.
#pragma once

#include <string>
#include <string_view>

namespace epode {

class Account;
class Session;

// Of a session with stream management.
std::string writeSnapshot(const Session& session);

// Makes the session again: it waits for its client like one that has lost its connection. Does nothing
// when the text is none, or the resource is taken.
void restoreSnapshot(Account& account, std::string_view resource, std::string_view smId,
                     std::string_view snapshot);

}  // namespace epode
