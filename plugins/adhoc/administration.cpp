#include "administration.h"

#include "command_forms.h"
#include "core/commands.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "route/command_call.h"
#include "store/stores.h"

#include <algorithm>
#include <array>

namespace epode::adhoc {

namespace {

const Log adhocLog{"plugin.adhoc"};

constexpr std::size_t accountsPerCallMax = 100;
constexpr std::size_t accountsPage = 500;
constexpr Duration never = std::chrono::hours{24 * 365};
constexpr std::size_t blockedMax = 5000;  // that a form can hold

DataForm question(std::string_view title) {
    DataForm form{FormKind::Form, adminNs};
    form.setTitle(title);
    return form;
}
DataForm result() { return DataForm{FormKind::Result, adminNs}; }

FormField accountField() {
    return {.var = "accountjid",
            .type = FieldType::JidSingle,
            .label = "The account",
            .isRequired = true};
}
FormField accountsField() {
    return {.var = "accountjids",
            .type = FieldType::JidMulti,
            .label = "The accounts",
            .isRequired = true};
}

AdHocReply askForAccount(std::string_view title) {
    auto form = question(title);
    form.add(accountField());
    return AdHocReply::ask(std::move(form));
}
AdHocReply askForAccounts(std::string_view title) {
    auto form = question(title);
    form.add(accountsField());
    return AdHocReply::ask(std::move(form));
}
AdHocReply askForText(std::string_view title, std::string_view var, std::string_view label,
                      std::string_view known = {}) {
    auto form = question(title);
    FormField field{.var = std::string{var},
                    .type = FieldType::TextMulti,
                    .label = std::string{label},
                    .isRequired = true};
    for (std::size_t at = 0; !known.empty() && at <= known.size();) {
        const auto end = std::min(known.find('\n', at), known.size());
        field.values.emplace_back(known.substr(at, end - at));
        at = end + 1;
    }
    form.add(std::move(field));
    return AdHocReply::ask(std::move(form));
}
AdHocReply askForNumber(std::string_view title) {
    auto form = question(title);
    FormField field{.var = "max_items",
                    .type = FieldType::ListSingle,
                    .label = "How many to show",
                    .values = {"50"}};
    for (const char* number : {"25", "50", "75", "100", "150", "200"})
        field.options.push_back({number, number});
    field.options.push_back({"none", "As many as there are"});
    form.add(std::move(field));
    return AdHocReply::ask(std::move(form));
}

AdHocReply askForEnd(std::string_view title) {
    auto form = question(title);
    FormField delay{
        .var = "delay", .type = FieldType::ListSingle, .label = "After how long", .values = {"60"}};
    for (const auto& [value, label] : {std::pair{"30", "30 seconds"}, std::pair{"60", "60 seconds"},
                                       std::pair{"90", "90 seconds"}, std::pair{"120", "2 minutes"},
                                       std::pair{"180", "3 minutes"}, std::pair{"240", "4 minutes"},
                                       std::pair{"300", "5 minutes"}})
        delay.options.push_back({value, label});
    delay.isRequired = true;
    form.add(std::move(delay));
    form.add(
        {.var = "announcement", .type = FieldType::TextMulti, .label = "What people are told"});
    return AdHocReply::ask(std::move(form));
}

AdHocReply numberResult(std::string_view var, std::string label, std::int64_t number) {
    auto form = result();
    form.add(
        {.var = std::string{var}, .label = std::move(label), .values = {std::to_string(number)}});
    return AdHocReply::done(std::move(form));
}
AdHocReply listResult(std::string_view var, std::string label, std::vector<std::string> jids,
                      std::size_t most) {
    const std::size_t all = jids.size();
    if (all > most) jids.resize(most);
    auto form = result();
    form.add({.var = std::string{var},
              .type = FieldType::JidMulti,
              .label = std::move(label),
              .values = std::move(jids)});
    auto reply = AdHocReply::done(std::move(form));
    if (all > most)
        reply.note("There are more than " + std::to_string(most) + ".", AdHocNote::Kind::Warn);
    return reply;
}

// XEP-0133, 5.
StanzaError errorFor(const CommandError& error) {
    const auto condition = error.code == "exists"      ? Condition::Conflict
                           : error.code == "not-found" ? Condition::ItemNotFound
                           : error.code == "forbidden" ? Condition::Forbidden
                           : error.code == "invalid" || error.code == "usage"
                               ? Condition::NotAcceptable
                           : error.code == "unknown-command" ? Condition::FeatureNotImplemented
                           : error.code == "unavailable"     ? Condition::ResourceConstraint
                                                             : Condition::InternalServerError;
    return {condition, error.message};
}
AdHocReply replyTo(const CommandResult& outcome) {
    if (outcome.isRefusal()) return AdHocReply::failed(errorFor(outcome.error()));
    return AdHocReply::done();
}

std::vector<std::string> firstColumn(const CommandResult& table) {
    std::vector<std::string> all;
    for (const auto& row : table.rows())
        for (auto& text : textsOf(row.front())) all.push_back(std::move(text));
    return all;
}

StanzaError elsewhere() { return {Condition::ItemNotFound, "This is no account of this host."}; }

std::string factOf(const CommandResult& outcome, std::string_view name) {
    for (const auto& fact : outcome.facts()) {
        if (fact.name != name) continue;
        const auto texts = textsOf(fact.value);
        return texts.empty() ? std::string{} : texts.front();
    }
    return {};
}

}  // namespace

Administration::Administration(PluginContext& context, Operators& operators, std::size_t rowsMax)
    : server_{context.server()},
      host_{context.host()},
      operators_{operators},
      store_{context.server().database(), "adhoc"},
      rowsMax_{rowsMax} {
    constexpr auto administer = Permission::Administer;
    constexpr auto operate = Permission::Operate;
    using A = Administration;
    context.inBackground(Duration{0}, this, &A::loadAdmins);
    context.on(&Services::accountRemoved, Phase::Observe, this, &A::onRemoved);
    add(context, "add-user", "Add a user", administer, Over::Host, &A::addUser);
    add(context, "delete-user", "Delete users", administer, Over::Host, &A::deleteUsers);
    add(context, "disable-user", "Disable users", administer, Over::Host, &A::disableUsers);
    add(context, "reenable-user", "Enable users again", administer, Over::Host, &A::enableUsers);
    add(context, "end-user-session", "End sessions of users", operate, Over::Host, &A::endSessions);
    add(context, "change-user-password", "Change a user's password", administer, Over::Host,
        &A::changePassword);
    add(context, "get-user-roster", "Show a user's contacts", administer, Over::Host,
        &A::showRoster);
    add(context, "get-user-lastlogin", "Show when a user logged in last", operate, Over::Host,
        &A::showLastLogin);
    add(context, "user-stats", "Show statistics of a user", operate, Over::Host,
        &A::showStatistics);
    add(context, "get-registered-users-num", "Count the accounts", operate, Over::Host,
        &A::countRegistered);
    add(context, "get-disabled-users-num", "Count the disabled accounts", operate, Over::Host,
        &A::countDisabled);
    add(context, "get-online-users-num", "Count who is online", operate, Over::Host,
        &A::countOnline);
    add(context, "get-active-users-num", "Count who is online and active", operate, Over::Host,
        &A::countActive);
    add(context, "get-idle-users-num", "Count who is online and idle", operate, Over::Host,
        &A::countIdle);
    add(context, "get-registered-users-list", "List the accounts", operate, Over::Host,
        &A::listRegistered);
    add(context, "get-disabled-users-list", "List the disabled accounts", operate, Over::Host,
        &A::listDisabled);
    add(context, "get-online-users-list", "List who is online", operate, Over::Host,
        &A::listOnline);
    add(context, "get-active-users", "List who is online and active", operate, Over::Host,
        &A::listActive);
    add(context, "get-idle-users", "List who is online and idle", operate, Over::Host,
        &A::listIdle);
    add(context, "edit-blacklist", "Edit the blocked addresses and domains", administer,
        Over::Server, &A::editBlacklist);
    add(context, "announce", "Tell something to all who are online", administer, Over::Host,
        &A::announceOnline);
    add(context, "announce-all", "Tell something to all accounts", administer, Over::Host,
        &A::announceAll);
    add(context, "set-motd", "Set the message of the day", administer, Over::Host, &A::setMotd);
    add(context, "edit-motd", "Edit the message of the day", administer, Over::Host, &A::editMotd);
    add(context, "delete-motd", "Remove the message of the day", administer, Over::Host,
        &A::deleteMotd);
    add(context, "set-welcome", "Set what new accounts are told", administer, Over::Host,
        &A::setWelcome);
    add(context, "delete-welcome", "Tell new accounts nothing", administer, Over::Host,
        &A::deleteWelcome);
    add(context, "edit-admin", "Name the administrators of this host", administer, Over::Server,
        &A::editAdmins);
    add(context, "restart", "Restart the server", administer, Over::Server, &A::restart);
    add(context, "shutdown", "Shut down the server", administer, Over::Server, &A::shutdown);
}

void Administration::add(PluginContext& context, std::string_view node, std::string name,
                         Permission needed, Over over, Handler handler) {
    AdHocCommand command{.node = std::string{adminNs} + "#" + std::string{node},
                         .name = std::move(name)};
    command.isFor = [this, needed, over](const Jid& caller, const Host&) {
        const auto has = over == Over::Host ? operators_.permissionOverHost(caller)
                                            : operators_.permission(caller);
        return has && *has >= needed;
    };
    context.onAdHoc(std::move(command), this, handler);
}

Task<CommandResult> Administration::run(const AdHocCall& call, std::string_view name,
                                        RawArguments arguments) {
    const auto permission = operators_.permissionOverHost(call.caller).value_or(Permission::Watch);
    Caller caller{.name = call.caller.text(), .permission = permission, .door = "xmpp"};
    auto outcome = co_await callCommand(server_, name, std::move(arguments), std::move(caller));
    co_return outcome;
}

bool Administration::isOurs(const Jid& account) const {
    return account.hasLocal() && account.domain() == host_;
}

// Several accounts: what fails for one does not keep the others from it.
Task<AdHocReply> Administration::runOnEach(const AdHocCall& call, std::string_view name,
                                           std::string_view title) {
    if (call.answers.empty()) co_return askForAccounts(title);
    const auto jids = call.answers[0].jids("accountjids");
    if (jids.empty() || jids.size() > accountsPerCallMax)
        co_return AdHocReply::failed(
            {Condition::NotAcceptable,
             "Name 1 to " + std::to_string(accountsPerCallMax) + " accounts."});
    for (const Jid& jid : jids)
        if (!isOurs(jid)) co_return AdHocReply::failed(elsewhere());
    auto reply = AdHocReply::done();
    for (const Jid& jid : jids) {
        RawArguments arguments;
        arguments.emplace("address", jid.text());
        const auto outcome = co_await run(call, name, std::move(arguments));
        if (!outcome.isRefusal()) continue;
        if (jids.size() == 1) co_return replyTo(outcome);
        reply.note(jid.text() + ": " + outcome.error().message, AdHocNote::Kind::Error);
    }
    co_return reply;
}

Task<AdHocReply> Administration::addUser(const AdHocCall& call) {
    if (call.answers.empty()) {
        auto form = question("Add a user");
        form.add(accountField());
        form.add({.var = "password",
                  .type = FieldType::TextPrivate,
                  .label = "The password",
                  .isRequired = true});
        form.add({.var = "password-verify",
                  .type = FieldType::TextPrivate,
                  .label = "The password again",
                  .isRequired = true});
        co_return AdHocReply::ask(std::move(form));
    }
    const DataForm& answer = call.answers[0];
    const Jid jid = answer.jid("accountjid").value();
    if (!isOurs(jid)) co_return AdHocReply::failed(elsewhere());
    if (answer.text("password") != answer.text("password-verify"))
        co_return AdHocReply::failed({Condition::NotAcceptable, "The two passwords differ."});
    RawArguments arguments;
    arguments.emplace("address", jid.text());
    arguments.emplace("password", std::string{answer.text("password")});
    const auto outcome = co_await run(call, "user add", std::move(arguments));
    co_return replyTo(outcome);
}

Task<AdHocReply> Administration::deleteUsers(const AdHocCall& call) {
    auto reply = co_await runOnEach(call, "user remove", "Delete users");
    co_return reply;
}
Task<AdHocReply> Administration::disableUsers(const AdHocCall& call) {
    auto reply = co_await runOnEach(call, "user disable", "Disable users");
    co_return reply;
}
Task<AdHocReply> Administration::enableUsers(const AdHocCall& call) {
    auto reply = co_await runOnEach(call, "user enable", "Enable users again");
    co_return reply;
}
Task<AdHocReply> Administration::endSessions(const AdHocCall& call) {
    auto reply = co_await runOnEach(call, "session kick", "End sessions of users");
    co_return reply;
}

Task<AdHocReply> Administration::changePassword(const AdHocCall& call) {
    if (call.answers.empty()) {
        auto form = question("Change a user's password");
        form.add(accountField());
        form.add({.var = "password",
                  .type = FieldType::TextPrivate,
                  .label = "The new password",
                  .isRequired = true});
        co_return AdHocReply::ask(std::move(form));
    }
    const Jid jid = call.answers[0].jid("accountjid").value();
    if (!isOurs(jid)) co_return AdHocReply::failed(elsewhere());
    RawArguments arguments;
    arguments.emplace("address", jid.text());
    arguments.emplace("password", std::string{call.answers[0].text("password")});
    const auto outcome = co_await run(call, "user passwd", std::move(arguments));
    co_return replyTo(outcome);
}

Task<AdHocReply> Administration::showRoster(const AdHocCall& call) {
    if (call.answers.empty()) co_return askForAccounts("Show a user's contacts");
    const auto jids = call.answers[0].jids("accountjids");
    if (jids.size() != 1)
        co_return AdHocReply::failed(
            {Condition::NotAcceptable, "Ask for the contacts of one account at a time."});
    const Jid jid = jids.front().bare();
    if (!isOurs(jid)) co_return AdHocReply::failed(elsewhere());
    const auto account = co_await server_.stores().accounts.find(jid.text());
    if (!account) co_return AdHocReply::failed(elsewhere());
    adhocLog.notice("contacts shown to an administrator",
                    {{"account", jid.text()}, {"caller", call.caller.text()}});
    auto roster = co_await server_.stores().rosters.load(*account);
    auto form = result();
    form.add({.var = "accountjids", .type = FieldType::JidMulti, .values = {jid.text()}});
    auto reply = AdHocReply::done(std::move(form));
    reply.extend([items = std::move(roster.items), most = rowsMax_](Element& x) {
        constexpr std::array<std::string_view, 4> names{"none", "to", "from", "both"};
        Element& query = x.add("query", ns::roster);
        for (std::size_t i = 0; i < std::min(items.size(), most); ++i) {
            Element& item = query.add("item");
            item.set("jid", items[i].jid);
            if (!items[i].name.empty()) item.set("name", items[i].name);
            item.set("subscription", names.at(std::size_t(items[i].subscription)));
            for (const auto& group : items[i].groups) item.addWithText("group", group);
        }
    });
    co_return reply;
}

Task<AdHocReply> Administration::showLastLogin(const AdHocCall& call) {
    if (call.answers.empty()) co_return askForAccounts("Show when a user logged in last");
    const auto jids = call.answers[0].jids("accountjids");
    if (jids.size() != 1)
        co_return AdHocReply::failed({Condition::NotAcceptable, "Ask for one account at a time."});
    if (!isOurs(jids.front())) co_return AdHocReply::failed(elsewhere());
    RawArguments arguments;
    arguments.emplace("address", std::string{jids.front().bareText()});
    const auto outcome = co_await run(call, "user show", std::move(arguments));
    if (outcome.isRefusal()) co_return replyTo(outcome);
    auto form = result();
    form.add({.var = "accountjids",
              .type = FieldType::JidMulti,
              .values = {std::string{jids.front().bareText()}}});
    const auto when = factOf(outcome, "last login");
    form.add(
        {.var = "lastlogin", .label = "Last login", .values = {when.empty() ? "never" : when}});
    co_return AdHocReply::done(std::move(form));
}

Task<AdHocReply> Administration::showStatistics(const AdHocCall& call) {
    if (call.answers.empty()) co_return askForAccount("Show statistics of a user");
    const Jid jid = call.answers[0].jid("accountjid").value().bare();
    if (!isOurs(jid)) co_return AdHocReply::failed(elsewhere());
    RawArguments arguments;
    arguments.emplace("address", jid.text());
    const auto outcome = co_await run(call, "user show", arguments);
    if (outcome.isRefusal()) co_return replyTo(outcome);
    const auto sessions = co_await run(call, "session list", std::move(arguments));
    FormField addresses{
        .var = "ipaddresses", .type = FieldType::TextMulti, .label = "Clients' addresses"};
    FormField resources{
        .var = "onlineresources", .type = FieldType::TextMulti, .label = "Resources"};
    for (const auto& row : sessions.rows()) {
        for (const auto& text : textsOf(row.back()))
            if (!text.empty()) addresses.values.push_back(text);
        for (const auto& text : textsOf(row.front()))
            if (const auto full = Jid::parse(text)) resources.values.emplace_back(full->resource());
    }
    auto form = result();
    form.add({.var = "rostersize", .label = "Contacts", .values = {factOf(outcome, "contacts")}});
    form.add(std::move(resources));
    form.add(std::move(addresses));
    co_return AdHocReply::done(std::move(form));
}

// ---- numbers and lists

Task<std::vector<std::string>> Administration::accounts(Among among, std::size_t most) {
    std::vector<std::string> found;
    std::string after;
    for (bool more = true; more && found.size() < most;) {
        const auto page = co_await server_.stores().accounts.list(host_, after, accountsPage);
        for (const auto& account : page) {
            after = account.jid;
            if (among == Among::All || account.isDisabled) found.push_back(account.jid);
        }
        more = page.size() == accountsPage;
    }
    co_return found;
}

Task<CommandResult> Administration::online(const AdHocCall& call, std::string_view state) {
    RawArguments arguments;
    arguments.emplace("host", host_);
    if (!state.empty()) arguments.emplace("state", std::string{state});
    auto result = co_await run(call, "user online", std::move(arguments));
    co_return result;
}

std::size_t Administration::wantedItems(const DataForm& answer) const {
    return std::size_t(std::min<std::int64_t>(
        answer.number("max_items").value_or(std::int64_t(rowsMax_)), std::int64_t(rowsMax_)));
}

Task<AdHocReply> Administration::countRegistered(const AdHocCall&) {
    const auto number = co_await server_.stores().accounts.count(host_);
    co_return numberResult("registeredusersnum", "Accounts", number);
}
Task<AdHocReply> Administration::countDisabled(const AdHocCall&) {
    const auto found = co_await accounts(Among::Disabled, SIZE_MAX);
    co_return numberResult("disabledusersnum", "Disabled accounts", std::int64_t(found.size()));
}
Task<AdHocReply> Administration::countOnline(const AdHocCall& call) {
    auto reply = co_await countThose(call, "", "onlineusersnum", "Accounts online");
    co_return reply;
}
Task<AdHocReply> Administration::countActive(const AdHocCall& call) {
    auto reply = co_await countThose(call, "active", "activeusersnum", "Active accounts");
    co_return reply;
}
Task<AdHocReply> Administration::countIdle(const AdHocCall& call) {
    auto reply = co_await countThose(call, "idle", "idleusersnum", "Idle accounts");
    co_return reply;
}
Task<AdHocReply> Administration::countThose(const AdHocCall& call, std::string_view state,
                                            std::string_view var, const char* label) {
    const auto found = co_await online(call, state);
    if (found.isRefusal()) co_return replyTo(found);
    co_return numberResult(var, label, std::int64_t(found.rows().size()));
}
Task<AdHocReply> Administration::listRegistered(const AdHocCall& call) {
    if (call.answers.empty()) co_return askForNumber("List the accounts");
    const std::size_t most = wantedItems(call.answers[0]);
    auto found = co_await accounts(Among::All, most + 1);
    co_return listResult("registereduserjids", "Accounts", std::move(found), most);
}
Task<AdHocReply> Administration::listDisabled(const AdHocCall& call) {
    if (call.answers.empty()) co_return askForNumber("List the disabled accounts");
    const std::size_t most = wantedItems(call.answers[0]);
    auto found = co_await accounts(Among::Disabled, most + 1);
    co_return listResult("disableduserjids", "Disabled accounts", std::move(found), most);
}
Task<AdHocReply> Administration::listOnline(const AdHocCall& call) {
    auto reply = co_await listThose(call, "", "onlineuserjids", "List who is online");
    co_return reply;
}
Task<AdHocReply> Administration::listActive(const AdHocCall& call) {
    auto reply =
        co_await listThose(call, "active", "activeuserjids", "List who is online and active");
    co_return reply;
}
Task<AdHocReply> Administration::listIdle(const AdHocCall& call) {
    auto reply = co_await listThose(call, "idle", "idleuserjids", "List who is online and idle");
    co_return reply;
}
Task<AdHocReply> Administration::listThose(const AdHocCall& call, std::string_view state,
                                           std::string_view var, const char* title) {
    if (call.answers.empty()) co_return askForNumber(title);
    const std::size_t most = wantedItems(call.answers[0]);
    const auto found = co_await online(call, state);
    if (found.isRefusal()) co_return replyTo(found);
    co_return listResult(var, "Accounts", firstColumn(found), most);
}

// ---- who may not come in

// What was taken from the list is unblocked, what was added blocked; the rest keeps its reason and
// term.
Task<AdHocReply> Administration::editBlacklist(const AdHocCall& call) {
    RawArguments nothing;
    const auto blocked = co_await run(call, "block list", std::move(nothing));
    if (blocked.isRefusal()) co_return replyTo(blocked);
    const auto now = firstColumn(blocked);
    if (now.size() > blockedMax)
        co_return AdHocReply::failed(
            {Condition::NotAcceptable,
             "The list is too long for a form; there are commands for single addresses."});
    if (call.answers.empty()) {
        auto form = question("Edit the blocked addresses and domains");
        form.setInstructions(
            "Nothing of these reaches anybody here, or the other way. The list is the server's.");
        form.add({.var = "blacklistjids",
                  .type = FieldType::JidMulti,
                  .label = "Blocked",
                  .values = now});
        co_return AdHocReply::ask(std::move(form));
    }
    std::vector<std::string> wanted;
    for (const Jid& jid : call.answers[0].jids("blacklistjids"))
        wanted.push_back(jid.bare().text());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::vector<std::pair<std::string_view, std::string>> changes;
    for (const auto& jid : now)
        if (!std::binary_search(wanted.begin(), wanted.end(), jid))
            changes.emplace_back("block remove", jid);
    for (const auto& jid : wanted)
        if (std::find(now.begin(), now.end(), jid) == now.end())
            changes.emplace_back("block add", jid);
    auto reply = AdHocReply::done();
    for (const auto& [name, jid] : changes) {
        RawArguments arguments;
        arguments.emplace("address", jid);
        const auto outcome = co_await run(call, name, std::move(arguments));
        if (outcome.isRefusal())
            reply.note(jid + ": " + outcome.error().message, AdHocNote::Kind::Error);
    }
    co_return reply;
}

// ---- what people are told

Task<AdHocReply> Administration::runWithText(const AdHocCall& call, std::string_view name,
                                             std::string_view var) {
    RawArguments arguments;
    arguments.emplace("host", host_);
    if (!var.empty()) arguments.emplace("text", call.answers[0].lines(var));
    const auto outcome = co_await run(call, name, std::move(arguments));
    co_return replyTo(outcome);
}

Task<AdHocReply> Administration::announceOnline(const AdHocCall& call) {
    if (call.answers.empty())
        co_return askForText("Tell something to all who are online", "announcement",
                             "Announcement");
    auto reply = co_await runWithText(call, "announce online", "announcement");
    co_return reply;
}
Task<AdHocReply> Administration::announceAll(const AdHocCall& call) {
    if (call.answers.empty())
        co_return askForText("Tell something to all accounts", "announcement", "Announcement");
    auto reply = co_await runWithText(call, "announce all", "announcement");
    co_return reply;
}
Task<AdHocReply> Administration::setMotd(const AdHocCall& call) {
    if (call.answers.empty())
        co_return askForText("Set the message of the day", "motd", "Message of the day");
    auto reply = co_await runWithText(call, "motd set", "motd");
    co_return reply;
}
Task<AdHocReply> Administration::editMotd(const AdHocCall& call) {
    if (call.answers.empty()) {
        RawArguments arguments;
        arguments.emplace("host", host_);
        const auto now = co_await run(call, "motd show", std::move(arguments));
        co_return askForText("Edit the message of the day", "motd", "Message of the day",
                             factOf(now, "text"));
    }
    auto reply = co_await runWithText(call, "motd set", "motd");
    co_return reply;
}
Task<AdHocReply> Administration::deleteMotd(const AdHocCall& call) {
    auto reply = co_await runWithText(call, "motd remove", "");
    co_return reply;
}
Task<AdHocReply> Administration::setWelcome(const AdHocCall& call) {
    if (call.answers.empty())
        co_return askForText("Set what new accounts are told", "welcome", "Welcome message");
    auto reply = co_await runWithText(call, "welcome set", "welcome");
    co_return reply;
}
Task<AdHocReply> Administration::deleteWelcome(const AdHocCall& call) {
    auto reply = co_await runWithText(call, "welcome remove", "");
    co_return reply;
}

// ---- administrators

namespace {

constexpr AccountId nobody = 0;
std::string adminsKey(std::string_view host) { return "admins/" + std::string{host}; }

// An address holds no new line.
std::vector<std::string> readLines(std::string_view text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        lines.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

}  // namespace

Task<Duration> Administration::loadAdmins() {
    const std::string key = adminsKey(host_);
    const auto stored = co_await store_.get(nobody, key);
    if (stored) operators_.setNamed(readLines(*stored));
    co_return never;
}

Task<> Administration::saveAdmins(std::vector<std::string> jids) {
    std::string lines;
    for (const auto& jid : jids) lines += jid + "\n";
    const std::string key = adminsKey(host_);
    co_await store_.put(nobody, key, lines);
    operators_.setNamed(jids);
}

// Who gets the address next is no administrator. The services hold this until it is stored.
Verdict Administration::onRemoved(AccountEvent& event) {
    auto named = operators_.named();
    if (std::erase(named, event.account.text()) == 0) return Verdict::Pass;
    operators_.setNamed(named);
    start(saveAdmins(std::move(named)),
          [services = server_.here().host(host_)->sharedServices()](std::exception_ptr) {});
    return Verdict::Pass;
}

// Those of the configuration are no part of it: they stay whatever is named here.
Task<AdHocReply> Administration::editAdmins(const AdHocCall& call) {
    if (call.answers.empty()) {
        auto form = question("Name the administrators of this host");
        form.setInstructions(
            "They administer the accounts of this host, besides those whom the configuration "
            "names.");
        form.add({.var = "adminjids",
                  .type = FieldType::JidMulti,
                  .label = "Administrators",
                  .values = operators_.named()});
        co_return AdHocReply::ask(std::move(form));
    }
    const auto jids = call.answers[0].jids("adminjids");
    if (jids.size() > accountsPerCallMax)
        co_return AdHocReply::failed(
            {Condition::NotAcceptable, "These are too many administrators."});
    std::vector<std::string> named;
    for (const Jid& jid : jids) {
        if (!isOurs(jid) || !jid.isBare()) co_return AdHocReply::failed(elsewhere());
        const auto account = co_await server_.stores().accounts.find(jid.text());
        if (!account) co_return AdHocReply::failed(elsewhere());
        named.push_back(jid.text());
    }
    co_await saveAdmins(named);
    adhocLog.notice(
        "administrators were named",
        {{"host", host_}, {"caller", call.caller.text()}, {"number", std::int64_t(jids.size())}});
    co_return AdHocReply::done();
}

// ---- the end

Task<AdHocReply> Administration::restart(const AdHocCall& call) {
    auto reply = co_await end(call, "restart", "Restart the server");
    co_return reply;
}
Task<AdHocReply> Administration::shutdown(const AdHocCall& call) {
    auto reply = co_await end(call, "stop", "Shut down the server");
    co_return reply;
}
Task<AdHocReply> Administration::end(const AdHocCall& call, std::string_view name,
                                     std::string_view title) {
    if (call.answers.empty()) co_return askForEnd(title);
    const DataForm& answer = call.answers[0];
    RawArguments arguments;
    arguments.emplace("delay", std::to_string(answer.number("delay").value_or(60)) + "s");
    auto text = answer.lines("announcement");
    if (!text.empty()) arguments.emplace("announcement", std::move(text));
    const auto outcome = co_await run(call, name, std::move(arguments));
    auto reply = replyTo(outcome);
    for (const auto& warning : outcome.warnings()) reply.note(warning, AdHocNote::Kind::Warn);
    co_return reply;
}

}  // namespace epode::adhoc
