// Whom an account has blocked, and which addresses that means (XEP-0191, 6).
#pragma once

#include "core/jid.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode {

class BlockList {
public:
    bool empty() const { return entries_.empty(); }
    const std::vector<std::string>& entries() const { return entries_; }  // sorted
    bool contains(std::string_view entry) const;

    // Both say whether that has changed anything.
    bool add(std::string entry);
    bool remove(std::string_view entry);

    // The address itself, its bare address, its domain with this resource, or its domain.
    bool blocks(const Jid& jid) const;

private:
    std::vector<std::string> entries_;  // prepared addresses
};

}  // namespace epode
