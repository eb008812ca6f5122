// What is known of uploaded files: rows of the plugin's own tables. The bytes are in a FileStorage.
#pragma once

#include "purpose.h"
#include "storage.h"

#include "core/task.h"
#include "store/account_store.h"
#include "store/database.h"
#include "store/migration.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace epode::upload {

// Announced: there is a slot, and the file may come. Doomed: nobody gets it any more; its bytes are
// about to be removed, then its row.
enum class FileState : std::uint8_t { Announced = 0, Stored = 1, Doomed = 2 };

struct StoredFile {
    std::int64_t id = 0;
    std::string token;    // of its address
    std::string putHash;  // of the key that the upload needs
    std::string place;    // in the storage
    std::string host;
    AccountId account = 0;  // 0: of a guest
    std::string owner;      // bare address
    std::string name;
    std::string type;  // "" while nobody has said it
    std::int64_t bytes = 0;
    Purpose purpose = Purpose::Message;
    FileState state = FileState::Announced;
    std::string checksum;  // SHA-256
    // Of the small picture beside it; without a type there is none.
    std::string thumbnailType{};
    std::int64_t thumbnailWidth = 0;
    std::int64_t thumbnailHeight = 0;
    std::int64_t thumbnailBytes = 0;
    WallTime created{};
    WallTime expires{};    // the slot, or the file
    WallTime keptUntil{};  // of the file, once it is stored
};

// For what is kept until somebody deletes it: the end of all years that have four digits.
inline constexpr WallTime farFuture = fromMilliseconds(253402300799000);

struct HostUsage {
    std::string host;
    std::int64_t files = 0;
    std::int64_t bytes = 0;  // with those that are announced
};

// No call blocks the loop. All throw StoreUnavailable when the database does not answer; what they
// change is durable once the task is done.
class FileStore {
public:
    explicit FileStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();

    // Announces a file, if the quotas have room for it.
    struct Quotas {
        std::int64_t openSlotsMax = 0;
        std::int64_t accountBytesMax = 0;
        std::int64_t hostBytesMax = 0;
    };
    enum class Full : std::uint8_t { Slots, Account, Host };
    struct Refused {
        Full what;
        std::optional<WallTime> retry;  // when there will be room, if that can be known
    };
    Task<std::variant<std::int64_t, Refused>> announce(StoredFile file, Quotas quotas);

    // By the token, whatever state it has; nothing when there is none.
    Task<std::optional<StoredFile>> find(std::string token);
    // An upload begins, or has failed: the slot ends then. False when it is none any more.
    Task<bool> extend(std::int64_t id, WallTime until);
    // It is complete. False when it was given up meanwhile.
    Task<bool> complete(std::int64_t id, std::string type, std::string checksum, Kept kept = {});

    struct Listing {
        std::string host;   // "" for all
        std::string owner;  // "" for all
        std::int64_t before = INT64_MAX;
        std::int64_t most = 100;
    };
    // Stored ones, the newest first.
    Task<std::vector<StoredFile>> list(Listing listing, WallTime now);
    Task<HostUsage> usageOf(std::string owner);
    Task<std::vector<HostUsage>> usage();

    // They are not served any more, and removed soon. `owner` "": whoever owns them. How many.
    Task<std::int64_t> doom(std::vector<std::int64_t> ids, std::string owner);
    Task<std::int64_t> doomAll(AccountId account);
    // Of an address whose account was removed, perhaps made anew since.
    Task<std::int64_t> doomOrphans(std::string owner);
    // The same for up to `most` accounts after one; the last that was looked at, 0 at the end.
    Task<AccountId> doomOrphans(AccountId after, std::int64_t most);
    // Dooms what has expired; returns up to `most` that are doomed.
    Task<std::vector<StoredFile>> takeDoomed(WallTime now, std::int64_t most);
    // Their bytes are gone.
    Task<void> forget(std::vector<std::int64_t> ids);
    // Their bytes could not be removed: not before then again.
    Task<void> postpone(std::vector<std::int64_t> ids, WallTime until);

private:
    Database& database_;
};

}  // namespace epode::upload
