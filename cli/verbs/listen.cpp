// epode listen: messages as they come.
#include "cli/invocation.h"
#include "cli/presence.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

class Listener {
public:
    Listener(Connection& connection, const Output& out, const Invocation& invocation, long wanted)
        : connection_{connection},
          out_{out},
          from_{invocation.value("from")},
          wanted_{wanted},
          answersReceipts_{invocation.has("receipts")} {
        connection.onStanza = [this](const Stanza& stanza) {
            if (const auto message = readMessage(stanza, connection_.bareJid())) hear(*message);
        };
    }

    bool isDone() const { return wanted_ != 0 && heard_ >= wanted_; }
    long heard() const { return heard_; }

    void catchUp() {
        if (newest_.empty()) return;
        for (const Message& message : missedSince(connection_, newest_)) {
            if (!message.isOwn) hear(message);
        }
    }

private:
    void hear(const Message& message) {
        if (!message.archiveId.empty()) {
            newest_ = message.archiveId;
            if (!seen_.insert(message.archiveId)) return;
        }
        if (message.body.empty() || message.error || isDone()) return;
        if (!from_.empty() && bareOf(message.from) != bareOf(from_)) return;
        ++heard_;
        const std::string head = shortTime(message.time) + " " +
                                 (message.isOwn ? "you to " + printable(bareOf(message.to))
                                                : printable(bareOf(message.from))) +
                                 ": ";
        out_.result(head + indented(message.body, 4), *toJson(message));
        if (answersReceipts_ && message.wantsReceipt && !message.isOwn && !message.id.empty()) {
            connection_.send(makeReceipt(message));
        }
    }

    Connection& connection_;
    const Output& out_;
    const std::string from_;
    const long wanted_;
    const bool answersReceipts_;
    long heard_ = 0;
    RecentIds seen_;      // the archive's ids
    std::string newest_;  // the archive's id of the last message
};

// Whether the server knows by now that we are here. It answers in the order we asked.
bool isHeardOf(Connection& connection) {
    try {
        connection.ask(Stanza{"iq"}
                           .set("type", "get")
                           .set("to", connection.domain())
                           .add(Stanza{"ping", ns::ping}));
        return true;
    } catch (const Failure& failure) {
        return failure.code == ExitCode::Refused;
    }
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const auto timeout = invocation.duration("timeout");
    const long priority = invocation.number("priority", 0, -128, 127);
    const Carbons carbons = invocation.has("carbons") ? Carbons::On : Carbons::Off;
    const long wanted = invocation.number("count", 0, 1, 1'000'000'000);
    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    Listener listener{connection, out, invocation, wanted};
    connection.connect();
    catchInterrupts();
    announce(connection, priority, carbons);
    if (isHeardOf(connection)) {
        out.progress("-- listening as " + connection.jid() + ", Ctrl-C ends",
                     {{"event", std::string{"listening"}}, {"jid", connection.jid()}});
    }

    const Deadline deadline = timeout ? Clock::now() + *timeout : never();
    Wait wait = Wait::Done;
    while ((wait = connection.runUntil([&] { return listener.isDone(); }, deadline)) ==
           Wait::Disconnected) {
        Connection::Comeback how{};
        if (!comeBack(connection, deadline, [&](const auto& words) { out.note(words); }, how))
            break;
        if (how == Connection::Comeback::Fresh) {
            announce(connection, priority, carbons);
            listener.catchUp();
        }
    }
    connection.close();
    if (!invocation.has("count") || listener.isDone()) return ExitCode::Done;
    if (!isInterrupted()) out.note("-- the time is over");
    return listener.heard() > 0 ? ExitCode::PartlyDone : ExitCode::TimedOut;
}

}  // namespace

const Verb listen{
    .name = "listen",
    .summary = "Print messages as they come",
    .description =
        "Each with its time and sender; what the server kept while the account was away\n"
        "comes first. After a lost connection it connects again, and prints what was\n"
        "missed. Runs until Ctrl-C, or as long as --count and --timeout say.",
    .options =
        {
            {.name = "count",
             .value = "N",
             .help = "End after N messages; exit code 4 or 5 when fewer came in time",
             .letter = 'n'},
            {.name = "timeout", .value = "TIME", .help = "End after this time"},
            {.name = "from", .value = "PEER", .help = "Only messages of this peer"},
            {.name = "receipts", .help = "Tell senders who ask that their message has arrived"},
            {.name = "carbons", .help = "Also what the account's other clients send and receive"},
            {.name = "priority",
             .value = "N",
             .help = "Priority among the account's clients, -128 to 127 (default: 0)"},
        },
    .examples =
        {
            {"epode listen", "Everything, until Ctrl-C"},
            {"epode listen --json | jq -r .text", "For programs: one JSON object a line"},
            {"epode listen --count 1 --timeout 5m --from romeo@montague.example",
             "Wait for an answer, in a script"},
        },
    .run = run,
};

}  // namespace epode::cli
