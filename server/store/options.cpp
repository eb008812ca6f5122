#include "store/open_database.h"

#include <filesystem>

namespace epode {

const Option<std::string> databaseLocation{
    .key = "database.location",
    .fallback = "epode.db",
    .help =
        "Where everything is kept: a file of SQLite, in the data folder unless the path is "
        "absolute, or a PostgreSQL database as \"postgresql://user@host/name\".",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<Duration> databaseLinger{
    .key = "database.group_commit_linger",
    .fallback = std::chrono::milliseconds{5},
    .range = {Duration{0}, std::chrono::milliseconds{100}},
    .help =
        "How long a message may wait for others, so that one sync of the disk serves them all. "
        "More is cheaper; acknowledgements come that much later.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<Bytes> databaseQueueBytesMax{
    .key = "database.queue_bytes_max",
    .fallback = 64_MiB,
    .range = {1_MiB, 16_GiB},
    .help = "What may wait for the disk. More is refused and nothing of it is acknowledged.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<std::int64_t> databaseReaders{
    .key = "database.readers",
    .fallback = 2,
    .range = {1, 64},
    .help = "How many queries run at the same time, each with a connection of its own.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

std::vector<OptionRef> databaseOptions() {
    return {&databaseLocation, &databaseLinger, &databaseQueueBytesMax, &databaseReaders};
}

DatabaseSettings databaseSettings(const Settings& settings, const std::string& dataFolder) {
    DatabaseSettings result;
    result.location = settings.get(databaseLocation);
    const bool isUrl = result.location.find("://") != std::string::npos;
    if (!isUrl && result.location != ":memory:") {
        result.location = (std::filesystem::path{dataFolder} / result.location).string();
    }
    result.linger = settings.get(databaseLinger);
    result.queueBytesMax = settings.get(databaseQueueBytesMax);
    result.readers = static_cast<std::size_t>(settings.get(databaseReaders));
    return result;
}

}  // namespace epode
