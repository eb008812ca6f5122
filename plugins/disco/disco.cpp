// Service discovery of the host and of accounts (XEP-0030), with the host's capabilities in its stream
// features (XEP-0115), so that clients need not ask again.
#include "core/caps.h"
#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "route/stream_facts.h"

#include <algorithm>
#include <mutex>

namespace epode {
namespace {

constexpr QName info{ns::discoInfo, "query"};
constexpr QName items{ns::discoItems, "query"};
// Names the software, not an address (XEP-0115, 4).
constexpr std::string_view softwareNode = "urn:epode:server";

void addEntry(Element& query, const DiscoEntry& entry) {
    for (const auto& identity : entry.identities) {
        Element& element = query.add("identity");
        element.set("category", identity.category).set("type", identity.type);
        if (!identity.name.empty()) element.set("name", identity.name);
    }
    auto features = entry.features;
    std::sort(features.begin(), features.end());
    features.erase(std::unique(features.begin(), features.end()), features.end());
    for (const auto& feature : features) query.add("feature").set("var", feature);
    for (const auto& extend : entry.extensions) extend(query);
}

void addItem(Element& query, const DiscoItem& item) {
    Element& element = query.add("item");
    element.set("jid", item.jid);
    if (!item.node.empty()) element.set("node", item.node);
    if (!item.name.empty()) element.set("name", item.name);
}

void addItems(Element& query, const DiscoEntry& entry) {
    for (const auto& item : entry.items) addItem(query, item);
}

std::string nameOf(const ServedDomain& domain) {
    return domain.disco.identities.empty() ? std::string{} : domain.disco.identities.front().name;
}

void addAll(Element& query, Host& host, Addressee addressee) {
    const Services& services = host.services();
    addEntry(query, addressee == Addressee::Host ? services.hostDisco : services.accountDisco);
    if (services.discoTold.empty()) return;
    DiscoEvent event{host, addressee, query};
    services.discoTold.run(event);
}

Document hostInfo(Host& host) {
    Document query{info.name, info.ns};
    addAll(*query, host, Addressee::Host);
    return query;
}

// Who answers for the node that is asked for; null when that is nobody, or no node is.
const DiscoNodes* ownerOf(const Iq& iq) {
    if (iq.payload().get("node").empty()) return nullptr;
    const auto addressee = iq.isToHost() ? Addressee::Host : Addressee::Account;
    for (const auto& nodes : iq.host().services().discoNodes)
        if (nodes.addressee == addressee && nodes.isOwn(iq)) return &nodes;
    return nullptr;
}

class Disco final : public Plugin {
public:
    explicit Disco(PluginContext& context) {
        context.hostDisco().identities.push_back({"server", "im", "Epode"});
        context.accountDisco().identities.push_back({"account", "registered", ""});
        for (const auto feature : {ns::discoInfo, ns::discoItems}) {
            context.hostFeature(feature);
            context.accountFeature(feature);
        }
        context.hostFeature(ns::caps);
        context.hostFeature("msgoffline");  // XEP-0160

        context.onIq(StanzaType::Get, info, Addressee::Host, this, &Disco::aboutHost);
        context.onIq(StanzaType::Get, items, Addressee::Host, this, &Disco::itemsOfHost);
        context.onIq(StanzaType::Get, info, Addressee::Domain, this, &Disco::aboutDomain);
        context.onIq(StanzaType::Get, items, Addressee::Domain, this, &Disco::itemsOfDomain);
        context.onIq(StanzaType::Get, info, Addressee::Account, this, &Disco::aboutAccount);
        context.onIq(StanzaType::Get, items, Addressee::Account, this, &Disco::itemsOfAccount);
        context.on(&Services::features, Phase::Observe, this, &Disco::announceCaps);
    }

private:
    Task<Reply> aboutHost(const Iq& iq) {
        const std::string_view node = iq.payload().get("node");
        const bool isSoftware = node == std::string{softwareNode} + "#" + verification(iq.host());
        if (!node.empty() && !isSoftware) {
            auto reply = co_await answerForNode(iq);
            co_return reply;
        }
        Document query = hostInfo(iq.host());
        if (!node.empty()) query->set("node", node);
        co_return Reply{std::move(query)};
    }

    Task<Reply> itemsOfHost(const Iq& iq) {
        if (!iq.payload().get("node").empty()) {
            auto reply = co_await answerForNode(iq);
            co_return reply;
        }
        Document query{items.name, items.ns};
        const Services& services = iq.host().services();
        addItems(*query, services.hostDisco);
        for (const ServedDomain& domain : services.domains)
            if (domain.isListed) addItem(*query, {.jid = domain.domain, .name = nameOf(domain)});
        Server& server = iq.shard().server();
        for (const Elsewhere* elsewhere : server.elsewhere())
            for (const DiscoItem& item : elsewhere->itemsOf(iq.host().domain(), iq.shard())) addItem(*query, item);
        co_return Reply{std::move(query)};
    }

    // Of what a plugin serves and has no handler of its own for.
    Task<Reply> aboutDomain(const Iq& iq) {
        if (!iq.payload().get("node").empty()) co_return noSuchNode();
        Document query{info.name, info.ns};
        DiscoEntry entry = iq.domain()->disco;
        entry.features.insert(entry.features.end(), {std::string{ns::discoInfo}, std::string{ns::discoItems}});
        addEntry(*query, entry);
        co_return Reply{std::move(query)};
    }

    Task<Reply> itemsOfDomain(const Iq& iq) {
        if (!iq.payload().get("node").empty()) co_return noSuchNode();
        Document query{items.name, items.ns};
        addItems(*query, iq.domain()->disco);
        co_return Reply{std::move(query)};
    }

    // An account tells about itself to its owner and to those who see its presence; to others it is as
    // if it did not exist (XEP-0030, 8).
    Task<Reply> aboutAccount(const Iq& iq) {
        if (const DiscoNodes* nodes = ownerOf(iq)) {
            auto reply = co_await nodes->answer(iq);
            co_return reply;
        }
        Pep* pep = iq.host().services().pep;
        if (pep && !iq.payload().get("node").empty()) {
            auto about = co_await pep->aboutNode(iq);
            co_return about;
        }
        if (!mayAsk(iq)) co_return hidden();
        if (!iq.payload().get("node").empty()) co_return noSuchNode();
        Document query{info.name, info.ns};
        addAll(*query, iq.host(), Addressee::Account);
        co_return Reply{std::move(query)};
    }

    // An account's resources, for those who see its presence anyway (XEP-0030, 3.2 and 8), and the nodes
    // that it has for the asker.
    Task<Reply> itemsOfAccount(const Iq& iq) {
        if (const DiscoNodes* nodes = ownerOf(iq)) {
            auto reply = co_await nodes->answer(iq);
            co_return reply;
        }
        Pep* pep = iq.host().services().pep;
        if (pep && !iq.payload().get("node").empty()) {
            auto found = co_await pep->itemsOfNode(iq);
            co_return found;
        }
        Document query{items.name, items.ns};
        bool hasNodes = false;
        if (pep) {
            const auto added = co_await pep->addNodes(iq, *query);
            hasNodes = added;
        }
        const bool may = mayAsk(iq);
        if (!may && !hasNodes) co_return hidden();
        if (!iq.payload().get("node").empty()) co_return noSuchNode();
        if (!may || !iq.account()) co_return Reply{std::move(query)};
        for (const auto& session : iq.account()->sessions())
            if (session->isAvailable()) query->add("item").set("jid", session->jid().text());
        co_return Reply{std::move(query)};
    }

    static Task<Reply> answerForNode(const Iq& iq) {
        const DiscoNodes* nodes = ownerOf(iq);
        if (!nodes) co_return noSuchNode();
        auto reply = co_await nodes->answer(iq);
        co_return reply;
    }

    Verdict announceCaps(FeaturesEvent& event) {
        event.features.add("c", ns::caps)
            .set("hash", "sha-1")
            .set("node", softwareNode)
            .set("ver", verification(event.stream.host()));
        return Verdict::Pass;
    }

    // What the host offers is known when every plugin has been wired, and doesn't change after it: a
    // change of plugins makes this one anew, too. Unless some plugin adds what it learns later.
    std::string verification(Host& host) {
        const auto calculate = [&host] { return capsVerification(*hostInfo(host)).value_or(""); };
        if (!host.services().discoTold.empty()) return calculate();
        std::call_once(verified_, [&] { verification_ = calculate(); });
        return verification_;
    }

    static bool mayAsk(const Iq& iq) {
        if (iq.isToOwnAccount()) return true;
        const Account* account = iq.account();
        if (!account) return false;
        const Contact* contact = account->roster().find(iq.from().bare());
        return contact && contact->state.isSeenByContact();
    }
    static StanzaError hidden() {
        return {Condition::ServiceUnavailable, "There is nobody here who answers."};
    }
    static StanzaError noSuchNode() { return {Condition::ItemNotFound, "There is no such node."}; }

    std::once_flag verified_;
    std::string verification_;
};

const PluginInfo pluginInfo{
    .name = "disco",
    .summary = "Service discovery of the host and of accounts",
    .implements = {{"XEP-0030", "2.5.0", "tests/interop/slixmpp_test.py: disco"}, {"XEP-0115", "1.6.0", "tests/core/caps_test.cpp"}, {"XEP-0128", "1.0.1"}},
};

}  // namespace

DECLARE_PLUGIN(Disco, pluginInfo)

}  // namespace epode
