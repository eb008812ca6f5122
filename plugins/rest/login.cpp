// A token for a password: the same look at it, and the same limits for who guesses, as for a login
// by SASL PLAIN.
#include "service.h"

#include "core/json_writer.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/sasl/mechanisms.h"
#include "core/time_format.h"
#include "core/worker_pool.h"
#include "net/ip_address.h"
#include "route/credentials.h"
#include "route/login_limiter.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/stores.h"

namespace epode::rest {

namespace {

const Log restLog{"plugin.rest"};

Counter logins{"epode_rest_logins_total", "Tokens that were given for a password"};
Counter failures{"epode_rest_login_failures_total", "Passwords that were refused"};

constexpr Duration usualLifetime = std::chrono::hours{1};

// The whole account takes a login by XMPP; operators say that they want to be some.
std::vector<std::string> usualScopes() {
    return {std::string{toText(Scope::Read)}, std::string{toText(Scope::Write)},
            std::string{toText(Scope::Send)}};
}

Problem wrongCredentials(std::string sentence) {
    return {.status = 401,
            .word = "wrong-credentials",
            .detail = std::move(sentence),
            .fields = {{"WWW-Authenticate", "Bearer realm=\"rest\""}}};
}

Answer tokenAnswer(const Bearers::Issued& issued, const Jid& account,
                   const std::vector<std::string>& scopes) {
    std::string scope;
    for (const auto& one : scopes) scope.append(scope.empty() ? "" : " ").append(one);
    JsonWriter json;
    json.open('{').key("token").value(std::string_view{issued.token});
    json.key("token_type").value(std::string_view{"Bearer"});
    json.key("expires").value(std::string_view{formatDateTime(issued.expires)});
    json.key("scope").value(std::string_view{scope});
    json.key("address").value(std::string_view{account.text()}).close('}');
    return jsonAnswer(json.take());
}

}  // namespace

Task<Outcome> Service::logIn(Call& call) {
    const HttpRequest& request = call.exchange->request();
    if (!request.isSecure)
        co_return Problem{.status = 403,
                          .word = "forbidden",
                          .detail = "Passwords are sent over https alone: others could read them."};
    if (!call.services->bearers)
        co_return unavailable(
            "This server gives out no tokens: its operator has to load the plugin "
            "\"token\".");
    // A whole address, or the part before the @.
    const std::string& name = call.text("username");
    const auto account =
        name.find('@') == std::string::npos ? Jid::make(name, host_) : Jid::parse(name);
    if (!account || !account->isBare() || !account->hasLocal() || account->domain() != host_)
        co_return wrongCredentials("There is no such account, or it has another password.");
    const std::string network = networkOf(request.address);
    LoginLimiter& limiter = server_.loginLimiter();
    const SteadyTime now = call.shard->executor().now();
    if (!limiter.allows(network, account->text(), now))
        co_return Problem{
            .status = 429,
            .word = "too-many",
            .detail = "There were too many failed attempts; try again in some minutes.",
            .fields = {{"Retry-After", "60"}}};

    sasl::Setup setup;
    setup.domain = host_;
    setup.offered = {"PLAIN"};
    setup.secret = server_.saltSecret();
    const auto mechanism = sasl::makeMechanism("PLAIN", setup);
    std::string message(1, '\0');
    message.append(account->local()).append(1, '\0').append(call.text("password"));
    sasl::Step step = mechanism->step(message);
    if (std::holds_alternative<sasl::NeedCredentials>(step)) {
        const auto stored = co_await server_.stores().accounts.credentials(account->text());
        const sasl::Credentials found = stored ? toCredentials(*stored) : sasl::Credentials{};
        const sasl::Credentials* const credentials = stored ? &found : nullptr;
        auto work = [&mechanism, credentials] { return mechanism->proceed(credentials); };
        step = co_await offload(server_.workers(), work);
    }
    if (const auto* failure = std::get_if<sasl::Failure>(&step)) {
        failures.add();
        if (failure->condition == sasl::Condition::AccountDisabled)
            co_return Problem{.status = 403, .word = "forbidden", .detail = failure->text};
        limiter.failed(network, account->text(), call.shard->executor().now());
        restLog.info("login failed", {{"account", account->text()}, {"address", request.address}});
        co_return wrongCredentials("There is no such account, or it has another password.");
    }
    limiter.succeeded(network, account->text(), call.shard->executor().now());
    auto scopes = call.texts("scopes");
    if (scopes.empty()) scopes = usualScopes();
    const Duration lifetime = call.has("lifetime")
                                  ? Duration{std::chrono::seconds{call.integer("lifetime", 0)}}
                                  : std::max(usualLifetime, Duration{});
    const Jid who = *account;
    auto issuing = call.services->bearers->issue(who, scopes, lifetime);
    const auto issued = co_await issuing;
    if (!issued) co_return unavailable("The server has no key for tokens; its log says why.");
    const auto id = co_await server_.stores().accounts.find(who.text());
    Executor& executor = call.shard->executor();
    if (id) server_.stores().accounts.noteLogin(executor, *id, executor.wallNow());
    logins.add();
    restLog.info("login", {{"account", who.text()}, {"address", request.address}});
    co_return tokenAnswer(*issued, who, scopes);
}

}  // namespace epode::rest
