// epode account add: an account for the other commands to use.
#include "cli/accounts.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    AccountsFile file{AccountsFile::pathFor(invocation)};
    Account account;
    account.name = invocation.argument(0);
    account.jid = invocation.argument(1);
    if (account.name.empty()) throw usage("The account needs a name.");
    if (!looksLikeAddress(account.jid) || localOf(account.jid).empty()) {
        throw usage("\"" + account.jid + "\" is no address of an account.",
                    "It looks like juliet@capulet.example.");
    }
    applyOptions(account, invocation);
    if (invocation.has("store-password")) {
        if (!account.password.file.empty() || !account.password.command.empty()) {
            throw usage("--store-password asks for the password: no file or command then.");
        }
        account.password.text = passwordOf(account);
    }
    file.add(account);
    if (invocation.has("default")) file.makeDefault(account.name);
    out.result("added " + account.name + " (" + account.jid + ") to " + file.path().string(),
               {{"account", account.name}, {"jid", account.jid}, {"added", true}});
    return ExitCode::Done;
}

}  // namespace

const Verb accountAdd{
    .name = "account add",
    .summary = "Add an account to the accounts file",
    .description =
        "Without --store-password, a password file or a command, each use asks for the\n"
        "password.",
    .arguments = {{"NAME", "What you call it"}, {"ADDRESS", "Its address"}},
    .options =
        {
            {.name = "default", .help = "Use it when no other is named"},
            {.name = "store-password", .help = "Ask for the password and keep it in the file"},
            {.name = "password-file", .value = "FILE", .help = "Where the password is"},
            {.name = "password-command", .value = "COMMAND", .help = "What prints the password"},
            {.name = "host", .value = "HOST", .help = "The server's host, instead of asking DNS"},
            {.name = "port", .value = "PORT", .help = "The server's port"},
            {.name = "tls", .value = "HOW", .help = "starttls or direct"},
            {.name = "trust-fingerprint",
             .value = "SHA256",
             .help = "Accept the certificate with this fingerprint though its check fails",
             .times = Option::Times::Repeated},
            {.name = "ca-file",
             .value = "FILE",
             .help = "Trust these certificate authorities as well"},
            {.name = "resource", .value = "NAME", .help = "The resource to ask for"},
        },
    .examples = {{"epode account add home juliet@capulet.example --password-command 'pass capulet'",
                  "The password stays in the password manager"}},
    .reach = Verb::Reach::Local,
    .run = run,
};

}  // namespace epode::cli
