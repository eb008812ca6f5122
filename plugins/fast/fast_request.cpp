#include "fast_request.h"

#include <charconv>
#include <limits>

namespace epode::fast {

std::optional<FastRequest> readFast(const Element& fast) {
    FastRequest request;
    if (const auto text = fast.find("count")) {
        std::int32_t count = 0;  // xs:int
        const char* const end = text->data() + text->size();
        const auto parsed = std::from_chars(text->data(), end, count);
        if (text->empty() || parsed.ec != std::errc{} || parsed.ptr != end || count < 1)
            return std::nullopt;
        request.count = count;
    }
    if (const auto text = fast.find("invalidate")) {
        const bool isTrue = *text == "true" || *text == "1";
        if (!isTrue && *text != "false" && *text != "0") return std::nullopt;
        request.isInvalidation = isTrue;
    }
    return request;
}

}  // namespace epode::fast
