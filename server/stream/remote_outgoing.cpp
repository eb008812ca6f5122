#include "stream/remote_outgoing.h"

#include "core/ascii_domain.h"
#include "core/base64.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/time_format.h"
#include "net/tls_context.h"
#include "route/shard.h"
#include "stream/federation.h"
#include "stream/remotes.h"

#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};
Gauge outgoingStreams{"epode_s2s_outgoing_streams", "Our connections to other servers"};
Counter daneMatches{"epode_s2s_dane_matches_total",
                    "Connections to servers whose certificate is what the signed DNS says (DANE)"};
Counter daneMismatches{
    "epode_s2s_dane_mismatches_total",
    "Connections given up because the certificate is not what the signed DNS says (DANE)"};

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
    : RemoteReceiver{remotes, number, std::move(connection.transport)},
      link_{&link},
      local_{link.local()},
      remote_{link.remote()},
      target_{std::move(connection.target)} {
    outgoingStreams.add();
}

void RemoteOutgoing::begin() {
    patience_ = shard().executor().after(settings().negotiationTimeout, [this] {
        // It was there to verify keys, and nothing is to be sent.
        if (phase_ == Phase::Negotiating && link_ && !link_->wantsToSend()) {
            RemoteLink* const link = std::exchange(link_, nullptr);
            close("nothing to be sent");
            link->lost("nothing to be sent", RemoteLink::Loss::Idle);
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
    const std::string name = asciiDomain(remote_).value_or(remote_);
    if (target_.hasDemand())
        transport().startTls(context->demanding(target_.dane), name);
    else
        transport().startTls(*context, name);
}

void RemoteOutgoing::onSecured() {
    if (isOver()) return;
    const TlsInfo* tls = transport().tls();
    find(RemoteStep::Tls, true,
         (target_.isDirectTls ? "TLS from the first byte: " : "STARTTLS: ") + tls->version + ", " +
             tls->cipher + ".");
    // Nothing of this stream was said yet: without a header there is no end to be written.
    restart();
    if (!judge()) return;
    phase_ = Phase::Header;
    sendHeader({});
}

// Whether the connection may be used, by what was shown.
bool RemoteOutgoing::judge() {
    RemoteIdentity shown = RemoteIdentity::of(transport().tls());
    if (target_.hasDemand()) {
        shown.takeDane(remote_);
    } else if (target_.isSigned) {
        shown.takeHost(target_.host, remote_);
    }
    setIdentity(std::move(shown));
    if (identity().isDane && identity().proves(remote_)) {
        daneMatches.add();
        find(RemoteStep::Certificate, true,
             "The certificate is what the signed DNS says (DANE, TLSA records).");
    } else if (identity().isDane) {
        // No other proof is asked for: that would make the records useless (RFC 6698, 4.1).
        daneMismatches.add();
        fail(RemoteStep::Certificate,
             "It can't be told that this is the server of " + remote_ +
                 ". Its certificate is not what the signed DNS says (DANE): " +
                 (identity().hasCertificate ? identity().problem : "it shows none") + ".",
             "The TLSA records of _" + std::to_string(target_.port) + "._tcp." + target_.host +
                 " and the certificate there have to be made to agree: the one was renewed without "
                 "the other, or somebody is in between.",
             true);
        return false;
    } else if (identity().proves(remote_)) {
        find(RemoteStep::Certificate, true,
             "The certificate is trusted and for " +
                 (identity().names(remote_)
                      ? remote_
                      : target_.host + ", which the signed DNS has for " + remote_) +
                 "; it holds until " + formatDateTime(identity().certificate->notAfter) + ".");
    } else {
        const std::string objection = identity().objection(remote_);
        const std::string advice =
            "The other server needs a certificate of a known authority for " + remote_ + ".";
        if (settings().dialback == RemoteSettings::Dialback::Never) {
            fail(RemoteStep::Certificate,
                 "It can't be told that this is the server of " + remote_ + ". " + objection,
                 advice, true);
            return false;
        }
        find(RemoteStep::Certificate, false,
             objection + " Who it is rests on the DNS alone (dialback).", advice);
    }
    return true;
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
        if (phase_ == Phase::ClearHeader && (!mayUseDialback() || target_.dane)) {
            fail(RemoteStep::Tls, "The server of " + remote_ + " is too old to speak TLS.", {},
                 true);
            return;
        }
        phase_ = Phase::Negotiating;
        goOn();
    }
}

void RemoteOutgoing::receive(Document element, std::string_view inner) {
    if (element->is("features", ns::streams)) {
        receiveFeatures(*element);
    } else if (element->is("error", ns::streams)) {
        receiveStreamError(*element);
    } else if (element->ns() == ns::client && !pairs().empty()) {
        receiveStanza(std::move(element), inner);
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
    // Stanzas come on the connections that the other server makes, unless it was agreed that they
    // come here. What else is said was not asked for, and is not believed.
}

void RemoteOutgoing::receiveFeatures(const Element& features) {
    if (phase_ == Phase::ClearHeader) {
        receiveClearFeatures(features);
        return;
    }
    if (phase_ != Phase::Header && phase_ != Phase::FinalHeader) return;
    offersManagement_ = features.child("sm", ns::streamManagement) != nullptr;
    offersWayBack_ = features.child("bidi", bidiFeatureNs) != nullptr;
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
    // TLSA records promise TLS (RFC 7673, 3.4).
    if (!mayUseDialback() || target_.dane) {
        fail(RemoteStep::Tls, "The server of " + remote_ + " offers no TLS.",
             "The other server has to be set up for TLS (STARTTLS).", true);
        return;
    }
    find(RemoteStep::Tls, false, "It offers no TLS: everybody on the way can read what is said.");
    offersManagement_ = features.child("sm", ns::streamManagement) != nullptr;
    offersWayBack_ = features.child("bidi", bidiFeatureNs) != nullptr;
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
    if (offersWayBack_ && settings().isBidirectional && !isWayBack_ && !link_->trace()) {
        isWayBack_ = true;
        send("<bidi xmlns='urn:xmpp:bidi'/>");
    }
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
    if (!answer || !link_) return;
    if (answer->type == Type::Request) {
        // Questions are for the connections that others make; where stanzas come, they may, too,
        // from further domains of that server, to the one that it knows us by (XEP-0288, 2.2).
        if (pairs().empty()) return;
        if (answer->kind == Kind::Result && answer->to != local_)
            answerWith(*answer, Type::Error, "policy-violation");
        else
            receiveRequest(*answer, streamId_);
        return;
    }
    // Of others than the two of this connection, or not asked for: it is not believed.
    if (answer->from != remote_ || answer->to != local_) {
        noteUnasked(*answer);
        return;
    }
    if (answer->kind == Kind::Verify) {
        using Verdict = RemoteLink::Verdict;
        const auto verdict = answer->type == Type::Valid     ? Verdict::Valid
                             : answer->type == Type::Invalid ? Verdict::Invalid
                                                             : Verdict::NotFound;
        if (!link_->verified(answer->id, verdict)) noteUnasked(*answer);
        goOn();
        return;
    }
    if (phase_ != Phase::Dialback) {
        noteUnasked(*answer);
        return;
    }
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

// An answer may come too late, when it isn't waited for any more: that is no offence.
void RemoteOutgoing::noteUnasked(const DialbackElement& answer) {
    if (std::exchange(hasBabbled_, true)) return;
    remoteLog.notice("a server has answered what nobody had asked (dialback)",
                     {{"domain", remote_}, {"for", answer.from}, {"address", peerAddress()}});
}

void RemoteOutgoing::authenticated(std::string_view how) {
    authentication_ = how;
    if (!link_) return;
    phase_ = Phase::Managing;
    if (isWayBack_) {
        if (!makeRoomFor(remote_)) {
            fail(RemoteStep::Authentication,
                 remote_ + " has as many connections with this server as it may.");
            return;
        }
        accept(local_, remote_, identity().proves(remote_) ? identity().proof() : "dns");
    }
    if (!offersManagement_) {
        ready(false, {}, std::nullopt);
        return;
    }
    if (!link_->mayResume(isWayBack_)) {
        send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        return;
    }
    if (!isWayBack_) {
        askToResume(0);
        return;
    }
    // What came on the connection that was lost is safe before we say how much that was.
    remotes().awaitSafety(link_->window(),
                          [&remotes = remotes(), number = number()](std::uint32_t handled) {
                              RemoteOutgoing* const self = remotes.outgoing(number);
                              if (self && self->phase_ == Phase::Managing)
                                  self->askToResume(handled);
                          });
}

void RemoteOutgoing::askToResume(std::uint32_t handled) {
    if (isOver() || !link_) return;
    handled_ = handled;
    std::string& out = output();
    out.append("<resume xmlns='urn:xmpp:sm:3' h='").append(std::to_string(handled));
    out.append("' previd='");
    escapeAttribute(out, link_->resumptionId());
    out.append("'/>");
    transport().wantFlush();
}

void RemoteOutgoing::receiveManagement(const Element& element) {
    if (!link_) return;
    const auto h = readCount(element.get("h"));
    if (element.name() == "r") {
        // Without a way back nothing comes that would be counted.
        if (window())
            receiveCountRequest();
        else
            send("<a xmlns='urn:xmpp:sm:3' h='0'/>");
    } else if (phase_ == Phase::Ready && element.name() == "a") {
        if (h && link_->acknowledged(*h)) return;
        end(countTooHigh(h.value_or(0), link_->sent()));
    } else if (phase_ != Phase::Managing) {
        return;
    } else if (element.name() == "enabled") {
        const bool isResumable = element.get("resume") == "true" || element.get("resume") == "1";
        // What came before this is not counted.
        if (isWayBack_) countFrom(0);
        ready(true, isResumable ? std::string{element.get("id")} : std::string{}, std::nullopt);
    } else if (element.name() == "resumed" && h) {
        if (isWayBack_) countFrom(handled_);
        ready(true, link_->resumptionId(), *h);
    } else if (element.name() == "failed") {
        if (!link_->mayResume(isWayBack_)) {
            ready(false, {}, std::nullopt);
            return;
        }
        link_->notResumed(h);
        send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    }
}

void RemoteOutgoing::countFrom(std::uint32_t handled) {
    count(std::make_shared<AckWindow>(shard().executor(), handled));
}

void RemoteOutgoing::ready(bool isManaged, std::string id, std::optional<std::uint32_t> resumed) {
    patience_ = {};
    phase_ = Phase::Ready;
    noteActivity();
    // Its certificate was read.
    transport().forgetLoginSecrets();
    if (id.size() > 1024) id.clear();
    link_->ready({.isManaged = isManaged,
                  .isBidirectional = isWayBack_,
                  .id = std::move(id),
                  .resumed = resumed,
                  .window = window()});
}

// ---- stanzas

void RemoteOutgoing::write(const Stanza& stanza, std::string_view insertion) {
    stanza.write(output(), ns::server, nullptr, insertion);
    transport().wantFlush();
    noteActivity();
}

void RemoteOutgoing::ask() { send("<r xmlns='urn:xmpp:sm:3'/>"); }

void RemoteOutgoing::onDrained() {
    if (link_ && phase_ == Phase::Ready) link_->drained();
}

void RemoteOutgoing::closeIfIdle(SteadyTime now) {
    if (isOver() || (link_ && !link_->isIdle())) return;
    if (now - lastActivity() < settings().idleTimeout) return;
    isIdle_ = true;
    close("idle");
}

// It was made for an explanation, which has got what it wanted, or is not needed any more.
void RemoteOutgoing::dismiss() {
    link_ = nullptr;
    close("not needed any more");
}

void RemoteOutgoing::endWith(const StreamError& error) {
    if (window()) sendAck();
    end(error);
}

RemoteCarrier::Status RemoteOutgoing::status() const {
    return {.isOver = isOver(),
            .isSecured = isSecured(),
            .address = peerAddress(),
            .shownBy = identity().isDane && !authentication_.empty() ? "dane" : authentication_,
            .since = since()};
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
    endReceiving();
    RemoteLink* const link = std::exchange(link_, nullptr);
    if (!link) return;
    if (phase_ == Phase::Ready) {
        link->lost(reason, isIdle_ || wasClosedByPeer() ? RemoteLink::Loss::Idle
                                                        : RemoteLink::Loss::Broken);
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
