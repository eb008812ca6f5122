// Who may use which commands in a client. Thread-safe.
#pragma once

#include "core/command.h"
#include "core/jid.h"
#include "route/permissions.h"

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace epode::adhoc {

class Operators final : public Permissions {
public:
    // Bare addresses, as they are configured.
    using Names = std::vector<std::string>;
    Operators(const Names& admins, const Names& operators, const Names& hostAdmins);

    std::optional<Permission> permission(const Jid& caller) const override;
    // Over the accounts of this host: its own administrators, and those of the server.
    std::optional<Permission> permissionOverHost(const Jid& caller) const;

    // Administrators of this host that others have named in their client, besides those of the
    // configuration.
    void setNamed(const Names& named);
    Names named() const;

private:
    const std::set<std::string, std::less<>> admins_, operators_, hostAdmins_;  // bare addresses
    mutable std::mutex mutex_;
    std::set<std::string, std::less<>> named_;
};

}  // namespace epode::adhoc
