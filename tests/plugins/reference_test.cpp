// The pages of docs/reference are made from what the code declares: `ninja reference` writes them.
#include "control/application.h"
#include "control/command_pages.h"
#include "control/config_pages.h"
#include "control/manual_pages.h"
#include "control/plugin_pages.h"
#include "control/schema_command.h"
#include "control/store_commands.h"
#include "control/user_commands.h"
#include "core/version.h"
#include "tests/plugins/answers.h"

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

// Equal to the committed page below docs/, or made so when asked.
void checkPage(const std::string& name, const std::string& page) {
    const auto path = source / "docs" / name;
    if (std::getenv("EPODE_WRITE_REFERENCE")) {
        std::filesystem::create_directories(path.parent_path());
        std::ofstream{path, std::ios::binary} << page;
    }
    INFO(path.string() << " is stale; `ninja reference` writes it anew");
    CHECK((read(path) == page));
}

}  // namespace

TEST_CASE("the reference pages say what the code declares", "[reference]") {
    const PluginHost plugins{""};
    checkPage("reference/options.md", renderReference(allOptions(plugins)));
    checkPage("reference/plugins.md", renderPlugins(plugins));

    TestServer server;
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> commands;
    const auto controls = std::make_shared<ServerControls>();
    for (auto& command : addServerCommands(registry, controls))
        commands.push_back(std::move(command));
    for (auto& command : addUserCommands(registry, server.server()))
        commands.push_back(std::move(command));
    for (auto& command : addStoreCommands(registry, server.server()))
        commands.push_back(std::move(command));
    for (const auto& [name, entry] : plugins.available())
        for (Command& command : PluginHost::commands(*entry, server.server()))
            commands.push_back(registry.add(std::move(command)));
    commands.push_back(addSchemaCommand(registry, server.database(), {}));
    checkPage("reference/commands.md", referencePage(registry.list()));

    const std::string version{epode::version};
    checkPage("man/epoded.8", daemonManual(version));
    checkPage("man/epode.toml.5", configManual(allOptions(plugins), version));
    checkPage("man/epodectl.1", manualPage(registry.list(), version));
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
