// AWS Signature Version 4, by the examples that Amazon has published for S3.
#include "plugins/upload/s3_signature.h"
#include "tests/support/catch.h"

#include "core/digest.h"
#include "core/time_format.h"

#include <string>

using namespace epode;
using namespace epode::upload;

namespace {

const S3Keys keys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"};
const std::string host = "examplebucket.s3.amazonaws.com";

WallTime then() { return *parseDateTime("2013-05-24T00:00:00Z"); }

std::string authorization(const S3Request& request, std::string_view payloadHash = emptyPayload) {
    for (const auto& field : signS3(request, payloadHash, keys, then()))
        if (field.name == "Authorization") return field.value;
    return {};
}
std::string expected(const std::string& names, const std::string& signature) {
    return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
           "SignedHeaders=" +
           names + ",Signature=" + signature;
}

}  // namespace

TEST_CASE("requests are signed as in Amazon's examples") {
    CHECK(authorization({.method = "GET",
                         .host = host,
                         .path = "/test.txt",
                         .fields = {{"range", "bytes=0-9"}}}) ==
          expected("host;range;x-amz-content-sha256;x-amz-date",
                   "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
    CHECK(authorization({.method = "PUT",
                         .host = host,
                         .path = "/test$file.text",
                         .fields = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                        encodeHex(digest(Hash::Sha256, "Welcome to Amazon S3."))) ==
          expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                   "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
    // A part of the query without a value.
    CHECK(
        authorization({.method = "GET", .host = host, .path = "/", .query = {{"lifecycle", ""}}}) ==
        expected("host;x-amz-content-sha256;x-amz-date",
                 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
    CHECK(authorization({.method = "GET",
                         .host = host,
                         .path = "/",
                         .query = {{"prefix", "J"}, {"max-keys", "2"}}}) ==
          expected("host;x-amz-content-sha256;x-amz-date",
                   "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST_CASE("an address holds its signature as in Amazon's example") {
    CHECK(presignS3({.method = "GET", .host = host, .path = "/test.txt"}, keys, then(),
                    std::chrono::hours{24}) ==
          "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
          "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
          "20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
          "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST_CASE("paths and queries are encoded as S3 wants them") {
    CHECK(s3Target({.method = "GET",
                    .host = host,
                    .path = "/a b/\xC3\xBC+~*",
                    .query = {{"b", "x/y z"}, {"a", ""}, {"B", "="}}}) ==
          "/a%20b/%C3%BC%2B~%2A?B=%3D&a=&b=x%2Fy%20z");
}
