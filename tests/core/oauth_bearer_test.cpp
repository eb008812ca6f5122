// The messages of OAUTHBEARER (RFC 7628), and tokens in the place of passwords.
#include "core/sasl/oauth_bearer.h"

#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace epode::sasl;

namespace {

// "|" stands for the separator.
std::string message(std::string text) {
    for (char& c : text)
        if (c == '|') c = '\x01';
    return text;
}

}  // namespace

TEST_CASE("a message of OAUTHBEARER says who, with which token, and to whom") {
    struct Row {
        std::string text;
        std::string authzid;
        std::string token;
        std::string host;
    };
    const std::vector<Row> rows{
        // RFC 7628, 4.1.
        {"n,a=user@example.com,|host=server.example.com|port=143|"
         "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==||",
         "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "server.example.com"},
        {"n,,|auth=Bearer a.b-c_d~e+f/g==||", "", "a.b-c_d~e+f/g==", ""},
        {"y,,|auth=bEARER   x||", "", "x", ""},
        {"n,a=a=2Cb=3Dc,|auth=Bearer x||", "a,b=c", "x", ""},
        {"n,,|qs=a=b|auth=Bearer x|mthd=POST||", "", "x", ""},
        {"n,,|foo=a\tb\r\n|auth=Bearer x||", "", "x", ""},
    };
    for (const auto& row : rows) {
        INFO(row.text);
        const std::string text = message(row.text);
        const auto read = readBearerMessage(text);
        REQUIRE(read);
        CHECK(read->authzid == row.authzid);
        CHECK(read->token == row.token);
        CHECK(read->host == row.host);
    }
}

TEST_CASE("what is no message of OAUTHBEARER is refused") {
    const std::vector<std::string> rows{
        "",
        "|",
        "||",
        "n,,",
        "n,,|",
        "n,,||",
        "n,,|auth=Bearer x|",
        "n,,|auth=Bearer x",
        "n,,auth=Bearer x||",
        "n,|auth=Bearer x||",
        ",,|auth=Bearer x||",
        "p=tls-exporter,,|auth=Bearer x||",
        "z,,|auth=Bearer x||",
        "n,b=user,|auth=Bearer x||",
        "n,a=,|auth=Bearer x||",
        "n,a=x=2,|auth=Bearer x||",
        "n,a=x=2c,|auth=Bearer x||",
        "n,a=x=41,|auth=Bearer x||",
        "n,,|auth=||",
        "n,,|auth=Bearer||",
        "n,,|auth=Bearer ||",
        "n,,|auth=Basic x||",
        "n,,|auth=Bearerx||",
        "n,,|auth=Bearer x y||",
        "n,,|auth=Bearer \"x\"||",
        "n,,|auth=Bearer \xC3\xA8||",
        "n,,|auth=Bearer x|auth=Bearer y||",
        "n,,|auth=Bearer x|host=a|host=b||",
        "n,,|auth=Bearer x||||",
        "n,,|auth=Bearer x|a||",
        "n,,|auth=Bearer x|=a||",
        "n,,|auth=Bearer x|a1=b||",
        "n,,|auth=Bearer x|a=\x7F||",
        "n,,|host=a||",
        "n,,|auth=Bearer " + std::string(tokenBytesMax + 1, 'x') + "||",
    };
    for (const auto& row : rows) {
        INFO(row);
        CHECK_FALSE(readBearerMessage(message(row)));
    }
    CHECK_FALSE(
        readBearerMessage(std::string("n,a=a\0b,\x01"
                                      "auth=Bearer x\x01\x01",
                                      24)));
}

TEST_CASE("a refusal says why, and where tokens are given out") {
    CHECK(bearerRefusal("invalid_token", "xmpp", "https://id.example/.well-known/x") ==
          "{\"status\":\"invalid_token\",\"scope\":\"xmpp\","
          "\"openid-configuration\":\"https://id.example/.well-known/x\"}");
    CHECK(bearerRefusal("invalid_token", "", "") == "{\"status\":\"invalid_token\"}");
    CHECK(bearerRefusal("x", "a\"b\\c\n", "") == "{\"status\":\"x\",\"scope\":\"a\\\"b\\\\c\"}");
}

TEST_CASE("a password that looks like a token is one") {
    const std::string token = "eyJhbGciOiJub25lIn0.e30.c2ln";
    const std::string text = std::string{'\0'} + "juliet" + '\0' + token;
    const auto plain = readPlainToken(text);
    REQUIRE(plain);
    CHECK(plain->authzid == "");
    CHECK(plain->username == "juliet");
    CHECK(plain->token == token);
    for (const std::string password :
         {"secret", "eyJ", "eyJa.b", "eyJa.b.c.d", "xyJa.b.c", "eyJa.b.c d", ""}) {
        INFO(password);
        CHECK_FALSE(readPlainToken(std::string{'\0'} + "juliet" + '\0' + password));
    }
    CHECK_FALSE(readPlainToken(std::string{'\0'} + '\0' + token));
    CHECK_FALSE(readPlainToken("juliet" + std::string{'\0'} + token));
    CHECK_FALSE(readPlainToken(token));
}
