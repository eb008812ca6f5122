// A page made from the declarations of plugins.
#pragma once

#include "plugin/plugin_host.h"

#include <string>

namespace epode {

// The reference page (Markdown): the plugins, and the specifications that they implement.
std::string renderPlugins(const PluginHost& plugins);

}  // namespace epode
