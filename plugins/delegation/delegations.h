// Which namespaces are delegated to which component (XEP-0355, 4.1), as the configuration says.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/option.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode::delegation {

inline constexpr std::string_view ns = "urn:xmpp:delegation:2";
// In place of a namespace: what is asked about accounts with a node that nobody else answers for
// (7.2.4), and their items (7.2.5).
inline constexpr std::string_view bareInfo = "urn:xmpp:delegation:2:bare:disco#info:*";
inline constexpr std::string_view bareItems = "urn:xmpp:delegation:2:bare:disco#items:*";
inline bool isBareDisco(std::string_view name) { return name == bareInfo || name == bareItems; }

std::vector<OptionRef> options();

// A component that manages namespaces.
struct Managing {
    Jid jid;
    Duration patience;        // with an answer
    std::int64_t waitingMax;  // requests that may wait for one
};

struct Delegated {
    const Managing* to;
    std::vector<std::string> attributes;  // which a request has to have, to be meant

    bool fits(const Element& payload) const;
};

class Delegations {
public:
    Delegations(const Settings& settings, const std::vector<std::string>& components);

    bool empty() const { return namespaces_.empty(); }
    // Null when the namespace is not delegated.
    const Delegated* find(std::string_view name) const;
    const std::map<std::string, Delegated, std::less<>>& namespaces() const { return namespaces_; }
    const std::map<std::string, Managing, std::less<>>& components() const { return components_; }
    // What the component manages, to be told to it: <delegation/>, which may be empty.
    void advertise(Element& message, std::string_view component) const;

    // Namespaces that a component doesn't get because another one has them: (component, namespace).
    const std::vector<std::pair<std::string, std::string>>& taken() const { return taken_; }

private:
    std::map<std::string, Managing, std::less<>> components_;  // that manage anything
    std::map<std::string, Delegated, std::less<>> namespaces_;
    std::vector<std::pair<std::string, std::string>> taken_;
};

}  // namespace epode::delegation
