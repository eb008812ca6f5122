#include "plugins/search/directory_request.h"
#include "plugins/search/directory_store.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"
#include "tests/store/databases.h"

using namespace epode;
using search::Fields;
using search::Person;
using search::Wishes;

namespace {

const std::string directory = "search.capulet.example";

std::string query(std::string_view content, std::string_view ns = "jabber:iq:search") {
    return "<query xmlns='" + std::string{ns} + "'>" + std::string{content} + "</query>";
}
std::string registration(std::string_view content) { return query(content, "jabber:iq:register"); }
std::string form(std::string_view formType, std::string_view fields) {
    return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>" +
           std::string{formType} + "</value></field>" + std::string{fields} + "</x>";
}

// The addresses that were found, in order; or the error.
std::vector<std::string> found(const std::string& answer) {
    const auto read = parseXml(payload(answer));
    if (!read) return {outcome(answer)};
    std::vector<std::string> jids;
    for (const Element& item : (*read)->children())
        if (item.name() == "item") jids.emplace_back(item.get("jid"));
    const Element* x = (*read)->child("x", ns::dataForms);
    const auto form = x ? DataForm::read(*x) : std::nullopt;
    if (!form) return jids;
    for (const auto& item : form->items()) jids.push_back(item[0].values[0]);
    return jids;
}
using Jids = std::vector<std::string>;

}  // namespace

TEST_CASE("only who has registered with the directory is found, with what he told") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    juliet.ask(
        "set",
        "<vCard xmlns='vcard-temp'><N><GIVEN>Juliet</GIVEN><FAMILY>Capulet</FAMILY></N>"
        "<NICKNAME>Jule</NICKNAME><EMAIL><USERID>j@capulet.example</USERID></EMAIL></vCard>");
    const auto look = [&](std::string_view content) {
        return tybalt.ask("set", query(content), directory);
    };
    CHECK(payload(look("<last>Capulet</last>")) == "<query xmlns='jabber:iq:search'/>");

    // What the vCard says is suggested, and told to nobody before she sends it.
    const auto asked = payload(juliet.ask("get", registration(""), directory));
    CHECK(asked.find("<registered/>") == std::string::npos);
    CHECK(asked.find("<nick>Jule</nick>") != std::string::npos);
    CHECK(payload(look("<last>Capulet</last>")) == "<query xmlns='jabber:iq:search'/>");
    CHECK(outcome(juliet.ask("set", registration("<first>Juliet</first><last> Capulet </last>"),
                             directory)) == "result");
    CHECK(payload(juliet.ask("get", registration(""), directory)).find("<registered/>") !=
          std::string::npos);
    CHECK(payload(look("<last>capulet</last>")) ==
          "<query xmlns='jabber:iq:search'><item jid='juliet@capulet.example'><first>Juliet</first>"
          "<last>Capulet</last><nick/><email/></item></query>");
    CHECK(found(look("<nick>Jule</nick>")).empty());
    CHECK(found(look("<last>Cap*</last><first>JULIET</first>")) == Jids{"juliet@capulet.example"});
    CHECK(found(look("<last>Cap*</last><first>Rosaline</first>")).empty());

    // It is changed as a whole, and taken back.
    juliet.ask("set", registration("<nick>Jule</nick>"), directory);
    CHECK(found(look("<last>Capulet</last>")).empty());
    CHECK(found(look("<nick>jule</nick>")) == Jids{"juliet@capulet.example"});
    CHECK(outcome(juliet.ask("set", registration("<remove/>"), directory)) == "result");
    CHECK(found(look("<nick>jule</nick>")).empty());
    CHECK(outcome(juliet.ask("set", registration("<remove/>"), directory)) ==
          "auth registration-required");
}

TEST_CASE("a form is asked and answered as well as plain elements") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto asked = parseXml(payload(juliet.ask("get", query(""), directory)));
    REQUIRE(asked);
    for (const char* field : {"instructions", "first", "last", "nick", "email"})
        CHECK((*asked)->child(field));
    const auto questions = DataForm::read(*(*asked)->child("x", ns::dataForms));
    REQUIRE(questions);
    CHECK(questions->formType() == "jabber:iq:search");
    CHECK(questions->fields().size() == 5);

    CHECK(outcome(juliet.ask("set",
                             registration(form("jabber:iq:register",
                                               "<field var='nick'><value>Jule</value></field>")),
                             directory)) == "result");
    const auto answer = juliet.ask(
        "set", query(form("jabber:iq:search", "<field var='nick'><value>jul*</value></field>")),
        directory);
    CHECK(found(answer) == Jids{"juliet@capulet.example"});
    const auto read = parseXml(payload(answer));
    const auto result = DataForm::read(*(*read)->child("x", ns::dataForms));
    CHECK(result->kind() == FormKind::Result);
    CHECK(result->reported().size() == 5);
    CHECK(payload(juliet.ask(
              "set", query(form("jabber:iq:search", "<field var='nick'><value>x</value></field>")),
              directory)) == "<query xmlns='jabber:iq:search'/>");
}

TEST_CASE("what is no search or no registration is refused") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto ask = [&](const std::string& content) {
        return outcome(juliet.ask("set", content, directory));
    };
    const std::string longest(256, 'x');
    for (const auto& [content, expected] : std::vector<std::pair<std::string, std::string>>{
             {query(""), "modify not-acceptable"},
             {query("<first/><last>  </last>"), "modify not-acceptable"},
             {query("<last>*</last>"), "modify not-acceptable"},
             {query("<last>C*</last>"), "modify not-acceptable"},
             {query("<last>C*t</last>"), "modify not-acceptable"},
             {query("<last>*pulet</last>"), "modify not-acceptable"},
             {query("<last>" + longest + "x</last>"), "modify not-acceptable"},
             {query("<last>&#9;</last><first>\xE2\x80\xAA</first>"), "modify not-acceptable"},
             {query("<last>" + longest + "</last>"), "result"},
             {query("<phone>1</phone>"), "modify not-acceptable"},
             {query(form("jabber:iq:register", "<field var='nick'><value>x</value></field>")),
              "modify bad-request"},
             {query("<x xmlns='jabber:x:data' type='form'/>"), "modify bad-request"},
             {query("<x xmlns='jabber:x:data' type='cancel'/>"), "modify bad-request"},
             {registration(""), "modify not-acceptable"},
             {registration("<first> </first>"), "modify not-acceptable"},
             {registration("<first>" + longest + "x</first>"), "modify not-acceptable"},
             {registration("<remove/><first>x</first>"), "modify bad-request"},
             {registration("<username>romeo</username><password>x</password>"),
              "modify not-acceptable"},
         }) {
        INFO(content);
        CHECK(ask(content) == expected);
    }
    CHECK(found(juliet.ask("set", query("<last>xx*</last>"), directory)).empty());
}

TEST_CASE("strangers neither search nor register, unless they may search") {
    for (const bool isOpen : {false, true}) {
        TestServer server{isOpen ? "[search]\nstrangers = true" : ""};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        auto& romeo = server.login("romeo@montague.example/orchard");
        juliet.ask("set", registration("<nick>Jule</nick>"), directory);
        const auto answer = romeo.ask("set", query("<nick>Jule</nick>"), directory);
        CHECK(found(answer) == (isOpen ? Jids{"juliet@capulet.example"} : Jids{"auth forbidden"}));
        CHECK(outcome(romeo.ask("get", query(""), directory)) ==
              (isOpen ? "result" : "auth forbidden"));
        CHECK(outcome(romeo.ask("get", registration(""), directory)) == "auth forbidden");
        CHECK(outcome(romeo.ask("set", registration("<nick>Ro</nick>"), directory)) ==
              "auth forbidden");
        // His own directory knows nothing of her.
        CHECK(
            found(romeo.ask("set", query("<nick>Jule</nick>"), "search.montague.example")).empty());
    }
}

TEST_CASE("how much is found, and how often somebody searches, is limited") {
    TestServer server{"[search]\nresults_max = 2\nper_minute_max = 3"};
    for (const std::string name : {"c", "a", "b"})
        server.login(name + "@capulet.example/x")
            .ask("set", registration("<last>Capulet</last><first>" + name + "</first>"), directory);
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    const auto look = [&](TestClient& who) {
        return who.ask("set", query("<last>Capulet</last>"), directory);
    };
    CHECK(found(look(juliet)) == Jids{"a@capulet.example", "b@capulet.example"});
    look(juliet);
    look(juliet);
    CHECK(outcome(look(juliet)) == "wait resource-constraint");
    CHECK(found(look(tybalt)).size() == 2);
    server.advance(std::chrono::seconds{21});
    CHECK(found(look(juliet)).size() == 2);
    CHECK(outcome(look(juliet)) == "wait resource-constraint");
}

TEST_CASE("where everybody is in the directory, who wants to is not") {
    TestServer server{"[search]\neverybody = true"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.addAccount("tybalt@capulet.example");
    server.addAccount("tybalt.junior@capulet.example");
    server.addAccount("tybalt@montague.example");
    const auto look = [&](std::string_view nick) {
        return found(juliet.ask("set", query("<nick>" + std::string{nick} + "</nick>"), directory));
    };
    CHECK(look("Tybalt") == Jids{"tybalt@capulet.example"});
    CHECK(look("ty*") == Jids{"tybalt.junior@capulet.example", "tybalt@capulet.example"});
    CHECK(found(juliet.ask("set", query("<last>tybalt</last>"), directory)).empty());
    auto& tybalt = server.login("tybalt@capulet.example/street");
    CHECK(outcome(tybalt.ask("set", registration("<remove/>"), directory)) == "result");
    CHECK(look("tybalt").empty());
    CHECK(outcome(tybalt.ask("set", registration("<nick>King of cats</nick>"), directory)) ==
          "result");
    CHECK(look("king*") == Jids{"tybalt@capulet.example"});
    CHECK(look("tybalt").empty());
}

TEST_CASE("the directory says what it is, and goes with its account") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    const auto items = payload(juliet.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "capulet.example"));
    CHECK(items.find("jid='search.capulet.example'") != std::string::npos);
    const auto info = payload(
        juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", directory));
    CHECK(info.find("category='directory' type='user'") != std::string::npos);
    CHECK(info.find("var='jabber:iq:search'") != std::string::npos);

    tybalt.ask("set", registration("<nick>King of cats</nick>"), directory);
    CHECK(found(juliet.ask("set", query("<nick>king*</nick>"), directory)).size() == 1);
    tybalt.send("<iq type='set' id='bye'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    CHECK(found(juliet.ask("set", query("<nick>king*</nick>"), directory)).empty());
    // Who takes the address next is not listed.
    auto& heir = server.login("tybalt@capulet.example/street");
    CHECK(payload(heir.ask("get", registration(""), directory)).find("<registered/>") ==
          std::string::npos);
}

TEST_CASE("the directory's store finds by all wishes, in order, over each database") {
    overAllDatabases([](Setup& setup) {
        auto& stores = setup.stores();
        setup.database().migrate(std::vector<Migration>{search::DirectoryStore::migration});
        search::DirectoryStore store{setup.database()};
        const std::string host = "capulet.example";
        std::vector<AccountId> ids;
        for (const char* name : {"a", "b", "c", "d"}) {
            const std::string jid = name + ("@" + host);
            ids.push_back(*setup.await(stores.accounts.create(jid, {}, fromMilliseconds(1))));
        }
        const auto put = [&](std::size_t who, Fields fields, bool isHidden = false) {
            setup.await(
                store.put(ids[who], host, {.fields = std::move(fields), .isHidden = isHidden}));
        };
        put(0, {"Zoë", "Capulet", "", "zoe@capulet.example"});
        put(1, {"Anna", "CAPULET", "100%_x", ""});
        put(2, {"Anna", "Montague", "", ""}, true);
        const auto find = [&](Fields fields, std::size_t most = 10) {
            const auto wishes = std::get<Wishes>(search::readWishes(fields));
            std::string jids;
            for (const auto& person : setup.await(store.find(host, wishes, most)))
                jids += person.jid.substr(0, 1);
            return jids;
        };
        CHECK(find({"", "capulet", "", ""}) == "ba");
        CHECK(find({"", "cap*", "", ""}, 1) == "b");
        CHECK(find({"zo*", "cap*", "", "zoe@*"}) == "a");
        CHECK(find({"ZOE\xCC\x88", "", "", ""}) == "a");
        CHECK(find({"anna", "", "", ""}) == "b");
        CHECK(find({"", "", "100%_x", ""}) == "b");
        CHECK(find({"", "", "10*", ""}) == "b");
        CHECK(find({"", "", "1__%_x", ""}).empty());
        CHECK(find({"", "' OR 1=1 --", "", ""}).empty());
        CHECK(setup
                  .await(store.find("montague.example",
                                    std::get<Wishes>(search::readWishes({"anna", "", "", ""})), 9))
                  .empty());
        CHECK(setup.await(store.findUnlisted(host, {.key = "d", .isBegin = false}, 9)).size() == 1);
        CHECK(setup.await(store.findUnlisted(host, {.key = "c", .isBegin = false}, 9)).empty());
        setup.await(stores.accounts.setDisabled("b@" + host, true));
        CHECK(find({"", "capulet", "", ""}) == "a");
        CHECK(setup.await(store.find(ids[0]))->fields[0] == "Zoë");
        CHECK(setup.await(store.remove(ids[0])));
        CHECK(!setup.await(store.remove(ids[0])));
        CHECK(!setup.await(store.find(ids[0])));
    });
}
