#include "directory_store.h"

#include "core/precis.h"

#include <algorithm>

namespace epode::search {

const Migration DirectoryStore::migration{"search", 1, "the user directory", R"(
    CREATE TABLE search_listing(
        account {bigint} PRIMARY KEY,
        host {text} NOT NULL,
        is_hidden {bigint} NOT NULL,
        first {text} NOT NULL,
        last {text} NOT NULL,
        nick {text} NOT NULL,
        email {text} NOT NULL,
        first_key {text} NOT NULL,
        last_key {text} NOT NULL,
        nick_key {text} NOT NULL,
        email_key {text} NOT NULL);
    CREATE INDEX search_by_first ON search_listing(host, first_key);
    CREATE INDEX search_by_last ON search_listing(host, last_key);
    CREATE INDEX search_by_nick ON search_listing(host, nick_key);
    CREATE INDEX search_by_email ON search_listing(host, email_key);
)"};

namespace {

// Comes after every text that begins with what stands before it: the last code point there is.
constexpr std::string_view beyondAll = "\xf4\x8f\xbf\xbf";

std::string endOf(const Wish& wish) {
    return wish.isBegin ? wish.key + std::string{beyondAll} : wish.key;
}

Fields readFields(const SqlRow& row, int column) {
    Fields fields;
    for (std::size_t i = 0; i < fieldCount; ++i) fields[i] = row.text(column + int(i));
    return fields;
}

}  // namespace

std::optional<std::string> keyOf(std::string_view text) { return precis::nicknameKey(text); }

Task<std::optional<Listing>> DirectoryStore::find(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        std::optional<Listing> found;
        connection.run(
            "SELECT is_hidden, first, last, nick, email FROM search_listing WHERE account = ?1",
            {account}, [&](const SqlRow& row) {
                found = Listing{.fields = readFields(row, 1), .isHidden = row.integer(0) != 0};
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<void> DirectoryStore::put(AccountId account, std::string host, Listing listing) {
    Fields keys;
    for (std::size_t i = 0; i < fieldCount; ++i)
        keys[i] = listing.fields[i].empty() ? std::string{} : keyOf(listing.fields[i]).value();
    auto work = [account, host = std::move(host), listing = std::move(listing),
                 keys = std::move(keys)](SqlConnection& connection) {
        const auto& [first, last, nick, email] = listing.fields;
        connection.run(
            "INSERT INTO search_listing VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
            "ON CONFLICT(account) DO UPDATE SET host = excluded.host, is_hidden = "
            "excluded.is_hidden, "
            "first = excluded.first, last = excluded.last, nick = excluded.nick, email = "
            "excluded.email, "
            "first_key = excluded.first_key, last_key = excluded.last_key, nick_key = "
            "excluded.nick_key, "
            "email_key = excluded.email_key",
            {account, host, std::int64_t{listing.isHidden}, first, last, nick, email, keys[0],
             keys[1], keys[2], keys[3]});
    };
    return database_.write(std::move(work));
}

Task<bool> DirectoryStore::remove(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        return connection.run("DELETE FROM search_listing WHERE account = ?1", {account}) > 0;
    };
    return database_.write(std::move(work));
}

Task<std::vector<Person>> DirectoryStore::find(std::string host, Wishes wishes, std::size_t most) {
    auto work = [host = std::move(host), wishes = std::move(wishes),
                 most](SqlConnection& connection) {
        std::string sql =
            "SELECT account.jid, first, last, nick, email FROM search_listing "
            "JOIN account ON account.id = search_listing.account "
            "WHERE host = ?1 AND is_hidden = 0 AND account.is_disabled = 0";
        std::array<std::string, fieldCount> ends;
        std::vector<SqlValue> values{std::string_view{host}, std::int64_t(most)};
        for (std::size_t i = 0; i < fieldCount; ++i) {
            if (wishes[i].key.empty()) continue;
            ends[i] = endOf(wishes[i]);
            const std::string column = std::string{fieldNames[i]} + "_key";
            values.emplace_back(std::string_view{wishes[i].key});
            sql += " AND " + column + " >= ?" + std::to_string(values.size());
            values.emplace_back(std::string_view{ends[i]});
            sql += " AND " + column + " <= ?" + std::to_string(values.size());
        }
        sql += " ORDER BY last_key, first_key, nick_key, account.jid LIMIT ?2";
        std::vector<Person> found;
        connection.run(sql, values, [&](const SqlRow& row) {
            found.push_back({.jid = std::string{row.text(0)}, .fields = readFields(row, 1)});
        });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::vector<Person>> DirectoryStore::findUnlisted(std::string host, Wish name,
                                                       std::size_t most) {
    auto work = [host = std::move(host), name = std::move(name), most](SqlConnection& connection) {
        const std::string from = name.isBegin ? name.key : name.key + "@" + host;
        const std::string to = name.isBegin ? name.key + std::string{beyondAll} : from;
        std::vector<Person> found;
        connection.run(
            "SELECT jid FROM account WHERE domain = ?1 AND jid >= ?2 AND jid <= ?3 AND is_disabled "
            "= 0 "
            "AND NOT EXISTS(SELECT 1 FROM search_listing WHERE account = account.id) "
            "ORDER BY jid LIMIT ?4",
            {host, from, to, std::int64_t(most)}, [&](const SqlRow& row) {
                Person person{.jid = std::string{row.text(0)}, .fields = {}};
                person.fields[std::size_t(Field::Nick)] =
                    person.jid.substr(0, person.jid.find('@'));
                found.push_back(std::move(person));
            });
        return found;
    };
    return database_.read(std::move(work));
}

}  // namespace epode::search
