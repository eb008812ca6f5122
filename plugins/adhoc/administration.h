// Service administration (XEP-0133): the declared commands under the names and forms which clients
// know. Each acts on the accounts of the host that it is sent to.
#pragma once

#include "core/command.h"
#include "operators.h"
#include "plugin/plugin.h"
#include "store/keyed_store.h"

#include <string>
#include <vector>

namespace epode::adhoc {

inline constexpr std::string_view adminNs = "http://jabber.org/protocol/admin";

class Administration {
public:
    Administration(PluginContext& context, Operators& operators, std::size_t rowsMax);

private:
    using Handler = Task<AdHocReply> (Administration::*)(const AdHocCall&);
    enum class Over : std::uint8_t { Host, Server };
    void add(PluginContext& context, std::string_view node, std::string name, Permission needed,
             Over over, Handler handler);

    Task<AdHocReply> addUser(const AdHocCall& call);
    Task<AdHocReply> deleteUsers(const AdHocCall& call);
    Task<AdHocReply> disableUsers(const AdHocCall& call);
    Task<AdHocReply> enableUsers(const AdHocCall& call);
    Task<AdHocReply> endSessions(const AdHocCall& call);
    Task<AdHocReply> changePassword(const AdHocCall& call);
    Task<AdHocReply> showRoster(const AdHocCall& call);
    Task<AdHocReply> showLastLogin(const AdHocCall& call);
    Task<AdHocReply> showStatistics(const AdHocCall& call);
    Task<AdHocReply> countRegistered(const AdHocCall& call);
    Task<AdHocReply> countDisabled(const AdHocCall& call);
    Task<AdHocReply> countOnline(const AdHocCall& call);
    Task<AdHocReply> countActive(const AdHocCall& call);
    Task<AdHocReply> countIdle(const AdHocCall& call);
    Task<AdHocReply> listRegistered(const AdHocCall& call);
    Task<AdHocReply> listDisabled(const AdHocCall& call);
    Task<AdHocReply> listOnline(const AdHocCall& call);
    Task<AdHocReply> listActive(const AdHocCall& call);
    Task<AdHocReply> listIdle(const AdHocCall& call);
    Task<AdHocReply> editBlacklist(const AdHocCall& call);
    Task<AdHocReply> announceOnline(const AdHocCall& call);
    Task<AdHocReply> announceAll(const AdHocCall& call);
    Task<AdHocReply> setMotd(const AdHocCall& call);
    Task<AdHocReply> editMotd(const AdHocCall& call);
    Task<AdHocReply> deleteMotd(const AdHocCall& call);
    Task<AdHocReply> setWelcome(const AdHocCall& call);
    Task<AdHocReply> deleteWelcome(const AdHocCall& call);
    Task<AdHocReply> editAdmins(const AdHocCall& call);
    Task<AdHocReply> restart(const AdHocCall& call);
    Task<AdHocReply> shutdown(const AdHocCall& call);

    // Runs a declared command with the caller's permission over this host.
    Task<CommandResult> run(const AdHocCall& call, std::string_view name, RawArguments arguments);
    Task<AdHocReply> runOnEach(const AdHocCall& call, std::string_view name,
                               std::string_view title);
    Task<AdHocReply> runWithText(const AdHocCall& call, std::string_view name,
                                 std::string_view var);
    enum class Among : std::uint8_t { All, Disabled };
    Task<std::vector<std::string>> accounts(Among among, std::size_t most);
    Task<CommandResult> online(const AdHocCall& call, std::string_view state);
    Task<AdHocReply> countThose(const AdHocCall& call, std::string_view state, std::string_view var,
                                const char* label);
    Task<AdHocReply> listThose(const AdHocCall& call, std::string_view state, std::string_view var,
                               const char* title);
    Task<AdHocReply> end(const AdHocCall& call, std::string_view name, std::string_view title);
    bool isOurs(const Jid& account) const;
    std::size_t wantedItems(const DataForm& answer) const;
    Task<Duration> loadAdmins();
    Verdict onRemoved(AccountEvent& event);
    Task<> saveAdmins(std::vector<std::string> jids);

    Server& server_;
    const std::string host_;
    Operators& operators_;
    KeyedStore store_;
    const std::size_t rowsMax_;
};

}  // namespace epode::adhoc
