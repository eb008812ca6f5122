// A session that waits to be resumed, in the form in which it is kept over a restart.
#pragma once

#include <string>
#include <string_view>

namespace epode {

class Account;
class Session;

// Of a session with stream management.
std::string writeSnapshot(Session& session);

// Makes the session again, as it was when its connection was lost: the caller detaches or ends it. Null
// when the text is none, or the resource is taken.
Session* restoreSnapshot(Account& account, std::string_view resource, std::string_view smId,
                         std::string_view snapshot);

}  // namespace epode
