// epode version: ours, or that of a server or client (XEP-0092).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    if (invocation.arguments().empty()) {
        const std::string ours{EPODE_VERSION};
        out.result("epode " + ours, {{"name", std::string{"epode"}}, {"version", ours}});
        return ExitCode::Done;
    }
    const std::string peer = invocation.argument(0);
    if (!looksLikeAddress(peer)) throw usage("\"" + peer + "\" is no address.");
    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    const auto query =
        connection
            .ask(Stanza{"iq"}.set("type", "get").set("to", peer).add(Stanza{"query", ns::version}))
            .child("query", ns::version);
    const auto name = query.child("name").text();
    const auto number = query.child("version").text();
    const auto system = query.child("os").text();
    out.result(printable(name + " " + number + (system.empty() ? "" : " on " + system)),
               {{"name", name}, {"version", number}, {"os", system}});
    connection.close();
    return ExitCode::Done;
}

}  // namespace

const Verb version{
    .name = "version",
    .summary = "Print the version of this program, or of a server or client",
    .arguments = {{"PEER", "Who is asked, over the account", Argument::Count::Optional}},
    .examples = {{"epode version", "This program"},
                 {"epode version capulet.example", "What the server runs"}},
    .run = run,
};

}  // namespace epode::cli
