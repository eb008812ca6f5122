#include "core/element.h"

#include <algorithm>
#include <cstring>

namespace epode {
namespace {

constexpr std::size_t chunkBytesMin = 1024;
constexpr std::size_t chunkBytesMax = 32768;

}  // namespace

struct alignas(std::max_align_t) Arena::Chunk {
    Chunk* older;
};

Arena::Arena(std::size_t room) noexcept
    : next_{reinterpret_cast<std::byte*>(this + 1)},
      end_{next_ + room},
      bytes_{sizeof(Arena) + room} {}

std::unique_ptr<Arena> Arena::withRoom(std::size_t room) {
    static_assert(sizeof(Arena) % alignof(void*) == 0);
    void* const block = ::operator new(sizeof(Arena) + room);
    return std::unique_ptr<Arena>{::new (block) Arena{room}};
}

Arena::~Arena() {
    while (newest_) ::operator delete(std::exchange(newest_, newest_->older));
}

void* Arena::allocateElsewhere(std::size_t bytes) {
    // Chunks double with what is there already; a large piece gets a chunk of its own, and the one
    // that still has room stays in use.
    const std::size_t usual = std::clamp(bytes_, chunkBytesMin, chunkBytesMax);
    const bool large = bytes > usual / 2;
    const std::size_t room = large ? bytes : usual;
    auto* const chunk = static_cast<Chunk*>(::operator new(sizeof(Chunk) + room));
    bytes_ += sizeof(Chunk) + room;
    chunk->older = std::exchange(newest_, chunk);
    auto* const start = reinterpret_cast<std::byte*>(chunk + 1);
    if (!large) {
        next_ = start + bytes;
        end_ = start + room;
    }
    return start;
}

std::string_view Arena::keep(std::string_view text) {
    auto* const copy = static_cast<char*>(allocate(text.size(), 1));
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
}

std::string_view Arena::join(std::string_view head, std::string_view tail) {
    if (tail.empty()) return head;
    const bool isLast = reinterpret_cast<const std::byte*>(head.data() + head.size()) == next_;
    if (!isLast || tail.size() > std::size_t(end_ - next_)) {
        // Twice the room: a third piece finds it in place. What is too much is given back below.
        const std::size_t room = 2 * (head.size() + tail.size());
        auto* const copy = static_cast<std::byte*>(allocate(room, 1));
        if (!head.empty()) std::memcpy(copy, head.data(), head.size());
        head = {reinterpret_cast<const char*>(copy), head.size()};
        if (next_ != copy + room) {  // a chunk of its own becomes the one in use
            end_ = copy + room;
        }
        next_ = copy + head.size();
    }
    std::memcpy(next_, tail.data(), tail.size());
    next_ += tail.size();
    return {head.data(), head.size() + tail.size()};
}

}  // namespace epode
