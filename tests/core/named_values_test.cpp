// Names and values as lines, and back.
#include "core/named_values.h"
#include "tests/support/catch.h"

using namespace epode;

using Read = std::map<std::string, std::vector<std::string>, std::less<>>;

TEST_CASE("names and their values come back as they were written") {
    const Read all{{"a", {"one"}},
                   {"list", {"b", "a", "b"}},
                   {"empty", {""}},
                   {"odd", {"two words", "a\nb", "\\n", "\\", " ", "\xC3\xA9"}}};
    std::string text;
    for (const auto& [name, values] : all) writeNamedValues(text, name, values);
    CHECK(readNamedValues(text) == all);
    std::string nothing;
    writeNamedValues(nothing, "name", {});
    CHECK(nothing.empty());
}

TEST_CASE("text that nobody has written is read as far as it can be") {
    CHECK(readNamedValues("").empty());
    CHECK(readNamedValues("\n\n").empty());
    CHECK(readNamedValues("nameless").empty());
    CHECK(readNamedValues("a b") == Read{{"a", {"b"}}});  // no line feed at its end
    CHECK(readNamedValues("x\na b\n") == Read{{"a", {"b"}}});
    CHECK(readNamedValues("a b\\") == Read{{"a", {"b\\"}}});  // nothing behind the backslash
    CHECK(readNamedValues("a \\x\n") == Read{{"a", {"x"}}});
}
