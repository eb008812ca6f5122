#include "store/archive_store.h"

#include "core/element.h"
#include "core/namespaces.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

namespace epode {

namespace {

constexpr Migration archiveMigrations[] = {
    {"store.archive", 1, "the archive, its conversations and preferences", R"(
        CREATE TABLE conversation(
            id {id},
            account {bigint} NOT NULL,
            peer {text} NOT NULL,
            UNIQUE(account, peer));
        CREATE TABLE archive(
            entry {sequence},
            account {bigint} NOT NULL,
            stamp {bigint} NOT NULL,
            conversation {bigint} NOT NULL,
            flags {bigint} NOT NULL,
            chance {blob} NOT NULL,
            stanza {blob} NOT NULL);
        CREATE UNIQUE INDEX archive_by_stamp ON archive(account, stamp, conversation, flags);
        CREATE INDEX archive_unarchived ON archive(account, stamp) WHERE (flags & 2) = 0;
        CREATE TABLE conversation_span(
            account {bigint} NOT NULL,
            conversation {bigint} NOT NULL,
            span {bigint} NOT NULL,
            PRIMARY KEY(account, conversation, span)) {clustered};
        CREATE TABLE archive_delivered(
            account {bigint} PRIMARY KEY,
            stamp {bigint} NOT NULL);
        CREATE TABLE archive_preference(
            account {bigint} PRIMARY KEY,
            fallback {bigint} NOT NULL,
            always {text} NOT NULL,
            never {text} NOT NULL);
    )"},
};

constexpr AccountTable tables[] = {
    {.table = "archive", .isLarge = true, .what = "messages"},
    {.table = "conversation_span", .what = "times of conversations"},
    {.table = "conversation", .what = "partners of conversations"},
    {.table = "archive_delivered", .what = "position of delivery"},
    {.table = "archive_preference", .what = "preferences of the archive"},
};

// The only index has no place for conversations: it would be touched at another page for each row.
// Instead it is known in which spans of time (2^22 ms, 70 minutes) a conversation has entries at
// all.
constexpr int spanBits = 22;
constexpr std::int64_t spanOf(std::int64_t stamp) { return stamp >> spanBits; }

// In the column `flags`. Bit 1 stands in the condition of an index.
constexpr std::int64_t outgoingBit = 1;
constexpr std::int64_t archivedBit = 2;
constexpr std::int64_t offlineBit = 4;
constexpr std::int64_t bodyBit = 8;
constexpr int kindShift = 4;

std::int64_t toBits(const ArchiveFlags& flags) {
    return (flags.isOutgoing ? outgoingBit : 0) | (flags.isArchived ? archivedBit : 0) |
           (flags.isOffline ? offlineBit : 0) | (flags.hasBody ? bodyBit : 0) |
           static_cast<std::int64_t>(flags.kind) << kindShift;
}

ArchiveFlags fromBits(std::int64_t bits) {
    ArchiveFlags flags;
    flags.isOutgoing = bits & outgoingBit;
    flags.isArchived = bits & archivedBit;
    flags.isOffline = bits & offlineBit;
    flags.hasBody = bits & bodyBit;
    flags.kind = static_cast<MessageKind>(bits >> kindShift & 3);
    return flags;
}

// An id is its stamp and these ten bytes (with the version, which is always the same).
constexpr std::size_t stampBytes = 6;
std::string_view chanceOf(const Uuid& id) { return id.bytes().substr(stampBytes); }

Uuid makeId(std::int64_t stamp, std::string_view chance) {
    std::string bytes;
    for (int shift = 40; shift >= 0; shift -= 8) bytes += static_cast<char>(stamp >> shift);
    bytes += chance;
    return Uuid::fromBytes(bytes).value_or(Uuid{});
}

std::int64_t stampOf(const Uuid& id) { return toMilliseconds(id.stamp()); }

// Stamps, both ends included.
struct Range {
    std::int64_t first = 0;
    std::int64_t last = std::numeric_limits<std::int64_t>::max();
    bool isEmpty() const { return first > last; }
    void startAfter(std::int64_t stamp) { first = std::max(first, stamp + 1); }
    void endBefore(std::int64_t stamp) { last = std::min(last, stamp - 1); }
};

enum class Direction { Forwards, Backwards };

constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

// The columns of each entry that is read: stamp, chance, flags, stanza, conversation.
ArchiveEntry readEntry(const SqlRow& row) {
    ArchiveEntry entry;
    entry.id = makeId(row.integer(0), row.blob(1));
    entry.flags = fromBits(row.integer(2));
    entry.stanza = row.blob(3);
    return entry;
}

// Entries of an account, of all conversations or of one, in the order of their stamps.
class Reader {
public:
    // `conversation` nothing: all of them.
    Reader(SqlConnection& connection, AccountId account, std::optional<std::int64_t> conversation,
           std::int64_t requiredBits)
        : connection_{connection},
          account_{account},
          conversation_{conversation},
          required_{requiredBits} {}

    void read(Range range, Direction direction, std::int64_t limit,
              std::vector<ArchiveEntry>& entries) {
        if (!conversation_) {
            readAll(range, direction, limit, entries);
            return;
        }
        std::int64_t left = limit;
        forSpans(range, direction, [&](Range part) {
            const std::size_t before = entries.size();
            readConversation(part, direction, left, entries);
            left -= static_cast<std::int64_t>(entries.size() - before);
            return left > 0;
        });
    }

    std::int64_t count(Range range) {
        std::int64_t count = 0;
        auto add = [&](const SqlRow& row) { count += row.integer(0); };
        if (!conversation_) {
            connection_.run(
                "SELECT count(*) FROM archive WHERE account = ?1 AND stamp >= ?2 AND stamp <= ?3 "
                "AND (flags & ?4) = ?4",
                {account_, range.first, range.last, required_}, add);
            return count;
        }
        forSpans(range, Direction::Forwards, [&](Range part) {
            connection_.run(
                "SELECT count(*) FROM archive WHERE account = ?1 AND stamp >= ?2 AND stamp <= ?3 "
                "AND (flags & ?4) = ?4 AND conversation = ?5",
                {account_, part.first, part.last, required_, *conversation_}, add);
            return true;
        });
        return count;
    }

private:
    void readAll(Range range, Direction direction, std::int64_t limit,
                 std::vector<ArchiveEntry>& entries) {
        connection_.run(direction == Direction::Forwards
                            ? "SELECT stamp, chance, flags, stanza FROM archive WHERE account = ?1 "
                              "AND stamp >= ?2 AND stamp <= ?3 AND (flags & ?4) = ?4 "
                              "ORDER BY stamp LIMIT ?5"
                            : "SELECT stamp, chance, flags, stanza FROM archive WHERE account = ?1 "
                              "AND stamp >= ?2 AND stamp <= ?3 AND (flags & ?4) = ?4 "
                              "ORDER BY stamp DESC LIMIT ?5",
                        {account_, range.first, range.last, required_, limit},
                        [&](const SqlRow& row) { entries.push_back(readEntry(row)); });
    }

    void readConversation(Range range, Direction direction, std::int64_t limit,
                          std::vector<ArchiveEntry>& entries) {
        connection_.run(direction == Direction::Forwards
                            ? "SELECT stamp, chance, flags, stanza FROM archive WHERE account = ?1 "
                              "AND stamp >= ?2 AND stamp <= ?3 AND (flags & ?4) = ?4 "
                              "AND conversation = ?6 ORDER BY stamp LIMIT ?5"
                            : "SELECT stamp, chance, flags, stanza FROM archive WHERE account = ?1 "
                              "AND stamp >= ?2 AND stamp <= ?3 AND (flags & ?4) = ?4 "
                              "AND conversation = ?6 ORDER BY stamp DESC LIMIT ?5",
                        {account_, range.first, range.last, required_, limit, *conversation_},
                        [&](const SqlRow& row) { entries.push_back(readEntry(row)); });
    }

    // Calls `visit(Range)` for the parts of `range` in which the conversation has entries, until it
    // returns false. Neighbouring spans are one part.
    template <typename Visit>
    void forSpans(Range range, Direction direction, Visit visit) {
        if (range.isEmpty()) return;
        constexpr std::int64_t spansPerStep = 64;
        std::int64_t first = spanOf(range.first);
        std::int64_t last = spanOf(range.last);
        const bool isForwards = direction == Direction::Forwards;
        std::vector<std::int64_t> spans;
        do {
            spans.clear();
            connection_.run(
                isForwards
                    ? "SELECT span FROM conversation_span WHERE account = ?1 AND conversation = ?2 "
                      "AND span >= ?3 AND span <= ?4 ORDER BY span LIMIT ?5"
                    : "SELECT span FROM conversation_span WHERE account = ?1 AND conversation = ?2 "
                      "AND span >= ?3 AND span <= ?4 ORDER BY span DESC LIMIT ?5",
                {account_, *conversation_, first, last, spansPerStep},
                [&](const SqlRow& row) { spans.push_back(row.integer(0)); });
            for (std::size_t index = 0; index < spans.size();) {
                std::size_t end = index + 1;
                while (end < spans.size() && std::abs(spans[end] - spans[end - 1]) == 1) ++end;
                const auto [low, high] = std::minmax(spans[index], spans[end - 1]);
                Range part;
                part.first = std::max(range.first, low << spanBits);
                part.last = std::min(range.last, ((high + 1) << spanBits) - 1);
                if (!visit(part)) return;
                index = end;
            }
            if (spans.empty()) return;
            (isForwards ? first : last) = spans.back() + (isForwards ? 1 : -1);
        } while (spans.size() == spansPerStep);
    }

    SqlConnection& connection_;
    const AccountId account_;
    const std::optional<std::int64_t> conversation_;
    const std::int64_t required_;
};

// The value of an attribute of the first tag of XML that this server wrote, with its references
// resolved; empty when it is absent.
std::string attributeOf(std::string_view xml, std::string_view name) {
    const std::string_view tag = xml.substr(0, xml.find('>'));
    std::size_t at = 0;
    while ((at = tag.find(name, at)) != std::string_view::npos) {
        const std::size_t equals = at + name.size();
        const bool isName = at > 0 && tag[at - 1] == ' ' && equals + 1 < tag.size() &&
                            tag[equals] == '=' &&
                            (tag[equals + 1] == '\'' || tag[equals + 1] == '"');
        if (!isName) {
            at = equals;
            continue;
        }
        const auto end = tag.find(tag[equals + 1], equals + 2);
        std::string value{tag.substr(
            equals + 2, end == std::string_view::npos ? std::string_view::npos : end - equals - 2)};
        static constexpr std::pair<std::string_view, char> references[] = {
            {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}, {"&quot;", '"'}, {"&amp;", '&'}};
        for (const auto& [reference, character] : references) {
            for (auto found = value.find(reference); found != std::string::npos;
                 found = value.find(reference, found + 1)) {
                value.replace(found, reference.size(), 1, character);
            }
        }
        return value;
    }
    return {};
}

// Which entries a query is about, apart from its page.
class Selection {
public:
    Selection(SqlConnection& connection, const ArchiveQuery& query)
        : connection_{connection}, query_{query} {
        const auto slash = query.with.find('/');
        if (slash != std::string::npos) resourceOf_ = query.with;
        if (!query.with.empty()) {
            conversation_ =
                findConversation(connection, query.account, query.with.substr(0, slash));
        }
        if (query.start) range_.first = std::max<std::int64_t>(0, toMilliseconds(*query.start));
        if (query.end) range_.last = toMilliseconds(*query.end);
    }

    Range& range() { return range_; }

    // Whether queries see an entry with this id.
    bool has(const Uuid& id) const {
        bool isThere = false;
        connection_.run(
            "SELECT chance FROM archive WHERE account = ?1 AND stamp = ?2 AND (flags & ?3) = ?3",
            {query_.account, stampOf(id), archivedBit},
            [&](const SqlRow& row) { isThere = row.blob(0) == chanceOf(id); });
        return isThere;
    }

    std::vector<ArchiveEntry> read(Range range, Direction direction, std::int64_t limit) const {
        std::vector<ArchiveEntry> entries;
        if (range.isEmpty()) return entries;
        Reader reader = makeReader();
        if (resourceOf_.empty()) {
            reader.read(range, direction, limit, entries);
            return entries;
        }
        // A full address: the conversation's entries are looked through, a piece at a time.
        constexpr std::int64_t piece = 256;
        std::vector<ArchiveEntry> some;
        do {
            some.clear();
            reader.read(range, direction, piece, some);
            if (some.empty()) break;
            const std::int64_t last = stampOf(some.back().id);
            for (auto& entry : some) {
                if (!fits(entry) || static_cast<std::int64_t>(entries.size()) == limit) continue;
                entries.push_back(std::move(entry));
            }
            direction == Direction::Forwards ? range.startAfter(last) : range.endBefore(last);
        } while (static_cast<std::int64_t>(entries.size()) < limit && !range.isEmpty());
        return entries;
    }

    std::int64_t count(Range range) const {
        if (range.isEmpty()) return 0;
        if (resourceOf_.empty()) return makeReader().count(range);
        return static_cast<std::int64_t>(read(range, Direction::Forwards, unlimited).size());
    }

private:
    Reader makeReader() const { return {connection_, query_.account, conversation_, archivedBit}; }
    bool fits(const ArchiveEntry& entry) const {
        return attributeOf(entry.stanza, entry.flags.isOutgoing ? "to" : "from") == resourceOf_;
    }

    SqlConnection& connection_;
    const ArchiveQuery& query_;
    std::optional<std::int64_t> conversation_;
    std::string resourceOf_;  // the full address, when one is asked for
    Range range_;
};

ArchivePage unknownId() {
    ArchivePage page;
    page.isIdUnknown = true;
    page.isComplete = false;
    return page;
}

// The page of a query that names its entries: they are few, so the page is cut from them here.
ArchivePage readIds(Selection& selection, const ArchiveQuery& query, Range window,
                    Direction direction) {
    std::vector<ArchiveEntry> found;
    for (const Uuid& id : query.ids) {
        if (!selection.has(id)) return unknownId();
        Range one = selection.range();
        one.first = std::max(one.first, stampOf(id));
        one.last = std::min(one.last, stampOf(id));
        for (auto& entry : selection.read(one, Direction::Forwards, 1)) {
            found.push_back(std::move(entry));
        }
    }
    const auto byId = [](const auto& a, const auto& b) { return a.id < b.id; };
    std::sort(found.begin(), found.end(), byId);
    const auto isSame = [](const auto& a, const auto& b) { return a.id == b.id; };
    found.erase(std::unique(found.begin(), found.end(), isSame), found.end());

    ArchivePage page;
    if (query.wantsCount) page.count = static_cast<std::int64_t>(found.size());
    std::int64_t index = 0;
    std::int64_t firstIndex = 0;
    for (auto& entry : found) {
        const std::int64_t stamp = stampOf(entry.id);
        if (stamp >= window.first && stamp <= window.last) {
            if (page.entries.empty()) firstIndex = index;
            page.entries.push_back(std::move(entry));
        }
        ++index;
    }
    const std::size_t extra =
        page.entries.size() > query.most ? page.entries.size() - query.most : 0;
    page.isComplete = extra == 0;
    if (direction == Direction::Backwards) {
        page.entries.erase(page.entries.begin(), page.entries.begin() + std::ptrdiff_t(extra));
        firstIndex += std::int64_t(extra);
    } else {
        page.entries.resize(page.entries.size() - extra);
    }
    if (query.wantsCount && !page.entries.empty()) page.firstIndex = firstIndex;
    return page;
}

ArchivePage readPage(SqlConnection& connection, const ArchiveQuery& query) {
    Selection selection{connection, query};
    for (const auto* id : {&query.afterId, &query.beforeId, &query.after, &query.before}) {
        if (*id && !selection.has(**id)) return unknownId();
    }
    if (query.afterId) selection.range().startAfter(stampOf(*query.afterId));
    if (query.beforeId) selection.range().endBefore(stampOf(*query.beforeId));

    Range window = selection.range();
    if (query.after) window.startAfter(stampOf(*query.after));
    if (query.before) window.endBefore(stampOf(*query.before));
    const bool isBackwards = query.isBackwards || (query.before && !query.after);
    const auto direction = isBackwards ? Direction::Backwards : Direction::Forwards;
    if (!query.ids.empty()) return readIds(selection, query, window, direction);

    // One more than the page shows whether it is the last.
    ArchivePage page;
    const auto most = static_cast<std::int64_t>(query.most);
    page.entries = selection.read(window, direction, most + 1);
    page.isComplete = static_cast<std::int64_t>(page.entries.size()) <= most;
    if (!page.isComplete) page.entries.resize(query.most);
    if (isBackwards) std::reverse(page.entries.begin(), page.entries.end());

    if (query.wantsCount) {
        page.count = selection.count(selection.range());
        if (!page.entries.empty()) {
            Range before = selection.range();
            before.endBefore(stampOf(page.entries.front().id));
            page.firstIndex = selection.count(before);
        }
    }
    return page;
}

std::string joinLines(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text.append(line).append("\n");
    return text;
}

std::vector<std::string> splitLines(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return lines;
}

std::int64_t readDelivered(SqlConnection& connection, AccountId account) {
    std::int64_t stamp = 0;
    connection.run("SELECT stamp FROM archive_delivered WHERE account = ?1", {account},
                   [&](const SqlRow& row) { stamp = row.integer(0); });
    return stamp;
}

// An entry that may be deleted.
struct Old {
    std::int64_t entry, account, stamp, conversation, flags;
};

Old readOld(const SqlRow& row) {
    return {row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
}

// Deletes those of `olds` that are older than `before` and don't wait for offline delivery. On the
// writer's thread, whose `conversations` must not believe in spans that are gone.
std::int64_t deleteOld(SqlConnection& connection, Conversations& conversations,
                       const std::vector<Old>& olds, std::int64_t before) {
    std::unordered_map<AccountId, std::int64_t> delivered;
    std::vector<SqlValue> entries;
    std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>> spans;
    for (const Old& old : olds) {
        if (old.stamp >= before) continue;
        if (old.flags & offlineBit) {
            auto [known, isNew] = delivered.try_emplace(old.account);
            if (isNew) known->second = readDelivered(connection, old.account);
            if (old.stamp > known->second) continue;
        }
        entries.emplace_back(old.entry);
        if (old.conversation != 0) spans.emplace(old.account, old.conversation, spanOf(old.stamp));
    }
    connection.runMany("DELETE FROM archive WHERE entry = ?1", 1, entries);

    std::vector<SqlValue> emptied;
    for (const auto& [account, conversation, span] : spans) {
        bool isEmpty = true;
        connection.run(
            "SELECT 1 FROM archive WHERE account = ?1 AND stamp >= ?2 AND stamp < ?3 "
            "AND conversation = ?4 LIMIT 1",
            {account, span << spanBits, (span + 1) << spanBits, conversation},
            [&](const SqlRow&) { isEmpty = false; });
        if (!isEmpty) continue;
        emptied.insert(emptied.end(), {account, conversation, span});
    }
    connection.runMany(
        "DELETE FROM conversation_span WHERE account = ?1 AND conversation = ?2 AND span = ?3", 3,
        emptied);
    if (!emptied.empty()) conversations.clear();
    return static_cast<std::int64_t>(entries.size());
}

}  // namespace

std::span<const Migration> ArchiveStore::migrations() { return archiveMigrations; }
std::span<const AccountTable> ArchiveStore::accountTables() { return tables; }

ArchiveStore::ArchiveStore(Database& database)
    : database_{database},
      appends_{database,
               {.insert = [this](SqlConnection& connection,
                                 std::span<Appended> rows) { insert(connection, rows); },
                .undone = [this] { conversations_.clear(); }}},
      deliveries_{database, {[this](SqlConnection& connection, std::span<Delivered> rows) {
                      moveDelivered(connection, rows);
                  }}} {}

void ArchiveStore::append(Executor& executor, AccountId account, std::string peer,
                          ArchiveEntry entry, Database::DoneFunction done) {
    const std::size_t bytes = sizeof(Appended) + peer.size() + entry.stanza.size();
    appends_.add(executor, {account, std::move(peer), std::move(entry)}, bytes, std::move(done));
}

void ArchiveStore::insert(SqlConnection& connection, std::span<Appended> rows) try {
    values_.clear();
    for (const Appended& row : rows) {
        const std::int64_t stamp = stampOf(row.entry.id);
        std::int64_t conversation = 0;
        if (!row.peer.empty()) {
            auto& known = conversations_.with(connection, row.account, row.peer);
            conversation = known.id;
            if (known.lastSpan != spanOf(stamp)) {
                connection.run(
                    "INSERT INTO conversation_span VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
                    {row.account, conversation, spanOf(stamp)});
                known.lastSpan = spanOf(stamp);
            }
        }
        values_.emplace_back(row.account);
        values_.emplace_back(stamp);
        values_.emplace_back(conversation);
        values_.emplace_back(toBits(row.entry.flags));
        values_.emplace_back(Blob{chanceOf(row.entry.id)});
        values_.emplace_back(Blob{row.entry.stanza});
    }
    connection.runMany(
        "INSERT INTO archive(account, stamp, conversation, flags, chance, stanza) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
        6, values_);
} catch (...) {
    // Conversations that were made in the savepoint go with it.
    conversations_.clear();
    throw;
}

void ArchiveStore::moveDelivered(SqlConnection& connection, std::span<Delivered> rows) {
    std::map<AccountId, std::int64_t> latest;  // sorted: the same order in every run
    for (const Delivered& row : rows) {
        auto& stamp = latest[row.account];
        stamp = std::max(stamp, toMilliseconds(row.position));
    }
    values_.clear();
    for (const auto& [account, stamp] : latest) {
        values_.emplace_back(account);
        values_.emplace_back(stamp);
    }
    connection.runMany(
        "INSERT INTO archive_delivered(account, stamp) VALUES(?1, ?2) ON CONFLICT(account) "
        "DO UPDATE SET stamp = excluded.stamp WHERE excluded.stamp > archive_delivered.stamp",
        2, values_);
    connection.runMany("DELETE FROM archive WHERE account = ?1 AND stamp <= ?2 AND (flags & 2) = 0",
                       2, values_);
}

void ArchiveStore::setDelivered(Executor& executor, AccountId account, WallTime position,
                                Database::DoneFunction done) {
    deliveries_.add(executor, {account, position}, sizeof(Delivered), std::move(done));
}

Task<ArchivePage> ArchiveStore::query(ArchiveQuery query) {
    auto work = [query = std::move(query)](SqlConnection& connection) {
        return readPage(connection, query);
    };
    return database_.read(std::move(work));
}

Task<std::optional<ArchiveMetadata>> ArchiveStore::metadata(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        std::vector<ArchiveEntry> ends;
        Reader reader{connection, account, std::nullopt, archivedBit};
        reader.read({}, Direction::Forwards, 1, ends);
        reader.read({}, Direction::Backwards, 1, ends);
        std::optional<ArchiveMetadata> found;
        if (!ends.empty()) found = ArchiveMetadata{ends.front().id, ends.back().id};
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::vector<ArchiveEntry>> ArchiveStore::pendingAfter(AccountId account, WallTime position,
                                                           std::size_t most) {
    auto work = [=](SqlConnection& connection) {
        std::vector<ArchiveEntry> entries;
        Range range;
        range.startAfter(toMilliseconds(position));
        Reader reader{connection, account, std::nullopt, offlineBit};
        reader.read(range, Direction::Forwards, static_cast<std::int64_t>(most), entries);
        return entries;
    };
    return database_.read(std::move(work));
}

namespace {

bool hasMessageId(const std::string& stanza, const std::string& id) {
    if (attributeOf(stanza, "id") == id) return true;
    if (stanza.find("<origin-id") == std::string::npos) return false;
    const auto message = parseXml(stanza);
    const Element* origin = message ? (*message)->child("origin-id", ns::stanzaIds) : nullptr;
    return origin && origin->get("id") == id;
}

}  // namespace

Task<std::optional<ArchiveEntry>> ArchiveStore::findMessage(MessageSearch search) {
    auto work = [search = std::move(search)](SqlConnection& connection) {
        std::optional<ArchiveEntry> found;
        const auto conversation = findConversation(connection, search.account, search.peer);
        if (conversation == 0) return found;
        std::vector<ArchiveEntry> entries;
        Reader reader{connection, search.account, conversation, 0};
        reader.read({}, Direction::Backwards, std::int64_t(search.most), entries);
        for (auto& entry : entries) {
            if (entry.flags.isOutgoing != search.isOutgoing) continue;
            if (!hasMessageId(entry.stanza, search.id)) continue;
            found = std::move(entry);
            break;
        }
        return found;
    };
    return database_.read(std::move(work));
}

Task<bool> ArchiveStore::replace(AccountId account, Uuid id, std::string stanza) {
    auto work = [account, id, stanza = std::move(stanza)](SqlConnection& connection) {
        return connection.run(
                   "UPDATE archive SET stanza = ?4 WHERE account = ?1 AND stamp = ?2 AND chance = "
                   "?3",
                   {account, stampOf(id), Blob{chanceOf(id)}, Blob{stanza}}) != 0;
    };
    return database_.write(std::move(work));
}

Task<ArchiveStore::Expired> ArchiveStore::expire(WallTime before, std::int64_t position,
                                                 std::size_t most) {
    auto work = [this, before, position, most](SqlConnection& connection) {
        std::vector<Old> olds;
        connection.run(
            "SELECT entry, account, stamp, conversation, flags FROM archive WHERE entry > ?1 "
            "ORDER BY entry LIMIT ?2",
            {position, static_cast<std::int64_t>(most)},
            [&](const SqlRow& row) { olds.push_back(readOld(row)); });
        Expired expired;
        expired.deleted = deleteOld(connection, conversations_, olds, toMilliseconds(before));
        // Entries are numbered in the order of their commits, nearly that of their stamps: when a
        // whole step is young enough, the rest is as well.
        const bool hasOld = std::any_of(olds.begin(), olds.end(), [&](const Old& old) {
            return old.stamp < toMilliseconds(before);
        });
        if (hasOld && olds.size() == most) expired.next = olds.back().entry;
        return expired;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> ArchiveStore::purge(AccountId account, WallTime before, std::size_t most) {
    auto work = [this, account, before, most](SqlConnection& connection) {
        std::vector<Old> olds;
        connection.run(
            "SELECT entry, account, stamp, conversation, flags FROM archive WHERE account = ?1 "
            "AND stamp < ?2 AND ((flags & 4) = 0 OR stamp <= ?4) ORDER BY stamp LIMIT ?3",
            {account, toMilliseconds(before), static_cast<std::int64_t>(most),
             readDelivered(connection, account)},
            [&](const SqlRow& row) { olds.push_back(readOld(row)); });
        return deleteOld(connection, conversations_, olds, toMilliseconds(before));
    };
    return database_.write(std::move(work));
}

Task<std::optional<ArchivePreferences>> ArchiveStore::preferences(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        return readPreferences(connection, account);
    };
    return database_.read(std::move(work));
}

Task<void> ArchiveStore::setPreferences(AccountId account, ArchivePreferences preferences) {
    auto work = [account, preferences = std::move(preferences)](SqlConnection& connection) {
        const std::string always = joinLines(preferences.always);
        const std::string never = joinLines(preferences.never);
        connection.run(
            "INSERT INTO archive_preference VALUES(?1, ?2, ?3, ?4) ON CONFLICT(account) "
            "DO UPDATE SET fallback = excluded.fallback, always = excluded.always, "
            "never = excluded.never",
            {account, static_cast<std::int64_t>(preferences.fallback), always, never});
    };
    return database_.write(std::move(work));
}

std::optional<ArchivePreferences> readPreferences(SqlConnection& connection, AccountId account) {
    std::optional<ArchivePreferences> preferences;
    connection.run("SELECT fallback, always, never FROM archive_preference WHERE account = ?1",
                   {account}, [&](const SqlRow& row) {
                       preferences.emplace();
                       preferences->fallback =
                           static_cast<ArchivePreferences::Fallback>(row.integer(0));
                       preferences->always = splitLines(row.text(1));
                       preferences->never = splitLines(row.text(2));
                   });
    return preferences;
}

ArchiveState readArchiveState(SqlConnection& connection, AccountId account) {
    ArchiveState state;
    const std::int64_t delivered = readDelivered(connection, account);
    state.delivered = fromMilliseconds(delivered);
    connection.run("SELECT stamp FROM archive WHERE account = ?1 ORDER BY stamp DESC LIMIT 1",
                   {account},
                   [&](const SqlRow& row) { state.last = fromMilliseconds(row.integer(0)); });
    connection.run(
        "SELECT count(*), min(stamp) FROM archive WHERE account = ?1 AND stamp > ?2 "
        "AND (flags & 4) = 4",
        {account, delivered}, [&](const SqlRow& row) {
            state.pending = row.integer(0);
            if (state.pending > 0) state.firstPending = fromMilliseconds(row.integer(1));
        });
    if (state.pending == 0) return state;
    connection.run(
        "SELECT 1 FROM archive WHERE account = ?1 AND stamp > ?2 AND (flags & 2) = 0 "
        "AND (flags & 4) = 4 LIMIT 1",
        {account, delivered}, [&](const SqlRow&) { state.isPendingArchived = false; });
    return state;
}

}  // namespace epode
