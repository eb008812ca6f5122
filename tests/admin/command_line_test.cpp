#include "admin/command_line.h"

#include "admin/completion.h"
#include "tests/support/catch.h"

using namespace epode;
using namespace epode::admin;

namespace {

using Words = std::vector<std::string>;

CommandInfo kick() {
    CommandInfo command;
    command.name = "session kick";
    command.summary = "Closes streams";
    command.arguments = {
        {.name = "address", .kind = ArgumentKind::Jid, .help = "a"},
        {.name = "resource", .presence = Presence::Optional, .repeats = Repeats::Yes, .help = "r"},
        {.name = "reason", .presence = Presence::Optional, .form = Form::Option, .help = "x"},
        {.name = "tag",
         .presence = Presence::Optional,
         .form = Form::Option,
         .repeats = Repeats::Yes,
         .help = "t"},
        {.name = "how",
         .kind = ArgumentKind::Choice,
         .presence = Presence::Optional,
         .form = Form::Option,
         .choices = {"gently", "hard"},
         .help = "h"},
        {.name = "all", .kind = ArgumentKind::Flag, .help = "f"}};
    return command;
}

CommandInfo add() {
    CommandInfo command;
    command.name = "user add";
    command.summary = "Makes an account";
    command.arguments = {
        {.name = "address", .kind = ArgumentKind::Jid, .help = "a"},
        {.name = "password", .kind = ArgumentKind::Secret, .help = "p"},
        {.name = "pin", .kind = ArgumentKind::Secret, .presence = Presence::Optional, .help = "n"}};
    return command;
}

CommandInfo level() {
    CommandInfo command;
    command.name = "log level";
    command.summary = "Sets levels";
    command.arguments = {
        {.name = "level", .kind = ArgumentKind::Choice, .choices = {"debug", "info"}, .help = "l"}};
    return command;
}

CommandInfo named(const std::string& name) {
    CommandInfo command;
    command.name = name;
    command.summary = "Does " + name;
    return command;
}

std::vector<CommandInfo> all() {
    return {level(), kick(), named("stop"), add(), named("user list")};
}

std::string problemOf(const CommandInfo& command, const Words& words) {
    try {
        parseInvocation(command, words);
        return "none";
    } catch (const UsageError& error) {
        return error.what();
    }
}

Words candidateWords(const Words& typed) {
    Words words;
    for (const auto& candidate : candidates(all(), typed)) words.push_back(candidate.word);
    return words;
}

}  // namespace

TEST_CASE("the tool's own options may stand anywhere before --") {
    Words words{"user",        "--json",    "add",  "-q", "x",
                "--socket=/s", "--timeout", "5min", "--", "--yes"};
    const auto options = takeToolOptions(words);
    CHECK(options.json);
    CHECK(options.quiet);
    CHECK_FALSE(options.yes);
    CHECK(options.socket == "/s");
    CHECK(options.timeout == std::chrono::minutes{5});
    CHECK(words == Words{"user", "add", "x", "--", "--yes"});
}

TEST_CASE("options of the tool without a good value are wrong usage") {
    const auto words = GENERATE(values<Words>(
        {{"--socket"}, {"--socket="}, {"--timeout"}, {"--timeout", "soon"}, {"--timeout", "-1s"}}));
    auto copy = words;
    CHECK_THROWS_AS(takeToolOptions(copy), UsageError);
}

TEST_CASE("a command is found by its words, whatever follows") {
    const auto commands = all();
    CHECK(findCommand(commands, {"user", "add", "x"})->name == "user add");
    CHECK(findCommand(commands, {"stop"})->name == "stop");
    CHECK(findCommand(commands, {"user"}) == nullptr);
    CHECK(findCommand(commands, {"users", "add"}) == nullptr);
    CHECK(findCommand(commands, {}) == nullptr);
    CHECK(commandsBelow(commands, {"user"}).size() == 2);
    CHECK(commandsBelow(commands, {"use"}).empty());
}

TEST_CASE("a mistyped command is answered with the nearest") {
    const auto commands = all();
    CHECK(unknownCommand(commands, {"usr", "add", "x"}).what() ==
          std::string{"There is no command \"usr add\". Did you mean user add?"});
    CHECK(unknownCommand(commands, {"user", "lst"}).what() ==
          std::string{"There is no command \"user lst\". Did you mean user list?"});
    CHECK(unknownCommand(commands, {"stpo"}).what() ==
          std::string{"There is no command \"stpo\". Did you mean stop?"});
    CHECK(unknownCommand(commands, {"user", "vanish"}).hint() == "There are: user add, user list.");
    CHECK(unknownCommand(commands, {"zebra"}).hint() == "epodectl help lists all commands.");
}

TEST_CASE("words and options become arguments") {
    auto invocation = parseInvocation(kick(), {"a@b.example", "--reason", "late", "one", "--all",
                                               "two", "--tag=x", "--tag", "y", "--how=hard"});
    CHECK(invocation.arguments == RawArguments{{"address", std::string{"a@b.example"}},
                                               {"reason", std::string{"late"}},
                                               {"resource", Words{"one", "two"}},
                                               {"tag", Words{"x", "y"}},
                                               {"how", std::string{"hard"}},
                                               {"all", true}});
    // After -- nothing is an option; - alone never is.
    invocation = parseInvocation(kick(), {"--", "--all", "-", "--"});
    CHECK(invocation.arguments ==
          RawArguments{{"address", std::string{"--all"}}, {"resource", Words{"-", "--"}}});
    // A value may look like an option, and may be empty.
    invocation = parseInvocation(kick(), {"a", "--reason", "--all", "--tag="});
    CHECK(invocation.arguments == RawArguments{{"address", std::string{"a"}},
                                               {"reason", std::string{"--all"}},
                                               {"tag", Words{""}}});
}

TEST_CASE("secrets come from everywhere but the command line") {
    auto invocation = parseInvocation(add(), {"a@b.example"});
    REQUIRE(invocation.secrets.size() == 1);
    CHECK(invocation.secrets.at("password").kind == SecretSource::Kind::Prompt);
    invocation = parseInvocation(add(), {"a@b.example", "--password-file", "/p", "--pin"});
    CHECK(invocation.secrets.at("password").path == "/p");
    CHECK(invocation.secrets.at("pin").kind == SecretSource::Kind::Prompt);
    invocation = parseInvocation(add(), {"a@b.example", "--password-file=-"});
    CHECK(invocation.secrets.at("password").kind == SecretSource::Kind::StandardInput);
    CHECK(problemOf(add(), {"a@b.example", "--password=verona"}).find("takes no value") !=
          std::string::npos);
}

TEST_CASE("all that is wrong with a command line is told at once") {
    CHECK(problemOf(kick(), {}) == "address is missing.");
    CHECK(problemOf(kick(), {"a", "--resaon", "x"}) ==
          "session kick has no option --resaon. Did you mean --reason?");
    CHECK(problemOf(kick(), {"--reason"}) == "--reason needs a value. address is missing.");
    CHECK(problemOf(kick(), {"a", "--reason", "x", "--reason", "y"}) ==
          "--reason is given more than once.");
    CHECK(problemOf(kick(), {"a", "--all=yes"}) == "--all takes no value.");
    CHECK(problemOf(add(), {"a", "b", "c"}) ==
          "\"b\" is one word too many. \"c\" is one word too many.");
    CHECK(problemOf(kick(), {"a", "-x"}) == "session kick has no option -x.");
}

TEST_CASE("completion knows commands, options and choices") {
    CHECK(candidateWords({""}) == Words{"log", "session", "stop", "user"});
    CHECK(candidateWords({}) == Words{"log", "session", "stop", "user"});
    CHECK(candidateWords({"s"}) == Words{"session", "stop"});
    CHECK(candidateWords({"user", ""}) == Words{"add", "list"});
    CHECK(candidateWords({"--json", "user", "l"}) == Words{"list"});
    CHECK(candidateWords({"--socket", "/s", "user", "l"}) == Words{"list"});
    CHECK(candidateWords({"--socket", ""}).empty());
    CHECK(candidateWords({"log", "level", ""}) == Words{"debug", "info"});
    CHECK(candidateWords({"log", "level", "info", ""}).empty());
    CHECK(candidateWords({"session", "kick", "a", "--how", ""}) == Words{"gently", "hard"});
    CHECK(candidateWords({"session", "kick", "--r"}) == Words{"--reason"});
    CHECK(candidateWords({"session", "kick", "--reason", "--r"}).empty());
    CHECK(candidateWords({"session", "kick", "--all", "--a"}).empty());
    CHECK(candidateWords({"user", "add", "--p"}) ==
          Words{"--password", "--password-file", "--pin", "--pin-file"});
    CHECK(candidateWords({"--js"}) == Words{"--json"});
    CHECK(candidateWords({"zebra", ""}).empty());
}
