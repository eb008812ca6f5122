// What is kept of an account, kind by kind: how each is exported, imported and erased. Plugins
// declare theirs beside their code (PluginInfo::data). The file that they make together is that of
// XEP-0227 (Portable Import/Export Format for XMPP-IM Servers).
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/qname.h"
#include "core/task.h"
#include "store/account_store.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Server;

struct AccountRef {
    Server& server;
    Jid jid;  // bare
    AccountId id;
};

// Where an export goes.
class AccountSink {
public:
    virtual ~AccountSink() = default;
    // One whole child of the account's <user/> (or a part of one that is too large to be written at
    // once: the file is the texts in their order). Await it: the sink may wait for the disk.
    virtual Task<void> write(std::string xml) = 0;
};

struct DataCount {
    std::int64_t done = 0;
    std::int64_t refused = 0;  // was in the file, but can't be kept here
};

// One kind of data. All functions run on a shard, are awaited to their end, and throw
// StoreUnavailable when the database does not answer. Rows in `PluginInfo::accountTables`, and what
// is kept in a KeyedStore, is counted and erased without a word here.
struct AccountData {
    std::string_view what;  // for the reports: "vCard"
    // The children of <user/> that `read` takes.
    std::vector<QName> elements{};
    // Writes all of the account; how many things it wrote.
    Task<std::int64_t> (*write)(AccountRef account, AccountSink& sink) = nullptr;
    // Stores what one of `elements` says; the account has nothing of the kind yet, and no session.
    Task<DataCount> (*read)(AccountRef account, const Element& element) = nullptr;
    // Removes what is not in tables of accounts, before the account goes; how many things.
    Task<std::int64_t> (*erase)(AccountRef account) = nullptr;
    // The component of the KeyedStore whose values `write` covers. Values of components that
    // nobody covers are exported and imported as they are.
    std::string_view component{};
};

// The same with its owner: a plugin's name, or "server".
struct OwnedData {
    std::string owner;
    AccountData data;
};

}  // namespace epode
