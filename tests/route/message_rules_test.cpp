// Who gets a message (RFC 6121, 8.5): the table of 8.5.4, cell by cell.
#include "tests/support/catch.h"
#include "tests/support/messages.h"

#include <algorithm>
#include <map>
#include <optional>

using namespace epode;

namespace {

struct Client {
    const char* resource;
    std::optional<int> priority;  // nothing: bound, but it has sent no presence
};

struct Situation {
    const char* what;
    bool accountExists;
    std::vector<Client> clients;
};

const Situation nobody{"the account does not exist", false, {}};
const Situation away{"no resource", true, {}};
const Situation silent{"a resource without presence", true, {{"silent", {}}}};
const Situation negative{"only negative resources", true, {{"low", -1}, {"lower", -100}}};
const Situation one{"one non-negative resource", true, {{"one", 0}}};
const Situation many{"several resources",
                     true,
                     {{"high", 5}, {"tied", 5}, {"less", 1}, {"low", -1}, {"silent", {}}}};

// E: an error to the sender; S: silence; O: it waits for the next client; else who gets it.
struct Row {
    const Situation& condition;
    const char* resource;  // null: the bare address
    const char *normal, *chat, *groupchat, *headline, *error;
};

const Row table[] = {
    {nobody, nullptr, "E", "E", "E", "S", "S"},
    {nobody, "balcony", "E", "E", "E", "S", "S"},
    {away, nullptr, "O", "O", "E", "S", "S"},
    {away, "gone", "E", "O", "E", "S", "S"},
    {silent, nullptr, "O", "O", "E", "S", "S"},
    {silent, "silent", "silent", "silent", "silent", "silent", "silent"},
    {silent, "gone", "E", "O", "E", "S", "S"},
    {negative, nullptr, "O", "O", "E", "S", "S"},
    {negative, "low", "low", "low", "low", "low", "low"},
    {negative, "gone", "E", "O", "E", "S", "S"},
    {one, nullptr, "one", "one", "E", "one", "S"},
    {one, "one", "one", "one", "one", "one", "one"},
    {one, "gone", "E", "one", "E", "S", "S"},
    {many, nullptr, "high tied", "high tied", "E", "high tied less", "S"},
    {many, "less", "less", "less", "less", "less", "less"},
    {many, "low", "low", "low", "low", "low", "low"},
    {many, "silent", "silent", "silent", "silent", "silent", "silent"},
    {many, "gone", "E", "high tied", "E", "S", "S"},
};

std::string outcome(const Row& row, std::string_view type, std::string_view content,
                    unsigned shards) {
    TestServer server{"", shards};
    TestClient& romeo = server.login("romeo@montague.example/orchard");
    const std::string bare = "juliet@capulet.example";
    std::vector<std::pair<std::string, TestClient*>> clients;
    if (row.condition.accountExists) server.addAccount(bare);
    for (const Client& client : row.condition.clients) {
        auto& session = server.login(bare + "/" + client.resource, false);
        if (client.priority) session.available(*client.priority);
        clients.emplace_back(client.resource, &session);
    }
    for (auto& [name, client] : clients) client->forget();

    const std::string to = bare + (row.resource ? "/" + std::string{row.resource} : "");
    romeo.send("<message id='m1' to='" + to + "' type='" + std::string{type} + "'>" +
               std::string{content} + "</message>");

    std::string found;
    for (auto& [name, client] : clients)
        for (const auto& xml : client->all()) {
            const auto stanza = Stanza::parse(xml);
            REQUIRE(stanza);
            CHECK(stanza->to().text() == to);  // never rewritten
            CHECK(stanza->from().text() == "romeo@montague.example/orchard");
            found += (found.empty() ? "" : " ") + name;
        }
    for (const auto& text : heard(romeo)) {
        CHECK(text == "error service-unavailable");
        found += "E";
    }
    if (row.condition.accountExists) {
        const auto late = heard(server.login(bare + "/later", false).available());
        for (const auto& text : late) {
            CHECK(text == "late ");
            found += "O";
        }
    }
    return found.empty() ? "S" : found;
}

}  // namespace

TEST_CASE("a message is delivered, stored or refused by the table of RFC 6121") {
    for (const Row& row : table) {
        const std::pair<const char*, const char*> types[] = {{"normal", row.normal},
                                                             {"chat", row.chat},
                                                             {"groupchat", row.groupchat},
                                                             {"headline", row.headline},
                                                             {"error", row.error}};
        for (const auto& [type, expected] : types) {
            INFO(row.condition.what << ", to " << (row.resource ? row.resource : "the bare address")
                                    << ": " << type);
            CHECK(outcome(row, type, "<subject>Hist!</subject>", 1) == expected);
        }
    }
}

TEST_CASE("the table holds between two shards") {
    for (const Row& row : table) {
        INFO(row.condition.what << ", to " << (row.resource ? row.resource : "the bare address"));
        CHECK(outcome(row, "chat", "<subject>Hist!</subject>", 2) == row.chat);
        CHECK(outcome(row, "groupchat", "<subject>Hist!</subject>", 2) == row.groupchat);
    }
}

TEST_CASE("content decides what becomes of a message for somebody who is away") {
    struct {
        const char* what;
        const char* content;
        const char* expected;
    } const rows[] = {
        {"a receipt", "<received xmlns='urn:xmpp:receipts' id='1'/>", "O"},
        {"a marker", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", "O"},
        {"a reaction", "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", "O"},
        {"off the record", "<body/><no-permanent-store xmlns='urn:xmpp:hints'/>", "O"},
        {"something unknown", "<x xmlns='urn:unknown'/>", "O"},
        {"a chat state", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", "S"},
        {"nothing", "", "S"},
        {"not to be stored", "<body/><no-store xmlns='urn:xmpp:hints'/>", "E"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        CHECK(outcome({away, nullptr, "", "", "", "", ""}, "chat", row.content, 1) == row.expected);
        CHECK(outcome({one, nullptr, "", "", "", "", ""}, "chat", row.content, 1) == "one");
    }
}

TEST_CASE("a message without an address goes to the sender's own account") {
    TestServer server;
    auto& balcony = server.login("juliet@capulet.example/balcony");
    auto& garden = server.login("juliet@capulet.example/garden");
    balcony.forget().send("<message type='chat'><body>note</body></message>");
    CHECK(heard(balcony) == Texts{"note"});
    CHECK(heard(garden) == Texts{"note"});
}

TEST_CASE("a message to oneself arrives once, and is in the archive once") {
    TestServer server;
    auto& balcony = server.login("juliet@capulet.example/balcony");
    balcony.send(chat("juliet@capulet.example", "note"));
    balcony.send(chat("juliet@capulet.example/balcony", "knot"));
    CHECK(heard(balcony) == Texts{"note", "knot"});
    CHECK(storedMessages(server) == 2);
}

TEST_CASE("a host takes no messages") {
    TestServer server;
    auto& romeo = server.login("romeo@montague.example/orchard");
    for (const std::string to : {"capulet.example", "montague.example", "capulet.example/desk"}) {
        romeo.send(chat(to, "hello"));
        CHECK(heard(romeo) == Texts{"error service-unavailable"});
        romeo.send(message(to, "hello", "error"));
        CHECK(heard(romeo) == Texts{});
    }
    romeo.send(chat("verona.example", "hello"));
    CHECK(heard(romeo) == Texts{"error remote-server-not-found"});
}

TEST_CASE("messages keep their order between two accounts on different shards") {
    TestServer server{"", 2, 7};
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& nurse = server.login("nurse@capulet.example/door");
    std::string xml;
    Texts expected;
    for (int i = 0; i < 300; ++i) {
        xml += chat("juliet@capulet.example", std::to_string(i)) +
               chat("nurse@capulet.example", std::to_string(i));
        expected.push_back(std::to_string(i));
    }
    romeo.send(xml);
    CHECK(heard(juliet) == expected);
    CHECK(heard(nurse) == expected);
}

// ---- the other kinds of stanzas

TEST_CASE("a request to a resource reaches only one that shares its presence with the sender") {
    TestServer server;
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string request =
        "<iq type='get' id='1' to='juliet@capulet.example/balcony'><q xmlns='urn:q'/></iq>";

    romeo.send(request);
    CHECK(heard(juliet) == Texts{});
    CHECK(romeo.next().find("service-unavailable") != std::string::npos);

    juliet.send("<presence to='romeo@montague.example/orchard'/>");
    romeo.forget().send(request);
    CHECK(juliet.next().find("urn:q") != std::string::npos);
    CHECK(romeo.next() == "");
}

TEST_CASE("answers go to the resource, and to nobody else when that is gone") {
    TestServer server;
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const std::string type : {"result", "error"}) {
        romeo.send("<iq type='" + type + "' id='1' to='juliet@capulet.example/balcony'/>");
        CHECK(juliet.next().find("type='" + type + "'") != std::string::npos);
        romeo.send("<iq type='" + type + "' id='1' to='juliet@capulet.example/gone'/>");
        romeo.send("<iq type='" + type + "' id='1' to='juliet@capulet.example'/>");
        CHECK(juliet.next() == "");
        CHECK(romeo.next() == "");
    }
}

TEST_CASE("a request to nobody is refused") {
    TestServer server;
    auto& romeo = server.login("romeo@montague.example/orchard");
    server.addAccount("juliet@capulet.example");
    for (const std::string to : {"tybalt@capulet.example", "tybalt@capulet.example/street",
                                 "juliet@capulet.example/gone", "juliet@capulet.example"}) {
        INFO(to);
        romeo.send("<iq type='get' id='1' to='" + to + "'><q xmlns='urn:q'/></iq>");
        CHECK(romeo.next().find("service-unavailable") != std::string::npos);
        romeo.forget();
    }
}

TEST_CASE("presence to a resource reaches it when it matches, and is ignored otherwise") {
    TestServer server;
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& juliet = server.login("juliet@capulet.example/balcony", false);
    romeo.send("<presence to='juliet@capulet.example/balcony'/>");
    CHECK(juliet.next().find("<presence") == 0);
    romeo.send("<presence to='juliet@capulet.example/gone'/>");
    romeo.send("<presence type='unavailable' to='juliet@capulet.example/gone'/>");
    CHECK(juliet.next() == "");
    CHECK(romeo.next() == "");
}
