// What components tell about the namespaces that they manage, as part of what hosts and accounts
// tell about themselves (XEP-0355, 7.2).
#pragma once

#include "delegations.h"

#include "core/element.h"
#include "route/hooks.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace epode {
class Host;
class Shard;
}  // namespace epode

namespace epode::delegation {

// A host's, on each shard: what was told last, also while the component is away.
struct Nested {
    using Told = std::shared_ptr<const Document>;  // identities, features and forms in a query
    // By (component, node).
    std::map<std::pair<std::string, std::string>, Told, std::less<>> told;
};

// Asks the component about all that it manages of this host; the answers go to every shard.
void askForNesting(Shard& shard, const Host& host, const Delegations& delegations,
                   std::string_view component);

// In `query`, what the host or its accounts have of delegated namespaces is replaced by what was
// told of them.
void nest(Element& query, Addressee addressee, const Nested* nested,
          const Delegations& delegations);

}  // namespace epode::delegation
