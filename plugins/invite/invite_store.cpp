#include "invite_store.h"

#include "core/digest.h"

namespace epode {

namespace {

const Migration tables{"invite", 1, "invitations", R"(
    CREATE TABLE invite(
        id {id},
        token {blob} NOT NULL UNIQUE,
        host {text} NOT NULL,
        inviter {text} NOT NULL,
        inviter_account {bigint} NOT NULL,
        may_register {bigint} NOT NULL,
        username {text} NOT NULL,
        created_at {bigint} NOT NULL,
        expires_at {bigint} NOT NULL,
        uses_max {bigint} NOT NULL,
        uses_left {bigint} NOT NULL,
        revoked_at {bigint});
    CREATE INDEX invite_by_inviter ON invite(inviter_account);
    CREATE INDEX invite_by_name ON invite(host, username);
    CREATE INDEX invite_by_end ON invite(expires_at);
)"};

const Migration rooms{"invite", 2, "rooms that invitations lead to", R"(
    ALTER TABLE invite ADD COLUMN room {text} NOT NULL DEFAULT '';
)"};

constexpr std::string_view columns =
    "id, host, inviter, inviter_account, may_register, username, created_at, expires_at, "
    "uses_max, uses_left, revoked_at, room ";

Invite readInvite(const SqlRow& row) {
    Invite invite;
    invite.id = row.integer(0);
    invite.host = row.text(1);
    invite.inviter = row.text(2);
    invite.inviterAccount = row.integer(3);
    invite.mayRegister = row.integer(4) != 0;
    invite.username = row.text(5);
    invite.created = fromMilliseconds(row.integer(6));
    invite.expires = fromMilliseconds(row.integer(7));
    invite.usesMax = row.integer(8);
    invite.usesLeft = row.integer(9);
    if (!row.isNull(10)) invite.revoked = fromMilliseconds(row.integer(10));
    invite.room = row.text(11);
    return invite;
}

bool accountExists(SqlConnection& connection, const std::string& jid) {
    bool isThere = false;
    connection.run("SELECT 1 FROM account WHERE jid = ?1", {jid},
                   [&](const SqlRow&) { isThere = true; });
    return isThere;
}

}  // namespace

std::string hashOf(std::string_view token) { return digest(Hash::Sha256, token); }

const std::vector<const Migration*>& InviteStore::migrations() {
    static const std::vector<const Migration*> all{&tables, &rooms};
    return all;
}

const std::vector<AccountTable>& InviteStore::accountTables() {
    static const std::vector<AccountTable> all{{.table = "invite", .column = "inviter_account"}};
    return all;
}

Task<std::variant<std::int64_t, InviteStore::Refused>> InviteStore::add(Invite invite,
                                                                        std::string hash,
                                                                        std::int64_t openMax) {
    auto work = [invite = std::move(invite), hash = std::move(hash),
                 openMax](SqlConnection& connection) -> std::variant<std::int64_t, Refused> {
        std::int64_t open = 0;
        if (openMax > 0)
            connection.run(
                "SELECT count(*) FROM invite WHERE inviter_account = ?1 AND uses_left > 0 "
                "AND revoked_at IS NULL AND expires_at > ?2",
                {invite.inviterAccount, toMilliseconds(invite.created)},
                [&](const SqlRow& row) { open = row.integer(0); });
        if (openMax > 0 && open >= openMax) return Refused::TooMany;
        const std::string named = invite.username + "@" + invite.host;
        if (!invite.username.empty() &&
            (accountExists(connection, named) ||
             isNameKept(connection, invite.host, invite.username, {}, invite.created)))
            return Refused::NameTaken;
        std::int64_t id = 0;
        connection.run(
            "INSERT INTO invite(token, host, inviter, inviter_account, may_register, username, "
            "created_at, expires_at, uses_max, uses_left, revoked_at, room) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, NULL, ?10) RETURNING id",
            {Blob{hash}, invite.host, invite.inviter, invite.inviterAccount,
             std::int64_t{invite.mayRegister}, invite.username, toMilliseconds(invite.created),
             toMilliseconds(invite.expires), invite.usesMax, invite.room},
            [&](const SqlRow& row) { id = row.integer(0); });
        return id;
    };
    return database_.write(std::move(work));
}

Task<std::optional<Invite>> InviteStore::find(std::string hash, WallTime now) {
    auto work = [hash = std::move(hash), now](SqlConnection& connection) {
        static const std::string sql =
            "SELECT " + std::string{columns} + "FROM invite WHERE token = ?1";
        std::optional<Invite> invite;
        connection.run(sql, {Blob{hash}}, [&](const SqlRow& row) { invite = readInvite(row); });
        if (invite && !invite->isOpen(now)) invite.reset();
        return invite;
    };
    return database_.read(std::move(work));
}

Task<std::optional<std::string>> InviteStore::redeem(std::string hash, AccountId inviter,
                                                     WallTime now) {
    auto work = [hash = std::move(hash), inviter, now](SqlConnection& connection) {
        std::optional<std::string> room;
        connection.run(
            "UPDATE invite SET uses_left = uses_left - 1 WHERE token = ?1 "
            "AND inviter_account = ?2 AND uses_left > 0 AND revoked_at IS NULL "
            "AND expires_at > ?3 RETURNING room",
            {Blob{hash}, inviter, toMilliseconds(now)},
            [&](const SqlRow& row) { room = row.text(0); });
        return room;
    };
    return database_.write(std::move(work));
}

Task<std::optional<Invite>> InviteStore::redeemRoom(std::string hash, std::string host,
                                                    WallTime now) {
    auto work = [hash = std::move(hash), host = std::move(host), now](SqlConnection& connection) {
        static const std::string sql =
            "UPDATE invite SET uses_left = uses_left - 1 WHERE token = ?1 AND host = ?2 "
            "AND room <> '' AND uses_left > 0 AND revoked_at IS NULL AND expires_at > ?3 "
            "RETURNING " +
            std::string{columns};
        std::optional<Invite> invite;
        connection.run(sql, {Blob{hash}, host, toMilliseconds(now)},
                       [&](const SqlRow& row) { invite = readInvite(row); });
        return invite;
    };
    return database_.write(std::move(work));
}

Task<std::vector<Invite>> InviteStore::list(std::string host, bool all, WallTime now,
                                            std::int64_t most) {
    auto work = [host = std::move(host), all, now, most](SqlConnection& connection) {
        static const std::string sql = "SELECT " + std::string{columns} +
                                       "FROM invite WHERE (?1 = '' OR host = ?1) AND (?2 = 1 OR "
                                       "(uses_left > 0 AND revoked_at IS NULL "
                                       "AND expires_at > ?3)) ORDER BY id DESC LIMIT ?4";
        std::vector<Invite> invites;
        connection.run(sql, {host, std::int64_t{all}, toMilliseconds(now), most},
                       [&](const SqlRow& row) { invites.push_back(readInvite(row)); });
        return invites;
    };
    return database_.read(std::move(work));
}

Task<bool> InviteStore::revoke(std::int64_t id, WallTime now) {
    auto work = [id, now](SqlConnection& connection) {
        return connection.run(
                   "UPDATE invite SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL "
                   "AND uses_left > 0 AND expires_at > ?2",
                   {id, toMilliseconds(now)}) != 0;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> InviteStore::expire(WallTime before, std::int64_t most) {
    auto work = [before, most](SqlConnection& connection) {
        return connection.run(
            "DELETE FROM invite WHERE id IN (SELECT id FROM invite WHERE expires_at < ?1 "
            "ORDER BY expires_at LIMIT ?2)",
            {toMilliseconds(before), most});
    };
    return database_.write(std::move(work));
}

bool useInvite(SqlConnection& connection, std::string_view hash) {
    return connection.run(
               "UPDATE invite SET uses_left = uses_left - 1 WHERE token = ?1 AND uses_left > 0 "
               "AND revoked_at IS NULL AND may_register = 1",
               {Blob{hash}}) != 0;
}

bool isNameKept(SqlConnection& connection, std::string_view host, std::string_view username,
                std::string_view hash, WallTime now) {
    bool isKept = false;
    connection.run(
        "SELECT 1 FROM invite WHERE host = ?1 AND username = ?2 AND token <> ?3 AND uses_left > 0 "
        "AND revoked_at IS NULL AND expires_at > ?4 LIMIT 1",
        {host, username, Blob{hash}, toMilliseconds(now)}, [&](const SqlRow&) { isKept = true; });
    return isKept;
}

}  // namespace epode
