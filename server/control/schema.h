// The schema of the whole server, its own stores' and its plugins', and the ways it is brought up
// to date: at the start, or by the operator's command.
#pragma once

#include "control/config.h"
#include "plugin/plugin_host.h"
#include "store/database.h"

#include <span>
#include <string>
#include <vector>

namespace epode {

extern const Option<bool> migrateAtStart;
OptionList schemaOptions();

// Of the stores first, then of every plugin that is there, enabled or not.
std::vector<Migration> allMigrations(const PluginHost& plugins);

// One change of the schema, as the operator sees it.
struct SchemaStep {
    enum class State {
        Applied,
        Pending,
        Unknown,  // applied by a plugin that this server doesn't have; its tables are left alone
    };
    std::string component;
    int number;
    std::string summary;
    State state;
    std::optional<WallTime> applied;
};
std::string_view toText(SchemaStep::State state);

// By component and number, from what the database says of `known`.
std::vector<SchemaStep> schemaSteps(std::vector<AppliedMigration> applied,
                                    const std::vector<Migration>& missing,
                                    std::span<const Migration> known);

std::size_t countPending(const std::vector<SchemaStep>& steps);

// At the start: a new database is made; an older one is migrated, or the start is refused when only
// the operator may do that. Throws std::runtime_error with a sentence for people, before anything
// was changed; also when the schema is newer than this server. Blocks.
void prepareSchema(Database& database, std::span<const Migration> known, const Settings& settings);

// `epoded --migrate` and `--migrate --dry-run`: lists the changes on standard output, and makes
// those that are missing unless it is a dry run. No server may work on the data meanwhile. Returns
// the exit code; throws like prepareSchema.
enum class MigrationMode { Run, DryRun };
int migrateByCommand(const Config& config, const PluginHost& plugins, MigrationMode mode);

}  // namespace epode
