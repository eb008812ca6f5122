// epode-image: looks at one picture that a stranger has sent, in a process that can do nothing
// else.
//
//     epode-image MEMORY CPU_SECONDS STRIP SIDE PIXELS < picture > stripped 3> thumbnail
//
// STRIP is 1 or 0; a SIDE of 0 means no small picture. What could not be made is empty. The small
// one begins with a line that says what it is: "image/jpeg 320 240".
#include "metadata.h"
#include "sandbox.h"
#ifdef EPODE_THUMBNAILS
#include "thumbnail.h"
#endif

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

bool writeAll(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(std::size_t(written));
    }
    return true;
}

bool readAll(int file, std::string& bytes) {
    constexpr std::size_t step = 1 << 18;
    while (true) {
        const std::size_t before = bytes.size();
        bytes.resize(before + step);
        const auto taken = ::read(file, bytes.data() + before, step);
        if (taken < 0 && errno == EINTR) {
            bytes.resize(before);
            continue;
        }
        bytes.resize(before + std::size_t(taken > 0 ? taken : 0));
        if (taken <= 0) return taken == 0;
    }
}

}  // namespace

int main(int count, char** words) {
    if (count != 6) return 2;
    const auto number = [&](int at) { return std::strtoull(words[at], nullptr, 10); };
    const bool strips = number(3) == 1;
    const auto side = unsigned(number(4));
    const auto pixelsMax = number(5);
    if (!epode::image::enterSandbox(number(1), unsigned(number(2)))) return 3;
    std::string image;
    if (!readAll(0, image)) return 4;
    if (strips)
        if (const auto stripped = epode::image::withoutMetadata(image))
            if (!writeAll(1, *stripped)) return 5;
#ifdef EPODE_THUMBNAILS
    if (side > 0)
        if (const auto small = epode::image::thumbnailOf(image, side, pixelsMax))
            if (!writeAll(3, std::string{small->type} + " " + std::to_string(small->width) + " " +
                                 std::to_string(small->height) + "\n" + small->bytes))
                return 5;
#endif
    (void)side;
    (void)pixelsMax;
    std::_Exit(EXIT_SUCCESS);
}
