#include "stream/components.h"

#include "core/log.h"
#include "core/metric.h"
#include "route/shard.h"
#include "stream/component_streams.h"
#include "stream/request_key.h"

#include <algorithm>
#include <functional>

namespace epode {

namespace {

const Log componentLog{"component"};
Gauge instancesConnected{"epode_component_instances", "Instances of components that are connected"};
Counter refusedUnconnected{"epode_component_stanzas_refused_total",
                           "Stanzas for components of which no instance was connected"};

constexpr std::size_t questionsMax = 10000;

// Each instance has its own opinion of an address, and the strongest wins: when one goes, only its
// addresses move.
std::uint64_t weight(std::size_t address, unsigned slot) {
    std::uint64_t mixed = std::uint64_t(address) + (slot + 1) * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

bool isBelow(std::string_view domain, std::string_view host) {
    return domain.size() > host.size() + 1 && domain.ends_with(host) &&
           domain[domain.size() - host.size() - 1] == '.';
}

}  // namespace

// ---- who has asked

void AskingInstances::asked(const Stanza& request, unsigned slot) {
    const std::lock_guard lock{mutex_};
    if (order_.size() >= questionsMax) {
        slots_.erase(order_.front());
        order_.pop_front();
    }
    auto key = keyOfRequest(request);
    order_.push_back(key);
    slots_.insert_or_assign(std::move(key), slot);
}

std::optional<unsigned> AskingInstances::takeAsking(const Stanza& answer) {
    const std::lock_guard lock{mutex_};
    const auto found = slots_.find(keyOfAnswer(answer));
    if (found == slots_.end()) return std::nullopt;
    const unsigned slot = found->second;
    slots_.erase(found);
    return slot;
}

// ---- the table

Components::Components(Server& server) : server_{server}, table_{std::make_shared<const Table>()} {
    views_.assign(server.shardCount(), table_);
    for (unsigned i = 0; i < server.shardCount(); ++i)
        streams_.push_back(std::make_unique<ComponentStreams>(*this, server.shard(i)));
}

Components::~Components() {
    for (const auto& [domain, component] : table_->components)
        instancesConnected.add(-std::int64_t(component.instances.size()));
}

void Components::configure(const Settings& settings, const std::vector<std::string>& domains) {
    auto table = std::make_shared<Table>();
    table->limits = HandshakeLimits{settings};
    for (const auto& domain : domains) {
        Component& component = table->components[domain];
        component.settings = std::make_shared<const ComponentSettings>(settings, domain);
        if (component.settings->secret.empty())
            componentLog.error("a component has no secret any more, so that nobody gets in as it",
                               {{"component", domain}});
    }
    {
        const std::lock_guard lock{mutex_};
        for (const auto& [domain, before] : table_->components) {
            const auto found = table->components.find(domain);
            if (found == table->components.end()) {
                instancesConnected.add(-std::int64_t(before.instances.size()));
                continue;
            }
            found->second.instances = before.instances;
            found->second.asking = before.asking;
        }
        publish(table);
    }
    for (unsigned i = 0; i < server_.shardCount(); ++i)
        server_.shard(i).executor().post(
            [streams = streams_[i].get()] { streams->settingsChanged(); });
}

void Components::publish(std::shared_ptr<Table> table) {
    table->version = table_->version + 1;
    table_ = std::move(table);
    for (unsigned i = 0; i < server_.shardCount(); ++i) {
        if (server_.shard(i).executor().isCurrent())
            take(i, table_);
        else
            server_.shard(i).executor().post([this, i, table = table_] { take(i, table); });
    }
}

void Components::take(unsigned shard, TablePtr table) {
    if (table->version > views_[shard]->version) views_[shard] = std::move(table);
}

bool Components::join(const std::string& domain, ComponentInstance instance) {
    const auto number = instance.stream;
    const auto shard = instance.shard;
    const bool joined = add(domain, std::move(instance));
    // The others may be gone without anybody having noticed: they are asked, also when they leave
    // no room.
    for (unsigned i = 0; i < server_.shardCount(); ++i)
        server_.shard(i).executor().post(
            [streams = streams_[i].get(), domain, newcomer = i == shard ? number : 0] {
                streams->lookAtOthers(domain, newcomer);
            });
    return joined;
}

bool Components::add(const std::string& domain, ComponentInstance instance) {
    const std::lock_guard lock{mutex_};
    auto table = std::make_shared<Table>(*table_);
    const auto found = table->components.find(domain);
    if (found == table->components.end()) return false;
    auto& instances = found->second.instances;
    if (instances.size() >= std::size_t(found->second.settings->instancesMax)) return false;
    auto place = instances.begin();
    for (; place != instances.end() && place->slot == instance.slot; ++place) ++instance.slot;
    instances.insert(place, std::move(instance));
    instancesConnected.add();
    publish(std::move(table));
    return true;
}

void Components::leave(const std::string& domain, unsigned shard, std::uint64_t stream) {
    const std::lock_guard lock{mutex_};
    auto table = std::make_shared<Table>(*table_);
    const auto found = table->components.find(domain);
    if (found == table->components.end()) return;
    const auto gone = std::erase_if(found->second.instances, [&](const auto& one) {
        return one.shard == shard && one.stream == stream;
    });
    if (gone == 0) return;
    instancesConnected.add(-1);
    publish(std::move(table));
}

const Components::Component* Components::find(std::string_view domain, const Shard& shard) const {
    const auto& components = views_[shard.number()]->components;
    const auto found = components.find(domain);
    return found == components.end() ? nullptr : &found->second;
}

std::shared_ptr<const ComponentSettings> Components::settings(std::string_view domain,
                                                              const Shard& shard) const {
    const Component* component = find(domain, shard);
    return component ? component->settings : nullptr;
}

const HandshakeLimits& Components::limits(const Shard& shard) const {
    return views_[shard.number()]->limits;
}

void Components::asks(const std::string& domain, const Stanza& request, const Shard& shard,
                      std::uint64_t stream) {
    const Component* component = find(domain, shard);
    if (!component || component->instances.size() < 2) return;
    for (const auto& instance : component->instances)
        if (instance.shard == shard.number() && instance.stream == stream)
            component->asking->asked(request, instance.slot);
}

// ---- routing

const ComponentInstance& Components::choose(const Component& component, const Stanza& stanza) {
    const auto& instances = component.instances;
    if (instances.size() == 1) return instances.front();
    if (stanza.isIq() && !stanza.isRequest()) {
        if (const auto slot = component.asking->takeAsking(stanza))
            for (const auto& instance : instances)
                if (instance.slot == *slot) return instance;
    }
    const bool bySender = component.settings->chosenBy == ComponentSettings::ChosenBy::Sender;
    const std::size_t address =
        std::hash<std::string_view>{}(bySender ? stanza.from().bareText() : stanza.to().bareText());
    return *std::max_element(instances.begin(), instances.end(),
                             [address](const auto& a, const auto& b) {
                                 return weight(address, a.slot) < weight(address, b.slot);
                             });
}

bool Components::route(const StanzaPtr& stanza, const Hold& hold, Shard& from) {
    const Component* component = find(stanza->to().domain(), from);
    if (!component) return false;
    if (component->instances.empty()) {
        refuse(*stanza, from);
        return true;
    }
    const ComponentInstance& instance = choose(*component, *stanza);
    ComponentStreams& streams = *streams_[instance.shard];
    if (instance.shard == from.number()) {
        if (!streams.deliver(instance.stream, stanza, hold)) refuse(*stanza, from);
        return true;
    }
    // It may be gone when this arrives there: then that shard knows, and looks for another one.
    streams.shard().executor().post([this, &streams, stream = instance.stream, stanza, hold] {
        if (!streams.deliver(stream, stanza, hold)) server_.route(stanza, hold);
    });
    return true;
}

// Presence is dropped: a gateway asks for it when it is back.
void Components::refuse(const Stanza& stanza, Shard& shard) {
    refusedUnconnected.add();
    if (stanza.isPresence()) return;
    shard.refuse(stanza, {ErrorType::Wait, Condition::RemoteServerTimeout,
                          std::string{stanza.to().domain()} +
                              " is not connected at the moment; try again later."});
}

bool Components::owns(std::string_view domain) const {
    const std::lock_guard lock{mutex_};
    return table_->components.contains(domain);
}

std::vector<std::string> Components::domains() const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> all;
    for (const auto& [domain, component] : table_->components)
        if (!component.instances.empty()) all.push_back(domain);
    return all;
}

std::vector<std::string> Components::configured() const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> all;
    for (const auto& [domain, component] : table_->components) all.push_back(domain);
    return all;
}

void Components::tellAll(const StanzaPtr& stanza) {
    const std::lock_guard lock{mutex_};
    const auto found = table_->components.find(stanza->to().domain());
    if (found == table_->components.end()) return;
    for (const auto& instance : found->second.instances) {
        ComponentStreams& streams = *streams_[instance.shard];
        streams.shard().executor().post([&streams, stream = instance.stream, stanza] {
            streams.deliver(stream, stanza, {});
        });
    }
}

const std::string& Components::hostOf(std::string_view domain) const {
    const std::string* found = nullptr;
    for (const auto& host : server_.hosts())
        if (isBelow(domain, host) && (!found || host.size() > found->size())) found = &host;
    return found ? *found : server_.hosts().front();
}

std::vector<DiscoItem> Components::itemsOf(std::string_view host, Shard& shard) const {
    std::vector<DiscoItem> items;
    for (const auto& [domain, component] : views_[shard.number()]->components) {
        if (!component.settings->isListed || component.instances.empty()) continue;
        if (isBelow(domain, host) && hostOf(domain) == host)
            items.push_back({.jid = domain, .node = {}, .name = component.settings->name});
    }
    return items;
}

// ---- for operators

std::vector<Components::Status> Components::status() const {
    const std::lock_guard lock{mutex_};
    std::vector<Status> all;
    for (const auto& [domain, component] : table_->components)
        all.push_back({domain, component.settings->name, component.instances});
    return all;
}

void Components::closeAll(std::function<void()> done) {
    const std::shared_ptr<void> kept{nullptr, [done = std::move(done)](void*) { done(); }};
    for (unsigned i = 0; i < server_.shardCount(); ++i)
        server_.shard(i).executor().post(
            [streams = streams_[i].get(), kept] { streams->closeAll(kept); });
}

}  // namespace epode
