#include "core/confusable.h"

#include <unicode/uspoof.h>
#include <cstdint>

namespace epode {

// An open checker may be asked by several threads.
std::string skeletonOf(std::string_view name) {
    static const USpoofChecker* const checker = [] {
        UErrorCode status = U_ZERO_ERROR;
        USpoofChecker* made = uspoof_open(&status);
        return U_SUCCESS(status) ? made : nullptr;
    }();
    if (!checker) return {};
    std::string skeleton(name.size() * 2 + 16, '\0');
    for (int attempt = 0; attempt < 2; ++attempt) {
        UErrorCode status = U_ZERO_ERROR;
        const auto length =
            uspoof_getSkeletonUTF8(checker, 0, name.data(), std::int32_t(name.size()),
                                   skeleton.data(), std::int32_t(skeleton.size()), &status);
        if (length < 0 || (U_FAILURE(status) && status != U_BUFFER_OVERFLOW_ERROR)) return {};
        const bool isWhole = status != U_BUFFER_OVERFLOW_ERROR;
        skeleton.resize(std::size_t(length));
        if (isWhole) break;
    }
    return skeleton;
}

}  // namespace epode
