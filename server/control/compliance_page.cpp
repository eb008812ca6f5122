// XEP-0479, XMPP Compliance Suites 2023: what a server needs for each category and level.
#include "control/plugin_pages.h"

#include <algorithm>
#include <map>

namespace epode {

namespace {

enum class Level { None, Core, Advanced };

struct Row {
    std::string_view category;
    std::string_view feature;
    // From which level on a server must have it.
    Level level;
    // Alternatives, of which one is enough, are separated by '|'. "A & B": of who implements B,
    // too.
    std::vector<std::string_view> providers;
    std::string_view note = {};  // one that begins with a document is about that
};

// Sections 2.1 to 2.5, without the rows that are for clients alone.
const std::vector<Row>& rows() {
    static const std::vector<Row> all{
        {"Core", "Core features", Level::Core, {"RFC 6120"}},
        {"Core", "TLS", Level::Core, {"RFC 7590"}},
        {"Core", "Direct TLS", Level::Advanced, {"XEP-0368"}},
        {"Core", "Feature discovery", Level::Core, {"XEP-0030"}},
        {"Core", "Feature broadcasts", Level::Advanced, {"XEP-0115"}},
        {"Core", "Server Extensibility", Level::Core, {"XEP-0114"}},
        {"Core", "Event publishing", Level::Advanced, {"XEP-0163"}},
        {"Web",
         "Web Connection Mechanisms",
         Level::Core,
         {"RFC 7395|XEP-0206"},
         "one of them is enough"},
        {"IM", "Core features", Level::Core, {"RFC 6121"}},
        {"IM", "User Avatar Compatibility", Level::Advanced, {"XEP-0398", "XEP-0153"}},
        {"IM", "vcard-temp", Level::Core, {"XEP-0054"}},
        {"IM", "Outbound Message Synchronization", Level::Core, {"XEP-0280"}},
        {"IM", "User Blocking", Level::Advanced, {"XEP-0191"}},
        {"IM",
         "Group Chat",
         Level::Core,
         {"XEP-0045", "XEP-0249"}},
        {"IM",
         "Advanced Group Chat",
         Level::Advanced,
         {"XEP-0048", "XEP-0313 & XEP-0045", "XEP-0402", "XEP-0410"},
         "XEP-0313 of the room's archive"},
        {"IM", "Persistent Storage of Private Data via PubSub", Level::Advanced, {"XEP-0223"}},
        {"IM", "Private XML Storage", Level::Advanced, {"XEP-0049"}},
        {"IM", "Stream Management", Level::Advanced, {"XEP-0198"}},
        {"IM", "History Storage / Retrieval", Level::Advanced, {"XEP-0313"}},
        {"IM", "File Upload", Level::Core, {"XEP-0363"}},
        {"Mobile", "Stream Management", Level::Core, {"XEP-0198"}},
        {"Mobile", "Client State Indication", Level::Core, {"XEP-0352"}},
        {"Mobile", "Third Party Push Notifications", Level::Advanced, {"XEP-0357"}},
        {"A/V Calling", "STUN/TURN server discovery", Level::Core, {"XEP-0215"}},
    };
    return all;
}

struct Served {
    Specification specification;
    std::string plugin;  // empty: the server
};
using ServedBy = std::multimap<std::string, Served, std::less<>>;

ServedBy servedBy(const PluginHost& plugins) {
    ServedBy all;
    for (const auto& one : serverSpecifications())
        all.emplace(std::string{one.document}, Served{one, ""});
    for (const auto& [name, entry] : plugins.available())
        for (const auto& one : entry->info->implements)
            all.emplace(std::string{one.document}, Served{one, name});
    return all;
}

std::vector<std::string_view> alternatives(std::string_view provider) {
    std::vector<std::string_view> all;
    for (;;) {
        const auto bar = provider.find('|');
        all.push_back(provider.substr(0, bar));
        if (bar == std::string_view::npos) return all;
        provider = provider.substr(bar + 1);
    }
}

bool implements(const ServedBy& served, std::string_view document, std::string_view plugin) {
    const auto [first, last] = served.equal_range(document);
    return std::any_of(first, last,
                       [plugin](const auto& one) { return one.second.plugin == plugin; });
}

bool isAbout(std::string_view note, std::string_view provider) {
    return !note.empty() && (!note.starts_with("XEP-") || provider.starts_with(note.substr(0, 8)));
}

std::string_view toText(Level level) { return level == Level::Core ? "Core" : "Advanced"; }

}  // namespace

CompliancePage renderCompliance(const PluginHost& plugins, const TestOf& testOf) {
    const auto served = servedBy(plugins);
    CompliancePage page;
    page.text =
        "# Compliance\n\n"
        "Made from the declarations in the code: the rows of [XEP-0479]"
        "(https://xmpp.org/extensions/xep-0479.html), XMPP Compliance Suites 2023\n"
        "(version 0.1.0), that a server takes part in, who serves each, and the test that shows "
        "it. A "
        "category's level needs\n"
        "all of its rows, and those of the category Core.\n";
    std::string_view category;
    std::map<std::string_view, std::pair<int, int>> counts;  // served, all
    for (const Row& row : rows()) {
        if (row.category != category) {
            category = row.category;
            page.text += "\n## " + std::string{category} +
                         "\n\n| Feature | Needed for | Document | Version | Served by | Test |\n"
                         "| --- | --- | --- | --- | --- | --- |\n";
        }
        for (const auto provider : row.providers) {
            auto& [done, all] = counts[category];
            ++all;
            bool isServed = false;
            for (const auto alternative : alternatives(provider)) {
                const auto document = alternative.substr(0, alternative.find(" & "));
                const auto also =
                    alternative.substr(std::min(alternative.size(), document.size() + 3));
                const auto [first, last] = served.equal_range(document);
                for (auto one = first; one != last; ++one) {
                    const auto& [specification, plugin] = one->second;
                    if (!also.empty() && !implements(served, also, plugin)) continue;
                    const auto test = testOf(specification, plugin);
                    if (test.empty())
                        page.untested.push_back(std::string{document} + " (" +
                                                (plugin.empty() ? "server" : plugin) + ")");
                    page.text += "| " + std::string{row.feature} + " | " +
                                 std::string{toText(row.level)} + " | " + std::string{document} +
                                 " | " + std::string{specification.version} + " | " +
                                 (plugin.empty() ? "the server" : "plugin " + plugin) + " | " +
                                 test + " |\n";
                    isServed = true;
                }
            }
            done += isServed;
            if (isServed) continue;
            std::string names{provider.substr(0, provider.find(" & "))};
            for (auto bar = names.find('|'); bar != std::string::npos; bar = names.find('|'))
                names.replace(bar, 1, " or ");
            page.text += "| " + std::string{row.feature} + " | " + std::string{toText(row.level)} +
                         " | " + names + " | | **not served yet**" +
                         (isAbout(row.note, provider) ? " (" + std::string{row.note} + ")" : "") +
                         " | |\n";
        }
    }
    page.text += "\n## Summary\n\n| Category | Documents served | of |\n| --- | --- | --- |\n";
    for (const std::string_view name : {"Core", "Web", "IM", "Mobile", "A/V Calling"})
        page.text += "| " + std::string{name} + " | " + std::to_string(counts[name].first) + " | " +
                     std::to_string(counts[name].second) + " |\n";
    return page;
}

}  // namespace epode
