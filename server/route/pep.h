// Personal eventing (XEP-0163) as the server's other plugins use it: what an account publishes
// about itself, read and written through the same engine as its clients' requests.
//
// A plugin gets at it with `host.services().pep` when it has something to do (null when nobody
// serves it); changes are told by the hook `Services::pepChanged`.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "core/time.h"
#include "route/hooks.h"
#include "route/iq.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

class Shard;

struct PepItem {
    std::string id;
    std::string payload;  // XML; empty when it has none
    WallTime published{};
};

struct PepPublication {
    std::string node;
    std::string id;       // empty: a new one is made
    std::string payload;  // XML of one element
    // Fields of the node's configuration ("pubsub#access_model", "open"): what the node is made
    // with, and, unless `keepsConfig`, what an existing one is changed to.
    std::vector<std::pair<std::string, std::string>> config;
    bool keepsConfig = true;
    // Comes back in the event, so that who mirrors one node in another knows its own echo.
    std::string_view origin;
};

class Pep {
public:
    virtual ~Pep() = default;

    // All on the account's shard. Nothing is returned when it is done and durable, else why not
    // (there is no such account: item-not-found). All throw StoreUnavailable.
    virtual Task<std::optional<StanzaError>> publish(Jid account, PepPublication publication) = 0;
    // The item must exist; subscribers are told.
    virtual Task<std::optional<StanzaError>> retract(Jid account, std::string node, std::string id,
                                                     std::string_view origin) = 0;
    virtual Task<std::optional<StanzaError>> removeNode(Jid account, std::string node,
                                                        std::string_view origin) = 0;
    // The newest `most`, oldest first; none when there is no such node.
    virtual Task<std::vector<PepItem>> items(Jid account, std::string node, std::size_t most) = 0;
    virtual Task<std::optional<PepItem>> item(Jid account, std::string node, std::string id) = 0;
    // Somebody has published there, even if all items are gone by now.
    virtual Task<bool> hasNode(Jid account, std::string node) = 0;
    // The sender may read this node of the account that it asks: as the access model of the node
    // says.
    virtual Task<bool> mayRead(Jid account, std::string node, Jid who) = 0;

    // Of service discovery: what a node tells about itself (`iq` names it), and the nodes of an
    // account that the sender may read; false when there are none.
    virtual Task<Reply> aboutNode(const Iq& iq) = 0;
    virtual Task<Reply> itemsOfNode(const Iq& iq) = 0;
    virtual Task<bool> addNodes(const Iq& iq, Element& query) = 0;
};

// Something was changed in an account's nodes, and is durable. On the account's shard.
struct PepEvent : Event {
    enum class Kind : std::uint8_t { Published, Retracted, Purged, Deleted };
    Kind kind;
    Shard& shard;
    const Jid& account;
    std::string_view node;
    std::string_view id;       // of the item; of Published and Retracted
    std::string_view payload;  // XML; of Published
    Jid publisher;             // the client that did it, or empty
    std::string_view origin;   // of the plugin that did it, or empty
    std::shared_ptr<const void> note{};  // what a handler of the PepRequest has left; of Published
    PepEvent(Kind k, Shard& s, const Jid& a, std::string_view n)
        : kind{k}, shard{s}, account{a}, node{n} {}
};

}  // namespace epode
