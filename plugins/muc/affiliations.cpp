#include "affiliations.h"

#include "core/precis.h"

#include <algorithm>

namespace epode::muc {

namespace {

constexpr Affiliation all[] = {Affiliation::Outcast, Affiliation::None, Affiliation::Member,
                               Affiliation::Admin, Affiliation::Owner};

}  // namespace

std::size_t Affiliations::size() const {
    std::size_t sum = 0;
    for (const List& each : lists_) sum += each.size();
    return sum;
}

Affiliated Affiliations::read(Affiliation affiliation, const More* more) {
    Affiliated entry{.affiliation = affiliation};
    if (!more) return entry;
    entry.nick = more->nick;
    entry.reason = more->reason;
    entry.voice = more->voice;
    entry.until = more->until;
    return entry;
}

std::optional<Affiliated> Affiliations::find(const Jid& jid) const {
    for (const Affiliation affiliation : all) {
        const auto found = list(affiliation).find(jid);
        if (found != list(affiliation).end()) return read(affiliation, found->second.get());
    }
    return std::nullopt;
}

Affiliation Affiliations::affiliationOf(const Jid& jid) const {
    for (const Affiliation affiliation : all)
        if (list(affiliation).contains(jid)) return affiliation;
    return Affiliation::None;
}

void Affiliations::set(const Jid& jid, const Affiliated& entry) {
    for (List& each : lists_) {
        const auto found = each.find(jid);
        if (found == each.end()) continue;
        if (const More* more = found->second.get()) {
            if (more->until) terms_.erase({*more->until, jid});
            const auto key = more->nick.empty() ? std::nullopt : precis::nicknameKey(more->nick);
            const auto reserved = key ? reserved_.find(*key) : reserved_.end();
            if (reserved != reserved_.end() && reserved->second == jid) reserved_.erase(reserved);
        }
        each.erase(found);
        break;
    }
    if (entry.isNothing()) return;
    std::unique_ptr<const More> more;
    const bool isPlain =
        entry.nick.empty() && entry.reason.empty() && entry.voice == Voice::Usual && !entry.until;
    if (!isPlain) more.reset(new More{entry.nick, entry.reason, entry.voice, entry.until});
    if (entry.until) terms_.emplace(*entry.until, jid);
    if (!entry.nick.empty())
        if (auto key = precis::nicknameKey(entry.nick)) reserved_.emplace(std::move(*key), jid);
    // Rooms are read in the order of addresses.
    List& target = lists_[std::size_t(entry.affiliation)];
    target.emplace_hint(target.end(), jid, std::move(more));
}

std::vector<Affiliations::Entry> Affiliations::page(Affiliation affiliation, const Jid& after,
                                                    std::size_t most) const {
    std::vector<Entry> found;
    const List& from = list(affiliation);
    for (auto at = after.empty() ? from.begin() : from.upper_bound(after);
         at != from.end() && found.size() < most; ++at)
        found.emplace_back(at->first, read(affiliation, at->second.get()));
    return found;
}

std::vector<Affiliations::Entry> Affiliations::pageBefore(Affiliation affiliation,
                                                          const Jid& before,
                                                          std::size_t most) const {
    std::vector<Entry> found;
    const List& from = list(affiliation);
    for (auto at = before.empty() ? from.end() : from.lower_bound(before);
         at != from.begin() && found.size() < most;) {
        --at;
        found.emplace_back(at->first, read(affiliation, at->second.get()));
    }
    std::reverse(found.begin(), found.end());
    return found;
}

std::vector<Affiliations::Entry> Affiliations::entries() const {
    std::vector<Entry> found;
    found.reserve(size());
    for (const Affiliation affiliation : all)
        for (const auto& [jid, more] : list(affiliation))
            found.emplace_back(jid, read(affiliation, more.get()));
    return found;
}

Jid Affiliations::reserver(const std::string& key) const {
    const auto found = reserved_.find(key);
    return found == reserved_.end() ? Jid{} : found->second;
}

}  // namespace epode::muc
