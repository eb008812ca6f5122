#include "stream/client_login.h"

#include "core/base64.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/sasl/oauth_bearer.h"
#include "core/worker_pool.h"
#include "net/certificate.h"
#include "net/ip_address.h"
#include "net/tls_error.h"
#include "route/credentials.h"
#include "route/login_limiter.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/stores.h"
#include "store/sql.h"
#include "stream/client_stream.h"
#include "stream/client_streams.h"

namespace epode {

namespace {

const Log streamLog{"stream"};
Counter logins{"epode_logins_total", "Clients that have logged in"};
Counter loginFailures{"epode_login_failures_total", "Attempts to log in that failed"};

// RFC 6120, 6.4.2: "=" stands for a message without bytes. Nothing when it is no base 64.
std::optional<std::string> decodeMessage(std::string_view text) {
    if (text == "=") return std::string{};
    return decodeBase64(text);
}

std::vector<Jid> identitiesOf(const TlsInfo& tls) {
    std::vector<Jid> identities;
    if (tls.peerCertificate.empty() || !tls.peerVerified) return identities;
    try {
        for (const auto& address : readCertificate(tls.peerCertificate).xmppAddresses)
            if (auto jid = Jid::parse(address)) identities.push_back(std::move(*jid));
    } catch (const TlsError&) {
        // A certificate that can't be read names nobody.
    }
    return identities;
}

}  // namespace

ClientLogin::ClientLogin(ClientStream& stream) : stream_{stream} { arrive(); }

void ClientLogin::leave() {
    timeout_ = {};
    timer = {};
}

void ClientLogin::arrive() {
    const Duration wait = stream_.streams_->limits({}).loginTimeout;
    timeout_ = stream_.shard().executor().after(wait, [this] {
        stream_.end({.condition = StreamCondition::ConnectionTimeout,
                     .text = "Nobody has logged in on this connection in time."});
    });
}

bool ClientLogin::isOver() const { return gone_ || stream_.phase_ == ClientStream::Phase::Over; }

void ClientLogin::secured() {
    const TlsInfo* tls = stream_.transport_->tls();
    setup_.bindings.clear();
    if (!tls->exporter.empty()) setup_.bindings.push_back({"tls-exporter", tls->exporter});
    if (!tls->serverEndPoint.empty())
        setup_.bindings.push_back({"tls-server-end-point", tls->serverEndPoint});
    setup_.certificateIdentities = identitiesOf(*tls);
    stream_.restart();
}

void ClientLogin::addFeatures(Element& features) {
    const ClientLimits& limits = stream_.streams_->limits(stream_.host().domain());
    const bool mayStartTls = stream_.transport_->mayStartTls();
    if (!stream_.isSecure() && !mayStartTls && limits.tlsRequired) {
        stream_.end({.condition = StreamCondition::PolicyViolation,
                     .text = "Use an address that begins with wss or https; this one is not encrypted."});
        return;
    }
    if (!stream_.isSecure() && mayStartTls && stream_.streams_->tls()) {
        Element& starttls = features.add("starttls", ns::tls);
        if (limits.tlsRequired) {
            starttls.add("required");
            return;  // RFC 6120, 5.3.1: nothing else before it
        }
    }
    setup_.domain = stream_.host().domain();
    setup_.secret = stream_.shard().server().saltSecret();
    setup_.offered = sasl::mechanismsToOffer({
        .isEncrypted = stream_.isSecure(),
        .hasChannelBinding = !setup_.bindings.empty(),
        .hasCertificateIdentity = !setup_.certificateIdentities.empty(),
        .mayUsePlain = limits.plainAllowed,
    });
    if (stream_.isSecure() &&
        stream_.host().services().loginMethods.contains(sasl::oauthBearer))
        setup_.offered.emplace_back(sasl::oauthBearer);
    Element& mechanisms = features.add("mechanisms", ns::sasl);
    for (const auto& name : setup_.offered) mechanisms.addWithText("mechanism", name);
    addSasl2(features);
    if (!setup_.bindings.empty()) {
        Element& bindings = features.add("sasl-channel-binding", "urn:xmpp:sasl-cb:0");
        for (const auto& binding : setup_.bindings)
            bindings.add("channel-binding").set("type", binding.type);
    }
}

void ClientLogin::receive(Document element) {
    if (element->is("starttls", ns::tls)) {
        startTls();
        return;
    }
    const ClientLimits& limits = stream_.streams_->limits(stream_.host().domain());
    if (limits.tlsRequired && !stream_.isSecure()) {
        stream_.end({.condition = StreamCondition::PolicyViolation,
                     .text = "Use STARTTLS before anything else."});
        return;
    }
    if (element->ns() == ns::sasl2) {
        receiveSasl2(std::move(element));
        return;
    }
    if (login_) {
        stream_.end({.condition = StreamCondition::NotAuthorized,
                     .text = "Only the answer to the last step may come now."});
        return;
    }
    if (element->ns() == ns::sasl) {
        profile_ = Profile::Sasl1;
        const std::string_view name = element->name();
        if (name == "auth") authenticate(*element);
        else if (name == "response") respond(*element);
        else if (name == "abort") fail(sasl::Condition::Aborted, "The client has given up.");
        else fail(sasl::Condition::MalformedRequest, "This element is unknown in SASL.");
        return;
    }
    if (element->is("iq", ns::client)) {
        receiveIq(std::move(element));
        return;
    }
    stream_.end({.condition = StreamCondition::NotAuthorized, .text = "Log in before anything else."});
}

void ClientLogin::startTls() {
    if (stream_.isSecure() || !stream_.streams_->tls() || !stream_.transport_->mayStartTls()) {
        stream_.output().append("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        stream_.wantFlush();
        stream_.end({});
        return;
    }
    stream_.output().append("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    stream_.wantFlush();
    // What came along with <starttls/> was not protected: it is never looked at.
    stream_.restart();
    stream_.input_.clear();
    stream_.dropInput_ = true;
    stream_.transport_->startTls(*stream_.streams_->tls());
}

// ---- SASL

void ClientLogin::authenticate(const Element& auth) {
    if (mechanism_) {
        mechanism_.reset();
        fail(sasl::Condition::MalformedRequest, "An attempt is under way already.");
        return;
    }
    isMethod_ = isRefused_ = isMethodAwaited_ = false;
    username_.clear();
    const std::string_view text = auth.text();
    const auto message = text.empty() ? std::nullopt : decodeMessage(text);
    if (const auto* method = methodFor(auth.get("mechanism"), message)) {
        if (!message && !text.empty())
            return fail(sasl::Condition::IncorrectEncoding, "The initial response is no base 64.");
        isMethod_ = true;
        if (!message) {
            isMethodAwaited_ = true;
            stream_.output().append("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
            return stream_.wantFlush();
        }
        beginLogin(std::string{auth.get("mechanism")});
        login_->message = *message;
        return runMethod(*method);
    }
    mechanism_ = sasl::makeMechanism(auth.get("mechanism"), setup_);
    if (!mechanism_) {
        fail(sasl::Condition::InvalidMechanism, "This mechanism was not offered.");
        return;
    }
    if (text.empty()) {
        take(mechanism_->start(std::nullopt));
        return;
    }
    const auto initial = decodeMessage(text);
    if (!initial) {
        fail(sasl::Condition::IncorrectEncoding, "The initial response is no base 64.");
        return;
    }
    take(mechanism_->start(*initial));
}

void ClientLogin::respond(const Element& response) {
    if (isRefused_) return fail(sasl::Condition::NotAuthorized, "The token is not accepted.");
    if (std::exchange(isMethodAwaited_, false)) {
        const auto* method = methodFor(sasl::oauthBearer, std::nullopt);
        auto message = decodeMessage(response.text());
        if (!method || !message)
            return fail(sasl::Condition::IncorrectEncoding, "The response is no base 64.");
        beginLogin(std::string{sasl::oauthBearer});
        login_->message = std::move(*message);
        return runMethod(*method);
    }
    if (!mechanism_) {
        fail(sasl::Condition::MalformedRequest, "There was no challenge to respond to.");
        return;
    }
    const std::string_view text = response.text();
    const auto bytes = text.empty() ? std::optional{std::string{}} : decodeMessage(text);
    if (!bytes) {
        fail(sasl::Condition::IncorrectEncoding, "The response is no base 64.");
        return;
    }
    take(mechanism_->step(*bytes));
}

void ClientLogin::take(sasl::Step step) {
    if (const auto* challenge = std::get_if<sasl::Challenge>(&step)) {
        isRefused_ = isMethod_;
        if (isMethod_ && profile_ == Profile::Sasl1) login_.reset();
        stream_.output()
            .append("<challenge xmlns='")
            .append(profile_ == Profile::Sasl2 ? ns::sasl2 : ns::sasl)
            .append("'>")
            .append(challenge->bytes.empty() ? std::string{} : encodeBase64(challenge->bytes))
            .append("</challenge>");
        stream_.wantFlush();
    } else if (const auto* success = std::get_if<sasl::Success>(&step)) {
        if (profile_ == Profile::Sasl2) proved(*success);
        else succeed(*success);
    } else if (const auto* failure = std::get_if<sasl::Failure>(&step)) {
        fail(failure->condition, failure->text);
    } else {
        auto needed = std::get<sasl::NeedCredentials>(std::move(step));
        username_ = needed.username;
        hold();
        start(lookUp(std::move(needed)), [self = shared_from_this()](std::exception_ptr failure) {
            if (self->isOver()) return;
            if (failure)
                self->fail(sasl::Condition::TemporaryAuthFailure,
                           "The server can't reach its storage at the moment; try again later.");
            self->proceed();
        });
    }
}

void ClientLogin::hold() {
    isHeld_ = true;
    stream_.hold();
}

// After a step that input has waited for, unless the next follows by itself. What came meanwhile may
// have begun a wait of its own, which is not ended by who comes back here later.
void ClientLogin::proceed() {
    if (isOver() || isCompleting_ || !std::exchange(isHeld_, false)) return;
    stream_.proceed();
}

// The stream may be gone after each wait: then the task ends without touching it. Who started the task
// keeps this object.
Task<void> ClientLogin::lookUp(sasl::NeedCredentials needed) {
    Shard& shard = stream_.shard();
    Server& server = shard.server();
    const auto account = Jid::make(needed.username, setup_.domain);
    const std::string address = networkOf(stream_.peerAddress());
    if (!server.loginLimiter().allows(address, account->text(), shard.executor().now())) {
        fail(sasl::Condition::TemporaryAuthFailure,
             "There were too many failed attempts; try again in some minutes.");
        co_return;
    }
    const auto stored = co_await server.stores().accounts.credentials(account->text());
    if (isOver()) co_return;
    const sasl::Credentials found = stored ? toCredentials(*stored) : sasl::Credentials{};
    const sasl::Credentials* credentials = stored ? &found : nullptr;
    if (!needed.isSlow) {
        take(mechanism_->proceed(credentials));
        co_return;
    }
    sasl::Mechanism& mechanism = *mechanism_;
    auto work = [&mechanism, credentials] { return mechanism.proceed(credentials); };
    auto step = co_await offload(server.workers(), work);
    if (isOver()) co_return;
    take(std::move(step));
}

void ClientLogin::succeed(const sasl::Success& success) {
    mechanism_.reset();
    login_.reset();
    countSuccess(success.identity.bare());
    Shard& here = stream_.shard();
    std::string& out = stream_.output();
    out.append("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
    if (!success.bytes.empty()) out.append(encodeBase64(success.bytes));
    out.append("</success>");
    stream_.wantFlush();
    stream_.authenticated_ = success.identity.bare();
    stream_.restart();
    // The session will live where its account does; so the connection goes there.
    Shard& home = here.server().shardOf(stream_.authenticated_.text());
    if (&home == &here) return;
    leave();
    stream_.moveTo(home, [self = shared_from_this()] { self->stream_.proceed(); });
}

void ClientLogin::countSuccess(const Jid& account) {
    logins.add();
    Shard& shard = stream_.shard();
    shard.server().loginLimiter().succeeded(networkOf(stream_.peerAddress()), account.text(),
                                            shard.executor().now());
}

void ClientLogin::fail(sasl::Condition condition, std::string_view text) {
    mechanism_.reset();
    task_.reset();
    login_.reset();
    isCompleting_ = isRefused_ = isMethodAwaited_ = false;
    additionalData_.clear();
    loginFailures.add();
    if (profile_ == Profile::Sasl2) {
        writeFailure(condition, text);
    } else {
        std::string& out = stream_.output();
        out.append("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><").append(toText(condition));
        out.append("/><text xml:lang='en'>");
        escapeText(out, text);
        out.append("</text></failure>");
        stream_.wantFlush();
    }
    countFailure(condition);
}

void ClientLogin::countFailure(sasl::Condition condition) {
    // Before the client has said who it is no password was tried: some begin with a channel binding that
    // does not fit, and find out what does by failing. They may try each mechanism once before their
    // attempts are counted, so that who ends with PLAIN comes to it.
    const bool isRefused = condition == sasl::Condition::NotAuthorized;
    if (isRefused && username_.empty() && !isMethod_ &&
        ++mismatches_ <= int(setup_.offered.size()))
        return;
    if (isRefused && (!username_.empty() || isMethod_)) {
        Shard& shard = stream_.shard();
        const auto account = Jid::make(username_, setup_.domain);
        shard.server().loginLimiter().failed(networkOf(stream_.peerAddress()),
                                             account ? account->text() : std::string{},
                                             shard.executor().now());
        streamLog.info("login failed", {{"account", account ? account->text() : std::string{}},
                                        {"address", stream_.peerAddress()}});
    }
    if (++failures_ >= stream_.streams_->limits(setup_.domain).loginAttemptsMax)
        stream_.end({.condition = StreamCondition::PolicyViolation,
                     .text = "There were too many failed attempts to log in."});
}

// ---- requests before login

namespace {

// So that what a handler throws at once is a failed task as well.
Task<Reply> askHandler(const StreamIqHandler& handler, const StreamFacts& stream, StanzaPtr stanza) {
    auto reply = co_await handler(stream, stanza);
    co_return reply;
}

}  // namespace

void ClientLogin::receiveIq(Document element) {
    auto problem = Stanza::Problem::None;
    StanzaPtr stanza = Stanza::fromDocument(std::move(element), {}, problem);
    const Element* payload = stanza ? stanza->payload() : nullptr;
    const auto& handlers = stream_.host().services().streamIqs;
    const auto handler =
        payload && stanza->isRequest() && problem == Stanza::Problem::None
            ? handlers.find({std::string{payload->name()}, std::string{payload->ns()}})
            : handlers.end();
    if (handler == handlers.end()) {
        stream_.end({.condition = StreamCondition::NotAuthorized, .text = "Log in before anything else."});
        return;
    }
    stream_.hold();
    start(askHandler(handler->second, stream_, stanza),
          [self = shared_from_this(), stanza, services = stream_.host().sharedServices()](
              std::optional<Reply> reply, std::exception_ptr failure) {
              if (self->isOver()) return;
              ClientStream& stream = self->stream_;
              if (failure) {
                  stanza->error({ErrorType::Wait, Condition::InternalServerError,
                                 "The server failed while it handled this; try again later."})
                      ->write(stream.output(), ns::client);
              } else if (!reply->isNone()) {
                  reply->answer(*stanza)->write(stream.output(), ns::client);
              }
              stream.wantFlush();
              stream.proceed();
          });
}

}  // namespace epode
