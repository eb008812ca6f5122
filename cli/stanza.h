// XML elements as libstrophe keeps them, with their lifetime looked after.
#pragma once

#include "cli/failure.h"

#include <strophe.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode::cli {

namespace ns {
constexpr auto archive = "urn:xmpp:mam:2";
constexpr auto carbons = "urn:xmpp:carbons:2";
constexpr auto chatStates = "http://jabber.org/protocol/chatstates";
constexpr auto client = "jabber:client";
constexpr auto dataForm = "jabber:x:data";
constexpr auto delay = "urn:xmpp:delay";
constexpr auto discoInfo = "http://jabber.org/protocol/disco#info";
constexpr auto forward = "urn:xmpp:forward:0";
constexpr auto hints = "urn:xmpp:hints";
constexpr auto ping = "urn:xmpp:ping";
constexpr auto receipts = "urn:xmpp:receipts";
constexpr auto registration = "jabber:iq:register";
constexpr auto roster = "jabber:iq:roster";
constexpr auto resultSet = "http://jabber.org/protocol/rsm";
constexpr auto stableId = "urn:xmpp:sid:0";
constexpr auto version = "jabber:iq:version";
}  // namespace ns

// The process's one context of libstrophe.
xmpp_ctx_t* strophe();

// A handle of an element: copies are the same element. An empty one stands for "no such element".
class Stanza {
public:
    Stanza() = default;
    explicit Stanza(const char* name, const char* ns = nullptr);
    Stanza(const Stanza& other);
    Stanza(Stanza&& other) noexcept : stanza_{std::exchange(other.stanza_, nullptr)} {}
    Stanza& operator=(Stanza other) noexcept;
    ~Stanza();

    // A further handle of what libstrophe owns.
    static Stanza of(xmpp_stanza_t* stanza);
    // Nothing when it is not well-formed.
    static Stanza parse(const std::string& xml);

    explicit operator bool() const { return stanza_ != nullptr; }
    xmpp_stanza_t* get() const { return stanza_; }

    std::string name() const;
    std::string ns() const;
    std::string get(const char* attribute) const;  // empty when it is absent
    std::string text() const;                      // all text directly inside
    // The first child that fits; an empty `ns` fits any.
    Stanza child(std::string_view name, std::string_view ns = {}) const;
    std::vector<Stanza> children() const;
    std::string toXml() const;

    // Building; each returns this element, so that calls can be chained.
    Stanza& set(const char* attribute, const std::string& value);
    Stanza& add(const Stanza& child);
    Stanza& addText(const char* childName, const std::string& text);  // <childName>text</childName>
    Stanza& setText(const std::string& text);

private:
    xmpp_stanza_t* stanza_ = nullptr;
};

std::string newId();

// The error of a stanza, in words; `condition` is the element name.
struct ErrorReport {
    std::string condition;
    std::string type;
    std::string text;
};
// Nothing when the stanza is no error.
std::optional<ErrorReport> errorOf(const Stanza& stanza);
// What a condition means, for people who don't know RFC 6120 by heart.
std::string explain(const ErrorReport& error);
// A sentence of others as a part of one of ours.
std::string withoutFullStop(std::string text);

}  // namespace epode::cli
