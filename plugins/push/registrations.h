// The push services of an account that is in memory: a slot of the account, there only when it has
// any.
#pragma once

#include "core/executor.h"
#include "core/jid.h"
#include "core/stanza.h"
#include "core/time.h"
#include "push_store.h"

#include <memory>
#include <string_view>
#include <vector>

namespace epode::push {

struct Registration {
    StoredRegistration stored;
    Jid service;
    StanzaPtr last;       // the message that the next notification tells of
    SteadyTime sentAt{};  // the last notification
    Timer timer;          // the next one is due
};

class Registrations {
public:
    // Replaces one of the same service and node. Does nothing when the service has no valid
    // address.
    void put(StoredRegistration stored);
    Registration* find(std::string_view service, std::string_view node) const;
    void remove(std::string_view service, std::string_view node);
    void removeAll(std::string_view service);
    const std::vector<std::unique_ptr<Registration>>& all() const { return all_; }

private:
    std::vector<std::unique_ptr<Registration>> all_;
};

}  // namespace epode::push
