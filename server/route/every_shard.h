// Asks every shard the same question: `auto parts = co_await everyShard<Part>(server, look);`
#pragma once

#include "core/task.h"
#include "route/server.h"
#include "route/shard.h"

#include <functional>
#include <memory>
#include <vector>

namespace epode {

// `look(Shard&)` runs on each shard's own thread; the answers come in the order of the shards. Awaited
// on a shard.
template <typename Part>
Task<std::vector<Part>> everyShard(Server& server, std::function<Part(Shard&)> look) {
    struct Asking {
        std::vector<Part> parts;
        std::size_t missing;
        UniqueFunction<void(std::vector<Part>)> resolve;
    };
    Executor* const back = Executor::current();
    auto begin = [&server, &look, back](UniqueFunction<void(std::vector<Part>)> resolve) {
        auto asking = std::make_shared<Asking>();
        asking->parts.resize(server.shardCount());
        asking->missing = server.shardCount();
        asking->resolve = std::move(resolve);
        for (unsigned i = 0; i < server.shardCount(); ++i) {
            Shard& shard = server.shard(i);
            shard.executor().post([&shard, i, look, asking, back] {
                auto part = std::make_shared<Part>(look(shard));
                back->post([asking, part, i] {
                    asking->parts[i] = std::move(*part);
                    if (--asking->missing == 0) asking->resolve(std::move(asking->parts));
                });
            });
        }
    };
    Callback<std::vector<Part>> answered(std::move(begin));
    auto parts = co_await answered;
    co_return parts;
}

}  // namespace epode
