#include "tests/store/databases.h"

#include <future>
#include <thread>

using namespace epode;

namespace {

constexpr Migration noteTable[] = {
    {"notes", 1, "notes", "CREATE TABLE note(id {id}, text {text} NOT NULL UNIQUE, bytes {blob});"},
};

std::vector<std::string> textsOf(Setup& setup) {
    auto work = [](SqlConnection& connection) {
        std::vector<std::string> texts;
        connection.run("SELECT text FROM note ORDER BY id", {},
                       [&](const SqlRow& row) { texts.emplace_back(row.text(0)); });
        return texts;
    };
    return setup.await(setup.database().read(work));
}

auto insertNote(std::string text) {
    return [text = std::move(text)](SqlConnection& connection) {
        connection.run("INSERT INTO note(text) VALUES(?1)", {text});
    };
}

// What has happened to works, in the order in which it was told.
struct Told {
    std::vector<std::string> lines;
    Database::DoneFunction as(std::string name) {
        return [this, name](std::exception_ptr failure) {
            try {
                if (failure) std::rethrow_exception(failure);
                lines.push_back(name);
            } catch (const SqlConflict&) {
                lines.push_back(name + " conflicts");
            } catch (const StoreUnavailable&) {
                lines.push_back(name + " unavailable");
            } catch (const std::exception& other) {
                lines.push_back(name + " " + other.what());
            }
        };
    }
};

// Holds the writer's thread until it is opened.
class Gate {
public:
    Database::WorkFunction work() {
        return [this](SqlConnection&) {
            entered_.set_value();
            opened_.get_future().wait();
        };
    }
    void waitUntilEntered() { entered_.get_future().wait(); }
    void open() { opened_.set_value(); }

private:
    std::promise<void> entered_;
    std::promise<void> opened_;
};

}  // namespace

TEST_CASE("values of every kind come back as they were written") {
    overAllDatabases([](Setup& setup) {
        constexpr Migration table[] = {
            {"values", 1, "values",
             "CREATE TABLE kept(id {bigint} PRIMARY KEY, whole {bigint}, "
             "text {text}, bytes {blob});"}};
        setup.database().migrate(table);
        const std::string bytes{"\0\x01\xff'?1", 6};
        const std::string text = "Jérôme ?1 'quoted' \xF0\x9F\x8C\xB9";
        auto write = [&](SqlConnection& connection) {
            connection.run("INSERT INTO kept VALUES(?1, ?2, ?3, ?4)",
                           {1, std::numeric_limits<std::int64_t>::min(), text, Blob{bytes}});
            connection.run("INSERT INTO kept VALUES(?1, ?2, ?3, ?4)",
                           {2, std::int64_t{-1}, std::string_view{}, Blob{}});
            connection.run("INSERT INTO kept VALUES(?1, ?2, ?3, ?4)",
                           {3, nullptr, nullptr, nullptr});
        };
        setup.await(setup.database().write(write));

        auto read = [&](SqlConnection& connection) {
            std::size_t rows = 0;
            connection.run(
                "SELECT whole, text, bytes FROM kept ORDER BY id", {}, [&](const SqlRow& row) {
                    ++rows;
                    CHECK(row.isNull(0) == (rows == 3));
                    CHECK(row.isNull(1) == (rows == 3));
                    CHECK(row.isNull(2) == (rows == 3));
                    if (rows == 1) {
                        CHECK(row.integer(0) == std::numeric_limits<std::int64_t>::min());
                        CHECK(row.text(1) == text);
                        CHECK(row.blob(2) == bytes);
                    } else {
                        CHECK(row.integer(0) == (rows == 2 ? -1 : 0));
                        CHECK(row.text(1).empty());
                        CHECK(row.blob(2).empty());
                    }
                });
            return rows;
        };
        CHECK(setup.await(setup.database().read(read)) == 3);
    });
}

TEST_CASE("a statement says how many rows it has changed") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        auto work = [](SqlConnection& connection) {
            std::vector<std::int64_t> changed;
            const auto note = [&](std::string_view sql) { changed.push_back(connection.run(sql)); };
            note("INSERT INTO note(text) VALUES('a'), ('b'), ('c')");
            note("INSERT INTO note(text) VALUES('a') ON CONFLICT DO NOTHING");
            note("UPDATE note SET bytes = NULL WHERE text <> 'a'");
            note("SELECT * FROM note");
            note("DELETE FROM note WHERE text = 'nobody'");
            note("DELETE FROM note RETURNING id");
            return changed;
        };
        CHECK(setup.await(setup.database().write(work)) ==
              std::vector<std::int64_t>{3, 0, 2, 0, 0, 3});
    });
}

TEST_CASE("many rows go in by one statement, beyond the size of a pipeline") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        auto work = [](SqlConnection& connection) {
            std::vector<std::string> texts;
            for (int n = 0; n < 1300; ++n) texts.push_back("note " + std::to_string(n));
            std::vector<SqlValue> values;
            for (const auto& text : texts) values.insert(values.end(), {text, Blob{text}});
            connection.runMany("INSERT INTO note(text, bytes) VALUES(?1, ?2)", 2, values);
            connection.runMany("INSERT INTO note(text, bytes) VALUES(?1, ?2)", 2, {});
        };
        setup.await(setup.database().write(work));
        const auto texts = textsOf(setup);
        REQUIRE(texts.size() == 1300);
        CHECK(texts.front() == "note 0");
        CHECK(texts.back() == "note 1299");
    });
}

TEST_CASE("a work that fails is undone alone") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        Told told;
        auto failing = [](SqlConnection& connection) {
            connection.run("INSERT INTO note(text) VALUES('undone')");
            throw std::runtime_error{"changed its mind"};
        };
        auto conflicting = [](SqlConnection& connection) {
            connection.run("INSERT INTO note(text) VALUES('undone')");
            connection.run("INSERT INTO note(text) VALUES('first')");
        };
        auto wrong = [](SqlConnection& connection) {
            connection.run("INSERT INTO note(text) VALUES('undone')");
            connection.run("SELECT nonsense FROM nowhere");
        };
        auto& database = setup.database();
        database.enqueueWrite(setup.executor, insertNote("first"), told.as("first"));
        database.enqueueWrite(setup.executor, failing, told.as("failing"));
        database.enqueueWrite(setup.executor, conflicting, told.as("conflicting"));
        database.enqueueWrite(setup.executor, wrong, told.as("wrong"));
        database.enqueueWrite(setup.executor, insertNote("last"), told.as("last"));
        setup.executor.turnUntil([&] { return told.lines.size() == 5; });

        CHECK(told.lines == std::vector<std::string>{"first", "failing changed its mind",
                                                     "conflicting conflicts", "wrong unavailable",
                                                     "last"});
        CHECK(textsOf(setup) == std::vector<std::string>{"first", "last"});
        CHECK(setup.database().health().available);
    });
}

TEST_CASE("a row that fails is left out alone") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        int undone = 0;
        RowChannel<std::string> channel{
            setup.database(),
            {.insert =
                 [](SqlConnection& connection, std::span<std::string> rows) {
                     std::vector<SqlValue> values;
                     for (const auto& row : rows) values.emplace_back(row);
                     connection.runMany("INSERT INTO note(text) VALUES(?1)", 1, values);
                 },
             .undone = [&] { ++undone; }}};
        Told told;
        for (const auto* text : {"a", "b", "a", "c"}) {
            channel.add(setup.executor, text, 1, told.as(text));
        }
        setup.database().enqueueWrite(setup.executor, insertNote("d"), told.as("d"));
        channel.add(setup.executor, "e", 1, told.as("e"));
        setup.executor.turnUntil([&] { return told.lines.size() == 6; });
        CHECK(told.lines == std::vector<std::string>{"a", "b", "a conflicts", "c", "d", "e"});
        CHECK(textsOf(setup) == std::vector<std::string>{"a", "b", "c", "d", "e"});
        CHECK(undone == 0);
    });
}

TEST_CASE("a write that is awaited gives its result, and what it throws") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        auto insert = [](SqlConnection& connection) {
            std::int64_t id = 0;
            connection.run("INSERT INTO note(text) VALUES('only') RETURNING id", {},
                           [&](const SqlRow& row) { id = row.integer(0); });
            return id;
        };
        CHECK(setup.await(setup.database().write(insert)) == 1);
        CHECK_THROWS_AS(setup.await(setup.database().write(insert)), SqlConflict);
        auto readOnly = [](SqlConnection& connection) {
            connection.run("SELECT nonsense FROM nowhere");
        };
        CHECK_THROWS_AS(setup.await(setup.database().read(readOnly)), StoreUnavailable);
        CHECK(textsOf(setup) == std::vector<std::string>{"only"});
    });
}

TEST_CASE("what waits while the writer is busy is committed together and told with one post") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        Gate gate;
        Told told;
        TestExecutor other;
        Told toldOther;
        setup.database().enqueueWrite(setup.executor, gate.work(), told.as("gate"));
        gate.waitUntilEntered();
        for (int n = 0; n < 100; ++n) {
            const std::string name = std::to_string(n);
            auto& executor = n % 2 ? other : setup.executor;
            auto& lines = n % 2 ? toldOther : told;
            setup.database().enqueueWrite(executor, insertNote(name), lines.as(name));
        }
        gate.open();
        setup.executor.turnUntil([&] { return told.lines.size() == 51; });
        other.turnUntil([&] { return toldOther.lines.size() == 50; });

        const auto activity = setup.database().activity();
        CHECK(activity.commits == 2);
        CHECK(activity.committed == 101);
        CHECK(setup.executor.posts() == 2);
        CHECK(other.posts() == 1);
        CHECK(told.lines[1] == "0");
        CHECK(told.lines.back() == "98");
        CHECK(toldOther.lines.front() == "1");
        const auto texts = textsOf(setup);
        REQUIRE(texts.size() == 100);
        for (int n = 0; n < 100; ++n) CHECK(texts[n] == std::to_string(n));
    });
}

TEST_CASE("patient work waits for company, until somebody is in a hurry") {
    overDatabases({Kind::Disk}, [](Setup& setup) {
        setup.settings.linger = std::chrono::hours{1};
        setup.settings.lingerRows = 4;
        setup.database().migrate(noteTable);
        Told told;
        const auto add = [&](std::string name, Urgency urgency) {
            setup.database().enqueueWrite(setup.executor, insertNote(name), told.as(name), urgency);
        };
        SECTION("an urgent work takes the patient ones along") {
            add("a", Urgency::Patient);
            add("b", Urgency::Patient);
            add("c", Urgency::Urgent);
            setup.executor.turnUntil([&] { return told.lines.size() == 3; });
            CHECK(setup.database().activity().commits == 1);
        }
        SECTION("enough patient works are company enough") {
            for (const auto* name : {"a", "b", "c", "d"}) add(name, Urgency::Patient);
            setup.executor.turnUntil([&] { return told.lines.size() == 4; });
            CHECK(setup.database().activity().commits == 1);
        }
        SECTION("the end of the database is a reason to hurry") {
            add("a", Urgency::Patient);
            setup.database().close();
            setup.executor.turnUntil([&] { return told.lines.size() == 1; });
            CHECK(told.lines == std::vector<std::string>{"a"});
        }
    });
}

TEST_CASE("a queue that is full refuses at once") {
    overDatabases({Kind::Disk}, [](Setup& setup) {
        setup.settings.queueRowsMax = 3;
        setup.settings.queueBytesMax = 100;
        setup.database().migrate(noteTable);
        RowChannel<std::string> channel{setup.database(),
                                        {[](SqlConnection&, std::span<std::string>) {}}};
        Gate gate;
        Told told;
        setup.database().enqueueWrite(setup.executor, gate.work(), told.as("gate"));
        gate.waitUntilEntered();
        SECTION("by number") {
            for (const auto* name : {"a", "b", "c", "d"}) {
                setup.database().enqueueWrite(setup.executor, insertNote(name), told.as(name));
            }
            setup.executor.turnUntil([&] { return told.lines.size() == 1; });
            CHECK(told.lines.front() == "d unavailable");
        }
        SECTION("by bytes, but a large row is let in alone") {
            channel.add(setup.executor, "a", 1000, told.as("a"));
            channel.add(setup.executor, "b", 1, told.as("b"));
            setup.executor.turnUntil([&] { return told.lines.size() == 1; });
            CHECK(told.lines.front() == "b unavailable");
        }
        CHECK(setup.database().health().waitingWrites > 0);
        gate.open();
        setup.database().close();
        setup.executor.settle();
        for (const auto& line : told.lines) {
            CHECK((line == told.lines.front() || !line.ends_with("unavailable")));
        }
    });
}

TEST_CASE("after the close everything is refused") {
    overAllDatabases([](Setup& setup) {
        setup.database().migrate(noteTable);
        Told told;
        setup.database().enqueueWrite(setup.executor, insertNote("kept"), told.as("kept"));
        setup.database().close();
        setup.database().enqueueWrite(setup.executor, insertNote("late"), told.as("late"));
        setup.database().enqueueRead(setup.executor, [](SqlConnection&) {}, told.as("read"));
        setup.executor.turnUntil([&] { return told.lines.size() == 3; });
        CHECK(told.lines ==
              std::vector<std::string>{"kept", "late unavailable", "read unavailable"});
        CHECK_THROWS_AS(setup.database().migrate(noteTable), StoreUnavailable);
    });
}

TEST_CASE(
    "inline mode runs in later turns of the executor, in order, and gives the same each time") {
    Setup setup{Kind::Memory};
    setup.database().migrate(noteTable);
    Told told;
    std::size_t seen = 99;
    auto count = [&](SqlConnection& connection) {
        seen = 0;
        connection.run("SELECT 1 FROM note", {}, [&](const SqlRow&) { ++seen; });
    };
    setup.database().enqueueWrite(setup.executor, insertNote("a"), told.as("a"));
    setup.database().enqueueRead(setup.executor, count, told.as("read"));
    setup.database().enqueueWrite(setup.executor, insertNote("b"), told.as("b"));
    CHECK(told.lines.empty());
    CHECK(seen == 99);
    setup.executor.settle();
    CHECK(told.lines == std::vector<std::string>{"a", "b", "read"});
    CHECK(seen == 2);
    CHECK(setup.database().activity().commits == 1);
}

TEST_CASE("readers see what was committed while the writer goes on") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        setup.await(setup.database().write(insertNote("committed")));
        Gate gate;
        Told told;
        auto insertAndWait = [&, work = gate.work()](SqlConnection& connection) mutable {
            connection.run("INSERT INTO note(text) VALUES('not yet')");
            work(connection);
        };
        setup.database().enqueueWrite(setup.executor, std::move(insertAndWait), told.as("later"));
        gate.waitUntilEntered();
        CHECK(textsOf(setup) == std::vector<std::string>{"committed"});
        gate.open();
        setup.executor.turnUntil([&] { return told.lines.size() == 1; });
        CHECK(textsOf(setup) == std::vector<std::string>{"committed", "not yet"});
    });
}

TEST_CASE("readers cannot write") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        CHECK_THROWS_AS(setup.await(setup.database().read(insertNote("a"))), StoreUnavailable);
        CHECK(textsOf(setup).empty());
    });
}

TEST_CASE("a channel that ends takes its waiting rows along and no others") {
    overDatabases({Kind::Memory}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        const auto insert = [](SqlConnection& connection, std::span<std::string> rows) {
            for (auto& row : rows) connection.run("INSERT INTO note(text) VALUES(?1)", {row});
        };
        Told told;
        RowChannel<std::string> lasting{setup.database(), {insert}};
        lasting.add(setup.executor, "first", 1, told.as("first"));
        {
            RowChannel<std::string> ending{setup.database(), {insert}};
            ending.add(setup.executor, "dropped", 1, told.as("dropped"));
            setup.database().enqueueWrite(setup.executor, insertNote("kept"), told.as("kept"));
            ending.add(setup.executor, "dropped", 1, told.as("dropped"));
        }
        lasting.add(setup.executor, "last", 1, told.as("last"));
        setup.executor.settle();
        CHECK(told.lines == std::vector<std::string>{"first", "kept", "last"});
        CHECK(textsOf(setup) == std::vector<std::string>{"first", "kept", "last"});
    });
}

TEST_CASE("a channel that ends waits for a writer that holds its rows") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        std::promise<void> entered;
        std::promise<void> opened;
        std::thread opener;
        Told told;
        {
            RowChannel<std::string> channel{
                setup.database(), {[&](SqlConnection& connection, std::span<std::string> rows) {
                    entered.set_value();
                    opened.get_future().wait();
                    for (auto& row : rows) {
                        connection.run("INSERT INTO note(text) VALUES(?1)", {row});
                    }
                }}};
            channel.add(setup.executor, "held", 1, told.as("held"));
            entered.get_future().wait();
            opener = std::thread{[&] { opened.set_value(); }};
        }
        opener.join();
        setup.executor.turnUntil([&] { return told.lines.size() == 1; });
        CHECK(told.lines == std::vector<std::string>{"held"});
        CHECK(textsOf(setup) == std::vector<std::string>{"held"});
    });
}

TEST_CASE("works from many threads are all done, each thread's in its order") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        RowChannel<std::string> channel{
            setup.database(), {[](SqlConnection& connection, std::span<std::string> rows) {
                std::vector<SqlValue> values;
                for (const auto& row : rows) values.emplace_back(row);
                connection.runMany("INSERT INTO note(text) VALUES(?1)", 1, values);
            }}};
        constexpr int threads = 4;
        constexpr int each = 250;
        std::vector<std::thread> producers;
        std::vector<std::vector<int>> orders(threads);
        for (int thread = 0; thread < threads; ++thread) {
            producers.emplace_back([&, thread] {
                TestExecutor executor;
                auto& order = orders[thread];
                for (int n = 0; n < each; ++n) {
                    const std::string text = std::to_string(thread) + "/" + std::to_string(n);
                    auto done = [&order, n](std::exception_ptr failure) {
                        order.push_back(failure ? -1 : n);
                    };
                    if (n % 3 == 0) {
                        setup.database().enqueueWrite(executor, insertNote(text), done);
                    } else {
                        channel.add(executor, text, 1, done);
                    }
                    executor.turn();
                }
                executor.turnUntil([&] { return order.size() == each; });
            });
        }
        for (auto& producer : producers) producer.join();
        for (const auto& order : orders) {
            REQUIRE(order.size() == each);
            for (int n = 0; n < each; ++n) CHECK(order[n] == n);
        }
        CHECK(textsOf(setup).size() == threads * each);
    });
}

TEST_CASE("a backup taken while the server writes is a whole database") {
    overDatabases({Kind::Disk}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        for (int n = 0; n < 50; ++n) {
            setup.await(setup.database().write(insertNote(std::to_string(n))));
        }
        // Writers go on beside it.
        Told told;
        const std::string path = setup.folder().file("backup.db");
        for (int n = 50; n < 200; ++n) {
            setup.database().enqueueWrite(setup.executor, insertNote(std::to_string(n)),
                                          told.as(""));
        }
        setup.await(setup.database().backup(path));
        setup.executor.turnUntil([&] { return told.lines.size() == 150; });
        CHECK_THROWS_AS(setup.await(setup.database().backup(path)), StoreUnavailable);
        CHECK(setup.await(setup.database().verify()).empty());
        const auto original = textsOf(setup);
        CHECK(original.size() == 200);

        setup.reopen();
        setup.settings.location = path;
        setup.database().migrate(noteTable);
        CHECK(setup.await(setup.database().verify()).empty());
        const auto restored = textsOf(setup);
        CHECK(restored.size() >= 50);
        CHECK(std::equal(restored.begin(), restored.end(), original.begin()));
        setup.await(setup.database().write(insertNote("goes on")));
    });
}

TEST_CASE("a check and a backup tell how far they are, and end when they shall") {
    overDatabases({Kind::Disk}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        for (int n = 0; n < 50; ++n)
            setup.await(
                setup.database().write(insertNote(std::to_string(n) + std::string(5000, 'x'))));
        std::vector<std::int64_t> steps;
        std::int64_t all = 0;
        const LongWork count = [&](std::int64_t done, std::int64_t total) {
            CHECK((done >= 0 && done <= total));
            steps.push_back(done);
            all = total;
            return true;
        };
        CHECK(setup.await(setup.database().verify(count)).empty());
        CHECK(std::int64_t(steps.size()) == all);
        CHECK(std::is_sorted(steps.begin(), steps.end()));

        const LongWork end = [](std::int64_t, std::int64_t) { return false; };
        CHECK_THROWS_AS(setup.await(setup.database().verify(end)), StoreUnavailable);
        // It is of use afterwards.
        setup.await(setup.database().write(insertNote("goes on")));
        CHECK(setup.await(setup.database().verify()).empty());
    });
    overDatabases({Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        int steps = 0;
        const LongWork end = [&steps](std::int64_t, std::int64_t) { return ++steps < 1; };
        CHECK_THROWS_AS(setup.await(setup.database().verify(end)), StoreUnavailable);
        CHECK(setup.await(setup.database().verify()).empty());
    });
}

TEST_CASE("a damaged file is found by verify") {
    overDatabases({Kind::Disk}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        for (int n = 0; n < 400; ++n) {
            setup.await(setup.database().write(insertNote("note " + std::to_string(n))));
        }
        setup.reopen();
        {
            const auto bytes = std::filesystem::file_size(setup.settings.location);
            std::FILE* file = std::fopen(setup.settings.location.c_str(), "r+b");
            REQUIRE(file);
            for (std::uintmax_t page = 4096; page < bytes; page += 4096) {
                std::fseek(file, static_cast<long>(page) + 200, SEEK_SET);
                for (int n = 0; n < 3000; ++n) std::fputc(0xA5, file);
            }
            std::fclose(file);
        }
        std::vector<std::string> problems;
        try {
            problems = setup.await(setup.database().verify());
        } catch (const StoreUnavailable& problem) {
            problems.emplace_back(problem.what());
        }
        CHECK_FALSE(problems.empty());
    });
}

TEST_CASE("PostgreSQL's backup is left to PostgreSQL, its check is ours") {
    overDatabases({Kind::Postgres}, [](Setup& setup) {
        setup.database().migrate(noteTable);
        std::string refusal;
        try {
            setup.await(setup.database().backup("/nowhere"));
        } catch (const StoreUnavailable& problem) {
            refusal = problem.what();
        }
        CHECK(refusal.find("pg_dump") != std::string::npos);
        CHECK(setup.await(setup.database().verify()).empty());
    });
}
