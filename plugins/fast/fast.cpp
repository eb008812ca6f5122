// Fast Authentication Streamlining Tokens (XEP-0484): a device that has logged in with a password
// gets a token, and needs no password any more.
#include "fast_request.h"

#include "core/base64.h"
#include "core/metric.h"
#include "core/random.h"
#include "core/sasl/ht.h"
#include "core/time_format.h"
#include "plugin/plugin.h"
#include "route/stream_facts.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {
namespace {

using namespace std::chrono_literals;

const Option<Duration> tokenLifetime{
    .key = "fast.token_lifetime",
    .fallback = 21 * 24h,
    .range = {1min, 366 * 24h},
    .help =
        "How long a token is good for that was not replaced. A device that stays away longer has "
        "to "
        "log in with its password.",
};
const Option<Duration> rotateAfter{
    .key = "fast.rotate_after",
    .fallback = 24h,
    .range = {1s, 366 * 24h},
    .help = "A device that logs in with a token older than this gets a new one.",
};
const Option<std::int64_t> devicesMax{
    .key = "fast.devices_max",
    .fallback = 20,
    .range = {1, 1000},
    .help =
        "How many devices of an account may have tokens. Beyond, the one whose token expires first "
        "loses it.",
};

Counter tokenLogins{"epode_fast_logins_total", "Logins by token"};
Counter tokensGiven{"epode_fast_tokens_total", "Tokens given to devices"};

constexpr std::size_t nonceBytes = 32;
constexpr Duration firstSweepAfter = 2min;
constexpr Duration sweepEvery = 1h;
constexpr std::int64_t sweepMost = 1000;

// What the login by a token leaves for what follows it.
struct UsedToken {
    bool isInvalidated = false;
    WallTime issued{};
    std::string mechanism;
    std::string nonce;
};

sasl::Failure notAuthorized() {
    return {sasl::Condition::NotAuthorized, "The token is wrong, or is not valid any more."};
}

class Fast final : public Plugin {
public:
    explicit Fast(PluginContext& context)
        : server_{context.server()},
          store_{context.server().stores().devices},
          lifetime_{
              std::chrono::duration_cast<std::chrono::milliseconds>(context.value(tokenLifetime))},
          rotateAfter_{context.value(rotateAfter)},
          devicesMax_{context.value(devicesMax)} {
        context.on(&Services::loginFeatures, Phase::Act, this, &Fast::announce);
        for (const auto& name : sasl::htNames({"tls-exporter", "tls-server-end-point"}))
            context.onLoginMethod(name, this, &Fast::authenticate);
        context.onLogin(this, &Fast::giveToken);
        if (context.isFirstHost()) context.inBackground(firstSweepAfter, this, &Fast::sweep);
    }

private:
    // No 'tls-0rtt': TLS early data is not taken.
    Verdict announce(LoginFeaturesEvent& event) {
        Element& element = event.inlined.add("fast", fast::ns);
        for (const auto& name : sasl::htNames(event.bindingTypes))
            element.addWithText("mechanism", name);
        return Verdict::Pass;
    }

    Task<sasl::Step> authenticate(Login& login);
    Task<void> giveToken(Login& login);
    Task<Duration> sweep() {
        const WallTime now = server_.here().executor().wallNow();
        // Devices without a token are for who keeps devices to forget.
        const WallTime never{};
        auto gone = co_await store_.expire(now, never, sweepMost);
        co_return gone < sweepMost ? sweepEvery : Duration{1s};
    }

    std::string tokenOf(const Jid& account, const std::string& device,
                        const StoredToken& stored) const;
    static const std::string* bindingData(const Login& login, const sasl::HtMechanism& mechanism);

    Server& server_;
    DeviceStore& store_;
    const std::chrono::milliseconds lifetime_;
    const Duration rotateAfter_;
    const std::int64_t devicesMax_;
};

// What is stored would not be enough to log in: it takes the server's secret as well.
std::string Fast::tokenOf(const Jid& account, const std::string& device,
                          const StoredToken& stored) const {
    std::string text{"token of "};
    for (const std::string_view part : {std::string_view{account.text()}, std::string_view{device},
                                        std::string_view{stored.mechanism}})
        text.append(part).append(1, '\0');
    text.append(stored.nonce);
    return encodeBase64(hmac(Hash::Sha256, server_.saltSecret(), text));
}

// Null when this connection can't be bound in that way.
const std::string* Fast::bindingData(const Login& login, const sasl::HtMechanism& mechanism) {
    static const std::string none;
    if (mechanism.bindingType.empty()) return &none;
    const auto found =
        std::find_if(login.bindings.begin(), login.bindings.end(),
                     [&](const auto& binding) { return binding.type == mechanism.bindingType; });
    return found == login.bindings.end() ? nullptr : &found->data;
}

Task<sasl::Step> Fast::authenticate(Login& login) {
    using sasl::Condition;
    using sasl::Failure;
    const Element* element = login.request->child("fast", fast::ns);
    const auto request = element ? fast::readFast(*element) : std::nullopt;
    if (!request || login.userAgent.id.empty())
        co_return Failure{Condition::MalformedRequest,
                          "A login by token has <fast/> and the id of the user agent."};
    const auto mechanism = *sasl::parseHtName(login.mechanism);
    const std::string* binding = bindingData(login, mechanism);
    if (!binding) co_return Failure{Condition::InvalidMechanism, "This mechanism was not offered."};
    const auto message = sasl::readHtMessage(login.message);
    if (!message) co_return Failure{Condition::MalformedRequest, "This is no message of HT."};
    const auto account = Jid::make(message->username, login.host->domain());
    if (!account || (!login.claimed.empty() && login.claimed != *account))
        co_return notAuthorized();

    const std::string device = deviceIdOf(server_, *account, login.userAgent.id);
    auto found = co_await store_.tokens(account->text(), device);

    // As many are tried as a device can have, so that it takes the same time for accounts and
    // devices that don't exist.
    std::vector<StoredToken> candidates;
    if (found) candidates = found->tokens;
    const std::size_t stored = candidates.size();
    candidates.resize(std::max<std::size_t>(stored, 2));
    const StoredToken* fitting = nullptr;
    std::string token;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        auto made = tokenOf(*account, device, candidates[i]);
        const auto proof = sasl::htProof(mechanism.hash, made, *binding);
        const bool isRight = equalInConstantTime(proof, message->proof);
        // Pinned to the mechanism it was asked for (XEP-0484, 3.4).
        if (!isRight || i >= stored || candidates[i].mechanism != login.mechanism) continue;
        fitting = &candidates[i];
        token = std::move(made);
    }
    if (!fitting) co_return notAuthorized();
    const WallTime now = login.shard->executor().wallNow();
    if (fitting->expires <= now)
        co_return Failure{Condition::CredentialsExpired,
                          "The token has expired; log in with the password."};
    if (found->isDisabled)
        co_return Failure{Condition::AccountDisabled, found->disabling.text()};

    const AccountId id = found->account;
    const std::string nonce = fitting->nonce;
    // Whether this changes anything: the usual login by token writes nothing that it has to wait
    // for.
    const bool isOther =
        std::any_of(candidates.begin(), candidates.begin() + std::ptrdiff_t(stored),
                    [&](const auto& one) { return one.expires < fitting->expires; });
    if (request->count || !fitting->isUsed || isOther) {
        const bool isGood = co_await store_.useToken(id, device, nonce, request->count);
        if (!isGood) co_return notAuthorized();
    }
    if (request->isInvalidation) {
        const bool isGone = co_await store_.forgetTokens(id, device);
        (void)isGone;
    }
    auto& used = login.slots.get<UsedToken>();
    used.isInvalidated = request->isInvalidation;
    used.issued = fitting->issued;
    used.mechanism = fitting->mechanism;
    used.nonce = nonce;
    tokenLogins.add();
    auto answer = sasl::htAnswer(mechanism.hash, token, *binding);
    wipe(token);
    co_return sasl::Success{std::move(answer), *account};
}

Task<void> Fast::giveToken(Login& login) {
    if (login.deviceId.empty()) co_return;
    const WallTime now = login.shard->executor().wallNow();
    const UsedToken* used = login.slots.find<UsedToken>();
    const Element* request = login.request->child("request-token", fast::ns);
    StoredToken fresh;
    if (request) {
        fresh.mechanism = request->get("mechanism");
        const auto mechanism = sasl::parseHtName(fresh.mechanism);
        if (!mechanism || !bindingData(login, *mechanism)) co_return;
        // By a token that isn't bound to a channel nobody gets one that is trusted more.
        if (used && used->mechanism != fresh.mechanism) co_return;
    } else {
        if (!used || used->isInvalidated || now - used->issued < rotateAfter_) co_return;
        fresh.mechanism = used->mechanism;
    }
    fresh.nonce = randomBytes(nonceBytes);
    fresh.issued = now;
    fresh.expires = now + lifetime_;
    // Who has shown a token gets another only while that one is good: a revocation may have come
    // between.
    std::optional<std::string> replaced;
    if (used && !used->isInvalidated) replaced = used->nonce;
    const bool isGiven = co_await store_.putToken(login.id, login.deviceId, fresh, devicesMax_,
                                                  std::move(replaced));
    if (!isGiven) co_return;
    tokensGiven.add();
    login.success->add("token", fast::ns)
        .set("expiry", formatDateTime(fresh.expires))
        .set("token", tokenOf(login.account, login.deviceId, fresh));
}

const PluginInfo info{
    .name = "fast",
    .summary = "Devices log in again with a token in place of the password",
    .implements = {{"XEP-0484", "0.2.0"}},
    .options = {&tokenLifetime, &rotateAfter, &devicesMax},
};

}  // namespace

DECLARE_PLUGIN(Fast, info)

}  // namespace epode
