// epode register: a new account at a server that allows it (XEP-0077).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

namespace epode::cli {

namespace {

// The answer to what the server asks for: the plain fields of the specification, or its data form.
// Throws when it wants more than a name and a password.
Stanza fillIn(const Stanza& asked, const std::string& name, const std::string& password) {
    const auto known = [&](const std::string& field) -> const std::string* {
        return field == "username" ? &name : field == "password" ? &password : nullptr;
    };
    const auto refuse = [&](const std::string& field) {
        const std::string instructions = printable(asked.child("instructions").text());
        return Failure(
            ExitCode::Refused, "registration-form",
            "The server wants more than a name and a password: " + printable(field) + ".",
            instructions.empty() ? "Register with a client that shows forms, or on the "
                                   "server's web page."
                                 : "It says: " + instructions);
    };
    Stanza query{"query", ns::registration};
    if (const Stanza form = asked.child("x", ns::dataForm)) {
        Stanza filled{"x", ns::dataForm};
        filled.set("type", "submit");
        for (const Stanza& field : form.children()) {
            if (field.name() != "field") continue;
            const std::string var = field.get("var");
            const auto* value = known(var);
            const std::string given = field.child("value").text();
            if (!value && field.child("required") && given.empty()) throw refuse(var);
            if (!value && given.empty()) continue;
            filled.add(Stanza{"field"}.set("var", var).addText("value", value ? *value : given));
        }
        return query.add(filled);
    }
    for (const Stanza& field : asked.children()) {
        if (field.ns() != ns::registration || field.name() == "instructions" ||
            field.name() == "registered") {
            continue;
        }
        const auto* value = known(field.name());
        if (!value) throw refuse(field.name());
        query.addText(field.name().c_str(), *value);
    }
    return query;
}

Account newAccount(const Invocation& invocation) {
    Account account;
    account.jid = invocation.argument(0);
    if (!looksLikeAddress(account.jid) || localOf(account.jid).empty() ||
        !resourceOf(account.jid).empty()) {
        throw usage("\"" + account.jid + "\" is no address of an account.",
                    "It looks like juliet@capulet.example.");
    }
    if (invocation.has("account") || invocation.has("jid")) {
        throw usage("epode register takes the new address alone, no --account or --jid.");
    }
    applyOptions(account, invocation);
    return account;
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const Account account = newAccount(invocation);
    AccountsFile file{AccountsFile::pathFor(invocation)};
    const std::string name = invocation.value("save");
    if (!name.empty() && file.find(name)) {
        throw usage("There is an account \"" + name + "\" in " + file.path().string() +
                    " already.");
    }
    const bool isGiven = !account.password.file.empty() || !account.password.command.empty();
    const std::string password = isGiven ? passwordOf(account) : askForNewPassword(account.jid);
    if (!fitsInXml(password)) throw usage("The password is not UTF-8 text.");

    Connection connection{account, connectionSettings(invocation)};
    connection.connectBeforeLogin();
    const auto form = connection.ask(Stanza{"iq"}
                                         .set("type", "get")
                                         .set("to", connection.domain())
                                         .add(Stanza{"query", ns::registration}));
    const Stanza filled =
        fillIn(form.child("query", ns::registration), localOf(account.jid), password);
    connection.ask(Stanza{"iq"}.set("type", "set").set("to", connection.domain()).add(filled));
    connection.close();

    if (!name.empty()) {
        Account saved = account;
        saved.name = name;
        if (!isGiven) saved.password.text = password;
        file.add(saved);
    }
    out.result("registered " + account.jid +
                   (name.empty() ? "" : ", kept as \"" + name + "\" in " + file.path().string()),
               {{"jid", account.jid}, {"registered", true}, {"account", name}});
    return ExitCode::Done;
}

}  // namespace

const Verb registerAccount{
    .name = "register",
    .summary = "Register a new account at a server that allows it",
    .description = "Asks for the new password twice, unless a file or a command has it.",
    .arguments = {{"ADDRESS", "The address you wish for"}},
    .options = {{.name = "save",
                 .value = "NAME",
                 .help = "Keep the account in the accounts file under this name"}},
    .examples = {{"epode register juliet@capulet.example --save home",
                  "Register, and keep the account for the other commands"}},
    .run = run,
};

}  // namespace epode::cli
