// Files that were there before another storage was: served from where they are, and moved.
#include "plugins/upload/moving.h"
#include "tests/plugins/run_command.h"
#include "tests/plugins/upload_support.h"

#include <fstream>
#include <iterator>

using namespace epode;
using namespace epode::upload;

namespace {

namespace fs = std::filesystem;

// The second folder stands for a bucket.
struct Places {
    Places() {
        std::string name = (fs::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        top = name;
    }
    ~Places() {
        std::error_code ignored;
        fs::remove_all(top, ignored);
    }
    std::unique_ptr<FileStorage> storage(const std::string& name) {
        return makeFolderStorage((top / name).string(), "p",
                                 [this]() -> WorkerPool& { return none; });
    }
    MovingStorage moving() { return {(top / "old").string(), storage("old"), storage("new")}; }
    std::string has(const std::string& name, const std::string& place) const {
        std::ifstream in{pathInFolder((top / name).string(), place), std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    std::size_t filesIn(const std::string& name) const {
        std::size_t count = 0;
        std::error_code none;
        for (fs::recursive_directory_iterator at{top / name, none};
             !none && at != fs::recursive_directory_iterator{}; at.increment(none))
            count += at->is_regular_file();
        return count;
    }

    fs::path top;
    WorkerPool none{0};
};

void keep(FileStorage& storage, const std::string& place, std::string_view content) {
    const auto incoming = storage.create(place, content.size());
    incoming->write(content);
    incoming->keep();
}

}  // namespace

TEST_CASE("files are moved one by one, the small pictures with them") {
    Places places;
    const std::string large(700'000, 'r');
    const auto old = places.storage("old");
    const std::string first = old->makePlace();
    const std::string second = old->makePlace();
    keep(*old, first, large);
    keep(*old, first + std::string{thumbnailEnding}, "small");
    keep(*old, second, "");
    MovingStorage moving = places.moving();
    auto left = moving.left();
    REQUIRE(left.size() == 3);
    moving.move(left[0]);
    CHECK(moving.left().size() == 2);
    for (const auto& place : moving.left()) moving.move(place);
    CHECK(moving.left().empty());
    CHECK(places.has("new", first) == large);
    CHECK(places.has("new", first + std::string{thumbnailEnding}) == "small");
    CHECK(places.filesIn("old") == 0);
    CHECK(places.filesIn("new") == 3);
    // Again, or what was never there.
    moving.move(first);
    moving.move(old->makePlace());
    CHECK(places.filesIn("new") == 3);
}

TEST_CASE("what can't be moved stays where it is") {
    Places places;
    const auto old = places.storage("old");
    const std::string place = old->makePlace();
    keep(*old, place, "a rose");
    // Somebody has put a file where the folder would be.
    std::ofstream{places.top / "new"} << "in the way";
    MovingStorage moving = places.moving();
    CHECK_THROWS_AS(moving.move(place), StorageFailure);
    CHECK(places.has("old", place) == "a rose");
    fs::remove(places.top / "new");
    moving.move(place);
    CHECK(places.has("new", place) == "a rose");
}

TEST_CASE("new files go to the new place, and deletion finds them in both") {
    Places places;
    MovingStorage moving = places.moving();
    const std::string place = moving.makePlace();
    keep(moving, place, "new");
    CHECK(places.has("new", place) == "new");
    CHECK(places.filesIn("old") == 0);
    const auto old = places.storage("old");
    keep(*old, place, "old");
    moving.remove(place);
    CHECK(places.filesIn("old") + places.filesIn("new") == 0);
    moving.remove(place);
}

TEST_CASE("one moves at a time") {
    Places places;
    MovingStorage moving = places.moving();
    CHECK(moving.claim());
    CHECK_FALSE(moving.claim());
    moving.release();
    CHECK(moving.claim());
}

TEST_CASE("without a bucket there is nothing to move") {
    Stage stage;
    const auto result = runCommand(stage.server, "upload", "upload move");
    CHECK_FALSE(result.isRefusal());
    CHECK(result.text().find("nothing to move") != std::string::npos);
}
