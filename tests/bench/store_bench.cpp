// The log: what a row costs when it is appended, and a page when it is read. Inline mode keeps all
// of the work on the thread that is measured; the file is real and every commit is synced.
#include "store/open_database.h"
#include "store/stores.h"
#include "tests/bench/bench.h"
#include "tests/support/test_executor.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

namespace {

using namespace epode;

constexpr int peersOfEach = 5;
const WallTime begin = fromMilliseconds(1'790'000'000'000);

class Log {
public:
    explicit Log(int accounts) : accounts_{accounts} {
        std::string folder = (std::filesystem::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(folder.data())) std::abort();
        folder_ = folder;
        DatabaseSettings settings;
        settings.location = folder + "/bench.db";
        settings.threads = ThreadModel::Inline;
        database_ = openDatabase(settings);
        stores_ = std::make_unique<Stores>(*database_);
        for (int n = 0; n < peersOfEach; ++n) {
            peers_.push_back("peer" + std::to_string(n) + "@capulet.example");
        }
    }
    ~Log() {
        stores_.reset();
        database_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    void append() {
        stamp_ += std::chrono::milliseconds{1};
        stores_->archive.append(executor_, account(), peers_[random_() % peersOfEach],
                                {Uuid::at(stamp_), {}, stanza_}, [](std::exception_ptr) {});
    }
    void commit() { executor_.settle(); }
    void fill(int rows) {
        for (int n = 0; n < rows; ++n) {
            append();
            if (n % 256 == 255) commit();
        }
        commit();
    }
    std::size_t readPage(bool isOfPeer) {
        ArchiveQuery query{.account = account(), .isBackwards = true};
        if (isOfPeer) query.with = peers_[random_() % peersOfEach];
        return executor_.await(stores_->archive.query(std::move(query))).entries.size();
    }

private:
    AccountId account() {
        return 1 + static_cast<AccountId>(random_() % static_cast<unsigned>(accounts_));
    }

    const int accounts_;
    std::string folder_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Stores> stores_;
    TestExecutor executor_;
    std::vector<std::string> peers_;
    std::mt19937 random_{1};
    WallTime stamp_ = begin;
    const std::string stanza_ = std::string(400, 'x');
};

// One log for all runs: what has been filled once stays.
Log& filled() {
    static Log log{400};
    static const bool isFilled = (log.fill(100'000), true);
    (void)isFilled;
    return log;
}

void appendRows(bench::Run& run, Log& log, unsigned perCommit) {
    unsigned waiting = 0;
    while (run.next()) {
        log.append();
        if (++waiting % perCommit == 0) log.commit();
    }
    log.commit();
}

BENCH("store: append a row, 400 accounts, 256 in a commit") { appendRows(run, filled(), 256); }
BENCH("store: append a row, 400 accounts, 16 in a commit") { appendRows(run, filled(), 16); }
BENCH("store: append a row, 400 accounts, 1 in a commit") { appendRows(run, filled(), 1); }
BENCH("store: append a row, 10000 accounts, 256 in a commit") {
    static Log log{10'000};
    static const bool isFilled = (log.fill(100'000), true);
    (void)isFilled;
    appendRows(run, log, 256);
}
BENCH("store: read an archive's last 50") {
    while (run.next()) bench::keep(filled().readPage(false));
}
BENCH("store: read a conversation's last 50") {
    while (run.next()) bench::keep(filled().readPage(true));
}

}  // namespace
