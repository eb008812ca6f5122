// The sections of external components: [component], [component."irc.capulet.example"].
#include "control/config.h"
#include "control/server_options.h"
#include "stream/component_options.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/support/catch.h"

#include <fstream>

using namespace epode;

namespace {

const Option<std::int64_t> hostLimit{
    .key = "mam.page_max", .fallback = 100, .help = "A host's option."};

OptionList allOptions() {
    auto all = serverOptions();
    for (const auto& option : componentOptions()) all.push_back(option);
    all.push_back(&hostLimit);
    return all;
}

ConfigResult read(const std::string& text) { return readConfig(text, "epode.toml", allOptions()); }

}  // namespace

TEST_CASE(
    "components are read in the order of the file, each with its own values or those of all") {
    const auto result = read(
        "[component]\nport = 5555\ninstances_max = 3\n"
        "[component.'Zone.example']\nsecret = 'z'\ninstances_max = 1\n"
        "[component.'irc.capulet.example']\nsecret = 'i'\ninstance_by = 'addressee'\n");
    INFO(result.report());
    REQUIRE(result.ok());
    CHECK(result.config->components ==
          std::vector<std::string>{"zone.example", "irc.capulet.example"});
    CHECK(result.config->hosts == std::vector<std::string>{"localhost"});
    const Settings& settings = *result.config->settings;
    CHECK(ComponentListen{settings}.port == 5555);
    CHECK(ComponentListen{settings}.addresses == std::vector<std::string>{"127.0.0.1"});
    const ComponentSettings zone{settings, "zone.example"};
    const ComponentSettings irc{settings, "irc.capulet.example"};
    CHECK(zone.secret == "z");
    CHECK(zone.instancesMax == 1);
    CHECK(zone.chosenBy == ComponentSettings::ChosenBy::Sender);
    CHECK(irc.secret == "i");
    CHECK(irc.instancesMax == 3);
    CHECK(irc.chosenBy == ComponentSettings::ChosenBy::Addressee);
}

TEST_CASE("a mistake about components is told with its place and what to do") {
    struct Row {
        std::string text, mistake;
    };
    const auto [text, mistake] = GENERATE(values<Row>({
        {"[component.irc.capulet.example]\nsecret = 'x'\n",
         "epode.toml:1:12: The name of the component needs quotes: "
         "[component.\"irc.capulet.example\"]."},
        {"\n[component.'irc.example']\n",
         "epode.toml:2:12: The component \"irc.example\" has no secret; set secret, or "
         "secret_file to the file that has it."},
        {"[component.'irc.example']\nsecret = ''\n",
         "epode.toml:1:12: The component \"irc.example\" has no secret; set secret, or secret_file "
         "to the file that has it."},
        {"[component.'irc.example']\nsecret = 'x'\nsecret_file = '/y'\n",
         "epode.toml:1:12: The component \"irc.example\" has both secret and secret_file; one of "
         "them is enough."},
        {"[component.'irc.example']\nsecret_file = '/nowhere/at/all'\n",
         "epode.toml:1:12: The component \"irc.example\" has its secret in /nowhere/at/all, which "
         "can't be read: No such "
         "file or directory."},
        {"[component.'irc.example']\nsecret_file = '/'\n",
         "epode.toml:1:12: The component \"irc.example\" has its secret in /, which can't be read: "
         "Is a directory."},
        {"[host.'capulet.example']\n[component.'capulet.example']\nsecret = 'x'\n",
         "epode.toml:2:12: \"capulet.example\" is a host already; a component needs a domain of "
         "its own."},
        {"[component.'irc..example']\nsecret = 'x'\n",
         "epode.toml:1:12: \"irc..example\" is no valid domain; expected one like "
         "irc.capulet.example."},
        {"[component.'irc.example']\nsecret = 'x'\n[component.'IRC.example']\nsecret = 'x'\n",
         "epode.toml:3:12: The component \"irc.example\" is there twice."},
        {"[component.'irc.example']\nsecret = 'x'\nport = 1\n",
         "epode.toml:3:1: component.port belongs to the whole server; it can't be set for one "
         "component."},
        {"[component.'irc.example']\nsecret = 'x'\nlog.level = 'debug'\n",
         "epode.toml:3:1: There is no section component.log. Did you mean log?"},
        {"[component.'irc.example']\nsecret = 'x'\ninstance_max = 1\n",
         "epode.toml:3:1: There is no option component.instance_max. Did you mean "
         "component.instances_max?"},
        {"[component.'irc.example']\nsecret = 'x'\ninstances_max = 0\n",
         "epode.toml:3:17: component.instances_max is 0; expected 1 to 64."},
        {"[component]\nport = 70000\n",
         "epode.toml:2:8: component.port is 70000; expected 0 to 65535."},
        {"[component]\nprot = 5347\n",
         "epode.toml:2:1: There is no option component.prot. Did you mean component.port?"},
        {"[host.'capulet.example']\ncomponent.secret = 'x'\n",
         "epode.toml:2:11: component.secret belongs to components; it can't be set for a host."},
        {"component = 'irc.example'\n",
         "epode.toml:1:13: component is \"irc.example\"; it is a section, with options like "
         "component.addresses."},
    }));
    const auto result = read(text);
    CHECK(!result.ok());
    CHECK(result.report() == mistake + "\n1 mistake\n");
}

TEST_CASE("a secret may stand in a file of one line") {
    const test::TemporaryFolder folder;
    const std::string path = folder / "secret";
    const auto write = [&path](std::string_view text) {
        std::ofstream{path, std::ios::binary} << text;
    };
    const std::string text = "[component.'irc.example']\nsecret_file = '" + path + "'\n";
    write("mab\n");
    const auto result = read(text);
    REQUIRE(result.ok());
    CHECK(ComponentSettings{*result.config->settings, "irc.example"}.secret == "mab");
    // A changed file is a changed secret, without a change of the configuration.
    write("other\r\n");
    CHECK(ComponentSettings{*result.config->settings, "irc.example"}.secret == "other");
    for (const auto* bad : {"", "\n", "a\nb\n"}) {
        write(bad);
        CHECK(!read(text).ok());
    }
}

TEST_CASE("a reload tells which components come, go and change") {
    const auto before =
        read("[component.'old.example']\nsecret = 'o'\n[component.'irc.example']\nsecret = 'a'\n");
    const auto after = read(
        "[component.'irc.example']\nsecret = 'b'\nlisted = "
        "false\n[component.'new.example']\nsecret = 'n'\n");
    REQUIRE(before.ok());
    REQUIRE(after.ok());
    const auto changes = compareConfigs(*before.config, *after.config, allOptions());
    CHECK(changes.componentsAdded == std::vector<std::string>{"new.example"});
    CHECK(changes.componentsRemoved == std::vector<std::string>{"old.example"});
    CHECK(!changes.empty());
    REQUIRE(changes.options.size() == 2);
    CHECK(changes.options[0].key == "component.\"irc.example\".secret");
    CHECK(changes.options[1].key == "component.\"irc.example\".listed");
    CHECK(changes.needingRestart().empty());
}
