// Pages made from the declarations of plugins, and from the table of what the server speaks itself.
#pragma once

#include "plugin/plugin_host.h"

#include <functional>
#include <string>
#include <vector>

namespace epode {

// What the server implements without any plugin; `test` is a file of tests/.
const std::vector<Specification>& serverSpecifications();

// The reference pages (Markdown): the plugins, and the specifications that they and the server
// implement.
std::string renderPlugins(const PluginHost& plugins);
std::string renderSpecifications(const PluginHost& plugins);

// The rows of XEP-0479 that a server takes part in, each with who serves it.
// `testOf(specification, plugin)` names the test that shows it, as Markdown; empty when there is
// none. The plugin is empty for the server itself.
using TestOf = std::function<std::string(const Specification&, std::string_view plugin)>;
struct CompliancePage {
    std::string text;
    std::vector<std::string> untested;  // "XEP-0054 (vcard)": served, but no test was found
};
CompliancePage renderCompliance(const PluginHost& plugins, const TestOf& testOf);

// A description of the project for programs (https://github.com/ewilderj/doap, with what xmpp.org
// adds).
std::string renderDoap(const PluginHost& plugins);

}  // namespace epode
