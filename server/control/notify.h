// Tells systemd how the service is (sd_notify(3)'s protocol: datagrams to $NOTIFY_SOCKET). Without
// systemd every call does nothing.
#pragma once

#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// True when a message was sent.
bool notifyService(std::string_view state);

bool notifyReady(std::string_view status);  // READY=1
bool notifyReloading();                     // followed by notifyReady
bool notifyStopping(std::string_view status);
bool notifyStatus(std::string_view status);  // one line for `systemctl status`
bool notifyWatchdog();                       // still alive

// How often at least systemd wants notifyWatchdog; nothing when it doesn't watch.
std::optional<Duration> watchdogInterval();

}  // namespace epode
