#include "control/command_registry.h"

#include "control/command_pages.h"
#include "store/database.h"
#include "tests/control/support/thread_executor.h"
#include "tests/support/catch.h"

#include <future>
#include <stdexcept>

using namespace epode;

namespace {

const Caller admin{"root", Permission::Administer, "test"};

// How a floor or plugin declares a command: the declaration and its handler, nothing else. The
// handler is a coroutine; what it needs is captured by the declaration, which lives as long as the
// call.
struct Accounts {
    std::vector<std::string> names{"juliet@capulet.example"};
    Task<bool> add(std::string name, std::string password) {
        if (std::find(names.begin(), names.end(), name) != names.end()) co_return false;
        names.push_back(name);
        co_return password.size() > 0;
    }
};

Task<CommandResult> addUser(Accounts& accounts, CommandCall& call) {
    const auto& address = call.jid("address");
    const auto added = co_await accounts.add(address.text(), call.text("password"));
    if (!added)
        co_return CommandResult::refusal("exists", "There is an account " + address.text() + ".");
    co_return CommandResult::message("Added " + address.text() + ".");
}

Command userAdd(Accounts& accounts) {
    return {
        .name = "user add",
        .summary = "Makes an account",
        .arguments = {{.name = "address", .kind = ArgumentKind::Jid, .help = "Its address."},
                      {.name = "password", .kind = ArgumentKind::Secret, .help = "Its password."}},
        .run = [&accounts](CommandCall& call) { return addUser(accounts, call); }};
}

Command everyKind() {
    return {
        .name = "try",
        .summary = "Takes arguments of every kind",
        .arguments = {{.name = "text", .help = "t"},
                      {.name = "jid", .kind = ArgumentKind::Jid, .form = Form::Option, .help = "j"},
                      {.name = "host",
                       .kind = ArgumentKind::Host,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help = "h"},
                      {.name = "count",
                       .kind = ArgumentKind::Integer,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .least = 1,
                       .most = 10,
                       .help = "c"},
                      {.name = "size",
                       .kind = ArgumentKind::Size,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help = "s"},
                      {.name = "time",
                       .kind = ArgumentKind::Duration,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help = "d"},
                      {.name = "colour",
                       .kind = ArgumentKind::Choice,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .choices = {"red", "blue"},
                       .help = "x"},
                      {.name = "all", .kind = ArgumentKind::Flag, .help = "f"},
                      {.name = "file",
                       .kind = ArgumentKind::File,
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help = "y"},
                      {.name = "more",
                       .kind = ArgumentKind::Jid,
                       .presence = Presence::Optional,
                       .repeats = Repeats::Yes,
                       .help = "m"}},
        .answer = [](CommandCall&) { return CommandResult{}; }};
}

CommandResult callAndWait(CommandRegistry& registry, Executor& executor, const std::string& name,
                          const RawArguments& arguments = {}, const Caller& caller = admin) {
    std::promise<CommandResult> promise;
    registry.call(name, arguments, caller, executor,
                  [&promise](CommandResult result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
}

Command simple(const std::string& name, std::function<CommandResult(CommandCall&)> answer) {
    return {.name = name, .summary = "Does something", .answer = std::move(answer)};
}

}  // namespace

TEST_CASE("a declared command is called by its name and runs on the executor") {
    CommandRegistry registry;
    test::ThreadExecutor executor;
    Accounts accounts;
    const auto registration = registry.add(userAdd(accounts));

    auto result = callAndWait(registry, executor, "user add",
                              {{"address", "Romeo@Montague.example"}, {"password", "verona"}});
    CHECK(result.text() == "Added romeo@montague.example.");
    result = callAndWait(registry, executor, "user add",
                         {{"address", "juliet@capulet.example"}, {"password", "x"}});
    REQUIRE(result.isRefusal());
    CHECK(result.error().code == "exists");

    std::promise<bool> onExecutor;
    auto command = simple("where", [&](CommandCall& call) {
        onExecutor.set_value(call.executor().isCurrent());
        return CommandResult{};
    });
    const auto where = registry.add(command);
    callAndWait(registry, executor, "where");
    CHECK(onExecutor.get_future().get());
}

TEST_CASE("arguments come typed and prepared") {
    const auto checked = checkArguments(
        everyKind().info(), {{"text", "x"},
                             {"jid", "Juliet@Capulet.example/Balcony"},
                             {"host", "BÜCHER.example"},
                             {"count", std::int64_t{10}},
                             {"size", "1 MiB"},
                             {"time", "5min"},
                             {"colour", "red"},
                             {"all", true},
                             {"file", std::vector<std::string>{"a.toml", "text"}},
                             {"more", std::vector<std::string>{"a@b.example", "c@d.example"}}});
    REQUIRE_FALSE(checked.problem);
    test::ThreadExecutor executor;
    const CommandCall call{admin, checked.values, executor};
    CHECK(call.text("text") == "x");
    CHECK(call.jid("jid").text() == "juliet@capulet.example/Balcony");
    CHECK(call.text("host") == "bücher.example");
    CHECK(call.integer("count") == 10);
    CHECK(call.size("size") == 1_MiB);
    CHECK(call.duration("time") == std::chrono::minutes{5});
    CHECK(call.flag("all"));
    CHECK(call.file("file").name == "a.toml");
    CHECK(call.file("file").text == "text");
    CHECK(call.jids("more").size() == 2);
    CHECK_FALSE(call.flag("nothing"));
    CHECK(call.texts("nothing").empty());
    CHECK_THROWS_AS(call.text("nothing"), std::logic_error);
    CHECK_THROWS_AS(call.text("count"), std::logic_error);
}

TEST_CASE("all that is wrong with arguments is told in one refusal") {
    struct Row {
        RawArguments arguments;
        const char* message;
    };
    const RawArguments good{{"text", "x"}, {"jid", "a@b.example"}};
    const auto with = [&good](std::string name, RawArgument value) {
        auto arguments = good;
        arguments[std::move(name)] = std::move(value);
        return arguments;
    };
    const std::vector<Row> rows{
        {{}, "try: text is missing. jid is missing."},
        {{{"text", ""}, {"jid", "@"}},
         "try: text is empty. jid is \"@\", which is no valid address like "
         "juliet@capulet.example."},
        {with("host", "a b"),
         "try: host is \"a b\", which is no valid domain like capulet.example."},
        {with("count", std::int64_t{0}),
         "try: count is \"0\" instead of a whole number from 1 to 10."},
        {with("count", "11"), "try: count is \"11\" instead of a whole number from 1 to 10."},
        {with("count", "3x"), "try: count is \"3x\" instead of a whole number from 1 to 10."},
        {with("count", "99999999999999999999"),
         "try: count is \"99999999999999999999\" instead of a whole number from 1 to 10."},
        {with("count", true), "try: count has no value."},
        {with("size", "big"), "try: size is \"big\" instead of a size like 64 KiB or 1 MiB."},
        {with("time", "5"), "try: time is \"5\" instead of a duration like 30 s, 5 min or 7 d."},
        {with("colour", "bleu"),
         "try: colour is \"bleu\" instead of one of red, blue. Did you mean blue?"},
        {with("all", "yes"), "try: all takes no value."},
        {with("txet", "x"), "try: There is no argument \"txet\". Did you mean text?"},
        {with("text", std::vector<std::string>{"a", "b"}), "try: text is given more than once."},
        {with("text", std::vector<std::string>{}), "try: text has no value."},
        {with("more", std::vector<std::string>{"a@b.example", "@"}),
         "try: more is \"@\", which is no valid address like juliet@capulet.example."},
    };
    for (const auto& row : rows) {
        const auto checked = checkArguments(everyKind().info(), row.arguments);
        REQUIRE(checked.problem);
        CHECK(checked.problem->code == "usage");
        CHECK(checked.problem->message == row.message);
    }
}

TEST_CASE("an unknown command and a missing permission are refused before anything runs") {
    CommandRegistry registry;
    test::ThreadExecutor executor;
    bool ran = false;
    const auto stop = registry.add(simple("server stop", [&](CommandCall&) {
        ran = true;
        return CommandResult{};
    }));
    auto result = callAndWait(registry, executor, "server sotp");
    CHECK(result.error().code == "unknown-command");
    CHECK(result.error().message ==
          "There is no command \"server sotp\". Did you mean server stop?");
    result =
        callAndWait(registry, executor, "server stop", {}, {"nurse", Permission::Operate, "test"});
    CHECK(result.error().code == "forbidden");
    CHECK_FALSE(ran);
}

TEST_CASE("what a handler throws is an answer") {
    CommandRegistry registry;
    test::ThreadExecutor executor;
    const auto plain = registry.add(simple("plain", [](CommandCall&) -> CommandResult {
        throw std::runtime_error{"the balcony is closed"};
    }));
    const auto odd = registry.add(simple("odd", [](CommandCall&) -> CommandResult { throw 3; }));
    auto declaration = simple("store", {});
    declaration.run = [](CommandCall&) -> Task<CommandResult> {
        throw StoreUnavailable{"the disk is full"};
        co_return CommandResult{};
    };
    const auto store = registry.add(declaration);
    CHECK(callAndWait(registry, executor, "plain").error().message == "the balcony is closed");
    CHECK(callAndWait(registry, executor, "odd").error().code == "failed");
    CHECK(callAndWait(registry, executor, "store").error().code == "unavailable");
}

TEST_CASE("a call is answered though the executor stops before it runs") {
    CommandRegistry registry;
    test::ThreadExecutor executor;
    const auto registration =
        registry.add(simple("late", [](CommandCall&) { return CommandResult{}; }));
    executor.stop();
    CHECK(callAndWait(registry, executor, "late").error().code == "unavailable");
    CHECK(registration.running() == 0);
}

TEST_CASE("a removed command is gone for newcomers, and calls under way go on") {
    CommandRegistry registry;
    test::ThreadExecutor executor;
    std::promise<void> began, mayEnd;
    auto registration = registry.add(simple("slow", [&](CommandCall&) {
        began.set_value();
        mayEnd.get_future().wait();
        return CommandResult::message("done");
    }));
    const auto before = registry.generation();
    std::promise<CommandResult> answer;
    registry.call("slow", {}, admin, executor,
                  [&](CommandResult result) { answer.set_value(std::move(result)); });
    began.get_future().wait();
    registration.remove();
    CHECK(registration.running() == 1);
    CHECK(registry.list().empty());
    CHECK(registry.generation() != before);
    CHECK(callAndWait(registry, executor, "slow").error().code == "unknown-command");
    mayEnd.set_value();
    CHECK(answer.get_future().get().text() == "done");
    executor.stop();
    CHECK(registration.running() == 0);
    // The name is free again.
    CHECK_NOTHROW(registry.add(simple("slow", [](CommandCall&) { return CommandResult{}; })));
}

TEST_CASE("a declaration that contradicts itself is a bug that shows at once") {
    CommandRegistry registry;
    const auto answer = [](CommandCall&) { return CommandResult{}; };
    const auto first = registry.add(simple("user add", answer));
    CHECK_THROWS_AS(registry.add(simple("user add", answer)), std::logic_error);
    CHECK_THROWS_AS(registry.add(simple("user", answer)), std::logic_error);
    CHECK_THROWS_AS(registry.add(simple("user add more", answer)), std::logic_error);
    CHECK_NOTHROW(registry.add(simple("user adds", answer)));
    for (const auto* name : {"", "User", "user  list", " user", "user ", "-user", "user_list"}) {
        CHECK_THROWS_AS(registry.add(simple(name, answer)), std::logic_error);
    }
    CHECK_THROWS_AS(registry.add(simple("none", {})), std::logic_error);

    const auto with = [&](std::vector<Argument> arguments) {
        auto command = simple("x", answer);
        command.arguments = std::move(arguments);
        return command;
    };
    CHECK_THROWS_AS(registry.add(with({{.name = "a"}, {.name = "a"}})), std::logic_error);
    CHECK_THROWS_AS(registry.add(with({{.name = "json"}})), std::logic_error);
    CHECK_THROWS_AS(registry.add(with({{.name = "a", .kind = ArgumentKind::Choice}})),
                    std::logic_error);
    CHECK_THROWS_AS(
        registry.add(with({{.name = "a", .presence = Presence::Optional}, {.name = "b"}})),
        std::logic_error);
    CHECK_THROWS_AS(registry.add(with({{.name = "a", .repeats = Repeats::Yes}, {.name = "b"}})),
                    std::logic_error);
}

TEST_CASE("pages are made from the declarations") {
    Accounts accounts;
    auto add = userAdd(accounts);
    add.danger = Danger::Dangerous;
    add.examples = {{"user add juliet@capulet.example", "Asks for the password."}};
    CHECK(usageLine(add.info()) == "epodectl user add ADDRESS [--password-file FILE]");
    CHECK(helpPage(add.info()) ==
          "Makes an account (asks first).\n\n"
          "Usage: epodectl user add ADDRESS [--password-file FILE]\n\n"
          "  ADDRESS               Its address.\n"
          "  --password-file FILE  Its password. Asked for when the option is missing; -\n"
          "                        reads standard input.\n\n"
          "Examples:\n"
          "  epodectl user add juliet@capulet.example\n"
          "      Asks for the password.\n");
    CHECK(usageLine(everyKind().info()) ==
          "epodectl try TEXT [MORE…] --jid ADDRESS [--host DOMAIN] [--count N] [--size SIZE] "
          "[--time DURATION] [--colour red|blue] [--all] [--file FILE]");

    const std::vector<CommandInfo> commands{everyKind().info(), add.info()};
    CHECK(overviewPage(commands) ==
          "  try       Takes arguments of every kind\n\n"
          "  user add  Makes an account (asks first)\n");
    const auto manual = manualPage(commands, "0.1.0");
    CHECK(manual.find(".SS \"user add ADDRESS [\\-\\-password\\-file FILE]\"\n") !=
          std::string::npos);
    const auto reference = referencePage(commands);
    CHECK(reference.find("| `--colour red\\|blue` | x |\n") != std::string::npos);
}
