#include "control/s2s_commands.h"

#include "route/every_shard.h"
#include "route/server.h"
#include "route/shard.h"
#include "stream/federation.h"

#include <algorithm>
#include <iterator>

namespace epode {

namespace {

using LinkStatus = Remotes::LinkStatus;

const Argument domainArgument{.name = "domain",
                              .help = "The other server's domain, such as montague.example"};
const Argument fromArgument{.name = "from",
                            .kind = ArgumentKind::Host,
                            .presence = Presence::Optional,
                            .form = Form::Option,
                            .help = "As which of this server's hosts; without it as the first"};

CommandResult badDomain(const std::string& text) {
    return CommandResult::refusal("invalid", text + " is no domain.",
                                  "For example: epodectl s2s show montague.example");
}

std::optional<std::string> readDomain(std::string_view text) {
    const auto jid = Jid::parse(text);
    if (!jid || !jid->isDomain()) return std::nullopt;
    return jid->text();
}

// What an attempt has found, as it is found.
struct Findings {
    std::vector<RemoteFinding> list;
    SteadyTime begun{};
    SteadyTime ended{};
    bool areGood() const {
        // What went wrong on the way to another place, or with a certificate that isn't needed,
        // doesn't matter in the end.
        return !list.empty() && list.back().isGood && list.back().step == RemoteStep::Delivery;
    }
};

struct S2sCommands {
    Server& server;
    Federation* federation;  // null: off
    std::function<std::string()> whyOff;

    // While federation is off.
    std::optional<CommandResult> refusal() const {
        const std::string reason = whyOff();
        if (federation && reason.empty()) return std::nullopt;
        return CommandResult::refusal(
            "off", "Federation is off: " + reason,
            "`epodectl cert check` tells what a certificate lacks; with s2s.enabled = true "
            "federation is on in any case. docs/federation.md leads there.");
    }

    Task<std::vector<LinkStatus>> links(std::string remote) {
        std::function<std::vector<LinkStatus>(Shard&)> look = [this, remote](Shard& shard) {
            return federation->remotes(shard.number()).status(remote);
        };
        const auto parts = co_await everyShard<std::vector<LinkStatus>>(server, look);
        std::vector<LinkStatus> all;
        for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
        std::sort(all.begin(), all.end(), [](const LinkStatus& a, const LinkStatus& b) {
            return std::tie(a.remote, a.local, a.direction) <
                   std::tie(b.remote, b.local, b.direction);
        });
        co_return all;
    }

    static CommandResult table(const std::vector<LinkStatus>& links) {
        auto result =
            CommandResult::table({"domain", "host", "direction", "state", "since", "address", "tls",
                                  "shown by", "queued", "queued bytes", "problem"});
        for (const auto& link : links)
            result.row({link.remote, link.local, link.direction, link.state, link.since,
                        link.address.empty() ? Cell{} : Cell{link.address}, link.isSecured,
                        link.authentication.empty() ? Cell{} : Cell{link.authentication},
                        link.queued, Bytes{link.queuedBytes},
                        link.problem.empty() ? Cell{} : Cell{link.problem}});
        return result;
    }

    Task<CommandResult> list(CommandCall&) {
        if (auto off = refusal()) co_return *off;
        const std::string everybody;
        const auto all = co_await links(everybody);
        if (all.empty()) co_return CommandResult::message("There are no links with other servers.");
        co_return table(all);
    }

    Task<CommandResult> show(CommandCall& call) {
        if (auto off = refusal()) co_return *off;
        const auto domain = readDomain(call.text("domain"));
        if (!domain) co_return badDomain(call.text("domain"));
        const auto all = co_await links(*domain);
        std::function<std::optional<RemoteHistory>(Shard&)> look =
            [this, domain = *domain](Shard& shard) -> std::optional<RemoteHistory> {
            const auto& known = federation->remotes(shard.number()).histories();
            const auto found = known.find(domain);
            if (found == known.end()) return std::nullopt;
            return found->second;
        };
        const auto histories = co_await everyShard<std::optional<RemoteHistory>>(server, look);
        RemoteHistory history;
        bool isKnown = !all.empty();
        for (const auto& part : histories) {
            if (!part) continue;
            isKnown = true;
            history.stanzasIn += part->stanzasIn;
            history.stanzasOut += part->stanzasOut;
            history.failures += part->failures;
            if (part->lastFailure) {
                history.lastFailure = part->lastFailure;
                history.failedAt = part->failedAt;
            }
            if (part->connectedAt) history.connectedAt = part->connectedAt;
        }
        if (!isKnown)
            co_return CommandResult::refusal(
                "not-found", "Nothing is known of " + *domain + " since the start.",
                "`epodectl s2s explain " + *domain + "` tries to reach it.");
        auto result = table(all);
        result.fact("domain", *domain);
        result.fact("stanzas received", history.stanzasIn);
        result.fact("stanzas sent", history.stanzasOut);
        result.fact("last connected", history.connectedAt);
        result.fact("failures", history.failures);
        if (history.lastFailure) {
            result.fact("last failure", history.failedAt);
            result.fact("failed step", toText(history.lastFailure->step));
            result.fact("cause", history.lastFailure->text);
            if (!history.lastFailure->advice.empty())
                result.fact("what to do", history.lastFailure->advice);
        }
        co_return result;
    }

    Task<std::shared_ptr<Findings>> attempt(std::string local, std::string remote) {
        auto begin = [this, local, remote, back = Executor::current()](
                         UniqueFunction<void(std::shared_ptr<Findings>)> resolve) {
            Remotes& remotes = federation->remotesOf(remote);
            remotes.shard().executor().post(
                [&remotes, local, remote, back, resolve = std::move(resolve)]() mutable {
                    auto findings = std::make_shared<Findings>();
                    Executor& executor = remotes.shard().executor();
                    findings->begun = executor.now();
                    remotes.explain(
                        local, remote,
                        [findings](RemoteFinding finding) {
                            findings->list.push_back(std::move(finding));
                        },
                        [findings, back, &executor, resolve = std::move(resolve)]() mutable {
                            findings->ended = executor.now();
                            back->post([findings, resolve = std::move(resolve)]() mutable {
                                resolve(std::move(findings));
                            });
                        });
                });
        };
        Callback<std::shared_ptr<Findings>> found(std::move(begin));
        auto findings = co_await found;
        co_return findings;
    }

    std::string localOf(const CommandCall& call) const {
        return call.has("from") ? call.text("from") : server.hosts().front();
    }

    std::optional<CommandResult> problemWith(const std::optional<std::string>& domain,
                                             const CommandCall& call) const {
        if (auto off = refusal()) return off;
        if (!domain) return badDomain(call.text("domain"));
        if (server.isLocal(*domain))
            return CommandResult::refusal("invalid", *domain + " is a host of this server.");
        return std::nullopt;
    }

    Task<CommandResult> explain(CommandCall& call) {
        const auto domain = readDomain(call.text("domain"));
        if (auto problem = problemWith(domain, call)) co_return *problem;
        const std::string local = localOf(call);
        const auto findings = co_await attempt(local, *domain);
        auto result = CommandResult::table({"step", "result", "finding", "what to do"});
        for (const auto& finding : findings->list)
            result.row({toText(finding.step), finding.isGood ? "good" : "problem", finding.text,
                        finding.advice.empty() ? Cell{} : Cell{finding.advice}});
        result.say(findings->areGood() ? *domain + " can be reached from " + local + "."
                                       : *domain + " can't be reached from " + local + ".");
        co_return result;
    }

    Task<CommandResult> ping(CommandCall& call) {
        const auto domain = readDomain(call.text("domain"));
        if (auto problem = problemWith(domain, call)) co_return *problem;
        const std::string local = localOf(call);
        const auto findings = co_await attempt(local, *domain);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(findings->ended -
                                                                                findings->begun);
        if (!findings->areGood()) {
            const std::string cause =
                findings->list.empty() ? std::string{} : " " + findings->list.back().text;
            co_return CommandResult::refusal(
                "failed", *domain + " doesn't answer." + cause,
                "`epodectl s2s explain " + *domain + "` shows each step.");
        }
        auto result = CommandResult::message(*domain + " has answered.");
        result.fact("domain", *domain);
        result.fact("took", Duration{took});
        co_return result;
    }
};

}  // namespace

std::vector<CommandRegistry::Registration> addS2sCommands(CommandRegistry& registry, Server& server,
                                                          Federation* federation,
                                                          std::function<std::string()> whyOff) {
    auto commands =
        std::make_shared<S2sCommands>(S2sCommands{server, federation, std::move(whyOff)});
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "s2s list",
        .summary = "Lists the links with other servers",
        .details =
            "Each pair of domains has its own line, and its own connection in each direction.",
        .permission = Permission::Operate,
        .run = [commands](CommandCall& call) { return commands->list(call); },
    }));
    all.push_back(registry.add({
        .name = "s2s show",
        .summary = "Shows what is known of another server: links, queue, last failure",
        .arguments = {domainArgument},
        .permission = Permission::Operate,
        .run = [commands](CommandCall& call) { return commands->show(call); },
    }));
    all.push_back(registry.add({
        .name = "s2s explain",
        .summary = "Goes the whole way to another server and tells what it finds at each step",
        .details =
            "The way is: rules of the configuration, DNS, connection, TLS, certificate, stream, "
            "authentication, and a ping that is answered. It is gone with a connection of its "
            "own, so that links that there are already are not disturbed.",
        .arguments = {domainArgument, fromArgument},
        .permission = Permission::Operate,
        .examples = {{.line = "s2s explain montague.example",
                      .help = "Why don't messages arrive there?"}},
        .run = [commands](CommandCall& call) { return commands->explain(call); },
    }));
    all.push_back(registry.add({
        .name = "s2s ping",
        .summary = "Connects to another server, and waits for the answer to a ping",
        .arguments = {domainArgument, fromArgument},
        .permission = Permission::Operate,
        .run = [commands](CommandCall& call) { return commands->ping(call); },
    }));
    return all;
}

}  // namespace epode
