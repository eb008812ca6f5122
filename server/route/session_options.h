// Options of sessions and their stream management, and their values as the hot path reads them.
#pragma once

#include "core/option.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> sessionOptions();

// The values for one host, taken out of the settings once per reload.
struct SessionLimits {
    SessionLimits(const Settings& settings, std::string_view host);

    std::size_t smQueueMax;
    std::size_t smQueueBytesMax;
    std::uint32_t smRequestEvery;
    Duration smRequestDelay;
    Duration smAnswerTimeout;
    Duration smResumeTimeout;
    std::size_t outputBytesMax;
    std::size_t offlineMessagesMax;
};

}  // namespace epode
