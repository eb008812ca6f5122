// How an invitation is passed on: addresses for clients and for browsers (XEP-0401, XEP-0379).
#pragma once

#include "invite_store.h"

#include <string>
#include <string_view>

namespace epode {

// Letters and digits, 142 bits of chance.
std::string makeToken();

// "xmpp:juliet@capulet.example?register;preauth=…", or "…?roster;preauth=…;ibr=y"; for somebody
// who has an account and is nobody's contact, the room's, "xmpp:orchard@rooms.example?join".
std::string inviteUri(const Invite& invite, std::string_view token);

// A page that explains it: `{token}`, `{host}`, `{inviter}` and `{uri}` in the template are
// replaced. Empty when the template is.
std::string landingUrl(std::string_view pattern, const Invite& invite, std::string_view token);

}  // namespace epode
