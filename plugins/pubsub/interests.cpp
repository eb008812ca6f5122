#include "interests.h"

#include "core/caps.h"
#include "core/namespaces.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

constexpr std::string_view notify = "+notify";
constexpr std::string_view secondCaps = "urn:xmpp:caps";
constexpr std::string_view hashes = "urn:xmpp:hashes:2";

// Of one client: more than this nobody is interested in.
constexpr std::size_t interestsMax = 200;
constexpr std::size_t interestsBytesMax = 8192;
// A hash or the name of a program has no reason to be longer.
constexpr std::size_t markBytesMax = 1024;
// Who waits for the answer to one hash, on one shard; a server that restarts has all its clients
// here.
constexpr std::size_t waitersMax = 5000;
constexpr auto patience = std::chrono::seconds{20};

}  // namespace

Interests::Interests(const Element& discoInfo) {
    for (const Element& feature : discoInfo.children()) {
        if (!feature.is("feature", ns::discoInfo)) continue;
        const auto var = feature.get("var");
        if (var.size() > notify.size() && var.ends_with(notify))
            add(var.substr(0, var.size() - notify.size()));
    }
    std::sort(nodes_.begin(), nodes_.end());
}

Interests::Interests(std::string_view text) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (end > 0) add(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    std::sort(nodes_.begin(), nodes_.end());
}

void Interests::add(std::string_view node) {
    if (nodes_.size() >= interestsMax || bytes_ + node.size() > interestsBytesMax) return;
    if (node.find('\n') != std::string_view::npos) return;
    bytes_ += node.size();
    nodes_.emplace_back(node);
}

bool Interests::wants(std::string_view node) const {
    return std::binary_search(nodes_.begin(), nodes_.end(), node, std::less<std::string_view>{});
}

std::string Interests::text() const {
    std::string out;
    for (const auto& node : nodes_) out.append(node).append("\n");
    return out;
}

bool CapsMark::fits(const Element& discoInfo, std::string_view lang) const {
    if (key.empty()) return false;
    const auto found =
        isSecond ? capsHash(discoInfo, hash, lang) : capsVerification(discoInfo, hash);
    return found == value;
}

std::optional<CapsMark> readCaps(const Stanza& presence) {
    if (const Element* caps = presence.child("c", secondCaps)) {
        for (const Element& child : caps->children()) {
            if (!child.is("hash", hashes)) continue;
            const auto hash = parseHash(child.get("algo"));
            const std::string_view value = child.text();
            if (!hash || value.empty() || value.size() > markBytesMax) continue;
            std::string node = capsNode(*hash, value);
            return CapsMark{.key = node,
                            .node = node,
                            .isSecond = true,
                            .hash = *hash,
                            .value = std::string{value}};
        }
    }
    const Element* caps = presence.child("c", ns::caps);
    if (!caps) return std::nullopt;
    const auto ver = caps->get("ver");
    const auto program = caps->get("node");
    if (ver.empty() || ver.size() + program.size() > markBytesMax) return std::nullopt;
    CapsMark mark;
    mark.node = std::string{program} + "#" + std::string{ver};
    mark.value = ver;
    // Without the name of a hash it is the version of a program, which nobody can check.
    const auto hash = parseHash(caps->get("hash"));
    if (hash) {
        mark.hash = *hash;
        mark.key = std::string{toText(*hash)} + " " + mark.value;
    }
    return mark;
}

InterestsPtr InterestsBook::find(const std::string& key) {
    const std::lock_guard lock{mutex_};
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->interests;
}

std::vector<std::string> InterestsBook::put(const std::string& key, InterestsPtr interests) {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> gone;
    if (places_.contains(key)) return gone;
    entries_.push_front({key, std::move(interests)});
    places_[key] = entries_.begin();
    while (entries_.size() > most_) {
        places_.erase(entries_.back().key);
        gone.push_back(std::move(entries_.back().key));
        entries_.pop_back();
    }
    return gone;
}

void InterestsAsker::learn(const Jid& asker, const Jid& client, const CapsMark& mark, Learnt learnt,
                           std::shared_ptr<const void> keep) {
    Waiter waiter{asker, client, std::move(learnt), std::move(keep)};
    if (mark.key.empty()) {
        ask(mark, std::move(waiter));
        return;
    }
    if (const auto known = book_.find(mark.key)) {
        waiter.learnt(known);
        return;
    }
    const auto [place, isFirst] = waiting_.try_emplace(mark.key);
    if (isFirst) {
        ask(mark, std::move(waiter));
    } else if (place->second.size() < waitersMax) {
        place->second.push_back(std::move(waiter));
    } else {
        waiter.learnt(nullptr);
    }
}

void InterestsAsker::ask(const CapsMark& mark, Waiter waiter) {
    auto request = Stanza::iq(StanzaType::Get, waiter.asker, waiter.client, {});
    request->edit().add("query", ns::discoInfo).set("node", mark.node);
    shard_.asking().ask(std::move(request), patience,
                        [this, mark, waiter = std::move(waiter)](const StanzaPtr& answer) mutable {
                            answered(mark, std::move(waiter), answer);
                        });
}

void InterestsAsker::answered(const CapsMark& mark, Waiter waiter, const StanzaPtr& answer) {
    const Element* info = answer && answer->type() == StanzaType::Result
                              ? answer->child("query", ns::discoInfo)
                              : nullptr;
    InterestsPtr found = info ? std::make_shared<const Interests>(*info) : nullptr;
    const bool isTrue = info && mark.fits(*info, answer->lang());
    if (mark.key.empty()) {
        waiter.learnt(found);
        return;
    }
    auto others = waiting_.extract(mark.key);
    if (isTrue) {
        verified_(mark.key, found);
        waiter.learnt(found);
        if (others)
            for (Waiter& other : others.mapped()) other.learnt(found);
        return;
    }
    // What it says holds for itself alone (XEP-0115, 5.4).
    waiter.learnt(found);
    if (!others || others.mapped().empty()) return;
    Waiter next = std::move(others.mapped().front());
    others.mapped().pop_front();
    waiting_.insert(std::move(others));
    ask(mark, std::move(next));
}

}  // namespace epode::pubsub
