#include "operators.h"

#include "core/log.h"

namespace epode::adhoc {

namespace {

const Log adhocLog{"plugin.adhoc"};

std::set<std::string, std::less<>> read(const Operators::Names& texts) {
    std::set<std::string, std::less<>> all;
    for (const auto& text : texts) {
        const auto jid = Jid::parse(text);
        if (jid && jid->hasLocal() && jid->isBare())
            all.insert(jid->text());
        else
            adhocLog.error("an administrator is named by an address like juliet@capulet.example",
                           {{"value", text}});
    }
    return all;
}

}  // namespace

Operators::Operators(const Names& admins, const Names& operators, const Names& hostAdmins)
    : admins_{read(admins)}, operators_{read(operators)}, hostAdmins_{read(hostAdmins)} {}

std::optional<Permission> Operators::permission(const Jid& caller) const {
    if (admins_.contains(caller.bareText())) return Permission::Administer;
    if (operators_.contains(caller.bareText())) return Permission::Operate;
    return std::nullopt;
}

std::optional<Permission> Operators::permissionOverHost(const Jid& caller) const {
    if (hostAdmins_.contains(caller.bareText())) return Permission::Administer;
    {
        const std::lock_guard lock{mutex_};
        if (named_.contains(caller.bareText())) return Permission::Administer;
    }
    return permission(caller);
}

void Operators::setNamed(const Names& named) {
    const std::lock_guard lock{mutex_};
    named_ = {named.begin(), named.end()};
}

Operators::Names Operators::named() const {
    const std::lock_guard lock{mutex_};
    return {named_.begin(), named_.end()};
}

}  // namespace epode::adhoc
