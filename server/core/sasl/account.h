// What the mechanisms of passwords have in common: whose account it is, and how nobody learns
// whether it exists.
#pragma once

#include "core/sasl/mechanisms.h"

#include <optional>
#include <string_view>
#include <variant>

namespace epode::sasl {

// The account of `username` (not prepared) if the client may act as `authzid` (empty: as itself),
// else why not.
std::variant<Jid, Failure> findAccount(const Setup& setup, std::string_view username,
                                       std::string_view authzid);

// The same words for a wrong password as for an account that does not exist.
Failure notAuthorized();

// Keys which belong to no password, always the same for one name, and which look like anybody's.
ScramKeys keysOfNobody(const Setup& setup, Hash hash, std::string_view account);

// Success, unless the account may not be used; asked only after the client has shown that it is
// its.
Step admit(const Credentials& credentials, Jid account, std::string bytes = {});

}  // namespace epode::sasl
