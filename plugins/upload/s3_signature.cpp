#include "s3_signature.h"

#include "file_type.h"

#include "core/digest.h"

#include <algorithm>
#include <ctime>

namespace epode::upload {

namespace {

// "20130524T000000Z"
std::string stampOf(WallTime now) {
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

std::string encodedPath(std::string_view path) {
    std::string out;
    while (true) {
        const auto slash = path.find('/');
        out += percentEncoded(path.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        out += '/';
        path.remove_prefix(slash + 1);
    }
}

// In the order of the encoded names, then values.
std::string encodedQuery(const std::vector<HttpField>& query) {
    std::vector<std::pair<std::string, std::string>> parts;
    for (const HttpField& part : query)
        parts.emplace_back(percentEncoded(part.name), percentEncoded(part.value));
    std::sort(parts.begin(), parts.end());
    std::string out;
    for (const auto& [name, value] : parts) {
        if (!out.empty()) out += '&';
        out.append(name).append("=").append(value);
    }
    return out;
}

struct Canonical {
    std::string text;
    std::string names;  // of the signed fields
};

Canonical canonicalOf(const S3Request& request, std::vector<HttpField> fields,
                      std::string_view payloadHash) {
    fields.push_back({"host", request.host});
    std::sort(fields.begin(), fields.end(),
              [](const HttpField& a, const HttpField& b) { return a.name < b.name; });
    Canonical canonical;
    std::string lines;
    for (const HttpField& field : fields) {
        if (!canonical.names.empty()) canonical.names += ';';
        canonical.names += field.name;
        lines.append(field.name).append(":").append(field.value).append("\n");
    }
    canonical.text = request.method + "\n" + encodedPath(request.path) + "\n" +
                     encodedQuery(request.query) + "\n" + lines + "\n" + canonical.names + "\n" +
                     std::string{payloadHash};
    return canonical;
}

std::string scopeOf(const S3Keys& keys, const std::string& stamp) {
    return stamp.substr(0, 8) + "/" + keys.region + "/s3/aws4_request";
}

std::string signatureOf(const Canonical& canonical, const S3Keys& keys, const std::string& stamp) {
    const std::string toSign = "AWS4-HMAC-SHA256\n" + stamp + "\n" + scopeOf(keys, stamp) + "\n" +
                               encodeHex(digest(Hash::Sha256, canonical.text));
    std::string key = hmac(Hash::Sha256, "AWS4" + keys.secret, stamp.substr(0, 8));
    for (const std::string_view part :
         {std::string_view{keys.region}, std::string_view{"s3"}, std::string_view{"aws4_request"}})
        key = hmac(Hash::Sha256, key, part);
    return encodeHex(hmac(Hash::Sha256, key, toSign));
}

}  // namespace

std::vector<HttpField> signS3(const S3Request& request, std::string_view payloadHash,
                              const S3Keys& keys, WallTime now) {
    const std::string stamp = stampOf(now);
    std::vector<HttpField> added{{"x-amz-content-sha256", std::string{payloadHash}},
                                 {"x-amz-date", stamp}};
    std::vector<HttpField> fields = request.fields;
    fields.insert(fields.end(), added.begin(), added.end());
    const Canonical canonical = canonicalOf(request, std::move(fields), payloadHash);
    added.push_back({"Authorization", "AWS4-HMAC-SHA256 Credential=" + keys.id + "/" +
                                          scopeOf(keys, stamp) +
                                          ",SignedHeaders=" + canonical.names +
                                          ",Signature=" + signatureOf(canonical, keys, stamp)});
    return added;
}

std::string presignS3(S3Request request, const S3Keys& keys, WallTime now, Duration lifetime) {
    const std::string stamp = stampOf(now);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
    std::string names = "host";
    for (const HttpField& field : request.fields) names += ";" + field.name;
    request.query.push_back({"X-Amz-Algorithm", "AWS4-HMAC-SHA256"});
    request.query.push_back({"X-Amz-Credential", keys.id + "/" + scopeOf(keys, stamp)});
    request.query.push_back({"X-Amz-Date", stamp});
    request.query.push_back({"X-Amz-Expires", std::to_string(seconds)});
    request.query.push_back({"X-Amz-SignedHeaders", names});
    const Canonical canonical = canonicalOf(request, request.fields, "UNSIGNED-PAYLOAD");
    return s3Target(request) + "&X-Amz-Signature=" + signatureOf(canonical, keys, stamp);
}

std::string s3Target(const S3Request& request) {
    std::string target = encodedPath(request.path);
    if (const std::string query = encodedQuery(request.query); !query.empty())
        target += "?" + query;
    return target;
}

}  // namespace epode::upload
