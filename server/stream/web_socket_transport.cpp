#include "stream/web_socket_transport.h"

#include "core/element.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/xml_stream.h"
#include "net/message_deflate.h"
#include "stream/xml_frames.h"

namespace epode {

namespace {

constexpr std::string_view framingNs = "urn:ietf:params:xml:ns:xmpp-framing";
// What a user writes at once and no more keeps.
constexpr std::size_t keptBytesMax = 512;
// A client that does not read gets no pongs.
constexpr std::size_t unsentForPongMax = 64 * 1024;
// Stream restarts after it (RFC 6120, 6.4.6).
constexpr std::string_view saslSuccess = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
// No element: the stream answers it with an error, as it does over TCP.
constexpr std::string_view noElement = "?";

Gauge webSockets{"epode_websocket_streams", "Streams over WebSocket that are open"};
Counter webSocketFailures{"epode_websocket_failures_total",
                          "WebSockets ended because of what the client has sent"};

// Nothing can be bound to the TLS of a WebSocket: a browser doesn't show it to its page, and a
// proxy's is not ours. Clients take the mechanisms that bind for the best wherever they are
// offered.
const TlsInfo webTls{};

}  // namespace

WebSocketTransport::WebSocketTransport(std::unique_ptr<Transport> connection, Settings settings)
    : connection_{std::move(connection)},
      reader_{settings.bytesBeforeLogin},
      address_{std::move(settings.address)},
      bytesAfterLogin_{settings.bytesAfterLogin},
      place_{std::move(settings.place)},
      deflateBits_{std::uint8_t(settings.deflateBits)},
      isSecure_{settings.isSecure} {
    if (deflateBits_) reader_.allowCompression();
    connection_->setUser(*this);
    webSockets.add();
}

WebSocketTransport::~WebSocketTransport() {
    if (gone_) *gone_ = true;
    webSockets.add(-1);
}

void WebSocketTransport::begin(std::string early) {
    if (isSecure_) user_->onSecured();
    if (early.empty()) return;
    rest_ = std::move(early);
    takeLater();
}

const TlsInfo* WebSocketTransport::tls() const {
    return connection_->tls() || isSecure_ ? &webTls : nullptr;
}

void WebSocketTransport::forgetLoginSecrets() {
    connection_->forgetLoginSecrets();
    reader_.setMessageBytesMax(bytesAfterLogin_);
}

// ---- from the client

void WebSocketTransport::onData(std::string_view bytes) {
    if (phase_ != Phase::Open) return;
    if (isTaking_ || !rest_.empty()) {
        rest_.append(bytes);
        return;
    }
    take(bytes);
}

// Message by message, until the user wants no more for now.
void WebSocketTransport::take(std::string_view bytes) {
    bool gone = false;
    gone_ = &gone;
    isTaking_ = true;
    while (phase_ == Phase::Open && !isPaused_ && !isMoving_) {
        const auto event = reader_.next(bytes);
        if (event == WebSocketReader::Event::NeedMore) {
            if (bytes.empty()) break;
            continue;
        }
        bool goesOn = true;
        switch (event) {
            case WebSocketReader::Event::Text:
                goesOn = takeMessage(reader_.payload());
                break;
            case WebSocketReader::Event::Ping:
                if (connection_->unsentBytes() < unsentForPongMax) {
                    addFrame(connection_->output(), WebSocketOpcode::Pong, reader_.payload());
                    connection_->wantFlush();
                }
                break;
            case WebSocketReader::Event::Pong:
                break;
            case WebSocketReader::Event::Binary:
                gone_ = nullptr;
                closeWith(WebSocketClose::Unsupported);
                return;
            case WebSocketReader::Event::Close:
                gone_ = nullptr;
                takeClose();
                return;
            case WebSocketReader::Event::Failure:
                gone_ = nullptr;
                closeWith(reader_.code());
                return;
            case WebSocketReader::Event::NeedMore:
                break;
        }
        if (!goesOn || gone) return;
    }
    gone_ = nullptr;
    isTaking_ = false;
    if (!bytes.empty() && phase_ == Phase::Open) rest_.insert(0, bytes);
    if (!rest_.empty() && !isPaused_ && !isMoving_ && phase_ == Phase::Open) takeLater();
}

// False when this is gone.
bool WebSocketTransport::deliver(std::string_view xml) {
    const bool* const gone = gone_;
    user_->onData(xml);
    return !*gone;
}

bool WebSocketTransport::takeMessage(std::string_view text) {
    if (!isOneElement(text)) return deliver(noElement);
    const std::string_view name = localNameOf(text);
    const bool isFraming = name == "open" || name == "close";
    if (!isFraming) return deliver(expectsOpen_ ? noElement : text);
    const auto parsed = parseElement(text);
    if (!parsed.document || parsed.document->ns() != framingNs)
        return deliver(expectsOpen_ ? noElement : text);
    const Element& element = *parsed.document;
    if (element.name() == "close") return deliver(streamEndTag);
    if (!expectsOpen_ || element.firstChild()) return deliver(noElement);
    expectsOpen_ = false;
    const std::string header = toStreamHeader({.to = element.get("to"),
                                               .from = element.get("from"),
                                               .version = element.get("version"),
                                               .lang = element.find("lang", ns::xml).value_or("")});
    return deliver(header);
}

void WebSocketTransport::takeLater() {
    isAlive_ = std::make_shared<int>();
    Executor::current()->post([this, weak = std::weak_ptr{isAlive_}] {
        if (weak.expired() || isPaused_ || phase_ != Phase::Open || isTaking_) return;
        std::string waiting;
        waiting.swap(rest_);
        if (!waiting.empty()) take(waiting);
    });
}

void WebSocketTransport::pauseReading() {
    isPaused_ = true;
    connection_->pauseReading();
}

void WebSocketTransport::resumeReading() {
    if (!isPaused_) return;
    isPaused_ = false;
    if (phase_ != Phase::Open) return;
    connection_->resumeReading();
    if (!rest_.empty() && !isMoving_) takeLater();
}

// ---- to the client

void WebSocketTransport::wantFlush() {
    if (phase_ != Phase::Open || isMoving_) return;
    writePieces();
    connection_->wantFlush();
}

// Each element in a frame of its own.
void WebSocketTransport::writePieces() {
    std::string& out = connection_->output();
    std::string_view rest = text_;
    while (const auto piece = takeXmlPiece(rest)) {
        if (piece->kind == XmlPiece::Kind::Header) {
            std::string open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
            open.append(headerAttributes(piece->text)).append("/>");
            writeMessage(open, {}, {});
        } else if (piece->kind == XmlPiece::Kind::Close) {
            addFrame(out, WebSocketOpcode::Text,
                     "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
            hasEnded_ = true;
        } else {
            const std::string_view element = piece->text;
            const MissingDeclaration missing = missingDeclaration(element);
            writeMessage(element.substr(0, missing.at), missing.text, element.substr(missing.at));
            if (element.starts_with(saslSuccess)) expectsOpen_ = true;
        }
    }
    if (!rest.empty()) {
        text_.erase(0, text_.size() - rest.size());
    } else {
        text_.clear();
        // The string stays the same one: somebody may still append to it in this turn.
        if (text_.capacity() > keptBytesMax) std::string{}.swap(text_);
    }
}

void WebSocketTransport::writeMessage(std::string_view before, std::string_view inserted,
                                      std::string_view after) {
    std::string& out = connection_->output();
    if (deflateBits_) {
        thread_local std::string whole;
        thread_local std::string compressed;
        whole.assign(before).append(inserted).append(after);
        if (deflateMessage(whole, deflateBits_, compressed)) {
            addFrameHead(out, WebSocketOpcode::Text, compressed.size(), true);
            out.append(compressed);
            return;
        }
    }
    addFrameHead(out, WebSocketOpcode::Text, before.size() + inserted.size() + after.size());
    out.append(before).append(inserted).append(after);
}

std::size_t WebSocketTransport::unsentBytes() const {
    return connection_->unsentBytes() + text_.size();
}

// ---- the end

void WebSocketTransport::closeGracefully() {
    if (phase_ != Phase::Open) return;
    writePieces();
    phase_ = Phase::Closing;
    // Without <close/> the session may be resumed (RFC 7395, 3.6).
    addCloseFrame(connection_->output(),
                  hasEnded_ ? WebSocketClose::Normal : WebSocketClose::GoingAway);
    connection_->wantFlush();
    connection_->closeGracefully();
}

void WebSocketTransport::abort() {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Closing;
    connection_->abort();
}

// The client has closed the WebSocket: it hears the same, and the stream is gone.
void WebSocketTransport::takeClose() {
    addCloseFrame(connection_->output(), reader_.code());
    connection_->wantFlush();
    connection_->closeGracefully();
    onClosed("closed by the client");
}

// The client breaks the rules.
void WebSocketTransport::closeWith(WebSocketClose code) {
    webSocketFailures.add();
    addCloseFrame(connection_->output(), code);
    connection_->wantFlush();
    connection_->closeGracefully();
    onClosed("the client has broken the rules of WebSocket");
}

// The last call; what is queued below leaves at the end of this turn.
void WebSocketTransport::onClosed(std::string_view reason) {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Closed;
    rest_ = {};
    user_->onClosed(reason);
}

// ---- to another loop

void WebSocketTransport::doMove(std::unique_ptr<Transport> self, Executor& to,
                                UniqueFunction<void(std::unique_ptr<Transport>)> arrived) {
    writePieces();
    isMoving_ = true;
    isAlive_.reset();
    auto connection = std::move(connection_);
    Transport::move(std::move(connection), to,
                    [self = std::move(self),
                     arrived = std::move(arrived)](std::unique_ptr<Transport> connection) mutable {
                        auto& here = static_cast<WebSocketTransport&>(*self);
                        here.connection_ = std::move(connection);
                        here.connection_->setUser(here);
                        here.isMoving_ = false;
                        if (!here.rest_.empty()) here.takeLater();
                        arrived(std::move(self));
                    });
}

}  // namespace epode
