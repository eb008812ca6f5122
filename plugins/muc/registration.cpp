// Reserved nicknames (XEP-0045, 7.10 and 7.12; XEP-0077).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"

namespace epode::muc {

namespace {

constexpr std::string_view nickField = "muc#register_roomnick";

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
    const Affiliated* entry = room->entryOf(bare);
    Document query{"query", names::registration};
    if (entry && !entry->nick.empty()) {
        query->add("registered");
        query->addWithText("username", entry->nick);
        co_return Reply{std::move(query)};
    }
    const bool mayJoin = room->config.mayRegister && !room->config.isMembersOnly;
    if (affiliation == Affiliation::None && !mayJoin) co_return notAllowed();
    query->addWithText("instructions", "Choose the nickname that is yours in this room.");
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
    const Affiliated* known = room->entryOf(bare);
    Change change{.person = bare, .entry = known ? *known : Affiliated{}, .note = {}};
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
        if (before == Affiliation::None && !mayJoin) co_return notAllowed();
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

}  // namespace epode::muc
