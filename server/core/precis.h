// PRECIS (RFC 8264): which strings of Unicode can be names and passwords, and their one prepared
// form.
//
// All functions take and give UTF-8, and return nothing for bad UTF-8, for what the class forbids
// and for a result of zero bytes. None is meant for plain ASCII in a hot path: Jid has its own for
// that.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode::precis {

// RFC 8264, 4.2 and 4.3: letters and digits, or nearly everything.
enum class StringClass { Identifier, Freeform };

// What RFC 8264, 8 derives for a code point.
enum class Derived { Valid, FreeformOnly, ContextRule, Disallowed, Unassigned };
Derived derive(char32_t codePoint);

// Whether a string holds only what its class allows, with the contextual rules of RFC 5892, A.
bool isAllowed(std::u32string_view text, StringClass stringClass);

// RFC 5893, 2; text without right-to-left characters need not be asked.
bool satisfiesBidiRule(std::u32string_view text);

// Whether IDNA2008 (RFC 5892) allows the label, which UTS 46 has mapped already. UTS 46 alone lets
// symbols and emoji through.
bool isIdnaLabel(std::u32string_view label);

std::optional<std::string> usernameCaseMapped(std::string_view text);  // RFC 8265, 3.3
std::optional<std::string> opaqueString(std::string_view text);        // RFC 8265, 4.2

// RFC 8266: as shown to people, and the key under which two nicknames conflict.
std::optional<std::string> nickname(std::string_view text);
std::optional<std::string> nicknameKey(std::string_view text);

// The code points of UTF-8; nothing when it is malformed.
std::optional<std::u32string> codePoints(std::string_view utf8);

}  // namespace epode::precis
