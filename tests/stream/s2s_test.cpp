// Two servers that talk with each other, as two people on them see it.
#include "tests/stream/s2s_world.h"

using namespace epode;

namespace {

struct Verona {
    explicit Verona(std::uint64_t seed = 1, unsigned shards = 1, std::string_view toml = {},
                    std::string_view s2s = {})
        : world{seed} {
        world.s2s = s2s;
        capulet = &world.add({"capulet.example"}, toml, shards);
        montague = &world.add({"montague.example"}, toml, shards);
    }
    World world;
    TestServer* capulet;
    TestServer* montague;
};

std::string chat(std::string_view to, std::string_view body, std::string_view id = "m1") {
    return "<message type='chat' to='" + std::string{to} + "' id='" + std::string{id} + "'><body>" +
           std::string{body} + "</body></message>";
}

std::string status(TestServer& server, std::string_view remote) {
    std::string text;
    for (const auto& one : server.federation()->remotes(0).status(remote))
        text += one.direction + " " + one.state + " " + one.authentication +
                (one.isSecured ? " tls" : "") + "\n";
    return text;
}

}  // namespace

TEST_CASE("s2s: a message finds its way to another server and back") {
    const unsigned shards = GENERATE(1u, 3u);
    Verona verona{1, shards};
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Wherefore art thou?"));
    verona.world.advance(1s);
    const auto heard = romeo.next();
    CHECK(has(heard, "Wherefore art thou?"));
    CHECK(has(heard, "from='juliet@capulet.example/balcony'"));
    romeo.send(chat("juliet@capulet.example/balcony", "Call me but love"));
    verona.world.advance(1s);
    CHECK(has(juliet.next(), "Call me but love"));
}

TEST_CASE("s2s: trusted certificates authenticate both ways, over TLS") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(1s);
    romeo.send(chat("juliet@capulet.example", "Hark"));
    verona.world.advance(1s);
    CHECK(status(*verona.capulet, "montague.example") ==
          "out ready certificate tls\nin ready certificate tls\n");
    CHECK(status(*verona.montague, "capulet.example") ==
          "out ready certificate tls\nin ready certificate tls\n");
}

TEST_CASE("s2s: a server whose certificate nobody trusts is believed by dialback") {
    Verona verona;
    verona.world.placeOf(*verona.capulet).isTrusted = false;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(2s);
    CHECK(has(romeo.next(), "Hark"));
    CHECK(has(status(*verona.montague, "capulet.example"), "in ready dialback tls"));
    romeo.send(chat("juliet@capulet.example", "I hear"));
    verona.world.advance(2s);
    CHECK(has(juliet.next(), "I hear"));
}

TEST_CASE("s2s: without dialback a certificate that nobody trusts keeps a server out") {
    Verona verona{1, 1, {}, "dialback = 'never'"};
    verona.world.placeOf(*verona.capulet).isTrusted = false;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send("<iq type='get' id='q' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    verona.world.advance(5s);
    CHECK(romeo.next().empty());
    const auto error = juliet.next();
    CHECK(has(error, "remote-server-timeout"));
    CHECK(has(error, "certificate"));
}

TEST_CASE("s2s: SRV records lead to the port, TLS from the first byte included") {
    Verona verona;
    verona.world.say(
        "_xmpps-server._tcp.montague.example", DnsType::Srv,
        {writeSrv({.priority = 5, .weight = 0, .port = 5270, .target = "xmpp.montague.example"})});
    verona.world.say(
        "_xmpp-server._tcp.montague.example", DnsType::Srv,
        {writeSrv({.priority = 10, .weight = 0, .port = 5269, .target = "xmpp.montague.example"})});
    verona.world.say("xmpp.montague.example", DnsType::A,
                     {writeAddress(*IpAddress::parse(verona.world.addressOf(*verona.montague)))});
    verona.world.unsay("montague.example", DnsType::A);
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(1s);
    CHECK(has(romeo.next(), "Hark"));
    REQUIRE(!verona.world.dialled.empty());
    CHECK(verona.world.dialled.front() == verona.world.addressOf(*verona.montague) + ":5270");
}

TEST_CASE("s2s: a domain that doesn't exist is an error at once") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    juliet.send(chat("paris@verona.example", "No"));
    verona.world.advance(1s);
    const auto error = juliet.next();
    CHECK(has(error, "<remote-server-not-found"));
    CHECK(has(error, "There is no domain verona.example"));
}

TEST_CASE("s2s: messages wait for a server that is down, and come in order with their time") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    verona.montague->addAccount("romeo@montague.example");
    // Down for a while, from before the first message.
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    for (int i = 0; i < 5; ++i)
        juliet.send(
            chat("romeo@montague.example", "Line " + std::to_string(i), "l" + std::to_string(i)));
    verona.world.advance(60s);
    CHECK(juliet.next().empty());
    verona.world.silent.clear();
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    verona.world.advance(120s);
    for (int i = 0; i < 5; ++i) {
        const auto heard = romeo.next();
        CHECK(has(heard, "Line " + std::to_string(i)));
        CHECK(has(heard, "<delay"));
    }
    CHECK(romeo.next().empty());
}

TEST_CASE("s2s: what waits survives a restart and a crash of the sender's server") {
    const bool isCrash = GENERATE(false, true);
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    for (int i = 0; i < 3; ++i)
        juliet.send(
            chat("romeo@montague.example", "Line " + std::to_string(i), "l" + std::to_string(i)));
    verona.world.advance(20s);
    if (isCrash)
        verona.capulet->crash();
    else
        verona.capulet->restart();
    verona.world.silent.clear();
    verona.world.advance(60s);
    for (int i = 0; i < 3; ++i) CHECK(has(romeo.next(), "Line " + std::to_string(i)));
    CHECK(romeo.next().empty());
    // Nothing is left, for another restart to send again.
    verona.world.advance(5s);
    verona.capulet->restart();
    verona.world.advance(60s);
    CHECK(romeo.next().empty());
}

TEST_CASE("s2s: more than may wait comes back from a restart, and then there is room again") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    const std::string sonnet(20'000, 'x');
    constexpr int count = 60;
    for (int i = 0; i < count; ++i) {
        juliet.send(chat("romeo@montague.example", sonnet, "l" + std::to_string(i)));
        verona.world.advance(1s);
    }
    CHECK(juliet.all().empty());
    verona.capulet->configure("[s2s]\nenabled = true\nqueues_bytes_max = '1MiB'\n");
    verona.capulet->restart();
    auto& again = verona.capulet->login("juliet@capulet.example/balcony");
    // Nothing more fits.
    again.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(1s);
    CHECK(has(again.next(), "<resource-constraint"));
    verona.world.silent.clear();
    verona.world.advance(120s);
    CHECK(romeo.all().size() == count);
    again.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(1s);
    CHECK(has(romeo.next(), "Hark"));
    CHECK(again.all().empty());
}

TEST_CASE("s2s: after the time a message that could not be sent comes back, once, with the cause") {
    Verona verona{1, 1, {}, "queue_time = '1min'"};
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    juliet.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(50s);
    CHECK(juliet.next().empty());
    verona.world.advance(90s);
    const auto error = juliet.next();
    CHECK(has(error, "<remote-server-timeout"));
    CHECK(has(error, "timed out"));
    verona.capulet->restart();
    verona.world.silent.clear();
    auto& again = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    verona.world.advance(60s);
    CHECK(again.next() == "");
    CHECK(romeo.next() == "");
}

TEST_CASE("s2s: requests don't wait") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    juliet.send("<iq type='get' id='q' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    verona.world.advance(16s);
    const auto error = juliet.next();
    CHECK(has(error, "<remote-server-timeout"));
    CHECK(has(error, "id='q'"));
    // The next one is answered at once, while it is known to be away.
    juliet.send("<iq type='get' id='q2' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    CHECK(has(juliet.next(), "id='q2'"));
}

TEST_CASE("s2s: people subscribe to each other, and see each other come and go") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send("<presence type='subscribe' to='romeo@montague.example'/>");
    verona.world.advance(1s);
    CHECK(has(romeo.next(), "type='subscribe'"));
    romeo.send("<presence type='subscribed' to='juliet@capulet.example'/>");
    romeo.send("<presence type='subscribe' to='juliet@capulet.example'/>");
    verona.world.advance(1s);
    juliet.send("<presence type='subscribed' to='romeo@montague.example'/>");
    verona.world.advance(1s);
    const auto seen = juliet.all();
    CHECK(std::any_of(seen.begin(), seen.end(), [](const auto& xml) {
        return has(xml, "from='romeo@montague.example/orchard'") && has(xml, "<presence") &&
               isNot(xml, "type=");
    }));
    romeo.forget();
    // A restart: contacts are probed anew.
    verona.capulet->restart();
    verona.world.advance(2s);
    auto& again = verona.capulet->login("juliet@capulet.example/balcony");
    verona.world.advance(2s);
    const auto anew = again.all();
    CHECK(std::any_of(anew.begin(), anew.end(), [](const auto& xml) {
        return has(xml, "from='romeo@montague.example/orchard'") && has(xml, "<presence") &&
               isNot(xml, "type=");
    }));
    const auto heard = romeo.all();
    CHECK(std::any_of(heard.begin(), heard.end(), [](const auto& xml) {
        return has(xml, "type='unavailable'") && has(xml, "from='juliet@capulet.example/balcony'");
    }));
}

TEST_CASE("s2s: several domains at both ends have a connection for each pair") {
    World world;
    auto& verona = world.add({"capulet.example", "escalus.example"});
    auto& mantua = world.add({"montague.example", "apothecary.example"});
    auto& juliet = verona.login("juliet@capulet.example/balcony");
    auto& prince = verona.login("prince@escalus.example/square");
    auto& romeo = mantua.login("romeo@montague.example/orchard");
    auto& seller = mantua.login("seller@apothecary.example/shop");
    for (auto* one : {&juliet, &prince}) {
        one->send(chat("romeo@montague.example", "To Romeo"));
        one->send(chat("seller@apothecary.example", "To the seller"));
    }
    world.advance(2s);
    CHECK(romeo.all().size() == 2);
    CHECK(seller.all().size() == 2);
}

TEST_CASE("s2s: a connection that is lost is resumed, and nothing is lost or repeated") {
    Verona verona;
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    for (int i = 0; i < 30; ++i) {
        juliet.send(
            chat("romeo@montague.example", "Line " + std::to_string(i), "l" + std::to_string(i)));
        verona.world.advance(3ms);
        if (i % 7 == 6) verona.world.cutAll();
        verona.world.advance(i % 3 == 0 ? 1s : 2ms);
    }
    verona.world.advance(60s);
    for (int i = 0; i < 30; ++i) CHECK(has(romeo.next(), "Line " + std::to_string(i) + "<"));
    CHECK(romeo.next().empty());
}

TEST_CASE("s2s: an idle connection is closed, and opened again when there is something to say") {
    Verona verona{1, 1, {}, "idle_timeout = '30s'"};
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    juliet.send(chat("romeo@montague.example", "Hark"));
    verona.world.advance(1s);
    CHECK(has(status(*verona.capulet, "montague.example"), "out ready"));
    verona.world.advance(60s);
    CHECK(has(status(*verona.capulet, "montague.example"), "out idle"));
    juliet.send(chat("romeo@montague.example", "Again"));
    verona.world.advance(1s);
    CHECK(romeo.all().size() == 2);
}

TEST_CASE("s2s: rules keep domains out, both ways") {
    Verona verona{1, 1, {}, "deny = ['montague.example']"};
    auto& juliet = verona.capulet->login("juliet@capulet.example/balcony");
    juliet.send(chat("romeo@montague.example", "Hark"));
    CHECK(has(juliet.next(), "<not-allowed"));
    verona.montague->reload("[s2s]\nenabled = true");
    auto& romeo = verona.montague->login("romeo@montague.example/orchard");
    romeo.send("<iq type='get' id='q' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    verona.world.advance(5s);
    const auto error = romeo.next();
    CHECK(has(error, "policy-violation"));
    CHECK(has(error, "no links with montague.example"));
}

namespace {

struct Explanation {
    std::vector<RemoteFinding> findings;
    bool isOver = false;
    std::string text() const {
        std::string all;
        for (const auto& one : findings)
            all +=
                std::string{toText(one.step)} + (one.isGood ? " good " : " bad ") + one.text + "\n";
        return all;
    }
};

void explain(Verona& verona, Explanation& into, const std::string& remote = "montague.example") {
    Remotes& remotes = verona.capulet->federation()->remotesOf(remote);
    remotes.shard().executor().post([&remotes, &into, remote] {
        remotes.explain(
            "capulet.example", remote,
            [&into](RemoteFinding finding) { into.findings.push_back(std::move(finding)); },
            [&into] { into.isOver = true; });
    });
    verona.world.advance(40s);
}

}  // namespace

TEST_CASE("s2s: an explanation goes the whole way, and says where it ends") {
    Explanation explained;
    Verona verona;
    explain(verona, explained);
    CHECK(explained.isOver);
    REQUIRE(!explained.findings.empty());
    for (const auto step : {RemoteStep::Rules, RemoteStep::Dns, RemoteStep::Connection,
                            RemoteStep::Tls, RemoteStep::Certificate, RemoteStep::Stream,
                            RemoteStep::Authentication, RemoteStep::Delivery}) {
        INFO(explained.text() << toText(step));
        CHECK(std::any_of(explained.findings.begin(), explained.findings.end(),
                          [step](const auto& one) { return one.step == step && one.isGood; }));
    }
    CHECK(explained.findings.back().step == RemoteStep::Delivery);

    const auto ends = [&](RemoteStep step, std::string_view part,
                          const std::string& remote = "montague.example") {
        Explanation failed;
        explain(verona, failed, remote);
        INFO(failed.text());
        CHECK(failed.isOver);
        REQUIRE(!failed.findings.empty());
        const auto found = std::find_if(failed.findings.rbegin(), failed.findings.rend(),
                                        [](const auto& one) { return !one.isGood; });
        REQUIRE(found != failed.findings.rend());
        CHECK(toText(found->step) == toText(step));
        CHECK(has(failed.text(), part));
    };
    ends(RemoteStep::Dns, "There is no domain verona.example", "verona.example");
    // The way there is good, the way back isn't.
    verona.world.cutAll();
    verona.world.silent.insert(verona.world.addressOf(*verona.capulet));
    ends(RemoteStep::Delivery, "doesn't answer a ping");
    verona.world.silent.insert(verona.world.addressOf(*verona.montague));
    ends(RemoteStep::Connection, "timed out");
}
