#include "store_rows.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

struct Existing {
    bool isThere = false;
    std::string publisher;
    std::int64_t bytes = 0;
};

Existing findItem(SqlConnection& connection, const NodeOwner& owner, std::int64_t node,
                  std::string_view id) {
    Existing found;
    connection.run(
        "SELECT publisher, LENGTH(payload) FROM pubsub_item "
        "WHERE account = ?1 AND node = ?2 AND id = ?3",
        {owner.account, node, id}, [&](const SqlRow& row) {
            found.isThere = true;
            found.publisher = row.text(0);
            found.bytes = row.integer(1);
        });
    return found;
}

std::int64_t countItems(SqlConnection& connection, const NodeOwner& owner, std::int64_t node,
                        std::int64_t notBefore) {
    std::int64_t count = 0;
    connection.run(
        "SELECT COUNT(*) FROM pubsub_item WHERE account = ?1 AND node = ?2 AND published_at > ?3",
        {owner.account, node, notBefore}, [&](const SqlRow& row) { count = row.integer(0); });
    return count;
}

// The creator's nodes at this service hold more than they may.
bool isOverQuota(SqlConnection& connection, std::int64_t node, std::int64_t bytesMax) {
    std::int64_t bytes = 0;
    connection.run(
        "SELECT CAST(COALESCE(SUM(o.bytes), 0) AS BIGINT) FROM pubsub_node n JOIN pubsub_node o "
        "ON o.account = n.account AND o.domain = n.domain AND o.creator = n.creator "
        "WHERE n.id = ?1",
        {node}, [&](const SqlRow& row) { bytes = row.integer(0); });
    return bytes > bytesMax;
}

std::optional<std::int64_t> placeOf(SqlConnection& connection, const NodeOwner& owner,
                                    std::int64_t node, std::string_view id) {
    std::optional<std::int64_t> place;
    connection.run("SELECT place FROM pubsub_item WHERE account = ?1 AND node = ?2 AND id = ?3",
                   {owner.account, node, id}, [&](const SqlRow& row) { place = row.integer(0); });
    return place;
}

}  // namespace

Task<Published> Store::publish(NodeOwner owner, std::int64_t node, Publication publication) {
    auto work = [owner = std::move(owner), node,
                 publication = std::move(publication)](SqlConnection& connection) {
        using Outcome = Published::Outcome;
        Published result;
        const auto refuse = [&result](Outcome outcome) {
            result.outcome = outcome;
            return result;
        };
        auto size = sizeOf(connection, owner, node);
        if (!size) return refuse(Outcome::NoNode);
        const Item& item = publication.item;
        const Existing existing = findItem(connection, owner, node, item.id);
        if (existing.isThere && !publication.replacesOthers && existing.publisher != item.publisher)
            return refuse(Outcome::NotYours);
        if (!existing.isThere && publication.whenFull == WhenFull::Reject &&
            size->items >= publication.itemsMax)
            return refuse(Outcome::Full);
        const std::int64_t growth = std::int64_t(item.payload.size()) - existing.bytes;
        if (growth > 0 && isOverQuota(connection, node, publication.ownerBytesMax - growth))
            return refuse(Outcome::OverQuota);
        std::int64_t place = 1;
        connection.run(
            "SELECT COALESCE(MAX(place), 0) + 1 FROM pubsub_item "
            "WHERE account = ?1 AND node = ?2",
            {owner.account, node}, [&](const SqlRow& row) { place = row.integer(0); });
        connection.run(
            "INSERT INTO pubsub_item VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
            "ON CONFLICT(account, node, id) DO UPDATE SET place = excluded.place, "
            "publisher = excluded.publisher, published_at = excluded.published_at, "
            "payload = excluded.payload",
            {owner.account, node, item.id, place, item.publisher, toMilliseconds(item.published),
             Blob{item.payload}});
        size->items += !existing.isThere;
        size->bytes += growth;
        result.removed = trim(connection, owner, node, publication.itemsMax, *size);
        setSize(connection, node, *size);
        return result;
    };
    return database_.write(std::move(work));
}

Task<Retracted> Store::retract(NodeOwner owner, std::int64_t node, std::vector<std::string> ids,
                               std::optional<std::string> publisher) {
    auto work = [owner = std::move(owner), node, ids = std::move(ids),
                 publisher = std::move(publisher)](SqlConnection& connection) {
        auto size = sizeOf(connection, owner, node);
        if (!size) return Retracted::NoSuchItem;
        for (const auto& id : ids) {
            const Existing existing = findItem(connection, owner, node, id);
            if (!existing.isThere) return Retracted::NoSuchItem;
            if (publisher && existing.publisher != *publisher) return Retracted::NotYours;
            size->bytes -= existing.bytes;
        }
        for (const auto& id : ids)
            size->items -= connection.run(
                "DELETE FROM pubsub_item WHERE account = ?1 AND node = ?2 AND id = ?3",
                {owner.account, node, id});
        setSize(connection, node, *size);
        return Retracted::Done;
    };
    return database_.write(std::move(work));
}

Task<bool> Store::purge(NodeOwner owner, std::int64_t node) {
    auto work = [owner = std::move(owner), node](SqlConnection& connection) {
        if (!sizeOf(connection, owner, node)) return false;
        connection.run("DELETE FROM pubsub_item WHERE account = ?1 AND node = ?2",
                       {owner.account, node});
        setSize(connection, node, {});
        return true;
    };
    return database_.write(std::move(work));
}

Task<ItemPage> Store::items(NodeOwner owner, std::int64_t node, ItemQuery query) {
    auto work = [owner = std::move(owner), node,
                 query = std::move(query)](SqlConnection& connection) {
        ItemPage page;
        const std::int64_t notBefore = query.notBefore ? toMilliseconds(*query.notBefore) : 0;
        std::size_t bytes = 0;
        // The first goes even when it is larger than a page should be.
        const auto take = [&](const SqlRow& row) {
            const std::size_t size = row.blob(3).size();
            if (page.isCut || (!page.items.empty() && bytes + size > query.bytesMax)) {
                page.isCut = true;
                return;
            }
            bytes += size;
            page.items.push_back(readItem(row));
        };
        if (!query.ids.empty()) {
            for (const auto& id : query.ids)
                connection.run(
                    "SELECT id, publisher, published_at, payload FROM pubsub_item "
                    "WHERE account = ?1 AND node = ?2 AND id = ?3 AND published_at > ?4",
                    {owner.account, node, id, notBefore}, take);
            return page;
        }
        page.count = countItems(connection, owner, node, notBefore);
        std::int64_t low = 0;
        std::int64_t high = INT64_MAX;
        for (const auto& [anchor, isLow] :
             {std::pair{&query.after, true}, {&query.before, false}}) {
            if (!*anchor) continue;
            const auto place = placeOf(connection, owner, node, **anchor);
            if (!place) {
                page.isKnown = false;
                return page;
            }
            (isLow ? low : high) = *place;
        }
        const std::int64_t max = std::min(query.max, query.newest.value_or(query.max));
        const bool isBackward = query.isBackward || query.newest;
        constexpr std::string_view columns =
            "SELECT id, publisher, published_at, payload, place FROM pubsub_item "
            "WHERE account = ?1 AND node = ?2 AND place > ?3 AND place < ?4 "
            "AND published_at > ?5 ORDER BY place ";
        static const std::string forward = std::string{columns} + "LIMIT ?6 OFFSET ?7";
        static const std::string backward = std::string{columns} + "DESC LIMIT ?6 OFFSET ?7";
        std::int64_t firstPlace = INT64_MAX;
        connection.run(isBackward ? backward : forward,
                       {owner.account, node, low, high, notBefore, max,
                        query.index ? *query.index : std::int64_t{0}},
                       [&](const SqlRow& row) {
                           take(row);
                           if (!page.isCut) firstPlace = std::min(firstPlace, row.integer(4));
                       });
        if (isBackward) std::reverse(page.items.begin(), page.items.end());
        if (!page.items.empty())
            connection.run(
                "SELECT COUNT(*) FROM pubsub_item WHERE account = ?1 AND node = ?2 "
                "AND place < ?3 AND published_at > ?4",
                {owner.account, node, firstPlace, notBefore},
                [&](const SqlRow& row) { page.index = row.integer(0); });
        page.isCut = std::int64_t(page.items.size()) < page.count;
        return page;
    };
    return database_.read(std::move(work));
}

Task<std::vector<std::string>> Store::itemIds(NodeOwner owner, std::int64_t node, std::int64_t max,
                                              std::optional<WallTime> notBefore) {
    auto work = [owner = std::move(owner), node, max,
                 bound = notBefore ? toMilliseconds(*notBefore) : 0](SqlConnection& connection) {
        std::vector<std::string> ids;
        connection.run(
            "SELECT id FROM pubsub_item WHERE account = ?1 AND node = ?2 AND published_at > ?3 "
            "ORDER BY place DESC LIMIT ?4",
            {owner.account, node, bound, max},
            [&](const SqlRow& row) { ids.emplace_back(row.text(0)); });
        std::reverse(ids.begin(), ids.end());
        return ids;
    };
    return database_.read(std::move(work));
}

Task<bool> Store::putSubscription(NodeOwner owner, std::int64_t node, Jid jid,
                                  Subscription subscription) {
    SubscriptionChanges changes;
    changes.emplace_back(std::move(jid), subscription);
    return changePeople(std::move(owner), node, std::move(changes), {});
}

Task<bool> Store::changePeople(NodeOwner owner, std::int64_t node,
                               SubscriptionChanges subscriptions, AffiliationChanges affiliations) {
    auto work = [owner = std::move(owner), node, subscriptions = std::move(subscriptions),
                 affiliations = std::move(affiliations)](SqlConnection& connection) {
        if (!sizeOf(connection, owner, node)) return false;
        for (const auto& [jid, subscription] : subscriptions) {
            if (!subscription) {
                connection.run(
                    "DELETE FROM pubsub_subscription WHERE account = ?1 AND node = ?2 AND jid = ?3",
                    {owner.account, node, jid.text()});
                continue;
            }
            connection.run(
                "INSERT INTO pubsub_subscription VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
                "ON CONFLICT(account, node, jid) DO UPDATE SET state = excluded.state, "
                "delivers = excluded.delivers, expires_at = excluded.expires_at",
                {owner.account, node, jid.text(), jid.bareText(),
                 static_cast<std::int64_t>(subscription->state),
                 std::int64_t{subscription->delivers}, expiryOf(*subscription)});
        }
        for (const auto& [jid, affiliation] : affiliations) {
            if (affiliation == Affiliation::None) {
                connection.run(
                    "DELETE FROM pubsub_affiliation WHERE account = ?1 AND node = ?2 AND jid = ?3",
                    {owner.account, node, jid.text()});
                continue;
            }
            connection.run(
                "INSERT INTO pubsub_affiliation VALUES(?1, ?2, ?3, ?4) "
                "ON CONFLICT(account, node, jid) DO UPDATE SET affiliation = excluded.affiliation",
                {owner.account, node, jid.text(), static_cast<std::int64_t>(affiliation)});
        }
        return true;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> Store::expire(WallTime now, std::int64_t max) {
    auto work = [now, max](SqlConnection& connection) {
        struct Expiring {
            std::int64_t node, account, seconds;
        };
        std::vector<Expiring> nodes;
        connection.run(
            "SELECT id, account, expire_seconds FROM pubsub_node WHERE expire_seconds > 0", {},
            [&](const SqlRow& row) {
                nodes.push_back({row.integer(0), row.integer(1), row.integer(2)});
            });
        std::int64_t removed = 0;
        for (const auto& [node, account, seconds] : nodes) {
            if (removed >= max) break;
            const std::int64_t bound = toMilliseconds(now) - seconds * 1000;
            const auto here = connection.run(
                "DELETE FROM pubsub_item WHERE account = ?1 AND node = ?2 AND place IN "
                "(SELECT place FROM pubsub_item WHERE account = ?1 AND node = ?2 "
                "AND published_at <= ?3 LIMIT ?4)",
                {account, node, bound, max - removed});
            if (here != 0)
                connection.run(
                    "UPDATE pubsub_node SET items = items - ?3, bytes = "
                    "(SELECT COALESCE(SUM(LENGTH(payload)), 0) FROM pubsub_item "
                    "WHERE account = ?2 AND node = ?1) WHERE id = ?1",
                    {node, account, here});
            removed += here;
        }
        removed += connection.run(
            "DELETE FROM pubsub_subscription WHERE expires_at > 0 AND expires_at <= ?1",
            {toMilliseconds(now)});
        return removed;
    };
    return database_.write(std::move(work));
}

}  // namespace epode::pubsub
