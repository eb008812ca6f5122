// Stanzas within stanzas (XEP-0297).
#include "core/forwarded.h"

#include "core/namespaces.h"
#include "core/xml_stream.h"
#include "tests/support/catch.h"

using namespace epode;

namespace {

const WallTime noon{std::chrono::milliseconds{1279282103000}};

Document wrapper(std::string_view content) {
    auto parsed =
        parseXml("<received xmlns='urn:xmpp:carbons:2'>" + std::string{content} + "</received>");
    REQUIRE(parsed);
    return std::move(*parsed);
}

std::string forwarded(std::string_view content) {
    return "<forwarded xmlns='urn:xmpp:forward:0'>" + std::string{content} + "</forwarded>";
}

constexpr std::string_view message =
    "<message xmlns='jabber:client' from='juliet@capulet.example/orchard' id='0202197' "
    "to='romeo@montague.example' type='chat'><body>Yet I should kill thee</body></message>";

}  // namespace

TEST_CASE("what is forwarded is read as it was written, as a tree and as text") {
    const auto stanza = Stanza::parse(message);
    REQUIRE(stanza);
    Document tree{"received", "urn:xmpp:carbons:2"};
    addForwarded(*tree, *stanza, noon);
    std::string text = "<received xmlns='urn:xmpp:carbons:2'>";
    beginForwarded(text, noon);
    text.append(message).append(forwardedEnd).append("</received>");
    const auto read = parseXml(text);
    REQUIRE(read);
    CHECK(**read == *tree);

    const auto found = readForwarded(*tree, StanzaKind::Message);
    REQUIRE(found.stanza);
    CHECK(found.at == noon);
    const auto again = forwardedStanza(*tree, StanzaKind::Message);
    REQUIRE(again);
    CHECK(again->toXml() == stanza->toXml());
    // RFC 6120 has a namespace for stanzas, and the wrapper's is not it (3.2, 3).
    CHECK(toXml(*tree).find("<message xmlns='jabber:client'") != std::string::npos);
}

TEST_CASE("without a time there is no delay") {
    Document tree{"sent", "urn:xmpp:carbons:2"};
    addForwarded(*tree, *Stanza::parse(message));
    CHECK(toXml(*tree).find("delay") == std::string::npos);
    CHECK_FALSE(readForwarded(*tree, StanzaKind::Message).at);
}

TEST_CASE("what is not one whole stanza of the kind asked for is not read") {
    struct Row {
        std::string content;
        bool isElement, isStanza;
    };
    const std::string iq = "<iq xmlns='jabber:client' type='get' id='1'/>";
    const auto [content, isElement, isStanza] = GENERATE_COPY(values<Row>({
        {forwarded(message), true, true},
        {forwarded("<delay xmlns='urn:xmpp:delay' stamp='nonsense'/>" + std::string{message}), true,
         true},
        {forwarded("<note xmlns='urn:note'/>" + std::string{message}), true, true},
        {"<note xmlns='urn:note'/>" + forwarded(message), true, true},
        {forwarded("<message xmlns='jabber:client' from='@'/>"), true, false},
        {forwarded("<message xmlns='jabber:client' to='a@@b'/>"), true, false},
        {"", false, false},
        {std::string{message}, false, false},
        {forwarded(""), false, false},
        {forwarded("<message/>"), false, false},
        {forwarded("<message xmlns='jabber:server'/>"), false, false},
        {forwarded(iq), false, false},
        {forwarded(std::string{message} + std::string{message}), false, false},
        {forwarded(std::string{message} + iq), false, false},
        {forwarded(forwarded(message)), false, false},
        {"<forwarded xmlns='urn:xmpp:forward:1'>" + std::string{message} + "</forwarded>", false,
         false},
    }));
    INFO(content);
    const Document tree = wrapper(content);
    CHECK(bool(readForwarded(*tree, StanzaKind::Message).stanza) == isElement);
    CHECK(bool(forwardedStanza(*tree, StanzaKind::Message)) == isStanza);
}

TEST_CASE("a request without an id or a type is no stanza, also within another") {
    const auto isRead = [](std::string_view iq) {
        return bool(forwardedStanza(*wrapper(forwarded(iq)), StanzaKind::Iq));
    };
    CHECK(isRead("<iq xmlns='jabber:client' type='set' id='1'><query xmlns='a'/></iq>"));
    CHECK_FALSE(isRead("<iq xmlns='jabber:client' type='set'><query xmlns='a'/></iq>"));
    CHECK_FALSE(isRead("<iq xmlns='jabber:client' id='1'><query xmlns='a'/></iq>"));
    CHECK_FALSE(isRead("<iq xmlns='jabber:client' type='push' id='1'/>"));
}
