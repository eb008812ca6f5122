// The store of publish-subscribe, over every database.
#include "plugins/pubsub/config_form.h"
#include "plugins/pubsub/store.h"
#include "tests/store/databases.h"

using namespace epode;
using namespace epode::pubsub;

namespace {

const WallTime noon = fromMilliseconds(1'700'000'000'000);

// A database with the tables, and an account.
struct Tables {
    explicit Tables(Setup& setup) : setup{setup}, store{setup.database()} {
        setup.stores();
        std::vector<Migration> all = Stores::migrations();
        for (const Migration* migration : Store::migrations()) all.push_back(*migration);
        setup.database().migrate(all);
        for (const AccountTable& table : Store::accountTables())
            setup.stores().accounts.addTable(table);
        juliet = *setup.await(setup.stores().accounts.create("juliet@capulet.example", {}, noon));
    }
    template <typename T>
    auto await(Task<T> task) {
        return setup.await(std::move(task));
    }
    Node make(const std::string& name, const NodeOwner& owner, NodeConfig config = {}) {
        Node node;
        node.name = name;
        node.creator = "juliet@capulet.example";
        node.created = noon;
        node.config = std::move(config);
        const auto made = await(store.create(owner, node, 100));
        REQUIRE(made.first == Created::Yes);
        node.id = made.second;
        return node;
    }
    Published put(const NodeOwner& owner, const Node& node, const std::string& id,
                  const std::string& payload = "<n/>", Publication publication = {}) {
        publication.item = {id, "juliet@capulet.example", noon, payload};
        if (publication.itemsMax == 1) publication.itemsMax = 100;
        if (publication.ownerBytesMax == 0) publication.ownerBytesMax = 1'000'000;
        return await(store.publish(owner, node.id, publication));
    }
    std::string ids(const NodeOwner& owner, const Node& node, ItemQuery query = {}) {
        if (query.max == 0) query.max = 100;
        if (query.bytesMax == 0) query.bytesMax = 1'000'000;
        std::string text;
        for (const auto& item : await(store.items(owner, node.id, query)).items) text += item.id;
        return text;
    }

    Setup& setup;
    Store store;
    AccountId juliet = 0;
};

const NodeOwner domain{.account = 0, .domain = "pubsub.capulet.example"};

}  // namespace

TEST_CASE("a node is stored with all that belongs to it, and found by its owner alone") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const NodeOwner own{.account = tables.juliet, .domain = {}};
        NodeConfig config;
        config.title = "two\nlines \\ and more";
        config.itemsMax = 7;
        config.access = AccessModel::Whitelist;
        config.rosterGroups = {"a b", "c"};
        const Node node = tables.make("n", own, config);
        tables.make("n", domain);
        const Jid romeo = *Jid::parse("romeo@montague.example/x");
        pubsub::Subscription subscription;
        subscription.delivers = false;
        subscription.expires = noon;
        CHECK(tables.await(tables.store.putSubscription(own, node.id, romeo, subscription)));
        tables.put(own, node, "a");

        const auto loaded = tables.await(
            tables.store.loadAccounts({"nobody@capulet.example", "juliet@capulet.example"}));
        REQUIRE(loaded.size() == 1);
        CHECK(loaded[0].first == "juliet@capulet.example");
        const StoredNodes& found = loaded[0].second;
        CHECK(found.account == tables.juliet);
        REQUIRE(found.nodes.size() == 1);
        CHECK(found.nodes[0].config == config);
        CHECK(found.nodes[0].created == noon);
        CHECK(found.nodes[0].affiliations.size() == 1);
        CHECK(found.nodes[0].subscriptions.at(romeo) == subscription);
        CHECK(found.nodes[0].lastState == Node::Last::Known);
        CHECK(found.nodes[0].last.id == "a");
        const auto other = tables.await(tables.store.loadNode(domain.domain, "n"));
        REQUIRE(other.nodes.size() == 1);
        CHECK(other.nodes[0].id != node.id);
        CHECK(other.nodes[0].lastState == Node::Last::None);
        CHECK(tables.await(tables.store.loadNode("pubsub.montague.example", "n")).nodes.empty());
    });
}

TEST_CASE("a name is taken once, there is a limit, and no node without its account") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        tables.make("a", domain);
        Node node;
        node.name = "a";
        node.creator = "romeo@montague.example";
        CHECK(tables.await(tables.store.create(domain, node, 10)).first == Created::Exists);
        node.name = "b";
        node.creator = "juliet@capulet.example";
        CHECK(tables.await(tables.store.create(domain, node, 1)).first == Created::TooMany);
        CHECK(tables.await(tables.store.create({.account = 999, .domain = {}}, node, 10)).first ==
              Created::NoOwner);
        CHECK(tables.await(tables.store.create(domain, node, 2)).first == Created::Yes);
    });
}

TEST_CASE("items are overwritten, trimmed, refused and counted") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const Node node = tables.make("n", domain);
        for (const std::string id : {"a", "b", "c"}) tables.put(domain, node, id);
        CHECK(tables.ids(domain, node) == "abc");
        tables.put(domain, node, "a");
        CHECK(tables.ids(domain, node) == "bca");
        const auto trimmed = tables.put(domain, node, "d", "<n/>", {.item = {}, .itemsMax = 2});
        CHECK(trimmed.removed == std::vector<std::string>{"b", "c"});
        CHECK(tables.ids(domain, node) == "ad");
        using Outcome = Published::Outcome;
        CHECK(tables
                  .put(domain, node, "e", "<n/>",
                       {.item = {}, .itemsMax = 2, .whenFull = WhenFull::Reject})
                  .outcome == Outcome::Full);
        CHECK(tables
                  .put(domain, node, "e", std::string(500, 'x'),
                       {.item = {}, .itemsMax = 5, .ownerBytesMax = 500})
                  .outcome == Outcome::OverQuota);
        CHECK(tables
                  .put(domain, node, "e", std::string(400, 'x'),
                       {.item = {}, .itemsMax = 5, .ownerBytesMax = 500})
                  .outcome == Outcome::Done);
        CHECK(tables
                  .put(domain, node, "f", std::string(200, 'x'),
                       {.item = {}, .itemsMax = 5, .ownerBytesMax = 500})
                  .outcome == Outcome::OverQuota);
        CHECK(tables.await(tables.store.retract(domain, node.id, {"e"}, std::nullopt)) ==
              Retracted::Done);
        CHECK(tables
                  .put(domain, node, "f", std::string(200, 'x'),
                       {.item = {}, .itemsMax = 5, .ownerBytesMax = 500})
                  .outcome == Outcome::Done);
        Publication foreign{.item = {}, .itemsMax = 5, .replacesOthers = false};
        foreign.item = {"f", "romeo@montague.example", noon, "<n/>"};
        foreign.ownerBytesMax = 1000;
        CHECK(tables.await(tables.store.publish(domain, node.id, foreign)).outcome ==
              Outcome::NotYours);
        CHECK(tables.await(tables.store.publish(domain, node.id + 1, foreign)).outcome ==
              Outcome::NoNode);
        CHECK(tables.await(tables.store.publish({.account = 5, .domain = {}}, node.id, foreign))
                  .outcome == Outcome::NoNode);
    });
}

TEST_CASE("items are retracted together or not at all") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const Node node = tables.make("n", domain);
        for (const std::string id : {"a", "b", "c"}) tables.put(domain, node, id);
        const auto retract = [&](std::vector<std::string> ids, std::optional<std::string> who) {
            return tables.await(tables.store.retract(domain, node.id, std::move(ids), who));
        };
        CHECK(retract({"a", "z"}, {}) == Retracted::NoSuchItem);
        CHECK(retract({"a"}, "romeo@montague.example") == Retracted::NotYours);
        CHECK(tables.ids(domain, node) == "abc");
        CHECK(retract({"a", "b"}, "juliet@capulet.example") == Retracted::Done);
        CHECK(tables.ids(domain, node) == "c");
        CHECK(tables.await(tables.store.purge(domain, node.id)));
        CHECK(tables.ids(domain, node) == "");
        CHECK_FALSE(tables.await(tables.store.purge(domain, node.id + 1)));
    });
}

TEST_CASE("pages are cut where they are asked to be") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const Node node = tables.make("n", domain);
        for (const std::string id : {"a", "b", "c", "d", "e"}) tables.put(domain, node, id);
        const auto ids = [&](ItemQuery query) { return tables.ids(domain, node, query); };
        CHECK(ids({.newest = 2}) == "de");
        CHECK(ids({.ids = {"e", "a", "z"}}) == "ea");
        CHECK(ids({.after = "b", .max = 2}) == "cd");
        CHECK(ids({.before = "d", .isBackward = true, .max = 2}) == "bc");
        CHECK(ids({.isBackward = true, .max = 2}) == "de");
        CHECK(ids({.index = 3, .max = 5}) == "de");
        CHECK(ids({.index = 9, .max = 5}) == "");
        CHECK(ids({.max = 100, .bytesMax = 9}) == "ab");
        CHECK(ids({.notBefore = noon}) == "");
        const auto page = tables.await(
            tables.store.items(domain, node.id, {.after = "b", .max = 2, .bytesMax = 100}));
        CHECK(page.count == 5);
        CHECK(page.index == 2);
        CHECK(page.isCut);
        CHECK_FALSE(
            tables.await(tables.store.items(domain, node.id, {.after = "z", .max = 2})).isKnown);
    });
}

TEST_CASE("a new configuration removes what there is no room for") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const Node node = tables.make("n", domain);
        for (const std::string id : {"a", "b", "c"}) tables.put(domain, node, id);
        NodeConfig config;
        CHECK(tables.await(tables.store.configure(domain, node.id, config, 2)));
        CHECK(tables.ids(domain, node) == "bc");
        config.persistItems = false;
        CHECK(tables.await(tables.store.configure(domain, node.id, config, 2)));
        CHECK(tables.ids(domain, node) == "");
        CHECK_FALSE(tables.await(tables.store.configure(domain, node.id + 1, config, 2)));
    });
}

TEST_CASE("a node goes with all that it had, and may leave a signpost") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const Node node = tables.make("n", domain);
        tables.put(domain, node, "a");
        CHECK(tables.await(tables.store.remove(domain, node.id, "n", "xmpp:elsewhere")));
        CHECK_FALSE(tables.await(tables.store.remove(domain, node.id, "n", "")));
        auto found = tables.await(tables.store.loadNode(domain.domain, "n"));
        CHECK(found.nodes.empty());
        CHECK(found.moved.at("n") == "xmpp:elsewhere");
        CHECK_FALSE(tables.await(tables.store.putSubscription(
            domain, node.id, *Jid::parse("romeo@montague.example"), {})));
        CHECK(tables.ids(domain, node) == "");
        tables.make("n", domain);
        CHECK(tables.await(tables.store.loadNode(domain.domain, "n")).moved.empty());
    });
}

TEST_CASE("signposts don't pile up") {
    overDatabases({Kind::Memory}, [](Setup& setup) {
        Tables tables{setup};
        for (int i = 0; i < 120; ++i) {
            const auto name = "n" + std::to_string(i);
            const Node node = tables.make(name, domain);
            tables.await(tables.store.remove(domain, node.id, name, "xmpp:x"));
        }
        CHECK(tables.await(tables.store.loadNode(domain.domain, "n0")).moved.empty());
        CHECK(tables.await(tables.store.loadNode(domain.domain, "n119")).moved.size() == 1);
    });
}

TEST_CASE("what an entity has at a domain is found by its bare address") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const NodeOwner own{.account = tables.juliet, .domain = {}};
        const Node one = tables.make("one", domain);
        const Node two = tables.make("two", domain);
        const Node personal = tables.make("personal", own);
        const auto jid = [](const char* text) { return *Jid::parse(text); };
        for (const auto& [owner, node] : {std::pair{domain, one}, {domain, two}, {own, personal}})
            tables.await(
                tables.store.putSubscription(owner, node.id, jid("romeo@montague.example/x"), {}));
        tables.await(
            tables.store.putSubscription(domain, two.id, jid("romeo@montague.example2"), {}));
        const auto found =
            tables.await(tables.store.subscriptionsOf(domain.domain, "romeo@montague.example", 10));
        REQUIRE(found.size() == 2);
        CHECK(found[0].node == "one");
        CHECK(found[1].jid.text() == "romeo@montague.example/x");
        const auto affiliations =
            tables.await(tables.store.affiliationsOf(domain.domain, "juliet@capulet.example", 10));
        CHECK(affiliations.size() == 2);
        const auto nodes = tables.await(tables.store.nodesOf(domain.domain, "one", 10));
        REQUIRE(nodes.size() == 1);
        CHECK(nodes[0].name == "two");
    });
}

TEST_CASE("what has expired is removed, step by step") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        NodeConfig config;
        config.expireSeconds = 60;
        const Node node = tables.make("n", domain, config);
        const Node other = tables.make("other", domain);
        for (const std::string id : {"a", "b", "c"}) tables.put(domain, node, id);
        tables.put(domain, other, "a");
        const auto later = noon + std::chrono::seconds{61};
        CHECK(tables.await(tables.store.expire(noon + std::chrono::seconds{59}, 10)) == 0);
        CHECK(tables.await(tables.store.expire(later, 2)) == 2);
        CHECK(tables.ids(domain, node) == "c");
        CHECK(tables.await(tables.store.expire(later, 10)) == 1);
        CHECK(tables.ids(domain, other) == "a");
    });
}

TEST_CASE("an account's rows go with it") {
    overAllDatabases([](Setup& setup) {
        Tables tables{setup};
        const NodeOwner own{.account = tables.juliet, .domain = {}};
        const Node node = tables.make("n", own);
        tables.put(own, node, "a");
        CHECK(tables.await(tables.setup.stores().accounts.remove("juliet@capulet.example")));
        CHECK(tables.ids(own, node) == "");
        CHECK(tables.put(own, node, "b").outcome == Published::Outcome::NoNode);
        CHECK(tables.await(tables.store.loadAccounts({"juliet@capulet.example"})).empty());
    });
}

TEST_CASE("a configuration is read as it was written, whatever is in it") {
    const NodeConfig plain;
    CHECK(readConfig(writeConfig(plain), ServiceKind::Domain) == plain);
    NodeConfig config;
    config.description = "\\n is no \n line\n";
    config.contacts = {"a@b.example", "c@d.example"};
    config.rosterGroups = {"\\", "x\ny"};
    config.expireSeconds = 5;
    config.sendLast = SendLast::Never;
    config.notifyDelete = false;
    CHECK(readConfig(writeConfig(config), ServiceKind::Domain) == config);
    CHECK(readConfig("nonsense\naccess_model what\nfuture 1\n\ntitle", ServiceKind::Domain) ==
          plain);
}
