#include "commands.h"

#include "moderator.h"

#include "core/log.h"
#include "core/time_format.h"
#include "route/every_shard.h"
#include "route/session.h"
#include "store/stores.h"

#include <utility>

namespace epode::moderation {

namespace {

const Log moderationLog{"moderation"};

constexpr std::size_t reasonBytesMax = 1024;

std::vector<std::shared_ptr<Moderator>> moderatorsOf(Server& server) {
    std::vector<std::shared_ptr<Moderator>> all;
    for (const auto& host : server.hosts())
        if (auto moderator = server.parts().find<Moderator>(host)) all.push_back(std::move(moderator));
    return all;
}

CommandResult noSuchAccount(const Jid& jid) {
    return CommandResult::refusal("not-found", "There is no account " + jid.text() + ".",
                                  "`epodectl user list` shows the accounts that exist.");
}

std::string reasonOf(const CommandCall& call) {
    return call.has("reason") ? call.text("reason") : std::string{};
}
std::optional<WallTime> untilOf(const CommandCall& call, WallTime now) {
    if (!call.has("term")) return std::nullopt;
    return now + std::chrono::duration_cast<std::chrono::milliseconds>(call.duration("term"));
}
std::optional<CommandResult> problemWith(const CommandCall& call) {
    if (reasonOf(call).size() > reasonBytesMax)
        return CommandResult::refusal("invalid", "The reason is too long.");
    if (call.has("term") && (call.duration("term") <= Duration{} ||
                             call.duration("term") > std::chrono::hours{24 * 3650}))
        return CommandResult::refusal("invalid", "A term is between a second and ten years.");
    return std::nullopt;
}

struct ModerationCommands {
    explicit ModerationCommands(Server& s) : server{s} {}

    static CommandResult unavailable() {
        return CommandResult::refusal("unavailable", "No host has the plugin moderation.");
    }

    Task<CommandResult> block(CommandCall& call) {
        if (auto problem = problemWith(call)) co_return *problem;
        const auto all = moderatorsOf(server);
        if (all.empty()) co_return unavailable();
        const Jid jid = call.jid("address").bare();
        if (!jid.hasLocal() && server.isLocal(jid.domain()))
            co_return CommandResult::refusal("invalid", jid.text() + " is a host of this server.");
        const WallTime now = Executor::current()->wallNow();
        Blocked blocked{.target = jid.text(),
                        .reason = reasonOf(call),
                        .by = call.caller().name,
                        .at = now,
                        .until = untilOf(call, now)};
        const std::int64_t most = all.front()->policy().blockedMax;
        const bool isKept = co_await all.front()->blocks().put(std::move(blocked), most);
        if (!isKept)
            co_return CommandResult::refusal("failed", "The list is full.",
                                             "The option moderation.blocked_max says how long it "
                                             "may be.");
        for (const auto& each : all) {
            auto reading = each->readBlocks();
            co_await reading;
        }
        moderationLog.notice(
            "an address was blocked",
            {{"address", jid.text()}, {"by", call.caller().name}, {"reason", reasonOf(call)}});
        co_return CommandResult::message(jid.text() + " is blocked.");
    }

    Task<CommandResult> unblock(CommandCall& call) {
        const auto all = moderatorsOf(server);
        if (all.empty()) co_return unavailable();
        const Jid jid = call.jid("address").bare();
        std::string target = jid.text();
        const bool wasThere = co_await all.front()->blocks().remove(std::move(target));
        if (!wasThere)
            co_return CommandResult::refusal("not-found", jid.text() + " is not blocked.",
                                             "`epodectl block list` shows who is.");
        for (const auto& each : all) {
            auto reading = each->readBlocks();
            co_await reading;
        }
        moderationLog.notice("an address was unblocked",
                             {{"address", jid.text()}, {"by", call.caller().name}});
        co_return CommandResult::message(jid.text() + " is not blocked any more.");
    }

    Task<CommandResult> listBlocked(CommandCall&) {
        const auto all = moderatorsOf(server);
        if (all.empty()) co_return unavailable();
        const auto entries = co_await all.front()->blocks().list();
        auto result = CommandResult::table({"address", "since", "until", "by", "reason"});
        for (const Blocked& blocked : entries)
            result.row({blocked.target, blocked.at, blocked.until, blocked.by, blocked.reason});
        co_return result;
    }

    Task<CommandResult> listPublished(CommandCall&) {
        auto result = CommandResult::table({"list", "entries", "read at"});
        for (const auto& moderator : moderatorsOf(server))
            for (const auto& state : moderator->published())
                result.row({state.name, state.entries, state.readAt});
        co_return result;
    }

    Task<CommandResult> suspend(CommandCall& call) {
        if (auto problem = problemWith(call)) co_return *problem;
        const Jid jid = call.jid("address").bare();
        const WallTime now = Executor::current()->wallNow();
        Disabling disabling{.reason = reasonOf(call), .until = untilOf(call, now)};
        const std::string text = disabling.text();
        const auto until = disabling.until;
        const bool found =
            co_await server.stores().accounts.setDisabled(jid.text(), true, std::move(disabling));
        if (!found) co_return noSuchAccount(jid);
        moderationLog.notice(
            "an account was suspended",
            {{"account", jid.text()}, {"by", call.caller().name}, {"reason", reasonOf(call)}});
        std::function<std::size_t(Shard&)> end = [jid, text](Shard& shard) {
            Account* account = shard.loaded(jid.text());
            std::vector<Session*> ending;
            if (account)
                for (const auto& session : account->sessions()) ending.push_back(session.get());
            for (Session* session : ending)
                session->end({.condition = StreamCondition::PolicyViolation, .text = text});
            return ending.size();
        };
        auto asking = everyShard<std::size_t>(server, std::move(end));
        const auto counts = co_await asking;
        std::size_t ended = 0;
        for (const std::size_t some : counts) ended += some;
        auto result = CommandResult::message(
            "The account " + jid.text() + " is suspended" +
            (until ? " until " + formatDateTime(*until) : std::string{}) + ": nobody logs in.");
        result.fact("sessions ended", ended);
        co_return result;
    }

    Task<CommandResult> unsuspend(CommandCall& call) {
        const Jid jid = call.jid("address").bare();
        const auto account = co_await server.stores().accounts.summary(jid.text());
        if (!account) co_return noSuchAccount(jid);
        if (!account->isDisabled)
            co_return CommandResult::refusal("invalid", jid.text() + " is not suspended.");
        const bool found = co_await server.stores().accounts.setDisabled(jid.text(), false);
        if (!found) co_return noSuchAccount(jid);
        moderationLog.notice("a suspension was ended",
                             {{"account", jid.text()}, {"by", call.caller().name}});
        co_return CommandResult::message("The account " + jid.text() + " can log in.");
    }

    Server& server;
};

}  // namespace

void registerModerator(Server& server, const std::string& host,
                       const std::shared_ptr<Moderator>& moderator) {
    server.parts().put(host, moderator);
}

std::vector<Command> commands(Server& server) {
    auto own = std::make_shared<ModerationCommands>(server);
    const auto run = [own](Task<CommandResult> (ModerationCommands::*handler)(CommandCall&)) {
        return [own, handler](CommandCall& call) { return ((*own).*handler)(call); };
    };
    const Argument target{.name = "address",
                          .kind = ArgumentKind::Jid,
                          .help = "An address, or a domain with all that is below it"};
    const Argument account{.name = "address",
                           .kind = ArgumentKind::Jid,
                           .help = "The account, such as juliet@capulet.example"};
    const Argument term{.name = "term",
                        .kind = ArgumentKind::Duration,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "For how long; without it, until it is ended"};
    const Argument reason{
        .name = "reason", .presence = Presence::Optional, .form = Form::Option, .help = "Why"};
    return {
        {.name = "block add",
         .summary = "Lets nothing of an address or a domain reach anybody here, or the other way",
         .details = "It counts for all hosts, for accounts and for rooms.",
         .arguments = {target, term, reason},
         .permission = Permission::Operate,
         .examples = {{"block add spam.example --reason \"a flood on Friday\"", ""},
                      {"block add tybalt@capulet.example --term 7d", ""}},
         .run = run(&ModerationCommands::block)},
        {.name = "block remove",
         .summary = "Takes an address or a domain from the list of blocked ones",
         .arguments = {target},
         .permission = Permission::Operate,
         .run = run(&ModerationCommands::unblock)},
        {.name = "block list",
         .summary = "Lists blocked addresses and domains",
         .permission = Permission::Operate,
         .run = run(&ModerationCommands::listBlocked)},
        {.name = "block published",
         .summary = "Shows the lists of others that are used, and how long they are",
         .permission = Permission::Operate,
         .run = run(&ModerationCommands::listPublished)},
        {.name = "account suspend",
         .summary = "Ends an account's sessions and lets nobody log in, for a term if one is given",
         .details = "Who tries to log in is told the reason and the end. All that is kept of the "
                    "account stays; messages wait for it.",
         .arguments = {account, term, reason},
         .permission = Permission::Operate,
         .examples = {{"account suspend tybalt@capulet.example --term 7d --reason \"spam\"", ""}},
         .run = run(&ModerationCommands::suspend)},
        {.name = "account unsuspend",
         .summary = "Lets a suspended account log in again",
         .arguments = {account},
         .permission = Permission::Operate,
         .run = run(&ModerationCommands::unsuspend)},
    };
}

}  // namespace epode::moderation
