#include "published_list.h"

#include <algorithm>

namespace epode::moderation {

namespace {

constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";
constexpr std::string_view pubsubEvent = "http://jabber.org/protocol/pubsub#event";
constexpr std::string_view rsm = "http://jabber.org/protocol/rsm";
constexpr std::size_t hashesMax = 500'000;
constexpr int pagesMax = 1000;
constexpr Duration patience = std::chrono::seconds{30};

bool isHash(std::string_view id) {
    return id.size() == 64 && std::all_of(id.begin(), id.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Task<StanzaPtr> ask(Shard& shard, MutableStanzaPtr request) {
    Callback<StanzaPtr> answered{[&shard, &request](Callback<StanzaPtr>::Resolve resolve) {
        auto shared = std::make_shared<Callback<StanzaPtr>::Resolve>(std::move(resolve));
        shard.asking().ask(std::move(request), patience,
                           [shared](const StanzaPtr& answer) { (*shared)(answer); });
    }};
    auto answer = co_await answered;
    co_return answer;
}

}  // namespace

std::shared_ptr<PublishedList> PublishedList::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash + 1 == text.size()) return nullptr;
    auto service = Jid::parse(text.substr(0, slash));
    if (!service) return nullptr;
    return std::make_shared<PublishedList>(std::move(*service),
                                           std::string{text.substr(slash + 1)});
}

Task<bool> PublishedList::read(Shard& shard, Jid asHost) {
    // First to be told of changes, so that none is missed between.
    auto subscription = Stanza::iq(StanzaType::Set, asHost, service_, {});
    subscription->edit()
        .add("pubsub", pubsub)
        .add("subscribe")
        .set("node", node_)
        .set("jid", asHost.text());
    auto subscribing = ask(shard, std::move(subscription));
    const StanzaPtr subscribed = co_await subscribing;
    if (!subscribed) co_return false;

    auto found = std::make_shared<Hashes>();
    std::string after;
    for (int page = 0; page < pagesMax; ++page) {
        auto request = Stanza::iq(StanzaType::Get, asHost, service_, {});
        Element& wanted = request->edit().add("pubsub", pubsub);
        wanted.add("items").set("node", node_);
        if (!after.empty()) wanted.add("set", rsm).addWithText("after", after);
        auto asking = ask(shard, std::move(request));
        const StanzaPtr answer = co_await asking;
        if (!answer || answer->isError() || !answer->payload()) co_return false;
        const Element* items = answer->payload()->child("items");
        if (!items) break;
        std::size_t fresh = 0;
        for (const Element& item : items->children())
            if (isHash(item.get("id")) && found->size() < hashesMax)
                fresh += found->emplace(item.get("id")).second;
        const Element* set = answer->payload()->child("set", rsm);
        const std::string last{set ? set->childText("last") : std::string_view{}};
        if (fresh == 0 || last.empty() || last == after) break;
        after = last;
    }
    const std::lock_guard lock{mutex_};
    hashes_ = std::move(found);
    readAt_ = shard.executor().wallNow();
    co_return true;
}

bool PublishedList::take(const Stanza& message, bool& isChanged) {
    const Element* event = message.root().child("event", pubsubEvent);
    if (!event || message.from() != service_) return false;
    bool isOwn = false;
    for (const Element& part : event->children()) {
        if (part.get("node") != node_) continue;
        isOwn = true;
        if (part.name() != "items" && part.name() != "purge" && part.name() != "delete") continue;
        const std::lock_guard lock{mutex_};
        auto changed = part.name() == "items" ? std::make_shared<Hashes>(*hashes_)
                                              : std::make_shared<Hashes>();
        for (const Element& item : part.children()) {
            if (!isHash(item.get("id"))) continue;
            if (item.name() == "retract")
                changed->erase(std::string{item.get("id")});
            else if (changed->size() < hashesMax)
                changed->emplace(item.get("id"));
        }
        isChanged = true;
        hashes_ = std::move(changed);
    }
    return isOwn;
}

std::shared_ptr<const Hashes> PublishedList::hashes() {
    const std::lock_guard lock{mutex_};
    return hashes_;
}

PublishedList::State PublishedList::state() {
    const std::lock_guard lock{mutex_};
    return {service_.text() + "/" + node_, hashes_->size(), readAt_};
}

}  // namespace epode::moderation
