#include "store.h"

namespace epode::pubsub {

namespace {

// `account` is 0 for what belongs to a served domain. `place` is the order of publication within a
// node.
constexpr Migration first{"pubsub", 1, "nodes, items, subscriptions and affiliations", R"(
    CREATE TABLE pubsub_node(
        id {id},
        account {bigint} NOT NULL,
        domain {text} NOT NULL,
        name {text} NOT NULL,
        creator {text} NOT NULL,
        created_at {bigint} NOT NULL,
        expire_seconds {bigint} NOT NULL,
        items {bigint} NOT NULL,
        bytes {bigint} NOT NULL,
        config {text} NOT NULL);
    CREATE UNIQUE INDEX pubsub_node_by_name ON pubsub_node(account, domain, name);
    CREATE INDEX pubsub_node_by_creator ON pubsub_node(account, domain, creator);
    CREATE INDEX pubsub_node_by_expiry ON pubsub_node(expire_seconds);
    CREATE TABLE pubsub_item(
        account {bigint} NOT NULL,
        node {bigint} NOT NULL,
        id {text} NOT NULL,
        place {bigint} NOT NULL,
        publisher {text} NOT NULL,
        published_at {bigint} NOT NULL,
        payload {blob} NOT NULL,
        PRIMARY KEY(account, node, id));
    CREATE UNIQUE INDEX pubsub_item_by_place ON pubsub_item(account, node, place);
    CREATE TABLE pubsub_affiliation(
        account {bigint} NOT NULL,
        node {bigint} NOT NULL,
        jid {text} NOT NULL,
        affiliation {bigint} NOT NULL,
        PRIMARY KEY(account, node, jid)) {clustered};
    CREATE INDEX pubsub_affiliation_by_jid ON pubsub_affiliation(jid);
    CREATE TABLE pubsub_subscription(
        account {bigint} NOT NULL,
        node {bigint} NOT NULL,
        jid {text} NOT NULL,
        bare {text} NOT NULL,
        state {bigint} NOT NULL,
        delivers {bigint} NOT NULL,
        expires_at {bigint} NOT NULL,
        PRIMARY KEY(account, node, jid));
    CREATE INDEX pubsub_subscription_by_jid ON pubsub_subscription(bare);
    CREATE INDEX pubsub_subscription_by_expiry ON pubsub_subscription(expires_at);
    CREATE TABLE pubsub_moved(
        account {bigint} NOT NULL,
        domain {text} NOT NULL,
        name {text} NOT NULL,
        moved_at {bigint} NOT NULL,
        uri {text} NOT NULL,
        PRIMARY KEY(account, domain, name)) {clustered};
)"};

constexpr const Migration* all[] = {&first};

constexpr AccountTable tables[] = {
    {.table = "pubsub_node"},        {.table = "pubsub_item", .isLarge = true},
    {.table = "pubsub_affiliation"}, {.table = "pubsub_subscription", .isLarge = true},
    {.table = "pubsub_moved"},
};

}  // namespace

std::span<const Migration* const> Store::migrations() { return all; }
std::span<const AccountTable> Store::accountTables() { return tables; }

}  // namespace epode::pubsub
