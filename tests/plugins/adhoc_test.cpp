// Ad-hoc commands (XEP-0050), made from declared commands and offered by plugins.
#include "control/command_registry.h"
#include "control/user_commands.h"
#include "core/data_form.h"
#include "plugins/adhoc/command_forms.h"
#include "plugins/adhoc/command_sessions.h"
#include "tests/plugins/commands.h"

using namespace epode;

namespace {

constexpr std::string_view toml = R"(
[invite]
users_may = 'nothing'
[upload]
domain = ''
[commands]
admins = ["escalus@capulet.example"]
operators = ["peter@capulet.example"]
sessions_per_account_max = 3
[host."capulet.example".commands]
host_admins = ["nurse@capulet.example"]
)";

const std::string capulet = "capulet.example";

// A command of three steps, each of which takes four seconds.
struct Tortoise {
    int steps = 0;
    bool wasAbandoned = false;

    static Task<bool> wait(Executor& executor) {
        UniqueFunction<void(UniqueFunction<void(bool)>)> begin =
            [&executor](UniqueFunction<void(bool)> resolve) {
                auto timer = std::make_shared<Timer>();
                auto shared = std::make_shared<UniqueFunction<void(bool)>>(std::move(resolve));
                *timer =
                    executor.after(std::chrono::seconds{4}, [timer, shared] { (*shared)(true); });
            };
        Callback<bool> passed(std::move(begin));
        const bool isOver = co_await passed;
        co_return isOver;
    }
    Task<CommandResult> crawl(CommandCall& call) {
        while (steps < 3) {
            const bool isOver = co_await wait(call.executor());
            (void)isOver;
            wasAbandoned = call.isAbandoned();
            if (wasAbandoned) co_return CommandResult::refusal("failed", "Given up.");
            call.progress({.text = "steps", .done = ++steps, .total = 3});
        }
        co_return CommandResult::message("There.");
    }
};

}  // namespace

TEST_CASE("an operator sees the commands that he may use, and nobody else sees any") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& peter = stage.server.login("peter@capulet.example/hall");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    auto& romeo = stage.server.login("romeo@montague.example/orchard");

    const auto all = commandNodes(escalus, capulet);
    CHECK(all.contains("urn:epode:command:user.add"));
    CHECK(all.contains("http://jabber.org/protocol/admin#add-user"));
    const auto some = commandNodes(peter, capulet);
    CHECK(some.contains("urn:epode:command:session.kick"));
    CHECK(!some.contains("urn:epode:command:user.add"));
    CHECK(!some.contains("http://jabber.org/protocol/admin#add-user"));
    CHECK(some.contains("http://jabber.org/protocol/admin#get-online-users-num"));
    CHECK(commandNodes(juliet, capulet).empty());
    CHECK(commandNodes(romeo, capulet).empty());

    // The feature is everybody's to see, and the list is a node of its own.
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    CHECK(payload(juliet.ask("get", info, capulet)).find("http://jabber.org/protocol/commands") !=
          std::string::npos);
    const auto aboutList =
        payload(escalus.ask("get",
                            "<query xmlns='http://jabber.org/protocol/disco#info' "
                            "node='http://jabber.org/protocol/commands'/>",
                            capulet));
    CHECK(aboutList.find("type='command-list'") != std::string::npos);
    const std::string aboutAdd =
        "<query xmlns='http://jabber.org/protocol/disco#info' node='urn:epode:command:user.add'/>";
    const auto node = payload(escalus.ask("get", aboutAdd, capulet));
    CHECK(node.find("type='command-node'") != std::string::npos);
    CHECK(node.find("var='jabber:x:data'") != std::string::npos);
    CHECK(node.find("name='Makes an account'") != std::string::npos);
    for (auto* stranger : {&peter, &juliet, &romeo})
        CHECK(outcome(stranger->ask("get", aboutAdd, capulet)) == "cancel forbidden");
    for (const std::string unknown :
         {"urn:epode:command:user.fly", "http://jabber.org/protocol/admin#fly", "x"})
        CHECK(outcome(escalus.ask(
                  "get",
                  "<query xmlns='http://jabber.org/protocol/disco#info' node='" + unknown + "'/>",
                  capulet)) == "cancel item-not-found");
}

TEST_CASE("nobody runs a command that is not for him") {
    CommandStage stage{toml};
    auto& peter = stage.server.login("peter@capulet.example/hall");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    auto& romeo = stage.server.login("romeo@montague.example/orchard");
    auto& nurse = stage.server.login("nurse@capulet.example/room");
    for (auto* who : {&peter, &juliet, &romeo, &nurse}) {
        INFO(who->jid());
        CHECK(outcome(execute(*who, capulet, "urn:epode:command:user.add")) == "cancel forbidden");
        CHECK(outcome(execute(*who, capulet, "http://jabber.org/protocol/admin#shutdown")) ==
              "cancel forbidden");
    }
    CHECK(outcome(execute(juliet, capulet, "urn:epode:command:fly")) == "cancel forbidden");
    CHECK(outcome(execute(peter, capulet, "urn:epode:command:fly")) == "cancel item-not-found");
    CHECK(outcome(execute(juliet, capulet, "anything")) == "cancel item-not-found");
    CHECK(outcome(execute(romeo, "juliet@capulet.example", "anything")) ==
          "cancel service-unavailable");
    // The administrator of one host is nothing on another, and nothing over the server.
    CHECK(commandNodes(nurse, capulet).contains("http://jabber.org/protocol/admin#add-user"));
    CHECK(commandNodes(nurse, "montague.example").empty());
}

TEST_CASE("a command that takes long tells how far it is, and ends when nobody waits for it") {
    CommandStage stage{toml};
    Tortoise tortoise;
    stage.registrations.push_back(stage.registry.add(
        {.name = "crawl", .summary = "Takes its time", .run = [&tortoise](CommandCall& call) {
             return tortoise.crawl(call);
         }}));
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const std::string node = "urn:epode:command:crawl";
    const auto afterSeconds = [&](int seconds) {
        stage.server.advance(std::chrono::seconds{seconds});
        return escalus.next();
    };
    escalus.send(
        "<iq type='set' id='a' to='capulet.example'><command xmlns='"
        "http://jabber.org/protocol/commands' node='" +
        node + "'/></iq>");
    CHECK(escalus.next() == "");
    const auto told = command(afterSeconds(5));
    CHECK(told.status == "executing");
    CHECK(told.actions == "next");
    CHECK(told.notes == std::vector<std::string>{"info: steps: 1 of 3 (33 %)"});
    for (const std::string action : {"prev", "complete"})
        CHECK(commandOutcome(act(escalus, capulet, told, action)) ==
              "modify bad-request bad-action");
    auto& other = stage.server.login("escalus@capulet.example/other");
    escalus.forget();
    CHECK(commandOutcome(act(other, capulet, told, "cancel")) ==
          "modify bad-request bad-sessionid");
    const auto asksAgain = [&] {
        escalus.send(
            "<iq type='set' id='b' to='capulet.example'><command xmlns='"
            "http://jabber.org/protocol/commands' node='" +
            node + "' sessionid='" + told.session + "' action='next'/></iq>");
    };

    SECTION("done") {
        asksAgain();
        CHECK(command(afterSeconds(5)).notes ==
              std::vector<std::string>{"info: steps: 2 of 3 (66 %)"});
        asksAgain();
        // It is told at once, and once.
        const auto done = command(afterSeconds(2));
        CHECK(done.status == "completed");
        CHECK(done.notes == std::vector<std::string>{"info: There."});
        CHECK(commandOutcome(act(escalus, capulet, told, "next")) ==
              "cancel not-allowed session-expired");
    }
    SECTION("done while nobody has asked") {
        stage.server.advance(std::chrono::seconds{20});
        const auto done = command(act(escalus, capulet, told, "next"));
        CHECK(done.status == "completed");
        CHECK(done.notes == std::vector<std::string>{"info: There."});
    }
    SECTION("cancelled") {
        CHECK(command(act(escalus, capulet, told, "cancel")).status == "canceled");
        stage.server.advance(std::chrono::seconds{20});
        CHECK(tortoise.wasAbandoned);
        CHECK(tortoise.steps == 1);
    }
    SECTION("with the plugin") {
        stage.server.rewire();
        stage.server.advance(std::chrono::seconds{20});
        CHECK(tortoise.wasAbandoned);
        CHECK(commandOutcome(act(escalus, capulet, told, "next")) ==
              "modify bad-request bad-sessionid");
    }
}

TEST_CASE("a declared command asks for its arguments, and does what it says") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto asked = command(execute(escalus, capulet, "urn:epode:command:user.add"));
    CHECK(asked.status == "executing");
    CHECK(asked.actions == "complete");
    REQUIRE(asked.form);
    CHECK(asked.form->kind() == FormKind::Form);
    CHECK(asked.form->find("address")->type == FieldType::JidSingle);
    CHECK(asked.form->find("address")->isRequired);
    CHECK(asked.form->find("password")->type == FieldType::TextPrivate);

    const auto done =
        command(answer(escalus, capulet, asked,
                       {{"address", "benvolio@capulet.example"}, {"password", "secret"}}));
    CHECK(done.status == "completed");
    CHECK(done.notes ==
          std::vector<std::string>{"info: The account benvolio@capulet.example was made."});
    stage.server.login("benvolio@capulet.example/street");

    // It has failed, and says so.
    const auto again = command(execute(escalus, capulet, "urn:epode:command:user.add"));
    const auto failed =
        command(answer(escalus, capulet, again,
                       {{"address", "benvolio@capulet.example"}, {"password", "secret"}}));
    CHECK(failed.status == "completed");
    CHECK(failed.notes ==
          std::vector<std::string>{"error: The account benvolio@capulet.example exists already."});
}

TEST_CASE("a table comes as a form of type result") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    stage.server.addAccount("juliet@capulet.example");
    const auto asked = command(execute(escalus, capulet, "urn:epode:command:user.list"));
    REQUIRE(asked.form);
    CHECK(asked.form->find("host")->type == FieldType::ListSingle);
    CHECK(asked.form->find("host")->options.size() == 2);
    const auto done = command(answer(escalus, capulet, asked, {{"host", "capulet.example"}}));
    CHECK(done.status == "completed");
    REQUIRE(done.form);
    CHECK(done.form->kind() == FormKind::Result);
    REQUIRE(done.form->reported().size() == 4);
    CHECK(done.form->reported()[2].var == "last_login");
    REQUIRE(done.form->items().size() == 2);
    CHECK(done.form->items()[0][0].values == std::vector<std::string>{"escalus@capulet.example"});
    CHECK(done.form->items()[1][0].values == std::vector<std::string>{"juliet@capulet.example"});
}

TEST_CASE("a table for a client has an end") {
    CommandStage stage{"[commands]\nadmins = ['escalus@capulet.example']\nrows_max = 2"};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    for (const char* name : {"a", "b", "c"})
        stage.server.addAccount(name + std::string{"@capulet.example"});
    const auto asked = command(execute(escalus, capulet, "urn:epode:command:user.list"));
    const auto done = command(answer(escalus, capulet, asked, {}));
    CHECK(done.form->items().size() == 2);
    CHECK(done.notes == std::vector<std::string>{"warn: Shown are 2 of 4 rows."});
}

TEST_CASE("a dangerous command asks once more, and can be taken back") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    stage.server.addAccount("tybalt@capulet.example");
    const std::string node = "urn:epode:command:user.remove";
    const auto exists = [&] {
        auto& accounts = stage.server.server().stores().accounts;
        return stage.server.wait(accounts.find("tybalt@capulet.example")).has_value();
    };

    auto asked = command(execute(escalus, capulet, node));
    CHECK(asked.actions == "next");
    auto sure = command(answer(escalus, capulet, asked, {{"address", "tybalt@capulet.example"}}));
    CHECK(sure.status == "executing");
    CHECK(sure.session == asked.session);
    CHECK(sure.actions == "prev complete");
    REQUIRE(sure.form);
    CHECK(sure.form->find("confirm")->type == FieldType::Boolean);
    CHECK(exists());

    // Back, with what was said before, and forth again.
    const auto back = command(act(escalus, capulet, sure, "prev"));
    CHECK(back.actions == "next");
    CHECK(back.form->text("address") == "tybalt@capulet.example");
    sure = command(answer(escalus, capulet, back, {{"address", "tybalt@capulet.example"}}, "next"));
    const auto no = command(answer(escalus, capulet, sure, {{"confirm", "0"}}));
    CHECK(no.status == "completed");
    CHECK(no.notes == std::vector<std::string>{"warn: Nothing was done."});
    CHECK(exists());

    asked = command(execute(escalus, capulet, node));
    sure = command(answer(escalus, capulet, asked, {{"address", "tybalt@capulet.example"}}));
    const auto yes = command(answer(escalus, capulet, sure, {{"confirm", "1"}}, "complete"));
    CHECK(yes.status == "completed");
    CHECK(!exists());
}

TEST_CASE("a command is canceled at any stage, and its session has ended") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const auto asked = command(execute(escalus, capulet, "urn:epode:command:user.add"));
    const auto canceled = command(act(escalus, capulet, asked, "cancel"));
    CHECK(canceled.status == "canceled");
    CHECK(canceled.session == asked.session);
    CHECK(commandOutcome(act(escalus, capulet, asked, "cancel")) ==
          "cancel not-allowed session-expired");
    CHECK(commandOutcome(answer(escalus, capulet, asked, {})) ==
          "cancel not-allowed session-expired");
}

TEST_CASE("each wrong request gets its own error, and a session survives what was refused") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& elsewhere = stage.server.login("escalus@capulet.example/market");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    const std::string node = "urn:epode:command:user.add";
    const auto raw = [&](TestClient& who, std::string_view attributes,
                         std::string_view content = {}) {
        return commandOutcome(who.ask("set",
                                      "<command xmlns='http://jabber.org/protocol/commands' " +
                                          std::string{attributes} + ">" + std::string{content} +
                                          "</command>",
                                      capulet));
    };
    CHECK(raw(escalus, "") == "modify bad-request");
    CHECK(raw(escalus, "node='" + node + "' action='dance'") ==
          "modify bad-request malformed-action");
    for (const std::string action : {"next", "prev", "complete", "cancel"})
        CHECK(raw(escalus, "node='" + node + "' action='" + action + "'") ==
              "modify bad-request bad-action");
    for (const std::string id : {"", "x", "0123456789012345678901234567890123456789"})
        CHECK(raw(escalus, "node='" + node + "' sessionid='" + id + "'") ==
              "modify bad-request bad-sessionid");

    const auto asked = command(execute(escalus, capulet, node));
    const std::string with = "node='" + node + "' sessionid='" + asked.session + "'";
    CHECK(raw(escalus, with + " action='prev'") == "modify bad-request bad-action");
    CHECK(raw(escalus, with + " action='next'") == "modify bad-request bad-action");
    CHECK(raw(escalus, with) == "modify bad-request bad-payload");
    CHECK(raw(escalus, with, "<x xmlns='jabber:x:data' type='form'/>") ==
          "modify bad-request bad-payload");
    CHECK(raw(escalus, with, "<x xmlns='jabber:x:data' type='submit'/>") ==
          "modify bad-request bad-payload");
    CHECK(raw(escalus, with,
              "<x xmlns='jabber:x:data' type='submit'><field><value>1</value></field></x>") ==
          "modify bad-request bad-payload");
    CHECK(commandOutcome(
              answer(escalus, capulet, asked, {{"address", "@@"}, {"password", "secret"}})) ==
          "modify bad-request bad-payload");
    // It is this client's alone, and for this command.
    CHECK(raw(elsewhere, with) == "modify bad-request bad-sessionid");
    CHECK(raw(juliet, with) == "cancel forbidden");
    CHECK(raw(escalus, "node='urn:epode:command:user.remove' sessionid='" + asked.session + "'") ==
          "modify bad-request bad-sessionid");
    const auto done = command(answer(
        escalus, capulet, asked, {{"address", "paris@capulet.example"}, {"password", "secret"}}));
    CHECK(done.status == "completed");
    // Once more is not twice.
    CHECK(commandOutcome(answer(escalus, capulet, asked,
                                {{"address", "paris@capulet.example"}, {"password", "secret"}})) ==
          "cancel not-allowed session-expired");
}

TEST_CASE("a form waits for its time and no longer, and only so many wait") {
    CommandStage stage{
        "[commands]\nadmins = ['escalus@capulet.example']\nsession_lifetime = '30 "
        "s'\nsessions_per_account_max = 3"};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const std::string node = "urn:epode:command:user.add";
    std::vector<CommandAnswer> asked;
    for (int i = 0; i < 3; ++i) asked.push_back(command(execute(escalus, capulet, node)));
    CHECK(outcome(execute(escalus, capulet, node)) == "wait resource-constraint");
    CHECK(command(act(escalus, capulet, asked[0], "cancel")).status == "canceled");
    CHECK(command(execute(escalus, capulet, node)).status == "executing");
    stage.server.advance(std::chrono::seconds{31});
    CHECK(commandOutcome(answer(escalus, capulet, asked[1], {})) ==
          "cancel not-allowed session-expired");
    CHECK(command(execute(escalus, capulet, node)).status == "executing");
}

TEST_CASE("who is no operator any more does not finish a command") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const auto asked = command(execute(escalus, capulet, "urn:epode:command:user.add"));
    stage.registrations.clear();
    CHECK(outcome(answer(escalus, capulet, asked,
                         {{"address", "a@capulet.example"}, {"password", "b"}})) ==
          "cancel item-not-found");
}

TEST_CASE("an argument of each kind has its field, and a value of each type its text") {
    const CommandInfo info{
        .name = "do it",
        .summary = "Does it",
        .details = {},
        .arguments = {{.name = "text"},
                      {.name = "who", .kind = ArgumentKind::Jid, .repeats = Repeats::Yes},
                      {.name = "host", .kind = ArgumentKind::Host},
                      {.name = "secret", .kind = ArgumentKind::Secret},
                      {.name = "number", .kind = ArgumentKind::Integer, .least = 1, .most = 9},
                      {.name = "size", .kind = ArgumentKind::Size},
                      {.name = "choice", .kind = ArgumentKind::Choice, .choices = {"a", "b"}},
                      {.name = "flag", .kind = ArgumentKind::Flag},
                      {.name = "file", .kind = ArgumentKind::File}},
        .examples = {}};
    const std::vector<std::string> hosts{"capulet.example"};
    const auto form = adhoc::questionFor(info, hosts);
    const std::vector<FieldType> types{
        FieldType::Hidden,      FieldType::TextSingle, FieldType::JidMulti,   FieldType::ListSingle,
        FieldType::TextPrivate, FieldType::TextSingle, FieldType::TextSingle, FieldType::ListSingle,
        FieldType::Boolean,     FieldType::TextMulti};
    REQUIRE(form.fields().size() == types.size());
    for (std::size_t i = 0; i < types.size(); ++i) CHECK((form.fields()[i].type == types[i]));
    Document parent{"command", "x"};
    form.addTo(*parent);
    CHECK(toXml(*parent).find(
              "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:integer'>"
              "<range min='1' max='9'/></validate>") != std::string::npos);

    DataForm filled{FormKind::Submit};
    filled.add({.var = "text", .values = {""}});
    filled.add({.var = "who", .values = {"a@b.example", "c@d.example"}});
    filled.add({.var = "number", .values = {"7"}});
    filled.add({.var = "flag", .values = {"true"}});
    filled.add({.var = "file", .values = {"one", "two"}});
    filled.add({.var = "nobody-asked", .values = {"x"}});
    const auto raw = adhoc::argumentsFrom(info, filled);
    CHECK(raw.size() == 4);
    CHECK(std::get<std::vector<std::string>>(raw.at("who")).size() == 2);
    CHECK(std::get<std::string>(raw.at("number")) == "7");
    CHECK(std::get<bool>(raw.at("flag")));
    CHECK(std::get<std::string>(raw.at("file")) == "one\ntwo");

    CHECK(adhoc::textsOf(Cell{}).empty());
    CHECK(adhoc::textsOf(Cell{true}) == std::vector<std::string>{"1"});
    CHECK(adhoc::textsOf(Cell{7}) == std::vector<std::string>{"7"});
    CHECK(adhoc::textsOf(Cell{64_KiB}) == std::vector<std::string>{"64 KiB"});
    CHECK(adhoc::textsOf(Cell{fromMilliseconds(0)}) ==
          std::vector<std::string>{"1970-01-01T00:00:00.000Z"});
    // What XML can't hold would end the reader's stream.
    CHECK(adhoc::textsOf(Cell{std::string{"a\x01"
                                          "b\n"}}) == std::vector<std::string>{"a\xEF\xBF\xBD"
                                                                               "b\n"});
}

TEST_CASE("a session's id can't be made up, nor used by another or for another command") {
    using adhoc::CommandSession;
    using adhoc::CommandSessions;
    CommandSessions sessions{{.most = 2, .perCallerMost = 2, .lifetime = std::chrono::seconds{10}}};
    const SteadyTime now{};
    const auto juliet = *Jid::parse("juliet@capulet.example/balcony");
    const auto romeo = *Jid::parse("romeo@capulet.example/orchard");
    const auto take = [&](const std::string& id, const Jid& who, std::string_view node,
                          SteadyTime when) {
        const auto taken = sessions.take(id, who, node, when);
        if (std::holds_alternative<CommandSession>(taken)) return std::string{"taken"};
        return std::string{std::get<CommandSessions::Missing>(taken) ==
                                   CommandSessions::Missing::HasEnded
                               ? "ended"
                               : "never"};
    };
    const auto begin = [&](const Jid& who) {
        CommandSession session{.id = sessions.newId(who, "n"), .caller = who, .node = "n"};
        const auto id = session.id;
        return sessions.put(std::move(session), now) ? id : std::string{};
    };
    const auto id = begin(juliet);
    CHECK(take(id, romeo, "n", now) == "never");
    CHECK(take(id, juliet, "m", now) == "never");
    CHECK(take(id + "0", juliet, "n", now) == "never");
    CHECK(take(id, juliet, "n", now + std::chrono::seconds{9}) == "taken");
    CHECK(take(id, juliet, "n", now) == "ended");
    const auto late = begin(juliet);
    CHECK(take(late, juliet, "n", now + std::chrono::seconds{10}) == "ended");
    CHECK(!begin(juliet).empty());
    CHECK(!begin(romeo).empty());
    CHECK(begin(romeo).empty());
    CHECK(sessions.size() == 2);
}
