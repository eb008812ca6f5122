#include "route/account_admin.h"

#include "core/log.h"
#include "core/worker_pool.h"
#include "route/credentials.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/stores.h"

namespace epode {

namespace {

const Log routeLog{"route"};

// On the account's shard.
void tell(Shard& home, Hook<AccountEvent> Services::*hook, const Jid& bare) {
    Host* host = home.host(bare.domain());
    if (!host) return;
    AccountEvent event{bare};
    (host->services().*hook).run(event);
}

}  // namespace

Task<Creation> createAccount(Server& server, Jid bare, std::string password, CreationCheck also) {
    auto work = [&password] { return makeKeys(password); };
    auto keys = co_await offload(server.workers(), work);
    if (!keys) co_return Creation::BadPassword;
    const WallTime now = server.here().executor().wallNow();
    bool isRefused = false;
    CreationCheck check;
    if (also)
        check = [&also, &isRefused](SqlConnection& connection) {
            isRefused = !also(connection);
            return !isRefused;
        };
    const auto account = co_await server.stores().accounts.create(bare.text(), std::move(*keys), now,
                                                                  std::move(check));
    if (isRefused) co_return Creation::Refused;
    if (!account) co_return Creation::Taken;
    routeLog.info("account created", {{"account", bare.text()}});
    Shard& home = server.shardOf(bare.text());
    home.executor().post([&home, bare] { tell(home, &Services::accountCreated, bare); });
    co_return Creation::Done;
}

Task<PasswordChange> changePassword(Server& server, Jid bare, std::string password) {
    auto work = [&password] { return makeKeys(password); };
    auto keys = co_await offload(server.workers(), work);
    if (!keys) co_return PasswordChange::BadPassword;
    const bool found = co_await server.stores().accounts.setCredentials(bare.text(), std::move(*keys));
    if (!found) co_return PasswordChange::NoAccount;
    routeLog.info("password changed", {{"account", bare.text()}});
    co_return PasswordChange::Done;
}

Task<bool> removeAccount(Server& server, Jid bare, UniqueFunction<void()> lastWords) {
    auto account = co_await server.stores().accounts.beginRemoval(bare.text());
    if (!account) co_return false;
    routeLog.info("account removed", {{"account", bare.text()}});

    // Its sessions end before its rows are erased: nothing is stored for it afterwards.
    Shard& home = server.shardOf(bare.text());
    Executor* const back = Executor::current();
    auto leave = [&](UniqueFunction<void(bool)> resolve) {
        home.executor().post([&home, &bare, &lastWords, back, resolve = std::move(resolve)]() mutable {
            if (lastWords) lastWords();
            home.drop(bare);
            tell(home, &Services::accountRemoved, bare);
            back->post([resolve = std::move(resolve)]() mutable { resolve(true); });
        });
    };
    Callback<bool> left(std::move(leave));
    co_await left;

    co_await server.stores().accounts.finishRemoval(*account);
    co_return true;
}

}  // namespace epode
