#include "s3_client.h"

#include "storage.h"

#include "core/xml_stream.h"

#include <thread>

namespace epode::upload {

namespace {

constexpr std::size_t idleMax = 8;
constexpr std::size_t answerBytesMax = 1024 * 1024;
constexpr int attemptsMax = 3;
constexpr auto pause = std::chrono::milliseconds{300};
// A body at the other side's slowest.
constexpr std::uint64_t bytesPerSecondMin = 32 * 1024;

WebPatience patienceFor(std::uint64_t bytes) {
    return {.step = std::chrono::seconds{30},
            .whole = std::chrono::seconds{60} + std::chrono::seconds{bytes / bytesPerSecondMin}};
}

bool isBusy(int status) { return status == 500 || status == 502 || status == 503 || status == 504; }

// The clock of the machine: S3 compares it with its own.
WallTime clockNow() {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

}  // namespace

std::string_view S3Answer::field(std::string_view name) const {
    for (const HttpField& one : fields)
        if (one.name == name) return one.value;
    return {};
}

std::string S3Answer::problem() const {
    std::string text = "the bucket has answered " + std::to_string(status);
    const auto parsed = parseElement(std::string_view{body}.substr(
        std::min(body.size(), body.starts_with("<?xml") ? body.find("?>") + 2 : 0)));
    if (parsed.document)
        if (const Element* code = parsed.document->child("Code"))
            text += " " + std::string{code->text()}.substr(0, 100);
    return text;
}

S3Client::~S3Client() = default;

std::unique_ptr<WebConnection> S3Client::take(bool isNew) {
    if (!isNew) {
        const std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    return std::make_unique<WebConnection>(place_.origin, WebPatience{}, place_.trustFile);
}

void S3Client::done(std::unique_ptr<WebConnection> connection) {
    if (!connection || !connection->isReusable()) return;
    const std::lock_guard lock{mutex_};
    if (idle_.size() < idleMax) idle_.push_back(std::move(connection));
}

S3Request S3Client::requestOf(const Call& call) const {
    return {.method = call.method,
            .host = place_.origin.hostField(),
            .path = place_.path + call.object,
            .query = call.query,
            .fields = call.fields};
}

WebHead S3Client::exchange(WebConnection& connection, const Call& call) {
    const S3Request signedOne = requestOf(call);
    WebRequest request{.method = call.method, .target = s3Target(signedOne)};
    request.fields = call.fields;
    for (auto& field : signS3(signedOne, call.payloadHash, place_.keys, clockNow()))
        request.fields.push_back(std::move(field));
    if (call.method == "PUT" || call.method == "POST") request.bodyBytes = call.bodyBytes;
    connection.setPatience(patienceFor(call.bodyBytes));
    connection.send(request);
    for (std::uint64_t at = 0; at < call.bodyBytes;) {
        const std::string piece = call.body(at);
        if (piece.empty()) throw WebFailure{"the body has become shorter"};
        connection.write(piece);
        at += piece.size();
    }
    return connection.receive();
}

std::unique_ptr<WebConnection> S3Client::begin(const Call& call, S3Answer& head) {
    std::string problem;
    for (int attempt = 1; attempt <= attemptsMax; ++attempt) {
        auto connection = take(attempt > 1);
        try {
            WebHead got = exchange(*connection, call);
            head = {.status = got.status, .fields = std::move(got.fields), .body = {}};
            if (!isBusy(head.status) || attempt == attemptsMax) return connection;
            problem = head.problem();
        } catch (const WebFailure& failure) {
            problem = failure.what();
        }
        if (attempt > 1) std::this_thread::sleep_for(pause);
    }
    throw StorageFailure{StorageFailure::Kind::Other, problem};
}

S3Answer S3Client::ask(const Call& call) {
    S3Answer answer;
    auto connection = begin(call, answer);
    try {
        answer.body = connection->readAll(answerBytesMax);
    } catch (const WebFailure& failure) {
        throw StorageFailure{StorageFailure::Kind::Other, failure.what()};
    }
    done(std::move(connection));
    return answer;
}

std::string S3Client::addressOf(const std::string& object, const std::vector<HttpField>& query,
                                Duration lifetime) const {
    const std::string target = presignS3({.method = "GET",
                                          .host = place_.origin.hostField(),
                                          .path = place_.path + object,
                                          .query = query},
                                         place_.keys, clockNow(), lifetime);
    return (place_.origin.isSecure ? "https://" : "http://") + place_.origin.hostField() + target;
}

}  // namespace epode::upload
