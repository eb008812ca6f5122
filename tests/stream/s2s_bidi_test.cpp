// Connections between servers that are used in both directions (XEP-0288).
#include "tests/stream/s2s_peer.h"

using namespace epode;

namespace {

struct Verona {
    explicit Verona(unsigned shards = 1, std::string_view s2s = {}) {
        world.s2s = s2s;
        capulet = &world.add({"capulet.example"}, {}, shards);
        montague = &world.add({"montague.example"}, {}, shards);
    }
    World world;
    TestServer* capulet;
    TestServer* montague;
    // Connections that were made to `server`.
    std::size_t madeTo(TestServer& server) {
        return std::size_t(std::count(world.dialled.begin(), world.dialled.end(),
                                      world.addressOf(server) + ":5269"));
    }
};

std::string status(TestServer& server, std::string_view remote) {
    std::string text;
    for (unsigned i = 0; i < server.federation()->shardCount(); ++i)
        for (const auto& one : server.federation()->remotes(i).status(remote))
            text += one.direction + " " + one.state + " " + one.authentication + "\n";
    return text;
}

const std::string bidi = "<bidi xmlns='urn:xmpp:bidi'/>";

std::vector<std::string> bodies(TestClient& client) {
    std::vector<std::string> all;
    for (const auto& xml : client.all())
        if (const auto element = parseXml(xml, ns::client))
            if (const Element* body = (*element)->child("body", ns::client))
                all.emplace_back(body->text());
    return all;
}

// Behind something that lets no connection in.
void beyondReach(Stage& stage, const std::string& name) {
    stage.world.say(name, DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.7"))});
    stage.world.silent.insert("192.0.2.7");
}

}  // namespace

TEST_CASE("bidi: one connection serves both directions") {
    const unsigned shards = GENERATE(1u, 3u);
    const bool isTrusted = GENERATE(true, false);
    Verona verona{shards};
    for (auto* server : {verona.capulet, verona.montague})
        verona.world.placeOf(*server).isTrusted = isTrusted;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    verona.world.advance(5s);
    CHECK(has(romeo.next(), "Hark"));
    const auto made = verona.madeTo(*verona.capulet);
    // With dialback one is made to ask about the key.
    CHECK(made == (isTrusted ? 0u : 1u));
    for (int i = 0; i < 20; ++i)
        romeo.send(chat("juliet@capulet.example", "Line " + std::to_string(i), "l"));
    verona.world.advance(5s);
    for (int i = 0; i < 20; ++i) CHECK(has(juliet.next(), "Line " + std::to_string(i) + "<"));
    CHECK(verona.madeTo(*verona.capulet) == made);
    CHECK(verona.madeTo(*verona.montague) == 1);
    const std::string shown = isTrusted ? "certificate" : "dialback";
    CHECK(has(status(*verona.montague, "capulet.example"), "out ready " + shown));
    CHECK(has(status(*verona.montague, "capulet.example"), "in ready " + shown));
    CHECK(has(status(*verona.capulet, "montague.example"), "out ready " + shown));
}

TEST_CASE("bidi: whoever doesn't want it has a connection for each direction") {
    const bool isCapulets = GENERATE(true, false);
    World world;
    world.s2s = isCapulets ? "bidirectional = false" : "";
    auto& capulet = world.add({"capulet.example"});
    world.s2s = isCapulets ? "" : "bidirectional = false";
    auto& montague = world.add({"montague.example"});
    auto& juliet = capulet.login("juliet@capulet.example/balcony");
    auto& romeo = montague.login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    world.advance(5s);
    romeo.send(chat("juliet@capulet.example", "I hear", "m2"));
    world.advance(5s);
    CHECK(has(romeo.next(), "Hark"));
    CHECK(has(juliet.next(), "I hear"));
    CHECK(world.dialled.size() == 2);
}

TEST_CASE(
    "bidi: a connection that is lost is resumed in both directions, without loss or repetition") {
    const unsigned shards = GENERATE(1u, 3u);
    // Also when who has made the connection has to show by dialback who it is, each time.
    const bool isTrusted = GENERATE(true, false);
    Verona verona{shards};
    verona.world.placeOf(*verona.capulet).isTrusted = isTrusted;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Begin", "m1"));
    verona.world.advance(2s);
    REQUIRE(has(romeo.next(), "Begin"));
    for (int i = 0; i < 40; ++i) {
        const std::string line = "Line " + std::to_string(i);
        juliet.send(chat("romeo@montague.example", line, "l"));
        romeo.send(chat("juliet@capulet.example", line, "l"));
        verona.world.advance(3ms);
        if (i % 7 == 6) verona.world.cutAll();
        verona.world.advance(i % 3 == 0 ? 6s : 2ms);
    }
    verona.world.advance(60s);
    std::vector<std::string> lines;
    for (int i = 0; i < 40; ++i) lines.push_back("Line " + std::to_string(i));
    CHECK(bodies(romeo) == lines);
    CHECK(bodies(juliet) == lines);
    if (isTrusted) CHECK(verona.madeTo(*verona.capulet) == 0);
}

TEST_CASE("bidi: when the network hangs, what was on its way back comes once") {
    const unsigned shards = GENERATE(1u, 3u);
    const bool isTrusted = GENERATE(true, false);
    Verona verona{shards, "answer_timeout = '10s'\n"};
    verona.world.placeOf(*verona.capulet).isTrusted = isTrusted;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Begin", "m1"));
    verona.world.advance(15s);
    REQUIRE(bodies(romeo) == std::vector<std::string>{"Begin"});
    // It arrives; that it has, doesn't.
    romeo.send(chat("juliet@capulet.example", "Line 0", "m2"));
    verona.world.advance(6ms);
    for (const auto& link : verona.world.links)
        if (const auto open = link.lock()) open->stall();
    REQUIRE(bodies(juliet) == std::vector<std::string>{"Line 0"});
    romeo.send(chat("juliet@capulet.example", "Line 1", "m3"));
    juliet.send(chat("romeo@montague.example", "I hear", "m4"));
    // Who has made the connection isn't the first to notice.
    verona.world.advance(9s);
    verona.world.advance(40s);
    CHECK(bodies(juliet) == std::vector<std::string>{"Line 1"});
    CHECK(bodies(romeo) == std::vector<std::string>{"I hear"});
    // It goes on as if nothing had been.
    romeo.send(chat("juliet@capulet.example", "Line 2", "m5"));
    verona.world.advance(2s);
    CHECK(bodies(juliet) == std::vector<std::string>{"Line 2"});
}

TEST_CASE("bidi: when who has made the connection is gone, the other one makes its own") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    verona.world.advance(2s);
    verona.capulet->crash();
    romeo.send(chat("juliet@capulet.example", "Art thou there", "m2"));
    verona.world.advance(20s);
    auto& again = verona.capulet->login("juliet@capulet.example/balcony", false);
    again.send("<presence/>");
    verona.world.advance(20s);
    CHECK(bodies(again) == std::vector<std::string>{"Art thou there"});
}

TEST_CASE(
    "bidi: a connection that nobody uses is closed, and made by whoever has something to say") {
    Verona verona{1, "idle_timeout = '30s'"};
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    verona.world.advance(90s);
    CHECK(isNot(status(*verona.montague, "capulet.example"), "ready"));
    romeo.send(chat("juliet@capulet.example", "I hear", "m2"));
    verona.world.advance(2s);
    CHECK(has(juliet.next(), "I hear"));
    CHECK(verona.madeTo(*verona.capulet) == 1);
    juliet.send(chat("romeo@montague.example", "Again", "m3"));
    verona.world.advance(2s);
    CHECK(romeo.all().size() == 2);
    CHECK(verona.madeTo(*verona.montague) == 1);
}

TEST_CASE("bidi: is offered before and after TLS, and opened when it is known who that is") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    beyondReach(stage, "montague.example");
    auto& peer = stage.server->connectServer(showing({"montague.example"}));
    peer.send(header("montague.example"));
    CHECK(has(peer.next(), "<bidi xmlns='urn:xmpp:features:bidi'/>"));
    // TLS comes first.
    peer.send(bidi);
    CHECK(peer.streamError() == "policy-violation");

    auto& secured = stage.secured("montague.example", showing({"montague.example"}));
    CHECK(has(secured.next(), "<bidi xmlns='urn:xmpp:features:bidi'/>"));
    secured.send(bidi);
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    stage.world.advance(5s);
    CHECK(secured.next().empty());
    secured.send(Stage::auth("montague.example"));
    CHECK(has(secured.next(), "<success"));
    stage.world.advance(1s);
    // Not before the stream has begun anew.
    CHECK(secured.next().empty());
    secured.send(header("montague.example"));
    CHECK(has(secured.next(), "features"));
    secured.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    CHECK(has(secured.next(), "<enabled"));
    stage.world.advance(1s);
    CHECK(has(secured.next(), "Hark"));
}

TEST_CASE("bidi: where it was not agreed on, nothing is sent back") {
    Stage stage{"bidirectional = false"};
    auto& peer = stage.secured("montague.example", showing({"montague.example"}));
    CHECK(isNot(peer.next(), "bidi"));
    peer.send(bidi);
    CHECK(peer.streamError() == "unsupported-stanza-type");
}

TEST_CASE("bidi: a peer gets what is for the domain that it has shown, and nothing else") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& peer = stage.secured("mantua.example", showing({"mantua.example"}));
    peer.forget().send(bidi + Stage::auth("mantua.example")).forget();
    peer.send(header("mantua.example")).forget();
    peer.send("<enable xmlns='urn:xmpp:sm:3'/>").forget();
    // It claims another one, which it can't show.
    beyondReach(stage, "montague.example");
    peer.send(key("montague.example", domain));
    juliet.send(chat("romeo@montague.example", "For Montague", "m1"));
    juliet.send(chat("seller@mantua.example", "For Mantua", "m2"));
    stage.world.advance(30s);
    const auto heard = peer.all();
    CHECK(std::any_of(heard.begin(), heard.end(),
                      [](const auto& xml) { return has(xml, "For Mantua"); }));
    for (const auto& xml : heard) CHECK(isNot(xml, "For Montague"));
    // Nor does it speak for another one, there as everywhere.
    peer.send(message("romeo@montague.example", "juliet@capulet.example"));
    CHECK(peer.streamError() == "invalid-from");
}

TEST_CASE("bidi: who acknowledges more than it got loses the connection, and nothing is lost") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    beyondReach(stage, "mantua.example");
    const auto connect = [&]() -> TestClient& {
        auto& peer = stage.secured("mantua.example", showing({"mantua.example"}));
        peer.forget().send(bidi + Stage::auth("mantua.example")).forget();
        peer.send(header("mantua.example")).forget();
        peer.send("<enable xmlns='urn:xmpp:sm:3'/>");
        CHECK(has(peer.next(), "<enabled"));
        return peer;
    };
    auto& liar = connect();
    juliet.send(chat("seller@mantua.example", "Hark", "m1"));
    stage.world.advance(1s);
    CHECK(has(liar.next(), "Hark"));
    liar.send("<a xmlns='urn:xmpp:sm:3' h='7'/>");
    stage.world.advance(1s);
    CHECK(liar.streamError() == "undefined-condition");
    auto& again = connect();
    stage.world.advance(5s);
    CHECK(has(again.next(), "Hark"));
    again.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
    stage.world.advance(5s);
    CHECK(again.streamError().empty());
}

TEST_CASE("bidi: what was said before the other server has connected anew doesn't come after it") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    beyondReach(stage, "montague.example");
    const auto connect = [&]() -> TestClient& {
        auto& peer = stage.secured("montague.example", showing({"montague.example"}));
        peer.send(bidi).send(Stage::auth("montague.example")).send(header("montague.example"));
        peer.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        CHECK(has(peer.next(), "<enabled"));
        return peer;
    };
    auto& before = connect();
    auto& after = connect();
    stage.world.advance(1s);
    CHECK(before.streamError() == "conflict");
    after.send(message("romeo@montague.example", "juliet@capulet.example"));
    before.send(message("tybalt@montague.example", "juliet@capulet.example"));
    stage.world.advance(5s);
    CHECK(after.streamError().empty());
    std::string heard;
    for (const auto& xml : juliet.all()) heard += xml;
    CHECK(has(heard, "from='romeo@montague.example"));
    CHECK(isNot(heard, "tybalt"));
}

TEST_CASE("bidi: what was on its way back is sent anew when nobody resumes it") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& peer = stage.secured("montague.example", showing({"montague.example"}));
    peer.send(bidi).send(Stage::auth("montague.example")).send(header("montague.example"));
    peer.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    REQUIRE(has(peer.next(), "resume='true'"));
    juliet.send(chat("romeo@montague.example", "Hark", "m1"));
    stage.world.advance(1s);
    REQUIRE(has(peer.next(), "Hark"));
    // It is gone without a word, and there is another one that knows nothing of it.
    std::vector<std::unique_ptr<Impostor>> impostors;
    stage.world.say("montague.example", DnsType::A,
                    {writeAddress(*IpAddress::parse("192.0.2.66"))});
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "montague.example"));
        impostors.back()->features = "<sm xmlns='urn:xmpp:sm:3'/>";
        impostors.back()->hears = [](Impostor& impostor, const Element& element) {
            if (element.is("result", "jabber:server:dialback"))
                impostor.send(
                    "<db:result from='montague.example' to='capulet.example' type='valid'/>");
            // An acknowledgement of nothing is no offence, and means nothing.
            if (element.is("enable", ns::streamManagement))
                impostor.send("<enabled xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='0'/>");
        };
    };
    peer.transport().abort();
    const auto heard = [&] {
        std::string text;
        for (const auto& impostor : impostors)
            for (const auto& xml : impostor->heard) text += xml;
        return text;
    };
    stage.world.advance(6s);
    CHECK(has(heard(), "<enable"));
    CHECK(isNot(heard(), "Hark"));
    stage.world.advance(10s);
    CHECK(has(heard(), "Hark"));
    CHECK(heard().find("Hark") == heard().rfind("Hark"));
}

TEST_CASE("bidi: on our own connection the other server speaks for itself alone") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    stage.world.say("mantua.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.66"))});
    std::string says;
    std::vector<std::unique_ptr<Impostor>> impostors;
    bool knowsBidi = true;
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "mantua.example"));
        impostors.back()->features = knowsBidi ? "<bidi xmlns='urn:xmpp:features:bidi'/>" : "";
        impostors.back()->hears = [&](Impostor& impostor, const Element& element) {
            if (!element.is("result", "jabber:server:dialback")) return;
            impostor.send("<db:result from='mantua.example' to='capulet.example' type='valid'/>" +
                          says);
        };
    };
    const auto attempt = [&](const std::string& text) {
        says = text;
        impostors.clear();
        juliet.forget().send(
            "<message type='chat' to='a@mantua.example'><body>Who?</body></message>");
        stage.world.advance(10s);
        juliet.send("<presence/>");
        REQUIRE(!impostors.empty());
        std::string heard;
        for (const auto& xml : impostors.front()->heard) heard += xml;
        return heard;
    };
    SECTION("what is its own is heard") {
        attempt(message("a@mantua.example", "juliet@capulet.example"));
        const auto got = juliet.all();
        CHECK(std::any_of(got.begin(), got.end(), [](const auto& xml) {
            return has(xml, "Hark") && has(xml, "from='a@mantua.example'");
        }));
    }
    SECTION("another domain's is not") {
        const auto heard = attempt(message("romeo@montague.example", "juliet@capulet.example"));
        CHECK(has(heard, "invalid-from"));
        for (const auto& xml : juliet.all()) CHECK(isNot(xml, "Hark"));
    }
    SECTION("nor our own") {
        const auto heard = attempt(message("nurse@capulet.example", "juliet@capulet.example"));
        CHECK(has(heard, "invalid-from"));
    }
    SECTION("nor what is for another of our domains") {
        const auto heard = attempt(message("a@mantua.example", "room@conference.capulet.example"));
        CHECK(has(heard, "host-unknown"));
    }
    SECTION("a key is for a domain of its own, to the one that it knows us by") {
        const auto heard = attempt(key("nowhere.example", "capulet.example") +
                                   key("rooms.mantua.example", "conference.capulet.example"));
        CHECK(has(heard, "remote-server-not-found"));
        CHECK(has(heard, "policy-violation"));
    }
    SECTION("without it nothing is heard at all") {
        knowsBidi = false;
        attempt(message("a@mantua.example", "juliet@capulet.example"));
        for (const auto& xml : juliet.all()) CHECK(isNot(xml, "Hark"));
    }
}
