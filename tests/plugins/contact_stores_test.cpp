// The stores of blocking, reports, groups and invitations over each database.
#include "core/sasl/credentials.h"
#include "plugins/blocking/block_store.h"
#include "plugins/groups/group_store.h"
#include "plugins/invite/invite_store.h"
#include "plugins/report/report_store.h"
#include "tests/store/databases.h"

using namespace epode;

namespace {

const WallTime now = fromMilliseconds(1'790'000'000'000);

void migrate(Setup& setup, const std::vector<const Migration*>& migrations,
             const std::vector<AccountTable>& tables = {}) {
    setup.stores();
    std::vector<Migration> all;
    for (const Migration* migration : migrations) all.push_back(*migration);
    setup.database().migrate(all);
    for (const AccountTable& table : tables) setup.stores().accounts.addTable(table);
}

AccountId account(Setup& setup, const std::string& jid) {
    return *setup.await(setup.stores().accounts.create(jid, {}, now));
}

std::vector<Jid> jids(std::initializer_list<const char*> texts) {
    std::vector<Jid> all;
    for (const auto* text : texts) all.push_back(*Jid::parse(text));
    return all;
}

}  // namespace

TEST_CASE("block lists are stored, bounded, and go with their account", "[store]") {
    overAllDatabases([](Setup& setup) {
        migrate(setup, BlockStore::migrations(), {BlockStore::table()});
        BlockStore store{setup.database()};
        const auto juliet = account(setup, "juliet@capulet.example");
        const auto nurse = account(setup, "nurse@capulet.example");
        const auto blocked = [&](AccountId id) {
            return setup.await(setup.database().read(
                [id](SqlConnection& connection) { return readBlocked(connection, id); }));
        };
        CHECK(setup.await(store.add(juliet, jids({"b.example", "a@b.example/r"}), now, 3)));
        CHECK(setup.await(store.add(juliet, jids({"b.example"}), now, 3)));
        CHECK_FALSE(setup.await(store.add(juliet, jids({"c.example", "d.example"}), now, 3)));
        CHECK(blocked(juliet) == std::vector<std::string>{"a@b.example/r", "b.example"});
        CHECK(setup.await(store.add(nurse, jids({"b.example"}), now, 3)));
        setup.await(store.remove(juliet, jids({"b.example", "x.example"})));
        CHECK(blocked(juliet) == std::vector<std::string>{"a@b.example/r"});
        setup.await(store.clear(juliet));
        CHECK(blocked(juliet).empty());
        CHECK(blocked(nurse).size() == 1);
        CHECK(setup.await(setup.stores().accounts.remove("nurse@capulet.example")));
        CHECK(blocked(nurse).empty());
    });
}

TEST_CASE("reports are stored with their messages, listed, closed and forgotten", "[store]") {
    overAllDatabases([](Setup& setup) {
        migrate(setup, ReportStore::migrations());
        ReportStore store{setup.database()};
        Report report;
        report.host = "capulet.example";
        report.reporter = "juliet@capulet.example";
        report.reported = "spam@montague.example";
        report.reason = "urn:xmpp:reporting:spam";
        report.text = "it's “bad”";
        report.when = now;
        report.mayTellThirdParty = true;
        report.messages = {{now, "<message><body>\xE2\x82\xAC</body></message>"},
                           {now, "<message/>"}};
        const auto first = setup.await(store.add(report, 2));
        REQUIRE(first);
        report.host = "montague.example";
        report.when = now + std::chrono::hours{1};
        const auto second = setup.await(store.add(report, 2));
        REQUIRE(second);
        CHECK_FALSE(setup.await(store.add(report, 2)));

        const auto found = setup.await(store.find(*first));
        REQUIRE(found);
        CHECK(found->text == report.text);
        CHECK(found->when == now);
        CHECK(found->mayTellThirdParty);
        CHECK_FALSE(found->mayTellOrigin);
        REQUIRE(found->messages.size() == 2);
        CHECK(found->messages[0].stanza == report.messages[0].stanza);
        CHECK_FALSE(setup.await(store.find(*second + 1)));

        ReportStore::Filter filter;
        auto list = setup.await(store.list(filter));
        REQUIRE(list.size() == 2);
        CHECK(list[0].id == *second);
        CHECK(list[0].messageCount == 2);
        filter.host = "capulet.example";
        CHECK(setup.await(store.list(filter)).size() == 1);
        CHECK(setup.await(store.close(*first, "done", now)));
        CHECK_FALSE(setup.await(store.close(*first, "again", now)));
        CHECK(setup.await(store.list(filter)).empty());
        filter.withClosed = true;
        CHECK(setup.await(store.list(filter)).at(0).note == "done");
        filter.before = *first;
        CHECK(setup.await(store.list(filter)).empty());

        CHECK(setup.await(store.expire(now + std::chrono::minutes{1}, 10)) == 1);
        CHECK_FALSE(setup.await(store.find(*first)));
        CHECK(setup.await(store.expire(now + std::chrono::hours{2}, 10)) == 1);
        CHECK(setup.await(store.expire(now + std::chrono::hours{2}, 10)) == 0);
    });
}

TEST_CASE("groups are stored with a row for each member", "[store]") {
    overAllDatabases([](Setup& setup) {
        migrate(setup, GroupStore::migrations(), GroupStore::accountTables());
        GroupStore store{setup.database()};
        using Change = GroupStore::Change;
        const std::string host = "capulet.example";
        const auto juliet = account(setup, "juliet@capulet.example");
        const auto nurse = account(setup, "nurse@capulet.example");
        account(setup, "romeo@montague.example");
        CHECK(setup.await(store.add(host, "house", "House", false)));
        CHECK_FALSE(setup.await(store.add(host, "house", "Other", true)));
        CHECK(setup.await(store.add("montague.example", "house", "Montague", false)));
        CHECK(setup.await(store.add(host, "all", "Everybody", true)));

        CHECK(setup.await(store.addMembers(host, "none", {juliet}, 2)) == Change::NoGroup);
        CHECK(setup.await(store.addMembers(host, "all", {juliet}, 2)) == Change::IsEverybody);
        CHECK(setup.await(store.addMembers(host, "house", {juliet, nurse}, 1)) == Change::TooMany);
        CHECK(setup.await(store.addMembers(host, "house", {nurse, juliet, juliet}, 2)) ==
              Change::Done);

        auto groups = setup.await(store.load(host, 10));
        REQUIRE(groups.size() == 2);
        CHECK(groups[0].name == "all");
        CHECK(groups[0].isEverybody);
        CHECK(groups[0].members == jids({"juliet@capulet.example", "nurse@capulet.example"}));
        CHECK(groups[1].title == "House");
        CHECK(groups[1].members.size() == 2);
        CHECK_FALSE(groups[1].isCut);
        groups = setup.await(store.load(host, 1));
        CHECK(groups[0].isCut);
        CHECK(groups[0].members.size() == 1);

        CHECK(setup.await(store.removeMembers(host, "house", {nurse})) == Change::Done);
        CHECK(setup.await(setup.stores().accounts.remove("juliet@capulet.example")));
        CHECK(setup.await(store.load(host, 10))[1].members.empty());
        CHECK(setup.await(store.remove(host, "house")));
        CHECK_FALSE(setup.await(store.remove(host, "house")));
        CHECK(setup.await(store.load("montague.example", 10)).size() == 1);
    });
}

TEST_CASE("invitations are stored without their token, and used as often as they may be",
          "[store]") {
    overAllDatabases([](Setup& setup) {
        migrate(setup, InviteStore::migrations(), InviteStore::accountTables());
        InviteStore store{setup.database()};
        const auto romeo = account(setup, "romeo@montague.example");
        Invite invite;
        invite.host = "montague.example";
        invite.inviter = "romeo@montague.example";
        invite.inviterAccount = romeo;
        invite.mayRegister = true;
        invite.created = now;
        invite.expires = now + std::chrono::hours{1};
        invite.usesMax = 2;
        const auto added = setup.await(store.add(invite, hashOf("one"), 2));
        REQUIRE(std::holds_alternative<std::int64_t>(added));
        const auto found = setup.await(store.find(hashOf("one"), now));
        REQUIRE(found);
        CHECK(found->inviter == invite.inviter);
        CHECK(found->usesLeft == 2);
        CHECK_FALSE(setup.await(store.find(hashOf("two"), now)));
        CHECK_FALSE(setup.await(store.find(hashOf("one"), invite.expires)));

        const auto use = [&](const std::string& token) {
            return setup.await(setup.database().write([token](SqlConnection& connection) {
                return useInvite(connection, hashOf(token));
            }));
        };
        CHECK_FALSE(setup.await(store.redeem(hashOf("one"), romeo + 1, now)));
        CHECK_FALSE(setup.await(store.redeem(hashOf("one"), romeo, invite.expires)));
        CHECK(setup.await(store.redeem(hashOf("one"), romeo, now)));
        CHECK(use("one"));
        CHECK_FALSE(use("one"));
        CHECK_FALSE(setup.await(store.redeem(hashOf("one"), romeo, now)));

        invite.usesMax = 1;
        invite.username = "juliet";
        CHECK(
            std::holds_alternative<std::int64_t>(setup.await(store.add(invite, hashOf("two"), 2))));
        CHECK(std::get<InviteStore::Refused>(setup.await(store.add(invite, hashOf("three"), 2))) ==
              InviteStore::Refused::NameTaken);
        const auto isKept = [&](const std::string& host, const std::string& token, WallTime when) {
            return setup.await(setup.database().read([=](SqlConnection& connection) {
                return isNameKept(connection, host, "juliet", hashOf(token), when);
            }));
        };
        CHECK(isKept("montague.example", "", now));
        CHECK_FALSE(isKept("montague.example", "two", now));
        CHECK_FALSE(isKept("capulet.example", "", now));
        CHECK_FALSE(isKept("montague.example", "", invite.expires));
        invite.username = "romeo";
        CHECK(std::get<InviteStore::Refused>(setup.await(store.add(invite, hashOf("three"), 2))) ==
              InviteStore::Refused::NameTaken);
        invite.username = "";
        CHECK(std::holds_alternative<std::int64_t>(
            setup.await(store.add(invite, hashOf("three"), 2))));
        CHECK(std::get<InviteStore::Refused>(setup.await(store.add(invite, hashOf("four"), 2))) ==
              InviteStore::Refused::TooMany);

        CHECK(setup.await(store.list("", false, now, 10)).size() == 2);
        const auto all = setup.await(store.list("montague.example", true, now, 10));
        REQUIRE(all.size() == 3);
        CHECK(setup.await(store.list("capulet.example", true, now, 10)).empty());
        CHECK(setup.await(store.revoke(all[0].id, now)));
        CHECK_FALSE(setup.await(store.revoke(all[0].id, now)));
        CHECK_FALSE(use("three"));
        CHECK(setup.await(store.expire(invite.expires, 10)) == 0);
        CHECK(setup.await(store.expire(invite.expires + std::chrono::hours{1}, 2)) == 2);
        CHECK(setup.await(setup.stores().accounts.remove("romeo@montague.example")));
        CHECK(setup.await(store.list("", true, now, 10)).empty());
    });
}
