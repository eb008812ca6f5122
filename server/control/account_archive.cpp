// The messages of an account in a file of XEP-0227: sections 4.5 and 4.11.
#include "control/account_transfer.h"
#include "core/forwarded.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "route/server.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::string_view mamNs = "urn:xmpp:mam:2";
constexpr std::size_t pageEntries = 500;

// A stored stanza with something more before its end tag.
void appendStanza(std::string& xml, std::string_view stanza, std::string_view insertion = {}) {
    constexpr std::string_view end = "</message>";
    if (insertion.empty() || !stanza.ends_with(end)) {
        xml.append(stanza);
        return;
    }
    xml.append(stanza.substr(0, stanza.size() - end.size())).append(insertion).append(end);
}

bool isOwnMark(const Element& child, const Jid& account) {
    return (child.is("delay", ns::delay) && child.get("from") == account.domain()) ||
           (child.is("stanza-id", ns::stanzaIds) && child.get("by") == account.text());
}

// The entry for a message of the file, without what this server adds again when it delivers it.
std::optional<ArchiveEntry> entryOf(const Element& message, const Jid& account, std::string& peer) {
    if (!message.is("message", ns::client)) return std::nullopt;
    const auto from = Jid::parse(message.get("from"));
    const auto to = Jid::parse(message.get("to"));
    ArchiveEntry entry;
    entry.flags.isOutgoing = from && from->bareText() == account.text();
    const auto& other = entry.flags.isOutgoing ? to : from;
    // A message to oneself, or from the account's own server, may have but one address.
    if (!from && !to) return std::nullopt;
    const std::string_view type = message.get("type");
    entry.flags.kind = type == "chat"        ? MessageKind::Chat
                       : type == "groupchat" ? MessageKind::Groupchat
                                             : MessageKind::Normal;
    entry.flags.hasBody = message.child("body", ns::client) != nullptr;
    if (type != "groupchat") peer = other ? std::string{other->bareText()} : account.text();
    Document clean{message};
    clean->removeChildren([&](const Element& child) { return isOwnMark(child, account); });
    entry.stanza = toXml(*clean);
    // What could not be read again is refused now.
    if (!parseXml(entry.stanza)) return std::nullopt;
    return entry;
}

std::optional<WallTime> stampIn(const Element& parent) {
    const Element* delay = parent.child("delay", ns::delay);
    return delay ? parseDateTime(delay->get("stamp")) : std::nullopt;
}

}  // namespace

Task<std::int64_t> exportWaiting(AccountRef account, AccountSink& sink) {
    const std::string jid = account.jid.text();
    const auto record = co_await account.server.stores().load(jid);
    if (!record || record->archive.pending == 0) co_return 0;
    std::int64_t count = 0;
    std::string xml = "<offline-messages>";
    WallTime position = record->archive.delivered;
    for (bool more = true; more;) {
        const auto entries = co_await account.server.stores().archive.pendingAfter(
            account.id, position, pageEntries);
        for (const ArchiveEntry& entry : entries) {
            std::string marks = "<stanza-id xmlns='urn:xmpp:sid:0' by='";
            escapeAttribute(marks, jid);
            marks.append("' id='")
                .append(entry.id.text())
                .append("'/><delay xmlns='urn:xmpp:delay' from='");
            escapeAttribute(marks, account.jid.domain());
            marks.append("' stamp='").append(formatDateTime(entry.stamp())).append("'/>");
            xml += '\n';
            appendStanza(xml, entry.stanza, marks);
            position = entry.stamp();
            ++count;
        }
        more = entries.size() == pageEntries;
        co_await sink.write(std::move(xml));
        xml.clear();
    }
    xml = "</offline-messages>";
    co_await sink.write(std::move(xml));
    co_return count;
}

Task<std::int64_t> exportArchive(AccountRef account, AccountSink& sink) {
    std::int64_t count = 0;
    ArchiveQuery query{.account = account.id, .most = pageEntries};
    for (bool more = true; more;) {
        const auto page = co_await account.server.stores().archive.query(query);
        std::string xml =
            count == 0 && !page.entries.empty() ? "<archive xmlns='urn:xmpp:pie:0#mam'>" : "";
        for (const ArchiveEntry& entry : page.entries) {
            xml.append("\n<result xmlns='urn:xmpp:mam:2' id='").append(entry.id.text());
            xml.append("'>");
            beginForwarded(xml, entry.stamp());
            appendStanza(xml, entry.stanza);
            xml.append(forwardedEnd).append("</result>");
            query.after = entry.id;
            ++count;
        }
        more = !page.isComplete && !page.entries.empty();
        if (!more && count > 0) xml += "</archive>";
        if (xml.empty()) continue;
        co_await sink.write(std::move(xml));
    }
    co_return count;
}

// ---- import

struct ArchiveImport::Writing {
    std::size_t open = 0;
    std::size_t wanted = 0;
    std::exception_ptr failure;
    UniqueFunction<void(bool)> resume;

    void ended(std::exception_ptr failed) {
        if (failed) failure = failed;
        --open;
        if (resume && open <= wanted) std::exchange(resume, {})(true);
    }
};

ArchiveImport::ArchiveImport(AccountRef account)
    : account_{std::move(account)}, writing_{std::make_shared<Writing>()} {}

// Strictly increasing and not of the future, whatever the file says.
void ArchiveImport::append(ArchiveEntry entry, std::string peer, std::int64_t stamp) {
    const std::int64_t now = toMilliseconds(Executor::current()->wallNow());
    const std::int64_t own = std::max(std::min(stamp, now), last_ + 1);
    if (entry.id.empty())
        entry.id = Uuid::at(fromMilliseconds(own));
    else if (own != toMilliseconds(entry.id.stamp()))
        entry.id = entry.id.movedTo(fromMilliseconds(own));
    last_ = own;
    ++writing_->open;
    account_.server.stores().archive.append(
        *Executor::current(), account_.id, std::move(peer), std::move(entry),
        [writing = writing_](std::exception_ptr failure) { writing->ended(failure); });
}

bool ArchiveImport::addWaiting(const Element& message) {
    std::string peer;
    auto entry = entryOf(message, account_.jid, peer);
    if (!entry) return false;
    const auto stamp = stampIn(message);
    Waiting waiting{.stamp = stamp ? toMilliseconds(*stamp) : last_ + 1,
                    .id = {},
                    .entry = std::move(*entry),
                    .peer = std::move(peer)};
    for (const Element& child : message.children())
        if (child.is("stanza-id", ns::stanzaIds) && child.get("by") == account_.jid.text())
            waiting.id = child.get("id");
    const auto place =
        std::upper_bound(waiting_.begin(), waiting_.end(), waiting.stamp,
                         [](std::int64_t time, const Waiting& one) { return time < one.stamp; });
    waiting_.insert(place, std::move(waiting));
    ++waitingCount_;
    return true;
}

bool ArchiveImport::add(const Element& result) {
    if (!result.is("result", mamNs)) return false;
    const auto& [message, stamp] = readForwarded(result, StanzaKind::Message);
    std::string peer;
    auto entry = message ? entryOf(*message, account_.jid, peer) : std::nullopt;
    if (!stamp || !entry) return false;
    const std::string_view id = result.get("id");
    const std::int64_t own = toMilliseconds(*stamp);
    // Those of before are not in the archive: it has them in their order.
    while (!waiting_.empty() && waiting_.front().stamp <= own) {
        Waiting first = std::move(waiting_.front());
        waiting_.erase(waiting_.begin());
        if (!first.id.empty() && first.id == id) {
            entry->flags.isOffline = true;
            continue;
        }
        first.entry.flags.isArchived = false;
        first.entry.flags.isOffline = true;
        append(std::move(first.entry), std::move(first.peer), first.stamp);
    }
    // An id of our own form is kept, so that clients know their messages again.
    if (const auto known = Uuid::parse(id); known && known->stamp() == *stamp) entry->id = *known;
    append(std::move(*entry), std::move(peer), own);
    ++archived_;
    return true;
}

void ArchiveImport::finish() {
    for (Waiting& waiting : waiting_) {
        waiting.entry.flags.isArchived = false;
        waiting.entry.flags.isOffline = true;
        append(std::move(waiting.entry), std::move(waiting.peer), waiting.stamp);
    }
    waiting_.clear();
}

Task<void> ArchiveImport::settle(std::size_t most) {
    if (writing_->open > most) {
        auto wait = [writing = writing_, most](UniqueFunction<void(bool)> resolve) {
            writing->wanted = most / 2;
            writing->resume = std::move(resolve);
        };
        Callback<bool> settled(std::move(wait));
        co_await settled;
    }
    if (writing_->failure) std::rethrow_exception(writing_->failure);
}

}  // namespace epode
