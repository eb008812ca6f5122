// Whom nobody on this server wants to hear of: addresses and domains that the operator has named,
// and those of lists that others keep and publish as hashes. Immutable when it is made; shared.
#pragma once

#include "core/jid.h"
#include "core/time.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace epode::moderation {

struct Blocked {
    std::string target;  // a bare address or a domain
    std::string reason;
    std::string by;
    WallTime at{};
    std::optional<WallTime> until{};
};

// Lists that others publish: SHA-256 of bare addresses and of domains, in hexadecimal digits.
using Hashes = std::unordered_set<std::string>;
std::string hashOf(std::string_view bareOrDomain);

class BlockList {
public:
    BlockList() = default;
    BlockList(std::vector<Blocked> entries, std::vector<std::shared_ptr<const Hashes>> published);

    bool empty() const { return entries_.empty() && published_.empty(); }
    // By the operator's word: the address, its domain, or a domain above that.
    const Blocked* find(const Jid& jid, WallTime now) const;
    // By somebody else's word: the address or its domain.
    bool isPublished(const Jid& jid) const;

private:
    const Blocked* entry(std::string_view target, WallTime now) const;
    std::unordered_map<std::string, Blocked> entries_;
    std::vector<std::shared_ptr<const Hashes>> published_;
};

}  // namespace epode::moderation
