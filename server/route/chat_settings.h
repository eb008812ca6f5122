// How an account wants to be notified about a chat (XEP-0492), for whoever notifies: push.
//
//     if (ChatSettings* settings = host.services().chatSettings) {
//         const auto wish = co_await settings->notificationsOf(account, room);
//         if (wish == Notifications::Never) co_return;
//     }
#pragma once

#include "core/jid.h"
#include "core/task.h"

#include <cstdint>
#include <string_view>

namespace epode {

enum class Notifications : std::uint8_t {
    Unset,  // XEP-0492, 3: as Always in direct chats and private rooms, OnMention in public rooms
    Always,
    OnMention,
    Never,
};

class ChatSettings {
public:
    virtual ~ChatSettings() = default;

    // On the account's shard. `chat` is the bare address of a contact or room; `category` and
    // `type` are the service discovery identity of what would be notified. The answer is in memory
    // after the first question while the account is. Throws StoreUnavailable.
    virtual Task<Notifications> notificationsOf(Jid account, Jid chat,
                                                std::string_view category = "client",
                                                std::string_view type = "phone") = 0;
};

}  // namespace epode
