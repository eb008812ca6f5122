// The page's text for one virtual host, and what the browser is told to keep to.
#pragma once

#include "client_folder.h"

#include <string>
#include <vector>

namespace epode {

struct PageFacts {
    std::string domain;
    std::string title;
    std::string rooms;      // the domain of rooms; "" for none
    std::string secureUrl;  // where the page is reached by https; "" when nobody knows
    // Origins besides the page's own that hold the host's files, such as
    // "https://files.example.org".
    std::vector<std::string> fileOrigins;
    bool registers = false;     // strangers may make accounts
    bool encrypts = false;      // end-to-end
    bool foreignMedia = false;  // pictures from other servers are shown
};

std::string pageText(const ClientFolder& client, const PageFacts& facts);
std::string manifestText(const ClientFolder& client, const PageFacts& facts);
// The value of Content-Security-Policy.
std::string pagePolicy(const PageFacts& facts);
// "https://chat.example.org:5281" of an address, in lower case; "" of what has none.
std::string originOf(std::string_view url);

}  // namespace epode
