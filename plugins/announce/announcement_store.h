// What operators tell people: announcements that are being sent, the message of the day, and what
// new accounts are told. All by virtual host.
#pragma once

#include "core/time.h"
#include "store/keyed_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace epode::announce {

// A text that is told when somebody comes: of the day, or the welcome.
struct StandingText {
    std::string text;
    WallTime since;  // also which one it is, for those who have seen it
};
enum class Standing : std::uint8_t { Motd, Welcome };

struct Job {
    enum class To : std::uint8_t { Online, All };
    std::string key;  // in the store; in the order of asking
    To to = To::Online;
    std::string after;  // All: the last account that has been told
    std::string text;
};

inline constexpr std::size_t textBytesMax = 16 * 1024;
inline constexpr std::size_t jobsPerHostMax = 20;

// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done.
class AnnouncementStore {
public:
    explicit AnnouncementStore(Database& database) : store_{database, "announce"} {}

    Task<std::optional<StandingText>> standing(Standing which, std::string host);
    Task<void> setStanding(Standing which, std::string host, StandingText text);
    Task<bool> removeStanding(Standing which, std::string host);

    // False when too many wait already.
    Task<bool> addJob(std::string host, Job job, WallTime now);
    Task<std::vector<Job>> jobs(std::string host);
    Task<void> saveJob(Job job);
    Task<void> removeJob(std::string key);

    // Notes that an account is told the message of that time; false when it has been told it
    // before.
    Task<bool> noteTold(AccountId account, WallTime since);

private:
    KeyedStore store_;
};

}  // namespace epode::announce
