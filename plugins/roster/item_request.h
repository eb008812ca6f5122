// What a client asks for in a roster set (RFC 6121, 2.1.5), checked.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/stanza_error.h"

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace epode {

struct ItemLimits {
    std::size_t nameBytesMax;
    std::size_t groupsMax;
    std::size_t groupBytesMax;
};

struct ItemRequest {
    Jid contact;
    bool removes = false;
    std::string name;
    std::vector<std::string> groups;
};

std::variant<ItemRequest, StanzaError> readItemRequest(const Element& query,
                                                       const ItemLimits& limits);

}  // namespace epode
