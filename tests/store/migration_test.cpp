#include "tests/store/databases.h"

using namespace epode;

namespace {

constexpr Migration first{"notes", 1, "notes", "CREATE TABLE note(id {id}, text {text});"};
constexpr Migration second{"notes", 2, "when", "ALTER TABLE note ADD COLUMN made_at {bigint};"};
constexpr Migration third{
    "notes", 3, "dated",
    "UPDATE note SET made_at = {now}; INSERT INTO note(text) VALUES('a;{b}');"};
constexpr Migration other{"other", 1, "other", "CREATE TABLE other(id {id});"};

std::vector<std::string> namesOf(const std::vector<Migration>& migrations) {
    std::vector<std::string> names;
    for (const auto& migration : migrations) {
        names.push_back(std::string{migration.component} + " " + std::to_string(migration.number));
    }
    return names;
}

// What a call throws; "" when it does not.
template <typename Call>
std::string messageOf(Call call) {
    try {
        call();
    } catch (const std::exception& problem) {
        return problem.what();
    }
    return "";
}

std::int64_t countNotes(Setup& setup) {
    auto work = [](SqlConnection& connection) {
        std::int64_t count = -1;
        connection.run("SELECT count(*) FROM note", {},
                       [&](const SqlRow& row) { count = row.integer(0); });
        return count;
    };
    return setup.await(setup.database().read(work));
}

}  // namespace

TEST_CASE("only what is missing is run, by component and number") {
    overAllDatabases([](Setup& setup) {
        auto& database = setup.database();
        const std::vector<Migration> all{other, second, first, third};
        CHECK(namesOf(database.missing(all)) ==
              std::vector<std::string>{"notes 1", "notes 2", "notes 3", "other 1"});
        CHECK(namesOf(database.missing(all)).size() == 4);  // asking changes nothing

        database.migrate(std::vector<Migration>{first});
        CHECK(namesOf(database.missing(all)) ==
              std::vector<std::string>{"notes 2", "notes 3", "other 1"});
        database.migrate(all);
        CHECK(database.missing(all).empty());
        CHECK(countNotes(setup) == 1);
        database.migrate(all);
        CHECK(countNotes(setup) == 1);
    });
}

TEST_CASE("a schema of the future is refused with both versions named") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(std::vector<Migration>{first, second, third});
        const auto refusal = messageOf(
            [&] { setup.database().migrate(std::vector<Migration>{first, second, other}); });
        CHECK(refusal.find("version 3 of the schema of \"notes\"") != std::string::npos);
        CHECK(refusal.find("version 2") != std::string::npos);
        CHECK(messageOf([&] { setup.database().missing(std::vector<Migration>{first}); }) != "");
        // Nothing was done for the others either; a component that nobody asks for is no trouble.
        setup.database().migrate(std::vector<Migration>{other});
    });
}

TEST_CASE("a migration that fails leaves the one before in place and nothing of itself") {
    overAllDatabases([](Setup& setup) {
        constexpr Migration broken{
            "notes", 2, "broken",
            "INSERT INTO note(text) VALUES('half'); ALTER TABLE nobody ADD COLUMN x {text};"};
        CHECK(messageOf([&] { setup.database().migrate(std::vector<Migration>{first, broken}); }) !=
              "");
        CHECK(countNotes(setup) == 0);
        CHECK(namesOf(setup.database().missing(std::vector<Migration>{first, second})) ==
              std::vector<std::string>{"notes 2"});
        setup.database().migrate(std::vector<Migration>{first, second});
    });
}

TEST_CASE("lists of migrations that make no sense are refused") {
    overDatabases({Kind::Memory}, [](Setup& setup) {
        const std::vector<Migration> lists[] = {{second}, {first, third}, {first, first}};
        for (const auto& list : lists) {
            CHECK(messageOf([&] { setup.database().migrate(list); }).find("numbered") !=
                  std::string::npos);
        }
        CHECK_THROWS_AS(statementsOf("CREATE TABLE a(b {nonsense})", Dialect::Sqlite),
                        std::logic_error);
        CHECK_THROWS_AS(statementsOf("CREATE TABLE a(b {text", Dialect::Sqlite), std::logic_error);
    });
}

TEST_CASE("migrations are cut into statements outside of quotes") {
    using Texts = std::vector<std::string>;
    CHECK(statementsOf("A {bigint}; B ';{text}' ;\n ", Dialect::Sqlite) ==
          Texts{"A INTEGER", " B ';{text}' "});
    CHECK(statementsOf("A {blob}", Dialect::Postgres) == Texts{"A BYTEA"});
    CHECK(statementsOf(" ; ;", Dialect::Sqlite).empty());
}

TEST_CASE("the stores' own schema is made once and then complete") {
    overAllDatabases([](Setup& setup) {
        CHECK(setup.database().missing(Stores::migrations()).size() == Stores::migrations().size());
        setup.stores();
        CHECK(setup.database().missing(Stores::migrations()).empty());
        Stores again{setup.database()};
    });
}
