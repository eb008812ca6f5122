#include "stream/remote_receiver.h"

#include "core/digest.h"
#include "core/log.h"
#include "core/metric.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/database.h"
#include "stream/federation.h"
#include "stream/remote_outgoing.h"
#include "stream/remotes.h"

#include <algorithm>
#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};
Counter stanzasReceived{"epode_s2s_stanzas_received_total", "Stanzas that other servers have sent"};
Counter authenticationsRefused{"epode_s2s_authentications_refused_total",
                               "Times another server has not shown who it is"};
Counter streamsHeldBack{
    "epode_s2s_reads_held_back_total",
    "Times another server was not read because the database had too much to do"};
Counter domainsSlowedDown{"epode_s2s_reads_slowed_down_total",
                          "Times a domain was read more slowly because it sent too much"};

constexpr std::size_t verifyingMax = 20;  // keys of one connection that are being asked about
constexpr std::size_t askedMax = 100;     // counts that are asked for and not told yet
// A line in the log about who sends too much.
constexpr auto complainEvery = std::chrono::minutes{1};
// How long an acknowledgement waits for what isn't stored yet.
constexpr auto latePatience = std::chrono::milliseconds{500};

std::string_view causeOf(RemoteLink::Verdict verdict) {
    using Verdict = RemoteLink::Verdict;
    switch (verdict) {
        case Verdict::Invalid:
            return "the key is not that domain's";
        case Verdict::NotFound:
            return "the domain's server doesn't know of it";
        case Verdict::NotReached:
            return "the domain's server can't be reached";
        default:
            return "the domain's server has not answered";
    }
}

}  // namespace

RemoteReceiver::RemoteReceiver(Remotes& remotes, std::uint64_t number,
                               std::unique_ptr<Transport> transport)
    : RemoteStream{remotes, number, std::move(transport)},
      since_{remotes.shard().executor().wallNow()} {}

RemoteReceiver::~RemoteReceiver() {
    if (window_) window_->setAdvanced({});
}

// ---- how much may come

void RemoteReceiver::onData(std::string_view bytes) {
    stanzas_ = 0;
    RemoteStream::onData(bytes);
    if (isOver() || places_.empty()) return;
    slowDown(places_.front()->take(bytes.size(), stanzas_, settings().rateOf(first_), now()));
}

void RemoteReceiver::slowDown(Duration wait) {
    if (wait == Duration::zero()) return;
    domainsSlowedDown.add();
    if (!complainedAt_ || now() - *complainedAt_ >= complainEvery) {
        complainedAt_ = now();
        remoteLog.notice("a domain sends more than it may, and is read more slowly",
                         {{"domain", first_}, {"address", peerAddress()}});
    }
    transport().pauseReading();
    rateTimer_ = shard().executor().after(wait, [this] {
        rateTimer_ = {};
        resumeReading();
    });
}

void RemoteReceiver::waitForStore() {
    streamsHeldBack.add();
    transport().pauseReading();
    hold();
    pressure_.wait(shard().executor(), shard().server().database(), [this] {
        resumeReading();
        resume();
    });
}

void RemoteReceiver::resumeReading() {
    if (!rateTimer_ && !pressure_.isWaiting()) transport().resumeReading();
}

// ---- for whom it speaks

bool RemoteReceiver::makeRoomFor(const std::string& remote) {
    if (std::any_of(pairs_.begin(), pairs_.end(),
                    [&](const auto& pair) { return pair.second == remote; }))
        return true;
    auto place = remotes().federation().connectionOf(remote, settings(), now());
    if (!place) {
        remoteLog.notice("a domain has as many connections as it may",
                         {{"domain", remote}, {"address", peerAddress()}});
        return false;
    }
    places_.push_back(std::move(*place));
    return true;
}

void RemoteReceiver::accept(const std::string& local, const std::string& remote,
                            std::string_view how) {
    const bool isFirst = pairs_.empty();
    pairs_.insert({local, remote});
    if (isFirst) {
        first_ = remote;
        shownBy_ = how;
        xml().setLimits(settings().afterAuthentication);
    }
    accepted(local, remote, isFirst);
}

void RemoteReceiver::receiveRequest(const DialbackElement& request, const std::string& streamId) {
    if (request.kind == DialbackElement::Kind::Verify)
        answerVerification(request);
    else
        receiveKey(request, streamId);
}

void RemoteReceiver::answerWith(const DialbackElement& request, DialbackElement::Type type,
                                std::string_view condition) {
    DialbackElement{.kind = request.kind,
                    .type = type,
                    .from = request.to,
                    .to = request.from,
                    .id = request.id,
                    .key = {},
                    .condition = std::string{condition}}
        .write(output());
    transport().wantFlush();
}

// Whether we have made this key, for a connection of ours to the server that asks.
void RemoteReceiver::answerVerification(const DialbackElement& request) {
    using Type = DialbackElement::Type;
    if (!mayUseDialback()) {
        answerWith(request, Type::Error, isSecured() ? "not-authorized" : "policy-violation");
        return;
    }
    if (!remotes().federation().serves(request.to, shard())) {
        answerWith(request, Type::Error, "item-not-found");
        return;
    }
    const std::string expected =
        dialbackKey(remotes().federation().dialbackSecret(), request.from, request.to, request.id);
    answerWith(request, equalInConstantTime(expected, request.key) ? Type::Valid : Type::Invalid);
}

void RemoteReceiver::receiveKey(const DialbackElement& request, const std::string& streamId) {
    using Type = DialbackElement::Type;
    if (!isSecured() && settings().dialback != RemoteSettings::Dialback::Always) {
        answerWith(request, Type::Error, "policy-violation");
        return;
    }
    if (!remotes().federation().serves(request.to, shard())) {
        answerWith(request, Type::Error, "item-not-found");
        return;
    }
    if (!settings().allows(request.from) || remotes().federation().serves(request.from, shard())) {
        answerWith(request, Type::Error, "policy-violation");
        return;
    }
    const std::pair pair{request.to, request.from};
    if (pairs_.contains(pair)) {
        answerWith(request, Type::Valid);
        return;
    }
    if (pairs_.size() >= settings().pairsMax || verifying_.size() >= verifyingMax) {
        answerWith(request, Type::Error, "resource-constraint");
        return;
    }
    // A certificate is the better proof (XEP-0344).
    if (isSecured() && identity_.proves(request.from)) {
        if (!makeRoomFor(request.from)) {
            answerWith(request, Type::Error, "resource-constraint");
            return;
        }
        answerWith(request, Type::Valid);
        accept(request.to, request.from, identity_.proof());
        return;
    }
    if (!mayUseDialback()) {
        authenticationsRefused.add();
        remoteLog.notice("a server's certificate doesn't show who it is",
                         {{"domain", request.from},
                          {"address", peerAddress()},
                          {"cause", identity_.objection(request.from)}});
        answerWith(request, Type::Error, "not-authorized");
        return;
    }
    if (!verifying_.insert(pair).second) return;
    remotes().federation().verify(shard(), number(), request.to, request.from, streamId,
                                  request.key);
}

void RemoteReceiver::verified(const std::string& local, const std::string& remote,
                              RemoteLink::Verdict verdict) {
    using Type = DialbackElement::Type;
    using Verdict = RemoteLink::Verdict;
    if (isOver() || verifying_.erase({local, remote}) == 0) return;
    const DialbackElement request{.kind = DialbackElement::Kind::Result,
                                  .type = Type::Request,
                                  .from = remote,
                                  .to = local,
                                  .id = {},
                                  .key = {},
                                  .condition = {}};
    if (verdict == Verdict::Valid) {
        // The rules may have changed meanwhile.
        if (!settings().allows(remote)) {
            answerWith(request, Type::Error, "policy-violation");
        } else if (!makeRoomFor(remote)) {
            answerWith(request, Type::Error, "resource-constraint");
        } else {
            answerWith(request, Type::Valid);
            accept(local, remote, "dialback");
        }
        return;
    }
    authenticationsRefused.add();
    remoteLog.notice("a server has not shown by dialback who it is", {{"domain", remote},
                                                                      {"to", local},
                                                                      {"address", peerAddress()},
                                                                      {"cause", causeOf(verdict)}});
    switch (verdict) {
        case Verdict::Invalid:
            answerWith(request, Type::Invalid);
            break;
        case Verdict::NotFound:
            answerWith(request, Type::Error, "remote-server-not-found");
            break;
        case Verdict::NotReached:
            answerWith(request, Type::Error, "remote-connection-failed");
            break;
        default:
            answerWith(request, Type::Error, "remote-server-timeout");
    }
    refused();
}

// ---- stanzas

void RemoteReceiver::receiveStanza(Document element, std::string_view inner) {
    auto problem = Stanza::Problem::None;
    const auto stanza = Stanza::fromDocument(std::move(element), inner, problem);
    if (problem == Stanza::Problem::NotAStanza) {
        end({.condition = StreamCondition::UnsupportedStanzaType,
             .text = "Only message, presence and iq are stanzas."});
        return;
    }
    const auto isOfPair = [&](const auto& pair) {
        return stanza->to().domain() == pair.first && stanza->from().domain() == pair.second;
    };
    // A `from` that is no address was left empty.
    if (std::none_of(pairs_.begin(), pairs_.end(),
                     [&](const auto& pair) { return stanza->from().domain() == pair.second; })) {
        end({.condition = StreamCondition::InvalidFrom,
             .text = "The 'from' of every stanza has to be an address at a domain that this "
                     "connection was shown to speak for; \"" +
                     std::string{stanza->from().domain()} + "\" is none."});
        return;
    }
    stanzasReceived.add();
    ++stanzas_;
    Hold hold = window_ ? window_->receive() : Hold{};
    if (problem == Stanza::Problem::BadTo) {
        refuse(*stanza, {Condition::JidMalformed, "The address in 'to' is not valid."});
        return;
    }
    if (stanza->to().empty()) {
        end({.condition = StreamCondition::ImproperAddressing,
             .text = "Every stanza between servers needs a 'to'."});
        return;
    }
    if (std::none_of(pairs_.begin(), pairs_.end(), isOfPair)) {
        end({.condition = StreamCondition::HostUnknown,
             .text = "This connection was not shown to be for " +
                     std::string{stanza->to().domain()} + "."});
        return;
    }
    if (problem == Stanza::Problem::BadType || problem == Stanza::Problem::NoId) {
        refuse(*stanza, {Condition::BadRequest, problem == Stanza::Problem::NoId
                                                    ? "An iq needs an id."
                                                    : "The type of this stanza is unknown."});
        return;
    }
    ++remotes().history(stanza->from().domain()).stanzasIn;
    if (stanza->isIq() && !stanza->isRequest() && stanza->to().isDomain() &&
        stanza->id().starts_with(RemoteOutgoing::pingPrefix)) {
        remotes().federation().ponged(stanza->to().text(), std::string{stanza->from().domain()},
                                      std::string{stanza->id()});
        return;
    }
    const bool isMessage = stanza->isMessage();
    shard().server().route(stanza, std::move(hold));
    if (isMessage && !isOver() && pressure_.holdsBack(shard().server().database())) waitForStore();
}

// It goes back by our own link to that domain.
void RemoteReceiver::refuse(const Stanza& stanza, const StanzaError& error) {
    if (stanza.isError() || stanza.type() == StanzaType::Result) return;
    const auto answer = stanza.error(error);
    if (answer->from().empty()) answer->setFrom(*Jid::parse(pairs_.begin()->first));
    shard().server().route(answer);
}

// ---- counting (XEP-0198)

void RemoteReceiver::count(std::shared_ptr<AckWindow> window) {
    if (window_) window_->setAdvanced({});
    window_ = std::move(window);
    window_->setAdvanced([this] { answerRequests(); });
}

void RemoteReceiver::receiveCountRequest() {
    if (!window_) return;
    asked_.push_back(window_->received());
    if (asked_.size() > askedMax) asked_.pop_front();
    answerRequests();
}

// What was asked about is acknowledged when it is safe, or after a moment what is safe of it.
void RemoteReceiver::answerRequests() {
    if (asked_.empty() || !window_) return;
    const std::uint32_t unsafe = asked_.back() - window_->safe();
    if (unsafe == 0 || unsafe > 0x80000000u) {
        sendAck();
        return;
    }
    if (!late_)
        late_ = shard().executor().after(latePatience, [this] {
            late_ = {};
            sendAck();
        });
}

void RemoteReceiver::sendAck() {
    asked_.clear();
    late_ = {};
    if (isOver() || !window_) return;
    send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(window_->safe()) + "'/>");
}

// ---- upkeep and the end

void RemoteReceiver::settingsChanged() {
    for (const auto& [local, remote] : pairs_) {
        if (settings().allows(remote)) continue;
        end({.condition = StreamCondition::PolicyViolation,
             .text = "This server has no links with " + remote + " any more."});
        return;
    }
    if (!pairs_.empty()) xml().setLimits(settings().afterAuthentication);
}

// Who isn't known yet has a line of its own when it is over.
void RemoteReceiver::ending(const StreamError& error) {
    if (pairs_.empty() || error.condition == StreamCondition::SystemShutdown ||
        error.condition == StreamCondition::ConnectionTimeout)
        return;
    remoteLog.notice("a server's connection is ended for what it does",
                     {{"domain", first_},
                      {"address", peerAddress()},
                      {"error", toText(error.condition)},
                      {"cause", error.text}});
}

void RemoteReceiver::endReceiving() {
    rateTimer_ = {};
    late_ = {};
    pressure_.cancel();
    places_.clear();
    if (window_) window_->setAdvanced({});
}

}  // namespace epode
