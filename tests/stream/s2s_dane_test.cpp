// Servers whose certificates the signed DNS says something about (RFC 7673).
#include "net/dane.h"
#include "stream/remote_stream.h"
#include "tests/stream/s2s_peer.h"

#include <algorithm>

using namespace epode;

namespace {

const std::string there = "montague.example";
const std::string host = "xmpp.montague.example";
const std::string service = "_xmpp-server._tcp.montague.example";
const std::string tlsa = "_5269._tcp.xmpp.montague.example";

TlsaRecord keyOf(const std::string& der, std::uint8_t usage = 3) {
    return {.usage = usage, .data = readCertificate(der).keyDigest};
}
const TlsaRecord wrong{.data = std::string(32, 'x')};

// Two servers; where the other one is stands in a signed zone, and nobody trusts its certificate.
struct Signed {
    explicit Signed(std::string_view s2s = {}) {
        world.s2s = s2s;
        capulet = &world.add({"capulet.example"});
        world.s2s = {};
        montague = &world.add({there});
        trust(false);
        world.unsay(there, DnsType::A);
        services({{host, 5269}});
        world.say(host, DnsType::A, {writeAddress(*IpAddress::parse(address()))});
        world.sign(host, DnsType::A);
    }
    void trust(bool isTrusted) { world.placeOf(*montague).isTrusted = isTrusted; }
    const std::string& certificate() { return world.placeOf(*montague).certificate; }
    const std::string& address() { return world.addressOf(*montague); }
    void services(const std::vector<std::pair<std::string, std::uint16_t>>& targets) {
        std::vector<std::string> records;
        for (const auto& [target, port] : targets)
            records.push_back(writeSrv({.priority = std::uint16_t(records.size()),
                                        .weight = 0,
                                        .port = port,
                                        .target = target}));
        world.say(service, DnsType::Srv, records);
        world.sign(service, DnsType::Srv);
    }
    void say(const std::vector<TlsaRecord>& records, bool isSigned = true,
             const std::string& name = tlsa) {
        std::vector<std::string> data;
        for (const auto& record : records) data.push_back(writeTlsa(record));
        world.say(name, DnsType::Tlsa, data);
        if (isSigned) world.sign(name, DnsType::Tlsa);
    }
    bool wasAsked(DnsType type) const {
        return std::any_of(world.asked.begin(), world.asked.end(),
                           [type](const auto& one) { return one.second == type; });
    }
    // "" when a request arrives and its answer comes back, else the error.
    std::string tryOut() {
        auto& juliet = capulet->login("juliet@capulet.example/balcony");
        juliet.forget().send(
            "<iq type='get' id='q' to='montague.example'><ping "
            "xmlns='urn:xmpp:ping'/></iq>");
        world.advance(10s);
        const auto answer = juliet.next();
        CHECK(has(answer, "id='q'"));
        return has(answer, "type='result'") ? std::string{} : answer;
    }
    std::string shownBy() {
        for (const auto& one : capulet->federation()->remotes(0).status(there))
            if (one.direction == "out") return one.authentication;
        return {};
    }
    struct Finding {
        bool isGood = false;
        std::string text;
    };
    std::vector<std::pair<RemoteStep, Finding>> explain() {
        std::vector<std::pair<RemoteStep, Finding>> found;
        Remotes& remotes = capulet->federation()->remotesOf(there);
        remotes.shard().executor().post([&] {
            remotes.explain(
                "capulet.example", there,
                [&](RemoteFinding one) {
                    found.push_back({one.step, {one.isGood, one.text + " " + one.advice}});
                },
                [] {});
        });
        world.advance(40s);
        return found;
    }

    World world;
    TestServer* capulet;
    TestServer* montague;
};

bool says(const std::vector<std::pair<RemoteStep, Signed::Finding>>& findings, RemoteStep step,
          bool isGood, std::string_view part) {
    return std::any_of(findings.begin(), findings.end(), [&](const auto& one) {
        return one.first == step && one.second.isGood == isGood && has(one.second.text, part);
    });
}

}  // namespace

TEST_CASE("dane: what the signed DNS says of a certificate proves a server, or keeps it out") {
    using Outcome = DnsAnswer::Outcome;
    struct Row {
        const char* what;
        std::function<void(Signed&)> set;
        std::string_view shownBy;  // "" when it is kept out
        std::string_view error;    // a part of it
    };
    const std::vector<Row> rows{
        {"3 1 1", [](Signed& it) { it.say({keyOf(it.certificate())}); }, "dane", ""},
        {"another key", [](Signed& it) { it.say({wrong}); }, "", "not what the signed DNS says"},
        {"another key, although trusted",
         [](Signed& it) {
             it.trust(true);
             it.say({wrong});
         },
         "", "not what the signed DNS says"},
        {"the next and the present key",
         [](Signed& it) { it.say({wrong, keyOf(it.certificate())}); }, "dane", ""},
        {"beside an authority that nobody trusts",
         [](Signed& it) { it.say({keyOf(it.certificate(), 1)}); }, "",
         "not what the signed DNS says"},
        {"a record of no use",
         [](Signed& it) { it.say({{.usage = 9, .data = std::string(32, 'x')}}); }, "certificate",
         ""},
        {"one of no use beside a wrong one",
         [](Signed& it) { it.say({wrong, {.usage = 9, .data = std::string(32, 'x')}}); }, "",
         "not what the signed DNS says"},
        {"no record", [](Signed&) {}, "certificate", ""},
        {"records that are not signed", [](Signed& it) { it.say({wrong}, false); }, "certificate",
         ""},
        {"a forged answer",
         [](Signed& it) { it.world.say(tlsa, DnsType::Tlsa, Outcome::Bogus, "forged"); }, "",
         "forged"},
        {"no answer",
         [](Signed& it) { it.world.say(tlsa, DnsType::Tlsa, Outcome::Failed, "silence"); }, "",
         "silence"},
        {"a forged address beside a good one",
         [](Signed& it) {
             it.say({keyOf(it.certificate())});
             it.world.say(host, DnsType::Aaaa, Outcome::Bogus, "forged");
         },
         "", "forged"},
        {"a forged service",
         [](Signed& it) {
             it.say({keyOf(it.certificate())});
             it.world.say(service, DnsType::Srv, Outcome::Bogus, "forged");
             it.world.say(there, DnsType::A, {writeAddress(*IpAddress::parse(it.address()))});
         },
         "", "forged"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        Signed it;
        row.set(it);
        const std::string error = it.tryOut();
        INFO(error);
        CHECK(error.empty() == row.error.empty());
        CHECK(has(error, row.error));
        CHECK(it.shownBy() == row.shownBy);
    }
}

TEST_CASE("dane: what rests on answers that are not signed is not asked for") {
    const int unsignedOne = GENERATE(0, 1, 2);
    Signed it{unsignedOne == 2 ? "dane = false" : ""};
    it.say({wrong});
    // Saying it again takes the signature away.
    if (unsignedOne == 0)
        it.world.say(service, DnsType::Srv,
                     {writeSrv({.priority = 0, .weight = 0, .port = 5269, .target = host})});
    if (unsignedOne == 1)
        it.world.say(host, DnsType::A, {writeAddress(*IpAddress::parse(it.address()))});
    CHECK(it.tryOut() == "");
    CHECK_FALSE(it.wasAsked(DnsType::Tlsa));
    CHECK(it.shownBy() == "certificate");
}

TEST_CASE("dane: it is proof enough where certificates alone are believed") {
    Signed it{"dialback = 'never'"};
    SECTION("with records") {
        it.say({keyOf(it.certificate())});
        CHECK(it.tryOut() == "");
    }
    SECTION("without") { CHECK(has(it.tryOut(), "certificate isn't trusted")); }
}

TEST_CASE("dane: a trusted certificate may name the host that the signed DNS has for a domain") {
    Signed it{"dialback = 'never'"};
    it.trust(true);
    it.world.placeOf(*it.montague).certificate = certificateFor({host});
    SECTION("when it is signed") {
        CHECK(it.tryOut() == "");
        CHECK(it.shownBy() == "certificate");
    }
    SECTION("and not otherwise") {
        it.world.say(service, DnsType::Srv,
                     {writeSrv({.priority = 0, .weight = 0, .port = 5269, .target = host})});
        CHECK(has(it.tryOut(), "not for montague.example"));
    }
    SECTION("and no other host") {
        it.world.placeOf(*it.montague).certificate = certificateFor({"xmpp.verona.example"});
        CHECK(has(it.tryOut(), "not for montague.example"));
    }
}

TEST_CASE("dane: a place that can't be believed is passed over for the next one") {
    const bool isForged = GENERATE(false, true);
    Signed it;
    const std::string backup = "backup.montague.example";
    it.services({{host, 5269}, {backup, 5269}});
    it.world.say(backup, DnsType::A, {writeAddress(*IpAddress::parse(it.address()))});
    it.world.sign(backup, DnsType::A);
    it.say({keyOf(it.certificate())}, true, "_5269._tcp." + backup);
    if (isForged)
        it.world.say(tlsa, DnsType::Tlsa, DnsAnswer::Outcome::Bogus, "forged");
    else
        it.say({wrong});
    CHECK(it.tryOut() == "");
    CHECK(it.shownBy() == "dane");
    CHECK(it.world.dialled.size() >= (isForged ? 1u : 2u));
}

TEST_CASE("dane: records promise TLS, and nothing is said without it") {
    const bool isUsable = GENERATE(false, true);
    Signed it{"dialback = 'always'"};
    it.say({{.usage = std::uint8_t(isUsable ? 3 : 9), .data = std::string(32, 'x')}});
    std::vector<std::unique_ptr<Impostor>> impostors;
    it.world.listeners[it.address()] = [&](std::unique_ptr<Transport> transport) {
        impostors.push_back(std::make_unique<Impostor>(std::move(transport), there));
        impostors.back()->offersTls = false;
    };
    CHECK(has(it.tryOut(), "offers no TLS"));
    REQUIRE(!impostors.empty());
    CHECK(impostors.front()->heard.empty());
}

TEST_CASE("dane: a certificate that the DNS vouches for proves one domain, whatever it names") {
    const TlsInfo info{.version = "TLSv1.3",
                       .cipher = {},
                       .serverName = {},
                       .alpn = {},
                       .exporter = {},
                       .serverEndPoint = {},
                       .peerCertificate = certificateFor({there, "verona.example"}),
                       .peerVerified = true,
                       .peerProblem = {}};
    auto identity = RemoteIdentity::of(&info);
    CHECK(identity.proves("verona.example"));
    identity.takeDane(there);
    CHECK(identity.proves(there));
    CHECK(identity.proof() == "dane");
    CHECK_FALSE(identity.isTrusted);
    CHECK_FALSE(identity.proves("verona.example"));
    CHECK_FALSE(identity.proves("conference." + there));
    CHECK_FALSE(identity.proves(""));

    TlsInfo refused = info;
    refused.peerVerified = false;
    identity = RemoteIdentity::of(&refused);
    identity.takeDane(there);
    CHECK_FALSE(identity.proves(there));
    CHECK_FALSE(identity.proves(""));
}

TEST_CASE("dane: an explanation has the records, and what came of them") {
    Signed it;
    SECTION("good") {
        it.say({keyOf(it.certificate())});
        const auto found = it.explain();
        CHECK(says(found, RemoteStep::Dns, true, "signed (DNSSEC)"));
        CHECK(says(found, RemoteStep::Dns, true, "TLSA of " + tlsa + ": 3 1 1 "));
        CHECK(says(found, RemoteStep::Certificate, true, "DANE"));
        CHECK(says(found, RemoteStep::Delivery, true, "answered a ping"));
    }
    SECTION("wrong") {
        it.say({wrong});
        const auto found = it.explain();
        CHECK(says(found, RemoteStep::Certificate, false, "The TLSA records of " + tlsa));
        CHECK_FALSE(says(found, RemoteStep::Delivery, true, ""));
    }
    SECTION("forged") {
        it.world.say(tlsa, DnsType::Tlsa, DnsAnswer::Outcome::Bogus, "forged");
        const auto found = it.explain();
        CHECK(says(found, RemoteStep::Dns, false, "forged. It is not connected to."));
        CHECK(says(found, RemoteStep::Dns, false, "signatures of the zone"));
        CHECK(it.world.dialled.empty());
    }
    SECTION("of no use") {
        it.say({{.usage = 9, .data = std::string(32, 'x')}});
        CHECK(says(it.explain(), RemoteStep::Dns, false, "None of it can be used"));
    }
    SECTION("not signed") {
        it.say({wrong}, false);
        CHECK(says(it.explain(), RemoteStep::Dns, true, "not signed (DNSSEC), hence"));
    }
    SECTION("none") { CHECK(says(it.explain(), RemoteStep::Dns, true, "there is no DANE")); }
}
