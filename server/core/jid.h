// Addresses (RFC 7622): localpart@domainpart/resourcepart, prepared by PRECIS and IDNA2008.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

// A valid, prepared address, or an empty one (nobody). What exists is valid: there is no other way to
// make one than `parse` and `make`, so two Jids are the same address exactly when their texts are equal.
// The bare address is a prefix of the text; views live as long as the Jid.
class Jid {
public:
    Jid() = default;

    // Prepares `text`; nothing when it is no valid address (empty parts, over 1023 bytes a part, what
    // PRECIS forbids, bad UTF-8). Plain ASCII takes a fast path.
    static std::optional<Jid> parse(std::string_view text);

    // From parts that are not prepared yet. `local` and `resource` may be empty (absent).
    static std::optional<Jid> make(std::string_view local, std::string_view domain,
                                   std::string_view resource = {});

    bool empty() const { return text_.empty(); }
    const std::string& text() const { return text_; }

    std::string_view local() const { return std::string_view{text_}.substr(0, localBytes_); }
    std::string_view domain() const {
        return std::string_view{text_}.substr(domainStart(), bareBytes_ - domainStart());
    }
    std::string_view resource() const {
        return isBare() ? std::string_view{} : std::string_view{text_}.substr(bareBytes_ + 1);
    }
    std::string_view bareText() const { return std::string_view{text_}.substr(0, bareBytes_); }

    bool isBare() const { return bareBytes_ == text_.size(); }
    bool hasLocal() const { return localBytes_ != 0; }
    bool isDomain() const { return localBytes_ == 0 && isBare() && !empty(); }

    Jid bare() const;
    Jid host() const;  // the domain alone
    // With another resource; nothing when OpaqueString forbids it.
    std::optional<Jid> withResource(std::string_view resource) const;

    friend bool operator==(const Jid& a, const Jid& b) { return a.text_ == b.text_; }
    friend auto operator<=>(const Jid& a, const Jid& b) { return a.text_ <=> b.text_; }

private:
    std::size_t domainStart() const { return localBytes_ == 0 ? 0 : localBytes_ + 1u; }

    std::string text_;
    std::uint16_t localBytes_ = 0;
    std::uint16_t bareBytes_ = 0;
};

// Prepares one part (RFC 7622, 3.2 to 3.4); nothing when it is not allowed.
std::optional<std::string> prepareLocal(std::string_view local);        // UsernameCaseMapped
std::optional<std::string> prepareDomain(std::string_view domain);      // IDNA2008, IP literals
std::optional<std::string> prepareResource(std::string_view resource);  // OpaqueString
std::optional<std::string> preparePassword(std::string_view password);  // OpaqueString (RFC 8265)

// XEP-0106, for tools: what people write to a localpart that is allowed, and back.
std::string escapeLocal(std::string_view text);
std::string unescapeLocal(std::string_view local);

}  // namespace epode

template <>
struct std::hash<epode::Jid> {
    std::size_t operator()(const epode::Jid& jid) const noexcept {
        return std::hash<std::string_view>{}(jid.text());
    }
};
