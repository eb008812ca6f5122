// What is acknowledged is stored, whatever happens then.
#include "tests/store/databases.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

using namespace epode;

namespace {

constexpr AccountId juliet = 1;
const WallTime day = fromMilliseconds(1'790'000'000'000);

// Counts what becomes of appended entries.
struct Appender {
    Setup& setup;
    std::int64_t next = 0;
    int stored = 0;
    int refused = 0;

    void add(std::string stanza = "<message/>") {
        const WallTime stamp = day + std::chrono::milliseconds{next++};
        setup.stores().archive.append(
            setup.executor, juliet, "nurse@capulet.example",
            {Uuid::at(stamp), {}, std::move(stanza)},
            [this](std::exception_ptr failure) { ++(failure ? refused : stored); });
    }
    // Adds one and waits for its fate.
    bool addAndWait(std::string stanza = "<message/>") {
        const int before = stored;
        const int all = stored + refused;
        add(std::move(stanza));
        setup.executor.turnUntil([&] { return stored + refused > all; });
        return stored > before;
    }
    void waitForAll() {
        setup.executor.turnUntil([&] { return stored + refused == next; });
    }
};

std::int64_t countStored(Setup& setup) {
    const ArchiveQuery query{.account = juliet, .most = 0, .wantsCount = true};
    return *setup.await(setup.stores().archive.query(query)).count;
}

void waitUntilAvailable(Setup& setup) {
    while (!setup.database().health().available) std::this_thread::yield();
}

// The child of a crash test: appends without an end, and writes the number of each entry that is
// acknowledged to `out`.
void appendForever(const std::string& location, int out) {
    DatabaseSettings settings;
    settings.location = location;
    settings.linger = Duration{0};
    TestExecutor executor;
    const auto database = openDatabase(settings);
    Stores stores{*database};
    std::int64_t told = 0;
    for (std::int64_t n = 0;; ++n) {
        const AccountId account = n % 3 + 1;
        const WallTime stamp = day + std::chrono::milliseconds{n};
        stores.archive.append(executor, account, "nurse@capulet.example",
                              {Uuid::at(stamp), {}, std::string(300, 'x')},
                              [out, n, &told](std::exception_ptr failure) {
                                  ++told;
                                  if (failure || ::write(out, &n, sizeof n) != sizeof n) ::_exit(1);
                              });
        executor.turnUntil([&] { return n - told < 1000; });
    }
}

}  // namespace

TEST_CASE("what was acknowledged before a kill is there after it") {
    const TemporaryFolder folder;
    const std::string location = folder.file("test.db");
    std::set<std::int64_t> acknowledged;
    for (const int most : {1, 50, 2000, 9000}) {
        int pipe[2];
        REQUIRE(::pipe(pipe) == 0);
        std::filesystem::remove(location);
        std::filesystem::remove(location + "-wal");
        std::filesystem::remove(location + "-shm");
        acknowledged.clear();
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(pipe[0]);
            // Nothing of the child may come back into the tests.
            try {
                appendForever(location, pipe[1]);
            } catch (...) {
            }
            ::_exit(1);
        }
        ::close(pipe[1]);
        std::int64_t number = 0;
        bool isKilled = false;
        while (::read(pipe[0], &number, sizeof number) == sizeof number) {
            acknowledged.insert(number);
            if (!isKilled && acknowledged.size() >= static_cast<std::size_t>(most)) {
                ::kill(child, SIGKILL);
                isKilled = true;
            }
        }
        ::close(pipe[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status));
        CHECK(acknowledged.size() >= static_cast<std::size_t>(most));

        Setup setup{Kind::Disk};
        setup.settings.location = location;
        std::set<std::int64_t> found;
        for (AccountId account = 1; account <= 3; ++account) {
            ArchiveQuery query{.account = account, .with = "nurse@capulet.example"};
            query.most = 10'000'000;
            for (const auto& entry : setup.await(setup.stores().archive.query(query)).entries) {
                found.insert((entry.stamp() - day).count());
            }
        }
        CHECK(std::includes(found.begin(), found.end(), acknowledged.begin(), acknowledged.end()));
        CHECK(setup.await(setup.database().verify()).empty());
    }
}

TEST_CASE("a database that is full acknowledges nothing, keeps what it has, and recovers") {
    overDatabases({Kind::Memory, Kind::Disk}, [](Setup& setup) {
        Appender appender{setup};
        const std::string stanza(1000, 'x');
        REQUIRE(appender.addAndWait(stanza));
        auto limit = [](SqlConnection& connection) {
            connection.run("PRAGMA max_page_count = 200");
        };
        setup.await(setup.database().write(limit));
        while (appender.addAndWait(stanza)) REQUIRE(appender.next < 1000);
        const int before = appender.stored;
        CHECK(before > 100);
        CHECK_FALSE(setup.database().health().available);
        CHECK(setup.database().health().problem.find("full") != std::string::npos);

        // All of a commit fails together, also what would have found room.
        for (int n = 0; n < 10; ++n) appender.add(stanza);
        appender.waitForAll();
        CHECK(appender.stored == before);
        CHECK(countStored(setup) == before);

        // The operator makes room; nobody restarts anything.
        auto makeRoom = [](SqlConnection& connection) {
            connection.run("PRAGMA max_page_count = 100000");
        };
        for (bool isDone = false; !isDone;) {
            try {
                setup.await(setup.database().write(makeRoom));
                isDone = true;
            } catch (const StoreUnavailable&) {
            }
        }
        CHECK(setup.database().health().available);
        CHECK(setup.database().health().problem.empty());
        CHECK(appender.addAndWait(stanza));
        CHECK(countStored(setup) == before + 1);
        CHECK(setup.await(setup.database().verify()).empty());
    });
}

TEST_CASE("a disk that takes no more bytes is noticed at the commit, and when it does again") {
    // A limit on the size of files stands for the disk: the write of the log fails in the kernel.
    const auto previous = std::signal(SIGXFSZ, SIG_IGN);
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &usual) == 0);
    {
        Setup setup{Kind::Disk};
        Appender appender{setup};
        REQUIRE(appender.addAndWait());
        rlimit small = usual;
        small.rlim_cur = 300'000;
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        const std::string stanza(5000, 'x');
        while (appender.addAndWait(stanza)) REQUIRE(appender.next < 1000);
        const int before = appender.stored;
        CHECK_FALSE(setup.database().health().available);
        CHECK(countStored(setup) == before);

        REQUIRE(::setrlimit(RLIMIT_FSIZE, &usual) == 0);
        waitUntilAvailable(setup);
        CHECK(appender.addAndWait(stanza));
        CHECK(countStored(setup) == before + 1);
        setup.reopen();
        CHECK(countStored(setup) == before + 1);
        CHECK(setup.await(setup.database().verify()).empty());
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &usual) == 0);
    std::signal(SIGXFSZ, previous);
}

TEST_CASE("a stop commits what waits, a crash drops it") {
    overDatabases({Kind::Disk, Kind::Postgres}, [](Setup& setup) {
        setup.settings.linger = std::chrono::hours{1};
        setup.settings.lingerRows = 1000;
        Appender appender{setup};
        for (int n = 0; n < 10; ++n) appender.add();
        setup.reopen();
        setup.executor.settle();
        CHECK(appender.stored == 10);
        CHECK(countStored(setup) == 10);
        for (int n = 0; n < 10; ++n) appender.add();
        setup.crash();
        setup.executor.settle();
        CHECK(appender.stored == 10);
        CHECK(appender.refused == 0);
        CHECK(countStored(setup) == 10);
    });
}

TEST_CASE("a server process of PostgreSQL that is ended is replaced before anybody notices") {
    overDatabases({Kind::Postgres}, [](Setup& setup) {
        Appender appender{setup};
        REQUIRE(appender.addAndWait());
        CHECK(countStored(setup) == 1);
        PostgresCluster::find()->run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE application_name = 'epode'");
        CHECK(appender.addAndWait());
        CHECK(countStored(setup) == 2);
        CHECK(setup.database().health().available);
    });
}

TEST_CASE("a PostgreSQL that ends in the middle of a transaction loses all of it, and only that") {
    overDatabases({Kind::Postgres}, [](Setup& setup) {
        Appender appender{setup};
        REQUIRE(appender.addAndWait());
        bool isFailed = false;
        auto killSelf = [](SqlConnection& connection) {
            connection.run("INSERT INTO keyed VALUES('x', 1, 'x', '')");
            connection.run("SELECT pg_terminate_backend(pg_backend_pid())");
        };
        setup.database().enqueueWrite(setup.executor, killSelf,
                                      [&](std::exception_ptr failure) { isFailed = !!failure; });
        setup.executor.turnUntil([&] { return isFailed; });
        waitUntilAvailable(setup);
        CHECK(appender.addAndWait());
        CHECK(countStored(setup) == 2);
        auto count = [](SqlConnection& connection) {
            std::int64_t rows = 0;
            connection.run("SELECT count(*) FROM keyed", {},
                           [&](const SqlRow& row) { rows = row.integer(0); });
            return rows;
        };
        CHECK(setup.await(setup.database().read(count)) == 0);
    });
}

TEST_CASE("a PostgreSQL that is stopped and started is found again, with what it acknowledged") {
    overDatabases({Kind::Postgres}, [](Setup& setup) {
        Appender appender{setup};
        for (int n = 0; n < 20; ++n) appender.add();
        appender.waitForAll();
        REQUIRE(appender.stored == 20);
        for (const int signal : {SIGINT, SIGQUIT}) {
            const int before = appender.stored;
            PostgresCluster::find()->stop(signal);
            CHECK_FALSE(appender.addAndWait());
            CHECK_FALSE(setup.database().health().available);
            CHECK_FALSE(appender.addAndWait());
            CHECK_THROWS_AS(countStored(setup), StoreUnavailable);

            PostgresCluster::find()->start();
            waitUntilAvailable(setup);
            CHECK(appender.addAndWait());
            CHECK(countStored(setup) == before + 1);
        }
    });
}
