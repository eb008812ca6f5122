// One connection to a server, on libstrophe: TLS with a checked certificate, login, stream
// management with resumption, requests with answers, and the event loop of the process.
//
// libstrophe gives some of its callbacks no pointer of ours, hence one Connection at a time.
#pragma once

#include "cli/accounts.h"
#include "cli/endpoints.h"
#include "cli/stanza.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace epode::cli {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

enum class Wait { Done, TimedOut, Disconnected, Interrupted };

struct ConnectionSettings {
    std::chrono::milliseconds connectTimeout{20'000};
    bool trace = false;
};
ConnectionSettings connectionSettings(const Invocation& invocation);

class Connection {
public:
    Connection(Account account, ConnectionSettings settings);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Logs in with the account's password (asked for once). Throws a Failure that says which step
    // failed and why. Nothing is announced: presence is up to the verb.
    void connect();
    // Connects without login, up to the stream features after TLS: for registration.
    Stanza connectBeforeLogin();

    // After a disconnection. The session goes on where it was when the server still has it
    // (XEP-0198); messages that the server had not acknowledged are sent again in either case.
    enum class Comeback { Resumed, Fresh };
    Comeback reconnect();

    // Ends the stream properly: what was sent before has reached the server when this returns true.
    bool close();

    bool isConnected() const { return phase_ == Phase::Ready; }
    // Why the connection broke, for people.
    const std::string& lossReason() const { return lossReason_; }
    const Account& account() const { return account_; }
    std::string jid() const { return boundJid_; }
    std::string bareJid() const;
    std::string domain() const;

    void send(const Stanza& stanza);
    // Sends a request and waits for its answer. A Failure when it is an error, when none comes in
    // time, or when the connection breaks. Stanzas that come meanwhile go to `onStanza`.
    Stanza ask(Stanza iq, std::chrono::milliseconds timeout = std::chrono::seconds{20});

    // Every message and presence, and no iq: those are answered here.
    std::function<void(const Stanza&)> onStanza;

    // With stream management the server acknowledges what it has taken over: called for each stanza
    // that was sent, in order.
    bool hasAcknowledgements() const { return isManaged_; }
    std::function<void(const Stanza&)> onAcknowledged;

    // Input beside the connection, such as the keyboard.
    void watch(int file, std::function<void()> onReadable);
    void unwatch();

    // Runs the event loop until `done`, the deadline, a lost connection or SIGINT.
    Wait runUntil(const std::function<bool()>& done, Deadline deadline);
    // Serves what is watched while there is no connection; ends by the deadline or by SIGINT.
    Wait idleUntil(Deadline deadline);

private:
    enum class Phase { Idle, Connecting, Ready, Closing, Over };
    enum class Purpose { Login, BeforeLogin };

    struct Unacknowledged {
        std::uint64_t number;
        Stanza stanza;
    };

    void open(Purpose purpose);
    void tryEndpoint(const Endpoint& endpoint, Purpose purpose, Deadline deadline);
    bool isReady() const;
    Failure diagnose(const Endpoint& endpoint, bool isLate) const;
    Failure diagnoseLogin() const;
    void closeStream();
    void sendUnacknowledged();
    void pump();
    void settle();
    void waitForEvents(Deadline deadline);
    void keepAlive();
    void dispatch(const Stanza& stanza);
    void answer(const Stanza& iq);
    void observe(bool isSent, const std::string& xml);
    void observeManagement(const std::string& xml);
    void onEvent(xmpp_conn_event_t event, xmpp_stream_error_t* streamError);
    void negotiateBeforeLogin(const Stanza& stanza);
    bool acceptsCertificate(const xmpp_tlscert_t* certificate, const std::string& problem);

    friend struct StropheCallbacks;

    Account account_;
    ConnectionSettings settings_;
    std::optional<std::string> password_;
    std::string boundJid_;

    xmpp_conn_t* stream_ = nullptr;
    xmpp_sm_state_t* resumable_ = nullptr;
    std::atomic<int> socket_ = -1;
    Purpose purpose_ = Purpose::Login;
    Phase phase_ = Phase::Idle;
    std::string lossReason_;

    // What was seen while connecting, for the diagnosis.
    struct Signs {
        bool tcp = false;
        bool loggedIn = false;
        bool bound = false;
        int socketError = 0;
        std::string certificateProblem;
        std::string fingerprint;
        std::string subject;
        std::string mechanisms;
        std::optional<ErrorReport> loginRefusal;
        std::optional<ErrorReport> bindRefusal;
        std::optional<ErrorReport> streamError;
        std::string lastComplaint;  // of libstrophe
        bool offersManagement = false;
        bool managementAnswered = false;
        bool resumed = false;
        bool resumptionRefused = false;
        Stanza features;
    } signs_;

    // Stream management: stanzas are numbered from 1 in the order of sending, and kept until the
    // server has acknowledged their number.
    bool isManaged_ = false;
    std::uint64_t sent_ = 0;
    std::uint64_t acknowledged_ = 0;
    bool hasHeardAcknowledgement_ = false;  // since we looked last
    std::uint32_t handled_ = 0;  // of the stanzas that the server has sent
    std::deque<Unacknowledged> unacknowledged_;

    // What came in during a turn of libstrophe's loop: handlers run when that turn is over, so that
    // they may throw, and ask in their turn.
    std::deque<Stanza> inbox_;
    std::map<std::string, Stanza> answers_;  // by id; empty while it is awaited
    Clock::time_point lastHeard_{};
    bool isProbing_ = false;
    bool isEndedByServer_ = false;

    int watchedFile_ = -1;
    std::function<void()> onReadable_;
};

// From now on SIGINT and SIGTERM end `runUntil` with Interrupted instead of the process.
void catchInterrupts();
bool isInterrupted();

}  // namespace epode::cli
