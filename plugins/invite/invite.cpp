// Invitations: accounts for who has a token (XEP-0445), contacts who need not ask (XEP-0379), made
// by operators and by people who may (XEP-0401).
#include "admit.h"
#include "befriend.h"
#include "invitations.h"
#include "invite_commands.h"

#include "core/json_text.h"
#include "core/metric.h"
#include "core/time_format.h"
#include "plugin/plugin.h"
#include "route/stream_facts.h"

namespace epode {
namespace {

constexpr QName preauthElement{"urn:xmpp:pars:0", "preauth"};
constexpr std::size_t tokenBytesMax = 256;
// What the web page asks for: "/invitation/<token>".
constexpr std::string_view factsFolder = "/invitation/";
// On one stream: nobody guesses a token, and nobody keeps the database busy with it.
constexpr int attemptsMax = 5;
constexpr std::int64_t expireStep = 200;
constexpr Duration expireEvery = std::chrono::hours{1};
constexpr Duration expireAgain = std::chrono::seconds{1};
// Those that have ended stay in the list for a while.
constexpr auto keptAfterEnd = std::chrono::hours{24 * 30};

Counter accountsInvited{"epode_invited_accounts_total",
                        "Accounts that were made with an invitation"};
Counter contactsInvited{"epode_invited_contacts_total",
                        "Subscription requests that were accepted for their invitation"};

// What is known of a stream: it has shown an invitation that can be used. It is good until the
// stream ends, also when it expires meanwhile (XEP-0445, 4).
struct Vouched {
    std::string hash;
    Invite invite;
};
struct Preauth {
    std::shared_ptr<std::optional<Vouched>> vouched = std::make_shared<std::optional<Vouched>>();
    int attempts = 0;
};

StanzaError invalid() {
    return {Condition::ItemNotFound, "This invitation is unknown, used or expired."};
}

class Invites final : public Plugin {
public:
    explicit Invites(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          store_{context.server().database()},
          invitations_{context.server()} {
        offer(context, "urn:xmpp:invite#invite", "Invite a contact", &Invites::inviteContact);
        offer(context, "urn:xmpp:invite#create-account", "Invite somebody to an account",
              &Invites::inviteToAccount);
        context.onIq(StanzaType::Set, preauthElement, Addressee::Host, this, &Invites::enterRoom);
        context.onStreamIq(preauthElement, this, &Invites::preauthenticate);
        context.on(&Services::features, Phase::Change, this, &Invites::announce);
        context.on(&Services::registering, Phase::Check, this, &Invites::vouch);
        context.on(&Services::incoming, Phase::Act, this, &Invites::receive);
        context.route({.methods = {HttpMethod::Get}, .path = std::string{factsFolder} + "*"}, this,
                      &Invites::tell);
        if (context.isFirstHost()) context.inBackground(expireAgain, this, &Invites::expire);
    }

private:
    using AdHocHandler = Task<AdHocReply> (Invites::*)(const AdHocCall&);
    void offer(PluginContext& context, std::string node, std::string name, AdHocHandler handler);
    Task<AdHocReply> inviteContact(const AdHocCall& call);
    Task<AdHocReply> inviteToAccount(const AdHocCall& call);
    Verdict announce(FeaturesEvent& event);
    Task<Reply> preauthenticate(const StreamFacts& stream, StanzaPtr stanza);
    Task<Reply> enterRoom(const Iq& iq);
    Verdict vouch(RegistrationEvent& event);
    Verdict receive(IncomingEvent& event);
    Task<HttpResponse> tell(HttpExchangePtr exchange);
    void decided(Shard& shard, const Jid& account, StanzaPtr request, Hold hold, bool isInvited);
    Task<Duration> expire();

    Server& server_;
    const std::string host_;
    InviteStore store_;
    Invitations invitations_;
};

// ---- asking for an invitation (XEP-0401, 5)

constexpr std::string_view resultForm = "urn:xmpp:invite#invitation";

void Invites::offer(PluginContext& context, std::string node, std::string name,
                    AdHocHandler handler) {
    const bool forAccount = handler == &Invites::inviteToAccount;
    AdHocCommand command{.node = std::move(node), .name = std::move(name)};
    command.isFor = [this, forAccount](const Jid& caller, const Host& host) {
        return caller.domain() == host.domain() && invitations_.may(caller, forAccount);
    };
    context.onAdHoc(std::move(command), this, handler);
}

AdHocReply replyWith(const Invitations::Outcome& outcome) {
    if (const auto* refused = std::get_if<StanzaError>(&outcome))
        return AdHocReply::failed(*refused);
    const auto& made = std::get<InviteMade>(outcome);
    DataForm form{FormKind::Result, resultForm};
    form.addText("uri", made.uri);
    if (!made.landingUrl.empty()) form.addText("landing-url", made.landingUrl);
    form.addText("expire", formatDateTime(made.expires));
    return AdHocReply::done(std::move(form));
}

Task<AdHocReply> Invites::inviteContact(const AdHocCall& call) {
    std::string anyName;
    const auto outcome =
        co_await invitations_.makeFor(call.caller, false, std::move(anyName), true);
    co_return replyWith(outcome);
}

Task<AdHocReply> Invites::inviteToAccount(const AdHocCall& call) {
    if (call.answers.empty()) {
        DataForm form{FormKind::Form};
        form.setTitle("Invite somebody to an account");
        form.add({.var = "username", .label = "The name, or nothing: then it is chosen freely"});
        form.addBoolean("roster-subscription", true, "Become contacts of each other");
        co_return AdHocReply::ask(std::move(form));
    }
    const DataForm& answer = call.answers[0];
    std::string username{answer.text("username")};
    const bool withContact = answer.boolean("roster-subscription").value_or(false);
    const auto outcome =
        co_await invitations_.makeFor(call.caller, true, std::move(username), withContact);
    co_return replyWith(outcome);
}

// ---- making an account

Verdict Invites::announce(FeaturesEvent& event) {
    if (event.features.child("mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl"))
        event.features.add("register", "urn:xmpp:ibr-token:0");
    return Verdict::Pass;
}

Task<Reply> Invites::preauthenticate(const StreamFacts& stream, StanzaPtr stanza) {
    const bool isForUs = stanza->to().empty() || stanza->to().text() == host_;
    if (stanza->type() != StanzaType::Set || !isForUs)
        co_return StanzaError{Condition::BadRequest, "Show the invitation to the host."};
    StateSlots* slots = stream.slots();
    if (!slots) co_return invalid();
    auto& preauth = slots->get<Preauth>();
    if (++preauth.attempts > attemptsMax)
        co_return StanzaError{Condition::PolicyViolation, "There were too many attempts."};
    const std::string token{stanza->payload()->get("token")};
    if (token.empty() || token.size() > tokenBytesMax) co_return invalid();

    // The stream may be gone after the wait; what is kept with it is shared.
    const auto vouched = preauth.vouched;
    const WallTime now = stream.shard().executor().wallNow();
    std::string hash = hashOf(token);
    auto invite = co_await store_.find(hash, now);
    if (!invite || !invite->mayRegister || invite->host != host_) co_return invalid();
    vouched->emplace();
    (*vouched)->hash = std::move(hash);
    (*vouched)->invite = std::move(*invite);
    co_return Reply{};
}

Verdict Invites::vouch(RegistrationEvent& event) {
    StateSlots* slots = event.stream.slots();
    const auto* preauth = slots ? slots->find<Preauth>() : nullptr;
    std::string hash;
    if (preauth && *preauth->vouched) {
        const auto vouched = preauth->vouched;
        const Invite& invite = (*vouched)->invite;
        hash = (*vouched)->hash;
        event.isAllowed = event.isInvited = true;
        event.username = invite.username;
        if (event.account && !invite.username.empty() &&
            event.account->local() != invite.username) {
            event.refusal = StanzaError{Condition::NotAcceptable,
                                        "The invitation is for the name " + invite.username + "."};
            return Verdict::Stop;
        }
        event.conditions.push_back([hash](SqlConnection& connection) {
            return useInvite(connection, hash) ? std::nullopt : std::optional{invalid()};
        });
        event.done.push_back(
            [this, vouched, inviter = invite.inviter, room = invite.room](const Jid& account) {
                accountsInvited.add();
                vouched->reset();
                admitToRoom(server_, host_, room, account);
                if (const auto contact = Jid::parse(inviter); contact && contact->hasLocal())
                    befriend(server_, *contact, account);
            });
    }
    if (!event.account) return Verdict::Pass;
    event.conditions.push_back([hash, host = host_, name = std::string{event.account->local()},
                                now = event.stream.shard().executor().wallNow()](
                                   SqlConnection& connection) -> std::optional<StanzaError> {
        if (!isNameKept(connection, host, name, hash, now)) return std::nullopt;
        return StanzaError{Condition::Conflict, "This name is taken; choose another."};
    });
    return Verdict::Pass;
}

// ---- becoming a contact

// While a request goes its usual way after all it is not looked at again.
thread_local bool isPassing = false;

Verdict Invites::receive(IncomingEvent& event) {
    if (!event.stanza->isPresence() || event.stanza->type() != StanzaType::Subscribe || isPassing)
        return Verdict::Pass;
    const Element* preauth = event.stanza->child(preauthElement.name, preauthElement.ns);
    if (!preauth) return Verdict::Pass;
    const std::string_view token = preauth->get("token");
    if (token.empty() || token.size() > tokenBytesMax) return Verdict::Pass;
    Account& account = event.account;
    Shard& shard = account.shard();
    const Contact* known = account.roster().find(event.stanza->from().bare());
    if (known && known->state.isSeenByContact()) return Verdict::Pass;

    // Tokens of the inviter's client are the client's own affair: what is none of ours goes to it.
    start(store_.redeem(hashOf(token), account.id(), shard.executor().wallNow()),
          [this, &shard, jid = account.jid(), request = event.stanza.share(), hold = event.hold,
           services = account.host().sharedServices()](
              std::optional<std::optional<std::string>> redeemed, std::exception_ptr) {
              const auto room = redeemed.value_or(std::nullopt);
              if (room) admitToRoom(server_, host_, *room, request->from());
              decided(shard, jid, request, hold, room.has_value());
          });
    return Verdict::Stop;
}

void Invites::decided(Shard& shard, const Jid& account, StanzaPtr request, Hold hold,
                      bool isInvited) {
    shard.withAccount(
        account,
        [request, hold, isInvited](Account* account) {
            if (!account) return;
            if (isInvited) {
                contactsInvited.add();
                acceptRequest(*account, request, hold);
                return;
            }
            isPassing = true;
            account->receive(request, hold);
            isPassing = false;
        },
        [] {});
}

// ---- going to a room

// For who has an account already; whoever has invited him becomes his contact, as of a new one.
Task<Reply> Invites::enterRoom(const Iq& iq) {
    const Jid person = iq.from();
    if (!person.hasLocal() || !server_.isLocal(person.domain()))
        co_return StanzaError{Condition::Forbidden, "Invitations are for accounts of this server."};
    const std::string token{iq.payload().get("token")};
    if (token.empty() || token.size() > tokenBytesMax) co_return invalid();
    const WallTime now = Executor::current()->wallNow();
    std::string hash = hashOf(token);
    std::string host = host_;
    const auto invite = co_await store_.redeemRoom(std::move(hash), std::move(host), now);
    if (!invite) co_return invalid();
    admitToRoom(server_, host_, invite->room, person);
    const auto contact = Jid::parse(invite->inviter);
    if (contact && contact->hasLocal() && *contact != person.bare())
        befriend(server_, *contact, person.bare());
    co_return Reply{};
}

// ---- what the page tells people

Task<HttpResponse> Invites::tell(HttpExchangePtr exchange) {
    std::string_view token = exchange->request().path;
    token.remove_prefix(factsFolder.size());
    std::optional<Invite> invite;
    const bool isToken = !token.empty() && token.size() <= tokenBytesMax;
    if (isToken) {
        std::string hash = hashOf(token);
        const WallTime now = exchange->executor().wallNow();
        invite = co_await store_.find(std::move(hash), now);
    }
    // Unknown, used and expired ones look alike.
    const bool isOpen = invite && invite->host == host_;
    std::string json = isOpen ? "{\"open\":true,\"account\":" : "{\"open\":false}";
    if (isOpen) {
        json.append(invite->mayRegister ? "true" : "false").append(",\"name\":");
        appendJsonString(json, invite->username);
        json.append(",\"contact\":");
        appendJsonString(json, invite->inviter);
        json.append(",\"room\":");
        appendJsonString(json, invite->room);
        json.append("}");
    }
    co_return HttpResponse::of("application/json", json).set("Cache-Control", "no-store");
}

Task<Duration> Invites::expire() {
    const WallTime before = Executor::current()->wallNow() - keptAfterEnd;
    const std::int64_t deleted = co_await store_.expire(before, expireStep);
    co_return deleted == expireStep ? expireAgain : expireEvery;
}

const PluginInfo info{
    .name = "invite",
    .summary = "Invitations: accounts and contacts for who has a link",
    .implements = {{"XEP-0401", "0.6.0"}, {"XEP-0379", "0.3.3"}, {"XEP-0445", "0.2.0"}},
    .options = inviteOptions(),
    .migrations = InviteStore::migrations(),
    .accountTables = InviteStore::accountTables(),
    .commands = inviteCommands,
};

}  // namespace

DECLARE_PLUGIN(Invites, info)

}  // namespace epode
