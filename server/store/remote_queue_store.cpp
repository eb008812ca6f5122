#include "store/remote_queue_store.h"

namespace epode {

namespace {

constexpr Migration remoteQueueMigrations[] = {
    {"store.remote_queue", 1, "messages that wait for other servers", R"(
        CREATE TABLE remote_queue(
            id {bigint} NOT NULL PRIMARY KEY,
            local {text} NOT NULL,
            remote {text} NOT NULL,
            queued_at {bigint} NOT NULL,
            expires_at {bigint} NOT NULL,
            stanza {blob} NOT NULL);
    )"},
};

void insert(SqlConnection& connection, std::span<QueuedStanza> rows) {
    std::vector<SqlValue> values;
    values.reserve(rows.size() * 6);
    for (const QueuedStanza& row : rows)
        values.insert(values.end(), {row.id, row.local, row.remote, toMilliseconds(row.queued),
                                     toMilliseconds(row.expires), Blob{row.stanza}});
    connection.runMany("INSERT INTO remote_queue VALUES(?1, ?2, ?3, ?4, ?5, ?6)", 6, values);
}

void erase(SqlConnection& connection, std::span<std::int64_t> ids) {
    const std::vector<SqlValue> values(ids.begin(), ids.end());
    connection.runMany("DELETE FROM remote_queue WHERE id = ?1", 1, values);
}

}  // namespace

std::span<const Migration> RemoteQueueStore::migrations() { return remoteQueueMigrations; }

RemoteQueueStore::RemoteQueueStore(Database& database)
    : database_{database},
      added_{database, {.insert = insert}},
      removed_{database, {.insert = erase}} {}

void RemoteQueueStore::add(Executor& executor, QueuedStanza stanza, Database::DoneFunction done) {
    const std::size_t bytes = stanza.stanza.size() + sizeof stanza;
    added_.add(executor, std::move(stanza), bytes, std::move(done));
}

void RemoteQueueStore::remove(Executor& executor, std::int64_t id, Database::DoneFunction done) {
    removed_.add(executor, id, sizeof id, std::move(done));
}

Task<std::vector<QueuedStanza>> RemoteQueueStore::all() {
    auto work = [](SqlConnection& connection) {
        std::vector<QueuedStanza> rows;
        connection.run(
            "SELECT id, local, remote, queued_at, expires_at, stanza FROM remote_queue "
            "ORDER BY id",
            {}, [&rows](const SqlRow& row) {
                rows.push_back({.id = row.integer(0),
                                .local = std::string{row.text(1)},
                                .remote = std::string{row.text(2)},
                                .queued = fromMilliseconds(row.integer(3)),
                                .expires = fromMilliseconds(row.integer(4)),
                                .stanza = std::string{row.blob(5)}});
            });
        return rows;
    };
    return database_.read(std::move(work));
}

}  // namespace epode
