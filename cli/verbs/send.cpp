// epode send: messages from the command line, a file, a pipe, or JSON lines.
#include "cli/connection.h"
#include "cli/input.h"
#include "cli/invocation.h"
#include "cli/message.h"
#include "cli/verbs/verbs.h"

#include <Poco/JSON/Parser.h>
#include <unistd.h>
#include <deque>

namespace epode::cli {

namespace {

using namespace std::chrono_literals;

enum class Goal { Sent, Stored, Delivered };

Goal goalOf(const Invocation& invocation) {
    const auto word = invocation.value("wait", "sent");
    if (word == "sent") return Goal::Sent;
    if (word == "stored") return Goal::Stored;
    if (word == "delivered") return Goal::Delivered;
    throw usage("--wait is sent, stored or delivered, not \"" + word + "\".");
}

struct Draft {
    std::string to;
    std::string text;
    std::string type = "chat";
    std::string subject;
};

void check(const Draft& draft) {
    if (!looksLikeAddress(draft.to)) throw usage("\"" + draft.to + "\" is no address.");
    if (draft.text.empty()) throw usage("There is no text to send.");
    if (!fitsInXml(draft.text) || !fitsInXml(draft.subject)) {
        throw usage("The text is not UTF-8, or has control characters in it.",
                    "XMPP carries text only; convert it first, for example with iconv.");
    }
    if (draft.type != "chat" && draft.type != "normal" && draft.type != "headline" &&
        draft.type != "groupchat") {
        throw usage("The type is chat, normal, headline or groupchat, not \"" + draft.type + "\".");
    }
}

// {"to": "…", "text": "…"}, and if wanted "type" and "subject".
Draft parseDraft(const std::string& line, const Draft& pattern) {
    Draft draft = pattern;
    try {
        const auto object = Poco::JSON::Parser{}.parse(line).extract<Poco::JSON::Object::Ptr>();
        draft.to = object->optValue<std::string>("to", draft.to);
        draft.text = object->optValue<std::string>("text", "");
        draft.type = object->optValue<std::string>("type", draft.type);
        draft.subject = object->optValue<std::string>("subject", draft.subject);
    } catch (const Poco::Exception& error) {
        throw usage("This line is no JSON object with \"to\" and \"text\": " + line);
    }
    check(draft);
    return draft;
}

// Sends drafts and follows each to where it is to arrive.
class Mailing {
public:
    Mailing(Connection& connection, const Output& out, Goal goal, bool showsRecipients)
        : connection_{connection}, out_{out}, goal_{goal}, showsRecipients_{showsRecipients} {
        connection.onStanza = [this](const Stanza& stanza) { notice(stanza); };
        connection.onAcknowledged = [this](const Stanza& stanza) {
            if (goal_ == Goal::Stored) reach(stanza.get("id"), "stored");
        };
    }

    void send(const Draft& draft) {
        const std::string id = newId();
        Stanza message = makeMessage(draft.to, draft.type, id, draft.text,
                                     goal_ == Goal::Delivered ? Receipt::Wanted : Receipt::No);
        if (!draft.subject.empty()) message.addText("subject", draft.subject);
        parcels_.push_back({draft.to, id, ""});
        connection_.send(message);
    }

    void refuseLine(const Failure& failure) {
        ++badLines_;
        out_.error(failure);
    }

    // Waits for what is still under way.
    void finish(Deadline deadline) {
        if (goal_ == Goal::Stored && !connection_.hasAcknowledgements()) {
            // The server handles what we send in its order: when it answers this, it has the rest.
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
            connection_.ask(Stanza{"iq"}
                                .set("type", "get")
                                .set("to", connection_.domain())
                                .add(Stanza{"ping", ns::ping}),
                            std::max(left, 1ms));
            for (const auto& id : pendingIds()) reach(id, "stored");
        }
        if (goal_ != Goal::Sent) {
            const Wait wait =
                connection_.runUntil([this] { return pendingIds().empty(); }, deadline);
            for (const auto& id : pendingIds()) {
                fail(id, wait == Wait::Disconnected ? "disconnected" : "timeout",
                     wait == Wait::Disconnected ? "the connection was lost"
                     : goal_ == Goal::Delivered ? "no receipt came in time"
                                                : "the server did not acknowledge it in time");
            }
        }
        // What the server refuses at once comes before its end of the stream.
        const bool isClosed = connection_.close();
        for (const auto& id : pendingIds()) {
            if (isClosed) {
                reach(id, "sent");
            } else {
                fail(id, "disconnected", "the connection was lost");
            }
        }
    }

    ExitCode result() const {
        int done = 0;
        ExitCode worst = badLines_ ? ExitCode::Usage : ExitCode::Done;
        for (const Parcel& parcel : parcels_) {
            if (parcel.condition.empty()) {
                ++done;
            } else if (parcel.condition == "timeout") {
                worst = worst == ExitCode::Refused ? worst : ExitCode::TimedOut;
            } else {
                worst =
                    parcel.condition == "disconnected" ? ExitCode::NoConnection : ExitCode::Refused;
            }
        }
        return done > 0 && worst != ExitCode::Done ? ExitCode::PartlyDone : worst;
    }

private:
    struct Parcel {
        std::string to;
        std::string id;
        std::string state;  // empty: under way
        std::string condition = {};
    };

    std::vector<std::string> pendingIds() const {
        std::vector<std::string> ids;
        for (const Parcel& parcel : parcels_) {
            if (parcel.state.empty()) ids.push_back(parcel.id);
        }
        return ids;
    }

    Parcel* find(const std::string& id) {
        for (Parcel& parcel : parcels_) {
            if (parcel.id == id && parcel.state.empty()) return &parcel;
        }
        return nullptr;
    }

    void notice(const Stanza& stanza) {
        const auto message = readMessage(stanza, connection_.bareJid());
        if (!message) return;
        if (message->error) {
            fail(message->id, message->error->condition, explain(*message->error));
        } else if (!message->receiptFor.empty() && goal_ == Goal::Delivered) {
            const Parcel* parcel = find(message->receiptFor);
            // A receipt is the recipient's to give.
            if (parcel && bareOf(message->from) == bareOf(parcel->to)) {
                reach(message->receiptFor, "delivered");
            }
        }
    }

    void reach(const std::string& id, const std::string& state) {
        Parcel* parcel = find(id);
        if (!parcel) return;
        parcel->state = state;
        out_.result(showsRecipients_ ? id + " " + parcel->to : id,
                    {{"id", id}, {"to", parcel->to}, {"state", state}});
    }

    void fail(const std::string& id, const std::string& condition, const std::string& words) {
        Parcel* parcel = find(id);
        if (!parcel) return;
        parcel->state = "failed";
        parcel->condition = condition;
        if (out_.isJson()) {
            out_.result("", {{"id", id},
                             {"to", parcel->to},
                             {"state", std::string{condition == "timeout" ? "timeout" : "failed"}},
                             {"condition", condition},
                             {"text", words}});
        } else {
            out_.error({ExitCode::Refused, condition, "to " + parcel->to + ": " + words + "."});
        }
    }

    Connection& connection_;
    const Output& out_;
    const Goal goal_;
    const bool showsRecipients_;
    int badLines_ = 0;
    std::deque<Parcel> parcels_;
};

std::vector<std::string> recipientsOf(const Invocation& invocation) {
    std::vector<std::string> recipients = invocation.values("to");
    if (!invocation.argument(0).empty()) {
        recipients.insert(recipients.begin(), invocation.argument(0));
    }
    return recipients;
}

std::string textOf(const Invocation& invocation, const Output& out) {
    std::string text;
    const auto& words = invocation.arguments();
    if (words.size() > 1) {
        if (invocation.has("file")) throw usage("The text is given twice: as words and as --file.");
        for (std::size_t i = 1; i < words.size(); ++i) text += (i > 1 ? " " : "") + words[i];
        return text;
    }
    if (!invocation.has("file") && isatty(STDIN_FILENO)) {
        out.note("Type the message, and end it with Ctrl-D on a line of its own.");
    }
    text = readWhole(invocation.value("file", "-"));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

// Lines of standard input, each sent as it comes.
void sendLines(Connection& connection, Mailing& mailing,
               const std::function<void(const std::string&)>& sendLine) {
    LineReader reader;
    connection.watch(STDIN_FILENO, [&] { reader.readSome(); });
    const Wait wait = connection.runUntil(
        [&] {
            while (const auto line = reader.next()) {
                try {
                    if (!line->empty()) sendLine(*line);
                } catch (const Failure& failure) {
                    mailing.refuseLine(failure);
                }
            }
            return reader.isOver();
        },
        Clock::now() + std::chrono::hours{24 * 365});
    connection.unwatch();
    if (wait == Wait::Disconnected) {
        throw Failure(ExitCode::NoConnection, "disconnected",
                      "The connection was lost: " + connection.lossReason() + ".");
    }
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const Goal goal = goalOf(invocation);
    const bool isBatch = invocation.has("batch");
    const bool isPerLine = invocation.has("per-line");
    const auto timeout = invocation.duration("timeout").value_or(30s);
    const auto recipients = recipientsOf(invocation);
    if (recipients.empty() && !isBatch) throw usage("Who shall get it? epode send PEER TEXT.");
    if ((isBatch || isPerLine) && invocation.arguments().size() > 1) {
        throw usage("With --batch and --per-line the texts come from standard input.");
    }

    std::vector<Draft> drafts;
    for (const auto& to : recipients) {
        drafts.push_back({to, "", invocation.value("type", "chat"), invocation.value("subject")});
    }
    if (!isBatch && !isPerLine) {
        const auto text = textOf(invocation, out);
        for (Draft& draft : drafts) {
            draft.text = text;
            check(draft);
        }
    }

    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    Mailing mailing{connection, out, goal, isBatch || recipients.size() > 1};
    if (isBatch) {
        Draft pattern{recipients.empty() ? "" : recipients[0], "", invocation.value("type", "chat"),
                      invocation.value("subject")};
        sendLines(connection, mailing,
                  [&](const std::string& line) { mailing.send(parseDraft(line, pattern)); });
    } else if (isPerLine) {
        sendLines(connection, mailing, [&](const std::string& line) {
            for (Draft draft : drafts) {
                draft.text = line;
                check(draft);
                mailing.send(draft);
            }
        });
    } else {
        for (const Draft& draft : drafts) mailing.send(draft);
    }
    mailing.finish(Clock::now() + timeout);
    return mailing.result();
}

}  // namespace

const Verb send{
    .name = "send",
    .summary = "Send a message",
    .description =
        "The text is the words after the peer, or else a file, or else standard input.\n"
        "Prints the id of each message.",
    .arguments = {{"PEER", "Who gets it", Argument::Count::Optional},
                  {"TEXT", "The text; standard input when there is none", Argument::Count::Any}},
    .options =
        {
            {.name = "to",
             .value = "PEER",
             .help = "A further recipient",
             .letter = 't',
             .times = Option::Times::Repeated},
            {.name = "file", .value = "FILE", .help = "Send the text of a file", .letter = 'f'},
            {.name = "per-line", .help = "Send each line of standard input when it comes"},
            {.name = "batch",
             .help = "Read JSON lines: {\"to\": \"…\", \"text\": \"…\"}, also type and subject"},
            {.name = "subject", .value = "TEXT", .help = "A subject", .letter = 's'},
            {.name = "type",
             .value = "TYPE",
             .help = "chat (default), normal, headline or groupchat"},
            {.name = "wait",
             .value = "HOW_FAR",
             .help = "sent (default), stored (the server has it safely), delivered (the peer's "
                     "client has it)"},
            {.name = "timeout",
             .value = "TIME",
             .help = "How long to wait for that (default: 30 s)"},
        },
    .examples =
        {
            {"epode send romeo@montague.example 'Good night, good night'", "One message"},
            {"uptime | epode send operator@capulet.example --wait stored",
             "From a pipe; succeeds when the server has it for sure"},
            {"epode send romeo@montague.example 'Are you there?' --wait delivered --timeout 1m",
             "Wait for the receipt of the peer's client"},
            {"epode send --batch --json < messages.jsonl",
             "Many, with a JSON line for each result"},
        },
    .run = run,
};

}  // namespace epode::cli
