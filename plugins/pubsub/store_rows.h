// Rows of publish-subscribe and how they are read, for the parts of the store.
#pragma once

#include "config_form.h"
#include "store.h"

namespace epode::pubsub {

inline ServiceKind kindOf(AccountId account) {
    return account == 0 ? ServiceKind::Domain : ServiceKind::Account;
}

// What a node holds; its row says so, that nobody has to count.
struct NodeSize {
    std::int64_t items = 0;
    std::int64_t bytes = 0;
};
// Nothing when there is no such node of this owner's. In the writer's transaction: nobody deletes
// it meanwhile.
std::optional<NodeSize> sizeOf(SqlConnection& connection, const NodeOwner& owner,
                               std::int64_t node);
void setSize(SqlConnection& connection, std::int64_t node, const NodeSize& size);

// `id, publisher, published_at, payload`.
Item readItem(const SqlRow& row);

// Removes the oldest items beyond `most`; their ids, oldest first. `size` is brought up to date.
std::vector<std::string> trim(SqlConnection& connection, const NodeOwner& owner, std::int64_t node,
                              std::int64_t most, NodeSize& size);

inline std::int64_t expiryOf(const Subscription& subscription) {
    return subscription.expires ? toMilliseconds(*subscription.expires) : 0;
}

}  // namespace epode::pubsub
