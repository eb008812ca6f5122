#include "file_store.h"

namespace epode::upload {

namespace {

const Migration tables{"upload", 1, "uploaded files", R"(
    CREATE TABLE upload_file(
        id {id},
        token {text} NOT NULL UNIQUE,
        put_hash {blob} NOT NULL,
        place {text} NOT NULL,
        host {text} NOT NULL,
        account {bigint} NOT NULL,
        owner {text} NOT NULL,
        name {text} NOT NULL,
        type {text} NOT NULL,
        bytes {bigint} NOT NULL,
        purpose {bigint} NOT NULL,
        bucket {bigint} NOT NULL,
        state {bigint} NOT NULL,
        checksum {blob} NOT NULL,
        created_at {bigint} NOT NULL,
        expires_at {bigint} NOT NULL,
        kept_until {bigint} NOT NULL);
    CREATE INDEX upload_file_by_owner ON upload_file(owner, bucket);
    CREATE INDEX upload_file_by_account ON upload_file(account);
    CREATE INDEX upload_file_by_end ON upload_file(expires_at);
    CREATE TABLE upload_usage(
        host {text} PRIMARY KEY,
        files {bigint} NOT NULL,
        bytes {bigint} NOT NULL) {clustered};
)"};

const Migration thumbnails{"upload", 2, "small pictures", R"(
    ALTER TABLE upload_file ADD COLUMN thumbnail_type {text} NOT NULL DEFAULT '';
    ALTER TABLE upload_file ADD COLUMN thumbnail_width {bigint} NOT NULL DEFAULT 0;
    ALTER TABLE upload_file ADD COLUMN thumbnail_height {bigint} NOT NULL DEFAULT 0;
    ALTER TABLE upload_file ADD COLUMN thumbnail_bytes {bigint} NOT NULL DEFAULT 0;
)"};

constexpr std::string_view columns =
    "SELECT id, token, put_hash, place, host, account, owner, name, type, bytes, purpose, state, "
    "checksum, created_at, expires_at, kept_until, thumbnail_type, thumbnail_width, "
    "thumbnail_height, thumbnail_bytes FROM upload_file ";

StoredFile readFile(const SqlRow& row) {
    StoredFile file;
    file.id = row.integer(0);
    file.token = row.text(1);
    file.putHash = row.blob(2);
    file.place = row.text(3);
    file.host = row.text(4);
    file.account = row.integer(5);
    file.owner = row.text(6);
    file.name = row.text(7);
    file.type = row.text(8);
    file.bytes = row.integer(9);
    file.purpose = Purpose(row.integer(10));
    file.state = FileState(row.integer(11));
    file.checksum = row.blob(12);
    file.created = fromMilliseconds(row.integer(13));
    file.expires = fromMilliseconds(row.integer(14));
    file.keptUntil = fromMilliseconds(row.integer(15));
    file.thumbnailType = row.text(16);
    file.thumbnailWidth = row.integer(17);
    file.thumbnailHeight = row.integer(18);
    file.thumbnailBytes = row.integer(19);
    return file;
}

std::int64_t number(SqlConnection& connection, std::string_view sql,
                    std::initializer_list<SqlValue> values) {
    std::int64_t found = 0;
    connection.run(sql, values, [&](const SqlRow& row) { found = row.integer(0); });
    return found;
}

void count(SqlConnection& connection, const std::string& host, std::int64_t files,
           std::int64_t bytes) {
    connection.run(
        "INSERT INTO upload_usage VALUES(?1, ?2, ?3) ON CONFLICT(host) DO UPDATE SET "
        "files = upload_usage.files + excluded.files, "
        "bytes = upload_usage.bytes + excluded.bytes",
        {host, files, bytes});
}

// When so much of what an account has here will have gone by itself.
std::optional<WallTime> roomAt(SqlConnection& connection, const StoredFile& file,
                               std::int64_t needed) {
    std::optional<WallTime> at;
    connection.run(
        "SELECT bytes, expires_at FROM upload_file WHERE owner = ?1 AND bucket = ?2 "
        "AND state <> 2 ORDER BY expires_at",
        {file.owner, std::int64_t(bucketOf(file.purpose))}, [&](const SqlRow& row) {
            if (needed <= 0) return;
            needed -= row.integer(0);
            if (needed <= 0) at = fromMilliseconds(row.integer(1));
        });
    return at && *at < farFuture ? at : std::nullopt;
}

// Marks one file, which has not been before.
bool doomOne(SqlConnection& connection, std::int64_t id, const std::string& host,
             std::int64_t bytes) {
    if (connection.run("UPDATE upload_file SET state = 2, expires_at = 0 WHERE id = ?1 "
                       "AND state <> 2",
                       {id}) == 0)
        return false;
    count(connection, host, -1, -bytes);
    return true;
}

// All that a query finds: of (id, host, bytes).
std::int64_t doomFound(SqlConnection& connection, std::string_view sql,
                       std::initializer_list<SqlValue> values) {
    struct Found {
        std::int64_t id;
        std::string host;
        std::int64_t bytes;
    };
    std::vector<Found> found;
    connection.run(sql, values, [&](const SqlRow& row) {
        found.push_back({row.integer(0), std::string{row.text(1)}, row.integer(2)});
    });
    std::int64_t doomed = 0;
    for (const auto& one : found) doomed += doomOne(connection, one.id, one.host, one.bytes);
    return doomed;
}

}  // namespace

const std::vector<const Migration*>& FileStore::migrations() {
    static const std::vector<const Migration*> all{&tables, &thumbnails};
    return all;
}

Task<std::variant<std::int64_t, FileStore::Refused>> FileStore::announce(StoredFile file,
                                                                         Quotas quotas) {
    auto work = [file = std::move(file),
                 quotas](SqlConnection& connection) -> std::variant<std::int64_t, Refused> {
        std::int64_t open = 0;
        WallTime firstEnd{};
        connection.run(
            "SELECT count(*), min(expires_at) FROM upload_file WHERE owner = ?1 AND state = 0",
            {file.owner}, [&](const SqlRow& row) {
                open = row.integer(0);
                firstEnd = fromMilliseconds(row.integer(1));
            });
        if (open >= quotas.openSlotsMax) return Refused{Full::Slots, firstEnd};
        const std::int64_t bucket = std::int64_t(bucketOf(file.purpose));
        const auto used = number(connection,
                                 "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM upload_file "
                                 "WHERE owner = ?1 AND bucket = ?2 AND state <> 2",
                                 {file.owner, bucket});
        if (used > quotas.accountBytesMax - file.bytes)
            return Refused{Full::Account, file.bytes > quotas.accountBytesMax
                                              ? std::nullopt
                                              : roomAt(connection, file,
                                                       used + file.bytes - quotas.accountBytesMax)};
        const auto ofHost =
            number(connection, "SELECT bytes FROM upload_usage WHERE host = ?1", {file.host});
        if (ofHost > quotas.hostBytesMax - file.bytes) return Refused{Full::Host, std::nullopt};
        std::int64_t id = 0;
        connection.run(
            "INSERT INTO upload_file(token, put_hash, place, host, account, owner, name, type, "
            "bytes, purpose, bucket, state, checksum, created_at, expires_at, kept_until) "
            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12, ?13, ?14, ?15) "
            "RETURNING id",
            {file.token, Blob{file.putHash}, file.place, file.host, file.account, file.owner,
             file.name, file.type, file.bytes, std::int64_t(file.purpose), bucket,
             Blob{file.checksum}, toMilliseconds(file.created), toMilliseconds(file.expires),
             toMilliseconds(file.keptUntil)},
            [&](const SqlRow& row) { id = row.integer(0); });
        count(connection, file.host, 1, file.bytes);
        return id;
    };
    return database_.write(std::move(work));
}

Task<std::optional<StoredFile>> FileStore::find(std::string token) {
    auto work = [token = std::move(token)](SqlConnection& connection) {
        static const std::string sql = std::string{columns} + "WHERE token = ?1";
        std::optional<StoredFile> file;
        connection.run(sql, {token}, [&](const SqlRow& row) { file = readFile(row); });
        return file;
    };
    return database_.read(std::move(work));
}

Task<bool> FileStore::extend(std::int64_t id, WallTime until) {
    auto work = [id, until](SqlConnection& connection) {
        return connection.run("UPDATE upload_file SET expires_at = ?2 WHERE id = ?1 AND state = 0",
                              {id, toMilliseconds(until)}) != 0;
    };
    return database_.write(std::move(work));
}

Task<bool> FileStore::complete(std::int64_t id, std::string type, std::string checksum, Kept kept) {
    const SmallPicture small = kept.thumbnail.value_or(SmallPicture{});
    auto work = [id, type = std::move(type), checksum = std::move(checksum), kept = kept.bytes,
                 smallType = small.type, smallWidth = std::int64_t{small.width},
                 smallHeight = std::int64_t{small.height},
                 smallBytes = std::int64_t(small.content.size())](SqlConnection& connection) {
        std::string host;
        std::int64_t announced = 0;
        connection.run("SELECT host, bytes FROM upload_file WHERE id = ?1", {id},
                       [&](const SqlRow& row) {
                           host = row.text(0);
                           announced = row.integer(1);
                       });
        const std::int64_t bytes = kept ? std::int64_t(*kept) : announced;
        const bool isStored =
            connection.run(
                "UPDATE upload_file SET state = 1, type = ?2, checksum = ?3, bytes = ?4, "
                "thumbnail_type = ?5, thumbnail_width = ?6, thumbnail_height = ?7, "
                "thumbnail_bytes = ?8, expires_at = kept_until WHERE id = ?1 AND state = 0",
                {id, type, Blob{checksum}, bytes, smallType, smallWidth, smallHeight,
                 smallBytes}) != 0;
        if (isStored && bytes != announced) count(connection, host, 0, bytes - announced);
        return isStored;
    };
    return database_.write(std::move(work));
}

Task<std::vector<StoredFile>> FileStore::list(Listing listing, WallTime now) {
    auto work = [listing = std::move(listing), now](SqlConnection& connection) {
        // Two statements: an index serves the one that names an owner.
        static const std::string ofOwner =
            std::string{columns} +
            "WHERE owner = ?1 AND (?2 = '' OR host = ?2) AND state = 1 AND expires_at > ?3 "
            "AND id < ?4 ORDER BY id DESC LIMIT ?5";
        static const std::string ofAll =
            std::string{columns} +
            "WHERE (?1 = '' OR owner = ?1) AND (?2 = '' OR host = ?2) AND state = 1 "
            "AND expires_at > ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5";
        std::vector<StoredFile> files;
        connection.run(
            listing.owner.empty() ? ofAll : ofOwner,
            {listing.owner, listing.host, toMilliseconds(now), listing.before, listing.most},
            [&](const SqlRow& row) { files.push_back(readFile(row)); });
        return files;
    };
    return database_.read(std::move(work));
}

Task<HostUsage> FileStore::usageOf(std::string owner) {
    auto work = [owner = std::move(owner)](SqlConnection& connection) {
        HostUsage usage;
        connection.run(
            "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM upload_file "
            "WHERE owner = ?1 AND state <> 2",
            {owner}, [&](const SqlRow& row) {
                usage.files = row.integer(0);
                usage.bytes = row.integer(1);
            });
        return usage;
    };
    return database_.read(std::move(work));
}

Task<std::vector<HostUsage>> FileStore::usage() {
    auto work = [](SqlConnection& connection) {
        std::vector<HostUsage> all;
        connection.run(
            "SELECT host, files, bytes FROM upload_usage ORDER BY host", {},
            [&](const SqlRow& row) {
                all.push_back({std::string{row.text(0)}, row.integer(1), row.integer(2)});
            });
        return all;
    };
    return database_.read(std::move(work));
}

Task<std::int64_t> FileStore::doom(std::vector<std::int64_t> ids, std::string owner) {
    auto work = [ids = std::move(ids), owner = std::move(owner)](SqlConnection& connection) {
        std::int64_t doomed = 0;
        for (const std::int64_t id : ids)
            doomed += doomFound(connection,
                                "SELECT id, host, bytes FROM upload_file WHERE id = ?1 "
                                "AND (?2 = '' OR owner = ?2)",
                                {id, owner});
        return doomed;
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> FileStore::doomAll(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        return doomFound(connection,
                         "SELECT id, host, bytes FROM upload_file WHERE account = ?1 "
                         "AND state <> 2",
                         {account});
    };
    return database_.write(std::move(work));
}

Task<std::int64_t> FileStore::doomOrphans(std::string owner) {
    auto work = [owner = std::move(owner)](SqlConnection& connection) {
        return doomFound(connection,
                         "SELECT id, host, bytes FROM upload_file WHERE owner = ?1 "
                         "AND account <> 0 AND state <> 2 AND account NOT IN "
                         "(SELECT id FROM account WHERE jid = ?1)",
                         {owner});
    };
    return database_.write(std::move(work));
}

Task<AccountId> FileStore::doomOrphans(AccountId after, std::int64_t most) {
    auto work = [after, most](SqlConnection& connection) {
        std::vector<AccountId> accounts;
        connection.run(
            "SELECT DISTINCT account FROM upload_file WHERE account > ?1 ORDER BY account LIMIT ?2",
            {after, most}, [&](const SqlRow& row) { accounts.push_back(row.integer(0)); });
        for (const AccountId account : accounts)
            doomFound(connection,
                      "SELECT id, host, bytes FROM upload_file WHERE account = ?1 AND state <> 2 "
                      "AND NOT EXISTS (SELECT 1 FROM account WHERE id = ?1)",
                      {account});
        return std::int64_t(accounts.size()) < most ? AccountId{0} : accounts.back();
    };
    return database_.write(std::move(work));
}

Task<std::vector<StoredFile>> FileStore::takeDoomed(WallTime now, std::int64_t most) {
    auto work = [now, most](SqlConnection& connection) {
        static const std::string sql =
            std::string{columns} + "WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
        std::vector<StoredFile> files;
        connection.run(sql, {toMilliseconds(now), most},
                       [&](const SqlRow& row) { files.push_back(readFile(row)); });
        for (StoredFile& file : files) {
            if (file.state != FileState::Doomed)
                doomOne(connection, file.id, file.host, file.bytes);
        }
        return files;
    };
    return database_.write(std::move(work));
}

Task<void> FileStore::forget(std::vector<std::int64_t> ids) {
    auto work = [ids = std::move(ids)](SqlConnection& connection) {
        for (const std::int64_t id : ids)
            connection.run("DELETE FROM upload_file WHERE id = ?1 AND state = 2", {id});
    };
    return database_.write(std::move(work));
}

Task<void> FileStore::postpone(std::vector<std::int64_t> ids, WallTime until) {
    auto work = [ids = std::move(ids), until](SqlConnection& connection) {
        for (const std::int64_t id : ids)
            connection.run("UPDATE upload_file SET expires_at = ?2 WHERE id = ?1 AND state = 2",
                           {id, toMilliseconds(until)});
    };
    return database_.write(std::move(work));
}

}  // namespace epode::upload
