// Whether a session gets copies: a slot of the session, there only while it does.
#pragma once

#include "route/session.h"

#include <string>
#include <string_view>

namespace epode::carbons {

struct Enabled {
    std::string save() const { return {}; }
    static Enabled restore(std::string_view) { return {}; }
};

inline void enable(Session& session) { session.state<Enabled>(); }
inline void disable(Session& session) { session.slots().drop<Enabled>(); }
inline bool isEnabled(Session& session) { return session.slots().find<Enabled>() != nullptr; }

}  // namespace epode::carbons
