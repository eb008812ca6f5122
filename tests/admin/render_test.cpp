#include "admin/render.h"

#include "tests/control/support/temporary_folder.h"
#include "tests/support/catch.h"

#include <ctime>

using namespace epode;
using namespace epode::admin;

TEST_CASE("the width of a text is what a terminal makes of it") {
    CHECK(displayWidth("") == 0);
    CHECK(displayWidth("juliet") == 6);
    CHECK(displayWidth("Roméo") == 5);
    CHECK(displayWidth("Rome\u0301o") == 5);  // with a combining accent
    CHECK(displayWidth("朱丽叶") == 6);
    CHECK(displayWidth("ｊ") == 2);
    CHECK(displayWidth("🌹") == 2);
    CHECK(displayWidth("a\u200bb") == 2);  // zero width space
    CHECK(displayWidth("\xff\xff") == 2);
}

TEST_CASE("a table is aligned, with numbers at the right") {
    auto result = CommandResult::table({"user", "bytes", "n", "online"});
    result.row({"juliet@capulet.example", 64_KiB, 5, true});
    result.row({"朱丽叶@b.example", Bytes{12}, 12345, false});
    result.row({"Roméo", nullptr, nullptr, nullptr});
    CHECK(render(result) ==
          "USER                       BYTES      N  ONLINE\n"
          "juliet@capulet.example  64.0 KiB      5  yes\n"
          "朱丽叶@b.example            12 B  12345  no\n"
          "Roméo                          -      -  -\n");
    CHECK(render(result, Amount::Quiet) == "juliet@capulet.example\n朱丽叶@b.example\nRoméo\n");
    CHECK(render(result, Amount::All, Emphasis::Terminal).starts_with("\033[1mUSER"));
}

TEST_CASE("facts, messages and an empty table have their forms") {
    auto facts = CommandResult::message("It is well.");
    facts.fact("up", Duration{std::chrono::hours{30}})
        .fact("hosts", std::vector<std::string>{"a", "b"});
    CHECK(render(facts) == "It is well.\nup     1 d 6 h\nhosts  a, b\n");
    facts.fact("up", Duration{std::chrono::hours{1}});
    CHECK(render(facts) == "It is well.\nup     1 h\nhosts  a, b\n");
    CHECK(render(facts, Amount::Quiet).empty());
    CHECK(render(CommandResult::table({"user"})) == "(none)\n");
    CHECK(render(CommandResult::table({"user"}), Amount::Quiet).empty());
    CHECK(render(CommandResult{}).empty());
    CHECK(render(CommandResult::message("one\ntwo\n")) == "one\ntwo\n");
}

TEST_CASE("names from strangers do not reach the terminal as orders") {
    auto result = CommandResult::table({"name"});
    result.row({"\033]0;owned\a\nroot"});
    result.row({std::vector<std::string>{"\033[2J"}});
    CHECK(render(result) == "NAME\n\\x1b]0;owned\\x07\\nroot\n\\x1b[2J\n");
    CHECK(render(CommandResult::message("\033[2Jx")) == "\\x1b[2Jx\n");
}

TEST_CASE("sizes and durations are told in the units of people") {
    CHECK(displaySize(Bytes{0}) == "0 B");
    CHECK(displaySize(Bytes{1023}) == "1023 B");
    CHECK(displaySize(Bytes{1024}) == "1.0 KiB");
    CHECK(displaySize(Bytes{1536}) == "1.5 KiB");
    CHECK(displaySize(Bytes{(1 << 20) - 1}) == "1.0 MiB");
    CHECK(displaySize(Bytes{5ull << 40}) == "5.0 TiB");
    CHECK(displaySize(Bytes{UINT64_MAX}) == "16777216.0 TiB");

    using namespace std::chrono;
    CHECK(displayDuration(milliseconds{0}) == "0 s");
    CHECK(displayDuration(milliseconds{999}) == "999 ms");
    CHECK(displayDuration(seconds{1}) == "1 s");
    CHECK(displayDuration(seconds{61}) == "1 min 1 s");
    CHECK(displayDuration(seconds{3600}) == "1 h");
    CHECK(displayDuration(seconds{3601}) == "1 h");
    CHECK(displayDuration(hours{49}) == "2 d 1 h");
    CHECK(displayDuration(-seconds{5}) == "-5 s");
}

TEST_CASE("times are told in the time of the reader") {
    const test::Environment zone{"TZ", "Europe/Rome"};
    tzset();
    CHECK(displayText(Cell{fromMilliseconds(1'795'176'000'123)}) == "2026-11-20 13:00:00");
}
