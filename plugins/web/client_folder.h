// Where the files of the web client are, and which version of them.
#pragma once

#include <string>
#include <string_view>

namespace epode {

struct ClientFolder {
    std::string path;     // "" when the client isn't installed
    std::string version;  // of its files, part of their addresses
    std::string index;    // the page's template

    bool isThere() const { return !path.empty(); }
    bool has(std::string_view file) const;
    // The folder of what is served below /client/<version>/.
    std::string files() const { return path + "/files"; }
};

// Reads what is small. `configured` comes first, if it is given; else the folder beside the program
// (of a build or an installation).
ClientFolder readClientFolder(const std::string& configured);

}  // namespace epode
