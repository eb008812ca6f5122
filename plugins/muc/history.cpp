// What somebody who enters is told of what was said before (XEP-0045, 7.2.13 to 7.2.15).
#include "service.h"

#include "names.h"

#include "core/namespaces.h"
#include "core/time_format.h"
#include "store/stores.h"

#include <algorithm>
#include <charconv>

namespace epode::muc {

namespace {

// Table 8. What is no number says nothing.
std::optional<std::int64_t> number(const Element& wanted, std::string_view name) {
    const auto text = wanted.find(name);
    if (!text) return std::nullopt;
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (problem != std::errc{} || end != text->data() + text->size() || value < 0)
        return std::nullopt;
    return value;
}

std::string delayXml(const Room& room, WallTime at) {
    std::string xml{"<delay xmlns='urn:xmpp:delay' from='"};
    escapeAttribute(xml, room.address.text());
    xml.append("' stamp='");
    appendDateTime(xml, at);
    xml.append("'/>");
    return xml;
}

}  // namespace

void Service::sendHistory(const At& at, Room& room, const Jid& to, const Element* wanted) {
    std::size_t most = std::min(std::size_t(std::max<std::int64_t>(room.config.historyMax, 0)),
                                limits_.historyMax);
    std::int64_t characters = INT64_MAX;
    WallTime since{};
    if (wanted) {
        if (const auto stanzas = number(*wanted, "maxstanzas"))
            most = std::min<std::size_t>(most, std::size_t(*stanzas));
        if (const auto chars = number(*wanted, "maxchars")) characters = *chars;
        if (const auto seconds = number(*wanted, "seconds"))
            since = at.shard.executor().wallNow() -
                    std::chrono::seconds{std::min<std::int64_t>(*seconds, 1'000'000'000)};
        if (const auto time = parseDateTime(wanted->get("since"))) since = std::max(since, *time);
    }
    // As many of the newest as fit.
    auto first = room.history.end();
    while (most > 0 && first != room.history.begin()) {
        const Remembered& candidate = *std::prev(first);
        characters -= std::int64_t(candidate.characters);
        if (characters < 0 || candidate.id.stamp() < since) break;
        --first;
        --most;
    }
    for (; first != room.history.end(); ++first) {
        if (!first->delayed) {
            auto copy = first->message->copy();
            std::string inner;
            writeInnerXml(inner, first->message->root());
            // What its owner has brought in says already when it was said (7.9).
            const bool isDated = first->message->child("delay", ns::delay) != nullptr;
            copy->setInner(isDated ? inner : inner + delayXml(room, first->id.stamp()));
            first->delayed = std::move(copy);
        }
        send(first->delayed, to);
    }
}

// Also when there never was one: it ends the history.
void Service::sendSubject(const At&, const Room& room, const Jid& to) {
    const Subject& subject = room.subject;
    const auto from = subject.nick.empty() ? std::nullopt : room.address.withResource(subject.nick);
    std::string xml{"<message type='groupchat' id='subject-"};
    xml.append(std::to_string(toMilliseconds(subject.at))).append("'>");
    xml.append(subject.xml.empty() ? "<subject/>" : subject.xml);
    if (!subject.occupantId.empty())
        xml.append("<occupant-id xmlns='")
            .append(names::occupantId)
            .append("' id='")
            .append(subject.occupantId)
            .append("'/>");
    if (subject.at != WallTime{}) xml.append(delayXml(room, subject.at));
    xml.append("</message>");
    auto message = Stanza::parse(xml);
    if (!message) return;
    message->setFrom(from.value_or(room.address));
    message->setTo(to);
    server_.route(message);
}

// The archive's form as it went to everybody.
Task<void> Service::recall(RoomPtr room) {
    ArchiveQuery query;
    query.account = room->id;
    query.isBackwards = true;
    query.most = std::max<std::size_t>(limits_.historyMax, 1);
    const auto page = co_await server_.stores().archive.query(std::move(query));
    for (const ArchiveEntry& entry : page.entries) {
        room->noteStamp(entry.stamp());
        auto message = Stanza::parse(entry.stanza);
        if (!message) continue;
        Element& root = message->edit();
        root.removeChildren([](const Element& child) { return child.ns() == names::user; });
        const bool isShown = root.child("body", ns::client) != nullptr;
        if (!isShown || message->from().isBare()) continue;
        root.add("stanza-id", ns::stanzaIds)
            .set("by", room->address.text())
            .set("id", entry.id.text());
        const Element* author = root.child("occupant-id", names::occupantId);
        std::string id{author ? author->get("id") : std::string_view{}};
        std::string inner;
        writeInnerXml(inner, root);
        message->setInner(inner);
        const StanzaPtr said = message;
        room->remember({entry.id, said, said->toXml().size(), std::move(id)}, limits_.historyMax);
    }
}

}  // namespace epode::muc
