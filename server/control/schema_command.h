// `epodectl db migrate`: what a running server says of its schema. It serves only when that is
// complete, so there is nothing to be done then; without a server the same command makes the
// changes, by `epoded --migrate`.
#pragma once

#include "control/command_registry.h"
#include "store/migration.h"

#include <vector>

namespace epode {

class Database;

CommandRegistry::Registration addSchemaCommand(CommandRegistry& registry, Database& database,
                                               std::vector<Migration> known);

// As it is declared; the tool knows it also when no server runs.
CommandInfo schemaCommandInfo();

}  // namespace epode
