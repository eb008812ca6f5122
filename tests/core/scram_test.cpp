#include "tests/support/catch.h"

#include "core/base64.h"
#include "core/sasl/mechanisms.h"
#include "core/sasl/scram_client.h"
#include "core/sasl/scram_message.h"

#include <map>
#include <string>
#include <vector>

using namespace epode;
using namespace epode::sasl;
using namespace std::string_literals;

namespace {

const std::string exampleSalt = "QSXCR+Q6sek8bf92";  // of RFC 5802 and XEP-0474

Credentials pencil(Hash hash, const std::string& salt = exampleSalt) {
    return {{*makeScramKeys(hash, "pencil", 4096, *decodeBase64(salt))}};
}

Setup setupOf(std::vector<std::string> offered) {
    Setup setup;
    setup.domain = "capulet.example";
    setup.offered = std::move(offered);
    setup.secret = "the server's";
    setup.protection = DowngradeProtection::Off;
    return setup;
}

// A step as a word and a text, for tables.
std::string told(const Step& step) {
    if (const auto* challenge = std::get_if<Challenge>(&step))
        return "challenge " + challenge->bytes;
    if (const auto* success = std::get_if<Success>(&step)) {
        return "success " + success->identity.text() + " " + success->bytes;
    }
    if (const auto* need = std::get_if<NeedCredentials>(&step)) return "need " + need->username;
    return std::string{toText(std::get<Failure>(step).condition)};
}

// The messages of an honest client up to the one that `change` has spoiled, and the last step.
struct Exchange {
    Setup setup = setupOf({"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"});
    std::string mechanism = "SCRAM-SHA-256";
    ScramClient::Options options{
        .hash = Hash::Sha256, .username = "juliet", .password = "pencil", .nonce = "clientnonce"};
    std::optional<Credentials> stored = pencil(Hash::Sha256);

    template <typename Change>
    std::string withFinal(Change change) {
        auto machine = makeMechanism(mechanism, setup);
        ScramClient client{options};
        const auto first = machine->start(*client.first());
        if (!std::holds_alternative<NeedCredentials>(first)) return told(first);
        const auto challenge = machine->proceed(stored ? &*stored : nullptr);
        auto final = client.answer(std::get<Challenge>(challenge).bytes);
        REQUIRE(final);
        change(*final);
        const auto last = machine->step(*final);
        if (const auto* success = std::get_if<Success>(&last)) {
            CHECK(client.isServerProven(success->bytes));
        }
        return told(last).substr(0, told(last).find(" v="));
    }
    std::string run() {
        return withFinal([](std::string&) {});
    }
};

void replace(std::string& text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the exchange of RFC 5802, 5 is played back") {
    auto setup = setupOf({"SCRAM-SHA-1"});
    setup.nonce = "3rfcNHYJY1ZVvWVs7j";
    const auto stored = pencil(Hash::Sha1);
    auto machine = makeMechanism("SCRAM-SHA-1", setup);
    REQUIRE(machine);
    CHECK(machine->name() == "SCRAM-SHA-1");
    CHECK(told(machine->start("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")) == "need user");
    CHECK(told(machine->proceed(&stored)) ==
          "challenge r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
    CHECK(told(machine->step("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                             "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")) ==
          "success user@capulet.example v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST_CASE("the exchange of RFC 7677, 3 is played back by both sides") {
    auto setup = setupOf({"SCRAM-SHA-256"});
    setup.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const auto stored = pencil(Hash::Sha256, "W22ZaJ0SNY7soEsUEjb6gQ==");
    auto machine = makeMechanism("SCRAM-SHA-256", setup);
    ScramClient client{{.username = "user", .password = "pencil", .nonce = "rOprNGfwEbeRWgbNEkqO"}};
    CHECK(client.name() == "SCRAM-SHA-256");

    const auto first = client.first();
    CHECK(first == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    machine->start(*first);
    const auto challenge = std::get<Challenge>(machine->proceed(&stored));
    CHECK(challenge.bytes ==
          "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    const auto final = client.answer(challenge.bytes);
    CHECK(final ==
          "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
          "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    const auto success = std::get<Success>(machine->step(*final));
    CHECK(success.bytes == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    CHECK(success.identity.text() == "user@capulet.example");
    CHECK(client.isServerProven(success.bytes));
}

TEST_CASE("the exchange of XEP-0474, 6.3 is played back, with its unknown extension") {
    auto setup = setupOf({"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"});
    setup.domain = "example.org";
    setup.bindings = {{"tls-server-end-point", "other"}, {"tls-exporter", "THIS IS FAKE CB DATA"}};
    setup.nonce = "a09117a6-ac50-4f2f-93f1-93799c2bddf6";
    setup.protection = DowngradeProtection::On;
    const auto stored = pencil(Hash::Sha1);
    auto machine = makeMechanism("SCRAM-SHA-1-PLUS", setup);
    CHECK(told(machine->start("p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6")) ==
          "need user");
    CHECK(told(machine->proceed(&stored)) ==
          "challenge r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,"
          "s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    CHECK(told(machine->step(
              "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,r=12C4CD5C-E38E-4A98-8F6D-"
              "15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,x=19C6532F-1CF4-4A27-A18D-"
              "DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=")) ==
          "success user@example.org v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=");
}

TEST_CASE("every hash logs in, with and without channel binding") {
    const auto hash = GENERATE(Hash::Sha1, Hash::Sha256, Hash::Sha512);
    const auto type = GENERATE(values<std::string>({"", "tls-exporter", "tls-server-end-point"}));
    const std::string name{scramName(hash)};
    Exchange exchange;
    exchange.setup = setupOf({name, name + "-PLUS"});
    exchange.setup.bindings = {{"tls-exporter", "exported"}, {"tls-server-end-point", "hashed"}};
    exchange.setup.protection = DowngradeProtection::On;
    exchange.options.hash = hash;
    exchange.options.mechanismsSeen = {name + "-PLUS", name};
    exchange.options.bindingTypesSeen = {"tls-exporter", "tls-server-end-point"};
    exchange.stored = pencil(hash);
    exchange.mechanism = name;
    if (!type.empty()) {
        exchange.mechanism += "-PLUS";
        exchange.options.binding = {type, type == "tls-exporter" ? "exported" : "hashed"};
    }
    CHECK(exchange.run() == "success juliet@capulet.example");
}

TEST_CASE("the username is prepared, and the hash is made over what was sent") {
    Exchange exchange;
    exchange.options.username = "ＪＵＬＩＥＴ";
    CHECK(exchange.run() == "success juliet@capulet.example");

    auto machine = makeMechanism("SCRAM-SHA-256", exchange.setup);
    CHECK(told(machine->start("n,,n=JULIET,r=abc")) == "need juliet");
}

TEST_CASE("an authorization identity is accepted when it is one's own address alone") {
    Exchange exchange;
    exchange.options.authzid = "Juliet@capulet.example";
    CHECK(exchange.run() == "success juliet@capulet.example");

    const auto other = GENERATE(values<std::string>(
        {"romeo@capulet.example", "juliet@montague.example", "juliet@capulet.example/balcony",
         "juliet", "capulet.example", "@", "a,b=c@capulet.example"}));
    CAPTURE(other);
    exchange.options.authzid = other;
    CHECK(exchange.run() == "invalid-authzid");
}

TEST_CASE("a wrong password and an unknown account get the same answers") {
    Exchange wrong;
    wrong.options.password = "pen";
    Exchange unknown;
    unknown.stored.reset();
    Exchange otherHash;
    otherHash.stored = pencil(Hash::Sha1);
    CHECK(wrong.run() == "not-authorized");
    CHECK(unknown.run() == "not-authorized");
    CHECK(otherHash.run() == "not-authorized");

    const auto challengeFor = [](const std::string& name, const Credentials* found) {
        auto setup = setupOf({"SCRAM-SHA-256", "SCRAM-SHA-1"});
        setup.nonce = "S";
        auto machine = makeMechanism("SCRAM-SHA-256", setup);
        machine->start("n,,n=" + name + ",r=C");
        return told(machine->proceed(found));
    };
    const auto nobody = challengeFor("nobody", nullptr);
    CHECK(nobody == challengeFor("Nobody", nullptr));
    CHECK(nobody != challengeFor("nobody2", nullptr));
    const auto known = pencil(Hash::Sha256, encodeBase64(std::string(16, 's')));
    CHECK(nobody.size() == challengeFor("nobody", &known).size());
}

TEST_CASE("an account that may not be used is told so only after the right password") {
    Exchange exchange;
    exchange.stored->state = AccountState::Disabled;
    CHECK(exchange.run() == "account-disabled");
    exchange.stored->state = AccountState::PasswordExpired;
    CHECK(exchange.run() == "credentials-expired");
    exchange.options.password = "wrong";
    CHECK(exchange.run() == "not-authorized");
}

TEST_CASE("channel binding that does not fit is refused") {
    Exchange exchange;
    exchange.setup.bindings = {{"tls-exporter", "ours"}};

    SECTION("the data of another channel") {
        exchange.mechanism = "SCRAM-SHA-256-PLUS";
        exchange.options.binding = {"tls-exporter", "theirs"};
        CHECK(exchange.run() == "not-authorized");
    }
    SECTION("a type that was not offered") {
        exchange.mechanism = "SCRAM-SHA-256-PLUS";
        exchange.options.binding = {"tls-unique", "ours"};
        CHECK(exchange.run() == "not-authorized");
    }
    SECTION("the flag y though -PLUS was offered") {
        exchange.options.couldBind = true;
        CHECK(exchange.run() == "not-authorized");
    }
    SECTION("the flag y is right when -PLUS was not offered") {
        exchange.setup.offered = {"SCRAM-SHA-256"};
        exchange.options.couldBind = true;
        CHECK(exchange.run() == "success juliet@capulet.example");
    }
    SECTION("a binding without -PLUS") {
        exchange.options.binding = {"tls-exporter", "ours"};
        CHECK(exchange.run() == "malformed-request");
    }
    SECTION("-PLUS without a binding") {
        exchange.mechanism = "SCRAM-SHA-256-PLUS";
        CHECK(exchange.run() == "malformed-request");
    }
    SECTION("a final message with another flag than the first") {
        CHECK(exchange.withFinal([](std::string& final) { replace(final, "c=biws", "c=eSws"); }) ==
              "not-authorized");
    }
    SECTION("a final message with binding data that were not announced") {
        CHECK(exchange.withFinal([](std::string& final) {
            replace(final, "c=biws", "c=" + encodeBase64("n,,ours"));
        }) == "not-authorized");
    }
    SECTION("a final message without the authorization identity of the first") {
        exchange.options.authzid = "juliet@capulet.example";
        CHECK(exchange.withFinal([](std::string& final) {
            replace(final, "c=" + encodeBase64("n,a=juliet@capulet.example,"), "c=biws");
        }) == "not-authorized");
    }
}

TEST_CASE("a final message that was changed is refused") {
    Exchange exchange;
    const std::map<std::string, std::string> rows = {
        {"c=biws", "c=biws="},    {"c=biws", "c="},         {"c=biws,", ""},
        {"c=biws", "x=y,c=biws"}, {"r=clientnonce", "r=x"}, {"r=clientnonce", "r=clientnoncf"},
        {"r=clientnonce", "r="},  {",p=", ",m=ext,p="},     {",p=", ",p=AAAA,p="},
        {",p=", ",p=\0"s},        {",p=", ",,p="},          {",p=", ",x=,p="},
        {",p=", ",1=a,p="},       {",p=", ",q="},
    };
    for (const auto& [from, to] : rows) {
        CAPTURE(from, to);
        CHECK(exchange.withFinal([&](std::string& final) { replace(final, from, to); }) ==
              "malformed-request");
    }
    CHECK(exchange.withFinal([](std::string& final) { final += ","; }) == "malformed-request");
    CHECK(exchange.withFinal([](std::string& final) { final += ",x=y"; }) == "malformed-request");
    CHECK(exchange.withFinal([](std::string& final) { final.clear(); }) == "malformed-request");
    CHECK(exchange.withFinal([](std::string& final) {
        replace(final, ",p=", ",x=added,p=");  // ignored but for the proof, which is over it
    }) == "not-authorized");
    CHECK(exchange.withFinal([](std::string& final) {
        final.replace(final.find(",p=") + 3, std::string::npos, encodeBase64(std::string(20, 'x')));
    }) == "malformed-request");
    CHECK(exchange.withFinal([](std::string& final) {
        final.replace(final.find(",p=") + 3, std::string::npos, encodeBase64(std::string(32, 'x')));
    }) == "not-authorized");
}

TEST_CASE("a first message that is not in the grammar is refused") {
    const auto row = GENERATE(values<std::string>({
        "",
        "n",
        "n,",
        "n,,",
        "n,n=user,r=abc",
        "x,,n=user,r=abc",
        "N,,n=user,r=abc",
        "p=,,n=user,r=abc",
        "p=tls unique,,n=user,r=abc",
        "p,,n=user,r=abc",
        "n,b=x,n=user,r=abc",
        "n,a=,n=user,r=abc",
        "n,a=ju=liet,n=user,r=abc",
        "n,,m=ext,n=user,r=abc",
        "n,,n=user,r=abc,m=ext",
        "n,,n=user,m=ext,r=abc",
        "n,,n=,r=abc",
        "n,,n=user",
        "n,,n=user,",
        "n,,n=user,r=",
        "n,,n=user,r=a b",
        "n,,n=user,r=a\x7f",
        "n,,n=user,r=a\xC3\xA9",
        "n,,n=user,r=abc,",
        "n,,n=user,r=abc,x",
        "n,,n=user,r=abc,x=",
        "n,,n=user,r=abc,=y",
        "n,,r=abc,n=user",
        "n,,n=us=er,r=abc",
        "n,,n=user=,r=abc",
        "n,,n=user=2c,r=abc",
        "n,,n=us\0er,r=abc"s,
        "n,,n=user\0,r=abc"s,
        "n,,n=user,r=abc\0"s,
        "n,,n=user,r=abc,x=\0"s,
        "n,,n=us\xFFr,r=abc",
        "n,,n=user,r=abc,x=\xC0\x80",
        " n,,n=user,r=abc",
        "n,,n=user,r=abc\n",
    }));
    CAPTURE(row);
    const auto setup = setupOf({"SCRAM-SHA-256"});
    auto machine = makeMechanism("SCRAM-SHA-256", setup);
    CHECK(told(machine->start(row)) == "malformed-request");
    CHECK(told(machine->step("n,,n=user,r=abc")) == "malformed-request");  // it is used up
}

TEST_CASE("names with commas and equal signs are unescaped, and names of nobody refused") {
    const auto setup = setupOf({"SCRAM-SHA-256"});
    const auto first = [&](const std::string& name) {
        return told(makeMechanism("SCRAM-SHA-256", setup)->start("n,,n=" + name + ",r=abc"));
    };
    CHECK(first("a=2Cb=3Dc") == "need a,b=c");
    CHECK(first("us@er") == "not-authorized");
    CHECK(first("us er") == "not-authorized");
    CHECK(first("♚") == "not-authorized");
    CHECK(escapeName("a,b=c") == "a=2Cb=3Dc");
}

TEST_CASE("without an initial response an empty challenge asks for it") {
    const auto setup = setupOf({"SCRAM-SHA-256"});
    auto machine = makeMechanism("SCRAM-SHA-256", setup);
    CHECK(told(machine->start(std::nullopt)) == "challenge ");
    CHECK(told(machine->step("n,,n=user,r=abc")) == "need user");
}

TEST_CASE("a machine that is called out of turn fails and stays failed") {
    const auto setup = setupOf({"SCRAM-SHA-256"});
    const auto stored = pencil(Hash::Sha256);
    auto machine = makeMechanism("SCRAM-SHA-256", setup);
    CHECK(told(machine->proceed(&stored)) == "malformed-request");
    CHECK(told(machine->start("n,,n=user,r=abc")) == "malformed-request");

    auto other = makeMechanism("SCRAM-SHA-256", setup);
    other->start("n,,n=user,r=abc");
    CHECK(told(other->step("c=biws,r=abc,p=AAAA")) == "malformed-request");
    CHECK(told(other->proceed(&stored)) == "malformed-request");
}

TEST_CASE("two attempts have different nonces from the server") {
    const auto setup = setupOf({"SCRAM-SHA-256"});
    const auto stored = pencil(Hash::Sha256);
    const auto challenge = [&] {
        auto machine = makeMechanism("SCRAM-SHA-256", setup);
        machine->start("n,,n=user,r=abc");
        return told(machine->proceed(&stored));
    };
    CHECK(challenge() != challenge());
}

TEST_CASE("the client refuses a server that it should not trust") {
    const auto client = [] {
        ScramClient made{{.username = "user",
                          .password = "pencil",
                          .mechanismsSeen = {"SCRAM-SHA-256"},
                          .nonce = "abc"}};
        made.first();
        return made;
    };
    const auto row = GENERATE(values<std::string>({
        "",
        "r=abc,s=QSXCR+Q6sek8bf92,i=4096",     // nothing added to our nonce
        "r=xyz123,s=QSXCR+Q6sek8bf92,i=4096",  // another nonce
        "r=abc123,s=QSXCR+Q6sek8bf92,i=4095",  // too weak
        "r=abc123,s=QSXCR+Q6sek8bf92,i=0", "r=abc123,s=QSXCR+Q6sek8bf92,i=-4096",
        "r=abc123,s=QSXCR+Q6sek8bf92,i=04096", "r=abc123,s=QSXCR+Q6sek8bf92,i=99999999",
        "r=abc123,s=QSXCR+Q6sek8bf92,i=1000001", "r=abc123,s=QSXCR+Q6sek8bf92,i=4096x",
        "r=abc123,s=QSXCR,i=4096", "r=abc123,s=,i=4096", "r=abc123,i=4096",
        "m=x,r=abc123,s=QSXCR+Q6sek8bf92,i=4096", "r=abc123,s=QSXCR+Q6sek8bf92,i=4096,m=x",
        "r=abc123,s=QSXCR+Q6sek8bf92,i=4096,h=AAAA",  // the offers were changed
    }));
    CAPTURE(row);
    auto refusing = client();
    CHECK_FALSE(refusing.answer(row));
    CHECK_FALSE(refusing.problem().empty());
    CHECK_FALSE(refusing.isServerProven("v=AAAA"));

    auto trusting = client();
    REQUIRE(trusting.answer("r=abc123,s=QSXCR+Q6sek8bf92,i=4096,x=y"));
    for (const std::string final : {"", "v=AAAA", "e=invalid-proof", "v=", "x=y"}) {
        CHECK_FALSE(trusting.isServerProven(final));
    }
}

TEST_CASE("keys are written and read in the form of RFC 5803") {
    const auto keys =
        *makeScramKeys(Hash::Sha256, "pencil", 4096, *decodeBase64("W22ZaJ0SNY7soEsUEjb6gQ=="));
    const auto text = toText(keys);
    CHECK(text ==
          "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
          "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
          "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    CHECK(parseScramKeys(text) == keys);

    for (const std::string row :
         {"", "SCRAM-SHA-256", "SCRAM-SHA-256$4096:W22Z$AAAA:AAAA", "MD5$4096:W22Z$AAAA:AAAA",
          "SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$"
          "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
          "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
          "SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
          "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="}) {
        CAPTURE(row);
        CHECK_FALSE(parseScramKeys(row));
    }
}

TEST_CASE("a password is checked against keys, prepared as when they were made") {
    const auto keys = makeScramKeys(Hash::Sha256, "foo\u1680bar");
    REQUIRE(keys);
    CHECK(keys->salt.size() == saltBytes);
    CHECK(keys->salt != makeScramKeys(Hash::Sha256, "foo bar")->salt);
    CHECK(isPasswordOf(*keys, "foo bar"));
    CHECK_FALSE(isPasswordOf(*keys, "foo  bar"));
    CHECK_FALSE(isPasswordOf(*keys, ""));
    CHECK_FALSE(isPasswordOf(*keys, "foo bar\n"));
    CHECK_FALSE(makeScramKeys(Hash::Sha256, ""));
    CHECK_FALSE(makeScramKeys(Hash::Sha256, "tab\t"));
}
