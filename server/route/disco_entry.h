// Service discovery (XEP-0030): what hosts, accounts and served domains tell about themselves.
#pragma once

#include "core/element.h"

#include <functional>
#include <string>
#include <vector>

namespace epode {

struct DiscoIdentity {
    std::string category;
    std::string type;
    std::string name;
};
struct DiscoItem {
    std::string jid;
    std::string node;
    std::string name;
};
struct DiscoEntry {
    std::vector<DiscoIdentity> identities;
    std::vector<std::string> features;
    std::vector<DiscoItem> items;
    // Data forms (XEP-0128): appends <x xmlns='jabber:x:data'/> to the answer.
    std::vector<std::function<void(Element& query)>> extensions;
};

}  // namespace epode
