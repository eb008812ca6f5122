// Mediated invitations (XEP-0045, 7.8.2) and requests for voice (7.13, 8.6).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/log.h"
#include "core/namespaces.h"

#include <algorithm>

namespace epode::muc {

namespace {

std::string_view reasonOf(const Element& element) { return element.childText("reason"); }

}  // namespace

void Service::sendInvitation(const At& at, const Jid& to, const Jid& from, std::string_view reason,
                             const Element* more) {
    const Room& room = *at.room;
    auto message = Stanza::message(StanzaType::Normal, room.address, to,
                                   Uuid::at(at.shard.executor().wallNow()).text());
    Element& x = message->edit().add("x", names::user);
    Element& invite = x.add("invite").set("from", from.text());
    if (!reason.empty()) invite.addWithText("reason", reason);
    if (more && more->child("continue")) invite.add(*more->child("continue"));
    if (room.config.isPasswordProtected) x.addWithText("password", room.config.password);
    server_.route(message);
}

void Service::invite(const At& at, Occupant* occupant, const StanzaPtr& message, const Element& x,
                     Hold hold) {
    Room& room = *at.room;
    // The server itself invites for whoever may do all here: its operator (plugins/invite).
    const Jid& sender = message->from();
    const bool isServer = !occupant && sender.isDomain() && server_.isLocal(sender.domain());
    if (!occupant && (!isServer || room.isLocked)) {
        refuse(at, *message, room.isLocked ? noSuchRoom() : notInRoom());
        return;
    }
    const Jid inviter = occupant ? occupant->bare : sender;
    if (room.config.isMembersOnly && occupant) {
        const bool may = occupant->affiliation >= Affiliation::Admin ||
                         (room.config.mayInvite && occupant->affiliation >= Affiliation::Member);
        if (!may) {
            refuse(at, *message, forbidden("You may not invite others to this room."));
            return;
        }
    }
    bool isForMembers = false;
    std::vector<std::pair<Jid, const Element*>> invited;
    for (const Element& child : x.children()) {
        if (!child.is("invite", names::user)) continue;
        const auto to = Jid::parse(child.get("to"));
        if (!to || !to->hasLocal()) {
            refuse(at, *message,
                   {ErrorType::Modify, Condition::JidMalformed,
                    "There is no valid address in the invitation."});
            return;
        }
        if (reasonOf(child).size() > limits_.reasonBytesMax || invited.size() >= invitationsMax) {
            refuse(at, *message, tooLong("invitation"));
            return;
        }
        if (room.affiliationOf(to->bare()) == Affiliation::Outcast) {
            refuse(at, *message, forbidden("This person is banned from the room."));
            return;
        }
        invited.emplace_back(*to, &child);
        isForMembers = isForMembers || (room.config.isMembersOnly &&
                                        room.affiliationOf(to->bare()) == Affiliation::None);
    }
    // It is a way to write to people, like a private message, and to strangers even.
    if (occupant && !isAllowed(at, RoomAct::Whispers, *message, occupant->nick,
                               occupant->standing(), occupant->since))
        return;
    if (occupant && !room.mayAct(occupant->bare, limits_.actionsPerMinute,
                                 at.shard.executor().now(), invited.size())) {
        refuse(at, *message,
               {ErrorType::Wait, Condition::PolicyViolation,
                "You invite too many people at once; try again in a minute."});
        return;
    }
    if (!isForMembers) {
        for (const auto& [to, element] : invited)
            sendInvitation(at, to, inviter, reasonOf(*element), element);
        return;
    }
    std::vector<Jid> people;
    for (const auto& [to, element] : invited) people.push_back(to.bare());
    // Members first: who follows the invitation at once is let in.
    start(makeMembers(at, std::move(people), inviter.text()),
          [this, at, invited, inviter, message, hold = std::move(hold),
           keep = at.host.sharedServices()](std::optional<std::optional<StanzaError>> refusal,
                                            std::exception_ptr failure) {
              if (failure) {
                  at.shard.refuse(*message, notNow());
                  return;
              }
              if (const auto& problem = refusal.value()) {
                  at.shard.refuse(*message, *problem);
                  return;
              }
              for (const auto& [to, element] : invited)
                  sendInvitation(at, to, inviter, reasonOf(*element), element);
          });
}

// Of those who have no affiliation yet. Who was banned meanwhile stays so.
Task<std::optional<StanzaError>> Service::makeMembers(At at, std::vector<Jid> people,
                                                      std::string by) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    std::vector<Change> members;
    for (const Jid& person : people) {
        const Affiliation before = room->affiliationOf(person);
        if (before == Affiliation::Outcast)
            co_return forbidden("This person is banned from the room.");
        const bool isNamed =
            std::any_of(members.begin(), members.end(),
                        [&person](const Change& change) { return change.person == person; });
        if (before != Affiliation::None || isNamed) continue;
        Change change{.person = person,
                      .entry = room->entryOf(person).value_or(Affiliated{}),
                      .note = {},
                      .by = by};
        change.entry.affiliation = Affiliation::Member;
        members.push_back(std::move(change));
    }
    if (members.empty()) co_return std::nullopt;
    const auto refusal = co_await storeAffiliations(room, members);
    if (refusal) co_return *refusal;
    if (room->isGone) co_return noSuchRoom();
    std::vector<UniqueFunction<void()>> later;
    for (const Change& change : members) applyAffiliation(at, change, 0, later);
    for (auto& next : later) next();
    co_return std::nullopt;
}

// Only to people who belong to the room: it is no way to write to strangers.
void Service::decline(const At& at, const StanzaPtr& message, const Element& x) {
    Room& room = *at.room;
    const Element& declined = *x.child("decline");
    const auto to = Jid::parse(declined.get("to"));
    if (!to || reasonOf(declined).size() > limits_.reasonBytesMax) {
        refuse(at, *message, badRequest("There is no valid address in the answer."));
        return;
    }
    Jid inviter = *to;
    if (to->bareText() == room.address.text()) {
        const Occupant* occupant = room.byNick(to->resource());
        inviter = occupant ? occupant->places.front().jid : Jid{};
    }
    const bool isKnown =
        !inviter.empty() && (room.affiliationOf(inviter.bare()) >= Affiliation::Member ||
                             !room.byBare(inviter.bare()).empty());
    if (!isKnown) {
        refuse(at, *message, {Condition::ItemNotFound, "Nobody here has invited you."});
        return;
    }
    auto told = Stanza::message(StanzaType::Normal, room.address, inviter, message->id());
    Element& answer = told->edit().add("x", names::user).add("decline");
    answer.set("from", message->from().bareText());
    if (!reasonOf(declined).empty()) answer.addWithText("reason", reasonOf(declined));
    // To where the inviter is now.
    const auto places = room.byBare(inviter.bare());
    if (!places.empty()) told->setTo(places.front()->places.front().jid);
    server_.route(told);
}

void Service::takeForm(const At& at, Occupant* occupant, const StanzaPtr& message, const Element& x,
                       Hold hold) {
    const auto form = DataForm::read(x);
    if (form && form->formType() == names::registerForm && form->kind() != FormKind::Form) {
        answerKnock(at, message, *form, std::move(hold));
        return;
    }
    if (!occupant) {
        refuse(at, *message, notInRoom());
        return;
    }
    if (!form || form->kind() == FormKind::Form || form->formType() != names::request) {
        if (!form || form->kind() != FormKind::Cancel)
            refuse(at, *message, badRequest("This is no form that a room takes."));
        return;
    }
    if (form->kind() == FormKind::Submit) requestVoice(at, *occupant, message, *form);
}

void Service::requestVoice(const At& at, Occupant& occupant, const StanzaPtr& message,
                           const DataForm& form) {
    Room& room = *at.room;
    if (form.find("muc#request_allow")) {
        if (occupant.role != Role::Moderator) {
            refuse(at, *message, forbidden("Only moderators give voice."));
            return;
        }
        if (!form.boolean("muc#request_allow").value_or(false)) return;
        Occupant* asking = room.byNick(form.text("muc#roomnick"));
        const auto jid = form.jid("muc#jid");
        if (!asking || (jid && !jid->empty() && jid->bare() != asking->bare)) {
            refuse(at, *message, noSuchOccupant());
            return;
        }
        if (asking->role != Role::Visitor) return;
        start(giveVoice(at, asking->places.front().jid, occupant.bare.text()),
              [keep = at.host.sharedServices()](std::exception_ptr failure) {
                  if (failure) Log{"muc"}.warning("a change of voice could not be stored");
              });
        return;
    }
    if (form.text("muc#role") != "participant") {
        refuse(at, *message, badRequest("Only voice can be asked for."));
        return;
    }
    if (occupant.role != Role::Visitor) return;  // he has it
    if (!room.config.mayRequestVoice) {
        refuse(at, *message, forbidden("Nobody asks for voice in this room."));
        return;
    }
    const SteadyTime now = at.shard.executor().now();
    if (now < occupant.mayAskAt) {
        refuse(at, *message,
               {ErrorType::Wait, Condition::PolicyViolation,
                "You have asked already; the moderators will answer."});
        return;
    }
    occupant.mayAskAt = now + std::chrono::minutes{1};
    DataForm asked{FormKind::Form, names::request};
    asked.setTitle("Voice request");
    asked.setInstructions("Shall this person be allowed to speak in the room?");
    asked.add({.var = "muc#role",
               .type = FieldType::ListSingle,
               .label = "Requested role",
               .values = {"participant"},
               .options = {{"participant", "Participant"}}});
    asked.add({.var = "muc#jid",
               .type = FieldType::JidSingle,
               .label = "User ID",
               .values = {message->from().text()}});
    asked.addText("muc#roomnick", occupant.nick, "Room nickname");
    asked.addBoolean("muc#request_allow", false, "Grant voice to this person?");
    auto question = Stanza::message(StanzaType::Normal, room.address, {},
                                    Uuid::at(at.shard.executor().wallNow()).text());
    asked.addTo(question->edit());
    const Telling telling{room};
    for (const auto& other : room.occupants())
        if (other->role == Role::Moderator)
            for (const Place& place : other->places) send(question, place.jid);
}

}  // namespace epode::muc
