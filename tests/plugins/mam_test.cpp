// The archive as its owner reads it (XEP-0313, XEP-0441).
#include "core/time_format.h"
#include "core/uuid.h"
#include "tests/support/catch.h"
#include "tests/support/messages.h"

#include <algorithm>
#include <set>

using namespace epode;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";
const std::string nurse = "nurse@capulet.example";

// What a query brings.
struct Answer {
    Texts texts;                   // bodies, in the order in which they came
    std::vector<std::string> ids;  // of the results
    std::vector<std::string> stamps;
    std::string error;  // the condition, when it is one
    std::string first, last, count, index, complete, queryId;
    std::string xml;  // of all results
};

Answer answerTo(TestClient& client, std::string_view payload, std::string_view to = {},
                std::string_view type = "set") {
    client.forget();
    Answer answer;
    const auto reply = parseXml(client.ask(type, payload, to), ns::client);
    REQUIRE(reply);
    if ((*reply)->get("type") == "error") {
        answer.error = (*reply)->child("error")->firstChild()->name();
        CHECK(client.next() == "");
        return answer;
    }
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        const Element* result = stanza ? stanza->child("result", "urn:xmpp:mam:2") : nullptr;
        if (!result) continue;
        CHECK(stanza->to().text() == client.jid());
        CHECK(stanza->from().text() == stanza->to().bareText());
        answer.xml += xml;
        answer.ids.emplace_back(result->get("id"));
        answer.queryId = result->get("queryid");
        const Element* forwarded = result->child("forwarded", "urn:xmpp:forward:0");
        REQUIRE(forwarded);
        answer.stamps.emplace_back(forwarded->child("delay", ns::delay)->get("stamp"));
        const Element* message = forwarded->child("message", ns::client);
        REQUIRE(message);
        answer.texts.emplace_back(message->childText("body"));
    }
    const Element* fin = (*reply)->child("fin", "urn:xmpp:mam:2");
    if (!fin) return answer;
    answer.complete = fin->get("complete");
    const Element* set = fin->child("set", ns::rsm);
    REQUIRE(set);
    answer.first = set->childText("first");
    if (const Element* first = set->child("first")) answer.index = first->get("index");
    answer.last = set->childText("last");
    answer.count = set->childText("count");
    return answer;
}

std::string form(std::initializer_list<std::pair<std::string, std::vector<std::string>>> fields) {
    std::string xml =
        "<x xmlns='jabber:x:data' type='submit'>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>";
    for (const auto& [name, values] : fields) {
        xml += "<field var='" + name + "'>";
        for (const auto& value : values) xml += "<value>" + value + "</value>";
        xml += "</field>";
    }
    return xml + "</x>";
}

std::string set(std::string_view content) {
    return "<set xmlns='http://jabber.org/protocol/rsm'>" + std::string{content} + "</set>";
}

std::string query(std::string_view content = {}) {
    return "<query xmlns='urn:xmpp:mam:2' queryid='q1'>" + std::string{content} + "</query>";
}

Answer find(TestClient& client, std::string_view content = {}) {
    return answerTo(client, query(content));
}

// Ten messages, a second apart: "0" to "9" by romeo, nurse and juliet (to romeo) in turn.
struct Archive {
    explicit Archive(std::string_view toml = {}, unsigned shards = 1) : server{toml, shards} {
        reader = &server.login(juliet + "/balcony");
        auto& orchard = server.login(romeo + "/orchard");
        auto& door = server.login(nurse + "/door");
        for (int i = 0; i < 10; ++i) {
            times.push_back(formatDateTime(server.simulation().wallNow()));
            const auto text = std::to_string(i);
            if (i % 3 == 0) orchard.send(chat(juliet, text));
            if (i % 3 == 1) door.send(chat(juliet + "/balcony", text));
            if (i % 3 == 2) reader->send(chat(romeo + "/orchard", text));
            server.advance(seconds{1});
        }
        reader->forget();
        ids = find(*reader).ids;
    }
    Answer get(std::string_view content = {}) { return find(*reader, content); }

    TestServer server;
    TestClient* reader;
    std::vector<std::string> times, ids;
};

Texts numbers(int first, int last) {
    Texts texts;
    for (int i = first; i <= last; ++i) texts.push_back(std::to_string(i));
    return texts;
}

}  // namespace

TEST_CASE("an archive has what was sent and received, in order, with the times and ids") {
    Archive archive{"", GENERATE(1u, 2u)};
    const auto all = archive.get();
    CHECK(all.texts == numbers(0, 9));
    CHECK(all.stamps == archive.times);
    CHECK(all.complete == "true");
    CHECK(all.first == all.ids.front());
    CHECK(all.last == all.ids.back());
    CHECK(all.queryId == "q1");
    CHECK(std::is_sorted(all.ids.begin(), all.ids.end()));
    CHECK(std::set<std::string>(all.ids.begin(), all.ids.end()).size() == 10);
}

TEST_CASE("the archive of somebody who has none is empty") {
    TestServer server;
    auto& client = server.login(juliet + "/balcony");
    const auto all = find(client);
    CHECK(all.texts == Texts{});
    CHECK(all.complete == "true");
    CHECK(all.first == "");
    CHECK(client.ask("get", "<metadata xmlns='urn:xmpp:mam:2'/>")
              .find("<metadata xmlns='urn:xmpp:mam:2'/>") != std::string::npos);
}

TEST_CASE("a delivered message carries the id that it has in the archive") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& garden = server.login(juliet + "/garden");
    auto& orchard = server.login(romeo + "/orchard");
    balcony.forget();
    orchard.send(chat(juliet, "now"));
    const auto delivered = balcony.next();
    CHECK(stanzaId(delivered) != "");
    CHECK(stanzaId(garden.next()) == stanzaId(delivered));
    CHECK(find(balcony).ids == std::vector{stanzaId(delivered)});

    balcony.send("</stream:stream>");
    garden.send("</stream:stream>");
    orchard.send(chat(juliet, "later"));
    auto& cellar = server.login(juliet + "/cellar", false);
    cellar.available();
    std::string late;
    for (const auto& xml : cellar.all())
        if (xml.starts_with("<message")) late = xml;
    CHECK(stanzaId(late) != "");
    CHECK(find(cellar).ids.back() == stanzaId(late));
}

TEST_CASE("a sender is not told the ids of another's archive") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    balcony.forget();
    orchard.send(chat(juliet, "hello"));
    CHECK(balcony.next().find("by='" + romeo) == std::string::npos);
}

TEST_CASE(
    "ids that claim to be the archive's are removed from what is stored and what is passed on") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    balcony.forget();
    const std::string honest =
        "<stanza-id xmlns='urn:xmpp:sid:0' by='room@rooms.example' id='honest'/>";
    for (const std::string& by :
         {juliet, std::string{"Juliet@Capulet.Example"}, juliet + "/balcony"}) {
        INFO(by);
        orchard.send(message(juliet, "hi", "chat",
                             honest + "<stanza-id xmlns='urn:xmpp:sid:0' by='" + by +
                                 "' id='forged'/>"
                                 "<stanza-id xmlns='urn:xmpp:sid:0' by='" +
                                 by + "' id='forged'/>"));
        const auto delivered = balcony.next();
        CHECK(delivered.find("forged") == std::string::npos);
        CHECK(delivered.find("honest") != std::string::npos);
        orchard.send(message(juliet, "", "headline",
                             "<stanza-id xmlns='urn:xmpp:sid:0' by='" + by + "' id='forged'/>"));
        CHECK(balcony.next().find("forged") == std::string::npos);
    }
    balcony.send(message(romeo, "mine", "chat",
                         "<stanza-id xmlns='urn:xmpp:sid:0' by='" + juliet + "' id='forged'/>"));
    const auto all = find(balcony);
    CHECK(all.texts.size() == 4);
    CHECK(all.xml.find("forged") == std::string::npos);
    CHECK(all.xml.find("honest") != std::string::npos);
}

TEST_CASE("an archive has no chat states, headlines, errors, and nothing that must not be stored") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    orchard.send(
        message(juliet, "", "chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"));
    orchard.send(message(juliet, "head", "headline"));
    orchard.send(message(juliet + "/balcony", "err", "error"));
    orchard.send(message(juliet, "off", "chat", "<no-permanent-store xmlns='urn:xmpp:hints'/>"));
    orchard.send(message(juliet, "never", "chat", "<no-store xmlns='urn:xmpp:hints'/>"));
    orchard.send(message(juliet, "", "chat", "<received xmlns='urn:xmpp:receipts' id='1'/>"));
    orchard.send(message(juliet, "text"));
    CHECK(find(balcony).texts == Texts{"", "text"});
    CHECK(find(orchard).texts == Texts{"", "text"});
}

// ---- the form

TEST_CASE("the form tells its fields, none of them required") {
    TestServer server;
    auto& client = server.login(juliet + "/balcony");
    const auto reply = parseXml(client.ask("get", "<query xmlns='urn:xmpp:mam:2'/>"), ns::client);
    REQUIRE(reply);
    const Element* x = (*reply)->child("query", "urn:xmpp:mam:2")->child("x", ns::dataForms);
    REQUIRE(x);
    CHECK(x->get("type") == "form");
    std::map<std::string, std::string> fields;
    for (const Element& field : x->children()) {
        fields[std::string{field.get("var")}] = field.get("type");
        CHECK_FALSE(field.child("required"));
    }
    CHECK(fields == std::map<std::string, std::string>{{"FORM_TYPE", "hidden"},
                                                       {"with", "jid-single"},
                                                       {"start", "text-single"},
                                                       {"end", "text-single"},
                                                       {"before-id", "text-single"},
                                                       {"after-id", "text-single"},
                                                       {"ids", "list-multi"}});
    CHECK(toXml(*x).find("<open") != std::string::npos);
}

TEST_CASE("the form selects by contact, time and id") {
    Archive a;
    struct {
        const char* what;
        std::string form;
        Texts expected;
    } const rows[] = {
        {"no field", form({}), numbers(0, 9)},
        {"a contact", form({{"with", {romeo}}}), {"0", "2", "3", "5", "6", "8", "9"}},
        {"another", form({{"with", {nurse}}}), {"1", "4", "7"}},
        {"in another spelling", form({{"with", {"NURSE@capulet.example"}}}), {"1", "4", "7"}},
        {"one resource of a contact", form({{"with", {nurse + "/door"}}}), {"1", "4", "7"}},
        {"a resource that never spoke", form({{"with", {nurse + "/cellar"}}}), {}},
        {"nobody's", form({{"with", {"tybalt@capulet.example"}}}), {}},
        {"oneself", form({{"with", {juliet}}}), {}},
        {"from a time on", form({{"start", {a.times[4]}}}), numbers(4, 9)},
        {"up to a time", form({{"end", {a.times[4]}}}), numbers(0, 4)},
        {"between", form({{"start", {a.times[2]}}, {"end", {a.times[4]}}}), numbers(2, 4)},
        {"an empty span", form({{"start", {a.times[4]}}, {"end", {a.times[2]}}}), {}},
        {"a time long ago", form({{"end", {"1969-07-21T02:56:15Z"}}}), {}},
        {"a time with an offset", form({{"start", {"2000-01-01T00:00:00+02:00"}}}), numbers(0, 9)},
        {"after an id", form({{"after-id", {a.ids[6]}}}), numbers(7, 9)},
        {"before an id", form({{"before-id", {a.ids[3]}}}), numbers(0, 2)},
        {"between ids", form({{"after-id", {a.ids[3]}}, {"before-id", {a.ids[6]}}}), numbers(4, 5)},
        {"ids", form({{"ids", {a.ids[7], a.ids[2]}}}), {"2", "7"}},
        {"one id twice", form({{"ids", {a.ids[7], a.ids[7]}}}), {"7"}},
        {"a contact and a time",
         form({{"with", {romeo}}, {"start", {a.times[4]}}}),
         {"5", "6", "8", "9"}},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        const auto answer = a.get(row.form);
        CHECK(answer.error == "");
        CHECK(answer.texts == row.expected);
        CHECK(answer.complete == "true");
    }
}

TEST_CASE("a query that can't be understood is refused") {
    Archive a;
    const auto unknown = Uuid::at(fromMilliseconds(1)).text();
    struct {
        const char* what;
        std::string content;
        const char* error;
    } const rows[] = {
        {"an unknown field", form({{"{urn:example}text", {"x"}}}), "feature-not-implemented"},
        {"groupchat, of which there is none", form({{"include-groupchat", {"true"}}}),
         "feature-not-implemented"},
        {"no address", form({{"with", {"@"}}}), "jid-malformed"},
        {"no time", form({{"start", {"yesterday"}}}), "bad-request"},
        {"half a time", form({{"end", {"2010-06-07"}}}), "bad-request"},
        {"an unknown id to begin after", form({{"after-id", {unknown}}}), "item-not-found"},
        {"an unknown id to end before", form({{"before-id", {unknown}}}), "item-not-found"},
        {"an unknown id among known ones", form({{"ids", {a.ids[1], unknown}}}), "item-not-found"},
        {"an id of another form", form({{"ids", {"28482-98726-73623"}}}), "item-not-found"},
        {"an id with another chance",
         form({{"after-id", {Uuid::at(Uuid::parse(a.ids[1])->stamp()).text()}}}), "item-not-found"},
        {"a page after an unknown id", set("<after>" + unknown + "</after>"), "item-not-found"},
        {"a page before an unknown id", set("<before>" + unknown + "</before>"), "item-not-found"},
        {"a page after nonsense", set("<after>nonsense</after>"), "item-not-found"},
        {"a page by number", set("<index>2</index>"), "feature-not-implemented"},
        {"no number", set("<max>ten</max>"), "bad-request"},
        {"another form",
         "<x xmlns='jabber:x:data' type='submit'><field "
         "var='FORM_TYPE'><value>urn:x</value></field></x>",
         "bad-request"},
        {"a form without a type", "<x xmlns='jabber:x:data' type='submit'/>", "bad-request"},
        {"no submission", "<x xmlns='jabber:x:data' type='cancel'/>", "bad-request"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        CHECK(a.get(row.content).error == row.error);
    }
}

TEST_CASE("an archive is read by its owner alone") {
    Archive a{"", GENERATE(1u, 2u)};
    auto& other = a.server.login(romeo + "/garden");
    CHECK(answerTo(other, query(), juliet).error == "forbidden");
    CHECK(answerTo(other, "<query xmlns='urn:xmpp:mam:2'/>", juliet, "get").error == "forbidden");
    CHECK(answerTo(other, "<metadata xmlns='urn:xmpp:mam:2'/>", juliet, "get").error ==
          "forbidden");
    CHECK(answerTo(other, "<prefs xmlns='urn:xmpp:mam:2'/>", juliet, "get").error == "forbidden");
    CHECK(answerTo(other, "<prefs xmlns='urn:xmpp:mam:2' default='never'/>", juliet).error ==
          "forbidden");
    CHECK(answerTo(*a.reader, query(), juliet).texts == numbers(0, 9));
    // An id of one archive is none of another's.
    CHECK(find(other, set("<after>" + a.ids[3] + "</after>")).error == "item-not-found");
}

// ---- pages

TEST_CASE("pages lead through an archive forwards and backwards") {
    Archive a;
    auto page = a.get(set("<max>4</max>"));
    CHECK(page.texts == numbers(0, 3));
    CHECK(page.complete != "true");
    page = a.get(set("<max>4</max><after>" + page.last + "</after>"));
    CHECK(page.texts == numbers(4, 7));
    CHECK(page.complete != "true");
    page = a.get(set("<max>4</max><after>" + page.last + "</after>"));
    CHECK(page.texts == numbers(8, 9));
    CHECK(page.complete == "true");
    page = a.get(set("<max>4</max><after>" + page.last + "</after>"));
    CHECK(page.texts == Texts{});
    CHECK(page.complete == "true");

    page = a.get(set("<max>4</max><before/>"));
    CHECK(page.texts == numbers(6, 9));
    CHECK(page.complete != "true");
    CHECK(page.first == a.ids[6]);
    CHECK(page.last == a.ids[9]);
    page = a.get(set("<max>4</max><before>" + page.first + "</before>"));
    CHECK(page.texts == numbers(2, 5));
    page = a.get(set("<max>4</max><before>" + page.first + "</before>"));
    CHECK(page.texts == numbers(0, 1));
    CHECK(page.complete == "true");
}

TEST_CASE("a page that is exactly full is complete when nothing is left") {
    Archive a;
    CHECK(a.get(set("<max>10</max>")).complete == "true");
    CHECK(a.get(set("<max>9</max>")).complete != "true");
    CHECK(a.get(set("<max>10</max><before/>")).complete == "true");
}

TEST_CASE("a flipped page has the same messages, newest first") {
    Archive a;
    auto page = a.get(set("<max>3</max><after>" + a.ids[3] + "</after>") + "<flip-page/>");
    CHECK(page.texts == Texts{"6", "5", "4"});
    CHECK(page.first == a.ids[4]);
    CHECK(page.last == a.ids[6]);
    page = a.get(set("<max>3</max><before/>") + "<flip-page/>");
    CHECK(page.texts == Texts{"9", "8", "7"});
    CHECK(page.first == a.ids[7]);
}

TEST_CASE("pages and the form go together") {
    Archive a;
    const auto with = form({{"with", {romeo}}});
    auto page = a.get(with + set("<max>3</max>"));
    CHECK(page.texts == Texts{"0", "2", "3"});
    page = a.get(with + set("<max>3</max><after>" + page.last + "</after>"));
    CHECK(page.texts == Texts{"5", "6", "8"});
    page = a.get(form({{"after-id", {a.ids[1]}}, {"before-id", {a.ids[8]}}}) +
                 set("<max>3</max><before/>"));
    CHECK(page.texts == numbers(5, 7));
    // The id of a page may be of a message that the form doesn't select.
    CHECK(a.get(with + set("<after>" + a.ids[4] + "</after>")).texts == Texts{"5", "6", "8", "9"});
}

TEST_CASE("who asks for no messages is told how many there are") {
    Archive a;
    auto page = a.get(set("<max>0</max>"));
    CHECK(page.texts == Texts{});
    CHECK(page.count == "10");
    CHECK(a.get(form({{"with", {nurse}}}) + set("<max>0</max>")).count == "3");
}

TEST_CASE("a page holds no more than the server's limit") {
    Archive a{"[archive]\npage_max = 4"};
    CHECK(a.get().texts == numbers(0, 3));
    const auto page = a.get(set("<max>1000000</max>"));
    CHECK(page.texts == numbers(0, 3));
    CHECK(page.complete != "true");
}

TEST_CASE("the metadata name the first and the last message") {
    Archive a;
    const auto reply =
        parseXml(a.reader->ask("get", "<metadata xmlns='urn:xmpp:mam:2'/>"), ns::client);
    REQUIRE(reply);
    const Element* metadata = (*reply)->child("metadata", "urn:xmpp:mam:2");
    REQUIRE(metadata);
    CHECK(metadata->child("start")->get("id") == a.ids[0]);
    CHECK(metadata->child("start")->get("timestamp") == a.times[0]);
    CHECK(metadata->child("end")->get("id") == a.ids[9]);
    CHECK(metadata->child("end")->get("timestamp") == a.times[9]);
}

TEST_CASE("a thousand messages of the same millisecond have a thousand stamps, in their order") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    std::string xml;
    for (int i = 0; i < 1000; ++i) xml += chat(juliet, std::to_string(i));
    orchard.send(xml);

    Texts texts;
    std::vector<std::string> stamps;
    std::string after;
    for (int page = 0; page < 10; ++page) {
        const auto answer = find(balcony, set("<max>100</max>" + after));
        texts.insert(texts.end(), answer.texts.begin(), answer.texts.end());
        stamps.insert(stamps.end(), answer.stamps.begin(), answer.stamps.end());
        after = "<after>" + answer.last + "</after>";
        CHECK((answer.complete == "true") == (page == 9));
    }
    CHECK(texts == numbers(0, 999));
    CHECK(std::is_sorted(stamps.begin(), stamps.end()));
    CHECK(std::set<std::string>(stamps.begin(), stamps.end()).size() == 1000);
}

TEST_CASE("who asks behind a message that he got a moment ago is not told that it is unknown") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    balcony.forget();
    server.database().setDelay(std::chrono::milliseconds{20});
    orchard.send(chat(juliet, "one"));
    const auto id = stanzaId(balcony.next());
    REQUIRE(id != "");
    balcony.send("<iq type='set' id='x'>" + query(set("<after>" + id + "</after>")) + "</iq>");
    balcony.send("<iq type='get' id='y'><metadata xmlns='urn:xmpp:mam:2'/></iq>");
    CHECK(balcony.next() == "");
    server.advance(seconds{1});
    CHECK(balcony.next().find("<fin xmlns='urn:xmpp:mam:2' complete='true'>") != std::string::npos);
    CHECK(balcony.next().find("<start id='" + id) != std::string::npos);
}

// ---- preferences

TEST_CASE("preferences say whose messages are archived") {
    struct {
        const char* what;
        std::string prefs;
        Texts expected;  // of: romeo (a contact), nurse, tybalt
    } const rows[] = {
        {"all", "default='always'", {"romeo", "nurse", "tybalt"}},
        {"none", "default='never'", {}},
        {"contacts", "default='roster'", {"romeo"}},
        {"one of them",
         "default='never'><always><jid>nurse@capulet.example</jid></always",
         {"nurse"}},
        {"one resource",
         "default='never'><always><jid>nurse@capulet.example/door</jid></always",
         {"nurse"}},
        {"another resource",
         "default='never'><always><jid>nurse@capulet.example/cellar</jid></always",
         {}},
        {"all but one",
         "default='always'><never><jid>tybalt@capulet.example</jid></never",
         {"romeo", "nurse"}},
        {"never wins",
         "default='always'><always><jid>romeo@montague.example</jid></always>"
         "<never><jid>romeo@montague.example</jid></never",
         {"nurse", "tybalt"}},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        TestServer server;
        auto& balcony = server.login(juliet + "/balcony");
        balcony.ask("set", "<query xmlns='jabber:iq:roster'><item jid='" + romeo + "'/></query>");
        const bool hasLists = row.prefs.find('>') != std::string::npos;
        const auto reply = balcony.ask(
            "set", "<prefs xmlns='urn:xmpp:mam:2' " + row.prefs + (hasLists ? "></prefs>" : "/>"));
        CHECK(reply.find("type='result'") != std::string::npos);

        server.login(romeo + "/orchard").send(chat(juliet, "romeo"));
        server.login(nurse + "/door").send(chat(juliet, "nurse"));
        server.login("tybalt@capulet.example/street").send(chat(juliet, "tybalt"));
        CHECK(heard(balcony) == Texts{"romeo", "nurse", "tybalt"});
        CHECK(find(balcony).texts == row.expected);

        // They hold for what is sent as well, and after a restart.
        server.crash();
        auto& again = server.login(juliet + "/balcony");
        again.send(chat(romeo, "to romeo"));
        const bool hasRomeo =
            std::find(row.expected.begin(), row.expected.end(), "romeo") != row.expected.end();
        CHECK(find(again).texts.size() == row.expected.size() + (hasRomeo ? 1 : 0));
    }
}

TEST_CASE("preferences are told as they were set") {
    TestServer server{"[archive]\ndefault = 'roster'"};
    auto& balcony = server.login(juliet + "/balcony");
    const std::string ask = "<prefs xmlns='urn:xmpp:mam:2'/>";
    CHECK(balcony.ask("get", ask).find("default='roster'><always/><never/>") != std::string::npos);
    balcony.ask("set",
                "<prefs xmlns='urn:xmpp:mam:2' "
                "default='never'><always><jid>Romeo@montague.example</jid></always>"
                "<never><jid>montague.example</jid></never></prefs>");
    const auto told = balcony.ask("get", ask);
    CHECK(told.find("default='never'><always><jid>romeo@montague.example</jid></always>"
                    "<never><jid>montague.example</jid></never>") != std::string::npos);
    CHECK(answerTo(balcony, "<prefs xmlns='urn:xmpp:mam:2' default='sometimes'/>").error ==
          "bad-request");
    CHECK(answerTo(balcony, "<prefs xmlns='urn:xmpp:mam:2'/>").error == "bad-request");
    CHECK(answerTo(
              balcony,
              "<prefs xmlns='urn:xmpp:mam:2' default='never'><always><jid>@</jid></always></prefs>")
              .error == "jid-malformed");
    CHECK(balcony.ask("get", ask).find("<jid>romeo@montague.example</jid>") != std::string::npos);
}

TEST_CASE("messages that are not archived carry no id, and are delivered all the same") {
    TestServer server{"[archive]\ndefault = 'never'"};
    auto& balcony = server.login(juliet + "/balcony");
    auto& orchard = server.login(romeo + "/orchard");
    balcony.forget();
    orchard.send(chat(juliet, "one"));
    const auto got = balcony.next();
    CHECK(got.find("one") != std::string::npos);
    CHECK(got.find("stanza-id") == std::string::npos);
    CHECK(find(balcony).texts == Texts{});
    CHECK(storedMessages(server) == 0);
}

TEST_CASE("without the archive messages are delivered, and wait for who is away") {
    TestServer server{"[plugins]\ndisabled = ['mam']"};
    server.addAccount(juliet);
    auto& orchard = server.login(romeo + "/orchard");
    orchard.send(chat(juliet, "one"));
    auto& balcony = server.login(juliet + "/balcony", false);
    balcony.available();
    CHECK(heard(balcony) == Texts{"late one"});
    orchard.send(chat(juliet, "two"));
    CHECK(heard(balcony) == Texts{"two"});
    CHECK(answerTo(balcony, query()).error == "service-unavailable");
    CHECK(balcony.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", juliet)
              .find("urn:xmpp:mam") == std::string::npos);
}
