#include "storage.h"

#include "core/jid.h"

#include <algorithm>
#include <set>

namespace epode::bookmarks {

namespace {

constexpr std::string_view errors = "http://jabber.org/protocol/pubsub#errors";

StanzaError invalid(std::string text) {
    StanzaError error{ErrorType::Modify, Condition::BadRequest, std::move(text)};
    error.application = "invalid-payload";
    error.applicationNs = errors;
    return error;
}

void copyAttributes(const Element& from, Element& to, std::string_view without = {}) {
    for (const Attribute* attribute = from.attributes(); attribute; attribute = attribute->next)
        if (attribute->name != without || !attribute->ns.empty())
            to.set(attribute->name, attribute->ns, attribute->value);
}

void copyNodes(const Element& from, Element& to) {
    for (const Element& node : from.nodes()) {
        if (node.isText())
            to.addText(node.text());
        else
            to.add(node);
    }
}

const Element* find(const Element* parent, const Element& like) {
    return parent ? parent->child(like.name(), like.ns()) : nullptr;
}

bool isRoom(const Element& element) {
    return element.is("conference", oldNs) && addressOf(element.get("jid")).has_value();
}

std::string keyOf(const Element& extension) {
    return std::string{extension.name()} + " " + std::string{extension.ns()};
}

// XEP-0048 to XEP-0402.
Bookmark toNew(const Element& old) {
    Bookmark bookmark;
    bookmark.id = old.get("jid");
    Document conference{"conference", ns};
    copyAttributes(old, *conference, "jid");
    Element* extensions = nullptr;
    const auto extend = [&]() -> Element& {
        if (!extensions) extensions = &conference->add("extensions");
        return *extensions;
    };
    for (const Element& child : old.children()) {
        if (child.is("extensions", oldNs)) {
            bookmark.hasExtensions = true;
            for (const Element& extension : child.children()) extend().add(extension);
        } else if (child.ns() != oldNs) {
            bookmark.loose.insert(keyOf(child));
            extend().add(child);
        } else {
            Element& copy = conference->add(child.name());
            copyAttributes(child, copy);
            copyNodes(child, copy);
        }
    }
    bookmark.conference = toXml(*conference);
    return bookmark;
}

// XEP-0402 to XEP-0048. Extensions that `before` has beside <extensions/> are shown there again.
void addOld(Element& storage, const Bookmark& bookmark, const Element* before) {
    const auto conference = parseXml(bookmark.conference);
    if (!conference) return;
    Element& old = storage.add("conference", oldNs);
    copyAttributes(**conference, old);
    old.set("jid", bookmark.id);
    for (const Element& child : (*conference)->children()) {
        if (child.is("extensions", ns)) {
            Element* extensions = nullptr;
            for (const Element& extension : child.children()) {
                if (find(before, extension)) {
                    old.add(extension);
                    continue;
                }
                if (!extensions) extensions = &old.add("extensions", oldNs);
                extensions->add(extension);
            }
        } else if (child.ns() == ns) {
            Element& copy = old.add(child.name(), oldNs);
            copyAttributes(child, copy);
            copyNodes(child, copy);
        } else {
            old.add(child);
        }
    }
}

}  // namespace

std::optional<std::string> addressOf(std::string_view text) {
    const auto jid = Jid::parse(text);
    if (!jid || !jid->isBare()) return std::nullopt;
    return jid->text();
}

std::optional<StanzaError> whyNotBookmark(std::string_view id, const Element* payload) {
    if (!addressOf(id)) return invalid("A bookmark's item is named by the address of the room.");
    if (!payload || !payload->is("conference", ns))
        return invalid("A bookmark is one <conference/> of XEP-0402.");
    const auto flag = payload->get("autojoin", "false");
    if (flag != "true" && flag != "false" && flag != "1" && flag != "0")
        return invalid("The attribute 'autojoin' is true or false.");
    return std::nullopt;
}

std::optional<StanzaError> whyNotStorage(const Element& storage, std::size_t roomsMax) {
    if (!storage.is("storage", oldNs)) return invalid("Bookmarks are one <storage/> of XEP-0048.");
    const auto rooms = std::count_if(storage.children().begin(), storage.children().end(), isRoom);
    if (std::size_t(rooms) > roomsMax)
        return StanzaError{Condition::ResourceConstraint,
                           "An account has at most " + std::to_string(roomsMax) + " bookmarks."};
    return std::nullopt;
}

Bookmarks readStorage(const Element& storage) {
    Bookmarks found;
    for (const Element& child : storage.children()) {
        if (!isRoom(child)) continue;
        found.insert_or_assign(*addressOf(child.get("jid")), toNew(child));
    }
    return found;
}

std::string withExtensions(const Bookmark& given, const std::string& kept, const Bookmark* before) {
    auto merged = parseXml(given.conference);
    const auto had = parseXml(kept);
    const Element* extensions = had ? (*had)->child("extensions", ns) : nullptr;
    if (!merged || !extensions) return given.conference;
    const auto seen = before ? parseXml(before->conference) : std::nullopt;
    const Element* known = seen ? (*seen)->child("extensions", ns) : nullptr;
    for (const Element& extension : extensions->children()) {
        Element* own = (*merged)->child("extensions", ns);
        if (find(own, extension)) continue;
        const bool wasLoose = before && before->loose.contains(keyOf(extension));
        if (find(known, extension) && (wasLoose || given.hasExtensions)) continue;
        (own ? *own : (*merged)->add("extensions", ns)).add(extension);
    }
    return toXml(**merged);
}

std::string writeStorage(std::string_view storage, const Bookmarks& bookmarks) {
    const auto before = parseXml(storage);
    Document after{"storage", oldNs};
    std::set<std::string> written;
    if (before) {
        copyAttributes(**before, *after);
        for (const Element& node : (*before)->nodes()) {
            if (node.isText()) {
                after->addText(node.text());
                continue;
            }
            if (!isRoom(node)) {
                after->add(node);
                continue;
            }
            const std::string address = *addressOf(node.get("jid"));
            const auto bookmark = bookmarks.find(address);
            if (bookmark == bookmarks.end() || !written.insert(address).second) continue;
            addOld(*after, bookmark->second, &node);
        }
    }
    for (const auto& [address, bookmark] : bookmarks)
        if (!written.contains(address)) addOld(*after, bookmark, nullptr);
    return toXml(*after);
}

}  // namespace epode::bookmarks
