// How much another domain may send, over all of its connections, and that this is its own affair.
#include "stream/remote_options.h"
#include "tests/stream/s2s_peer.h"

using namespace epode;

namespace {

std::string lines(int count, const std::string& from = "montague.example") {
    std::string text;
    for (int i = 0; i < count; ++i) text += message("romeo@" + from, "juliet@capulet.example");
    return text;
}

std::size_t heardBy(TestClient& client) {
    std::size_t count = 0;
    for (const auto& xml : client.all()) count += has(xml, "Hark");
    return count;
}

}  // namespace

TEST_CASE("rates: a domain that sends too much is read more slowly, and nothing is lost") {
    Stage stage{"stanzas_per_second = 10\nstanzas_burst = 20"};
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& peer = stage.authenticated();
    // What comes in one read is taken; what follows waits.
    peer.send(lines(50));
    CHECK(heardBy(juliet) == 50);
    peer.sendSoon(lines(50));
    stage.world.advance(2s);
    CHECK(heardBy(juliet) == 0);
    stage.world.advance(2s);
    CHECK(heardBy(juliet) == 50);
    CHECK(peer.streamError().empty());
}

TEST_CASE("rates: another domain isn't disturbed") {
    Stage stage{"stanzas_per_second = 10\nstanzas_burst = 20"};
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& flood = stage.authenticated();
    auto& calm = stage.authenticated("mantua.example");
    flood.send(lines(200));
    flood.send(lines(200));
    CHECK(heardBy(juliet) == 200);
    calm.send(lines(5, "mantua.example"));
    CHECK(heardBy(juliet) == 5);
}

TEST_CASE("rates: further connections, and new ones, give a domain no more") {
    Stage stage{"stanzas_per_second = 10\nstanzas_burst = 20"};
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& one = stage.authenticated();
    one.send(lines(120));
    CHECK(heardBy(juliet) == 120);
    one.cut();
    stage.world.run();
    auto& other = stage.authenticated();
    other.sendSoon(lines(30));
    stage.world.advance(9s);
    CHECK(heardBy(juliet) == 0);
    stage.world.advance(3s);
    CHECK(heardBy(juliet) == 30);
}

TEST_CASE("rates: bytes are counted as well, and some domains have rates of their own") {
    Stage stage{
        "bytes_per_second = '1 KiB'\nbytes_burst = '64 KiB'\n"
        "domain_rates = ['mantua.example 64 KiB, 1 stanzas', '*.mantua.example 1 MiB']"};
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    const auto isReadAtOnce = [&](const std::string& from) {
        auto& peer = stage.authenticated(from);
        for (int i = 0; i < 2; ++i) peer.send(lines(700, from));
        return heardBy(juliet) == 1400;
    };
    CHECK_FALSE(isReadAtOnce("montague.example"));
    CHECK_FALSE(isReadAtOnce("mantua.example"));
    CHECK(isReadAtOnce("rooms.mantua.example"));
}

TEST_CASE("rates: a domain has so many connections and no more") {
    Stage stage{"connections_per_domain_max = 2\nbidirectional = false"};
    auto& first = stage.authenticated();
    stage.authenticated();
    auto& third = stage.secured("montague.example", showing({"montague.example"}));
    third.forget().send(Stage::auth("montague.example"));
    CHECK(has(third.next(), "<temporary-auth-failure"));
    auto& byKey = stage.secured("montague.example", showing({"montague.example"}));
    byKey.forget().send(key("montague.example", domain));
    CHECK(has(byKey.next(), "resource-constraint"));
    // Another one has its own, and a place that is left is free.
    stage.authenticated("mantua.example");
    first.cut();
    stage.world.run();
    stage.authenticated();
}

TEST_CASE("rates: are written as a domain and what it may send each second") {
    struct Row {
        const char* text;
        bool isGood;
        double bytes, stanzas;
    };
    const RemoteRate usual{
        .bytesPerSecond = 7, .bytesBurst = 8, .stanzasPerSecond = 9, .stanzasBurst = 10};
    const auto row = GENERATE(
        Row{"example.org 64 KiB", true, 65536, 9},
        Row{"*.example.org 1 MiB, 200 stanzas", true, 1048576, 200},
        Row{"example.org 5 stanzas", true, 7, 5},
        Row{"  example.org   5 stanzas , 1000 ", true, 1000, 5}, Row{"example.org", false, 0, 0},
        Row{"", false, 0, 0}, Row{"example.org lots", false, 0, 0},
        Row{"example.org 5 KiB stanzas", false, 0, 0}, Row{"example.org 64 KiB,", true, 65536, 9},
        Row{"example.org ,64 KiB", false, 0, 0}, Row{"example.org -5 stanzas", false, 0, 0},
        Row{"64 KiB example.org", false, 0, 0});
    INFO(row.text);
    const auto read = readDomainRate(row.text, usual);
    REQUIRE(read.has_value() == row.isGood);
    if (!read) return;
    CHECK(read->rate.bytesPerSecond == row.bytes);
    CHECK(read->rate.stanzasPerSecond == row.stanzas);
}
