// Who may use which commands in a client.
#pragma once

#include "core/command.h"
#include "core/jid.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace epode::adhoc {

class Operators {
public:
    // Bare addresses, as they are configured.
    using Names = std::vector<std::string>;
    Operators(const Names& admins, const Names& operators, const Names& hostAdmins);

    // Over the whole server; nothing for everybody else.
    std::optional<Permission> permission(const Jid& caller) const;
    // Over the accounts of this host: its own administrators, and those of the server.
    std::optional<Permission> permissionOverHost(const Jid& caller) const;

private:
    std::set<std::string, std::less<>> admins_, operators_, hostAdmins_;  // bare addresses
};

}  // namespace epode::adhoc
