// What operators do, with the permission that they have in chat (`commands.admins` and its likes):
// the commands of epodectl, whatever plugins bring along.
#include "service.h"

#include "core/command_json.h"
#include "core/commands.h"
#include "route/command_call.h"
#include "route/permissions.h"
#include "route/server.h"

#include <algorithm>

namespace epode::rest {

namespace {

// "user add" is called "user.add" here, as in chat.
std::string wordOf(std::string name) {
    std::replace(name.begin(), name.end(), ' ', '.');
    return name;
}
std::string nameOf(std::string word) {
    std::replace(word.begin(), word.end(), '.', ' ');
    return word;
}

std::optional<Permission> permissionOf(const Call& call) {
    const Permissions* const permissions = call.services->permissions;
    return permissions ? permissions->permission(call.who.account) : std::nullopt;
}

Problem noOperator() {
    return {.status = 403, .word = "forbidden", .detail = "You are no operator of this server."};
}

int statusOf(const std::string& code) {
    if (code == "usage" || code == "invalid") return 400;
    if (code == "forbidden") return 403;
    if (code == "not-found" || code == "unknown-command") return 404;
    if (code == "exists") return 409;
    if (code == "unavailable") return 503;
    if (code == "failed") return 500;
    return 422;
}

std::string_view wordFor(int status) {
    for (const ProblemKind& kind : problemKinds())
        if (kind.status == status) return kind.word;
    return "refused";
}

Problem problemOf(const CommandError& error) {
    const int status = statusOf(error.code);
    Problem problem{.status = status, .word = std::string{wordFor(status)}};
    if (status == 422) problem.word = "refused";
    problem.detail = error.message + (error.hint.empty() ? "" : " " + error.hint);
    return problem;
}

}  // namespace

Task<Outcome> Service::listCommands(Call& call) {
    const auto permission = permissionOf(call);
    if (!permission || !server_.commands()) co_return noOperator();
    std::vector<CommandInfo> mine;
    for (auto& command : server_.commands()->list()) {
        if (*permission < command.permission) continue;
        command.name = wordOf(command.name);
        mine.push_back(std::move(command));
    }
    co_return jsonAnswer(toJson(mine));
}

// Who is no operator learns nothing of what operators have, not even what it is called.
Task<Outcome> Service::runCommand(Call& call) {
    const auto permission = permissionOf(call);
    Commands* const commands = server_.commands();
    if (!permission || !commands) co_return noOperator();
    const std::string name = nameOf(call.text("name"));
    const auto all = commands->list();
    const auto info = std::find_if(all.begin(), all.end(),
                                   [&name](const CommandInfo& each) { return each.name == name; });
    if (info == all.end()) co_return notFound("There is no such command.");
    if (*permission >= info->permission && info->danger == Danger::Dangerous &&
        !call.flag("confirm", false))
        co_return Problem{.status = 422,
                          .word = "refused",
                          .detail = "This can't be undone: say \"?confirm=true\" if it is meant."};
    Caller caller{.name = call.who.account.text(), .permission = *permission, .door = "http"};
    const auto result =
        co_await callCommand(server_, name, std::move(call.arguments), std::move(caller));
    if (result.isRefusal()) co_return problemOf(result.error());
    co_return jsonAnswer(toJson(result));
}

}  // namespace epode::rest
