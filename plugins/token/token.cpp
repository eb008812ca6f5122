// Logins by signed tokens: OAUTHBEARER (RFC 7628) with JSON Web Tokens (RFC 7519).
#include "authority.h"
#include "commands.h"

#include "core/data_folder.h"
#include "core/metric.h"
#include "core/sasl/oauth_bearer.h"
#include "core/worker_pool.h"
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

class Tokens final : public Plugin {
public:
    explicit Tokens(PluginContext& context)
        : server_{context.server()},
          authority_{
              std::make_shared<Authority>(Rules{*context.server().settings(), context.host()},
                                          dataFolder(*context.server().settings()))} {
        context.onLoginMethod(sasl::oauthBearer, this, &Tokens::bearer);
        if (authority_->rules().isPassword) context.onLoginMethod("PLAIN", this, &Tokens::password);
        context.inBackground(Duration{}, this, &Tokens::readKeys);
    }

private:
    Task<sasl::Step> bearer(Login& login);
    Task<sasl::Step> password(Login& login);
    // The account, or why not.
    struct Checked {
        Jid account;
        bool isGood = false;
        Problem problem = Problem::InvalidToken;
    };
    Task<Checked> check(Login& login, std::string token, std::string authzid);
    Task<Duration> readKeys();

    Server& server_;
    const std::shared_ptr<Authority> authority_;
};

Task<Duration> Tokens::readKeys() {
    auto read = [authority = authority_] {
        authority->readKeys();
        return true;
    };
    co_await offload(server_.workers(), read);
    co_return lookAgain;
}

Task<Tokens::Checked> Tokens::check(Login& login, std::string token, std::string authzid) {
    if (!authority_->hasRead()) {
        auto reading = readKeys();
        co_await reading;
    }
    Checked checked;
    const auto outcome = authority_->check(token, login.shard->executor().wallNow());
    checked.problem = outcome.problem;
    if (!outcome.bearer) co_return checked;
    const Bearer& bearer = *outcome.bearer;
    // Whom the client wants to be is whom the token is for, or nobody.
    if (!authzid.empty() && authzid != bearer.account.local() && authzid != bearer.account.text())
        co_return checked;
    if (!login.claimed.empty() && login.claimed != bearer.account) co_return checked;
    const auto stored = co_await server_.stores().accounts.credentials(bearer.account.text());
    if (!stored || stored->isDisabled) co_return checked;
    if (bearer.accountId != 0 && bearer.accountId != stored->account) co_return checked;
    checked.account = bearer.account;
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
