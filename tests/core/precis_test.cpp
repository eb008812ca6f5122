#include "tests/support/catch.h"

#include "core/jid.h"
#include "core/precis.h"

#include <unicode/unorm2.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace epode;
using precis::Derived;

TEST_CASE("usernames are prepared as in RFC 8265, 3.6") {
    const std::vector<std::pair<std::string, std::optional<std::string>>> rows = {
        {"juliet@example.com", "juliet@example.com"},
        {"fussball", "fussball"},
        {"fußball", "fußball"},
        {"π", "π"},
        {"Σ", "σ"},
        {"σ", "σ"},
        {"ς", "ς"},
        {"foo bar", std::nullopt},
        {"", std::nullopt},
        {"henryⅣ", std::nullopt},
        {"∞", std::nullopt},
    };
    for (const auto& [given, expected] : rows) {
        CAPTURE(given);
        CHECK(precis::usernameCaseMapped(given) == expected);
    }
}

TEST_CASE("passwords are prepared as in RFC 8265, 4.3") {
    const std::vector<std::pair<std::string, std::optional<std::string>>> rows = {
        {"correct horse battery staple", "correct horse battery staple"},
        {"Correct Horse Battery Staple", "Correct Horse Battery Staple"},
        {"πßå", "πßå"},
        {"Jack of ♦s", "Jack of ♦s"},
        {"foo\u1680bar", "foo bar"},
        {" leading", " leading"},
        {"", std::nullopt},
        {"my cat is a \tby", std::nullopt},
        {"bad\xFFutf8", std::nullopt},
        {"zero\u200Bwidth", std::nullopt},
        {"private\uE000use", std::nullopt},
    };
    for (const auto& [given, expected] : rows) {
        CAPTURE(given);
        CHECK(preparePassword(given) == expected);
    }
}

TEST_CASE("nicknames are compared as in RFC 8266, 3") {
    const std::vector<std::pair<std::string, std::optional<std::string>>> rows = {
        {"Foo", "foo"},
        {"foo", "foo"},
        {"Foo Bar", "foo bar"},
        {"foo bar", "foo bar"},
        {"Σ", "σ"},
        {"σ", "σ"},
        {"ς", "ς"},
        {"ϔ", "ϋ"},
        {"∞", "∞"},
        {"Richard Ⅳ", "richard iv"},
        {"", std::nullopt},
        {"   ", std::nullopt},
        {"\u3000", std::nullopt},
        {"a\nb", std::nullopt},
        {"a\u200Bb", std::nullopt},
        {"\u3200", std::nullopt},  // an old Hangul letter in brackets
        {"\xC0\xAF", std::nullopt},
    };
    for (const auto& [given, expected] : rows) {
        CAPTURE(given);
        CHECK(precis::nicknameKey(given) == expected);
    }
}

TEST_CASE("a nickname keeps its case and loses superfluous spaces") {
    CHECK(precis::nickname("  St  Peter\u00A0 ") == "St Peter");
    CHECK(precis::nickname("Richard Ⅳ") == "Richard IV");
    CHECK_FALSE(precis::nickname(" "));
    CHECK_FALSE(precis::nickname("\u0007"));
}

TEST_CASE("a nickname that doesn't become stable in four rounds is refused or stable") {
    // U+FDFA expands to words with spaces; U+2002 to a space. Either way the result must be a fixed
    // point.
    for (const std::string given : {"\uFDFA", "a\u2002\u2002b", "¨a", "\u00B4\u00B4", "ﷺ ｡"}) {
        CAPTURE(given);
        const auto prepared = precis::nickname(given);
        REQUIRE(prepared);
        CHECK(precis::nickname(*prepared) == prepared);
    }
}

TEST_CASE("code points derive what RFC 8264, 8 says") {
    const std::vector<std::pair<char32_t, Derived>> rows = {
        {U'a', Derived::Valid},          {U'~', Derived::Valid},
        {U' ', Derived::FreeformOnly},   {0x7F, Derived::Disallowed},
        {0x00, Derived::Disallowed},     {0xA0, Derived::FreeformOnly},
        {0xAD, Derived::Disallowed},     {0xB7, Derived::ContextRule},
        {0xDF, Derived::Valid},          {0x132, Derived::FreeformOnly},
        {0x1C5, Derived::FreeformOnly},  {0x340, Derived::FreeformOnly},
        {0x378, Derived::Unassigned},    {0x640, Derived::Disallowed},
        {0x660, Derived::ContextRule},   {0x6F9, Derived::ContextRule},
        {0x1100, Derived::Disallowed},   {0x200C, Derived::ContextRule},
        {0x200D, Derived::ContextRule},  {0x2028, Derived::Disallowed},
        {0x212B, Derived::FreeformOnly}, {0x2160, Derived::FreeformOnly},
        {0x265A, Derived::FreeformOnly}, {0x3007, Derived::Valid},
        {0xAC00, Derived::Valid},        {0xD800, Derived::Disallowed},
        {0xE000, Derived::Disallowed},   {0xFE00, Derived::Disallowed},
        {0xFFFE, Derived::Disallowed},   {0xFFFD, Derived::FreeformOnly},
        {0xFF41, Derived::FreeformOnly}, {0x1F600, Derived::FreeformOnly},
        {0x20000, Derived::Valid},       {0x10FFFF, Derived::Disallowed},
        {0xE0001, Derived::Disallowed},
    };
    for (const auto& [codePoint, expected] : rows) {
        CAPTURE(std::uint32_t(codePoint));
        CHECK(precis::derive(codePoint) == expected);
    }
}

TEST_CASE("an identifier holds no code point that NFKC changes") {
    UErrorCode code = U_ZERO_ERROR;
    const auto* nfkc = unorm2_getNFKCInstance(&code);
    REQUIRE(U_SUCCESS(code));
    for (char32_t c = 0x80; c <= 0x10FFFF; ++c) {
        if (precis::derive(c) != Derived::Valid) continue;
        UChar text[2];
        std::int32_t length = 0;
        if (c < 0x10000) {
            text[length++] = UChar(c);
        } else {
            text[length++] = UChar(0xD7C0 + (c >> 10));
            text[length++] = UChar(0xDC00 + (c & 0x3FF));
        }
        code = U_ZERO_ERROR;
        const bool isStable = unorm2_isNormalized(nfkc, text, length, &code);
        if (!isStable) FAIL("U+" << std::hex << std::uint32_t(c));
    }
}

TEST_CASE("characters with a contextual rule stand only where RFC 5892, A allows them") {
    const std::vector<std::u32string> valid = {
        U"l\u00B7l",           U"\u0375\u03B1",       U"\u05D0\u05F3",
        U"\u05D0\u05F4",       U"\u30FB\u30A2",       U"\u30FB\u4E00",
        U"\u0661\u0662",       U"\u06F1\u06F2",       U"\u0915\u094D\u200C",
        U"\u0915\u094D\u200D", U"\u0628\u200C\u0628", U"\u0628\u0670\u200C\u0670\u0628",
    };
    const std::vector<std::u32string> invalid = {
        U"\u00B7",
        U"l\u00B7",
        U"\u00B7l",
        U"L\u00B7L",
        U"\u0375",
        U"\u0375a",
        U"\u05F3",
        U"a\u05F4",
        U"\u30FB",
        U"a\u30FBb",
        U"\u200C",
        U"\u0661\u06F2",
        U"\u06F1\u0662",
        U"a\u200Cb",
        U"\u0628\u200C",
        U"\u200D",
        U"\u0628\u200D\u0628",
        U"\u200C\u0628",
        U"\u0915\u200D",
    };
    for (const auto& text : valid) CHECK(precis::isAllowed(text, precis::StringClass::Identifier));
    for (const auto& text : invalid) {
        CHECK_FALSE(precis::isAllowed(text, precis::StringClass::Identifier));
    }
}

TEST_CASE("the Bidi Rule of RFC 5893 holds for labels in both directions") {
    const std::vector<std::u32string> valid = {U"abc",     U"a1",           U"\u05D0",
                                               U"\u05D01", U"\u05D0\u05B0", U"\u0627\u0661",
                                               U"a\u0301", U"\u05D0-\u05D1"};
    const std::vector<std::u32string> invalid = {U"",
                                                 U"1a",
                                                 U"-\u05D0",
                                                 U"a\u05D0",
                                                 U"\u05D0a",
                                                 U"\u05D0-",
                                                 U"a-",
                                                 U"\u06271\u0661",
                                                 U"\u0301a",
                                                 U"\u05D0\u0661"
                                                 U"1"};
    for (const auto& text : valid) CHECK(precis::satisfiesBidiRule(text));
    for (const auto& text : invalid) CHECK_FALSE(precis::satisfiesBidiRule(text));
}
