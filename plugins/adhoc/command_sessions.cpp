#include "command_sessions.h"

#include "core/digest.h"
#include "core/random.h"

#include <algorithm>

namespace epode::adhoc {

namespace {

constexpr std::size_t randomCharacters = 16;
constexpr std::size_t proofCharacters = 24;

}  // namespace

CommandSessions::CommandSessions(Limits limits) : limits_{limits}, key_{randomBytes(32)} {}

std::string CommandSessions::proof(std::string_view random, const Jid& caller,
                                   std::string_view node) const {
    const std::string named = std::string{random} + '\n' + caller.text() + '\n' + std::string{node};
    return encodeHex(hmac(Hash::Sha256, key_, named)).substr(0, proofCharacters);
}

std::string CommandSessions::newId(const Jid& caller, std::string_view node) const {
    const std::string random = encodeHex(randomBytes(randomCharacters / 2));
    return random + proof(random, caller, node);
}

std::variant<CommandSession, CommandSessions::Missing> CommandSessions::take(std::string_view id,
                                                                             const Jid& caller,
                                                                             std::string_view node,
                                                                             SteadyTime now) {
    if (id.size() != randomCharacters + proofCharacters ||
        !equalInConstantTime(id.substr(randomCharacters),
                             proof(id.substr(0, randomCharacters), caller, node)))
        return Missing::NeverWas;
    const std::lock_guard lock{mutex_};
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return Missing::HasEnded;
    auto session = std::move(found->second);
    sessions_.erase(found);
    if (session.expires <= now) return Missing::HasEnded;
    return session;
}

bool CommandSessions::put(CommandSession session, SteadyTime now) {
    const std::lock_guard lock{mutex_};
    const auto count = [&] {
        return std::size_t(
            std::count_if(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
                return entry.second.caller.bareText() == session.caller.bareText();
            }));
    };
    const auto isFull = [&] {
        return sessions_.size() >= limits_.most || count() >= limits_.perCallerMost;
    };
    sweep(now);
    if (isFull()) return false;
    session.expires = now + limits_.lifetime;
    auto id = session.id;
    sessions_.insert_or_assign(std::move(id), std::move(session));
    return true;
}

std::size_t CommandSessions::size() const {
    const std::lock_guard lock{mutex_};
    return sessions_.size();
}

void CommandSessions::sweep(SteadyTime now) {
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace epode::adhoc
