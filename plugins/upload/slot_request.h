// What a client asks for: a slot for one file (XEP-0363, 4 and 5).
#pragma once

#include "limits.h"
#include "purpose.h"

#include "core/element.h"
#include "core/stanza_error.h"
#include "core/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace epode::upload {

inline constexpr std::size_t nameBytesMax = 255;

struct SlotRequest {
    std::string name;
    std::int64_t bytes = 0;
    std::string type;  // "" when nothing was said
    Purpose purpose = Purpose::Message;
    std::optional<WallTime> expireBefore;  // of an ephemeral file

    // Until when it is kept, if it is asked for now.
    WallTime keptUntil(const Limits& limits, WallTime now) const;
};

// Without looking at any quota. A size above the limit is no problem here.
std::variant<SlotRequest, StanzaError> readSlotRequest(const Element& request, const Limits& limits,
                                                       WallTime now);

}  // namespace epode::upload
