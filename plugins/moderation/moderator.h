// What the moderation of one host does: the rules of rooms, the limits for strangers, the lists of
// blocked addresses. Handlers run on the shard of whom they are about.
#pragma once

#include "block_store.h"
#include "options.h"
#include "published_list.h"
#include "strangers.h"

#include "route/hooks.h"
#include "route/host.h"
#include "route/server.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace epode::moderation {

class Moderator {
public:
    Moderator(Server& server, std::string host, Policy policy);

    Verdict inRoom(RoomEvent& event);
    Verdict arrive(IncomingEvent& event);
    Verdict leave(OutgoingEvent& event);
    Verdict toHost(HostEvent& event);

    Task<Duration> care();  // by the clock: what has a term ends, lists are read again

    // For commands, on any shard. What they change is in force everywhere when they are done.
    BlockStore& blocks() { return blocks_; }
    Task<void> readBlocks();
    const Policy& policy() const { return policy_; }
    // Name, entries, and when it was read; for who looks.
    std::vector<PublishedList::State> published();

private:
    // Of this host, on this shard; null while there are none.
    static const BlockList* blocked(Host& host);
    // Whether first messages of his may have no links.
    bool watchesLinksOf(Account& account, const Jid& jid) const;
    Verdict askToSubscribe(IncomingEvent& event);
    Task<void> spread();

    Server& server_;
    const std::string host_;
    const Policy policy_;
    BlockStore blocks_;
    HourlyCount requests_;
    std::mutex mutex_;  // of what follows
    std::vector<Blocked> entries_;
    std::vector<std::shared_ptr<PublishedList>> published_;
};

// Lets accounts log in again whose suspension is over; for the whole server.
Task<Duration> endSuspensions(Server& server);

}  // namespace epode::moderation
