// What rooms and their service tell about themselves (XEP-0045, 6; XEP-0059).
#include "service.h"

#include "avatar.h"
#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"
#include "core/rsm.h"

#include <algorithm>

namespace epode::muc {

Task<Reply> Service::aboutService(const Iq& iq) {
    if (!iq.payload().get("node").empty())
        co_return StanzaError{Condition::ItemNotFound, "There is no such node."};
    Document query{"query", ns::discoInfo};
    const DiscoEntry& entry = iq.domain()->disco;
    for (const auto& identity : entry.identities)
        query->add("identity")
            .set("category", identity.category)
            .set("type", identity.type)
            .set("name", identity.name);
    for (const auto& feature : entry.features) query->add("feature").set("var", feature);
    co_return Reply{std::move(query)};
}

Task<Reply> Service::roomsOfService(const Iq& iq) {
    if (!iq.payload().get("node").empty())
        co_return StanzaError{Condition::ItemNotFound, "There is no such node."};
    auto read = readPageRequest(iq.payload());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& page = std::get<PageRequest>(read);
    if (page.index)
        co_return StanzaError{Condition::FeatureNotImplemented,
                              "Pages are asked for by names, not by index."};
    Store::Listing listing{.domain = domain_, .who = iq.from().bare().text()};
    listing.most =
        std::min<std::size_t>(page.max.value_or(std::uint32_t(limits_.pageMax)), limits_.pageMax);
    listing.isBackwards = page.isBackward();
    const auto nameOf = [](const std::optional<std::string>& address) {
        const auto jid = address ? Jid::parse(*address) : std::nullopt;
        return jid ? std::string{jid->local()} : std::string{};
    };
    listing.after = nameOf(page.after);
    listing.before = nameOf(page.before);
    const auto listed = co_await store_.list(std::move(listing));
    Document query{"query", ns::discoItems};
    const auto addressOf = [this](const RoomSummary& room) { return room.name + "@" + domain_; };
    for (const RoomSummary& room : listed.rooms)
        query->add("item")
            .set("jid", addressOf(room))
            .set("name", room.config.name.empty() ? room.name : room.config.name);
    // Whoever has not asked for pages is told when there is more.
    if (page.isAsked || !listed.isComplete) {
        Page set;
        if (!listed.rooms.empty()) {
            set.first = addressOf(listed.rooms.front());
            set.last = addressOf(listed.rooms.back());
            set.index = std::uint64_t(listed.index);
        }
        set.count = std::uint64_t(listed.count);
        addPage(*query, set);
    }
    co_return Reply{std::move(query)};
}

Task<Reply> Service::aboutRoom(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const RoomConfig& config = room->config;
    const std::string node{iq.payload().get("node")};
    Document query{"query", ns::discoInfo};
    const std::string name = config.name.empty() ? std::string{room->address.local()} : config.name;
    if (!node.empty()) {
        if (auto commands = aboutCommands(iq, *room)) co_return std::move(*commands);
        if (node == names::traffic)
            co_return StanzaError{Condition::ServiceUnavailable, "Everything is passed on."};
        if (node != names::ownNick)
            co_return StanzaError{Condition::FeatureNotImplemented, "There is no such node."};
        query->set("node", node);
        const auto entry = room->entryOf(iq.from().bare());
        if (entry && !entry->nick.empty())
            query->add("identity")
                .set("category", "conference")
                .set("type", "text")
                .set("name", entry->nick);
        co_return Reply{std::move(query)};
    }
    query->add("identity").set("category", "conference").set("type", "text").set("name", name);
    const auto feature = [&query](std::string_view var) { query->add("feature").set("var", var); };
    for (const auto var :
         {names::muc, names::stableId, names::selfPing, names::occupantId, ns::discoInfo,
          ns::discoItems, ns::stanzaIds, names::registration, names::vcard, names::moderate,
          names::oldModerate, names::hats, names::request, ns::commands})
        feature(var);
    if (config.isArchived) {
        feature("urn:xmpp:mam:2");
        feature("urn:xmpp:mam:2#extended");
        feature("urn:xmpp:message-retract:1#tombstone");
    }
    feature(config.isPublic ? "muc_public" : "muc_hidden");
    feature(config.isPersistent ? "muc_persistent" : "muc_temporary");
    feature(config.isMembersOnly ? "muc_membersonly" : "muc_open");
    feature(config.isModerated ? "muc_moderated" : "muc_unmoderated");
    feature(config.isPasswordProtected ? "muc_passwordprotected" : "muc_unsecured");
    feature(config.isNonAnonymous() ? "muc_nonanonymous" : "muc_semianonymous");

    DataForm form{FormKind::Result, names::roomInfo};
    form.addText("muc#roomconfig_roomname", config.name, "Name");
    form.addText("muc#roominfo_description", config.description, "Description");
    form.addText("muc#roominfo_lang", config.lang, "Language");
    form.addText("muc#roominfo_subject", room->subject.text, "Subject");
    form.addBoolean("muc#roominfo_subjectmod", config.mayChangeSubject);
    form.addBoolean("muc#roomconfig_changesubject", config.mayChangeSubject);
    form.addBoolean("muc#roomconfig_allowinvites", config.mayInvite);
    form.addText("muc#roominfo_occupants", std::to_string(room->occupants().size()), "Occupants");
    form.addText("muc#maxhistoryfetch", std::to_string(config.historyMax));
    if (!config.pubsub.empty()) form.addText("muc#roominfo_pubsub", config.pubsub);
    if (config.slowSeconds > 0)
        form.addText("muc#roominfo_slow_mode_duration", std::to_string(config.slowSeconds));
    if (!room->hats.all.empty()) form.addText("hats#hash", hashOfHats(*room), "Hats hash");
    if (!room->vcard.empty()) {
        FormField hash{.var = "muc#roominfo_avatarhash", .type = FieldType::TextMulti};
        hash.values = pictureHashes(room->vcard);
        if (!hash.values.empty()) form.add(std::move(hash));
    }
    form.addTo(*query);
    co_return Reply{std::move(query)};
}

// Who is in a room is told to those who are in it (6.5).
Task<Reply> Service::itemsOfRoom(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (!iq.payload().get("node").empty()) {
        if (auto commands = aboutCommands(iq, *room)) co_return std::move(*commands);
        co_return StanzaError{Condition::ItemNotFound, "There is no such node."};
    }
    Document query{"query", ns::discoItems};
    if (room->byClient(iq.from()))
        for (const auto& occupant : room->occupants())
            if (isShown(*room, occupant->role))
                query->add("item").set("jid", occupant->address.text());
    co_return Reply{std::move(query)};
}

Task<Reply> Service::pingRoom(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    co_return Reply{};
}

}  // namespace epode::muc
