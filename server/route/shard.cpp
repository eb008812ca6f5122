#include "route/shard.h"

#include "core/log.h"
#include "core/metric.h"
#include "route/account.h"
#include "route/presence_rules.h"
#include "route/server.h"
#include "route/session.h"
#include "store/database.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {

namespace {

const Log routeLog{"route"};
Gauge accountsLoaded{"epode_accounts_loaded", "Accounts that are held in memory"};

constexpr auto unloadEvery = std::chrono::minutes{1};
constexpr auto unloadAfter = std::chrono::minutes{5};

}  // namespace

// Those who wait for an account that is being read from the store, in order.
struct Shard::Loading {
    struct Waiter {
        UseAccount use;
        UniqueFunction<void()> failed;
    };
    std::vector<Waiter> waiters;
};

Shard::Shard(Server& server, Executor& executor, unsigned number)
    : server_{server}, executor_{executor}, number_{number}, asking_{*this} {}

Shard::~Shard() { accountsLoaded.add(-std::int64_t(accounts_.size())); }

Host* Shard::host(std::string_view domain) {
    const auto found = hosts_.find(domain);
    return found == hosts_.end() ? nullptr : found->second.get();
}

const Shard::Served* Shard::served(std::string_view domain) const {
    const auto found = served_.find(domain);
    return found == served_.end() ? nullptr : &found->second;
}

Account* Shard::loaded(std::string_view bare) {
    const auto found = accounts_.find(bare);
    return found == accounts_.end() ? nullptr : found->second.get();
}

Session* Shard::session(const Jid& full) {
    Account* account = loaded(full.bareText());
    return account ? account->session(full.resource()) : nullptr;
}

void Shard::withAccount(const Jid& bare, UseAccount use, UniqueFunction<void()> failed) {
    if (Account* account = loaded(bare.bareText())) {
        use(account);
        return;
    }
    Host* host = this->host(bare.domain());
    if (!host || !bare.hasLocal()) {
        use(nullptr);
        return;
    }
    const auto waiting = loading_.find(bare.bareText());
    if (waiting != loading_.end()) {
        waiting->second->waiters.push_back({std::move(use), std::move(failed)});
        return;
    }
    auto& loading = loading_[std::string{bare.bareText()}];
    loading = std::make_unique<Loading>();
    loading->waiters.push_back({std::move(use), std::move(failed)});
    load(*host, bare.bare());
}

namespace {

// Runs a host's readers; each of the setups that come of it is to be called with the account.
struct AccountSetups {
    std::shared_ptr<const Services> services;
    std::vector<AccountSetup> setups{};

    void read(SqlConnection& connection, AccountId account) {
        for (const auto& reader : services->accountReaders)
            if (auto setup = reader.read(connection, account)) setups.push_back(std::move(setup));
    }
    void apply(Account& account) {
        for (auto& setup : setups) setup(account);
    }
};

}  // namespace

void Shard::load(Host& host, const Jid& key) {
    auto setups = std::make_shared<AccountSetups>(AccountSetups{host.readers()});
    Stores::Also also;
    if (!setups->services->accountReaders.empty())
        also = [setups](SqlConnection& connection, AccountId account) {
            setups->read(connection, account);
        };
    start(server_.stores().load(key.text(), std::move(also)),
          [this, key, host = &host, setups](std::optional<std::optional<AccountRecord>> record,
                                            std::exception_ptr failure) {
              // Read for plugins that are not the ones any more.
              if (!failure && *record && setups->services != host->readers() &&
                  !host->readers()->accountReaders.empty()) {
                  load(*host, key);
                  return;
              }
              auto waiters = std::move(loading_.extract(key.text()).mapped()->waiters);
              if (failure) {
                  routeLog.warning("an account could not be loaded", {{"account", key.text()}});
                  for (auto& waiter : waiters) waiter.failed();
                  return;
              }
              Account* account = nullptr;
              if (*record) {
                  auto made = std::make_unique<Account>(*this, *host, key, std::move(**record));
                  account = made.get();
                  setups->apply(*account);
                  accounts_.emplace(account->jid().text(), std::move(made));
                  accountsLoaded.add();
                  startUnloading();
              }
              for (auto& waiter : waiters) waiter.use(account ? loaded(key.text()) : nullptr);
          });
}

void Shard::receive(StanzaPtr stanza, Hold hold) {
    const Jid& to = stanza->to();
    Host* host = this->host(to.domain());
    if (!host) {
        if (const Served* served = this->served(to.domain())) {
            receiveForDomain(*served, stanza, std::move(hold));
            return;
        }
        refuse(*stanza, {Condition::RemoteServerNotFound, "No server was found for this domain."});
        return;
    }
    if (!to.hasLocal()) {
        receiveForHost(*host, stanza, std::move(hold));
        return;
    }
    if (Account* account = loaded(to.bareText())) {
        account->receive(stanza, std::move(hold));
        return;
    }
    if (stanza->isPresence() && !mattersOffline(*stanza, server_)) return;
    withAccount(
        to,
        [this, stanza, hold](Account* account) {
            if (account) {
                account->receive(stanza, hold);
                return;
            }
            // Handlers answer for accounts that don't exist as they do for others that the asker may
            // not ask, so that nobody finds out by it which exist.
            const bool isAsked = stanza->isIq() && stanza->isRequest() && stanza->to().isBare() &&
                                 stanza->from().bareText() != stanza->to().text();
            if (Host* host = isAsked ? this->host(stanza->to().domain()) : nullptr) {
                dispatchIq(*this, *host, Addressee::Account, stanza, hold);
                return;
            }
            // RFC 6121, 4.3.2: as strangers are answered who ask for somebody.
            if (stanza->isPresence() && stanza->type() == StanzaType::Probe) {
                server_.route(Stanza::presence(StanzaType::Unsubscribed, stanza->to().bare(),
                                               stanza->from(), stanza->id()));
                return;
            }
            // RFC 6121, 8.5.1 and table 1. A subscription request to nobody is dropped, so that
            // addresses can't be tried out by it.
            const bool isHeadline = stanza->isMessage() && stanza->type() == StanzaType::Headline;
            if (!stanza->isPresence() && !isHeadline)
                refuse(*stanza, {Condition::ServiceUnavailable, "There is no such account here."});
        },
        [this, stanza, hold] {
            refuse(*stanza, {ErrorType::Wait, Condition::InternalServerError,
                             "The server can't reach its storage at the moment; try again later."});
        });
}

// Accounts in memory were read before there were these plugins: they are read for them first. Who is
// loaded meanwhile is read for them at once.
void Shard::replace(Host& host, std::shared_ptr<const Services> services, std::shared_ptr<void> all,
                    std::shared_ptr<const ServicesChange> change) {
    const auto isNew = [&host, &change](const AccountReader& reader) {
        if (change && std::find(change->anew.begin(), change->anew.end(), reader.owner) != change->anew.end())
            return true;
        const auto& known = host.services().accountReaders;
        return std::none_of(known.begin(), known.end(), [&reader](const AccountReader& other) {
            return other.owner == reader.owner;
        });
    };
    std::vector<std::pair<Jid, AccountId>> accounts;
    const auto& readers = services->accountReaders;
    if (std::any_of(readers.begin(), readers.end(), isNew))
        for (const auto& [jid, account] : accounts_)
            if (&account->host() == &host) accounts.emplace_back(account->jid(), account->id());
    if (accounts.empty()) {
        inForce(host, std::move(services), change.get());
        return;
    }
    host.setReaders(services);
    auto read = std::make_shared<std::vector<AccountSetups>>();
    auto work = [read, accounts, services](SqlConnection& connection) {
        read->clear();
        for (const auto& [jid, account] : accounts)
            read->emplace_back(AccountSetups{services}).read(connection, account);
        return true;
    };
    start(server_.database().read(std::move(work)),
          [this, host = &host, read, accounts = std::move(accounts), services, all, change](
              std::optional<bool> done, std::exception_ptr) {
              if (host->readers() != services) return;  // others have come since
              if (!done) {
                  routeLog.warning("plugins wait for the database", {{"host", host->domain()}});
                  replacing_[host->domain()] = executor_.after(std::chrono::seconds{1}, [this, host, services, all, change] {
                      if (host->readers() == services) replace(*host, services, all, change);
                  });
                  return;
              }
              for (std::size_t i = 0; i < accounts.size(); ++i) {
                  Account* account = loaded(accounts[i].first.text());
                  if (account && account->id() == accounts[i].second) (*read)[i].apply(*account);
              }
              inForce(*host, services, change.get());
          });
}

void Shard::inForce(Host& host, std::shared_ptr<const Services> services, const ServicesChange* change) {
    releaseHeld(host);
    const auto before = host.sharedServices();
    replace(host, std::move(services));
    if (change && change->taken) change->taken(*this, host, *before);
    if (number_ == 0) host.startBackground(executor_);
}

void Shard::receiveForHost(Host& host, const StanzaPtr& stanza, Hold hold) {
    const auto& hook = host.services().toHost;
    if (!stanza->isIq() && !hook.empty()) {
        HostEvent event{host, *this, stanza, hold};
        if (hook.run(event) == Verdict::Stop) {
            if (event.refusal) refuse(*stanza, *event.refusal);
            return;
        }
    }
    if (stanza->isIq() && stanza->isRequest() && stanza->to().isDomain()) {
        dispatchIq(*this, host, Addressee::Host, stanza, std::move(hold));
        return;
    }
    if (stanza->isIq() && !stanza->isRequest()) {
        Asking::answer(*this, stanza);
        return;
    }
    if (stanza->isIq() || stanza->isMessage())
        refuse(*stanza, {Condition::ServiceUnavailable, "Nobody here serves this."});
}

// The handlers of requests see what is addressed to the domain or to something below it; resources of
// what is below (the people in a room) are the plugin's own matter.
void Shard::receiveForDomain(const Served& served, const StanzaPtr& stanza, Hold hold) {
    if (stanza->isIq() && stanza->isRequest() && stanza->to().isBare()) {
        const auto addressee = stanza->to().hasLocal() ? Addressee::Below : Addressee::Domain;
        dispatchIq(*this, *served.host, addressee, stanza, std::move(hold), served.domain);
        return;
    }
    if (stanza->isIq() && !stanza->isRequest() && stanza->to().isDomain())
        Asking::answer(*this, stanza);
    if (served.domain->receive) {
        receiveServed({stanza, std::move(hold), *served.domain, *served.host, *this});
        return;
    }
    if (stanza->isIq() || stanza->isMessage())
        refuse(*stanza, {Condition::ServiceUnavailable, "Nobody here serves this."});
}

void Shard::replace(Host& host, std::shared_ptr<const Services> services) {
    std::erase_if(served_, [&host](const auto& entry) { return entry.second.host == &host; });
    host.replace(std::move(services));
    for (const ServedDomain& domain : host.services().domains)
        served_.try_emplace(domain.domain, Served{&host, &domain});
}

void Shard::drop(const Jid& bare) {
    Account* account = loaded(bare.bareText());
    if (!account) return;
    while (!account->sessions().empty())
        account->sessions().back()->end(
            {.condition = StreamCondition::NotAuthorized, .text = "The account was removed."});
    accounts_.erase(account->jid().text());
    accountsLoaded.add(-1);
}

void Shard::eachAccount(const std::function<void(Account&)>& visit) {
    for (auto& [key, account] : accounts_) visit(*account);
}

void Shard::refuse(const Stanza& stanza, const StanzaError& error) {
    const bool mayBeAnswered =
        !stanza.isError() && stanza.type() != StanzaType::Result && !stanza.from().empty();
    if (mayBeAnswered) server_.route(stanza.error(error));
}

void Shard::startUnloading() {
    if (unloading_) return;
    unloading_ = executor_.after(unloadEvery, [this] { unloadIdle(); });
}

void Shard::unloadIdle() {
    const auto before = executor_.now() - unloadAfter;
    const auto removed = std::erase_if(accounts_, [before](const auto& entry) {
        return entry.second->isIdle() && entry.second->lastUsed() < before;
    });
    accountsLoaded.add(-std::int64_t(removed));
    unloading_ = {};
    if (!accounts_.empty()) startUnloading();
}

}  // namespace epode
