// The picture's hash in the presence of clients (XEP-0153, 4.1 and XEP-0398, 4).
#pragma once

#include "route/hooks.h"

#include <string_view>

namespace epode::avatar {

// Whose word an empty <photo/> is: a client that says so itself is left alone.
enum class EmptyPhoto { IsClients, IsOurs };

// Puts the hash (in hexadecimal; "" when there is no picture) where it belongs. True when the
// presence was changed or says the same already; false when its client wants no picture shown, or
// nothing has to be said.
bool showHash(StanzaEdit& presence, std::string_view hash, EmptyPhoto empty);

}  // namespace epode::avatar
