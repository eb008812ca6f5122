#include "store/session_store.h"

namespace epode {

namespace {

constexpr Migration sessionMigrations[] = {
    {"store.session", 1, "stream-management sessions over a restart", R"(
        CREATE TABLE saved_session(
            node {text} NOT NULL,
            id {text} NOT NULL,
            account {bigint} NOT NULL,
            resource {text} NOT NULL,
            expires_at {bigint} NOT NULL,
            state {blob} NOT NULL,
            PRIMARY KEY(node, id));
        CREATE INDEX saved_session_by_account ON saved_session(account);
    )"},
};

constexpr AccountTable tables[] = {{.table = "saved_session", .what = "sessions to be resumed"}};

}  // namespace

std::span<const Migration> SessionStore::migrations() { return sessionMigrations; }
std::span<const AccountTable> SessionStore::accountTables() { return tables; }

SessionStore::SessionStore(Database& database, std::string node)
    : database_{database}, node_{std::move(node)} {}

Task<void> SessionStore::saveAll(std::vector<SavedSession> sessions) {
    auto work = [node = node_, sessions = std::move(sessions)](SqlConnection& connection) {
        connection.run("DELETE FROM saved_session WHERE node = ?1", {node});
        std::vector<SqlValue> values;
        values.reserve(sessions.size() * 6);
        for (const SavedSession& session : sessions) {
            values.insert(values.end(), {node, session.id, session.account, session.resource,
                                         toMilliseconds(session.expires), Blob{session.state}});
        }
        connection.runMany("INSERT INTO saved_session VALUES(?1, ?2, ?3, ?4, ?5, ?6)", 6, values);
    };
    return database_.write(std::move(work));
}

Task<std::vector<SavedSession>> SessionStore::takeAll() {
    auto work = [node = node_](SqlConnection& connection) {
        std::vector<SavedSession> sessions;
        connection.run(
            "SELECT saved_session.id, account, resource, expires_at, state, jid FROM saved_session "
            "JOIN account ON account.id = saved_session.account "
            "WHERE node = ?1 ORDER BY saved_session.id",
            {node}, [&](const SqlRow& row) {
                SavedSession session;
                session.id = row.text(0);
                session.account = row.integer(1);
                session.resource = row.text(2);
                session.expires = fromMilliseconds(row.integer(3));
                session.state = row.blob(4);
                session.jid = row.text(5);
                sessions.push_back(std::move(session));
            });
        connection.run("DELETE FROM saved_session WHERE node = ?1", {node});
        return sessions;
    };
    return database_.write(std::move(work));
}

}  // namespace epode
