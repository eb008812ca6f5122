// Manual pages of the server, made from the declarations: epoded(8) and epode.toml(5). epodectl(1)
// is made in command_pages.h, epode(1) by the client itself.
#pragma once

#include "control/config.h"

#include <string>

namespace epode {

std::string daemonManual(const std::string& version);
std::string configManual(const OptionList& options, const std::string& version);

}  // namespace epode
