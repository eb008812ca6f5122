#include "control/wire.h"

#include "tests/support/catch.h"

using namespace epode;

TEST_CASE("requests survive the way over the wire") {
    const wire::CallRequest call{7,
                                 "user add",
                                 {{"address", std::string{"juliet@capulet.example"}},
                                  {"all", true},
                                  {"count", std::int64_t{-9'000'000'000}},
                                  {"many", std::vector<std::string>{"a\nb", "é\"\\"}}}};
    const auto line = wire::write(wire::Request{call});
    CHECK(line.find('\n') == std::string::npos);
    const auto back = wire::readRequest(line);
    const auto& read = std::get<wire::CallRequest>(back);
    CHECK(read.id == 7);
    CHECK(read.command == "user add");
    CHECK(read.arguments == call.arguments);

    const auto hello = wire::readRequest(wire::write(wire::Request{wire::Hello{3, "tool"}}));
    CHECK(std::get<wire::Hello>(hello).protocol == 3);
    CHECK(std::get<wire::Hello>(hello).program == "tool");
    const auto list = wire::readRequest(wire::write(wire::Request{wire::ListRequest{4}}));
    CHECK(std::get<wire::ListRequest>(list).id == 4);
}

TEST_CASE("results survive the way over the wire with the types of their values") {
    auto result = CommandResult::table({"user", "bytes", "seen", "online"});
    result.row({"juliet@capulet.example", 64_KiB, fromMilliseconds(1'795'176'000'123), true});
    result.row({"roméo", Bytes{0}, nullptr, false});
    result.say("two\nlines").warn("careful");
    result.fact("uptime", Duration{std::chrono::milliseconds{1500}});
    result.fact("count", std::int64_t{1} << 62).fact("share", 0.25);
    result.fact("hosts", std::vector<std::string>{"a.example", "b.example"});
    const auto line = wire::write(wire::Reply{wire::ResultReply{9, result}});
    const auto reply = wire::readReply(line);
    const auto& read = std::get<wire::ResultReply>(reply);
    CHECK(read.id == 9);
    // Written again it is the same, so nothing was lost.
    CHECK(wire::write(reply) == line);
    CHECK(std::get<Bytes>(read.result.rows()[0][1].value()) == 64_KiB);
    CHECK(std::get<WallTime>(read.result.rows()[0][2].value()) ==
          fromMilliseconds(1'795'176'000'123));
    CHECK(read.result.rows()[1][2].isNull());
    CHECK(std::get<Duration>(read.result.facts()[0].value.value()) ==
          std::chrono::milliseconds{1500});
    CHECK(read.result.warnings() == std::vector<std::string>{"careful"});

    CHECK(
        wire::plainJson(read.result) ==
        "{\"message\":\"two\\nlines\",\"uptime\":1.5,\"count\":4611686018427387904,\"share\":0.25,"
        "\"hosts\":[\"a.example\",\"b.example\"],\"rows\":[{\"user\":\"juliet@capulet.example\","
        "\"bytes\":65536,\"seen\":\"2026-11-20T12:00:00.123Z\",\"online\":true},{\"user\":"
        "\"roméo\","
        "\"bytes\":0,\"seen\":null,\"online\":false}],\"warnings\":[\"careful\"]}");
}

TEST_CASE("refusals survive the way over the wire") {
    const auto refusal = CommandResult::refusal("not-found", "Nobody.", "Look elsewhere.");
    const auto reply = wire::readReply(wire::write(wire::Reply{wire::ResultReply{1, refusal}}));
    const auto& read = std::get<wire::ResultReply>(reply).result;
    REQUIRE(read.isRefusal());
    CHECK(read.error().code == "not-found");
    CHECK(read.error().hint == "Look elsewhere.");
    CHECK(wire::plainJson(read) ==
          "{\"error\":{\"code\":\"not-found\",\"message\":\"Nobody.\",\"hint\":\"Look "
          "elsewhere.\"}}");
}

TEST_CASE("lines that are no requests are refused, whatever they are") {
    using namespace std::string_view_literals;
    const auto line = GENERATE(values<std::string_view>({
        "",
        "{",
        "}",
        "[]",
        "[1]",
        "1",
        "null",
        "\"call\"",
        "true",
        "{}",
        "{\"id\":1}",
        "{'id':1}",
        "{\"id\":1,\"call\":3}",
        "{\"id\":\"1\",\"call\":\"x\"}",
        "{\"id\":1.5,\"call\":\"x\"}",
        "{\"id\":true,\"call\":\"x\"}",
        "{\"id\":99999999999999999999999,\"call\":\"x\"}",
        "{\"id\":1,\"call\":\"x\",\"arguments\":[]}",
        "{\"id\":1,\"call\":\"x\",\"arguments\":{\"a\":{}}}",
        "{\"id\":1,\"call\":\"x\",\"arguments\":{\"a\":[1]}}",
        "{\"id\":1,\"call\":\"x\",\"arguments\":{\"a\":1.5}}",
        "{\"hello\":1}",
        "{\"hello\":{}}",
        "{\"hello\":{\"protocol\":\"1\"}}",
        "{\"id\":1,\"call\":\"\xff\"}",
        "{\"id\":1,\"call\":\"a\0b\"}"sv,
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        "{\"id\":1,\"call\":\"\\ud800\"",
        "<stream:stream xmlns='jabber:client'>",
        "GET / HTTP/1.1",
    }));
    INFO(line);
    CHECK_THROWS_AS(wire::readRequest(line), wire::Malformed);
}

TEST_CASE("lines that are no replies are refused") {
    const auto line = GENERATE(values<std::string_view>({
        "{\"id\":1}",
        "{\"id\":1,\"result\":[]}",
        "{\"id\":1,\"commands\":{}}",
        "{\"id\":1,\"result\":{\"columns\":[\"a\"]}}",
        "{\"id\":1,\"result\":{\"columns\":[\"a\"],\"rows\":[[]]}}",
        "{\"id\":1,\"result\":{\"columns\":[\"a\"],\"rows\":[[[\"text\"]]]}}",
        "{\"id\":1,\"result\":{\"facts\":[[\"a\"]]}}",
        "{\"id\":1,\"progress\":{}}",
        "{\"id\":1,\"commands\":[{\"name\":\"x\"}]}",
    }));
    INFO(line);
    CHECK_THROWS_AS(wire::readReply(line), wire::Malformed);
}

TEST_CASE("a kind of value from a newer server is shown as its text") {
    const auto reply =
        wire::readReply("{\"id\":1,\"result\":{\"facts\":[[\"x\",[\"colour\",\"red\"]]]}}");
    const auto& facts = std::get<wire::ResultReply>(reply).result.facts();
    CHECK(std::get<std::string>(facts[0].value.value()) == "red");
}

TEST_CASE("declarations survive the way over the wire") {
    CommandInfo command;
    command.name = "user add";
    command.summary = "Makes an account";
    command.details = "More.";
    command.danger = Danger::Dangerous;
    command.permission = Permission::Operate;
    command.examples = {{"user add x", "help"}};
    command.arguments = {
        {.name = "address", .kind = ArgumentKind::Jid, .help = "h"},
        {.name = "n",
         .kind = ArgumentKind::Integer,
         .presence = Presence::Optional,
         .form = Form::Option,
         .least = -5,
         .help = "n"},
        {.name = "c", .kind = ArgumentKind::Choice, .choices = {"a", "b"}, .help = "c"},
        {.name = "more", .presence = Presence::Optional, .repeats = Repeats::Yes, .help = "m"}};
    const auto line = wire::write(wire::Reply{wire::ListReply{2, {command}}});
    const auto reply = wire::readReply(line);
    CHECK(wire::write(reply) == line);
    const auto& read = std::get<wire::ListReply>(reply).commands.at(0);
    CHECK(read.arguments[1].least == -5);
    CHECK(read.arguments[1].most == INT64_MAX);
    CHECK(read.danger == Danger::Dangerous);
    CHECK(read.permission == Permission::Operate);
}
