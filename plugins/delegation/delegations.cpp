#include "delegations.h"

#include <algorithm>

namespace epode::delegation {

namespace {

// An entry of the option: the namespace and, after spaces, names of attributes.
struct Entry {
    std::string name;
    std::vector<std::string> attributes;
};

Entry split(std::string_view text) {
    Entry entry;
    while (!text.empty()) {
        const auto space = std::min(text.find(' '), text.size());
        const std::string part{text.substr(0, space)};
        text.remove_prefix(std::min(space + 1, text.size()));
        if (part.empty()) continue;
        if (entry.name.empty())
            entry.name = part;
        else
            entry.attributes.push_back(part);
    }
    return entry;
}

bool isAttributeName(std::string_view name) {
    const auto isLetter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    return isLetter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
               return isLetter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
           });
}

bool isGood(const std::string& text) {
    const Entry entry = split(text);
    if (entry.name.empty()) return false;
    // Business rule 5: what delegates is not delegated itself.
    if (entry.name.starts_with("urn:xmpp:delegation:"))
        return isBareDisco(entry.name) && entry.attributes.empty();
    return std::all_of(entry.attributes.begin(), entry.attributes.end(), isAttributeName);
}

std::string problemOf(const std::vector<std::string>& entries) {
    for (const auto& text : entries)
        if (!isGood(text))
            return "expected namespaces other than urn:xmpp:delegation:2, each with the names of "
                   "attributes that a request must have, if any, such as \"urn:xmpp:mam:2 node\", "
                   "not \"" +
                   text + "\"";
    return {};
}

// In one object that is made when it is first asked for: the plugin's declaration is another
// file's, and may be made before the constants of this one.
struct Declared {
    Option<std::vector<std::string>> delegated{
        .key = "component.delegated",
        .fallback = {},
        .help =
            "Namespaces of requests that the component answers in place of hosts and accounts "
            "(plugin delegation, XEP-0355): \"http://jabber.org/protocol/pubsub\", or with names "
            "of attributes that a request must have \"urn:xmpp:mam:2 node\".",
        .scope = Scope::Component,
        .problem = problemOf,
    };
    Option<Duration> patience{
        .key = "component.delegated_timeout",
        .fallback = std::chrono::seconds{60},
        .range = {std::chrono::seconds{1}, std::chrono::minutes{10}},
        .help =
            "How long the component may take to answer a request that was delegated to it; then "
            "it is refused (service-unavailable).",
        .scope = Scope::Component,
    };
    Option<std::int64_t> waitingMax{
        .key = "component.delegated_waiting_max",
        .fallback = 1000,
        .range = {1, 20000},
        .help =
            "How many delegated requests of a host may wait for the component's answer; more are "
            "refused (resource-constraint).",
        .scope = Scope::Component,
    };
};

const Declared& declared() {
    static const Declared all;
    return all;
}

}  // namespace

std::vector<OptionRef> options() {
    const Declared& all = declared();
    return {&all.delegated, &all.patience, &all.waitingMax};
}

bool Delegated::fits(const Element& payload) const {
    return std::all_of(attributes.begin(), attributes.end(), [&payload](const auto& attribute) {
        return payload.find(attribute).has_value();
    });
}

Delegations::Delegations(const Settings& settings, const std::vector<std::string>& components) {
    for (const auto& domain : components) {
        const auto jid = Jid::parse(domain);
        const auto& entries = settings.get(declared().delegated, domain);
        if (!jid || entries.empty()) continue;
        const auto& managing =
            components_
                .emplace(domain, Managing{*jid, settings.get(declared().patience, domain),
                                          settings.get(declared().waitingMax, domain)})
                .first->second;
        for (const auto& text : entries) {
            Entry entry = split(text);
            const auto [place, isNew] =
                namespaces_.try_emplace(entry.name, Delegated{&managing, entry.attributes});
            if (!isNew && place->second.to != &managing) taken_.emplace_back(domain, entry.name);
        }
    }
}

const Delegated* Delegations::find(std::string_view name) const {
    const auto found = namespaces_.find(name);
    return found == namespaces_.end() ? nullptr : &found->second;
}

void Delegations::advertise(Element& message, std::string_view component) const {
    Element& delegation = message.add("delegation", ns);
    for (const auto& [name, delegated] : namespaces_) {
        if (delegated.to->jid.domain() != component) continue;
        Element& told = delegation.add("delegated");
        told.set("namespace", name);
        for (const auto& attribute : delegated.attributes)
            told.add("attribute").set("name", attribute);
    }
}

}  // namespace epode::delegation
