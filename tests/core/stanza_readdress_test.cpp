#include "core/stanza.h"
#include "tests/support/catch.h"

using namespace epode;

TEST_CASE("a readdressed stanza differs in its address alone") {
    constexpr auto xml =
        "<presence xmlns='jabber:client' from='juliet@capulet.example/balcony' "
        "to='juliet@capulet.example' id='p' type='unavailable' xml:lang='en'>"
        "<status>bye</status></presence>";
    const StanzaPtr original = Stanza::parse(xml);
    REQUIRE(original);
    const std::string before = original->toXml();

    const StanzaPtr copy = Stanza::readdressed(original, *Jid::parse("romeo@montague.example"));

    CHECK(copy->to().text() == "romeo@montague.example");
    CHECK(copy->from() == original->from());
    CHECK(copy->id() == "p");
    CHECK(copy->lang() == "en");
    CHECK(copy->type() == StanzaType::Unavailable);
    CHECK(copy->isPresence());
    CHECK(&copy->root() == &original->root());
    auto expected = original->copy();
    expected->setTo(copy->to());
    CHECK(copy->toXml() == expected->toXml());
    CHECK(original->toXml() == before);
}

TEST_CASE("a readdressed stanza keeps its tree alive, also through several hands") {
    StanzaPtr stanza =
        Stanza::parse("<presence xmlns='jabber:client' id='p'><status>here</status></presence>");
    REQUIRE(stanza);
    const std::weak_ptr<const Stanza> original = stanza;
    stanza = Stanza::readdressed(stanza, *Jid::parse("a@montague.example"));
    stanza = Stanza::readdressed(stanza, *Jid::parse("b@montague.example"));
    CHECK_FALSE(original.expired());
    CHECK(stanza->toXml("jabber:client") ==
          "<presence to='b@montague.example' id='p'><status>here</status></presence>");

    SECTION("a copy of it is its own") {
        const auto copy = stanza->copy();
        stanza.reset();
        CHECK(original.expired());
        copy->edit().add("show").addText("away");
        CHECK(copy->child("show", "jabber:client"));
        CHECK(copy->id() == "p");
    }
    SECTION("nothing is left when it goes") {
        stanza.reset();
        CHECK(original.expired());
    }
}
