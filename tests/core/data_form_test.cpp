#include "tests/support/catch.h"

#include "core/data_form.h"

#include <string>
#include <vector>

using namespace epode;

namespace {

std::optional<DataForm> read(const std::string& xml) {
    const auto document = parseXml(xml);
    REQUIRE(document);
    return DataForm::read(**document);
}

DataForm submitted(const std::string& fields) {
    auto form = read("<x xmlns='jabber:x:data' type='submit'>" + fields + "</x>");
    REQUIRE(form);
    return std::move(*form);
}

std::string written(const DataForm& form) {
    Document query{"query", "urn:x"};
    form.addTo(*query);
    return toXml(*query->firstChild(), "jabber:x:data");
}

DataForm question() {
    DataForm form{FormKind::Form, "urn:example:room"};
    form.add({.var = "name", .isRequired = true});
    form.add({.var = "public", .type = FieldType::Boolean, .values = {"1"}});
    form.add({.var = "owner", .type = FieldType::JidSingle});
    form.add({.var = "admins", .type = FieldType::JidMulti});
    form.add(
        {.var = "whois", .type = FieldType::ListSingle, .options = {{"moderators"}, {"anyone"}}});
    form.add({.var = "present", .type = FieldType::ListMulti, .options = {{"a"}, {"b"}}});
    form.add({.var = "about", .type = FieldType::TextMulti});
    form.add({.var = "", .type = FieldType::Fixed, .values = {"Section"}});
    return form;
}

std::string field(const std::string& var, const std::vector<std::string>& values) {
    std::string out = "<field var='" + var + "'>";
    for (const auto& value : values) out += "<value>" + value + "</value>";
    return out + "</field>";
}

}  // namespace

TEST_CASE("a form with fields of every type is written and read back") {
    DataForm form{FormKind::Form, "urn:example:bot"};
    form.setTitle("Bot Configuration");
    form.setInstructions("Fill out this form!");
    for (int i = 0; i < 10; ++i) {
        const auto type = FieldType(i);
        form.add({.var = std::string{toText(type)},
                  .type = type,
                  .label = "Label & more",
                  .values = {"one", "two"},
                  .options = {{"a", "The first"}, {"b"}},
                  .isRequired = i % 2 == 0,
                  .description = "What it is"});
    }
    const auto xml = written(form);
    CHECK(
        xml.starts_with("<x type='form'><title>Bot Configuration</title>"
                        "<instructions>Fill out this form!</instructions>"
                        "<field var='FORM_TYPE' type='hidden'><value>urn:example:bot</value>"
                        "</field><field var='boolean' type='boolean' label='Label &amp; more'>"
                        "<desc>What it is</desc><required/><value>one</value><value>two</value>"
                        "<option label='The first'><value>a</value></option>"
                        "<option><value>b</value></option></field>"));

    const auto document = parseXml(xml, "jabber:x:data");
    REQUIRE(document);
    const auto again = DataForm::read(**document);
    REQUIRE(again);
    CHECK(written(*again) == xml);
    CHECK(again->formType() == "urn:example:bot");
    CHECK(again->title() == "Bot Configuration");
    REQUIRE(again->find("list-multi"));
    CHECK(again->find("list-multi")->type == FieldType::ListMulti);
    CHECK(again->find("list-multi")->options[0].label == "The first");
    CHECK_FALSE(again->find("other"));
}

TEST_CASE("values are read as what they are meant to be") {
    const auto form = submitted(
        field("yes", {"1"}) + field("no", {"false"}) + field("maybe", {"TRUE"}) +
        field("count", {"-12"}) + field("word", {"12x"}) + field("lines", {"a", "", "b"}) +
        field("jid", {"Juliet@capulet.example"}) +
        field("jids", {"a@b.example", "A@b.example", "no one", "c@d.example"}) + field("none", {}));
    CHECK(form.boolean("yes") == true);
    CHECK(form.boolean("no") == false);
    CHECK_FALSE(form.boolean("maybe"));
    CHECK_FALSE(form.boolean("absent"));
    CHECK(form.number("count") == -12);
    CHECK_FALSE(form.number("word"));
    CHECK_FALSE(form.number("none"));
    CHECK(form.lines("lines") == "a\n\nb");
    CHECK(form.lines("absent").empty());
    CHECK(form.jid("jid")->text() == "juliet@capulet.example");
    CHECK_FALSE(form.jid("word@"));
    CHECK(form.jids("jids") ==
          std::vector<Jid>{*Jid::parse("a@b.example"), *Jid::parse("c@d.example")});
    CHECK(form.text("none").empty());
    CHECK(form.text("absent").empty());
    CHECK(form.formType().empty());
}

TEST_CASE("what is no form is refused") {
    const auto row = GENERATE(values<std::string>({
        "<x/>",
        "<x xmlns='urn:x' type='form'/>",
        "<y xmlns='jabber:x:data' type='form'/>",
        "<x xmlns='jabber:x:data'/>",
        "<x xmlns='jabber:x:data' type='error'/>",
        "<x xmlns='jabber:x:data' type='FORM'/>",
        "<x xmlns='jabber:x:data' type='submit'><field/></x>",
        "<x xmlns='jabber:x:data' type='submit'><field var=''/></x>",
        "<x xmlns='jabber:x:data' type='submit'><field var='a'/><field var='a'/></x>",
        "<x xmlns='jabber:x:data' type='result'><item><field/></item></x>",
        "<x xmlns='jabber:x:data' type='result'><reported><field/></reported></x>",
    }));
    CAPTURE(row);
    CHECK_FALSE(read(row));
}

TEST_CASE("a canceled form, unknown types and foreign elements are read") {
    CHECK(read("<x xmlns='jabber:x:data' type='cancel'/>")->kind() == FormKind::Cancel);
    const auto form = read(
        "<x xmlns='jabber:x:data' type='form'><instructions>a</instructions>"
        "<instructions>b</instructions><field type='fixed'><value>c</value></field>"
        "<field var='d' type='colour'><value>e</value><media xmlns='urn:xmpp:media-element'/>"
        "</field><page xmlns='http://jabber.org/protocol/xdata-layout'/></x>");
    REQUIRE(form);
    CHECK(form->instructions() == "a\nb");
    CHECK(form->fields().size() == 2);
    CHECK(form->find("d")->type == FieldType::TextSingle);
    CHECK(form->text("d") == "e");
}

TEST_CASE("an answer that fits the form is accepted") {
    const auto row = GENERATE(as<std::string>{}, field("name", {"balcony"}),
                              field("FORM_TYPE", {"urn:example:room"}) + field("name", {"b"}),
                              field("name", {"b"}) + field("public", {"false"}) +
                                  field("owner", {"juliet@capulet.example"}),
                              field("name", {"b"}) + field("admins", {"a@b.example", "c.example"}),
                              field("name", {"b"}) + field("whois", {"anyone"}),
                              field("name", {"b"}) + field("present", {"b", "a"}),
                              field("name", {"b"}) + field("about", {"x", "y"}),
                              field("name", {"b"}) + field("owner", {}),
                              field("name", {"b"}) + field("owner", {""}) + field("whois", {""}),
                              field("name", {"b"}) + field("unknown", {"anything", "at all"}));
    CAPTURE(row);
    CHECK_FALSE(question().problemWith(submitted(row)));
}

TEST_CASE("an answer that does not fit is answered by what is wrong") {
    const auto problem = [](const std::string& fields) {
        return question().problemWith(submitted(fields)).value_or("");
    };
    const std::string name = field("name", {"balcony"});
    CHECK(problem("") == "'name' is required.");
    CHECK(problem(field("name", {""})) == "'name' is required.");
    CHECK(problem(field("name", {"a", "b"})) == "'name' takes one value.");
    CHECK(problem(name + field("public", {"yes"})) == "'public' must be 'true' or 'false'.");
    CHECK(problem(name + field("owner", {"no one"})) == "'owner' must be an address.");
    CHECK(problem(name + field("owner", {"a@b.example", "c@d.example"})) ==
          "'owner' takes one value.");
    CHECK(problem(name + field("admins", {"a@b.example", "@"})) == "'admins' must be an address.");
    CHECK(problem(name + field("whois", {"nobody"})) == "'whois' must be one of its options.");
    CHECK(problem(name + field("present", {"a", "c"})) == "'present' must be one of its options.");
    CHECK(problem(name + field("FORM_TYPE", {"urn:other"})) ==
          "The form must be of the type 'urn:example:room'.");
    CHECK(question().problemWith(DataForm{FormKind::Cancel}) == "This is no submitted form.");
}

TEST_CASE("a table of results is written and read back") {
    DataForm form{FormKind::Result};
    form.report({{.var = "name", .label = "Name"}, {.var = "jid", .type = FieldType::JidSingle}});
    form.addItem(
        {{.var = "name", .values = {"Juliet"}}, {.var = "jid", .values = {"j@c.example"}}});
    form.addItem({{.var = "name", .values = {"Nurse"}}, {.var = "jid", .values = {"n@c.example"}}});
    const auto xml = written(form);
    CHECK(xml ==
          "<x type='result'><reported><field var='name' type='text-single' label='Name'/>"
          "<field var='jid' type='jid-single'/></reported>"
          "<item><field var='name'><value>Juliet</value></field>"
          "<field var='jid'><value>j@c.example</value></field></item>"
          "<item><field var='name'><value>Nurse</value></field>"
          "<field var='jid'><value>n@c.example</value></field></item></x>");
    const auto again = DataForm::read(**parseXml(xml, "jabber:x:data"));
    REQUIRE(again);
    CHECK(written(*again) == xml);
    CHECK(again->items().size() == 2);
    CHECK(again->reported()[1].type == FieldType::JidSingle);
}

TEST_CASE("short ways to add a field write what the long ones do") {
    DataForm form{FormKind::Submit};
    form.addText("a", "one");
    form.addLines("b", "one\n\ntwo");
    form.addBoolean("c", true, "Sea");
    CHECK(written(form) ==
          "<x type='submit'><field var='a'><value>one</value></field>"
          "<field var='b' type='text-multi'><value>one</value><value/>"
          "<value>two</value></field><field var='c' type='boolean' label='Sea'>"
          "<value>1</value></field></x>");
}

TEST_CASE("a number of a field is one, or none at all") {
    using Values = std::vector<std::string>;
    struct Row {
        Values values;
        std::optional<std::int64_t> number;
    };
    const Row rows[] = {
        {{}, 0},
        {{""}, 0},
        {{"none"}, 0},
        {{"0"}, 0},
        {{"7"}, 7},
        {{"100"}, 100},
        {{"7", "8"}, 7},
        {{"101"}, std::nullopt},
        {{"-1"}, std::nullopt},
        {{"+1"}, std::nullopt},
        {{" 1"}, std::nullopt},
        {{"1 "}, std::nullopt},
        {{"1.5"}, std::nullopt},
        {{"0x10"}, std::nullopt},
        {{"None"}, std::nullopt},
        {{"99999999999999999999"}, std::nullopt},
    };
    for (const Row& row : rows) {
        CAPTURE(row.values);
        CHECK(readNumber(row.values, 100) == row.number);
    }
}
