// Apart from the command itself: the admin tool shall not be linked with the database for it.
#include "control/schema_command.h"

namespace epode {

CommandInfo schemaCommandInfo() {
    return {
        .name = "db migrate",
        .summary = "Brings the database's schema up to date",
        .details =
            "Lists the changes of the schema that the database has, and those that are pending. A "
            "server that runs has none pending: it makes them at its start, unless "
            "database.migrate_at_start is false. While no server runs, this command makes them; it "
            "is to be run as the user who owns the data folder. There is no way back but a backup.",
        .arguments = {{.name = "dry-run",
                       .kind = ArgumentKind::Flag,
                       .help = "Says what would be done, and changes nothing."},
                      {.name = "config",
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help =
                           "The configuration, when no server runs and it isn't the usual one."},
                      {.name = "data",
                       .presence = Presence::Optional,
                       .form = Form::Option,
                       .help = "The data folder, when no server runs and the configuration names "
                               "another one."}},
        .examples = {{"db migrate --dry-run", "What an upgrade is about to change."}},
    };
}

}  // namespace epode
