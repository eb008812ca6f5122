// Personal eventing (XEP-0163): who hears of what accounts publish without having subscribed: their
// own clients and those of their contacts, as far as they want to (filtered notifications).
#pragma once

#include "engine.h"
#include "interests.h"
#include "store/keyed_store.h"

#include <memory>
#include <string>
#include <vector>

namespace epode::pubsub {

class PersonalEventing final : public Audience {
public:
    PersonalEventing(Engine& engine, std::string host, std::size_t capsMax, bool tellsOfAbsent);

    void tell(Shard& shard, const RealmPtr& realm, const Node& node,
              const StanzaPtr& message) override;

    // Hooks.
    Verdict presenceChanged(PresenceEvent& event);
    Verdict arrives(IncomingEvent& event);

    // Reads what was learnt of clients before the restart. Once.
    Task<void> recall();

private:
    // What a publication is told of, on the shard of those who may want it.
    struct Notice {
        StanzaPtr message;
        std::string node;
        std::vector<Jid> to;        // bare
        std::vector<Jid> excluded;  // full: they have subscribed
    };
    // Who has become available, and hears the last items of these accounts.
    struct Arrival {
        Jid who;  // full
        InterestsPtr interests;
        InterestsPtr before;              // what it wanted until now, or null
        std::vector<std::string> owners;  // bare
    };
    using Keep = std::shared_ptr<const Services>;

    Keep keep(Shard& shard) const { return shard.host(host_)->sharedServices(); }
    void learn(Session& session, const CapsMark& mark, std::uint64_t markHash);
    void watch(Account& account, const Stanza& presence);
    void greet(Session& session, const InterestsPtr& interests, const InterestsPtr& before);
    void tellLast(Shard& shard, Arrival arrival);
    Task<void> sendLast(Shard& shard, Arrival arrival);
    void spread(Account& account, const RealmPtr& realm, const Node& node,
                const StanzaPtr& message);
    void deliver(Shard& shard, const Notice& notice);
    void remember(const std::string& key, const InterestsPtr& interests);

    Engine& engine_;
    const std::string host_;
    const Jid asker_;
    const bool tellsOfAbsent_;
    const std::size_t capsMax_;
    KeyedStore stored_;
    InterestsBook book_;
    std::vector<std::unique_ptr<InterestsAsker>> askers_;
};

}  // namespace epode::pubsub
