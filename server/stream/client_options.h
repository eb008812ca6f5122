// Options of clients' streams, and their values as the hot path reads them.
#pragma once

#include "core/option.h"
#include "core/xml_stream.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> clientOptions();

struct ClientLimits {
    ClientLimits(const Settings& settings, std::string_view host);

    XmlLimits beforeLogin;
    XmlLimits afterLogin;
    bool tlsRequired;
    bool plainAllowed;
    Duration loginTimeout;
    std::int64_t loginAttemptsMax;
    std::int64_t resourcesMax;
    Duration pingAfter;
    Duration pingTimeout;
    double bytesPerSecond;  // 0: unlimited
    double bytesBurst;
};

}  // namespace epode
