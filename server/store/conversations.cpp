#include "store/conversations.h"

namespace epode {

std::int64_t findConversation(SqlConnection& connection, std::int64_t account,
                              std::string_view peer) {
    std::int64_t id = 0;
    connection.run("SELECT id FROM conversation WHERE account = ?1 AND peer = ?2", {account, peer},
                   [&](const SqlRow& row) { id = row.integer(0); });
    return id;
}

Conversations::Conversation& Conversations::with(SqlConnection& connection, std::int64_t account,
                                                 std::string_view peer) {
    const auto found = byPeer_.find(Key{account, peer});
    if (found != byPeer_.end()) {
        byUse_.splice(byUse_.begin(), byUse_, found->second);
        return found->second->conversation;
    }

    std::int64_t id = findConversation(connection, account, peer);
    if (id == 0) {
        connection.run("INSERT INTO conversation(account, peer) VALUES(?1, ?2) RETURNING id",
                       {account, peer}, [&](const SqlRow& row) { id = row.integer(0); });
    }

    if (byUse_.size() >= most_) {
        byPeer_.erase(Key{byUse_.back().account, byUse_.back().peer});
        byUse_.pop_back();
    }
    byUse_.push_front({account, std::string{peer}, {id, -1}});
    byPeer_.emplace(Key{account, byUse_.front().peer}, byUse_.begin());
    return byUse_.front().conversation;
}

void Conversations::clear() {
    byPeer_.clear();
    byUse_.clear();
}

}  // namespace epode
