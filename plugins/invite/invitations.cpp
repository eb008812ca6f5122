#include "invitations.h"

#include "invite_link.h"

#include "core/executor.h"
#include "core/log.h"
#include "route/server.h"
#include "store/stores.h"

namespace epode {

namespace {

const Log inviteLog{"invite"};

const Option<Duration> expireAfter{
    .key = "invite.expire_after",
    .fallback = std::chrono::hours{24 * 7},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 366}},
    .help = "How long an invitation can be used when nothing else is said.",
};
const Option<std::string> usersMay{
    .key = "invite.users_may",
    .fallback = "contacts",
    .choices = {"nothing", "contacts", "accounts"},
    .help =
        "What people may invite others to: to be their contact, or also to make an account here.",
};
const Option<std::int64_t> perAccountMax{
    .key = "invite.per_account_max",
    .fallback = 20,
    .range = {1, 10000},
    .help = "How many open invitations one account may have.",
};
const Option<std::string> landingPattern{
    .key = "invite.landing_url",
    .fallback = "",
    .help =
        "A web page for those who have no client yet, such as "
        "https://capulet.example/invite/#{token}; "
        "{token}, {host}, {inviter} and {uri} are replaced.",
};

StanzaError notAllowed() {
    return {Condition::Forbidden, "You may not make such an invitation here."};
}

}  // namespace

std::vector<OptionRef> inviteOptions() {
    return {&expireAfter, &usersMay, &perAccountMax, &landingPattern};
}

Invitations::Invitations(Server& server) : server_{server}, store_{server.database()} {}

Task<Invitations::Outcome> Invitations::make(InviteWish wish) { return make(std::move(wish), 0); }

bool Invitations::may(const Jid& user, bool forAccount) const {
    const std::string host{user.domain()};
    if (!user.hasLocal() || !server_.isLocal(host)) return false;
    const SettingsPtr settings = server_.settings();
    const std::string& may = settings->get(usersMay, host);
    return forAccount ? may == "accounts" : may != "nothing";
}

Task<Invitations::Outcome> Invitations::makeFor(Jid user, bool forAccount, std::string username,
                                                bool withContact) {
    const std::string host{user.domain()};
    const SettingsPtr settings = server_.settings();
    const std::string& may = settings->get(usersMay, host);
    const bool mayAccounts = may == "accounts";
    if (!server_.isLocal(host) || may == "nothing" || (forAccount && !mayAccounts))
        co_return notAllowed();
    InviteWish wish;
    wish.host = host;
    wish.maker = user.bare();
    if (withContact || !forAccount) wish.inviter = wish.maker;
    wish.mayRegister = mayAccounts;
    wish.username = std::move(username);
    const std::int64_t openMax = settings->get(perAccountMax, host);
    auto making = make(std::move(wish), openMax);
    auto outcome = co_await making;
    co_return outcome;
}

Task<Invitations::Outcome> Invitations::make(InviteWish wish, std::int64_t openMax) {
    const SettingsPtr settings = server_.settings();
    Invite invite;
    invite.host = wish.host;
    invite.mayRegister = wish.mayRegister;
    invite.usesMax = invite.usesLeft = wish.uses;
    if (!wish.username.empty()) {
        const auto local = prepareLocal(wish.username);
        if (!local)
            co_return StanzaError{Condition::JidMalformed,
                                  "This name holds characters that are not allowed."};
        if (wish.uses != 1)
            co_return StanzaError{Condition::BadRequest, "A name is given to one person alone."};
        invite.username = *local;
    }
    if (const auto& maker = wish.maker ? wish.maker : wish.inviter) {
        const std::string jid = maker->bare().text();
        const auto account = co_await server_.stores().accounts.find(jid);
        if (!account)
            co_return StanzaError{Condition::ItemNotFound, "There is no account " + jid + "."};
        invite.inviterAccount = *account;
    }
    if (wish.inviter) invite.inviter = wish.inviter->bare().text();
    if (wish.room) invite.room = wish.room->bare().text();
    invite.created = Executor::current()->wallNow();
    const Duration lifetime = wish.lifetime.value_or(settings->get(expireAfter, wish.host));
    invite.expires =
        invite.created + std::chrono::duration_cast<std::chrono::milliseconds>(lifetime);

    const std::string token = makeToken();
    std::string hash = hashOf(token);
    auto adding = store_.add(invite, std::move(hash), openMax);
    const auto added = co_await adding;
    if (const auto* refused = std::get_if<InviteStore::Refused>(&added)) {
        if (*refused == InviteStore::Refused::NameTaken)
            co_return StanzaError{Condition::Conflict, "This name is taken or kept for somebody."};
        co_return StanzaError{Condition::ResourceConstraint,
                              "You have as many open invitations as you may have."};
    }
    InviteMade made;
    made.id = std::get<std::int64_t>(added);
    made.uri = inviteUri(invite, token);
    made.landingUrl = landingUrl(settings->get(landingPattern, wish.host), invite, token);
    made.expires = invite.expires;
    inviteLog.info("invitation made", {{"number", made.id}, {"inviter", invite.inviter}});
    co_return made;
}

}  // namespace epode
