#include "tests/support/catch.h"

#include "core/option.h"

#include <string>
#include <utility>
#include <vector>

using namespace epode;
using namespace std::chrono_literals;

namespace {

const Option<Bytes> fragmentBytesMax{
    .key = "private_storage.fragment_bytes_max",
    .fallback = 64_KiB,
    .range = {1_KiB, 1_MiB},
    .help = "The largest fragment an account may keep; a larger one is refused.",
};
const Option<bool> enabled{.key = "registration.enabled", .fallback = false, .help = "On?"};
const Option<std::int64_t> accounts{
    .key = "registration.accounts_max", .fallback = 5, .range = {1, 100}, .help = "How many."};
const Option<Duration> timeout{.key = "c2s.login_timeout",
                               .fallback = 30s,
                               .range = {1s, 10min},
                               .help = "How long.",
                               .takes = Takes::AtRestart,
                               .scope = Scope::Server};
const Option<std::string> policy{.key = "c2s.conflict",
                                 .fallback = "replace",
                                 .choices = {"replace", "refuse", "rename"},
                                 .help = "What happens."};
const Option<std::vector<std::string>> mechanisms{.key = "c2s.mechanisms",
                                                  .fallback = {"SCRAM-SHA-256", "PLAIN"},
                                                  .choices = {"SCRAM-SHA-256", "PLAIN"},
                                                  .help = "Which."};

}  // namespace

TEST_CASE("sizes are written with the largest unit that is exact, and read back") {
    const std::vector<std::pair<std::uint64_t, std::string>> rows = {
        {0, "0 B"},        {1, "1 B"},       {1023, "1023 B"},   {1024, "1 KiB"},
        {65536, "64 KiB"}, {1536, "1536 B"}, {1 << 20, "1 MiB"}, {3ull << 30, "3 GiB"},
    };
    for (const auto& [value, text] : rows) {
        CHECK(toText(Bytes{value}) == text);
        CHECK(parseBytes(text)->value == value);
    }
    CHECK(parseBytes("64KiB")->value == 65536);
    CHECK(parseBytes(" 64  KiB ")->value == 65536);
    CHECK(parseBytes("4096")->value == 4096);
}

TEST_CASE("what is no size is refused") {
    const auto row = GENERATE(
        values<std::string>({"", "KiB", "-1", "-1 KiB", "1.5 MiB", "64 KB", "64 kib", "64 KiB x",
                             "0x10", "+5", "18446744073709551616", "17179869184 GiB"}));
    CAPTURE(row);
    CHECK_FALSE(parseBytes(row));
}

TEST_CASE("durations are written with the largest unit that is exact, and read back") {
    const std::vector<std::pair<Duration, std::string>> rows = {
        {0s, "0 s"},     {1ms, "1 ms"},  {30s, "30 s"}, {90s, "90 s"},
        {5min, "5 min"}, {3600s, "1 h"}, {24h, "1 d"},  {36h, "36 h"},
    };
    for (const auto& [value, text] : rows) {
        CHECK(toText(value) == text);
        CHECK(parseDuration(text) == value);
    }
    CHECK(toText(Duration{1500}) == "1500 ns");
    CHECK(toText(Duration{-30s}) == "-30 s");
    CHECK(parseDuration("0") == Duration{0});
    CHECK(parseDuration("30s") == Duration{30s});
}

TEST_CASE("what is no duration is refused") {
    const auto row = GENERATE(values<std::string>(
        {"", "30", "s", "-1 s", "1.5 h", "30 sec", "30 S", "1 h 30 min", "1 m", "200000 d"}));
    CAPTURE(row);
    CHECK_FALSE(parseDuration(row));
}

TEST_CASE("an option tells its type, fallback, range and choices") {
    const OptionRef size{&fragmentBytesMax};
    CHECK(size.key() == "private_storage.fragment_bytes_max");
    CHECK(size.typeText() == "size");
    CHECK(size.fallbackToml() == "\"64 KiB\"");
    CHECK(size.rangeText() == "1 KiB to 1 MiB");
    CHECK(size.takes() == Takes::AtReload);
    CHECK(size.scope() == Scope::Host);

    CHECK(OptionRef{&enabled}.typeText() == "true or false");
    CHECK(OptionRef{&enabled}.fallbackToml() == "false");
    CHECK(OptionRef{&accounts}.fallbackToml() == "5");
    CHECK(OptionRef{&timeout}.fallbackToml() == "\"30 s\"");
    CHECK(OptionRef{&timeout}.takes() == Takes::AtRestart);
    CHECK(OptionRef{&timeout}.scope() == Scope::Server);
    CHECK(OptionRef{&policy}.choices().size() == 3);
    CHECK(OptionRef{&mechanisms}.fallbackToml() == "[\"SCRAM-SHA-256\", \"PLAIN\"]");

    const Option<std::int64_t> least{.key = "a",
                                     .range =
                                         [] {
                                             Range<std::int64_t> r;
                                             r.least = 3;
                                             return r;
                                         }(),
                                     .help = ""};
    CHECK(OptionRef{&least}.rangeText() == "at least 3");
    const Option<std::string> odd{.key = "a", .fallback = "a\"b\\c\n", .help = ""};
    CHECK(OptionRef{&odd}.fallbackToml() == "\"a\\\"b\\\\c\\n\"");
}

TEST_CASE("a value of the right kind within its range is read as the option's type") {
    using Raw = OptionRef::Raw;
    CHECK(std::any_cast<Bytes>(
              OptionRef{&fragmentBytesMax}.read(Raw{std::string{"1 MiB"}}).value) == 1_MiB);
    CHECK(std::any_cast<Bytes>(OptionRef{&fragmentBytesMax}.read(Raw{std::int64_t{2048}}).value) ==
          2_KiB);
    CHECK(std::any_cast<bool>(OptionRef{&enabled}.read(Raw{true}).value));
    CHECK(std::any_cast<std::int64_t>(OptionRef{&accounts}.read(Raw{std::int64_t{100}}).value) ==
          100);
    CHECK(std::any_cast<Duration>(OptionRef{&timeout}.read(Raw{std::string{"1 min"}}).value) ==
          Duration{60s});
    CHECK(std::any_cast<std::string>(OptionRef{&policy}.read(Raw{std::string{"refuse"}}).value) ==
          "refuse");
    const Raw list{std::vector<std::string>{"PLAIN"}};
    CHECK(std::any_cast<std::vector<std::string>>(OptionRef{&mechanisms}.read(list).value) ==
          std::vector<std::string>{"PLAIN"});
}

TEST_CASE("an option that is more than yes or no takes those without quotation marks") {
    const Option<std::string> mode{
        .key = "a", .fallback = "auto", .choices = {"auto", "true", "false"}, .help = ""};
    const OptionRef option{&mode};
    CHECK(std::any_cast<std::string>(option.read(true).value) == "true");
    CHECK(std::any_cast<std::string>(option.read(false).value) == "false");
    CHECK(std::any_cast<std::string>(option.read(std::string{"true"}).value) == "true");
    CHECK(std::any_cast<std::string>(option.read(std::string{"auto"}).value) == "auto");
    CHECK_FALSE(option.read(std::string{"yes"}).problem.empty());
    CHECK_FALSE(option.read(std::int64_t{1}).problem.empty());
    // Where they are no choice, nothing is read into them.
    CHECK(OptionRef{&policy}.read(true).problem == "expected a text in quotation marks");
}

TEST_CASE("a value of the wrong kind or out of range is answered by what was expected") {
    using Raw = OptionRef::Raw;
    const OptionRef size{&fragmentBytesMax};
    const std::vector<std::pair<OptionRef::Read, std::string>> rows = {
        {size.read(Raw{std::string{"2 MiB"}}), "expected 1 KiB to 1 MiB, not \"2 MiB\""},
        {size.read(Raw{std::int64_t{1}}), "expected 1 KiB to 1 MiB, not \"1 B\""},
        {size.read(Raw{std::string{"much"}}),
         "expected a size such as \"64 KiB\" or \"1 MiB\" (1 KiB to 1 MiB)"},
        {size.read(Raw{std::int64_t{-5}}),
         "expected a size such as \"64 KiB\" or \"1 MiB\" (1 KiB to 1 MiB)"},
        {size.read(Raw{true}), "expected a size such as \"64 KiB\" or \"1 MiB\" (1 KiB to 1 MiB)"},
        {OptionRef{&enabled}.read(Raw{std::string{"yes"}}), "expected true or false"},
        {OptionRef{&accounts}.read(Raw{std::int64_t{0}}), "expected 1 to 100, not 0"},
        {OptionRef{&accounts}.read(Raw{1.5}), "expected a whole number (1 to 100)"},
        {OptionRef{&timeout}.read(Raw{std::int64_t{30}}),
         "expected a duration such as \"30 s\", \"5 min\" or \"1 d\" (1 s to 10 min)"},
        {OptionRef{&policy}.read(Raw{std::string{"kill"}}),
         "expected \"replace\", \"refuse\" or \"rename\", not \"kill\""},
        {OptionRef{&policy}.read(Raw{true}), "expected a text in quotation marks"},
        {OptionRef{&mechanisms}.read(Raw{std::string{"PLAIN"}}),
         "expected a list of texts such as [\"a\", \"b\"]"},
        {OptionRef{&mechanisms}.read(Raw{std::vector<std::string>{"PLAIN", "LOGIN"}}),
         "expected \"SCRAM-SHA-256\" or \"PLAIN\", not \"LOGIN\""},
    };
    for (const auto& [read, problem] : rows) {
        CHECK(read.problem == problem);
        CHECK_FALSE(read.value.has_value());
    }
}

TEST_CASE("a host's value goes before the server's, and that before the fallback") {
    Settings settings;
    CHECK(settings.get(fragmentBytesMax) == 64_KiB);
    CHECK(settings.get(fragmentBytesMax, "capulet.example") == 64_KiB);

    settings.set("", fragmentBytesMax.key, 2_KiB);
    settings.set("capulet.example", fragmentBytesMax.key, 3_KiB);
    CHECK(settings.get(fragmentBytesMax) == 2_KiB);
    CHECK(settings.get(fragmentBytesMax, "capulet.example") == 3_KiB);
    CHECK(settings.get(fragmentBytesMax, "montague.example") == 2_KiB);
    CHECK(settings.get(policy, "capulet.example") == "replace");
}
