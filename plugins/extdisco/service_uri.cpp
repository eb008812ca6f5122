#include "service_uri.h"

#include "core/digest.h"
#include "core/jid.h"
#include "net/ip_address.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace epode::extdisco {

namespace {

constexpr std::size_t typeBytesMax = 32;
constexpr std::size_t nameBytesMax = 256;

bool isType(std::string_view text) {
    const auto isLetter = [](char c) { return c >= 'a' && c <= 'z'; };
    return !text.empty() && text.size() <= typeBytesMax && isLetter(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return isLetter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
           });
}

std::optional<std::uint16_t> readPort(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<std::string> withoutPercents(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const auto byte = decodeHex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += *byte;
        i += 2;
    }
    return out;
}

// A domain or an address, as a client can use it.
std::optional<std::string> readHost(std::string_view text) {
    if (const auto address = IpAddress::parse(text)) return address->toText();
    if (text.find_first_of("[]:") != std::string_view::npos) return std::nullopt;
    const auto domain = Jid::make({}, text);
    if (!domain) return std::nullopt;
    return domain->text();
}

bool isStunOrTurn(std::string_view type) {
    return type == "stun" || type == "stuns" || type == "turn" || type == "turns";
}

}  // namespace

std::variant<ExternalService, std::string> readServiceUri(std::string_view uri) {
    const auto colon = uri.find(':');
    if (colon == std::string_view::npos)
        return "A service is written like turn:turn.example.org:3478?transport=udp.";
    ExternalService service;
    service.type = uri.substr(0, colon);
    if (!isType(service.type))
        return "The type of the service, before the first colon, is a word like turn.";
    std::string_view rest = uri.substr(colon + 1);
    if (rest.starts_with("//")) return "There are no slashes behind the type.";
    const auto question = rest.find('?');
    std::string_view parameters =
        question == std::string_view::npos ? "" : rest.substr(question + 1);
    std::string_view place = rest.substr(0, question);

    // The port stands behind the last colon that is not within the brackets of an IPv6 address.
    const auto portColon = place.rfind(':');
    const auto bracket = place.rfind(']');
    if (portColon != std::string_view::npos &&
        (bracket == std::string_view::npos || portColon > bracket)) {
        const auto port = readPort(place.substr(portColon + 1));
        if (!port)
            return "The port is a number from 1 to 65535 (an IPv6 address stands in brackets).";
        service.port = *port;
        place = place.substr(0, portColon);
    }
    const auto host = readHost(place);
    if (!host) return "The host is a domain or an address.";
    service.host = *host;

    while (!parameters.empty()) {
        const auto end = std::min(parameters.find('&'), parameters.size());
        const std::string_view parameter = parameters.substr(0, end);
        parameters.remove_prefix(std::min(end + 1, parameters.size()));
        const auto equals = parameter.find('=');
        const std::string_view key = parameter.substr(0, equals);
        const std::string_view value =
            equals == std::string_view::npos ? "" : parameter.substr(equals + 1);
        if (key == "transport") {
            if (value != "udp" && value != "tcp") return "The transport is udp or tcp.";
            service.transport = value;
        } else if (key == "name") {
            const auto name = withoutPercents(value);
            if (!name || name->size() > nameBytesMax)
                return "The name is a short text, with %20 for a blank.";
            service.name = *name;
        } else {
            return "Behind the question mark stand transport=… and name=…, joined by &.";
        }
    }
    if (isStunOrTurn(service.type)) {
        const bool isSecure = service.type.back() == 's';
        if (service.port == 0) service.port = isSecure ? 5349 : 3478;
        if (service.transport.empty()) service.transport = isSecure ? "tcp" : "udp";
    }
    return service;
}

}  // namespace epode::extdisco
