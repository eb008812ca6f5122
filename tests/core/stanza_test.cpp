// Stanzas and the errors that answer them (RFC 6120, 8).
#include "core/stanza.h"

#include "core/namespaces.h"
#include "core/stream_error.h"
#include "core/xml_stream.h"
#include "tests/support/catch.h"

using namespace epode;
using Problem = Stanza::Problem;

namespace {

Jid jid(std::string_view text) { return *Jid::parse(text); }

MutableStanzaPtr read(std::string_view xml, Problem& problem) {
    auto parsed = parseElement(xml, ns::client);
    return Stanza::fromDocument(std::move(parsed.document), parsed.innerText, problem);
}

}  // namespace

TEST_CASE("the fields of a stanza are read from its attributes") {
    const auto stanza = Stanza::parse(
        "<message from='juliet@capulet.example/balcony' to='romeo@montague.example' id='m1' "
        "type='chat' xml:lang='en'><body>Art thou not Romeo?</body></message>");
    REQUIRE(stanza);
    CHECK(stanza->isMessage());
    CHECK(stanza->type() == StanzaType::Chat);
    CHECK(stanza->from() == jid("juliet@capulet.example/balcony"));
    CHECK(stanza->to() == jid("romeo@montague.example"));
    CHECK(stanza->id() == "m1");
    CHECK(stanza->lang() == "en");
    CHECK(stanza->body() == "Art thou not Romeo?");
    CHECK(stanza->payload() == stanza->child("body", ns::client));
    CHECK_FALSE(stanza->isRequest());
    CHECK_FALSE(stanza->isError());
}

TEST_CASE("types are known by kind, and what is wrong with a stanza is said") {
    struct Row {
        std::string_view xml;
        Problem problem;
        StanzaType type;
    };
    const auto row = GENERATE(values<Row>({
        {"<message/>", Problem::None, StanzaType::Normal},
        {"<message type='normal'/>", Problem::None, StanzaType::Normal},
        {"<message type='headline'/>", Problem::None, StanzaType::Headline},
        {"<message type='groupchat'/>", Problem::None, StanzaType::Groupchat},
        {"<message type='error'/>", Problem::None, StanzaType::Error},
        {"<message type='unknown'/>", Problem::None, StanzaType::Normal},
        {"<message type=''/>", Problem::None, StanzaType::Normal},
        {"<message type='subscribe'/>", Problem::None, StanzaType::Normal},
        {"<presence/>", Problem::None, StanzaType::None},
        {"<presence type='unavailable'/>", Problem::None, StanzaType::Unavailable},
        {"<presence type='subscribe'/>", Problem::None, StanzaType::Subscribe},
        {"<presence type='unsubscribed'/>", Problem::None, StanzaType::Unsubscribed},
        {"<presence type='probe'/>", Problem::None, StanzaType::Probe},
        {"<presence type='error'/>", Problem::None, StanzaType::Error},
        {"<presence type='available'/>", Problem::BadType, StanzaType::None},
        {"<presence type=''/>", Problem::BadType, StanzaType::None},
        {"<presence type='chat'/>", Problem::BadType, StanzaType::None},
        {"<iq type='get' id='1'/>", Problem::None, StanzaType::Get},
        {"<iq type='set' id='1'/>", Problem::None, StanzaType::Set},
        {"<iq type='result' id='1'/>", Problem::None, StanzaType::Result},
        {"<iq type='error' id='1'/>", Problem::None, StanzaType::Error},
        {"<iq type='subscribe' id='1'/>", Problem::BadType, StanzaType::None},
        {"<iq id='1'/>", Problem::BadType, StanzaType::None},
        {"<iq type='get'/>", Problem::NoId, StanzaType::Get},
        {"<iq type='get' id=''/>", Problem::NoId, StanzaType::Get},
        {"<message from=''/>", Problem::BadFrom, StanzaType::Normal},
        {"<message from='@a.example' to='b@'/>", Problem::BadTo, StanzaType::Normal},
        {"<iq type='get' from='@a.example'/>", Problem::NoId, StanzaType::Get},
        {"<iq type='ask' id='1' from='@a.example'/>", Problem::BadType, StanzaType::None},
        {"<message to='a b@c.example'/>", Problem::BadTo, StanzaType::Normal},
        {"<message to=''/>", Problem::BadTo, StanzaType::Normal},
    }));
    CAPTURE(row.xml);
    Problem problem;
    const auto stanza = read(row.xml, problem);
    REQUIRE(stanza);
    CHECK(problem == row.problem);
    CHECK(stanza->type() == row.type);
    CHECK(bool(Stanza::parse(row.xml)) == (row.problem == Problem::None));
}

TEST_CASE("a stanza with a bad address can be answered to the good one") {
    Problem problem;
    const auto stanza = read("<iq type='get' id='1' from='a@b.example' to='a b@c'/>", problem);
    CHECK(problem == Problem::BadTo);
    CHECK(stanza->to().empty());
    CHECK(stanza->from() == jid("a@b.example"));
}

TEST_CASE("what is no stanza makes none") {
    const auto xml = GENERATE(values<std::string_view>({
        "<query/>",
        "<message xmlns='urn:x'/>",
        "<message xmlns='jabber:server'/>",
        "<Message/>",
        "<message",
        "",
    }));
    CAPTURE(xml);
    Problem problem;
    CHECK_FALSE(read(xml, problem));
    CHECK(problem == Problem::NotAStanza);
    CHECK_FALSE(Stanza::parse(xml));
}

TEST_CASE("a stanza is written from its fields") {
    auto stanza = Stanza::parse(
        "<message to='old@a.example' id='old' type='chat' p:q='1' xmlns:p='urn:p' xml:lang='en'>"
        "<body>a &amp; b</body></message>");
    REQUIRE(stanza);
    stanza->setFrom(jid("juliet@capulet.example/it's"));
    stanza->setTo(jid("romeo@montague.example"));
    stanza->setId("a<b");
    CHECK(stanza->toXml(ns::client) ==
          "<message from='juliet@capulet.example/it&apos;s' to='romeo@montague.example' "
          "id='a&lt;b' type='chat' xmlns:n0='urn:p' n0:q='1' xml:lang='en'>"
          "<body>a &amp; b</body></message>");

    const Jid other = jid("nurse@capulet.example");
    std::string out;
    stanza->write(out, {}, &other, "<stanza-id xmlns='urn:xmpp:sid:0'/>");
    CHECK(out.starts_with("<message xmlns='jabber:client' from="));
    CHECK(out.find("to='nurse@capulet.example'") != out.npos);
    CHECK(out.ends_with("</body><stanza-id xmlns='urn:xmpp:sid:0'/></message>"));
}

TEST_CASE("a stanza without content is an empty tag, unless something goes in") {
    const auto stanza = Stanza::parse("<message type='normal'></message>");
    CHECK(stanza->toXml(ns::client) == "<message/>");
    CHECK(stanza->toXml(ns::server) == "<message/>");
    CHECK(stanza->toXml(ns::component) == "<message/>");
    CHECK(stanza->toXml() == "<message xmlns='jabber:client'/>");
    std::string out;
    stanza->write(out, ns::client, nullptr, "<a/>");
    CHECK(out == "<message><a/></message>");
}

TEST_CASE("received text is reused until the tree is changed") {
    // The quotes show which of the two was written.
    const auto text = "<message><body xml:lang=\"en\">x</body></message>";
    const auto stanza = Stanza::parse(text);
    stanza->setLang("de");
    CHECK(stanza->toXml(ns::client) ==
          "<message xml:lang='de'><body xml:lang=\"en\">x</body></message>");
    CHECK(stanza->lang() == "de");

    const auto copy = stanza->copy();
    CHECK(copy->toXml() == stanza->toXml());
    copy->edit().add("active", ns::chatStates);
    CHECK(copy->toXml(ns::client) ==
          "<message xml:lang='de'><body xml:lang='en'>x</body>"
          "<active xmlns='http://jabber.org/protocol/chatstates'/></message>");
    CHECK(stanza->child("active", ns::chatStates) == nullptr);
}

TEST_CASE("a copy has all that the stanza has, and outlives it") {
    auto stanza = Stanza::parse(
        "<iq from='a@b.example' to='c@d.example' id='1' type='set' xml:lang='en'><q/></iq>");
    const auto copy = stanza->copy();
    const auto xml = stanza->toXml();
    stanza.reset();
    CHECK(copy->toXml() == xml);
    CHECK(copy->lang() == "en");
    CHECK(copy->id() == "1");
}

TEST_CASE("answers go back with the same id") {
    const auto request = Stanza::parse(
        "<iq from='a@b.example/c' to='d.example' id='7' type='get'><ping xmlns='urn:xmpp:ping'/>"
        "</iq>");
    CHECK(request->isRequest());
    CHECK(request->result()->toXml(ns::client) ==
          "<iq from='d.example' to='a@b.example/c' id='7' type='result'/>");
    CHECK(request->result(*Document{"query", ns::roster})->toXml(ns::client) ==
          "<iq from='d.example' to='a@b.example/c' id='7' type='result'>"
          "<query xmlns='jabber:iq:roster'/></iq>");

    const auto error = request->error({Condition::ServiceUnavailable, "Nobody is there."});
    CHECK(error->isError());
    CHECK(error->toXml(ns::client) ==
          "<iq from='d.example' to='a@b.example/c' id='7' type='error'><error type='cancel'>"
          "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
          "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>Nobody is there.</text>"
          "</error></iq>");
}

TEST_CASE("stanzas are made from their parts") {
    CHECK(Stanza::presence(StanzaType::None, jid("a@b.example/c"), {})->toXml(ns::client) ==
          "<presence from='a@b.example/c'/>");
    CHECK(Stanza::message(StanzaType::Normal, {}, jid("a@b.example"), "1")->toXml(ns::client) ==
          "<message to='a@b.example' id='1'/>");
    CHECK(Stanza::iq(StanzaType::Set, {}, {}, "2")->toXml() ==
          "<iq xmlns='jabber:client' id='2' type='set'/>");
}

TEST_CASE("every stanza error reads back as it was written") {
    for (int i = 0; i <= int(Condition::UnexpectedRequest); ++i) {
        const auto condition = Condition(i);
        CAPTURE(toText(condition));
        StanzaError error{condition, "A sentence."};
        error.application = "too-many";
        error.applicationNs = "urn:example";
        error.content = "xmpp:romeo@montague.example";
        Document stanza{"iq", ns::client};
        error.addTo(*stanza);
        const auto read = StanzaError::read(*stanza);
        REQUIRE(read);
        CHECK(read->type == usualType(condition));
        CHECK(read->condition == condition);
        CHECK(read->text == "A sentence.");
        CHECK(read->application == "too-many");
        CHECK(read->applicationNs == "urn:example");
        CHECK(read->content == "xmpp:romeo@montague.example");
    }
    CHECK(toText(Condition::BadRequest) == "bad-request");
    CHECK(toText(Condition::ItemNotFound) == "item-not-found");
    CHECK(toText(Condition::RemoteServerTimeout) == "remote-server-timeout");
    CHECK(toText(Condition::UnexpectedRequest) == "unexpected-request");
    CHECK(toText(ErrorType::Auth) == "auth");
    CHECK(toText(ErrorType::Wait) == "wait");
    CHECK(usualType(Condition::Forbidden) == ErrorType::Auth);
    CHECK(usualType(Condition::JidMalformed) == ErrorType::Modify);
}

TEST_CASE("errors of others are read as far as they are valid") {
    const auto read = [](std::string_view error) {
        return StanzaError::read(**parseXml("<iq>" + std::string{error} + "</iq>", ns::client));
    };
    CHECK_FALSE(read(""));
    CHECK_FALSE(read("<error/>"));
    CHECK_FALSE(read("<error type='fatal'/>"));
    CHECK_FALSE(read("<error xmlns='urn:x' type='cancel'/>"));
    CHECK(read("<error type='wait'/>")->condition == Condition::UndefinedCondition);
    const auto unknown = read(
        "<error type='continue'><nonsense xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    REQUIRE(unknown);
    CHECK(unknown->type == ErrorType::Continue);
    CHECK(unknown->condition == Condition::UndefinedCondition);
}

TEST_CASE("stream errors are written with their text, content and extra") {
    CHECK(StreamError{.condition = StreamCondition::NotWellFormed}.toXml() ==
          "<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
          "</stream:error>");
    CHECK(StreamError{StreamCondition::SeeOtherHost, "Go <there>.", "<a xmlns='b'/>", "x&y"}
              .toXml() ==
          "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>x&amp;y"
          "</see-other-host><text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>"
          "Go &lt;there&gt;.</text><a xmlns='b'/></stream:error>");
    CHECK(toText(StreamCondition::BadFormat) == "bad-format");
    CHECK(toText(StreamCondition::PolicyViolation) == "policy-violation");
    CHECK(toText(StreamCondition::UnsupportedVersion) == "unsupported-version");
}

TEST_CASE("the cost of a stanza grows with what it holds") {
    const auto small = Stanza::parse("<message/>");
    const auto large =
        Stanza::parse("<message><body>" + std::string(10000, 'x') + "</body></message>");
    CHECK(small->cost() >= sizeof(Stanza));
    CHECK(small->cost() < 1000);
    CHECK(large->cost() > 10000);
    CHECK(large->cost() < 12000);
}
