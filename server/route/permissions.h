// Who may use operators' commands through a door for accounts (chat, HTTP). A plugin offers it with
// `context.offerPermissions`; others find it at `Services::permissions` (null: nobody may).
#pragma once

#include "core/command.h"
#include "core/jid.h"

#include <optional>

namespace epode {

class Permissions {
public:
    virtual ~Permissions() = default;
    // Over the whole server; nothing for everybody else. From any thread.
    virtual std::optional<Permission> permission(const Jid& caller) const = 0;
};

}  // namespace epode
