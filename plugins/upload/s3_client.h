// Requests to a bucket of S3, or of what speaks like it, for threads that may wait.
#pragma once

#include "s3_signature.h"

#include "net/web_connection.h"

#include <functional>
#include <memory>
#include <mutex>
#include <set>
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

struct S3Answer {
    int status = 0;
    std::vector<HttpField> fields{};
    std::string body{};

    std::string_view field(std::string_view name) const;
    // What went wrong, for the log: the status, and the code that S3 gives.
    std::string problem() const;
};

// Thread-safe. Everything waits, and throws StorageFailure when nothing is to be had.
class S3Client {
public:
    explicit S3Client(S3Place place) : place_{std::move(place)} {}
    ~S3Client();

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
    };
    // With a short answer. Repeated once when a connection that was kept turns out to be closed,
    // and when the other side is busy.
    S3Answer ask(const Call& call);

    // An answer whose body is read in pieces; given back with `done` when that is complete.
    std::unique_ptr<WebConnection> begin(const Call& call, S3Answer& head);
    void done(std::unique_ptr<WebConnection> connection);

    // Where somebody without keys gets an object for a while.
    std::string addressOf(const std::string& object, const std::vector<HttpField>& query,
                          Duration lifetime) const;

private:
    std::unique_ptr<WebConnection> take(bool isNew);
    WebHead exchange(WebConnection& connection, const Call& call);
    S3Request requestOf(const Call& call) const;

    const S3Place place_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<WebConnection>> idle_;
};

}  // namespace epode::upload
