#include "announcement_store.h"

#include "core/random.h"

#include <charconv>
#include <cstdio>

namespace epode::announce {

namespace {

constexpr AccountId nobody = 0;
const std::string toldKey = "told";

std::string keyOf(Standing which, std::string_view host) {
    return (which == Standing::Motd ? "motd/" : "welcome/") + std::string{host};
}
std::string prefixOf(std::string_view host) { return "job/" + std::string{host} + "/"; }

std::int64_t readStamp(std::string_view text) {
    std::int64_t stamp = 0;
    std::from_chars(text.data(), text.data() + text.size(), stamp);
    return stamp;
}

// "<stamp>\n<text>"
std::string toStored(const StandingText& text) {
    return std::to_string(toMilliseconds(text.since)) + "\n" + text.text;
}
StandingText standingFrom(std::string_view stored) {
    const auto end = std::min(stored.find('\n'), stored.size());
    return {.text = std::string{stored.substr(std::min(end + 1, stored.size()))},
            .since = fromMilliseconds(readStamp(stored.substr(0, end)))};
}

// "all\n<after>\n<text>"; an address holds no new line.
std::string toStored(const Job& job) {
    return (job.to == Job::To::All ? "all\n" : "online\n") + job.after + "\n" + job.text;
}
Job jobFrom(std::string key, std::string_view stored) {
    const auto first = std::min(stored.find('\n'), stored.size());
    const auto second = std::min(stored.find('\n', first + 1), stored.size());
    return {.key = std::move(key),
            .to = stored.substr(0, first) == "all" ? Job::To::All : Job::To::Online,
            .after = std::string{stored.substr(std::min(first + 1, second),
                                               second - std::min(first + 1, second))},
            .text = std::string{stored.substr(std::min(second + 1, stored.size()))}};
}

}  // namespace

Task<std::optional<StandingText>> AnnouncementStore::standing(Standing which, std::string host) {
    const std::string key = keyOf(which, host);
    const auto stored = co_await store_.get(nobody, key);
    if (!stored) co_return std::nullopt;
    co_return standingFrom(*stored);
}

Task<void> AnnouncementStore::setStanding(Standing which, std::string host, StandingText text) {
    const std::string key = keyOf(which, host);
    const std::string value = toStored(text);
    co_await store_.put(nobody, key, value);
}

Task<bool> AnnouncementStore::removeStanding(Standing which, std::string host) {
    const std::string key = keyOf(which, host);
    const bool was = co_await store_.remove(nobody, key);
    co_return was;
}

Task<bool> AnnouncementStore::addJob(std::string host, Job job, WallTime now) {
    const std::string prefix = prefixOf(host);
    const auto waiting = co_await store_.list(nobody, prefix);
    if (waiting.size() >= jobsPerHostMax) co_return false;
    char stamp[24];
    std::snprintf(stamp, sizeof stamp, "%016lld", static_cast<long long>(toMilliseconds(now)));
    const std::string key = prefix + stamp + "-" + randomId(8);
    const std::string value = toStored(job);
    co_await store_.put(nobody, key, value);
    co_return true;
}

Task<std::vector<Job>> AnnouncementStore::jobs(std::string host) {
    const std::string prefix = prefixOf(host);
    const auto stored = co_await store_.list(nobody, prefix);
    std::vector<Job> all;
    for (const auto& [key, value] : stored) all.push_back(jobFrom(key, value));
    co_return all;
}

Task<void> AnnouncementStore::saveJob(Job job) {
    const std::string value = toStored(job);
    co_await store_.put(nobody, job.key, value);
}

Task<void> AnnouncementStore::removeJob(std::string key) { co_await store_.remove(nobody, key); }

Task<bool> AnnouncementStore::noteTold(AccountId account, WallTime since) {
    const auto told = co_await store_.get(account, toldKey);
    if (told && readStamp(*told) >= toMilliseconds(since)) co_return false;
    const std::string value = std::to_string(toMilliseconds(since));
    co_await store_.put(account, toldKey, value);
    co_return true;
}

}  // namespace epode::announce
