#include "control/user_commands.h"

#include "route/account.h"
#include "route/account_admin.h"
#include "route/every_shard.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {

namespace {

const Argument address{
    .name = "address", .kind = ArgumentKind::Jid, .help = "The account, such as juliet@capulet.example"};
const Argument password{.name = "password", .kind = ArgumentKind::Secret, .help = "Its password"};

CommandResult noSuchAccount(const Jid& jid) {
    return CommandResult::refusal("not-found", "There is no account " + jid.text() + ".",
                                  "`epodectl user list` shows the accounts that exist.");
}

CommandResult badPassword() {
    return CommandResult::refusal("invalid", "This password is not allowed.",
                                  "It must not be empty or hold control characters (RFC 8265).");
}

// An address that an account of this server can have; else why not.
std::optional<CommandResult> problemWith(const Server& server, const Jid& jid) {
    if (!jid.hasLocal() || !jid.isBare())
        return CommandResult::refusal("invalid", "An account has an address like juliet@capulet.example.");
    if (!server.isLocal(jid.domain()))
        return CommandResult::refusal("invalid", "This server has no host " + std::string{jid.domain()} + ".",
                                      "Hosts are named in the configuration: [host.\"…\"].");
    return std::nullopt;
}

struct UserCommands {
    Server& server;

    Task<CommandResult> add(CommandCall& call) {
        const Jid jid = call.jid("address");
        if (auto problem = problemWith(server, jid)) co_return *problem;
        const auto done = co_await createAccount(server, jid, call.text("password"));
        if (done == Creation::Taken)
            co_return CommandResult::refusal("exists", "The account " + jid.text() + " exists already.",
                                             "`epodectl user passwd` sets another password.");
        if (done == Creation::BadPassword) co_return badPassword();
        co_return CommandResult::message("The account " + jid.text() + " was made.");
    }

    Task<CommandResult> remove(CommandCall& call) {
        const Jid jid = call.jid("address");
        const bool found = co_await removeAccount(server, jid);
        if (!found) co_return noSuchAccount(jid);
        co_return CommandResult::message("The account " + jid.text() + " was removed with all that was kept of it.");
    }

    Task<CommandResult> passwd(CommandCall& call) {
        const Jid jid = call.jid("address");
        const auto done = co_await changePassword(server, jid, call.text("password"));
        if (done == PasswordChange::NoAccount) co_return noSuchAccount(jid);
        if (done == PasswordChange::BadPassword) co_return badPassword();
        co_return CommandResult::message("The password of " + jid.text() + " was changed.");
    }

    // Its sessions end; what is kept of it stays.
    Task<CommandResult> disable(CommandCall& call) {
        const Jid jid = call.jid("address");
        const bool found = co_await server.stores().accounts.setDisabled(jid.text(), true);
        if (!found) co_return noSuchAccount(jid);
        const std::string reason = "This account is disabled.";
        co_await endSessions(jid, reason);
        co_return CommandResult::message("The account " + jid.text() + " is disabled: nobody logs in.");
    }

    Task<CommandResult> enable(CommandCall& call) {
        const Jid jid = call.jid("address");
        const bool found = co_await server.stores().accounts.setDisabled(jid.text(), false);
        if (!found) co_return noSuchAccount(jid);
        co_return CommandResult::message("The account " + jid.text() + " can log in.");
    }

    Task<CommandResult> list(CommandCall& call) {
        constexpr std::size_t page = 500;
        const std::string domain = call.has("host") ? call.text("host") : std::string{};
        auto result = CommandResult::table({"address", "created", "last login", "disabled"});
        std::string after;
        for (bool more = true; more;) {
            const auto accounts = co_await server.stores().accounts.list(domain, after, page);
            for (const auto& account : accounts) {
                result.row({account.jid, account.created, account.lastLogin, account.isDisabled});
                after = account.jid;
            }
            more = accounts.size() == page && !call.isAbandoned();
        }
        co_return result;
    }

    Task<CommandResult> show(CommandCall& call) {
        const Jid jid = call.jid("address");
        const auto account = co_await server.stores().accounts.summary(jid.text());
        if (!account) co_return noSuchAccount(jid);
        const auto roster = co_await server.stores().rosters.load(account->account);
        std::function<std::size_t(Shard&)> count = [jid](Shard& shard) {
            const Account* loaded = shard.loaded(jid.text());
            return loaded ? loaded->sessions().size() : std::size_t{0};
        };
        const auto counts = co_await everyShard<std::size_t>(server, count);
        CommandResult result;
        result.fact("address", account->jid);
        result.fact("created", account->created);
        result.fact("last login", account->lastLogin);
        result.fact("last activity", account->lastActivity);
        result.fact("disabled", account->isDisabled);
        if (account->isDisabled && !account->disabling.reason.empty())
            result.fact("disabled because", account->disabling.reason);
        if (account->isDisabled && account->disabling.until)
            result.fact("disabled until", *account->disabling.until);
        result.fact("contacts", roster.items.size());
        std::size_t sessions = 0;
        for (const std::size_t some : counts) sessions += some;
        result.fact("sessions", sessions);
        co_return result;
    }

    struct SessionRow {
        std::string jid, address;
        WallTime since;
        bool available, secure, attached;
        int priority;
    };

    Task<CommandResult> sessions(CommandCall& call) {
        const std::string only = call.has("address") ? call.jid("address").bare().text() : std::string{};
        std::function<std::vector<SessionRow>(Shard&)> look = [only](Shard& shard) {
            std::vector<SessionRow> rows;
            shard.eachAccount([&](Account& account) {
                if (!only.empty() && account.jid().text() != only) return;
                for (const auto& session : account.sessions()) {
                    const Outlet* outlet = session->outlet();
                    rows.push_back({session->jid().text(), outlet ? outlet->peerAddress() : std::string{},
                                    session->boundAt(), session->isAvailable(), outlet && outlet->isSecure(),
                                    outlet != nullptr, session->priority()});
                }
            });
            return rows;
        };
        const auto parts = co_await everyShard<std::vector<SessionRow>>(server, look);
        auto result = CommandResult::table({"session", "state", "priority", "since", "TLS", "client's address"});
        for (const auto& rows : parts)
            for (const auto& row : rows)
                result.row({row.jid, !row.attached ? "waits to be resumed" : row.available ? "available" : "connected",
                            row.priority, row.since, row.secure, row.address});
        co_return result;
    }

    // Who is online: an account that has an available session.
    Task<CommandResult> online(CommandCall& call) {
        struct Row {
            std::string jid;
            std::int64_t sessions = 0;
            bool isInUse = false;
        };
        const std::string domain = call.has("host") ? call.text("host") : std::string{};
        std::function<std::vector<Row>(Shard&)> look = [domain](Shard& shard) {
            std::vector<Row> rows;
            shard.eachAccount([&](Account& account) {
                if (!domain.empty() && account.jid().domain() != domain) return;
                Row row{.jid = account.jid().text()};
                for (const auto& session : account.sessions()) {
                    row.sessions += session->isAvailable();
                    row.isInUse = row.isInUse || session->isInUse();
                }
                if (row.sessions > 0) rows.push_back(std::move(row));
            });
            return rows;
        };
        const auto parts = co_await everyShard<std::vector<Row>>(server, look);
        std::vector<Row> all;
        for (const auto& rows : parts)
            for (const auto& row : rows)
                if (!call.has("state") || (call.text("state") == "active") == row.isInUse) all.push_back(row);
        std::sort(all.begin(), all.end(), [](const Row& a, const Row& b) { return a.jid < b.jid; });
        auto result = CommandResult::table({"address", "state", "sessions"});
        for (const auto& row : all) result.row({row.jid, row.isInUse ? "active" : "idle", row.sessions});
        co_return result;
    }

    Task<std::size_t> endSessions(Jid jid, std::string reason) {
        std::function<std::size_t(Shard&)> end = [jid, reason](Shard& shard) {
            Account* account = shard.loaded(jid.bareText());
            if (!account) return std::size_t{0};
            std::vector<Session*> wanted;
            for (const auto& session : account->sessions())
                if (jid.isBare() || session->jid() == jid) wanted.push_back(session.get());
            for (Session* session : wanted)
                session->end({.condition = StreamCondition::PolicyViolation, .text = reason});
            return wanted.size();
        };
        const auto counts = co_await everyShard<std::size_t>(server, end);
        std::size_t ended = 0;
        for (const std::size_t some : counts) ended += some;
        co_return ended;
    }

    Task<CommandResult> kick(CommandCall& call) {
        const Jid jid = call.jid("address");
        const std::string reason =
            call.has("reason") ? call.text("reason") : std::string{"The administrator has closed this session."};
        const std::size_t ended = co_await endSessions(jid, reason);
        if (ended == 0)
            co_return CommandResult::refusal("not-found", "There is no session of " + jid.text() + ".",
                                             "`epodectl session list` shows the sessions.");
        CommandResult result = CommandResult::message("Sessions ended: " + std::to_string(ended) + ".");
        result.fact("ended", ended);
        co_return result;
    }
};

}  // namespace

std::vector<CommandRegistry::Registration> addUserCommands(CommandRegistry& registry, Server& server) {
    auto commands = std::make_shared<UserCommands>(UserCommands{server});
    const auto run = [&commands](Task<CommandResult> (UserCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    const Argument optionalHost{.name = "host", .kind = ArgumentKind::Host, .presence = Presence::Optional,
                                .help = "Only accounts of this host"};
    const Argument optionalAddress{.name = "address", .kind = ArgumentKind::Jid, .presence = Presence::Optional,
                                   .help = "Only sessions of this account"};
    const Argument session{.name = "address", .kind = ArgumentKind::Jid,
                           .help = "An account, or one session with its resource"};
    const Argument reason{.name = "reason", .presence = Presence::Optional, .form = Form::Option,
                          .help = "What the client is told"};

    const Argument state{.name = "state", .kind = ArgumentKind::Choice, .presence = Presence::Optional,
                         .form = Form::Option, .choices = {"active", "idle"}, .help = "Only these"};

    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({.name = "user add", .summary = "Makes an account",
                                .arguments = {address, password},
                                .examples = {{"user add juliet@capulet.example", "asks for the password"}},
                                .run = run(&UserCommands::add)}));
    all.push_back(registry.add({.name = "user remove", .summary = "Removes an account and all that is kept of it",
                                .arguments = {address}, .danger = Danger::Dangerous, .run = run(&UserCommands::remove)}));
    all.push_back(registry.add({.name = "user passwd", .summary = "Sets an account's password",
                                .arguments = {address, password}, .run = run(&UserCommands::passwd)}));
    all.push_back(registry.add({.name = "user disable", .summary = "Ends an account's sessions and lets it log in no more",
                                .details = "What is kept of it stays; messages for it wait.",
                                .arguments = {address}, .run = run(&UserCommands::disable)}));
    all.push_back(registry.add({.name = "user enable", .summary = "Lets a disabled account log in again",
                                .arguments = {address}, .run = run(&UserCommands::enable)}));
    all.push_back(registry.add({.name = "user list", .summary = "Lists the accounts", .arguments = {optionalHost},
                                .permission = Permission::Operate, .run = run(&UserCommands::list)}));
    all.push_back(registry.add({.name = "user show", .summary = "Tells what is known of an account",
                                .arguments = {address}, .permission = Permission::Operate, .run = run(&UserCommands::show)}));
    all.push_back(registry.add({.name = "user online", .summary = "Lists the accounts that are online",
                                .details = "Active is who has a client that is connected, has not said that its user "
                                           "is away, and is being looked at (XEP-0352); idle are the others.",
                                .arguments = {optionalHost, state},
                                .permission = Permission::Operate, .run = run(&UserCommands::online)}));
    all.push_back(registry.add({.name = "session list", .summary = "Lists the sessions that are bound",
                                .arguments = {optionalAddress}, .permission = Permission::Operate,
                                .run = run(&UserCommands::sessions)}));
    all.push_back(registry.add({.name = "session kick", .summary = "Ends the sessions of an account, or one of them",
                                .arguments = {session, reason}, .permission = Permission::Operate,
                                .run = run(&UserCommands::kick)}));
    return all;
}

}  // namespace epode
