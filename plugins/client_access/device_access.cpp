#include "device_access.h"

#include "route/account.h"
#include "route/every_shard.h"
#include "route/login.h"
#include "route/session.h"
#include "route/shard.h"

#include <algorithm>

namespace epode::devices {

namespace {

void note(Shard& home, const Jid& account, const std::string& device) {
    if (Host* host = home.host(account.domain()))
        noteRevocation(*host, account, device, home.executor().now());
}

void endSessions(Shard& home, const Jid& account, const std::string& device) {
    note(home, account, device);
    Account* loaded = home.loaded(account.text());
    if (!loaded) return;
    std::vector<Session*> ending;
    for (const auto& session : loaded->sessions())
        if (deviceOf(*session) == device) ending.push_back(session.get());
    for (Session* session : ending)
        session->end({.condition = StreamCondition::NotAuthorized,
                      .text = "The access of this device was revoked."});
}

}  // namespace

Task<Revocation> revoke(Server& server, Jid account, AccountId id, std::string device) {
    DeviceStore& store = server.stores().devices;
    const auto known = co_await store.list(id);
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& one) { return one.device == device; });
    if (found == known.end()) co_return Revocation::Unknown;
    // Noted twice: the logins that are under way now get no session, so that a token which they are
    // given before the others are forgotten goes with these; and those that begin while they are being
    // forgotten get none either.
    Shard& home = server.shardOf(account.text());
    std::function<bool(Shard&)> noteAtHome = [&home, account, device](Shard& shard) {
        if (&shard == &home) note(shard, account, device);
        return true;
    };
    const auto noted = co_await everyShard<bool>(server, noteAtHome);
    (void)noted;
    if (found->hasPassword) {
        const bool hadTokens = co_await store.forgetTokens(id, device);
        (void)hadTokens;
    } else {
        const bool isGone = co_await store.forget(id, device);
        (void)isGone;
    }
    home.executor().post([&home, account, device] { endSessions(home, account, device); });
    co_return found->hasPassword ? Revocation::PasswordReset : Revocation::Done;
}

std::string deviceOf(const Session& session) {
    const auto* device = const_cast<Session&>(session).slots().find<SessionDevice>();
    return device ? device->id : std::string{};
}

std::set<std::string> connectedDevices(const Account& account) {
    std::set<std::string> connected;
    for (const auto& session : account.sessions()) connected.insert(deviceOf(*session));
    return connected;
}

bool hasAccess(const StoredDevice& device, WallTime now) {
    return device.hasPassword || (device.tokenExpires && *device.tokenExpires > now);
}

}  // namespace epode::devices
