#include "stream/remote_outgoing.h"

#include "core/ascii_domain.h"
#include "core/base64.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/time_format.h"
#include "route/shard.h"
#include "stream/federation.h"
#include "stream/remotes.h"

#include <charconv>
#include <utility>

namespace epode {

namespace {

Counter stanzasSent{"epode_s2s_stanzas_sent_total", "Stanzas written to other servers"};
Gauge outgoingStreams{"epode_s2s_outgoing_streams", "Our connections to other servers"};

std::optional<std::uint32_t> readCount(std::string_view text) {
    std::uint32_t count = 0;
    const auto end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, count);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return count;
}

// The condition and the text of an error, for people; both are a stranger's.
std::string describe(const Element& error) {
    std::string condition;
    std::string text;
    for (const Element& child : error.children()) {
        if (child.name() == "text")
            text = std::string{child.text()}.substr(0, 200);
        else if (condition.empty())
            condition = std::string{child.name()}.substr(0, 60);
    }
    if (condition.empty()) condition = "no condition";
    return text.empty() ? condition : condition + " (" + text + ")";
}

}  // namespace

RemoteOutgoing::RemoteOutgoing(Remotes& remotes, RemoteLink& link, std::uint64_t number,
                               RemoteDial::Connection connection)
    : RemoteStream{remotes, number, std::move(connection.transport)},
      link_{&link},
      local_{link.local()},
      remote_{link.remote()},
      target_{std::move(connection.target)},
      since_{remotes.shard().executor().wallNow()} {
    outgoingStreams.add();
}

void RemoteOutgoing::begin() {
    patience_ = shard().executor().after(settings().negotiationTimeout, [this] {
        // It was there to verify keys, and nothing is to be sent.
        if (phase_ == Phase::Negotiating && link_ && !link_->wantsToSend()) {
            RemoteLink* const link = std::exchange(link_, nullptr);
            close("nothing to be sent");
            link->lost("nothing to be sent");
            return;
        }
        fail(RemoteStep::Stream,
             "The server of " + remote_ + " (" + target_.host +
                 ") has not finished the negotiation in time.",
             "It may be overloaded, or something between the servers eats packets.", true);
    });
    if (target_.isDirectTls) {
        phase_ = Phase::Securing;
        startTls();
    } else {
        sendHeader({});
    }
}

RemoteOutgoing::~RemoteOutgoing() { outgoingStreams.add(-1); }

std::string RemoteOutgoing::from() const { return local_; }
std::string RemoteOutgoing::to() const { return remote_; }

void RemoteOutgoing::find(RemoteStep step, bool isGood, std::string text,
                          std::string advice) const {
    if (link_) link_->find(step, isGood, std::move(text), std::move(advice));
}

// ---- TLS

void RemoteOutgoing::startTls() {
    const auto context = remotes().federation().clientTls(local_, shard(), target_.isDirectTls);
    if (!context) {
        fail(RemoteStep::Tls, "There is no certificate for " + local_ + " that could be shown.");
        return;
    }
    transport().startTls(*context, asciiDomain(remote_).value_or(remote_));
}

void RemoteOutgoing::onSecured() {
    if (isOver()) return;
    const TlsInfo* tls = transport().tls();
    identity_ = RemoteIdentity::of(tls);
    find(RemoteStep::Tls, true,
         (target_.isDirectTls ? "TLS from the first byte: " : "STARTTLS: ") + tls->version + ", " +
             tls->cipher + ".");
    if (identity_.proves(remote_)) {
        find(RemoteStep::Certificate, true,
             "The certificate is trusted and for " + remote_ + "; it holds until " +
                 formatDateTime(identity_.certificate->notAfter) + ".");
    } else {
        const std::string objection = identity_.objection(remote_);
        const std::string advice =
            "The other server needs a certificate of a known authority for " + remote_ + ".";
        if (settings().dialback == RemoteSettings::Dialback::Never) {
            fail(RemoteStep::Certificate,
                 "It can't be told that this is the server of " + remote_ + ". " + objection,
                 advice, true);
            return;
        }
        find(RemoteStep::Certificate, false,
             objection + " Who it is rests on the DNS alone (dialback).", advice);
    }
    phase_ = Phase::Header;
    restart();
    sendHeader({});
}

// ---- headers and features

void RemoteOutgoing::receiveHeader(const StreamHeader& header) {
    if (header.defaultNs != ns::server) {
        end({.condition = StreamCondition::InvalidNamespace,
             .text = "A server's stream has the default namespace jabber:server."});
        return;
    }
    streamId_ = header.id;
    // Before XMPP 1.0 there were no features, and no TLS.
    if (header.version.empty() && phase_ != Phase::FinalHeader) {
        if (phase_ == Phase::ClearHeader && !mayUseDialback()) {
            fail(RemoteStep::Tls, "The server of " + remote_ + " is too old to speak TLS.", {},
                 true);
            return;
        }
        phase_ = Phase::Negotiating;
        goOn();
    }
}

void RemoteOutgoing::receive(Document element, std::string_view) {
    if (element->is("features", ns::streams)) {
        receiveFeatures(*element);
    } else if (element->is("error", ns::streams)) {
        receiveStreamError(*element);
    } else if (element->ns() == dialbackNs) {
        receiveDialback(*element);
    } else if (element->ns() == ns::streamManagement) {
        receiveManagement(*element);
    } else if (phase_ == Phase::Proceed && element->ns() == ns::tls) {
        if (element->name() != "proceed") {
            fail(RemoteStep::Tls,
                 "The server of " + remote_ + " refuses TLS, which it has offered.", {}, true);
            return;
        }
        dropInput();
        startTls();
    } else if (phase_ == Phase::External && element->is("success", ns::sasl)) {
        phase_ = Phase::FinalHeader;
        restart();
        sendHeader({});
        authentication_ = "certificate";
        find(RemoteStep::Authentication, true,
             remote_ + " believes our certificate for " + local_ + " (SASL EXTERNAL).");
    } else if (phase_ == Phase::External && element->is("failure", ns::sasl)) {
        receiveSaslFailure(*element);
    }
    // Stanzas come on the connections that the other server makes. What else is said here was not
    // asked for, and is not believed.
}

void RemoteOutgoing::receiveFeatures(const Element& features) {
    if (phase_ == Phase::ClearHeader) {
        receiveClearFeatures(features);
        return;
    }
    if (phase_ != Phase::Header && phase_ != Phase::FinalHeader) return;
    offersManagement_ = features.child("sm", ns::streamManagement) != nullptr;
    if (phase_ == Phase::FinalHeader) {
        authenticated("certificate");
        return;
    }
    if (const Element* mechanisms = features.child("mechanisms", ns::sasl))
        for (const Element& mechanism : mechanisms->children())
            offersExternal_ = offersExternal_ || mechanism.text() == "EXTERNAL";
    phase_ = Phase::Negotiating;
    find(RemoteStep::Stream, true,
         "It speaks XMPP and offers " +
             std::string{offersExternal_ ? "to believe our certificate (SASL EXTERNAL)."
                                         : "no SASL EXTERNAL."},
         offersExternal_ ? "" : "It doesn't trust our certificate, maybe: epodectl cert check.");
    goOn();
}

void RemoteOutgoing::receiveClearFeatures(const Element& features) {
    if (features.child("starttls", ns::tls)) {
        phase_ = Phase::Proceed;
        send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        return;
    }
    if (!mayUseDialback()) {
        fail(RemoteStep::Tls, "The server of " + remote_ + " offers no TLS.",
             "The other server has to be set up for TLS (STARTTLS).", true);
        return;
    }
    find(RemoteStep::Tls, false, "It offers no TLS: everybody on the way can read what is said.");
    offersManagement_ = features.child("sm", ns::streamManagement) != nullptr;
    phase_ = Phase::Negotiating;
    goOn();
}

// ---- authentication

// A connection that is there to verify keys alone needn't show who we are.
void RemoteOutgoing::goOn() {
    if (phase_ != Phase::Negotiating || !link_) return;
    link_->mayVerify();
    if (link_->wantsToSend()) authenticate();
}

bool RemoteOutgoing::takesVerifications() const {
    if (isOver()) return false;
    if (!mayUseDialback()) return false;
    return phase_ == Phase::Negotiating || phase_ == Phase::Dialback || phase_ == Phase::Ready;
}

void RemoteOutgoing::verify(const std::string& id, const std::string& key) {
    DialbackElement{.kind = DialbackElement::Kind::Verify,
                    .type = DialbackElement::Type::Request,
                    .from = local_,
                    .to = remote_,
                    .id = id,
                    .key = key,
                    .condition = {}}
        .write(output());
    transport().wantFlush();
    noteActivity();
}

void RemoteOutgoing::authenticate() {
    // Nothing else may be said during SASL: what is being verified comes to its end first.
    if (offersExternal_) {
        if (link_->hasVerifications()) return;
        phase_ = Phase::External;
        send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>" +
             encodeBase64(local_) + "</auth>");
        return;
    }
    startDialback();
}

void RemoteOutgoing::startDialback() {
    if (!mayUseDialback()) {
        fail(RemoteStep::Authentication,
             "The server of " + remote_ + " doesn't believe our certificate for " + local_ +
                 ", and s2s.dialback rules anything else out.",
             "Look at what epodectl cert check says about our certificate.");
        return;
    }
    if (streamId_.empty()) {
        fail(RemoteStep::Authentication,
             "The server of " + remote_ +
                 " gives its stream no id, without which there is no dialback.");
        return;
    }
    phase_ = Phase::Dialback;
    DialbackElement{
        .kind = DialbackElement::Kind::Result,
        .type = DialbackElement::Type::Request,
        .from = local_,
        .to = remote_,
        .id = {},
        .key = dialbackKey(remotes().federation().dialbackSecret(), remote_, local_, streamId_),
        .condition = {}}
        .write(output());
    transport().wantFlush();
}

void RemoteOutgoing::receiveSaslFailure(const Element& failure) {
    const std::string why = describe(failure);
    find(RemoteStep::Authentication, false,
         remote_ + " does not take our certificate for " + local_ + ": " + why + ".",
         "epodectl cert check shows what is wrong with our certificate.");
    offersExternal_ = false;
    phase_ = Phase::Negotiating;
    startDialback();
}

void RemoteOutgoing::receiveDialback(const Element& element) {
    using Kind = DialbackElement::Kind;
    using Type = DialbackElement::Type;
    bool isMalformed = false;
    const auto answer = DialbackElement::read(element, isMalformed);
    // Questions are for the connections that others make.
    if (!answer || answer->type == Type::Request || !link_) return;
    // Of others than the two of this connection, or not asked for: it is not believed.
    if (answer->from != remote_ || answer->to != local_) return;
    if (answer->kind == Kind::Verify) {
        using Verdict = RemoteLink::Verdict;
        const auto verdict = answer->type == Type::Valid     ? Verdict::Valid
                             : answer->type == Type::Invalid ? Verdict::Invalid
                                                             : Verdict::NotFound;
        link_->verified(answer->id, verdict);
        goOn();
        return;
    }
    if (phase_ != Phase::Dialback) return;
    if (answer->type == Type::Valid) {
        find(RemoteStep::Authentication, true,
             remote_ + " has asked back and believes that we are " + local_ + " (dialback).");
        authenticated("dialback");
        return;
    }
    const std::string why =
        answer->type == Type::Invalid
            ? "the key is said to be invalid"
            : "it says " + (answer->condition.empty() ? "error" : answer->condition);
    fail(RemoteStep::Authentication,
         "The server of " + remote_ + " doesn't believe that we are " + local_ + ": " + why + ".",
         "It asks the server that the DNS names for " + local_ +
             ": the records must lead here, and the port be open.");
}

void RemoteOutgoing::authenticated(std::string_view how) {
    authentication_ = how;
    if (!link_) return;
    if (!offersManagement_) {
        ready(false, {}, std::nullopt);
        return;
    }
    phase_ = Phase::Managing;
    std::string& out = output();
    if (link_->resumptionId().empty()) {
        out.append("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    } else {
        // We have got nothing on the connection that was lost.
        out.append("<resume xmlns='urn:xmpp:sm:3' h='0' previd='");
        escapeAttribute(out, link_->resumptionId());
        out.append("'/>");
    }
    transport().wantFlush();
}

void RemoteOutgoing::receiveManagement(const Element& element) {
    if (!link_) return;
    const auto h = readCount(element.get("h"));
    if (element.name() == "r") {
        send("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    } else if (phase_ == Phase::Ready && element.name() == "a") {
        if (h && link_->acknowledged(*h)) return;
        end({.condition = StreamCondition::UndefinedCondition,
             .text = "You acknowledged more stanzas than were sent to you.",
             .extra = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='" +
                      std::to_string(h.value_or(0)) + "' send-count='" +
                      std::to_string(link_->handled()) + "'/>"});
    } else if (phase_ != Phase::Managing) {
        return;
    } else if (element.name() == "enabled") {
        const bool isResumable = element.get("resume") == "true" || element.get("resume") == "1";
        ready(true, isResumable ? std::string{element.get("id")} : std::string{}, std::nullopt);
    } else if (element.name() == "resumed" && h) {
        ready(true, link_->resumptionId(), *h);
    } else if (element.name() == "failed") {
        if (link_->resumptionId().empty()) {
            ready(false, {}, std::nullopt);
            return;
        }
        link_->notResumed(h);
        send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    }
}

void RemoteOutgoing::ready(bool isManaged, std::string id, std::optional<std::uint32_t> resumed) {
    patience_ = {};
    phase_ = Phase::Ready;
    noteActivity();
    if (id.size() > 1024) id.clear();
    link_->ready(isManaged, std::move(id), resumed);
}

// ---- stanzas

void RemoteOutgoing::write(const Stanza& stanza, std::string_view insertion) {
    stanza.write(output(), ns::server, nullptr, insertion);
    transport().wantFlush();
    noteActivity();
    stanzasSent.add();
    ++remotes().history(remote_).stanzasOut;
}

void RemoteOutgoing::ask() { send("<r xmlns='urn:xmpp:sm:3'/>"); }

void RemoteOutgoing::onDrained() {
    if (link_ && phase_ == Phase::Ready) link_->drained();
}

void RemoteOutgoing::closeIfIdle(SteadyTime now) {
    if (isOver() || (link_ && !link_->isIdle())) return;
    if (now - lastActivity() >= settings().idleTimeout) close("idle");
}

// ---- the end

void RemoteOutgoing::receiveStreamError(const Element& error) {
    peerError_ = describe(error);
    // The port may be another server's, which doesn't know the domain.
    close("the other server has ended the stream: " + peerError_);
}

void RemoteOutgoing::fail(RemoteStep step, std::string text, std::string advice,
                          bool mayTryOthers) {
    if (isOver()) return;
    hasFailed_ = true;
    RemoteLink* const link = std::exchange(link_, nullptr);
    close("failed");
    if (!link) return;
    link->failed({.step = step,
                  .condition = Condition::RemoteServerTimeout,
                  .text = std::move(text),
                  .advice = std::move(advice)},
                 mayTryOthers);
}

void RemoteOutgoing::ended(std::string_view reason) {
    patience_ = {};
    RemoteLink* const link = std::exchange(link_, nullptr);
    if (!link) return;
    if (phase_ == Phase::Ready) {
        link->lost(reason);
        return;
    }
    RemoteFailure failure;
    const bool isTls = phase_ == Phase::Securing || phase_ == Phase::Proceed;
    const bool isLate = phase_ >= Phase::External;
    failure.step = isTls    ? RemoteStep::Tls
                   : isLate ? RemoteStep::Authentication
                            : RemoteStep::Stream;
    failure.text = "The server of " + remote_ + " (" + target_.host + ") ";
    failure.text += !peerError_.empty() ? "has refused the stream: " + peerError_ + "."
                    : isTls             ? "could not agree on TLS: " + std::string{reason} + "."
                                        : "has ended the connection: " + std::string{reason} + ".";
    link->failed(std::move(failure), !isLate);
}

}  // namespace epode
