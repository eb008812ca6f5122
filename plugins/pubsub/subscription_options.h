// What a subscriber may set about a subscription (XEP-0060, 6.3).
#pragma once

#include "core/data_form.h"
#include "core/stanza_error.h"
#include "model.h"

#include <optional>

namespace epode::pubsub {

DataForm optionsForm(const Subscription& subscription, FormKind kind);

// Changes `subscription` as the form says; unchanged when it is refused (invalid-options).
std::optional<StanzaError> applyOptions(const Element* x, WallTime now, Subscription& subscription);

}  // namespace epode::pubsub
