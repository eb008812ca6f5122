#include "route/session_snapshot.h"

#include "core/base64.h"
#include "core/log.h"
#include "core/xml_stream.h"
#include "route/account.h"
#include "route/host.h"
#include "route/session.h"
#include "route/shard.h"
#include "route/waiting_copies.h"

#include <charconv>

namespace epode {

namespace {

constexpr std::string_view snapshotNs = "urn:epode:session";

// What we have written ourselves has no limits but those of its parts.
XmlLimits snapshotLimits() {
    XmlLimits limits;
    limits.elementBytesMax = limits.nodesMax = limits.parserBytesMax = std::size_t(1) << 30;
    limits.depthMax = 1100;
    return limits;
}

template <typename Number>
Number number(const Element& element, std::string_view name) {
    Number value = 0;
    const std::string_view text = element.get(name);
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

MutableStanzaPtr readStanza(const Element& wrapper) {
    const Element* inside = wrapper.firstChild();
    if (!inside) return {};
    auto problem = Stanza::Problem::None;
    auto stanza = Stanza::fromDocument(Document{*inside}, {}, problem);
    return problem == Stanza::Problem::None ? std::move(stanza) : MutableStanzaPtr{};
}

// What plugins keep with the session. A state that no plugin knows any more is dropped.
void restoreState(Session& session, const Element& state) {
    const std::string_view name = state.get("name");
    const auto text = decodeBase64(state.text());
    if (!text) return;
    for (const SavedSlot& slot : session.host().services().savedStates) {
        if (slot.name != name) continue;
        try {
            slot.restore(session.slots(), *text);
        } catch (const std::exception& failure) {
            Log{"route"}.warning("a plugin could not restore its state of a session",
                                 {{"state", name}, {"failure", failure.what()}});
        }
    }
}

}  // namespace

std::string writeSnapshot(Session& session) {
    const StreamManagement& sm = *session.sm();
    std::string xml{"<session xmlns='"};
    xml.append(snapshotNs);
    xml.append("' handled='").append(std::to_string(sm.inbound().safe()));
    xml.append("' acknowledged='").append(std::to_string(sm.acknowledged()));
    xml.append("' interested='").append(session.isInterested() ? "1" : "0").append("'>");
    if (session.presence()) {
        xml.append("<presence>");
        session.presence()->write(xml, {});
        xml.append("</presence>");
    }
    for (const Jid& jid : session.directed()) {
        xml.append("<directed>");
        escapeText(xml, jid.text());
        xml.append("</directed>");
    }
    for (const std::int64_t stamp : session.account().deliveredBeyond())
        xml.append("<delivered stamp='").append(std::to_string(stamp)).append("'/>");
    if (const auto* copies = session.slots().find<WaitingCopies>())
        for (const auto& [stamp, state] : copies->all())
            if (state == WaitingCopies::State::Arrived)
                xml.append("<copied stamp='").append(std::to_string(stamp)).append("'/>");
    for (const Unacknowledged& entry : sm.queue()) {
        xml.append("<queued stamp='").append(std::to_string(entry.stamp)).append("'>");
        entry.stanza->write(xml, {}, nullptr, entry.insertion);
        xml.append("</queued>");
    }
    for (const SavedSlot& slot : session.host().services().savedStates) {
        const auto state = slot.save(session.slots());
        if (!state) continue;
        xml.append("<state name='");
        escapeAttribute(xml, slot.name);
        xml.append("'>").append(encodeBase64(*state)).append("</state>");
    }
    xml.append("</session>");
    return xml;
}

Session* restoreSnapshot(Account& account, std::string_view resource, std::string_view smId,
                         std::string_view snapshot) {
    const auto full = account.jid().withResource(resource);
    XmlParserPool pool;
    const ParsedElement parsed = parseElement(pool, snapshotLimits(), snapshot);
    if (!full || account.session(full->resource()) || !parsed.document) return nullptr;
    const Element& root = *parsed.document;

    Session& session = account.bind(*full);
    StreamManagement& sm = session.enableSm(std::string{smId}, true);
    session.restartInbound(number<std::uint32_t>(root, "handled"));
    sm.setAcknowledged(number<std::uint32_t>(root, "acknowledged"));
    if (root.get("interested") == "1") session.setInterested();
    for (const Element& child : root.children()) {
        if (child.name() == "presence") {
            if (auto presence = readStanza(child)) session.restorePresence(std::move(presence));
        } else if (child.name() == "directed") {
            if (const auto jid = Jid::parse(child.text())) session.directed().insert(*jid);
        } else if (child.name() == "delivered") {
            account.noteDelivered(number<std::int64_t>(child, "stamp"));
        } else if (child.name() == "copied") {
            session.state<WaitingCopies>().note(number<std::int64_t>(child, "stamp"),
                                                WaitingCopies::State::Arrived);
        } else if (child.name() == "queued") {
            auto stanza = readStanza(child);
            if (!stanza) continue;
            const auto stamp = number<std::int64_t>(child, "stamp");
            if (stamp > 0) account.noteOut(stamp);
            if (stamp < 0)
                session.state<WaitingCopies>().note(-stamp, WaitingCopies::State::Sent);
            sm.push({std::move(stanza), {}, stamp});
        } else if (child.name() == "state") {
            restoreState(session, child);
        }
    }
    return &session;
}

}  // namespace epode
