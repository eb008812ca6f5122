#include "net/tcp_transport.h"

#include "core/metric.h"
#include "net/tls_error.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

namespace epode {

namespace {

Gauge connections{"net_connections", "Connections that are open now"};

const char* reasonOf(int error) {
    switch (error) {
        case ECONNRESET:
        case EPIPE:
            return "reset by peer";
        case ETIMEDOUT:
            return "timed out";
        case EHOSTUNREACH:
        case ENETUNREACH:
            return "network unreachable";
        default:
            return "connection failed";
    }
}

// After login all sessions with equal agreements share one description: idle ones own none.
const TlsInfo* sharedInfo(const TlsInfo& info) {
    static std::mutex mutex;
    static std::map<std::pair<std::string, std::string>, std::unique_ptr<const TlsInfo>> known;
    const std::lock_guard lock{mutex};
    auto& shared = known[{info.version, info.cipher}];
    if (!shared) {
        TlsInfo kept;
        kept.version = info.version;
        kept.cipher = info.cipher;
        shared = std::make_unique<const TlsInfo>(std::move(kept));
    }
    return shared.get();
}

}  // namespace

// What an idle connection costs: keep an eye on it when you add a member.
static_assert(sizeof(TcpTransport) <= 288);

TcpTransport::TcpTransport(EventLoop& loop, Fd socket, const IpAddress& peer,
                           AddressLimit::Place place)
    : loop_{&loop}, socket_{std::move(socket)}, peer_{peer}, place_{std::move(place)} {
    // We write whole turns at a time; waiting for more would only delay them.
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections.add();
    handle_ = loop.add(*this);
    watchSocket();
}

TcpTransport::~TcpTransport() {
    if (gone_) *gone_ = true;
    if (loop_) {
        releaseOutput();
        closeSocket();
        loop_->remove(handle_);
    }
    connections.add(-1);
}

template <typename Call>
bool TcpTransport::survives(Call call) {
    bool gone = false;
    gone_ = &gone;
    call();
    if (gone) return false;
    gone_ = nullptr;
    return true;
}

void TcpTransport::later(void (TcpTransport::*work)()) {
    loop_->post([loop = loop_, handle = handle_, work] {
        if (auto* source = loop->find(handle)) (static_cast<TcpTransport*>(source)->*work)();
    });
}

// Moving

void TcpTransport::doMove(std::unique_ptr<Transport> self, Executor& to,
                          UniqueFunction<void(std::unique_ptr<Transport>)> arrived) {
    isMoving_ = true;
    loop_->atEndOfTurn([self = std::move(self), target = static_cast<EventLoop*>(&to),
                        arrived = std::move(arrived)]() mutable {
        static_cast<TcpTransport&>(*self).leaveLoop();
        target->post([self = std::move(self), target, arrived = std::move(arrived)]() mutable {
            static_cast<TcpTransport&>(*self).joinLoop(*target);
            arrived(std::move(self));
        });
    });
}

void TcpTransport::leaveLoop() {
    if (socket_ && !isUnwatched_) loop_->unwatch(socket_.get());
    loop_->remove(handle_);
    linger_.cancel();
    loop_ = nullptr;
    handle_ = 0;
    isFlushWanted_ = false;
}

void TcpTransport::joinLoop(EventLoop& loop) {
    loop_ = &loop;
    handle_ = loop.add(*this);
    isMoving_ = false;
    isUnwatched_ = false;
    if (phase_ == Phase::Closed) {
        // Posted now, hence after `arrived`, where the user takes its place.
        later(&TcpTransport::tellFailure);
        return;
    }
    watchSocket();
    if (phase_ == Phase::Closed) return;
    if (output_ || phase_ == Phase::Closing || tls_ == Tls::Leaving) wantFlush();
    if (phase_ != Phase::Open) {
        linger_ = loop.after(lingerMax, [this] { finish("closed; the peer was too slow"); });
    }
    if (unread_ || hasPeerEnded_) later(&TcpTransport::continueReading);
}

// Reading

void TcpTransport::onReady(std::uint32_t events) {
    if (phase_ == Phase::Closed) return;
    if (events & EPOLLOUT && backlog_) {
        // What is left of the clear text looks for early input first.
        if (tls_ == Tls::Leaving || sendBacklog()) flush();
        if (isAboveHighMark_ && unsentBytes() < lowMark) {
            isAboveHighMark_ = false;
            if (phase_ == Phase::Open && !isMoving_ && !survives([this] { user_->onDrained(); })) {
                return;
            }
        }
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) onReadable(events);
}

void TcpTransport::onReadable(std::uint32_t events) {
    if (phase_ == Phase::Closed || isMoving_) return;
    if (phase_ == Phase::Open && isPaused_) {
        if (!(events & (EPOLLHUP | EPOLLERR))) return;
        // A dead connection reports itself at every turn, wanted or not. What it has brought can
        // still be read once the user resumes, but output that waits will never leave.
        if (backlog_ || isWriteBroken_) {
            finish("reset by peer");
        } else {
            loop_->unwatch(socket_.get());
            isUnwatched_ = true;
        }
        return;
    }
    if (unread_) {  // first what came first
        continueReading();
        return;
    }
    const auto got = ::recv(socket_.get(), loop_->readBuffer(), EventLoop::readBytes, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) finish(reasonOf(errno));
        return;
    }
    if (got == 0) {
        finish(phase_ != Phase::Open      ? "closed"
               : isWriteBroken_           ? "reset by peer"
               : tls_ == Tls::Handshaking ? "closed by peer during the TLS handshake"
                                          : "closed by peer");
        return;
    }
    loop_->traffic().bytesIn += got;
    if (phase_ != Phase::Open || tls_ == Tls::Leaving) return;  // nobody wants it
    const std::string_view bytes{loop_->readBuffer(), static_cast<std::size_t>(got)};
    if (tls_ == Tls::None) {
        survives([&] { user_->onData(bytes); });
    } else {
        takeEncrypted(bytes);
    }
}

void TcpTransport::takeEncrypted(std::string_view bytes) {
    auto& records = loop_->scratch();
    records.clear();
    if (tls_ == Tls::Handshaking) {
        const auto state = session_->handshake(bytes, records);
        sendRecords(records);
        if (state == TlsSession::State::Handshaking) return;
        if (state == TlsSession::State::Failed) {
            finish("TLS handshake failed: " + session_->failure());
            return;
        }
        tls_ = Tls::Open;
        loginInfo_ = std::make_unique<TlsInfo>(session_->info());
        info_ = loginInfo_.get();
        if (output_) wantFlush();
        if (!survives([this] { user_->onSecured(); })) return;
        if (bytes.empty()) return;
        if (!mayDeliver()) {
            if (phase_ == Phase::Open) unread_ = std::make_unique<std::string>(bytes);
            return;
        }
        records.clear();
    }
    const auto size =
        session_->decrypt(bytes, loop_->plainBuffer(), EventLoop::plainBytes, records);
    sendRecords(records);
    const std::string_view plain{loop_->plainBuffer(), size};
    if (size > 0 && !survives([&] { user_->onData(plain); })) return;
    if (phase_ != Phase::Open) return;
    switch (session_->state()) {
        case TlsSession::State::Failed:
            fail("TLS failed: " + session_->failure());
            break;
        case TlsSession::State::ClosedByPeer:
            hasPeerEnded_ = true;
            if (mayDeliver()) finish("closed by peer");
            break;
        default:
            break;
    }
}

void TcpTransport::continueReading() {
    if (!mayDeliver()) return;
    if (const auto unread = std::move(unread_)) {
        takeEncrypted(*unread);
        return;
    }
    if (hasPeerEnded_) finish("closed by peer");
}

void TcpTransport::pauseReading() {
    isPaused_ = true;
    updateInterest();
}

void TcpTransport::resumeReading() {
    if (!isPaused_) return;
    isPaused_ = false;
    if (!loop_ || phase_ == Phase::Closed) return;
    if (isUnwatched_ && !isMoving_) watchSocket();
    updateInterest();
    if (unread_ || hasPeerEnded_) later(&TcpTransport::continueReading);
}

void TcpTransport::watchSocket() {
    watched_ = interest();
    isUnwatched_ = !loop_->watch(socket_.get(), handle_, watched_);
    if (isUnwatched_) fail("the system has no room for another connection");
}

std::uint32_t TcpTransport::interest() const {
    std::uint32_t events = 0;
    if (phase_ != Phase::Open || !isPaused_) events |= EPOLLIN | EPOLLRDHUP;
    if (backlog_) events |= EPOLLOUT;
    return events;
}

void TcpTransport::updateInterest() {
    const auto events = interest();
    if (events == watched_ || !loop_ || !socket_ || isUnwatched_) return;
    watched_ = events;
    loop_->rewatch(socket_.get(), handle_, events);
}

// TLS

void TcpTransport::startTls(const TlsServerContext& context) {
    if (phase_ != Phase::Open || tls_ != Tls::None) return;
    auto contexts = context.current();
    if (!contexts) {
        fail("TLS is not possible: there is no certificate");
        return;
    }
    session_ = TlsSession::server(std::move(contexts));
    leaveClearText();
}

void TcpTransport::startTls(const TlsClientContext& context, std::string_view serverName) {
    if (phase_ != Phase::Open || tls_ != Tls::None) return;
    session_ = TlsSession::client(context, std::string{serverName});
    leaveClearText();
}

void TcpTransport::startDirectTls(const TlsServerContext& context) {
    startTls(context);
    if (tls_ == Tls::Leaving) tls_ = Tls::Handshaking;
}

// Sets apart what is to leave in the clear from what is queued after it, even in the same turn.
void TcpTransport::leaveClearText() {
    tls_ = Tls::Leaving;
    if (output_ && !output_->empty()) {
        if (!backlog_) backlog_ = loop_->borrowString();
        backlog_->append(*output_);
        output_->clear();
    }
    wantFlush();
}

void TcpTransport::beginTls() {
    tls_ = Tls::Handshaking;
    // The client speaks first; a server has nothing to say yet.
    auto& records = loop_->scratch();
    records.clear();
    std::string_view nothing;
    const auto state = session_->handshake(nothing, records);
    sendRecords(records);
    if (state == TlsSession::State::Failed) fail("TLS handshake failed: " + session_->failure());
}

void TcpTransport::dropEarlyInput() {
    // Nobody can have answered a <proceed/> that is still here: whatever came was sent in the
    // clear, possibly by somebody between us, for us to take as said under TLS.
    const auto got = ::recv(socket_.get(), loop_->readBuffer(), EventLoop::readBytes, MSG_DONTWAIT);
    if (got > 0) loop_->traffic().bytesIn += got;
}

void TcpTransport::forgetLoginSecrets() {
    if (!loginInfo_) return;
    info_ = sharedInfo(*loginInfo_);
    loginInfo_.reset();
    if (session_) session_->forgetPeer();
}

// Writing

std::string& TcpTransport::output() {
    if (!output_) output_ = loop_ ? loop_->borrowString() : std::make_unique<std::string>();
    return *output_;
}

void TcpTransport::wantFlush() {
    if (isFlushWanted_ || !loop_ || isMoving_) return;
    isFlushWanted_ = true;
    loop_->wantFlush(handle_);
}

std::size_t TcpTransport::unsentBytes() const {
    if (!backlog_) return 0;
    return backlog_->size() - sent_ + (output_ ? output_->size() : 0);
}

void TcpTransport::flush() {
    isFlushWanted_ = false;
    if (isMoving_) return;  // it goes along
    if (phase_ >= Phase::Lingering || isWriteBroken_) {
        releaseOutput();
        return;
    }
    if (phase_ == Phase::Ending) loop_->giveBack(std::move(output_));
    if (tls_ == Tls::Leaving) {
        dropEarlyInput();
        if (backlog_ && !sendBacklog()) return;
    }
    if (!backlog_ && output_ && tls_ == Tls::None) sendString(std::move(output_));
    if (!backlog_ && output_ && tls_ == Tls::Open) {
        auto& records = loop_->scratch();
        records.clear();
        session_->encrypt(*output_, records);
        loop_->giveBack(std::move(output_));
        sendRecords(records);
        if (records.capacity() > 4 * EventLoop::readBytes) std::string{}.swap(records);
    }
    if (!backlog_) afterFlush();
    if (unsentBytes() > highMark) isAboveHighMark_ = true;
}

void TcpTransport::afterFlush() {
    if (isWriteBroken_) return;
    if (tls_ == Tls::Leaving) beginTls();
    if (phase_ == Phase::Closing) {
        phase_ = Phase::Ending;
        if (tls_ == Tls::Open) {
            auto& records = loop_->scratch();
            records.clear();
            session_->close(records);
            sendRecords(records);
        }
    }
    if (phase_ != Phase::Ending || backlog_) return;
    ::shutdown(socket_.get(), SHUT_WR);
    phase_ = Phase::Lingering;
    releaseOutput();
}

// Sends a whole string and keeps it if the kernel did not take all of it.
void TcpTransport::sendString(std::unique_ptr<std::string> string) {
    const auto taken = sendNow(*string);
    if (taken == string->size()) {
        loop_->giveBack(std::move(string));
        return;
    }
    backlog_ = std::move(string);
    sent_ = taken;
    updateInterest();
}

// The same for records that stand in the loop's scratch.
void TcpTransport::sendRecords(const std::string& records) {
    if (records.empty()) return;
    if (backlog_) {
        backlog_->append(records);
        return;
    }
    const auto taken = sendNow(records);
    if (taken == records.size()) return;
    backlog_ = loop_->borrowString();
    backlog_->assign(records, taken);
    sent_ = 0;
    updateInterest();
}

// How much is done with: what the kernel took, or everything when nobody will ever read it.
std::size_t TcpTransport::sendNow(std::string_view bytes) {
    if (isWriteBroken_) return bytes.size();
    const auto taken = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (taken >= 0) {
        loop_->traffic().bytesOut += taken;
        return static_cast<std::size_t>(taken);
    }
    if (errno == EAGAIN || errno == EINTR) return 0;
    // The peer is gone, but what it said before is still to be read; the end of that tells the
    // user.
    isWriteBroken_ = true;
    if (isPaused_) updateInterest();
    return bytes.size();
}

// True when nothing is left of it.
bool TcpTransport::sendBacklog() {
    const std::string_view rest{backlog_->data() + sent_, backlog_->size() - sent_};
    const auto taken = sendNow(rest);
    if (taken == rest.size()) {
        loop_->giveBack(std::move(backlog_));
        sent_ = 0;
    } else if (sent_ += taken; sent_ > backlog_->size() / 2) {
        backlog_->erase(0, sent_);
        sent_ = 0;
    }
    updateInterest();
    return !backlog_;
}

void TcpTransport::releaseOutput() {
    loop_->giveBack(std::move(output_));
    loop_->giveBack(std::move(backlog_));
    sent_ = 0;
}

// Closing

std::string TcpTransport::localAddress() const {
    return IpAddress::ofLocal(socket_.get()).toText();
}

void TcpTransport::closeGracefully() {
    if (phase_ != Phase::Open) return;
    phase_ = Phase::Closing;
    unread_.reset();
    if (tls_ == Tls::Handshaking && output_) loop_->giveBack(std::move(output_));
    if (isUnwatched_) {
        fail("reset by peer");
        return;
    }
    updateInterest();
    wantFlush();
    linger_ = loop_->after(lingerMax, [this] { finish("closed; the peer was too slow"); });
}

void TcpTransport::abort() {
    if (phase_ == Phase::Closed) return;
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    fail("aborted");
}

// Closes now and tells the user in a later turn.
void TcpTransport::fail(std::string reason) {
    closeSocket();
    phase_ = Phase::Closed;
    failure_ = std::make_unique<std::string>(std::move(reason));
    if (!isMoving_) later(&TcpTransport::tellFailure);
}

void TcpTransport::tellFailure() {
    if (isMoving_) return;
    if (const auto failure = std::move(failure_)) survives([&] { user_->onClosed(*failure); });
}

void TcpTransport::closeSocket() {
    linger_.cancel();
    if (socket_ && !isUnwatched_ && loop_) loop_->unwatch(socket_.get());
    socket_.reset();
}

// Closes and tells the user, who is not in a call to us.
void TcpTransport::finish(std::string_view reason) {
    if (isMoving_) {
        fail(std::string{reason});
        return;
    }
    closeSocket();
    phase_ = Phase::Closed;
    releaseOutput();
    session_.reset();
    unread_.reset();
    survives([&] { user_->onClosed(reason); });
}

}  // namespace epode
