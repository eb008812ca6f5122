#include "conversion.h"

namespace epode::bookmarks {

namespace {

void copyText(Element& to, const Element& from, std::string_view name) {
    if (const Element* child = from.child(name); child && !child->text().empty())
        to.addWithText(name, child->text());
}

void copyCommon(Element& to, const Element& from) {
    for (const std::string_view name : {"name", "autojoin"})
        if (const auto value = from.find(name)) to.set(name, *value);
    copyText(to, from, "nick");
    copyText(to, from, "password");
}

}  // namespace

Items itemsOf(const Element& storage, const Items& before) {
    Items items;
    for (const Element& old : storage.children()) {
        if (!old.is("conference", listNs)) continue;
        const auto jid = Jid::parse(old.get("jid"));
        if (!jid) continue;
        const std::string room = jid->bare().text();
        Document conference{"conference", itemNs};
        copyCommon(*conference, old);
        if (const auto known = before.find(room); known != before.end()) {
            const auto payload = parseXml(known->second);
            const Element* extensions = payload ? (*payload)->child("extensions") : nullptr;
            if (extensions) conference->add(*extensions);
        }
        items.insert_or_assign(room, toXml(*conference));
    }
    return items;
}

Document listOf(const Items& items) {
    Document storage{"storage", listNs};
    for (const auto& [room, payload] : items) {
        const auto conference = parseXml(payload);
        if (!conference || !(*conference)->is("conference", itemNs) || !Jid::parse(room)) continue;
        Element& old = storage->add("conference");
        old.set("jid", room);
        copyCommon(old, **conference);
    }
    return storage;
}

bool areSame(const std::string& one, const std::string& other) {
    if (one == other) return true;
    const auto first = parseXml(one);
    const auto second = parseXml(other);
    return first && second && **first == **second;
}

}  // namespace epode::bookmarks
