// A virtual host, and what plugins have wired into it.
#pragma once

#include "core/option.h"
#include "core/task.h"
#include "net/http_route.h"
#include "route/ad_hoc.h"
#include "route/async_hook.h"
#include "route/background.h"
#include "route/bearers.h"
#include "route/chat_settings.h"
#include "route/disco_entry.h"
#include "route/hooks.h"
#include "route/iq.h"
#include "route/login.h"
#include "route/pep.h"
#include "route/pep_request.h"
#include "route/permissions.h"
#include "route/private_xml.h"
#include "route/room_events.h"
#include "route/served_domain.h"
#include "route/session_options.h"
#include "route/state_slots.h"
#include "route/vcard_events.h"
#include "store/account_store.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// A request on a stream that nobody has logged in on (in-band registration).
using StreamIqHandler = std::function<Task<Reply>(const StreamFacts&, StanzaPtr)>;

// Nodes of a host's or an account's discovery (XEP-0030, 3) that a plugin answers for: both #info and
// #items, as it would be asked without disco.
struct DiscoNodes {
    Addressee addressee;
    std::function<bool(const Iq&)> isOwn;
    IqHandler answer;
};

// What a plugin has to know of an account before its first stanza. `read` runs on a thread of the
// database, in the same trip that reads the account; what it returns (or nothing) is called with the
// account on its shard, before anything else is.
using AccountSetup = UniqueFunction<void(Account&)>;
struct AccountReader {
    std::string owner;  // the plugin's name
    std::function<AccountSetup(SqlConnection&, AccountId)> read;
};

// An element of a session's stream that is no stanza, such as <active/> of XEP-0352.
using StreamElementHandler = std::function<void(Session&, const Element&)>;

// All that plugins have wired into one host. Built when plugins are loaded, then immutable and shared
// by the shards; a change makes a new one.
struct Services {
    Hook<OutgoingEvent> outgoing;
    Hook<IncomingEvent> incoming;
    Hook<ArchiveEvent> archive;
    Hook<DeliveredEvent> delivered;
    Hook<SessionOutputEvent> sessionOutput;
    Hook<ReleaseEvent> releaseOutput;
    Hook<SessionEvent> sessionBound;
    Hook<SessionEvent> sessionAvailable;  // its first available presence
    Hook<SessionEvent> sessionResumed;
    Hook<SessionEvent> sessionEnded;
    Hook<PresenceEvent> presenceChanged;
    Hook<AccountEvent> accountCreated;
    Hook<AccountEvent> accountRemoved;
    Hook<FeaturesEvent> features;
    Hook<ReachEvent> reaches;
    Hook<BlockedEvent> blocked;
    Hook<HostEvent> toHost;
    Hook<RegistrationEvent> registering;
    Hook<ComponentEvent> componentConnected;
    Hook<RequestEvent> requested;
    Hook<DiscoEvent> discoTold;
    Hook<RosterPushEvent> rosterPushed;
    Hook<RoomEvent> inRoom;
    std::vector<RoomField> roomFields;
    std::vector<AccountReader> accountReaders;
    // While a client logs in; see route/login.h.
    Hook<LoginFeaturesEvent> loginFeatures;
    std::map<std::string, LoginMethod, std::less<>> loginMethods;  // by name of the mechanism
    std::vector<LoginTaskMaker> loginTasks;
    std::vector<LoginHandler> logins;
    std::vector<LoginHandler> bindings;
    std::vector<InlineFeature> inlines;
    Hook<PepEvent> pepChanged;
    Pep* pep = nullptr;  // of the plugin that serves it
    AsyncHook<PepRequest> pepRequested;
    std::map<std::string, PepNode, std::less<>> pepNodes;  // what is known of nodes, by name
    AsyncHook<PrivateXmlAsked> privateXmlAsked;
    AsyncHook<PrivateXmlGiven> privateXmlGiven;
    AsyncHook<VcardShown> vcardShown;
    AsyncHook<VcardGiven> vcardGiven;
    ChatSettings* chatSettings = nullptr;  // of the plugin that knows them
    Bearers* bearers = nullptr;            // of the plugin that knows tokens
    Permissions* permissions = nullptr;    // of the plugin that knows operators
    IqTable iqs;
    std::map<std::pair<std::string, std::string>, StreamIqHandler> streamIqs;  // (name, ns)
    std::map<std::pair<std::string, std::string>, StreamElementHandler> streamElements;  // (name, ns)
    std::vector<SavedSlot> savedStates;  // of sessions that wait for a restart
    DiscoEntry hostDisco;
    DiscoEntry accountDisco;
    std::vector<DiscoNodes> discoNodes;
    std::vector<AdHocCommand> adHocCommands;
    std::vector<HttpRoute> httpRoutes;
    std::deque<ServedDomain> domains;  // references to them stay valid while plugins are wired
    std::vector<BackgroundWork> background;
};

class Shard;

// What else happens when a host gets other services: for plugins that were replaced by another version.
struct ServicesChange {
    // Those plugins' names: accounts in memory are read for them anew.
    std::vector<std::string> anew;
    // On each shard, right after it has taken the new services.
    std::function<void(Shard&, Host&, const Services& before)> taken;
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
    // What a plugin keeps for this host on this shard.
    StateSlots& slots() { return slots_; }
    template <typename T>
    T& state() {
        return slots_.get<T>();
    }
    void replace(std::shared_ptr<const Services> services) {
        readers_ = services;
        services_ = std::move(services);
    }
    // Whose readers an account is loaded with: those of the services in force, or of those that
    // will be when the accounts in memory have been read for them.
    const std::shared_ptr<const Services>& readers() const { return readers_; }
    void setReaders(std::shared_ptr<const Services> services) { readers_ = std::move(services); }
    // The background work of the services in force; the first shard's host alone does it.
    void startBackground(Executor& executor) { background_.start(executor, services_); }

private:
    std::string domain_;
    Jid jid_;
    SettingsPtr settings_;
    SessionLimits limits_;
    std::shared_ptr<const Services> services_;
    std::shared_ptr<const Services> readers_;
    Background background_;
    StateSlots slots_;
};

}  // namespace epode
