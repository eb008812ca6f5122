#include "invite_commands.h"

#include "invitations.h"

#include "route/server.h"

#include <memory>

namespace epode {

namespace {

constexpr std::int64_t listMost = 1000;

std::string_view stateOf(const Invite& invite, WallTime now) {
    if (invite.revoked) return "revoked";
    if (invite.usesLeft == 0) return "used";
    return invite.isOpen(now) ? "open" : "expired";
}

CommandResult refusalFor(const StanzaError& error) {
    std::string code = "invalid";
    if (error.condition == Condition::ItemNotFound) code = "not-found";
    if (error.condition == Condition::Conflict) code = "exists";
    return CommandResult::refusal(std::move(code), error.text);
}

struct InviteCommands {
    explicit InviteCommands(Server& s) : server{s}, invitations{s} {}

    Task<CommandResult> create(CommandCall& call) {
        InviteWish wish;
        wish.host = call.has("host") ? call.text("host") : server.hosts().front();
        if (call.has("contact")) {
            wish.inviter = call.jid("contact");
            if (!wish.inviter->hasLocal() || !server.isLocal(wish.inviter->domain()))
                co_return CommandResult::refusal("invalid",
                                                 "The contact is no account of this server.");
            if (call.has("host") && wish.inviter->domain() != wish.host)
                co_return CommandResult::refusal("invalid", "The contact is on another host.");
            wish.host = std::string{wish.inviter->domain()};
        }
        if (call.has("account")) wish.username = call.text("account");
        wish.mayRegister = !call.flag("no-account");
        if (call.has("room")) {
            wish.room = call.jid("room");
            if (!wish.room->hasLocal())
                co_return CommandResult::refusal("invalid", "That is not the address of a room.");
        }
        if (!wish.mayRegister && ((!wish.inviter && !wish.room) || !wish.username.empty()))
            co_return CommandResult::refusal(
                "usage", "Without an account the invitation is to a contact or a room.",
                "Name him with --contact, or it with --room.");
        if (call.has("expires")) {
            wish.lifetime = call.duration("expires");
            if (*wish.lifetime <= Duration{})
                co_return CommandResult::refusal("invalid", "It would have expired already.");
        }
        if (call.has("uses")) wish.uses = call.integer("uses");
        auto making = invitations.make(std::move(wish));
        const auto outcome = co_await making;
        if (const auto* error = std::get_if<StanzaError>(&outcome)) co_return refusalFor(*error);
        const auto& made = std::get<InviteMade>(outcome);
        CommandResult result;
        result.fact("number", made.id);
        result.fact("link", made.uri);
        if (!made.landingUrl.empty()) result.fact("page", made.landingUrl);
        result.fact("expires", made.expires);
        co_return result;
    }

    Task<CommandResult> list(CommandCall& call) {
        const std::string host = call.has("host") ? call.text("host") : std::string{};
        const WallTime now = call.executor().wallNow();
        const bool all = call.flag("all");
        const auto invites = co_await invitations.store().list(host, all, now, listMost);
        auto result = CommandResult::table({"number", "host", "name", "contact", "room", "account",
                                            "made", "expires", "uses left", "state"});
        for (const auto& invite : invites)
            result.row({invite.id, invite.host, invite.username, invite.inviter, invite.room,
                        invite.mayRegister, invite.created, invite.expires, invite.usesLeft,
                        stateOf(invite, now)});
        co_return result;
    }

    Task<CommandResult> revoke(CommandCall& call) {
        const std::int64_t id = call.integer("number");
        const WallTime now = call.executor().wallNow();
        const bool isRevoked = co_await invitations.store().revoke(id, now);
        if (!isRevoked)
            co_return CommandResult::refusal(
                "not-found", "There is no open invitation " + std::to_string(id) + ".",
                "`epodectl invite list` shows those that are open.");
        co_return CommandResult::message("The invitation " + std::to_string(id) + " was revoked.");
    }

    Server& server;
    Invitations invitations;
};

}  // namespace

std::vector<Command> inviteCommands(Server& server) {
    auto commands = std::make_shared<InviteCommands>(server);
    const auto run = [&commands](Task<CommandResult> (InviteCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    Argument uses = optionArgument("uses", ArgumentKind::Integer,
                                   "How often it can be used; once if it is not said");
    uses.least = 1;
    uses.most = 10000;
    const Argument number{.name = "number",
                          .kind = ArgumentKind::Integer,
                          .least = 1,
                          .help = "The number of the invitation"};
    return {
        {.name = "invite create",
         .summary = "Makes an invitation, and shows its link once",
         .details = "Whoever has the link can make an account, also when registration is closed. "
                    "The link is not "
                    "stored and can't be shown again.",
         .arguments =
             {optionArgument("host", ArgumentKind::Host,
                             "The host of the account; the first one if it is not said"),
              optionArgument("account", ArgumentKind::Text,
                             "The name of the account, kept until the invitation expires"),
              optionArgument("contact", ArgumentKind::Jid,
                             "An account that becomes a contact of the invited"),
              optionArgument(
                  "room", ArgumentKind::Jid,
                  "A room to which the invited is led; one for members makes him a member"),
              {.name = "no-account",
               .kind = ArgumentKind::Flag,
               .help = "For who has an account: to a contact or a room alone"},
              optionArgument("expires", ArgumentKind::Duration,
                             "How long it can be used, such as 2d"),
              uses},
         .examples = {{"invite create --account juliet", "for one who shall be juliet"},
                      {"invite create --contact romeo@montague.example --expires 2d",
                       "for a friend of romeo"}},
         .run = run(&InviteCommands::create)},
        {.name = "invite list",
         .summary = "Lists the invitations that can be used",
         .arguments = {optionArgument("host", ArgumentKind::Host, "Only those of this host"),
                       {.name = "all",
                        .kind = ArgumentKind::Flag,
                        .help = "Also used, revoked and expired ones"}},
         .permission = Permission::Operate,
         .run = run(&InviteCommands::list)},
        {.name = "invite revoke",
         .summary = "Makes an invitation useless",
         .arguments = {number},
         .permission = Permission::Operate,
         .run = run(&InviteCommands::revoke)},
    };
}

}  // namespace epode
