// What plugins know of an account is read with it, and for accounts that are there when a plugin
// comes.
#include "route/host.h"
#include "tests/support/catch.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

struct Known {
    std::int64_t account = 0;
};

std::shared_ptr<const Services> withReader(const std::string& owner) {
    auto services = std::make_shared<Services>();
    services->accountReaders.push_back(
        {owner, [](SqlConnection& connection, AccountId id) -> AccountSetup {
             std::int64_t found = 0;
             connection.run("SELECT id FROM account WHERE id = ?1", {id},
                            [&](const SqlRow& row) { found = row.integer(0); });
             return [found](Account& account) { account.state<Known>().account = found; };
         }});
    return services;
}

bool isKnown(TestServer& server, const std::string& jid) {
    Account* account = server.server().shardOf(jid).loaded(jid);
    const auto* known = account ? account->slots().find<Known>() : nullptr;
    return known && known->account == account->id();
}

}  // namespace

TEST_CASE("accounts are read for a plugin whether they come before it or after it") {
    TestServer server{"", GENERATE(1u, 2u)};
    server.login("juliet@capulet.example/balcony");
    server.login("romeo@montague.example/orchard");
    CHECK_FALSE(isKnown(server, "juliet@capulet.example"));

    bool isDone = false;
    server.server().replace("capulet.example", withReader("test"), [&isDone] { isDone = true; });
    // While it is being read for those who are there, another one comes.
    server.server().shardOf("nurse@capulet.example").executor().post([] {});
    server.run();
    CHECK(isDone);
    server.login("nurse@capulet.example/door");
    CHECK(isKnown(server, "juliet@capulet.example"));
    CHECK(isKnown(server, "nurse@capulet.example"));
    CHECK_FALSE(isKnown(server, "romeo@montague.example"));
}

TEST_CASE("a plugin is in force when every account in memory was read for it") {
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    const auto services = withReader("test");
    server.server().replace("capulet.example", services,
                            [&server] { CHECK(isKnown(server, "juliet@capulet.example")); });
    server.run();
    Host& host = *server.server().shard(0).host("capulet.example");
    CHECK(host.sharedServices() == services);
    // The same readers again need no look at the database.
    server.server().replace("capulet.example", withReader("test"));
    server.run();
    CHECK(host.sharedServices() != services);
}
