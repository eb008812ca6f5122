// Any bytes as a picture: what is left of it is one, holds nothing more to remove, and is no larger
// than before but for its orientation.
#include "plugins/upload/image/metadata.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace epode::image;

namespace {

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view image{reinterpret_cast<const char*>(data), size};
    const auto bare = withoutMetadata(image);
    if (!bare) return 0;
    demand(formatOf(*bare) == formatOf(image), "it is of the same kind");
    demand(bare->size() <= image.size() + 64, "it is no larger");
    demand(orientationOf(*bare) == orientationOf(image), "it stands as it stood");
    demand(withoutMetadata(*bare) == bare, "there is nothing more to remove");
    return 0;
}
