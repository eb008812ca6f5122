#include "cli/stanza.h"

#include <map>
#include <utility>

namespace epode::cli {

namespace {

constexpr auto stanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas";

std::string take(char* text) {
    if (!text) return {};
    std::string out{text};
    xmpp_free(strophe(), text);
    return out;
}

std::string orEmpty(const char* text) { return text ? text : ""; }

}  // namespace

Stanza::Stanza(const char* name, const char* ns) : stanza_{xmpp_stanza_new(strophe())} {
    xmpp_stanza_set_name(stanza_, name);
    if (ns) xmpp_stanza_set_ns(stanza_, ns);
}

Stanza::Stanza(const Stanza& other)
    : stanza_{other.stanza_ ? xmpp_stanza_clone(other.stanza_) : nullptr} {}

Stanza& Stanza::operator=(Stanza other) noexcept {
    std::swap(stanza_, other.stanza_);
    return *this;
}

Stanza::~Stanza() {
    if (stanza_) xmpp_stanza_release(stanza_);
}

Stanza Stanza::of(xmpp_stanza_t* stanza) {
    Stanza handle;
    if (stanza) handle.stanza_ = xmpp_stanza_clone(stanza);
    return handle;
}

Stanza Stanza::parse(const std::string& xml) {
    Stanza handle;
    handle.stanza_ = xmpp_stanza_new_from_string(strophe(), xml.c_str());
    return handle;
}

std::string Stanza::name() const { return stanza_ ? orEmpty(xmpp_stanza_get_name(stanza_)) : ""; }

std::string Stanza::ns() const { return stanza_ ? orEmpty(xmpp_stanza_get_ns(stanza_)) : ""; }

std::string Stanza::get(const char* attribute) const {
    return stanza_ ? orEmpty(xmpp_stanza_get_attribute(stanza_, attribute)) : "";
}

std::string Stanza::text() const { return stanza_ ? take(xmpp_stanza_get_text(stanza_)) : ""; }

Stanza Stanza::child(std::string_view name, std::string_view ns) const {
    for (const Stanza& child : children()) {
        if (child.name() == name && (ns.empty() || child.ns() == ns)) return child;
    }
    return {};
}

std::vector<Stanza> Stanza::children() const {
    std::vector<Stanza> found;
    if (!stanza_) return found;
    for (auto* child = xmpp_stanza_get_children(stanza_); child;
         child = xmpp_stanza_get_next(child)) {
        if (xmpp_stanza_is_tag(child)) found.push_back(of(child));
    }
    return found;
}

std::string Stanza::toXml() const {
    char* text = nullptr;
    std::size_t bytes = 0;
    if (!stanza_ || xmpp_stanza_to_text(stanza_, &text, &bytes) != XMPP_EOK) return {};
    return take(text);
}

Stanza& Stanza::set(const char* attribute, const std::string& value) {
    xmpp_stanza_set_attribute(stanza_, attribute, value.c_str());
    return *this;
}

Stanza& Stanza::add(const Stanza& child) {
    xmpp_stanza_add_child(stanza_, child.get());
    return *this;
}

Stanza& Stanza::addText(const char* childName, const std::string& text) {
    return add(Stanza{childName}.setText(text));
}

Stanza& Stanza::setText(const std::string& text) {
    Stanza run;
    run.stanza_ = xmpp_stanza_new(strophe());
    xmpp_stanza_set_text_with_size(run.stanza_, text.data(), text.size());
    return add(run);
}

std::string newId() { return take(xmpp_uuid_gen(strophe())); }

std::optional<ErrorReport> errorOf(const Stanza& stanza) {
    if (stanza.get("type") != "error") return std::nullopt;
    ErrorReport report{"undefined-condition", "", ""};
    const Stanza error = stanza.child("error");
    report.type = error.get("type");
    for (const Stanza& child : error.children()) {
        if (child.ns() != stanzaErrors) continue;
        (child.name() == "text" ? report.text : report.condition) =
            child.name() == "text" ? child.text() : child.name();
    }
    return report;
}

std::string explain(const ErrorReport& error) {
    static const std::map<std::string, std::string> meanings{
        {"bad-request", "the server did not understand the request"},
        {"conflict", "the name is taken already"},
        {"feature-not-implemented", "the other side cannot do that"},
        {"forbidden", "this account may not do that"},
        {"gone", "the address has moved or is gone for good"},
        {"internal-server-error", "the server had a failure of its own; try again later"},
        {"item-not-found", "there is nothing by that name"},
        {"jid-malformed", "that is no valid address"},
        {"not-acceptable", "the server's rules forbid it"},
        {"not-allowed", "nobody may do that here"},
        {"not-authorized", "the login is wrong, or missing"},
        {"policy-violation", "it is against the server's policy"},
        {"recipient-unavailable", "the recipient is not there at the moment"},
        {"registration-required", "it takes an account there"},
        {"remote-server-not-found", "there is no server for that domain"},
        {"remote-server-timeout", "the other server does not answer"},
        {"resource-constraint", "the server is short of room; try again later"},
        {"service-unavailable", "there is no such user or service"},
        {"subscription-required", "it takes a subscription to the contact"},
    };
    const auto found = meanings.find(error.condition);
    std::string words = found == meanings.end() ? error.condition : found->second;
    if (found != meanings.end()) words += " (" + error.condition + ")";
    return error.text.empty() ? words : words + ": " + withoutFullStop(error.text);
}

std::string withoutFullStop(std::string text) {
    while (text.ends_with('.') || text.ends_with(' ')) text.pop_back();
    return text;
}

}  // namespace epode::cli
