#include "slot_request.h"

#include "file_store.h"
#include "file_type.h"

#include "core/time_format.h"

#include <algorithm>
#include <charconv>

namespace epode::upload {

namespace {

StanzaError bad(std::string text) { return {Condition::BadRequest, std::move(text)}; }

std::optional<std::int64_t> readSize(std::string_view text) {
    std::int64_t size = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), size);
    if (text.empty() || text.front() == '-' || parsed.ec != std::errc{} ||
        parsed.ptr != text.data() + text.size() || size < 1)
        return std::nullopt;
    return size;
}

// Larger than any number is larger than any limit.
bool isHuge(std::string_view text) {
    return text.size() > 18 && text.size() < 100 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<StanzaError> readPurpose(const Element& request, const Limits& limits, WallTime now,
                                       SlotRequest& read) {
    bool isSaid = false;
    for (const Element& child : request.children()) {
        if (child.ns() != purposeNs) continue;
        if (isSaid) return bad("A file has one purpose.");
        isSaid = true;
        const auto purpose = parsePurpose(child.name());
        if (!purpose || !limits.offers(*purpose))
            return StanzaError{Condition::FeatureNotImplemented,
                               "Files are not kept for this purpose here."};
        read.purpose = *purpose;
        if (*purpose != Purpose::Ephemeral) continue;
        read.expireBefore = parseDateTime(child.get("expire-before"));
        if (!read.expireBefore || *read.expireBefore <= now)
            return bad("An ephemeral file needs a time to come as its end.");
    }
    return std::nullopt;
}

}  // namespace

WallTime SlotRequest::keptUntil(const Limits& limits, WallTime now) const {
    const Duration keptFor = limits.of(purpose).keptFor;
    WallTime until = keptFor == Duration{}
                         ? farFuture
                         : now + std::chrono::duration_cast<std::chrono::milliseconds>(keptFor);
    if (expireBefore) until = std::min(until, *expireBefore);
    return std::min(until, farFuture);
}

std::variant<SlotRequest, StanzaError> readSlotRequest(const Element& request, const Limits& limits,
                                                       WallTime now) {
    SlotRequest read;
    read.name = readFileName(request.get("filename"), nameBytesMax);
    if (read.name.empty())
        return bad("The name of the file is missing, or has more than " +
                   std::to_string(nameBytesMax) + " bytes.");
    const std::string_view size = request.get("size");
    const auto bytes = readSize(size);
    if (!bytes && !isHuge(size)) return bad("The size is no number of bytes above 0.");
    read.bytes = bytes.value_or(INT64_MAX);
    const std::string_view type = request.get("content-type");
    if (!type.empty()) {
        read.type = readMediaType(type);
        if (read.type.empty()) return bad("The content-type is none.");
    }
    if (auto problem = readPurpose(request, limits, now, read)) return std::move(*problem);
    return read;
}

}  // namespace epode::upload
