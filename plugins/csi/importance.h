// What an inactive client has to hear at once, and what of the rest a newer state replaces.
#pragma once

#include "core/stanza.h"

#include <optional>
#include <string>

namespace epode::csi {

// Nothing when the stanza must not wait. Otherwise what it tells about: of those that are held with
// the same text, the newest is enough; an empty one stands for itself.
std::optional<std::string> heldAs(const Stanza& stanza);

}  // namespace epode::csi
