#include "mapping.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

namespace epode::vcard {

namespace {

// Adds to the other vCard what this property says; nothing when it isn't mapped.
using Convert = void (*)(const Element& property, Element& vcard);

struct Property {
    std::array<std::string_view, 2> oldNames;
    std::string_view newName;
    Convert toNew;
    Convert toOld;
};

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// The value of a vCard4 property: the text of the first child that is no parameter.
std::string_view valueOf(const Element& property) {
    for (const Element& child : property.children())
        if (child.name() != "parameters") return trimmed(child.text());
    return {};
}

void addNew(Element& vcard, std::string_view name, std::string_view kind, std::string_view value) {
    vcard.add(name).addWithText(kind, value);
}

// ---- one text

struct Simple {
    std::string_view oldName;
    std::string_view newName;
    std::string_view kind;
};
constexpr Simple simple[] = {
    {"FN", "fn", "text"},         {"BDAY", "bday", "date"},    {"TITLE", "title", "text"},
    {"ROLE", "role", "text"},     {"URL", "url", "uri"},       {"TZ", "tz", "text"},
    {"PRODID", "prodid", "text"}, {"REV", "rev", "timestamp"}, {"UID", "uid", "text"},
};

void simpleToNew(const Element& property, Element& vcard) {
    const auto* row = std::find_if(std::begin(simple), std::end(simple),
                                   [&](const Simple& s) { return s.oldName == property.name(); });
    if (const auto text = trimmed(property.text()); !text.empty())
        addNew(vcard, row->newName, row->kind, text);
}
void simpleToOld(const Element& property, Element& vcard) {
    const auto* row = std::find_if(std::begin(simple), std::end(simple),
                                   [&](const Simple& s) { return s.newName == property.name(); });
    if (const auto text = valueOf(property); !text.empty()) vcard.addWithText(row->oldName, text);
}

// ---- several parts

struct Part {
    std::string_view oldName;
    std::string_view newName;
};
constexpr Part nameParts[] = {{"FAMILY", "surname"},
                              {"GIVEN", "given"},
                              {"MIDDLE", "additional"},
                              {"PREFIX", "prefix"},
                              {"SUFFIX", "suffix"}};
constexpr Part addressParts[] = {
    {"POBOX", "pobox"},   {"EXTADD", "ext"}, {"STREET", "street"}, {"LOCALITY", "locality"},
    {"REGION", "region"}, {"PCODE", "code"}, {"CTRY", "country"}};

template <typename Parts>
bool hasText(const Element& property, const Parts& parts, std::string_view Part::* name) {
    return std::any_of(std::begin(parts), std::end(parts), [&](const Part& part) {
        return !trimmed(property.childText(part.*name)).empty();
    });
}
template <typename Parts>
void copyParts(const Element& from, Element& to, const Parts& parts,
               std::string_view Part::* source, std::string_view Part::* target) {
    for (const Part& part : parts)
        if (const auto text = trimmed(from.childText(part.*source)); !text.empty())
            to.addWithText(part.*target, text);
}

void nameToNew(const Element& property, Element& vcard) {
    if (hasText(property, nameParts, &Part::oldName))
        copyParts(property, vcard.add("n"), nameParts, &Part::oldName, &Part::newName);
}
void nameToOld(const Element& property, Element& vcard) {
    if (hasText(property, nameParts, &Part::newName))
        copyParts(property, vcard.add("N"), nameParts, &Part::newName, &Part::oldName);
}

// ---- types, as both have them

constexpr std::string_view types[] = {"home", "work", "voice", "fax", "pager", "cell", "video"};

std::string upper(std::string_view text) {
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
    return result;
}

void typesToNew(const Element& property, Element& made) {
    Element* parameters = nullptr;
    Element* list = nullptr;
    for (const auto type : types) {
        if (!property.child(upper(type))) continue;
        if (!parameters) parameters = &made.add("parameters");
        if (!list) list = &parameters->add("type");
        list->addWithText("text", type);
    }
    if (!property.child("PREF")) return;
    if (!parameters) parameters = &made.add("parameters");
    parameters->add("pref").addWithText("integer", "1");
}
void typesToOld(const Element& property, Element& made) {
    const Element* parameters = property.child("parameters");
    if (!parameters) return;
    const Element* list = parameters->child("type");
    for (const auto type : types) {
        if (!list) break;
        for (const Element& text : list->children())
            if (upper(text.text()) == upper(type)) {
                made.add(upper(type));
                break;
            }
    }
    const Element* pref = parameters->child("pref");
    if (pref && (valueOf(*pref) == "1" || trimmed(pref->text()) == "1")) made.add("PREF");
}

void addressToNew(const Element& property, Element& vcard) {
    if (!hasText(property, addressParts, &Part::oldName)) return;
    Element& made = vcard.add("adr");
    typesToNew(property, made);
    copyParts(property, made, addressParts, &Part::oldName, &Part::newName);
}
void addressToOld(const Element& property, Element& vcard) {
    if (!hasText(property, addressParts, &Part::newName)) return;
    Element& made = vcard.add("ADR");
    typesToOld(property, made);
    copyParts(property, made, addressParts, &Part::newName, &Part::oldName);
}

// A number that a URI can hold is one; others are text.
void phoneToNew(const Element& property, Element& vcard) {
    const auto number = trimmed(property.childText("NUMBER"));
    if (number.empty()) return;
    Element& made = vcard.add("tel");
    typesToNew(property, made);
    const bool isPlain = number.find_first_not_of("+0123456789-.()") == std::string_view::npos;
    if (isPlain)
        made.addWithText("uri", "tel:" + std::string{number});
    else
        made.addWithText("text", number);
}
void phoneToOld(const Element& property, Element& vcard) {
    auto number = valueOf(property);
    if (number.starts_with("tel:")) number.remove_prefix(4);
    if (number.empty()) return;
    Element& made = vcard.add("TEL");
    typesToOld(property, made);
    made.addWithText("NUMBER", number);
}

void mailToNew(const Element& property, Element& vcard) {
    auto address = trimmed(property.childText("USERID"));
    if (address.empty()) address = trimmed(property.text());
    if (address.empty()) return;
    Element& made = vcard.add("email");
    typesToNew(property, made);
    made.addWithText("text", address);
}
void mailToOld(const Element& property, Element& vcard) {
    const auto address = valueOf(property);
    if (address.empty()) return;
    Element& made = vcard.add("EMAIL");
    typesToOld(property, made);
    made.addWithText("USERID", address);
}

// ---- lists

void nickToNew(const Element& property, Element& vcard) {
    if (const auto text = trimmed(property.text()); !text.empty())
        addNew(vcard, "nickname", "text", text);
}
void nickToOld(const Element& property, Element& vcard) {
    for (const Element& child : property.children())
        if (child.name() == "text" && !trimmed(child.text()).empty())
            vcard.addWithText("NICKNAME", trimmed(child.text()));
}

void organisationToNew(const Element& property, Element& vcard) {
    const auto name = trimmed(property.childText("ORGNAME"));
    bool hasUnit = false;
    for (const Element& child : property.children())
        hasUnit = hasUnit || (child.name() == "ORGUNIT" && !trimmed(child.text()).empty());
    if (name.empty() && !hasUnit) return;
    Element& made = vcard.add("org");
    made.addWithText("text", name);
    for (const Element& child : property.children())
        if (child.name() == "ORGUNIT" && !trimmed(child.text()).empty())
            made.addWithText("text", trimmed(child.text()));
}
void organisationToOld(const Element& property, Element& vcard) {
    Element* made = nullptr;
    for (const Element& child : property.children()) {
        if (child.name() != "text") continue;
        const bool isFirst = !made;
        if (isFirst) made = &vcard.add("ORG");
        if (const auto text = trimmed(child.text()); !text.empty())
            made->addWithText(isFirst ? "ORGNAME" : "ORGUNIT", text);
    }
}

void categoriesToNew(const Element& property, Element& vcard) {
    Element* made = nullptr;
    for (const Element& child : property.children()) {
        if (child.name() != "KEYWORD" || trimmed(child.text()).empty()) continue;
        if (!made) made = &vcard.add("categories");
        made->addWithText("text", trimmed(child.text()));
    }
}
void categoriesToOld(const Element& property, Element& vcard) {
    Element* made = nullptr;
    for (const Element& child : property.children()) {
        if (child.name() != "text" || trimmed(child.text()).empty()) continue;
        if (!made) made = &vcard.add("CATEGORIES");
        made->addWithText("KEYWORD", trimmed(child.text()));
    }
}

// ---- others

// Both of the old ones mean the same (XEP-0292, 11.1.1).
void noteToNew(const Element& property, Element& vcard) {
    if (const auto text = trimmed(property.text()); !text.empty())
        addNew(vcard, "note", "text", text);
}
void noteToOld(const Element& property, Element& vcard) {
    if (const auto text = valueOf(property); !text.empty()) vcard.addWithText("DESC", text);
}

void jabberIdToNew(const Element& property, Element& vcard) {
    if (const auto text = trimmed(property.text()); !text.empty())
        addNew(vcard, "impp", "uri", "xmpp:" + std::string{text});
}
void imppToOld(const Element& property, Element& vcard) {
    const auto uri = valueOf(property);
    if (uri.starts_with("xmpp:") && uri.size() > 5) vcard.addWithText("JABBERID", uri.substr(5));
}

void placeToNew(const Element& property, Element& vcard) {
    const auto latitude = trimmed(property.childText("LAT"));
    const auto longitude = trimmed(property.childText("LON"));
    if (!latitude.empty() && !longitude.empty())
        addNew(vcard, "geo", "uri", "geo:" + std::string{latitude} + "," + std::string{longitude});
}
void placeToOld(const Element& property, Element& vcard) {
    auto uri = valueOf(property);
    if (!uri.starts_with("geo:")) return;
    uri = uri.substr(4, uri.find(';') == std::string_view::npos ? uri.npos : uri.find(';') - 4);
    const auto comma = uri.find(',');
    if (comma == std::string_view::npos) return;
    const auto longitude = uri.substr(comma + 1);
    Element& made = vcard.add("GEO");
    made.addWithText("LAT", uri.substr(0, comma));
    made.addWithText("LON", longitude.substr(0, longitude.find(',')));
}

void keyToNew(const Element& property, Element& vcard) {
    if (const auto text = trimmed(property.childText("CRED")); !text.empty())
        addNew(vcard, "key", "text", text);
}
void keyToOld(const Element& property, Element& vcard) {
    const Element* text = property.child("text");
    if (text && !trimmed(text->text()).empty())
        vcard.add("KEY").addWithText("CRED", trimmed(text->text()));
}

// Pictures that stand elsewhere. Those in a vCard itself would double what the node is large; the
// avatar has nodes of its own.
template <const auto& newName>
void mediumToNew(const Element& property, Element& vcard) {
    if (const auto uri = trimmed(property.childText("EXTVAL")); !uri.empty())
        addNew(vcard, newName, "uri", uri);
}
template <const auto& oldName>
void mediumToOld(const Element& property, Element& vcard) {
    const auto uri = valueOf(property);
    if (uri.starts_with("http://") || uri.starts_with("https://"))
        vcard.add(oldName).addWithText("EXTVAL", uri);
}
constexpr std::string_view photo = "photo", oldPhoto = "PHOTO", logo = "logo", oldLogo = "LOGO",
                           sound = "sound", oldSound = "SOUND";

constexpr Property properties[] = {
    {{"FN"}, "fn", simpleToNew, simpleToOld},
    {{"N"}, "n", nameToNew, nameToOld},
    {{"NICKNAME"}, "nickname", nickToNew, nickToOld},
    {{oldPhoto}, photo, mediumToNew<photo>, mediumToOld<oldPhoto>},
    {{"BDAY"}, "bday", simpleToNew, simpleToOld},
    {{"ADR"}, "adr", addressToNew, addressToOld},
    {{"TEL"}, "tel", phoneToNew, phoneToOld},
    {{"EMAIL"}, "email", mailToNew, mailToOld},
    {{"JABBERID"}, "impp", jabberIdToNew, imppToOld},
    {{"TITLE"}, "title", simpleToNew, simpleToOld},
    {{"ROLE"}, "role", simpleToNew, simpleToOld},
    {{oldLogo}, logo, mediumToNew<logo>, mediumToOld<oldLogo>},
    {{"ORG"}, "org", organisationToNew, organisationToOld},
    {{"CATEGORIES"}, "categories", categoriesToNew, categoriesToOld},
    {{"NOTE", "DESC"}, "note", noteToNew, noteToOld},
    {{oldSound}, sound, mediumToNew<sound>, mediumToOld<oldSound>},
    {{"URL"}, "url", simpleToNew, simpleToOld},
    {{"TZ"}, "tz", simpleToNew, simpleToOld},
    {{"GEO"}, "geo", placeToNew, placeToOld},
    {{"PRODID"}, "prodid", simpleToNew, simpleToOld},
    {{"REV"}, "rev", simpleToNew, simpleToOld},
    {{"UID"}, "uid", simpleToNew, simpleToOld},
    {{"KEY"}, "key", keyToNew, keyToOld},
};

Document makeVcard(bool isNew) {
    return isNew ? Document{"vcard", newNs} : Document{"vCard", oldNs};
}

bool belongs(const Property& row, const Element& element, bool isNew) {
    if (isNew) return element.is(row.newName, newNs);
    return element.ns() == oldNs && !element.name().empty() &&
           (element.name() == row.oldNames[0] || element.name() == row.oldNames[1]);
}

std::vector<std::string> childrenOf(const Element& vcard) {
    std::vector<std::string> all;
    for (const Element& child : vcard.children()) all.push_back(toXml(child));
    return all;
}

// What this property would be if it came from the other form: without what that can't say.
std::vector<std::string> plain(const Property& row, const Element& element, bool isNew) {
    Document there = makeVcard(!isNew);
    (isNew ? row.toOld : row.toNew)(element, *there);
    Document back = makeVcard(isNew);
    for (const Element& child : there->children()) (isNew ? row.toNew : row.toOld)(child, *back);
    return childrenOf(*back);
}

// Takes all of `some` from `all`; false, and nothing is taken, when one is missing.
bool take(std::vector<std::string>& all, const std::vector<std::string>& some) {
    auto left = all;
    for (const auto& one : some) {
        const auto found = std::find(left.begin(), left.end(), one);
        if (found == left.end()) return false;
        left.erase(found);
    }
    all = std::move(left);
    return true;
}

}  // namespace

bool carry(const Element& from, Element& into) {
    const bool isNew = into.ns() == newNs;
    bool isChanged = false;
    for (const Property& row : properties) {
        Document said = makeVcard(isNew);
        for (const Element& child : from.children())
            if (belongs(row, child, !isNew)) (isNew ? row.toNew : row.toOld)(child, *said);
        // The two old names of one new property come back as one of them: the same words are
        // compared.
        const auto same = [&](const Element& element) { return plain(row, element, isNew); };
        std::vector<std::string> wanted;
        for (const Element& child : said->children())
            for (auto& text : same(child)) wanted.push_back(std::move(text));

        std::set<const Element*> outdated;
        for (const Element& child : into.children()) {
            if (!belongs(row, child, isNew)) continue;
            const auto has = same(child);
            if (!has.empty() && !take(wanted, has)) outdated.insert(&child);
        }
        isChanged = isChanged || !outdated.empty() || !wanted.empty();
        into.removeChildren([&](const Element& child) { return outdated.contains(&child); });
        for (const auto& text : wanted)
            if (const auto made = parseXml(text)) into.add(**made);
    }
    return isChanged;
}

}  // namespace epode::vcard
