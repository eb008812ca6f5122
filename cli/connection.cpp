#include "cli/connection.h"

#include "cli/invocation.h"
#include "cli/text.h"

#include <sys/socket.h>

#include <netdb.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <regex>
#include <thread>
#include <utility>

namespace epode::cli {

namespace {

using namespace std::chrono_literals;

Connection* current = nullptr;
bool isTracing = false;

volatile std::sig_atomic_t interrupts = 0;

// Passwords and login messages don't belong on anybody's screen.
void trace(bool isSent, const std::string& xml) {
    static const std::regex secrets{
        R"((<(auth|response|challenge|success|password)\b[^>]*>)[^<]+(</\2>))"};
    static const std::regex secretFields{R"re((<field\b[^>]*var="password"[^>]*><value>)[^<]+)re"};
    const auto shown =
        std::regex_replace(std::regex_replace(xml, secrets, "$1…$3"), secretFields, "$1…");
    std::cerr << (isSent ? ">> " : "<< ") << shown << std::endl;
}

// libstrophe waits for a TLS handshake without an end. This ends it: when the time is over, the
// socket is shut down under its feet.
class Watchdog {
public:
    Watchdog(const std::atomic<int>& socket, Deadline deadline)
        : thread_{[this, &socket, deadline](const std::stop_token& stop) {
              std::unique_lock lock{mutex_};
              if (!wake_.wait_until(lock, stop, deadline, [] { return false; }) &&
                  !stop.stop_requested()) {
                  shutdown(socket, SHUT_RDWR);
              }
          }} {}

private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

// Whether a server, and not only a relay on the way to one, is there now. Asked before a session is
// resumed: libstrophe forgets the session's name when an attempt fails.
bool isAlive(const Endpoint& endpoint, const std::string& domain,
             std::chrono::milliseconds patience) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    if (getaddrinfo(endpoint.address.c_str(), std::to_string(endpoint.port).c_str(), &wanted,
                    &list) != 0) {
        return false;
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner{list, freeaddrinfo};
    const int probe = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
    setsockopt(probe, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    bool isThere = connect(probe, list->ai_addr, list->ai_addrlen) == 0;
    char byte = 0;
    if (isThere && endpoint.tls == Tls::Direct) {
        // It waits for us to begin; a relay without a server behind it hangs up.
        pollfd waiting{probe, POLLIN, 0};
        isThere = poll(&waiting, 1, 200) == 0 || recv(probe, &byte, 1, 0) > 0;
    } else if (isThere) {
        const std::string greeting =
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" +
            domain + "'>";
        pollfd waiting{probe, POLLIN, 0};
        isThere = ::send(probe, greeting.data(), greeting.size(), MSG_NOSIGNAL) > 0 &&
                  poll(&waiting, 1, static_cast<int>(patience.count())) == 1 &&
                  recv(probe, &byte, 1, 0) > 0;
        if (isThere) ::send(probe, "</stream:stream>", 16, MSG_NOSIGNAL);
    }
    ::close(probe);
    return isThere;
}

ErrorReport streamErrorReport(const Stanza& error) {
    ErrorReport report{"undefined-condition", "", ""};
    for (const Stanza& child : error.children()) {
        if (child.ns() != XMPP_NS_STREAMS_IETF) continue;
        (child.name() == "text" ? report.text : report.condition) =
            child.name() == "text" ? child.text() : child.name();
    }
    return report;
}

std::string describe(const ErrorReport& error) {
    return error.text.empty() ? error.condition
                              : error.condition + ": " + withoutFullStop(error.text);
}

}  // namespace

// libstrophe calls these; they find the Connection and leave exceptions nothing to cross.
struct StropheCallbacks {
    static void log(void*, xmpp_log_level_t level, const char*, const char* text) {
        const int error = errno;
        const std::string line{text};
        if (line.starts_with("SENT: ") || line.starts_with("RECV: ")) {
            if (isTracing) trace(line[0] == 'S', line.substr(6));
            if (current) current->observe(line[0] == 'S', line.substr(6));
        } else if (current && line.starts_with("connection failed, error ")) {
            current->signs_.socketError = std::atoi(line.c_str() + 25);
        } else if (current && line == "connection successful") {
            current->signs_.tcp = true;
        } else if (current && level == XMPP_LEVEL_ERROR) {
            current->signs_.lastComplaint = line;
        }
        errno = error;
    }

    static void event(xmpp_conn_t*, xmpp_conn_event_t event, int, xmpp_stream_error_t* error,
                      void* self) {
        static_cast<Connection*>(self)->onEvent(event, error);
    }

    static int stanza(xmpp_conn_t*, xmpp_stanza_t* stanza, void* self) {
        auto* connection = static_cast<Connection*>(self);
        if (connection->purpose_ == Connection::Purpose::BeforeLogin) {
            connection->negotiateBeforeLogin(Stanza::of(stanza));
        }
        connection->inbox_.push_back(Stanza::of(stanza));
        return 1;
    }

    static int socket(xmpp_conn_t* stream, void* socket) {
        current->socket_ = *static_cast<int*>(socket);
        return xmpp_sockopt_cb_keepalive(stream, socket);
    }

    static int certificate(const xmpp_tlscert_t* certificate, const char* const problem) {
        return current->acceptsCertificate(certificate, problem ? problem : "") ? 1 : 0;
    }
};

xmpp_ctx_t* strophe() {
    static const xmpp_log_t log{StropheCallbacks::log, nullptr};
    static xmpp_ctx_t* const context = (xmpp_initialize(), xmpp_ctx_new(nullptr, &log));
    return context;
}

void catchInterrupts() {
    struct sigaction action{};
    action.sa_handler = [](int) { interrupts = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool isInterrupted() { return interrupts != 0; }

ConnectionSettings connectionSettings(const Invocation& invocation) {
    ConnectionSettings settings;
    settings.connectTimeout =
        invocation.duration("connect-timeout").value_or(settings.connectTimeout);
    settings.trace = invocation.has("trace");
    return settings;
}

Connection::Connection(Account account, ConnectionSettings settings)
    : account_{std::move(account)}, settings_{settings}, boundJid_{account_.jid} {
    current = this;
    isTracing = settings.trace;
}

Connection::~Connection() {
    closeStream();
    if (resumable_) xmpp_free_sm_state(resumable_);
    current = nullptr;
}

std::string Connection::bareJid() const { return bareOf(boundJid_); }

std::string Connection::domain() const { return domainOf(account_.jid); }

void Connection::connect() {
    if (!password_) password_ = passwordOf(account_);
    open(Purpose::Login);
}

Stanza Connection::connectBeforeLogin() {
    open(Purpose::BeforeLogin);
    return signs_.features;
}

// Each address in its turn, until one lets us in or says no for good.
void Connection::open(Purpose purpose) {
    const Deadline deadline = Clock::now() + settings_.connectTimeout;
    auto endpoints = endpointsOf(account_);
    if (resumable_) {
        std::erase_if(endpoints, [this](const Endpoint& endpoint) {
            return !isAlive(endpoint, domain(), 5s);
        });
        if (endpoints.empty()) {
            throw Failure(ExitCode::NoConnection, "connection-refused",
                          "The server of " + domain() + " does not answer.");
        }
    }
    for (std::size_t i = 0;; ++i) {
        try {
            tryEndpoint(endpoints[i], purpose, deadline);
            return;
        } catch (const Failure& failure) {
            const bool isLast = i + 1 == endpoints.size() || Clock::now() >= deadline;
            if (isLast || failure.code != ExitCode::NoConnection) throw;
        }
    }
}

void Connection::tryEndpoint(const Endpoint& endpoint, Purpose purpose, Deadline deadline) {
    signs_ = {};
    inbox_.clear();
    purpose_ = purpose;
    phase_ = Phase::Connecting;
    socket_ = -1;
    isEndedByServer_ = false;
    stream_ = xmpp_conn_new(strophe());
    long flags =
        endpoint.tls == Tls::Direct ? XMPP_CONN_FLAG_LEGACY_SSL : XMPP_CONN_FLAG_MANDATORY_TLS;
    if (account_.certificateCheck == Account::CertificateCheck::Off) {
        flags |= XMPP_CONN_FLAG_TRUST_TLS;
    }
    xmpp_conn_set_flags(stream_, flags);
    xmpp_conn_set_jid(stream_, account_.jid.c_str());
    if (password_) xmpp_conn_set_pass(stream_, password_->c_str());
    if (!account_.caFile.empty()) xmpp_conn_set_cafile(stream_, account_.caFile.c_str());
    xmpp_conn_set_certfail_handler(stream_, StropheCallbacks::certificate);
    xmpp_conn_set_sockopt_callback(stream_, StropheCallbacks::socket);
    xmpp_handler_add(stream_, StropheCallbacks::stanza, nullptr, nullptr, nullptr, this);
    if (resumable_) {
        xmpp_conn_set_sm_state(stream_, resumable_);
        resumable_ = nullptr;
    }

    errno = 0;
    const auto start = purpose == Purpose::Login ? xmpp_connect_client : xmpp_connect_raw;
    if (start(stream_, endpoint.address.c_str(), endpoint.port, StropheCallbacks::event, this) !=
        XMPP_EOK) {
        signs_.socketError = errno;
        phase_ = Phase::Over;
    }
    {
        const Watchdog watchdog{socket_, deadline};
        // A refused certificate or resumption leaves nothing to wait for.
        while (phase_ == Phase::Connecting && !isReady() && Clock::now() < deadline &&
               signs_.certificateProblem.empty() && !signs_.resumptionRefused) {
            xmpp_run_once(strophe(), 10);
        }
    }
    if (!isReady()) {
        const bool isLate = Clock::now() >= deadline;
        const auto failure = diagnose(endpoint, isLate);
        closeStream();
        phase_ = Phase::Over;
        throw failure;
    }
    if (purpose == Purpose::Login) {
        if (const char* jid = xmpp_conn_get_bound_jid(stream_)) boundJid_ = jid;
        isManaged_ = signs_.offersManagement && signs_.managementAnswered;
    }
    phase_ = Phase::Ready;
    lossReason_.clear();
    lastHeard_ = Clock::now();
    isProbing_ = false;
}

// libstrophe starts to count when <enabled/> has come, the server when it has seen <enable/>:
// nothing may be sent in between.
bool Connection::isReady() const {
    if (phase_ == Phase::Over || !signs_.certificateProblem.empty() || signs_.resumptionRefused) {
        return false;
    }
    if (purpose_ == Purpose::BeforeLogin) return bool{signs_.features};
    return signs_.bound &&
           (!signs_.offersManagement || signs_.managementAnswered || signs_.resumed);
}

Failure Connection::diagnose(const Endpoint& endpoint, bool isLate) const {
    const std::string there = domain() + " (" + endpoint.shown + ")";
    if (signs_.resumptionRefused) {
        return {ExitCode::NoConnection, "resumption-refused", "The session is gone."};
    }
    if (!signs_.certificateProblem.empty()) {
        return {ExitCode::NoConnection, "certificate",
                "The certificate of " + there + " cannot be trusted: " + signs_.certificateProblem +
                    ".\n       It is for " + signs_.subject +
                    ", its SHA-256 fingerprint is\n       " + signs_.fingerprint,
                "If that is the fingerprint the server's operator told you, add:\n       "
                "--trust-fingerprint " +
                    signs_.fingerprint};
    }
    if (!signs_.tcp) {
        const std::string why = signs_.socketError ? std::strerror(signs_.socketError)
                                : isLate           ? "no answer in time"
                                                   : "the connection failed";
        return {ExitCode::NoConnection, isLate ? "connect-timeout" : "connection-refused",
                "There is no connection to " + there + ": " + why + ".",
                "Is the server running, and is that the right place? --host and --port say where "
                "it is."};
    }
    if (signs_.streamError) {
        const auto& condition = signs_.streamError->condition;
        const bool isPassing =
            condition == "system-shutdown" || condition == "connection-timeout" ||
            condition == "internal-server-error" || condition == "resource-constraint";
        return {
            isPassing ? ExitCode::NoConnection : ExitCode::Refused, condition,
            "The server " + there + " ended the stream: " + describe(*signs_.streamError) + "."};
    }
    if (signs_.loginRefusal || signs_.bindRefusal || signs_.loggedIn ||
        !signs_.mechanisms.empty()) {
        if (!isLate) return diagnoseLogin();
    }
    if (isLate) {
        return {ExitCode::NoConnection, "connect-timeout",
                "The server " + there + " did not answer in time.",
                "Is that an XMPP port? --tls direct and --tls starttls choose how TLS begins."};
    }
    return {ExitCode::NoConnection, "no-tls",
            "No secure connection to " + there + " came about" +
                (signs_.lastComplaint.empty() ? "." : ": " + signs_.lastComplaint + "."),
            endpoint.tls == Tls::Direct ? "If the port is for STARTTLS, add: --tls starttls"
                                        : "If the port is for direct TLS, add: --tls direct"};
}

Failure Connection::diagnoseLogin() const {
    if (signs_.bindRefusal) {
        return {ExitCode::Refused, signs_.bindRefusal->condition,
                "The server gave " + account_.jid + " no session: " + explain(*signs_.bindRefusal) +
                    "."};
    }
    if (signs_.loginRefusal) {
        const ErrorReport& refusal = *signs_.loginRefusal;
        const bool isPassword = refusal.condition == "not-authorized";
        const std::string why =
            isPassword ? "the password is wrong, or there is no such account" : refusal.condition;
        return {ExitCode::Refused, refusal.condition,
                "The server refused the login of " + bareOf(account_.jid) + ": " + why + "." +
                    (refusal.text.empty()
                         ? ""
                         : " It says: " + printable(withoutFullStop(refusal.text)) + "."),
                isPassword ? "Check the address and the password." : ""};
    }
    if (!signs_.loggedIn) {
        return {
            ExitCode::Refused, "no-mechanism",
            "The server's ways to log in fit none of ours. It offers: " + signs_.mechanisms + "."};
    }
    return {ExitCode::NoConnection, "disconnected",
            "The server closed the connection during the login."};
}

void Connection::closeStream() {
    if (!stream_) return;
    auto* stream = std::exchange(stream_, nullptr);
    if (phase_ != Phase::Over) phase_ = Phase::Closing;
    xmpp_conn_release(stream);
    socket_ = -1;
}

Connection::Comeback Connection::reconnect() {
    if (stream_ && isManaged_ && xmpp_conn_is_disconnected(stream_)) {
        resumable_ = xmpp_conn_get_sm_state(stream_);
    }
    closeStream();
    try {
        open(Purpose::Login);
    } catch (const Failure& failure) {
        if (failure.condition != "resumption-refused") throw;
        open(Purpose::Login);
    }
    const bool isResumed = signs_.resumed;
    if (isResumed) {
        isManaged_ = true;
        // It has queued again what it thinks was lost. Its numbers are wrong when acknowledgements
        // were lost as well, and it never queues what it had not written yet; ours are right.
        while (char* queued = xmpp_conn_send_queue_drop_element(stream_, XMPP_QUEUE_OLDEST)) {
            xmpp_free(strophe(), queued);
        }
    }
    settle();
    sendUnacknowledged();
    return isResumed ? Comeback::Resumed : Comeback::Fresh;
}

// After a resumption everything from where the server stands, in the old order and with the old
// numbers; in a fresh session the messages alone, as requests and presence were of the old one.
void Connection::sendUnacknowledged() {
    if (signs_.resumed) {
        for (const auto& waiting : unacknowledged_) xmpp_send(stream_, waiting.stanza.get());
        return;
    }
    auto waiting = std::exchange(unacknowledged_, {});
    sent_ = 0;
    acknowledged_ = isManaged_ ? 0 : acknowledged_;
    for (const auto& [number, stanza] : waiting) {
        if (stanza.name() == "message") send(stanza);
    }
}

bool Connection::close() {
    if (!isConnected()) return false;
    // Else the server would give to the next client what this one has already (XEP-0198, 4).
    if (isManaged_) xmpp_send_raw_string(stream_, "<a xmlns='%s' h='%u'/>", XMPP_NS_SM, handled_);
    xmpp_disconnect(stream_);
    phase_ = Phase::Closing;
    const Deadline deadline = Clock::now() + 2s;
    while (phase_ == Phase::Closing && Clock::now() < deadline) {
        xmpp_run_once(strophe(), 10);
        settle();
    }
    closeStream();
    return isEndedByServer_;
}

void Connection::send(const Stanza& stanza) {
    if (!isConnected()) {
        // It goes out after the reconnection.
        unacknowledged_.push_back({++sent_, stanza});
        return;
    }
    xmpp_send(stream_, stanza.get());
    ++sent_;
    if (isManaged_) unacknowledged_.push_back({sent_, stanza});
}

Stanza Connection::ask(Stanza iq, std::chrono::milliseconds timeout) {
    const std::string id = newId();
    iq.set("id", id);
    answers_[id] = {};
    send(iq);
    const Wait wait = runUntil([&] { return bool{answers_[id]}; }, Clock::now() + timeout);
    const Stanza answer = answers_[id];
    answers_.erase(id);
    const std::string peer = iq.get("to").empty() ? domain() : iq.get("to");
    switch (wait) {
        case Wait::Done:
            break;
        case Wait::TimedOut:
            throw Failure(ExitCode::TimedOut, "timeout", peer + " did not answer in time.");
        case Wait::Disconnected:
            throw Failure(ExitCode::NoConnection, "disconnected",
                          "The connection was lost: " + lossReason_ + ".");
        case Wait::Interrupted:
            throw Failure(ExitCode::TimedOut, "interrupted", "Interrupted.");
    }
    if (const auto error = errorOf(answer)) {
        throw Failure(ExitCode::Refused, error->condition,
                      peer + " refused: " + explain(*error) + ".");
    }
    return answer;
}

void Connection::watch(int file, std::function<void()> onReadable) {
    watchedFile_ = file;
    onReadable_ = std::move(onReadable);
}

void Connection::unwatch() { watchedFile_ = -1; }

Wait Connection::runUntil(const std::function<bool()>& done, Deadline deadline) {
    for (;;) {
        pump();
        if (done()) return Wait::Done;
        if (isInterrupted()) return Wait::Interrupted;
        if (!isConnected()) return Wait::Disconnected;
        if (Clock::now() >= deadline) return Wait::TimedOut;
        keepAlive();
        waitForEvents(deadline);
    }
}

Wait Connection::idleUntil(Deadline deadline) {
    while (Clock::now() < deadline) {
        if (isInterrupted()) return Wait::Interrupted;
        waitForEvents(deadline);
    }
    return Wait::TimedOut;
}

// libstrophe reads at most 4 KiB a turn and hides how much TLS has ready beyond that: a record is
// at most 16 KiB, so three more turns after the socket has run dry empty it.
void Connection::pump() {
    int dryTurns = 0;
    while (stream_ && dryTurns < 4 && phase_ != Phase::Over) {
        pollfd reading{socket_, POLLIN, 0};
        const bool isReadable = poll(&reading, 1, 0) == 1;
        xmpp_run_once(strophe(), 0);
        dryTurns = isReadable ? 0 : dryTurns + 1;
    }
    settle();
}

// What a server refuses it says before it acknowledges, so that is heard first here as well.
void Connection::settle() {
    while (!inbox_.empty()) {
        const Stanza stanza = inbox_.front();
        inbox_.pop_front();
        dispatch(stanza);
    }
    while (!unacknowledged_.empty() && isManaged_ &&
           unacknowledged_.front().number <= acknowledged_) {
        const Stanza stanza = unacknowledged_.front().stanza;
        unacknowledged_.pop_front();
        if (onAcknowledged) onAcknowledged(stanza);
    }
    // Newer libstrophes ask with the first stanza, and not again for what was sent meanwhile.
    if (std::exchange(hasHeardAcknowledgement_, false) && isManaged_ && isConnected() &&
        !unacknowledged_.empty())
        xmpp_send_raw_string(stream_, "<r xmlns='%s'/>", XMPP_NS_SM);
}

void Connection::waitForEvents(Deadline deadline) {
    using std::chrono::milliseconds;
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()) + 1ms;
    // libstrophe keeps timers of its own, and its queue may wait for the socket.
    const bool isSending = isConnected() && xmpp_conn_send_queue_len(stream_) > 0;
    const auto turn = std::clamp<milliseconds>(left, 0ms, isSending ? 50ms : 1000ms);
    pollfd files[2] = {{isConnected() ? socket_.load() : -1, POLLIN, 0}, {watchedFile_, POLLIN, 0}};
    if (poll(files, 2, static_cast<int>(turn.count())) > 0 && files[1].revents != 0) onReadable_();
}

// A dead link is noticed after a minute and a half of silence.
void Connection::keepAlive() {
    const auto silence = Clock::now() - lastHeard_;
    if (silence > 90s) {
        lossReason_ = "the server has gone silent";
        shutdown(socket_, SHUT_RDWR);
    } else if (silence > 60s && !isProbing_) {
        isProbing_ = true;
        send(Stanza{"iq"}.set("type", "get").set("id", newId()).add(Stanza{"ping", ns::ping}));
    }
}

void Connection::dispatch(const Stanza& stanza) {
    if (stanza.name() != "iq") {
        const bool isForVerbs = stanza.name() == "message" || stanza.name() == "presence";
        if (isForVerbs && onStanza) onStanza(stanza);
        return;
    }
    const auto type = stanza.get("type");
    if (type == "get" || type == "set") {
        answer(stanza);
        return;
    }
    // The ids are random: nobody but the one who was asked can answer.
    const auto waiting = answers_.find(stanza.get("id"));
    if (waiting != answers_.end() && !waiting->second) waiting->second = stanza;
}

void Connection::answer(const Stanza& iq) {
    const auto children = iq.children();
    const std::string ns = children.empty() ? "" : children[0].ns();
    const bool isGet = iq.get("type") == "get";
    Stanza reply{"iq"};
    reply.set("id", iq.get("id")).set("type", "result");
    if (!iq.get("from").empty()) reply.set("to", iq.get("from"));

    const bool isRosterPush = !isGet && ns == ns::roster &&
                              (iq.get("from").empty() || bareOf(iq.get("from")) == bareJid());
    if (isGet && ns == ns::discoInfo) {
        Stanza query{"query", ns::discoInfo};
        query.add(Stanza{"identity"}
                      .set("category", "client")
                      .set("type", "console")
                      .set("name", "epode"));
        for (const char* feature :
             {ns::discoInfo, ns::chatStates, ns::ping, ns::receipts, ns::version}) {
            query.add(Stanza{"feature"}.set("var", feature));
        }
        reply.add(query);
    } else if (isGet && ns == ns::version) {
        reply.add(Stanza{"query", ns::version}
                      .addText("name", "epode")
                      .addText("version", EPODE_VERSION));
    } else if (!isRosterPush && !(isGet && ns == ns::ping)) {
        reply.set("type", "error");
        reply.add(Stanza{"error"}
                      .set("type", "cancel")
                      .add(Stanza{"service-unavailable", XMPP_NS_STANZAS_IETF}));
    }
    send(reply);
}

// libstrophe tells nobody what a server says during login, or in stream management, except its log.
void Connection::observe(bool isSent, const std::string& xml) {
    if (isSent) return;
    lastHeard_ = Clock::now();
    isProbing_ = false;
    if (xml.starts_with("<message") || xml.starts_with("<presence") || xml.starts_with("<iq"))
        ++handled_;
    if (xml.starts_with("</stream:stream>")) {
        isEndedByServer_ = true;
    } else if (xml.starts_with("<stream:features") || xml.starts_with("<features")) {
        signs_.offersManagement = xml.find(XMPP_NS_SM) != std::string::npos;
        static const std::regex mechanism{R"(<mechanism>([^<]*)</mechanism>)"};
        const std::sregex_iterator end;
        signs_.mechanisms.clear();
        // What is offered without TLS is nothing to us.
        if (!stream_ || !xmpp_conn_is_secured(stream_)) return;
        for (std::sregex_iterator at{xml.begin(), xml.end(), mechanism}; at != end; ++at) {
            signs_.mechanisms += (signs_.mechanisms.empty() ? "" : ", ") + (*at)[1].str();
        }
    } else if (xml.starts_with("<success")) {
        signs_.loggedIn = true;
    } else if (xml.starts_with("<failure") && xml.find(XMPP_NS_SASL) != std::string::npos) {
        ErrorReport refusal{"not-authorized", "auth", ""};
        for (const Stanza& child : Stanza::parse(xml).children()) {
            (child.name() == "text" ? refusal.text : refusal.condition) =
                child.name() == "text" ? child.text() : child.name();
        }
        signs_.loginRefusal = refusal;
    } else if (xml.starts_with("<iq") && xml.find("_xmpp_bind1") != std::string::npos) {
        signs_.bindRefusal = errorOf(Stanza::parse(xml));
    } else if (xml.find(XMPP_NS_SM) != std::string::npos) {
        observeManagement(xml);
    }
}

void Connection::observeManagement(const std::string& xml) {
    const Stanza element = Stanza::parse(xml);
    if (element.ns() != XMPP_NS_SM) return;
    const std::string name = element.name();
    if (name == "a" || name == "resumed") {
        const auto handled = std::strtoull(element.get("h").c_str(), nullptr, 10);
        acknowledged_ =
            std::max<std::uint64_t>(acknowledged_, std::min<std::uint64_t>(handled, sent_));
    }
    if (name == "a") hasHeardAcknowledgement_ = true;
    if (name == "resumed") signs_.resumed = true;
    if (name == "enabled") {
        signs_.managementAnswered = true;
        // A fresh session counts from zero; what waits from an older one is renumbered when it is
        // sent again.
        acknowledged_ = 0;
        handled_ = 0;
        if (unacknowledged_.empty()) sent_ = 0;
    }
    if (name == "failed") {
        if (signs_.bound) {
            signs_.offersManagement = false;
        } else {
            signs_.resumptionRefused = true;
        }
    }
}

void Connection::onEvent(xmpp_conn_event_t event, xmpp_stream_error_t* streamError) {
    if (event == XMPP_CONN_RAW_CONNECT) {
        signs_.tcp = true;
        const bool isDirect = (xmpp_conn_get_flags(stream_) & XMPP_CONN_FLAG_LEGACY_SSL) != 0;
        if (isDirect && xmpp_conn_tls_start(stream_) != XMPP_EOK) {
            phase_ = Phase::Over;
            return;
        }
        xmpp_conn_open_stream_default(stream_);
        return;
    }
    if (event == XMPP_CONN_CONNECT) {
        signs_.bound = purpose_ == Purpose::Login;
        return;
    }
    socket_ = -1;
    if (streamError && streamError->stanza) {
        signs_.streamError = streamErrorReport(Stanza::of(streamError->stanza));
    }
    if (phase_ == Phase::Ready && lossReason_.empty()) {
        lossReason_ = signs_.streamError
                          ? "the server ended it (" + describe(*signs_.streamError) + ")"
                      : isEndedByServer_ ? "the server ended it"
                                         : "the network or the server failed";
    }
    phase_ = Phase::Over;
}

void Connection::negotiateBeforeLogin(const Stanza& stanza) {
    if (stanza.ns() == XMPP_NS_STREAMS && stanza.name() == "error") {
        signs_.streamError = streamErrorReport(stanza);
        phase_ = Phase::Over;
    } else if (stanza.ns() == XMPP_NS_STREAMS && stanza.name() == "features") {
        if (xmpp_conn_is_secured(stream_)) {
            signs_.features = stanza;
        } else if (stanza.child("starttls", XMPP_NS_TLS)) {
            xmpp_send(stream_, Stanza{"starttls", XMPP_NS_TLS}.get());
        } else {
            phase_ = Phase::Over;
        }
    } else if (stanza.ns() == XMPP_NS_TLS) {
        if (stanza.name() == "proceed" && xmpp_conn_tls_start(stream_) == XMPP_EOK) {
            xmpp_conn_open_stream_default(stream_);
        } else {
            phase_ = Phase::Over;
        }
    }
}

// Called for each certificate of the chain that fails a check. Trusting a fingerprint means to take
// just this certificate for good; a chain below a trusted one is still checked.
bool Connection::acceptsCertificate(const xmpp_tlscert_t* certificate, const std::string& problem) {
    const auto get = [&](xmpp_cert_element_t element) {
        const char* text = xmpp_tlscert_get_string(certificate, element);
        return std::string{text ? text : ""};
    };
    std::string fingerprint;
    for (const char c : get(XMPP_CERT_FINGERPRINT_SHA256)) {
        if (c != ':') fingerprint += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    const auto& trusted = account_.trustedFingerprints;
    if (std::find(trusted.begin(), trusted.end(), fingerprint) != trusted.end()) return true;
    signs_.certificateProblem = problem;
    signs_.fingerprint = fingerprint;
    std::string names;
    for (std::size_t i = 0; const char* name = xmpp_tlscert_get_dnsname(certificate, i); ++i) {
        names += (names.empty() ? "" : ", ") + std::string{name};
    }
    signs_.subject = printable(names.empty() ? get(XMPP_CERT_SUBJECT) : names);
    return false;
}

}  // namespace epode::cli
