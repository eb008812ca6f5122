#include "announce_commands.h"

#include "announcement_store.h"
#include "core/command_result.h"
#include "route/server.h"

#include <memory>

namespace epode::announce {

namespace {

// Neither empty nor endless, nor what XML can't hold.
std::optional<CommandResult> problemWith(const std::string& text) {
    if (text.size() > textBytesMax)
        return CommandResult::refusal(
            "invalid", "The text is longer than " + toText(Bytes{textBytesMax}) + ".");
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
            return CommandResult::refusal("invalid",
                                          "The text holds a character that can't be sent.");
    return std::nullopt;
}

struct AnnounceCommands {
    Server& server;
    AnnouncementStore store;
    std::shared_ptr<ChangeBoard> board;

    explicit AnnounceCommands(Server& of)
        : server{of}, store{of.database()}, board{ChangeBoard::of(of)} {}

    std::vector<std::string> hostsOf(const CommandCall& call) const {
        if (call.has("host")) return {call.text("host")};
        return server.hosts();
    }
    // A host that is ours, else why not.
    std::optional<CommandResult> problemWithHost(const CommandCall& call) const {
        if (!call.has("host") || server.isLocal(call.text("host"))) return std::nullopt;
        return CommandResult::refusal("not-found",
                                      "This server has no host " + call.text("host") + ".");
    }

    Task<CommandResult> tell(const CommandCall& call, Job::To to) {
        if (auto problem = problemWithHost(call)) co_return *problem;
        const std::string text = call.text("text");
        if (auto problem = problemWith(text)) co_return *problem;
        const WallTime now = call.executor().wallNow();
        for (const std::string& host : hostsOf(call)) {
            Job job;
            job.to = to;
            job.text = text;
            const bool added = co_await store.addJob(host, job, now);
            if (!added)
                co_return CommandResult::refusal(
                    "unavailable", "Too many announcements of " + host + " are being sent already.",
                    "Wait until they are out.");
            board->changed(host);
        }
        co_return CommandResult::message(
            to == Job::To::All ? "All accounts are being told, also those who are away."
                               : "Those who are online are being told.");
    }
    Task<CommandResult> tellOnline(CommandCall& call) {
        auto result = co_await tell(call, Job::To::Online);
        co_return result;
    }
    Task<CommandResult> tellAll(CommandCall& call) {
        auto result = co_await tell(call, Job::To::All);
        co_return result;
    }

    Task<CommandResult> set(const CommandCall& call, Standing which) {
        if (auto problem = problemWithHost(call)) co_return *problem;
        StandingText text;
        text.text = call.text("text");
        text.since = call.executor().wallNow();
        if (auto problem = problemWith(text.text)) co_return *problem;
        for (const std::string& host : hostsOf(call)) {
            co_await store.setStanding(which, host, text);
            board->changed(host);
        }
        co_return CommandResult::message(which == Standing::Motd
                                             ? "Each account is told at its next login, once."
                                             : "New accounts are told from now on.");
    }
    Task<CommandResult> show(const CommandCall& call, Standing which) {
        if (auto problem = problemWithHost(call)) co_return *problem;
        const auto hosts = hostsOf(call);
        auto table = CommandResult::table({"host", "since", "text"});
        for (const std::string& host : hosts) {
            const auto text = co_await store.standing(which, host);
            if (!text) continue;
            if (call.has("host")) {
                CommandResult result;
                result.fact("since", text->since);
                result.fact("text", text->text);
                co_return result;
            }
            table.row({host, text->since, text->text});
        }
        if (table.rows().empty()) co_return CommandResult::message("Nothing is set.");
        co_return table;
    }
    Task<CommandResult> remove(const CommandCall& call, Standing which) {
        if (auto problem = problemWithHost(call)) co_return *problem;
        bool wasAny = false;
        for (const std::string& host : hostsOf(call)) {
            const bool was = co_await store.removeStanding(which, host);
            wasAny = wasAny || was;
            board->changed(host);
        }
        co_return CommandResult::message(wasAny ? "It is told no more." : "Nothing was set.");
    }

    Task<CommandResult> setMotd(CommandCall& call) {
        auto result = co_await set(call, Standing::Motd);
        co_return result;
    }
    Task<CommandResult> showMotd(CommandCall& call) {
        auto result = co_await show(call, Standing::Motd);
        co_return result;
    }
    Task<CommandResult> removeMotd(CommandCall& call) {
        auto result = co_await remove(call, Standing::Motd);
        co_return result;
    }
    Task<CommandResult> setWelcome(CommandCall& call) {
        auto result = co_await set(call, Standing::Welcome);
        co_return result;
    }
    Task<CommandResult> showWelcome(CommandCall& call) {
        auto result = co_await show(call, Standing::Welcome);
        co_return result;
    }
    Task<CommandResult> removeWelcome(CommandCall& call) {
        auto result = co_await remove(call, Standing::Welcome);
        co_return result;
    }
};

}  // namespace

std::shared_ptr<ChangeBoard> ChangeBoard::of(Server& server) {
    return server.parts().findOrMake<ChangeBoard>(
        {}, [] { return std::make_shared<ChangeBoard>(); });
}

void ChangeBoard::watch(const std::string& host, std::weak_ptr<Waker> waker) {
    const std::lock_guard lock{mutex_};
    watching_[host] = std::move(waker);
}

void ChangeBoard::changed(const std::string& host) {
    const std::lock_guard lock{mutex_};
    if (const auto waker = watching_[host].lock()) waker->wake();
}

std::vector<Command> announceCommands(Server& server) {
    const auto commands = std::make_shared<AnnounceCommands>(server);
    const auto run = [&commands](Task<CommandResult> (AnnounceCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    const Argument text{.name = "text", .help = "What people are told"};
    const Argument host{.name = "host",
                        .kind = ArgumentKind::Host,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "Only for this host"};
    using C = AnnounceCommands;
    std::vector<Command> all;
    all.push_back({.name = "announce online",
                   .summary = "Tells something to all who are online",
                   .arguments = {text, host},
                   .examples = {{"announce online \"Down for maintenance in 5 minutes\"", ""}},
                   .run = run(&C::tellOnline)});
    all.push_back({.name = "announce all",
                   .summary = "Tells something to all accounts, also those who are away",
                   .arguments = {text, host},
                   .run = run(&C::tellAll)});
    all.push_back({.name = "motd set",
                   .summary = "Sets the message that each account is told once, at its next login",
                   .arguments = {text, host},
                   .run = run(&C::setMotd)});
    all.push_back({.name = "motd show",
                   .summary = "Shows the message of the day",
                   .arguments = {host},
                   .permission = Permission::Operate,
                   .run = run(&C::showMotd)});
    all.push_back({.name = "motd remove",
                   .summary = "Removes the message of the day",
                   .arguments = {host},
                   .run = run(&C::removeMotd)});
    all.push_back({.name = "welcome set",
                   .summary = "Sets what new accounts are told",
                   .arguments = {text, host},
                   .run = run(&C::setWelcome)});
    all.push_back({.name = "welcome show",
                   .summary = "Shows what new accounts are told",
                   .arguments = {host},
                   .permission = Permission::Operate,
                   .run = run(&C::showWelcome)});
    all.push_back({.name = "welcome remove",
                   .summary = "Tells new accounts nothing",
                   .arguments = {host},
                   .run = run(&C::removeWelcome)});
    return all;
}

}  // namespace epode::announce
