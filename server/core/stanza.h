// The three things that are routed (RFC 6120, 8): message, presence, iq.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/stanza_error.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace epode {

enum class StanzaKind : std::uint8_t { Message, Presence, Iq };

// One list for the three kinds; `None` is presence without a type (available).
enum class StanzaType : std::uint8_t {
    None,
    Normal,
    Chat,
    Groupchat,
    Headline,
    Unavailable,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Probe,
    Get,
    Set,
    Result,
    Error,
};

class Stanza;
// Shared by all who route, keep or write it; immutable from the moment it is shared.
using StanzaPtr = std::shared_ptr<const Stanza>;
using MutableStanzaPtr = std::shared_ptr<Stanza>;

// Addresses, id and type stand in fields and are the truth; the attributes of the same names in the
// tree are not looked at. Everything else (other attributes, children) is in `root()`.
class Stanza {
public:
    // From what a stream has parsed. `inner` is the text between the start tag and the end tag as
    // it was received, or empty when that can't be reused; it lives as long as the document.
    // Nothing when the root is no stanza; `problem` says what is wrong (a malformed address: in
    // which case the stanza is made with that address empty, so that it can be answered).
    // With BadType the type is None; with NoId (of an iq) there is nothing to answer to. BadFrom is
    // told only when nothing else is wrong.
    enum class Problem : std::uint8_t { None, NotAStanza, BadFrom, BadTo, BadType, NoId };
    static MutableStanzaPtr fromDocument(Document document, std::string_view inner,
                                         Problem& problem);

    // From text (stored XML, tests): nothing when it is not one valid stanza.
    static MutableStanzaPtr parse(std::string_view xml);

    static MutableStanzaPtr message(StanzaType type, Jid from, Jid to, std::string_view id = {});
    static MutableStanzaPtr presence(StanzaType type, Jid from, Jid to, std::string_view id = {});
    static MutableStanzaPtr iq(StanzaType type, Jid from, Jid to, std::string_view id);

    StanzaKind kind() const { return kind_; }
    StanzaType type() const { return type_; }
    bool isMessage() const { return kind_ == StanzaKind::Message; }
    bool isPresence() const { return kind_ == StanzaKind::Presence; }
    bool isIq() const { return kind_ == StanzaKind::Iq; }
    bool isError() const { return type_ == StanzaType::Error; }
    bool isRequest() const { return type_ == StanzaType::Get || type_ == StanzaType::Set; }

    const Jid& from() const { return from_; }
    const Jid& to() const { return to_; }  // empty: addressed to one's own account or server
    std::string_view id() const { return id_; }
    std::string_view lang() const { return lang_; }
    // The domain of the component that has made this stanza in the name of `from` (XEP-0356); empty
    // for what `from` says himself. It is not written.
    std::string_view agent() const { return agent_; }

    const Element& root() const { return *document_; }
    const Element* child(std::string_view name, std::string_view ns) const {
        return document_->child(name, ns);
    }
    // The first child element: the payload of an iq; null when there is none.
    const Element* payload() const { return document_->firstChild(); }
    std::string_view body() const { return document_->childText("body"); }

    // Answers to this stanza, addressed back. The error carries no copy of the content.
    MutableStanzaPtr result() const;
    MutableStanzaPtr result(const Element& payload) const;
    MutableStanzaPtr error(const StanzaError& error) const;

    // Adds the stanza as an element to a tree: the content of <forwarded/> (XEP-0297).
    Element& addTo(Element& parent) const;
    // A copy that may be changed.
    MutableStanzaPtr copy() const;
    // The same stanza with another `to`, for fan-out: it shares the tree, and keeps it alive.
    static StanzaPtr readdressed(const StanzaPtr& stanza, Jid to);

    // Before it is shared.
    void setFrom(Jid from) { from_ = std::move(from); }
    void setTo(Jid to) { to_ = std::move(to); }
    void setId(std::string_view id);
    void setLang(std::string_view lang);  // the received text stays in use
    void setType(StanzaType type) { type_ = type; }
    void setAgent(std::string_view domain) { agent_ = document_->arena().keep(domain); }
    Element& edit() {  // the tree, for changing it: the received text is not reused any more
        inner_ = {};
        return *document_;
    }

    // For who has written the content of `root()` already: this text is used in place of the tree.
    void setInner(std::string_view xml) { inner_ = document_->arena().keep(xml); }

    // Appends the stanza. Within a stream of jabber:client, jabber:server or of a component no
    // xmlns is written on the root; elsewhere (archive, forwarded, websocket) pass {} and
    // xmlns='jabber:client' is. `to` in place of the stanza's own when given; `insertion` is XML
    // that goes before the end tag.
    void write(std::string& out, std::string_view streamNs, const Jid* to = nullptr,
               std::string_view insertion = {}) const;
    std::string toXml(std::string_view streamNs = {}) const;

    // Bytes of heap that it holds, for limits on queues.
    std::size_t cost() const;

    Stanza(StanzaKind kind, Document document) : document_{std::move(document)}, kind_{kind} {}

private:
    Document document_;
    StanzaPtr shared_;  // whose tree this is when it is not its own
    Jid from_;
    Jid to_;
    std::string_view id_;    // in the document's arena
    std::string_view lang_;  // in the document's arena
    std::string_view agent_;  // in the document's arena
    std::string_view inner_;
    StanzaKind kind_;
    StanzaType type_ = StanzaType::None;
};

std::string_view toText(StanzaKind kind);  // "message"
std::string_view toText(StanzaType type);  // "chat"; "" for None

}  // namespace epode
