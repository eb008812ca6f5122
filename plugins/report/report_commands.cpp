#include "report_commands.h"

#include "report_store.h"

#include "core/time_format.h"
#include "route/server.h"

#include <memory>

namespace epode {

namespace {

const Argument number{.name = "number",
                      .kind = ArgumentKind::Integer,
                      .least = 1,
                      .help = "The number of the report"};

CommandResult noSuchReport(std::int64_t id) {
    return CommandResult::refusal("not-found", "There is no report " + std::to_string(id) + ".",
                                  "`epodectl report list` shows those that are open.");
}

// "spam" for the URNs of the specification.
std::string shortReason(const std::string& reason) {
    constexpr std::string_view prefix = "urn:xmpp:reporting:";
    return reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason;
}

struct ReportCommands {
    explicit ReportCommands(Server& server) : store{server.database()} {}

    Task<CommandResult> list(CommandCall& call) {
        ReportStore::Filter filter;
        if (call.has("host")) filter.host = call.text("host");
        filter.withClosed = call.flag("all");
        if (call.has("before")) filter.before = call.integer("before");
        if (call.has("most")) filter.most = call.integer("most");
        auto listing = store.list(filter);
        const auto reports = co_await listing;
        auto result = CommandResult::table(
            {"number", "when", "reason", "reported", "reporter", "messages", "closed"});
        for (const auto& report : reports)
            result.row({report.id, report.when, shortReason(report.reason), report.reported,
                        report.reporter, report.messageCount, report.closed});
        co_return result;
    }

    Task<CommandResult> show(CommandCall& call) {
        const std::int64_t id = call.integer("number");
        const auto report = co_await store.find(id);
        if (!report) co_return noSuchReport(id);
        auto result = CommandResult::table({"received", "message"});
        result.fact("number", report->id);
        result.fact("when", report->when);
        result.fact("host", report->host);
        result.fact("reason", shortReason(report->reason));
        result.fact("reported", report->reported);
        result.fact("reporter", report->reporter);
        result.fact("text", report->text);
        result.fact("other server may be told", report->mayTellOrigin);
        result.fact("third parties may be told", report->mayTellThirdParty);
        result.fact("closed", report->closed);
        result.fact("note", report->note);
        for (const auto& message : report->messages) result.row({message.when, message.stanza});
        co_return result;
    }

    Task<CommandResult> close(CommandCall& call) {
        const std::int64_t id = call.integer("number");
        std::string note = call.has("note") ? call.text("note") : std::string{};
        const WallTime now = call.executor().wallNow();
        const bool isClosed = co_await store.close(id, std::move(note), now);
        if (!isClosed)
            co_return CommandResult::refusal("not-found",
                                             "There is no open report " + std::to_string(id) + ".",
                                             "`epodectl report list` shows those that are open.");
        co_return CommandResult::message("The report " + std::to_string(id) + " was closed.");
    }

    ReportStore store;
};

}  // namespace

std::vector<Command> reportCommands(Server& server) {
    auto commands = std::make_shared<ReportCommands>(server);
    const auto run = [&commands](Task<CommandResult> (ReportCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    const Argument host{.name = "host",
                        .kind = ArgumentKind::Host,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "Only reports of accounts of this host"};
    const Argument all{.name = "all", .kind = ArgumentKind::Flag, .help = "Closed ones as well"};
    const Argument before{.name = "before",
                          .kind = ArgumentKind::Integer,
                          .presence = Presence::Optional,
                          .form = Form::Option,
                          .least = 1,
                          .help = "Only reports with a smaller number: the next page"};
    const Argument most{.name = "most",
                        .kind = ArgumentKind::Integer,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .least = 1,
                        .most = 10000,
                        .help = "How many, 100 if it is not said"};
    const Argument note{.name = "note",
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "What was done about it"};
    return {
        {.name = "report list",
         .summary = "Lists what people have reported when they blocked somebody, the newest first",
         .arguments = {host, all, before, most},
         .permission = Permission::Operate,
         .run = run(&ReportCommands::list)},
        {.name = "report show",
         .summary = "Shows a report with the reported messages",
         .arguments = {number},
         .permission = Permission::Operate,
         .run = run(&ReportCommands::show)},
        {.name = "report close",
         .summary = "Marks a report as dealt with",
         .arguments = {number, note},
         .permission = Permission::Operate,
         .examples = {{"report close 17 --note 'account removed'", ""}},
         .run = run(&ReportCommands::close)},
    };
}

}  // namespace epode
