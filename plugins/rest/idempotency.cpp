#include "idempotency.h"

namespace epode::rest {

const Migration idempotencyTable{"rest", 1, "requests with a key", R"(
    CREATE TABLE rest_request(
        account {bigint} NOT NULL,
        name {text} NOT NULL,
        fingerprint {blob} NOT NULL,
        message_id {text} NOT NULL,
        status {bigint} NOT NULL,
        answer {text} NOT NULL,
        created_at {bigint} NOT NULL,
        PRIMARY KEY(account, name)) {clustered};
    CREATE INDEX rest_request_by_age ON rest_request(created_at);
)"};

AccountTable idempotencyRows() { return {.table = "rest_request", .what = "requests with a key"}; }

Idempotency::Idempotency(Database& database, Duration lifetime, std::int64_t most)
    : database_{database},
      lifetimeMs_{std::chrono::duration_cast<std::chrono::milliseconds>(lifetime).count()},
      most_{most} {}

Task<Idempotency::Begun> Idempotency::begin(AccountId account, std::string key,
                                            std::string fingerprint, std::string messageId,
                                            WallTime now) {
    Begun begun;
    const Place place{account, key};
    {
        const std::lock_guard lock{underWay_->mutex};
        if (!underWay_->places.insert(place).second) {
            begun.what = What::UnderWay;
            co_return begun;
        }
    }
    begun.mark = std::shared_ptr<const void>{nullptr, [place, all = underWay_](const void*) {
                                                 const std::lock_guard lock{all->mutex};
                                                 all->places.erase(place);
                                             }};
    const std::int64_t stamp = toMilliseconds(now);
    auto work = [&](SqlConnection& connection) {
        Begun found;
        bool isKnown = false;
        connection.run("DELETE FROM rest_request WHERE account = ?1 AND created_at <= ?2",
                       {account, stamp - lifetimeMs_});
        connection.run(
            "SELECT fingerprint, message_id, status, answer, created_at FROM rest_request "
            "WHERE account = ?1 AND name = ?2",
            {account, key}, [&](const SqlRow& row) {
                isKnown = true;
                found.messageId = row.text(1);
                found.status = int(row.integer(2));
                found.answer = row.text(3);
                found.at = fromMilliseconds(row.integer(4));
                found.what = row.blob(0) != fingerprint ? What::OtherRequest
                             : found.status == 0        ? What::Interrupted
                                                        : What::Repeated;
            });
        if (isKnown) return found;
        connection.run(
            "DELETE FROM rest_request WHERE account = ?1 AND name IN (SELECT name FROM "
            "rest_request WHERE account = ?1 ORDER BY created_at DESC LIMIT 1000000 OFFSET ?2)",
            {account, most_ - 1});
        connection.run("INSERT INTO rest_request VALUES(?1, ?2, ?3, ?4, 0, '', ?5)",
                       {account, key, Blob{fingerprint}, messageId, stamp});
        found.messageId = messageId;
        found.at = now;
        return found;
    };
    auto found = co_await database_.write(work);
    found.mark = std::move(begun.mark);
    co_return found;
}

Task<void> Idempotency::finish(AccountId account, std::string key, int status, std::string answer) {
    auto work = [&](SqlConnection& connection) {
        return connection.run(
            "UPDATE rest_request SET status = ?3, answer = ?4 WHERE account = ?1 AND name = ?2",
            {account, key, std::int64_t{status}, answer});
    };
    co_await database_.write(work);
}

Task<void> Idempotency::forget(AccountId account, std::string key) {
    auto work = [&](SqlConnection& connection) {
        return connection.run("DELETE FROM rest_request WHERE account = ?1 AND name = ?2",
                              {account, key});
    };
    co_await database_.write(work);
}

Task<std::int64_t> Idempotency::expire(WallTime now, std::int64_t most) {
    const std::int64_t before = toMilliseconds(now) - lifetimeMs_;
    auto work = [&](SqlConnection& connection) {
        struct Old {
            std::int64_t account;
            std::string name;
        };
        std::vector<Old> old;
        connection.run(
            "SELECT account, name FROM rest_request WHERE created_at <= ?1 "
            "ORDER BY created_at LIMIT ?2",
            {before, most}, [&old](const SqlRow& row) {
                old.push_back({row.integer(0), std::string{row.text(1)}});
            });
        for (const Old& one : old)
            connection.run("DELETE FROM rest_request WHERE account = ?1 AND name = ?2",
                           {one.account, one.name});
        return std::int64_t(old.size());
    };
    auto gone = co_await database_.write(work);
    co_return gone;
}

}  // namespace epode::rest
