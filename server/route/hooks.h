// The places where plugins take part: typed events, run in a fixed order of phases.
#pragma once

#include "core/hold.h"
#include "core/log.h"
#include "core/stanza.h"
#include "route/plugin_meter.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

class Account;
class Element;
class Host;
class Session;
class Shard;
class SqlConnection;
class StreamFacts;
enum class Addressee : std::uint8_t;

// Handlers of one event run by phase, within a phase in the order in which plugins were loaded.
enum class Phase : std::uint8_t {
    Check,    // may refuse: blocking, limits, moderation
    Change,   // may edit a copy
    Act,      // does something because of it: copies, push
    Observe,  // looks only
};

enum class Verdict : std::uint8_t {
    Pass,
    Stop,  // the way ends here; `refusal`, when set, is what the sender reads
};

// A stanza on its way: shared until somebody changes it, then a copy.
class StanzaEdit {
public:
    explicit StanzaEdit(StanzaPtr stanza) : stanza_{std::move(stanza)} {}
    const Stanza& operator*() const { return *stanza_; }
    const Stanza* operator->() const { return stanza_.get(); }
    const StanzaPtr& share() const { return stanza_; }
    Stanza& change() {
        if (!copy_) {
            copy_ = stanza_->copy();
            stanza_ = copy_;
        }
        return *copy_;
    }
    bool isChanged() const { return copy_ != nullptr; }

private:
    StanzaPtr stanza_;
    MutableStanzaPtr copy_;
};

struct Event {
    std::optional<StanzaError> refusal;
};

// A stanza of one's own client, before it is routed. `from` is the session's full address.
struct OutgoingEvent : Event {
    Session& session;
    StanzaEdit& stanza;
    OutgoingEvent(Session& s, StanzaEdit& e) : session{s}, stanza{e} {}
};

// A stanza for an account or one of its resources, on the account's shard, before any rule.
struct IncomingEvent : Event {
    Account& account;
    StanzaEdit& stanza;
    const Hold& hold;  // who deals with the stanza later keeps a copy
    IncomingEvent(Account& a, StanzaEdit& e, const Hold& h) : account{a}, stanza{e}, hold{h} {}
};

// Shall this message be kept in the account's archive? What a hook puts into `keep` wins over the
// server's own rule; the account's preferences come after.
struct ArchiveEvent : Event {
    Account& account;
    const Stanza& message;
    bool outgoing;
    std::optional<bool> keep;
    ArchiveEvent(Account& a, const Stanza& m, bool o) : account{a}, message{m}, outgoing{o} {}
};

// A message was delivered by the rules of RFC 6121 (to `sessions`, or to nobody: it waits in the log,
// and comes once more when a client takes it from there), or the account itself has sent it.
struct DeliveredEvent : Event {
    Account& account;
    const StanzaPtr& message;
    std::string_view insertion;     // the XML that goes along: the stanza-id, the delay
    std::int64_t stamp = 0;         // for Account::deliverCopy; with `isFromLog` when it has come
    bool isFromLog = false;         // it has waited for the client that takes it now
    bool outgoing = false;          // sent by the account itself, for copies to its other resources
    Session* origin = nullptr;      // who sent it, of the account's own sessions
    std::vector<Session*> sessions;
    DeliveredEvent(Account& a, const StanzaPtr& m) : account{a}, message{m} {}
};

// Before a stanza is written to a session's stream or queue. Stop keeps it from that; who writes it
// later gives all three to Session::write, since a message is delivered when its stamp is acknowledged.
struct SessionOutputEvent : Event {
    Session& session;
    const StanzaPtr& stanza;
    std::string_view insertion;
    std::int64_t stamp;
    SessionOutputEvent(Session& s, const StanzaPtr& p, std::string_view i, std::int64_t t = 0)
        : session{s}, stanza{p}, insertion{i}, stamp{t} {}
};

// What is held back for a session has to be written now (Session::write): it belongs to the session,
// whose queue is saved, waits for the client, or goes back to the account.
struct ReleaseEvent : Event {
    enum class Reason : std::uint8_t {
        Detached,  // its connection is lost or closed, or it ends; a client that resumes it begins anew
        Rewired,   // plugins change: who holds things back may not be there any more
    };
    Session& session;
    Reason reason;
    ReleaseEvent(Session& s, Reason r) : session{s}, reason{r} {}
};

// A session was bound, became available for the first time, was resumed, or has ended for good.
struct SessionEvent : Event {
    Session& session;
    explicit SessionEvent(Session& s) : session{s} {}
};

// The broadcast presence of a session has changed. `before` is null when it was unavailable;
// `presence` is of type unavailable when it is now.
struct PresenceEvent : Event {
    Session& session;
    StanzaPtr before;
    StanzaPtr presence;
    PresenceEvent(Session& s, StanzaPtr b, StanzaPtr p)
        : session{s}, before{std::move(b)}, presence{std::move(p)} {}
};

// An account was made or removed; runs on the account's shard.
struct AccountEvent : Event {
    Jid account;
    explicit AccountEvent(Jid a) : account{std::move(a)} {}
};

// Something that the server is about to say for an account by itself: its presence to a contact, a
// notification. Stop keeps it back. Ask with mayReach (route/reach.h).
struct ReachEvent : Event {
    Account& account;
    const Jid& to;
    ReachEvent(Account& a, const Jid& t) : account{a}, to{t} {}
};

// A contact of the roster has changed, or is gone: the clients that have asked for the roster are
// told. `push` has no addresses yet.
struct RosterPushEvent : Event {
    Account& account;
    const StanzaPtr& push;
    RosterPushEvent(Account& a, const StanzaPtr& p) : account{a}, push{p} {}
};

// A client has blocked an address (XEP-0191): that is stored and in force. `item` is what the client
// has said of it, with whatever goes along.
struct BlockedEvent : Event {
    Account& account;
    const Jid& blocked;
    const Element& item;
    BlockedEvent(Account& a, const Jid& b, const Element& i) : account{a}, blocked{b}, item{i} {}
};

// A message or presence that is addressed to the host itself. Who takes it says Stop.
struct HostEvent : Event {
    Host& host;
    Shard& shard;
    const StanzaPtr& stanza;
    const Hold& hold;
    HostEvent(Host& h, Shard& s, const StanzaPtr& p, const Hold& o)
        : host{h}, shard{s}, stanza{p}, hold{o} {}
};

// A request that the server answers itself: to a host, or in the place of an account (which need not
// exist). Before its handler is looked for. Who says Stop without a refusal answers it.
struct RequestEvent : Event {
    Shard& shard;
    Host& host;
    Addressee addressee;
    const StanzaPtr& stanza;  // with exactly one child element
    const Hold& hold;
    RequestEvent(Shard& s, Host& h, Addressee a, const StanzaPtr& p, const Hold& o)
        : shard{s}, host{h}, addressee{a}, stanza{p}, hold{o} {}
};

// What a host or an account tells about itself (XEP-0030) is put together: `query` has it.
struct DiscoEvent : Event {
    Host& host;
    Addressee addressee;
    Element& query;
    DiscoEvent(Host& h, Addressee a, Element& q) : host{h}, addressee{a}, query{q} {}
};

// An instance of a component (XEP-0114) has connected. For every host. `send` writes to this
// instance alone.
struct ComponentEvent : Event {
    Host& host;
    Shard& shard;
    const std::string& domain;
    const std::function<void(StanzaPtr)>& send;
    ComponentEvent(Host& h, Shard& s, const std::string& d, const std::function<void(StanzaPtr)>& w)
        : host{h}, shard{s}, domain{d}, send{w} {}
};

// Somebody asks for the form of registration (XEP-0077), or sends it in: then `account` is what he
// wants to be called. Stop with a refusal ends it.
struct RegistrationEvent : Event {
    const StreamFacts& stream;
    const Jid* account;     // null for the form
    bool isAllowed;         // at first: whether everybody may
    bool isInvited = false;  // somebody vouches for him: the limits for strangers do not hold
    std::string username{};  // the name that he has to take, when there is one
    // In the transaction that makes the account: why it is not made after all.
    using Condition = std::function<std::optional<StanzaError>(SqlConnection&)>;
    std::vector<Condition> conditions{};
    std::vector<std::function<void(const Jid&)>> done{};  // the account exists
    RegistrationEvent(const StreamFacts& s, const Jid* a, bool allowed)
        : stream{s}, account{a}, isAllowed{allowed} {}
};

// The features of a stream are about to be sent.
struct FeaturesEvent : Event {
    const StreamFacts& stream;
    Element& features;
    FeaturesEvent(const StreamFacts& s, Element& f) : stream{s}, features{f} {}
};

// The offer of SASL2 (XEP-0388, 2.1) is about to be sent; see route/login.h. `authentication` is the
// whole, `inlined` what can be asked for along with the login.
struct LoginFeaturesEvent : Event {
    const StreamFacts& stream;
    const std::vector<std::string>& bindingTypes;  // of channel binding, on this connection
    Element& authentication;
    Element& inlined;
    LoginFeaturesEvent(const StreamFacts& s, const std::vector<std::string>& b, Element& a, Element& i)
        : stream{s}, bindingTypes{b}, authentication{a}, inlined{i} {}
};

template <typename E>
class Hook {
public:
    using Handler = std::function<Verdict(E&)>;

    void add(Phase phase, std::string_view owner, Handler handler, PluginMeter* meter = nullptr) {
        auto after = std::upper_bound(entries_.begin(), entries_.end(), phase,
                                      [](Phase p, const Entry& e) { return p < e.phase; });
        entries_.insert(after, Entry{phase, std::string{owner}, std::move(handler), meter});
    }

    bool empty() const { return entries_.empty(); }

    // A handler that throws ends this event's way with internal-server-error, not the server.
    Verdict run(E& event) const {
        for (const Entry& entry : entries_) {
            PluginMeter::Call call{entry.meter, PluginMeter::Kind::Hook};
            try {
                if (entry.handler(event) == Verdict::Stop) return Verdict::Stop;
            } catch (const std::exception& failure) {
                call.failed();
                return failed(event, entry.owner, failure.what());
            } catch (...) {
                call.failed();
                return failed(event, entry.owner, "unknown");
            }
        }
        return Verdict::Pass;
    }

private:
    struct Entry {
        Phase phase;
        std::string owner;
        Handler handler;
        PluginMeter* meter;  // outlives the services; null for what is no plugin's
    };
    static Verdict failed(E& event, const std::string& owner, std::string_view failure) {
        Log{"plugin"}.error("a hook failed", {{"plugin", owner}, {"failure", failure}});
        event.refusal = StanzaError{Condition::InternalServerError,
                                    "The server failed while it handled this."};
        return Verdict::Stop;
    }

    std::vector<Entry> entries_;
};

}  // namespace epode
