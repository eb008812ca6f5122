// A list of hashed addresses that somebody publishes in a node (XEP-0060): read as a whole now and
// then, and kept up by what is told in between. The ids of the items are SHA-256 in hexadecimal
// digits, as operators' lists have them.
#pragma once

#include "block_list.h"

#include "core/element.h"
#include "core/executor.h"
#include "core/stanza.h"
#include "core/task.h"
#include "route/shard.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace epode::moderation {

class PublishedList {
public:
    PublishedList(Jid service, std::string node)
        : service_{std::move(service)}, node_{std::move(node)} {}
    // "service/node"; null when it is no such text.
    static std::shared_ptr<PublishedList> parse(std::string_view text);

    // Asks for all items, and to be told of changes. Awaited on a shard; false when nothing could
    // be read, and what was known stays.
    Task<bool> read(Shard& shard, Jid asHost);
    // A notification: true when it was for this list, `isChanged` when that has changed it.
    bool take(const Stanza& message, bool& isChanged);

    std::shared_ptr<const Hashes> hashes();
    struct State {
        std::string name;
        std::size_t entries = 0;
        std::optional<WallTime> readAt;
    };
    State state();

private:
    const Jid service_;
    const std::string node_;
    std::mutex mutex_;
    std::shared_ptr<const Hashes> hashes_ = std::make_shared<Hashes>();
    std::optional<WallTime> readAt_;
};

}  // namespace epode::moderation
