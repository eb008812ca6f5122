// Extended Stanza Addressing (XEP-0033).
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";
const std::string nurse = "nurse@capulet.example";
const std::string paris = "paris@verona.example";

std::string address(const std::string& type, const std::string& jid, const std::string& more = {}) {
    return "<address type='" + type + "'" + (jid.empty() ? "" : " jid='" + jid + "'") + more + "/>";
}
std::string header(const std::string& addresses) {
    return "<addresses xmlns='http://jabber.org/protocol/address'>" + addresses + "</addresses>";
}
std::string toAll(const std::string& addresses, const std::string& body = "Hear ye!") {
    return "<message to='capulet.example' type='chat'><body>" + body + "</body>" +
           header(addresses) + "</message>";
}

struct Square {
    explicit Square(std::string_view toml = {}, unsigned shards = 1)
        : server{toml, shards},
          prince{server.login("prince@capulet.example/square")},
          balcony{server.login(juliet + "/balcony")},
          orchard{server.login(romeo + "/orchard")},
          door{server.login(nurse + "/door")} {
        for (auto* client : {&prince, &balcony, &orchard, &door}) client->forget();
    }
    TestServer server;
    TestClient &prince, &balcony, &orchard, &door;
};

// The addresses that a message carries, as XML.
std::string addressesIn(const std::string& xml) {
    const auto stanza = Stanza::parse(xml);
    const Element* found =
        stanza ? stanza->child("addresses", "http://jabber.org/protocol/address") : nullptr;
    return found ? toXml(*found) : "";
}

}  // namespace

TEST_CASE("a message to several comes to each, from its sender, and bcc is seen by himself alone") {
    Square square{"", GENERATE(1u, 2u)};
    square.prince.send(toAll(address("to", juliet) + address("cc", romeo, " desc='A Montague'") +
                             address("bcc", nurse) + address("replyto", "prince@capulet.example")));
    const std::string seen = address("to", juliet, " delivered='true'") +
                             address("cc", romeo, " desc='A Montague' delivered='true'") +
                             address("replyto", "prince@capulet.example");
    const auto toJuliet = square.balcony.all();
    REQUIRE(toJuliet.size() == 1);
    CHECK(addressesIn(toJuliet[0]) == header(seen));
    const auto toRomeo = square.orchard.all();
    REQUIRE(toRomeo.size() == 1);
    CHECK(addressesIn(toRomeo[0]) == header(seen));
    const auto stanza = Stanza::parse(toRomeo[0]);
    CHECK(stanza->from().text() == "prince@capulet.example/square");
    CHECK(stanza->to().text() == romeo);
    CHECK(stanza->body() == "Hear ye!");
    const auto toNurse = square.door.all();
    REQUIRE(toNurse.size() == 1);
    CHECK(addressesIn(toNurse[0]) == header(seen + address("bcc", nurse, " delivered='true'")));
    CHECK(square.prince.all().empty());
}

TEST_CASE("what is delivered already is not delivered again, and nobody gets it twice") {
    Square square;
    square.prince.send(toAll(address("to", juliet, " delivered='true'") + address("to", romeo) +
                             address("cc", romeo) + address("bcc", romeo)));
    CHECK(square.balcony.all().empty());
    CHECK(heard(square.orchard) == Texts{"Hear ye!"});
}

TEST_CASE("a header that can't be served is refused, and nobody gets anything") {
    Square square{"[multicast]\naddresses_max = 3"};
    struct Row {
        std::string addresses, outcome;
    };
    const std::vector<Row> rows{
        {address("to", juliet) + address("to", "@nobody"), "modify jid-malformed"},
        {address("to", juliet) + "<address type='to' uri='sip:romeo@montague.example'/>",
         "modify jid-malformed"},
        {address("to", juliet) + address("shout", romeo), "modify bad-request"},
        {address("to", juliet) + "<address jid='" + romeo + "'/>", "modify bad-request"},
        {address("to", juliet) + address("to", ""), "modify bad-request"},
        {address("to", juliet) + address("to", romeo) + address("cc", nurse) +
             address("noreply", ""),
         "modify not-acceptable"},
        {address("to", juliet) + address("to", "capulet.example"), "modify not-acceptable"},
        {address("to", juliet) + address("bcc", "montague.example"), "modify not-acceptable"},
    };
    for (const auto& row : rows) {
        INFO(row.addresses);
        square.prince.send(toAll(row.addresses));
        CHECK(outcome(square.prince.next()) == row.outcome);
        CHECK(square.balcony.all().empty());
    }
    square.prince.send(toAll(address("to", juliet) + address("noreply", "")));
    CHECK(heard(square.balcony) == Texts{"Hear ye!"});
}

TEST_CASE("a stranger may not use the server to send to others") {
    for (const bool isOpen : {false, true}) {
        Square square{isOpen ? "[multicast]\naccess = 'everybody'" : ""};
        const auto send = [&](const std::string& addresses) {
            auto stanza = Stanza::parse(
                "<message xmlns='jabber:client' from='paris@verona.example/x' "
                "to='capulet.example'><body>x</body>" +
                header(addresses) + "</message>");
            REQUIRE(stanza);
            square.server.server().shard(0).executor().post(
                [&, stanza] { square.server.server().route(stanza); });
            square.server.run();
        };
        // Not even the local ones get it when one is elsewhere.
        send(address("to", juliet) + address("to", "benvolio@mantua.example"));
        CHECK(square.balcony.all().empty());
        send(address("to", juliet));
        CHECK(heard(square.balcony) == (isOpen ? Texts{"x"} : Texts{}));
    }
}

TEST_CASE("presence to several is taken back when its client goes") {
    Square square;
    const auto types = [](TestClient& client) {
        Texts found;
        for (const auto& xml : client.all()) {
            const auto stanza = Stanza::parse(xml);
            found.push_back(std::string{toText(stanza->type())} + " " + stanza->from().text());
        }
        return found;
    };
    square.prince.send("<presence to='capulet.example'>" +
                       header(address("bcc", juliet) + address("bcc", romeo)) + "</presence>");
    CHECK(types(square.balcony) == Texts{" prince@capulet.example/square"});
    CHECK(types(square.orchard) == Texts{" prince@capulet.example/square"});
    square.prince.send("<presence type='unavailable' to='capulet.example'>" +
                       header(address("bcc", romeo)) + "</presence>");
    CHECK(types(square.orchard) == Texts{"unavailable prince@capulet.example/square"});
    square.prince.cut();
    CHECK(types(square.balcony) == Texts{"unavailable prince@capulet.example/square"});
    CHECK(types(square.orchard).empty());
}

TEST_CASE("presence to several is no way to ask for subscriptions") {
    Square square;
    square.prince.send("<presence type='subscribe' to='capulet.example'>" +
                       header(address("to", juliet)) + "</presence>");
    CHECK(outcome(square.prince.next()) == "modify bad-request");
    CHECK(square.balcony.all().empty());
}

TEST_CASE("whom the sender has blocked gets nothing of it") {
    Square square;
    CHECK(outcome(square.prince.ask("set", "<block xmlns='urn:xmpp:blocking'><item jid='" + romeo +
                                               "'/></block>")) == "result");
    square.prince.send(toAll(address("to", juliet) + address("to", romeo)));
    CHECK(heard(square.balcony) == Texts{"Hear ye!"});
    CHECK(square.orchard.all().empty());
}

TEST_CASE("a message to the host without a header is nobody's") {
    Square square;
    square.prince.send("<message to='capulet.example'><body>Hello?</body></message>");
    CHECK(outcome(square.prince.next()) == "cancel service-unavailable");
    square.prince.send("<message to='capulet.example/x'><body>x</body>" +
                       header(address("to", juliet)) + "</message>");
    CHECK(outcome(square.prince.next()) == "cancel service-unavailable");
    CHECK(square.balcony.all().empty());
}
