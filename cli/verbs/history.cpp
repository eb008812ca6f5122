// epode history: what the server's archive holds (XEP-0313).
#include "cli/archive.h"
#include "cli/invocation.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

std::optional<WallClock::time_point> momentOf(const Invocation& invocation, const char* option) {
    if (!invocation.has(option)) return std::nullopt;
    const auto moment = parseMoment(invocation.value(option));
    if (!moment) {
        throw usage("--" + std::string{option} +
                    " wants a time such as 2026-11-19, 2026-11-19T12:00:00Z, or an age such as 2h, "
                    "3d, not \"" +
                    invocation.value(option) + "\".");
    }
    return moment;
}

void print(const Output& out, const Message& message) {
    if (message.body.empty()) return;
    out.result(shortTime(message.time) + " " +
                   (message.isOwn ? "you to " + printable(bareOf(message.to))
                                  : printable(bareOf(message.from))) +
                   ": " + indented(message.body, 4),
               *toJson(message));
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    ArchiveQuery query;
    query.with = invocation.argument(0);
    if (!query.with.empty() && !looksLikeAddress(query.with)) {
        throw usage("\"" + query.with + "\" is no address.");
    }
    query.since = momentOf(invocation, "since");
    query.until = momentOf(invocation, "until");
    query.before = invocation.value("before");
    query.after = invocation.value("after");
    query.limit = invocation.number("limit", 50, 1, 10'000);
    if (!query.before.empty() && !query.after.empty()) {
        throw usage("--before and --after exclude each other.");
    }
    const bool wantsAll = invocation.has("all");
    if (wantsAll || query.since) query.from = ArchiveQuery::From::Oldest;

    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    for (;;) {
        const auto page = fetchPage(connection, query);
        for (const Message& message : page.messages) print(out, message);
        const bool hasMore = !page.isComplete && !page.last.empty();
        if (!hasMore) break;
        if (!wantsAll) {
            const bool isForward = !query.after.empty() || query.from == ArchiveQuery::From::Oldest;
            out.note(isForward ? "-- newer: --after " + page.last
                               : "-- older: --before " + page.first);
            break;
        }
        query.after = page.last;
        query.before.clear();
    }
    connection.close();
    return ExitCode::Done;
}

}  // namespace

const Verb history{
    .name = "history",
    .summary = "Print messages of the server's archive",
    .description =
        "The newest page, unless --since, --after or --all ask for another. A further\n"
        "page is had by the id that the last line names.",
    .arguments = {{"PEER", "Only what was written with this peer", Argument::Count::Optional}},
    .options =
        {
            {.name = "limit",
             .value = "N",
             .help = "Messages of a page (default: 50)",
             .letter = 'n'},
            {.name = "since",
             .value = "TIME",
             .help = "Not older than this: a time, a date, or an age (3d)"},
            {.name = "until", .value = "TIME", .help = "Not newer than this"},
            {.name = "before", .value = "ID", .help = "The page before a message of the archive"},
            {.name = "after", .value = "ID", .help = "The page after a message of the archive"},
            {.name = "all", .help = "All pages, the oldest first"},
        },
    .examples =
        {
            {"epode history romeo@montague.example --limit 10", "The last ten lines with a friend"},
            {"epode history --all --json > archive.jsonl", "Everything, for safekeeping"},
        },
    .run = run,
};

}  // namespace epode::cli
