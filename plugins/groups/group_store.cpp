#include "group_store.h"

#include <algorithm>

namespace epode {

namespace {

const Migration tables{"groups", 1, "groups of accounts and their members", R"(
    CREATE TABLE contact_group(
        id {id},
        host {text} NOT NULL,
        name {text} NOT NULL,
        title {text} NOT NULL,
        is_everybody {bigint} NOT NULL,
        UNIQUE(host, name));
    CREATE TABLE contact_group_member(
        account {bigint} NOT NULL,
        contact_group {bigint} NOT NULL,
        PRIMARY KEY(account, contact_group)) {clustered};
    CREATE INDEX contact_group_member_by_group ON contact_group_member(contact_group);
)"};

struct Found {
    std::int64_t id = 0;
    bool isEverybody = false;
};

std::optional<Found> findGroup(SqlConnection& connection, const std::string& host,
                               const std::string& name) {
    std::optional<Found> found;
    connection.run("SELECT id, is_everybody FROM contact_group WHERE host = ?1 AND name = ?2",
                   {host, name},
                   [&](const SqlRow& row) { found = Found{row.integer(0), row.integer(1) != 0}; });
    return found;
}

}  // namespace

const std::vector<const Migration*>& GroupStore::migrations() {
    static const std::vector<const Migration*> all{&tables};
    return all;
}

const std::vector<AccountTable>& GroupStore::accountTables() {
    static const std::vector<AccountTable> all{{"contact_group_member"}};
    return all;
}

Task<bool> GroupStore::add(std::string host, std::string name, std::string title,
                           bool isEverybody) {
    auto work = [host = std::move(host), name = std::move(name), title = std::move(title),
                 isEverybody](SqlConnection& connection) {
        return connection.run(
                   "INSERT INTO contact_group(host, name, title, is_everybody) "
                   "VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                   {host, name, title, std::int64_t{isEverybody}}) != 0;
    };
    return database_.write(std::move(work));
}

Task<bool> GroupStore::remove(std::string host, std::string name) {
    auto work = [host = std::move(host), name = std::move(name)](SqlConnection& connection) {
        const auto group = findGroup(connection, host, name);
        if (!group) return false;
        connection.run("DELETE FROM contact_group_member WHERE contact_group = ?1", {group->id});
        connection.run("DELETE FROM contact_group WHERE id = ?1", {group->id});
        return true;
    };
    return database_.write(std::move(work));
}

Task<GroupStore::Change> GroupStore::addMembers(std::string host, std::string name,
                                                std::vector<AccountId> accounts,
                                                std::size_t membersMax) {
    struct TooMany {};  // thrown, so that those who were added are undone
    auto work = [host = std::move(host), name = std::move(name), accounts = std::move(accounts),
                 membersMax](SqlConnection& connection) {
        const auto group = findGroup(connection, host, name);
        if (!group) return Change::NoGroup;
        if (group->isEverybody) return Change::IsEverybody;
        for (const AccountId account : accounts)
            connection.run(
                "INSERT INTO contact_group_member(account, contact_group) VALUES(?1, ?2) "
                "ON CONFLICT DO NOTHING",
                {account, group->id});
        std::int64_t count = 0;
        connection.run("SELECT count(*) FROM contact_group_member WHERE contact_group = ?1",
                       {group->id}, [&](const SqlRow& row) { count = row.integer(0); });
        if (count > std::int64_t(membersMax)) throw TooMany{};
        return Change::Done;
    };
    auto write = database_.write(std::move(work));
    try {
        auto change = co_await write;
        co_return change;
    } catch (const TooMany&) {
        co_return Change::TooMany;
    }
}

Task<GroupStore::Change> GroupStore::removeMembers(std::string host, std::string name,
                                                   std::vector<AccountId> accounts) {
    auto work = [host = std::move(host), name = std::move(name),
                 accounts = std::move(accounts)](SqlConnection& connection) {
        const auto group = findGroup(connection, host, name);
        if (!group) return Change::NoGroup;
        if (group->isEverybody) return Change::IsEverybody;
        for (const AccountId account : accounts)
            connection.run(
                "DELETE FROM contact_group_member WHERE account = ?1 AND contact_group = ?2",
                {account, group->id});
        return Change::Done;
    };
    return database_.write(std::move(work));
}

Task<std::vector<Group>> GroupStore::load(std::string host, std::size_t membersMax) {
    auto work = [host = std::move(host), membersMax](SqlConnection& connection) {
        return readGroups(connection, host, membersMax);
    };
    return database_.read(std::move(work));
}

std::vector<Group> readGroups(SqlConnection& connection, std::string_view host,
                              std::size_t membersMax) {
    std::vector<Group> groups;
    connection.run(
        "SELECT id, name, title, is_everybody FROM contact_group WHERE host = ?1 ORDER BY name",
        {host}, [&](const SqlRow& row) {
            Group& group = groups.emplace_back();
            group.id = row.integer(0);
            group.name = row.text(1);
            group.title = row.text(2);
            group.isEverybody = row.integer(3) != 0;
        });
    const auto most = std::int64_t(membersMax) + 1;
    for (Group& group : groups) {
        const auto take = [&group](const SqlRow& row) {
            if (auto jid = Jid::parse(row.text(0))) group.members.push_back(std::move(*jid));
        };
        // The oldest accounts, so that who is in stays in.
        if (group.isEverybody)
            connection.run("SELECT jid FROM account WHERE domain = ?1 ORDER BY id LIMIT ?2",
                           {host, most}, take);
        else
            connection.run(
                "SELECT a.jid FROM contact_group_member m JOIN account a ON a.id = m.account "
                "WHERE m.contact_group = ?1 ORDER BY a.id LIMIT ?2",
                {group.id, most}, take);
        group.isCut = group.members.size() > membersMax;
        if (group.isCut) group.members.pop_back();
        std::sort(group.members.begin(), group.members.end());
    }
    return groups;
}

}  // namespace epode
