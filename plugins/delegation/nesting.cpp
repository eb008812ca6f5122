#include "nesting.h"

#include "core/namespaces.h"
#include "route/asking.h"
#include "route/host.h"
#include "route/server.h"
#include "route/shard.h"

#include <set>

namespace epode::delegation {

namespace {

constexpr std::string_view formNs = "jabber:x:data";
constexpr auto answerPatience = std::chrono::minutes{1};
// Nobody has so many; the rest is left out.
constexpr std::size_t elementsMax = 250;

std::string nodeOf(std::string_view name, Addressee addressee) {
    return std::string{ns} + (addressee == Addressee::Host ? "::" : ":bare:") + std::string{name};
}

std::string_view formType(const Element& form) {
    for (const Element& field : form.children())
        if (field.is("field", formNs) && field.get("var") == "FORM_TYPE")
            return field.childText("value");
    return {};
}

// Whether a feature or the type of a form is of a namespace: "…/pubsub#publish" is of "…/pubsub".
bool isOf(std::string_view text, std::string_view name) {
    return text.starts_with(name) && (text.size() == name.size() || text[name.size()] == '#');
}

std::shared_ptr<const Document> readable(const Element& query) {
    Document kept{"query", ns::discoInfo};
    std::size_t count = 0;
    for (const Element& child : query.children()) {
        const bool isKnown = child.is("identity", ns::discoInfo) ||
                             child.is("feature", ns::discoInfo) || child.is("x", formNs);
        if (isKnown && ++count <= elementsMax) kept->add(child);
    }
    return std::make_shared<const Document>(std::move(kept));
}

// To all shards' copies of the host.
void keep(Server& server, const std::string& host, const std::pair<std::string, std::string>& key,
          const Nested::Told& told) {
    for (unsigned i = 0; i < server.shardCount(); ++i) {
        Shard& shard = server.shard(i);
        shard.executor().post([&shard, host, key, told] {
            if (Host* found = shard.host(host)) found->state<Nested>().told[key] = told;
        });
    }
}

// No two of the same: a client could not make sense of the hash of it all (XEP-0115, 5.4).
void addTold(Element& query, const Element& told) {
    std::set<std::string_view> categories;
    for (const Element& child : told.children())
        if (child.is("identity", ns::discoInfo)) categories.insert(child.get("category"));
    query.removeChildren([&](const Element& child) {
        return child.is("identity", ns::discoInfo) && categories.contains(child.get("category"));
    });
    for (const Element& child : told.children()) {
        bool isThere = false;
        for (const Element& other : query.children())
            isThere = isThere || other == child ||
                      (child.is("feature", ns::discoInfo) && other.is("feature", ns::discoInfo) &&
                       other.get("var") == child.get("var")) ||
                      (child.is("x", formNs) && other.is("x", formNs) &&
                       formType(other) == formType(child));
        if (!isThere) query.add(child);
    }
}

}  // namespace

void askForNesting(Shard& shard, const Host& host, const Delegations& delegations,
                   std::string_view component) {
    for (const auto& [name, delegated] : delegations.namespaces()) {
        if (delegated.to->jid.domain() != component || isBareDisco(name)) continue;
        for (const auto addressee : {Addressee::Host, Addressee::Account}) {
            const std::string node = nodeOf(name, addressee);
            auto request = Stanza::iq(StanzaType::Get, host.jid(), delegated.to->jid, "");
            request->edit().add("query", ns::discoInfo).set("node", node);
            shard.asking().ask(
                std::move(request), answerPatience,
                [&server = shard.server(), domain = host.domain(), node,
                 key = std::pair{std::string{component}, node}](const StanzaPtr& answer) {
                    const Element* query = answer ? answer->child("query", ns::discoInfo) : nullptr;
                    if (query && !answer->isError()) keep(server, domain, key, readable(*query));
                });
        }
    }
}

void nest(Element& query, Addressee addressee, const Nested* nested,
          const Delegations& delegations) {
    for (const auto& [name, delegated] : delegations.namespaces()) {
        if (isBareDisco(name)) continue;
        query.removeChildren([&name = name](const Element& child) {
            return (child.is("feature", ns::discoInfo) && isOf(child.get("var"), name)) ||
                   (child.is("x", formNs) && isOf(formType(child), name));
        });
    }
    if (!nested) return;
    for (const auto& [name, delegated] : delegations.namespaces()) {
        const auto found = nested->told.find(
            std::pair{std::string{delegated.to->jid.domain()}, nodeOf(name, addressee)});
        if (found != nested->told.end()) addTold(query, **found->second);
    }
}

}  // namespace epode::delegation
