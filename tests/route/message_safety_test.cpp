// When a message is safe: what a sender's <a/> waits for, and what happens when nothing can be
// stored.
#include "route/session.h"
#include "tests/support/catch.h"
#include "tests/support/messages.h"

using namespace epode;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeoJid = "romeo@montague.example/orchard";

TestClient& withSm(TestServer& server, const std::string& jid) {
    auto& client = server.login(jid, false);
    enableSm(client);
    client.available().forget();
    return client;
}

// Everything it has received is acknowledged.
void acknowledgeAll(TestServer& server, TestClient& client) {
    const Jid jid = Jid::parse(client.jid()).value();
    Session* session = server.server().shardOf(jid.bareText()).session(jid);
    REQUIRE(session);
    acknowledge(client, int(session->sm()->sent()));
}

}  // namespace

TEST_CASE("what is stored is safe at once") {
    TestServer server;
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    romeo.send(chat(juliet, "one"));
    CHECK(heard(client) == Texts{"one"});
    CHECK(askedSafe(romeo) == "2");  // his presence, and the message
}

TEST_CASE("a message reaches its client before it is stored, and is safe when it is") {
    TestServer server{"", GENERATE(1u, 2u)};
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    server.database().setDelay(milliseconds{20});
    romeo.send(chat(juliet, "one"));
    CHECK(heard(client) == Texts{"one"});
    CHECK(askedSafe(romeo) == "");
    acknowledgeAll(server, client);  // it is to be in the archive, whoever has it
    CHECK(romeo.next() == "");
    server.advance(milliseconds{50});
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

TEST_CASE("a message that waits is safe when it is stored, and a crash then loses nothing") {
    TestServer server;
    server.addAccount(juliet);
    auto& romeo = withSm(server, romeoJid);
    server.database().setDelay(milliseconds{20});
    romeo.send(chat(juliet, "one"));
    CHECK(askedSafe(romeo) == "");
    server.advance(milliseconds{50});
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    romeo.send(chat(juliet, "two"));
    CHECK(askedSafe(romeo) == "");
    server.crash();
    server.database().setDelay({});
    CHECK(heard(server.login(juliet + "/balcony", false).available()) == Texts{"late one"});
}

TEST_CASE(
    "what is not archived is safe when its client has acknowledged it, and was never stored") {
    const unsigned shards = GENERATE(1u, 2u);
    TestServer server{GENERATE(as<std::string>{}, "[archive]\ndefault = 'never'",
                               "[plugins]\ndisabled = ['mam']"),
                      shards};
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    // Anything stored would fail: the proof that nothing was.
    breakStoring(server);
    romeo.send(chat(juliet, "one") + chat(juliet, "two"));
    CHECK(heard(client) == Texts{"one", "two"});
    CHECK(askedSafe(romeo) == "");
    acknowledgeAll(server, client);
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='3'/>");
    server.advance(seconds{10});
    CHECK(heard(romeo) == Texts{});
}

TEST_CASE("a client that takes long to acknowledge doesn't keep the sender waiting") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    romeo.send(chat(juliet, "one"));
    server.advance(milliseconds{600});
    romeo.send(chat(juliet, "two"));
    CHECK(askedSafe(romeo) == "");
    server.advance(milliseconds{500});
    CHECK(storedMessages(server) == 1);
    server.advance(milliseconds{600});
    CHECK(storedMessages(server) == 2);
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='3'/>");

    // It is deleted when it has arrived.
    acknowledgeAll(server, client);
    server.advance(seconds{2});
    CHECK(storedMessages(server) == 0);
}

TEST_CASE("a client that goes leaves its messages in the log") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    romeo.send(chat(juliet, "one"));
    CHECK(askedSafe(romeo) == "");
    SECTION("its connection lost") { client.cut(); }
    SECTION("its session ended") { client.send("</stream:stream>"); }
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    CHECK(storedMessages(server) == 1);
    server.crash();
    CHECK(heard(server.login(juliet + "/garden", false).available()) == Texts{"late one"});
}

TEST_CASE("a client that is away for the moment is not waited for") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    withSm(server, juliet + "/balcony").cut();
    romeo.send(chat(juliet, "one"));
    CHECK(askedSafe(romeo) == "2");
    CHECK(storedMessages(server) == 1);
}

TEST_CASE("two clients: the first acknowledgement makes a message safe") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    auto& one = withSm(server, juliet + "/one");
    auto& two = withSm(server, juliet + "/two");
    romeo.send(chat(juliet, "hello"));
    CHECK(heard(one).size() == 1);
    CHECK(heard(two).size() == 1);
    CHECK(askedSafe(romeo) == "");
    acknowledgeAll(server, two);
    CHECK(romeo.next() == "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

TEST_CASE("a sender whose messages no client has acknowledged sends them again after a crash") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    withSm(server, juliet + "/balcony");
    romeo.send(chat(juliet, "one"));
    CHECK(askedSafe(romeo) == "");
    server.crash();
    // It was safe nowhere, and nobody had said so.
    CHECK(heard(server.login(juliet + "/garden", false).available()) == Texts{});
}

TEST_CASE("what can't be stored is refused, and the server recovers by itself") {
    const unsigned shards = GENERATE(1u, 2u);
    TestServer server{"", shards};
    server.addAccount(juliet);
    auto& romeo = withSm(server, romeoJid);
    breakStoring(server);
    romeo.send(chat(juliet, "one"));
    romeo.send(chat(juliet, "two"));
    const auto all = romeo.all();
    REQUIRE(all.size() == 2);
    for (const auto& xml : all) {
        CHECK(xml.find("<error type='wait'><resource-constraint") != std::string::npos);
        CHECK(xml.find("from='" + juliet + "'") != std::string::npos);
    }
    // The error is the answer: they count as handled.
    CHECK(askedSafe(romeo) == "3");
    CHECK(heard(server.login(juliet + "/balcony", false).available()) == Texts{});

    repairStoring(server);
    romeo.send(chat(juliet, "three"));
    CHECK(askedSafe(romeo) == "4");
    CHECK(heard(romeo) == Texts{});
}

TEST_CASE("what could not be stored doesn't count as waiting") {
    TestServer server{"[offline]\nmessages_max = 2"};
    server.addAccount(juliet);
    auto& romeo = withSm(server, romeoJid);
    breakStoring(server);
    for (int i = 0; i < 5; ++i) romeo.send(chat(juliet, "lost"));
    CHECK(heard(romeo) == Texts(5, "error resource-constraint"));
    repairStoring(server);
    romeo.send(chat(juliet, "one") + chat(juliet, "two"));
    CHECK(heard(romeo) == Texts{});
    CHECK(heard(server.login(juliet + "/balcony", false).available()) ==
          Texts{"late one", "late two"});
}

TEST_CASE(
    "a client that takes long gets its messages although they can't be stored; the sender is "
    "told") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& romeo = withSm(server, romeoJid);
    auto& client = withSm(server, juliet + "/balcony");
    breakStoring(server);
    romeo.send(chat(juliet, "one"));
    CHECK(heard(client) == Texts{"one"});
    server.advance(seconds{2});
    CHECK(heard(romeo) == Texts{"error resource-constraint"});
}

TEST_CASE("a full database refuses messages and takes them again when there is room") {
    TestServer server;
    server.addAccount(juliet);
    auto& romeo = withSm(server, romeoJid);
    std::int64_t pages = 0;
    server.wait(server.database().write([&](SqlConnection& connection) {
        connection.run("PRAGMA page_count", {}, [&](const SqlRow& row) { pages = row.integer(0); });
        return true;
    }));
    const auto limit = [&](std::int64_t most) {
        server.wait(server.database().write([=](SqlConnection& connection) {
            connection.run("PRAGMA max_page_count = " + std::to_string(most), {},
                           [](const SqlRow&) {});
            return true;
        }));
    };
    limit(pages + 4);
    const std::string large(8000, 'x');
    Texts refusals;
    for (int i = 0; i < 40 && refusals.empty(); ++i) {
        romeo.send(chat(juliet, large));
        refusals = heard(romeo);
    }
    CHECK(refusals == Texts{"error resource-constraint"});
    limit(1000000);
    server.advance(seconds{5});
    romeo.send(chat(juliet, "there is room"));
    CHECK(heard(romeo) == Texts{});
    auto late = heard(server.login(juliet + "/balcony", false).available());
    REQUIRE_FALSE(late.empty());
    CHECK(late.back() == "late there is room");
}
