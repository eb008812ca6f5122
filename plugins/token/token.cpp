// Logins by signed tokens: OAUTHBEARER (RFC 7628) with JSON Web Tokens (RFC 7519).
#include "authority.h"
#include "commands.h"

#include "core/data_folder.h"
#include "core/metric.h"
#include "core/sasl/oauth_bearer.h"
#include "core/worker_pool.h"
#include "net/http_client.h"
#include "plugin/plugin.h"
#include "route/login.h"
#include "route/server.h"
#include "store/stores.h"

#include <memory>

namespace epode::token {

namespace {

Counter tokenLogins{"epode_bearer_logins_total", "Logins by a signed token (OAUTHBEARER)"};
Counter tokensRefused{"epode_bearer_refused_total", "Signed tokens that were refused at a login"};

constexpr Duration lookAgain = std::chrono::minutes{1};
constexpr std::size_t keySetBytesMax = 256 * 1024;

class Tokens final : public Plugin, public Bearers {
public:
    explicit Tokens(PluginContext& context)
        : server_{context.server()},
          authority_{
              std::make_shared<Authority>(Rules{*context.server().settings(), context.host()},
                                          dataFolder(*context.server().settings()))} {
        context.onLoginMethod(sasl::oauthBearer, this, &Tokens::bearer);
        if (authority_->rules().isPassword) context.onLoginMethod("PLAIN", this, &Tokens::password);
        context.inBackground(Duration{}, this, &Tokens::readKeys);
        context.offerBearers(*this);
    }

    // Bearers
    Task<std::optional<Bearer>> bearerOf(std::string token) override;
    Task<std::optional<Issued>> issue(Jid account, std::vector<std::string> scopes,
                                      Duration lifetime) override;
    Duration lifetimeMost() const override { return authority_->rules().lifetimeMost; }

private:
    Task<sasl::Step> bearer(Login& login);
    Task<sasl::Step> password(Login& login);
    // Whose token it is, if he may use it now.
    Task<std::optional<Bearer>> check(std::string token);
    // The account that logs in, or why not.
    struct Checked {
        Jid account;
        bool isGood = false;
        Problem problem = Problem::InvalidToken;
    };
    Task<Checked> check(Login& login, std::string token, std::string authzid);
    Task<Duration> readKeys();
    Task<void> fetchKeys();

    Server& server_;
    const std::shared_ptr<Authority> authority_;
};

Task<Duration> Tokens::readKeys() {
    auto read = [authority = authority_] {
        authority->readKeys();
        return true;
    };
    co_await offload(server_.workers(), read);
    const SteadyTime now = Executor::current()->now();
    if (authority_->shallFetch(Authority::Reason::Interval, now)) {
        auto fetching = fetchKeys();
        co_await fetching;
    }
    co_return lookAgain;
}

Task<void> Tokens::fetchKeys() {
    HttpCall call;
    call.url = authority_->rules().keysUrl;
    call.answerBytesMax = keySetBytesMax;
    auto sent = server_.httpClient().send(std::move(call));
    const auto answer = co_await sent;
    std::string problem = answer.problem;
    if (problem.empty() && answer.status != 200)
        problem = "it answers with the status " + std::to_string(answer.status);
    authority_->takeFetched(answer.body, problem);
}

Task<std::optional<Bearer>> Tokens::check(std::string token) {
    if (!authority_->hasRead()) {
        auto reading = readKeys();
        co_await reading;
    }
    Executor& executor = *Executor::current();
    auto outcome = authority_->check(token, executor.wallNow());
    if (outcome.isKeyUnknown &&
        authority_->shallFetch(Authority::Reason::UnknownKey, executor.now())) {
        auto fetching = fetchKeys();
        co_await fetching;
        outcome = authority_->check(token, executor.wallNow());
    }
    if (!outcome.holder) co_return std::nullopt;
    Holder& holder = *outcome.holder;
    const auto stored = co_await server_.stores().accounts.credentials(holder.account.text());
    if (!stored || !authority_->isFor(holder, *stored)) co_return std::nullopt;
    Bearer bearer;
    bearer.account = holder.account;
    bearer.id = stored->account;
    bearer.isWhole = authority_->isForLogin(holder);
    bearer.scopes = std::move(holder.scopes);
    bearer.expires = holder.expires;
    co_return bearer;
}

Task<std::optional<Bearer>> Tokens::bearerOf(std::string token) {
    auto bearer = co_await check(std::move(token));
    if (!bearer) tokensRefused.add();
    co_return bearer;
}

Task<std::optional<Bearers::Issued>> Tokens::issue(Jid account, std::vector<std::string> scopes,
                                                   Duration lifetime) {
    if (!authority_->hasRead()) {
        auto reading = readKeys();
        co_await reading;
    }
    const auto stored = co_await server_.stores().accounts.credentials(account.text());
    if (!stored || stored->isDisabled) co_return std::nullopt;
    std::string scope;
    for (const auto& one : scopes) scope.append(scope.empty() ? "" : " ").append(one);
    const WallTime now = Executor::current()->wallNow();
    Issued issued;
    issued.expires = now + std::chrono::duration_cast<std::chrono::milliseconds>(
                               std::min(lifetime, lifetimeMost()));
    issued.token = authority_->issue(*stored, account, scope, now, issued.expires);
    if (issued.token.empty()) co_return std::nullopt;
    co_return issued;
}

Task<Tokens::Checked> Tokens::check(Login& login, std::string token, std::string authzid) {
    Checked checked;
    const auto bearer = co_await check(std::move(token));
    if (!bearer) co_return checked;
    // Whom the client wants to be is whom the token is for, or nobody.
    if (!authzid.empty() && authzid != bearer->account.local() && authzid != bearer->account.text())
        co_return checked;
    if (!login.claimed.empty() && login.claimed != bearer->account) co_return checked;
    checked.problem = Problem::InsufficientScope;
    if (!bearer->isWhole) co_return checked;
    checked.account = bearer->account;
    checked.isGood = true;
    co_return checked;
}

Task<sasl::Step> Tokens::bearer(Login& login) {
    const auto message = sasl::readBearerMessage(login.message);
    if (!message)
        co_return sasl::Failure{sasl::Condition::MalformedRequest,
                                "This is no message of OAUTHBEARER."};
    // RFC 7628, 3.2: what the client believes to talk to has to be us.
    if (!message->host.empty() && message->host != login.host->domain())
        co_return sasl::Failure{sasl::Condition::NotAuthorized,
                                "The message is for another server."};
    std::string token{message->token};
    std::string authzid = message->authzid;
    const auto checked = co_await check(login, std::move(token), std::move(authzid));
    (checked.isGood ? tokenLogins : tokensRefused).add();
    if (checked.isGood) co_return sasl::Success{{}, checked.account};
    const bool isScope = checked.problem == Problem::InsufficientScope;
    co_return sasl::Challenge{sasl::bearerRefusal(isScope ? "insufficient_scope" : "invalid_token",
                                                  authority_->rules().scope,
                                                  authority_->rules().openidConfiguration)};
}

// The stream has looked at the password already.
Task<sasl::Step> Tokens::password(Login& login) {
    const auto plain = sasl::readPlainToken(login.message);
    const auto claimed =
        plain ? Jid::make(plain->username, login.host->domain()) : std::optional<Jid>{};
    if (!claimed)
        co_return sasl::Failure{sasl::Condition::NotAuthorized, "The token is not accepted."};
    std::string token{plain->token};
    std::string authzid = claimed->text();
    const bool isOther = !plain->authzid.empty() && plain->authzid != claimed->text();
    const auto checked = co_await check(login, std::move(token), std::move(authzid));
    (checked.isGood && !isOther ? tokenLogins : tokensRefused).add();
    if (isOther || !checked.isGood)
        co_return sasl::Failure{isOther && checked.isGood ? sasl::Condition::InvalidAuthzid
                                                          : sasl::Condition::NotAuthorized,
                                "The token is not accepted."};
    co_return sasl::Success{{}, checked.account};
}

const PluginInfo info{
    .name = "token",
    .summary = "People and programs log in with signed tokens, of this server or of others",
    .implements = {{"RFC 7628"}, {"RFC 7519"}},
    .options = tokenOptions(),
    .commands = tokenCommands,
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Tokens, info)

}  // namespace epode::token
