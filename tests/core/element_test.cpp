// The tree of XML elements, and how it is written.
#include "core/element.h"

#include "core/namespaces.h"
#include "tests/support/catch.h"

using namespace epode;

TEST_CASE("an element gives its attributes by name and namespace") {
    Document item{"item", ns::roster};
    item->set("jid", "romeo@montague.example").set("lang", ns::xml, "en");
    CHECK(item->get("jid") == "romeo@montague.example");
    CHECK(item->get("name", "nobody") == "nobody");
    CHECK(item->get("lang").empty());
    CHECK(item->find("lang", ns::xml) == "en");
    CHECK_FALSE(item->find("jid", ns::xml));

    item->set("jid", "nurse@capulet.example");
    CHECK(item->get("jid") == "nurse@capulet.example");
    CHECK(toXml(*item, ns::roster) == "<item jid='nurse@capulet.example' xml:lang='en'/>");
}

TEST_CASE("an attribute can be taken away wherever it stands") {
    for (const auto* gone : {"a", "b", "c"}) {
        Document x{"x", ""};
        x->set("a", "1").set("b", "2").set("c", "3");
        x->unset(gone);
        CHECK_FALSE(x->find(gone));
        x->set("d", "4");
        x->unset("none");
        std::size_t count = 0;
        for (const Attribute* at = x->attributes(); at; at = at->next) ++count;
        CHECK(count == 3);
        CHECK(x->get("d") == "4");
    }
    Document only{"x", ""};
    only->set("a", "1").unset("a");
    CHECK(only->set("b", "2").get("b") == "2");
}

TEST_CASE("children are found in the element's own namespace unless another is named") {
    const auto query = parseXml(
        "<query xmlns='jabber:iq:roster'>text<x xmlns='jabber:x:data'/><item/>more<item n='2'/>"
        "</query>");
    REQUIRE(query);
    const Element& root = **query;
    CHECK(root.child("x") == nullptr);
    CHECK(root.child("x", ns::dataForms) == root.firstChild());
    CHECK(root.child("item")->get("n").empty());
    CHECK(root.children().size() == 3);
    CHECK(root.text() == "text");
    std::size_t nodes = 0;
    for ([[maybe_unused]] const Element& node : root.nodes()) ++nodes;
    CHECK(nodes == 5);
    CHECK(Document("empty", "")->firstChild() == nullptr);
    CHECK(Document("empty", "")->children().empty());
}

TEST_CASE("children that match are removed, first, last and in between") {
    const auto make = [] { return *parseXml("<x><a/>1<b/><a/>2<a/></x>"); };
    const auto named = [](std::string_view name) {
        return [name](const Element& child) { return child.name() == name; };
    };
    auto x = make();
    CHECK(x->removeChildren(named("a")) == 3);
    CHECK(toXml(*x) == "<x>1<b/>2</x>");
    x->add("c");
    CHECK(toXml(*x) == "<x>1<b/>2<c/></x>");
    CHECK(x->removeChildren([](const Element&) { return true; }) == 2);
    CHECK(x->removeChildren([](const Element&) { return true; }) == 0);

    auto y = *parseXml("<y><a/></y>");
    CHECK(y->removeChildren(named("a")) == 1);
    y->add("b");
    CHECK(toXml(*y) == "<y><b/></y>");
}

TEST_CASE("text that is added in pieces is one run") {
    Document body{"body", ns::client};
    std::string whole;
    for (int i = 0; i < 10000; ++i) {
        body->addText("O Romeo, ");
        whole += "O Romeo, ";
    }
    body->addText("");
    CHECK(body->text() == whole);
    CHECK(body->firstNode()->nextSibling() == nullptr);
    // Growing by small pieces must not leave a copy behind for each of them.
    CHECK(body->arena().bytes() < 8 * whole.size());
}

TEST_CASE("the writer declares a namespace only where it changes") {
    Document message{"message", ns::client};
    message->add("body").addText("a");
    Element& forwarded = message->add("forwarded", ns::forward);
    forwarded.add("message", ns::client).add("body");
    forwarded.add("x", "");
    CHECK(toXml(*message) ==
          "<message xmlns='jabber:client'><body>a</body><forwarded xmlns='urn:xmpp:forward:0'>"
          "<message xmlns='jabber:client'><body/></message><x xmlns=''/></forwarded></message>");
    CHECK(toXml(*message, ns::client).starts_with("<message><body>"));
    std::string inner;
    writeInnerXml(inner, *message->child("forwarded", ns::forward));
    CHECK(inner == "<message xmlns='jabber:client'><body/></message><x xmlns=''/>");
}

TEST_CASE("attributes of other namespaces get a prefix of their own") {
    Document x{"x", ""};
    x->set("a", "urn:one", "1").set("a", "urn:'two'", "2").set("a", "3");
    const auto xml = toXml(*x);
    CHECK(xml == "<x xmlns:n0='urn:one' n0:a='1' xmlns:n1='urn:&apos;two&apos;' n1:a='2' a='3'/>");
    const auto again = parseXml(xml);
    REQUIRE(again);
    CHECK(**again == *x);
}

TEST_CASE("elements of the namespace xml keep their prefix") {
    // As a default namespace it ends the stream of who reads it.
    const std::string text =
        "<a xmlns='urn:a'><xml:b xml:lang='en'><xml:c/><d xmlns='urn:a'/>t</xml:b><e/></a>";
    const auto tree = parseXml(text);
    REQUIRE(tree);
    CHECK(toXml(**tree) == text);
    const auto again = parseXml(toXml(**tree));
    REQUIRE(again);
    CHECK(toXml(**again) == text);
}

TEST_CASE("what is written reads back as the same tree") {
    // Every character that XML knows below 0x80, and some above.
    std::string all = "\t\n\r";
    for (char c = 0x20; c < 0x7F; ++c) all += c;
    all += "\x7F ]]> \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xAD";
    Document x{"x", "urn:example"};
    x->set("value", all);
    x->addText(all).add("y").addText(all);
    x->addText(" ");
    const auto again = parseXml(toXml(*x));
    REQUIRE(again);
    CHECK(**again == *x);
    CHECK((*again)->get("value") == all);
    CHECK((*again)->text() == all);
}

TEST_CASE("a character that XML has no form for does not end the receiver's stream") {
    Document x{"x", ""};
    x->set("a", std::string_view{"\0\x01", 2}).addText("b\x1F");
    const auto again = parseXml(toXml(*x));
    REQUIRE(again);
    CHECK((*again)->get("a") == "\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK((*again)->text() == "b\xEF\xBF\xBD");
}

TEST_CASE("trees are equal whatever the order of their attributes") {
    const auto same = [](std::string_view one, std::string_view other) {
        return **parseXml(one) == **parseXml(other);
    };
    CHECK(same("<x a='1' b='2'><y/>t</x>", "<x b='2' a='1'><y></y>t</x>"));
    CHECK(same("<x xmlns='urn:a'><y/></x>", "<p:x xmlns:p='urn:a'><p:y/></p:x>"));
    CHECK_FALSE(same("<x a='1'/>", "<x a='2'/>"));
    CHECK_FALSE(same("<x a='1'/>", "<x a='1' b='2'/>"));
    CHECK_FALSE(same("<x a='1' b='2'/>", "<x a='1'/>"));
    CHECK_FALSE(same("<x a='1'/>", "<x xml:a='1'/>"));
    CHECK_FALSE(same("<x/>", "<x xmlns='urn:a'/>"));
    CHECK_FALSE(same("<x/>", "<y/>"));
    CHECK_FALSE(same("<x><y/></x>", "<x/>"));
    CHECK_FALSE(same("<x/>", "<x><y/></x>"));
    CHECK_FALSE(same("<x><y/></x>", "<x><y/><y/></x>"));
    CHECK_FALSE(same("<x><y/><y/></x>", "<x><y/></x>"));
    CHECK_FALSE(same("<x><y><z/></y></x>", "<x><y/><z/></x>"));
    CHECK_FALSE(same("<x>a</x>", "<x>b</x>"));
    CHECK_FALSE(same("<x>a</x>", "<x><a/></x>"));
}

TEST_CASE("a copy is equal, apart, and can hang inside its own source") {
    auto x = *parseXml("<x a='1'>t<y xmlns='urn:y' xml:lang='en'><z>u</z>v</y><w/></x>");
    Document copy{*x};
    CHECK(*copy == *x);
    CHECK(copy->parent() == nullptr);
    copy->child("w")->set("b", "2");
    CHECK_FALSE(*copy == *x);

    const auto before = toXml(*x);
    x->add(*x);
    CHECK(toXml(*x) == before.substr(0, before.size() - 4) + before + "</x>");
    const Document text{*x->firstNode()};
    CHECK(text->text() == "t");
}

TEST_CASE("a long namespace is stored and written once however many children share it") {
    const std::string ns(100000, 'n');
    Document x{"x", ns};
    for (int i = 0; i < 1000; ++i) x->add("y", ns).add("z", std::string{ns});
    CHECK(x->arena().bytes() < 600000);
    CHECK(toXml(*x).size() < 120000);
    const Document copy{*x};
    CHECK(copy->arena().bytes() < 600000);
    CHECK(*copy == *x);
}

TEST_CASE("no depth of a tree is too much for building, copying, comparing, writing and freeing") {
    Document x{"x", ""};
    Element* at = &*x;
    for (int i = 0; i < 300000; ++i) at = &at->add("x");
    at->addText("deep");
    const Document copy{*x};
    CHECK(*copy == *x);
    at->addText("er");
    CHECK_FALSE(*copy == *x);
    CHECK(toXml(*x).size() == 300001 * 7 + 6);
}

TEST_CASE("an arena counts what it takes from the heap") {
    Arena arena;
    CHECK(arena.bytes() == 0);
    const auto kept = arena.keep("text");
    const auto few = arena.bytes();
    CHECK(few > 0);
    arena.allocate(few * 100, 8);
    CHECK(arena.bytes() > few * 100);
    CHECK(kept == "text");
    const auto after = arena.bytes();
    arena.keep("still in the first chunk");
    CHECK(arena.bytes() == after);

    const auto roomy = Arena::withRoom(64);
    const auto before = roomy->bytes();
    roomy->allocate(64, 8);
    CHECK(roomy->bytes() == before);
    roomy->allocate(1, 1);
    CHECK(roomy->bytes() > before);
}
