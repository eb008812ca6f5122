#include "stream/dialback.h"

#include "core/digest.h"

namespace epode {

namespace {

constexpr std::size_t keyBytesMax = 255;
constexpr std::size_t idBytesMax = 255;

std::optional<std::string> readDomain(std::string_view text) {
    auto jid = Jid::parse(text);
    if (!jid || !jid->isDomain()) return std::nullopt;
    return jid->text();
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<DialbackElement::Type> readType(std::string_view type) {
    using Type = DialbackElement::Type;
    if (type.empty()) return Type::Request;
    if (type == "valid") return Type::Valid;
    if (type == "invalid") return Type::Invalid;
    if (type == "error") return Type::Error;
    return std::nullopt;
}

}  // namespace

std::string dialbackKey(std::string_view secret, std::string_view receiving,
                        std::string_view originating, std::string_view streamId) {
    std::string text{receiving};
    text.append(" ").append(originating).append(" ").append(streamId);
    return encodeHex(hmac(Hash::Sha256, encodeHex(digest(Hash::Sha256, secret)), text));
}

std::optional<DialbackElement> DialbackElement::read(const Element& element, bool& isMalformed) {
    isMalformed = false;
    if (element.ns() != dialbackNs) return std::nullopt;
    isMalformed = true;
    DialbackElement read;
    if (element.name() == "result")
        read.kind = Kind::Result;
    else if (element.name() == "verify")
        read.kind = Kind::Verify;
    else
        return std::nullopt;
    const auto type = readType(element.get("type"));
    auto from = readDomain(element.get("from"));
    auto to = readDomain(element.get("to"));
    if (!type || !from || !to) return std::nullopt;
    read.type = *type;
    read.from = std::move(*from);
    read.to = std::move(*to);
    read.id = element.get("id");
    read.key = trimmed(element.text());
    if (read.kind == Kind::Verify && (read.id.empty() || read.id.size() > idBytesMax))
        return std::nullopt;
    if (read.type == Type::Request && (read.key.empty() || read.key.size() > keyBytesMax))
        return std::nullopt;
    if (read.type == Type::Error) {
        for (const Element& child : element.children())
            if (child.name() == "error")
                if (const Element* condition = child.firstChild())
                    read.condition = condition->name();
    }
    isMalformed = false;
    return read;
}

void DialbackElement::write(std::string& out) const {
    static constexpr std::string_view types[] = {"", "valid", "invalid", "error"};
    const std::string_view name = kind == Kind::Result ? "db:result" : "db:verify";
    out.append("<").append(name).append(" from='");
    escapeAttribute(out, from);
    out.append("' to='");
    escapeAttribute(out, to);
    out.append("'");
    if (kind == Kind::Verify) {
        out.append(" id='");
        escapeAttribute(out, id);
        out.append("'");
    }
    if (type == Type::Request) {
        out.append(">");
        escapeText(out, key);
        out.append("</").append(name).append(">");
        return;
    }
    out.append(" type='").append(types[std::size_t(type)]).append("'");
    if (type != Type::Error) {
        out.append("/>");
        return;
    }
    out.append("><error type='cancel'><").append(condition);
    out.append(" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></").append(name).append(">");
}

}  // namespace epode
