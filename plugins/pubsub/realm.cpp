#include "realm.h"

#include "core/executor.h"

#include <algorithm>

namespace epode::pubsub {

Task<Turns::Turn> Turns::take() {
    if (isTaken_) {
        Callback<bool> turn{
            [this](Callback<bool>::Resolve resolve) { waiting_.push_back(std::move(resolve)); }};
        co_await turn;
    }
    isTaken_ = true;
    co_return Turn(*this);
}

// Posted, so that many who wait don't stand on each other's stack. Meanwhile the turn stays taken.
void Turns::next() {
    if (waiting_.empty()) {
        isTaken_ = false;
        return;
    }
    auto resolve = std::move(waiting_.front());
    waiting_.pop_front();
    Executor::current()->post([resolve = std::move(resolve)]() mutable { resolve(true); });
}

std::string placeOf(std::string_view domain, std::string_view node) {
    std::string place{domain};
    place.append("/").append(node);
    return place;
}

RealmPtr Realms::use(const std::string& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->realm;
}

RealmPtr Realms::loaded(const std::string& bare) { return use(bare); }

void Realms::forget(const std::string& bare) {
    ++forgotten_;
    const auto found = places_.find(bare);
    if (found == places_.end()) return;
    entries_.erase(found->second);
    places_.erase(found);
}

// Somebody else may have loaded the same meanwhile; his is the one.
RealmPtr Realms::keep(const std::string& key, ServiceKind kind, const Jid& address,
                      StoredNodes stored) {
    if (auto found = use(key)) return found;
    auto realm = std::make_shared<Realm>();
    realm->kind = kind;
    realm->address = address;
    realm->owner.account = stored.account;
    if (kind == ServiceKind::Domain) realm->owner.domain = address.text();
    for (Node& node : stored.nodes) {
        auto name = node.name;
        realm->nodes.emplace(std::move(name), std::make_shared<Node>(std::move(node)));
    }
    realm->moved = std::move(stored.moved);
    entries_.push_front({key, realm});
    places_[key] = entries_.begin();
    // What somebody works with stays.
    for (auto place = std::prev(entries_.end());
         entries_.size() > most_ && place != entries_.begin();) {
        const auto candidate = place--;
        if (candidate->realm.use_count() > 1) continue;
        places_.erase(candidate->key);
        entries_.erase(candidate);
    }
    return realm;
}

Task<std::vector<RealmPtr>> Realms::accounts(std::vector<std::string> bares) {
    std::vector<RealmPtr> found;
    std::vector<std::string> missing;
    for (auto& bare : bares) {
        if (auto realm = use(bare))
            found.push_back(std::move(realm));
        else
            missing.push_back(std::move(bare));
    }
    while (!missing.empty()) {
        const unsigned before = forgotten_;
        const auto loaded = co_await store_.loadAccounts(missing);
        // An account that is removed while it is read must not come back with its nodes.
        if (before != forgotten_) continue;
        for (const auto& [bare, stored] : loaded)
            found.push_back(keep(bare, ServiceKind::Account, *Jid::parse(bare), stored));
        missing.clear();
    }
    co_return found;
}

Task<RealmPtr> Realms::account(std::string bare) {
    if (auto realm = use(bare)) co_return realm;
    std::vector<std::string> one;
    one.push_back(std::move(bare));
    auto found = co_await accounts(std::move(one));
    if (found.empty()) co_return RealmPtr{};
    co_return std::move(found.front());
}

Task<RealmPtr> Realms::node(Jid domain, std::string name) {
    const std::string key = placeOf(domain.text(), name);
    if (auto realm = use(key)) co_return realm;
    auto stored = co_await store_.loadNode(domain.text(), name);
    co_return keep(key, ServiceKind::Domain, domain, std::move(stored));
}

}  // namespace epode::pubsub
