#include "route/roster_xml.h"

#include "core/namespaces.h"
#include "route/account.h"
#include "route/host.h"
#include "route/session.h"
#include "route/shared_contacts.h"

#include <charconv>

namespace epode {

Element& addRosterItem(Element& query, const Contact& contact, ItemForm form) {
    Element& item = query.add("item");
    item.set("jid", contact.jid.text());
    if (form == ItemForm::Removed) {
        item.set("subscription", "remove");
        return item;
    }
    if (!contact.name.empty()) item.set("name", contact.name);
    item.set("subscription", toText(contact.state.subscription));
    if (contact.state.pendingOut) item.set("ask", "subscribe");
    if (contact.state.approved) item.set("approved", "true");
    for (const auto& group : contact.groups) item.addWithText("group", group);
    return item;
}

std::string rosterVersionText(const Account& account, std::int64_t version) {
    std::string text = std::to_string(account.id()) + '.' + std::to_string(version);
    if (const auto& shared = account.roster().shared()) text += '.' + shared->version;
    return text;
}

std::optional<std::int64_t> rosterVersion(const Account& account, std::string_view text) {
    const std::string prefix = std::to_string(account.id()) + '.';
    if (!text.starts_with(prefix)) return std::nullopt;
    text.remove_prefix(prefix.size());
    // What is shared has no history: who knows another state of it needs the whole roster.
    std::string suffix;
    if (const auto& shared = account.roster().shared()) suffix = '.' + shared->version;
    if (!text.ends_with(suffix)) return std::nullopt;
    text.remove_suffix(suffix.size());
    std::int64_t version = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), version);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    // Ahead of us: from before the database was set back to an older copy.
    if (version < 0 || version > account.roster().version()) return std::nullopt;
    return version;
}

StanzaPtr rosterPush(const Account& account, const Contact& contact, ItemForm form,
                     std::int64_t version) {
    const std::string text = rosterVersionText(account, version);
    auto push = Stanza::iq(StanzaType::Set, {}, {}, "push-" + text);
    Element& query = push->edit().add("query", ns::roster);
    query.set("ver", text);
    addRosterItem(query, contact, form);
    return push;
}

void Account::pushRoster(const Jid& jid) {
    Contact gone;
    gone.jid = jid;
    const Contact* now = roster_.find(jid);
    const bool isListed = now && now->listed;
    const Contact& contact = isListed ? *now : gone;
    StanzaPtr push;
    const auto made = [&]() -> const StanzaPtr& {
        if (!push)
            push = rosterPush(*this, contact, isListed ? ItemForm::Full : ItemForm::Removed,
                              roster_.version());
        return push;
    };
    for (const auto& session : sessions_)
        if (session->isInterested()) session->deliver(Stanza::readdressed(made(), session->jid()));
    const auto& hook = host_.services().rosterPushed;
    if (hook.empty()) return;
    RosterPushEvent event{*this, made()};
    hook.run(event);
}

}  // namespace epode
