#include "control/schema.h"

#include "control/daemon.h"
#include "control/server_options.h"
#include "core/log.h"
#include "core/time_format.h"
#include "store/open_database.h"
#include "store/stores.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>
#include <tuple>

namespace epode {

const Option<bool> migrateAtStart{
    .key = "database.migrate_at_start",
    .fallback = true,
    .help =
        "Whether a new version changes the database's schema by itself when it starts. If not, it "
        "refuses to start until `epodectl db migrate` was run. A new database is made in any case.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

OptionList schemaOptions() { return {&migrateAtStart}; }

std::vector<Migration> allMigrations(const PluginHost& plugins) {
    auto all = Stores::migrations();
    for (const auto& migration : plugins.migrations()) all.push_back(migration);
    return all;
}

std::string_view toText(SchemaStep::State state) {
    switch (state) {
        case SchemaStep::State::Applied:
            return "applied";
        case SchemaStep::State::Pending:
            return "pending";
        case SchemaStep::State::Unknown:
            return "of no plugin here";
    }
    return "";
}

std::vector<SchemaStep> schemaSteps(std::vector<AppliedMigration> applied,
                                    const std::vector<Migration>& missing,
                                    std::span<const Migration> known) {
    using State = SchemaStep::State;
    std::vector<SchemaStep> steps;
    for (auto& one : applied) {
        const bool isKnown = std::any_of(known.begin(), known.end(), [&](const auto& migration) {
            return migration.component == one.component;
        });
        steps.push_back({std::move(one.component), one.number, std::move(one.summary),
                         isKnown ? State::Applied : State::Unknown, one.applied});
    }
    for (const auto& one : missing) {
        steps.push_back({std::string{one.component}, one.number, std::string{one.summary},
                         State::Pending, std::nullopt});
    }
    std::sort(steps.begin(), steps.end(), [](const auto& a, const auto& b) {
        return std::tie(a.component, a.number) < std::tie(b.component, b.number);
    });
    return steps;
}

std::size_t countPending(const std::vector<SchemaStep>& steps) {
    return static_cast<std::size_t>(std::count_if(steps.begin(), steps.end(), [](const auto& step) {
        return step.state == SchemaStep::State::Pending;
    }));
}

namespace {

// "mam 4; store.archive 2, 3"
std::string namesOf(const std::vector<Migration>& migrations) {
    std::map<std::string_view, std::string> numbers;
    for (const auto& migration : migrations) {
        auto& text = numbers[migration.component];
        text += (text.empty() ? " " : ", ") + std::to_string(migration.number);
    }
    std::string names;
    for (const auto& [component, text] : numbers)
        names += (names.empty() ? "" : "; ") + std::string{component} + text;
    return names;
}

std::string changes(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " change" : " changes");
}

// Files that another user makes in the data folder could not be written by the server any more.
void refuseForeignFolder(const std::string& folder) {
    struct stat state{};
    if (stat(folder.c_str(), &state) != 0) return;  // InstanceLock makes it, or says why not
    if (state.st_uid == geteuid()) return;
    const auto* owner = getpwuid(state.st_uid);
    const std::string name = owner ? owner->pw_name : "user " + std::to_string(state.st_uid);
    throw std::runtime_error{"The data folder " + folder + " belongs to " + name +
                             ". Run this as that user: sudo -u " + name + " epodectl db migrate"};
}

void print(const std::vector<SchemaStep>& steps) {
    int width = 0;
    for (const auto& step : steps) width = std::max(width, static_cast<int>(step.component.size()));
    for (const auto& step : steps) {
        const auto state = step.applied && step.state == SchemaStep::State::Applied
                               ? "applied " + formatDateTime(*step.applied).substr(0, 10)
                               : std::string{toText(step.state)};
        std::printf("%-*s %3d  %-18s  %s\n", width, step.component.c_str(), step.number,
                    state.c_str(), step.summary.c_str());
    }
}

}  // namespace

void prepareSchema(Database& database, std::span<const Migration> known, const Settings& settings) {
    // Asks for all before the first is run: a plugin's schema that is too new stops them all.
    const auto missing = database.missing(known);
    if (missing.empty()) return;
    if (!settings.get(migrateAtStart) && !database.applied().empty()) {
        throw std::runtime_error{
            "The database lacks " + changes(missing.size()) + " of this version (" +
            namesOf(missing) +
            "), and database.migrate_at_start is false. Make a backup, then run: epodectl db "
            "migrate"};
    }
    database.migrate(known);
}

int migrateByCommand(const Config& config, const PluginHost& plugins, MigrationMode mode) {
    const auto data = dataFolder(*config.settings);
    refuseForeignFolder(data);
    const InstanceLock lock{data};
    setLogLevel("store", LogLevel::Warning);  // what is done stands in the list
    const auto database = openDatabase(databaseSettings(*config.settings, data));
    const auto known = allMigrations(plugins);
    const auto missing = database->missing(known);
    if (mode == MigrationMode::Run) database->migrate(known);
    print(schemaSteps(database->applied(),
                      mode == MigrationMode::Run ? std::vector<Migration>{} : missing, known));
    if (missing.empty()) {
        std::puts("The schema is up to date.");
    } else if (mode == MigrationMode::Run) {
        std::printf("Done: %s.\n", changes(missing.size()).c_str());
    } else {
        std::printf("%s to be made. Nothing was changed: a dry run.\n",
                    changes(missing.size()).c_str());
    }
    database->close();
    return 0;
}

}  // namespace epode
