// Any bytes as a stream: both ways through the parser agree, wherever the input is cut; what was
// read can be written, and reads back as the same tree.
//
// An input that does not begin with `<?` or `<stream` is put behind a usual header, chosen by its
// first byte, so that most inputs reach the stanzas.
#include "core/element.h"
#include "core/namespaces.h"
#include "core/xml_stream.h"
#include "tests/support/xml_events.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace epode;

namespace {

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

std::string conversation(std::string_view input) {
    static constexpr std::string_view heads[] = {
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
        "xmlns:db='jabber:server:dialback'>",
        "<stream:stream xmlns='urn:other' xmlns:p='urn:p' xmlns:q='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams'>",
        "<stream xmlns='http://etherx.jabber.org/streams'>",
    };
    if (input.empty() || input.starts_with("<?") || input.starts_with("<stream")) {
        return std::string{input};
    }
    // Ordinary inputs begin with a `<`, and come from a client.
    const auto choice = input.front() == '<' ? 0u : std::uint8_t(input.front()) % 4u;
    if (input.front() != '<') input.remove_prefix(1);
    return std::string{heads[choice]} + std::string{input};
}

// What is told of each element must survive being written, and the text that is said to be reusable
// must say the same as the tree.
void checkElements(XmlParserPool& pool, std::string_view input) {
    XmlStream stream{pool, {}};
    for (;;) {
        const auto event = stream.next(input);
        if (event == XmlStream::Event::Header) continue;
        if (event != XmlStream::Event::Element) return;
        const auto document = stream.takeElement();
        const auto inner = std::string{stream.innerText()};

        const auto xml = toXml(*document);
        const auto again = parseXml(xml);
        demand(again && **again == *document, "what is written reads back as the same tree");
        demand(toXml(**again) == xml, "what is written twice is the same");
        demand(*Document{*document} == *document, "a copy is equal");

        if (inner.empty()) continue;
        Document shell{document->name(), document->ns()};
        const auto inside = parseXml("<x>" + inner + "</x>", ns::client);
        demand(bool(inside), "the inner text is well-formed by itself");
        for (const Element& node : (*inside)->nodes()) shell->add(node);
        Document expected{document->name(), document->ns()};
        for (const Element& node : document->nodes()) expected->add(node);
        demand(*shell == *expected, "the inner text says the same as the tree");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static XmlParserPool both;
    static XmlParserPool expatOnly{XmlPath::ExpatOnly};
    const auto input = conversation({reinterpret_cast<const char*>(data), size});

    const auto whole = test::events(both, input);
    demand(test::events(expatOnly, input) == whole, "both ways give the same events");

    std::vector<std::size_t> cuts;
    if (size < 256) {
        for (std::size_t cut = 1; cut < input.size(); ++cut) cuts.push_back(cut);
        demand(test::events(both, input, cuts) == whole, "single bytes give the same events");
        demand(test::events(expatOnly, input, cuts) == whole, "single bytes, expat only");
        cuts.clear();
    }
    // Cuts that follow from the input, so that a finding stays one.
    std::uint32_t state = std::uint32_t(size) + 1;
    for (std::size_t i = 0; i < size; i += 7) state = state * 31 + data[i];
    for (std::size_t cut = 0;; cuts.push_back(cut)) {
        state = state * 1664525 + 1013904223;
        cut += 1 + (state >> 16) % 97;
        if (cut >= input.size()) break;
    }
    demand(test::events(both, input, cuts) == whole, "cut input gives the same events");

    checkElements(both, input);
    checkElements(expatOnly, input);
    return 0;
}
