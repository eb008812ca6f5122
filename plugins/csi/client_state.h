// What waits for an inactive client: a slot of its session, there only while it is inactive.
#pragma once

#include "core/stanza.h"
#include "core/time.h"
#include "route/session.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode::csi {

class Inactive {
public:
    Inactive();
    ~Inactive();
    Inactive(const Inactive&) = delete;
    Inactive& operator=(const Inactive&) = delete;

    // `key` as of heldAs: what was held under it goes, unless the account's log counts on it.
    void hold(const StanzaPtr& stanza, std::string_view insertion, std::int64_t stamp,
              const std::string& key, WallTime now);
    // Writes all of it to the session, in the order in which it came.
    void flush(Session& session);

    std::size_t count() const { return held_.size(); }
    std::size_t bytes() const { return bytes_; }

private:
    struct Held {
        StanzaPtr stanza;
        std::string insertion;
        std::int64_t stamp;
        std::uint64_t keyHash;  // 0: of no other's kind
        WallTime at;
        std::size_t cost() const { return stanza->cost() + insertion.size(); }
    };
    void drop(const std::string& key, std::uint64_t keyHash);

    std::vector<Held> held_;
    std::size_t bytes_ = 0;
};

inline void becomeInactive(Session& session) {
    session.state<Inactive>();
    session.setInactive(true);
}
inline void becomeActive(Session& session) {
    session.slots().drop<Inactive>();
    session.setInactive(false);
}
inline Inactive* inactive(Session& session) { return session.slots().find<Inactive>(); }

}  // namespace epode::csi
