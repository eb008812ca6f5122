#include "control/plugin_pages.h"

#include <map>
#include <utility>

namespace epode {

namespace {

// "XEP-0199" leads to its text, and so does "RFC 6121".
std::string linkTo(std::string_view document) {
    std::string address;
    if (document.starts_with("XEP-"))
        address = "https://xmpp.org/extensions/xep-" + std::string{document.substr(4)} + ".html";
    if (document.starts_with("RFC "))
        address = "https://www.rfc-editor.org/rfc/rfc" + std::string{document.substr(4)} + ".html";
    return address.empty() ? std::string{document}
                           : "[" + std::string{document} + "](" + address + ")";
}

std::string folderLink(std::string_view plugin) {
    return "[" + std::string{plugin} + "](../../plugins/" + std::string{plugin} + "/README.md)";
}

}  // namespace

std::string renderPlugins(const PluginHost& plugins) {
    std::string page =
        "# Plugins\n\n"
        "Made from the declarations in the code. `plugins.enabled` and `plugins.disabled` decide "
        "which of them\n"
        "a host has; their options are in [options.md](options.md).\n\n"
        "| Plugin | What it does | Loaded by default |\n| --- | --- | --- |\n";
    std::map<std::pair<std::string_view, std::string_view>, std::string> specifications;
    for (const auto& [name, entry] : plugins.available()) {
        page += "| " + folderLink(name) + " | " + std::string{entry->info->summary} + " | " +
                (entry->info->byDefault ? "yes" : "no") + " |\n";
        for (const auto& specification : entry->info->implements) {
            std::string& by = specifications[{specification.document, specification.version}];
            by += (by.empty() ? "" : ", ") + folderLink(name);
        }
    }
    page +=
        "\n## Specifications\n\n"
        "What plugins add to XMPP as such (RFC 6120, RFC 6121, RFC 7622), which the server speaks "
        "by itself.\n\n"
        "| Document | Version | Plugin |\n| --- | --- | --- |\n";
    for (const auto& [specification, by] : specifications)
        page += "| " + linkTo(specification.first) + " | " + std::string{specification.second} +
                " | " + by + " |\n";
    return page;
}

}  // namespace epode
