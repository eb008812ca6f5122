#include "stream/component_stream.h"

#include "core/digest.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "route/host.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/database.h"
#include "stream/component_streams.h"

#include <algorithm>
#include <utility>

namespace epode {

namespace {

const Log componentLog{"component"};
Counter stanzasReceived{"epode_component_stanzas_received_total",
                        "Stanzas that components have sent"};
Counter stanzasSent{"epode_component_stanzas_sent_total", "Stanzas written to components"};
Counter streamErrors{"epode_component_stream_errors_total",
                     "Streams of components that we ended with an error"};
Counter refusedHandshakes{"epode_component_handshakes_refused_total",
                          "Handshakes that did not show the component's secret"};
Counter returned{
    "epode_component_stanzas_returned_total",
    "Stanzas that went back as errors because an instance was lost before it had confirmed them"};
Counter streamsHeldBack{
    "epode_component_reads_held_back_total",
    "Times a component's stream was not read because the database had too much to do"};

// How often what was written is asked about, and how long senders wait for it to be known.
constexpr auto confirmEvery = std::chrono::milliseconds{100};
constexpr auto holdFor = std::chrono::seconds{1};
// How long the end of a stream waits for the last confirmation.
constexpr auto endPatience = std::chrono::seconds{1};
// How soon an instance has to answer when another one has come, which may be the same anew.
constexpr auto provePatience = std::chrono::seconds{10};

}  // namespace

ComponentStream::ComponentStream(ComponentStreams& streams, std::uint64_t number,
                                 std::unique_ptr<Transport> transport)
    : streams_{streams},
      number_{number},
      transport_{std::move(transport)},
      xml_{streams.shard().parsers(), streams.components().limits(streams.shard()).xml},
      id_{randomId()},
      allowance_{0, streams.shard().executor().now()},
      lastInput_{streams.shard().executor().now()} {
    transport_->setUser(*this);
    const Duration timeout = streams.components().limits(streams.shard()).timeout;
    handshakeTimer_ = shard().executor().after(timeout, [this] {
        end({.condition = StreamCondition::ConnectionTimeout,
             .text = "There was no handshake on this connection in time."});
    });
}

ComponentStream::~ComponentStream() = default;

Shard& ComponentStream::shard() const { return streams_.shard(); }

// ---- bytes

void ComponentStream::onData(std::string_view bytes) {
    lastInput_ = shard().executor().now();
    if (phase_ == Phase::Over) return;
    if (traffic_) traffic_->bytesIn.fetch_add(bytes.size(), std::memory_order_relaxed);
    slowDown(bytes.size());
    // Reading was stopped, but this was read already.
    if (pressure_.isWaiting())
        input_.append(bytes);
    else
        process(bytes);
}

void ComponentStream::process(std::string_view input) {
    while (phase_ != Phase::Over && !pressure_.isWaiting()) {
        switch (xml_.next(input)) {
            case XmlStream::Event::NeedMore:
                return;
            case XmlStream::Event::Header:
                receiveHeader();
                break;
            case XmlStream::Event::Element: {
                // The text between the tags lives in the document's arena: it is taken before the
                // document is.
                const std::string_view inner = xml_.innerText();
                Document element = xml_.takeElement();
                if (element->is("error", ns::streams)) {
                    transport_->send("</stream:stream>");
                    over("stream error by the component");
                } else if (phase_ == Phase::Handshake) {
                    receiveHandshake(*element);
                } else {
                    receiveStanza(std::move(element), inner);
                }
                break;
            }
            case XmlStream::Event::Close:
                transport_->send("</stream:stream>");
                over("closed by the component");
                return;
            case XmlStream::Event::Failure:
                end(xml_.error());
                return;
        }
    }
    if (phase_ != Phase::Over) input_.assign(input);
}

void ComponentStream::slowDown(std::size_t bytes) {
    if (phase_ != Phase::Stanzas) return;
    const Duration wait =
        allowance_.take(bytes, settings_->bytesPerSecond, settings_->bytesBurst, lastInput_);
    if (wait == Duration::zero()) return;
    transport_->pauseReading();
    rateTimer_ = shard().executor().after(wait, [this] {
        rateTimer_ = {};
        resumeReading();
    });
}

void ComponentStream::waitForStore() {
    streamsHeldBack.add();
    transport_->pauseReading();
    pressure_.wait(shard().executor(), shard().server().database(), [this] {
        resumeReading();
        const std::string waiting = std::exchange(input_, {});
        if (!waiting.empty()) process(waiting);
    });
}

void ComponentStream::resumeReading() {
    if (!rateTimer_ && !pressure_.isWaiting()) transport_->resumeReading();
}

// ---- header and handshake

void ComponentStream::receiveHeader() {
    const StreamHeader& header = xml_.header();
    if (header.defaultNs != ns::component) {
        end({.condition = StreamCondition::InvalidNamespace,
             .text = "A component's stream has the default namespace jabber:component:accept."});
        return;
    }
    if (header.to.empty()) {
        end({.condition = StreamCondition::ImproperAddressing,
             .text = "The stream header has to name the component that connects ('to')."});
        return;
    }
    const auto to = Jid::parse(header.to);
    if (to && to->isDomain()) settings_ = streams_.components().settings(to->domain(), shard());
    if (!settings_) {
        componentLog.notice("an unknown component has tried to connect",
                            {{"component", to ? to->text() : std::string{"(malformed)"}},
                             {"address", transport_->peerAddress()}});
        end({.condition = StreamCondition::HostUnknown,
             .text = "This server knows no component of this name; it has to be in its "
                     "configuration."});
        return;
    }
    domain_ = settings_->domain;
    phase_ = Phase::Handshake;
    sendHeader();
}

void ComponentStream::sendHeader() {
    std::string& out = transport_->output();
    out.append(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
        "xmlns:stream='http://etherx.jabber.org/streams' id='");
    out.append(id_).append("' from='");
    escapeAttribute(out, domain_.empty() ? shard().server().hosts().front() : domain_);
    out.append("'>");
    headerSent_ = true;
    transport_->wantFlush();
}

void ComponentStream::receiveHandshake(const Element& element) {
    const bool isHandshake = element.is("handshake", ns::client);  // as trees call the stream's own
    const std::string expected = encodeHex(digest(Hash::Sha1, id_ + settings_->secret));
    const bool isRight = isHandshake && equalInConstantTime(expected, element.text());
    if (isRight && !settings_->secret.empty()) {
        begin();
        return;
    }
    if (isHandshake) refusedHandshakes.add();
    end({.condition = StreamCondition::NotAuthorized,
         .text = isHandshake ? "The handshake was not made with the secret of this component."
                             : "Nothing but a handshake may come first."});
}

void ComponentStream::begin() {
    traffic_ = std::make_shared<ComponentTraffic>();
    const bool joined = streams_.components().join(domain_, {.slot = 0,
                                                             .shard = shard().number(),
                                                             .stream = number_,
                                                             .address = transport_->peerAddress(),
                                                             .since = shard().executor().wallNow(),
                                                             .traffic = traffic_});
    if (!joined) {
        end({.condition = StreamCondition::Conflict,
             .text = "As many instances of this component are connected as there may be."});
        return;
    }
    handshakeTimer_ = {};
    phase_ = Phase::Stanzas;
    xml_.setLimits(settings_->xml);
    allowance_ = ByteAllowance{settings_->bytesBurst, lastInput_};
    transport_->send("<handshake/>");
    componentLog.notice("component connected",
                        {{"component", domain_}, {"address", transport_->peerAddress()}});

    const std::function<void(StanzaPtr)> send = [this](StanzaPtr stanza) { write(stanza); };
    for (const auto& [name, host] : shard().hosts()) {
        const auto& hook = host->services().componentConnected;
        if (hook.empty()) continue;
        ComponentEvent event{*host, shard(), domain_, send};
        hook.run(event);
    }
}

// ---- from the component

void ComponentStream::receiveStanza(Document element, std::string_view inner) {
    auto problem = Stanza::Problem::None;
    const auto stanza = Stanza::fromDocument(std::move(element), inner, problem);
    if (problem == Stanza::Problem::NotAStanza) {
        end({.condition = StreamCondition::UnsupportedStanzaType,
             .text = "Only message, presence and iq are stanzas."});
        return;
    }
    // A `from` that is no address was left empty.
    if (stanza->from().domain() != domain_) {
        end({.condition = StreamCondition::InvalidFrom,
             .text = "The 'from' of every stanza has to be an address at " + domain_ + "."});
        return;
    }
    traffic_->stanzasIn.fetch_add(1, std::memory_order_relaxed);
    stanzasReceived.add();
    switch (problem) {
        case Stanza::Problem::BadTo:
            refuse(*stanza, {Condition::JidMalformed, "The address in 'to' is not valid."});
            return;
        case Stanza::Problem::BadType:
            refuse(*stanza, {Condition::BadRequest, "The type of this stanza is unknown."});
            return;
        case Stanza::Problem::NoId:
            refuse(*stanza, {Condition::BadRequest, "An iq needs an id."});
            return;
        default:
            break;
    }
    if (stanza->to().empty()) {
        end({.condition = StreamCondition::ImproperAddressing,
             .text = "Every stanza of a component needs a 'to'."});
        return;
    }
    unconfirmed_.received(*stanza);
    if (isPong(*stanza)) return;
    if (stanza->isIq() && stanza->isRequest())
        streams_.components().asks(domain_, *stanza, shard(), number_);
    const bool isMessage = stanza->isMessage();
    shard().server().route(stanza, {});
    // Messages alone: what else comes is little.
    if (isMessage && phase_ == Phase::Stanzas && pressure_.holdsBack(shard().server().database()))
        waitForStore();
}

// To this instance, which has made the mistake.
void ComponentStream::refuse(const Stanza& stanza, const StanzaError& error) {
    if (stanza.isError() || stanza.type() == StanzaType::Result) return;
    const auto answer = stanza.error(error);
    if (answer->from().empty()) answer->setFrom(*Jid::parse(streams_.components().hostOf(domain_)));
    write(answer);
}

// ---- to the component

void ComponentStream::deliver(const StanzaPtr& stanza, const Hold& hold) {
    const std::size_t waiting = transport_->unsentBytes();
    const bool needsAnswer =
        (stanza->isMessage() && !stanza->isError()) || (stanza->isIq() && stanza->isRequest());
    if (waiting > 2 * settings_->outputBytesMax) {
        end({.condition = StreamCondition::ResourceConstraint,
             .text = "Too much waits for this component to be taken."});
        shard().server().route(stanza, hold);
        return;
    }
    if (waiting > settings_->outputBytesMax && needsAnswer) {
        shard().refuse(*stanza, {ErrorType::Wait, Condition::ResourceConstraint,
                                 "Too much waits for " + domain_ + " already; try again later."});
        return;
    }
    write(stanza);
    if (isDeaf_ && stanza->isMessage()) return;
    unconfirmed_.written(stanza, hold, shard().executor().now(), settings_->unconfirmedMax);
    if (stanza->isMessage()) startConfirming();
}

void ComponentStream::write(const StanzaPtr& stanza) {
    if (phase_ != Phase::Stanzas) return;
    std::string& out = transport_->output();
    const std::size_t before = out.size();
    stanza->write(out, ns::component);
    transport_->wantFlush();
    stanzasSent.add();
    traffic_->stanzasOut.fetch_add(1, std::memory_order_relaxed);
    traffic_->bytesOut.fetch_add(out.size() - before, std::memory_order_relaxed);
}

void ComponentStream::ping() {
    pingId_ = "ping-" + randomId();
    pingedAt_ = shard().executor().now();
    patience_ = settings_->pingTimeout;
    unconfirmed_.asked();
    const auto request =
        Stanza::iq(StanzaType::Get, *Jid::parse(streams_.components().hostOf(domain_)),
                   *Jid::parse(domain_), pingId_);
    request->edit().add("ping", "urn:xmpp:ping");
    write(request);
}

// An error is as good: it comes from who has read the ping.
bool ComponentStream::isPong(const Stanza& stanza) {
    if (pingId_.empty() || !stanza.isIq() || stanza.isRequest() || stanza.id() != pingId_)
        return false;
    pingId_.clear();
    pingedAt_ = {};
    answersPings_ = true;
    unconfirmed_.confirmed();
    if (!ending_) return true;
    if (unconfirmed_.hasMessages())
        ping();
    else
        end(*std::exchange(ending_, nullptr));
    return true;
}

void ComponentStream::startConfirming() {
    if (!confirmTimer_ && unconfirmed_.hasMessages())
        confirmTimer_ = shard().executor().after(confirmEvery, [this] { confirm(); });
}

void ComponentStream::confirm() {
    confirmTimer_ = {};
    if (pingId_.empty() && unconfirmed_.hasUnasked()) ping();
    unconfirmed_.dropHolds(shard().executor().now() - holdFor);
    startConfirming();
}

void ComponentStream::checkActivity(SteadyTime now) {
    if (phase_ != Phase::Stanzas || isDeaf_) return;
    if (pingId_.empty()) {
        if (now - lastInput_ >= settings_->pingAfter) ping();
        return;
    }
    if (answersPings_) {
        if (now - std::max(pingedAt_, lastInput_) >= patience_)
            end({.condition = StreamCondition::ConnectionTimeout,
                 .text = "A ping was not answered."});
        return;
    }
    if (now - pingedAt_ < settings_->pingTimeout) return;
    isDeaf_ = true;
    unconfirmed_.asked();
    unconfirmed_.confirmed();
    pingId_.clear();
    confirmTimer_ = {};
    componentLog.notice(
        "a component answers no pings: it will not be noticed when messages to it are lost",
        {{"component", domain_}, {"address", transport_->peerAddress()}});
}

void ComponentStream::provePresence() {
    if (!isServing() || isDeaf_) return;
    if (pingId_.empty()) ping();
    patience_ = std::min<Duration>(patience_, provePatience);
}

// ---- the end

void ComponentStream::settingsChanged() {
    if (phase_ != Phase::Handshake && phase_ != Phase::Stanzas) return;
    const auto settings = streams_.components().settings(domain_, shard());
    if (!settings) {
        endSoon({.condition = StreamCondition::HostGone,
                 .text = "This component was taken out of the configuration."});
        return;
    }
    const bool isSameSecret = settings->secret == settings_->secret;
    settings_ = settings;
    if (phase_ != Phase::Stanzas) return;
    xml_.setLimits(settings_->xml);
    if (!isSameSecret)
        endSoon({.condition = StreamCondition::Reset,
                 .text = "The component's secret has changed; connect with the new one."});
}

void ComponentStream::endSoon(StreamError error, std::shared_ptr<void> kept) {
    if (phase_ == Phase::Over || ending_) return;
    kept_ = std::move(kept);
    if (phase_ != Phase::Stanzas || isDeaf_ || !unconfirmed_.hasMessages()) {
        end(error);
        return;
    }
    ending_ = std::make_unique<StreamError>(std::move(error));
    streams_.components().leave(domain_, shard().number(), number_);
    if (pingId_.empty()) ping();
    endTimer_ =
        shard().executor().after(endPatience, [this] { end(*std::exchange(ending_, nullptr)); });
}

void ComponentStream::end(const StreamError& error) {
    if (phase_ == Phase::Over) return;
    if (!headerSent_) sendHeader();
    transport_->send(error.toXml());
    transport_->send("</stream:stream>");
    streamErrors.add();
    componentLog.notice("component's stream ended", {{"condition", toText(error.condition)},
                                                     {"text", error.text},
                                                     {"component", domain_},
                                                     {"address", transport_->peerAddress()}});
    over(toText(error.condition));
}

void ComponentStream::over(std::string_view reason) {
    if (phase_ == Phase::Over) return;
    transport_->closeGracefully();
    if (phase_ == Phase::Stanzas)
        componentLog.notice("component disconnected", {{"component", domain_}, {"reason", reason}});
    detach();
}

void ComponentStream::onClosed(std::string_view reason) {
    if (phase_ != Phase::Over) {
        if (phase_ == Phase::Stanzas)
            componentLog.notice("component lost", {{"component", domain_}, {"reason", reason}});
        detach();
    }
    streams_.release(number_);
}

// Others take over; what this one may not have read goes back to its senders. Another instance
// doesn't get it: a message that arrives twice is worse than one whose sender knows that it may
// have been lost.
void ComponentStream::detach() {
    const bool wasServing = phase_ == Phase::Stanzas;
    phase_ = Phase::Over;
    handshakeTimer_ = {};
    rateTimer_ = {};
    confirmTimer_ = {};
    endTimer_ = {};
    pressure_.cancel();
    input_ = {};
    if (wasServing) streams_.components().leave(domain_, shard().number(), number_);
    const StanzaError lost{
        ErrorType::Wait, Condition::RemoteServerTimeout,
        "The connection of " + domain_ + " was lost; this may not have arrived."};
    unconfirmed_.takeAll([&](const StanzaPtr& stanza, const Hold& hold) {
        returned.add();
        shard().server().route(stanza->error(lost), hold);
    });
    kept_.reset();
}

}  // namespace epode
