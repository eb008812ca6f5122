// What a server does with its plugins while it runs.
#include "control/plugin_commands.h"
#include "plugin/plugin.h"
#include "store/keyed_store.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"

#include <stdexcept>

using namespace epode;

namespace {

constexpr QName sample{"urn:test:sample", "sample"};

const Option<std::string> startWith{
    .key = "sample.start_with", .fallback = "ease", .help = "\"trouble\" can't be started."};

struct Seen {
    int messages = 0;
};

// Uses every part of the interface once.
class Sample final : public Plugin {
public:
    explicit Sample(PluginContext& context) {
        context.onIq(StanzaType::Get, sample, Addressee::Account, this, &Sample::answer);
        context.on(&Services::incoming, Phase::Observe, this, &Sample::incoming);
        context.hostFeature(sample.ns);
        context.inBackground(std::chrono::seconds{1}, this, &Sample::step);
        if (context.value(startWith) == "trouble") throw std::runtime_error{"no ease, no start"};
    }
    static inline int steps = 0;

private:
    Task<Reply> answer(const Iq& iq) {
        Document reply{sample.name, sample.ns};
        reply->set("messages", std::to_string(iq.account()->state<Seen>().messages));
        co_return Reply{std::move(reply)};
    }
    Verdict incoming(IncomingEvent& event) {
        event.account.state<Seen>().messages += event.stanza->isMessage();
        return Verdict::Pass;
    }
    Task<Duration> step() {
        ++steps;
        co_return std::chrono::seconds{1};
    }
};

constexpr Migration tables{"sample", 1, "notes", R"(
    CREATE TABLE sample_note(account {bigint} NOT NULL, text {text} NOT NULL);)"};

Task<CommandResult> fail(CommandCall& call) {
    throw std::runtime_error{"the command failed"};
    co_return CommandResult{};
}

std::vector<Command> commands(Server&) {
    std::vector<Command> all;
    all.push_back({.name = "sample do", .summary = "Does it", .answer = [](CommandCall&) {
                       return CommandResult::message("Done.");
                   }});
    all.push_back({.name = "sample fail", .summary = "Fails", .run = fail});
    return all;
}

const PluginInfo info{.name = "sample",
                      .summary = "Uses every part of the interface",
                      .options = {&startWith},
                      .migrations = {&tables},
                      .accountTables = {{.table = "sample_note", .what = "notes"}},
                      .commands = commands,
                      .byDefault = false};

DECLARE_PLUGIN(Sample, info)

const std::string enabled = "[plugins]\nenabled = ['sample']\n";
const std::string ask = "<sample xmlns='urn:test:sample'/>";

CommandResult callCommand(TestServer& server, CommandRegistry& registry, const std::string& name) {
    std::optional<CommandResult> result;
    registry.call(name, {}, {"root", Permission::Administer, "test"},
                  server.server().shard(0).executor(),
                  [&result](CommandResult given) { result = std::move(given); });
    server.run();
    return std::move(result.value());
}

bool isTold(TestClient& client) {
    return client
               .ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                    "capulet.example")
               .find("urn:test:sample") != std::string::npos;
}

}  // namespace

TEST_CASE("a plugin that is unloaded by hand is gone with all that it did, and can come back") {
    TestServer server{enabled, 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& benvolio = server.login("benvolio@montague.example/street");
    CHECK(outcome(juliet.ask("get", ask)) == "result");
    CHECK(isTold(juliet));

    server.plugins().setOverride("capulet.example", "sample", false);
    server.rewire();
    CHECK(outcome(juliet.ask("get", ask)) == "cancel service-unavailable");
    CHECK_FALSE(isTold(juliet));
    CHECK(outcome(benvolio.ask("get", ask)) == "result");
    CHECK(server.plugins().isWired("sample"));

    server.plugins().setOverride("", "sample", false);
    server.rewire();
    CHECK(outcome(benvolio.ask("get", ask)) == "cancel service-unavailable");
    CHECK_FALSE(server.plugins().isWired("sample"));
    server.advance(std::chrono::seconds{5});  // the last step under way
    Sample::steps = 0;
    server.advance(std::chrono::minutes{1});
    CHECK(Sample::steps == 0);

    server.plugins().clearOverrides();
    server.rewire();
    CHECK(outcome(juliet.ask("get", ask)) == "result");
    server.advance(std::chrono::seconds{5});
    CHECK(Sample::steps > 0);
}

TEST_CASE(
    "a plugin whose constructor throws costs its host that plugin alone, with all that it had "
    "wired") {
    TestServer server{enabled + "[host.'capulet.example']\nsample.start_with = 'trouble'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& benvolio = server.login("benvolio@montague.example/street");
    CHECK(outcome(juliet.ask("get", ask)) == "cancel service-unavailable");
    CHECK_FALSE(isTold(juliet));
    CHECK(outcome(juliet.ask("get", "<ping xmlns='urn:xmpp:ping'/>")) == "result");
    CHECK(outcome(benvolio.ask("get", ask)) == "result");
}

TEST_CASE("a plugin that can't be started by hand changes nothing") {
    TestServer server{"[host.'capulet.example']\nsample.start_with = 'trouble'\n"};
    auto& benvolio = server.login("benvolio@montague.example/street");
    server.plugins().setOverride("", "sample", true);
    const auto failures = server.plugins().wire(server.server(), *server.server().settings(),
                                                PluginHost::Mistakes::Strict);
    server.run();
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].host == "capulet.example");
    CHECK(failures[0].reason == "no ease, no start");
    CHECK(outcome(benvolio.ask("get", ask)) == "cancel service-unavailable");
    CHECK_FALSE(server.plugins().isWired("sample"));
}

TEST_CASE("commands of a plugin are there while a host has it") {
    TestServer server{enabled};
    CommandRegistry registry;
    PluginCommands commands{registry, server.server(), server.plugins()};
    commands.update();
    CHECK(callCommand(server, registry, "sample do").text() == "Done.");
    for (const auto& command : registry.list())
        if (command.name == "sample do") CHECK(command.plugin == "sample");

    server.plugins().setOverride("capulet.example", "sample", false);
    server.rewire();
    commands.update();
    CHECK(callCommand(server, registry, "sample do").text() == "Done.");
    server.plugins().setOverride("", "sample", false);
    server.rewire();
    commands.update();
    CHECK(callCommand(server, registry, "sample do").error().code == "unknown-command");
}

TEST_CASE("a command of a plugin that throws is a refusal, and counts as a failure of its plugin") {
    TestServer server{enabled};
    CommandRegistry registry;
    PluginCommands commands{registry, server.server(), server.plugins()};
    commands.update();
    const auto before = server.plugins().meter("sample").read(PluginMeter::Kind::Command);
    const auto result = callCommand(server, registry, "sample fail");
    CHECK(result.isRefusal());
    CHECK(result.error().message.find("the command failed") != std::string::npos);
    const auto after = server.plugins().meter("sample").read(PluginMeter::Kind::Command);
    CHECK(after.calls == before.calls + 1);
    CHECK(after.failures == before.failures + 1);
    CHECK(callCommand(server, registry, "sample do").text() == "Done.");
}

TEST_CASE("rows of a plugin's own tables go with their account") {
    TestServer server{enabled};
    server.addAccount("juliet@capulet.example");
    server.addAccount("nurse@capulet.example");
    auto& accounts = server.server().stores().accounts;
    const auto juliet = *server.wait(accounts.find("juliet@capulet.example"));
    const auto nurse = *server.wait(accounts.find("nurse@capulet.example"));
    const auto insert = [juliet, nurse](SqlConnection& connection) {
        for (const AccountId account : {juliet, juliet, nurse})
            connection.run("INSERT INTO sample_note VALUES(?1, ?2)",
                           {account, std::string_view{"note"}});
        return true;
    };
    server.wait(server.server().database().write(insert));
    const auto notesOf = [&](AccountId account) {
        for (const auto& rows : server.wait(accounts.rows(account)))
            if (rows.what == "notes") return rows.rows;
        return std::int64_t{0};
    };
    CHECK(notesOf(juliet) == 2);
    CHECK(server.wait(accounts.remove("juliet@capulet.example")));
    CHECK(notesOf(juliet) == 0);
    CHECK(notesOf(nurse) == 1);
}

TEST_CASE("what a plugin does is counted") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const auto& meter = server.plugins().meter("sample");
    const auto hooks = meter.read(PluginMeter::Kind::Hook).calls;
    const auto requests = meter.read(PluginMeter::Kind::Request).calls;
    for (int i = 0; i < 10; ++i)
        romeo.send(
            "<message to='juliet@capulet.example' type='chat'><body>hear me</body></message>");
    CHECK(meter.read(PluginMeter::Kind::Hook).calls == hooks + 10);
    CHECK(payload(juliet.ask("get", ask)).find("messages='10'") != std::string::npos);
    CHECK(meter.read(PluginMeter::Kind::Request).calls == requests + 1);
    CHECK(meter.read().failures == 0);
    CHECK(meter.read().calls >= hooks + requests + 11);
}

TEST_CASE("state is forgotten by where its code is, and ended then") {
    struct Ended {
        int* count = nullptr;
        ~Ended() {
            if (count) ++*count;
        }
    };
    int ended = 0;
    StateSlots slots;
    slots.get<Ended>().count = &ended;
    slots.get<Seen>().messages = 3;
    const char elsewhere[2] = {};
    slots.dropThoseOf(elsewhere, elsewhere + 1);
    CHECK(ended == 0);
    CHECK(slots.get<Seen>().messages == 3);
    slots.dropThoseOf(nullptr, reinterpret_cast<const void*>(UINTPTR_MAX));
    CHECK(ended == 1);
    CHECK(slots.empty());
    CHECK(slots.get<Seen>().messages == 0);
}
