// What is kept of rooms: one row for each room, for each affiliation, and for each client that is
// in a room, so that a restart loses nobody. Messages are in the archive (store/archive_store.h),
// under the room's id.
#pragma once

#include "room.h"

#include "core/task.h"
#include "store/database.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace epode::muc {

struct StoredOccupant {
    std::string jid;
    std::string nick;
    Role role = Role::None;
    std::string presence;    // XML
    std::int64_t place = 0;  // in the order in which they have come
};

struct StoredRoom {
    std::int64_t id = 0;
    std::string creator;
    WallTime created{};
    RoomConfig config;
    Subject subject;
    std::string secret;
    std::string vcard;
    std::string lockedBy;  // empty when it is not locked
    Affiliations affiliations;
    Hats hats;
    std::vector<StoredOccupant> occupants;
};

// What somebody has done to a room or to people in it.
struct AuditEntry {
    Jid room;
    WallTime at{};
    std::string actor;  // a bare address; "operator …", "rule …"; empty for the room itself
    std::string action;
    std::string target{};  // an address, or what else it was done to
    std::string reason{};
    std::optional<WallTime> until{};
    std::string details{};
};

struct RoomSummary {
    std::string name;  // the local part
    RoomConfig config;
    std::int64_t occupants = 0;
    std::int64_t affiliations = 0;
    std::string creator;
    WallTime created{};
};

class Store {
public:
    explicit Store(Database& database) : database_{database} {}

    static std::span<const Migration* const> migrations();

    // What was written before is read, too.
    Task<std::optional<StoredRoom>> load(Jid address);

    // Of a new room; false when there is one, or `roomsMax` by the same creator (0: no limit).
    enum class Created : std::uint8_t { Yes, Exists, TooMany };
    Task<Created> create(Jid address, StoredRoom room, std::int64_t roomsMax);
    // How many rooms somebody has created at this domain.
    Task<std::int64_t> countOf(std::string domain, std::string creator);
    // Everything of it but its archive.
    Task<void> remove(std::int64_t room);
    // With changes of affiliations that belong to it: all or none.
    Task<void> saveConfig(std::int64_t room, RoomConfig config, std::string lockedBy,
                          std::vector<Affiliations::Entry> changes = {},
                          std::vector<AuditEntry> log = {});
    Task<void> saveSubject(std::int64_t room, Subject subject);
    Task<void> saveVcard(std::int64_t room, std::string vcard);
    // All or none. What is nothing is deleted. `log` is written along with them.
    Task<void> saveAffiliations(std::int64_t room, std::vector<std::pair<Jid, Affiliated>> changes,
                                std::vector<AuditEntry> log = {});
    // An account was removed: who gets its name must not get its rights. The rooms that had it.
    Task<void> forgetPerson(std::string bare);

    // In the order of calls; `room` is the room's id. Nobody waits for it.
    void saveOccupant(Executor& executor, std::int64_t room, StoredOccupant occupant);
    void removeOccupant(Executor& executor, std::int64_t room, std::string jid);
    void clearOccupants(Executor& executor, std::int64_t room);
    void log(Executor& executor, AuditEntry entry);

    // Without a hat, it is forgotten, and nobody wears it any more.
    Task<void> saveHat(std::int64_t room, std::string uri, std::optional<Hat> hat);
    Task<void> saveWearer(std::int64_t room, std::string jid, std::string uri, bool isWorn);

    // When a member was last in the room. Nobody waits for it.
    void noteLeft(Executor& executor, std::int64_t room, std::string bare, WallTime at);
    struct Membership {
        std::int64_t room = 0;
        std::string name;
        std::string domain;
        Affiliation affiliation = Affiliation::None;
        std::string nick;
        std::string reason;
        WallTime left{};  // 1970 when he never was there, or it is not known
        bool isInside = false;
    };
    // Where somebody belongs (or is banned), at most so many; empty `domain`: everywhere.
    Task<std::vector<Membership>> membershipsOf(std::string bare, std::string domain,
                                                std::int64_t most);

    // The log of a room, the newest entry first.
    struct AuditWish {
        std::string room;
        std::string person{};  // bare: as actor or target; empty for everybody
        WallTime since{};
        std::int64_t most = 1000;
    };
    Task<std::vector<AuditEntry>> audit(AuditWish wish);
    // Deletes some of what is older in rooms of a domain; how many, at most as many as were asked
    // for.
    Task<std::int64_t> forgetAudit(std::string domain, WallTime before, std::int64_t most);

    // Rooms by name, behind `after`. Public ones alone, unless `who` belongs to them.
    struct Listing {
        std::string domain;
        std::string who{};  // bare; empty for everybody's
        bool isEverything = false;
        std::string after{};
        std::string before{};
        bool isBackwards = false;
        std::string matching{};  // part of the name or the description, in any case
        std::size_t most = 100;
    };
    struct Listed {
        std::vector<RoomSummary> rooms;
        std::int64_t count = 0;  // of all
        std::int64_t index = 0;  // of the first
        bool isComplete = true;
    };
    Task<Listed> list(Listing listing);
    // Those with occupants or a limit of their archive's age: what needs care after a start.
    Task<std::vector<std::string>> inhabited(std::string domain);
    Task<std::vector<std::pair<std::int64_t, std::int64_t>>> limited(std::string domain);

private:
    Database& database_;
};

}  // namespace epode::muc
