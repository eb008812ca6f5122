// Bookmarks (XEP-0402), in step with the forms that older clients use (XEP-0048 in personal
// eventing and in private XML), and the notification settings in them (XEP-0492).
#include "keeper.h"
#include "notify_rules.h"
#include "plugin/plugin.h"

#include <map>

namespace epode::bookmarks {
namespace {

const Option<std::int64_t> roomsMax{
    .key = "bookmarks.rooms_max",
    .fallback = 500,
    .range = {10, 10000},
    .help =
        "The most rooms that a client may keep in one list of bookmarks (XEP-0048). One by one it "
        "is as many as pubsub.items_max says.",
};

// Of an account: the chats with settings of their own, once somebody has asked.
struct ChatRules {
    bool isLoaded = false;
    unsigned changes = 0;
    std::map<std::string, std::vector<NotifyRule>> chats;  // by address
};

class BookmarksPlugin final : public Plugin, public ChatSettings {
public:
    explicit BookmarksPlugin(PluginContext& context)
        : server_{context.server()},
          keeper_{context.server(), context.host(), std::size_t(context.value(roomsMax))} {
        context.knowPepNode(itemsNode());
        context.knowPepNode(storageNode());
        context.on(&Services::pepRequested, this, &BookmarksPlugin::requested);
        context.on(&Services::pepChanged, Phase::Act, this, &BookmarksPlugin::changed);
        context.on(&Services::privateXmlAsked, this, &BookmarksPlugin::show);
        context.on(&Services::privateXmlGiven, this, &BookmarksPlugin::take);
        context.offerChatSettings(*this);
        context.accountFeatureWithPep("urn:xmpp:bookmarks:1#compat");
        context.accountFeatureWithPep("urn:xmpp:bookmarks:1#compat-pep");
        context.accountFeatureWithPep("urn:xmpp:bookmarks-conversion:0");
    }

    Task<Notifications> notificationsOf(Jid account, Jid chat, std::string_view category,
                                        std::string_view type) override;

private:
    Task<void> requested(PepRequest& request);
    Task<void> show(PrivateXmlAsked& event);
    Task<void> take(PrivateXmlGiven& event);
    Verdict changed(PepEvent& event);
    void noteRules(const PepEvent& event);

    Server& server_;
    Keeper keeper_;
};

Task<void> BookmarksPlugin::requested(PepRequest& request) {
    const bool isItems = request.node == ns;
    if (!isItems && request.node != oldNs) co_return;
    const Jid account = request.account;
    if (request.kind == PepRequest::Kind::Publish) {
        const Element* item = request.action.child("item");
        const Element* payload = item ? item->firstChild() : nullptr;
        if (isItems) {
            request.refusal = whyNotBookmark(item ? item->get("id") : "", payload);
        } else if (payload) {  // else it is refused anyway
            request.refusal = whyNotStorage(*payload, keeper_.roomsMax());
        }
        if (request.refusal) co_return;
        if (!isItems) {
            // At once: what comes later its client can't have seen.
            auto before = co_await keeper_.storage(account);
            request.note = std::make_shared<const std::string>(std::move(before));
        }
    }
    if (request.isFromOwner()) co_await keeper_.ready(account);
}

Verdict BookmarksPlugin::changed(PepEvent& event) {
    const bool isItems = event.node == ns;
    if (!isItems && event.node != oldNs) return Verdict::Pass;
    if (isItems) noteRules(event);
    if (event.origin == origin) return Verdict::Pass;
    if (!isItems && event.kind == PepEvent::Kind::Published) {
        const auto before = std::static_pointer_cast<const std::string>(event.note);
        keeper_.storageGiven(event.account, before ? *before : std::string{},
                             std::string{event.payload});
    } else {
        // A list that a client throws away is no bookmark less: it comes again.
        keeper_.itemsChanged(event.account);
    }
    return Verdict::Pass;
}

// ---- private XML

Task<void> BookmarksPlugin::show(PrivateXmlAsked& event) {
    if (!event.wanted.is("storage", oldNs) || !keeper_.pep()) co_return;
    const Jid account = event.account;
    co_await keeper_.ready(account);
    auto storage = co_await keeper_.storage(account);
    event.found = storage.empty() ? writeStorage({}, {}) : std::move(storage);
}

Task<void> BookmarksPlugin::take(PrivateXmlGiven& event) {
    if (!event.fragment.is("storage", oldNs) || !keeper_.pep()) co_return;
    event.refusal = whyNotStorage(event.fragment, keeper_.roomsMax());
    if (event.refusal) co_return;
    const Jid account = event.account;
    std::string storage = toXml(event.fragment);
    event.refusal = co_await keeper_.keepStorage(account, std::move(storage));
    event.isKept = !event.refusal;
}

// ---- notification settings

void readInto(ChatRules& rules, std::string_view id, std::string_view conference) {
    const auto address = addressOf(id);
    if (!address) return;
    const auto tree = parseXml(conference);
    auto found = tree ? readNotifyRules(**tree) : std::vector<NotifyRule>{};
    if (found.empty())
        rules.chats.erase(*address);
    else
        rules.chats.insert_or_assign(*address, std::move(found));
}

void BookmarksPlugin::noteRules(const PepEvent& event) {
    Account* account = server_.here().loaded(event.account.text());
    ChatRules* rules = account ? account->slots().find<ChatRules>() : nullptr;
    if (!rules) return;
    ++rules->changes;
    if (event.kind == PepEvent::Kind::Published || event.kind == PepEvent::Kind::Retracted)
        readInto(*rules, event.id, event.payload);
    else
        rules->chats.clear();
}

Task<Notifications> BookmarksPlugin::notificationsOf(Jid account, Jid chat,
                                                     std::string_view category,
                                                     std::string_view type) {
    const std::string wantedCategory{category};
    const std::string wantedType{type};
    for (;;) {
        Account* loaded = server_.here().loaded(account.text());
        if (!loaded || !keeper_.pep()) co_return Notifications::Unset;
        const ChatRules& known = loaded->state<ChatRules>();
        if (known.isLoaded) {
            const auto rules = known.chats.find(std::string{chat.bareText()});
            co_return rules == known.chats.end()
                ? Notifications::Unset
                : decide(rules->second, wantedCategory, wantedType);
        }
        const unsigned changes = known.changes;
        ChatRules read;
        std::string node{ns};
        const auto items = co_await keeper_.pep()->items(account, std::move(node), 1'000'000);
        for (const PepItem& item : items) readInto(read, item.id, item.payload);
        loaded = server_.here().loaded(account.text());
        if (!loaded) co_return Notifications::Unset;
        // What has changed meanwhile is read again.
        ChatRules& slot = loaded->state<ChatRules>();
        if (slot.changes != changes) continue;
        slot.chats = std::move(read.chats);
        slot.isLoaded = true;
    }
}

const PluginInfo bookmarksInfo{
    .name = "bookmarks",
    .summary =
        "Keeps bookmarks of rooms in step for old and new clients, and what they say about "
        "notifications",
    .implements = {{"XEP-0402", "1.2.0"},
                   {"XEP-0048", "1.2"},
                   {"XEP-0411", "1.1.0"},
                   {"XEP-0492", "0.2.0"}},
    .options = {&roomsMax},
};

}  // namespace
}  // namespace epode::bookmarks

namespace epode {
using bookmarks::bookmarksInfo;
using bookmarks::BookmarksPlugin;
DECLARE_PLUGIN(BookmarksPlugin, bookmarksInfo)
}  // namespace epode
