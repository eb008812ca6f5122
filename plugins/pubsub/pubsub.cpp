// Publish-subscribe (XEP-0060) of accounts, known as personal eventing (XEP-0163), and of a service
// beside them.
#include "account_data.h"
#include "engine.h"
#include "errors.h"
#include "pep.h"

#include "core/namespaces.h"

namespace epode::pubsub {
namespace {

constexpr QName pubsubElement{names::pubsub, "pubsub"};
constexpr QName ownerElement{names::owner, "pubsub"};
constexpr QName infoElement{ns::discoInfo, "query"};
constexpr QName itemsElement{ns::discoItems, "query"};

// XEP-0060, 10. Those of both, of accounts, and of the service.
constexpr std::string_view features[] = {
    "access-authorize",
    "access-open",
    "access-presence",
    "access-roster",
    "access-whitelist",
    "auto-create",
    "config-node",
    "config-node-max",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "instant-nodes",
    "item-ids",
    "manage-subscriptions",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "multi-items",
    "outcast-affiliation",
    "persistent-items",
    "publish",
    "publish-node-full",
    "publish-only-affiliation",
    "publish-options",
    "publisher-affiliation",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-default-sub",
    "retrieve-items",
    "retrieve-subscriptions",
    "rsm",
    "subscribe",
    "subscription-options",
    "leased-subscription",
};
constexpr std::string_view ofAccounts[] = {"auto-subscribe", "filtered-notifications",
                                           "last-published", "presence-subscribe",
                                           "pubsub-on-a-jid"};

template <typename Names>
void addFeatures(DiscoEntry& entry, const Names& some) {
    for (const auto name : some)
        entry.features.push_back(std::string{names::pubsub} + "#" + std::string{name});
}

class PubSub final : public Plugin, public Pep {
public:
    explicit PubSub(PluginContext& context)
        : engine_{context.server(), context.host(),
                  Limits{*context.server().settings(), context.host()},
                  std::size_t(context.value(cachedMax))},
          eventing_{engine_, context.host(), std::size_t(context.value(capsMax)),
                    context.value(tellsOfAbsent)} {
        engine_.setAudience(eventing_);
        for (const auto& element : {pubsubElement, ownerElement})
            for (const auto type : {StanzaType::Get, StanzaType::Set})
                context.onIq(type, element, Addressee::Account, this, &PubSub::answer);
        context.on(&Services::presenceChanged, Phase::Act, this, &PubSub::presenceChanged);
        context.on(&Services::incoming, Phase::Act, this, &PubSub::arrives);
        context.on(&Services::accountCreated, Phase::Act, this, &PubSub::forget);
        context.on(&Services::accountRemoved, Phase::Act, this, &PubSub::forget);
        context.accountDisco().identities.push_back({"pubsub", "pep", ""});
        context.accountFeature(names::pubsub);
        addFeatures(context.accountDisco(), features);
        addFeatures(context.accountDisco(), ofAccounts);
        context.offerPep(*this);
        if (const auto& domain = context.value(domainOption); !domain.empty())
            serve(context, domain);
        context.inBackground(Duration{}, this, &PubSub::recall);
        if (context.isFirstHost())
            context.inBackground(std::chrono::minutes{1}, this, &PubSub::expire);
    }

    Task<std::optional<StanzaError>> publish(Jid account, PepPublication publication) override {
        return engine_.publish(std::move(account), std::move(publication));
    }
    Task<std::optional<StanzaError>> retract(Jid account, std::string node, std::string id,
                                             std::string_view origin) override {
        return engine_.retract(std::move(account), std::move(node), std::move(id),
                               std::string{origin});
    }
    Task<std::optional<StanzaError>> removeNode(Jid account, std::string node,
                                                std::string_view origin) override {
        return engine_.removeNode(std::move(account), std::move(node), std::string{origin});
    }
    Task<std::vector<PepItem>> items(Jid account, std::string node, std::size_t most) override {
        ItemQuery query;
        query.newest = std::int64_t(most);
        query.max = std::int64_t(most);
        query.bytesMax = SIZE_MAX;
        auto page = co_await engine_.items(account, node, query);
        std::vector<PepItem> found;
        for (Item& item : page.items)
            found.push_back({std::move(item.id), std::move(item.payload), item.published});
        co_return found;
    }
    Task<std::optional<PepItem>> item(Jid account, std::string node, std::string id) override {
        ItemQuery query;
        query.ids.push_back(std::move(id));
        query.bytesMax = SIZE_MAX;
        auto page = co_await engine_.items(account, node, query);
        std::optional<PepItem> found;
        if (!page.items.empty()) {
            Item& item = page.items.front();
            found = PepItem{std::move(item.id), std::move(item.payload), item.published};
        }
        co_return found;
    }
    Task<bool> hasNode(Jid account, std::string node) override {
        return engine_.hasNode(std::move(account), std::move(node));
    }
    Task<bool> mayRead(Jid account, std::string node, Jid who) override {
        return engine_.mayRead(std::move(account), std::move(node), std::move(who));
    }
    Task<Reply> aboutNode(const Iq& iq) override { return engine_.aboutNode(iq); }
    Task<Reply> itemsOfNode(const Iq& iq) override { return engine_.itemsOfNode(iq); }
    Task<bool> addNodes(const Iq& iq, Element& query) override {
        return engine_.addNodes(iq, query);
    }

private:
    void serve(PluginContext& context, const std::string& domain) {
        ServedDomain& served = context.serve(domain, this, &PubSub::receive);
        served.disco.identities.push_back({"pubsub", "service", "Publish-Subscribe"});
        served.disco.features.emplace_back(names::pubsub);
        addFeatures(served.disco, features);
        served.placeOf = placeOfStanza;
        for (const auto& element : {pubsubElement, ownerElement})
            for (const auto type : {StanzaType::Get, StanzaType::Set})
                context.onIq(type, element, Addressee::Domain, served, this, &PubSub::answer);
        context.onIq(StanzaType::Get, infoElement, Addressee::Domain, served, this,
                     &PubSub::aboutDomain);
        context.onIq(StanzaType::Get, itemsElement, Addressee::Domain, served, this,
                     &PubSub::itemsOfDomain);
    }

    // A node is on the shard of its name.
    static std::string placeOfStanza(const Stanza& stanza) {
        std::string_view node;
        if (stanza.isMessage()) {
            const Element* x = stanza.child("x", ns::dataForms);
            if (!x) return {};
            for (const Element& field : x->children())
                if (field.get("var") == "pubsub#node") node = field.childText("value");
        } else if (const Element* payload = stanza.payload()) {
            const bool isPubSub = payload->ns() == names::pubsub || payload->ns() == names::owner;
            const Element* about = isPubSub ? payload->firstChild() : payload;
            if (about) node = about->get("node");
        }
        if (node.empty()) return {};
        return placeOf(stanza.to().domain(), node);
    }

    Task<Reply> answer(const Iq& iq) { return engine_.answer(iq); }

    void receive(ServedStanza served) {
        const StanzaPtr& stanza = served.stanza;
        if (stanza->isMessage() && !stanza->isError()) {
            if (engine_.receive(served.shard, served.host, stanza, ServiceKind::Domain)) return;
            served.shard.refuse(*stanza, {Condition::ServiceUnavailable,
                                          "A publish-subscribe service takes no messages."});
        } else if (stanza->isIq() && stanza->isRequest()) {
            served.shard.refuse(*stanza,
                                {Condition::ServiceUnavailable, "Nobody here serves this."});
        }
    }

    Task<Reply> aboutDomain(const Iq& iq) {
        if (!iq.payload().get("node").empty()) return engine_.aboutNode(iq);
        return aboutService(iq);
    }
    Task<Reply> aboutService(const Iq& iq) {
        Document query{infoElement.name, infoElement.ns};
        const DiscoEntry& entry = iq.domain()->disco;
        for (const auto& identity : entry.identities)
            query->add("identity")
                .set("category", identity.category)
                .set("type", identity.type)
                .set("name", identity.name);
        for (const auto feature : {ns::discoInfo, ns::discoItems})
            query->add("feature").set("var", feature);
        for (const auto& feature : entry.features) query->add("feature").set("var", feature);
        co_return Reply{std::move(query)};
    }
    Task<Reply> itemsOfDomain(const Iq& iq) {
        if (!iq.payload().get("node").empty()) return engine_.itemsOfNode(iq);
        return engine_.nodesOfDomain(iq);
    }

    Verdict presenceChanged(PresenceEvent& event) { return eventing_.presenceChanged(event); }
    Verdict arrives(IncomingEvent& event) { return eventing_.arrives(event); }
    Verdict forget(AccountEvent& event) {
        engine_.realms(engine_.server().here()).forget(event.account.bare().text());
        return Verdict::Pass;
    }

    // Once; then there is nothing to do for a long time.
    Task<Duration> recall() {
        co_await eventing_.recall();
        co_return std::chrono::hours{24 * 365};
    }
    Task<Duration> expire() { return engine_.expire(); }

    Engine engine_;
    PersonalEventing eventing_;
};

const PluginInfo pluginInfo{
    .name = "pubsub",
    .summary = "Publishing: personal eventing of accounts, and a publish-subscribe service",
    .implements = {{"XEP-0060", "1.30.0"},
                   {"XEP-0163", "1.2.2",
                    "tests/plugins/pubsub_pep_test.cpp: contacts and own clients that want it are notified, others are not"},
                   {"XEP-0222", "1.0"},
                   {"XEP-0223", "1.1.1",
                    "tests/plugins/pubsub_pep_test.cpp: private data is kept from contacts, as XEP-0223 has it"},
                   {"XEP-0115", "1.6.0",
                    "tests/plugins/pubsub_pep_test.cpp: capabilities are asked for once, and shared by all who announce the same"},
                   {"XEP-0390", "0.3.2"}},
    .options = options(),
    .migrations = {Store::migrations().begin(), Store::migrations().end()},
    .accountTables = {Store::accountTables().begin(), Store::accountTables().end()},
    .data = {pepData()},
};

}  // namespace

DECLARE_PLUGIN(PubSub, pluginInfo)

}  // namespace epode::pubsub
