#include "core/stanza_error.h"

#include "core/namespaces.h"

#include <algorithm>
#include <array>

namespace epode {
namespace {

constexpr std::array<std::string_view, 5> typeNames{"auth", "cancel", "continue", "modify", "wait"};
static_assert(std::size_t(ErrorType::Wait) + 1 == typeNames.size());

struct Defined {
    std::string_view name;
    ErrorType type;  // where RFC 6120, 8.3.3 names two, the one of its example
};

// In the order of the enumeration.
constexpr std::array<Defined, 22> conditions{{
    {"bad-request", ErrorType::Modify},
    {"conflict", ErrorType::Cancel},
    {"feature-not-implemented", ErrorType::Cancel},
    {"forbidden", ErrorType::Auth},
    {"gone", ErrorType::Cancel},
    {"internal-server-error", ErrorType::Cancel},
    {"item-not-found", ErrorType::Cancel},
    {"jid-malformed", ErrorType::Modify},
    {"not-acceptable", ErrorType::Modify},
    {"not-allowed", ErrorType::Cancel},
    {"not-authorized", ErrorType::Auth},
    {"policy-violation", ErrorType::Modify},
    {"recipient-unavailable", ErrorType::Wait},
    {"redirect", ErrorType::Modify},
    {"registration-required", ErrorType::Auth},
    {"remote-server-not-found", ErrorType::Cancel},
    {"remote-server-timeout", ErrorType::Wait},
    {"resource-constraint", ErrorType::Wait},
    {"service-unavailable", ErrorType::Cancel},
    {"subscription-required", ErrorType::Auth},
    {"undefined-condition", ErrorType::Cancel},
    {"unexpected-request", ErrorType::Wait},
}};
static_assert(std::size_t(Condition::UnexpectedRequest) + 1 == conditions.size());

}  // namespace

std::string_view toText(Condition condition) { return conditions[std::size_t(condition)].name; }
std::string_view toText(ErrorType type) { return typeNames[std::size_t(type)]; }
ErrorType usualType(Condition condition) { return conditions[std::size_t(condition)].type; }

StanzaError::StanzaError(Condition condition, std::string text)
    : StanzaError{usualType(condition), condition, std::move(text)} {}

StanzaError::StanzaError(ErrorType type, Condition condition, std::string text)
    : type{type}, condition{condition}, text{std::move(text)} {}

Element& StanzaError::addTo(Element& stanza) const {
    Element& error = stanza.add("error");
    error.set("type", toText(type));
    // The one code of before RFC 6120 (XEP-0086) that clients of today can't do without: profanity
    // publishes no OMEMO device when what it hears of the list that isn't there has none.
    if (condition == Condition::ItemNotFound) error.set("code", "404");
    error.add(toText(condition), ns::stanzaErrors).addText(content);
    if (!text.empty()) {
        Element& explanation = error.add("text", ns::stanzaErrors);
        explanation.set("lang", ns::xml, "en").addText(text);
    }
    if (!application.empty()) {
        Element& own = error.add(application, applicationNs);
        if (!applicationFeature.empty()) own.set("feature", applicationFeature);
    }
    return error;
}

std::optional<StanzaError> StanzaError::read(const Element& stanza) {
    const Element* error = stanza.child("error");
    if (!error) return std::nullopt;
    const auto* type = std::ranges::find(typeNames, error->get("type"));
    if (type == typeNames.end()) return std::nullopt;

    StanzaError found{ErrorType(type - typeNames.begin()), Condition::UndefinedCondition, {}};
    bool hasCondition = false;
    for (const Element& child : error->children()) {
        if (child.is("text", ns::stanzaErrors)) {
            if (found.text.empty()) found.text = child.text();
        } else if (child.ns() == ns::stanzaErrors) {
            // A condition that we don't know counts as undefined-condition (RFC 6120, 8.3.2).
            if (std::exchange(hasCondition, true)) continue;
            const auto* known = std::ranges::find(conditions, child.name(), &Defined::name);
            if (known == conditions.end()) continue;
            found.condition = Condition(known - conditions.begin());
            found.content = child.text();
        } else if (found.application.empty()) {
            found.application = child.name();
            found.applicationNs = child.ns();
            found.applicationFeature = child.get("feature");
        }
    }
    return found;
}

}  // namespace epode
