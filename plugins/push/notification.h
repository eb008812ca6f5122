// What is told to push services (XEP-0357, 7), and when.
#pragma once

#include "core/option.h"
#include "core/stanza.h"
#include "registrations.h"

namespace epode {
class Account;
}

namespace epode::push {

inline const Option<Duration> interval{
    .key = "push.interval",
    .fallback = std::chrono::seconds{2},
    .range = {Duration{}, std::chrono::hours{1}},
    .help =
        "How long a push service is left alone after a notification; what comes meanwhile is told "
        "in one.",
};
inline const Option<bool> withSender{
    .key = "push.with_sender",
    .fallback = false,
    .help = "Whether push services are told who has written.",
};
inline const Option<bool> withBody{
    .key = "push.with_body",
    .fallback = false,
    .help = "Whether push services are told the first words of a message that is not encrypted.",
};
inline const Option<std::int64_t> failuresMax{
    .key = "push.failures_max",
    .fallback = 10,
    .range = {1, 1000},
    .help = "After how many errors in a row a push service is not told any more.",
};

// Whether a person is to be called for it: a text, encrypted content, a call, an invitation. Not
// what another client has read, nor that somebody types.
bool isWorthWaking(const Stanza& message);

// One more message waits for the client; its service is told now, or when the last notification is
// as old as the interval says.
void wake(Account& account, Registration& registration, std::uint32_t messages,
          const StanzaPtr& last, Duration wait = {});
// The client is there again.
void awake(Account& account, Registration& registration);

}  // namespace epode::push
