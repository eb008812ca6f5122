// How clients find the ways to connect over the web (XEP-0156), from the host's options.
#pragma once

#include "route/host.h"

#include <string>

namespace epode {

// Where the host is reached from outside: "https://chat.example.org"; "" when nobody can know.
std::string publicUrlOf(const Host& host);
std::string hostMetaXml(const Host& host);
std::string hostMetaJson(const Host& host);

}  // namespace epode
