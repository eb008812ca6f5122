// A database that can't keep up holds senders back, before anything has to be refused.
#include "tests/stream/conversation.h"

using namespace epode;

namespace {

constexpr std::size_t pressedAbove = 6;

// Messages 1 to `count`, in one read, and what their addressee reads of them.
std::string messages(int count) {
    std::string all;
    for (int i = 1; i <= count; ++i) all += message("juliet@capulet.example/balcony", std::to_string(i));
    return all;
}
std::string numbers(int count) {
    std::string all;
    for (int i = 1; i <= count; ++i) all += (i == 1 ? "" : " ") + std::to_string(i);
    return all;
}

}  // namespace

TEST_CASE("a sender is not read while the database has too much to do, and nothing is refused") {
    TestServer server{"", GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    server.database().setDelay(50ms);
    server.database().setPressedAbove(pressedAbove);
    romeo.send(messages(20));
    const auto first = bodies(juliet);
    CHECK(first != "");
    CHECK(first.size() < numbers(20).size());
    server.advance(5s);
    CHECK(first + " " + bodies(juliet) == numbers(20));
    getsNothing(romeo);

    // Once it has caught up it is read at once.
    romeo.send(message("juliet@capulet.example/balcony", "21"));
    CHECK(bodies(juliet) == "21");
}

TEST_CASE("who sends no messages doesn't feel that the database has too much to do") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    server.database().setPressedAbove(pressedAbove);
    server.database().stall();
    romeo.send(messages(20));
    CHECK(juliet.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "capulet.example") != "");
    CHECK(juliet.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "capulet.example") != "");
}

TEST_CASE("a sender is held back for two seconds at most, and then as long as the trouble lasts no more") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    server.database().setPressedAbove(pressedAbove);
    server.database().stall();
    romeo.send(messages(20));
    const auto first = bodies(juliet);
    server.advance(1900ms);
    CHECK(bodies(juliet) == "");
    server.advance(200ms);
    CHECK(first + " " + bodies(juliet) == numbers(20));
    romeo.send(message("juliet@capulet.example/balcony", "21"));
    CHECK(bodies(juliet) == "21");

    // The next trouble is a new one.
    server.database().goOn();
    server.run();
    romeo.send(message("juliet@capulet.example/balcony", "22"));
    CHECK(bodies(juliet) == "22");
    server.run();
    server.database().stall();
    romeo.send(messages(20));
    CHECK(bodies(juliet).size() < numbers(20).size());
}

TEST_CASE("what a held back sender has sent is not acknowledged, and comes again after a restart or a cut") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    const auto id = enable(romeo);
    server.database().setDelay(50ms);
    server.database().setPressedAbove(pressedAbove);
    romeo.send(messages(20));
    const auto first = bodies(juliet);
    CHECK(first.size() < numbers(20).size());
    const auto taken = std::count(first.begin(), first.end(), ' ') + 1;
    const bool restarts = GENERATE(true, false);
    if (restarts) server.restart();
    else romeo.cut();
    auto& back = loggedIn(server, "romeo");
    back.send(resume(id, 0));
    server.advance(1s);
    gets(back, resumed(id, unsigned(taken)));
}
