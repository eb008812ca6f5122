#include "control/schema_command.h"

#include "control/schema.h"
#include "store/database.h"

namespace epode {

namespace {

Task<CommandResult> showSchema(Database& database, const std::vector<Migration>& known) {
    auto read = [&known](SqlConnection& connection) {
        const auto missing = missingMigrations(connection, known);
        return schemaSteps(appliedMigrations(connection), missing, known);
    };
    const auto steps = co_await database.read(read);
    auto result = CommandResult::table({"component", "number", "state", "applied", "summary"});
    for (const auto& step : steps) {
        result.row({step.component, step.number, toText(step.state), step.applied, step.summary});
    }
    const auto pending = countPending(steps);
    result.fact("pending", pending);
    if (pending == 0) {
        result.say("The schema is up to date.");
    } else {
        result.warn(
            "Changes are pending, which a running server doesn't make: restart it, or stop "
            "it and run epodectl db migrate.");
    }
    co_return result;
}

}  // namespace

CommandRegistry::Registration addSchemaCommand(CommandRegistry& registry, Database& database,
                                               std::vector<Migration> known) {
    const auto info = schemaCommandInfo();
    return registry.add({
        .name = info.name,
        .summary = info.summary,
        .details = info.details,
        .arguments = info.arguments,
        .examples = info.examples,
        .run = [&database,
                known = std::move(known)](CommandCall&) { return showSchema(database, known); },
    });
}

}  // namespace epode
