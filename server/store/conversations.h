// Conversations of accounts as numbers: archive rows hold a number instead of two addresses.
#pragma once

#include "store/sql.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace epode {

// Knows the numbers of those that were used last. Belongs to the writer's thread.
class Conversations {
public:
    explicit Conversations(std::size_t most = 65536) : most_{most} {}

    struct Conversation {
        std::int64_t id = 0;
        std::int64_t lastSpan = -1;  // where its last known entry is; see archive_store.cpp
    };
    // The conversation of an account with a bare address; made when it is new. The reference holds
    // until the next call.
    Conversation& with(SqlConnection& connection, std::int64_t account, std::string_view peer);
    // After a transaction or a work was undone: what it made is not there.
    void clear();

private:
    struct Key {
        std::int64_t account;
        std::string_view peer;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            return std::hash<std::string_view>{}(key.peer) ^
                   static_cast<std::size_t>(key.account) * 0x9E3779B97F4A7C15u;
        }
    };
    struct Known {
        std::int64_t account;
        std::string peer;
        Conversation conversation;
    };

    const std::size_t most_;
    std::list<Known> byUse_;  // the last used first; keys of the map point into it
    std::unordered_map<Key, std::list<Known>::iterator, KeyHash> byPeer_;
};

// The number of a conversation, 0 when the account never had one with this address.
std::int64_t findConversation(SqlConnection& connection, std::int64_t account,
                              std::string_view peer);

}  // namespace epode
