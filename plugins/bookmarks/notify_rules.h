// Notification settings (XEP-0492) as they stand among the extensions of a bookmark.
#pragma once

#include "core/element.h"
#include "route/chat_settings.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode::bookmarks {

inline constexpr std::string_view notifyNs = "urn:xmpp:notification-settings:1";

// One element of <notify/>. Without a category it is for all, without a type for the category.
struct NotifyRule {
    Notifications setting;
    std::string category;
    std::string type;
};

// Those of a <conference/> of XEP-0402. What makes no sense is left out, and more than a few
// rules are nobody's wish.
std::vector<NotifyRule> readNotifyRules(const Element& conference);

// The most specific one for this identity (XEP-0492, 3).
Notifications decide(const std::vector<NotifyRule>& rules, std::string_view category,
                     std::string_view type);

}  // namespace epode::bookmarks
