// epode account default: the account that is used when none is named.
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
    if (!file.find(name)) {
        throw usage("There is no account \"" + name + "\" in " + file.path().string() + ".",
                    "epode account list shows them.");
    }
    file.makeDefault(name);
    out.result(name + " is the default", {{"account", name}, {"default", true}});
    return ExitCode::Done;
}

}  // namespace

const Verb accountDefault{
    .name = "account default",
    .summary = "Choose the account that is used when none is named",
    .arguments = {{"NAME", "Which one"}},
    .examples = {{"epode account default home", "From now on"}},
    .reach = Verb::Reach::Local,
    .run = run,
};

}  // namespace epode::cli
