// Who has done how much in which room lately. One for each shard; what is old is forgotten.
#pragma once

#include "room_rules.h"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace epode::moderation {

// So many in a minute, and as many at once.
class Allowance {
public:
    bool take(std::int64_t perMinute, SteadyTime now);

private:
    double left_ = 0;
    std::optional<SteadyTime> at_;
};

// Why somebody may not do it, and the rule that says so.
struct Objection {
    std::string_view rule;  // "words", "links", "messages", "joins", "nicknames", "newcomers"
    StanzaError error;
    bool isOffence = false;  // counts for a penalty
};

class RoomWatch {
public:
    std::optional<Objection> judge(const RoomEvent& event, const RoomDefaults& defaults);
    // After an objection that is an offence: whether it was one too many.
    bool isEnough(const RoomEvent& event);
    const RoomRules* rulesOf(const RoomEvent& event) const;

private:
    struct Person {
        Allowance messages;
        Allowance nickChanges;
        int offences = 0;
        SteadyTime firstOffence{};
        SteadyTime last{};
    };
    struct Watched {
        std::shared_ptr<const RoomSettings> settings;
        RoomDefaults defaults;
        std::unique_ptr<RoomRules> rules;
        Allowance joins;
        std::unordered_map<std::string, Person> people;  // by bare address
        std::size_t tidyAt = 256;
        SteadyTime last{};
    };
    Watched& watched(const RoomEvent& event, const RoomDefaults& defaults, SteadyTime now);
    static Person& person(Watched& room, const Jid& client, SteadyTime now);
    static std::optional<Objection> judgeWords(const RoomEvent& event, const RoomRules& rules);

    std::unordered_map<std::string, Watched> rooms_;
    std::size_t tidyAt_ = 256;
};

}  // namespace epode::moderation
