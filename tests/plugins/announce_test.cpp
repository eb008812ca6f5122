#include "plugins/announce/announcement_store.h"
#include "tests/plugins/commands.h"
#include "tests/store/databases.h"

#include <future>

using namespace epode;

namespace {

// Runs a command as epodectl does; its message, or "code: …" of a refusal.
std::string run(CommandStage& stage, std::string_view name, RawArguments arguments) {
    std::string said = "nothing";
    stage.registry.call(name, arguments, Caller{"root", Permission::Administer, "socket"},
                        stage.server.server().shard(0).executor(), [&](CommandResult result) {
                            said = result.isRefusal() ? result.error().code : result.text();
                        });
    stage.server.run();
    return said;
}

RawArguments text(const std::string& value, const std::string& host = {}) {
    RawArguments arguments;
    arguments.emplace("text", value);
    if (!host.empty()) arguments.emplace("host", host);
    return arguments;
}

using Bodies = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "an announcement reaches all accounts, also those who are away, and no faster than it may") {
    CommandStage stage{"[announce]\nper_second_max = 10"};
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    for (int i = 0; i < 9; ++i)
        stage.server.addAccount("a" + std::to_string(i) + "@capulet.example");
    stage.server.addAccount("romeo@montague.example");
    juliet.forget();
    CHECK(run(stage, "announce all", text("Feast tonight", "capulet.example"))
              .starts_with("All accounts"));
    // Two at a time, by address: she is the last of ten.
    stage.server.advance(std::chrono::milliseconds{700});
    CHECK(bodies(juliet).empty());
    stage.server.advance(std::chrono::seconds{1});
    CHECK(bodies(juliet) == Bodies{"Feast tonight"});
    CHECK(bodies(arrive(stage.server, "a0@capulet.example/x")) == Bodies{"Feast tonight"});
    CHECK(bodies(arrive(stage.server, "romeo@montague.example/x")).empty());
    // That was all of it.
    stage.server.advance(std::chrono::seconds{5});
    CHECK(bodies(juliet).empty());
}

TEST_CASE("an announcement goes on after a restart, and after plugins were made anew") {
    CommandStage stage{"[announce]\nper_second_max = 5"};
    for (int i = 0; i < 6; ++i)
        stage.server.addAccount("a" + std::to_string(i) + "@capulet.example");
    run(stage, "announce all", text("Feast tonight", "capulet.example"));
    stage.server.advance(std::chrono::milliseconds{300});
    stage.server.rewire();
    stage.server.advance(std::chrono::milliseconds{300});
    stage.restart();
    stage.server.advance(std::chrono::seconds{5});
    for (int i = 0; i < 6; ++i) {
        INFO(i);
        const auto told =
            bodies(arrive(stage.server, "a" + std::to_string(i) + "@capulet.example/x"));
        CHECK(told.size() >= 1);
        CHECK(told.size() <= 2);
    }
}

TEST_CASE("only so many announcements wait, and none is empty or endless") {
    CommandStage stage{"[announce]\nper_second_max = 1"};
    for (int i = 0; i < 30; ++i)
        stage.server.addAccount("a" + std::to_string(i) + "@capulet.example");
    CHECK(run(stage, "announce all", text(std::string(16 * 1024 + 1, 'x'))) == "invalid");
    CHECK(run(stage, "announce all", text("bell\x07")) == "invalid");
    CHECK(run(stage, "announce all", text("")) == "usage");
    CHECK(run(stage, "announce all", text("x", "verona.example")) == "not-found");
    for (int i = 0; i < 20; ++i)
        CHECK(run(stage, "announce all", text("x", "capulet.example")) != "unavailable");
    CHECK(run(stage, "announce all", text("x", "capulet.example")) == "unavailable");
}

TEST_CASE("the message of the day is told once to each account") {
    CommandStage stage{""};
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    CHECK(run(stage, "motd set", text("Feast tonight")).starts_with("Each account"));
    stage.server.run();
    // At the next login; and not to each of its clients.
    CHECK(bodies(juliet).empty());
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/garden")) == Bodies{"Feast tonight"});
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/chamber")).empty());
    CHECK(bodies(arrive(stage.server, "romeo@montague.example/orchard")) ==
          Bodies{"Feast tonight"});
    stage.restart();
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/balcony")).empty());
    // Another one is news again.
    stage.server.advance(std::chrono::seconds{1});
    run(stage, "motd set", text("The feast is over"));
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/garden")) ==
          Bodies{"The feast is over"});
    CHECK(run(stage, "motd remove", {}) == "It is told no more.");
    CHECK(run(stage, "motd remove", {}) == "Nothing was set.");
    CHECK(bodies(arrive(stage.server, "tybalt@capulet.example/street")).empty());
    CHECK(run(stage, "motd show", {}) == "Nothing is set.");
}

TEST_CASE("a new account is welcomed at its first login") {
    CommandStage stage{""};
    stage.server.addAccount("juliet@capulet.example");
    run(stage, "welcome set", text("Welcome to Verona", "capulet.example"));
    RawArguments add;
    add.emplace("address", "paris@capulet.example");
    add.emplace("password", "secret");
    run(stage, "user add", add);
    CHECK(bodies(arrive(stage.server, "paris@capulet.example/street")) ==
          Bodies{"Welcome to Verona"});
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/balcony")).empty());
    add["address"] = "benvolio@montague.example";
    run(stage, "user add", add);
    CHECK(bodies(arrive(stage.server, "benvolio@montague.example/street")).empty());
}

TEST_CASE("what is announced is stored as it was said") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        announce::AnnouncementStore store{setup.database()};
        using announce::Job;
        using announce::Standing;
        const WallTime now = fromMilliseconds(1'790'000'000'000);
        const std::string host = "capulet.example";
        CHECK(!setup.await(store.standing(Standing::Motd, host)));
        setup.await(store.setStanding(Standing::Motd, host, {"One\ntwo\n\n", now}));
        CHECK(setup.await(store.standing(Standing::Motd, host))->text == "One\ntwo\n\n");
        CHECK(setup.await(store.standing(Standing::Motd, host))->since == now);
        CHECK(!setup.await(store.standing(Standing::Welcome, host)));
        CHECK(!setup.await(store.standing(Standing::Motd, "montague.example")));
        CHECK(setup.await(store.removeStanding(Standing::Motd, host)));

        CHECK(setup.await(
            store.addJob(host, {.key = {}, .to = Job::To::All, .after = {}, .text = "a\nb"}, now)));
        CHECK(setup.await(store.addJob(host,
                                       {.key = {}, .to = Job::To::Online, .after = {}, .text = "c"},
                                       now + std::chrono::milliseconds{1})));
        auto jobs = setup.await(store.jobs(host));
        REQUIRE(jobs.size() == 2);
        CHECK((jobs[0].to == Job::To::All));
        CHECK(jobs[0].text == "a\nb");
        CHECK((jobs[1].to == Job::To::Online));
        CHECK(jobs[1].text == "c");
        jobs[0].after = "juliet@capulet.example";
        setup.await(store.saveJob(jobs[0]));
        CHECK(setup.await(store.jobs(host))[0].after == "juliet@capulet.example");
        setup.await(store.removeJob(jobs[0].key));
        CHECK(setup.await(store.jobs(host)).size() == 1);
        CHECK(setup.await(store.jobs("let.example")).empty());

        CHECK(setup.await(store.noteTold(7, now)));
        CHECK(!setup.await(store.noteTold(7, now)));
        CHECK(setup.await(store.noteTold(8, now)));
        CHECK(setup.await(store.noteTold(7, now + std::chrono::milliseconds{1})));
    });
}
