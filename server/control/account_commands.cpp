#include "control/account_commands.h"

#include "control/account_transfer.h"
#include "control/server_data.h"
#include "control/tell_progress.h"
#include "core/time_format.h"
#include "core/worker_pool.h"
#include "route/server.h"
#include "store/stores.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace epode {

namespace {

constexpr std::size_t flushBytes = 256u << 10;

// To a file, by way of a worker: the disk may take its time. Ends when nobody waits for it any more.
class FileSink final : public AccountSink {
public:
    FileSink(AccountFileWriter& file, WorkerPool& workers, CommandCall& call)
        : file_{file}, workers_{workers}, tell_{call, "KiB written"} {}

    Task<void> write(std::string xml) override {
        buffer_ += xml;
        if (buffer_.size() < flushBytes) co_return;
        co_await flush();
    }
    Task<void> flush() {
        auto work = [this, text = std::exchange(buffer_, {})] {
            file_.write(text);
            return true;
        };
        co_await offload(workers_, std::move(work));
        if (!tell_(std::int64_t(file_.size() / 1024)))
            throw AccountFileError{"It was ended before it was done."};
    }

private:
    AccountFileWriter& file_;
    WorkerPool& workers_;
    TellProgress tell_;
    std::string buffer_;
};

CommandResult noSuchAccount(const Jid& jid) {
    return CommandResult::refusal("not-found", "There is no account " + jid.text() + ".",
                                  "`epodectl user list` shows the accounts that exist.");
}

// "where | what | how many", and what went wrong.
CommandResult tableOf(const TransferReport& report, std::string_view done, std::string message) {
    const bool isRefused = std::any_of(report.rows.begin(), report.rows.end(),
                                       [](const TransferRow& row) { return row.refused > 0; });
    std::vector<std::string> columns{"where", "what", std::string{done}};
    if (isRefused) columns.emplace_back("refused");
    auto result = CommandResult::table(std::move(columns));
    for (const TransferRow& row : report.rows) {
        std::vector<Cell> cells{row.where, row.what, row.done};
        if (isRefused) cells.emplace_back(row.refused);
        result.row(std::move(cells));
    }
    for (const auto& warning : report.warnings) result.warn(warning);
    result.say(std::move(message));
    return result;
}

// Tables of plugins that say nothing of how their rows are exported.
std::set<std::string> unexportedTables(const PluginHost& plugins) {
    std::set<std::string> tables;
    for (const auto& [name, entry] : plugins.available()) {
        const auto& data = entry->info->data;
        if (std::any_of(data.begin(), data.end(),
                        [](const auto& kind) { return kind.write != nullptr; }))
            continue;
        for (const AccountTable& table : entry->info->accountTables) tables.emplace(table.table);
    }
    return tables;
}

struct AccountCommands {
    Server& server;
    const PluginHost& plugins;
    std::string folder;

    Task<CommandResult> exportTo(CommandCall& call) {
        const Jid jid = call.jid("address").bare();
        std::filesystem::path path = call.has("file") ? call.text("file") : std::string{};
        if (!path.empty() && !path.is_absolute())
            co_return CommandResult::refusal(
                "invalid", "The file is written by the server: give its whole path.",
                "Without --file it is put into " + folder + ".");
        if (path.empty()) {
            std::filesystem::create_directories(folder);
            std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
            const WallTime now = server.here().executor().wallNow();
            path = std::filesystem::path{folder} /
                   (jid.text() + " " + formatDateTime(now).substr(0, 19) + ".xml");
        }
        AccountFileWriter file{path};
        FileSink sink{file, server.workers(), call};
        auto kinds = allAccountData(plugins);
        auto report = co_await exportAccount(server, std::move(kinds), jid, sink);
        if (!report) co_return noSuchAccount(jid);
        const auto account = co_await server.stores().accounts.find(jid.text());
        const auto found = co_await server.stores().accounts.rows(account.value_or(0));
        const auto unexported = unexportedTables(plugins);
        for (const AccountRows& rows : found)
            if (unexported.contains(rows.table))
                report->warnings.push_back("Not in the file: " + std::to_string(rows.rows) + " " +
                                           rows.what + " in " + rows.table + ".");
        co_await sink.flush();
        auto finish = [&file] {
            file.finish();
            return true;
        };
        co_await offload(server.workers(), finish);
        auto result = tableOf(*report, "exported",
                              jid.text() + " was written to " + path.string() +
                                  ", which holds what logs in as it: keep it safe.");
        result.fact("file", path.string());
        result.fact("size", Bytes{file.size()});
        co_return result;
    }

    Task<CommandResult> importFrom(CommandCall& call) {
        const std::filesystem::path path = call.text("file");
        if (!path.is_absolute())
            co_return CommandResult::refusal(
                "invalid", "The file is read by the server: give its whole path.",
                "For example: epodectl account import /tmp/juliet.xml");
        std::optional<Jid> only;
        if (call.has("address")) only = call.jid("address").bare();
        std::function<bool(std::int64_t)> progress = TellProgress{call, "accounts"};
        auto kinds = allAccountData(plugins);
        const auto report = co_await importAccounts(server, std::move(kinds), path, only, progress);
        auto result = tableOf(report, "imported",
                              "Accounts that were made: " + std::to_string(report.accounts) + ".");
        result.fact("accounts", report.accounts);
        co_return result;
    }

    Task<CommandResult> erase(CommandCall& call) {
        const Jid jid = call.jid("address").bare();
        auto kinds = allAccountData(plugins);
        const auto report = co_await eraseAccount(server, std::move(kinds), jid);
        if (!report) co_return noSuchAccount(jid);
        co_return tableOf(*report, "removed",
                          "The account " + jid.text() +
                              " was removed with all that was kept of it. "
                              "What others have received from it is theirs, and stays.");
    }
};

}  // namespace

std::vector<OwnedData> allAccountData(const PluginHost& plugins) {
    auto all = serverData();
    for (const auto& [name, entry] : plugins.available())
        for (const AccountData& data : entry->info->data) all.push_back({name, data});
    return all;
}

std::vector<CommandRegistry::Registration> addAccountCommands(CommandRegistry& registry,
                                                              Server& server,
                                                              const PluginHost& plugins,
                                                              std::string folder) {
    auto commands =
        std::make_shared<AccountCommands>(AccountCommands{server, plugins, std::move(folder)});
    const auto run = [&commands](Task<CommandResult> (AccountCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    const Argument address{.name = "address",
                           .kind = ArgumentKind::Jid,
                           .help = "The account, such as juliet@capulet.example"};
    const Argument only{.name = "address",
                        .kind = ArgumentKind::Jid,
                        .presence = Presence::Optional,
                        .help = "Only this account of the file"};
    const Argument target{
        .name = "file",
        .presence = Presence::Optional,
        .form = Form::Option,
        .help =
            "Where the server writes it: a whole path of a file that is not there "
            "yet; else it gets a name in the folder exports of the data folder"};
    const Argument source{.name = "file", .help = "What the server reads: a whole path"};

    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add(
        {.name = "account export",
         .summary = "Writes all that is kept of an account to a file",
         .details =
             "The file has the format of XEP-0227, which other servers read as well. It holds the "
             "salted keys of the password, contacts, messages, and what plugins keep. Other than "
             "by this name nobody may read it; it is as secret as the account.",
         .arguments = {address, target},
         .examples = {{"account export juliet@capulet.example --file /var/backups/juliet.xml", ""}},
         .run = run(&AccountCommands::exportTo)}));
    all.push_back(registry.add(
        {.name = "account import",
         .summary = "Makes the accounts of a file",
         .details =
             "The file has the format of XEP-0227; it may come from another server. An account "
             "that exists already is left as it is. Nothing is made when the file can't be read "
             "to its end.",
         .arguments = {source, only},
         .examples = {{"account import /var/backups/juliet.xml", ""}},
         .run = run(&AccountCommands::importFrom)}));
    all.push_back(
        registry.add({.name = "account erase",
                      .summary = "Removes an account, and lists what was found of it where",
                      .arguments = {address},
                      .danger = Danger::Dangerous,
                      .run = run(&AccountCommands::erase)}));
    return all;
}

}  // namespace epode
