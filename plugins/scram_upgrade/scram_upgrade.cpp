// SASL upgrade tasks (XEP-0480) for SCRAM.
#include "core/base64.h"
#include "core/log.h"
#include "core/sasl/credentials.h"
#include "plugin/plugin.h"
#include "route/stream_facts.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {
namespace {

const Log authLog{"stream"};

constexpr std::string_view upgradeNs = "urn:xmpp:sasl:upgrade:0";
constexpr std::string_view scramNs = "urn:xmpp:scram-upgrade:0";

// The best that we offer: what else there is, every account has.
constexpr auto hash = Hash::Sha256;
constexpr std::string_view hashName = "SHA-256";
constexpr std::string_view taskName = "UPGR-SCRAM-SHA-256";

class ScramUpgradeTask final : public LoginTask {
public:
    explicit ScramUpgradeTask(AccountStore& accounts, AccountId account)
        : accounts_{accounts}, account_{account}, salt_{randomBytes(sasl::saltBytes)} {}

    std::string_view name() const override { return taskName; }

    Task<TaskStep> take(Login& login, const Element& element) override {
        if (element.name() == "next") {
            Document salt{"salt", scramNs};
            salt->set("iterations", std::to_string(sasl::defaultIterations));
            salt->addText(encodeBase64(salt_));
            co_return TaskStep{std::move(salt)};
        }
        using sasl::Condition;
        const Element* answer = element.child("hash", scramNs);
        std::string text{answer ? answer->text() : std::string_view{}};
        std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
        const auto salted = decodeBase64(text);
        if (!salted)
            co_return TaskStep{
                sasl::Failure{Condition::IncorrectEncoding, "The hash is no base 64."}};
        const auto keys = sasl::scramKeysOfSalted(hash, *salted, sasl::defaultIterations, salt_);
        if (!keys)
            co_return TaskStep{sasl::Failure{Condition::MalformedRequest,
                                             "The hash has not the size of its kind."}};
        StoredKeys stored;
        stored.hash = hashName;
        stored.salt = keys->salt;
        stored.iterations = keys->iterations;
        stored.storedKey = keys->storedKey;
        stored.serverKey = keys->serverKey;
        co_await accounts_.addCredentials(account_, stored);
        authLog.info("credentials upgraded",
                     {{"account", login.account.text()}, {"mechanism", sasl::scramName(hash)}});
        co_return TaskStep{TaskDone{}};
    }

private:
    AccountStore& accounts_;
    const AccountId account_;
    const std::string salt_;
};

class ScramUpgrade final : public Plugin {
public:
    explicit ScramUpgrade(PluginContext& context) : accounts_{context.server().stores().accounts} {
        context.on(&Services::loginFeatures, Phase::Act, this, &ScramUpgrade::announce);
        context.onLoginTask(this, &ScramUpgrade::makeTask);
    }

private:
    Verdict announce(LoginFeaturesEvent& event) {
        event.authentication.add("upgrade", upgradeNs).addText(taskName);
        return Verdict::Pass;
    }

    Task<std::unique_ptr<LoginTask>> makeTask(Login& login) {
        std::unique_ptr<LoginTask> task;
        const auto& children = login.request->children();
        const bool isWanted =
            std::any_of(children.begin(), children.end(), [](const Element& child) {
                return child.is("upgrade", upgradeNs) && child.text() == taskName;
            });
        if (!isWanted || !login.hasPassword) co_return task;
        const auto stored = co_await accounts_.credentials(login.account.text());
        if (!stored) co_return task;
        const bool hasIt =
            std::any_of(stored->keys.begin(), stored->keys.end(),
                        [](const StoredKeys& keys) { return keys.hash == hashName; });
        if (!hasIt) task = std::make_unique<ScramUpgradeTask>(accounts_, stored->account);
        co_return task;
    }

    AccountStore& accounts_;
};

const PluginInfo info{
    .name = "scram_upgrade",
    .summary = "Accounts get keys for a better SCRAM mechanism while they log in",
    .implements = {{"XEP-0480", "0.2.0"}},
};

}  // namespace

DECLARE_PLUGIN(ScramUpgrade, info)

}  // namespace epode
