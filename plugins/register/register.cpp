// In-Band Registration (XEP-0077): strangers make accounts on the stream on which they will log in,
// and people change their password or remove their account.
#include "register_request.h"

#include "core/namespaces.h"
#include "core/quota.h"
#include "net/ip_address.h"
#include "plugin/plugin.h"
#include "route/account_admin.h"
#include "route/stream_facts.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {
namespace {

using inband::registerNs;
using inband::Request;

constexpr QName queryElement{registerNs, "query"};
constexpr std::string_view feature = "http://jabber.org/features/iq-register";

const Option<bool> isEnabled{
    .key = "registration.enabled",
    .fallback = false,
    .help = "Whether strangers may make accounts with their clients.",
};
const Option<std::int64_t> perAddressMax{
    .key = "registration.per_address_max",
    .fallback = 3,
    .range = {0, 1'000'000},
    .help =
        "How many accounts one address (with IPv6 one /64 network) may make within "
        "registration.per_address_period; 0: any number.",
};
const Option<Duration> perAddressPeriod{
    .key = "registration.per_address_period",
    .fallback = std::chrono::hours{1},
    .range = {std::chrono::seconds{1}, std::chrono::hours{24 * 366}},
    .help = "The time that registration.per_address_max is about.",
};
const Option<Bytes> usernameBytesMax{
    .key = "registration.username_bytes_max",
    .fallback = 64_B,
    .range = {8_B, 1023_B},
    .help = "The longest name of an account that strangers may make.",
};
const Option<std::int64_t> passwordLengthMin{
    .key = "registration.password_length_min",
    .fallback = 8,
    .range = {1, 256},
    .help = "The shortest password, in characters, that people may choose with their clients.",
};
const Option<std::vector<std::string>> reservedNames{
    .key = "registration.reserved_names",
    .fallback = {"abuse", "admin", "administrator", "hostmaster", "info", "mailer-daemon",
                 "noreply", "operator", "postmaster", "root", "security", "server", "support",
                 "system", "webmaster", "xmpp"},
    .help = "Names that strangers can't register.",
};
const Option<std::string> instructions{
    .key = "registration.instructions",
    .fallback = "Choose a name and a password for your account.",
    .help = "What people read above the form.",
};

// For each account that one address may make it may ask for as many names that are taken: enough to
// find a free one, and few for who tries out which accounts exist.
constexpr std::int64_t namesPerAccount = 10;
// A change costs as much time of the processor as a registration.
constexpr std::int64_t passwordChangesMax = 20;
constexpr Duration passwordChangesPeriod = std::chrono::hours{1};

StanzaError disabled() {
    return {Condition::ServiceUnavailable, "Accounts of this server are not made with a client."};
}
StanzaError incomplete() {
    return {Condition::NotAcceptable, "A name and a password are needed, neither of them empty."};
}
StanzaError taken() { return {Condition::Conflict, "This name is taken; choose another."}; }
StanzaError contradictory() {
    return {Condition::BadRequest, "The request is not one of those in XEP-0077."};
}
StanzaError badPassword() {
    return {Condition::NotAcceptable, "The password holds characters that are not allowed."};
}
StanzaError tooOften() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "This was done too often; try again later."};
}
StanzaError notHere() {
    return {Condition::RegistrationRequired, "Only accounts of this server can do this."};
}

std::int64_t lengthOf(std::string_view utf8) {
    return std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; });
}

// What others have to say in the transaction that makes the account; why not is in `refusal`.
CreationCheck checkOf(const std::vector<RegistrationEvent::Condition>& conditions,
                      std::optional<StanzaError>& refusal) {
    if (conditions.empty()) return {};
    return [&conditions, &refusal](SqlConnection& connection) {
        for (const auto& condition : conditions)
            if ((refusal = condition(connection))) return false;
        return true;
    };
}

class Registration final : public Plugin {
public:
    explicit Registration(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          isEnabled_{context.value(isEnabled)},
          usernameBytesMax_{context.value(usernameBytesMax)},
          passwordLengthMin_{context.value(passwordLengthMin)},
          instructions_{context.value(instructions)},
          accounts_{context.value(perAddressMax), context.value(perAddressPeriod)},
          names_{context.value(perAddressMax) * namesPerAccount, context.value(perAddressPeriod)},
          changes_{passwordChangesMax, passwordChangesPeriod} {
        for (const auto& name : context.value(reservedNames))
            if (auto prepared = prepareLocal(name)) reserved_.push_back(std::move(*prepared));
        context.onStreamIq(queryElement, this, &Registration::beforeLogin);
        context.on(&Services::features, Phase::Change, this, &Registration::announce);
        for (const auto addressee : {Addressee::Account, Addressee::Host}) {
            context.onIq(StanzaType::Get, queryElement, addressee, this, &Registration::tell);
            context.onIq(StanzaType::Set, queryElement, addressee, this, &Registration::change);
        }
        context.hostFeature(registerNs);
    }

private:
    Verdict announce(FeaturesEvent& event);
    Task<Reply> beforeLogin(const StreamFacts& stream, StanzaPtr stanza);
    std::optional<StanzaError> problemWith(const Request& request, const std::optional<Jid>& jid,
                                           bool isNameGiven) const;
    std::optional<StanzaError> problemWith(const std::string& password) const;

    Task<Reply> tell(const Iq& iq);
    Task<Reply> change(const Iq& iq);
    Task<Reply> removeAccountOf(const Iq& iq);
    std::optional<StanzaError> problemWithAsker(const Iq& iq) const;

    Server& server_;
    const std::string host_;
    const bool isEnabled_;
    const std::size_t usernameBytesMax_;
    const std::int64_t passwordLengthMin_;
    const std::string instructions_;
    std::vector<std::string> reserved_;
    Quota accounts_;
    Quota names_;
    Quota changes_;
};

// ---- before login

// Not before TLS where that is required: then nothing but STARTTLS is offered.
Verdict Registration::announce(FeaturesEvent& event) {
    const bool offersLogin = event.features.child("mechanisms", ns::sasl) != nullptr;
    if (isEnabled_ && offersLogin) event.features.add("register", feature);
    return Verdict::Pass;
}

Task<Reply> Registration::beforeLogin(const StreamFacts& stream, StanzaPtr stanza) {
    if (!stanza->to().empty() && stanza->to().text() != host_) co_return disabled();
    const auto& hook = stream.host().services().registering;
    // The stream may end while we wait: what is needed of it is asked now.
    const std::string address = networkOf(stream.peerAddress());
    const SteadyTime now = stream.shard().executor().now();
    RegistrationEvent event{stream, nullptr, isEnabled_};
    if (stanza->type() == StanzaType::Get) {
        const Verdict verdict = hook.run(event);
        if (verdict == Verdict::Stop || !event.isAllowed)
            co_return event.refusal.value_or(disabled());
        co_return inband::makeForm(instructions_, event.username);
    }
    const auto request = inband::readRequest(*stanza->payload());
    if (!request) co_return contradictory();
    if (request->isRemoval)
        co_return StanzaError{Condition::UnexpectedRequest, "Log in to remove your account."};
    if (!request->username || request->username->empty() || !request->password)
        co_return incomplete();
    const auto jid = Jid::make(*request->username, host_);
    if (jid) event.account = &*jid;
    const Verdict verdict = hook.run(event);
    if (verdict == Verdict::Stop || !event.isAllowed)
        co_return event.refusal.value_or(disabled());
    const bool isNameGiven = !event.username.empty();
    if (const auto problem = problemWith(*request, jid, isNameGiven)) co_return *problem;

    // Salting the password costs milliseconds: that is for names which are free.
    if (!names_.take(address, now)) co_return tooOften();
    const auto existing = co_await server_.stores().accounts.find(jid->text());
    if (existing) co_return taken();
    if (!event.isInvited && !accounts_.take(address, now)) co_return tooOften();
    std::optional<StanzaError> refusal;
    CreationCheck check = checkOf(event.conditions, refusal);
    const auto done =
        co_await createAccount(server_, *jid, *request->password, std::move(check));
    if (done == Creation::Refused) co_return refusal.value_or(taken());
    if (done == Creation::Taken) co_return taken();
    if (done == Creation::BadPassword) co_return badPassword();
    for (const auto& tell : event.done) tell(*jid);
    co_return Reply{};
}

// Reserved names are for whom the operator has given one.
std::optional<StanzaError> Registration::problemWith(const Request& request,
                                                     const std::optional<Jid>& jid,
                                                     bool isNameGiven) const {
    if (!jid)
        return StanzaError{Condition::JidMalformed,
                           "This name holds characters that are not allowed."};
    if (jid->local().size() > usernameBytesMax_)
        return StanzaError{Condition::NotAcceptable,
                           "This name is too long; choose a shorter one."};
    const bool isReserved =
        std::find(reserved_.begin(), reserved_.end(), jid->local()) != reserved_.end();
    if (isReserved && !isNameGiven)
        return StanzaError{Condition::Conflict, "This name is reserved; choose another."};
    return problemWith(*request.password);
}

std::optional<StanzaError> Registration::problemWith(const std::string& password) const {
    if (password.empty()) return incomplete();
    if (lengthOf(password) < passwordLengthMin_)
        return StanzaError{
            Condition::NotAcceptable,
            "The password needs at least " + std::to_string(passwordLengthMin_) + " characters."};
    if (!preparePassword(password)) return badPassword();
    return std::nullopt;
}

// ---- after login

// It is always the asker's own account that is meant, never the one that is addressed.
std::optional<StanzaError> Registration::problemWithAsker(const Iq& iq) const {
    if (iq.isToHost()) {
        if (iq.from().domain() != host_ || !iq.from().hasLocal()) return notHere();
    } else if (!iq.isToOwnAccount()) {
        return StanzaError{Condition::Forbidden, "An account is changed by its owner alone."};
    }
    return std::nullopt;
}

Task<Reply> Registration::tell(const Iq& iq) {
    if (const auto problem = problemWithAsker(iq)) co_return *problem;
    Document query{queryElement.name, queryElement.ns};
    query->add("registered");
    query->addWithText("username", iq.from().local());
    query->add("password");
    co_return Reply{std::move(query)};
}

Task<Reply> Registration::change(const Iq& iq) {
    if (const auto problem = problemWithAsker(iq)) co_return *problem;
    const auto request = inband::readRequest(iq.payload());
    if (!request) co_return contradictory();
    if (request->isRemoval) {
        auto reply = co_await removeAccountOf(iq);
        co_return reply;
    }
    if (!request->username || !request->password)
        co_return StanzaError{Condition::BadRequest,
                              "A change of the password has the name and the password."};
    const auto jid = Jid::make(*request->username, host_);
    if (!jid || jid->text() != iq.from().bareText())
        co_return StanzaError{Condition::NotAllowed, "This is not the name of your account."};
    // An empty password never replaces one (XEP-0077, 3.3).
    if (request->password->empty())
        co_return StanzaError{Condition::BadRequest,
                              "The new password is empty; the old one stays."};
    if (const auto problem = problemWith(*request->password)) co_return *problem;
    if (!changes_.take(jid->text(), iq.shard().executor().now())) co_return tooOften();
    const auto done = co_await changePassword(server_, *jid, *request->password);
    if (done == PasswordChange::BadPassword) co_return badPassword();
    if (done == PasswordChange::NoAccount) co_return notHere();
    co_return Reply{};
}

// The answer comes first, then all streams of the account end with not-authorized (XEP-0077, 3.2).
Task<Reply> Registration::removeAccountOf(const Iq& iq) {
    auto answer = [&iq] {
        if (Session* session = iq.sender()) session->deliver(iq.stanza().result());
    };
    UniqueFunction<void()> lastWords{std::move(answer)};
    const bool found = co_await removeAccount(server_, iq.from().bare(), std::move(lastWords));
    if (!found) co_return notHere();
    co_return Reply::none();
}

const PluginInfo info{
    .name = "register",
    .summary = "People make accounts, change passwords and remove accounts with their clients",
    .implements = {{"XEP-0077", "2.4"}},
    .options = {&isEnabled, &perAddressMax, &perAddressPeriod, &usernameBytesMax,
                &passwordLengthMin, &reservedNames, &instructions},
};

}  // namespace

DECLARE_PLUGIN(Registration, info)

}  // namespace epode
