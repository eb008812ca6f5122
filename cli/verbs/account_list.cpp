// epode account list: what the accounts file holds, without passwords.
#include "cli/accounts.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

std::string passwordKind(const PasswordSource& source) {
    if (!source.file.empty()) return "file";
    if (!source.command.empty()) return "command";
    return source.text.empty() ? "asked" : "stored";
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const AccountsFile file{AccountsFile::pathFor(invocation)};
    if (file.isExposed()) {
        out.warning("others can read the passwords in " + file.path().string() + " (chmod 600 it)");
    }
    for (const Account& account : file.accounts()) {
        const bool isDefault = account.name == file.defaultName();
        auto object = jsonObject({{"account", account.name},
                                  {"jid", account.jid},
                                  {"host", account.host},
                                  {"password", passwordKind(account.password)}});
        if (account.port) object->set("port", account.port);
        object->set("default", isDefault);
        out.result((isDefault ? "* " : "  ") + account.name + "  " + account.jid +
                       "  (password: " + passwordKind(account.password) + ")",
                   *object);
    }
    if (file.accounts().empty()) {
        out.note("-- no accounts in " + file.path().string() +
                 ": epode account add home juliet@capulet.example");
    }
    return ExitCode::Done;
}

}  // namespace

const Verb accountList{
    .name = "account list",
    .summary = "List the accounts of the accounts file",
    .examples = {{"epode account list", "The default has a star"}},
    .reach = Verb::Reach::Local,
    .run = run,
};

}  // namespace epode::cli
