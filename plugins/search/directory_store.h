// The user directory: what people tell about themselves so that others find them.
#pragma once

#include "store/account_store.h"
#include "store/database.h"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace epode::search {

// The fields of jabber:iq:search (XEP-0055, 7.2).
enum class Field : std::uint8_t { First, Last, Nick, Email };
inline constexpr std::size_t fieldCount = 4;
inline constexpr std::array<std::string_view, fieldCount> fieldNames{"first", "last", "nick",
                                                                     "email"};
inline constexpr std::array<std::string_view, fieldCount> fieldLabels{"Given name", "Family name",
                                                                      "Nickname", "Email address"};

// By Field; empty: not told.
using Fields = std::array<std::string, fieldCount>;

struct Person {
    std::string jid;
    Fields fields;
    friend bool operator==(const Person&, const Person&) = default;
};

// What somebody looks for, by Field: keys (see keyOf), each to be equal or to be begun with.
struct Wish {
    std::string key;  // empty: anything
    bool isBegin = false;
};
using Wishes = std::array<Wish, fieldCount>;

// Upper and lower case, and the ways in which Unicode writes the same letter, are one key (RFC
// 8266). Nothing when `text` holds what no name can.
std::optional<std::string> keyOf(std::string_view text);

// What can be said of an account in the directory.
struct Listing {
    Fields fields;
    bool isHidden = false;  // it wants not to be found, also where everybody is
};

// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done. Listings go away with their account.
class DirectoryStore {
public:
    explicit DirectoryStore(Database& database) : database_{database} {}

    static const Migration migration;
    static constexpr AccountTable table{"search_listing"};

    Task<std::optional<Listing>> find(AccountId account);
    // Replaces what was there. All fields have keys, or are empty.
    Task<void> put(AccountId account, std::string host, Listing listing);
    // False when there was none.
    Task<bool> remove(AccountId account);

    // Accounts of a host that are listed, not hidden, and fulfil all wishes, by name; at most
    // `most`. Disabled accounts are not found.
    Task<std::vector<Person>> find(std::string host, Wishes wishes, std::size_t most);
    // Accounts of a host that have no listing and whose name (what stands before the @) fulfils the
    // wish, by address.
    Task<std::vector<Person>> findUnlisted(std::string host, Wish name, std::size_t most);

private:
    Database& database_;
};

}  // namespace epode::search
