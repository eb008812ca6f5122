#include "control/discovery_pages.h"

#include "control/http_options.h"
#include "core/json_text.h"

#include <utility>
#include <vector>

namespace epode {

namespace {

constexpr std::string_view https = "https://";

// XEP-0156, 2.2: only what is protected is advertised.
std::vector<std::pair<std::string, std::string>> linksOf(const Host& host) {
    std::vector<std::pair<std::string, std::string>> links;
    const std::string url = publicUrlOf(host);
    if (!url.starts_with(https)) return links;
    if (host.get(httpOption::webSocket))
        links.emplace_back("urn:xmpp:alt-connections:websocket",
                           "wss://" + url.substr(https.size()) + "/xmpp-websocket");
    if (host.get(httpOption::bosh))
        links.emplace_back("urn:xmpp:alt-connections:xbosh", url + "/http-bind");
    return links;
}

}  // namespace

std::string publicUrlOf(const Host& host) { return publicUrlOf(host.settings(), host.domain()); }

std::string hostMetaXml(const Host& host) {
    std::string page =
        "<?xml version='1.0' encoding='utf-8'?>\n<XRD "
        "xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n";
    for (const auto& [relation, address] : linksOf(host)) {
        page.append("  <Link rel='").append(relation).append("' href='");
        escapeAttribute(page, address);
        page.append("'/>\n");
    }
    return page.append("</XRD>\n");
}

std::string hostMetaJson(const Host& host) {
    std::string page = "{\"links\":[";
    bool isFirst = true;
    for (const auto& [relation, address] : linksOf(host)) {
        if (!std::exchange(isFirst, false)) page.append(",");
        page.append("{\"rel\":");
        appendJsonString(page, relation);
        page.append(",\"href\":");
        appendJsonString(page, address);
        page.append("}");
    }
    return page.append("]}\n");
}

}  // namespace epode
