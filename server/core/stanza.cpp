#include "core/stanza.h"

#include "core/namespaces.h"
#include "core/xml_stream.h"

#include <array>

namespace epode {
namespace {

constexpr std::array<std::string_view, 3> kindNames{"message", "presence", "iq"};
static_assert(std::size_t(StanzaKind::Iq) + 1 == kindNames.size());

// In the order of the enumeration.
constexpr std::array<std::string_view, 15> typeNames{
    "",          "normal",     "chat",        "groupchat",    "headline", "unavailable",
    "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe",    "get",
    "set",       "result",     "error",
};
static_assert(std::size_t(StanzaType::Error) + 1 == typeNames.size());

std::optional<StanzaType> findType(std::string_view name, StanzaType first, StanzaType last) {
    if (name == toText(StanzaType::Error)) return StanzaType::Error;
    for (auto i = std::size_t(first); i <= std::size_t(last); ++i) {
        if (typeNames[i] == name) return StanzaType(i);
    }
    return std::nullopt;
}

std::optional<StanzaType> readType(StanzaKind kind, std::optional<std::string_view> name) {
    switch (kind) {
        case StanzaKind::Message:
            // RFC 6121, 5.2.2: what is unknown is normal.
            return findType(name.value_or("normal"), StanzaType::Normal, StanzaType::Headline)
                .value_or(StanzaType::Normal);
        case StanzaKind::Presence:
            if (!name) return StanzaType::None;
            return findType(*name, StanzaType::Unavailable, StanzaType::Probe);
        case StanzaKind::Iq:
            break;
    }
    return findType(name.value_or(""), StanzaType::Get, StanzaType::Result);
}

std::optional<StanzaKind> readKind(const Element& root) {
    if (root.isText() || root.ns() != ns::client) return std::nullopt;
    for (std::size_t i = 0; i < kindNames.size(); ++i) {
        if (root.name() == kindNames[i]) return StanzaKind(i);
    }
    return std::nullopt;
}

// Empty when absent; `isBad` when it is there and no address.
Jid readAddress(std::optional<std::string_view> text, bool& isBad) {
    if (!text) return {};
    auto jid = Jid::parse(*text);
    isBad = !jid;
    return jid ? *std::move(jid) : Jid{};
}

// The attributes that stand in fields.
bool isField(const Attribute& attribute) {
    if (!attribute.ns.empty()) return false;
    const auto name = attribute.name;
    return name == "to" || name == "from" || name == "id" || name == "type";
}

bool isContentNs(std::string_view ns) {
    return ns == ns::client || ns == ns::server || ns == ns::component;
}

void writeAttribute(std::string& out, std::string_view start, std::string_view value) {
    if (value.empty()) return;
    out += start;
    escapeAttribute(out, value);
    out += '\'';
}

std::size_t heapBytes(const Jid& jid) {
    const std::string& text = jid.text();
    return text.capacity() > std::string{}.capacity() ? text.capacity() + 1 : 0;
}

MutableStanzaPtr make(StanzaKind kind, StanzaType type, Jid from, Jid to, std::string_view id) {
    auto stanza = std::make_shared<Stanza>(kind, Document{toText(kind), ns::client});
    stanza->setType(type);
    stanza->setFrom(std::move(from));
    stanza->setTo(std::move(to));
    if (!id.empty()) stanza->setId(id);
    return stanza;
}

}  // namespace

std::string_view toText(StanzaKind kind) { return kindNames[std::size_t(kind)]; }
std::string_view toText(StanzaType type) { return typeNames[std::size_t(type)]; }

MutableStanzaPtr Stanza::fromDocument(Document document, std::string_view inner, Problem& problem) {
    problem = Problem::NotAStanza;
    if (!document) return nullptr;
    const auto kind = readKind(*document);
    if (!kind) return nullptr;
    problem = Problem::None;
    auto stanza = std::make_shared<Stanza>(*kind, std::move(document));
    stanza->inner_ = inner;

    std::optional<std::string_view> from, to, type;
    for (const Attribute* at = stanza->root().attributes(); at; at = at->next) {
        if (at->ns == ns::xml && at->name == "lang") stanza->lang_ = at->value;
        if (!at->ns.empty()) continue;
        if (at->name == "from")
            from = at->value;
        else if (at->name == "to")
            to = at->value;
        else if (at->name == "id")
            stanza->id_ = at->value;
        else if (at->name == "type")
            type = at->value;
    }

    const auto found = readType(*kind, type);
    stanza->type_ = found.value_or(StanzaType::None);
    if (*kind == StanzaKind::Iq && stanza->id_.empty()) problem = Problem::NoId;
    if (!found) problem = Problem::BadType;
    bool isBad = false;
    stanza->to_ = readAddress(to, isBad);
    if (isBad) problem = Problem::BadTo;
    isBad = false;
    stanza->from_ = readAddress(from, isBad);
    // Last: a client's own server replaces `from`, and must still learn what else is wrong.
    if (isBad && problem == Problem::None) problem = Problem::BadFrom;
    return stanza;
}

MutableStanzaPtr Stanza::parse(std::string_view xml) {
    ParsedElement parsed = parseElement(xml, ns::client);
    Problem problem;
    auto stanza = fromDocument(std::move(parsed.document), parsed.innerText, problem);
    return problem == Problem::None ? stanza : nullptr;
}

MutableStanzaPtr Stanza::message(StanzaType type, Jid from, Jid to, std::string_view id) {
    return make(StanzaKind::Message, type, std::move(from), std::move(to), id);
}

MutableStanzaPtr Stanza::presence(StanzaType type, Jid from, Jid to, std::string_view id) {
    return make(StanzaKind::Presence, type, std::move(from), std::move(to), id);
}

MutableStanzaPtr Stanza::iq(StanzaType type, Jid from, Jid to, std::string_view id) {
    return make(StanzaKind::Iq, type, std::move(from), std::move(to), id);
}

MutableStanzaPtr Stanza::result() const {
    return make(StanzaKind::Iq, StanzaType::Result, to_, from_, id_);
}

MutableStanzaPtr Stanza::result(const Element& payload) const {
    auto answer = result();
    answer->edit().add(payload);
    return answer;
}

MutableStanzaPtr Stanza::error(const StanzaError& error) const {
    auto answer = make(kind_, StanzaType::Error, to_, from_, id_);
    error.addTo(answer->edit());
    return answer;
}

Element& Stanza::addTo(Element& parent) const {
    Element& added = parent.add(*document_);
    const auto set = [&added](std::string_view name, std::string_view value) {
        if (value.empty())
            added.unset(name);
        else
            added.set(name, value);
    };
    set("from", from_.text());
    set("to", to_.text());
    set("id", id_);
    set("type", type_ == StanzaType::Normal ? std::string_view{} : toText(type_));
    return added;
}

MutableStanzaPtr Stanza::copy() const {
    auto made = std::make_shared<Stanza>(kind_, Document{*document_});
    Arena& arena = made->document_->arena();
    made->from_ = from_;
    made->to_ = to_;
    made->type_ = type_;
    made->id_ = arena.keep(id_);
    made->lang_ = arena.keep(lang_);
    if (!agent_.empty()) made->agent_ = arena.keep(agent_);
    if (!inner_.empty()) made->inner_ = arena.keep(inner_);
    return made;
}

void Stanza::setId(std::string_view id) { id_ = document_->arena().keep(id); }

void Stanza::setLang(std::string_view lang) {
    document_->set("lang", ns::xml, lang);
    lang_ = *document_->find("lang", ns::xml);
}

void Stanza::write(std::string& out, std::string_view streamNs, const Jid* to,
                   std::string_view insertion) const {
    const std::string_view name = toText(kind_);
    out += '<';
    out += name;
    // The content namespaces are one for us: a stanza inherits that of its stream.
    if (!isContentNs(streamNs)) out += " xmlns='jabber:client'";
    writeAttribute(out, " from='", from_.text());
    writeAttribute(out, " to='", to ? to->text() : to_.text());
    writeAttribute(out, " id='", id_);
    if (type_ != StanzaType::Normal) writeAttribute(out, " type='", toText(type_));
    unsigned prefixes = 0;
    for (const Attribute* at = document_->attributes(); at; at = at->next) {
        if (!isField(*at)) writeAttributeXml(out, *at, prefixes);
    }

    if (!document_->firstNode() && insertion.empty()) {
        out += "/>";
        return;
    }
    out += '>';
    if (!inner_.empty())
        out += inner_;
    else
        writeInnerXml(out, *document_);
    out += insertion;
    out += "</";
    out += name;
    out += '>';
}

std::string Stanza::toXml(std::string_view streamNs) const {
    std::string out;
    write(out, streamNs);
    return out;
}

std::size_t Stanza::cost() const {
    constexpr std::size_t sharedCount = 16;  // what make_shared puts before it
    return sizeof(Stanza) + sharedCount + document_->arena().bytes() + heapBytes(from_) +
           heapBytes(to_);
}

}  // namespace epode
