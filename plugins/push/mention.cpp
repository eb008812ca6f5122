#include "mention.h"

#include "core/stanza.h"
#include "route/account.h"
#include "route/session.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace epode::push {

namespace {

// Letters beyond ASCII are compared as they are.
char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? char(letter - 'A' + 'a') : letter;
}

bool isWordByte(char letter) {
    return (letter >= '0' && letter <= '9') || (lower(letter) >= 'a' && lower(letter) <= 'z') ||
           static_cast<unsigned char>(letter) >= 0x80;
}

bool hasWord(std::string_view text, std::string_view word) {
    if (word.empty()) return false;
    const auto same = [](char one, char other) { return lower(one) == lower(other); };
    for (auto at = text.begin();; ++at) {
        at = std::search(at, text.end(), word.begin(), word.end(), same);
        if (at == text.end()) return false;
        const auto behind = at + std::ptrdiff_t(word.size());
        const bool begins = at == text.begin() || !isWordByte(*(at - 1));
        const bool ends = behind == text.end() || !isWordByte(*behind);
        if (begins && ends) return true;
    }
}

bool isReferenceTo(const Element& child, std::string_view address) {
    if (!child.is("reference", "urn:xmpp:reference:0") || child.get("type") != "mention")
        return false;
    std::string_view uri = child.get("uri");
    if (!uri.starts_with("xmpp:")) return false;
    uri.remove_prefix(5);
    return uri.substr(0, uri.find('?')) == address;
}

bool isEncrypted(const Element& child) {
    return child.ns() == "urn:xmpp:eme:0" || child.name() == "encrypted";
}

std::vector<std::string> nicks(const Stanza& message, const Account& account) {
    if (message.type() != StanzaType::Groupchat) return {std::string{account.jid().local()}};
    const Jid room = message.from().bare();
    std::vector<std::string> found;
    for (const auto& session : account.sessions()) {
        const auto& directed = session->directed();
        for (auto at = directed.lower_bound(room); at != directed.end() && at->bare() == room; ++at)
            found.emplace_back(at->resource());
    }
    return found;
}

}  // namespace

bool mentions(const Stanza& message, const Account& account) {
    for (const Element& child : message.root().children())
        if (isEncrypted(child) || isReferenceTo(child, account.jid().text())) return true;
    const auto body = message.body();
    const auto names = nicks(message, account);
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& nick) { return hasWord(body, nick); });
}

}  // namespace epode::push
