// Client Access Management (XEP-0494): an account's owner sees which devices have access, and takes
// it away from one.
#include "device_access.h"
#include "device_commands.h"

#include "core/time_format.h"
#include "plugin/plugin.h"

namespace epode {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view accessNs = "urn:xmpp:cam:0";
constexpr QName listElement{accessNs, "list"};
constexpr QName revokeElement{accessNs, "revoke"};
// Of sessions whose client has not said which device it is.
constexpr std::string_view sessionPrefix = "session:";

const Option<Duration> keep{
    .key = "device.keep",
    .fallback = 90 * 24h,
    .range = {1h, 3660 * 24h},
    .help = "A device that was away for so long and has no token is forgotten.",
    .scope = Scope::Server,
};
const Option<bool> keepNames{
    .key = "device.keep_names",
    .fallback = true,
    .help =
        "Whether it is kept what devices call themselves, for the account's owner to know them by.",
};
const Option<std::int64_t> perAccountMax{
    .key = "device.per_account_max",
    .fallback = 50,
    .range = {1, 1000},
    .help =
        "How many devices of an account are kept; beyond, the one that was away longest is "
        "forgotten.",
};

constexpr Duration firstSweepAfter = 3min;
constexpr Duration sweepEvery = 1h;
constexpr std::int64_t sweepMost = 1000;

StanzaError foreign() {
    return {Condition::Forbidden, "The devices of an account are its owner's business alone."};
}
StanzaError unknown() { return {Condition::ItemNotFound, "There is no such client."}; }

// XEP-0494, 3.2.
StanzaError passwordReset() {
    StanzaError error{ErrorType::Cancel, Condition::ServiceUnavailable,
                      "Its sessions have ended, but it may know the password: change that."};
    error.application = "password-reset-required";
    error.applicationNs = accessNs;
    return error;
}

class ClientAccess final : public Plugin {
public:
    explicit ClientAccess(PluginContext& context)
        : server_{context.server()},
          keep_{std::chrono::duration_cast<std::chrono::milliseconds>(context.value(keep))},
          keepNames_{context.value(keepNames)},
          perAccountMax_{context.value(perAccountMax)} {
        context.onLogin(this, &ClientAccess::note);
        context.onIq(StanzaType::Get, listElement, Addressee::Account, this, &ClientAccess::list);
        context.onIq(StanzaType::Set, revokeElement, Addressee::Account, this,
                     &ClientAccess::revoke);
        context.savedState<SessionDevice>("device");
        context.accountFeature(accessNs);
        if (context.isFirstHost())
            context.inBackground(firstSweepAfter, this, &ClientAccess::sweep);
    }

private:
    Task<void> note(Login& login) {
        if (login.deviceId.empty()) co_return;
        Executor& executor = login.shard->executor();
        DeviceLogin seen;
        seen.account = login.id;
        seen.device = login.deviceId;
        if (keepNames_) {
            seen.software = login.userAgent.software;
            seen.name = login.userAgent.device;
        }
        seen.byPassword = login.hasPassword;
        seen.when = executor.wallNow();
        server_.stores().devices.noteLogin(executor, std::move(seen), perAccountMax_);
    }

    Task<Reply> list(const Iq& iq);
    Task<Reply> revoke(const Iq& iq);
    static Reply revokeSession(const Iq& iq, std::string_view resource);

    Task<Duration> sweep() {
        const WallTime now = server_.here().executor().wallNow();
        const WallTime since = now - keep_;
        auto gone = co_await server_.stores().devices.expire(now, since, sweepMost);
        co_return gone < sweepMost ? sweepEvery : Duration{1s};
    }

    Server& server_;
    const std::chrono::milliseconds keep_;
    const bool keepNames_;
    const std::int64_t perAccountMax_;
};

struct Listed {
    std::string_view id;
    bool isConnected;
    WallTime first;
    WallTime last;
    bool hasPassword;
    bool hasToken;
    std::string_view software;
    std::string_view device;
};

void add(Element& clients, const Listed& listed) {
    Element& client = clients.add("client");
    client.set("connected", listed.isConnected ? "true" : "false");
    client.set("id", listed.id).set("type", "session");
    client.addWithText("first-seen", formatDateTime(listed.first));
    client.addWithText("last-seen", formatDateTime(listed.last));
    Element& auth = client.add("auth");
    if (listed.hasPassword) auth.add("password");
    if (listed.hasToken) auth.add("fast");
    client.add("permission").set("status", "unrestricted");
    if (listed.software.empty() && listed.device.empty()) return;
    Element& agent = client.add("user-agent");
    if (!listed.software.empty()) agent.addWithText("software", listed.software);
    if (!listed.device.empty()) agent.addWithText("device", listed.device);
}

Task<Reply> ClientAccess::list(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    const AccountId id = iq.account()->id();
    const auto known = co_await server_.stores().devices.list(id);
    const Account* account = iq.account();
    if (!account) co_return unknown();
    const WallTime now = iq.shard().executor().wallNow();
    const auto connected = devices::connectedDevices(*account);
    std::set<std::string> listed;
    Document clients{"clients", accessNs};
    for (const auto& device : known) {
        const bool isConnected = connected.contains(device.device);
        listed.insert(device.device);
        if (!isConnected && !devices::hasAccess(device, now)) continue;
        add(*clients,
            {device.device, isConnected, device.firstSeen, device.lastSeen, device.hasPassword,
             device.tokenExpires && *device.tokenExpires > now, device.software, device.name});
    }
    for (const auto& session : account->sessions()) {
        if (listed.contains(devices::deviceOf(*session))) continue;
        std::string id{sessionPrefix};
        id.append(session->jid().resource());
        add(*clients, {id, true, session->boundAt(), now, true, false, {}, {}});
    }
    co_return Reply{std::move(clients)};
}

// A client without a device logs in with the password each time.
Reply ClientAccess::revokeSession(const Iq& iq, std::string_view resource) {
    Account* account = iq.account();
    if (!account || !account->session(resource)) return unknown();
    // After the answer, which may go to this very session.
    iq.shard().executor().post([&shard = iq.shard(), full = account->session(resource)->jid()] {
        if (Session* session = shard.session(full))
            session->end({.condition = StreamCondition::NotAuthorized,
                          .text = "The access of this device was revoked."});
    });
    return passwordReset();
}

Task<Reply> ClientAccess::revoke(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    const std::string id{iq.payload().get("id")};
    if (id.empty()) co_return StanzaError{Condition::BadRequest, "Say which client, by its 'id'."};
    if (id.starts_with(sessionPrefix))
        co_return revokeSession(iq, std::string_view{id}.substr(sessionPrefix.size()));
    const Jid owner = iq.from().bare();
    const AccountId account = iq.account()->id();
    const auto done = co_await devices::revoke(server_, owner, account, id);
    if (done == devices::Revocation::Unknown) co_return unknown();
    if (done == devices::Revocation::PasswordReset) co_return passwordReset();
    co_return Reply{};
}

const PluginInfo info{
    .name = "client_access",
    .summary = "People and operators see which devices have access to an account, and revoke it",
    .implements = {{"XEP-0494", "0.1.0"}},
    .options = {&keep, &keepNames, &perAccountMax},
    .commands = devices::commands,
};

}  // namespace

DECLARE_PLUGIN(ClientAccess, info)

}  // namespace epode
