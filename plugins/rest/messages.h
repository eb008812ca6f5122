// Messages as JSON: what bots and pages need of them, without XML.
#pragma once

#include "core/element.h"
#include "core/json_writer.h"
#include "core/stanza.h"
#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode::rest {

// What surrounds a message.
struct Envelope {
    std::string_view archiveId{};  // "" when it is not archived
    std::optional<WallTime> at{};
    const Jid* self = nullptr;  // whose account sees it; null in rooms
};

// One object.
void writeMessage(JsonWriter& json, const Element& message, const Envelope& envelope);

// The id that `by` has given it (XEP-0359); "" for none.
std::string_view archiveIdOf(const Element& message, std::string_view by);

// Whether it says anything that people or bots care about: not the states of typing alone.
bool isTold(const Element& message);

std::optional<WallTime> delayOf(const Element& parent);

}  // namespace epode::rest
