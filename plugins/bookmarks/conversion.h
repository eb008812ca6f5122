// Bookmarks of rooms in their two forms: one list (XEP-0048), and an item for each room (XEP-0402).
#pragma once

#include "core/element.h"
#include "core/jid.h"

#include <map>
#include <string>
#include <string_view>

namespace epode::bookmarks {

inline constexpr std::string_view listNs = "storage:bookmarks";
inline constexpr std::string_view itemNs = "urn:xmpp:bookmarks:1";

// The payloads of items, by the address of the room.
using Items = std::map<std::string, std::string>;

// The rooms of a <storage/>, each with the extensions that it has in `before`: old clients don't
// know them. What has no valid address is left out.
Items itemsOf(const Element& storage, const Items& before);

// The <storage/> with these rooms.
Document listOf(const Items& items);

// The same bookmark, whatever the order of its attributes.
bool areSame(const std::string& one, const std::string& other);

}  // namespace epode::bookmarks
