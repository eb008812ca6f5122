// What many conversations begin with.
#pragma once

#include "tests/route/stage.h"

namespace epode {

inline std::string bareOf(Actor& actor) { return actor.session()->jid().bare().text(); }

inline bool isEmpty(const StoredRoster& roster) {
    return roster.version == 0 && roster.items.empty() && roster.asking.empty();
}

// `follower` asks to see the presence of `shown`, who agrees. Both are available afterwards.
inline void subscribe(Actor& follower, Actor& shown) {
    if (!follower.session()->isAvailable()) follower.sends("<presence/>");
    if (!shown.session()->isAvailable()) shown.sends("<presence/>");
    follower.sends("<presence type='subscribe' to='" + bareOf(shown) + "'/>");
    shown.sends("<presence type='subscribed' to='" + bareOf(follower) + "'/>");
    follower.forgets();
    shown.forgets();
}

// Each sees the other.
inline void befriend(Actor& one, Actor& other) {
    subscribe(one, other);
    subscribe(other, one);
}

}  // namespace epode
