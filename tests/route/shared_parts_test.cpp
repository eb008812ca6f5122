// What a server's plugins have in common, and other servers don't.
#include "route/shared_parts.h"

#include "tests/support/catch.h"
#include "tests/support/test_server.h"

using namespace epode;

namespace {

struct Board {
    int value = 0;
};
struct Other {};

std::shared_ptr<Board> boardOf(SharedParts& parts, std::string_view name = {}) {
    return parts.findOrMake<Board>(name, [] { return std::make_shared<Board>(); });
}

}  // namespace

TEST_CASE("who asks for a part gets the one that somebody has") {
    SharedParts parts;
    CHECK(parts.find<Board>() == nullptr);
    const auto first = boardOf(parts);
    first->value = 7;
    CHECK(boardOf(parts) == first);
    CHECK(parts.find<Board>() == first);
    // By type and by name.
    CHECK(parts.find<Other>() == nullptr);
    CHECK(parts.find<Board>("capulet.example") == nullptr);
    CHECK(boardOf(parts, "capulet.example") != first);
}

TEST_CASE("a part is gone with the last who has it, and a new one takes its place") {
    SharedParts parts;
    auto first = boardOf(parts);
    first->value = 7;
    first.reset();
    CHECK(parts.find<Board>() == nullptr);
    const auto second = boardOf(parts);
    CHECK(second->value == 0);
    const auto third = std::make_shared<Board>();
    parts.put({}, third);
    CHECK(parts.find<Board>() == third);
    CHECK(boardOf(parts) == third);
}

TEST_CASE("a server that comes where another one was finds nothing of it") {
    std::shared_ptr<Board> kept;
    {
        TestServer server;
        kept = boardOf(server.server().parts());
        server.restart();
        CHECK(server.server().parts().find<Board>() == nullptr);
        CHECK(boardOf(server.server().parts()) != kept);
    }
}
