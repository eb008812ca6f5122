// Conversations with a whole server, as the tests of contacts and presence have them: who connects,
// what each one sends, and what each one gets, in its order and nothing else.
#pragma once

#include "route/account.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/stores.h"
#include "tests/route/stanza_pattern.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Stage;

// A client of an account.
class Actor {
public:
    Actor(Stage& stage, TestClient& client) : stage_{stage}, client_{client} {}

    void sends(std::string_view xml) { client_.send(xml); }
    // Without waiting for what it causes; within Stage::together.
    void says(std::string_view xml);

    // The next stanza is as `pattern` says; see stanza_pattern.h.
    void gets(std::string_view pattern);
    void getsNothing();
    std::string next() { return client_.next(); }
    void forgets() { client_.forget(); }

    // The connection ends, and with it the session.
    void leaves() { client_.cut(); }

    Session* session();

private:
    Stage& stage_;
    TestClient& client_;
};

class Stage : private Elsewhere {
public:
    explicit Stage(std::string_view toml = {}, unsigned shards = 1) : server_{toml, shards} {
        connectOtherServer();
    }

    void has(std::string_view account) { server_.addAccount(account); }
    // Logged in and bound; it has neither asked for its roster nor sent presence.
    Actor& connects(std::string_view jid) {
        return *actors_.emplace_back(std::make_unique<Actor>(*this, server_.login(jid, false)));
    }

    // Everything is lost but what was stored.
    void restart() {
        server_.crash();
        connectOtherServer();
    }
    // All that `act` does happens before anything that follows from it in later turns.
    template <typename Act>
    void together(Act act) {
        server_.server().shard(0).executor().post([&act] { act(); });
        server_.run();
    }

    // Another domain, in a server elsewhere.
    void otherServerSays(std::string_view xml) {
        auto stanza = Stanza::parse(xml);
        INFO(std::string{xml});
        REQUIRE(stanza);
        server_.server().route(stanza);
    }
    void otherServerSends(std::string_view xml) {
        together([&] { otherServerSays(xml); });
    }
    void otherServerGets(std::string_view pattern) {
        const std::string got = sentElsewhere_.empty() ? "" : sentElsewhere_.front();
        if (!sentElsewhere_.empty()) sentElsewhere_.pop_front();
        INFO("expected: " << std::string{pattern} << "\ngot: " << got);
        CHECK(mismatch(pattern, got) == "");
    }
    void otherServerGetsNothing() {
        CHECK((sentElsewhere_.empty() ? "" : sentElsewhere_.front()) == "");
    }
    void hasNoOtherServers() { hasOtherServers_ = false; }

    // Adds hooks to those of the plugins.
    template <typename Add>
    void listens(Add add) {
        const auto before = server().shard(0).host("capulet.example")->sharedServices();
        // The plugins' handlers are copied; the plugins live as long as what they have wired.
        auto services = std::shared_ptr<Services>{new Services{*before},
                                                  [before](Services* mine) { delete mine; }};
        add(*services);
        together([&] { server().replace("capulet.example", services); });
    }

    // From now on no contact and no request can be stored.
    void breaksStoring();
    void repairsStoring();
    // What the store has of an account's contacts and requests.
    StoredRoster stored(std::string_view account);

    Server& server() { return server_.server(); }
    Account* loaded(std::string_view bare) { return server().shardOf(bare).loaded(bare); }
    Session* find(std::string_view jid) {
        const Jid full = Jid::parse(jid).value();
        return server_.server().shardOf(full.bareText()).session(full);
    }

private:
    bool route(const StanzaPtr& stanza, const Hold&, Shard&) override {
        if (hasOtherServers_) sentElsewhere_.push_back(stanza->toXml());
        return hasOtherServers_;
    }
    void connectOtherServer() { server_.server().addElsewhere(*this); }
    void runSql(std::vector<std::string> statements);

    TestServer server_;
    std::vector<std::unique_ptr<Actor>> actors_;
    std::deque<std::string> sentElsewhere_;
    bool hasOtherServers_ = true;
};

inline Session* Actor::session() { return stage_.find(client_.jid()); }

inline void Actor::says(std::string_view xml) {
    auto stanza = Stanza::parse(xml);
    INFO(std::string{xml});
    REQUIRE(stanza);
    session()->receive(stanza);
}

inline void Actor::gets(std::string_view pattern) {
    const std::string got = client_.next();
    INFO(client_.jid() << "\nexpected: " << std::string{pattern} << "\ngot: " << got);
    CHECK(mismatch(pattern, got) == "");
}

inline void Actor::getsNothing() {
    INFO(client_.jid());
    CHECK(client_.next() == "");
    client_.forget();
}

inline StoredRoster Stage::stored(std::string_view account) {
    auto record = server_.wait(server_.server().stores().load(std::string{account}));
    REQUIRE(record);
    return record->roster;
}

inline void Stage::runSql(std::vector<std::string> statements) {
    server_.wait(server_.database().write([statements](SqlConnection& connection) {
        for (const auto& statement : statements) connection.run(statement);
        return true;
    }));
}

inline void Stage::breaksStoring() {
    std::vector<std::string> triggers;
    for (const std::string table : {"roster_item", "roster_request"})
        triggers.push_back("CREATE TRIGGER broken_" + table + " BEFORE INSERT ON " + table +
                           " BEGIN SELECT RAISE(ABORT, 'broken by the test'); END");
    runSql(std::move(triggers));
}

inline void Stage::repairsStoring() {
    runSql({"DROP TRIGGER broken_roster_item", "DROP TRIGGER broken_roster_request"});
}

}  // namespace epode
