// Domains below a host that plugins serve, and requests that the server itself makes.
#include "plugin/plugin.h"
#include "tests/plugins/answers.h"

#include <stdexcept>

using namespace epode;

namespace {

constexpr QName where{"urn:test:where", "where"};
constexpr QName fail{"urn:test:where", "fail"};
constexpr QName everywhere{"urn:test:where", "everywhere"};

// Serves inn.<host>: tells where its rooms are, repeats messages, and counts what it sees.
class Inn final : public Plugin {
public:
    explicit Inn(PluginContext& context) {
        for (const std::string_view bad :
             {"{host}", "montague.example", "in..valid", "a@b", "inn.{host}/x"})
            context.onIq(StanzaType::Get, where, Addressee::Domain, context.serve(bad), this,
                         &Inn::tellPlace);
        ServedDomain& inn = context.serve("Inn.{host}", this, &Inn::receive);
        inn.disco.identities.push_back({"conference", "text", "The Inn"});
        inn.disco.features.push_back("urn:test:where");
        inn.disco.items.push_back({"hall@" + inn.domain, "", "The hall"});
        inn.placeOf = [](const Stanza& stanza) {
            const Element* payload = stanza.payload();
            return std::string{payload ? payload->get("of") : ""};
        };
        context.onIq(StanzaType::Get, where, Addressee::Domain, inn, this, &Inn::tellPlace);
        context.onIq(StanzaType::Get, where, Addressee::Below, inn, this, &Inn::tellPlace);
        context.onIq(StanzaType::Get, fail, Addressee::Below, inn, this, &Inn::throws);
        context.onIq(StanzaType::Get, everywhere, Addressee::Domain, this, &Inn::tellPlace);
        ServedDomain& deaf = context.serve("deaf.{host}");
        deaf.isListed = false;
        // Taken by this plugin already: not served twice.
        context.serve("inn.{host}");
    }

private:
    Task<Reply> tellPlace(const Iq& iq) {
        Document answer{"where", where.ns};
        answer->set("shard", std::to_string(iq.shard().number()));
        answer->set("domain", iq.domain()->domain).set("host", iq.host().domain());
        answer->set("below", iq.addressee() == Addressee::Below ? "yes" : "no");
        co_return Reply{std::move(answer)};
    }
    Task<Reply> throws(const Iq&) { throw std::runtime_error{"request"}; }

    void receive(ServedStanza served) {
        const StanzaPtr& stanza = served.stanza;
        if (stanza->body() == "throw") throw std::runtime_error{"message"};
        if (stanza->isIq() && stanza->isRequest()) {
            served.shard.refuse(*stanza, {Condition::NotAllowed, "Not by a handler."});
            return;
        }
        if (stanza->isMessage() && !stanza->isError()) {
            const auto back = stanza->copy();
            back->setFrom(stanza->to());
            back->setTo(stanza->from());
            served.shard.server().route(back);
        }
    }
};

const PluginInfo info{.name = "inn", .summary = "Serves a domain", .byDefault = false};

DECLARE_PLUGIN(Inn, info)

const std::string enabled = "[plugins]\nenabled = ['inn']";

std::string attribute(const std::string& answer, std::string_view name) {
    const auto element = parseXml(answer, ns::client);
    if (!element || !(*element)->firstChild()) return outcome(answer);
    const auto found = (*element)->firstChild()->find(name);
    return found ? std::string{*found} : outcome(answer);
}

const std::string ask = "<where xmlns='urn:test:where'/>";

}  // namespace

TEST_CASE(
    "a served domain answers requests, and what lives below it is on the shard of its address") {
    TestServer server{enabled, 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto answer = juliet.ask("get", ask, "inn.capulet.example");
    CHECK(attribute(answer, "domain") == "inn.capulet.example");
    CHECK(attribute(answer, "host") == "capulet.example");
    CHECK(attribute(answer, "below") == "no");
    for (const std::string room : {"hall@inn.capulet.example", "cellar@inn.capulet.example",
                                   "attic@inn.montague.example", "stable@inn.montague.example"}) {
        INFO(room);
        const auto told = juliet.ask("get", ask, room);
        CHECK(attribute(told, "shard") == std::to_string(server.server().shardOf(room).number()));
        CHECK(attribute(told, "below") == "yes");
    }
}

TEST_CASE("a served domain says on which shard its own requests are handled") {
    TestServer server{enabled, 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    for (const std::string of : {"one", "two", "three", "four"}) {
        INFO(of);
        const auto expected = std::to_string(server.server().shardOf(of).number());
        const std::string about = "<where xmlns='urn:test:where' of='" + of + "'/>";
        CHECK(attribute(juliet.ask("get", about, "inn.capulet.example"), "shard") == expected);
        CHECK(attribute(romeo.ask("get", about, "inn.capulet.example"), "shard") == expected);
    }
    const auto own = server.server().shardOf("juliet@capulet.example").number();
    CHECK(attribute(juliet.ask("get", ask, "inn.capulet.example"), "shard") == std::to_string(own));
}

TEST_CASE("handlers without a domain serve all domains of their host") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string about = "<everywhere xmlns='urn:test:where'/>";
    CHECK(attribute(juliet.ask("get", about, "inn.capulet.example"), "domain") ==
          "inn.capulet.example");
    CHECK(attribute(juliet.ask("get", about, "deaf.capulet.example"), "domain") ==
          "deaf.capulet.example");
    CHECK(outcome(juliet.ask("get", about, "capulet.example")) == "cancel service-unavailable");
    CHECK(outcome(juliet.ask("get", about)) == "cancel service-unavailable");
}

TEST_CASE("messages and requests without a handler come to the plugin that serves the domain") {
    TestServer server{enabled, 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const std::string to :
         {"inn.capulet.example", "hall@inn.capulet.example", "hall@inn.montague.example/host"}) {
        INFO(to);
        juliet.forget().send("<message type='chat' to='" + to + "'><body>hello</body></message>");
        const auto got = juliet.next();
        CHECK(got.find("from='" + to + "'") != std::string::npos);
        CHECK(got.find("hello") != std::string::npos);
        CHECK(outcome(juliet.ask("get", "<unknown xmlns='urn:test'/>", to)) ==
              "cancel not-allowed");
    }
    CHECK(outcome(juliet.ask("get", ask, "hall@inn.capulet.example/host")) == "cancel not-allowed");
}

TEST_CASE("a plugin that throws while it serves a domain costs one stanza") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<message id='m' to='inn.capulet.example'><body>throw</body></message>");
    CHECK(outcome(juliet.next()) == "wait internal-server-error");
    CHECK(outcome(juliet.ask("get", "<fail xmlns='urn:test:where'/>",
                             "hall@inn.capulet.example")) == "wait internal-server-error");
    CHECK(attribute(juliet.ask("get", ask, "inn.capulet.example"), "below") == "no");
}

TEST_CASE("a served domain without a receiver refuses what needs an answer") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(outcome(juliet.ask("get", ask, "deaf.capulet.example")) == "cancel service-unavailable");
    juliet.send("<message id='m' to='deaf.capulet.example'><body>hello</body></message>");
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
    juliet.send("<presence to='deaf.capulet.example'/><presence to='x@deaf.capulet.example/y'/>");
    CHECK(juliet.next() == "");
}

TEST_CASE("unknown domains, and those of plugins that are not there, are not found") {
    TestServer with{enabled};
    TestServer without;
    for (const std::string to :
         {"inn.example", "inn.inn.capulet.example", "hall@outn.capulet.example"}) {
        INFO(to);
        CHECK(
            outcome(with.login("juliet@capulet.example/" + to.substr(0, 3)).ask("get", ask, to)) ==
            "cancel remote-server-not-found");
    }
    CHECK(
        outcome(without.login("juliet@capulet.example/b").ask("get", ask, "inn.capulet.example")) ==
        "cancel remote-server-not-found");
}

TEST_CASE("a domain vanishes when its plugin is unloaded") {
    TestServer server{enabled, 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(attribute(juliet.ask("get", ask, "hall@inn.capulet.example"), "below") == "yes");
    server.rewire();
    CHECK(attribute(juliet.ask("get", ask, "hall@inn.capulet.example"), "below") == "yes");
    server.server().replace("capulet.example", std::make_shared<const Services>());
    server.run();
    CHECK(outcome(juliet.ask("get", ask, "hall@inn.capulet.example")) ==
          "cancel remote-server-not-found");
    CHECK(outcome(juliet.ask("get", ask, "inn.capulet.example")) ==
          "cancel remote-server-not-found");
    CHECK(attribute(juliet.ask("get", ask, "hall@inn.montague.example"), "below") == "yes");
}

TEST_CASE("service discovery lists served domains and tells about them") {
    TestServer server{enabled};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto listed = juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                                   "capulet.example");
    CHECK(listed.find("<item jid='inn.capulet.example' name='The Inn'/>") != std::string::npos);
    CHECK(listed.find("deaf") == std::string::npos);
    const auto told = payload(juliet.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "inn.capulet.example"));
    CHECK(told ==
          "<query xmlns='http://jabber.org/protocol/disco#info'>"
          "<identity category='conference' type='text' name='The Inn'/>"
          "<feature var='http://jabber.org/protocol/disco#info'/>"
          "<feature var='http://jabber.org/protocol/disco#items'/>"
          "<feature var='urn:test:where'/></query>");
    const auto items = payload(juliet.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "inn.capulet.example"));
    CHECK(items.find("<item jid='hall@inn.capulet.example' name='The hall'/>") !=
          std::string::npos);
    CHECK(
        outcome(juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
                           "inn.capulet.example")) == "cancel item-not-found");
}

// ---- what the server asks

namespace {

struct Heard {
    int count = 0;
    std::string answer;  // "" when none came
};

// A version request from the shard, in the name of `from`.
void askFrom(TestServer& server, unsigned shard, const std::string& from, const std::string& to,
             Heard& heard) {
    Shard& asking = server.server().shard(shard);
    asking.executor().post([&asking, from, to, &heard] {
        auto request = Stanza::iq(StanzaType::Get, *Jid::parse(from), *Jid::parse(to), "x");
        request->edit().add("query", "jabber:iq:version");
        asking.asking().ask(std::move(request), std::chrono::seconds{10},
                            [&heard](const StanzaPtr& answer) {
                                ++heard.count;
                                heard.answer = answer ? answer->toXml() : "";
                            });
    });
    server.run();
}

std::string idOf(const std::string& request) {
    return std::string{(*parseXml(request, ns::client))->get("id")};
}

}  // namespace

TEST_CASE("the server asks a client in the name of a host, an account or a served domain") {
    TestServer server{enabled, 3};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (unsigned shard = 0; shard < 3; ++shard)
        for (const std::string from :
             {"capulet.example", "juliet@capulet.example", "inn.capulet.example"}) {
            INFO(from << " on " << shard);
            Heard heard;
            askFrom(server, shard, from, juliet.jid(), heard);
            const auto id = idOf(juliet.next());
            CHECK(heard.count == 0);
            juliet.send("<iq type='result' id='" + id + "' to='" + from + "'><query/></iq>");
            CHECK(heard.count == 1);
            CHECK(heard.answer.find("type='result'") != std::string::npos);
            juliet.send("<iq type='result' id='" + id + "' to='" + from + "'><query/></iq>");
            CHECK(heard.count == 1);
        }
}

TEST_CASE("only whom the server has asked can answer") {
    TestServer server{enabled, 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    Heard heard;
    askFrom(server, 0, "capulet.example", juliet.jid(), heard);
    const auto id = idOf(juliet.next());
    romeo.send("<iq type='result' id='" + id + "' to='capulet.example'><query/></iq>");
    for (const std::string wrong :
         {"ask-", "ask-0", "ask-9999999999999999999-x", "ask-7-x", "ask--1", "x"})
        juliet.send("<iq type='result' id='" + wrong + "' to='capulet.example'><query/></iq>");
    CHECK(heard.count == 0);
    juliet.send("<iq type='error' id='" + id + "' to='capulet.example'/>");
    CHECK(heard.count == 1);
    CHECK(juliet.next() == "");
}

TEST_CASE("who does not answer is not waited for") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    Heard heard;
    askFrom(server, 0, "capulet.example", juliet.jid(), heard);
    const auto id = idOf(juliet.next());
    server.advance(std::chrono::seconds{11});
    CHECK(heard.count == 1);
    CHECK(heard.answer == "");
    juliet.send("<iq type='result' id='" + id + "' to='capulet.example'><query/></iq>");
    CHECK(heard.count == 1);

    Heard nobody;
    askFrom(server, 0, "capulet.example", "nobody@capulet.example/x", nobody);
    CHECK(nobody.count == 1);
    CHECK(nobody.answer.find("service-unavailable") != std::string::npos);
}
