#include "notify_rules.h"

#include "storage.h"

#include <optional>

namespace epode::bookmarks {

namespace {

constexpr std::size_t rulesMax = 20;

std::optional<Notifications> parseSetting(std::string_view name) {
    if (name == "always") return Notifications::Always;
    if (name == "on-mention") return Notifications::OnMention;
    if (name == "never") return Notifications::Never;
    return std::nullopt;
}

}  // namespace

std::vector<NotifyRule> readNotifyRules(const Element& conference) {
    std::vector<NotifyRule> rules;
    const Element* extensions = conference.child("extensions", ns);
    const Element* notify = extensions ? extensions->child("notify", notifyNs) : nullptr;
    if (!notify) return rules;
    for (const Element& child : notify->children()) {
        const auto setting = child.ns() == notifyNs ? parseSetting(child.name()) : std::nullopt;
        NotifyRule rule{setting.value_or(Notifications::Unset),
                        std::string{child.get("identity-category")},
                        std::string{child.get("identity-type")}};
        if (!setting || (rule.category.empty() && !rule.type.empty())) continue;
        rules.push_back(std::move(rule));
        if (rules.size() == rulesMax) break;
    }
    return rules;
}

Notifications decide(const std::vector<NotifyRule>& rules, std::string_view category,
                     std::string_view type) {
    Notifications best = Notifications::Unset;
    int closeness = -1;
    for (const NotifyRule& rule : rules) {
        const bool fits = (rule.category.empty() || rule.category == category) &&
                          (rule.type.empty() || rule.type == type);
        const int own = int(!rule.category.empty()) + int(!rule.type.empty());
        if (!fits || own <= closeness) continue;
        best = rule.setting;
        closeness = own;
    }
    return best;
}

}  // namespace epode::bookmarks
