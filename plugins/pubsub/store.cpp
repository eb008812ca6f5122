#include "store.h"

#include "config_form.h"
#include "store_rows.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

// The last item of a node is kept in memory with it when it is no larger.
constexpr std::int64_t keptBytesMax = 4096;

void readPeople(SqlConnection& connection, AccountId account, Node& node) {
    connection.run(
        "SELECT jid, affiliation FROM pubsub_affiliation WHERE account = ?1 AND node = ?2",
        {account, node.id}, [&](const SqlRow& row) {
            if (auto jid = Jid::parse(row.text(0)))
                node.affiliations.emplace(std::move(*jid), Affiliation(row.integer(1)));
        });
    connection.run(
        "SELECT jid, state, delivers, expires_at FROM pubsub_subscription "
        "WHERE account = ?1 AND node = ?2",
        {account, node.id}, [&](const SqlRow& row) {
            auto jid = Jid::parse(row.text(0));
            if (!jid) return;
            Subscription subscription{.state = SubscriptionState(row.integer(1)),
                                      .delivers = row.integer(2) != 0};
            if (row.integer(3) != 0) subscription.expires = fromMilliseconds(row.integer(3));
            node.subscriptions.emplace(std::move(*jid), subscription);
        });
}

void readLast(SqlConnection& connection, AccountId account, Node& node) {
    node.lastState = Node::Last::None;
    connection.run(
        "SELECT id, publisher, published_at, "
        "CASE WHEN LENGTH(payload) <= ?3 THEN payload END, LENGTH(payload) FROM pubsub_item "
        "WHERE account = ?1 AND node = ?2 ORDER BY place DESC LIMIT 1",
        {account, node.id, keptBytesMax}, [&](const SqlRow& row) {
            node.lastState =
                row.integer(4) <= keptBytesMax ? Node::Last::Known : Node::Last::Unknown;
            if (node.lastState == Node::Last::Known) node.last = readItem(row);
        });
}

constexpr std::string_view nodeColumns = "id, name, creator, created_at, config";

Node readNode(const SqlRow& row, ServiceKind kind) {
    Node node;
    node.id = row.integer(0);
    node.name = row.text(1);
    node.creator = row.text(2);
    node.created = fromMilliseconds(row.integer(3));
    node.config = readConfig(row.text(4), kind);
    return node;
}

void readNodes(SqlConnection& connection, const NodeOwner& owner, StoredNodes& found) {
    static const std::string sql = "SELECT " + std::string{nodeColumns} +
                                   " FROM pubsub_node WHERE account = ?1 AND domain = ?2 "
                                   "ORDER BY name";
    connection.run(sql, {owner.account, owner.domain}, [&](const SqlRow& row) {
        found.nodes.push_back(readNode(row, kindOf(owner.account)));
    });
    for (Node& node : found.nodes) {
        readPeople(connection, owner.account, node);
        if (node.config.persistItems) readLast(connection, owner.account, node);
    }
    connection.run("SELECT name, uri FROM pubsub_moved WHERE account = ?1 AND domain = ?2",
                   {owner.account, owner.domain},
                   [&](const SqlRow& row) { found.moved.emplace(row.text(0), row.text(1)); });
}

}  // namespace

std::optional<NodeSize> sizeOf(SqlConnection& connection, const NodeOwner& owner,
                               std::int64_t node) {
    std::optional<NodeSize> found;
    connection.run("SELECT items, bytes FROM pubsub_node WHERE id = ?1 AND account = ?2",
                   {node, owner.account}, [&](const SqlRow& row) {
                       found = NodeSize{.items = row.integer(0), .bytes = row.integer(1)};
                   });
    return found;
}

void setSize(SqlConnection& connection, std::int64_t node, const NodeSize& size) {
    connection.run("UPDATE pubsub_node SET items = ?2, bytes = ?3 WHERE id = ?1",
                   {node, size.items, size.bytes});
}

Item readItem(const SqlRow& row) {
    return {.id = std::string{row.text(0)},
            .publisher = std::string{row.text(1)},
            .published = fromMilliseconds(row.integer(2)),
            .payload = std::string{row.blob(3)}};
}

std::vector<std::string> trim(SqlConnection& connection, const NodeOwner& owner, std::int64_t node,
                              std::int64_t most, NodeSize& size) {
    std::vector<std::string> removed;
    if (size.items <= most) return removed;
    std::int64_t bound = 0;  // the place of the newest that has to go
    connection.run(
        "SELECT id, place, LENGTH(payload) FROM pubsub_item WHERE account = ?1 AND node = ?2 "
        "ORDER BY place LIMIT ?3",
        {owner.account, node, size.items - most}, [&](const SqlRow& row) {
            removed.emplace_back(row.text(0));
            bound = row.integer(1);
            size.bytes -= row.integer(2);
        });
    size.items -= std::int64_t(removed.size());
    connection.run("DELETE FROM pubsub_item WHERE account = ?1 AND node = ?2 AND place <= ?3",
                   {owner.account, node, bound});
    return removed;
}

Task<std::vector<std::pair<std::string, StoredNodes>>> Store::loadAccounts(
    std::vector<std::string> jids) {
    auto work = [jids = std::move(jids)](SqlConnection& connection) {
        std::vector<std::pair<std::string, StoredNodes>> all;
        for (const auto& jid : jids) {
            StoredNodes found;
            connection.run("SELECT id FROM account WHERE jid = ?1", {jid},
                           [&](const SqlRow& row) { found.account = row.integer(0); });
            if (found.account == 0) continue;
            readNodes(connection, {.account = found.account, .domain = {}}, found);
            all.emplace_back(jid, std::move(found));
        }
        return all;
    };
    return database_.read(std::move(work));
}

Task<StoredNodes> Store::loadNode(std::string domain, std::string name) {
    auto work = [domain = std::move(domain), name = std::move(name)](SqlConnection& connection) {
        static const std::string sql = "SELECT " + std::string{nodeColumns} +
                                       " FROM pubsub_node "
                                       "WHERE account = 0 AND domain = ?1 AND name = ?2";
        StoredNodes found;
        connection.run(sql, {domain, name}, [&](const SqlRow& row) {
            found.nodes.push_back(readNode(row, ServiceKind::Domain));
        });
        for (Node& node : found.nodes) {
            readPeople(connection, 0, node);
            if (node.config.persistItems) readLast(connection, 0, node);
        }
        connection.run(
            "SELECT uri FROM pubsub_moved WHERE account = 0 AND domain = ?1 AND name = ?2",
            {domain, name}, [&](const SqlRow& row) { found.moved.emplace(name, row.text(0)); });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::pair<Created, std::int64_t>> Store::create(NodeOwner owner, Node node,
                                                     std::int64_t nodesMax) {
    auto work = [owner = std::move(owner), node = std::move(node),
                 nodesMax](SqlConnection& connection) {
        std::pair<Created, std::int64_t> made{Created::Yes, 0};
        if (owner.account != 0) {
            bool exists = false;
            connection.run("SELECT 1 FROM account WHERE id = ?1", {owner.account},
                           [&](const SqlRow&) { exists = true; });
            if (!exists) return std::pair{Created::NoOwner, std::int64_t{0}};
        }
        std::int64_t count = 0;
        connection.run(
            "SELECT COUNT(*) FROM pubsub_node "
            "WHERE account = ?1 AND domain = ?2 AND creator = ?3",
            {owner.account, owner.domain, node.creator},
            [&](const SqlRow& row) { count = row.integer(0); });
        if (count >= nodesMax) return std::pair{Created::TooMany, std::int64_t{0}};
        connection.run(
            "INSERT INTO pubsub_node(account, domain, name, creator, created_at, expire_seconds, "
            "items, bytes, config) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7) "
            "ON CONFLICT DO NOTHING RETURNING id",
            {owner.account, owner.domain, node.name, node.creator, toMilliseconds(node.created),
             node.config.expireSeconds.value_or(0), writeConfig(node.config)},
            [&](const SqlRow& row) { made.second = row.integer(0); });
        if (made.second == 0) return std::pair{Created::Exists, std::int64_t{0}};
        connection.run("INSERT INTO pubsub_affiliation VALUES(?1, ?2, ?3, ?4)",
                       {owner.account, made.second, node.creator,
                        static_cast<std::int64_t>(Affiliation::Owner)});
        connection.run("DELETE FROM pubsub_moved WHERE account = ?1 AND domain = ?2 AND name = ?3",
                       {owner.account, owner.domain, node.name});
        return made;
    };
    return database_.write(std::move(work));
}

Task<bool> Store::configure(NodeOwner owner, std::int64_t node, NodeConfig config,
                            std::int64_t itemsMax) {
    auto work = [owner = std::move(owner), node, config = std::move(config),
                 itemsMax](SqlConnection& connection) {
        auto size = sizeOf(connection, owner, node);
        if (!size) return false;
        connection.run("UPDATE pubsub_node SET config = ?2, expire_seconds = ?3 WHERE id = ?1",
                       {node, writeConfig(config), config.expireSeconds.value_or(0)});
        trim(connection, owner, node, config.persistItems ? itemsMax : 0, *size);
        setSize(connection, node, *size);
        return true;
    };
    return database_.write(std::move(work));
}

Task<bool> Store::remove(NodeOwner owner, std::int64_t node, std::string name,
                         std::string movedTo) {
    auto work = [owner = std::move(owner), node, name = std::move(name),
                 movedTo = std::move(movedTo)](SqlConnection& connection) {
        if (connection.run("DELETE FROM pubsub_node WHERE id = ?1 AND account = ?2",
                           {node, owner.account}) == 0)
            return false;
        for (const std::string_view sql :
             {"DELETE FROM pubsub_item WHERE account = ?1 AND node = ?2",
              "DELETE FROM pubsub_affiliation WHERE account = ?1 AND node = ?2",
              "DELETE FROM pubsub_subscription WHERE account = ?1 AND node = ?2"})
            connection.run(sql, {owner.account, node});
        if (!movedTo.empty()) {
            connection.run(
                "INSERT INTO pubsub_moved VALUES(?1, ?2, ?3, ?4, ?5) "
                "ON CONFLICT(account, domain, name) DO UPDATE SET uri = excluded.uri",
                {owner.account, owner.domain, name, node, movedTo});
            // Old signposts make room for new ones: nobody makes the table grow by them.
            constexpr std::int64_t movedMax = 100;
            connection.run(
                "DELETE FROM pubsub_moved WHERE account = ?1 AND domain = ?2 AND moved_at <= "
                "(SELECT moved_at FROM pubsub_moved WHERE account = ?1 AND domain = ?2 "
                "ORDER BY moved_at DESC LIMIT 1 OFFSET ?3)",
                {owner.account, owner.domain, movedMax});
        }
        return true;
    };
    return database_.write(std::move(work));
}

Task<std::vector<OwnSubscription>> Store::subscriptionsOf(std::string domain, std::string bare,
                                                          std::size_t max) {
    auto work = [domain = std::move(domain), bare = std::move(bare),
                 max](SqlConnection& connection) {
        std::vector<OwnSubscription> found;
        connection.run(
            "SELECT n.name, s.jid, s.state, s.delivers, s.expires_at FROM pubsub_subscription s "
            "JOIN pubsub_node n ON n.id = s.node "
            "WHERE s.bare = ?1 AND s.account = 0 AND n.domain = ?2 ORDER BY n.name, s.jid LIMIT ?3",
            {bare, domain, std::int64_t(max)}, [&](const SqlRow& row) {
                auto jid = Jid::parse(row.text(1));
                if (!jid) return;
                Subscription subscription{.state = SubscriptionState(row.integer(2)),
                                          .delivers = row.integer(3) != 0};
                if (row.integer(4) != 0) subscription.expires = fromMilliseconds(row.integer(4));
                found.push_back({std::string{row.text(0)}, std::move(*jid), subscription});
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::vector<OwnAffiliation>> Store::affiliationsOf(std::string domain, std::string bare,
                                                        std::size_t max) {
    auto work = [domain = std::move(domain), bare = std::move(bare),
                 max](SqlConnection& connection) {
        std::vector<OwnAffiliation> found;
        connection.run(
            "SELECT n.name, a.affiliation FROM pubsub_affiliation a "
            "JOIN pubsub_node n ON n.id = a.node "
            "WHERE a.jid = ?1 AND a.account = 0 AND n.domain = ?2 ORDER BY n.name LIMIT ?3",
            {bare, domain, std::int64_t(max)}, [&](const SqlRow& row) {
                found.push_back({std::string{row.text(0)}, Affiliation(row.integer(1))});
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::vector<NodeSummary>> Store::nodesOf(std::string domain, std::string after,
                                              std::size_t max) {
    auto work = [domain = std::move(domain), after = std::move(after),
                 max](SqlConnection& connection) {
        std::vector<NodeSummary> found;
        connection.run(
            "SELECT id, name, config FROM pubsub_node "
            "WHERE account = 0 AND domain = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
            {domain, after, std::int64_t(max)}, [&](const SqlRow& row) {
                found.push_back(
                    {row.integer(0), std::string{row.text(1)}, std::string{row.text(2)}});
            });
        return found;
    };
    return database_.read(std::move(work));
}

}  // namespace epode::pubsub
