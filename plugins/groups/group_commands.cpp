#include "group_commands.h"

#include "live_groups.h"

#include "route/server.h"
#include "store/stores.h"

#include <memory>

namespace epode {

namespace {

constexpr std::size_t nameBytesMax = 100;
constexpr std::size_t shownMax = 1'000'000;

const Argument name{.name = "name", .help = "The name of the group, such as house"};

CommandResult noSuchGroup(const std::string& group) {
    return CommandResult::refusal("not-found", "There is no group " + group + " on this host.",
                                  "`epodectl group list` shows the groups.");
}

bool isPlainName(const std::string& text) {
    return !text.empty() && text.size() <= nameBytesMax &&
           text.find_first_of(" \t\r\n/@") == std::string::npos;
}

struct GroupCommands {
    explicit GroupCommands(Server& s) : server{s}, store{s.database()} {}

    std::string hostOf(const CommandCall& call) const {
        return call.has("host") ? call.text("host") : server.hosts().front();
    }
    void changed(const std::string& host) const {
        if (const auto live = LiveGroups::find(server, host)) live->reload();
    }
    std::size_t membersMax(const std::string& host) const {
        const auto live = LiveGroups::find(server, host);
        return live ? live->membersMax() : shownMax;
    }

    Task<CommandResult> add(CommandCall& call) {
        const std::string host = hostOf(call);
        const std::string group = call.text("name");
        if (!isPlainName(group))
            co_return CommandResult::refusal("invalid", "The name of a group is one short word.");
        std::string title = call.has("title") ? call.text("title") : group;
        if (title.empty() || title.size() > 1024)
            co_return CommandResult::refusal("invalid", "The title is empty or too long.");
        const bool isEverybody = call.flag("everybody");
        if (isEverybody) {
            const std::size_t most = membersMax(host);
            const std::int64_t accounts = co_await server.stores().accounts.count(host);
            if (accounts > std::int64_t(most))
                co_return CommandResult::refusal("invalid",
                                                 "The host has " + std::to_string(accounts) +
                                                     " accounts, a group at most " +
                                                     std::to_string(most) + " members.",
                                                 "groups.members_max is the limit.");
        }
        const bool isNew = co_await store.add(host, group, std::move(title), isEverybody);
        if (!isNew)
            co_return CommandResult::refusal("exists", "The group " + group + " exists already.");
        changed(host);
        co_return CommandResult::message("The group " + group + " was made.");
    }

    Task<CommandResult> remove(CommandCall& call) {
        const std::string host = hostOf(call);
        const std::string group = call.text("name");
        const bool isThere = co_await store.remove(host, group);
        if (!isThere) co_return noSuchGroup(group);
        changed(host);
        co_return CommandResult::message("The group " + group + " was removed.");
    }

    Task<CommandResult> list(CommandCall& call) {
        const std::string host = hostOf(call);
        const auto groups = co_await store.load(host, shownMax);
        auto result = CommandResult::table({"name", "title", "everybody", "members"});
        for (const auto& group : groups)
            result.row({group.name, group.title, group.isEverybody, group.members.size()});
        co_return result;
    }

    Task<CommandResult> show(CommandCall& call) {
        const std::string host = hostOf(call);
        const std::string wanted = call.text("name");
        const auto groups = co_await store.load(host, shownMax);
        for (const auto& group : groups) {
            if (group.name != wanted) continue;
            auto result = CommandResult::table({"member"});
            result.fact("name", group.name);
            result.fact("title", group.title);
            result.fact("host", host);
            result.fact("everybody", group.isEverybody);
            for (const auto& member : group.members) result.row({member.text()});
            co_return result;
        }
        co_return noSuchGroup(wanted);
    }

    Task<CommandResult> addMember(CommandCall& call) {
        auto result = co_await change(call, Direction::In);
        co_return result;
    }
    Task<CommandResult> removeMember(CommandCall& call) {
        auto result = co_await change(call, Direction::Out);
        co_return result;
    }

    enum class Direction { In, Out };

    Task<CommandResult> change(CommandCall& call, Direction direction) {
        const std::string group = call.text("name");
        const auto& members = call.jids("address");
        const std::string host =
            call.has("host") ? call.text("host") : std::string{members.front().domain()};
        std::vector<AccountId> accounts;
        for (const Jid& jid : members) {
            if (!jid.hasLocal() || !jid.isBare() || jid.domain() != host)
                co_return CommandResult::refusal(
                    "invalid", jid.text() + " is no account of " + host + ".",
                    "The members of a group are accounts of its host.");
            const auto account = co_await server.stores().accounts.find(jid.text());
            if (!account)
                co_return CommandResult::refusal("not-found",
                                                 "There is no account " + jid.text() + ".");
            accounts.push_back(*account);
        }
        const bool isIn = direction == Direction::In;
        auto changing = isIn ? store.addMembers(host, group, accounts, membersMax(host))
                             : store.removeMembers(host, group, accounts);
        const auto outcome = co_await changing;
        if (outcome == GroupStore::Change::NoGroup) co_return noSuchGroup(group);
        if (outcome == GroupStore::Change::IsEverybody)
            co_return CommandResult::refusal(
                "invalid", "Everybody of the host is in the group " + group + ".");
        if (outcome == GroupStore::Change::TooMany)
            co_return CommandResult::refusal("invalid", "The group would have too many members.",
                                             "groups.members_max is the limit.");
        changed(host);
        co_return CommandResult::message("The group " + group + " was changed.");
    }

    Server& server;
    GroupStore store;
};

}  // namespace

std::vector<Command> groupCommands(Server& server) {
    auto commands = std::make_shared<GroupCommands>(server);
    const auto run = [&commands](Task<CommandResult> (GroupCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    const Argument host{.name = "host",
                        .kind = ArgumentKind::Host,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "The host of the group; the first one if it is not said"};
    const Argument title{.name = "title",
                         .presence = Presence::Optional,
                         .form = Form::Option,
                         .help = "What people see; the name if it is not said"};
    const Argument everybody{
        .name = "everybody",
        .kind = ArgumentKind::Flag,
        .help = "All accounts of the host are its members, also those to come"};
    const Argument members{
        .name = "address", .kind = ArgumentKind::Jid, .repeats = Repeats::Yes, .help = "Accounts"};
    return {
        {.name = "group add",
         .summary = "Makes a group whose members are in each other's rosters",
         .arguments = {name, title, everybody, host},
         .examples = {{"group add house --title 'House of Capulet'", ""},
                      {"group add all --everybody", "for everybody of the host"}},
         .run = run(&GroupCommands::add)},
        {.name = "group remove",
         .summary = "Removes a group; its members stay, and lose each other",
         .arguments = {name, host},
         .danger = Danger::Dangerous,
         .run = run(&GroupCommands::remove)},
        {.name = "group list",
         .summary = "Lists the groups of a host",
         .arguments = {host},
         .permission = Permission::Operate,
         .run = run(&GroupCommands::list)},
        {.name = "group show",
         .summary = "Shows a group and its members",
         .arguments = {name, host},
         .permission = Permission::Operate,
         .run = run(&GroupCommands::show)},
        {.name = "group member add",
         .summary = "Adds accounts to a group",
         .arguments = {host, name, members},
         .run = run(&GroupCommands::addMember)},
        {.name = "group member remove",
         .summary = "Takes accounts out of a group",
         .arguments = {host, name, members},
         .run = run(&GroupCommands::removeMember)},
    };
}

}  // namespace epode
