// Requests and their answers (RFC 6120, 8.2.3): who serves which, and what a handler sees.
#pragma once

#include "core/hold.h"
#include "core/stanza.h"
#include "core/task.h"
#include "route/plugin_meter.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>

namespace epode {

class Account;
class Host;
class Session;
class Shard;
struct ServedDomain;

// Whom a request is addressed to: an account (no `to`, or a bare address), the host itself, a domain
// that a plugin serves, or a bare address below such a domain (a room).
enum class Addressee : std::uint8_t { Account, Host, Domain, Below };

// What a handler answers: a payload, an empty result, or a refusal.
class Reply {
public:
    Reply() = default;  // an empty result
    Reply(Document payload) : content_{std::move(payload)} {}
    Reply(StanzaError error) : content_{std::move(error)} {}
    // The handler has answered by itself, or the stanza needs no answer.
    static Reply none() {
        Reply reply;
        reply.content_ = None{};
        return reply;
    }
    bool isNone() const { return std::holds_alternative<None>(content_); }
    // The stanza that answers `request`.
    MutableStanzaPtr answer(const Stanza& request) const;

private:
    struct Empty {};
    struct None {};
    std::variant<Empty, None, Document, StanzaError> content_;
};

// A get or set on its way through a handler; lives until the handler is done. Accounts and sessions
// are looked up at each call, because they may be gone after a `co_await`.
class Iq {
public:
    Iq(StanzaPtr stanza, Addressee addressee, Host& host, Shard& shard,
       const ServedDomain* domain = nullptr)
        : stanza_{std::move(stanza)},
          addressee_{addressee},
          host_{host},
          shard_{shard},
          domain_{domain} {}

    const Stanza& stanza() const { return *stanza_; }
    const StanzaPtr& share() const { return stanza_; }
    const Jid& from() const { return stanza_->from(); }
    const Jid& to() const { return stanza_->to(); }
    StanzaType type() const { return stanza_->type(); }
    bool isSet() const { return stanza_->type() == StanzaType::Set; }
    const Element& payload() const { return *stanza_->payload(); }

    Host& host() const { return host_; }
    Shard& shard() const { return shard_; }
    // The account that it is addressed to; for a host or a served domain, an empty address.
    Jid owner() const;
    bool isToOwnAccount() const;  // the sender asks his own account
    bool isToHost() const { return addressee_ == Addressee::Host; }
    Addressee addressee() const { return addressee_; }
    // The served domain that it is addressed to, or to something below it; else null.
    const ServedDomain* domain() const { return domain_; }
    // The addressed account. It is loaded when the handler starts if there is one: null for strangers
    // who ask an address that nobody has, and who must not find out.
    Account* account() const;
    Session* sender() const;   // the sending session if it lives on this shard, or null

private:
    StanzaPtr stanza_;
    Addressee addressee_;
    Host& host_;
    Shard& shard_;
    const ServedDomain* domain_;
};

using IqHandler = std::function<Task<Reply>(const Iq&)>;

struct IqKey {
    StanzaType type;
    std::string name;
    std::string ns;
    Addressee addressee;
    auto operator<=>(const IqKey&) const = default;
};

// Handlers by (type, element, namespace, addressee).
class IqTable {
public:
    struct Entry {
        std::string owner;  // the plugin's name
        IqHandler handler;
        PluginMeter* meter = nullptr;  // outlives the services
    };
    void add(IqKey key, std::string_view owner, IqHandler handler, PluginMeter* meter = nullptr);
    const Entry* find(StanzaType type, std::string_view name, std::string_view ns,
                      Addressee addressee) const;

private:
    using View = std::tuple<StanzaType, std::string_view, std::string_view, Addressee>;
    static View view(const IqKey& key) { return {key.type, key.name, key.ns, key.addressee}; }
    static const View& view(const View& key) { return key; }
    struct HashOf {
        using is_transparent = void;
        std::size_t operator()(const View& key) const;
        std::size_t operator()(const IqKey& key) const { return (*this)(view(key)); }
    };
    struct Equal {
        using is_transparent = void;
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            return view(a) == view(b);
        }
    };
    std::unordered_map<IqKey, Entry, HashOf, Equal> entries_;
};

}  // namespace epode
