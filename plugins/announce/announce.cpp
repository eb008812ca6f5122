// Announcements, the message of the day, and what new accounts are told.
#include "announce_commands.h"
#include "announcement_store.h"
#include "core/log.h"
#include "plugin/plugin.h"
#include "route/every_shard.h"
#include "store/stores.h"

#include <algorithm>
#include <mutex>

namespace epode {
namespace {

using namespace announce;

const Log announceLog{"plugin.announce"};

const Option<std::int64_t> perSecondMax{
    .key = "announce.per_second_max",
    .fallback = 500,
    .range = {1, 100000},
    .help =
        "How many accounts are told something in a second, so that an announcement is no storm.",
};

constexpr int stepsPerSecond = 5;
constexpr Duration pace = std::chrono::milliseconds{1000 / stepsPerSecond};
// Commands wake who waits.
constexpr Duration idle = std::chrono::hours{24};

// Which message of the day an account was told last, while it is in memory.
struct Told {
    WallTime since{};
};

class Announce final : public Plugin {
public:
    explicit Announce(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          from_{*Jid::parse(context.host())},
          store_{context.server().database()},
          board_{ChangeBoard::of(context.server())},
          perStep_{std::size_t(
              std::max<std::int64_t>(1, context.value(perSecondMax) / stepsPerSecond))} {
        context.on(&Services::sessionAvailable, Phase::Observe, this, &Announce::onAvailable);
        context.on(&Services::accountCreated, Phase::Observe, this, &Announce::onCreated);
        board_->watch(host_, context.inBackground(Duration{0}, this, &Announce::step));
    }

private:
    Verdict onAvailable(SessionEvent& event);
    Verdict onCreated(AccountEvent& event);
    Task<Duration> step();
    Task<> look();
    Task<> tellAll(Job job);
    Task<> tellOnline(Job job);
    Task<> tellOfTheDay(Jid session, AccountId account, StandingText motd);
    void send(StanzaType type, const Jid& to, const std::string& text);

    std::optional<StandingText> standing(Standing which) {
        const std::lock_guard lock{mutex_};
        return which == Standing::Motd ? motd_ : welcome_;
    }

    Server& server_;
    const std::string host_;
    const Jid from_;
    AnnouncementStore store_;
    const std::shared_ptr<ChangeBoard> board_;
    const std::size_t perStep_;

    // What the background work has found, for all shards.
    std::mutex mutex_;
    std::optional<StandingText> motd_, welcome_;

    // Of the background work alone.
    std::vector<Job> jobs_;
    std::optional<std::vector<std::string>> online_;  // who has yet to be told the first job
};

void Announce::send(StanzaType type, const Jid& to, const std::string& text) {
    auto message = Stanza::message(type, from_, to);
    message->edit().addWithText("body", text);
    server_.route(std::move(message));
}

// ---- who comes

Verdict Announce::onAvailable(SessionEvent& event) {
    auto motd = standing(Standing::Motd);
    if (!motd) return Verdict::Pass;
    Account& account = event.session.account();
    Told& told = account.state<Told>();
    if (told.since >= motd->since) return Verdict::Pass;
    told.since = motd->since;
    // The services hold this plugin until it is done.
    start(tellOfTheDay(event.session.jid(), account.id(), std::move(*motd)),
          [services = account.host().sharedServices()](std::exception_ptr) {});
    return Verdict::Pass;
}

Task<> Announce::tellOfTheDay(Jid session, AccountId account, StandingText motd) {
    const bool isNew = co_await store_.noteTold(account, motd.since);
    if (isNew) send(StanzaType::Headline, session, motd.text);
}

Verdict Announce::onCreated(AccountEvent& event) {
    const auto welcome = standing(Standing::Welcome);
    if (welcome && event.account.domain() == host_)
        send(StanzaType::Normal, event.account, welcome->text);
    return Verdict::Pass;
}

// ---- by the clock

Task<Duration> Announce::step() {
    co_await look();
    if (jobs_.empty()) co_return idle;
    const Job job = jobs_.front();
    if (job.to == Job::To::All)
        co_await tellAll(job);
    else
        co_await tellOnline(job);
    co_return pace;
}

// What is being sent goes on where it is.
Task<> Announce::look() {
    auto motd = co_await store_.standing(Standing::Motd, host_);
    auto welcome = co_await store_.standing(Standing::Welcome, host_);
    auto jobs = co_await store_.jobs(host_);
    if (jobs.empty() || jobs_.empty() || jobs.front().key != jobs_.front().key) online_.reset();
    jobs_ = std::move(jobs);
    const std::lock_guard lock{mutex_};
    motd_ = std::move(motd);
    welcome_ = std::move(welcome);
}

// Those who are away find it when they come. After a crash some may hear it twice, and nobody
// never.
Task<> Announce::tellAll(Job job) {
    const auto accounts = co_await server_.stores().accounts.list(host_, job.after, perStep_);
    for (const auto& account : accounts) {
        if (const auto jid = Jid::parse(account.jid); jid && !account.isDisabled)
            send(StanzaType::Normal, *jid, job.text);
        job.after = account.jid;
    }
    if (accounts.size() < perStep_) {
        announceLog.notice("all accounts were told", {{"host", host_}});
        co_await store_.removeJob(job.key);
        jobs_.erase(jobs_.begin());
    } else {
        jobs_.front().after = job.after;
        co_await store_.saveJob(job);
    }
}

// A headline is for those who are there: nothing waits for the others.
Task<> Announce::tellOnline(Job job) {
    if (!online_) {
        std::function<std::vector<std::string>(Shard&)> look = [host = host_](Shard& shard) {
            std::vector<std::string> found;
            shard.eachAccount([&](Account& account) {
                if (account.jid().domain() == host && !account.sessions().empty())
                    found.push_back(account.jid().text());
            });
            return found;
        };
        const auto parts = co_await everyShard<std::vector<std::string>>(server_, look);
        online_.emplace();
        for (const auto& part : parts) online_->insert(online_->end(), part.begin(), part.end());
    }
    for (std::size_t i = 0; i < perStep_ && !online_->empty(); ++i) {
        if (const auto jid = Jid::parse(online_->back()))
            send(StanzaType::Headline, *jid, job.text);
        online_->pop_back();
    }
    if (!online_->empty()) co_return;
    online_.reset();
    announceLog.notice("all who are online were told", {{"host", host_}});
    co_await store_.removeJob(job.key);
    jobs_.erase(jobs_.begin());
}

const PluginInfo info{
    .name = "announce",
    .summary =
        "Announcements of the operator, the message of the day, and a welcome for new accounts",
    .options = {&perSecondMax},
    .commands = announceCommands,
};

}  // namespace

DECLARE_PLUGIN(Announce, info)

}  // namespace epode
