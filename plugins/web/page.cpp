#include "page.h"

#include "core/element.h"
#include "core/json_text.h"

#include <algorithm>
#include <utility>

namespace epode {

namespace {

std::string attributeText(std::string_view text) {
    std::string escaped;
    escapeAttribute(escaped, text);
    return escaped;
}

std::string jsonText(std::string_view text) {
    std::string quoted;
    appendJsonString(quoted, text);
    return quoted;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text.append(" ").append(word);
    return text;
}

// What the script of the page reads as document.body.dataset.
std::string dataOf(const PageFacts& facts) {
    std::string data;
    const auto add = [&](std::string_view name, std::string_view value) {
        data.append(" data-").append(name).append("=\"").append(attributeText(value)).append("\"");
    };
    add("domain", facts.domain);
    add("title", facts.title);
    add("rooms", facts.rooms);
    if (!facts.secureUrl.empty()) add("secure", facts.secureUrl);
    if (!facts.fileOrigins.empty()) add("files", joined(facts.fileOrigins).substr(1));
    if (facts.registers) add("registration", "");
    if (facts.encrypts) add("omemo", "");
    if (facts.foreignMedia) add("foreign-media", "");
    return data;
}

// In one pass, so that nothing that was filled in is looked at again.
std::string filled(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string>>& values) {
    std::string result;
    while (!text.empty()) {
        const auto at = text.find('@');
        result.append(text.substr(0, at));
        if (at == std::string_view::npos) break;
        text.remove_prefix(at);
        const auto found = std::find_if(values.begin(), values.end(), [&](const auto& value) {
            return text.starts_with(value.first);
        });
        if (found != values.end()) result.append(found->second);
        const std::size_t used = found != values.end() ? found->first.size() : 1;
        if (found == values.end()) result += '@';
        text.remove_prefix(used);
    }
    return result;
}

std::string filesAddress(const ClientFolder& client) { return "/client/" + client.version; }

}  // namespace

std::string pageText(const ClientFolder& client, const PageFacts& facts) {
    const std::string files = filesAddress(client);
    return filled(client.index, {{"@TITLE@", attributeText(facts.title)},
                                 {"@DOMAIN@", attributeText(facts.domain)},
                                 {"@FILES@", files},
                                 {"@DATA@", dataOf(facts)}});
}

std::string manifestText(const ClientFolder& client, const PageFacts& facts) {
    const std::string files = filesAddress(client);
    std::string text = "{\"name\":" + jsonText(facts.title + " · " + facts.domain) +
                       ",\"short_name\":" + jsonText(facts.title) +
                       ",\"start_url\":\"/\",\"scope\":\"/\",\"display\":\"standalone\""
                       ",\"background_color\":\"#14161f\",\"theme_color\":\"#14161f\",\"icons\":[";
    for (const std::string size : {"192", "512"})
        text += "{\"src\":\"" + files + "/icon-" + size + ".png\",\"sizes\":\"" + size + "x" +
                size + "\",\"type\":\"image/png\"},";
    return text + "{\"src\":\"" + files +
           "/icon.svg\",\"sizes\":\"any\",\"type\":\"image/svg+xml\"}]}\n";
}

std::string pagePolicy(const PageFacts& facts) {
    const std::string files = joined(facts.fileOrigins);
    const std::string shown = files + (facts.foreignMedia ? " https:" : "");
    // The client has some two hundred style attributes, and its encryption is WebAssembly.
    return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
           "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:" +
           shown + "; media-src 'self' blob:" + shown + "; font-src 'self'; connect-src 'self'" +
           files +
           "; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
}

std::string originOf(std::string_view url) {
    if (!url.starts_with("https://") && !url.starts_with("http://")) return {};
    const auto end = url.find_first_of("/?#", url.find("://") + 3);
    std::string origin{url.substr(0, end)};
    for (char& c : origin) {
        // It stands in a field between semicolons and spaces.
        const bool isPlain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' ||
                             c == '/' || c == '[' || c == ']';
        if (!isPlain) return {};
        if (c >= 'A' && c <= 'Z') c = char(c + ('a' - 'A'));
    }
    return origin;
}

}  // namespace epode
