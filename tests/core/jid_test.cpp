#include "tests/support/catch.h"

#include "core/jid.h"

#include <string>
#include <unordered_set>
#include <vector>

using namespace epode;
using namespace std::string_literals;

namespace {

struct ValidRow {
    std::string given;
    std::string text;
    std::string local;
    std::string domain;
    std::string resource;
};

std::string repeated(const std::string& part, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += part;
    return out;
}

const std::string longestDomain =
    repeated(repeated("a", 61) + ".", 4) + "abcde";  // 253 bytes, labels of 61

}  // namespace

TEST_CASE("the legal addresses of RFC 7622, 3.5 are parsed into their parts") {
    const std::vector<ValidRow> rows = {
        {"juliet@example.com", "juliet@example.com", "juliet", "example.com", ""},
        {"juliet@example.com/foo", "juliet@example.com/foo", "juliet", "example.com", "foo"},
        {"juliet@example.com/foo bar", "juliet@example.com/foo bar", "juliet", "example.com",
         "foo bar"},
        {"juliet@example.com/foo@bar", "juliet@example.com/foo@bar", "juliet", "example.com",
         "foo@bar"},
        {"foo\\20bar@example.com", "foo\\20bar@example.com", "foo\\20bar", "example.com", ""},
        {"fussball@example.com", "fussball@example.com", "fussball", "example.com", ""},
        {"fußball@example.com", "fußball@example.com", "fußball", "example.com", ""},
        {"π@example.com", "π@example.com", "π", "example.com", ""},
        {"Σ@example.com/foo", "σ@example.com/foo", "σ", "example.com", "foo"},
        {"σ@example.com/foo", "σ@example.com/foo", "σ", "example.com", "foo"},
        {"ς@example.com/foo", "ς@example.com/foo", "ς", "example.com", "foo"},
        {"king@example.com/♚", "king@example.com/♚", "king", "example.com", "♚"},
        {"example.com", "example.com", "", "example.com", ""},
        {"example.com/foobar", "example.com/foobar", "", "example.com", "foobar"},
        {"a.example.com/b@example.net", "a.example.com/b@example.net", "", "a.example.com",
         "b@example.net"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.given);
        const auto jid = Jid::parse(row.given);
        REQUIRE(jid);
        CHECK(jid->text() == row.text);
        CHECK(jid->local() == row.local);
        CHECK(jid->domain() == row.domain);
        CHECK(jid->resource() == row.resource);
        CHECK(jid->isBare() == row.resource.empty());
        CHECK(Jid::parse(jid->text()) == jid);
        CHECK(Jid::make(row.local, row.domain, row.resource) == jid);
    }
}

TEST_CASE("the strings of RFC 7622, 3.5 that violate the rules are no addresses") {
    const auto row = GENERATE(values<std::string>({
        "\"juliet\"@example.com",
        "foo bar@example.com",
        "juliet@example.com/ foo",
        "@example.com/",
        "henryⅣ@example.com",
        "♚@example.com",
        "juliet@",
        "/foobar",
    }));
    CAPTURE(row);
    CHECK_FALSE(Jid::parse(row));
}

TEST_CASE("an address is prepared: case, width, normal form, A-labels, spaces, the final dot") {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"JULIET@Example.COM/Balcony", "juliet@example.com/Balcony"},
        {"juliet@example.com.", "juliet@example.com"},
        {"juliet@example.com./x", "juliet@example.com/x"},
        {"ＪＵＬＩＥＴ@example.com", "juliet@example.com"},
        {"juliet@ｅｘａｍｐｌｅ。com", "juliet@example.com"},
        {"e\u0301@example.com", "é@example.com"},
        {"É@example.com", "é@example.com"},
        {"juliet@BÜCHER.example", "juliet@bücher.example"},
        {"juliet@xn--bcher-kva.example", "juliet@bücher.example"},
        {"juliet@faß.example", "juliet@faß.example"},
        {"juliet@xn--fa-hia.example", "juliet@faß.example"},
        {"juliet@example.com/a\u00A0b", "juliet@example.com/a b"},
        {"juliet@example.com/a\u1680b", "juliet@example.com/a b"},
        {"juliet@example.com/e\u0301", "juliet@example.com/é"},
        {"juliet@example.com/ＷＩＤＥ", "juliet@example.com/ＷＩＤＥ"},
        {"ΑΣ@example.com", "ασ@example.com"},
        {"İ@example.com", "i\u0307@example.com"},
        {"ДЖУЛЬЕТТА@пример.example", "джульетта@пример.example"},
        {"אבג@example.com", "אבג@example.com"},
        {"juliet@192.0.2.1", "juliet@192.0.2.1"},
        {"juliet@[2001:DB8:0:0::1]/x", "juliet@[2001:db8::1]/x"},
        {"[::1]", "[::1]"},
        {"localhost", "localhost"},
        {"1@2", "1@2"},
        {"a--b@a--b.example", "a--b@a--b.example"},
        {"juliet@example.com/a//b@c/", "juliet@example.com/a//b@c/"},
        {"juliet@example.com/trailing ", "juliet@example.com/trailing "},
        {"l·l@example.com", "l·l@example.com"},
        {"クラス・メイト@example.com", "クラス・メイト@example.com"},
        {"notify!#$%()*+,-.;=?[\\]^_`{|}~@example.com",
         "notify!#$%()*+,-.;=?[\\]^_`{|}~@example.com"},
    };
    for (const auto& [given, expected] : rows) {
        CAPTURE(given);
        const auto jid = Jid::parse(given);
        REQUIRE(jid);
        CHECK(jid->text() == expected);
        CHECK(Jid::parse(expected) == jid);
    }
}

TEST_CASE("what is no address is refused") {
    const auto row = GENERATE(values<std::string>({
        "",
        "@",
        "/",
        "@/",
        "juliet@/balcony",
        "juliet@example.com/",
        "@example.com",
        "a@b@example.com",
        "juliet@example com",
        "juliet@.example.com",
        "juliet@example..com",
        "juliet@example.com..",
        "juliet@.",
        "juliet@。",
        "juliet@example.com。",
        "juliet@-example.com",
        "juliet@example-.com",
        "juliet@ex_ample.com",
        "juliet@ab--cd.example",
        "juliet@xn--.example",
        "juliet@xn--zzzzzzzzz\x7f.example",
        "juliet@xn--e28h.example",  // an emoji behind the A-label
        "juliet@☃.example",
        "juliet@a\u20DD.example",
        "juliet@א1ב2c.example",
        "juliet@256.0.2.1",
        "juliet@192.0.2",
        "juliet@192.0.2.01",
        "juliet@１９２.0.2.1.1",
        "juliet@[192.0.2.1]",
        "juliet@[::1",
        "juliet@::1",
        "juliet@[::1]x",
        "juliet@[fe80::1%25eth0]",
        "juliet@[]",
        "juliet@[v1.a]",
        "juliet&co@example.com",
        "d'artagnan@example.com",
        "a:b@example.com",
        "<a>@example.com",
        "ju＠liet@example.com",  // a fullwidth '@' in the localpart
        "ju／liet@example.com",
        "a\tb@example.com",
        "a\x7f@example.com",
        "\u00AD@example.com",
        "a\u200B@example.com",
        "a\u200D@example.com",
        "a·b@example.com",
        "・@example.com",
        "٠۰@example.com",
        "אa@example.com",
        "aא@example.com",
        "ﬁ@example.com",
        "\uE000@example.com",
        "\u0378@example.com",  // not assigned
        "juliet@example.com/a\tb",
        "juliet@example.com/a\u200Bb",
        "juliet@example.com/\u00A0",
        "juliet@example.com/\uFFFE",
        "juliet@example.com/\u1100",
        "juliet@example.com/a\u0387b",  // becomes a middle dot, which needs an l on both sides
        "ju\x80liet@example.com",
        "ju\xC0\x80liet@example.com",
        "ju\xED\xA0\x80liet@example.com",
        "ju\xF4\x90\x80\x80liet@example.com",
        "juliet@ex\xFFmple.com",
        "juliet@example.com/\xC3",
    }));
    CAPTURE(row);
    CHECK_FALSE(Jid::parse(row));
}

TEST_CASE("a NUL byte is allowed nowhere in an address") {
    const auto row = GENERATE(values<std::string>(
        {"a\0b@example.com"s, "a@exam\0ple.com"s, "a@example.com/b\0"s, "\0"s, "[::1\0]"s}));
    CHECK_FALSE(Jid::parse(row));
}

TEST_CASE("each part has at most 1023 bytes after preparation, and a domain the limits of DNS") {
    const auto at1023 = repeated("x", 1023);
    REQUIRE(longestDomain.size() == 253);
    CHECK(Jid::parse(at1023 + "@example.com/" + at1023));
    CHECK(Jid::parse(at1023 + "@" + longestDomain + "/" + at1023));
    CHECK(Jid::parse(repeated("ｘ", 1023) + "@example.com"));
    CHECK(Jid::parse("a@" + repeated("x", 63) + ".example"));

    CHECK_FALSE(Jid::parse(at1023 + "x@example.com"));
    CHECK_FALSE(Jid::parse("a@example.com/x" + at1023));
    CHECK_FALSE(Jid::parse(repeated("ｘ", 1024) + "@example.com"));
    CHECK_FALSE(Jid::parse("a@example.com/" + repeated("♚", 342)));
    CHECK_FALSE(Jid::parse("a@" + longestDomain + "x"));
    CHECK_FALSE(Jid::parse("a@" + repeated("x", 64) + ".example"));
    CHECK_FALSE(Jid::parse("a@" + repeated("ü", 60) + ".example"));
    CHECK_FALSE(Jid::parse("a@" + repeated("ü.", 100) + "example"));
    CHECK_FALSE(Jid::parse(repeated("x", 1'000'000) + "@example.com"));
}

TEST_CASE("parts of an address make other addresses") {
    const auto full = *Jid::parse("juliet@capulet.example/balcony");
    CHECK(full.bare().text() == "juliet@capulet.example");
    CHECK(full.bareText() == "juliet@capulet.example");
    CHECK(full.host().text() == "capulet.example");
    CHECK(full.host().isDomain());
    CHECK(full.bare().isBare());
    CHECK(full.bare().hasLocal());
    CHECK_FALSE(full.isDomain());
    CHECK(full.bare().bare() == full.bare());
    CHECK(full.withResource("chamber")->text() == "juliet@capulet.example/chamber");
    CHECK(full.host().withResource("x")->text() == "capulet.example/x");
    CHECK_FALSE(full.withResource(""));
    CHECK_FALSE(full.withResource("\t"));
    CHECK_FALSE(Jid{}.withResource("x"));
    CHECK_FALSE(Jid::make("juliet", ""));
    CHECK_FALSE(Jid::make("ju/liet", "capulet.example"));
    CHECK_FALSE(Jid::make("juliet", "capulet.example/x"));
    CHECK(Jid{}.empty());
    CHECK_FALSE(Jid{}.isDomain());
}

TEST_CASE("equal addresses are found in a hash table, others are not") {
    std::unordered_set<Jid> known{*Jid::parse("Juliet@Capulet.example/Balcony")};
    CHECK(known.count(*Jid::parse("juliet@capulet.example/Balcony")) == 1);
    CHECK(known.count(*Jid::parse("juliet@capulet.example/balcony")) == 0);
    CHECK(known.count(*Jid::parse("juliet@capulet.example")) == 0);
}

TEST_CASE("a localpart is escaped and unescaped as in XEP-0106") {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"space cadet", "space\\20cadet"},
        {"call me \"ishmael\"", "call\\20me\\20\\22ishmael\\22"},
        {"at&t guy", "at\\26t\\20guy"},
        {"d'artagnan", "d\\27artagnan"},
        {"/.fanboy", "\\2f.fanboy"},
        {"::foo::", "\\3a\\3afoo\\3a\\3a"},
        {"<foo>", "\\3cfoo\\3e"},
        {"user@host", "user\\40host"},
        {"c:\\net", "c\\3a\\net"},
        {"c:\\\\net", "c\\3a\\\\net"},
        {"c:\\cool stuff", "c\\3a\\cool\\20stuff"},
        {"c:\\5commas", "c\\3a\\5c5commas"},
        {"\\3and\\2is\\5cool", "\\5c3and\\2is\\5c5cool"},
        {"\\2plus\\2is\\4", "\\2plus\\2is\\4"},
        {"foo\\bar", "foo\\bar"},
        {"foob\\41r", "foob\\41r"},
        {"somenick!user\"&'/:<>\\3address",
         "somenick!user\\22\\26\\27\\2f\\3a\\3c\\3e\\5c3address"},
        {"", ""},
    };
    for (const auto& [shown, escaped] : rows) {
        CAPTURE(shown);
        CHECK(escapeLocal(shown) == escaped);
        CHECK(unescapeLocal(escaped) == shown);
        CHECK((escaped.empty() || Jid::make(escaped, "example.com")));
    }
    CHECK(escapeLocal(" padded ") == "padded");
    CHECK(unescapeLocal("\\20padded\\20") == "\\20padded\\20");
    CHECK(unescapeLocal("\\2F\\3A") == "\\2F\\3A");  // case is significant
    CHECK(unescapeLocal("\\2") == "\\2");
}
