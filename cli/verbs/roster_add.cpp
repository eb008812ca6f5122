// epode roster add: a contact, and the two subscriptions that go with it (RFC 6121, 2.3 and 3).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const std::string peer = invocation.argument(0);
    if (!looksLikeAddress(peer) || !resourceOf(peer).empty()) {
        throw usage("\"" + peer + "\" is no address of a contact.");
    }
    Stanza item{"item"};
    item.set("jid", peer);
    if (invocation.has("name")) item.set("name", invocation.value("name"));
    for (const auto& group : invocation.values("group")) item.addText("group", group);

    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    connection.ask(Stanza{"iq"}.set("type", "set").add(Stanza{"query", ns::roster}.add(item)));
    if (!invocation.has("silent")) {
        // The second accepts their request, whether it is there already or still to come.
        connection.send(Stanza{"presence"}.set("to", peer).set("type", "subscribe"));
        connection.send(Stanza{"presence"}.set("to", peer).set("type", "subscribed"));
    }
    connection.close();
    out.result("added " + peer, {{"jid", peer}, {"added", true}});
    return ExitCode::Done;
}

}  // namespace

const Verb rosterAdd{
    .name = "roster add",
    .summary = "Add a contact, or change one",
    .description = "Asks to see the contact's presence, and lets the contact see yours.",
    .arguments = {{"PEER", "The contact's address"}},
    .options =
        {
            {.name = "name", .value = "TEXT", .help = "What you call the contact"},
            {.name = "group",
             .value = "NAME",
             .help = "A group the contact is in",
             .times = Option::Times::Repeated},
            {.name = "silent", .help = "Don't ask for presence, and don't show yours"},
        },
    .examples = {{"epode roster add romeo@montague.example --name Romeo --group Friends",
                  "With a name, in a group"}},
    .run = run,
};

}  // namespace epode::cli
