// Parsing and writing of an ordinary chat message.
#include "core/namespaces.h"
#include "core/stanza.h"
#include "core/xml_stream.h"
#include "tests/bench/bench.h"

#include <cstdlib>

using namespace epode;

namespace {

constexpr std::string_view head =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

// 312 bytes: a body and three small extensions.
constexpr std::string_view message =
    "<message from='juliet@capulet.example/balcony' to='romeo@montague.example' type='chat' "
    "id='c2b1f5a0-77' xml:lang='en'><body>Wherefore art thou? Deny him</body>"
    "<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>"
    "<origin-id xmlns='urn:xmpp:sid:0' id='c2b1f5a0-77'/></message>";
static_assert(message.size() == 312);

XmlStream open(XmlParserPool& pool) {
    XmlStream stream{pool, {}};
    std::string_view input = head;
    if (stream.next(input) != XmlStream::Event::Header) std::abort();
    return stream;
}

void expect(XmlStream& stream, std::string_view& input) {
    if (stream.next(input) != XmlStream::Event::Element) std::abort();
}

void parse(bench::Run& run, XmlPath path) {
    XmlParserPool pool{path};
    auto stream = open(pool);
    while (run.next()) {
        std::string_view input = message;
        expect(stream, input);
        bench::keep(stream.takeElement());
    }
}

StanzaPtr readMessage() {
    auto stanza = Stanza::parse(message);
    if (!stanza) std::abort();
    return stanza;
}

}  // namespace

BENCH("xml: parse a message of 312 bytes") { parse(run, XmlPath::FastThenExpat); }

BENCH("xml: parse a message of 312 bytes with expat") { parse(run, XmlPath::ExpatOnly); }

BENCH("xml: parse a message of 312 bytes in two reads") {
    XmlParserPool pool;
    auto stream = open(pool);
    while (run.next()) {
        std::string_view first = message.substr(0, 160), second = message.substr(160);
        if (stream.next(first) != XmlStream::Event::NeedMore) std::abort();
        expect(stream, second);
        bench::keep(stream.takeElement());
    }
}

BENCH("xml: parse one message of 52 in a read of 16 KiB") {
    XmlParserPool pool;
    auto stream = open(pool);
    std::string read;
    while (read.size() + message.size() <= 16384) read += message;
    std::string_view input;
    while (run.next()) {
        if (input.empty()) input = read;
        expect(stream, input);
        bench::keep(stream.takeElement());
    }
}

BENCH("xml: read a stream header") {
    XmlParserPool pool;
    XmlStream stream{pool, {}};
    while (run.next()) {
        std::string_view input = head;
        if (stream.next(input) != XmlStream::Event::Header) std::abort();
        stream.restart();
    }
}

BENCH("xml: parse a message into a stanza") {
    XmlParserPool pool;
    auto stream = open(pool);
    while (run.next()) {
        std::string_view input = message;
        expect(stream, input);
        auto document = stream.takeElement();
        Stanza::Problem problem;
        bench::keep(Stanza::fromDocument(std::move(document), stream.innerText(), problem));
    }
}

BENCH("xml: write a received message") {
    const auto stanza = readMessage();
    std::string out;
    while (run.next()) {
        out.clear();
        stanza->write(out, ns::client);
        bench::keep(out);
    }
}

BENCH("xml: write a changed message from its tree") {
    const auto stanza = readMessage()->copy();
    stanza->edit();
    std::string out;
    while (run.next()) {
        out.clear();
        stanza->write(out, ns::client);
        bench::keep(out);
    }
}

BENCH("xml: copy a message") {
    const auto stanza = readMessage();
    while (run.next()) bench::keep(stanza->copy());
}
