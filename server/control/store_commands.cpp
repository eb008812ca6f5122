#include "control/store_commands.h"

#include "control/tell_progress.h"
#include "route/server.h"
#include "store/database.h"

#include <filesystem>

namespace epode {

namespace {

struct StoreCommands {
    Server& server;

    Task<CommandResult> backup(CommandCall& call) {
        const std::string path = call.text("file");
        if (!std::filesystem::path{path}.is_absolute())
            co_return CommandResult::refusal("invalid", "The file is written by the server: give its whole path.",
                                             "For example: epodectl db backup /var/backups/epode.sqlite");
        if (std::filesystem::exists(path))
            co_return CommandResult::refusal("exists", path + " exists already; a backup doesn't replace files.");
        LongWork work = TellProgress{call, "pages"};
        co_await server.database().backup(path, std::move(work));
        CommandResult result = CommandResult::message("The database was copied to " + path + ".");
        result.fact("file", path);
        result.fact("size", Bytes{std::filesystem::file_size(path)});
        co_return result;
    }

    Task<CommandResult> verify(CommandCall& call) {
        LongWork work = TellProgress{call, "tables"};
        const auto problems = co_await server.database().verify(std::move(work));
        if (problems.empty()) co_return CommandResult::message("The database is sound.");
        auto result = CommandResult::refusal("failed", "The database is damaged: " + problems.front(),
                                             "Stop the server and restore a backup; keep the damaged file.");
        for (const auto& problem : problems) result.warn(problem);
        co_return result;
    }
};

}  // namespace

std::vector<CommandRegistry::Registration> addStoreCommands(CommandRegistry& registry, Server& server) {
    auto commands = std::make_shared<StoreCommands>(StoreCommands{server});
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "db backup",
        .summary = "Copies the database while it is in use",
        .arguments = {{.name = "file", .help = "Where the server writes the copy: a whole path"}},
        .run = [commands](CommandCall& call) { return commands->backup(call); },
    }));
    all.push_back(registry.add({
        .name = "db verify",
        .summary = "Checks the database by its own means",
        .run = [commands](CommandCall& call) { return commands->verify(call); },
    }));
    return all;
}

}  // namespace epode
