// Bookmarks of rooms (XEP-0402) that are the same for old clients, whether they keep them in
// private storage (XEP-0049) or in a single item (XEP-0048).
#include "conversion.h"
#include "core/log.h"
#include "plugin/plugin.h"
#include "route/pep.h"

#include <optional>
#include <utility>
#include <vector>

namespace epode::bookmarks {
namespace {

const Log bookmarksLog{"bookmarks"};

constexpr std::string_view origin = "bookmarks";
constexpr QName listElement{listNs, "storage"};
constexpr std::string_view listId = "current";
constexpr std::size_t roomsMax = 1000;

using Config = std::vector<std::pair<std::string, std::string>>;

// XEP-0402, 3.3.
Config itemsConfig() {
    return {{"pubsub#persist_items", "true"},
            {"pubsub#max_items", "max"},
            {"pubsub#send_last_published_item", "never"},
            {"pubsub#access_model", "whitelist"}};
}
Config listConfig() {
    return {{"pubsub#persist_items", "true"}, {"pubsub#access_model", "whitelist"}};
}

// Of an account: one conversion at a time, the newest state last.
struct Converting {
    bool isRunning = false;
    bool isMirrorDue = false;
    std::optional<Document> list;  // what a client has published in the old form
};

class Bookmarks final : public Plugin {
public:
    explicit Bookmarks(PluginContext& context) {
        context.on(&Services::pepChanged, Phase::Act, this, &Bookmarks::changed);
        context.keepFragment(listElement, this, &Bookmarks::fetch, &Bookmarks::keep);
        context.accountFeature("urn:xmpp:bookmarks:1#compat");
        context.accountFeature("urn:xmpp:bookmarks:1#compat-pep");
    }

private:
    // ---- private storage

    // The rooms are those of the items; web pages have no place there and are as they were stored.
    Task<FragmentKeeper::Fetched> fetch(const Iq& iq, const Element* stored) {
        FragmentKeeper::Fetched fetched;
        Pep* pep = iq.host().services().pep;
        if (!pep) co_return fetched;
        const Jid account = iq.owner();
        const bool isConverted = co_await pep->hasNode(account, std::string(itemNs));
        if (!isConverted) {
            // Bookmarks of before this plugin was here.
            if (stored) (void)co_await apply(*pep, account, *stored);
            co_return fetched;
        }
        const auto items = co_await read(*pep, account);
        fetched.emplace(listOf(items));
        if (stored)
            for (const Element& child : stored->children())
                if (child.name() != "conference") (*fetched)->add(child);
        co_return fetched;
    }

    Task<std::optional<StanzaError>> keep(const Iq& iq, const Element& storage) {
        Pep* pep = iq.host().services().pep;
        if (!pep) co_return std::nullopt;
        const Jid account = iq.owner();
        const auto refused = co_await apply(*pep, account, storage);
        if (!refused) mirrorSoon(iq.shard(), iq.host(), account);
        co_return refused;
    }

    // ---- personal eventing

    Verdict changed(PepEvent& event) {
        if (event.origin == origin) return Verdict::Pass;
        const bool isList = event.node == listNs;
        if (!isList && event.node != itemNs) return Verdict::Pass;
        Shard& shard = event.shard;
        Host* host = shard.host(event.account.domain());
        if (!host) return Verdict::Pass;
        if (!isList) {
            mirrorSoon(shard, *host, event.account);
            return Verdict::Pass;
        }
        if (event.kind != PepEvent::Kind::Published) return Verdict::Pass;
        auto list = parseXml(event.payload);
        if (!list || !(*list)->is("storage", listNs)) return Verdict::Pass;
        if (Account* account = shard.loaded(event.account.text())) {
            account->state<Converting>().list = std::move(*list);
            convert(shard, *host, event.account);
        }
        return Verdict::Pass;
    }

    void mirrorSoon(Shard& shard, Host& host, const Jid& jid) {
        Account* account = shard.loaded(jid.text());
        if (!account) return;
        account->state<Converting>().isMirrorDue = true;
        convert(shard, host, jid);
    }

    void convert(Shard& shard, Host& host, const Jid& jid) {
        auto& state = shard.loaded(jid.text())->state<Converting>();
        if (!host.services().pep || std::exchange(state.isRunning, true)) return;
        start(run(shard, host.sharedServices(), jid), [&shard, jid, keep = host.sharedServices()](
                                                          std::exception_ptr failure) {
            if (Account* account = shard.loaded(jid.text())) account->slots().drop<Converting>();
            if (failure)
                bookmarksLog.warning("bookmarks could not be converted", {{"account", jid.text()}});
        });
    }

    // Until nothing is due any more. What comes meanwhile is done by the same run.
    Task<void> run(Shard& shard, std::shared_ptr<const Services> services, Jid jid) {
        Pep& pep = *services->pep;
        while (Account* account = shard.loaded(jid.text())) {
            auto& state = account->state<Converting>();
            if (auto list = std::exchange(state.list, std::nullopt)) {
                const auto refused = co_await apply(pep, jid, **list);
                if (refused) co_return;
                continue;
            }
            if (!std::exchange(state.isMirrorDue, false)) co_return;
            const auto items = co_await read(pep, jid);
            PepPublication publication;
            publication.node = listNs;
            publication.id = listId;
            publication.payload = toXml(*listOf(items));
            publication.config = listConfig();
            publication.keepsConfig = false;
            publication.origin = origin;
            const auto refused = co_await pep.publish(jid, std::move(publication));
            if (refused) co_return;
        }
    }

    static Task<Items> read(Pep& pep, Jid account) {
        std::string node{itemNs};
        auto found = co_await pep.items(account, node, roomsMax);
        Items items;
        for (auto& item : found) items.emplace(std::move(item.id), std::move(item.payload));
        co_return items;
    }

    // Makes the items what the list says: what is the same is not touched (XEP-0402, 5.3.2).
    static Task<std::optional<StanzaError>> apply(Pep& pep, Jid account, const Element& storage) {
        const Document list{storage};
        const auto before = co_await read(pep, account);
        const Items after = itemsOf(*list, before);
        if (after.size() > roomsMax)
            co_return StanzaError{Condition::ResourceConstraint, "These are too many bookmarks."};
        for (const auto& [room, payload] : after) {
            const auto known = before.find(room);
            if (known != before.end() && areSame(known->second, payload)) continue;
            PepPublication publication;
            publication.node = itemNs;
            publication.id = room;
            publication.payload = payload;
            publication.config = itemsConfig();
            publication.keepsConfig = false;
            publication.origin = origin;
            const auto refused = co_await pep.publish(account, std::move(publication));
            if (refused) co_return *refused;
        }
        for (const auto& [room, payload] : before) {
            if (after.contains(room)) continue;
            std::string node{itemNs};
            std::string id = room;
            const auto refused = co_await pep.retract(account, node, id, origin);
            if (refused) co_return *refused;
        }
        co_return std::nullopt;
    }
};

const PluginInfo pluginInfo{
    .name = "bookmarks",
    .summary = "Keeps the bookmarks of old and new clients the same",
    .implements = {{"XEP-0402", "1.2.0"}, {"XEP-0048", "1.2"}},
};

}  // namespace

DECLARE_PLUGIN(Bookmarks, pluginInfo)

}  // namespace epode::bookmarks
