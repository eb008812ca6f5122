#include "room_watch.h"

#include "core/namespaces.h"
#include "route/shard.h"

#include <algorithm>

namespace epode::moderation {

namespace {

constexpr Duration forgottenAfter = std::chrono::minutes{10};
constexpr Duration offencesWithin = std::chrono::minutes{10};
constexpr int offencesMax = 3;

StanzaError policy(ErrorType type, std::string text) {
    return {type, Condition::PolicyViolation, std::move(text)};
}

template <typename Map>
void tidy(Map& all, std::size_t& at, SteadyTime now) {
    if (all.size() < at) return;
    std::erase_if(all,
                  [now](const auto& entry) { return now - entry.second.last > forgottenAfter; });
    at = std::max<std::size_t>(256, all.size() * 2);
}

// What people read of it.
std::string shownText(const Stanza& stanza) {
    std::string text;
    for (const Element& child : stanza.root().children()) {
        if (child.ns() == "jabber:x:oob") text.append(child.childText("url")).append(" ");
        // Invitations (XEP-0045, 7.8.2).
        if (child.is("x", "http://jabber.org/protocol/muc#user"))
            for (const Element& invite : child.children())
                text.append(invite.childText("reason")).append(" ");
        if (child.ns() != ns::client) continue;
        if (child.name() == "body" || child.name() == "subject")
            text.append(child.text()).append(" ");
    }
    return text;
}

}  // namespace

bool Allowance::take(std::int64_t perMinute, SteadyTime now) {
    const double most = double(perMinute);
    if (!at_) {
        left_ = most;
    } else {
        const double seconds = std::chrono::duration<double>(now - *at_).count();
        left_ = std::min(most, left_ + most * seconds / 60);
    }
    at_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
}

RoomWatch::Watched& RoomWatch::watched(const RoomEvent& event, const RoomDefaults& defaults,
                                       SteadyTime now) {
    tidy(rooms_, tidyAt_, now);
    Watched& room = rooms_[event.room.text()];
    if (!room.rules || room.settings != event.settings || !(room.defaults == defaults)) {
        room.settings = event.settings;
        room.defaults = defaults;
        room.rules = std::make_unique<RoomRules>(*event.settings, defaults);
    }
    room.last = now;
    return room;
}

RoomWatch::Person& RoomWatch::person(Watched& room, const Jid& client, SteadyTime now) {
    tidy(room.people, room.tidyAt, now);
    Person& one = room.people[std::string{client.bareText()}];
    one.last = now;
    return one;
}

std::optional<Objection> RoomWatch::judgeWords(const RoomEvent& event, const RoomRules& rules) {
    const bool isNick = event.act == RoomAct::Enters || event.act == RoomAct::ChangesNick;
    const std::string text = isNick ? std::string{event.nick} : shownText(event.stanza);
    if (rules.wordIn(text))
        return Objection{"words",
                         policy(ErrorType::Modify, isNick ? "This nickname is not allowed here."
                                                          : "There are words in this message that "
                                                            "are not used in this room."),
                         !isNick};
    const bool mayLink = rules.links == RoomRules::Links::Everybody ||
                         (rules.links == RoomRules::Links::Members && event.isMember);
    if (!mayLink && hasLink(text))
        return Objection{
            "links",
            policy(ErrorType::Modify, rules.links == RoomRules::Links::Members
                                          ? "Only members send links in this room."
                                          : "Only moderators send links in this room."),
            !isNick};
    return std::nullopt;
}

std::optional<Objection> RoomWatch::judge(const RoomEvent& event, const RoomDefaults& defaults) {
    if (event.isModerator) return std::nullopt;
    const SteadyTime now = event.shard.executor().now();
    Watched& room = watched(event, defaults, now);
    const RoomRules& rules = *room.rules;
    const RoomDefaults& limits = rules.limits;
    if (auto objection = judgeWords(event, rules)) return objection;
    switch (event.act) {
        case RoomAct::Enters:
            if (limits.joinsPerMinute > 0 && !event.isMember &&
                !room.joins.take(limits.joinsPerMinute, now))
                return Objection{"joins",
                                 {ErrorType::Wait, Condition::ResourceConstraint,
                                  "Too many people enter this room at the moment; try "
                                  "again in a minute."}};
            break;
        case RoomAct::ChangesNick:
            if (limits.nickChangesPerMinute > 0 &&
                !person(room, event.client, now).nickChanges.take(limits.nickChangesPerMinute, now))
                return Objection{
                    "nicknames",
                    policy(ErrorType::Wait,
                           "You change your nickname too often; try again in a minute."),
                    true};
            break;
        case RoomAct::Speaks:
        case RoomAct::ChangesSubject:
        case RoomAct::Whispers: {
            const auto inside = now - event.since;
            const auto wait = std::chrono::seconds{limits.newcomerSeconds};
            if (!event.isMember && inside < wait) {
                const auto left =
                    std::chrono::duration_cast<std::chrono::seconds>(wait - inside).count() + 1;
                return Objection{"newcomers", policy(ErrorType::Wait,
                                                     "Who is new here listens first: you may "
                                                     "speak in " +
                                                         std::to_string(left) + " seconds.")};
            }
            if (limits.messagesPerMinute > 0 &&
                !person(room, event.client, now).messages.take(limits.messagesPerMinute, now))
                return Objection{
                    "messages",
                    policy(ErrorType::Wait, "You send too many messages; wait a moment."), true};
            break;
        }
    }
    return std::nullopt;
}

bool RoomWatch::isEnough(const RoomEvent& event) {
    const SteadyTime now = event.shard.executor().now();
    Person& one = person(rooms_[event.room.text()], event.client, now);
    if (one.offences == 0 || now - one.firstOffence > offencesWithin) {
        one.offences = 0;
        one.firstOffence = now;
    }
    if (++one.offences < offencesMax) return false;
    one.offences = 0;
    return true;
}

const RoomRules* RoomWatch::rulesOf(const RoomEvent& event) const {
    const auto found = rooms_.find(event.room.text());
    return found == rooms_.end() ? nullptr : found->second.rules.get();
}

}  // namespace epode::moderation
