#include "room_rules.h"

#include "core/precis.h"

#include <algorithm>
#include <array>

namespace epode::moderation {

namespace {

constexpr std::string_view wordsField = "urn:epode:moderation#words";
constexpr std::string_view linksField = "urn:epode:moderation#links";
constexpr std::string_view messagesField = "urn:epode:moderation#messages_per_minute";
constexpr std::string_view joinsField = "urn:epode:moderation#joins_per_minute";
constexpr std::string_view newcomersField = "urn:epode:moderation#newcomer_seconds";
constexpr std::string_view penaltyField = "urn:epode:moderation#penalty";
constexpr std::string_view termField = "urn:epode:moderation#penalty_minutes";

constexpr std::size_t wordsMax = 500;
constexpr std::size_t wordBytesMax = 200;
constexpr std::int64_t rateMax = 10'000;
constexpr std::int64_t newcomerSecondsMax = 7 * 86400;
constexpr std::int64_t penaltyMinutesMax = 365 * 1440;

template <std::int64_t Most>
bool isNumber(const std::vector<std::string>& values) {
    return readNumber(values, Most).has_value();
}

bool areWords(const std::vector<std::string>& values) {
    return values.size() <= wordsMax &&
           std::all_of(values.begin(), values.end(), [](const std::string& word) {
               return word.size() <= wordBytesMax && normalized(word).size() > 2;
           });
}

const std::vector<std::string>* find(const RoomSettings& settings, std::string_view field) {
    const auto found = settings.find(field);
    return found == settings.end() ? nullptr : &found->second;
}

std::string_view text(const RoomSettings& settings, std::string_view field) {
    const auto* values = find(settings, field);
    return values && !values->empty() ? std::string_view{values->front()} : std::string_view{};
}

void take(std::int64_t& value, const RoomSettings& settings, std::string_view field,
          std::int64_t most) {
    if (const auto* values = find(settings, field)) value = readNumber(*values, most).value_or(value);
}

bool isWordCharacter(unsigned char c) {
    return c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// In one case and one width. Most pieces are plain letters.
void appendKey(std::string& out, std::string_view piece) {
    const bool isAscii =
        std::all_of(piece.begin(), piece.end(), [](char c) { return (unsigned char)c < 0x80; });
    if (isAscii) {
        for (const char c : piece) out += c >= 'A' && c <= 'Z' ? char(c + 32) : c;
        return;
    }
    const auto key = precis::nicknameKey(piece);
    out.append(key ? *key : std::string{piece});
}

}  // namespace

std::vector<RoomField> roomFields(const RoomDefaults& defaults) {
    const auto count = [](std::int64_t value) {
        return std::vector<std::string>{std::to_string(value)};
    };
    return {
        {.var = std::string{wordsField},
         .type = FieldType::TextMulti,
         .label = "Words and phrases that nobody but moderators may use, one in a line",
         .isAllowed = areWords},
        {.var = std::string{linksField},
         .type = FieldType::ListSingle,
         .label = "Who may send links",
         .fallback = {"everybody"},
         .options = {{"everybody", "Everybody"},
                     {"members", "Members"},
                     {"moderators", "Moderators"}}},
        {.var = std::string{messagesField},
         .label = "The most messages of one occupant in a minute (0: any number)",
         .fallback = count(defaults.messagesPerMinute),
         .isAllowed = isNumber<rateMax>},
        {.var = std::string{joinsField},
         .label = "How many who are no members may enter in a minute (0: any number)",
         .fallback = count(defaults.joinsPerMinute),
         .isAllowed = isNumber<rateMax>},
        {.var = std::string{newcomersField},
         .label = "Seconds until somebody who is no member may speak after he has entered",
         .fallback = count(defaults.newcomerSeconds),
         .isAllowed = isNumber<newcomerSecondsMax>},
        {.var = std::string{penaltyField},
         .type = FieldType::ListSingle,
         .label = "What happens to who breaks these rules three times within ten minutes",
         .fallback = {"none"},
         .options = {{"none", "Nothing more"},
                     {"mute", "Muted"},
                     {"kick", "Sent out"},
                     {"ban", "Banned"}}},
        {.var = std::string{termField},
         .label = "For how many minutes he is muted or banned (0: for good)",
         .fallback = {"60"},
         .isAllowed = isNumber<penaltyMinutesMax>},
    };
}

RoomRules::RoomRules(const RoomSettings& settings, const RoomDefaults& defaults)
    : limits{defaults} {
    if (const auto* listed = find(settings, wordsField))
        for (const auto& word : *listed) words.push_back(normalized(word));
    const auto allowed = text(settings, linksField);
    if (allowed == "members") links = Links::Members;
    if (allowed == "moderators") links = Links::Moderators;
    take(limits.messagesPerMinute, settings, messagesField, rateMax);
    take(limits.joinsPerMinute, settings, joinsField, rateMax);
    take(limits.newcomerSeconds, settings, newcomersField, newcomerSecondsMax);
    const auto wanted = text(settings, penaltyField);
    if (wanted == "mute") penalty = RoomEvent::Penalty::Mute;
    if (wanted == "kick") penalty = RoomEvent::Penalty::Kick;
    if (wanted == "ban") penalty = RoomEvent::Penalty::Ban;
    std::int64_t minutes = 60;
    take(minutes, settings, termField, penaltyMinutesMax);
    penaltyTerm = std::chrono::minutes{minutes};
}

std::optional<std::string_view> RoomRules::wordIn(std::string_view text) const {
    if (words.empty() || text.empty()) return std::nullopt;
    const std::string all = normalized(text);
    for (const auto& word : words)
        if (all.find(word) != std::string::npos) return std::string_view{word};
    return std::nullopt;
}

std::string normalized(std::string_view text) {
    // What PRECIS refuses (line feeds, say) still has words in it: they are taken piece by piece.
    std::string out = " ";
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && isWordCharacter((unsigned char)text[end])) ++end;
        if (end > at) {
            const std::string_view piece = text.substr(at, end - at);
            appendKey(out, piece);
            out += ' ';
            at = end;
        } else {
            ++at;
        }
    }
    return out;
}

bool hasLink(std::string_view text) {
    static constexpr std::array<std::string_view, 9> beginnings{
        "http:", "https:", "www.", "ftp:", "xmpp:", "magnet:", "aesgcm:", "tg:", "geo:"};
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (at > 0 && isWordCharacter((unsigned char)text[at - 1])) continue;
        for (const auto beginning : beginnings) {
            const auto piece = text.substr(at, beginning.size());
            const bool isSame = std::equal(
                piece.begin(), piece.end(), beginning.begin(), beginning.end(),
                [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a + 32) : a) == b; });
            const std::size_t behind = at + beginning.size();
            if (isSame && behind < text.size() && text[behind] != ' ' && text[behind] != '\n')
                return true;
        }
    }
    return false;
}

}  // namespace epode::moderation
