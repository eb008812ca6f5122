#include "core/precis.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <stdexcept>

namespace epode::precis {

namespace {

// ICU fails on well-formed text only when memory is short or its data is missing.
void check(UErrorCode code) {
    if (U_FAILURE(code)) throw std::runtime_error{u_errorName(code)};
}

std::optional<std::u16string> toUtf16(std::string_view utf8) {
    std::u16string out(utf8.size(), u'\0');  // never more units than bytes
    std::int32_t length = 0;
    UErrorCode code = U_ZERO_ERROR;
    u_strFromUTF8(out.data(), std::int32_t(out.size()), &length, utf8.data(),
                  std::int32_t(utf8.size()), &code);
    if (code == U_INVALID_CHAR_FOUND) return std::nullopt;
    check(code);
    out.resize(std::size_t(length));
    return out;
}

std::string toUtf8(std::u16string_view text) {
    std::string out(text.size() * 3, '\0');
    std::int32_t length = 0;
    UErrorCode code = U_ZERO_ERROR;
    u_strToUTF8(out.data(), std::int32_t(out.size()), &length, text.data(),
                std::int32_t(text.size()), &code);
    check(code);
    out.resize(std::size_t(length));
    return out;
}

std::u32string toUtf32(std::u16string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        UChar32 c;
        U16_NEXT(text.data(), i, text.size(), c);
        out.push_back(char32_t(c));
    }
    return out;
}

void append(std::u16string& out, char32_t c) {
    if (c < 0x10000) {
        out.push_back(char16_t(c));
    } else {
        out.push_back(U16_LEAD(c));
        out.push_back(U16_TRAIL(c));
    }
}

const UNormalizer2& nfc() {
    static const UNormalizer2* instance = [] {
        UErrorCode code = U_ZERO_ERROR;
        const auto* found = unorm2_getNFCInstance(&code);
        check(code);
        return found;
    }();
    return *instance;
}

const UNormalizer2& nfkc() {
    static const UNormalizer2* instance = [] {
        UErrorCode code = U_ZERO_ERROR;
        const auto* found = unorm2_getNFKCInstance(&code);
        check(code);
        return found;
    }();
    return *instance;
}

std::u16string normalized(const UNormalizer2& form, std::u16string_view text) {
    std::u16string out(text.size() + 16, u'\0');
    for (;;) {
        UErrorCode code = U_ZERO_ERROR;
        const auto length = unorm2_normalize(&form, text.data(), std::int32_t(text.size()),
                                             out.data(), std::int32_t(out.size()), &code);
        const bool tooSmall = code == U_BUFFER_OVERFLOW_ERROR;
        if (!tooSmall) check(code);
        out.resize(std::size_t(length));
        if (!tooSmall) return out;
    }
}

// Maps each character by itself. The PRECIS profiles don't know the special case of the final sigma
// (RFC 7622, 3.5), which ICU would apply at the end of a word; no other rule of the root locale
// looks at neighbours.
std::u16string lowered(std::u16string text) {
    std::replace(text.begin(), text.end(), u'\u03A3', u'\u03C3');
    std::u16string out(text.size() + 16, u'\0');
    for (;;) {
        UErrorCode code = U_ZERO_ERROR;
        const auto length = u_strToLower(out.data(), std::int32_t(out.size()), text.data(),
                                         std::int32_t(text.size()), "", &code);
        const bool tooSmall = code == U_BUFFER_OVERFLOW_ERROR;
        if (!tooSmall) check(code);
        out.resize(std::size_t(length));
        if (!tooSmall) return out;
    }
}

// Fullwidth and halfwidth characters become what they are variants of.
std::u16string widthMapped(std::u16string_view text) {
    std::u16string out;
    out.reserve(text.size());
    for (const char32_t c : toUtf32(text)) {
        const auto kind = u_getIntPropertyValue(UChar32(c), UCHAR_DECOMPOSITION_TYPE);
        if (kind != U_DT_WIDE && kind != U_DT_NARROW) {
            append(out, c);
            continue;
        }
        UChar mapped[8];
        UErrorCode code = U_ZERO_ERROR;
        const auto length = unorm2_getRawDecomposition(&nfkc(), UChar32(c), mapped, 8, &code);
        check(code);
        if (length > 0) out.append(mapped, std::size_t(length));
    }
    return out;
}

std::u16string spacesMapped(std::u16string text) {
    // All characters of the category Zs are in the first plane.
    for (auto& unit : text) {
        if (unit > 0x7F && u_charType(unit) == U_SPACE_SEPARATOR) unit = u' ';
    }
    return text;
}

std::u16string spacesCollapsed(const std::u16string& text) {
    std::u16string out;
    out.reserve(text.size());
    for (const auto unit : text) {
        if (unit == u' ' && (out.empty() || out.back() == u' ')) continue;
        out.push_back(unit);
    }
    if (!out.empty() && out.back() == u' ') out.pop_back();
    return out;
}

bool hasRightToLeft(std::u32string_view text) {
    return std::any_of(text.begin(), text.end(), [](char32_t c) {
        const auto direction = u_charDirection(UChar32(c));
        return direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC ||
               direction == U_ARABIC_NUMBER;
    });
}

UScriptCode scriptOf(char32_t c) {
    UErrorCode code = U_ZERO_ERROR;
    const auto script = uscript_getScript(UChar32(c), &code);
    check(code);
    return script;
}

bool isArabicIndicDigit(char32_t c) { return c >= 0x0660 && c <= 0x0669; }
bool isExtendedArabicIndicDigit(char32_t c) { return c >= 0x06F0 && c <= 0x06F9; }

constexpr std::uint8_t virama = 9;  // its canonical combining class

// RFC 5892, A.1: between characters that would join.
bool breaksCursiveJoin(std::u32string_view text, std::size_t at) {
    const auto joining = [&](std::size_t i) {
        return u_getIntPropertyValue(UChar32(text[i]), UCHAR_JOINING_TYPE);
    };
    std::size_t before = at;
    while (before > 0 && joining(before - 1) == U_JT_TRANSPARENT) --before;
    if (before == 0) return false;
    const auto left = joining(before - 1);
    if (left != U_JT_LEFT_JOINING && left != U_JT_DUAL_JOINING) return false;

    std::size_t after = at + 1;
    while (after < text.size() && joining(after) == U_JT_TRANSPARENT) ++after;
    if (after == text.size()) return false;
    const auto right = joining(after);
    return right == U_JT_RIGHT_JOINING || right == U_JT_DUAL_JOINING;
}

// RFC 5892, A: whether the character at `at` may stand there.
bool satisfiesContextRule(std::u32string_view text, std::size_t at) {
    const char32_t c = text[at];
    const bool isFirst = at == 0;
    const bool isLast = at + 1 == text.size();
    switch (c) {
        case 0x200C:  // ZERO WIDTH NON-JOINER
            return (!isFirst && u_getCombiningClass(UChar32(text[at - 1])) == virama) ||
                   breaksCursiveJoin(text, at);
        case 0x200D:  // ZERO WIDTH JOINER
            return !isFirst && u_getCombiningClass(UChar32(text[at - 1])) == virama;
        case 0x00B7:  // MIDDLE DOT
            return !isFirst && !isLast && text[at - 1] == U'l' && text[at + 1] == U'l';
        case 0x0375:  // GREEK LOWER NUMERAL SIGN
            return !isLast && scriptOf(text[at + 1]) == USCRIPT_GREEK;
        case 0x05F3:  // HEBREW PUNCTUATION GERESH
        case 0x05F4:  // HEBREW PUNCTUATION GERSHAYIM
            return !isFirst && scriptOf(text[at - 1]) == USCRIPT_HEBREW;
        case 0x30FB:  // KATAKANA MIDDLE DOT
            return std::any_of(text.begin(), text.end(), [](char32_t other) {
                const auto script = scriptOf(other);
                return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ||
                       script == USCRIPT_HAN;
            });
        default:
            break;
    }
    if (isArabicIndicDigit(c)) {
        return std::none_of(text.begin(), text.end(), isExtendedArabicIndicDigit);
    }
    if (isExtendedArabicIndicDigit(c)) {
        return std::none_of(text.begin(), text.end(), isArabicIndicDigit);
    }
    return false;
}

std::optional<std::u16string> nicknameOnce(std::u16string text, bool caseMapped) {
    if (!isAllowed(toUtf32(text), StringClass::Freeform)) return std::nullopt;
    text = spacesCollapsed(spacesMapped(std::move(text)));
    if (caseMapped) text = lowered(std::move(text));
    text = normalized(nfkc(), text);
    if (text.empty()) return std::nullopt;
    return text;
}

std::optional<std::string> stableNickname(std::string_view given, bool caseMapped) {
    auto text = toUtf16(given);
    if (text) text = nicknameOnce(std::move(*text), caseMapped);

    // The rules are not idempotent; RFC 8266, 2.1 allows three rounds after the first. A round can
    // also bring out what the class forbids: U+3200 becomes an old Hangul letter in brackets.
    for (int round = 0; text && round < 3; ++round) {
        auto again = nicknameOnce(*text, caseMapped);
        if (again == text) return toUtf8(*text);
        text = std::move(again);
    }
    return std::nullopt;
}

}  // namespace

Derived derive(char32_t codePoint) {
    const auto c = UChar32(codePoint);
    switch (c) {  // Exceptions, RFC 5892, 2.6
        case 0x00DF:
        case 0x03C2:
        case 0x06FD:
        case 0x06FE:
        case 0x0F0B:
        case 0x3007:
            return Derived::Valid;
        case 0x00B7:
        case 0x0375:
        case 0x05F3:
        case 0x05F4:
        case 0x30FB:
            return Derived::ContextRule;
        case 0x0640:
        case 0x07FA:
        case 0x302E:
        case 0x302F:
        case 0x3031:
        case 0x3032:
        case 0x3033:
        case 0x3034:
        case 0x3035:
        case 0x303B:
            return Derived::Disallowed;
        default:
            break;
    }
    if (isArabicIndicDigit(codePoint) || isExtendedArabicIndicDigit(codePoint)) {
        return Derived::ContextRule;
    }
    if (c >= 0x21 && c <= 0x7E) return Derived::Valid;

    const auto category = u_charType(c);
    const bool isNoncharacter = u_hasBinaryProperty(c, UCHAR_NONCHARACTER_CODE_POINT);
    if (category == U_UNASSIGNED && !isNoncharacter) return Derived::Unassigned;
    if (c == 0x200C || c == 0x200D) return Derived::ContextRule;
    switch (u_getIntPropertyValue(c, UCHAR_HANGUL_SYLLABLE_TYPE)) {
        case U_HST_LEADING_JAMO:
        case U_HST_VOWEL_JAMO:
        case U_HST_TRAILING_JAMO:
            return Derived::Disallowed;
        default:
            break;
    }
    if (isNoncharacter || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) {
        return Derived::Disallowed;
    }
    if (category == U_CONTROL_CHAR) return Derived::Disallowed;
    // HasCompat: what NFKC changes is what can't occur in NFKC.
    if (u_getIntPropertyValue(c, UCHAR_NFKC_QUICK_CHECK) == UNORM_NO) return Derived::FreeformOnly;

    switch (category) {
        case U_LOWERCASE_LETTER:
        case U_UPPERCASE_LETTER:
        case U_OTHER_LETTER:
        case U_DECIMAL_DIGIT_NUMBER:
        case U_MODIFIER_LETTER:
        case U_NON_SPACING_MARK:
        case U_COMBINING_SPACING_MARK:
            return Derived::Valid;
        case U_TITLECASE_LETTER:
        case U_LETTER_NUMBER:
        case U_OTHER_NUMBER:
        case U_ENCLOSING_MARK:
        case U_SPACE_SEPARATOR:
        case U_MATH_SYMBOL:
        case U_CURRENCY_SYMBOL:
        case U_MODIFIER_SYMBOL:
        case U_OTHER_SYMBOL:
        case U_CONNECTOR_PUNCTUATION:
        case U_DASH_PUNCTUATION:
        case U_START_PUNCTUATION:
        case U_END_PUNCTUATION:
        case U_INITIAL_PUNCTUATION:
        case U_FINAL_PUNCTUATION:
        case U_OTHER_PUNCTUATION:
            return Derived::FreeformOnly;
        default:
            return Derived::Disallowed;
    }
}

bool isAllowed(std::u32string_view text, StringClass stringClass) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        switch (derive(text[i])) {
            case Derived::Valid:
                break;
            case Derived::FreeformOnly:
                if (stringClass != StringClass::Freeform) return false;
                break;
            case Derived::ContextRule:
                if (!satisfiesContextRule(text, i)) return false;
                break;
            case Derived::Disallowed:
            case Derived::Unassigned:
                return false;
        }
    }
    return true;
}

bool satisfiesBidiRule(std::u32string_view text) {
    if (text.empty()) return false;
    const auto directionAt = [&](std::size_t i) { return u_charDirection(UChar32(text[i])); };
    const auto first = directionAt(0);
    const bool isRtl = first == U_RIGHT_TO_LEFT || first == U_RIGHT_TO_LEFT_ARABIC;
    if (!isRtl && first != U_LEFT_TO_RIGHT) return false;

    bool hasEuropean = false;
    bool hasArabic = false;
    auto last = first;  // that is no non-spacing mark
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto direction = directionAt(i);
        switch (direction) {
            case U_EUROPEAN_NUMBER:
                hasEuropean = true;
                break;
            case U_EUROPEAN_NUMBER_SEPARATOR:
            case U_COMMON_NUMBER_SEPARATOR:
            case U_EUROPEAN_NUMBER_TERMINATOR:
            case U_OTHER_NEUTRAL:
            case U_BOUNDARY_NEUTRAL:
            case U_DIR_NON_SPACING_MARK:
                break;
            case U_LEFT_TO_RIGHT:
                if (isRtl) return false;
                break;
            case U_RIGHT_TO_LEFT:
            case U_RIGHT_TO_LEFT_ARABIC:
                if (!isRtl) return false;
                break;
            case U_ARABIC_NUMBER:
                if (!isRtl) return false;
                hasArabic = true;
                break;
            default:
                return false;
        }
        if (direction != U_DIR_NON_SPACING_MARK) last = direction;
    }
    if (!isRtl) return last == U_LEFT_TO_RIGHT || last == U_EUROPEAN_NUMBER;
    if (hasEuropean && hasArabic) return false;
    return last == U_RIGHT_TO_LEFT || last == U_RIGHT_TO_LEFT_ARABIC || last == U_EUROPEAN_NUMBER ||
           last == U_ARABIC_NUMBER;
}

bool isIdnaLabel(std::u32string_view label) {
    for (const char32_t c : label) {
        // LDH, which UTS 46 has checked, in place of the wider ASCII7 of PRECIS.
        if (c < 0x80) {
            const bool isLdh = (c >= U'a' && c <= U'z') || (c >= U'0' && c <= U'9') || c == U'-';
            if (!isLdh) return false;
        }
        // IgnorableBlocks (RFC 5892, 2.4): symbols to be combined, and musical notation.
        if (c >= 0x20D0 && c <= 0x20FF) return false;
        if (c >= 0x1D100 && c <= 0x1D24F) return false;
    }
    return isAllowed(label, StringClass::Identifier);
}

std::optional<std::string> usernameCaseMapped(std::string_view text) {
    const auto given = toUtf16(text);
    if (!given) return std::nullopt;
    auto mapped = widthMapped(*given);
    if (!isAllowed(toUtf32(mapped), StringClass::Identifier)) return std::nullopt;

    mapped = normalized(nfc(), lowered(std::move(mapped)));
    if (mapped.empty()) return std::nullopt;
    const auto prepared = toUtf32(mapped);
    if (!isAllowed(prepared, StringClass::Identifier)) return std::nullopt;
    if (hasRightToLeft(prepared) && !satisfiesBidiRule(prepared)) return std::nullopt;
    return toUtf8(mapped);
}

// The class is asked again after the mapping, here as above: U+0387 becomes the middle dot by it,
// which may not stand everywhere. What has been prepared once is then always its own prepared form.
std::optional<std::string> opaqueString(std::string_view text) {
    auto given = toUtf16(text);
    if (!given || !isAllowed(toUtf32(*given), StringClass::Freeform)) return std::nullopt;
    const auto prepared = normalized(nfc(), spacesMapped(std::move(*given)));
    if (prepared.empty() || !isAllowed(toUtf32(prepared), StringClass::Freeform)) {
        return std::nullopt;
    }
    return toUtf8(prepared);
}

std::optional<std::string> nickname(std::string_view text) { return stableNickname(text, false); }

std::optional<std::string> nicknameKey(std::string_view text) { return stableNickname(text, true); }

std::optional<std::u32string> codePoints(std::string_view utf8) {
    const auto text = toUtf16(utf8);
    if (!text) return std::nullopt;
    return toUtf32(*text);
}

}  // namespace epode::precis
