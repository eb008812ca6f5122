#include "control/account_transfer.h"

#include "control/server_data.h"
#include "core/log.h"
#include "core/worker_pool.h"
#include "route/account_admin.h"
#include "route/credentials.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/keyed_store.h"
#include "store/stores.h"

#include <algorithm>
#include <map>
#include <set>

namespace epode {

namespace {

const Log routeLog{"route"};

using Kind = AccountFileReader::Item::Kind;
using Items = std::vector<AccountFileReader::Item>;

constexpr std::size_t writesOpenMax = 500;
constexpr std::size_t warningsMax = 50;

void warn(TransferReport& report, std::string text) {
    if (report.warnings.size() == warningsMax)
        report.warnings.push_back("… and more of this kind.");
    if (report.warnings.size() > warningsMax) return;
    if (std::find(report.warnings.begin(), report.warnings.end(), text) == report.warnings.end())
        report.warnings.push_back(std::move(text));
}

bool isCovered(const std::vector<OwnedData>& kinds, std::string_view component) {
    return std::any_of(kinds.begin(), kinds.end(), [component](const OwnedData& kind) {
        return !component.empty() && kind.data.component == component && kind.data.write;
    });
}

}  // namespace

void TransferReport::count(const std::string& where, const std::string& what, DataCount count) {
    if (count.done == 0 && count.refused == 0) return;
    for (TransferRow& row : rows) {
        if (row.where != where || row.what != what) continue;
        row.done += count.done;
        row.refused += count.refused;
        return;
    }
    rows.push_back({where, what, count.done, count.refused});
}

// ---- export

Task<std::optional<TransferReport>> exportAccount(Server& server, std::vector<OwnedData> kinds,
                                                  Jid jid, AccountSink& sink) {
    const std::string address = jid.text();
    const auto summary = co_await server.stores().accounts.summary(address);
    const auto credentials = co_await server.stores().accounts.credentials(address);
    if (!summary || !credentials) co_return std::nullopt;
    TransferReport report;
    report.accounts = 1;
    const AccountRef account{server, jid, summary->account};

    std::string xml =
        "<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0'>\n<host jid='";
    escapeAttribute(xml, jid.domain());
    xml.append("'>\n<user name='");
    escapeAttribute(xml, jid.local());
    xml.append("'>\n").append(writeAccountElements(*summary, *credentials)).append("\n");
    co_await sink.write(std::move(xml));
    report.count("server", "keys of the password", {std::int64_t(credentials->keys.size()), 0});

    const std::string newline = "\n";
    for (const OwnedData& kind : kinds) {
        if (!kind.data.write) continue;
        const auto count = co_await kind.data.write(account, sink);
        if (count > 0) {
            std::string end = newline;
            auto writing = sink.write(std::move(end));
            co_await writing;
        }
        report.count(kind.owner, std::string{kind.data.what}, {count, 0});
    }
    const auto components = co_await KeyedStore::components(server.database(), account.id);
    for (const std::string& component : components) {
        if (isCovered(kinds, component)) continue;
        KeyedStore store{server.database(), component};
        const std::string all;
        const auto values = co_await store.list(account.id, all);
        std::string text = writeValues(component, values) + "\n";
        co_await sink.write(std::move(text));
        report.count(component, "values", {std::int64_t(values.size()), 0});
    }
    const auto waiting = co_await exportWaiting(account, sink);
    report.count("server", "messages that wait", {waiting, 0});
    const auto archived = co_await exportArchive(account, sink);
    report.count("server", "messages of the archive", {archived, 0});
    std::string end = "\n</user>\n</host>\n</server-data>\n";
    co_await sink.write(std::move(end));
    routeLog.info("account exported", {{"account", address}});
    co_return report;
}

// ---- erasing

Task<std::optional<TransferReport>> eraseAccount(Server& server, std::vector<OwnedData> kinds,
                                                 Jid jid) {
    const std::string address = jid.text();
    const auto found = co_await server.stores().accounts.find(address);
    if (!found) co_return std::nullopt;
    TransferReport report;
    report.accounts = 1;
    const AccountRef account{server, jid, *found};
    for (const OwnedData& kind : kinds) {
        if (!kind.data.erase) continue;
        const auto count = co_await kind.data.erase(account);
        report.count(kind.owner, std::string{kind.data.what}, {count, 0});
    }
    const auto before = co_await server.stores().accounts.rows(account.id);
    for (const AccountRows& rows : before) report.count(rows.table, rows.what, {rows.rows, 0});
    co_await removeAccount(server, jid);
    const auto after = co_await server.stores().accounts.rows(account.id);
    for (const AccountRows& rows : after)
        warn(report, "Still there: " + std::to_string(rows.rows) + " " + rows.what + " in " +
                         rows.table + ".");
    co_return report;
}

// ---- import

namespace {

// What the first look at the file has found: nothing is made before it has been read to its end.
struct Planned {
    ImportedAccount account;
    std::string password;
};
using Plan = std::map<std::string, Planned, std::less<>>;

struct Import {
    Server& server;
    std::vector<OwnedData> kinds;
    std::optional<Jid> only;
    TransferReport report;
    Plan plan;

    // The account of the <user/> that is being read.
    std::string host;
    std::optional<Jid> user;
    std::optional<AccountRef> account;
    std::unique_ptr<ArchiveImport> messages;
    std::int64_t refusedMessages = 0;

    bool isWanted(const std::optional<Jid>& jid) const { return jid && (!only || *only == *jid); }
    std::optional<Jid> enter(const Element& element) {
        const std::string name{element.get("name")};
        auto jid = Jid::parse(name + "@" + host);
        if (!jid || name.empty() || !jid->isBare()) {
            warn(report, "Left out: <user name='" + name.substr(0, 200) +
                             "'/> has no valid address at " +
                             (host.empty() ? "an unnamed host" : host) + ".");
            return std::nullopt;
        }
        return jid;
    }

    void planItem(const AccountFileReader::Item& item);
    Task<void> begin();
    Task<void> take(const Element& child);
    Task<void> end();
    Task<void> takeItem(const AccountFileReader::Item& item);
};

void Import::planItem(const AccountFileReader::Item& item) {
    switch (item.kind) {
        case Kind::Host:
            host = item.element->get("jid");
            return;
        case Kind::User: {
            user = enter(*item.element);
            if (!isWanted(user)) return;
            auto [place, isNew] = plan.try_emplace(user->text());
            if (!isNew)
                throw AccountFileError{"The account " + user->text() + " is in the file twice."};
            place->second.password = item.element->get("password");
            return;
        }
        case Kind::Child:
            if (isWanted(user)) readAccountElement(*item.element, plan[user->text()].account);
            return;
        case Kind::UserEnd:
            user.reset();
            return;
        default:
            return;
    }
}

// Makes the account, disabled, so that nobody uses it before it is complete.
Task<void> Import::begin() {
    if (!isWanted(user)) co_return;
    const std::string address = user->text();
    if (!server.isLocal(user->domain())) {
        warn(report, "Left out: this server has no host " + std::string{user->domain()} + ".");
        co_return;
    }
    Planned& planned = plan[address];
    auto keys = planned.account.keys;
    if (keys.empty() && !planned.password.empty()) {
        auto work = [&planned] { return makeKeys(planned.password); };
        auto made = co_await offload(server.workers(), work);
        if (made) keys = std::move(*made);
    }
    const WallTime now = server.here().executor().wallNow();
    const WallTime created = planned.account.created.value_or(now);
    const auto keyCount = std::int64_t(keys.size());
    const auto id = co_await server.stores().accounts.create(address, std::move(keys), created);
    if (!id) {
        warn(report, "Left out: " + address + " exists already.");
        co_return;
    }
    if (keyCount == 0)
        warn(report,
             address + " has no password that can be used; `epodectl user passwd` sets one.");
    co_await server.stores().accounts.setDisabled(address, true);
    account.emplace(AccountRef{server, *user, *id});
    messages = std::make_unique<ArchiveImport>(*account);
    report.count("server", "keys of the password", {keyCount, 0});
}

Task<void> Import::take(const Element& child) {
    ImportedAccount ignored;
    if (child.ns() == pieScramNs || child.is("account", "urn:epode:account:0")) {
        if (!readAccountElement(child, ignored))
            report.count("server", "keys of the password", {0, 1});
        co_return;
    }
    const QName name{child.ns(), child.name()};
    for (const OwnedData& kind : kinds) {
        const auto& elements = kind.data.elements;
        if (!kind.data.read || std::find(elements.begin(), elements.end(), name) == elements.end())
            continue;
        const auto count = co_await kind.data.read(*account, child);
        report.count(kind.owner, std::string{kind.data.what}, count);
        co_return;
    }
    auto values = readValues(child);
    if (!values || isCovered(kinds, values->component)) {
        warn(report, "Nobody here takes <" + std::string{name.name} + " xmlns='" +
                         std::string{name.ns} + "'/>.");
        report.count("nobody", std::string{name.name}, {0, 1});
        co_return;
    }
    KeyedStore store{server.database(), values->component};
    const DataCount count{std::int64_t(values->values.size()), values->refused};
    co_await store.putAll(account->id, std::move(values->values));
    report.count(values->component, "values", count);
}

Task<void> Import::end() {
    const Jid jid = account->jid;
    messages->finish();
    co_await messages->settle(0);
    report.count("server", "messages that wait", {messages->waiting(), 0});
    report.count("server", "messages of the archive",
                 {messages->archived(), std::exchange(refusedMessages, 0)});
    // What was in memory of the account does not know what has been stored.
    Shard& home = server.shardOf(jid.text());
    Executor* const back = Executor::current();
    auto leave = [&home, &jid, back](UniqueFunction<void(bool)> resolve) {
        home.executor().post([&home, &jid, back, resolve = std::move(resolve)]() mutable {
            home.drop(jid);
            back->post([resolve = std::move(resolve)]() mutable { resolve(true); });
        });
    };
    Callback<bool> left(std::move(leave));
    co_await left;
    const std::string address = jid.text();
    const bool isDisabled = plan[address].account.isDisabled;
    co_await server.stores().accounts.setDisabled(address, isDisabled);
    ++report.accounts;
    routeLog.info("account imported", {{"account", address}});
}

Task<void> Import::takeItem(const AccountFileReader::Item& item) {
    if (item.kind == Kind::Host) {
        host = item.element->get("jid");
    } else if (item.kind == Kind::User) {
        user = enter(*item.element);
        co_await begin();
    } else if (item.kind == Kind::UserEnd) {
        if (account) {
            auto ending = end();
            co_await ending;
        }
        account.reset();
        messages.reset();
        user.reset();
    } else if (item.kind == Kind::Unknown) {
        warn(report, "Nobody here takes <" + std::string{item.element->name()} + " xmlns='" +
                         std::string{item.element->ns()} + "'/>.");
    } else if (account) {
        if (item.kind == Kind::Child) {
            auto taking = take(*item.element);
            co_await taking;
        }
        if (item.kind == Kind::Offline && !messages->addWaiting(*item.element)) ++refusedMessages;
        if (item.kind == Kind::Archive && !messages->add(*item.element)) ++refusedMessages;
        co_await messages->settle(writesOpenMax);
    }
}

}  // namespace

Task<TransferReport> importAccounts(Server& server, std::vector<OwnedData> kinds,
                                    std::filesystem::path file, std::optional<Jid> only,
                                    std::function<bool(std::int64_t accounts)> progress) {
    Import import{server, std::move(kinds), std::move(only), {}, {}, {}, {}, {}, {}, 0};
    {
        AccountFileReader reader{file};
        auto read = [&reader] { return reader.next(); };
        for (bool more = true; more;) {
            const auto items = co_await offload(server.workers(), read);
            for (const auto& item : items) import.planItem(item);
            more = !items.empty();
        }
    }
    if (import.only && import.plan.empty())
        throw AccountFileError{"There is no account " + import.only->text() + " in " +
                               file.string() + "."};
    import.host.clear();
    import.report.warnings.clear();

    AccountFileReader reader{file};
    auto read = [&reader] { return reader.next(); };
    std::exception_ptr failure;
    try {
        for (bool more = true; more;) {
            const auto items = co_await offload(server.workers(), read);
            for (const auto& item : items) {
                auto taking = import.takeItem(item);
                co_await taking;
            }
            if (progress && !progress(import.report.accounts))
                throw AccountFileError{"It was ended before it was done."};
            more = !items.empty();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure && import.account) {
        const Jid half = import.account->jid;
        // The messages that are on their way would come after the account has gone.
        try {
            co_await import.messages->settle(0);
        } catch (const std::exception&) {  // that is the failure that is told
        }
        co_await removeAccount(server, half);
    }
    if (failure) std::rethrow_exception(failure);
    co_return std::move(import.report);
}

}  // namespace epode
