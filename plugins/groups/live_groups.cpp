#include "live_groups.h"

#include "core/log.h"
#include "core/worker_pool.h"
#include "route/account.h"
#include "route/presence_rules.h"
#include "route/roster_xml.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"

#include <algorithm>
#include <map>

namespace epode {

namespace {

const Log groupLog{"groups"};

// A turn of a shard is not for more than so many pushes.
constexpr std::size_t pushesPerTurn = 500;
constexpr auto reloadAgain = std::chrono::seconds{5};

void warnOfCut(const std::vector<Group>& groups, const std::string& host) {
    for (const Group& group : groups)
        if (group.isCut)
            groupLog.warning("a group has more members than it may have; the newest are left out",
                             {{"host", host}, {"group", group.name}});
}

// The version of a push that is not the last one of several: no client that comes back with it is
// up to date.
constexpr std::int64_t noVersion = -1;

void pushAll(Account& account, const std::vector<Jid>& contacts) {
    const Roster& roster = account.roster();
    for (std::size_t i = 0; i < contacts.size(); ++i) {
        const std::int64_t version = i + 1 < contacts.size() ? noVersion : roster.version();
        Contact gone;
        gone.jid = contacts[i];
        const Contact* now = roster.find(contacts[i]);
        const bool isListed = now && now->listed;
        const auto push = rosterPush(account, isListed ? *now : gone,
                                     isListed ? ItemForm::Full : ItemForm::Removed, version);
        for (const auto& session : account.sessions())
            if (session->isInterested())
                session->deliver(Stanza::readdressed(push, session->jid()));
    }
}

std::size_t showTo(Account& account, const SharedDifference& difference) {
    std::vector<Jid> contacts;
    for (const auto* some : {&difference.removed, &difference.changed, &difference.added})
        for (const Jid& jid : *some)
            if (jid != account.jid()) contacts.push_back(jid);
    pushAll(account, contacts);
    PresenceRules presence{account};
    for (const Jid& jid : difference.removed)
        if (jid != account.jid()) presence.unsubscribed(jid);
    for (const Jid& jid : difference.added)
        if (jid != account.jid()) presence.showTo(jid);
    return contacts.size();
}

}  // namespace

std::shared_ptr<LiveGroups> LiveGroups::of(Server& server, const std::string& host) {
    return server.parts().findOrMake<LiveGroups>(
        host, [&] { return std::make_shared<LiveGroups>(server, host); });
}

std::shared_ptr<LiveGroups> LiveGroups::find(Server& server, const std::string& host) {
    return server.parts().find<LiveGroups>(host);
}

void LiveGroups::setMembersMax(std::size_t membersMax) {
    const std::lock_guard lock{mutex_};
    membersMax_ = membersMax;
}

std::size_t LiveGroups::membersMax() const {
    const std::lock_guard lock{mutex_};
    return membersMax_;
}

std::shared_ptr<const Directory> LiveGroups::directory() const {
    const std::lock_guard lock{mutex_};
    return directory_;
}

void LiveGroups::ensureLoaded(SqlConnection& connection) {
    if (directory()) return;
    const std::lock_guard loading{loading_};
    if (directory()) return;
    const auto groups = readGroups(connection, host_, membersMax());
    warnOfCut(groups, host_);
    auto made = std::make_shared<const Directory>(groups, nullptr);
    const std::lock_guard lock{mutex_};
    if (!directory_) directory_ = std::move(made);
}

// Not what was read with the account: a change may have come since, and its turn on this shard is
// over.
void LiveGroups::attach(Account& account) const {
    if (const auto current = directory())
        account.roster().share(account.jid(), current->contactsOf(account.jid()));
}

void LiveGroups::reload() {
    {
        const std::lock_guard lock{mutex_};
        isStale_ = true;
        if (isReloading_) return;
        isReloading_ = true;
        isStale_ = false;
    }
    start(load(), [self = shared_from_this()](std::optional<std::shared_ptr<const Directory>> made,
                                              std::exception_ptr failure) {
        if (!failure) self->publish(std::move(*made));
        bool again = false;
        {
            const std::lock_guard lock{self->mutex_};
            self->isReloading_ = false;
            again = self->isStale_;
        }
        if (failure) {
            groupLog.warning("the groups could not be read; it is tried again",
                             {{"host", self->host_}});
            self->retryLater();
        } else if (again) {
            self->reload();
        }
    });
}

// Whoever has asked: the timer belongs to the first shard.
void LiveGroups::retryLater() {
    Executor& executor = server_.shard(0).executor();
    executor.post([weak = weak_from_this(), &executor] {
        if (const auto self = weak.lock())
            self->retry_ = executor.after(reloadAgain, [self = self.get()] { self->reload(); });
    });
}

Task<std::shared_ptr<const Directory>> LiveGroups::load() {
    GroupStore store{server_.database()};
    const std::size_t most = membersMax();
    const auto groups = co_await store.load(host_, most);
    warnOfCut(groups, host_);
    const auto before = directory();
    auto work = [&groups, &before] {
        return std::make_shared<const Directory>(groups, before.get());
    };
    auto made = co_await offload(server_.workers(), work);
    co_return made;
}

// First it is there for accounts that are being loaded, then those that are there get it.
void LiveGroups::publish(std::shared_ptr<const Directory> directory) {
    {
        const std::lock_guard lock{mutex_};
        directory_ = std::move(directory);
    }
    for (unsigned i = 0; i < server_.shardCount(); ++i) {
        Shard& shard = server_.shard(i);
        shard.executor().post([self = shared_from_this(), &shard] { self->show(shard); });
    }
}

void LiveGroups::show(Shard& shard) {
    const auto current = directory();
    std::map<std::pair<const SharedContacts*, const SharedContacts*>, SharedDifference> known;
    std::vector<std::shared_ptr<const SharedContacts>> kept;  // their addresses are keys
    std::size_t pushed = 0;
    bool isMore = false;
    shard.eachAccount([&](Account& account) {
        if (account.jid().domain() != host_) return;
        const auto before = account.roster().shared();
        const auto now = current->contactsOf(account.jid());
        if (before == now) return;
        if (pushed >= pushesPerTurn) {
            isMore = true;
            return;
        }
        const auto [place, isNew] = known.try_emplace({before.get(), now.get()});
        if (isNew) {
            place->second = differenceOf(before.get(), now.get());
            kept.push_back(before);
        }
        account.roster().share(account.jid(), now);
        pushed += account.sessions().empty() ? 0 : showTo(account, place->second);
    });
    if (isMore) shard.executor().post([self = shared_from_this(), &shard] { self->show(shard); });
}

}  // namespace epode
