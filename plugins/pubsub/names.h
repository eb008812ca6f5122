// Namespaces of publish-subscribe (XEP-0060).
#pragma once

#include <string_view>

namespace epode::pubsub::names {

inline constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";
inline constexpr std::string_view owner = "http://jabber.org/protocol/pubsub#owner";
inline constexpr std::string_view event = "http://jabber.org/protocol/pubsub#event";
inline constexpr std::string_view errors = "http://jabber.org/protocol/pubsub#errors";
inline constexpr std::string_view nodeConfig = "http://jabber.org/protocol/pubsub#node_config";
inline constexpr std::string_view publishOptions =
    "http://jabber.org/protocol/pubsub#publish-options";
inline constexpr std::string_view subscribeOptions =
    "http://jabber.org/protocol/pubsub#subscribe_options";
inline constexpr std::string_view authorization =
    "http://jabber.org/protocol/pubsub#subscribe_authorization";
inline constexpr std::string_view metaData = "http://jabber.org/protocol/pubsub#meta-data";
inline constexpr std::string_view getPending = "http://jabber.org/protocol/pubsub#get-pending";
inline constexpr std::string_view commands = "http://jabber.org/protocol/commands";

}  // namespace epode::pubsub::names
