#include "stream/remote_stream.h"

#include "core/ascii_domain.h"
#include "core/metric.h"
#include "net/tls_error.h"
#include "route/shard.h"
#include "stream/remotes.h"

#include <charconv>
#include <utility>

namespace epode {

namespace {

Counter streamErrors{"epode_s2s_stream_errors_total",
                     "Streams with other servers that we ended with an error"};

// What may wait while a step of the negotiation is in progress.
constexpr std::size_t inputWhileHeldMax = 256 * 1024;

}  // namespace

// ---- certificates

RemoteIdentity RemoteIdentity::of(const TlsInfo* tls) {
    RemoteIdentity identity;
    if (!tls || tls->peerCertificate.empty()) return identity;
    identity.hasCertificate = true;
    identity.isTrusted = tls->peerVerified;
    identity.problem = tls->peerProblem;
    try {
        identity.certificate = readCertificate(tls->peerCertificate);
    } catch (const TlsError& error) {
        identity.isTrusted = false;
        identity.problem = error.what();
    }
    return identity;
}

bool RemoteIdentity::names(std::string_view domain) const {
    const auto ascii = asciiDomain(domain);
    return certificate && ascii &&
           (namesDomain(*certificate, *ascii, "xmpp-server") ||
            namesDomain(*certificate, domain, "xmpp-server"));
}

void RemoteIdentity::takeDane(const std::string& domain) {
    isDane = true;
    if (std::exchange(isTrusted, false)) signedFor = domain;
}

void RemoteIdentity::takeHost(std::string_view host, const std::string& domain) {
    if (isTrusted && names(host)) signedFor = domain;
}

std::string RemoteIdentity::objection(std::string_view domain) const {
    if (!hasCertificate) return "It shows no certificate.";
    std::string text;
    if (!isTrusted) text = "Its certificate isn't trusted: " + problem + ".";
    if (certificate && !names(domain)) {
        std::string names;
        for (const auto& name : certificate->dnsNames) names += (names.empty() ? "" : ", ") + name;
        if (!text.empty()) text += " ";
        text += "Its certificate is not for " + std::string{domain} + " but for " +
                (names.empty() ? "nobody" : names) + ".";
    }
    return text;
}

// ---- the stream

std::optional<std::uint32_t> readCount(std::string_view text) {
    std::uint32_t count = 0;
    const auto end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, count);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return count;
}

StreamError countTooHigh(std::uint32_t handled, std::uint32_t sent) {
    return {.condition = StreamCondition::UndefinedCondition,
            .text = "You acknowledged more stanzas than were sent to you.",
            .extra = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='" + std::to_string(handled) +
                     "' send-count='" + std::to_string(sent) + "'/>"};
}

RemoteStream::RemoteStream(Remotes& remotes, std::uint64_t number,
                           std::unique_ptr<Transport> transport)
    : remotes_{remotes},
      number_{number},
      transport_{std::move(transport)},
      xml_{remotes.shard().parsers(), remotes.settings().beforeAuthentication},
      lastActivity_{remotes.shard().executor().now()} {
    transport_->setUser(*this);
}

RemoteStream::~RemoteStream() = default;

Shard& RemoteStream::shard() const { return remotes_.shard(); }
const RemoteSettings& RemoteStream::settings() const { return remotes_.settings(); }
bool RemoteStream::mayUseDialback() const {
    switch (settings().dialback) {
        case RemoteSettings::Dialback::Never:
            return false;
        case RemoteSettings::Dialback::OverTls:
            return isSecured();
        case RemoteSettings::Dialback::Always:
            break;
    }
    return true;
}

SteadyTime RemoteStream::now() const { return shard().executor().now(); }

void RemoteStream::onData(std::string_view bytes) {
    lastActivity_ = now();
    if (isOver_) return;
    if (isHeld_) {
        if (input_.size() + bytes.size() > inputWhileHeldMax) {
            end({.condition = StreamCondition::PolicyViolation,
                 .text = "Too much was sent before the last step was answered."});
            return;
        }
        input_.append(bytes);
        return;
    }
    process(bytes);
}

void RemoteStream::process(std::string_view input) {
    while (!isOver_ && !isHeld_) {
        switch (xml_.next(input)) {
            case XmlStream::Event::NeedMore:
                return;
            case XmlStream::Event::Header:
                receiveHeader(xml_.header());
                break;
            case XmlStream::Event::Element: {
                // The text between the tags lives in the document's arena: it is taken before the
                // document is.
                const std::string_view inner = xml_.innerText();
                receive(xml_.takeElement(), inner);
                if (std::exchange(dropInput_, false)) return;
                break;
            }
            case XmlStream::Event::Close:
                wasClosedByPeer_ = true;
                close("closed by the other server");
                return;
            case XmlStream::Event::Failure:
                end(xml_.error());
                return;
        }
    }
    if (!isOver_) input_.assign(input);
}

void RemoteStream::resume() {
    if (!std::exchange(isHeld_, false)) return;
    const std::string waiting = std::exchange(input_, {});
    if (!waiting.empty()) process(waiting);
}

void RemoteStream::sendHeader(std::string_view id) {
    std::string& out = output();
    out.append(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "version='1.0' xml:lang='en'");
    if (!id.empty()) out.append(" id='").append(id).append("'");
    for (const auto& [name, value] : {std::pair{" from='", from()}, {" to='", to()}}) {
        if (value.empty()) continue;
        out.append(name);
        escapeAttribute(out, value);
        out.append("'");
    }
    out.append(">");
    headerSent_ = true;
    transport_->wantFlush();
}

void RemoteStream::restart() {
    xml_.restart();
    headerSent_ = false;
}

void RemoteStream::end(const StreamError& error) {
    if (isOver_) return;
    if (!headerSent_) sendHeader({});
    transport_->send(error.toXml());
    transport_->send("</stream:stream>");
    streamErrors.add();
    ending(error);
    std::string reason{toText(error.condition)};
    if (!error.text.empty()) reason += ": " + error.text;
    transport_->closeGracefully();
    over(reason);
}

void RemoteStream::close(std::string_view reason) {
    if (isOver_) return;
    if (headerSent_) transport_->send("</stream:stream>");
    transport_->closeGracefully();
    over(reason);
}

void RemoteStream::over(std::string_view reason) {
    if (std::exchange(isOver_, true)) return;
    input_ = {};
    ended(reason);
}

void RemoteStream::onClosed(std::string_view reason) {
    over(reason);
    remotes_.release(number_);
}

}  // namespace epode
