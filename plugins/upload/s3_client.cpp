#include "s3_client.h"

#include "storage.h"

#include "core/xml_stream.h"

#include <thread>

namespace epode::upload {

namespace {

constexpr int attemptsMax = 3;
constexpr Duration patience = std::chrono::seconds{30};
constexpr auto pause = std::chrono::milliseconds{300};
// A body at the other side's slowest.
constexpr std::uint64_t bytesPerSecondMin = 32 * 1024;

bool isBusy(int status) { return status == 500 || status == 502 || status == 503 || status == 504; }

// The clock of the machine: S3 compares it with its own.
WallTime clockNow() {
    return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

}  // namespace

std::string problemOf(const WebAnswer& answer) {
    const std::string& body = answer.body;
    std::string text = "the bucket has answered " + std::to_string(answer.status);
    const auto parsed = parseElement(std::string_view{body}.substr(
        std::min(body.size(), body.starts_with("<?xml") ? body.find("?>") + 2 : 0)));
    if (parsed.document)
        if (const Element* code = parsed.document->child("Code"))
            text += " " + std::string{code->text()}.substr(0, 100);
    return text;
}

S3Request S3Client::requestOf(const Call& call) const {
    return {.method = call.method,
            .host = place_.origin.hostField(),
            .path = place_.path + call.object,
            .query = call.query,
            .fields = call.fields};
}

WebAnswer S3Client::ask(const Call& call) {
    const S3Request asked = requestOf(call);
    WebRequest request{.method = call.method, .origin = place_.origin, .target = s3Target(asked)};
    request.bodyBytes = call.bodyBytes;
    request.body = call.body;
    request.answerBytesMax = call.answerBytesMax;
    request.trustFile = place_.trustFile;
    request.patience = patience;
    request.deadline = patience * 2 + std::chrono::seconds{(call.bodyBytes + call.answerBytesMax) /
                                                           bytesPerSecondMin};
    std::string problem;
    for (int attempt = 1; attempt <= attemptsMax; ++attempt) {
        if (attempt > 1) std::this_thread::sleep_for(pause * attempt);
        request.fields = call.fields;
        for (auto& field : signS3(asked, call.payloadHash, place_.keys, clockNow()))
            request.fields.push_back(std::move(field));
        try {
            WebAnswer answer = web_.ask(request);
            if (!isBusy(answer.status) || attempt == attemptsMax) return answer;
        } catch (const WebFailure& failure) {
            problem = failure.what();
        }
    }
    throw StorageFailure{StorageFailure::Kind::Other, problem};
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
