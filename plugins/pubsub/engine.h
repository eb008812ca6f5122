// Publish-subscribe (XEP-0060): one engine for the nodes of accounts (XEP-0163) and those of a
// served domain. This page is the table of contents; each group of requests has a file.
#pragma once

#include "access.h"
#include "events.h"
#include "interests.h"
#include "limits.h"
#include "plugin/plugin.h"
#include "realm.h"
#include "store.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::pubsub {

// One request on its way: it lives in the frame of Engine::answer until its handler is done.
struct Call {
    const Iq& iq;
    const Element& action;  // the first child of <pubsub/>
    ServiceKind kind;
    Jid bare;          // who asks
    std::string name;  // of the node; may be empty
    RealmPtr realm{};  // null for an account that is none, and for a domain as a whole
    NodePtr node{};    // null when there is no such node
    Relation relation{};
    std::shared_ptr<const void> note{};  // of a plugin; see pep_request.h

    Call(const Iq& request, const Element& first)
        : iq{request},
          action{first},
          kind{request.addressee() == Addressee::Domain ? ServiceKind::Domain
                                                        : ServiceKind::Account},
          bare{request.from().bare()},
          name{first.get("node")} {}
    const Element& payload() const { return iq.payload(); }
    bool isSender(const Jid& jid) const { return jid.bareText() == bare.text(); }
    bool isOwner() const { return node && realm->isOwner(*node, bare); }
};

// Who hears of what happens at accounts' nodes without having subscribed; see pep.h.
class Audience {
public:
    virtual ~Audience() = default;
    // Those who have subscribed are told already.
    virtual void tell(Shard& shard, const RealmPtr& realm, const Node& node,
                      const StanzaPtr& message) = 0;
};

class Engine {
public:
    Engine(Server& server, std::string host, Limits limits, std::size_t cachedMax);

    // Requests in the namespaces of subscribers and of owners.
    Task<Reply> answer(const Iq& iq);
    // A message to a service: an owner's decision about a subscription. False when it is none.
    bool receive(Shard& shard, Host& host, const StanzaPtr& message, ServiceKind kind);

    // Service discovery.
    Task<Reply> aboutNode(const Iq& iq);
    Task<Reply> itemsOfNode(const Iq& iq);
    Task<Reply> nodesOfDomain(const Iq& iq);
    Task<bool> addNodes(const Iq& iq, Element& query);

    // For the server's own plugins (route/pep.h); on the account's shard.
    Task<std::optional<StanzaError>> publish(Jid account, PepPublication publication);
    Task<std::optional<StanzaError>> retract(Jid account, std::string node, std::string id,
                                             std::string origin);
    Task<std::optional<StanzaError>> removeNode(Jid account, std::string node, std::string origin);
    Task<ItemPage> items(Jid account, std::string node, ItemQuery query);
    Task<bool> hasNode(Jid account, std::string node);
    Task<bool> mayRead(Jid account, std::string node, Jid who);

    Task<Duration> expire();

    void setAudience(Audience& audience) { audience_ = &audience; }
    Store& store() { return store_; }
    Realms& realms(Shard& shard) { return *realms_[shard.number()]; }
    Server& server() { return server_; }
    const Limits& limits() const { return limits_; }

    // What `who` is to the owner of the account, which is in memory; a stranger when it is not.
    static Relation relationTo(Account* account, const std::vector<std::string>& groups,
                               const Jid& who);
    static Relation relationTo(const Contact& contact, const std::vector<std::string>& groups);
    // Messages that tell of the newest item; null when there is none that can be told.
    Task<StanzaPtr> lastItem(RealmPtr realm, NodePtr node);

private:
    using Handler = Task<Reply> (Engine::*)(Call&);
    struct Route {
        std::string_view ns;
        std::string_view action;
        StanzaType type;
        enum class Needs : std::uint8_t { Nothing, Name, Node, Owner } needs;
        Handler handler;
    };
    static const Route routes[];
    Task<std::optional<StanzaError>> prepare(Call& call, Route::Needs needs);
    // Lets plugins look at a request about an account's node first.
    Task<std::optional<StanzaError>> askPlugins(Call& call);
    // What is known of an account's node by its name, or null.
    const PepNode* known(ServiceKind kind, std::string_view name) const;
    // The configuration of a new node that nobody has configured.
    NodeConfig configOfNew(ServiceKind kind, std::string_view name) const;
    // A private node has to stay one.
    std::optional<StanzaError> whyNotConfigure(ServiceKind kind, std::string_view name,
                                               const NodeConfig& config) const;
    Task<Relation> relationOf(Shard& shard, RealmPtr realm, NodePtr node, Jid who);

    // publishing.cpp
    Task<Reply> publish(Call& call);
    Task<Reply> retract(Call& call);
    struct Submission {
        Item item;
        bool hasPayload = false;
        std::string payloadNs;
        Jid publisher;  // full
        std::string origin;
        std::shared_ptr<const void> note;
        bool isTrusted = true;
    };
    Task<std::optional<StanzaError>> submit(Shard& shard, RealmPtr realm, NodePtr node,
                                            Submission submission);
    Task<std::optional<StanzaError>> withdraw(Shard& shard, RealmPtr realm, NodePtr node,
                                              std::vector<std::string> ids,
                                              std::optional<std::string> publisher, bool tells,
                                              std::string origin);
    // retrieval.cpp
    Task<Reply> items(Call& call);
    Task<Reply> ownSubscriptions(Call& call);
    Task<Reply> ownAffiliations(Call& call);

    // subscribing.cpp
    Task<Reply> subscribe(Call& call);
    Task<Reply> unsubscribe(Call& call);
    Task<Reply> tellOptions(Call& call);
    Task<Reply> setOptions(Call& call);
    Task<Reply> defaultOptions(Call& call);

    // nodes.cpp
    Task<Reply> create(Call& call);
    Task<Reply> tellConfig(Call& call);
    Task<Reply> configure(Call& call);
    Task<Reply> tellDefault(Call& call);
    Task<Reply> remove(Call& call);
    Task<Reply> purge(Call& call);
    bool mayCreate(const Call& call) const;
    // The node, or why there is none; both when somebody else has made it meanwhile.
    struct Creation {
        NodePtr node;
        std::optional<StanzaError> refusal;
    };
    Task<Creation> make(Shard& shard, RealmPtr realm, std::string name, std::string creator,
                        NodeConfig config);
    Task<std::optional<StanzaError>> change(Shard& shard, RealmPtr realm, NodePtr node,
                                            NodeConfig config);
    Task<std::optional<StanzaError>> erase(Shard& shard, RealmPtr realm, NodePtr node,
                                           std::string movedTo, std::string origin);

    // people.cpp
    Task<Reply> tellSubscriptions(Call& call);
    Task<Reply> manageSubscriptions(Call& call);
    Task<Reply> tellAffiliations(Call& call);
    Task<Reply> manageAffiliations(Call& call);
    Task<void> decide(Shard& shard, std::shared_ptr<const Services> keep, StanzaPtr message,
                      ServiceKind kind);
    void askOwners(Shard& shard, const Realm& realm, const Node& node, const Jid& subscriber);

    // Notifications.
    void notify(Shard& shard, const RealmPtr& realm, const NodePtr& node, const StanzaPtr& message,
                bool alsoPending = false);
    void tellSubscriber(const Realm& realm, const Node& node, const Jid& jid,
                        SubscriptionState state);
    Task<void> sendLast(Shard& shard, RealmPtr realm, NodePtr node, Jid to);
    void tellPlugins(Shard& shard, const Realm& realm, PepEvent& event);

    std::int64_t itemsMaxOf(const NodeConfig& config) const;
    std::optional<WallTime> notBefore(const NodeConfig& config, WallTime now) const;

    Server& server_;
    const std::string host_;
    const Limits limits_;
    Store store_;
    std::vector<std::unique_ptr<Realms>> realms_;
    Audience* audience_ = nullptr;
};

// Sends <iq type='result'/> with this content, which is copied to the client as it is; what can't
// be read again is refused.
Reply answerWith(const Iq& iq, std::string_view content);

}  // namespace epode::pubsub
