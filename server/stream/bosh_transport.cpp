#include "stream/bosh_transport.h"

#include "core/metric.h"
#include "core/namespaces.h"
#include "stream/xml_frames.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

Gauge boshStreams{"epode_bosh_streams", "Streams over BOSH that are open"};

const TlsInfo proxiedTls{};

// Of answers that the client has not acknowledged, however long it goes on without them.
constexpr std::size_t unacknowledgedMax = 16;
constexpr unsigned minorVersion = 11;

// The version of the session: ours, or the client's when that is lower (XEP-0124, 7.2).
std::string versionFor(std::string_view asked) {
    unsigned major = 0;
    unsigned minor = 0;
    const char* const end = asked.data() + asked.size();
    const auto first = std::from_chars(asked.data(), end, major);
    const bool isVersion = first.ec == std::errc{} && first.ptr != end && *first.ptr == '.' &&
                           std::from_chars(first.ptr + 1, end, minor).ptr == end;
    const bool isLower = isVersion && (major < 1 || (major == 1 && minor < minorVersion));
    return isLower ? std::to_string(major) + "." + std::to_string(minor)
                   : "1." + std::to_string(minorVersion);
}

Duration seconds(std::uint64_t number) {
    return std::chrono::seconds{std::min<std::uint64_t>(number, 65535)};
}
std::string inSeconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

void addAttribute(std::string& out, std::string_view name, std::string_view value) {
    out.append(" ").append(name).append("='").append(value).append("'");
}

// A response: its namespaces are declared only when they are used.
std::string makeBody(std::string_view attributes, std::string_view payloads) {
    std::string body = "<body xmlns='http://jabber.org/protocol/httpbind'";
    if (attributes.find(" xmpp:") != std::string_view::npos)
        body.append(" xmlns:xmpp='urn:xmpp:xbosh'");
    if (payloads.find("<stream:") != std::string_view::npos)
        body.append(" xmlns:stream='http://etherx.jabber.org/streams'");
    body.append(attributes);
    if (payloads.empty()) return body.append("/>");
    return body.append(">").append(payloads).append("</body>");
}

}  // namespace

BoshTransport::BoshTransport(std::shared_ptr<BoshSessions> sessions, std::string sid,
                             const BoshRequest& request, const BoshSettings& settings,
                             AddressLimit::Place place)
    : sessions_{std::move(sessions)},
      sid_{std::move(sid)},
      settings_{settings},
      address_{request.exchange->request().address},
      rid_{request.body.rid},
      hold_{unsigned(
          std::min<std::uint64_t>(request.body.number("hold").value_or(1), settings.holdMax))},
      wait_{std::min(seconds(request.body.number("wait").value_or(65535)), settings.waitMax)},
      inactivity_{settings.inactivity},
      place_{std::move(place)},
      isSecure_{request.exchange->request().isSecure} {
    isPolling_ = hold_ == 0 || wait_ == Duration::zero();
    window_ = hold_ + 1;
    if (isPolling_) inactivity_ += settings.polling;
    boshStreams.add();
    addAttribute(creation_, "sid", sid_);
    addAttribute(creation_, "wait", inSeconds(wait_));
    addAttribute(creation_, "requests", std::to_string(window_));
    addAttribute(creation_, "hold", std::to_string(hold_));
    addAttribute(creation_, "inactivity", inSeconds(inactivity_));
    addAttribute(creation_, "polling", inSeconds(settings.polling));
    addAttribute(creation_, "maxpause", inSeconds(settings.pauseMax));
    addAttribute(creation_, "ver", versionFor(request.body.get("ver")));
    isLegacy_ = request.body.get("ver").empty();
    hasAcknowledgements_ = !request.body.get("ack").empty();
    if (hasAcknowledgements_) addAttribute(creation_, "ack", std::to_string(rid_));
    addAttribute(creation_, "xmpp:restartlogic", "true");
    addAttribute(creation_, "xmpp:version", "1.0");
}

BoshTransport::~BoshTransport() {
    sessions_->remove(sid_);
    for (const auto& held : held_) answerBosh(held.exchange, boshTermination("item-not-found"));
    for (const auto& [rid, request] : early_)
        answerBosh(request.exchange, boshTermination("item-not-found"));
    boshStreams.add(-1);
}

const TlsInfo* BoshTransport::tls() const { return isSecure_ ? &proxiedTls : nullptr; }

void BoshTransport::post(UniqueFunction<void()> work) {
    Executor::current()->post([weak = std::weak_ptr{alive_}, work = std::move(work)]() mutable {
        if (!weak.expired()) work();
    });
}

// ---- requests

void BoshTransport::begin(BoshRequest request) {
    const SteadyTime now = Executor::current()->now();
    lastArrival_ = now;
    held_.push_back({request.body.rid, request.exchange, now + wait_});
    isTaking_ = true;
    if (isSecure_) user_->onSecured();
    openStream(request.body);
    isTaking_ = false;
    answerLater();
}

void BoshTransport::openStream(const BoshBody& body) {
    // XEP-0206, 3: the version is that of the stream; old clients leave it out.
    const auto version = body.wrapper->find("version", xboshNs).value_or("1.0");
    const std::string header =
        toStreamHeader({.to = body.get("to"),
                        .from = body.get("from"),
                        .version = version,
                        .lang = body.wrapper->find("lang", ns::xml).value_or("")});
    deliver(header);
}

void BoshTransport::deliver(std::string_view xml) {
    if (phase_ == Phase::Open && !hasEnded_) user_->onData(xml);
}

void BoshTransport::receive(BoshRequest request) {
    if (phase_ == Phase::Closed) {
        answerBosh(request.exchange, boshTermination("item-not-found"));
        return;
    }
    if (phase_ == Phase::Closing) {  // there was nobody to tell it
        held_.push_back({request.body.rid, request.exchange, {}});
        answerLater();
        return;
    }
    const std::uint64_t rid = request.body.rid;
    if (rid <= rid_) {
        takeAgain(std::move(request));
        return;
    }
    if (rid > rid_ + window_ + (request.body.isTerminate() || !request.body.get("pause").empty())) {
        held_.push_back({rid, request.exchange, {}});
        terminate("item-not-found");
        return;
    }
    // The same once more, before its turn has come: only the last one is answered.
    if (const auto before = early_.find(rid); before != early_.end())
        answerBosh(before->second.exchange, makeBody(" type='error'", {}));
    early_.insert_or_assign(rid, std::move(request));
    takeInOrder();
}

// A request that has come before: its connection has broken (XEP-0124, 14.3).
void BoshTransport::takeAgain(BoshRequest request) {
    for (auto& held : held_) {
        if (held.rid != request.body.rid) continue;
        answerBosh(held.exchange, makeBody(" type='error'", {}));
        held.exchange = request.exchange;
        return;
    }
    for (const auto& answered : answered_) {
        if (answered.rid != request.body.rid) continue;
        answerBosh(request.exchange, answered.body);
        inactivityTimer_ = {};  // it runs from the last response
        setTimers();
        return;
    }
    held_.push_back({request.body.rid, request.exchange, {}});
    terminate("item-not-found");
}

void BoshTransport::takeInOrder() {
    if (isTaking_) return;
    isTaking_ = true;
    while (phase_ == Phase::Open && !isPaused_ && !isMoving_) {
        const auto next = early_.find(rid_ + 1);
        if (next == early_.end()) break;
        BoshRequest request = std::move(next->second);
        early_.erase(next);
        take(std::move(request));
    }
    isTaking_ = false;
    if (phase_ != Phase::Closed && !isMoving_) answerLater();
}

void BoshTransport::take(BoshRequest request) {
    const BoshBody& body = request.body;
    const SteadyTime now = Executor::current()->now();
    rid_ = body.rid;
    inactivityTimer_ = {};
    inactivity_ = settings_.inactivity + (isPolling_ ? settings_.polling : Duration::zero());
    const auto pauseFor = body.number("pause");
    held_.push_back({body.rid, request.exchange, now + wait_});
    if (hasAcknowledgements_) takeAcknowledgement(body);
    if (pauseFor && seconds(*pauseFor) <= settings_.pauseMax) {
        for (const std::string_view payload : body.payloads) deliver(payload);
        pause(seconds(*pauseFor));
        return;
    }
    // XEP-0124, 11: more at once than it may, or too soon.
    const bool isTooMany = held_.size() > window_ && !body.isTerminate();
    if (isTooMany || isTooFrequent(request)) {
        terminate("policy-violation");
        return;
    }
    if (body.isRestart()) {
        openStream(body);  // what else it has is ignored (XEP-0206, 5)
        return;
    }
    for (const std::string_view payload : body.payloads) deliver(payload);
    if (body.isTerminate()) deliver(streamEndTag);
}

bool BoshTransport::isTooFrequent(const BoshRequest& request) {
    const SteadyTime now = Executor::current()->now();
    const bool isEmpty =
        request.body.payloads.empty() && !request.body.isRestart() && !request.body.isTerminate();
    const bool isSoon = now - lastArrival_ < settings_.polling;
    const bool isSoonAfterEmpty =
        lastEmpty_ != SteadyTime{} && now - lastEmpty_ < settings_.polling;
    lastArrival_ = now;
    lastEmpty_ = isEmpty ? now : SteadyTime{};
    if (!isEmpty) return false;
    // XEP-0124, 11 and 12.
    if (isPolling_) return isSoonAfterEmpty && wasAnswerEmpty_;
    return held_.size() >= window_ && isSoon;
}

// Up to which answer the client has all (XEP-0124, 9.2); without saying so it has those to all
// requests before this one. What it has is kept no longer. What it should have had by now it is
// told of at once, so that it can ask again.
void BoshTransport::takeAcknowledgement(const BoshBody& body) {
    const std::uint64_t upTo = body.number("ack").value_or(body.rid - 1);
    while (!answered_.empty() && answered_.front().rid <= upTo) answered_.pop_front();
    if (answered_.empty() || body.get("ack").empty()) return;
    const Answered& lost = answered_.front();
    const Duration since = Executor::current()->now() - lost.at;
    // It may be on its way, or it was told already.
    if (lost.rid != upTo + 1 || lost.rid <= reported_ || since < settings_.polling) return;
    reported_ = lost.rid;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    report_.clear();
    addAttribute(report_, "report", std::to_string(lost.rid));
    addAttribute(report_, "time", std::to_string(ms));
}

// All requests up to the highest one have come; it is not said of the one that is answered.
std::string BoshTransport::acknowledgementFor(std::uint64_t rid) const {
    if (!hasAcknowledgements_) return {};
    std::uint64_t highest = rid_;
    while (early_.contains(highest + 1)) ++highest;
    std::string attributes;
    if (highest != rid) addAttribute(attributes, "ack", std::to_string(highest));
    return attributes;
}

void BoshTransport::keepAnswer(std::uint64_t rid, std::string body) {
    answered_.push_back({rid, std::move(body), Executor::current()->now()});
    const std::size_t most = hasAcknowledgements_ ? unacknowledgedMax : window_;
    while (answered_.size() > most) answered_.pop_front();
}

// All that wait are answered, with nothing: the client goes away for a while. What was answered
// before can be had again, the answer to the pause itself can't (XEP-0124, 14.3).
void BoshTransport::pause(Duration duration) {
    while (!held_.empty()) {
        const Held held = std::move(held_.front());
        held_.pop_front();
        std::string body = makeBody(acknowledgementFor(held.rid), {});
        if (!held_.empty()) keepAnswer(held.rid, body);
        answerBosh(held.exchange, std::move(body));
    }
    inactivity_ = duration;
    inactivityTimer_ = {};
    setTimers();
}

void BoshTransport::resumeReading() {
    if (!std::exchange(isPaused_, false) || isMoving_) return;
    post([this] { takeInOrder(); });
}

// ---- responses

void BoshTransport::wantFlush() {
    if (phase_ != Phase::Open || isMoving_) return;
    writePieces();
    answerLater();
}

void BoshTransport::writePieces() {
    std::string_view rest = text_;
    while (const auto piece = takeXmlPiece(rest)) {
        if (piece->kind == XmlPiece::Kind::Header) {
            headerAttributes_.clear();
            addAttribute(headerAttributes_, "from", headerAttribute(piece->text, "from"));
            addAttribute(headerAttributes_, "authid", headerAttribute(piece->text, "id"));
        } else if (piece->kind == XmlPiece::Kind::Close) {
            hasEnded_ = true;
        } else {
            const std::string_view element = piece->text;
            if (element.starts_with("<stream:error")) ending_ = " condition='remote-stream-error'";
            // The prefix of streams is declared on <body/>.
            const MissingDeclaration missing = element.starts_with("<stream:")
                                                   ? MissingDeclaration{}
                                                   : missingDeclaration(element);
            pending_.append(element.substr(0, missing.at))
                .append(missing.text)
                .append(element.substr(missing.at));
        }
    }
    text_.erase(0, text_.size() - rest.size());
    if (text_.empty()) std::string{}.swap(text_);
}

// Once all that this turn brings is there.
void BoshTransport::answerLater() {
    if (std::exchange(isAnswerDue_, true)) return;
    Executor::current()->atEndOfTurn([this, weak = std::weak_ptr{alive_}] {
        if (weak.expired()) return;
        isAnswerDue_ = false;
        if (!isMoving_) answerSome();
    });
}

void BoshTransport::answerSome() {
    if (phase_ == Phase::Closed) return;
    if (phase_ == Phase::Closing) {
        if (held_.empty()) {
            setTimers();
            return;
        }
        answerOldest(" type='terminate'" + ending_, true);
        while (!held_.empty()) answerOldest({}, false);
        endNow("closed");
        return;
    }
    if (!creation_.empty() && !held_.empty()) {
        const std::string attributes =
            std::exchange(creation_, {}) + std::exchange(headerAttributes_, {});
        answerOldest(attributes, true);
    }
    if (!pending_.empty() && !held_.empty()) answerOldest({}, true);
    while (held_.size() > hold_ || (!report_.empty() && !held_.empty())) answerOldest({}, true);
    const SteadyTime now = Executor::current()->now();
    while (!held_.empty() && held_.front().until <= now) answerOldest({}, true);
    setTimers();
}

void BoshTransport::answerOldest(std::string_view attributes, bool withPending) {
    const Held held = std::move(held_.front());
    held_.pop_front();
    wasAnswerEmpty_ = !withPending || pending_.empty();
    // The first one says itself that there are acknowledgements.
    const bool isFirst = attributes.find(" sid='") != std::string_view::npos;
    const std::string all = std::string{attributes} +
                            (isFirst ? std::string{} : acknowledgementFor(held.rid)) +
                            std::exchange(report_, {});
    std::string body = makeBody(all, withPending ? std::string_view{pending_} : std::string_view{});
    if (withPending) std::string{}.swap(pending_);
    keepAnswer(held.rid, body);
    answerBosh(held.exchange, std::move(body));
}

void BoshTransport::setTimers() {
    Executor& executor = *Executor::current();
    waitTimer_ = {};
    if (phase_ == Phase::Open && !held_.empty()) {
        inactivityTimer_ = {};
        const Duration left =
            std::max<Duration>(held_.front().until - executor.now(), Duration::zero());
        waitTimer_ = executor.after(left, [this] {
            waitTimer_ = {};
            answerSome();
        });
        return;
    }
    // A request that is not taken yet, because others write more than can be stored, is one.
    if (inactivityTimer_ || (isPaused_ && early_.contains(rid_ + 1))) return;
    inactivityTimer_ = executor.after(inactivity_, [this] {
        inactivityTimer_ = {};
        endNow("the client was not heard of any more");
    });
}

// ---- the end

// The client has broken the rules, or has lost its way: the session is over without more words of
// it.
void BoshTransport::terminate(std::string_view condition) {
    // Whoever asked last learns why; the others, that it was somebody else.
    while (held_.size() > 1) {
        answerBosh(held_.front().exchange, boshTermination("other-request"));
        held_.pop_front();
    }
    if (!held_.empty()) refuse(held_.front().exchange, condition);
    held_.clear();
    endNow("the client has broken the rules of BOSH");
}

// Clients of before there were such conditions know a status of HTTP (XEP-0124, 17.1).
void BoshTransport::refuse(const HttpExchangePtr& exchange, std::string_view condition) const {
    if (!isLegacy_) {
        answerBosh(exchange, boshTermination(condition));
        return;
    }
    const int status = condition == "policy-violation" ? 403 : 404;
    exchange->executor().post(
        [exchange, status] { exchange->answer(HttpResponse::error(status)); });
}

void BoshTransport::endNow(std::string_view reason) {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Closed;
    waitTimer_ = {};
    inactivityTimer_ = {};
    sessions_->remove(sid_);
    // Not from within a call of the user's own.
    post([this, why = std::string{reason}] { user_->onClosed(why); });
}

void BoshTransport::closeGracefully() {
    if (phase_ != Phase::Open) return;
    writePieces();
    phase_ = Phase::Closing;
    inactivityTimer_ = {};
    answerLater();
}

void BoshTransport::abort() { endNow("aborted"); }

// ---- to another loop

void BoshTransport::doMove(std::unique_ptr<Transport> self, Executor& to,
                           UniqueFunction<void(std::unique_ptr<Transport>)> arrived) {
    writePieces();
    isMoving_ = true;
    waitTimer_ = {};
    inactivityTimer_ = {};
    alive_ = std::make_shared<int>();  // what is posted here finds nobody
    isAnswerDue_ = false;
    sessions_->leave(sid_);
    // At the end of the turn: whoever called is still at work here.
    Executor::current()->atEndOfTurn(
        [this, self = std::move(self), target = &to, arrived = std::move(arrived)]() mutable {
            target->post(
                [this, self = std::move(self), target, arrived = std::move(arrived)]() mutable {
                    isMoving_ = false;
                    sessions_->arrive(sid_, *target);
                    answerLater();
                    post([this] { takeInOrder(); });
                    arrived(std::move(self));
                });
        });
}

}  // namespace epode
