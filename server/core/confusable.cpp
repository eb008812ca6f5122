#include "core/confusable.h"

#include <unicode/uspoof.h>
#include <cstdint>

namespace epode {

// An open checker may be asked by several threads.
bool looksAlike(std::string_view a, std::string_view b) {
    static const USpoofChecker* const checker = [] {
        UErrorCode status = U_ZERO_ERROR;
        USpoofChecker* made = uspoof_open(&status);
        return U_SUCCESS(status) ? made : nullptr;
    }();
    if (!checker) return false;
    UErrorCode status = U_ZERO_ERROR;
    const auto found = uspoof_areConfusableUTF8(checker, a.data(), std::int32_t(a.size()), b.data(),
                                                std::int32_t(b.size()), &status);
    return U_SUCCESS(status) && found != 0;
}

}  // namespace epode
