#include "stream/client_stream.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "route/host.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "stream/client_login.h"
#include "store/database.h"
#include "stream/client_streams.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

const Log streamLog{"stream"};
Counter streamErrors{"epode_client_stream_errors_total", "Client streams that we ended with an error"};

// What may wait while one step of the negotiation is in progress; clients have no reason to send more.
constexpr std::size_t inputWhileBusyMax = 64 * 1024;

Counter streamsHeldBack{"epode_client_reads_held_back_total",
                        "Times a client's stream was not read because the database had too much to do"};

// Of "<major>.<minor>"; 0 when it is none. RFC 6120, 4.7.5: a later version is answered with ours.
unsigned majorVersion(std::string_view version) {
    unsigned major = 0;
    unsigned minor = 0;
    const char* const end = version.data() + version.size();
    const auto first = std::from_chars(version.data(), end, major);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return 0;
    const auto second = std::from_chars(first.ptr + 1, end, minor);
    return second.ec == std::errc{} && second.ptr == end ? major : 0;
}

// What is added to each stanza should at least look like one.
bool isLanguageTag(std::string_view text) {
    constexpr std::size_t longest = 35;  // RFC 5646, 4.4.1
    return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
}

}  // namespace

ClientStream::ClientStream(ClientStreams& streams, std::unique_ptr<Transport> transport)
    : streams_{&streams},
      transport_{std::move(transport)},
      xml_{streams.shard().parsers(), streams.limits({}).beforeLogin},
      login_{std::make_shared<ClientLogin>(*this)},
      lastInput_{streams.shard().executor().now()},
      allowance_{streams.limits({}).bytesBurst, lastInput_} {
    transport_->setUser(*this);
}

ClientStream::~ClientStream() {
    if (login_) login_->streamGone();
}

StateSlots* ClientStream::slots() const { return login_ ? &login_->slots : nullptr; }
Shard& ClientStream::shard() const { return streams_->shard(); }

std::string_view ClientStream::streamNs() const { return ns::client; }

// ---- bytes

void ClientStream::onData(std::string_view bytes) {
    lastInput_ = shard().executor().now();
    pinged_ = {};
    if (phase_ == Phase::Over) return;
    slowDown(bytes.size());
    if (busy_) {
        if (input_.size() + bytes.size() > inputWhileBusyMax) {
            end({.condition = StreamCondition::PolicyViolation,
                 .text = "Too much was sent before the last step was answered."});
            return;
        }
        input_.append(bytes);
        return;
    }
    process(bytes);
}

void ClientStream::process(std::string_view input) {
    while (phase_ != Phase::Over && !busy_) {
        switch (xml_.next(input)) {
            case XmlStream::Event::NeedMore: return;
            case XmlStream::Event::Header: receiveHeader(); break;
            case XmlStream::Event::Element:
                receiveElement();
                if (std::exchange(dropInput_, false)) return;
                break;
            case XmlStream::Event::Close: closeByPeer(); return;
            case XmlStream::Event::Failure: end(xml_.error()); return;
        }
    }
    if (phase_ != Phase::Over) input_.assign(input);
}

void ClientStream::proceed() {
    if (moving_) return;  // it goes on at its new place
    busy_ = false;
    std::string waiting;
    waiting.swap(input_);
    if (!waiting.empty()) process(waiting);
}

void ClientStream::slowDown(std::size_t bytes) {
    const ClientLimits& limits = streams_->limits(host_ ? host_->domain() : std::string_view{});
    const Duration wait = allowance_.take(bytes, limits.bytesPerSecond, limits.bytesBurst, lastInput_);
    if (wait == Duration::zero()) return;
    transport_->pauseReading();
    rateTimer_ = shard().executor().after(wait, [this] {
        rateTimer_ = {};
        resumeReading();
    });
}

// ---- back-pressure

// What was read and not looked at stays in `input_`.
void ClientStream::waitForStore() {
    streamsHeldBack.add();
    hold();
    transport_->pauseReading();
    pressure_.wait(shard().executor(), shard().server().database(), [this] {
        resumeReading();
        proceed();
    });
}

void ClientStream::resumeReading() {
    if (!rateTimer_ && !pressure_.isWaiting()) transport_->resumeReading();
}

void ClientStream::onSecured() {
    if (phase_ == Phase::Over) return;
    secure_ = true;
    login_->secured();
}

// ---- headers and features

void ClientStream::receiveHeader() {
    const StreamHeader& header = xml_.header();
    if (header.defaultNs != ns::client) {
        end({.condition = StreamCondition::InvalidNamespace,
             .text = "A client's stream has the default namespace jabber:client."});
        return;
    }
    if (majorVersion(header.version) < 1) {
        end({.condition = StreamCondition::UnsupportedVersion,
             .text = "This server speaks XMPP 1.0; the stream header has to say version='1.0'."});
        return;
    }
    const auto to = Jid::parse(header.to);
    if (header.to.empty() || !to || !to->isDomain()) {
        end({.condition = header.to.empty() ? StreamCondition::ImproperAddressing
                                            : StreamCondition::HostUnknown,
             .text = "The stream header has to name the domain that it is for ('to')."});
        return;
    }
    Host* host = shard().host(to->domain());
    if (!host || (isAuthenticated() && host->domain() != authenticated_.domain())) {
        end({.condition = StreamCondition::HostUnknown,
             .text = "This server doesn't serve the domain " + to->text() + "."});
        return;
    }
    // Some clients name their own machine here (sendxmpp): that claims no account.
    auto from = Jid::parse(header.from);
    if (from && from->domain() != host->domain()) from.reset();
    host_ = host;
    phase_ = Phase::Negotiation;
    if (login_) login_->setClaimed(from && from->hasLocal() ? from->bare() : Jid{});
    lang_ = isLanguageTag(header.lang) ? header.lang : std::string{};
    sendHeader();
    sendFeatures();
}

void ClientStream::sendHeader() {
    std::string& out = output();
    out.append("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
               "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en' id='");
    out.append(randomId()).append("'");
    const std::string& from = host_ ? host_->domain() : shard().server().hosts().front();
    out.append(" from='");
    escapeAttribute(out, from);
    out.append("'");
    // RFC 6120, 4.7.2: whom the client says it is, but not who it is known not to be.
    const auto claimed = Jid::parse(xml_.header().from);
    if (claimed && (!isAuthenticated() || claimed->bare() == authenticated_)) {
        out.append(" to='");
        escapeAttribute(out, claimed->bareText());
        out.append("'");
    }
    out.append(">");
    headerSent_ = true;
    wantFlush();
}

void ClientStream::sendFeatures() {
    Document features{"features", ns::streams};
    if (!isAuthenticated()) {
        login_->addFeatures(*features);
        if (phase_ == Phase::Over) return;
    } else {
        if (!session_) features->add("bind", ns::bind);
        if (!session_ || !session_->sm()) features->add("sm", ns::streamManagement);
    }
    // XEP-0478.
    const ClientLimits& limits = streams_->limits(host_->domain());
    const XmlLimits& xml = isAuthenticated() ? limits.afterLogin : limits.beforeLogin;
    Element& advertised = features->add("limits", "urn:xmpp:stream-limits:0");
    advertised.addWithText("max-bytes", std::to_string(xml.elementBytesMax));
    const auto idle = std::chrono::duration_cast<std::chrono::seconds>(limits.pingAfter).count();
    if (isAuthenticated()) advertised.addWithText("idle-seconds", std::to_string(idle));

    FeaturesEvent event{*this, *features};
    host_->services().features.run(event);

    std::string& out = output();
    out.append("<stream:features>");
    for (const Element& feature : features->children()) writeXml(out, feature, ns::client);
    out.append("</stream:features>");
    wantFlush();
}

void ClientStream::restart() {
    xml_.restart();
    phase_ = Phase::Header;
    headerSent_ = false;
}

// ---- elements

void ClientStream::receiveElement() {
    // The text between the tags lives in the document's arena: it is taken before the document is.
    const std::string_view inner = xml_.innerText();
    Document element = xml_.takeElement();
    if (element->is("error", ns::streams)) {
        output().append("</stream:stream>");
        wantFlush();
        over("stream error by the client", false);
    } else if (phase_ != Phase::Session) {
        receiveBeforeSession(std::move(element));
    } else if (element->ns() == ns::client) {
        receiveStanza(std::move(element), inner);
    } else if (element->ns() == ns::streamManagement) {
        receiveManagement(*element);
    } else if (!serve(*element)) {
        end({.condition = StreamCondition::UnsupportedStanzaType,
             .text = "The element " + std::string{element->name()} + " is not expected here."});
    }
}

// What a plugin understands beside stanzas. False when none does.
bool ClientStream::serve(const Element& element) {
    const auto& handlers = host_->services().streamElements;
    const auto found = handlers.find({std::string{element.name()}, std::string{element.ns()}});
    if (found == handlers.end()) return false;
    try {
        found->second(*session_, element);
    } catch (const std::exception& failure) {
        streamLog.error("a plugin failed", {{"element", element.name()}, {"failure", failure.what()}});
    }
    return true;
}

void ClientStream::receiveStanza(Document element, std::string_view inner) {
    auto problem = Stanza::Problem::None;
    auto stanza = Stanza::fromDocument(std::move(element), inner, problem);
    if (stanza && !lang_.empty() && stanza->lang().empty()) stanza->setLang(lang_);
    switch (problem) {
        case Stanza::Problem::None:
        case Stanza::Problem::BadFrom: {  // replaced anyway
            const bool isMessage = stanza->kind() == StanzaKind::Message;
            session_->receive(std::move(stanza));
            // Messages alone: what else clients send is little, and acknowledgements are a relief.
            if (isMessage && phase_ == Phase::Session && pressure_.holdsBack(shard().server().database()))
                waitForStore();
            return;
        }
        case Stanza::Problem::BadTo:
            session_->refuse(std::move(stanza),
                             {Condition::JidMalformed, "The address in 'to' is not valid."});
            return;
        case Stanza::Problem::BadType:
            session_->refuse(std::move(stanza),
                             {Condition::BadRequest, "The type of this stanza is unknown."});
            return;
        case Stanza::Problem::NoId:
            session_->refuse(std::move(stanza), {Condition::BadRequest, "An iq needs an id."});
            return;
        case Stanza::Problem::NotAStanza:
            end({.condition = StreamCondition::UnsupportedStanzaType,
                 .text = "Only message, presence and iq are stanzas."});
            return;
    }
}

void ClientStream::moveTo(Shard& home, UniqueFunction<void()> then) {
    hold();
    rateTimer_ = {};
    moving_ = true;
    streams_->move(*this, home.number(), [then = std::move(then)](ClientStream& stream) mutable {
        stream.moving_ = false;
        stream.login_->arrive();
        stream.transport_->resumeReading();
        then();
    });
}

// ---- the end

void ClientStream::closeByPeer() {
    if (session_ && session_->sm()) session_->sendAck();
    output().append("</stream:stream>");
    wantFlush();
    over("closed by the client", true);
}

void ClientStream::end(const StreamError& error) {
    if (phase_ == Phase::Over) return;
    if (!headerSent_) sendHeader();
    // An error without a condition is none: the stream just closes.
    if (!error.text.empty() || error.condition != StreamCondition::UndefinedCondition) {
        output().append(error.toXml());
        streamErrors.add();
        streamLog.info("stream ended", {{"condition", toText(error.condition)},
                                        {"text", error.text},
                                        {"account", authenticated_.text()},
                                        {"address", peerAddress()}});
    }
    output().append("</stream:stream>");
    wantFlush();
    over(toText(error.condition), false);
}

void ClientStream::stopReading() {
    hold();
    rateTimer_ = {};
    pressure_.cancel();
    transport_->pauseReading();
}

void ClientStream::interrupt() { over("interrupted for the stop of the server", false); }

// The stream is no more; the session decides what becomes of it. `cleanly`: the client has closed it.
void ClientStream::over(std::string_view reason, bool cleanly) {
    if (phase_ == Phase::Over) return;
    transport_->closeGracefully();
    streamLog.debug("stream over", {{"account", authenticated_.text()}, {"reason", reason}});
    detach(cleanly);
}

void ClientStream::onClosed(std::string_view reason) {
    if (phase_ != Phase::Over) {
        streamLog.debug("connection lost", {{"account", authenticated_.text()}, {"reason", reason}});
        detach(false);
    }
    streams_->release(*this);
}

void ClientStream::detach(bool cleanly) {
    phase_ = Phase::Over;
    rateTimer_ = {};
    pressure_.cancel();
    input_ = {};
    // Nothing that the negotiation has waited for concerns this stream any more.
    if (login_) login_->leave();
    if (Session* session = std::exchange(session_, nullptr))
        if (session->outlet() == this) session->detach(cleanly);
}

void ClientStream::checkActivity(SteadyTime now) {
    if (phase_ != Phase::Session) return;
    const ClientLimits& limits = streams_->limits(host_->domain());
    if (pinged_ != SteadyTime{}) {
        if (now - pinged_ < limits.pingTimeout) return;
        end({.condition = StreamCondition::ConnectionTimeout, .text = "A ping was not answered."});
        return;
    }
    if (now - lastInput_ < limits.pingAfter) return;
    pinged_ = now;
    if (session_->sm()) {
        session_->requestAck();
        return;
    }
    auto ping = Stanza::iq(StanzaType::Get, host_->jid(), session_->jid(), "ping-" + randomId());
    ping->edit().add("ping", "urn:xmpp:ping");
    session_->write(ping, {});
}

}  // namespace epode
