#include "stream/remote_incoming.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/random.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/database.h"
#include "stream/federation.h"
#include "stream/remote_outgoing.h"
#include "stream/remotes.h"

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
Gauge incomingStreams{"epode_s2s_incoming_streams", "Connections of other servers to us"};

constexpr unsigned failuresMax = 3;
constexpr std::size_t verifyingMax = 20;  // keys of one connection that are being asked about
// How long an acknowledgement waits for what isn't stored yet.
constexpr auto latePatience = std::chrono::milliseconds{500};

std::optional<std::string> readDomain(std::string_view text) {
    auto jid = Jid::parse(text);
    if (!jid || !jid->isDomain()) return std::nullopt;
    return jid->text();
}

}  // namespace

RemoteIncoming::RemoteIncoming(Remotes& remotes, std::uint64_t number,
                               std::unique_ptr<Transport> transport, AddressLimit::Place place)
    : RemoteStream{remotes, number, std::move(transport)},
      id_{randomId()},
      place_{std::move(place)},
      since_{remotes.shard().executor().wallNow()},
      allowance_{remotes.settings().bytesBurst, remotes.shard().executor().now()} {
    incomingStreams.add();
    patience_ = shard().executor().after(settings().negotiationTimeout, [this] {
        end({.condition = StreamCondition::ConnectionTimeout,
             .text = "It was not shown in time for whom this connection speaks."});
    });
}

RemoteIncoming::~RemoteIncoming() {
    if (window_) window_->setAdvanced({});
    incomingStreams.add(-1);
}

// ---- bytes

void RemoteIncoming::onData(std::string_view bytes) {
    if (!isOver() && !pairs_.empty()) slowDown(bytes.size());
    RemoteStream::onData(bytes);
}

void RemoteIncoming::slowDown(std::size_t bytes) {
    const Duration wait =
        allowance_.take(bytes, settings().bytesPerSecond, settings().bytesBurst, now());
    if (wait == Duration::zero()) return;
    transport().pauseReading();
    rateTimer_ = shard().executor().after(wait, [this] {
        rateTimer_ = {};
        resumeReading();
    });
}

void RemoteIncoming::waitForStore() {
    streamsHeldBack.add();
    transport().pauseReading();
    hold();
    pressure_.wait(shard().executor(), shard().server().database(), [this] {
        resumeReading();
        resume();
    });
}

void RemoteIncoming::resumeReading() {
    if (!rateTimer_ && !pressure_.isWaiting()) transport().resumeReading();
}

void RemoteIncoming::onSecured() {
    identity_ = RemoteIdentity::of(transport().tls());
    transport().forgetLoginSecrets();
    restart();
}

// ---- header and features

void RemoteIncoming::receiveHeader(const StreamHeader& header) {
    auto local = readDomain(header.to);
    auto remote = readDomain(header.from);
    const bool isRestart = isAuthenticatedBySasl_;
    if (header.defaultNs != ns::server) {
        end({.condition = StreamCondition::InvalidNamespace,
             .text = "A server's stream has the default namespace jabber:server."});
        return;
    }
    if (header.to.empty()) {
        end({.condition = StreamCondition::ImproperAddressing,
             .text = "The stream header has to name the domain that it is for ('to')."});
        return;
    }
    if (!local || !remotes().federation().serves(*local, shard())) {
        end({.condition = StreamCondition::HostUnknown,
             .text = "This server doesn't serve the domain " +
                     (local ? *local : std::string{"that was named"}) + "."});
        return;
    }
    if (!header.from.empty() && !remote) {
        end({.condition = StreamCondition::InvalidFrom,
             .text = "The 'from' of the stream header is no domain."});
        return;
    }
    if (isRestart && ((remote && *remote != remote_) || *local != local_)) {
        end({.condition = StreamCondition::InvalidFrom,
             .text = "After authentication the stream is between other domains."});
        return;
    }
    if (header.version.empty() || header.version.starts_with("0.")) {
        end({.condition = StreamCondition::UnsupportedVersion,
             .text = "This server speaks XMPP 1.0; the stream header has to say version='1.0'."});
        return;
    }
    local_ = std::move(*local);
    if (!isRestart) remote_ = remote.value_or(std::string{});
    if (!remote_.empty() && !settings().allows(remote_)) {
        remoteLog.info("a domain that is not allowed has connected",
                       {{"domain", remote_}, {"address", peerAddress()}});
        end({.condition = StreamCondition::PolicyViolation,
             .text = "This server has no links with " + remote_ + "."});
        return;
    }
    // Keys of an earlier header are not those of this one.
    id_ = randomId();
    hasHeader_ = true;
    sendHeader(id_);
    sendFeatures();
}

void RemoteIncoming::sendFeatures() {
    std::string& out = output();
    out.append("<stream:features>");
    if (!isSecured() && transport().mayStartTls()) {
        out.append("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>");
        if (settings().dialback != RemoteSettings::Dialback::Always) out.append("<required/>");
        out.append("</starttls>");
    }
    if (isSecured() && !isAuthenticatedBySasl_ && !remote_.empty() && identity_.proves(remote_))
        out.append(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>"
            "</mechanisms>");
    if (mayUseDialback() || (isSecured() && identity_.isTrusted))
        out.append("<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>");
    // Before a dialback as well: there are no further features behind it.
    if (isSecured()) out.append("<sm xmlns='urn:xmpp:sm:3'/>");
    const XmlLimits& limits =
        pairs_.empty() ? settings().beforeAuthentication : settings().afterAuthentication;
    out.append("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>")
        .append(std::to_string(limits.elementBytesMax))
        .append("</max-bytes></limits></stream:features>");
    transport().wantFlush();
}

// ---- elements

void RemoteIncoming::receive(Document element, std::string_view inner) {
    const std::string_view elementNs = element->ns();
    if (elementNs == ns::client) {
        receiveStanza(std::move(element), inner);
    } else if (elementNs == dialbackNs) {
        receiveDialback(*element);
    } else if (elementNs == ns::streamManagement) {
        receiveManagement(*element);
    } else if (element->is("error", ns::streams)) {
        close("stream error by the other server");
    } else if (element->is("starttls", ns::tls) && !isSecured() && transport().mayStartTls()) {
        send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        dropInput();
        transport().startTls(remotes().federation().serverTls());
    } else if (element->is("auth", ns::sasl)) {
        receiveAuth(*element);
    } else {
        end({.condition = StreamCondition::UnsupportedStanzaType,
             .text = "The element " + std::string{element->name()} + " is not expected here."});
    }
}

// ---- SASL EXTERNAL

void RemoteIncoming::receiveAuth(const Element& auth) {
    if (!isSecured() || isAuthenticatedBySasl_) {
        refuseAuth("encryption-required", "SASL comes after TLS, once.");
        return;
    }
    if (auth.get("mechanism") != "EXTERNAL") {
        refuseAuth("invalid-mechanism", "Servers authenticate by EXTERNAL.");
        return;
    }
    const std::string_view text = auth.text();
    std::string authorization;
    if (!text.empty() && text != "=") {
        const auto decoded = decodeBase64(text);
        if (!decoded) {
            refuseAuth("incorrect-encoding", "What was sent is no base 64.");
            return;
        }
        const auto domain = readDomain(*decoded);
        // One that was not named in the header is the one that is meant.
        if (domain && remote_.empty() && settings().allows(*domain)) remote_ = *domain;
        if (!domain || *domain != remote_) {
            refuseAuth("invalid-authzid", "The stream's header names another domain.");
            return;
        }
    }
    if (remote_.empty() || !identity_.proves(remote_)) {
        remoteLog.notice("a server's certificate doesn't show who it is",
                         {{"domain", remote_},
                          {"address", peerAddress()},
                          {"cause", identity_.objection(remote_)}});
        refuseAuth("not-authorized", identity_.objection(remote_));
        return;
    }
    if (remotes().federation().serves(remote_, shard())) {
        refuseAuth("not-authorized", "That domain is served here.");
        return;
    }
    isAuthenticatedBySasl_ = true;
    send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    restart();
    accept(local_, remote_, "certificate");
}

void RemoteIncoming::refuseAuth(std::string_view condition, std::string_view text) {
    authenticationsRefused.add();
    std::string& out = output();
    out.append("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><").append(condition);
    out.append("/><text xml:lang='en'>");
    escapeText(out, text);
    out.append("</text></failure>");
    transport().wantFlush();
    if (++failures_ >= failuresMax)
        end({.condition = StreamCondition::PolicyViolation,
             .text = "Too many attempts have failed."});
}

void RemoteIncoming::accept(const std::string& local, const std::string& remote,
                            std::string_view how) {
    patience_ = {};
    place_ = {};
    const bool isFirst = pairs_.empty();
    pairs_.insert({local, remote});
    if (isFirst) {
        authentication_ = how;
        xml().setLimits(settings().afterAuthentication);
        allowance_ = ByteAllowance{settings().bytesBurst, now()};
    }
    remoteLog.info("another server is connected",
                   {{"domain", remote}, {"to", local}, {"by", how}, {"address", peerAddress()}});
    remotes().federation().isThere(local, remote);
}

// ---- dialback

void RemoteIncoming::receiveDialback(const Element& element) {
    bool isMalformed = false;
    const auto request = DialbackElement::read(element, isMalformed);
    if (!request) {
        end({.condition = StreamCondition::ImproperAddressing,
             .text =
                 "An element of dialback needs a 'from' and a 'to' that are domains, and a key."});
        return;
    }
    if (request->type != DialbackElement::Type::Request) {
        remoteLog.notice("a server has answered what nobody had asked (dialback)",
                         {{"domain", request->from}, {"address", peerAddress()}});
        end({.condition = StreamCondition::PolicyViolation,
             .text = "Nobody has asked this on this connection."});
        return;
    }
    if (request->kind == DialbackElement::Kind::Verify)
        answerVerification(*request);
    else
        receiveKey(*request);
}

void RemoteIncoming::answer(const DialbackElement& request, DialbackElement::Type type,
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
void RemoteIncoming::answerVerification(const DialbackElement& request) {
    using Type = DialbackElement::Type;
    if (!mayUseDialback()) {
        answer(request, Type::Error, isSecured() ? "not-authorized" : "policy-violation");
        return;
    }
    if (!remotes().federation().serves(request.to, shard())) {
        answer(request, Type::Error, "item-not-found");
        return;
    }
    const std::string expected =
        dialbackKey(remotes().federation().dialbackSecret(), request.from, request.to, request.id);
    answer(request, equalInConstantTime(expected, request.key) ? Type::Valid : Type::Invalid);
}

void RemoteIncoming::receiveKey(const DialbackElement& request) {
    using Type = DialbackElement::Type;
    if (!isSecured() && settings().dialback != RemoteSettings::Dialback::Always) {
        answer(request, Type::Error, "policy-violation");
        return;
    }
    if (!remotes().federation().serves(request.to, shard())) {
        answer(request, Type::Error, "item-not-found");
        return;
    }
    if (!settings().allows(request.from) || remotes().federation().serves(request.from, shard())) {
        answer(request, Type::Error, "policy-violation");
        return;
    }
    const std::pair pair{request.to, request.from};
    if (pairs_.contains(pair)) {
        answer(request, Type::Valid);
        return;
    }
    if (pairs_.size() >= settings().pairsMax || verifying_.size() >= verifyingMax) {
        answer(request, Type::Error, "resource-constraint");
        return;
    }
    // A certificate is the better proof (XEP-0344).
    if (isSecured() && identity_.proves(request.from)) {
        answer(request, Type::Valid);
        accept(request.to, request.from, "certificate");
        return;
    }
    if (!mayUseDialback()) {
        authenticationsRefused.add();
        remoteLog.notice("a server's certificate doesn't show who it is",
                         {{"domain", request.from},
                          {"address", peerAddress()},
                          {"cause", identity_.objection(request.from)}});
        answer(request, Type::Error, "not-authorized");
        return;
    }
    if (!verifying_.insert(pair).second) return;
    remotes().federation().verify(shard(), number(), request.to, request.from, id_, request.key);
}

void RemoteIncoming::verified(const std::string& local, const std::string& remote,
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
        answer(request, Type::Valid);
        accept(local, remote, "dialback");
        return;
    }
    authenticationsRefused.add();
    remoteLog.notice(
        "a server has not shown by dialback who it is",
        {{"domain", remote},
         {"to", local},
         {"address", peerAddress()},
         {"cause", verdict == Verdict::Invalid      ? "the key is not that domain's"
                   : verdict == Verdict::NotFound   ? "the domain's server doesn't know of it"
                   : verdict == Verdict::NotReached ? "the domain's server can't be reached"
                                                    : "the domain's server has not answered"}});
    switch (verdict) {
        case Verdict::Invalid:
            answer(request, Type::Invalid);
            break;
        case Verdict::NotFound:
            answer(request, Type::Error, "remote-server-not-found");
            break;
        case Verdict::NotReached:
            answer(request, Type::Error, "remote-connection-failed");
            break;
        default:
            answer(request, Type::Error, "remote-server-timeout");
    }
    if (pairs_.empty() && ++failures_ >= failuresMax)
        end({.condition = StreamCondition::NotAuthorized,
             .text = "Too many attempts have failed."});
}

// ---- stanzas

void RemoteIncoming::receiveStanza(Document element, std::string_view inner) {
    if (pairs_.empty()) {
        end({.condition = StreamCondition::NotAuthorized,
             .text = "Stanzas come after it was shown for whom this connection speaks."});
        return;
    }
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
        remoteLog.notice("a server speaks for a domain that is not its own",
                         {{"domain", pairs_.begin()->second},
                          {"for", stanza->from().domain()},
                          {"address", peerAddress()}});
        end({.condition = StreamCondition::InvalidFrom,
             .text = "The 'from' of every stanza has to be an address at a domain that this "
                     "connection was shown to speak for."});
        return;
    }
    stanzasReceived.add();
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

// It goes back on our own connection to that domain.
void RemoteIncoming::refuse(const Stanza& stanza, const StanzaError& error) {
    if (stanza.isError() || stanza.type() == StanzaType::Result) return;
    const auto answer = stanza.error(error);
    if (answer->from().empty()) answer->setFrom(*Jid::parse(pairs_.begin()->first));
    shard().server().route(answer);
}

// ---- stream management

void RemoteIncoming::receiveManagement(const Element& element) {
    if (pairs_.empty()) {
        failManagement("unexpected-request");
    } else if (element.name() == "enable") {
        if (window_) {
            failManagement("unexpected-request");
            return;
        }
        const bool asksResumption = element.get("resume") == "true" || element.get("resume") == "1";
        const bool isResumable = asksResumption && settings().resumeTimeout.count() > 0;
        manage(std::make_shared<AckWindow>(shard().executor()),
               isResumable ? std::optional{std::string{}} : std::nullopt);
        std::string& out = output();
        out.append("<enabled xmlns='urn:xmpp:sm:3'");
        if (!smId_.empty()) {
            const auto seconds =
                std::chrono::duration_cast<std::chrono::seconds>(settings().resumeTimeout);
            out.append(" resume='true' id='").append(smId_).append("' max='");
            out.append(std::to_string(seconds.count())).append("'");
        }
        out.append("/>");
        transport().wantFlush();
    } else if (element.name() == "r" && window_) {
        asked_.push_back(window_->received());
        if (asked_.size() > 100) asked_.pop_front();
        answerRequests();
    } else if (element.name() == "resume") {
        resumeManagement(element);
    } else if (element.name() != "a") {
        failManagement("unexpected-request");
    }
}

void RemoteIncoming::manage(std::shared_ptr<AckWindow> window, std::optional<std::string> id) {
    window_ = std::move(window);
    window_->setAdvanced([this] { answerRequests(); });
    if (!id) return;
    smId_ = id->empty() ? randomId() : std::move(*id);
    remotes().keepResumable(smId_, {.local = pairs_.begin()->first,
                                    .remote = pairs_.begin()->second,
                                    .window = window_,
                                    .stream = number()});
}

// What was asked about is acknowledged when it is safe, or after a moment what is safe of it.
void RemoteIncoming::answerRequests() {
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

void RemoteIncoming::sendAck() {
    asked_.clear();
    late_ = {};
    if (isOver()) return;
    send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(window_->safe()) + "'/>");
}

void RemoteIncoming::failManagement(std::string_view condition) {
    send("<failed xmlns='urn:xmpp:sm:3'><" + std::string{condition} +
         " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
}

void RemoteIncoming::resumeManagement(const Element& element) {
    if (window_) {
        failManagement("unexpected-request");
        return;
    }
    const std::string id{element.get("previd")};
    hold();
    remotes().federation().takeResumable(
        shard(), number(), id, pairs_.begin()->first, pairs_.begin()->second,
        [this, id](std::optional<std::uint32_t> handled) {
            if (isOver()) return;
            if (!handled) {
                failManagement("item-not-found");
            } else {
                manage(std::make_shared<AckWindow>(shard().executor(), *handled), id);
                std::string& out = output();
                out.append("<resumed xmlns='urn:xmpp:sm:3' h='").append(std::to_string(*handled));
                out.append("' previd='");
                escapeAttribute(out, id);
                out.append("'/>");
                transport().wantFlush();
            }
            resume();
        });
}

// ---- upkeep and the end

void RemoteIncoming::checkActivity(SteadyTime now) {
    // The other server closes first what it doesn't need.
    if (now - lastActivity() >= 2 * settings().idleTimeout)
        end({.condition = StreamCondition::ConnectionTimeout,
             .text = "Nothing was said for long."});
}

void RemoteIncoming::settingsChanged() {
    for (const auto& [local, remote] : pairs_) {
        if (settings().allows(remote)) continue;
        end({.condition = StreamCondition::PolicyViolation,
             .text = "This server has no links with " + remote + " any more."});
        return;
    }
    if (!pairs_.empty()) xml().setLimits(settings().afterAuthentication);
}

void RemoteIncoming::closeDown() {
    if (window_ && !isOver()) sendAck();
    end({.condition = StreamCondition::SystemShutdown,
         .text = "The server is going down and will be back."});
}

void RemoteIncoming::ended(std::string_view reason) {
    patience_ = {};
    rateTimer_ = {};
    late_ = {};
    pressure_.cancel();
    place_ = {};
    if (window_) window_->setAdvanced({});
    if (!smId_.empty()) remotes().lostConnection(smId_, number());
    if (pairs_.empty())
        remoteLog.info("a connection ended before it was known whose it is",
                       {{"domain", remote_}, {"address", peerAddress()}, {"reason", reason}});
}

}  // namespace epode
