#include "core/xml_pieces.h"

#include "tests/support/catch.h"

using namespace epode;

namespace {

using Kind = XmlPieces::Event::Kind;

// "opened" elements are those of this name; the rest come whole.
XmlPieces::Shape shapeOf(const Element& start, std::size_t) {
    return start.name() == "opened" ? XmlPieces::Shape::Opened : XmlPieces::Shape::Whole;
}

// "<opened a='1'> whole </>" for each event, fed in pieces of `step` bytes.
std::string told(std::string_view xml, std::size_t step, std::size_t wholeBytesMax = 1 << 20) {
    XmlPieces pieces{shapeOf, wholeBytesMax};
    std::string text;
    const auto add = [&text](const XmlPieces::Event& event) {
        if (event.kind == Kind::End)
            text += "</>";
        else
            text += (event.kind == Kind::Start ? "start:" : "") + toXml(*event.element);
        text += "\n";
    };
    try {
        for (std::size_t at = 0; at < xml.size(); at += step)
            for (const auto& event : pieces.feed(xml.substr(at, step))) add(event);
        for (const auto& event : pieces.finish()) add(event);
    } catch (const XmlPiecesError& error) {
        return "error: " + std::string{error.what()};
    }
    return text;
}

}  // namespace

TEST_CASE("a document comes in pieces, however its bytes are cut") {
    const std::string xml =
        "<?xml version='1.0'?>\n<opened xmlns='urn:a' a='1'>text<!-- note --><b><c x='y'>&lt;é<d "
        "xmlns='urn:d'/></c></b>\n<opened><e xml:lang='en'>1<f/>2</e></opened></opened>\n";
    const std::string wanted =
        "start:<opened xmlns='urn:a' a='1'/>\n"
        "<b xmlns='urn:a'><c x='y'>&lt;é<d xmlns='urn:d'/></c></b>\n"
        "start:<opened xmlns='urn:a'/>\n"
        "<e xmlns='urn:a' xml:lang='en'>1<f/>2</e>\n"
        "</>\n</>\n";
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, xml.size()}) {
        INFO(step);
        CHECK(told(xml, step) == wanted);
    }
    CHECK(told("<whole/>", 3) == "<whole/>\n");
}

TEST_CASE("what is no document, or too much of one, is refused with its line") {
    const std::pair<const char*, const char*> rows[] = {
        {"", "line 1"},
        {"hello", "line 1"},
        {"<opened>\n<a>", "line 2"},
        {"<opened>\n<a></b></opened>", "line 2"},
        {"<opened/><opened/>", "line 1"},
        {"<a xmlns:x='urn:x'><y:b/></a>", "line 1"},
        {"<!DOCTYPE a [<!ENTITY b 'b'>]>\n<a>&b;</a>", "document type"},
        {"<a>\xff</a>", "line 1"},
    };
    for (const auto& [xml, wanted] : rows) {
        INFO(xml);
        const auto text = told(xml, 4);
        CHECK(text.starts_with("error: "));
        CHECK(text.find(wanted) != std::string::npos);
    }
    const std::string large = "<opened><a>" + std::string(200'000, 'x') + "</a></opened>";
    CHECK(told(large, 1 << 16, 1 << 20).starts_with("start:"));
    CHECK(told(large, 1 << 16, 1 << 16).find("more than 65536 bytes") != std::string::npos);
    std::string deep;
    for (int i = 0; i < 2000; ++i) deep += "<a>";
    CHECK(told(deep, 1 << 16).find("nested") != std::string::npos);
}
