#include "store.h"

#include "core/precis.h"

#include <algorithm>

namespace epode::muc {

namespace {

// Zero stands for no time at all.
std::int64_t millisecondsOf(const std::optional<WallTime>& time) {
    return time ? toMilliseconds(*time) : 0;
}
std::optional<WallTime> timeOf(std::int64_t milliseconds) {
    if (milliseconds == 0) return std::nullopt;
    return fromMilliseconds(milliseconds);
}

// What lists are searched in.
std::string searchText(std::string_view name, const RoomConfig& config) {
    std::string text{name};
    text.append(" ").append(config.name).append(" ").append(config.description);
    return precis::nicknameKey(text).value_or(text);
}

std::string patternOf(std::string_view words) {
    const std::string key = precis::nicknameKey(words).value_or(std::string{words});
    std::string pattern = "%";
    for (const char c : key) {
        if (c == '%' || c == '_' || c == '!') pattern += '!';
        pattern += c;
    }
    return pattern + "%";
}

constexpr std::string_view roomColumns =
    "id, creator, created_at, locked_by, config, secret, subject, subject_nick, subject_by, "
    "subject_at, vcard";

StoredRoom readRoom(const SqlRow& row) {
    StoredRoom room;
    room.id = row.integer(0);
    room.creator = row.text(1);
    room.created = fromMilliseconds(row.integer(2));
    room.lockedBy = row.text(3);
    room.config = readConfig(row.text(4));
    room.secret = row.blob(5);
    room.subject.xml = row.text(6);
    room.subject.nick = row.text(7);
    room.subject.occupantId = row.text(8);
    room.subject.at = fromMilliseconds(row.integer(9));
    room.vcard = row.text(10);
    return room;
}

void writeAffiliation(SqlConnection& connection, std::int64_t room, const Jid& jid,
                      const Affiliated& entry) {
    if (entry.isNothing()) {
        connection.run("DELETE FROM muc_affiliation WHERE room = ?1 AND jid = ?2",
                       {room, jid.text()});
        return;
    }
    connection.run(
        "INSERT INTO muc_affiliation(room, jid, affiliation, nick, reason, voice, until) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(room, jid) DO UPDATE SET "
        "affiliation = excluded.affiliation, nick = excluded.nick, reason = excluded.reason, "
        "voice = excluded.voice, until = excluded.until",
        {room, jid.text(), std::int64_t(entry.affiliation), entry.nick, entry.reason,
         std::int64_t(entry.voice), millisecondsOf(entry.until)});
}

void writeAudit(SqlConnection& connection, const AuditEntry& entry) {
    connection.run(
        "INSERT INTO muc_audit(room, at, actor, action, target, reason, until, details) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        {entry.room.text(), toMilliseconds(entry.at), entry.actor, entry.action, entry.target,
         entry.reason, millisecondsOf(entry.until), entry.details});
}

}  // namespace

Task<std::optional<StoredRoom>> Store::load(Jid address) {
    // Occupants are written without anybody waiting: what was queued before has to be there.
    auto nothing = [](SqlConnection&) { return true; };
    auto settling = database_.write(nothing);
    try {
        const bool settled = co_await settling;
        (void)settled;
    } catch (const std::exception&) {
        // Nothing can be stored at the moment; what there is can still be read.
    }
    auto work = [address = std::move(address)](SqlConnection& connection) {
        static const std::string sql =
            "SELECT " + std::string{roomColumns} + " FROM muc_room WHERE domain = ?1 AND name = ?2";
        std::optional<StoredRoom> found;
        connection.run(sql, {address.domain(), address.local()},
                       [&](const SqlRow& row) { found = readRoom(row); });
        if (!found) return found;
        connection.run(
            "SELECT jid, affiliation, nick, reason, voice, until FROM muc_affiliation "
            "WHERE room = ?1 ORDER BY jid",
            {found->id}, [&](const SqlRow& row) {
                const auto jid = Jid::parse(row.text(0));
                if (!jid || row.integer(1) < 0 || row.integer(1) > std::int64_t(Affiliation::Owner))
                    return;
                found->affiliations.set(*jid, {Affiliation(row.integer(1)),
                                               std::string{row.text(2)}, std::string{row.text(3)},
                                               Voice(row.integer(4)), timeOf(row.integer(5))});
            });
        connection.run("SELECT uri, title, hue FROM muc_hat WHERE room = ?1", {found->id},
                       [&](const SqlRow& row) {
                           found->hats.all[std::string{row.text(0)}] = {std::string{row.text(1)},
                                                                        std::string{row.text(2)}};
                       });
        connection.run("SELECT jid, uri FROM muc_hat_wearer WHERE room = ?1 ORDER BY jid, uri",
                       {found->id}, [&](const SqlRow& row) {
                           if (const auto jid = Jid::parse(row.text(0)))
                               found->hats.wearers[*jid].emplace_back(row.text(1));
                       });
        connection.run(
            "SELECT jid, nick, role, presence FROM muc_occupant WHERE room = ?1 ORDER BY place",
            {found->id}, [&](const SqlRow& row) {
                found->occupants.push_back({std::string{row.text(0)}, std::string{row.text(1)},
                                            Role(row.integer(2)), std::string{row.text(3)}});
            });
        return found;
    };
    auto reading = database_.read(std::move(work));
    auto found = co_await reading;
    co_return found;
}

Task<Store::Created> Store::create(Jid address, StoredRoom room, std::int64_t roomsMax) {
    auto work = [address = std::move(address), room = std::move(room),
                 roomsMax](SqlConnection& connection) {
        if (roomsMax > 0 && !room.creator.empty()) {
            std::int64_t count = 0;
            connection.run("SELECT COUNT(*) FROM muc_room WHERE creator = ?1 AND domain = ?2",
                           {room.creator, address.domain()},
                           [&](const SqlRow& row) { count = row.integer(0); });
            if (count >= roomsMax) return Created::TooMany;
        }
        const std::string config = writeConfig(room.config);
        const std::string title = searchText(address.local(), room.config);
        const auto made = connection.run(
            "INSERT INTO muc_room(id, domain, name, creator, created_at, locked_by, is_public, "
            "retention, title, config, secret, subject, subject_nick, subject_by, subject_at, "
            "vcard) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', '', '', 0, '') "
            "ON CONFLICT DO NOTHING",
            {room.id, address.domain(), address.local(), room.creator, toMilliseconds(room.created),
             room.lockedBy, std::int64_t(room.config.isPublic), room.config.retentionDays, title,
             config, Blob{room.secret}});
        if (made == 0) return Created::Exists;
        for (const auto& [jid, entry] : room.affiliations.entries())
            writeAffiliation(connection, room.id, jid, entry);
        return Created::Yes;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> Store::countOf(std::string domain, std::string creator) {
    auto work = [domain = std::move(domain),
                 creator = std::move(creator)](SqlConnection& connection) {
        std::int64_t count = 0;
        connection.run("SELECT COUNT(*) FROM muc_room WHERE creator = ?1 AND domain = ?2",
                       {creator, domain}, [&](const SqlRow& row) { count = row.integer(0); });
        return count;
    };
    return database_.read(std::move(work));
}

Task<void> Store::remove(std::int64_t room) {
    auto work = [room](SqlConnection& connection) {
        connection.run("DELETE FROM muc_room WHERE id = ?1", {room});
        connection.run("DELETE FROM muc_affiliation WHERE room = ?1", {room});
        connection.run("DELETE FROM muc_occupant WHERE room = ?1", {room});
        connection.run("DELETE FROM muc_hat WHERE room = ?1", {room});
        connection.run("DELETE FROM muc_hat_wearer WHERE room = ?1", {room});
    };
    return database_.write(std::move(work));
}

Task<void> Store::saveConfig(std::int64_t room, RoomConfig config, std::string lockedBy,
                             std::vector<Affiliations::Entry> changes,
                             std::vector<AuditEntry> log) {
    auto work = [room, config = std::move(config), lockedBy = std::move(lockedBy),
                 changes = std::move(changes), log = std::move(log)](SqlConnection& connection) {
        for (const auto& [jid, entry] : changes) writeAffiliation(connection, room, jid, entry);
        for (const AuditEntry& entry : log) writeAudit(connection, entry);
        std::string name;
        connection.run("SELECT name FROM muc_room WHERE id = ?1", {room},
                       [&](const SqlRow& row) { name = row.text(0); });
        const std::string text = writeConfig(config);
        const std::string title = searchText(name, config);
        connection.run(
            "UPDATE muc_room SET config = ?2, locked_by = ?3, is_public = ?4, retention = ?5, "
            "title = ?6 WHERE id = ?1",
            {room, text, lockedBy, std::int64_t(config.isPublic), config.retentionDays, title});
    };
    return database_.write(std::move(work));
}

Task<void> Store::saveSubject(std::int64_t room, Subject subject) {
    auto work = [room, subject = std::move(subject)](SqlConnection& connection) {
        connection.run(
            "UPDATE muc_room SET subject = ?2, subject_nick = ?3, subject_by = ?4, "
            "subject_at = ?5 WHERE id = ?1",
            {room, subject.xml, subject.nick, subject.occupantId, toMilliseconds(subject.at)});
    };
    return database_.write(std::move(work));
}

Task<void> Store::saveVcard(std::int64_t room, std::string vcard) {
    auto work = [room, vcard = std::move(vcard)](SqlConnection& connection) {
        connection.run("UPDATE muc_room SET vcard = ?2 WHERE id = ?1", {room, vcard});
    };
    return database_.write(std::move(work));
}

Task<void> Store::saveAffiliations(std::int64_t room,
                                   std::vector<std::pair<Jid, Affiliated>> changes,
                                   std::vector<AuditEntry> log) {
    auto work = [room, changes = std::move(changes),
                 log = std::move(log)](SqlConnection& connection) {
        for (const auto& [jid, entry] : changes) writeAffiliation(connection, room, jid, entry);
        for (const AuditEntry& entry : log) writeAudit(connection, entry);
    };
    return database_.write(std::move(work));
}

Task<void> Store::forgetPerson(std::string bare) {
    auto work = [bare = std::move(bare)](SqlConnection& connection) {
        // Who was banned stays banned, and in the log.
        connection.run("DELETE FROM muc_affiliation WHERE jid = ?1 AND affiliation <> ?2",
                       {bare, std::int64_t(Affiliation::Outcast)});
        connection.run("UPDATE muc_room SET creator = '' WHERE creator = ?1", {bare});
        connection.run("DELETE FROM muc_hat_wearer WHERE jid = ?1", {bare});
    };
    return database_.write(std::move(work));
}

void Store::saveOccupant(Executor& executor, std::int64_t room, StoredOccupant occupant) {
    auto work = [room, occupant = std::move(occupant)](SqlConnection& connection) {
        connection.run(
            "INSERT INTO muc_occupant(room, jid, place, nick, role, presence) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(room, jid) DO UPDATE SET "
            "nick = excluded.nick, role = excluded.role, presence = excluded.presence",
            {room, occupant.jid, occupant.place, occupant.nick, std::int64_t(occupant.role),
             occupant.presence});
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

void Store::removeOccupant(Executor& executor, std::int64_t room, std::string jid) {
    auto work = [room, jid = std::move(jid)](SqlConnection& connection) {
        connection.run("DELETE FROM muc_occupant WHERE room = ?1 AND jid = ?2", {room, jid});
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

void Store::clearOccupants(Executor& executor, std::int64_t room) {
    auto work = [room](SqlConnection& connection) {
        connection.run("DELETE FROM muc_occupant WHERE room = ?1", {room});
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

void Store::log(Executor& executor, AuditEntry entry) {
    auto work = [entry = std::move(entry)](SqlConnection& connection) {
        writeAudit(connection, entry);
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

Task<void> Store::saveHat(std::int64_t room, std::string uri, std::optional<Hat> hat) {
    auto work = [room, uri = std::move(uri), hat = std::move(hat)](SqlConnection& connection) {
        if (hat) {
            connection.run(
                "INSERT INTO muc_hat(room, uri, title, hue) VALUES(?1, ?2, ?3, ?4) "
                "ON CONFLICT(room, uri) DO UPDATE SET title = excluded.title, hue = excluded.hue",
                {room, uri, hat->title, hat->hue});
            return;
        }
        connection.run("DELETE FROM muc_hat WHERE room = ?1 AND uri = ?2", {room, uri});
        connection.run("DELETE FROM muc_hat_wearer WHERE room = ?1 AND uri = ?2", {room, uri});
    };
    return database_.write(std::move(work));
}

Task<void> Store::saveWearer(std::int64_t room, std::string jid, std::string uri, bool isWorn) {
    auto work = [room, jid = std::move(jid), uri = std::move(uri),
                 isWorn](SqlConnection& connection) {
        if (isWorn)
            connection.run(
                "INSERT INTO muc_hat_wearer(room, jid, uri) VALUES(?1, ?2, ?3) "
                "ON CONFLICT DO NOTHING",
                {room, jid, uri});
        else
            connection.run("DELETE FROM muc_hat_wearer WHERE room = ?1 AND jid = ?2 AND uri = ?3",
                           {room, jid, uri});
    };
    return database_.write(std::move(work));
}

void Store::noteLeft(Executor& executor, std::int64_t room, std::string bare, WallTime at) {
    auto work = [room, bare = std::move(bare), at](SqlConnection& connection) {
        connection.run("UPDATE muc_affiliation SET left_at = ?3 WHERE room = ?1 AND jid = ?2",
                       {room, bare, toMilliseconds(at)});
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

Task<std::vector<Store::Membership>> Store::membershipsOf(std::string bare, std::string domain,
                                                          std::int64_t most) {
    auto work = [bare = std::move(bare), domain = std::move(domain),
                 most](SqlConnection& connection) {
        std::vector<Membership> found;
        connection.run(
            "SELECT r.id, r.name, r.domain, a.affiliation, a.nick, a.reason, a.left_at, "
            "(SELECT COUNT(*) FROM muc_occupant o WHERE o.room = r.id AND o.jid >= ?2 AND "
            "o.jid < ?3) FROM muc_affiliation a JOIN muc_room r ON r.id = a.room "
            "WHERE a.jid = ?1 AND (?4 = '' OR r.domain = ?4) ORDER BY r.domain, r.name LIMIT ?5",
            {bare, bare + "/", bare + "0", domain, most}, [&](const SqlRow& row) {
                found.push_back({.room = row.integer(0),
                                 .name = std::string{row.text(1)},
                                 .domain = std::string{row.text(2)},
                                 .affiliation = Affiliation(row.integer(3)),
                                 .nick = std::string{row.text(4)},
                                 .reason = std::string{row.text(5)},
                                 .left = fromMilliseconds(row.integer(6)),
                                 .isInside = row.integer(7) != 0});
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::vector<AuditEntry>> Store::audit(AuditWish wish) {
    // Entries are written without anybody waiting: what was queued before has to be there.
    auto nothing = [](SqlConnection&) { return true; };
    auto settling = database_.write(nothing);
    const bool isSettled = co_await settling;
    (void)isSettled;
    auto work = [wish = std::move(wish)](SqlConnection& connection) {
        std::vector<AuditEntry> found;
        connection.run(
            "SELECT room, at, actor, action, target, reason, until, details FROM muc_audit "
            "WHERE room = ?1 AND at >= ?2 AND (?3 = '' OR actor = ?3 OR target = ?3) "
            "ORDER BY at DESC, id DESC LIMIT ?4",
            {wish.room, toMilliseconds(wish.since), wish.person, wish.most},
            [&](const SqlRow& row) {
                found.push_back({.room = Jid::parse(row.text(0)).value_or(Jid{}),
                                 .at = fromMilliseconds(row.integer(1)),
                                 .actor = std::string{row.text(2)},
                                 .action = std::string{row.text(3)},
                                 .target = std::string{row.text(4)},
                                 .reason = std::string{row.text(5)},
                                 .until = timeOf(row.integer(6)),
                                 .details = std::string{row.text(7)}});
            });
        return found;
    };
    auto reading = database_.read(std::move(work));
    auto found = co_await reading;
    co_return found;
}

Task<std::int64_t> Store::forgetAudit(std::string domain, WallTime before, std::int64_t most) {
    auto work = [rooms = "%@" + domain, before, most](SqlConnection& connection) {
        return std::int64_t(
            connection.run("DELETE FROM muc_audit WHERE id IN "
                           "(SELECT id FROM muc_audit WHERE at < ?1 AND room LIKE ?2 "
                           "ORDER BY at LIMIT ?3)",
                           {toMilliseconds(before), rooms, most}));
    };
    return database_.write(std::move(work));
}

namespace {

constexpr std::string_view shownRooms =
    " FROM muc_room r WHERE r.domain = ?1 AND r.locked_by = '' AND r.title LIKE ?2 ESCAPE '!' "
    "AND (?3 = 1 OR r.is_public = 1 OR EXISTS(SELECT 1 FROM muc_affiliation a WHERE "
    "a.room = r.id AND a.jid = ?4 AND a.affiliation > 1)) ";

}  // namespace

Task<Store::Listed> Store::list(Listing listing) {
    auto work = [listing = std::move(listing)](SqlConnection& connection) {
        Listed listed;
        const std::string pattern = patternOf(listing.matching);
        const std::string all = listing.matching.empty() ? "%" : pattern;
        const auto everything = std::int64_t(listing.isEverything);
        static const std::string counting = "SELECT COUNT(*)" + std::string{shownRooms};
        connection.run(counting, {listing.domain, all, everything, listing.who},
                       [&](const SqlRow& row) { listed.count = row.integer(0); });
        static const std::string columns =
            "SELECT r.name, r.config, r.creator, r.created_at, "
            "(SELECT COUNT(*) FROM muc_occupant o WHERE o.room = r.id), "
            "(SELECT COUNT(*) FROM muc_affiliation f WHERE f.room = r.id)" +
            std::string{shownRooms};
        static const std::string forwards = columns + "AND r.name > ?5 ORDER BY r.name LIMIT ?6";
        static const std::string backwards =
            columns + "AND (?5 = '' OR r.name < ?5) ORDER BY r.name DESC LIMIT ?6";
        const auto most = std::int64_t(listing.most);
        connection.run(listing.isBackwards ? backwards : forwards,
                       {listing.domain, all, everything, listing.who,
                        listing.isBackwards ? listing.before : listing.after, most + 1},
                       [&](const SqlRow& row) {
                           RoomSummary room;
                           room.name = row.text(0);
                           room.config = readConfig(row.text(1));
                           room.creator = row.text(2);
                           room.created = fromMilliseconds(row.integer(3));
                           room.occupants = row.integer(4);
                           room.affiliations = row.integer(5);
                           listed.rooms.push_back(std::move(room));
                       });
        listed.isComplete = std::int64_t(listed.rooms.size()) <= most;
        if (!listed.isComplete) listed.rooms.resize(listing.most);
        if (listing.isBackwards) std::reverse(listed.rooms.begin(), listed.rooms.end());
        if (!listed.rooms.empty()) {
            static const std::string before = counting + "AND r.name < ?5";
            connection.run(
                before, {listing.domain, all, everything, listing.who, listed.rooms.front().name},
                [&](const SqlRow& row) { listed.index = row.integer(0); });
        }
        return listed;
    };
    return database_.read(std::move(work));
}

Task<std::vector<std::string>> Store::inhabited(std::string domain) {
    auto work = [domain = std::move(domain)](SqlConnection& connection) {
        std::vector<std::string> names;
        connection.run(
            "SELECT DISTINCT r.name FROM muc_occupant o JOIN muc_room r ON r.id = o.room "
            "WHERE r.domain = ?1",
            {domain}, [&](const SqlRow& row) { names.emplace_back(row.text(0)); });
        return names;
    };
    return database_.read(std::move(work));
}

Task<std::vector<std::pair<std::int64_t, std::int64_t>>> Store::limited(std::string domain) {
    auto work = [domain = std::move(domain)](SqlConnection& connection) {
        std::vector<std::pair<std::int64_t, std::int64_t>> rooms;
        connection.run(
            "SELECT id, retention FROM muc_room WHERE retention > 0 AND domain = ?1", {domain},
            [&](const SqlRow& row) { rooms.emplace_back(row.integer(0), row.integer(1)); });
        return rooms;
    };
    return database_.read(std::move(work));
}

}  // namespace epode::muc
