// What other plugins of this server do with the nodes of accounts (route/pep.h).
#include "core/namespaces.h"
#include "core/random.h"
#include "engine.h"
#include "errors.h"

namespace epode::pubsub {

namespace {

StanzaError noAccount() {
    return {ErrorType::Cancel, Condition::ItemNotFound, "There is no such account."};
}

bool setFields(NodeConfig& config, const PepPublication& publication) {
    for (const auto& [var, value] : publication.config)
        if (!setField(config, ServiceKind::Account, var, value)) return false;
    return true;
}

}  // namespace

Task<std::optional<StanzaError>> Engine::publish(Jid account, PepPublication publication) {
    Shard& shard = server_.here();
    Realms& realms = this->realms(shard);
    const auto realm = co_await realms.account(account.text());
    if (!realm) co_return noAccount();
    NodePtr node = realm->find(publication.node);
    NodeConfig config =
        node ? node->config : configOfNew(ServiceKind::Account, publication.node);
    if (!setFields(config, publication)) co_return malformed("The node can't be configured so.");
    if (!node) {
        const auto made = co_await make(shard, realm, publication.node, account.text(), config);
        node = made.node ? made.node : realm->find(publication.node);
        if (!node) co_return *made.refusal;
    } else if (!publication.keepsConfig && config != node->config) {
        Turns& turns = realm->turns;
        const auto turn = co_await turns.take();
        if (node->isDeleted) co_return notFound();
        const auto refused = co_await change(shard, realm, node, config);
        if (refused) co_return *refused;
    }
    Submission submission;
    const auto payload = parseXml(publication.payload);
    if (!publication.payload.empty() && !payload) co_return malformed("The payload is no XML.");
    submission.item.id = publication.id.empty() ? randomId() : publication.id;
    submission.item.publisher = account.text();
    submission.item.payload = std::move(publication.payload);
    submission.hasPayload = payload.has_value();
    if (payload) submission.payloadNs = (*payload)->ns();
    submission.origin = publication.origin;
    const auto refused = co_await submit(shard, realm, node, std::move(submission));
    co_return refused;
}

Task<std::optional<StanzaError>> Engine::retract(Jid account, std::string node, std::string id,
                                                 std::string origin) {
    Shard& shard = server_.here();
    Realms& realms = this->realms(shard);
    const auto realm = co_await realms.account(account.text());
    const NodePtr found = realm ? realm->find(node) : nullptr;
    if (!found) co_return notFound();
    std::vector<std::string> ids;
    ids.push_back(std::move(id));
    const auto refused =
        co_await withdraw(shard, realm, found, std::move(ids), std::nullopt, true, origin);
    co_return refused;
}

Task<std::optional<StanzaError>> Engine::removeNode(Jid account, std::string node,
                                                    std::string origin) {
    Shard& shard = server_.here();
    Realms& realms = this->realms(shard);
    const auto realm = co_await realms.account(account.text());
    const NodePtr found = realm ? realm->find(node) : nullptr;
    if (!found) co_return notFound();
    Turns& turns = realm->turns;
    const auto turn = co_await turns.take();
    const auto refused = co_await erase(shard, realm, found, std::string(), origin);
    co_return refused;
}

Task<ItemPage> Engine::items(Jid account, std::string node, ItemQuery query) {
    Realms& realms = this->realms(server_.here());
    const auto realm = co_await realms.account(account.text());
    const NodePtr found = realm ? realm->find(node) : nullptr;
    if (!found) co_return ItemPage();
    query.notBefore = notBefore(found->config, Executor::current()->wallNow());
    auto page = co_await store_.items(realm->owner, found->id, query);
    co_return page;
}

Task<bool> Engine::hasNode(Jid account, std::string node) {
    Realms& realms = this->realms(server_.here());
    const auto realm = co_await realms.account(account.text());
    co_return realm && realm->find(node);
}

Task<bool> Engine::mayRead(Jid account, std::string node, Jid who) {
    Shard& shard = server_.here();
    Realms& realms = this->realms(shard);
    const auto realm = co_await realms.account(account.text());
    const NodePtr found = realm ? realm->find(node) : nullptr;
    if (!found) co_return false;
    const Jid bare = who.bare();
    const Relation relation =
        relationTo(shard.loaded(account.text()), found->config.rosterGroups, bare);
    co_return !whyNotRead(*realm, *found, bare, relation, Executor::current()->wallNow());
}

}  // namespace epode::pubsub
