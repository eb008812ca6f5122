// The pages that are made from what the code declares: `ninja reference` writes them.
#include "control/account_commands.h"
#include "control/cert_commands.h"
#include "control/application.h"
#include "control/command_pages.h"
#include "control/component_commands.h"
#include "control/s2s_commands.h"
#include "control/config_pages.h"
#include "control/manual_pages.h"
#include "control/metric_page.h"
#include "control/plugin_admin.h"
#include "control/plugin_pages.h"
#include "control/proxy_config.h"
#include "control/schema_command.h"
#include "control/store_commands.h"
#include "control/user_commands.h"
#include "core/version.h"
#include "plugins/rest/service.h"
#include "tests/plugins/answers.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace epode;

namespace {

const std::filesystem::path source{EPODE_SOURCE_DIR};

std::string read(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

// Equal to the committed page, or made so when asked. `name` is within the tree.
void checkPage(const std::string& name, const std::string& page) {
    const auto path = source / name;
    if (std::getenv("EPODE_WRITE_REFERENCE")) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary} << page;
    }
    INFO(path.string() << " is stale; `ninja reference` writes it anew");
    CHECK((read(path) == page));
}

// The sentence of a file's first test, which is what it is about.
std::string firstTest(const std::string& text) {
    std::string sentence;
    auto at = text.find("TEST_CASE(");
    if (at == std::string::npos) return sentence;
    for (at += 10; at < text.size() && text[at] != ')' && text[at] != ','; ++at) {
        if (text[at] != '"') continue;
        for (++at; at < text.size() && text[at] != '"'; ++at) {
            if (text[at] == '\\') ++at;
            sentence += text[at];
        }
    }
    return sentence;
}

// Of "tests/stream/login_test.cpp: STARTTLS secures a stream", where only the file is needed.
std::string fileOf(std::string_view test) { return std::string{test.substr(0, test.find(": "))}; }
std::string sentenceOf(std::string_view test) {
    const auto colon = test.find(": ");
    return colon == std::string_view::npos ? std::string{} : std::string{test.substr(colon + 2)};
}

// A declared file, else the plugin's own, else the first that mentions the document.
std::string testOf(const Specification& specification, std::string_view plugin) {
    std::vector<std::string> candidates;
    if (!specification.test.empty()) {
        candidates.push_back(fileOf(specification.test));
    } else {
        for (const auto& name :
             {std::string{plugin} + "_test.cpp", std::string{plugin} + "_test.py"})
            for (const auto& folder : {"plugins", "interop"})
                candidates.push_back(std::string{"tests/"} + folder + "/" + name);
        std::vector<std::string> mentions;
        for (const auto& folder : {"plugins", "interop", "stream", "route"})
            for (const auto& file :
                 std::filesystem::directory_iterator{source / "tests" / folder}) {
                const auto name = file.path().filename().string();
                const bool isTest = name.ends_with("_test.cpp") || name.ends_with("_test.py");
                if (isTest && name != "reference_test.cpp" &&
                    read(file.path()).find(specification.document) != std::string::npos)
                    mentions.push_back(std::string{"tests/"} + folder + "/" + name);
            }
        // C++ first: its tests have sentences for names.
        std::sort(mentions.begin(), mentions.end(), [](const auto& a, const auto& b) {
            return std::pair{a.ends_with(".py"), a} < std::pair{b.ends_with(".py"), b};
        });
        candidates.insert(candidates.end(), mentions.begin(), mentions.end());
    }
    for (const auto& path : candidates) {
        const auto text = read(source / path);
        if (text.empty()) continue;
        const auto declared = sentenceOf(specification.test);
        if (text.find(declared) == std::string::npos) continue;
        const auto sentence = declared.empty() ? firstTest(text) : declared;
        std::string cell = "[" + path + "](../../" + path + ")";
        if (!sentence.empty()) cell += ": " + sentence;
        for (auto bar = cell.find('|'); bar != std::string::npos; bar = cell.find('|', bar + 2))
            cell.insert(bar, "\\");
        return cell;
    }
    return {};
}

}  // namespace

TEST_CASE("the reference pages say what the code declares", "[reference]") {
    const PluginHost plugins{""};
    checkPage("docs/reference/options.md", renderReference(allOptions(plugins)));
    checkPage("packaging/epoded.toml.sample", renderSample(allOptions(plugins)));
    checkPage("docs/reference/plugins.md", renderPlugins(plugins));
    checkPage("docs/reference/specifications.md", renderSpecifications(plugins));
    checkPage("docs/reference/metrics.md", renderMetrics());
    checkPage("docs/epode.doap", renderDoap(plugins));
    checkPage("docs/reference/rest.md", rest::referencePage());

    TestServer server;
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> commands;
    const auto add = [&commands](std::vector<CommandRegistry::Registration> some) {
        for (auto& command : some) commands.push_back(std::move(command));
    };
    add(addServerCommands(registry, std::make_shared<ServerControls>()));
    add(addUserCommands(registry, server.server()));
    add(addStoreCommands(registry, server.server()));
    add(addComponentCommands(registry, server.components()));
    add(addCertCommands(registry, server.server(), [] { return std::vector<TlsStore::Presented>{}; }, {}));
    add(addS2sCommands(registry, server.server(), nullptr, [] { return std::string{}; }));
    add(addWebCommands(registry, server.server()));
    add(addAccountCommands(registry, server.server(), plugins, ""));
    PluginHost own{""};
    add(addPluginCommands(registry, std::make_shared<PluginControls>(
                                        PluginControls{own, server.server(), {}, {}, {}, {}})));
    for (const auto& [name, entry] : plugins.available())
        for (Command& command : plugins.commands(*entry, server.server()))
            commands.push_back(registry.add(std::move(command)));
    commands.push_back(addSchemaCommand(registry, server.database(), {}));
    checkPage("docs/reference/commands.md", referencePage(registry.list()));

    const std::string version{epode::version};
    checkPage("docs/man/epoded.8", daemonManual(version));
    checkPage("docs/man/epode.toml.5", configManual(allOptions(plugins), version));
    checkPage("docs/man/epodectl.1", manualPage(registry.list(), version));
}

TEST_CASE("the compliance page names a test for each row that is served", "[reference]") {
    const PluginHost plugins{""};
    const auto page = renderCompliance(plugins, testOf);
    checkPage("docs/reference/compliance.md", page.text);
    for (const auto& untested : page.untested) {
        INFO(untested);
        CHECK(untested.empty());
    }
}

TEST_CASE("what the server implements by itself is shown by tests that exist") {
    for (const auto& one : serverSpecifications()) {
        INFO(one.document);
        CHECK(read(source / fileOf(one.test)).find(sentenceOf(one.test)) != std::string::npos);
    }
}

TEST_CASE("every plugin says in its folder what it is") {
    const PluginHost plugins{""};
    CHECK(plugins.available().size() >= 12);
    for (const auto& [name, entry] : plugins.available()) {
        INFO(name);
        const auto page = read(source / "plugins" / name / "README.md");
        CHECK(page.starts_with("# " + name + "\n"));
        for (const auto& option : entry->info->options) {
            INFO(option.key());
            CHECK(page.find("`" + std::string{option.key()} + "`") != std::string::npos);
        }
        for (const auto& specification : entry->info->implements) {
            INFO(specification.document);
            CHECK(page.find(specification.document) != std::string::npos);
        }
    }
}
