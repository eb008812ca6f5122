// Streams of XML (RFC 6120, 4 and 11): what is taken, what is refused and how, on both ways through
// the parser and wherever the input is cut.
#include "core/xml_stream.h"

#include "core/namespaces.h"
#include "tests/support/catch.h"
#include "tests/support/xml_events.h"

using namespace epode;
using test::Events;
using test::events;

namespace {

constexpr std::string_view head =
    "<?xml version='1.0'?><stream:stream to='capulet.example' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>";
constexpr std::string_view serverHead =
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
    "xmlns:db='jabber:server:dialback'>";

std::string onStream(std::string_view content) { return std::string{head} + std::string{content}; }

// The events of a conversation, once it has been shown that neither the way through the parser nor
// the places where it is cut make a difference.
Events agreed(std::string_view input, const XmlLimits& limits = {}) {
    XmlParserPool both;
    XmlParserPool expatOnly{XmlPath::ExpatOnly};
    const Events whole = events(both, input, {}, limits);
    CHECK(events(expatOnly, input, {}, limits) == whole);
    std::vector<std::size_t> everywhere;
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        if (events(both, input, {cut}, limits) != whole) FAIL_CHECK("cut at " << cut);
        if (events(expatOnly, input, {cut}, limits) != whole) FAIL_CHECK("expat, cut at " << cut);
        everywhere.push_back(cut);
    }
    CHECK(events(both, input, everywhere, limits) == whole);
    CHECK(events(expatOnly, input, everywhere, limits) == whole);
    return whole;
}

std::string failure(std::string_view input, const XmlLimits& limits = {}) {
    const auto told = agreed(input, limits);
    return told.empty() ? "" : told.back();
}

// How `xml`, sent as a stanza, stands in the tree.
std::string tree(std::string_view xml) {
    const auto told = agreed(onStream(xml));
    REQUIRE(told.size() == 2);
    return told[1];
}

}  // namespace

TEST_CASE("a whole conversation is told in order") {
    const auto told = agreed(
        "<?xml version='1.0' encoding='utf-8'?>\n<stream:stream from='juliet@im.example' "
        "to='im.example' id='x' version='1.0' xml:lang='en' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams'>\n"
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/> \r\n\t"
        "<message to=\"romeo@im.example\"><body>Art thou &lt;not&gt; Romeo?</body></message>"
        "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        "</stream:stream>");
    CHECK(told == Events{"header to=im.example from=juliet@im.example id=x lang=en version=1.0 "
                         "ns=jabber:client declared",
                         "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                         "<message xmlns='jabber:client' to='romeo@im.example'>"
                         "<body>Art thou &lt;not&gt; Romeo?</body></message>",
                         "<error xmlns='http://etherx.jabber.org/streams'>"
                         "<reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></error>",
                         "close"});
}

TEST_CASE("stanzas stand in the tree as they were meant") {
    struct Row {
        std::string_view xml, tree;
    };
    const auto row = GENERATE(values<Row>({
        {"<a/>", "<a xmlns='jabber:client'/>"},
        {"<a></a >", "<a xmlns='jabber:client'/>"},
        {"<a\n b = '1'\tc=\"2\"\r\n/>", "<a xmlns='jabber:client' b='1' c='2'/>"},
        {"<a>\n <b/>\n</a>", "<a xmlns='jabber:client'>\n <b/>\n</a>"},
        // Line ends and white space (XML 1.0, 2.11 and 3.3.3).
        {"<a>1\r\n2\r3</a>", "<a xmlns='jabber:client'>1\n2\n3</a>"},
        {"<a b='1\t2\n3'/>", "<a xmlns='jabber:client' b='1 2 3'/>"},
        {"<a b='1\t2\n3\r\n4'/>", "<a xmlns='jabber:client' b='1 2 3 4'/>"},
        {"<a b='&#9;&#10;&#xD;'/>", "<a xmlns='jabber:client' b='&#9;&#10;&#13;'/>"},
        // References.
        {"<a b='&lt;&quot;&apos;&amp;&gt;'>&lt;&quot;&apos;&amp;&gt;</a>",
         "<a xmlns='jabber:client' b='&lt;&quot;&apos;&amp;&gt;'>&lt;\"'&amp;&gt;</a>"},
        {"<a>&#65;&#x42;&#x1f600;&#xFFFD;</a>",
         "<a xmlns='jabber:client'>AB\xF0\x9F\x98\x80\xEF\xBF\xBD</a>"},
        {"<a>&#x000000041;</a>", "<a xmlns='jabber:client'>A</a>"},
        {"<a>&amp;amp;</a>", "<a xmlns='jabber:client'>&amp;amp;</a>"},
        {"<a b='>'>></a>", "<a xmlns='jabber:client' b='&gt;'>&gt;</a>"},
        {"<a>]] ]> ]]&gt;</a>", "<a xmlns='jabber:client'>]] ]&gt; ]]&gt;</a>"},
        // CDATA is text, and one with the text beside it.
        {"<a>1<![CDATA[<2>]]>3<![CDATA[]]></a>", "<a xmlns='jabber:client'>1&lt;2&gt;3</a>"},
        {"<a><![CDATA[]]></a>", "<a xmlns='jabber:client'/>"},
        {"<a><![CDATA[<b>'</a>]]>'</a>", "<a xmlns='jabber:client'>&lt;b&gt;'&lt;/a&gt;'</a>"},
        {"<a><![CDATA[</a>]>]]]></a>", "<a xmlns='jabber:client'>&lt;/a&gt;]&gt;]</a>"},
        {"<a b='/' c=\"/>'\"><b d='\">&lt;/a>'/><e></e></a>",
         "<a xmlns='jabber:client' b='/' c='/&gt;&apos;'><b d='&quot;&gt;&lt;/a&gt;'/><e/></a>"},
        // UTF-8 up to its edges, and names beyond ASCII.
        {"<a>\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBD</a>",
         "<a xmlns='jabber:client'>\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF"
         "\xBD</a>"},
        {"<a b='\xF0\x90\x80\x80'>\xF4\x8F\xBF\xBF\xEF\xBB\xBF</a>",
         "<a xmlns='jabber:client' b='\xF0\x90\x80\x80'>\xF4\x8F\xBF\xBF\xEF\xBB\xBF</a>"},
        {"<\xC3\xA9t\xC3\xA9 \xC3\xA0='1'/>",
         "<\xC3\xA9t\xC3\xA9 xmlns='jabber:client' \xC3\xA0='1'/>"},
        {"<_a.b-c1/>", "<_a.b-c1 xmlns='jabber:client'/>"},
        // Namespaces.
        {"<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'/></b></a>",
         "<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'/></b></a>"},
        {"<p:a xmlns:p='urn:a'><b p:c='1'/><p:d xmlns:p='urn:d'/><p:e/></p:a>",
         "<a xmlns='urn:a'><b xmlns='jabber:client' xmlns:n0='urn:a' n0:c='1'/><d xmlns='urn:d'/>"
         "<e/></a>"},
        {"<a p:b='1' b='2' xmlns:p='urn:p'/>",
         "<a xmlns='jabber:client' xmlns:n0='urn:p' n0:b='1' b='2'/>"},
        {"<a xml:lang='de' lang='en'/>", "<a xmlns='jabber:client' xml:lang='de' lang='en'/>"},
        {"<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>", "<a xmlns='jabber:client'/>"},
        {"<a xmlnsx='1'/>", "<a xmlns='jabber:client' xmlnsx='1'/>"},
        {"<a xmlns='a&amp;b'/>", "<a xmlns='a&amp;b'/>"},
        {"<a stream:b='1'/>",
         "<a xmlns='jabber:client' xmlns:n0='http://etherx.jabber.org/streams' n0:b='1'/>"},
        {"<a xmlns:stream='urn:x'><stream:b/></a>",
         "<a xmlns='jabber:client'><b xmlns='urn:x'/></a>"},
    }));
    CAPTURE(row.xml);
    CHECK(tree(row.xml) == row.tree);
}

TEST_CASE("what is no well-formed XML ends the stream with not-well-formed") {
    const auto content = GENERATE(values<std::string_view>({
        "<a><b></a>",
        "<a></b>",
        "<a></ab>",
        "<ab></a>",
        "<a></A>",
        "</a>",
        "</stream>",
        "<1/>",
        "<-a/>",
        "< a/>",
        "<a b/>",
        "<a b=c/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a b='1\"/>'/ >",
        "<a b='<'/>",
        "<a b='&'/>",
        "<a / >",
        "<a/ b='1'>",
        "<a></a b='1'>",
        "<a>&</a>",
        "<a>& </a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#xg;</a>",
        "<a>&#0;</a>",
        "<a>&#1;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#x110000;</a>",
        "<a>&#4294967361;</a>",
        "<a>&#X41;</a>",
        "<a>]]></a>",
        "<a>&#93;]]></a>",
        "<a>\x01</a>",
        "<a b='\x0B'/>",
        "<a>\xC3</a>",
        "<a>\xC3(</a>",
        "<a>\x80</a>",
        "<a>\xC0\xBC</a>",
        "<a>\xE0\x80\xBC</a>",
        "<a>\xED\xA0\x80</a>",
        "<a>\xEF\xBF\xBE</a>",
        "<a>\xF0\x8F\xBF\xBF</a>",
        "<a>\xF4\x90\x80\x80</a>",
        "<a>\xF5\x80\x80\x80</a>",
        "<a b='\xFF'/>",
        "<a\x80/>",
        "<a></\xE1>",
        "<a></a\xE1>",
        "<a b='\xE1'/>",
        "<\xE1>  ",
        // Namespaces.
        "<p:a/>",
        "<a p:b='1'/>",
        "<a><b xmlns:p='urn:p'/><p:c/></a>",
        "<a xmlns:p=''/>",
        "<a xmlns='urn:a' xmlns='urn:b'/>",
        "<a xmlns:p='urn:a' xmlns:p='urn:b'/>",
        "<a p:b='1' q:b='2' xmlns:p='urn:p' xmlns:q='urn:p'/>",
        "<a xmlns:xml='urn:x'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:xmlns='urn:x'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<:a/>",
        "<a:/>",
        "<a:b:c xmlns:a='urn:a'/>",
        "<a:1 xmlns:a='urn:a'/>",
        "<xmlns:a/>",
        // What XMPP forbids, and malformed at that.
        "<a><!-- -- --></a>",
        "<a><!DOCTYPE a></a>",
        "<a><![CDAT[]]></a>",
        "<?xml version='1.0'?>",
    }));
    CAPTURE(content);
    CHECK(failure(onStream(content)) == "failure not-well-formed");
}

TEST_CASE("a namespace can't hold the character that expat separates names with") {
    XmlParserPool pool{XmlPath::ExpatOnly};
    CHECK(events(pool, onStream("<a xmlns='urn:\n'/>")).back() == "<a xmlns='urn: '/>");
    CHECK(failure(onStream("<a xmlns='urn:&#1;'/>")) == "failure not-well-formed");
}

TEST_CASE("what XMPP takes from XML ends the stream with restricted-xml") {
    const auto content = GENERATE(values<std::string_view>({
        "<!-- a -->",
        "<a><!-- a --></a>",
        "<?php ?>",
        "<a><?php ?></a>",
        "<a>&nbsp;</a>",
        "<a b='&nbsp;'/>",
    }));
    CAPTURE(content);
    CHECK(failure(onStream(content)) == "failure restricted-xml");
}

TEST_CASE("text between stanzas ends the stream with bad-format") {
    const auto content = GENERATE(values<std::string_view>({
        "a",
        "<a/> b",
        "&lt;",
        "<![CDATA[]]>",
        "<![CDATA[ ]]>",
        "\x01",
        "\xEF\xBB\xBF",
    }));
    CAPTURE(content);
    CHECK(failure(onStream(content)) == "failure bad-format");
}

TEST_CASE("a stream that does not begin as one is refused") {
    struct Row {
        std::string_view input, condition;
    };
    static constexpr std::string_view utf16{"<\0?\0", 4};
    const auto row = GENERATE(values<Row>({
        {"GET / HTTP/1.1\r\n", "not-well-formed"},
        {"\x16\x03\x01", "not-well-formed"},
        {"\xEF\xBB\xBF<?xml version='1.0'?>", "unsupported-encoding"},
        {"\xFE\xFF", "unsupported-encoding"},
        {"\xFF\xFE<", "unsupported-encoding"},
        {utf16, "unsupported-encoding"},
        {"<?xml version='1.0' encoding='UTF-16'?>", "unsupported-encoding"},
        {"<?xml version='1.0' encoding='iso-8859-1'?><stream:stream>", "unsupported-encoding"},
        {"<?xml version='1.0' encoding='latin1'?>", "unsupported-encoding"},
        {"<?xml encoding='utf-8'?>", "not-well-formed"},
        {"<!DOCTYPE a><a/>", "restricted-xml"},
        {"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "restricted-xml"},
        {"<!-- a -->", "restricted-xml"},
        {"<?xml version='1.0'?><?php ?>", "restricted-xml"},
        {"<?xml version='1.0'?><?xml version='1.0'?>", "not-well-formed"},
        {"<stream:stream>", "not-well-formed"},
        {"<message/>", "invalid-namespace"},
        {"<stream/>", "invalid-namespace"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='http://wrong.example'>",
         "invalid-namespace"},
        {"<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>",
         "bad-namespace-prefix"},
        {"<stream:features xmlns:stream='http://etherx.jabber.org/streams'>", "bad-format"},
        {"<stream:stream to='&x;' xmlns:stream='http://etherx.jabber.org/streams'>",
         "restricted-xml"},
    }));
    CAPTURE(row.input);
    CHECK(failure(row.input) == "failure " + std::string{row.condition});
}

TEST_CASE("headers may declare their namespaces in any way that XML has") {
    // Other prefixes, the stream's namespace as default, none at all.
    CHECK(agreed("<stream xmlns='http://etherx.jabber.org/streams' to='a.example'>"
                 "<message xmlns='jabber:client'/><features/></stream>") ==
          Events{"header to=a.example from= id= lang= version= ns=",
                 "<message xmlns='jabber:client'/>",
                 "<features xmlns='http://etherx.jabber.org/streams'/>", "close"});
    CHECK(agreed("<stream:stream xmlns='urn:other' xmlns:p='urn:p' "
                 "xmlns:stream='http://etherx.jabber.org/streams'>"
                 "<p:a/><b><p:c/></b><stream:d/></stream:stream>") ==
          Events{"header to= from= id= lang= version= ns=urn:other", "<a xmlns='urn:p'/>",
                 "<b xmlns='urn:other'><c xmlns='urn:p'/></b>",
                 "<d xmlns='http://etherx.jabber.org/streams'/>", "close"});
    CHECK(agreed("<stream:stream xmlns:stream='http://etherx.jabber.org/streams'><a/>"
                 "</stream:stream >") ==
          Events{"header to= from= id= lang= version= ns=", "<a/>", "close"});
    CHECK(agreed("<stream:stream xmlns='jabber:client' "
                 "xmlns:stream='http://etherx.jabber.org/streams'/><a/>") ==
          Events{"header to= from= id= lang= version= ns=jabber:client", "close"});
}

TEST_CASE("stanzas between servers stand in the tree as jabber:client") {
    const auto told =
        agreed(std::string{serverHead} +
               "<message><body/><x xmlns='jabber:server'/><forwarded xmlns='urn:xmpp:forward:0'>"
               "<message xmlns='jabber:client'/></forwarded></message>"
               "<message xmlns='jabber:server'><p:y xmlns:p='jabber:server' p:z='1'/></message>"
               "<db:result from='a.example'>key</db:result></stream:stream>");
    CHECK(told == Events{"header to= from= id= lang= version= ns=jabber:server",
                         "<message xmlns='jabber:client'><body/><x/>"
                         "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/>"
                         "</forwarded></message>",
                         "<message xmlns='jabber:client'>"
                         "<y xmlns:n0='jabber:client' n0:z='1'/></message>",
                         "<result xmlns='jabber:server:dialback' from='a.example'>key</result>",
                         "close"});
    CHECK(tree("<message><x xmlns='jabber:server'/></message>") ==
          "<message xmlns='jabber:client'><x xmlns='jabber:server'/></message>");
}

TEST_CASE("a stanza with a prefix is refused") {
    CHECK(failure(onStream("<p:message xmlns:p='jabber:client'/>")) ==
          "failure bad-namespace-prefix");
    CHECK(failure(std::string{serverHead} + "<p:iq xmlns:p='jabber:server'/>") ==
          "failure bad-namespace-prefix");
    CHECK(tree("<a><p:body xmlns:p='jabber:client'/></a>") ==
          "<a xmlns='jabber:client'><body/></a>");
}

TEST_CASE("limits end the stream with policy-violation, one below them does not") {
    XmlLimits limits;
    const auto below = [&](std::string_view content) {
        return agreed(onStream(content), limits).back().starts_with("<");
    };
    const auto refused = [&](std::string_view content) {
        return failure(onStream(content), limits) == "failure policy-violation";
    };
    SECTION("bytes") {
        limits.elementBytesMax = head.size();
        const auto ofBytes = [](std::size_t bytes) {
            return "<a>" + std::string(bytes - 7, 'x') + "</a>";
        };
        CHECK(below(ofBytes(head.size())));
        CHECK(refused(ofBytes(head.size() + 1)));
        CHECK(refused("<a b='" + std::string(head.size(), 'x')));
        limits.elementBytesMax = head.size() - 1;
        CHECK(failure(onStream("<a/>"), limits) == "failure policy-violation");
    }
    SECTION("depth") {
        limits.depthMax = 2;
        CHECK(below("<a><b>x</b><b/></a>"));
        CHECK(refused("<a><b><c/></b></a>"));
    }
    SECTION("attributes") {
        limits.attributesMax = 4;
        CHECK(below("<a b='1' xmlns:p='urn:p' p:b='2' xmlns='x'/>"));
        CHECK(refused("<a b='1' xmlns:p='urn:p' p:b='2' xmlns='x' c='3'/>"));
        CHECK(refused("<a b='1' xmlns:p='urn:p' p:b='2' xmlns='x' xmlns:q='urn:q'/>"));
    }
    SECTION("nodes") {
        limits.nodesMax = 4;
        CHECK(below("<a>1<b/>2</a>"));
        CHECK(refused("<a>1<b/>2<c/></a>"));
        CHECK(refused("<a><b/><b/><b/>2</a>"));
    }
    SECTION("namespaces that would be written again and again") {
        limits.parserBytesMax = 60000;
        const auto used = [](int times) {
            std::string xml = "<a xmlns:p='" + std::string(1000, 'n') + "'>";
            for (int i = 0; i < times; ++i) xml += "<p:b/>";
            return xml + "</a>";
        };
        XmlParserPool pool;
        CHECK(events(pool, onStream(used(20)), {}, limits).back().starts_with("<a"));
        CHECK(events(pool, onStream(used(70)), {}, limits).back() == "failure policy-violation");
    }
}

TEST_CASE("a header may not be as long as a stanza") {
    XmlParserPool pool;
    const std::string_view rest =
        "' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    const auto header = [&](std::size_t bytes) {
        return "<stream:stream to='" + std::string(bytes, 'x') + std::string{rest};
    };
    CHECK(events(pool, header(8000)).back().starts_with("header"));
    CHECK(events(pool, header(20000)) == Events{"failure policy-violation"});
}

TEST_CASE("the memory of a parser is limited, also where few bytes take much") {
    XmlLimits limits;
    limits.nodesMax = 1000000;
    limits.elementBytesMax = 10000000;
    limits.depthMax = 1000000;
    std::string names, nested, many;
    for (int i = 0; i < 60000; ++i) {
        names += "<n" + std::to_string(i) + " a" + std::to_string(i) + "='1'/>";
        nested += "<n>";
        many += "<n/>";
    }
    for (const auto path : {XmlPath::FastThenExpat, XmlPath::ExpatOnly}) {
        XmlParserPool pool{path};
        CHECK(events(pool, onStream("<a>" + names + "</a>"), {}, limits).back() ==
              "failure policy-violation");
        CHECK(events(pool, onStream("<a>" + many + "</a>"), {}, limits).back() ==
              "failure policy-violation");
        CHECK(events(pool, onStream(nested), {}, limits).back() == "failure policy-violation");
        CHECK(events(pool, onStream("<a b='" + std::string(3000000, 'x')), {}, limits).back() ==
              "failure policy-violation");
    }
}

TEST_CASE("a text of nearly the largest stanza is taken, whole or in pieces") {
    const auto xml = onStream("<a>" + std::string(262144 - 7, 'x') + "</a>");
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 1000; cut < xml.size(); cut += 1000) cuts.push_back(cut);
    XmlParserPool pool;
    CHECK(events(pool, xml).size() == 2);
    CHECK(events(pool, xml, cuts) == events(pool, xml));
    XmlParserPool expatOnly{XmlPath::ExpatOnly};
    CHECK(events(expatOnly, xml) == events(pool, xml));
}

TEST_CASE("a stanza of many small items is taken within the usual limits") {
    std::string xml = "<iq type='set' id='1'><query xmlns='http://jabber.org/protocol/muc#admin'>";
    for (int i = 1000; i < 9500; ++i) xml += "<item jid='" + std::to_string(i) + "@a.example'/>";
    xml += "</query></iq>";
    for (const auto path : {XmlPath::FastThenExpat, XmlPath::ExpatOnly}) {
        XmlParserPool pool{path};
        CHECK(events(pool, onStream(xml)).back().starts_with("<iq"));
    }
}

TEST_CASE("a namespace of 100 kB that a thousand children share is held once") {
    std::string xml = "<a xmlns:p='" + std::string(100000, 'n') + "'><p:b>";
    for (int i = 0; i < 1000; ++i) xml += "<p:c/>";
    xml += "</p:b><d/><p:e/></a>";
    for (const auto path : {XmlPath::FastThenExpat, XmlPath::ExpatOnly}) {
        XmlParserPool pool{path};
        XmlStream stream{pool, {}};
        std::string_view input = head;
        REQUIRE(stream.next(input) == XmlStream::Event::Header);
        input = xml;
        REQUIRE(stream.next(input) == XmlStream::Event::Element);
        const auto element = stream.takeElement();
        CHECK(element->arena().bytes() < 280000);
        CHECK(toXml(*element).size() < 220000);
    }
}

TEST_CASE("100,000 levels are taken and given back under limits that allow them") {
    XmlLimits limits{.elementBytesMax = SIZE_MAX,
                     .depthMax = SIZE_MAX,
                     .attributesMax = 64,
                     .nodesMax = SIZE_MAX,
                     .parserBytesMax = SIZE_MAX};
    std::string xml;
    for (int i = 0; i < 100000; ++i) xml += "<a>";
    for (int i = 0; i < 100000; ++i) xml += "</a>";
    XmlParserPool fast, expatOnly{XmlPath::ExpatOnly};
    const auto one = parseElement(fast, limits, xml);
    const auto other = parseElement(expatOnly, limits, xml);
    REQUIRE(one.document);
    REQUIRE(other.document);
    CHECK(*one.document == *other.document);
    CHECK(toXml(*one.document).size() == 7 * 100000 - 3);
}

TEST_CASE("a long tag that comes byte by byte is read all the same") {
    const auto content = "<a b='" + std::string(30000, '>') + "' c='&lt;'>x</a>";
    const auto xml = onStream(content);
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 0; cut < xml.size(); ++cut) cuts.push_back(cut);
    XmlParserPool pool;
    CHECK(events(pool, xml, cuts) == events(pool, xml));
    CHECK(events(pool, onStream("<a b='" + std::string(30000, 'x') + "\x01'/>"), cuts).back() ==
          "failure not-well-formed");
}

TEST_CASE("nothing behind an event is taken") {
    for (const auto path : {XmlPath::FastThenExpat, XmlPath::ExpatOnly}) {
        XmlParserPool pool{path};
        XmlStream stream{pool, {}};
        const auto input = std::string{head} + "<a><b>></b></a>\n<c/></stream:stream>\x16\x03";
        std::string_view rest = input;
        CHECK(stream.next(rest) == XmlStream::Event::Header);
        CHECK(rest.starts_with("<a>"));
        CHECK(stream.next(rest) == XmlStream::Event::Element);
        CHECK(rest.starts_with("\n<c/>"));
        CHECK(stream.next(rest) == XmlStream::Event::Element);
        CHECK(rest.starts_with("</stream"));
        CHECK(stream.next(rest) == XmlStream::Event::Close);
        CHECK(rest == "\x16\x03");
        CHECK(stream.next(rest) == XmlStream::Event::NeedMore);
        CHECK(rest.empty());
    }
}

TEST_CASE("after a restart another stream begins") {
    XmlParserPool pool;
    XmlStream stream{pool, {}};
    std::string_view input = head;
    REQUIRE(stream.next(input) == XmlStream::Event::Header);
    input = "<proceed/";
    REQUIRE(stream.next(input) == XmlStream::Event::NeedMore);
    CHECK(stream.isInside());
    CHECK(pool.inUse() == 1);
    stream.restart();
    CHECK_FALSE(stream.isInside());
    CHECK(pool.inUse() == 0);

    const auto second = "\n " + std::string{serverHead} + "<a/>";
    input = second;
    REQUIRE(stream.next(input) == XmlStream::Event::Header);
    CHECK(stream.header().to.empty());
    CHECK(stream.header().defaultNs == "jabber:server");
    REQUIRE(stream.next(input) == XmlStream::Event::Element);
    CHECK(stream.takeElement()->is("a", ns::client));

    input = "x";
    REQUIRE(stream.next(input) == XmlStream::Event::Failure);
    CHECK_FALSE(stream.error().text.empty());
    REQUIRE(stream.next(input) == XmlStream::Event::Failure);
    stream.restart();
    input = head;
    CHECK(stream.next(input) == XmlStream::Event::Header);
}

TEST_CASE("idle streams hold no parser, and share those of their kind") {
    XmlParserPool pool{XmlPath::ExpatOnly};
    std::vector<XmlStream> streams;
    for (int i = 0; i < 10; ++i) {
        XmlStream& stream = streams.emplace_back(pool, XmlLimits{});
        std::string_view input = i < 8 ? head : serverHead;
        REQUIRE(stream.next(input) == XmlStream::Event::Header);
    }
    CHECK(pool.inUse() == 0);
    CHECK(pool.idle() == 2);
    for (int i = 0; i < 3; ++i) {
        std::string_view input = "<a>";
        REQUIRE(streams[std::size_t(i)].next(input) == XmlStream::Event::NeedMore);
    }
    CHECK(pool.inUse() == 3);
    CHECK(pool.idle() == 1);
    for (int i = 0; i < 3; ++i) {
        const auto xml = std::to_string(i) + "</a>";
        std::string_view input = xml;
        REQUIRE(streams[std::size_t(i)].next(input) == XmlStream::Event::Element);
        CHECK(streams[std::size_t(i)].takeElement()->text() == std::to_string(i));
    }
    CHECK(pool.inUse() == 0);
    CHECK(pool.idle() == 4);
}

TEST_CASE("a parser that has grown or failed is not used again") {
    XmlParserPool pool{XmlPath::ExpatOnly};
    std::string names = "<a>";
    for (int i = 0; i < 2000; ++i) names += "<name-number-" + std::to_string(i) + "/>";
    CHECK(events(pool, onStream("<a/>")).size() == 2);
    CHECK(pool.idle() == 1);
    CHECK(events(pool, onStream(names + "</a>")).size() == 2);
    CHECK(pool.idle() == 0);
    CHECK(events(pool, onStream("<a></b>")).back() == "failure not-well-formed");
    CHECK(pool.idle() == 0);
    CHECK(pool.inUse() == 0);
}

TEST_CASE("a stream can move to another pool between elements and inside of one") {
    XmlParserPool one, other;
    XmlStream stream{one, {}};
    std::string_view input = head;
    REQUIRE(stream.next(input) == XmlStream::Event::Header);
    stream.moveTo(other);
    input = "<a><b";
    REQUIRE(stream.next(input) == XmlStream::Event::NeedMore);
    CHECK(other.inUse() == 1);
    stream.moveTo(one);
    CHECK(other.inUse() == 0);
    CHECK(one.inUse() == 1);
    input = "/></a>";
    REQUIRE(stream.next(input) == XmlStream::Event::Element);
    CHECK(toXml(*stream.takeElement(), ns::client) == "<a><b/></a>");
    CHECK(one.inUse() == 0);
}

TEST_CASE("other limits hold from the next element on") {
    XmlParserPool pool;
    XmlStream stream{pool, {}};
    std::string_view input = head;
    REQUIRE(stream.next(input) == XmlStream::Event::Header);
    stream.setLimits({.depthMax = 1});
    input = "<a/><a><b/></a>";
    REQUIRE(stream.next(input) == XmlStream::Event::Element);
    REQUIRE(stream.next(input) == XmlStream::Event::Failure);
    CHECK(stream.error().condition == StreamCondition::PolicyViolation);
    CHECK(stream.error().text == "A stanza has more than 1 levels of elements.");
}

TEST_CASE("the text inside a stanza can be reused when nothing around it matters") {
    struct Row {
        std::string_view header, xml, inner;
    };
    const auto row = GENERATE(values<Row>({
        {head, "<message to='a'><body>&lt;x</body> </message >", "<body>&lt;x</body> "},
        {head, "<iq>text</iq>", "text"},
        {head, "<iq/>", ""},
        {head, "<iq></iq>", ""},
        {head, "<iq xmlns='jabber:client'><p:a xmlns:p='urn:p'><p:b/></p:a></iq>",
         "<p:a xmlns:p='urn:p'><p:b/></p:a>"},
        {head, "<iq><a xml:lang='en' xmlns='urn:a'><b xmlns='jabber:client'/></a></iq>",
         "<a xml:lang='en' xmlns='urn:a'><b xmlns='jabber:client'/></a>"},
        {serverHead, "<iq><a/></iq>", "<a/>"},
        {serverHead, "<iq xmlns='jabber:server'><a/></iq>", "<a/>"},
        // Prefixes from outside, and namespaces that would be wrong elsewhere.
        {head, "<iq xmlns:p='urn:p'><p:a/></iq>", ""},
        {head, "<iq><stream:a/></iq>", ""},
        {head, "<iq><a stream:b='1'/></iq>", ""},
        {head, "<iq><a xmlns='jabber:client'/></iq>", ""},
        {serverHead, "<iq><a xmlns='jabber:server'/></iq>", ""},
        {serverHead, "<iq><a xmlns='urn:a'><b xmlns='jabber:server'/></a></iq>", ""},
        {serverHead, "<iq><p:a xmlns:p='jabber:server'/></iq>", ""},
        {head, "<iq xmlns='urn:a'><a/></iq>", ""},
        // What expat has read.
        {head, "<iq><![CDATA[a]]></iq>", ""},
    }));
    CAPTURE(row.xml);
    XmlParserPool pool;
    XmlStream stream{pool, {}};
    std::string_view input = row.header;
    REQUIRE(stream.next(input) == XmlStream::Event::Header);
    input = row.xml;
    REQUIRE(stream.next(input) == XmlStream::Event::Element);
    const auto element = stream.takeElement();
    CHECK(stream.innerText() == row.inner);
}

TEST_CASE("one element can be read outside of a stream") {
    CHECK(parseXml("<a/>"));
    CHECK((*parseXml(" <a xmlns='b'/>\n"))->ns() == "b");
    CHECK((*parseXml("<a/>", "urn:inherited"))->is("a", "urn:inherited"));
    CHECK((*parseXml("<a><![CDATA[]]></a>", "urn:'inherited'"))->is("a", "urn:'inherited'"));
    {
        std::string passing = "urn:passing";
        const auto kept = parseXml("<a><b/></a>", passing);
        passing = "overwritten";
        CHECK((*kept)->firstChild()->ns() == "urn:passing");
    }
    const auto bad = GENERATE(values<std::string_view>({
        "",
        " ",
        "a",
        "<a>",
        "<a",
        "<a/><b/>",
        "<a/>b",
        "</a>",
        "</stream:stream>",
        "<!-- a -->",
        "<?xml version='1.0'?><a/>",
    }));
    CAPTURE(bad);
    CHECK_FALSE(parseXml(bad));
    const auto parsed = parseElement(bad);
    CHECK_FALSE(parsed.error.text.empty());
}
