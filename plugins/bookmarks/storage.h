// The forms of bookmarks and what becomes of one in the other: a <conference/> in an item of its
// own (XEP-0402), and all of them in one <storage/> (XEP-0048).
#pragma once

#include "core/element.h"
#include "core/stanza_error.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace epode::bookmarks {

inline constexpr std::string_view ns = "urn:xmpp:bookmarks:1";
inline constexpr std::string_view oldNs = "storage:bookmarks";

// A bookmark as XEP-0402 has it. `id` is the address as its client has written it.
struct Bookmark {
    std::string id;
    std::string conference;  // XML
    // Of one that was read from a <storage/>: extensions that stood beside <extensions/>, and
    // whether there was one.
    std::set<std::string> loose{};
    bool hasExtensions = false;
};
// By prepared address.
using Bookmarks = std::map<std::string, Bookmark>;

// The prepared bare address that a bookmark is known by; nothing when it is none.
std::optional<std::string> addressOf(std::string_view text);

// What is wrong with an item that a client publishes; nothing when it is a bookmark.
std::optional<StanzaError> whyNotBookmark(std::string_view id, const Element* payload);
// The same of a whole <storage/>. Entries that are no rooms are nobody's harm: they stay.
std::optional<StanzaError> whyNotStorage(const Element& storage, std::size_t roomsMax);

// The rooms in a <storage/>, of several with one address the last. What is in the namespace of
// nobody known goes into <extensions/>, where clients of XEP-0402 keep it.
Bookmarks readStorage(const Element& storage);

// `given` with those extensions of `kept` (both <conference/>s of XEP-0402) that it lacks because
// its client doesn't know extensions. `before` is what that client had seen: what it has kept
// before, it has taken out on purpose.
std::string withExtensions(const Bookmark& given, const std::string& kept, const Bookmark* before);

// The <storage/> that shows `bookmarks`: rooms are changed, added and removed in `storage` (XML,
// may be empty), and everything else in it stays as it is.
std::string writeStorage(std::string_view storage, const Bookmarks& bookmarks);

}  // namespace epode::bookmarks
