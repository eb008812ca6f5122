// The external components of the server (XEP-0114): which are configured, which instances of them
// are connected, and the way to these from every shard.
#pragma once

#include "core/hold.h"
#include "core/time.h"
#include "route/server.h"
#include "stream/component_options.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

class ComponentStreams;

// Which of several instances has asked something: the answer is for that one, whatever its
// addresses say. Thread-safe; remembers so many questions, of which the oldest are forgotten.
class AskingInstances {
public:
    void asked(const Stanza& request, unsigned slot);
    // Nothing when it is not known.
    std::optional<unsigned> takeAsking(const Stanza& answer);

private:
    std::mutex mutex_;
    std::unordered_map<std::string, unsigned> slots_;
    std::deque<std::string> order_;
};

// What an instance has done so far; counted by its stream, read by commands.
struct ComponentTraffic {
    std::atomic<std::uint64_t> stanzasIn{0}, stanzasOut{0}, bytesIn{0}, bytesOut{0};
};

// A connected instance. The slot is the lowest that was free: an instance that comes back takes its
// place, and with it its share of the addresses.
struct ComponentInstance {
    unsigned slot;
    unsigned shard;
    std::uint64_t stream;  // its number on the shard
    std::string address;   // where it connected from
    WallTime since;
    std::shared_ptr<ComponentTraffic> traffic;
};

class Components final : public Elsewhere {
public:
    // Nothing is configured at first.
    explicit Components(Server& server);
    ~Components() override;

    // What is configured from now on. Streams of what is not any more end. From any thread; before
    // plugins are wired, which may want a domain that is a component's.
    void configure(const Settings& settings, const std::vector<std::string>& domains);

    // The streams of a shard, for accepting connections on its thread.
    ComponentStreams& streams(unsigned shard) { return *streams_[shard]; }

    // Elsewhere
    bool route(const StanzaPtr& stanza, const Hold& hold, Shard& from) override;
    bool owns(std::string_view domain) const override;
    std::vector<std::string> domains() const override;
    std::vector<std::string> configured() const override;
    void tellAll(const StanzaPtr& stanza) override;
    std::vector<DiscoItem> itemsOf(std::string_view host, Shard& shard) const override;

    // For the streams, on their shard. Null when there is no such component.
    std::shared_ptr<const ComponentSettings> settings(std::string_view domain,
                                                      const Shard& shard) const;
    const HandshakeLimits& limits(const Shard& shard) const;
    // False when there are as many as there may be, or it is no component any more.
    bool join(const std::string& domain, ComponentInstance instance);
    void leave(const std::string& domain, unsigned shard, std::uint64_t stream);
    // It makes a request.
    void asks(const std::string& domain, const Stanza& request, const Shard& shard,
              std::uint64_t stream);
    // The host that a domain is below of, else the default host: who speaks to the component.
    const std::string& hostOf(std::string_view domain) const;

    // For commands; from any thread.
    struct Status {
        std::string domain;
        std::string name;
        std::vector<ComponentInstance> instances;
    };
    std::vector<Status> status() const;

    // Ends all streams, for a stop of the server; `done` runs when that is over, on some shard.
    void closeAll(std::function<void()> done);

private:
    struct Component {
        std::shared_ptr<const ComponentSettings> settings;
        std::vector<ComponentInstance> instances;  // by slot
        std::shared_ptr<AskingInstances> asking = std::make_shared<AskingInstances>();
    };
    // Immutable once it is shared; each shard has a pointer to the newest that it has heard of.
    struct Table {
        std::uint64_t version = 0;
        HandshakeLimits limits{Settings{}};
        std::map<std::string, Component, std::less<>> components;
    };
    using TablePtr = std::shared_ptr<const Table>;

    bool add(const std::string& domain, ComponentInstance instance);
    const Component* find(std::string_view domain, const Shard& shard) const;
    static const ComponentInstance& choose(const Component& component, const Stanza& stanza);
    void refuse(const Stanza& stanza, Shard& shard);
    // Puts a new table in force: here at once when this is a shard's thread, elsewhere by post.
    void publish(std::shared_ptr<Table> table);
    void take(unsigned shard, TablePtr table);

    Server& server_;
    std::vector<std::unique_ptr<ComponentStreams>> streams_;
    mutable std::mutex mutex_;
    TablePtr table_;               // the newest; under the mutex
    std::vector<TablePtr> views_;  // of each shard, touched by its thread alone
};

}  // namespace epode
