// Between what a store keeps of a password and what SASL works with.
#pragma once

#include "core/sasl/credentials.h"
#include "store/account_store.h"

#include <optional>
#include <string_view>
#include <vector>

namespace epode {

sasl::Credentials toCredentials(const AccountCredentials& stored);

// Salted keys of a new password for every hash that we offer; nothing when the password is not allowed
// (RFC 8265, OpaqueString). Takes milliseconds: for a worker.
std::optional<std::vector<StoredKeys>> makeKeys(std::string_view password);

}  // namespace epode
