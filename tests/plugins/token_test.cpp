// Logins by signed tokens: OAUTHBEARER (RFC 7628) with JSON Web Tokens (RFC 7519).
#include "core/base64.h"
#include "core/digest.h"
#include "plugins/token/authority.h"
#include "plugins/token/jwt.h"
#include "route/account_admin.h"
#include "store/stores.h"
#include "tests/plugins/run_command.h"
#include "tests/stream/web_client.h"
#include "tests/support/answering_server.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>

using namespace epode;
using namespace epode::token;
using epode::test::AnsweringServer;

namespace {

std::string urlBase64(std::string_view bytes) {
    std::string text = encodeBase64(bytes);
    while (text.ends_with('=')) text.pop_back();
    for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text;
}

std::string numberOf(EVP_PKEY* key, const char* name, std::size_t bytes = 0) {
    BIGNUM* number = nullptr;
    REQUIRE(EVP_PKEY_get_bn_param(key, name, &number) == 1);
    std::string text(bytes == 0 ? std::size_t(BN_num_bytes(number)) : bytes, '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(text.data()), int(text.size()));
    BN_free(number);
    return text;
}

// Somebody who gives out tokens.
struct Signer {
    enum class Kind { Rsa, Ec };
    Signer(Kind kind, std::string id)
        : kind{kind},
          id{std::move(id)},
          key{kind == Kind::Rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free} {}

    std::string jwk(std::string_view more = {}) const {
        const std::string head = "{\"kid\":\"" + id + "\"" + std::string{more};
        if (kind == Kind::Rsa)
            return head + ",\"kty\":\"RSA\",\"n\":\"" +
                   urlBase64(numberOf(key.get(), OSSL_PKEY_PARAM_RSA_N)) + "\",\"e\":\"" +
                   urlBase64(numberOf(key.get(), OSSL_PKEY_PARAM_RSA_E)) + "\"}";
        return head + ",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" +
               urlBase64(numberOf(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, 32)) + "\",\"y\":\"" +
               urlBase64(numberOf(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, 32)) + "\"}";
    }
    std::string signature(const std::string& input) const {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key.get());
        const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
        std::size_t size = 0;
        EVP_DigestSign(context, nullptr, &size, bytes, input.size());
        std::string made(size, '\0');
        auto* out = reinterpret_cast<unsigned char*>(made.data());
        REQUIRE(EVP_DigestSign(context, out, &size, bytes, input.size()) == 1);
        made.resize(size);
        EVP_MD_CTX_free(context);
        if (kind == Kind::Rsa) return made;
        const unsigned char* at = out;
        ECDSA_SIG* numbers = d2i_ECDSA_SIG(nullptr, &at, long(size));
        std::string both(64, '\0');
        auto* two = reinterpret_cast<unsigned char*>(both.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(numbers), two, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(numbers), two + 32, 32);
        ECDSA_SIG_free(numbers);
        return both;
    }
    std::string sign(const std::string& header, const std::string& claims) const {
        const std::string input = urlBase64(header) + "." + urlBase64(claims);
        return input + "." + urlBase64(signature(input));
    }
    std::string sign(const std::string& claims) const {
        return sign("{\"alg\":\"" + std::string{kind == Kind::Rsa ? "RS256" : "ES256"} +
                        "\",\"kid\":\"" + id + "\",\"typ\":\"JWT\"}",
                    claims);
    }

    Kind kind;
    std::string id;
    std::shared_ptr<EVP_PKEY> key;
};

const Signer& rsa() {
    static const Signer signer{Signer::Kind::Rsa, "rsa"};
    return signer;
}
const Signer& ec() {
    static const Signer signer{Signer::Kind::Ec, "ec"};
    return signer;
}
const Signer& foreigner() {
    static const Signer signer{Signer::Kind::Ec, "ec"};
    return signer;
}
std::string keySet() { return "{\"keys\":[" + rsa().jwk() + "," + ec().jwk() + "]}"; }

std::string hmacToken(const std::string& secret, const std::string& header,
                      const std::string& claims) {
    const std::string input = urlBase64(header) + "." + urlBase64(claims);
    return input + "." + urlBase64(hmac(Hash::Sha256, secret, input));
}

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        path = name;
        ::setenv("STATE_DIRECTORY", name.c_str(), 1);  // where the server keeps its key
    }
    ~Folder() {
        ::unsetenv("STATE_DIRECTORY");
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream{path + "/" + name} << text;
    }
    std::string path;
};

void addKeys(TestServer& server, AccountId account, StoredKeys keys) {
    bool isDone = false;
    server.server().shard(0).executor().post([&] {
        start(server.server().stores().accounts.addCredentials(account, keys),
              [&](std::exception_ptr) { isDone = true; });
    });
    server.run();
    CHECK(isDone);
}

std::string configuration(const Folder& folder, std::string_view more = {}) {
    folder.write("keys.json", keySet());
    return "plugins.enabled = ['token']\n[token]\nkeys = '" + folder.path +
           "/keys.json'\nissuer = 'https://id.example'\n" + std::string{more};
}

std::int64_t secondsOf(TestServer& server, Duration later = {}) {
    return (toMilliseconds(server.simulation().wallNow()) +
            std::chrono::duration_cast<std::chrono::milliseconds>(later).count()) /
           1000;
}
std::string claimsFor(TestServer& server, std::string_view name = "juliet") {
    return "{\"iss\":\"https://id.example\",\"aud\":\"capulet.example\",\"sub\":\"17\","
           "\"preferred_username\":\"" +
           std::string{name} + "\",\"scope\":\"openid xmpp\",\"exp\":" +
           std::to_string(secondsOf(server, std::chrono::minutes{5})) + "}";
}

std::string messageWith(const std::string& token, const std::string& name = {}) {
    return encodeBase64("n," + (name.empty() ? name : "a=" + name) +
                        ",\x01"
                        "auth=Bearer " +
                        token + "\x01\x01");
}
std::string auth(const std::string& mechanism, const std::string& text) {
    return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + mechanism + "'>" + text +
           "</auth>";
}
TestClient& stranger(TestServer& server) {
    return server.connect({}, true).sendHeader("capulet.example").forget();
}
// What came of a login by SASL: "success", or the condition of the failure.
std::string loginBy(TestServer& server, const std::string& token, const std::string& name = {}) {
    auto& client = stranger(server);
    client.send(auth("OAUTHBEARER", messageWith(token, name)));
    std::string answer = client.next();
    if (answer.starts_with("<success")) {
        client.bind("token");
        CHECK(has(client.jid(), "/token"));
        return "success " + Jid::parse(client.jid())->bare().text();
    }
    if (answer.starts_with("<challenge")) {
        const auto json = decodeBase64(parseXml(answer, ns::client).value()->text()).value();
        CHECK(json.starts_with("{\"status\":\""));
        client.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>");
        answer = client.next();
        CHECK(has(answer, "<not-authorized/>"));
        return json.substr(11, json.find('"', 11) - 11);
    }
    const auto failure = parseXml(answer, ns::client);
    return failure ? std::string{(*failure)->firstChild()->name()} : "";
}

}  // namespace

TEST_CASE("who has a token of the issuer logs in, over SASL and SASL2") {
    Folder folder;
    TestServer server{configuration(folder)};
    server.addAccount("juliet@capulet.example");
    auto& client = server.connect({}, true).sendHeader("capulet.example");
    const std::string features = client.next();
    CHECK(has(features, "<mechanism>OAUTHBEARER</mechanism>"));
    for (const Signer* signer : {&rsa(), &ec()}) {
        const auto token = signer->sign(claimsFor(server));
        CHECK(loginBy(server, token) == "success juliet@capulet.example");
        CHECK(loginBy(server, token, "juliet@capulet.example") == "success juliet@capulet.example");
    }
    const auto token = ec().sign(claimsFor(server));
    client.send(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='OAUTHBEARER'><initial-response>" +
        messageWith(token) +
        "</initial-response><bind xmlns='urn:xmpp:bind:0'><tag>x</tag></bind></authenticate>");
    CHECK(has(client.next(), "<authorization-identifier>juliet@capulet.example/x"));
    // Without an initial response, as old clients do.
    auto& slow = stranger(server);
    slow.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'/>");
    CHECK(slow.next().starts_with("<challenge"));
    slow.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + messageWith(token) +
              "</response>");
    CHECK(slow.next().starts_with("<success"));
}

TEST_CASE("a refused client is told why, and may try again") {
    Folder folder;
    TestServer server{configuration(
        folder, "openid_configuration = 'https://id.example/.well-known/openid-configuration'\n")};
    server.addAccount("juliet@capulet.example");
    auto& client = stranger(server);
    client.send(auth("OAUTHBEARER", messageWith("no.such.token")));
    const auto challenge = parseXml(client.next(), ns::client);
    REQUIRE(challenge);
    CHECK(decodeBase64((*challenge)->text()).value() ==
          "{\"status\":\"invalid_token\",\"scope\":\"xmpp\",\"openid-configuration\":"
          "\"https://id.example/.well-known/openid-configuration\"}");
    client.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>");
    CHECK(
        has(client.next(), "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/>"));
    client.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AQ==</response>");
    CHECK(has(client.next(), "<malformed-request/>"));
    // The same over SASL2.
    client.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='OAUTHBEARER'><initial-response>" +
                messageWith("no.such.token") + "</initial-response></authenticate>");
    CHECK(has(client.next(), "<challenge xmlns='urn:xmpp:sasl:2'>"));
    client.send("<response xmlns='urn:xmpp:sasl:2'>AQ==</response>");
    CHECK(has(client.next(), "<not-authorized"));
    client.logIn("juliet");
    CHECK(client.all().back().starts_with("<success"));
}

TEST_CASE("tokens that are forged, foreign, expired or for others open nothing") {
    Folder folder;
    TestServer server{configuration(folder, "[login]\naccount_burst = 1000\naddress_burst = 1000")};
    server.addAccount("juliet@capulet.example");
    server.addAccount("romeo@montague.example");
    const auto now = secondsOf(server);
    // The good one, with one thing changed.
    const auto with = [&](const std::string& name, const std::string& value) {
        std::string claims;
        for (const auto& [key, usual] :
             std::map<std::string, std::string>{{"iss", "\"https://id.example\""},
                                                {"aud", "\"capulet.example\""},
                                                {"preferred_username", "\"juliet\""},
                                                {"scope", "\"xmpp\""},
                                                {"exp", std::to_string(now + 300)},
                                                {"nbf", std::to_string(now - 10)},
                                                {"iat", std::to_string(now - 10)}}) {
            const std::string& said = key == name ? value : usual;
            if (!said.empty()) claims += (claims.empty() ? "{\"" : ",\"") + key + "\":" + said;
        }
        return claims + "}";
    };
    const std::string good = with("", "");
    const std::string invalid = "invalid_token";
    struct Row {
        std::string what;
        std::string token;
        std::string outcome;
    };
    const auto es = [&](const std::string& name, const std::string& value) {
        return ec().sign(with(name, value));
    };
    std::string broken = ec().sign(good);
    broken[broken.size() - 20] = broken[broken.size() - 20] == 'A' ? 'B' : 'A';
    const std::string head = "{\"alg\":\"ES256\",\"kid\":\"ec\"";
    const std::string ours = urlBase64(good);
    const std::string success = "success juliet@capulet.example";
    const std::vector<Row> rows{
        {"as it should be", ec().sign(good), success},
        {"without a kid", ec().sign("{\"alg\":\"ES256\"}", good), success},
        {"a list of audiences", es("aud", "[\"x\",\"capulet.example\"]"), success},
        {"a whole address", es("preferred_username", "\"juliet@capulet.example\""), success},
        {"no dates but the end", es("nbf", ""), success},
        {"clocks that differ a little", es("exp", std::to_string(now - 10)), success},
        {"scopes in a list", ec().sign(with("scope", "[\"a\",\"xmpp\"]")), success},
        {"a broken signature", broken, invalid},
        {"no signature", urlBase64("{\"alg\":\"ES256\"}") + "." + ours + ".", invalid},
        {"alg none", urlBase64("{\"alg\":\"none\"}") + "." + ours + ".", invalid},
        {"alg none with one", urlBase64("{\"alg\":\"none\"}") + "." + ours + ".AAAA", invalid},
        {"alg None", urlBase64("{\"alg\":\"nOnE\"}") + "." + ours + ".AAAA", invalid},
        {"no alg", ec().sign("{\"kid\":\"ec\"}", good), invalid},
        {"an alg that is no text", ec().sign("{\"alg\":5}", good), invalid},
        {"another alg", ec().sign("{\"alg\":\"ES384\"}", good), invalid},
        {"alg in small letters", ec().sign("{\"alg\":\"es256\"}", good), invalid},
        {"the public key as a secret",
         hmacToken(ec().jwk(), "{\"alg\":\"HS256\",\"kid\":\"ec\"}", good), invalid},
        {"the modulus as a secret",
         hmacToken(numberOf(rsa().key.get(), OSSL_PKEY_PARAM_RSA_N), "{\"alg\":\"HS256\"}", good),
         invalid},
        {"an empty secret", hmacToken("", "{\"alg\":\"HS256\"}", good), invalid},
        {"RS256 by the key of ES256", ec().sign("{\"alg\":\"RS256\",\"kid\":\"ec\"}", good),
         invalid},
        {"ES256 by the key of RS256", rsa().sign("{\"alg\":\"ES256\",\"kid\":\"rsa\"}", good),
         invalid},
        {"somebody else's key of the same name", foreigner().sign(good), invalid},
        {"a key of another name", ec().sign("{\"alg\":\"ES256\",\"kid\":\"rsa\"}", good), invalid},
        {"a key that comes along",
         foreigner().sign("{\"alg\":\"ES256\",\"jwk\":" + foreigner().jwk() + "}", good), invalid},
        {"something that has to be understood",
         ec().sign(head + ",\"crit\":[\"exp\"],\"exp\":1}", good), invalid},
        {"another kind of token", ec().sign(head + ",\"typ\":\"logout+jwt\"}", good), invalid},
        {"expired", es("exp", std::to_string(now - 60)), invalid},
        {"without an end", es("exp", ""), invalid},
        {"an end that is a text", es("exp", "\"9999999999\""), invalid},
        {"an end beyond all years", es("exp", "1e300"), invalid},
        {"not yet valid", es("nbf", std::to_string(now + 60)), invalid},
        {"of the future", es("iat", std::to_string(now + 60)), invalid},
        {"another issuer", es("iss", "\"https://evil.example\""), invalid},
        {"no issuer", es("iss", ""), invalid},
        {"our own name as the issuer", es("iss", "\"capulet.example\""), invalid},
        {"for somebody else", es("aud", "\"montague.example\""), invalid},
        {"for nobody", es("aud", ""), invalid},
        {"for a number", es("aud", "5"), invalid},
        {"no account", es("preferred_username", ""), invalid},
        {"an account that is none", es("preferred_username", "\"a b@c\""), invalid},
        {"an empty account", es("preferred_username", "\"\""), invalid},
        {"nobody's account", es("preferred_username", "\"rosaline\""), invalid},
        {"of another host", es("preferred_username", "\"romeo@montague.example\""), invalid},
        {"with a resource", es("preferred_username", "\"juliet@capulet.example/x\""), invalid},
        {"another scope", es("scope", "\"mail\""), "insufficient_scope"},
        {"a scope that begins alike", es("scope", "\"xmpp2 axmpp\""), "insufficient_scope"},
        {"no scope", es("scope", ""), "insufficient_scope"},
        {"claims that are no object", ec().sign(head + "}", "[]"), invalid},
        {"claims that are no JSON", ec().sign(head + "}", "hello"), invalid},
        {"claims that are deep",
         ec().sign(head + "}", "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"),
         invalid},
        {"two parts", urlBase64("{\"alg\":\"ES256\"}") + "." + ours, invalid},
        {"four parts", ec().sign(good) + ".AAAA", invalid},
        {"with padding", ec().sign(good) + "==", invalid},
        {"no token", "secret", invalid},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        CHECK(loginBy(server, row.token) == row.outcome);
    }
    // Who names somebody else than the token gets in as neither.
    CHECK(loginBy(server, ec().sign(good), "nurse@capulet.example") == invalid);
    CHECK(loginBy(server, ec().sign(good), "romeo") == invalid);
    auto& other = stranger(server);
    other.send(auth("OAUTHBEARER", encodeBase64("n,,\x01host=montague.example\x01"
                                                "auth=Bearer " +
                                                ec().sign(good) + "\x01\x01")));
    CHECK(has(other.next(), "<not-authorized/>"));
    other.send(auth("OAUTHBEARER", encodeBase64("n,,\x01\x01")));
    CHECK(has(other.next(), "<malformed-request/>"));
}

TEST_CASE("the server's own tokens end with their time and with the account") {
    Folder folder;
    TestServer server{configuration(folder)};
    server.addAccount("juliet@capulet.example");
    const auto issue = [&](CommandValues values) {
        values.emplace("account", *Jid::parse("juliet@capulet.example"));
        const auto result = runCommand(server, "token", "token issue", std::move(values));
        return result.isRefusal() ? result.error().code : textOf(result, "token");
    };
    const auto token = issue({});
    CHECK(loginBy(server, token) == "success juliet@capulet.example");
    CHECK(std::filesystem::status(folder.path + "/token.key").permissions() ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(loginBy(server, issue({{"scope", std::string{"files"}}})) == "insufficient_scope");
    CHECK(issue({{"expires", Duration{std::chrono::hours{1000}}}}) == "invalid");
    CHECK(runCommand(server, "token", "token issue",
                     {{"account", *Jid::parse("rosaline@capulet.example")}})
              .error()
              .code == "not-found");
    // Somebody who knows how they look and not the key.
    const auto second = token.find('.', token.find('.') + 1);
    CHECK(loginBy(server, token.substr(0, second + 1) + urlBase64(std::string(32, 'x'))) ==
          "invalid_token");
    server.restart(std::chrono::minutes{10});
    CHECK(loginBy(server, token) == "success juliet@capulet.example");
    server.advance(std::chrono::hours{1});
    CHECK(loginBy(server, token) == "invalid_token");

    // With the password that the account had.
    const auto before = issue({});
    CHECK(server.wait(changePassword(server.server(), *Jid::parse("juliet@capulet.example"),
                                     "another")) == PasswordChange::Done);
    CHECK(loginBy(server, before) == "invalid_token");
    // Keys of one more hash are no other password.
    const auto meanwhile = issue({});
    auto& accounts = server.server().stores().accounts;
    const auto stored = server.wait(accounts.credentials("juliet@capulet.example"));
    REQUIRE(stored);
    auto further = stored->keys.front();
    further.hash = "SHA-512";
    further.storedKey = std::string(64, 'k');
    addKeys(server, stored->account, further);
    CHECK(loginBy(server, meanwhile) == "success juliet@capulet.example");
    CHECK(server.wait(accounts.setDisabled("juliet@capulet.example", true)));
    CHECK(loginBy(server, meanwhile) == "invalid_token");
    CHECK(server.wait(accounts.setDisabled("juliet@capulet.example", false)));
    CHECK(loginBy(server, meanwhile) == "success juliet@capulet.example");

    const auto later = issue({});
    CHECK(server.wait(removeAccount(server.server(), *Jid::parse("juliet@capulet.example"))));
    CHECK(loginBy(server, later) == "invalid_token");
    // Nor is it good for who has the address next.
    server.addAccount("juliet@capulet.example");
    CHECK(loginBy(server, later) == "invalid_token");
}

TEST_CASE("a token is a password where the operator says so") {
    Folder folder;
    const auto plain = [](TestServer& server, const std::string& name,
                          const std::string& password) {
        auto& client = stranger(server);
        client.send(auth("PLAIN", encodeBase64(std::string{'\0'} + name + '\0' + password)));
        const auto answer = client.next();
        return answer.starts_with("<success")     ? std::string{"success"}
               : has(answer, "<not-authorized/>") ? std::string{"not-authorized"}
                                                  : answer;
    };
    {
        TestServer server{configuration(folder, "as_password = true\n")};
        server.addAccount("juliet@capulet.example");
        server.addAccount("nurse@capulet.example");
        const auto token = ec().sign(claimsFor(server));
        CHECK(plain(server, "juliet", token) == "success");
        CHECK(plain(server, "juliet", "secret") == "success");
        CHECK(plain(server, "juliet", "wrong") == "not-authorized");
        CHECK(plain(server, "nurse", token) == "not-authorized");
        CHECK(plain(server, "juliet", foreigner().sign(claimsFor(server))) == "not-authorized");
        CHECK(plain(server, "juliet", "eyJ.e30.x") == "not-authorized");
    }
    TestServer server{configuration(folder)};
    server.addAccount("juliet@capulet.example");
    CHECK(plain(server, "juliet", ec().sign(claimsFor(server))) == "not-authorized");
    CHECK(plain(server, "juliet", "secret") == "success");
}

TEST_CASE("keys that change are read again, and a broken file changes nothing") {
    Folder folder;
    TestServer server{configuration(folder)};
    server.addAccount("juliet@capulet.example");
    const auto issued = [&](const Signer& signer) {
        return loginBy(server, signer.sign(claimsFor(server)));
    };
    CHECK(issued(ec()) == "success juliet@capulet.example");
    CHECK(issued(foreigner()) == "invalid_token");
    folder.write("keys.json", "{\"keys\":[");
    server.advance(std::chrono::minutes{2});
    CHECK(issued(ec()) == "success juliet@capulet.example");
    folder.write("keys.json", "{\"keys\":[" + foreigner().jwk() + "]}");
    server.advance(std::chrono::minutes{2});
    CHECK(issued(foreigner()) == "success juliet@capulet.example");
    CHECK(issued(ec()) == "invalid_token");
}

TEST_CASE("keys are fetched from where they are published") {
    Folder folder;
    AnsweringServer web;
    web.answerStatus(200, keySet());
    const auto fetching = [&](std::string_view more = {}) {
        return "plugins.enabled = ['token']\n[token]\nkeys_url = '" + web.url("/jwks") +
               "'\nissuer = 'https://id.example'\n" + std::string{more};
    };
    TestServer server{fetching("[login]\naccount_burst = 1000\naddress_burst = 1000")};
    server.addAccount("juliet@capulet.example");
    const auto issued = [&](const Signer& signer) {
        return loginBy(server, signer.sign(claimsFor(server)));
    };
    const std::string success = "success juliet@capulet.example";
    server.run();
    CHECK(issued(rsa()) == success);
    CHECK(issued(ec()) == success);
    CHECK(issued(foreigner()) == "invalid_token");
    const auto asked = web.taken();
    REQUIRE(!asked.empty());
    CHECK(asked.front().starts_with("GET /jwks HTTP/1.1\r\n"));
    const Signer fresh{Signer::Kind::Ec, "fresh"};

    SECTION("once in their interval") {
        server.advance(std::chrono::minutes{50});
        CHECK(web.taken().empty());
        server.advance(std::chrono::minutes{15});
        CHECK(web.taken().size() <= 2);  // of two hosts
    }
    SECTION("and when a token names one that is new, now and then") {
        web.answerStatus(200, "{\"keys\":[" + fresh.jwk() + "]}");
        server.advance(std::chrono::minutes{1});
        web.taken();
        CHECK(issued(fresh) == success);
        CHECK(web.taken().size() == 1);
        CHECK(issued(ec()) == "invalid_token");
        for (int i = 0; i < 20; ++i) {
            const Signer stranger{Signer::Kind::Ec, "stranger" + std::to_string(i)};
            CHECK(issued(stranger) == "invalid_token");
        }
        CHECK(web.taken().size() <= 1);
        server.advance(std::chrono::seconds{31});
        web.taken();
        const Signer other{Signer::Kind::Ec, "other"};
        CHECK(issued(other) == "invalid_token");
        CHECK(web.taken().size() == 1);
    }
    SECTION("and those of before stay when it fails") {
        const std::vector<std::string> answers{
            "HTTP/1.1 503 Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 302 Said\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 Said\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"keys\":[",
            "HTTP/1.1 200 Said\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"keys\":[]}",
            "nonsense\r\n\r\n",
        };
        for (const auto& answer : answers) {
            INFO(answer);
            web.answer(answer);
            server.advance(std::chrono::minutes{2});
            const Signer stranger{Signer::Kind::Ec, "stranger"};
            CHECK(issued(stranger) == "invalid_token");
            CHECK(issued(ec()) == success);
        }
        // It is asked again soon.
        web.answerStatus(200, "{\"keys\":[" + fresh.jwk() + "]}");
        server.advance(std::chrono::minutes{2});
        CHECK(issued(fresh) == success);
    }
    SECTION("and a secret that anybody may read is none") {
        const std::string secret(32, 'k');
        web.answerStatus(200, "{\"keys\":[" + ec().jwk() +
                                  ",{\"kty\":\"oct\",\"kid\":\"oct\",\"k\":\"" + urlBase64(secret) +
                                  "\"}]}");
        server.advance(std::chrono::hours{2});
        CHECK(issued(ec()) == success);
        CHECK(loginBy(server, hmacToken(secret, "{\"alg\":\"HS256\",\"kid\":\"oct\"}",
                                        claimsFor(server))) == "invalid_token");
    }
}

TEST_CASE("of a key set counts what can check signatures") {
    const auto count = [](const std::string& keys) {
        return readKeySet("{\"keys\":[" + keys + "]}").size();
    };
    CHECK(count(rsa().jwk() + "," + ec().jwk()) == 2);
    CHECK(count(rsa().jwk(",\"use\":\"sig\",\"alg\":\"RS256\"")) == 1);
    CHECK(count("{\"kty\":\"oct\",\"k\":\"" + urlBase64(std::string(32, 'k')) + "\"}") == 1);
    CHECK(count(ec().jwk(",\"use\":\"enc\"")) == 0);
    CHECK(count(ec().jwk(",\"alg\":\"ES384\"")) == 0);
    CHECK(count(rsa().jwk(",\"alg\":\"HS256\"")) == 0);
    CHECK(count("{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}") == 0);
    CHECK(count("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}") == 0);
    CHECK(count("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" + urlBase64(std::string(32, 'x')) +
                "\",\"y\":\"" + urlBase64(std::string(32, 'y')) + "\"}") == 0);  // on no curve
    CHECK(count("{\"kty\":\"OKP\"},{},5,\"x\",null") == 0);
    for (const std::string wrong : {"", "[]", "{}", "{\"keys\":5}", "{\"keys\":[", "hello"}) {
        INFO(wrong);
        CHECK_THROWS(readKeySet(wrong));
    }
}

TEST_CASE("the example of RFC 7515 is read") {
    // Appendix A.1: a key and a token of HS256.
    const auto keys = readKeySet(
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
        "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}");
    const auto token = readToken(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX"
        "k",
        keys);
    REQUIRE(token);
    CHECK(token->issuer == "joe");
    CHECK(token->expires == fromMilliseconds(1300819380000));
}
