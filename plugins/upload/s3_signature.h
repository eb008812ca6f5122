// Signatures of requests to S3 and what speaks like it (AWS Signature Version 4).
#pragma once

#include "core/time.h"
#include "net/http_message.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode::upload {

struct S3Keys {
    std::string id;
    std::string secret;
    std::string region;
};

// A request as it is signed. Path and query are not encoded yet; the query's parts without a value
// have an empty one.
struct S3Request {
    std::string method;
    std::string host;  // as the field Host says it
    std::string path;
    std::vector<HttpField> query{};
    std::vector<HttpField> fields{};  // that are signed, names in lower case
};

inline constexpr std::string_view emptyPayload =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// The fields that the request needs beside its own: the date, what the body's SHA-256 is (in
// hexadecimal digits), and the signature.
std::vector<HttpField> signS3(const S3Request& request, std::string_view payloadHash,
                              const S3Keys& keys, WallTime now);

// The target of an address that holds its signature, for whoever has it, for a while.
std::string presignS3(S3Request request, const S3Keys& keys, WallTime now, Duration lifetime);

// The target of a request's first line: path and query as S3 encodes them.
std::string s3Target(const S3Request& request);

}  // namespace epode::upload
