// Whether a message calls somebody by name, for who wants to hear of nothing else (XEP-0492).
#pragma once

namespace epode {
class Account;
class Stanza;
}  // namespace epode

namespace epode::push {

// By a reference (XEP-0372) to the account's address, or by its nick as a word of the text: the one
// that it has in the room, elsewhere the local part of its address. True for what is encrypted: the
// client has to see for itself.
bool mentions(const Stanza& message, const Account& account);

}  // namespace epode::push
