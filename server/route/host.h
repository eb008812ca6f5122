// A virtual host, and what plugins have wired into it.
#pragma once

#include "core/option.h"
#include "core/task.h"
#include "route/background.h"
#include "route/hooks.h"
#include "route/iq.h"
#include "route/session_options.h"
#include "route/state_slots.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// Service discovery (XEP-0030): what host and accounts tell about themselves.
struct DiscoIdentity {
    std::string category;
    std::string type;
    std::string name;
};
struct DiscoItem {
    std::string jid;
    std::string node;
    std::string name;
};
struct DiscoEntry {
    std::vector<DiscoIdentity> identities;
    std::vector<std::string> features;
    std::vector<DiscoItem> items;
    // Data forms (XEP-0128): appends <x xmlns='jabber:x:data'/> to the answer.
    std::vector<std::function<void(Element& query)>> extensions;
};

// A request on a stream that nobody has logged in on (in-band registration).
using StreamIqHandler = std::function<Task<Reply>(const StreamFacts&, StanzaPtr)>;

// All that plugins have wired into one host. Built when plugins are loaded, then immutable and shared
// by the shards; a change makes a new one.
struct Services {
    Hook<OutgoingEvent> outgoing;
    Hook<IncomingEvent> incoming;
    Hook<ArchiveEvent> archive;
    Hook<DeliveredEvent> delivered;
    Hook<SessionOutputEvent> sessionOutput;
    Hook<SessionEvent> sessionBound;
    Hook<SessionEvent> sessionAvailable;  // its first available presence
    Hook<SessionEvent> sessionResumed;
    Hook<SessionEvent> sessionEnded;
    Hook<PresenceEvent> presenceChanged;
    Hook<AccountEvent> accountCreated;
    Hook<AccountEvent> accountRemoved;
    Hook<FeaturesEvent> features;
    IqTable iqs;
    std::map<std::pair<std::string, std::string>, StreamIqHandler> streamIqs;  // (name, ns)
    DiscoEntry hostDisco;
    DiscoEntry accountDisco;
    std::vector<BackgroundWork> background;
};

// A virtual host as one shard sees it: replaced parts come by post, so that reading needs no lock.
class Host {
public:
    Host(std::string domain, SettingsPtr settings, std::shared_ptr<const Services> services);

    const std::string& domain() const { return domain_; }
    const Jid& jid() const { return jid_; }
    const Services& services() const { return *services_; }
    // The services as a whole, for work that outlives this turn.
    const std::shared_ptr<const Services>& sharedServices() const { return services_; }
    template <typename T>
    const T& get(const Option<T>& option) const {
        return settings_->get(option, domain_);
    }
    const Settings& settings() const { return *settings_; }
    const SessionLimits& limits() const { return limits_; }
    void replace(SettingsPtr settings);
    void replace(std::shared_ptr<const Services> services) { services_ = std::move(services); }
    // What a plugin keeps for this host on this shard.
    StateSlots& slots() { return slots_; }
    template <typename T>
    T& state() {
        return slots_.get<T>();
    }
    // The background work of the services in force; the first shard's host alone does it.
    void startBackground(Executor& executor) { background_.start(executor, services_); }

private:
    std::string domain_;
    Jid jid_;
    SettingsPtr settings_;
    SessionLimits limits_;
    std::shared_ptr<const Services> services_;
    Background background_;
    StateSlots slots_;
};

}  // namespace epode
