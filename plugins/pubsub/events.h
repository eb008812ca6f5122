// The messages that a service sends (XEP-0060, 7.1.2, 8.4, 12.14), made once for all who get them.
#pragma once

#include "core/stanza.h"
#include "realm.h"

#include <string>
#include <string_view>

namespace epode::pubsub {

// <item id='…' publisher='…'>…</item>; the publisher is told by services that several publish at.
void addItem(std::string& xml, const Realm& realm, const Item& item, bool withPayload);

// The content of <event/>, by its parts.
std::string itemsEvent(const Realm& realm, const Node& node, const Item& item);
std::string retractEvent(const Node& node, const std::vector<std::string>& ids);
std::string nodeEvent(std::string_view name, const Node& node, std::string_view content = {});
std::string subscriptionEvent(const Node& node, const Jid& jid, SubscriptionState state);

// A message from the service with this event, whose text is written as it is to all who get it;
// null when it is more than can be read again. With `delayed` it tells since when that is so.
StanzaPtr eventMessage(const Realm& realm, NotificationType type, std::string_view event,
                       std::optional<WallTime> delayed = {});

// For the text of attributes and elements.
std::string escaped(std::string_view text);

}  // namespace epode::pubsub
