#include "control/plugin_pages.h"

#include <map>
#include <utility>

namespace epode {

namespace {

std::string addressOf(std::string_view document) {
    if (document.starts_with("XEP-"))
        return "https://xmpp.org/extensions/xep-" + std::string{document.substr(4)} + ".html";
    if (document.starts_with("RFC "))
        return "https://www.rfc-editor.org/rfc/rfc" + std::string{document.substr(4)} + ".html";
    return {};
}

// "XEP-0199" leads to its text, and so does "RFC 6121".
std::string linkTo(std::string_view document) {
    const auto address = addressOf(document);
    return address.empty() ? std::string{document}
                           : "[" + std::string{document} + "](" + address + ")";
}

std::string folderLink(std::string_view plugin) {
    return "[" + std::string{plugin} + "](../../plugins/" + std::string{plugin} + "/README.md)";
}

// By document and version: who implements it.
using Implementers = std::map<std::pair<std::string_view, std::string_view>, std::string>;

Implementers implementers(const PluginHost& plugins) {
    Implementers all;
    for (const auto& one : serverSpecifications()) all[{one.document, one.version}] = "the server";
    for (const auto& [name, entry] : plugins.available())
        for (const auto& one : entry->info->implements) {
            std::string& by = all[{one.document, one.version}];
            by += (by.empty() ? "" : ", ") + folderLink(name);
        }
    return all;
}

}  // namespace

const std::vector<Specification>& serverSpecifications() {
    static const std::vector<Specification> all{
        {"RFC 6120", "", "tests/stream/stream_opening_test.cpp"},
        {"RFC 6121", "", "tests/route/message_rules_test.cpp"},
        {"RFC 6455", "", "tests/net/web_socket_frames_test.cpp"},
        {"RFC 7395", "", "tests/stream/web_socket_test.cpp"},
        {"RFC 7590", "", "tests/stream/login_test.cpp"},
        {"RFC 7622", "", "tests/core/jid_test.cpp"},
        {"RFC 7673", "", "tests/stream/s2s_dane_test.cpp"},
        {"XEP-0114", "1.6", "tests/stream/component_test.cpp"},
        {"RFC 9112", "", "tests/net/http_parser_test.cpp"},
        {"XEP-0124", "1.11.2", "tests/stream/bosh_test.cpp"},
        {"XEP-0156", "1.4.0", "tests/stream/web_face_test.cpp"},
        {"XEP-0160", "1.0.1", "tests/route/message_offline_test.cpp"},
        {"XEP-0178", "1.2", "tests/stream/s2s_hostile_test.cpp"},
        {"XEP-0185", "1.0", "tests/stream/s2s_dialback_test.cpp"},
        {"XEP-0198", "1.6.3",
         "tests/stream/stream_management_test.cpp: stream management is switched on, resumable or "
         "not"},
        {"XEP-0203", "2.0", "tests/route/message_offline_test.cpp"},
        {"XEP-0206", "1.4", "tests/stream/bosh_test.cpp"},
        {"XEP-0220", "1.1.1",
         "tests/stream/s2s_hostile_test.cpp: s2s: a forged key is found out by the server of the "
         "domain"},
        {"XEP-0227", "1.1", "tests/plugins/account_transfer_test.cpp"},
        {"XEP-0249", "1.2", "tests/plugins/direct_invitation_test.cpp"},
        {"XEP-0288", "1.0.1", "tests/stream/s2s_bidi_test.cpp"},
        {"XEP-0297", "1.0", "tests/core/forwarded_test.cpp"},
        {"XEP-0334", "1.0.0", "tests/route/message_content_test.cpp"},
        {"XEP-0344", "0.4",
         "tests/stream/s2s_hostile_test.cpp: s2s: a dialback in the clear is refused"},
        {"XEP-0368", "1.1.0", "tests/interop/slixmpp_test.py: direct_tls"},
        {"XEP-0495", "0.1.0", "tests/net/happy_eyeballs_test.cpp"},
    };
    return all;
}

std::string renderPlugins(const PluginHost& plugins) {
    std::string page =
        "# Plugins\n\n"
        "Made from the declarations in the code. `plugins.enabled` and `plugins.disabled` decide "
        "which of them\n"
        "a host has, `epodectl plugin` loads and unloads them while the server runs; their options "
        "are in\n"
        "[options.md](options.md), the documents that they implement in "
        "[specifications.md](specifications.md).\n\n"
        "| Plugin | What it does | Loaded by default |\n| --- | --- | --- |\n";
    for (const auto& [name, entry] : plugins.available())
        page += "| " + folderLink(name) + " | " + std::string{entry->info->summary} + " | " +
                (entry->info->byDefault ? "yes" : "no") + " |\n";
    return page;
}

std::string renderSpecifications(const PluginHost& plugins) {
    std::string page =
        "# Specifications\n\n"
        "Made from the declarations in the code: the documents that the server and its plugins "
        "implement.\n\n"
        "| Document | Version | Implemented by |\n| --- | --- | --- |\n";
    for (const auto& [specification, by] : implementers(plugins))
        page += "| " + linkTo(specification.first) + " | " + std::string{specification.second} +
                " | " + by + " |\n";
    return page;
}

std::string renderDoap(const PluginHost& plugins) {
    std::string page =
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<rdf:RDF xmlns='http://usefulinc.com/ns/doap#'\n"
        "         xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'\n"
        "         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>\n"
        "  <!-- Made from the declarations in the code. -->\n"
        "  <Project>\n"
        "    <name>Epode</name>\n"
        "    <shortdesc xml:lang='en'>A chat server that speaks XMPP</shortdesc>\n"
        "    <description xml:lang='en'>Loss-free, fast, and pleasant to run and to "
        "read.</description>\n"
        "    <license rdf:resource='https://spdx.org/licenses/MIT.html'/>\n"
        "    <programming-language>C++</programming-language>\n"
        "    <os>Linux</os>\n"
        "    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>\n"
        "    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-xmpp'/>\n";
    for (const auto& [specification, by] : implementers(plugins))
        if (specification.first.starts_with("RFC "))
            page += "    <implements rdf:resource='" + addressOf(specification.first) + "'/>\n";
    for (const auto& [specification, by] : implementers(plugins)) {
        if (!specification.first.starts_with("XEP-")) continue;
        page += "    <implements>\n      <xmpp:SupportedXep>\n        <xmpp:xep rdf:resource='" +
                addressOf(specification.first) +
                "'/>\n        <xmpp:status>complete</xmpp:status>\n        <xmpp:version>" +
                std::string{specification.second} +
                "</xmpp:version>\n      </xmpp:SupportedXep>\n    </implements>\n";
    }
    return page + "  </Project>\n</rdf:RDF>\n";
}

}  // namespace epode
