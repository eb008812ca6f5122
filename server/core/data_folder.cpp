#include "core/data_folder.h"

#include <cstdlib>

namespace epode {

namespace options {

const Option<std::string> data{
    .key = "data",
    .fallback = "",
    .help =
        "The folder of the database, certificates and uploads. Empty: the folder that systemd "
        "gives, else \"data\" below the folder in which the server is started.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

}  // namespace options

std::string dataFolder(const Settings& settings) {
    const auto& configured = settings.get(options::data);
    if (!configured.empty()) return configured;
    const auto given = folderFromEnvironment("STATE_DIRECTORY");
    return given.empty() ? "data" : given;
}

std::string folderFromEnvironment(const char* variable) {
    const char* value = std::getenv(variable);
    if (!value) return "";
    const std::string folders{value};
    return folders.substr(0, folders.find(':'));
}

}  // namespace epode
