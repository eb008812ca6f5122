#include "config_form.h"

#include "core/named_values.h"
#include "core/namespaces.h"
#include "errors.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace epode::pubsub {

namespace {

// A title is a line, a description a paragraph: more than this is no metadata.
constexpr std::size_t textBytesMax = 1024;
constexpr std::size_t listMax = 50;
// Beyond it a number means "as much as there may be".
constexpr std::int64_t numberMax = 1'000'000'000;

using Values = std::vector<std::string>;

constexpr std::string_view prefix = "pubsub#";  // of the fields, and not of what is stored

// The names of an enumeration's values, in its order.
template <typename Value>
struct Choice {
    std::string_view name;
    std::string_view label;
    Value value;
};

constexpr Choice<AccessModel> accessModels[] = {
    {"authorize", "Subscribers whom an owner has approved", AccessModel::Authorize},
    {"open", "Anyone", AccessModel::Open},
    {"presence", "Those who see the owner's presence", AccessModel::Presence},
    {"roster", "Those in the given groups of the owner's contact list", AccessModel::Roster},
    {"whitelist", "Members only", AccessModel::Whitelist},
};
constexpr Choice<PublishModel> publishModels[] = {
    {"publishers", "Owners and publishers", PublishModel::Publishers},
    {"subscribers", "Subscribers too", PublishModel::Subscribers},
    {"open", "Anyone", PublishModel::Open},
};
constexpr Choice<SendLast> sendLastChoices[] = {
    {"never", "Never", SendLast::Never},
    {"on_sub", "To a new subscriber", SendLast::OnSubscription},
    {"on_sub_and_presence", "To a new subscriber, and to one who comes online",
     SendLast::OnSubscriptionAndPresence},
};
constexpr Choice<WhenFull> whenFullChoices[] = {
    {"retract-oldest", "Retract the oldest item", WhenFull::RetractOldest},
    {"discard-oldest", "Discard the oldest item without a notification", WhenFull::DiscardOldest},
    {"reject", "Refuse the new item", WhenFull::Reject},
};
constexpr Choice<NotificationType> notificationTypes[] = {
    {"normal", "Messages of type normal", NotificationType::Normal},
    {"headline", "Messages of type headline", NotificationType::Headline},
};

struct Field {
    std::string_view var;
    FieldType type;
    std::string_view label;
    Values (*get)(const NodeConfig&);
    bool (*set)(NodeConfig&, ServiceKind, const Values&);
    std::vector<FieldOption> (*options)(ServiceKind) = nullptr;
    bool isMetaData = false;
};

template <auto Member, const auto& Choices>
Values getChoice(const NodeConfig& config) {
    for (const auto& choice : Choices)
        if (choice.value == config.*Member) return {std::string{choice.name}};
    return {};
}
template <auto Member, const auto& Choices>
bool setChoice(NodeConfig& config, ServiceKind, const Values& values) {
    for (const auto& choice : Choices)
        if (values.front() == choice.name) {
            config.*Member = choice.value;
            return true;
        }
    return false;
}
template <const auto& Choices>
std::vector<FieldOption> optionsOf(ServiceKind) {
    std::vector<FieldOption> options;
    for (const auto& choice : Choices)
        options.push_back({std::string{choice.name}, std::string{choice.label}});
    return options;
}

// A served domain does not know who is online.
bool setSendLast(NodeConfig& config, ServiceKind kind, const Values& values) {
    if (!setChoice<&NodeConfig::sendLast, sendLastChoices>(config, kind, values)) return false;
    if (kind == ServiceKind::Domain && config.sendLast == SendLast::OnSubscriptionAndPresence)
        config.sendLast = SendLast::OnSubscription;
    return true;
}

template <auto Member>
Values getBoolean(const NodeConfig& config) {
    return {config.*Member ? "1" : "0"};
}
template <auto Member>
bool setBoolean(NodeConfig& config, ServiceKind, const Values& values) {
    const auto value = parseBoolean(values.front());
    if (value) config.*Member = *value;
    return value.has_value();
}

template <auto Member>
Values getNumber(const NodeConfig& config) {
    return {config.*Member ? std::to_string(*(config.*Member)) : "max"};
}
template <auto Member>
bool setNumber(NodeConfig& config, ServiceKind, const Values& values) {
    const std::string& text = values.front();
    if (text == "max") {
        config.*Member = std::nullopt;
        return true;
    }
    const bool isNumber =
        !text.empty() && text.size() <= 20 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!isNumber) return false;
    std::int64_t value = numberMax;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (value == 0) return false;
    if (value >= numberMax)
        config.*Member = std::nullopt;
    else
        config.*Member = value;
    return true;
}

template <auto Member>
Values getText(const NodeConfig& config) {
    return {config.*Member};
}
template <auto Member>
bool setText(NodeConfig& config, ServiceKind, const Values& values) {
    if (values.front().size() > textBytesMax) return false;
    config.*Member = values.front();
    return true;
}

template <auto Member>
Values getList(const NodeConfig& config) {
    return config.*Member;
}
bool setContacts(NodeConfig& config, ServiceKind, const Values& values) {
    if (values.size() > listMax) return false;
    Values contacts;
    for (const auto& value : values) {
        if (value.empty()) continue;
        const auto jid = Jid::parse(value);
        if (!jid) return false;
        contacts.push_back(jid->text());
    }
    config.contacts = std::move(contacts);
    return true;
}
bool setGroups(NodeConfig& config, ServiceKind, const Values& values) {
    if (values.size() > listMax) return false;
    Values groups;
    for (const auto& value : values) {
        if (value.size() > textBytesMax) return false;
        if (!value.empty()) groups.push_back(value);
    }
    config.rosterGroups = std::move(groups);
    return true;
}

// There are leaves only; who wants a collection (XEP-0248) must learn that he does not get one.
Values getNodeType(const NodeConfig&) { return {"leaf"}; }
bool setNodeType(NodeConfig&, ServiceKind, const Values& values) {
    return values.front() == "leaf";
}
std::vector<FieldOption> nodeTypes(ServiceKind) { return {{"leaf", "It holds items"}}; }

const Field fields[] = {
    {"pubsub#title", FieldType::TextSingle, "A short name for the node",
     getText<&NodeConfig::title>, setText<&NodeConfig::title>, nullptr, true},
    {"pubsub#description", FieldType::TextSingle, "A description of the node",
     getText<&NodeConfig::description>, setText<&NodeConfig::description>, nullptr, true},
    {"pubsub#type", FieldType::TextSingle, "The kind of data, usually the payload's namespace",
     getText<&NodeConfig::payloadType>, setText<&NodeConfig::payloadType>, nullptr, true},
    {"pubsub#language", FieldType::TextSingle, "The language of the node",
     getText<&NodeConfig::language>, setText<&NodeConfig::language>, nullptr, true},
    {"pubsub#contact", FieldType::JidMulti, "Whom to ask about the node",
     getList<&NodeConfig::contacts>, setContacts, nullptr, true},
    {"pubsub#node_type", FieldType::ListSingle, "The kind of node", getNodeType, setNodeType,
     nodeTypes},
    {"pubsub#access_model", FieldType::ListSingle, "Who may subscribe and read",
     getChoice<&NodeConfig::access, accessModels>, setChoice<&NodeConfig::access, accessModels>,
     optionsOf<accessModels>, true},
    {"pubsub#roster_groups_allowed", FieldType::ListMulti,
     "The groups of contacts who may subscribe and read", getList<&NodeConfig::rosterGroups>,
     setGroups},
    {"pubsub#publish_model", FieldType::ListSingle, "Who may publish",
     getChoice<&NodeConfig::publish, publishModels>, setChoice<&NodeConfig::publish, publishModels>,
     optionsOf<publishModels>, true},
    {"pubsub#persist_items", FieldType::Boolean, "Whether items are kept",
     getBoolean<&NodeConfig::persistItems>, setBoolean<&NodeConfig::persistItems>},
    {"pubsub#max_items", FieldType::TextSingle,
     "How many items are kept; 'max' for as many as the server allows",
     getNumber<&NodeConfig::itemsMax>, setNumber<&NodeConfig::itemsMax>, nullptr, true},
    {"pubsub#publish_node_full", FieldType::ListSingle, "What happens when there are as many",
     getChoice<&NodeConfig::whenFull, whenFullChoices>,
     setChoice<&NodeConfig::whenFull, whenFullChoices>, optionsOf<whenFullChoices>},
    {"pubsub#item_expire", FieldType::TextSingle,
     "After how many seconds items are removed; 'max' for never",
     getNumber<&NodeConfig::expireSeconds>, setNumber<&NodeConfig::expireSeconds>},
    {"pubsub#max_payload_size", FieldType::TextSingle, "The largest payload in bytes",
     getNumber<&NodeConfig::payloadBytesMax>, setNumber<&NodeConfig::payloadBytesMax>},
    {"pubsub#send_last_published_item", FieldType::ListSingle,
     "When the last published item is sent", getChoice<&NodeConfig::sendLast, sendLastChoices>,
     setSendLast, optionsOf<sendLastChoices>},
    {"pubsub#deliver_notifications", FieldType::Boolean, "Whether subscribers are notified",
     getBoolean<&NodeConfig::deliverNotifications>, setBoolean<&NodeConfig::deliverNotifications>},
    {"pubsub#deliver_payloads", FieldType::Boolean, "Whether notifications contain the payload",
     getBoolean<&NodeConfig::deliverPayloads>, setBoolean<&NodeConfig::deliverPayloads>},
    {"pubsub#notification_type", FieldType::ListSingle, "The type of the notifications' messages",
     getChoice<&NodeConfig::type, notificationTypes>,
     setChoice<&NodeConfig::type, notificationTypes>, optionsOf<notificationTypes>},
    {"pubsub#notify_config", FieldType::Boolean, "Whether changes of this configuration are told",
     getBoolean<&NodeConfig::notifyConfig>, setBoolean<&NodeConfig::notifyConfig>},
    {"pubsub#notify_delete", FieldType::Boolean, "Whether the end of the node is told",
     getBoolean<&NodeConfig::notifyDelete>, setBoolean<&NodeConfig::notifyDelete>},
    {"pubsub#notify_retract", FieldType::Boolean, "Whether it is told when items are removed",
     getBoolean<&NodeConfig::notifyRetract>, setBoolean<&NodeConfig::notifyRetract>},
    {"pubsub#notify_sub", FieldType::Boolean, "Whether owners are told who subscribes",
     getBoolean<&NodeConfig::notifySubscriptions>, setBoolean<&NodeConfig::notifySubscriptions>},
    {"pubsub#subscribe", FieldType::Boolean, "Whether anybody may subscribe",
     getBoolean<&NodeConfig::allowsSubscriptions>, setBoolean<&NodeConfig::allowsSubscriptions>},
};

const Field* findField(std::string_view var) {
    const auto* found = std::find_if(std::begin(fields), std::end(fields),
                                     [var](const Field& field) { return field.var == var; });
    return found == std::end(fields) ? nullptr : found;
}

bool isMulti(const Field& field) {
    return field.type == FieldType::JidMulti || field.type == FieldType::ListMulti;
}

// An empty answer unsets: it is the default again.
bool setFrom(NodeConfig& config, ServiceKind kind, const Field& field, const Values& values) {
    const bool isBlank = std::all_of(values.begin(), values.end(),
                                     [](const std::string& value) { return value.empty(); });
    if (isBlank)
        return field.set(config, kind, isMulti(field) ? Values{} : field.get(defaultConfig(kind)));
    if (!isMulti(field) && values.size() != 1) return false;
    return field.set(config, kind, values);
}

StanzaError badValue(std::string_view var) {
    return {ErrorType::Modify, Condition::NotAcceptable,
            "The field " + std::string{var} + " has no value that makes sense."};
}

StanzaError badField(const FormField& field) {
    if (field.var == "pubsub#access_model")
        return refusal(ErrorType::Modify, Condition::NotAcceptable, "unsupported-access-model",
                       "There is no such access model.");
    return badValue(field.var);
}

FormField toFormField(const Field& field, const NodeConfig& config, bool isQuestion) {
    FormField made{.var = std::string{field.var}, .type = field.type, .values = field.get(config)};
    made.label = field.label;
    if (isQuestion && field.options) made.options = field.options(ServiceKind::Account);
    if (made.values.size() == 1 && made.values.front().empty()) made.values.clear();
    return made;
}

}  // namespace

NodeConfig defaultConfig(ServiceKind kind) {
    NodeConfig config;
    if (kind == ServiceKind::Account) {
        // XEP-0163, 5.
        config.access = AccessModel::Presence;
        config.itemsMax = 1;
        return config;
    }
    config.itemsMax = 20;
    config.sendLast = SendLast::OnSubscription;
    return config;
}

DataForm configForm(const NodeConfig& config, FormKind kind) {
    DataForm form{kind, names::nodeConfig};
    for (const Field& field : fields) form.add(toFormField(field, config, kind == FormKind::Form));
    return form;
}

void addMetaData(DataForm& form, const NodeConfig& config) {
    for (const Field& field : fields)
        if (field.isMetaData) form.add(toFormField(field, config, false));
}

std::optional<StanzaError> applyConfig(const Element* x, ServiceKind kind, NodeConfig& config) {
    if (!x) return malformed("The configuration is a form (jabber:x:data).");
    const auto form = DataForm::read(*x);
    if (!form || form->kind() != FormKind::Submit)
        return malformed("This is no submitted form, or one with unnamed or repeated fields.");
    if (form->find("FORM_TYPE") && form->formType() != names::nodeConfig)
        return malformed("The form's FORM_TYPE must be " + std::string{names::nodeConfig} + ".");
    NodeConfig changed = config;
    for (const FormField& answer : form->fields()) {
        const Field* field = findField(answer.var);
        if (field && !setFrom(changed, kind, *field, answer.values)) return badField(answer);
    }
    config = std::move(changed);
    return std::nullopt;
}

std::optional<StanzaError> applyPublishOptions(const Element& publishOptions, ServiceKind kind,
                                               NodeIs node, NodeConfig& config) {
    const Element* x = publishOptions.child("x", ns::dataForms);
    const auto form = x ? DataForm::read(*x) : std::nullopt;
    if (!form || form->kind() != FormKind::Submit || form->formType() != names::publishOptions)
        return malformed("The options are a submitted form of type " +
                         std::string{names::publishOptions} + ".");
    NodeConfig wanted = config;
    for (const FormField& answer : form->fields()) {
        if (answer.var == "FORM_TYPE") continue;
        const Field* field = findField(answer.var);
        if (!field)
            return refusal(ErrorType::Cancel, Condition::Conflict, "precondition-not-met",
                           "There is no field " + answer.var + " in a node's configuration.");
        if (!setFrom(wanted, kind, *field, answer.values)) return badField(answer);
        if (node == NodeIs::Existing && field->get(wanted) != field->get(config))
            return refusal(ErrorType::Cancel, Condition::Conflict, "precondition-not-met",
                           "The node's configuration differs in " + answer.var + ".");
    }
    config = std::move(wanted);
    return std::nullopt;
}

// Only what differs from the default.
std::string writeConfig(const NodeConfig& config) {
    std::string out;
    const NodeConfig plain;
    for (const Field& field : fields) {
        const auto values = field.get(config);
        if (values == field.get(plain)) continue;
        writeNamedValues(out, field.var.substr(prefix.size()), values);
    }
    return out;
}

NodeConfig readConfig(std::string_view text, ServiceKind) {
    NodeConfig config;
    // As it was written: the kind of service has been looked at before.
    for (const auto& [name, values] : readNamedValues(text))
        if (const Field* field = findField(std::string{prefix} + name))
            field->set(config, ServiceKind::Account, values);
    return config;
}

bool setField(NodeConfig& config, ServiceKind kind, std::string_view var, std::string_view value) {
    const Field* field = findField(var);
    return field && field->set(config, kind, {std::string{value}});
}

}  // namespace epode::pubsub
