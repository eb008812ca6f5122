// What a room tells about itself (XEP-0045, 6.4).
#pragma once

#include "core/element.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace epode::rest {

struct RoomInfo {
    bool isRoom = false;
    std::string name;
    std::string description;
    std::string subject;
    std::optional<std::int64_t> occupants;
    std::map<std::string_view, bool> flags;  // "members_only", as far as it is said
};

RoomInfo readRoomInfo(const Element& query);

}  // namespace epode::rest
