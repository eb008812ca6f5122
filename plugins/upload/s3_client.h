// Requests to a bucket of S3, or of what speaks like it, for threads that may wait.
#pragma once

#include "s3_signature.h"

#include "net/web_requests.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::upload {

// Where a bucket is: its address is what stands before the names of its objects.
struct S3Place {
    WebOrigin origin{};
    std::string path{};  // ends with a slash
    S3Keys keys{};
    std::uint64_t partBytes = 0;
    std::string trustFile{};  // of authorities; "" for the system's
    bool redirects = false;   // who fetches is sent to the bucket itself
    std::string folder{};     // for what is under way
};

// What went wrong, for the log: the status, and the code that S3 gives.
std::string problemOf(const WebAnswer& answer);

// Thread-safe. Everything waits, and throws StorageFailure when nothing is to be had.
class S3Client {
public:
    explicit S3Client(S3Place place) : place_{std::move(place)} {}

    const S3Place& place() const { return place_; }

    struct Call {
        std::string method;
        std::string object;  // "" for the bucket
        std::vector<HttpField> query{};
        std::vector<HttpField> fields{};  // names in lower case
        std::uint64_t bodyBytes = 0;
        std::string payloadHash{emptyPayload};
        // Pieces of the body from a place on; called again from the beginning when the request is
        // repeated.
        std::function<std::string(std::uint64_t)> body{};
        std::size_t answerBytesMax = 1024 * 1024;
    };
    // Repeated a few times when there is no answer and when the other side is busy.
    WebAnswer ask(const Call& call);

    // Where somebody without keys gets an object for a while.
    std::string addressOf(const std::string& object, const std::vector<HttpField>& query,
                          Duration lifetime) const;

private:
    S3Request requestOf(const Call& call) const;

    const S3Place place_;
    WebRequests web_;
};

}  // namespace epode::upload
