#include "keeper.h"

#include "core/log.h"

#include <utility>

namespace epode::bookmarks {

namespace {

const Log bookmarksLog{"bookmarks"};

// Where the plugin `private` keeps it.
constexpr std::string_view privateKey = "storage storage:bookmarks";
constexpr std::string_view storageId = "current";

// The same tree, whatever the order of attributes.
bool isSame(std::string_view one, std::string_view other) {
    if (one == other) return true;
    const auto a = parseXml(one);
    const auto b = parseXml(other);
    return a && b && **a == **b;
}

Bookmarks read(std::string_view storage) {
    const auto tree = parseXml(storage);
    return tree ? readStorage(**tree) : Bookmarks{};
}

Bookmarks read(const std::vector<PepItem>& items) {
    Bookmarks found;
    for (const PepItem& item : items)
        if (auto address = addressOf(item.id))
            found.insert_or_assign(std::move(*address), Bookmark{item.id, item.payload});
    return found;
}

// What `old` has and `storage` lacks, added to it.
std::string joined(const std::string& storage, const std::string& old) {
    const auto from = parseXml(old);
    auto into = parseXml(storage.empty() ? writeStorage({}, {}) : storage);
    if (!from || !into) return storage;
    for (const Element& child : (*from)->children()) {
        bool isThere = false;
        for (const Element& other : (*into)->children()) isThere = isThere || other == child;
        if (!isThere) (*into)->add(child);
    }
    return toXml(**into);
}

}  // namespace

PepNode itemsNode() {
    return {.name = std::string{ns},
            .config = {{"pubsub#persist_items", "true"},
                       {"pubsub#max_items", "max"},
                       {"pubsub#publish_node_full", "reject"},  // no bookmark goes unasked
                       {"pubsub#send_last_published_item", "never"},
                       {"pubsub#access_model", "whitelist"}},
            .isPrivate = true};
}

PepNode storageNode() {
    return {.name = std::string{oldNs},
            .config = {{"pubsub#persist_items", "true"}, {"pubsub#access_model", "whitelist"}},
            .isPrivate = true};
}

// While it lives, the account's forms are being brought in step; then those who wait go on.
class Keeper::Running {
public:
    explicit Running(std::shared_ptr<Step> step) : step_{std::move(step)} {
        step_->isRunning = true;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
        step_->isRunning = false;
        for (auto& resolve : std::exchange(step_->waiting, {})) resolve(true);
    }

private:
    std::shared_ptr<Step> step_;
};

Keeper::Keeper(Server& server, std::string host, std::size_t roomsMax)
    : server_{server},
      host_{std::move(host)},
      roomsMax_{roomsMax},
      privateXml_{server.database(), "private"} {}

Pep* Keeper::pep() const { return server_.here().host(host_)->services().pep; }

std::shared_ptr<Keeper::Step> Keeper::stepOf(const Jid& account) const {
    Account* loaded = server_.here().loaded(account.text());
    if (!loaded) return std::make_shared<Step>();
    auto& step = loaded->state<Slot>().step;
    if (!step) step = std::make_shared<Step>();
    return step;
}

Task<void> Keeper::ready(Jid account) {
    const auto step = stepOf(account);
    while (step->isRunning) {
        Callback<bool> wait{[&step](Callback<bool>::Resolve resolve) {
            step->waiting.push_back(std::move(resolve));
        }};
        (void)co_await wait;
    }
    if (!step->isInStep || !step->changes.empty()) co_await run(account, step);
}

Task<std::string> Keeper::storage(Jid account) {
    auto item = co_await storageItem(account);
    co_return item ? std::move(item->payload) : std::string();
}

Task<std::optional<StanzaError>> Keeper::keepStorage(Jid account, std::string storage) {
    // At once: what comes later its client can't have seen.
    auto before = co_await this->storage(account);
    co_await ready(account);
    PepPublication publication;
    publication.node = oldNs;
    publication.id = storageId;
    publication.payload = storage;
    publication.config = storageNode().config;
    publication.origin = origin;
    const auto refused = co_await pep()->publish(account, std::move(publication));
    if (refused) co_return *refused;
    storageGiven(account, std::move(before), std::move(storage));
    co_await ready(account);
    co_return std::nullopt;
}

void Keeper::storageGiven(const Jid& account, std::string before, std::string given) {
    const auto step = stepOf(account);
    step->changes.push_back({std::move(before), std::move(given)});
    runSoon(account, step);
}

void Keeper::itemsChanged(const Jid& account) {
    const auto step = stepOf(account);
    step->isDirty = true;
    runSoon(account, step);
}

void Keeper::runSoon(const Jid& account, const std::shared_ptr<Step>& step) {
    if (step->isRunning) return;
    start(run(account, step),
          [keep = server_.here().host(host_)->sharedServices()](std::exception_ptr failure) {
              if (failure) bookmarksLog.warning("bookmarks could not be kept in step");
          });
}

Task<void> Keeper::run(Jid account, std::shared_ptr<Step> step) {
    const Running running{step};
    // Whatever ends this early is made good by the next run.
    if (!std::exchange(step->isInStep, false)) co_await bringTogether(account);
    do {
        step->isDirty = false;
        std::optional<std::string> newest;
        while (!step->changes.empty()) {
            Change change = std::move(step->changes.front());
            step->changes.pop_front();
            newest = change.given;
            co_await apply(account, std::move(change));
        }
        co_await follow(account, std::move(newest));
    } while (step->isDirty || !step->changes.empty());
    step->isInStep = true;
}

// Once for an account that comes into memory: what was there before this plugin, and what a crash
// has left half done. Nothing is lost: what one form has and no other is added to all.
Task<void> Keeper::bringTogether(Jid account) {
    std::optional<std::string> old;
    const Account* loaded = server_.here().loaded(account.text());
    const AccountId id = loaded ? loaded->id() : AccountId{};
    if (loaded) {
        std::string key{privateKey};
        old = co_await privateXml_.get(id, std::move(key));
    }
    const auto stored = co_await storageItem(account);
    const auto current = co_await items(account);
    const Bookmarks bookmarks = read(current);
    if (!old && !stored && current.empty()) co_return;

    const std::string before = stored ? stored->payload : std::string{};
    if (stored && !isSame(before, writeStorage(before, bookmarks))) {
        const Bookmarks listed = read(before);
        for (const auto& [address, bookmark] : listed) {
            const auto known = bookmarks.find(address);
            bool isNewer = true;
            for (const PepItem& item : current)
                if (known != bookmarks.end() && item.id == known->second.id)
                    isNewer = item.published < stored->published;
            if (!isNewer) continue;
            std::string merged = known == bookmarks.end()
                                     ? bookmark.conference
                                     : withExtensions(bookmark, known->second.conference, nullptr);
            if (known != bookmarks.end() && isSame(merged, known->second.conference)) continue;
            std::string itemId = known == bookmarks.end() ? bookmark.id : known->second.id;
            co_await publish(account, std::move(itemId), std::move(merged));
        }
    }
    if (!old) {
        co_await follow(account, std::nullopt);
        co_return;
    }
    const Bookmarks inStorage = read(before);
    const Bookmarks inPrivate = read(*old);
    for (const auto& [address, bookmark] : inPrivate) {
        if (bookmarks.contains(address) || inStorage.contains(address)) continue;
        co_await publish(account, bookmark.id, bookmark.conference);
    }
    std::string all = joined(before, *old);
    co_await follow(account, std::move(all));
    std::string key{privateKey};
    (void)co_await privateXml_.remove(id, std::move(key));
}

Task<void> Keeper::apply(Jid account, Change change) {
    const auto stored = co_await items(account);
    const Bookmarks current = read(stored);
    const Bookmarks before = read(change.before);
    const Bookmarks given = read(change.given);
    for (const auto& [address, bookmark] : given) {
        const auto known = current.find(address);
        const auto seen = before.find(address);
        const Bookmark* was = seen == before.end() ? nullptr : &seen->second;
        if (was && isSame(was->conference, bookmark.conference)) continue;
        if (known == current.end()) {
            co_await publish(account, bookmark.id, bookmark.conference);
            continue;
        }
        std::string merged = withExtensions(bookmark, known->second.conference, was);
        if (isSame(merged, known->second.conference)) continue;
        co_await publish(account, known->second.id, std::move(merged));
    }
    for (const auto& [address, bookmark] : before) {
        const auto known = current.find(address);
        if (given.contains(address) || known == current.end()) continue;
        std::string node{ns};
        std::string id = known->second.id;
        (void)co_await pep()->retract(account, std::move(node), std::move(id), origin);
    }
}

// Writes the <storage/> anew when it doesn't show the items; `storage` is what a client has just
// given.
Task<void> Keeper::follow(Jid account, std::optional<std::string> storage) {
    const auto stored = co_await storageItem(account);
    const auto current = co_await items(account);
    if (!stored && !storage && current.empty()) co_return;
    const std::string before = stored ? stored->payload : std::string{};
    PepPublication publication;
    publication.node = oldNs;
    publication.id = storageId;
    publication.payload = writeStorage(storage.value_or(before), read(current));
    publication.config = storageNode().config;
    publication.origin = origin;
    if (stored && isSame(before, publication.payload)) co_return;
    const auto refused = co_await pep()->publish(account, std::move(publication));
    if (refused)
        bookmarksLog.warning("bookmarks can't be shown to old clients", {{"why", refused->text}});
}

Task<void> Keeper::publish(Jid account, std::string id, std::string conference) {
    PepPublication publication;
    publication.node = ns;
    publication.id = std::move(id);
    publication.payload = std::move(conference);
    publication.config = itemsNode().config;
    publication.origin = origin;
    const auto refused = co_await pep()->publish(account, std::move(publication));
    if (refused) bookmarksLog.warning("a bookmark can't be kept", {{"why", refused->text}});
}

// As many as a node can have at all.
Task<std::vector<PepItem>> Keeper::items(Jid account) const {
    constexpr std::size_t all = 1'000'000;
    std::string node{ns};
    return pep()->items(std::move(account), std::move(node), all);
}

Task<std::optional<PepItem>> Keeper::storageItem(Jid account) const {
    std::string node{oldNs};
    auto found = co_await pep()->items(account, std::move(node), 1);
    if (found.empty()) co_return std::nullopt;
    std::optional<PepItem> item;
    item = std::move(found.back());
    co_return item;
}

}  // namespace epode::bookmarks
