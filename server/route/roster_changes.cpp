#include "route/roster_changes.h"

#include "core/log.h"
#include "route/account.h"
#include "route/presence_options.h"
#include "route/presence_rules.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/database.h"

#include <algorithm>
#include <deque>

namespace epode {

namespace {

const Log rosterLog{"roster"};

// Strangers can make it grow while the database is slow; beyond it their stanzas fail.
constexpr std::size_t waitingMax = 1000;

struct Waiting {
    Jid contact;
    std::unique_ptr<RosterStep> step;
};

// The slot of an account; the first one is the one that is being stored.
struct RosterQueue {
    std::deque<Waiting> steps;
    bool isRunning = false;
};

void apply(Account& account, const RosterChange& change, std::int64_t version) {
    Roster& roster = account.roster();
    const Contact& contact = change.contact;
    if (!contact.listed && contact.state == ContactState{}) {
        roster.remove(contact.jid);
    } else {
        roster.put(contact);
    }
    roster.setVersion(version);
}

void run(Account& account);

// The version that it makes.
Task<std::int64_t> store(Account& account, RosterChange change) {
    RosterStore& rosters = account.shard().server().stores().rosters;
    const AccountId id = account.id();
    const std::int64_t version = account.roster().version();
    std::string jid = change.contact.jid.text();
    if (change.isVisible && change.contact.listed) {
        auto item = toItem(change.contact);
        auto made = co_await rosters.put(id, std::move(item));
        co_return made;
    }
    if (change.isVisible) {
        auto made = co_await rosters.remove(id, std::move(jid));
        co_return made.value_or(version);
    }
    if (change.contact.state.pendingIn) {
        const WallTime now = account.shard().executor().wallNow();
        SubscriptionRequest request;
        request.jid = std::move(jid);
        request.stanza = std::move(change.request);
        co_await rosters.putRequest(id, std::move(request), now);
        co_return version;
    }
    co_await rosters.removeRequest(id, std::move(jid));
    co_return version;
}

// The first step's change is stored, with a version, or not. The account may be gone by now, or be
// another one by the same name.
void stored(Shard& shard, const Jid& bare, AccountId id, const RosterChange& change,
            std::optional<std::int64_t> version, const std::exception_ptr& failure) {
    Account* account = shard.loaded(bare.text());
    if (!account || account->id() != id) return;
    auto& queue = account->state<RosterQueue>();
    const auto step = std::move(queue.steps.front().step);
    if (failure) {
        rosterLog.warning("a contact could not be stored", {{"account", bare.text()}});
        step->fail(*account, failure);
    } else {
        apply(*account, change, *version);
        step->finish(*account, &change);
    }
    queue.steps.pop_front();
    queue.isRunning = false;
    run(*account);
}

void run(Account& account) {
    auto& queue = account.state<RosterQueue>();
    if (queue.isRunning) return;
    queue.isRunning = true;
    while (!queue.steps.empty()) {
        RosterStep& step = *queue.steps.front().step;
        auto change = step.decide(account);
        if (!change) {
            step.finish(account, nullptr);
            queue.steps.pop_front();
            continue;
        }
        auto write = store(account, *change);
        start(std::move(write), [&shard = account.shard(), bare = account.jid(), id = account.id(),
                                 change = std::move(*change)](std::optional<std::int64_t> version,
                                                              std::exception_ptr failure) {
            stored(shard, bare, id, change, version, failure);
        });
        return;
    }
    queue.isRunning = false;
}

}  // namespace

void changeRoster(Account& account, const Jid& contact, std::unique_ptr<RosterStep> step) {
    auto& queue = account.state<RosterQueue>();
    if (queue.steps.size() >= waitingMax) {
        step->fail(account, std::make_exception_ptr(
                                StoreUnavailable{"too many changes of one roster wait"}));
        return;
    }
    queue.steps.push_back({contact, std::move(step)});
    run(account);
}

bool isRosterChanging(Account& account, const Jid& contact) {
    const auto* queue = account.slots().find<RosterQueue>();
    return queue && std::any_of(queue->steps.begin(), queue->steps.end(),
                                [&contact](const Waiting& w) { return w.contact == contact; });
}

bool isRosterChanging(const StateSlots& slots) {
    const auto* queue = slots.find<RosterQueue>();
    return queue && !queue->steps.empty();
}

namespace {

// How a request of a client's roster handler ended.
struct Outcome {
    std::optional<StanzaError> refusal;
    std::exception_ptr failure;
};
using Resolve = Callback<Outcome>::Resolve;

class ItemSet final : public RosterStep {
public:
    ItemSet(Jid contact, std::string name, std::vector<std::string> groups, Resolve resolve)
        : contact_{std::move(contact)},
          name_{std::move(name)},
          groups_{std::move(groups)},
          resolve_{std::move(resolve)} {}

    std::optional<RosterChange> decide(Account& account) override {
        const Contact* known = account.roster().own(contact_);
        const auto itemsMax = std::size_t(account.host().get(rosterItemsMax));
        if ((!known || !known->listed) && account.roster().listedCount() >= itemsMax) {
            outcome_.refusal = rosterIsFull();
            return std::nullopt;
        }
        RosterChange change;
        if (known) change.contact = *known;
        change.contact.jid = contact_;
        change.contact.name = std::move(name_);
        change.contact.groups = std::move(groups_);
        change.contact.listed = true;
        change.isVisible = true;
        return change;
    }

    void finish(Account& account, const RosterChange* change) override {
        if (change) account.pushRoster(contact_);
        resolve_(std::move(outcome_));
    }

    void fail(Account&, const std::exception_ptr& failure) override {
        outcome_.failure = failure;
        resolve_(std::move(outcome_));
    }

private:
    Jid contact_;
    std::string name_;
    std::vector<std::string> groups_;
    Resolve resolve_;
    Outcome outcome_;
};

class ItemRemoval final : public RosterStep {
public:
    ItemRemoval(Jid contact, Resolve resolve)
        : contact_{std::move(contact)}, resolve_{std::move(resolve)} {}

    std::optional<RosterChange> decide(Account& account) override {
        const Contact* known = account.roster().own(contact_);
        if (!known || !known->listed) {
            const Contact* shown = account.roster().find(contact_);
            if (shown && shown->listed) {
                outcome_.refusal = StanzaError{Condition::NotAllowed,
                                               "The contact is in a group of this server."};
                return std::nullopt;
            }
            outcome_.refusal = StanzaError{ErrorType::Modify, Condition::ItemNotFound,
                                           "The contact is not in the roster."};
            return std::nullopt;
        }
        before_ = known->state;
        RosterChange change;
        change.contact.jid = contact_;
        change.isVisible = true;
        return change;
    }

    void finish(Account& account, const RosterChange* change) override {
        if (change) {
            account.pushRoster(contact_);
            PresenceRules{account}.parted(contact_, before_);
        }
        resolve_(std::move(outcome_));
    }

    void fail(Account&, const std::exception_ptr& failure) override {
        outcome_.failure = failure;
        resolve_(std::move(outcome_));
    }

private:
    Jid contact_;
    Resolve resolve_;
    ContactState before_;
    Outcome outcome_;
};

class Turn final : public RosterStep {
public:
    explicit Turn(Resolve resolve) : resolve_{std::move(resolve)} {}
    std::optional<RosterChange> decide(Account&) override { return std::nullopt; }
    void finish(Account&, const RosterChange*) override { resolve_(Outcome{}); }
    void fail(Account&, const std::exception_ptr& failure) override {
        resolve_(Outcome{std::nullopt, failure});
    }

private:
    Resolve resolve_;
};

}  // namespace

StanzaError rosterIsFull() {
    return {Condition::ResourceConstraint, "The roster has as many contacts as it may have."};
}

Task<std::optional<StanzaError>> setContact(Account& account, Jid contact, std::string name,
                                            std::vector<std::string> groups) {
    UniqueFunction<void(Resolve)> begin = [&](Resolve resolve) {
        auto step = std::make_unique<ItemSet>(contact, std::move(name), std::move(groups),
                                              std::move(resolve));
        changeRoster(account, contact, std::move(step));
    };
    Callback<Outcome> changed{std::move(begin)};
    auto outcome = co_await changed;
    if (outcome.failure) std::rethrow_exception(outcome.failure);
    co_return std::move(outcome.refusal);
}

Task<std::optional<StanzaError>> removeContact(Account& account, Jid contact) {
    UniqueFunction<void(Resolve)> begin = [&](Resolve resolve) {
        auto step = std::make_unique<ItemRemoval>(contact, std::move(resolve));
        changeRoster(account, contact, std::move(step));
    };
    Callback<Outcome> changed{std::move(begin)};
    auto outcome = co_await changed;
    if (outcome.failure) std::rethrow_exception(outcome.failure);
    co_return std::move(outcome.refusal);
}

Task<bool> rosterTurn(Account& account) {
    if (!isRosterChanging(account.slots())) co_return true;
    UniqueFunction<void(Resolve)> begin = [&account](Resolve resolve) {
        auto step = std::make_unique<Turn>(std::move(resolve));
        changeRoster(account, Jid{}, std::move(step));
    };
    Callback<Outcome> reached{std::move(begin)};
    auto outcome = co_await reached;
    co_return !outcome.failure;
}

}  // namespace epode
