// epode chat: two-way lines with one peer. At a terminal the typing stays on the last line; in a
// pipe each line of input is a message.
#include "cli/archive.h"
#include "cli/input.h"
#include "cli/invocation.h"
#include "cli/line_editor.h"
#include "cli/presence.h"
#include "cli/verbs/verbs.h"

#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace epode::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto commands =
    "-- /quit ends, /help shows this, //text sends a text that begins with a slash";

// What is shown, and where: above the typing at a terminal, plain lines else.
class Screen {
public:
    Screen(const Output& out, LineEditor* editor) : out_{out}, editor_{editor} {
        const char* plain = std::getenv("NO_COLOR");
        hasColours_ = editor && !(plain && *plain);
    }

    void message(const Message& message, std::string sender) {
        const auto time = shortTime(message.time);
        // XEP-0245: "/me waves".
        const bool isAction = message.body.starts_with("/me ");
        if (isAction && message.isOwn) sender = printable(localOf(message.from));
        const std::string head =
            time + " " + (isAction ? "* " : "") + sender + (isAction ? "" : ":") + " ";
        const auto text =
            indented(isAction ? message.body.substr(4) : message.body, time.size() + 1);
        const std::string words = dim(time) + " " + (isAction ? "* " : "") +
                                  (message.isOwn ? sender : bold(sender)) + (isAction ? "" : ":") +
                                  " " + text;
        show(words, *toJson(message));
    }
    void event(const std::string& words, Fields fields) { show(dim(words), *jsonObject(fields)); }
    void note(const std::string& words) {
        if (editor_) {
            editor_->print(dim(words));
        } else if (out_.isJson()) {
            event(words, {{"event", std::string{"note"}}, {"text", words}});
        } else {
            out_.note(words);
        }
    }

private:
    void show(const std::string& words, const Poco::JSON::Object& object) {
        if (editor_) {
            editor_->print(words);
        } else {
            out_.result(words, object);
        }
    }
    std::string dim(const std::string& text) const {
        return hasColours_ && !text.empty() ? "\x1b[2m" + text + "\x1b[0m" : text;
    }
    std::string bold(const std::string& text) const {
        return hasColours_ ? "\x1b[1m" + text + "\x1b[0m" : text;
    }

    const Output& out_;
    LineEditor* editor_;
    bool hasColours_;
};

class Chat {
public:
    Chat(Connection& connection, const Output& out, LineEditor* editor, const std::string& peer)
        : connection_{connection},
          screen_{out, editor},
          editor_{editor},
          isJson_{out.isJson()},
          peer_{peer},
          name_{printable(localOf(peer).empty() ? bareOf(peer) : localOf(peer))} {
        connection.onStanza = [this](const Stanza& stanza) {
            if (stanza.name() == "presence") {
                noticePresence(stanza);
            } else if (const auto message = readMessage(stanza, connection_.bareJid())) {
                if (isCatchingUp_) {
                    live_.push_back(*message);
                } else {
                    notice(*message);
                }
            }
        };
        connection.onAcknowledged = [this](const Stanza& stanza) {
            advance(stanza.get("id"), Progress::Stored);
        };
    }

    void start(long lines) {
        // First present, then the archive: what comes in between would be in neither.
        announce(connection_, 0, Carbons::On);
        if (lines > 0) {
            catchUp([&] { return newestLines(lines); });
        }
        showPrompt();
    }

    void say(const std::string& text) {
        if (text.empty()) return;
        if (!fitsInXml(text)) {
            screen_.note("-- not sent: the line is not UTF-8 text");
            hasFailed_ = true;
            return;
        }
        Message message;
        message.from = connection_.jid();
        message.to = peer_;
        message.type = "chat";
        message.id = newId();
        message.body = text;
        message.time = WallClock::now();
        message.isOwn = true;
        Stanza stanza = makeMessage(peer_, "chat", message.id, text, Receipt::Wanted);
        stanza.add(Stanza{"active", ns::chatStates});
        isComposing_ = false;
        known_.insert(message.id);
        own_.push_back({message.id, Progress::Under});
        // In a pipe people see what they sent; programs want to know its id.
        if (editor_ || isJson_) screen_.message(message, "you");
        connection_.send(stanza);
        showPrompt();
    }

    void typed() {
        if (!showsTyping_ || !connection_.isConnected()) return;
        const bool composes = !editor_->isEmpty();
        if (composes == isComposing_) return;
        isComposing_ = composes;
        connection_.send(makeChatState(peer_, composes ? "composing" : "active"));
    }

    // In a fresh session we have to say again that we're here, and see what came meanwhile.
    void comeBack(Connection::Comeback how) {
        if (how == Connection::Comeback::Resumed) return;
        announce(connection_, 0, Carbons::On);
        if (newest_.empty()) return;
        catchUp([this] { return missedSince(connection_, newest_); });
    }

    bool hasUnsettled() const {
        return connection_.hasAcknowledgements() &&
               std::any_of(own_.begin(), own_.end(),
                           [](const Own& own) { return own.progress == Progress::Under; });
    }
    bool hasFailed() const { return hasFailed_; }
    Screen& screen() { return screen_; }

private:
    enum class Progress { Under, Stored, Delivered, Failed };
    struct Own {
        std::string id;
        Progress progress;
    };

    bool isPeer(const std::string& address) const { return bareOf(address) == bareOf(peer_); }

    // The older first: what comes live meanwhile has to wait.
    void catchUp(const std::function<std::vector<Message>()>& fetch) {
        isCatchingUp_ = true;
        const auto older = fetch();
        isCatchingUp_ = false;
        for (const Message& message : older) notice(message);
        for (const Message& message : std::exchange(live_, {})) notice(message);
    }

    std::vector<Message> newestLines(long lines) {
        ArchiveQuery query;
        query.with = bareOf(peer_);
        query.limit = lines;
        try {
            return fetchPage(connection_, query).messages;
        } catch (const Failure&) {
            // Not every server keeps an archive, and a chat goes without.
            return {};
        }
    }

    void notice(const Message& message) {
        if (!message.archiveId.empty()) {
            newest_ = message.archiveId;
            // The archive, the offline messages and the carbons may all have the same one.
            if (!known_.insert("archive " + message.archiveId)) return;
        }
        if (message.error) {
            noticeError(message);
            return;
        }
        if (!message.receiptFor.empty() && isPeer(message.from)) {
            advance(message.receiptFor, Progress::Delivered);
        }
        if (!message.isOwn && isPeer(message.from) && !message.isDelayed) noticeTyping(message);
        if (message.body.empty()) return;
        if (message.isOwn && !message.id.empty() && !known_.insert(message.id)) return;
        if (isPeer(message.peer())) {
            screen_.message(message, message.isOwn ? "you" : name_);
        } else if (!message.isOwn) {
            screen_.message(message, "[" + printable(bareOf(message.from)) + "]");
        }
        if (message.wantsReceipt && !message.isOwn && !message.id.empty() && isPeer(message.from) &&
            !wasSeen(message)) {
            connection_.send(makeReceipt(message));
        }
    }

    // What came out of the archive was answered when it arrived.
    static bool wasSeen(const Message& message) {
        return message.isDelayed && !message.archiveId.empty();
    }

    void noticeError(const Message& message) {
        const bool isOurs = std::any_of(own_.begin(), own_.end(), [&](const Own& own) {
            return own.id == message.id && own.progress != Progress::Failed;
        });
        if (!isOurs) return;
        hasFailed_ = true;
        advance(message.id, Progress::Failed);
        screen_.event("-- not delivered: " + explain(*message.error),
                      {{"event", std::string{"error"}},
                       {"id", message.id},
                       {"condition", message.error->condition},
                       {"text", explain(*message.error)}});
    }

    void noticeTyping(const Message& message) {
        if (message.chatState.empty()) return;
        showsTyping_ = true;
        const bool isTyping = message.chatState == "composing";
        if (isTyping != peerIsTyping_ && isJson_) {
            screen_.event(
                "",
                {{"event", std::string{"typing"}}, {"from", message.from}, {"typing", isTyping}});
        }
        peerIsTyping_ = isTyping;
        showPrompt();
    }

    void noticePresence(const Stanza& presence) {
        const auto from = presence.get("from");
        const auto type = presence.get("type");
        if (!isPeer(from) || (!type.empty() && type != "unavailable")) return;
        const auto show = presence.child("show").text();
        const std::string state = type == "unavailable" ? "offline"
                                  : show.empty()        ? "online"
                                  : show == "dnd"       ? "busy"
                                  : show == "xa"        ? "away for long"
                                                        : "away";
        if (state == peerState_ || (peerState_.empty() && state == "offline")) return;
        peerState_ = state;
        screen_.event("-- " + name_ + " is " + state,
                      {{"event", std::string{"presence"}}, {"from", from}, {"state", state}});
    }

    void advance(const std::string& id, Progress progress) {
        for (Own& own : own_) {
            if (own.id != id || own.progress >= progress) continue;
            own.progress = progress;
            if (isJson_ && progress != Progress::Failed) {
                const bool isStored = progress == Progress::Stored;
                screen_.event(
                    "", {{"event", std::string{isStored ? "stored" : "delivered"}}, {"id", id}});
            }
        }
        showPrompt();
    }

    // The state of the last message stands where people type: "·" under way, "✓" the server has it,
    // "✓✓" the peer has it.
    void showPrompt() {
        if (!editor_) return;
        std::string prompt = peerIsTyping_ ? name_ + " is typing… " : "";
        if (!own_.empty()) {
            switch (own_.back().progress) {
                case Progress::Under:
                    prompt += "· ";
                    break;
                case Progress::Stored:
                    prompt += "✓ ";
                    break;
                case Progress::Delivered:
                    prompt += "✓✓ ";
                    break;
                case Progress::Failed:
                    prompt += "✗ ";
                    break;
            }
        }
        editor_->setPrompt(prompt + "> ");
    }

    Connection& connection_;
    Screen screen_;
    LineEditor* editor_;
    const bool isJson_;
    const std::string peer_;
    const std::string name_;
    RecentIds known_;  // ids of what was shown
    std::vector<Own> own_;
    std::string newest_;  // the archive's id of the last message
    std::string peerState_;
    bool isCatchingUp_ = false;
    std::vector<Message> live_;  // what came while catching up
    bool peerIsTyping_ = false;
    bool showsTyping_ = false;  // the peer's client knows chat states (XEP-0085, 5.1)
    bool isComposing_ = false;
    bool hasFailed_ = false;
};

// Runs until the input is over or somebody wants to leave.
class Conversation {
public:
    Conversation(Connection& connection, Chat& chat, LineEditor* editor)
        : connection_{connection}, chat_{chat}, editor_{editor} {
        if (editor) {
            editor->onLine = [this](const std::string& line) { take(line); };
            editor->onEnd = [this] { wantsEnd_ = true; };
            editor->onTyping = [this] { chat_.typed(); };
            connection.watch(STDIN_FILENO, [this] { editor_->readKeys(); });
        } else {
            connection.watch(STDIN_FILENO, [this] { readLines(); });
        }
    }

    void run() {
        for (;;) {
            const Wait wait = connection_.runUntil([this] { return wantsEnd_; }, never());
            if (wait != Wait::Disconnected) break;
            if (!comeBack(never())) return;
        }
        connection_.unwatch();
        // Nobody leaves with a message under way.
        const Deadline patience = Clock::now() + 10s;
        while (connection_.runUntil([this] { return !chat_.hasUnsettled(); }, patience) ==
               Wait::Disconnected) {
            if (!comeBack(patience)) return;
        }
    }

private:
    bool comeBack(Deadline deadline) {
        Connection::Comeback how{};
        const auto say = [this](const std::string& words) { chat_.screen().note(words); };
        if (!cli::comeBack(connection_, deadline, say, how)) return false;
        chat_.comeBack(how);
        return true;
    }

    void readLines() {
        reader_.readSome();
        while (const auto line = reader_.next()) take(*line);
        if (!reader_.isOver()) return;
        wantsEnd_ = true;
        connection_.unwatch();
    }

    void take(const std::string& line) {
        if (wantsEnd_) return;
        if (line == "/quit") {
            wantsEnd_ = true;
        } else if (line == "/help") {
            chat_.screen().note(commands);
        } else if (line.starts_with("//")) {
            chat_.say(line.substr(1));
        } else if (line.starts_with("/") && !line.starts_with("/me ")) {
            chat_.screen().note("-- there is no command " + line.substr(0, line.find(' ')));
            chat_.screen().note(commands);
        } else {
            chat_.say(line);
        }
    }

    Connection& connection_;
    Chat& chat_;
    LineEditor* editor_;
    LineReader reader_;
    bool wantsEnd_ = false;
};

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const std::string peer = invocation.argument(0);
    if (!looksLikeAddress(peer)) throw usage("\"" + peer + "\" is no address.");
    const bool atTerminal = !out.isJson() && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    const long lines = invocation.number("history", atTerminal ? 20 : 0, 0, 1000);

    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    catchInterrupts();
    out.note("-- " + connection.bareJid() + " with " + peer + (atTerminal ? ", /quit ends" : ""));
    const auto editor = atTerminal ? std::make_unique<LineEditor>() : nullptr;
    Chat chat{connection, out, editor.get(), peer};
    chat.start(lines);
    if (out.isJson()) {
        out.result("", {{"event", std::string{"connected"}}, {"jid", connection.jid()}});
    }
    Conversation{connection, chat, editor.get()}.run();
    const bool isUnsettled = chat.hasUnsettled();
    connection.close();
    if (isUnsettled) {
        throw Failure(ExitCode::PartlyDone, "unacknowledged",
                      "The server has not acknowledged the last messages.");
    }
    return chat.hasFailed() ? ExitCode::PartlyDone : ExitCode::Done;
}

}  // namespace

const Verb chat{
    .name = "chat",
    .summary = "Chat with somebody, line by line",
    .description =
        "At a terminal the last line is for typing; before it stands how far the last message\n"
        "has come: · under way, ✓ the server has it, ✓✓ the peer's client has it. In a pipe each\n"
        "line of input is a message, and the end of the input ends the chat when the server has\n"
        "all of them. A lost connection is resumed. "
        "/quit ends, /me waves works.",
    .arguments = {{"PEER", "With whom"}},
    .options = {{.name = "history",
                 .value = "N",
                 .help = "Begin with the last N lines of the archive (default: 20; in a pipe 0)",
                 .letter = 'n'}},
    .examples = {{"epode chat romeo@montague.example", "At a terminal"},
                 {"epode chat romeo@montague.example --json", "For a program that talks"}},
    .run = run,
};

}  // namespace epode::cli
