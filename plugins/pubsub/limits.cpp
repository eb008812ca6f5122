#include "limits.h"

namespace epode::pubsub {

const Option<std::string> domainOption{
    .key = "pubsub.domain",
    .fallback = "pubsub.{host}",
    .help =
        "The domain of the publish-subscribe service; {host} stands for the virtual host. Empty: "
        "accounts have their nodes (personal eventing), and there is no service beside them.",
};
const Option<std::int64_t> cachedMax{
    .key = "pubsub.cached_max",
    .fallback = 5000,
    .range = {10, 10000000},
    .help = "How many accounts' nodes are kept in memory, on each shard.",
};
const Option<std::int64_t> capsMax{
    .key = "pubsub.caps_max",
    .fallback = 2000,
    .range = {10, 1000000},
    .help =
        "Of how many kinds of clients (XEP-0115) the server remembers what they want to hear of.",
};
const Option<bool> tellsOfAbsent{
    .key = "pubsub.last_items_of_absent",
    .fallback = true,
    .help =
        "Whether a client that comes online gets the last items of contacts, too, who are not "
        "online.",
};

namespace {

const Option<std::string> creatorsOption{
    .key = "pubsub.creators",
    .fallback = "accounts",
    .choices = {"nobody", "accounts", "everybody"},
    .help =
        "Who may create nodes at the publish-subscribe service: nobody, accounts of this server, "
        "or everybody.",
};
const Option<std::int64_t> nodesMax{
    .key = "pubsub.nodes_max",
    .fallback = 200,
    .range = {1, 100000},
    .help = "How many nodes an account may have, and how many more it may create at the service.",
};
const Option<std::int64_t> itemsMax{
    .key = "pubsub.items_max",
    .fallback = 1000,
    .range = {1, 1000000},
    .help = "How many items a node may keep: what 'max' means in its configuration.",
};
const Option<Bytes> itemBytesMax{
    .key = "pubsub.item_bytes_max",
    .fallback = 160_KiB,
    .range = {1_KiB, 240_KiB},
    .help = "The largest payload of an item.",
};
const Option<Bytes> bytesMax{
    .key = "pubsub.bytes_max",
    .fallback = 64_MiB,
    .range = {64_KiB, 64_GiB},
    .help =
        "How much the items in all nodes of an account may take; the same again for what it has "
        "created at the service.",
};
const Option<std::int64_t> subscriptionsMax{
    .key = "pubsub.subscriptions_max",
    .fallback = 5000,
    .range = {1, 1000000},
    .help = "How many subscribers a node may have, and so how many a publication is sent to.",
};
const Option<std::int64_t> pendingMax{
    .key = "pubsub.pending_max",
    .fallback = 100,
    .range = {1, 100000},
    .help = "How many subscriptions of a node may wait for an owner's approval.",
};
const Option<std::int64_t> affiliationsMax{
    .key = "pubsub.affiliations_max",
    .fallback = 1000,
    .range = {1, 1000000},
    .help = "How many owners, publishers, members and outcasts a node may have.",
};
const Option<std::int64_t> pageMax{
    .key = "pubsub.page_max",
    .fallback = 1000,
    .range = {1, 10000},
    .help = "The most items, nodes or subscriptions in one answer.",
};
const Option<std::int64_t> watchersMax{
    .key = "pubsub.watchers_max",
    .fallback = 1000,
    .range = {1, 1000000},
    .help =
        "How many clients of other servers, or of people who are no contacts, are notified of "
        "what an account publishes, because they have sent it their presence.",
};

}  // namespace

std::vector<OptionRef> options() {
    return {&domainOption, &creatorsOption,   &nodesMax,   &itemsMax,        &itemBytesMax,
            &bytesMax,     &subscriptionsMax, &pendingMax, &affiliationsMax, &pageMax,
            &watchersMax,  &cachedMax,        &capsMax,    &tellsOfAbsent};
}

Limits::Limits(const Settings& settings, const std::string& host)
    : nodesMax{settings.get(pubsub::nodesMax, host)},
      itemsMax{settings.get(pubsub::itemsMax, host)},
      itemBytesMax{std::int64_t(settings.get(pubsub::itemBytesMax, host).value)},
      bytesMax{std::int64_t(settings.get(pubsub::bytesMax, host).value)},
      subscriptionsMax{std::size_t(settings.get(pubsub::subscriptionsMax, host))},
      pendingMax{std::size_t(settings.get(pubsub::pendingMax, host))},
      affiliationsMax{std::size_t(settings.get(pubsub::affiliationsMax, host))},
      pageMax{settings.get(pubsub::pageMax, host)},
      watchersMax{std::size_t(settings.get(pubsub::watchersMax, host))},
      creators{settings.get(creatorsOption, host)} {}

}  // namespace epode::pubsub
