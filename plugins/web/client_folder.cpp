#include "client_folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace epode {

namespace {

namespace fs = std::filesystem;

std::string contentOf(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    return in ? text.str() : std::string{};
}

// It becomes a part of addresses.
bool isVersion(std::string_view text) {
    return !text.empty() && text.size() <= 64 && text.front() != '.' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-';
           });
}

ClientFolder readFrom(const fs::path& folder) {
    ClientFolder found;
    found.version = contentOf(folder / "version");
    found.index = contentOf(folder / "index.html");
    if (isVersion(found.version) && !found.index.empty()) found.path = folder.string();
    return found;
}

}  // namespace

bool ClientFolder::has(std::string_view file) const {
    std::error_code ignored;
    return isThere() && fs::is_regular_file(fs::path{files()} / file, ignored);
}

ClientFolder readClientFolder(const std::string& configured) {
    if (!configured.empty()) return readFrom(configured);
    std::error_code ignored;
    const auto program = fs::read_symlink("/proc/self/exe", ignored);
    const auto prefix = program.parent_path().parent_path();
    for (const auto& place : {prefix / "web", prefix / EPODE_WEB_SUBDIRECTORY})
        if (auto found = readFrom(place); found.isThere()) return found;
    return readFrom(EPODE_WEB_DIRECTORY);
}

}  // namespace epode
