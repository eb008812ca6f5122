// Last Activity (XEP-0012): since when somebody is away, for those who see their presence; how long
// the server has been up, for everybody.
#include "plugin/plugin.h"
#include "store/keyed_store.h"
#include "store/stores.h"

#include <algorithm>
#include <charconv>

namespace epode {
namespace {

constexpr QName query{"jabber:iq:last", "query"};
constexpr std::string_view statusKey = "status";

const Option<Bytes> statusBytesMax{
    .key = "last.status_bytes_max",
    .fallback = 1_KiB,
    .range = {0_B, 16_KiB},
    .help = "The longest status that is kept of who goes away; a longer one isn't.",
};

// A status belongs to one moment of going away: the stamp before it says to which.
std::string toStored(WallTime when, std::string_view status) {
    return std::to_string(toMilliseconds(when)) + " " + std::string{status};
}
std::string_view statusOf(std::string_view stored, WallTime when) {
    std::int64_t stamp = 0;
    const auto [end, problem] =
        std::from_chars(stored.data(), stored.data() + stored.size(), stamp);
    const auto length = std::size_t(end - stored.data());
    const bool isOfThen =
        problem == std::errc{} && length < stored.size() && stamp == toMilliseconds(when);
    return isOfThen ? stored.substr(length + 1) : std::string_view{};
}

Document answerWith(std::chrono::seconds seconds) {
    Document answer{query.name, query.ns};
    answer->set("seconds", std::to_string(std::max<std::int64_t>(seconds.count(), 0)));
    return answer;
}

bool isAvailable(const Account& account) {
    return std::any_of(account.sessions().begin(), account.sessions().end(),
                       [](const auto& session) { return session->isAvailable(); });
}

class LastActivity final : public Plugin {
public:
    explicit LastActivity(PluginContext& context)
        : accounts_{context.server().stores().accounts},
          store_{context.server().database(), "last"},
          started_{context.server().startedAt()},
          statusBytesMax_{context.value(statusBytesMax)} {
        context.onIq(StanzaType::Get, query, Addressee::Account, this,
                     &LastActivity::tellOfAccount);
        context.onIq(StanzaType::Get, query, Addressee::Host, this, &LastActivity::tellOfHost);
        context.on(&Services::presenceChanged, Phase::Observe, this, &LastActivity::note);
        context.hostFeature(query.ns);
        context.accountFeature(query.ns);
    }

private:
    Verdict note(PresenceEvent& event);
    Task<Reply> tellOfAccount(const Iq& iq);
    Task<Reply> tellOfHost(const Iq& iq);

    AccountStore& accounts_;
    KeyedStore store_;
    const SteadyTime started_;
    const std::uint64_t statusBytesMax_;
};

// The last available resource is gone.
Verdict LastActivity::note(PresenceEvent& event) {
    Account& account = event.session.account();
    if (event.presence->type() != StanzaType::Unavailable || isAvailable(account))
        return Verdict::Pass;
    Executor& executor = account.shard().executor();
    const WallTime now = executor.wallNow();
    accounts_.noteActivity(executor, account.id(), now);
    const std::string_view status = event.presence->root().childText("status");
    if (!status.empty() && status.size() <= statusBytesMax_) {
        // Nobody waits for it, and without it the answer is right, too.
        start(store_.put(account.id(), std::string{statusKey}, toStored(now, status)),
              [](std::exception_ptr) {});
    }
    return Verdict::Pass;
}

// A resource that is connected and not available has said that nobody shall know of it.
Task<Reply> LastActivity::tellOfAccount(const Iq& iq) {
    const Account* account = iq.account();
    const Contact* contact = account ? account->roster().find(iq.from().bare()) : nullptr;
    const bool isSeen = contact && contact->state.isSeenByContact();
    if (!iq.isToOwnAccount() && !isSeen)
        co_return StanzaError{Condition::Forbidden, "This is told to those who see the presence."};
    if (isAvailable(*account)) co_return answerWith(std::chrono::seconds{0});

    const AccountId id = account->id();
    const std::string jid = account->jid().text();
    const auto summary = co_await accounts_.summary(jid);
    const std::string key{statusKey};
    const auto stored = co_await store_.get(id, key);
    // After a crash the login may be all that is known of the last time.
    const auto last = summary ? std::max(summary->lastActivity, summary->lastLogin) : std::nullopt;
    if (!last) co_return StanzaError{Condition::ItemNotFound, "This account was never there."};
    const WallTime now = iq.shard().executor().wallNow();
    Document answer = answerWith(std::chrono::duration_cast<std::chrono::seconds>(now - *last));
    if (const auto status = stored ? statusOf(*stored, *last) : std::string_view{}; !status.empty())
        answer->addText(status);
    co_return Reply{std::move(answer)};
}

Task<Reply> LastActivity::tellOfHost(const Iq& iq) {
    const Duration up = iq.shard().executor().now() - started_;
    co_return answerWith(std::chrono::duration_cast<std::chrono::seconds>(up));
}

const PluginInfo info{
    .name = "last",
    .summary = "Tells since when somebody is away, and how long the server has been up",
    .implements = {{"XEP-0012", "2.0"}},
    .options = {&statusBytesMax},
};

}  // namespace

DECLARE_PLUGIN(LastActivity, info)

}  // namespace epode
