#include "access.h"

#include "core/namespaces.h"

#include <optional>

namespace epode::privilege {

namespace {

const Option<std::string> rosterAccess{
    .key = "component.roster_access",
    .fallback = "none",
    .choices = {"none", "get", "set", "both"},
    .help =
        "Whether the component may read and change the rosters of accounts (plugin privilege, "
        "XEP-0356).",
    .scope = Scope::Component,
};
const Option<bool> rosterPush{
    .key = "component.roster_push",
    .fallback = true,
    .help =
        "Whether a component that may read rosters is told of their changes (plugin privilege).",
    .scope = Scope::Component,
};
const Option<std::string> messageAccess{
    .key = "component.message_access",
    .fallback = "none",
    .choices = {"none", "outgoing"},
    .help =
        "Whether the component may send messages as an account or as the host (plugin privilege).",
    .scope = Scope::Component,
};
const Option<std::string> presenceAccess{
    .key = "component.presence_access",
    .fallback = "none",
    .choices = {"none", "managed_entity"},
    .help =
        "Whether the component is told when clients of accounts come and go (plugin privilege).",
    .scope = Scope::Component,
};
// "urn:xmpp:ping=get": where the type begins; nothing when it is none.
std::optional<std::size_t> placeOfType(const std::string& text) {
    const auto equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) return std::nullopt;
    const auto type = text.substr(equals + 1);
    if (type != "none" && !parseRequestAccess(type).any()) return std::nullopt;
    return equals + 1;
}

std::string problemOf(const std::vector<std::string>& entries) {
    for (const auto& text : entries)
        if (!placeOfType(text))
            return "expected namespaces with get, set or both, such as "
                   "\"http://jabber.org/protocol/pubsub=both\", not \"" +
                   text + "\"";
    return {};
}

const Option<std::vector<std::string>> iqAccess{
    .key = "component.iq_access",
    .fallback = {},
    .help =
        "Which requests the component may make as an account, by namespace and type: "
        "[\"http://jabber.org/protocol/pubsub=set\"]; types are get, set and both (plugin "
        "privilege).",
    .scope = Scope::Component,
    .problem = problemOf,
};

}  // namespace

std::vector<OptionRef> options() {
    return {&rosterAccess, &rosterPush, &messageAccess, &presenceAccess, &iqAccess};
}

RequestAccess parseRequestAccess(std::string_view type) {
    const bool isBoth = type == "both";
    return {.get = isBoth || type == "get", .set = isBoth || type == "set"};
}

std::string_view toText(RequestAccess access) {
    if (access.get) return access.set ? "both" : "get";
    return access.set ? "set" : "none";
}

Access::Access(const Settings& settings, std::string_view component)
    : roster{parseRequestAccess(settings.get(rosterAccess, component))},
      rosterPush{roster.get && settings.get(privilege::rosterPush, component)},
      messages{settings.get(messageAccess, component) == "outgoing"},
      presence{settings.get(presenceAccess, component) == "managed_entity"} {
    for (const auto& text : settings.get(iqAccess, component)) {
        const auto type = placeOfType(text);
        const auto access = type ? parseRequestAccess(text.substr(*type)) : RequestAccess{};
        if (access.any()) requests.insert_or_assign(text.substr(0, *type - 1), access);
    }
}

bool Access::allows(StanzaType type, std::string_view payloadNs) const {
    const auto found = requests.find(payloadNs);
    return found != requests.end() && found->second.allows(type);
}

void Access::advertise(Element& message) const {
    Element& privilege = message.add("privilege", ns);
    if (roster.any())
        privilege.add("perm")
            .set("access", "roster")
            .set("type", toText(roster))
            .set("push", rosterPush ? "true" : "false");
    if (messages) privilege.add("perm").set("access", "message").set("type", "outgoing");
    if (!requests.empty()) {
        Element& perm = privilege.add("perm");
        perm.set("access", "iq");
        for (const auto& [name, access] : requests)
            perm.add("namespace").set("ns", name).set("type", toText(access));
    }
    if (presence) privilege.add("perm").set("access", "presence").set("type", "managed_entity");
}

}  // namespace epode::privilege
