// epode roster remove: a contact and both subscriptions (RFC 6121, 2.5).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const std::string peer = invocation.argument(0);
    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    connection.ask(Stanza{"iq"}
                       .set("type", "set")
                       .add(Stanza{"query", ns::roster}.add(
                           Stanza{"item"}.set("jid", peer).set("subscription", "remove"))));
    connection.close();
    out.result("removed " + peer, {{"jid", peer}, {"removed", true}});
    return ExitCode::Done;
}

}  // namespace

const Verb rosterRemove{
    .name = "roster remove",
    .summary = "Remove a contact, who then no longer sees your presence",
    .arguments = {{"PEER", "The contact's address"}},
    .examples = {{"epode roster remove paris@capulet.example", "For good"}},
    .run = run,
};

}  // namespace epode::cli
