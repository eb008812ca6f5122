// All streams of components on one shard.
#pragma once

#include "core/executor.h"
#include "core/hold.h"
#include "core/stanza.h"
#include "net/transport.h"
#include "stream/component_options.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace epode {

class Components;
class ComponentStream;
class Shard;

class ComponentStreams {
public:
    ComponentStreams(Components& components, Shard& shard);
    ~ComponentStreams();

    // A connection was accepted.
    void accept(std::unique_ptr<Transport> transport);

    Components& components() { return components_; }
    Shard& shard() { return shard_; }
    std::size_t count() const { return streams_.size(); }

    // Writes to the stream of this number. False when it is gone.
    bool deliver(std::uint64_t stream, const StanzaPtr& stanza, const Hold& hold);

    // What is configured has changed: who is no component any more, or has another secret, ends.
    void settingsChanged();
    // Another instance of the component has come; perhaps because this one's connection is lost,
    // and nobody has noticed.
    void lookAtOthers(const std::string& domain, std::uint64_t newcomer);

    // Ends all with system-shutdown when they have confirmed what was written to them, or after a
    // second. `kept` is dropped when all have.
    void closeAll(const std::shared_ptr<void>& kept);

    // Frees the stream when the turn is over.
    void release(std::uint64_t stream);

private:
    void startChecking();
    void check();
    template <typename Use>
    void each(Use use);

    Components& components_;
    Shard& shard_;
    std::map<std::uint64_t, std::unique_ptr<ComponentStream>> streams_;
    std::uint64_t next_ = 1;
    Timer checking_;
};

}  // namespace epode
