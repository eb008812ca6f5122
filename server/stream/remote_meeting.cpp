#include "stream/remote_meeting.h"

#include "core/metric.h"
#include "route/account.h"
#include "route/presence_rules.h"
#include "route/shard.h"

#include <utility>

namespace epode {

namespace {

Counter meetings{"epode_s2s_presence_renewals_total",
                 "Domains whose contacts were asked and told anew who is online"};

// Where many links come back at the same time, the rosters are gone through once for all of them.
constexpr auto pause = std::chrono::seconds{2};
constexpr std::size_t accountsPerTurn = 200;

}  // namespace

void RemoteMeeting::add(const std::string& domain) {
    meetings.add();
    wanted_.insert(domain);
    if (!timer_)
        timer_ = shard_.executor().after(pause, [this] {
            timer_ = {};
            begin();
        });
}

void RemoteMeeting::begin() {
    domains_ = std::exchange(wanted_, {});
    accounts_.clear();
    shard_.eachAccount([this](Account& account) { accounts_.push_back(account.jid().text()); });
    step();
}

void RemoteMeeting::step() {
    for (std::size_t i = 0; i < accountsPerTurn && !accounts_.empty(); ++i) {
        const std::string bare = std::move(accounts_.back());
        accounts_.pop_back();
        if (Account* account = shard_.loaded(bare))
            PresenceRules{*account}.meetAgain(
                [this](std::string_view domain) { return domains_.contains(domain); });
    }
    if (accounts_.empty() && wanted_.empty()) return;
    timer_ = shard_.executor().after(accounts_.empty() ? Duration{pause} : Duration{}, [this] {
        timer_ = {};
        accounts_.empty() ? begin() : step();
    });
}

}  // namespace epode
