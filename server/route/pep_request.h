// Where plugins take part in requests about the nodes of accounts (XEP-0163), before they are
// looked at.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "route/hooks.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

// Somebody asks something of one node of an account that exists. `Services::pepRequested`, on the
// account's shard; what a handler refuses isn't done. The node need not exist, and who asks need
// not be allowed to: that is looked at afterwards.
struct PepRequest : Event {
    enum class Kind : std::uint8_t { Read, Publish, Other };
    Kind kind;
    const Jid& account;
    std::string_view node;
    const Jid& from;
    const Element& action;  // <items/>, <publish/>, …
    // What a handler leaves here comes with the PepEvent that follows from the request.
    std::shared_ptr<const void> note;

    PepRequest(Kind k, const Jid& a, std::string_view n, const Jid& f, const Element& e)
        : kind{k}, account{a}, node{n}, from{f}, action{e} {}
    bool isFromOwner() const { return from.bareText() == account.text(); }
};

// What is known about an account's node by its name.
struct PepNode {
    std::string name;
    // Fields of the configuration that a new one is made with, unless its maker says otherwise.
    std::vector<std::pair<std::string, std::string>> config;
    // Its access model is "whitelist" whatever anybody says.
    bool isPrivate = false;
};

}  // namespace epode
