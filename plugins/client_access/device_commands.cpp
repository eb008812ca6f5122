#include "device_commands.h"

#include "device_access.h"
#include "route/account.h"
#include "route/every_shard.h"

namespace epode::devices {

namespace {

CommandResult noSuchAccount(const Jid& jid) {
    return CommandResult::refusal("not-found", "There is no account " + jid.text() + ".",
                                  "`epodectl user list` shows the accounts that exist.");
}

struct DeviceCommands {
    Server& server;

    Task<CommandResult> list(CommandCall& call) {
        const Jid jid = call.jid("address").bare();
        const auto account = co_await server.stores().accounts.find(jid.text());
        if (!account) co_return noSuchAccount(jid);
        const auto known = co_await server.stores().devices.list(*account);
        std::function<std::set<std::string>(Shard&)> look = [jid](Shard& shard) {
            const Account* loaded = shard.loaded(jid.text());
            return loaded ? connectedDevices(*loaded) : std::set<std::string>{};
        };
        const auto parts = co_await everyShard<std::set<std::string>>(server, look);
        std::set<std::string> connected;
        for (const auto& part : parts) connected.insert(part.begin(), part.end());
        auto result = CommandResult::table({"id", "software", "device", "first seen", "last seen",
                                            "connected", "password", "token until"});
        for (const auto& device : known)
            result.row({device.device, device.software, device.name, device.firstSeen,
                        device.lastSeen, connected.contains(device.device), device.hasPassword,
                        device.tokenExpires});
        co_return result;
    }

    Task<CommandResult> revokeOne(CommandCall& call) {
        const Jid jid = call.jid("address").bare();
        const std::string device = call.text("id");
        const auto account = co_await server.stores().accounts.find(jid.text());
        if (!account) co_return noSuchAccount(jid);
        const auto done = co_await revoke(server, jid, *account, device);
        if (done == Revocation::Unknown)
            co_return CommandResult::refusal(
                "not-found", jid.text() + " has no device " + device + ".",
                "`epodectl device list` shows the devices of an account.");
        if (done == Revocation::PasswordReset)
            co_return CommandResult::message(
                "Its tokens and sessions have ended, but this device has logged in with the "
                "password and may "
                "know it: `epodectl user passwd " +
                jid.text() + "` keeps it out.");
        co_return CommandResult::message("The access of this device was revoked.");
    }
};

}  // namespace

std::vector<Command> commands(Server& server) {
    auto all = std::make_shared<DeviceCommands>(DeviceCommands{server});
    const auto run = [&all](Task<CommandResult> (DeviceCommands::*handler)(CommandCall&)) {
        return [all, handler](CommandCall& call) { return ((*all).*handler)(call); };
    };
    const Argument address{.name = "address",
                           .kind = ArgumentKind::Jid,
                           .help = "The account, such as juliet@capulet.example"};
    const Argument id{.name = "id", .help = "The device, as `epodectl device list` names it"};
    std::vector<Command> list;
    list.push_back(
        {.name = "device list",
         .summary = "Lists the devices that have access to an account",
         .details = "Devices that have logged in by SASL2 and said which one they are (XEP-0494).",
         .arguments = {address},
         .permission = Permission::Operate,
         .run = run(&DeviceCommands::list)});
    list.push_back(
        {.name = "device revoke",
         .summary = "Takes the access of a device away",
         .details = "Ends its sessions and its tokens. A device that knows the password can log "
                    "in again until the password is changed.",
         .arguments = {address, id},
         .permission = Permission::Operate,
         .run = run(&DeviceCommands::revokeOne)});
    return list;
}

}  // namespace epode::devices
