#include "tests/support/catch.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/random.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace epode;
using namespace std::string_literals;

TEST_CASE("base 64 is written and read as in RFC 4648, 10") {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\0\0\0"s, "AAAA"},
        {"\xFF\xFE\xFD", "//79"},
        {"\xFB\xEF", "++8="},
    };
    for (const auto& [bytes, text] : rows) {
        CAPTURE(text);
        CHECK(encodeBase64(bytes) == text);
        CHECK(decodeBase64(text) == bytes);
    }
}

TEST_CASE("what is not the one way to write bytes in base 64 is refused") {
    const auto row = GENERATE(values<std::string>(
        {"Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Zg==Zg==", "Z=g=", "Zm9v\n", " Zm9v",
         "Zm 9v", "Zh==", "Zm9=", "Zm-_", "Zm9\xC3", "Zm9v=", "Zm9v====", "Zm8=\0"s}));
    CAPTURE(row);
    CHECK_FALSE(decodeBase64(row));
}

TEST_CASE("hashes give the values of their specifications") {
    CHECK(encodeHex(digest(Hash::Sha1, "abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(encodeHex(digest(Hash::Sha256, "abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(encodeHex(digest(Hash::Sha512, "abc")) ==
          "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
          "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    CHECK(encodeHex(digest(Hash::Sha3_256, "abc")) ==
          "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    CHECK(encodeHex(digest(Hash::Sha1, "")) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST_CASE("HMAC gives the values of RFC 2202 and RFC 4231") {
    CHECK(encodeHex(hmac(Hash::Sha1, "Jefe", "what do ya want for nothing?")) ==
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    CHECK(encodeHex(hmac(Hash::Sha256, "Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(encodeHex(hmac(Hash::Sha512, "Jefe", "what do ya want for nothing?")) ==
          "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    // Keys that are longer than a block.
    const std::string longKey(131, '\xAA');
    CHECK(encodeHex(hmac(Hash::Sha256, longKey,
                         "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK(encodeHex(hmac(Hash::Sha512, longKey,
                         "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
          "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
    CHECK(encodeHex(hmac(Hash::Sha1, std::string(80, '\xAA'),
                         "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST_CASE("PBKDF2 gives the values of RFC 6070 and RFC 7914") {
    CHECK(encodeHex(pbkdf2(Hash::Sha1, "password", "salt", 1)) ==
          "0c60c80f961f0e71f3a9b524af6012062fe037a6");
    CHECK(encodeHex(pbkdf2(Hash::Sha1, "password", "salt", 4096)) ==
          "4b007901b765489abead49d926f721d065a429c1");
    CHECK(encodeHex(pbkdf2(Hash::Sha1, "pass\0word"s, "sa\0lt"s, 4096)).substr(0, 32) ==
          "56fa6aa75548099dcc37d7f03425e0c3");
    CHECK(encodeHex(pbkdf2(Hash::Sha256, "passwd", "salt", 1)) ==
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    // Longer than a block of the hash.
    CHECK(pbkdf2(Hash::Sha256, std::string(65, 'p'), "salt", 3) ==
          pbkdf2(Hash::Sha256, digest(Hash::Sha256, std::string(65, 'p')), "salt", 3));
}

TEST_CASE("comparison in constant time is comparison") {
    CHECK(equalInConstantTime("", ""));
    CHECK(equalInConstantTime("abc", "abc"));
    CHECK_FALSE(equalInConstantTime("abc", "abd"));
    CHECK_FALSE(equalInConstantTime("abc", "ab"));
    CHECK_FALSE(equalInConstantTime("", "a"));
}

TEST_CASE("hex is written in lowercase and read in both cases") {
    CHECK(encodeHex("\x00\x1F\xAB"s) == "001fab");
    CHECK(decodeHex("001fAB") == "\x00\x1F\xAB"s);
    CHECK(decodeHex("") == "");
    for (const std::string row : {"0", "0g", "g0", " 00", "0x00", "00 "})
        CHECK_FALSE(decodeHex(row));
}

TEST_CASE("hashes are known by their registered names") {
    for (const auto hash : {Hash::Sha1, Hash::Sha256, Hash::Sha512, Hash::Sha3_256}) {
        CHECK(parseHash(toText(hash)) == hash);
        CHECK(digest(hash, "x").size() == bytesOf(hash));
    }
    for (const std::string row : {"", "SHA-1", "sha1", "md5", "sha-2560"})
        CHECK_FALSE(parseHash(row));
}

TEST_CASE("random ids are of the asked length, of URL-safe characters, and never the same") {
    std::set<std::string> seen;
    for (int i = 0; i < 2000; ++i) {
        const auto id = randomId();
        CHECK(id.size() == 22);
        if (id.find_first_not_of(
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") !=
            std::string::npos) {
            FAIL(id);
        }
        seen.insert(id);
    }
    CHECK(seen.size() == 2000);
    CHECK(randomId(0).empty());
    CHECK(randomBytes(5000).size() == 5000);
    CHECK(randomBytes(5000) != randomBytes(5000));
    CHECK(randomNumber() != randomNumber());
}
