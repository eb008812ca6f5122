#include "stream/web_socket_door.h"

#include "core/base64.h"
#include "net/message_deflate.h"
#include "stream/client_streams.h"
#include "stream/web_socket_transport.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::string_view subprotocol = "xmpp";
constexpr std::size_t keyBytes = 16;

// A browser says where its page is from; programs say nothing, and decide for themselves.
bool isWelcome(std::string_view origin, const std::vector<std::string>& origins) {
    return origin.empty() ||
           std::any_of(origins.begin(), origins.end(), [&](const std::string& known) {
               return known == "*" || equalIgnoringCase(known, origin);
           });
}

HttpResponse refusal(const HttpRequest& request, const WebSocketRules& rules) {
    if (!request.isVersion11 || !request.lists("connection", "upgrade") ||
        !request.lists("upgrade", "websocket"))
        return HttpResponse::error(426, "This is an address for WebSockets.")
            .set("Upgrade", "websocket")
            .set("Connection", "Upgrade");
    if (request.field("sec-websocket-version") != "13")
        return HttpResponse::error(426, "This server speaks version 13 of WebSocket.")
            .set("Sec-WebSocket-Version", "13");
    const auto keys =
        std::count_if(request.fields.begin(), request.fields.end(),
                      [](const HttpField& field) { return field.name == "sec-websocket-key"; });
    const auto key = decodeBase64(request.field("sec-websocket-key"));
    if (keys != 1 || !key || key->size() != keyBytes)
        return HttpResponse::error(400, "Sec-WebSocket-Key is not 16 bytes in base 64.");
    if (request.hasBody())
        return HttpResponse::error(400, "A request for a WebSocket has no body.");
    if (!request.lists("sec-websocket-protocol", subprotocol))
        return HttpResponse::error(400, "The only subprotocol spoken here is xmpp.");
    if (!isWelcome(request.field("origin"), rules.origins))
        return HttpResponse::error(403, "Pages from there may not connect to this server.");
    return HttpResponse{.status = 101};
}

}  // namespace

void openWebSocket(const HttpExchangePtr& exchange, ClientStreams& streams,
                   const WebSocketRules& rules) {
    const HttpRequest& request = exchange->request();
    HttpResponse response = refusal(request, rules);
    if (response.status != 101) {
        exchange->answer(std::move(response));
        return;
    }
    WebSocketTransport::Settings settings{.address = request.address, .isSecure = request.isSecure};
    const ClientLimits& limits = streams.limits(rules.host);
    settings.bytesBeforeLogin = limits.beforeLogin.elementBytesMax;
    settings.bytesAfterLogin = limits.afterLogin.elementBytesMax;
    if (const auto address = IpAddress::parse(request.address);
        address && rules.limit && request.isForwarded) {
        auto place = rules.limit->take(*address);
        if (!place) {
            exchange->answer(
                HttpResponse::error(429, "There are too many connections from your address."));
            return;
        }
        settings.place = std::move(*place);
    }
    response.set("Upgrade", "websocket")
        .set("Connection", "Upgrade")
        .set("Sec-WebSocket-Accept", webSocketAccept(request.field("sec-websocket-key")))
        .set("Sec-WebSocket-Protocol", subprotocol);
    if (rules.mayCompress) {
        std::string offers;
        for (const HttpField& field : request.fields)
            if (field.name == "sec-websocket-extensions") offers.append(field.value).append(",");
        const auto agreement = agreeOnDeflate(offers);
        settings.deflateBits = agreement.windowBits;
        if (agreement.windowBits) response.set("Sec-WebSocket-Extensions", agreement.answer);
    }
    std::string early;
    auto connection = exchange->switchProtocols(std::move(response), early);
    if (!connection) return;
    auto transport =
        std::make_unique<WebSocketTransport>(std::move(connection), std::move(settings));
    WebSocketTransport& socket = *transport;
    streams.accept(std::move(transport));
    socket.begin(std::move(early));
}

}  // namespace epode
