// The elements of dialback, and its key.
#include "stream/dialback.h"
#include "tests/support/catch.h"

using namespace epode;

namespace {

std::optional<DialbackElement> read(std::string_view xml, bool* isMalformed = nullptr) {
    const auto element = parseXml(xml, "jabber:server:dialback");
    bool malformed = false;
    auto read = DialbackElement::read(**element, malformed);
    if (isMalformed) *isMalformed = malformed;
    return read;
}

}  // namespace

TEST_CASE("the key of a dialback is made from both domains, the stream and a secret") {
    // The example of XEP-0185, 3.
    CHECK(dialbackKey("s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F") ==
          "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
    const auto key = dialbackKey("secret", "a.example", "b.example", "1");
    CHECK(key != dialbackKey("other", "a.example", "b.example", "1"));
    CHECK(key != dialbackKey("secret", "b.example", "a.example", "1"));
    CHECK(key != dialbackKey("secret", "a.example", "b.example", "2"));
}

TEST_CASE("elements of dialback are read with prepared domains") {
    const auto request =
        read("<result from='Montague.Example' to='capulet.example'> cafe\n</result>");
    REQUIRE(request);
    CHECK(request->kind == DialbackElement::Kind::Result);
    CHECK(request->type == DialbackElement::Type::Request);
    CHECK(request->from == "montague.example");
    CHECK(request->key == "cafe");
    const auto error = read(
        "<verify from='a.example' to='b.example' id='1' type='error'><error type='cancel'>"
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></verify>");
    REQUIRE(error);
    CHECK(error->type == DialbackElement::Type::Error);
    CHECK(error->condition == "item-not-found");
}

TEST_CASE("elements of dialback that lack something are malformed") {
    for (const std::string_view xml :
         {"<result from='a.example'>k</result>", "<result to='a.example'>k</result>",
          "<result from='a.example' to='b.example'/>",
          "<result from='x@a.example' to='b.example'>k</result>",
          "<result from='a.example' to='b.example/r'>k</result>",
          "<result from='a.example' to='b.example' type='maybe'/>",
          "<verify from='a.example' to='b.example'>k</verify>",
          "<verify from='' to='b.example' id='1'>k</verify>",
          "<other from='a.example' to='b.example' id='1'>k</other>"}) {
        INFO(xml);
        bool isMalformed = false;
        CHECK_FALSE(read(xml, &isMalformed));
        CHECK(isMalformed);
    }
    const std::string longKey(300, 'k');
    CHECK_FALSE(read("<result from='a.example' to='b.example'>" + longKey + "</result>"));
    bool isMalformed = true;
    CHECK_FALSE(read("<result xmlns='jabber:client' from='a.example' to='b.example'>k</result>",
                     &isMalformed));
    CHECK_FALSE(isMalformed);
}

TEST_CASE("what is written of dialback is read back") {
    using Kind = DialbackElement::Kind;
    using Type = DialbackElement::Type;
    for (const auto& one :
         {DialbackElement{Kind::Result, Type::Request, "a.example", "b.example", "", "k'<&", ""},
          DialbackElement{Kind::Verify, Type::Valid, "a.example", "b.example", "i'd", "", ""},
          DialbackElement{Kind::Verify, Type::Invalid, "a.example", "b.example", "id", "", ""},
          DialbackElement{Kind::Result, Type::Error, "a.example", "b.example", "", "",
                          "forbidden"}}) {
        std::string xml;
        one.write(xml);
        INFO(xml);
        // The stream's header declares the prefix.
        xml.insert(xml.find(' '), " xmlns:db='jabber:server:dialback'");
        const auto element = parseXml(xml);
        REQUIRE(element);
        bool isMalformed = false;
        const auto again = DialbackElement::read(**element, isMalformed);
        REQUIRE(again);
        CHECK(again->kind == one.kind);
        CHECK(again->type == one.type);
        CHECK(again->from == one.from);
        CHECK(again->id == one.id);
        CHECK(again->key == one.key);
        CHECK(again->condition == one.condition);
    }
}
