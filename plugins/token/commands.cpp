#include "commands.h"

#include "authority.h"

#include "core/data_folder.h"
#include "core/worker_pool.h"
#include "route/server.h"
#include "store/stores.h"

namespace epode::token {

namespace {

constexpr Duration usualLifetime = std::chrono::hours{1};

Task<CommandResult> issue(Server& server, CommandCall& call) {
    const Jid account = call.jid("account").bare();
    if (!account.hasLocal() || !server.isLocal(account.domain()))
        co_return CommandResult::refusal("invalid", "This is no account of this server.");
    const auto stored = co_await server.stores().accounts.credentials(account.text());
    if (!stored)
        co_return CommandResult::refusal("not-found",
                                         "There is no account " + account.text() + ".");
    const Rules rules{*server.settings(), std::string{account.domain()}};
    const Duration lifetime = call.has("expires") ? call.duration("expires") : usualLifetime;
    if (lifetime <= Duration{} || lifetime > rules.lifetimeMost)
        co_return CommandResult::refusal(
            "invalid", "A token is valid for at most " + epode::toText(rules.lifetimeMost) + ".",
            "The option token.lifetime_max says how long.");
    const std::string scope = call.has("scope") ? call.text("scope") : rules.scope;
    Authority authority{rules, dataFolder(*server.settings())};
    auto read = [&authority] {
        authority.readKeys();
        return true;
    };
    co_await offload(server.workers(), read);
    const WallTime now = call.executor().wallNow();
    const WallTime expires = now + std::chrono::duration_cast<std::chrono::milliseconds>(lifetime);
    std::string text = authority.issue(*stored, account, scope, now, expires);
    if (text.empty())
        co_return CommandResult::refusal("failed", "The server has no key for tokens.",
                                         "Its log says why.");
    CommandResult result;
    result.fact("token", std::move(text));
    result.fact("expires", expires);
    co_return result;
}

}  // namespace

std::vector<Command> tokenCommands(Server& server) {
    const auto option = [](std::string name, ArgumentKind kind, std::string help) {
        return Argument{.name = std::move(name),
                        .kind = kind,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = std::move(help)};
    };
    return {
        {.name = "token issue",
         .summary = "Makes a token with which a program logs in as an account",
         .details =
             "It is shown once and stored nowhere. It ends with its time, with the "
             "account or its password, and with all others when token.key is removed from the data "
             "folder and the server started anew.",
         .arguments = {{.name = "account", .kind = ArgumentKind::Jid, .help = "Whose token it is"},
                       option("scope", ArgumentKind::Text,
                              "What it is for; token.scope without it"),
                       option("expires", ArgumentKind::Duration,
                              "How long it is valid, such as 10min; an hour without it")},
         .permission = Permission::Administer,
         .examples = {{"token issue juliet@capulet.example --expires 10min",
                       "a token for ten minutes"}},
         .run = [&server](CommandCall& call) { return issue(server, call); }}};
}

}  // namespace epode::token
