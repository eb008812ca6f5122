#include "config.h"

#include "core/named_values.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace epode::muc {

namespace {

using Values = std::vector<std::string>;

constexpr std::int64_t daysMax = 36500;
constexpr std::int64_t slowSecondsMax = 86400;
constexpr std::size_t settingsBytesMax = 64u << 10;  // in fields of plugins, of one room

// The limits of texts and numbers; null for what the store has kept.
struct Field {
    std::string_view var;
    FieldType type;
    std::string_view label;
    Values (*get)(const RoomConfig&);
    bool (*set)(RoomConfig&, const Values&, const Limits*);
    std::vector<FieldOption> (*options)() = nullptr;
    std::string_view datatype = {};
};

template <typename Value>
struct Choice {
    std::string_view name;
    std::string_view label;
    Value value;
};

constexpr Choice<Whois> whoisChoices[] = {
    {"moderators", "Moderators only", Whois::Moderators},
    {"anyone", "Everybody in the room", Whois::Anyone},
};
constexpr Choice<AllowPm> pmChoices[] = {
    {"anyone", "Everybody", AllowPm::Anyone},
    {"participants", "Those who may speak", AllowPm::Participants},
    {"moderators", "Moderators only", AllowPm::Moderators},
    {"none", "Nobody", AllowPm::Nobody},
};
constexpr Choice<Role> roleChoices[] = {
    {"moderator", "Moderators", Role::Moderator},
    {"participant", "Participants", Role::Participant},
    {"visitor", "Visitors", Role::Visitor},
};

template <const auto& Choices>
std::vector<FieldOption> optionsOf() {
    std::vector<FieldOption> options;
    for (const auto& choice : Choices)
        options.push_back({std::string{choice.name}, std::string{choice.label}});
    return options;
}
template <auto Member, const auto& Choices>
Values getChoice(const RoomConfig& config) {
    for (const auto& choice : Choices)
        if (choice.value == config.*Member) return {std::string{choice.name}};
    return {};
}
template <auto Member, const auto& Choices>
bool setChoice(RoomConfig& config, const Values& values, const Limits*) {
    for (const auto& choice : Choices)
        if (!values.empty() && values.front() == choice.name) {
            config.*Member = choice.value;
            return true;
        }
    return false;
}

template <auto Member>
Values getRoles(const RoomConfig& config) {
    Values values;
    for (const auto& choice : roleChoices)
        if (config.*Member & bitOf(choice.value)) values.emplace_back(choice.name);
    return values;
}
// Names of affiliations are allowed as well (table of 16.5.3) and mean nothing beside roles.
template <auto Member>
bool setRoles(RoomConfig& config, const Values& values, const Limits*) {
    Roles roles = 0;
    for (const auto& value : values) {
        const auto role = parseRole(value);
        if (role && *role != Role::None)
            roles |= bitOf(*role);
        else if (!parseAffiliation(value))
            return false;
    }
    config.*Member = roles;
    return true;
}

template <auto Member>
Values getBoolean(const RoomConfig& config) {
    return {config.*Member ? "1" : "0"};
}
template <auto Member>
bool setBoolean(RoomConfig& config, const Values& values, const Limits*) {
    const auto value = values.empty() ? std::nullopt : parseBoolean(values.front());
    if (value) config.*Member = *value;
    return value.has_value();
}

template <auto Member>
Values getText(const RoomConfig& config) {
    if ((config.*Member).empty()) return {};
    return {config.*Member};
}
template <auto Member>
bool setText(RoomConfig& config, const Values& values, const Limits* limits) {
    std::string text = values.empty() ? std::string{} : values.front();
    if (limits && text.size() > limits->nameBytesMax) return false;
    config.*Member = std::move(text);
    return true;
}

template <auto Member>
Values getNumber(const RoomConfig& config) {
    return {std::to_string(config.*Member)};
}
template <auto Member, std::int64_t Most>
bool setNumber(RoomConfig& config, const Values& values, const Limits*) {
    const auto number = readNumber(values, Most);
    if (number) config.*Member = *number;
    return number.has_value();
}

Values getOccupantsMax(const RoomConfig& config) {
    return {config.occupantsMax == 0 ? "none" : std::to_string(config.occupantsMax)};
}
bool setOccupantsMax(RoomConfig& config, const Values& values, const Limits* limits) {
    const auto number =
        readNumber(values, limits ? std::int64_t(limits->occupantsMax) : std::int64_t(1) << 40);
    if (number) config.occupantsMax = *number;
    return number.has_value();
}
std::vector<FieldOption> occupantsMaxOptions() {
    std::vector<FieldOption> options;
    for (const char* value : {"10", "20", "50", "100", "200", "500", "1000"})
        options.push_back({value, value});
    options.push_back({"none", "As many as the service allows"});
    return options;
}
// More than the service gives is what the service gives.
bool setHistoryMax(RoomConfig& config, const Values& values, const Limits* limits) {
    const auto number = readNumber(values, std::int64_t(1) << 40);
    if (!number) return false;
    config.historyMax = limits ? std::min(*number, std::int64_t(limits->historyMax)) : *number;
    return true;
}

using C = RoomConfig;

const Field fields[] = {
    {"muc#roomconfig_roomname", FieldType::TextSingle, "Name of the room", getText<&C::name>,
     setText<&C::name>},
    {"muc#roomconfig_roomdesc", FieldType::TextSingle, "Description", getText<&C::description>,
     setText<&C::description>},
    {"muc#roomconfig_lang", FieldType::TextSingle, "Language of the discussion", getText<&C::lang>,
     setText<&C::lang>},
    {"muc#roomconfig_persistentroom", FieldType::Boolean, "Stays when nobody is in it",
     getBoolean<&C::isPersistent>, setBoolean<&C::isPersistent>},
    {"muc#roomconfig_publicroom", FieldType::Boolean, "Shown in lists of rooms",
     getBoolean<&C::isPublic>, setBoolean<&C::isPublic>},
    {"muc#roomconfig_membersonly", FieldType::Boolean, "Only members may enter",
     getBoolean<&C::isMembersOnly>, setBoolean<&C::isMembersOnly>},
    {"muc#roomconfig_moderatedroom", FieldType::Boolean, "Only those with voice may speak",
     getBoolean<&C::isModerated>, setBoolean<&C::isModerated>},
    {"muc#roomconfig_passwordprotectedroom", FieldType::Boolean, "A password is needed to enter",
     getBoolean<&C::isPasswordProtected>, setBoolean<&C::isPasswordProtected>},
    {"muc#roomconfig_roomsecret", FieldType::TextPrivate, "The password", getText<&C::password>,
     setText<&C::password>},
    {"muc#roomconfig_whois", FieldType::ListSingle, "Who sees the addresses of occupants",
     getChoice<&C::whois, whoisChoices>, setChoice<&C::whois, whoisChoices>,
     optionsOf<whoisChoices>},
    {"muc#roomconfig_allowpm", FieldType::ListSingle, "Who may send private messages",
     getChoice<&C::allowPm, pmChoices>, setChoice<&C::allowPm, pmChoices>, optionsOf<pmChoices>},
    {"muc#roomconfig_allowinvites", FieldType::Boolean, "Members may invite others",
     getBoolean<&C::mayInvite>, setBoolean<&C::mayInvite>},
    {"muc#roomconfig_changesubject", FieldType::Boolean, "Occupants may change the subject",
     getBoolean<&C::mayChangeSubject>, setBoolean<&C::mayChangeSubject>},
    {"muc#roomconfig_allowvoicerequests", FieldType::Boolean, "Visitors may ask for voice",
     getBoolean<&C::mayRequestVoice>, setBoolean<&C::mayRequestVoice>},
    {"muc#roomconfig_allowregister", FieldType::Boolean, "People may register as members",
     getBoolean<&C::mayRegister>, setBoolean<&C::mayRegister>},
    {"urn:epode:room#lock_nicks", FieldType::Boolean,
     "Who has registered a nickname has no other one here", getBoolean<&C::locksNicks>,
     setBoolean<&C::locksNicks>},
    {"muc#roomconfig_forwardmentions", FieldType::Boolean,
     "Members who are not here are told when they are mentioned", getBoolean<&C::forwardsMentions>,
     setBoolean<&C::forwardsMentions>},
    {"urn:epode:room#knock", FieldType::Boolean,
     "If only members may enter: others can ask to become one, and admins answer",
     getBoolean<&C::mayKnock>, setBoolean<&C::mayKnock>},
    {"urn:epode:room#lockdown", FieldType::Boolean,
     "Locked down: for the moment nobody but members comes in or speaks",
     getBoolean<&C::isLockedDown>, setBoolean<&C::isLockedDown>},
    {"muc#roomconfig_maxusers", FieldType::ListSingle, "The most occupants", getOccupantsMax,
     setOccupantsMax, occupantsMaxOptions},
    {"muc#maxhistoryfetch", FieldType::TextSingle,
     "The most messages that somebody who enters is sent", getNumber<&C::historyMax>, setHistoryMax,
     nullptr, "xs:integer"},
    {"muc#roomconfig_presencebroadcast", FieldType::ListMulti, "Whose presence is shown",
     getRoles<&C::broadcastRoles>, setRoles<&C::broadcastRoles>, optionsOf<roleChoices>},
    {"muc#roomconfig_getmemberlist", FieldType::ListMulti, "Who may read the list of members",
     getRoles<&C::memberListRoles>, setRoles<&C::memberListRoles>, optionsOf<roleChoices>},
    {"muc#roomconfig_enablearchiving", FieldType::Boolean, "Messages are archived",
     getBoolean<&C::isArchived>, setBoolean<&C::isArchived>},
    {"urn:epode:room#retention_days", FieldType::TextSingle,
     "Days after which archived messages are deleted (0: never)", getNumber<&C::retentionDays>,
     setNumber<&C::retentionDays, daysMax>, nullptr, "xs:integer"},
    {"muc#roomconfig_slow_mode_duration", FieldType::TextSingle,
     "Seconds between two messages of an occupant (0: none)", getNumber<&C::slowSeconds>,
     setNumber<&C::slowSeconds, slowSecondsMax>, nullptr, "xs:integer"},
    {"muc#roomconfig_pubsub", FieldType::TextSingle, "Address of a publish-subscribe node",
     getText<&C::pubsub>, setText<&C::pubsub>},
};

const Field* findField(std::string_view var) {
    const auto* found = std::find_if(std::begin(fields), std::end(fields),
                                     [var](const Field& field) { return field.var == var; });
    return found == std::end(fields) ? nullptr : found;
}

StanzaError notAcceptable(std::string text) {
    return {ErrorType::Modify, Condition::NotAcceptable, std::move(text)};
}

// ---- fields of plugins

const RoomField* findField(const std::vector<RoomField>& all, std::string_view var) {
    const auto found =
        std::find_if(all.begin(), all.end(), [var](const auto& field) { return field.var == var; });
    return found == all.end() ? nullptr : &*found;
}

const Values& valuesOf(const RoomConfig& config, const RoomField& field) {
    const auto found = config.settings.find(field.var);
    return found == config.settings.end() ? field.fallback : found->second;
}

bool isAmong(const std::vector<FieldOption>& options, const std::string& value) {
    return std::any_of(options.begin(), options.end(),
                       [&](const auto& option) { return option.value == value; });
}

bool setField(RoomConfig& config, const RoomField& field, Values values) {
    std::erase(values, "");
    const bool isBoolean = field.type == FieldType::Boolean;
    const bool isList = field.type == FieldType::ListSingle || field.type == FieldType::ListMulti;
    const bool isSingle = field.type != FieldType::ListMulti &&
                          field.type != FieldType::TextMulti && field.type != FieldType::JidMulti;
    if (isSingle && values.size() > 1) return false;
    if (isBoolean) {
        const auto value = values.empty() ? std::nullopt : parseBoolean(values.front());
        if (!value) return false;
        values = {*value ? "1" : "0"};
    }
    for (const auto& value : values)
        if ((isList && !isAmong(field.options, value)) ||
            value.find_first_of("\r\n") != std::string::npos)
            return false;
    if (field.isAllowed && !field.isAllowed(values)) return false;
    if (values == field.fallback) {
        config.settings.erase(field.var);
        return true;
    }
    config.settings[field.var] = std::move(values);
    return true;
}

std::size_t bytesOf(const RoomSettings& settings) {
    std::size_t bytes = 0;
    for (const auto& [var, values] : settings)
        for (const auto& value : values) bytes += value.size() + 16;
    return bytes;
}

}  // namespace

RoomConfig presetConfig(std::string_view preset) {
    RoomConfig config;
    if (preset == "team") {
        config.isPersistent = config.isMembersOnly = config.mayInvite = config.mayChangeSubject =
            true;
        config.mayRegister = false;
        config.whois = Whois::Anyone;
    } else if (preset == "public") {
        config.isPersistent = config.isPublic = true;
    } else if (preset == "announcement") {
        config.isPersistent = config.isPublic = config.isModerated = true;
        config.mayRequestVoice = config.mayRegister = false;
        config.allowPm = AllowPm::Moderators;
    }
    return config;
}

void addFields(DataForm& form, const RoomConfig& config, const Limits&,
               const std::vector<RoomField>& more) {
    for (const Field& field : fields) {
        FormField shown{.var = std::string{field.var},
                        .type = field.type,
                        .label = std::string{field.label},
                        .values = field.get(config)};
        if (field.options) shown.options = field.options();
        // What is not among the choices that are offered is shown as one.
        if (field.type == FieldType::ListSingle && !shown.values.empty() &&
            std::none_of(shown.options.begin(), shown.options.end(),
                         [&](const FieldOption& o) { return o.value == shown.values.front(); }))
            shown.options.push_back({shown.values.front(), shown.values.front()});
        if (!field.datatype.empty()) {
            shown.datatype = field.datatype;
            shown.least = "0";
        }
        form.add(std::move(shown));
    }
    for (const RoomField& field : more)
        form.add({.var = field.var,
                  .type = field.type,
                  .label = field.label,
                  .values = valuesOf(config, field),
                  .options = field.options});
}

std::vector<std::string> changedFields(const RoomConfig& before, const RoomConfig& now) {
    std::vector<std::string> changed;
    for (const Field& field : fields)
        if (field.get(before) != field.get(now)) changed.emplace_back(field.var);
    auto all = before.settings;
    all.insert(now.settings.begin(), now.settings.end());
    for (const auto& [var, values] : all) {
        const auto was = before.settings.find(var);
        const auto is = now.settings.find(var);
        if (was == before.settings.end() || is == now.settings.end() || was->second != is->second)
            changed.push_back(var);
    }
    return changed;
}

std::optional<StanzaError> takeFields(RoomConfig& config, const DataForm& answer,
                                      const Limits& limits, const std::vector<RoomField>& more) {
    RoomConfig wanted = config;
    for (const FormField& given : answer.fields()) {
        const Field* field = findField(given.var);
        const RoomField* other = field ? nullptr : findField(more, given.var);
        const bool isGood = field   ? field->set(wanted, given.values, &limits)
                            : other ? setField(wanted, *other, given.values)
                                    : true;
        if (!isGood) return notAcceptable("The value of " + given.var + " is not allowed.");
    }
    if (wanted.isPasswordProtected && wanted.password.empty())
        return notAcceptable("A room that is protected by a password needs one.");
    if (bytesOf(wanted.settings) > settingsBytesMax)
        return notAcceptable("These are too many words.");
    if (!wanted.isPasswordProtected) wanted.password.clear();
    config = std::move(wanted);
    return std::nullopt;
}

// Only what differs from a plain room.
std::string writeConfig(const RoomConfig& config) {
    std::string out;
    const RoomConfig plain;
    for (const Field& field : fields) {
        auto values = field.get(config);
        if (values == field.get(plain)) continue;
        if (values.empty()) values.emplace_back();
        writeNamedValues(out, field.var, values);
    }
    for (auto [var, values] : config.settings) {
        if (values.empty()) values.emplace_back();
        writeNamedValues(out, var, values);
    }
    return out;
}

RoomConfig readConfig(std::string_view text) {
    RoomConfig config;
    for (auto& [var, values] : readNamedValues(text)) {
        std::erase(values, "");  // stands for none at all
        if (const Field* field = findField(var))
            field->set(config, values, nullptr);
        else
            config.settings[var] = std::move(values);  // of a plugin, even if it is not here now
    }
    return config;
}

}  // namespace epode::muc
