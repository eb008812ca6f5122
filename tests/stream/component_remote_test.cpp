// Components and other servers: what is a component's is nobody else's.
#include "tests/stream/component.h"
#include "tests/stream/s2s_peer.h"

using namespace epode;

TEST_CASE("no other server speaks for a component, whether it is connected or not") {
    Stage stage{
        "\n[component.'bridge.capulet.example']\nsecret = 'mab'\n"
        "[component.'bot.example']\nsecret = 'b'\n"};
    auto& component = join(*stage.server);
    for (const std::string claimed : {"bridge.capulet.example", "bot.example"}) {
        INFO(claimed);
        auto& dialling = stage.secured(claimed, showing({"mantua.example"}, false));
        dialling.forget().send(key(claimed, domain));
        CHECK(has(dialling.next(), "policy-violation"));
        auto& certified = stage.secured(claimed, showing({claimed, "*.capulet.example"}));
        certified.forget().send(Stage::auth(claimed));
        CHECK(has(certified.next(), "<not-authorized"));
    }
    auto& peer = stage.authenticated();
    peer.send(message("romeo@bridge.capulet.example", "juliet@capulet.example"));
    CHECK(peer.streamError() == "invalid-from");
    CHECK(component.next() == "");
}
