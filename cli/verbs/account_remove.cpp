// epode account remove: from the accounts file; the server keeps the account.
#include "cli/accounts.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    AccountsFile file{AccountsFile::pathFor(invocation)};
    const auto name = invocation.argument(0);
    if (!file.remove(name)) {
        throw usage("There is no account \"" + name + "\" in " + file.path().string() + ".",
                    "epode account list shows them.");
    }
    out.result("removed " + name, {{"account", name}, {"removed", true}});
    return ExitCode::Done;
}

}  // namespace

const Verb accountRemove{
    .name = "account remove",
    .summary = "Remove an account from the accounts file (the server keeps it)",
    .arguments = {{"NAME", "Which one"}},
    .examples = {{"epode account remove home", "Only here"}},
    .reach = Verb::Reach::Local,
    .run = run,
};

}  // namespace epode::cli
