#include "client_state.h"

#include "core/metric.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "importance.h"
#include "route/host.h"

#include <algorithm>
#include <functional>

namespace epode::csi {

namespace {

Gauge inactiveSessions{"epode_csi_inactive_sessions",
                       "Sessions whose clients have said that nobody looks at them"};
Counter heldStanzas{"epode_csi_held_total", "Stanzas that had to wait for an inactive client"};
Counter replacedStanzas{"epode_csi_replaced_total",
                        "Stanzas that were never sent, because a newer state came"};
Counter flushedStanzas{"epode_csi_flushed_total",
                       "Stanzas that had waited for an inactive client and were sent"};

std::uint64_t hashOf(const std::string& key) {
    return key.empty() ? 0 : std::hash<std::string>{}(key) | 1;
}

// When it came (XEP-0203), unless it says so already.
void appendDelay(std::string& insertion, const Stanza& stanza, const std::string& host,
                 WallTime at) {
    if (stanza.child("delay", ns::delay) || insertion.find("<delay ") != std::string::npos) return;
    insertion.append("<delay xmlns='urn:xmpp:delay' from='");
    escapeAttribute(insertion, host);
    insertion.append("' stamp='");
    appendDateTime(insertion, at);
    insertion.append("'/>");
}

}  // namespace

Inactive::Inactive() { inactiveSessions.add(); }
Inactive::~Inactive() { inactiveSessions.add(-1); }

void Inactive::hold(const StanzaPtr& stanza, std::string_view insertion, std::int64_t stamp,
                    const std::string& key, WallTime now) {
    const std::uint64_t keyHash = hashOf(key);
    if (keyHash != 0) drop(key, keyHash);
    held_.push_back({stanza, std::string{insertion}, stamp, keyHash, now});
    bytes_ += held_.back().cost();
    heldStanzas.add();
}

// There is one at most. The key is compared as a whole: a stranger could make another's hash.
void Inactive::drop(const std::string& key, std::uint64_t keyHash) {
    const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
        return held.keyHash == keyHash && held.stamp == 0 && heldAs(*held.stanza) == key;
    });
    if (found == held_.end()) return;
    bytes_ -= found->cost();
    held_.erase(found);
    replacedStanzas.add();
}

void Inactive::flush(Session& session) {
    bytes_ = 0;
    for (Held& held : std::exchange(held_, {})) {
        appendDelay(held.insertion, *held.stanza, session.host().domain(), held.at);
        session.write(held.stanza, held.insertion, held.stamp);
        flushedStanzas.add();
    }
}

}  // namespace epode::csi
