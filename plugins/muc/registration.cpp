// Reserved nicknames (XEP-0045, 7.10 and 7.12; XEP-0077).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"

namespace epode::muc {

namespace {

constexpr std::string_view nickField = "muc#register_roomnick";
constexpr std::string_view personField = "muc#register_jid";
constexpr std::string_view allowField = "muc#register_allow";
constexpr std::size_t knocksMax = 200;  // in one room, within the time below
constexpr Duration knockEvery = std::chrono::hours{12};
constexpr std::size_t askedMax = 50;  // admins who are asked

StanzaError notAllowed() {
    return {Condition::NotAllowed, "Nobody registers with this room by himself."};
}

}  // namespace

Task<Reply> Service::tellRegistration(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const Jid bare = iq.from().bare();
    const Affiliation affiliation = room->affiliationOf(bare);
    if (affiliation == Affiliation::Outcast) co_return forbidden("You are banned from this room.");
    const auto entry = room->entryOf(bare);
    Document query{"query", names::registration};
    if (entry && !entry->nick.empty()) {
        query->add("registered");
        query->addWithText("username", entry->nick);
        co_return Reply{std::move(query)};
    }
    const bool mayJoin = room->config.mayRegister && !room->config.isMembersOnly;
    const bool isAsking = affiliation == Affiliation::None && !mayJoin;
    if (isAsking && !room->config.takesKnocks()) co_return notAllowed();
    query->addWithText("instructions",
                       isAsking ? "The admins of this room will be asked whether you may become "
                                  "a member. Choose the nickname that you want to have."
                                : "Choose the nickname that is yours in this room.");
    DataForm form{FormKind::Form, names::registerForm};
    form.add({.var = std::string{nickField}, .label = "Desired nickname", .isRequired = true});
    form.addTo(*query);
    co_return Reply{std::move(query)};
}

Task<Reply> Service::registerNick(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const Jid bare = iq.from().bare();
    const Affiliation before = room->affiliationOf(bare);
    if (before == Affiliation::Outcast) co_return forbidden("You are banned from this room.");
    const auto known = room->entryOf(bare);
    Change change{
        .person = bare, .entry = known.value_or(Affiliated{}), .note = {}, .by = bare.text()};
    change.entry.affiliation = room->ownAffiliationOf(bare);
    if (iq.payload().child("remove")) {
        if (!known || known->nick.empty())
            co_return StanzaError{ErrorType::Auth, Condition::RegistrationRequired,
                                  "You have no nickname here."};
        change.entry.nick.clear();
        // Who has become a member by registering is one no more.
        if (change.entry.affiliation == Affiliation::Member && !room->config.isMembersOnly)
            change.entry.affiliation = Affiliation::None;
    } else {
        const Element* x = iq.payload().child("x", ns::dataForms);
        const auto form = x ? DataForm::read(*x) : std::nullopt;
        if (!form || form->kind() != FormKind::Submit || form->formType() != names::registerForm)
            co_return badRequest("A nickname is registered by the form.");
        const auto nick = readNick(form->text(nickField), limits_.nickBytesMax);
        if (!nick) co_return notAcceptable("This nickname is not allowed.");
        const bool mayJoin = room->config.mayRegister && !room->config.isMembersOnly;
        if (before == Affiliation::None && !mayJoin) {
            if (!room->config.takesKnocks()) co_return notAllowed();
            const At at{iq.shard(), iq.host(), room};
            const auto refusal = knock(at, bare, *nick);
            if (refusal) co_return *refusal;
            co_return Reply{};
        }
        const Jid other = room->reserver(nick->key);
        const Occupant* present = room->byKey(nick->key);
        if ((!other.empty() && other != bare) || (present && present->bare != bare))
            co_return conflict("Somebody else has this nickname.");
        change.entry.nick = nick->text;
        if (before == Affiliation::None) change.entry.affiliation = Affiliation::Member;
    }
    std::vector<Change> changes{change};
    const auto refusal = co_await storeAffiliations(room, std::move(changes));
    if (refusal) co_return *refusal;
    if (room->isGone) co_return noSuchRoom();
    reply(iq);
    std::vector<UniqueFunction<void()>> later;
    applyAffiliation({iq.shard(), iq.host(), room}, change, 0, later);
    for (auto& next : later) next();
    co_return Reply::none();
}

// ---- who may not become a member by himself (9.9)

// The question holds everything, so that nothing has to be kept until somebody answers; admins who
// are away find it when they come.
std::optional<StanzaError> Service::knock(const At& at, const Jid& person, const Nick& nick) {
    Room& room = *at.room;
    const SteadyTime now = at.shard.executor().now();
    std::erase_if(room.knocks,
                  [now](const auto& entry) { return now - entry.second > knockEvery; });
    if (room.knocks.contains(person))
        return StanzaError{ErrorType::Wait, Condition::UnexpectedRequest,
                           "You have asked already; the admins of the room will answer."};
    if (room.knocks.size() >= knocksMax)
        return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                           "Too many people ask at the moment; try again later."};
    const Jid other = room.reserver(nick.key);
    if (!other.empty() && other != person) return conflict("Somebody else has this nickname.");
    room.knocks.emplace(person, now);
    DataForm form{FormKind::Form, names::registerForm};
    form.setTitle("Registration request");
    form.setInstructions("Shall this person become a member of " + room.address.text() + "?");
    form.add({.var = std::string{personField},
              .type = FieldType::JidSingle,
              .label = "Address",
              .values = {person.text()}});
    form.addText(nickField, nick.text, "Desired nickname");
    form.addBoolean(allowField, false, "Allow this person to register with the room?");
    auto question = Stanza::message(StanzaType::Normal, room.address, {},
                                    Uuid::at(at.shard.executor().wallNow()).text());
    question->edit().addWithText(
        "body", person.text() + " asks to become a member of " + room.address.text() + ".");
    form.addTo(question->edit());
    std::size_t asked = 0;
    for (const Affiliation affiliation : {Affiliation::Owner, Affiliation::Admin})
        for (const auto& [jid, entry] : room.affiliations().page(affiliation, {}, askedMax))
            if (asked++ < askedMax) send(question, jid);
    log(at, person.text(), "knock", person.text(), {}, nick.text);
    return std::nullopt;
}

void Service::answerKnock(const At& at, const StanzaPtr& message, const DataForm& form, Hold hold) {
    Room& room = *at.room;
    const Jid admin = message->from().bare();
    if (room.affiliationOf(admin) < Affiliation::Admin) {
        refuse(at, *message, forbidden("Only admins say who becomes a member."));
        return;
    }
    if (form.kind() != FormKind::Submit || !form.boolean(allowField).value_or(false)) return;
    const auto person = form.jid(personField);
    const auto nick = readNick(form.text(nickField), limits_.nickBytesMax);
    if (!person || !person->hasLocal()) {
        refuse(at, *message, badRequest("The form does not say who."));
        return;
    }
    start(admit(at, person->bare(), nick, admin),
          [at, message, hold = std::move(hold), keep = at.host.sharedServices()](
              std::optional<std::optional<StanzaError>> refusal, std::exception_ptr failure) {
              if (failure)
                  at.shard.refuse(*message, notNow());
              else if (const auto& problem = refusal.value())
                  at.shard.refuse(*message, *problem);
          });
}

Task<std::optional<StanzaError>> Service::admit(At at, Jid person, std::optional<Nick> nick,
                                                Jid admin) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    // Another admin was faster.
    if (room->affiliationOf(person) != Affiliation::None) co_return std::nullopt;
    Change change{.person = person,
                  .entry = room->entryOf(person).value_or(Affiliated{}),
                  .note = {},
                  .by = admin.text()};
    change.entry.affiliation = Affiliation::Member;
    // Somebody may have taken the nickname since; he chooses another one then.
    if (nick && room->reserver(nick->key).empty()) change.entry.nick = nick->text;
    std::vector<Change> changes{change};
    const auto refusal = co_await storeAffiliations(room, std::move(changes));
    if (refusal) co_return *refusal;
    if (room->isGone) co_return noSuchRoom();
    room->knocks.erase(person);
    std::vector<UniqueFunction<void()>> later;
    applyAffiliation(at, change, 0, later);
    for (auto& next : later) next();
    sendInvitation(at, person, admin, {}, nullptr);
    co_return std::nullopt;
}

}  // namespace epode::muc
