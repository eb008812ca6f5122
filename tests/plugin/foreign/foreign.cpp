// A plugin as another server would want it. If any of its code ran, the server would end.
#include <cstdlib>

namespace {
struct PluginMark {
    char magic[24];
    unsigned abi;
};
[[maybe_unused]] const int ran = (std::abort(), 0);
}  // namespace

extern "C" {
extern const PluginMark epodePluginMark;
const PluginMark epodePluginMark{"Epode plugin interface:", 4242};
const void* epodePlugin() { return nullptr; }
}
