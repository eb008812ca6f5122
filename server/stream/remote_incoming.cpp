#include "stream/remote_incoming.h"

#include "core/base64.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/random.h"
#include "route/shard.h"
#include "stream/federation.h"
#include "stream/remotes.h"

#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};
Counter authenticationsRefused{"epode_s2s_sasl_refused_total",
                               "Times SASL has not shown who another server is"};
Gauge incomingStreams{"epode_s2s_incoming_streams", "Connections of other servers to us"};

constexpr unsigned failuresMax = 3;
// How long we wait with what we send until it is known whether it will be counted.
constexpr auto wayBackPatience = std::chrono::seconds{2};

std::optional<std::string> readDomain(std::string_view text) {
    auto jid = Jid::parse(text);
    if (!jid || !jid->isDomain()) return std::nullopt;
    return jid->text();
}

}  // namespace

RemoteIncoming::RemoteIncoming(Remotes& remotes, std::uint64_t number,
                               std::unique_ptr<Transport> transport, AddressLimit::Place place)
    : RemoteReceiver{remotes, number, std::move(transport)},
      id_{randomId()},
      place_{std::move(place)} {
    incomingStreams.add();
    patience_ = shard().executor().after(settings().negotiationTimeout, [this] {
        end({.condition = StreamCondition::ConnectionTimeout,
             .text = "It was not shown in time for whom this connection speaks."});
    });
}

RemoteIncoming::~RemoteIncoming() { incomingStreams.add(-1); }

void RemoteIncoming::onSecured() {
    readIdentity();
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
    sendHeader(id_);
    sendFeatures();
    if (isRestart) waitToOpenWayBack();
}

void RemoteIncoming::sendFeatures() {
    std::string& out = output();
    out.append("<stream:features>");
    if (!isSecured() && transport().mayStartTls()) {
        out.append("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>");
        if (settings().dialback != RemoteSettings::Dialback::Always) out.append("<required/>");
        out.append("</starttls>");
    }
    if (isSecured() && !isAuthenticatedBySasl_ && !remote_.empty() && identity().proves(remote_))
        out.append(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>"
            "</mechanisms>");
    if (mayUseDialback() || (isSecured() && identity().isTrusted))
        out.append("<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>");
    // Before a dialback as well: there are no further features behind it.
    if (isSecured()) out.append("<sm xmlns='urn:xmpp:sm:3'/>");
    if (settings().isBidirectional && !isAuthenticatedBySasl_)
        out.append("<bidi xmlns='urn:xmpp:features:bidi'/>");
    const XmlLimits& limits =
        pairs().empty() ? settings().beforeAuthentication : settings().afterAuthentication;
    out.append("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>")
        .append(std::to_string(limits.elementBytesMax))
        .append("</max-bytes></limits></stream:features>");
    transport().wantFlush();
}

// ---- elements

void RemoteIncoming::receive(Document element, std::string_view inner) {
    const std::string_view elementNs = element->ns();
    if (elementNs == ns::client) {
        if (pairs().empty()) {
            end({.condition = StreamCondition::NotAuthorized,
                 .text = "Stanzas come after it was shown for whom this connection speaks."});
            return;
        }
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
    } else if (element->is("bidi", bidiNs) && settings().isBidirectional &&
               wayBack_ == WayBack::None) {
        receiveWayBack();
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
    if (remote_.empty() || !identity().proves(remote_)) {
        remoteLog.notice("a server's certificate doesn't show who it is",
                         {{"domain", remote_},
                          {"address", peerAddress()},
                          {"cause", identity().objection(remote_)}});
        refuseAuth("not-authorized", identity().objection(remote_));
        return;
    }
    if (remotes().federation().serves(remote_, shard())) {
        refuseAuth("not-authorized", "That domain is served here.");
        return;
    }
    if (!makeRoomFor(remote_)) {
        refuseAuth("temporary-auth-failure", "That domain has as many connections as it may.");
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

void RemoteIncoming::accepted(const std::string& local, const std::string& remote, bool isFirst) {
    patience_ = {};
    place_ = {};
    if (isFirst) {
        wayBackFrom_ = local;
        wayBackTo_ = remote;
    }
    remoteLog.info(
        "another server is connected",
        {{"domain", remote}, {"to", local}, {"by", shownBy()}, {"address", peerAddress()}});
    // What is to be sent need not wait for the way back.
    remotes().federation().isThere(remote);
    if (isFirst && !isAuthenticatedBySasl_) waitToOpenWayBack();
}

void RemoteIncoming::refused() {
    if (pairs().empty() && ++failures_ >= failuresMax)
        end({.condition = StreamCondition::NotAuthorized,
             .text = "Too many attempts have failed."});
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
    // We ask nothing on connections of others, also when they are bidirectional.
    if (request->type != DialbackElement::Type::Request) {
        remoteLog.notice("a server has answered what nobody had asked (dialback)",
                         {{"domain", request->from}, {"address", peerAddress()}});
        end({.condition = StreamCondition::PolicyViolation,
             .text = "Nobody has asked this on this connection."});
        return;
    }
    receiveRequest(*request, id_);
}

// ---- the way back (XEP-0288)

void RemoteIncoming::receiveWayBack() {
    // TLS comes first, for who uses it (2.1).
    if (!isSecured() && settings().dialback != RemoteSettings::Dialback::Always) {
        end({.condition = StreamCondition::PolicyViolation, .text = "TLS comes first."});
        return;
    }
    wayBack_ = WayBack::Wanted;
    if (!pairs().empty()) waitToOpenWayBack();
}

// The other server says next whether it counts what it gets.
void RemoteIncoming::waitToOpenWayBack() {
    if (wayBack_ != WayBack::Wanted || wayBackPatience_) return;
    wayBackPatience_ = shard().executor().after(wayBackPatience, [this] { openWayBack(); });
}

void RemoteIncoming::openWayBack() {
    wayBackPatience_ = {};
    if (wayBack_ != WayBack::Wanted || isOver()) return;
    wayBack_ = WayBack::Open;
    remotes().federation().offerWayBack(wayBackFrom_, wayBackTo_, makeOffer());
}

RemoteReverse::Offer RemoteIncoming::makeOffer() const {
    return {.shard = shard().number(),
            .stream = number(),
            .status = {.isOver = false,
                       .isSecured = isSecured(),
                       .address = peerAddress(),
                       .shownBy = std::string{shownBy()},
                       .since = since()},
            .isManaged = window() != nullptr,
            .id = smId_};
}

void RemoteIncoming::sendBack(const std::string& bytes,
                              const std::shared_ptr<std::atomic<std::size_t>>& pending) {
    if (isOver()) return;
    noteActivity();
    send(bytes);
    pending_ = pending;
    // What has left by the end of this turn doesn't count.
    shard().executor().post([&remotes = remotes(), number = number()] {
        if (RemoteIncoming* self = remotes.incoming(number)) self->onDrained();
    });
}

void RemoteIncoming::onDrained() {
    if (pending_ && !isOver())
        pending_->store(transport().unsentBytes() + output().size(), std::memory_order_relaxed);
}

void RemoteIncoming::endWith(const StreamError& error) {
    if (window()) sendAck();
    end(error);
}

// ---- stream management

void RemoteIncoming::receiveManagement(const Element& element) {
    if (element.name() == "r") {
        receiveCountRequest();
    } else if (element.name() == "a") {
        acknowledge(element);
    } else if (pairs().empty() || window()) {
        failManagement("unexpected-request");
    } else if (element.name() == "enable") {
        enableManagement(element);
    } else if (element.name() == "resume") {
        resumeManagement(element);
    } else {
        failManagement("feature-not-implemented");
    }
}

void RemoteIncoming::enableManagement(const Element& element) {
    // Where we have sent something already, our link has begun without being told how much comes.
    const bool isLate = wayBack_ == WayBack::Open;
    const bool asksResumption = element.get("resume") == "true" || element.get("resume") == "1";
    const bool isResumable = asksResumption && settings().resumeTimeout.count() > 0 && !isLate;
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
    openWayBack();
}

void RemoteIncoming::manage(std::shared_ptr<AckWindow> window, std::optional<std::string> id) {
    count(window);
    if (!id) return;
    smId_ = id->empty() ? randomId() : std::move(*id);
    // Without a place for it, it is counted all the same.
    if (!remotes().keepResumable(smId_, {.local = wayBackFrom_,
                                         .remote = wayBackTo_,
                                         .window = std::move(window),
                                         .isWayBack = wayBack_ != WayBack::None,
                                         .stream = number()}))
        smId_.clear();
}

void RemoteIncoming::acknowledge(const Element& element) {
    const auto h = readCount(element.get("h"));
    if (wayBack_ != WayBack::Open || !window()) return;
    if (!h) {
        end({.condition = StreamCondition::PolicyViolation,
             .text = "An acknowledgement says how much has come ('h')."});
        return;
    }
    remotes().federation().acknowledgeWayBack(wayBackFrom_, wayBackTo_, shard().number(), number(),
                                              *h);
}

void RemoteIncoming::failManagement(std::string_view condition,
                                    std::optional<std::uint32_t> handled) {
    std::string& out = output();
    out.append("<failed xmlns='urn:xmpp:sm:3'");
    if (handled) out.append(" h='").append(std::to_string(*handled)).append("'");
    out.append("><").append(condition);
    out.append(" xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
    transport().wantFlush();
}

void RemoteIncoming::resumeManagement(const Element& element) {
    const std::string id{element.get("previd")};
    const auto h = readCount(element.get("h"));
    if (!h) {
        failManagement("bad-request");
        return;
    }
    if (wayBack_ == WayBack::Open) {
        failManagement("unexpected-request");
        return;
    }
    wayBackPatience_ = {};
    hold();
    remotes().federation().takeResumable(
        shard(), number(), id, wayBackFrom_, wayBackTo_, wayBack_ != WayBack::None,
        [this, id, h = *h](std::optional<std::uint32_t> handled) {
            if (!handled || wayBack_ == WayBack::None) {
                if (handled)
                    resumeWith(id, *handled);
                else
                    failManagement("item-not-found");
                waitToOpenWayBack();
                resume();
                return;
            }
            // Our link decides: it may have gone another way since.
            wayBack_ = WayBack::Open;
            auto offer = makeOffer();
            offer.isManaged = true;
            offer.id = id;
            offer.resumed = h;
            remotes().federation().resumeWayBack(shard(), number(), wayBackFrom_, wayBackTo_,
                                                 std::move(offer),
                                                 [this, id, handled = *handled](bool isTaken) {
                                                     if (isTaken) {
                                                         resumeWith(id, handled);
                                                     } else {
                                                         wayBack_ = WayBack::Wanted;
                                                         failManagement("item-not-found", handled);
                                                         waitToOpenWayBack();
                                                     }
                                                     resume();
                                                 });
        });
}

void RemoteIncoming::resumeWith(const std::string& id, std::uint32_t handled) {
    manage(std::make_shared<AckWindow>(shard().executor(), handled), id);
    std::string& out = output();
    out.append("<resumed xmlns='urn:xmpp:sm:3' h='").append(std::to_string(handled));
    out.append("' previd='");
    escapeAttribute(out, id);
    out.append("'/>");
    transport().wantFlush();
}

// ---- upkeep and the end

void RemoteIncoming::checkActivity(SteadyTime now) {
    // The other server closes first what it doesn't need.
    if (now - lastActivity() >= 2 * settings().idleTimeout)
        end({.condition = StreamCondition::ConnectionTimeout,
             .text = "Nothing was said for long."});
}

void RemoteIncoming::closeDown() {
    endWith({.condition = StreamCondition::SystemShutdown,
             .text = "The server is going down and will be back."});
}

void RemoteIncoming::ended(std::string_view reason) {
    patience_ = {};
    wayBackPatience_ = {};
    place_ = {};
    endReceiving();
    if (!smId_.empty()) remotes().lostConnection(smId_, number());
    if (wayBack_ == WayBack::Open)
        remotes().federation().closeWayBack(
            wayBackFrom_, wayBackTo_, shard().number(), number(), std::string{reason},
            wasClosedByPeer() ? RemoteLink::Loss::Idle : RemoteLink::Loss::Broken);
    if (pairs().empty())
        remoteLog.info("a connection ended before it was known whose it is",
                       {{"domain", remote_}, {"address", peerAddress()}, {"reason", reason}});
}

}  // namespace epode
