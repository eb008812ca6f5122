// What is said in a room (XEP-0045, 7.4, 7.5, 8.1).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "route/message_content.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::muc {

namespace {

Counter spoken{"epode_muc_messages_total", "Messages that were sent to rooms"};
Counter told{"epode_muc_deliveries_total", "Copies of them that rooms have sent to occupants"};

// A room says these itself: what others have written there is a lie.
bool isRoomsOwn(const Element& child, const Room& room, Affiliation author) {
    if (child.ns() == names::user || child.ns() == names::muc || child.ns() == names::occupantId)
        return true;
    if (child.is("stanza-id", ns::stanzaIds)) {
        // An id of ours, however they write the address.
        const auto by = Jid::parse(child.get("by"));
        return !by || by->bareText() == room.address.text();
    }
    // The history is the room's (7.2.13). But its owner may bring in what was said in a chat before
    // (7.9), and says then who has said it.
    if (child.is("delay", ns::delay)) {
        const auto from = Jid::parse(child.get("from"));
        return author != Affiliation::Owner || !from || from->domain() == room.address.domain();
    }
    if (child.ns() == names::oldDelay) return true;
    // Moderation and tombstones (XEP-0425, 5), in the words of each version.
    if (child.ns() == names::moderate || child.ns() == names::oldModerate) return true;
    if (child.is("retracted", names::retract) || child.is("retracted", names::oldRetract))
        return true;
    const bool isTakingBack = child.is("apply-to", names::fasten) ||
                              child.is("retract", names::retract) ||
                              child.is("retract", names::oldRetract);
    if (!isTakingBack) return false;
    for (const Element& inner : child.children())
        if (inner.ns() == names::moderate || inner.ns() == names::oldModerate) return true;
    return false;
}

bool isSubjectChange(const Stanza& message) {
    return message.child("subject", ns::client) && !message.child("body", ns::client) &&
           !message.child("thread", ns::client);
}

// Whether the archive gets it, as it would get it between two people.
bool isWorthKeeping(Stanza& message) {
    message.setType(StanzaType::Chat);
    const bool isKept = keepingOf(message) == Keeping::Message;
    message.setType(StanzaType::Groupchat);
    return isKept;
}

// Who was muted is told why, and for how long.
StanzaError noVoice(const Room& room, const Jid& bare) {
    const auto entry = room.entryOf(bare);
    if (!entry || entry->voice != Voice::Muted) return forbidden("You have no voice in this room.");
    std::string text = "You are muted in this room";
    if (entry->until) text += " until " + formatDateTime(*entry->until);
    return forbidden(text + (entry->reason.empty() ? "." : ": " + entry->reason));
}

StanzaError notStored() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "The server could not store this message; send it again later."};
}

}  // namespace

void Service::receiveMessage(const At& at, const StanzaPtr& message, Hold hold) {
    Room& room = *at.room;
    if (message->isError()) {
        bounced(at, *message);
        return;
    }
    Occupant* occupant = room.byClient(message->from());
    if (!message->to().isBare()) {
        if (!occupant)
            refuse(at, *message, notInRoom());
        else
            whisper(at, *occupant, message, std::move(hold));
        return;
    }
    if (message->type() == StanzaType::Groupchat) {
        if (!occupant)
            refuse(at, *message, room.isLocked ? noSuchRoom() : notInRoom());
        else if (isSubjectChange(*message))
            changeSubject(at, *occupant, message, std::move(hold));
        else
            speak(at, *occupant, message, std::move(hold));
        return;
    }
    if (const Element* x = message->child("x", names::user)) {
        if (x->child("decline")) {
            decline(at, message, *x);
            return;
        }
        if (x->child("invite")) {
            invite(at, occupant, message, *x, std::move(hold));
            return;
        }
    }
    if (const Element* form = message->child("x", ns::dataForms)) {
        takeForm(at, occupant, message, *form, std::move(hold));
        return;
    }
    refuse(at, *message,
           occupant ? badRequest("A message to a room is of type groupchat.") : notInRoom());
}

MutableStanzaPtr Service::passedOn(const Stanza& message, const Room& room,
                                   const Occupant& occupant) const {
    auto copy = message.copy();
    Element& root = copy->edit();
    root.removeChildren(
        [&](const Element& child) { return isRoomsOwn(child, room, occupant.affiliation); });
    root.add("occupant-id", names::occupantId).set("id", occupant.id);
    copy->setFrom(occupant.address);
    return copy;
}

void Service::speak(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold) {
    Room& room = *at.room;
    if (occupant.role < Role::Participant) {
        refuse(at, *message, noVoice(room, occupant.bare));
        return;
    }
    if (isShutOut(room, occupant.bare, occupant.role)) {
        refuse(at, *message, forbidden("The room is locked down: for the moment members speak."));
        return;
    }
    if (!isAllowed(at, RoomAct::Speaks, *message, occupant.nick, occupant.standing(),
                   occupant.since))
        return;
    const SteadyTime now = at.shard.executor().now();
    const bool hasBody = message->child("body", ns::client) != nullptr;
    if (room.config.slowSeconds > 0 && hasBody && occupant.role < Role::Moderator) {
        if (now < occupant.mayWriteAt) {
            const auto seconds =
                std::chrono::duration_cast<std::chrono::seconds>(occupant.mayWriteAt - now).count();
            refuse(at, *message,
                   {ErrorType::Wait, Condition::PolicyViolation,
                    "You have to wait " + std::to_string(seconds + 1) +
                        " seconds before your next message in this room."});
            return;
        }
        occupant.mayWriteAt = now + std::chrono::seconds{room.config.slowSeconds};
    }
    spoken.add();
    auto copy = passedOn(*message, room, occupant);
    copy->setTo({});
    const bool isKept = isWorthKeeping(*copy);
    if (const Element* retract = copy->child("retract", names::retract))
        if (const auto taken = Uuid::parse(retract->get("id"))) {
            Retraction retraction{.message = *taken, .id = std::string{copy->id()}};
            retraction.author = occupant.id;
            start(entomb(at.room, std::move(retraction)),
                  [hold, keep = at.host.sharedServices()](std::optional<bool>, std::exception_ptr) {
                  });
        }
    publish(at, {.message = std::move(copy),
                 .original = message,
                 .author = message->from(),
                 .authorId = occupant.id,
                 .standing = occupant.standing(),
                 .isKept = isKept && room.config.isArchived,
                 .isRemembered = isKept && hasBody,
                 .hold = std::move(hold)});
}

void Service::changeSubject(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold) {
    Room& room = *at.room;
    const bool may = occupant.role == Role::Moderator ||
                     (room.config.mayChangeSubject && occupant.role >= Role::Participant);
    if (!may) {
        refuse(at, *message, forbidden("You may not change the subject of this room."));
        return;
    }
    if (isShutOut(room, occupant.bare, occupant.role)) {
        refuse(at, *message, forbidden("The room is locked down: for the moment members speak."));
        return;
    }
    if (!isAllowed(at, RoomAct::ChangesSubject, *message, occupant.nick, occupant.standing(),
                   occupant.since))
        return;
    Subject subject;
    for (const Element& child : message->root().children()) {
        if (!child.is("subject", ns::client)) continue;
        if (subject.text.empty()) subject.text = child.text();
        writeXml(subject.xml, child, ns::client);
    }
    if (subject.xml.size() > limits_.subjectBytesMax) {
        refuse(at, *message, tooLong("subject"));
        return;
    }
    subject.nick = occupant.nick;
    subject.occupantId = occupant.id;
    auto copy = passedOn(*message, room, occupant);
    copy->setTo({});
    const Uuid id = publish(at, {.message = std::move(copy),
                                 .original = message,
                                 .author = message->from(),
                                 .authorId = occupant.id,
                                 .standing = occupant.standing(),
                                 .isKept = room.config.isArchived,
                                 .hold = hold});
    subject.at = id.stamp();
    room.subject = subject;
    // Safe for the one who has set it when it is stored.
    start(store_.saveSubject(room.id, std::move(subject)),
          [hold, room = room.address.text()](std::exception_ptr failure) {
              if (failure) Log{"muc"}.warning("a subject could not be stored", {{"room", room}});
          });
}

void Service::whisper(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold) {
    Room& room = *at.room;
    if (message->type() == StanzaType::Groupchat) {
        refuse(at, *message, badRequest("A private message is not of type groupchat."));
        return;
    }
    Occupant* other = room.byNick(message->to().resource());
    if (!other) {
        refuse(at, *message, noSuchOccupant());
        return;
    }
    const AllowPm allowed = room.config.allowPm;
    const bool may = allowed == AllowPm::Anyone ||
                     (allowed == AllowPm::Participants && occupant.role >= Role::Participant) ||
                     (allowed == AllowPm::Moderators && occupant.role >= Role::Moderator);
    if (!may) {
        refuse(at, *message, forbidden("Private messages are not allowed to you in this room."));
        return;
    }
    // While the room is locked down, strangers write to its moderators alone.
    if (isShutOut(room, occupant.bare, occupant.role) && other->role != Role::Moderator) {
        refuse(at, *message, forbidden("The room is locked down for the moment."));
        return;
    }
    if (!isAllowed(at, RoomAct::Whispers, *message, occupant.nick, occupant.standing(),
                   occupant.since))
        return;
    auto copy = passedOn(*message, room, occupant);
    Element& root = copy->edit();
    root.add("x", names::user);
    std::string inner;
    writeInnerXml(inner, root);
    copy->setInner(inner);
    const StanzaPtr whispered = copy;
    const Telling telling{room};
    for (const Place& place : other->places) send(whispered, place.jid, hold);
}

// The archive's form of a message ends with who has sent it, for those who may know that; see
// archive.cpp.
Uuid Service::publish(const At& at, Saying saying) {
    Room& room = *at.room;
    const Uuid id = Uuid::at(room.nextStamp(at.shard.executor().wallNow()));
    Stanza& message = *saying.message;
    if (message.id().empty()) message.setId(id.text());
    if (!saying.isKept) {
        auto out = std::make_shared<Room::Outgoing>();
        std::string inner;
        writeInnerXml(inner, message.root());
        message.setInner(inner);
        out->message = std::move(saying.message);
        out->id = id;
        out->author = std::move(saying.authorId);
        out->hold = std::move(saying.hold);
        out->isRemembered = saying.isRemembered;
        room.outgoing.push_back(std::move(out));
        said(at);
        return id;
    }
    ArchiveEntry entry{.id = id,
                       .flags = {.hasBody = message.child("body", ns::client) != nullptr,
                                 .kind = MessageKind::Groupchat}};
    std::string real;
    if (!saying.author.empty()) {
        real.append("<x xmlns='").append(names::user).append("'><item affiliation='");
        real.append(toText(saying.standing.affiliation)).append("' jid='");
        escapeAttribute(real, saying.author.text());
        real.append("' role='").append(toText(saying.standing.role)).append("'/></x>");
    }
    message.write(entry.stanza, {}, nullptr, real);
    message.edit()
        .add("stanza-id", ns::stanzaIds)
        .set("by", room.address.text())
        .set("id", id.text());
    std::string inner;
    writeInnerXml(inner, message.root());
    message.setInner(inner);

    auto out = std::make_shared<Room::Outgoing>();
    out->message = std::move(saying.message);
    out->id = id;
    out->author = std::move(saying.authorId);
    out->hold = saying.hold;
    out->isRemembered = saying.isRemembered;
    out->state = Room::Outgoing::State::Waits;
    room.outgoing.push_back(out);
    server_.stores().archive.append(
        at.shard.executor(), room.id, std::string{saying.author.bareText()}, std::move(entry),
        [this, at, out, original = saying.original,
         keep = at.host.sharedServices()](std::exception_ptr failure) {
            out->state = failure ? Room::Outgoing::State::Failed : Room::Outgoing::State::Ready;
            if (failure && original) at.shard.refuse(*original, notStored());
            said(at);
        });
    return id;
}

// Tells what is stored, in the order in which it was said; what has come behind it comes next.
void Service::said(const At& at) {
    Room& room = *at.room;
    if (room.isBusy) {
        at.shard.executor().post([this, at, keep = at.host.sharedServices()] { said(at); });
        return;
    }
    while (!room.outgoing.empty() && room.outgoing.front()->state != Room::Outgoing::State::Waits) {
        const auto out = std::move(room.outgoing.front());
        room.outgoing.pop_front();
        if (out->state == Room::Outgoing::State::Failed) continue;
        if (out->isRemembered)
            room.remember({out->id, out->message, out->message->toXml().size(), out->author},
                          limits_.historyMax);
        told.add(room.clientCount());
        broadcast(at, out->message);
        if (!out->isRemembered) continue;
        if (listeners_.version() != room.toldListeners) tellListeners(at);
        if (room.config.forwardsMentions) tellMentioned(at, *out);
    }
    if (!room.outgoing.empty() || room.waiting.empty()) return;
    auto waiting = std::exchange(room.waiting, {});
    for (auto& next : waiting) at.shard.receive(next.stanza, std::move(next.hold));
}

}  // namespace epode::muc
