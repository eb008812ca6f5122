// Strangers that connect as servers, and servers that answer what nobody has asked: nobody speaks
// for a domain that he hasn't shown to be his own.
#include "core/log.h"
#include "tests/stream/s2s_peer.h"

#include <algorithm>

using namespace epode;

TEST_CASE("s2s: SASL EXTERNAL is offered to whom a trusted certificate names, and to nobody else") {
    Stage stage;
    const auto offers = [&](std::string_view from, const SimLinkSettings& settings) {
        return has(stage.secured(from, settings).next(), "EXTERNAL");
    };
    CHECK(offers("montague.example", showing({"montague.example"})));
    CHECK(offers("rooms.montague.example", showing({"*.montague.example"})));
    CHECK(offers("montague.example", showing({"other.example", "montague.example"})));
    CHECK_FALSE(offers("montague.example", showing({"paris.example"})));
    CHECK_FALSE(offers("montague.example", showing({"*.montague.example"})));
    CHECK_FALSE(offers("a.b.montague.example", showing({"*.montague.example"})));
    CHECK_FALSE(offers("montague.example", showing({"montague.example"}, false)));
    CHECK_FALSE(offers("montague.example", {}));
    CHECK_FALSE(offers("", showing({"montague.example"})));
}

TEST_CASE("s2s: who asks for EXTERNAL all the same is refused") {
    Stage stage;
    auto& wrongName = stage.secured("montague.example", showing({"paris.example"}));
    wrongName.forget().send(Stage::auth("montague.example"));
    const auto refused = wrongName.next();
    CHECK(has(refused, "<not-authorized"));
    CHECK(has(refused, "paris.example"));
    auto& untrusted = stage.secured("montague.example", showing({"montague.example"}, false));
    untrusted.forget().send(Stage::auth(""));
    CHECK(has(untrusted.next(), "<not-authorized"));
    auto& other = stage.secured("montague.example", showing({"montague.example"}));
    other.forget().send(Stage::auth("paris.example"));
    CHECK(has(other.next(), "<invalid-authzid"));
    other.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>");
    CHECK(has(other.next(), "<invalid-mechanism"));
    other.send(Stage::auth("paris.example"));
    CHECK(other.streamError() == "policy-violation");
}

TEST_CASE("s2s: stanzas of others over an authenticated connection end it") {
    Stage stage;
    stage.server->addAccount("juliet@capulet.example");
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    struct Row {
        std::string from, to, error;
    };
    const Row row =
        GENERATE(Row{"romeo@paris.example", "juliet@capulet.example", "invalid-from"},
                 Row{"romeo@rooms.montague.example", "juliet@capulet.example", "invalid-from"},
                 Row{"nurse@capulet.example", "juliet@capulet.example", "invalid-from"},
                 Row{"", "juliet@capulet.example", "invalid-from"},
                 Row{"@@", "juliet@capulet.example", "invalid-from"},
                 Row{"romeo@montague.example", "", "improper-addressing"},
                 Row{"romeo@montague.example", "somebody@paris.example", "host-unknown"},
                 Row{"romeo@montague.example", "room@conference.capulet.example", "host-unknown"});
    INFO(row.from << " to " << row.to);
    auto& peer = stage.authenticated();
    peer.send(message(row.from, row.to));
    CHECK(peer.streamError() == row.error);
    CHECK(juliet.next().empty());
}

TEST_CASE("s2s: stanzas of the authenticated pair arrive") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    auto& peer = stage.authenticated();
    peer.send(message("romeo@montague.example/orchard", "juliet@capulet.example"));
    CHECK(has(juliet.next(), "Hark"));
    CHECK(peer.streamError().empty());
}

TEST_CASE("s2s: nothing is said before it is shown who says it") {
    Stage stage;
    auto& clear = stage.server->connectServer();
    clear.send(header("montague.example"))
        .send(message("romeo@montague.example", "juliet@capulet.example"));
    CHECK(clear.streamError() == "not-authorized");
    auto& secured = stage.secured("montague.example", showing({"montague.example"}));
    secured.send(message("romeo@montague.example", "juliet@capulet.example"));
    CHECK(secured.streamError() == "not-authorized");
    auto& managed = stage.secured("montague.example", showing({"montague.example"}));
    managed.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    CHECK(has(managed.next(), "<failed"));
}

TEST_CASE("s2s: a dialback in the clear is refused") {
    Stage stage;
    auto& peer = stage.server->connectServer();
    peer.send(header("montague.example")).forget();
    peer.send(key("montague.example", domain));
    const auto answer = peer.next();
    CHECK(has(answer, "type='error'"));
    CHECK(has(answer, "policy-violation"));
    CHECK(stage.world.dialled.empty());
}

TEST_CASE("s2s: a forged key is found out by the server of the domain") {
    Stage stage;
    auto& montague = stage.world.add({"montague.example"});
    (void)montague;
    auto& peer = stage.secured("montague.example", showing({"mantua.example"}, false));
    peer.forget().send(key("montague.example", domain, "0123456789abcdef"));
    stage.world.advance(3s);
    CHECK(has(peer.next(), "type='invalid'"));
    peer.send(message("romeo@montague.example", "juliet@capulet.example"));
    CHECK(peer.streamError() == "not-authorized");
}

TEST_CASE("s2s: a key for one stream is no key for another one") {
    // What montague.example has made for a connection of its own, somebody has seen on its way.
    Stage stage;
    stage.world.add({"montague.example"});
    auto& peer = stage.secured("montague.example", showing({"mantua.example"}, false));
    const std::string secret = "not so secret of montague.example";
    // Made right, but for another stream than this one.
    peer.forget().send(
        key("montague.example", domain, dialbackKey(secret, domain, "montague.example", "other")));
    stage.world.advance(3s);
    CHECK(has(peer.next(), "type='invalid'"));
}

TEST_CASE("s2s: a domain that can't be reached is not believed") {
    Stage stage;
    auto& peer = stage.secured("nowhere.example", showing({"mantua.example"}, false));
    peer.forget().send(key("nowhere.example", domain));
    stage.world.advance(3s);
    const auto answer = peer.next();
    CHECK(has(answer, "type='error'"));
    CHECK(has(answer, "remote-server-not-found"));
    stage.world.say("silent.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.99"))});
    stage.world.silent.insert("192.0.2.99");
    peer.send(key("silent.example", domain));
    stage.world.advance(20s);
    CHECK(has(peer.next(), "remote-connection-failed"));
}

TEST_CASE("s2s: nobody speaks for a domain of this server's own") {
    Stage stage;
    auto& peer = stage.secured("capulet.example", showing({"mantua.example"}, false));
    peer.forget().send(key("capulet.example", domain));
    CHECK(has(peer.next(), "policy-violation"));
    // Nor with a certificate for all that is below it.
    for (const std::string own : {"capulet.example", "conference.capulet.example"}) {
        auto& other = stage.secured(own, showing({"capulet.example", "*.capulet.example"}));
        other.forget().send(Stage::auth(own));
        CHECK(has(other.next(), "<not-authorized"));
    }
}

TEST_CASE("s2s: answers that nobody has asked for are not believed") {
    Stage stage;
    auto& result = stage.secured("montague.example", showing({"mantua.example"}, false));
    result.send("<db:result from='montague.example' to='capulet.example' type='valid'/>");
    CHECK(result.streamError() == "policy-violation");
    auto& verify = stage.secured("montague.example", showing({"mantua.example"}, false));
    verify.send("<db:verify from='montague.example' to='capulet.example' id='1' type='valid'/>");
    CHECK(verify.streamError() == "policy-violation");
}

TEST_CASE("s2s: another server can't confirm a key of somebody else's domain") {
    Stage stage;
    // montague.example is there and silent; mantua.example is the attacker's own.
    stage.world.say("montague.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.7"))});
    stage.world.silent.insert("192.0.2.7");
    stage.world.say("mantua.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.66"))});
    std::vector<std::unique_ptr<Impostor>> impostors;
    auto& peer = stage.secured("montague.example", showing({"nobody.example"}, false));
    const std::string id = peer.header().id;
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "mantua.example"));
        impostors.back()->act = [&id](Impostor& impostor) {
            impostor.send(
                "<db:verify from='montague.example' to='capulet.example' id='" + id +
                "' type='valid'/><db:verify from='mantua.example' to='capulet.example' id='" + id +
                "' type='valid'/><db:result from='montague.example' "
                "to='capulet.example' type='valid'/>");
        };
    };
    peer.forget().send(key("montague.example", domain));
    auto& own = stage.secured("mantua.example", showing({"nobody.example"}, false));
    own.forget().send(key("mantua.example", domain));
    stage.world.advance(5s);
    REQUIRE(!impostors.empty());
    CHECK(isNot(peer.next(), "type='valid'"));
    peer.send(message("romeo@montague.example", "juliet@capulet.example"));
    CHECK(peer.streamError() == "not-authorized");
}

TEST_CASE("s2s: stanzas and answers on our own connection are not believed") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    stage.world.say("mantua.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.66"))});
    std::vector<std::unique_ptr<Impostor>> impostors;
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "mantua.example"));
        impostors.back()->act = [](Impostor& impostor) {
            impostor.send(
                "<message from='a@mantua.example' "
                "to='juliet@capulet.example'><body>x</body></message>");
        };
    };
    juliet.send("<message to='a@mantua.example' type='chat'><body>Hark</body></message>");
    stage.world.advance(5s);
    REQUIRE(!impostors.empty());
    CHECK(juliet.next().empty());
    // It has never said that it believes us, so it hasn't got the message either.
    for (const auto& xml : impostors.front()->heard) CHECK(isNot(xml, "Hark"));
}

TEST_CASE("s2s: a server that offers no TLS gets nothing") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    stage.world.say("mantua.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.66"))});
    std::vector<std::unique_ptr<Impostor>> impostors;
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "mantua.example"));
        impostors.back()->offersTls = false;
    };
    juliet.send("<iq type='get' id='q' to='mantua.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    stage.world.advance(5s);
    REQUIRE(!impostors.empty());
    CHECK(impostors.front()->heard.empty());
    const auto error = juliet.next();
    CHECK(has(error, "remote-server-timeout"));
    CHECK(has(error, "offers no TLS"));
}

TEST_CASE("s2s: strangers have a limit of connections, of time and of bytes") {
    Stage stage{"unauthenticated_per_address_max = 3\nnegotiation_timeout = '10s'"};
    const SimLinkSettings from{.clientAddress = "203.0.113.9"};
    std::vector<TestClient*> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(&stage.server->connectServer(from));
    auto& fourth = stage.server->connectServer(from);
    CHECK(fourth.isClosed());
    auto& elsewhere = stage.server->connectServer({.clientAddress = "203.0.113.10"});
    CHECK_FALSE(elsewhere.isClosed());
    elsewhere.send(header("montague.example") + "<db:result from='" + std::string(20000, 'a') +
                   "'");
    CHECK(elsewhere.streamError() == "policy-violation");
    stage.world.advance(11s);
    for (auto* peer : peers) CHECK(peer->streamError() == "connection-timeout");
    stage.world.advance(11s);
    CHECK_FALSE(stage.server->connectServer(from).isClosed());
}

TEST_CASE("s2s: headers that a server doesn't send are refused") {
    Stage stage;
    const auto error = [&](const std::string& text) {
        auto& peer = stage.server->connectServer();
        peer.send(text);
        return peer.streamError();
    };
    CHECK(error(header("montague.example", "paris.example")) == "host-unknown");
    CHECK(error(header("montague.example", "")) == "improper-addressing");
    CHECK(error(header("romeo@montague.example")) == "invalid-from");
    CHECK(error(header("montague.example", "@")) == "host-unknown");
    CHECK(
        error(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            "version='1.0' to='capulet.example'>") == "invalid-namespace");
    CHECK(
        error(
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
            "to='capulet.example'>") == "unsupported-version");
}

TEST_CASE("s2s: a DNS that lies, fails or never answers costs its own domain alone") {
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    const auto asked = [&](const std::string& remote) {
        juliet.send("<iq type='get' id='" + remote + "' to='" + remote +
                    "'><ping xmlns='urn:xmpp:ping'/></iq>");
        stage.world.advance(30s);
        return juliet.next();
    };
    const auto srv = [&](const std::string& name, std::vector<std::string> records) {
        stage.world.say("_xmpp-server._tcp." + name, DnsType::Srv, std::move(records));
    };
    srv("none.example", {writeSrv({.target = ""})});
    CHECK(has(asked("none.example"), "there is no server for none.example"));
    srv("bad.example", {"", "x", std::string(7, '\xff'), std::string("\0\1\0\1\0\1\3a<b\0", 11)});
    CHECK(has(asked("bad.example"), "remote-server-not-found"));
    srv("loop.example", {writeSrv({.port = 5269, .target = "loop.example"})});
    CHECK(has(asked("loop.example"), "no address"));
    stage.world.say("_xmpp-server._tcp.fail.example", DnsType::Srv, DnsAnswer::Outcome::Failed,
                    "the name servers fail (SERVFAIL)");
    stage.world.say("_xmpps-server._tcp.fail.example", DnsType::Srv, DnsAnswer::Outcome::Failed,
                    "the name servers fail (SERVFAIL)");
    const auto failed = asked("fail.example");
    CHECK(has(failed, "remote-server-timeout"));
    CHECK(has(failed, "SERVFAIL"));
    // Hundreds of targets, of which none is there: few are tried.
    std::vector<std::string> many;
    for (int i = 0; i < 300; ++i) {
        const std::string host = "h" + std::to_string(i) + ".many.example";
        many.push_back(writeSrv({.port = std::uint16_t(1 + i), .target = host}));
        stage.world.say(host, DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.77"))});
    }
    srv("many.example", many);
    stage.world.dialled.clear();
    CHECK(has(asked("many.example"), "can't be reached"));
    CHECK(stage.world.dialled.size() <= 8);
}

TEST_CASE("s2s: a domain has so many sessions that can be resumed, and others keep theirs") {
    Stage stage{"resumable_per_domain_max = 2\nresumable_max = 3\nresume_timeout = '60s'\n"};
    const auto enable = [&](const std::string& from) -> std::pair<TestClient*, std::string> {
        auto& peer = stage.authenticated(from);
        peer.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        return {&peer, peer.next()};
    };
    const auto [first, one] = enable("montague.example");
    const auto [second, two] = enable("montague.example");
    const auto [third, three] = enable("montague.example");
    CHECK(has(one, "resume='true'"));
    CHECK(has(two, "resume='true'"));
    // It is counted, and acknowledged, all the same.
    CHECK(has(three, "<enabled"));
    CHECK(isNot(three, "resume="));
    CHECK(isNot(three, "id="));
    third->send(message("romeo@montague.example", "juliet@capulet.example"));
    third->send("<r xmlns='urn:xmpp:sm:3'/>");
    stage.world.run();
    CHECK(has(third->all().back(), "h='1'"));
    SECTION("another domain has its own") {
        CHECK(has(enable("paris.example").second, "resume='true'"));
        // All together have a limit, too.
        CHECK(isNot(enable("mantua.example").second, "resume="));
    }
    SECTION("one that is lost keeps its place until it can't be resumed any more") {
        first->transport().abort();
        stage.world.advance(50s);
        CHECK(isNot(enable("montague.example").second, "resume="));
        stage.world.advance(11s);
        CHECK(has(enable("montague.example").second, "resume='true'"));
    }
    SECTION("who resumes needs no further one") {
        second->transport().abort();
        stage.world.run();
        const auto at = two.find("id='") + 4;
        const std::string id = two.substr(at, two.find('\'', at) - at);
        auto& again = stage.authenticated("montague.example");
        again.forget().send("<resume xmlns='urn:xmpp:sm:3' h='0' previd='" + id + "'/>");
        stage.world.advance(1s);
        CHECK(has(again.next(), "<resumed"));
        again.transport().abort();
        stage.world.advance(61s);
        CHECK(has(enable("montague.example").second, "resume='true'"));
    }
}

namespace {

// What the log says of other servers, as long as it is there.
class Lines {
public:
    Lines() {
        setLogLevel("s2s", LogLevel::Info);
        setLogSink([this](const LogLine& line) {
            if (line.area != "s2s") return;
            std::string text{line.text};
            for (const auto& field : line.fields)
                if (const auto* value = std::get_if<std::string_view>(&field.value))
                    text += " " + std::string{field.key} + "=" + std::string{*value};
            all_.push_back(std::move(text));
        });
    }
    ~Lines() {
        setLogSink({});
        setLogLevel("s2s", before_);
    }
    // Whether one of them names the domain and has these words.
    bool have(std::string_view domain, std::string_view words) const {
        return std::any_of(all_.begin(), all_.end(), [&](const auto& line) {
            return has(line, "domain=" + std::string{domain}) && has(line, words);
        });
    }
    std::string text() const {
        std::string text;
        for (const auto& line : all_) text += line + "\n";
        return text;
    }

private:
    const LogLevel before_ = logLevel("s2s");
    std::vector<std::string> all_;
};

}  // namespace

TEST_CASE("s2s: whoever is refused has a line that names domain and cause") {
    Lines lines;
    Stage stage{"stanzas_per_second = 10\nstanzas_burst = 10\ndeny = ['denied.example']\n"};
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    const auto ends = [&](std::string_view xml) { stage.authenticated().send(xml); };
    std::string from = "montague.example";
    std::string words;
    SECTION("a certificate that nobody trusts") {
        stage.secured(from, showing({from}, false)).send(Stage::auth(from));
        words = "unable to get local issuer certificate";
    }
    SECTION("a certificate for another name") {
        stage.secured(from, showing({"paris.example"})).send(Stage::auth(from));
        words = "not for montague.example but for paris.example";
    }
    SECTION("a forged key") {
        stage.world.add({from});
        stage.secured(from, showing({"nobody.example"}, false)).send(key(from, domain, "0123"));
        stage.world.advance(3s);
        words = "the key is not that domain's";
    }
    SECTION("a key of a domain that isn't there") {
        stage.secured(from, showing({"nobody.example"}, false)).send(key(from, domain));
        stage.world.advance(3s);
        words = "doesn't know of it";
    }
    SECTION("an answer that nobody has asked for") {
        stage.secured(from, showing({"nobody.example"}, false))
            .send("<db:result from='montague.example' to='capulet.example' type='valid'/>");
        words = "answered what nobody had asked";
    }
    SECTION("a denied domain") {
        from = "denied.example";
        stage.server->connectServer().send(header(from));
        words = "not allowed";
    }
    SECTION("another domain's stanza") {
        ends(message("a@paris.example", "juliet@capulet.example"));
        words = "invalid-from cause=";
    }
    SECTION("a stanza for another domain") {
        ends(message("a@montague.example", "a@paris.example"));
        words = "host-unknown cause=This connection was not shown to be for paris.example";
    }
    SECTION("a stanza for nobody") {
        ends(message("a@montague.example", ""));
        words = "improper-addressing";
    }
    SECTION("a stanza that is too large") {
        ends("<message from='a@montague.example' to='juliet@capulet.example'><body>" +
             std::string(600 * 1024, 'a') + "</body></message>");
        words = "policy-violation";
    }
    SECTION("no XML") {
        ends("<message></presence>");
        words = "not-well-formed";
    }
    SECTION("what is no stanza") {
        ends("<hello xmlns='jabber:server'/>");
        words = "unsupported-stanza-type";
    }
    SECTION("a flood") {
        std::string flood;
        for (int i = 0; i < 100; ++i)
            flood += message("a@montague.example", "juliet@capulet.example");
        ends(flood);
        words = "sends more than it may";
    }
    SECTION("a header for somebody else") {
        stage.secured(from, showing({from})).send(Stage::auth(from)).send(header("paris.example"));
        words = "invalid-from";
    }
    SECTION("a DNS without an answer") {
        for (const std::string service : {"_xmpp-server._tcp.", "_xmpps-server._tcp."})
            stage.world.say(service + from, DnsType::Srv, DnsAnswer::Outcome::Failed,
                            "no name server has answered in time");
        juliet.send(chat("romeo@montague.example", "Hark"));
        stage.world.advance(10s);
        words = "no name server has answered in time";
    }
    stage.world.run();
    INFO(lines.text());
    CHECK(lines.have(from, words));
}

TEST_CASE("s2s: what nobody has asked on our own connection is told once") {
    Lines lines;
    Stage stage;
    auto& juliet = stage.server->login("juliet@capulet.example/balcony");
    stage.world.say("mantua.example", DnsType::A, {writeAddress(*IpAddress::parse("192.0.2.66"))});
    std::vector<std::unique_ptr<Impostor>> impostors;
    stage.world.listeners["192.0.2.66"] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), "mantua.example"));
        impostors.back()->act = [](Impostor& impostor) {
            for (int i = 0; i < 50; ++i)
                impostor.send(
                    "<db:verify from='paris.example' to='capulet.example' id='1' type='valid'/>"
                    "<db:verify from='mantua.example' to='capulet.example' id='1' type='valid'/>");
        };
    };
    juliet.send(chat("a@mantua.example", "Hark"));
    stage.world.advance(5s);
    INFO(lines.text());
    CHECK(lines.have("mantua.example", "answered what nobody had asked"));
    const auto all = lines.text();
    const auto first = all.find("nobody had asked");
    CHECK(all.find("nobody had asked", first + 1) == all.npos);
}
