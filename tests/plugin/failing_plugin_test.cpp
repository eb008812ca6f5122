// A plugin that fails ends the handling of one stanza, not the server.
#include "plugin/plugin.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"

#include <stdexcept>

using namespace epode;

namespace {

struct Unusual {};  // what nobody expects to be thrown

template <typename Thrown>
Task<Reply> throwing(Thrown thrown) {
    throw thrown;
    co_return Reply{};
}

class Failing final : public Plugin {
public:
    explicit Failing(PluginContext& context) : server_{context.server()} {
        context.onIq(StanzaType::Get, {"urn:test", "at-once"}, Addressee::Host, this,
                     &Failing::atOnce);
        context.onIq(StanzaType::Get, {"urn:test", "coroutine"}, Addressee::Host, this,
                     &Failing::coroutine);
        context.onIq(StanzaType::Set, {"urn:test", "coroutine"}, Addressee::Account, this,
                     &Failing::coroutine);
        context.onIq(StanzaType::Get, {"urn:test", "waiting"}, Addressee::Host, this,
                     &Failing::waiting);
        context.onIq(StanzaType::Get, {"urn:test", "unusual"}, Addressee::Host, this,
                     &Failing::unusual);
        context.onStreamIq({"urn:test", "at-once"}, this, &Failing::beforeLoginAtOnce);
        context.onStreamIq({"urn:test", "unusual"}, this, &Failing::beforeLogin);
        context.on(&Services::outgoing, Phase::Check, this, &Failing::outgoing);
        context.on(&Services::incoming, Phase::Check, this, &Failing::incoming);
        context.on(&Services::features, Phase::Change, this, &Failing::features);
        context.on(&Services::sessionBound, Phase::Act, this, &Failing::bound);
        context.on(&Services::sessionEnded, Phase::Act, this, &Failing::bound);
        context.on(&Services::presenceChanged, Phase::Act, this, &Failing::presence);
        context.on(&Services::archive, Phase::Act, this, &Failing::archive);
        context.inBackground(std::chrono::seconds{1}, this, &Failing::background);
    }
    static inline int backgroundRuns = 0;

private:
    // No coroutine: what it throws comes from the call itself.
    Task<Reply> atOnce(const Iq&) { throw std::runtime_error{"at once"}; }
    Task<Reply> coroutine(const Iq&) {
        throw std::runtime_error{"in a coroutine"};
        co_return Reply{};
    }
    Task<Reply> waiting(const Iq& iq) {
        const auto account = co_await server_.stores().accounts.find(iq.from().bare().text());
        if (account) throw std::runtime_error{"after waiting"};
        co_return Reply{};
    }
    Task<Reply> unusual(const Iq&) { return throwing(Unusual{}); }
    Task<Reply> beforeLoginAtOnce(const StreamFacts&, StanzaPtr) {
        throw std::runtime_error{"at once"};
    }
    Task<Reply> beforeLogin(const StreamFacts&, StanzaPtr) { return throwing(Unusual{}); }

    Verdict outgoing(OutgoingEvent& event) {
        if (event.stanza->body() == "fail when it leaves") throw std::runtime_error{"outgoing"};
        return Verdict::Pass;
    }
    Verdict incoming(IncomingEvent& event) {
        if (event.stanza->body() == "fail when it arrives") throw Unusual{};
        return Verdict::Pass;
    }
    Verdict archive(ArchiveEvent& event) {
        if (event.message.body() == "fail when it is kept") throw std::runtime_error{"archive"};
        return Verdict::Pass;
    }
    Verdict features(FeaturesEvent&) { throw std::runtime_error{"features"}; }
    Verdict bound(SessionEvent&) { throw Unusual{}; }
    Verdict presence(PresenceEvent&) { throw std::runtime_error{"presence"}; }
    Task<Duration> background() {
        ++backgroundRuns;
        throw std::runtime_error{"background"};
        co_return Duration{};
    }

    Server& server_;
};

const PluginInfo info{.name = "failing", .summary = "Fails in every way", .byDefault = false};

DECLARE_PLUGIN(Failing, info)

const std::string enabled = "[plugins]\nenabled = ['failing']";

}  // namespace

TEST_CASE(
    "a request whose handler throws is answered with internal-server-error, and the next one "
    "works") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const std::string name : {"at-once", "coroutine", "waiting", "unusual"}) {
        INFO(name);
        CHECK(outcome(juliet.ask("get", "<" + name + " xmlns='urn:test'/>", "capulet.example")) ==
              "wait internal-server-error");
    }
    CHECK(outcome(juliet.ask("set", "<coroutine xmlns='urn:test'/>")) ==
          "wait internal-server-error");
    CHECK(outcome(juliet.ask("get", "<ping xmlns='urn:xmpp:ping'/>")) == "result");
}

TEST_CASE("a request before login whose handler throws is answered, and login works") {
    TestServer server{enabled};
    auto& stranger = server.connect({}, true);
    stranger.sendHeader().forget();
    CHECK(outcome(stranger.ask("get", "<at-once xmlns='urn:test'/>")) ==
          "wait internal-server-error");
    CHECK(outcome(stranger.ask("set", "<unusual xmlns='urn:test'/>")) ==
          "wait internal-server-error");
    server.addAccount("juliet@capulet.example");
    stranger.logIn("juliet").bind("balcony");
    CHECK(stranger.jid() == "juliet@capulet.example/balcony");
}

TEST_CASE(
    "a message whose hook throws goes back with internal-server-error, and the next one arrives") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const auto says = [&](const std::string& text) {
        juliet.forget().send("<message id='m' to='romeo@montague.example' type='chat'><body>" +
                             text + "</body></message>");
        return outcome(juliet.next());
    };
    CHECK(says("fail when it leaves") == "cancel internal-server-error");
    CHECK(says("fail when it arrives") == "cancel internal-server-error");
    CHECK(romeo.next().empty());
    CHECK(says("fail when it is kept").empty());
    CHECK(romeo.next().find("fail when it is kept") != std::string::npos);
    CHECK(says("hello").empty());
    CHECK(romeo.next().find("hello") != std::string::npos);
}

TEST_CASE("background work that throws is tried again") {
    TestServer server{enabled};
    Failing::backgroundRuns = 0;
    server.advance(std::chrono::seconds{2});
    CHECK(Failing::backgroundRuns == 2);  // for each of the two hosts
    server.advance(std::chrono::minutes{2});
    CHECK(Failing::backgroundRuns == 6);
}

TEST_CASE("background work ends when the plugin is made anew or its server stops") {
    TestServer server{enabled};
    server.rewire();
    Failing::backgroundRuns = 0;
    server.advance(std::chrono::seconds{2});
    CHECK(Failing::backgroundRuns == 2);
    server.restart();
    Failing::backgroundRuns = 0;
    server.advance(std::chrono::seconds{2});
    CHECK(Failing::backgroundRuns == 2);
}
