// Every version that was released can be upgraded to this one: its schema, with rows in it, lies in
// schemas/<version>/, is laid down in an empty database, and migrated.
#include "plugin/plugin_host.h"
#include "store/keyed_store.h"
#include "tests/upgrade/schema_dump.h"

#include <fstream>

using namespace epode;

namespace {

const std::filesystem::path schemas =
    std::filesystem::path{EPODE_SOURCE_DIR} / "tests/upgrade/schemas";

constexpr auto juliet = "juliet@capulet.example";
constexpr auto romeo = "romeo@montague.example";
const WallTime day = fromMilliseconds(1'790'000'000'000);
const std::string note = "<note xmlns='capulet'>it's {dark}; \"soon\"</note>";
const std::string longAgo = "<message><body>1; two's \xC3\xA9</body></message>";

std::vector<Migration> allOfThisVersion() {
    static const PluginHost plugins{""};
    auto all = Stores::migrations();
    for (const auto& migration : plugins.migrations()) all.push_back(migration);
    return all;
}

// What every dump has: an account with a contact, a request, messages, a note; another that is
// disabled.
void fill(Setup& setup) {
    auto& stores = setup.stores();
    std::vector<StoredKeys> keys{
        {"SHA-1", "salt", 4096, std::string(20, 's'), std::string(20, 'v')},
        {"SHA-256", "salt", 4096, std::string(32, 's'), std::string(32, 'v')}};
    const auto account = *setup.await(stores.accounts.create(juliet, keys, day));
    setup.await(stores.accounts.create(romeo, keys, day));
    setup.await(stores.accounts.setDisabled(romeo, true));
    setup.await(stores.rosters.put(account, {.jid = romeo,
                                             .name = "Romeo",
                                             .groups = {"Friends", "Lovers"},
                                             .subscription = Subscription::Both}));
    setup.await(stores.rosters.putRequest(account, {"paris@x.example", "<presence/>"}, day));
    setup.await(stores.archive.setPreferences(account, {.never = {"paris@x.example"}}));
    KeyedStore notes{setup.database(), "private"};
    setup.await(notes.put(account, "note capulet", note));
    bool isStored = false;
    ArchiveFlags flags;
    flags.hasBody = true;
    flags.isOffline = true;
    stores.archive.append(setup.executor, account, romeo, {Uuid::at(day), flags, longAgo},
                          [&](std::exception_ptr failure) { isStored = !failure; });
    setup.executor.turnUntil([&] { return isStored; });
}

void checkContent(Setup& setup) {
    auto& stores = setup.stores();
    const auto record = setup.await(stores.load(juliet));
    REQUIRE(record);
    REQUIRE(record->roster.items.size() == 1);
    CHECK(record->roster.items[0].jid == romeo);
    CHECK(record->roster.items[0].groups == std::vector<std::string>{"Friends", "Lovers"});
    CHECK(record->roster.items[0].subscription == Subscription::Both);
    CHECK(record->roster.asking == std::vector<std::string>{"paris@x.example"});
    CHECK(record->archive.pending == 1);
    REQUIRE(record->archivePreferences);
    CHECK(record->archivePreferences->never == std::vector<std::string>{"paris@x.example"});
    const auto page = setup.await(stores.archive.query({.account = record->account}));
    REQUIRE(page.entries.size() == 1);
    CHECK(page.entries[0].stanza == longAgo);
    CHECK(page.entries[0].stamp() == day);
    const auto credentials = setup.await(stores.accounts.credentials(juliet));
    REQUIRE(credentials);
    const auto disabled = setup.await(stores.load(romeo));
    REQUIRE(disabled);
    CHECK(disabled->isDisabled);
    KeyedStore notes{setup.database(), "private"};
    CHECK(setup.await(notes.get(record->account, "note capulet")) == note);
    // And it goes on: new rows don't take the numbers of old ones.
    const auto nurse = setup.await(stores.accounts.create("nurse@capulet.example", {}, day));
    REQUIRE(nurse);
    CHECK(*nurse > disabled->account);
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::filesystem::path dumpFile(const std::filesystem::path& version, Setup& setup) {
    return version /
           (setup.database().dialect() == Dialect::Sqlite ? "sqlite.sql" : "postgres.sql");
}

std::vector<std::filesystem::path> versions() {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator{schemas})
        if (entry.is_directory()) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

TEST_CASE("every released schema can be upgraded, and is then as a new one", "[upgrade]") {
    REQUIRE_FALSE(versions().empty());
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& fresh) {
        const bool isSqlite = fresh.database().dialect() == Dialect::Sqlite;
        fresh.database().migrate(allOfThisVersion());
        const auto expected = describeSchema(fresh);
        for (const auto& version : versions()) {
            Setup old{isSqlite ? Kind::Disk : Kind::Postgres};
            const auto dump = read(dumpFile(version, old));
            INFO(dumpFile(version, old).string());
            REQUIRE_FALSE(dump.empty());
            loadDump(old, dump);
            old.database().migrate(allOfThisVersion());
            INFO(
                "A migration that was released stays as it was; changes come as new ones. (Before "
                "a "
                "version's release `ninja schema_dump` writes its dump anew.)");
            CHECK(describeSchema(old) == expected);
            checkContent(old);
        }
    });
}

TEST_CASE("the comparison of schemas sees what differs", "[upgrade]") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(allOfThisVersion());
        const auto before = describeSchema(setup);
        for (const char* change :
             {"CREATE INDEX odd ON account(jid, id)", "ALTER TABLE account ADD COLUMN odd TEXT",
              "CREATE TABLE odder(id INTEGER PRIMARY KEY)"}) {
            const auto last = describeSchema(setup);
            loadDump(setup, change);
            INFO(change);
            CHECK(describeSchema(setup) != last);
        }
        CHECK(before.find("odd") == std::string::npos);
    });
}

// Run by `ninja schema_dump` at a release.
TEST_CASE("write the dump of this version", "[.write]") {
    const char* const version = std::getenv("EPODE_WRITE_SCHEMA");
    REQUIRE(version);
    overDatabases({Kind::Disk, Kind::Postgres}, [&](Setup& setup) {
        setup.database().migrate(allOfThisVersion());
        fill(setup);
        std::filesystem::create_directories(schemas / version);
        std::ofstream{dumpFile(schemas / version, setup), std::ios::binary} << dumpOf(setup);
    });
}
