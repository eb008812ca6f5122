// Hats (XEP-0317): made, given, seen, taken, gone.
#include "tests/plugins/muc_support.h"

using namespace epode;

namespace {

std::string hatCommand(TestClient& client, const std::string& node, const FieldList& fields = {}) {
    std::string xml =
        "<command xmlns='http://jabber.org/protocol/commands' action='execute' "
        "node='urn:xmpp:hats:commands:" +
        node + "'>";
    if (!fields.empty()) {
        xml +=
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
            "urn:xmpp:hats:commands</value></field>";
        for (const auto& [var, value] : fields)
            xml += "<field var='hats#" + var + "'><value>" + value + "</value></field>";
        xml += "</x>";
    }
    return client.ask("set", xml + "</command>", coven);
}

const std::string uri = "http://tech.example.edu/hats#Assistant";
const FieldList assistant{{"title", "Assistant"}, {"uri", uri}, {"hue", "327.255249"}};
const FieldList toRomeo{{"jid", "romeo@montague.example"}, {"uri", uri}};

std::string lastPresence(TestClient& client) {
    std::string last;
    for (const auto& xml : client.all())
        if (xml.starts_with("<presence")) last = xml;
    return last;
}

}  // namespace

TEST_CASE("a hat is made, given, seen by all, changed and destroyed") {
    Coven verona{{{"persistentroom", "1"}}};
    verona.everybodyIn();
    CHECK(hatCommand(verona.juliet, "create").find("status='executing'") != std::string::npos);
    CHECK(hatCommand(verona.juliet, "create", assistant).find("status='completed'") !=
          std::string::npos);
    CHECK(hears(verona.tybalt) == Texts{" 104"});
    verona.forget();
    CHECK(outcome(hatCommand(verona.juliet, "assign", toRomeo)) == "result");
    const std::string seen = lastPresence(verona.tybalt);
    CHECK(seen.find("<hats xmlns='urn:xmpp:hats:0'><hat title='Assistant' uri='" + uri +
                    "' hue='327.255249'/></hats>") != std::string::npos);
    CHECK(outcome(hatCommand(verona.juliet, "assign", toRomeo)) == "result");  // again: nothing
    CHECK(verona.tybalt.all().empty());

    // Whoever comes sees it, after a restart as well.
    verona.server.restart();
    auto& juliet = verona.server.login("juliet@capulet.example/later");
    auto& romeo = verona.server.login("romeo@montague.example/later");
    verona.joins(juliet, "juliet");
    juliet.forget();
    romeo.send(joinXml("romeo"));
    CHECK(lastPresence(juliet).find("title='Assistant'") != std::string::npos);
    CHECK(outcome(hatCommand(juliet, "create", {{"title", "Helper"}, {"uri", uri}})) == "result");
    CHECK(lastPresence(romeo).find("title='Helper'") != std::string::npos);
    const std::string about =
        romeo.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", coven);
    CHECK(about.find("urn:xmpp:hats:0") != std::string::npos);
    CHECK(about.find("hats#hash") != std::string::npos);
    CHECK(hatCommand(juliet, "list").find("<value>Helper</value>") != std::string::npos);
    CHECK(hatCommand(juliet, "list-assigned").find("<value>romeo@montague.example</value>") !=
          std::string::npos);
    CHECK(outcome(hatCommand(juliet, "destroy", {{"uri", uri}})) == "result");
    CHECK(lastPresence(romeo).find("<hats") == std::string::npos);
    CHECK(hatCommand(juliet, "list-assigned").find("<value>romeo@") == std::string::npos);
}

TEST_CASE("hats that a room refuses, and that people put on themselves") {
    Coven verona;
    verona.everybodyIn();
    CHECK(outcome(hatCommand(verona.romeo, "create", assistant)) == "cancel forbidden");
    CHECK(outcome(hatCommand(verona.romeo, "list-assigned")) == "cancel forbidden");
    for (const FieldList& bad : {FieldList{{"title", ""}, {"uri", uri}},
                                 {{"title", "x"}, {"uri", ""}},
                                 {{"title", "x"}, {"uri", uri}, {"hue", "red"}},
                                 {{"title", "x"}, {"uri", uri}, {"hue", "361"}},
                                 {{"title", std::string(200, 'x')}, {"uri", uri}},
                                 {{"title", "x"}, {"uri", std::string(600, 'x')}}})
        CHECK(outcome(hatCommand(verona.juliet, "create", bad)) == "modify not-acceptable");
    CHECK(outcome(hatCommand(verona.juliet, "assign", toRomeo)) == "cancel item-not-found");
    CHECK(outcome(hatCommand(verona.juliet, "destroy", {{"uri", uri}})) == "cancel item-not-found");
    CHECK(outcome(hatCommand(verona.juliet, "create", assistant)) == "result");
    CHECK(outcome(hatCommand(verona.juliet, "assign", {{"jid", "nobody"}, {"uri", uri}})) ==
          "modify jid-malformed");
    CHECK(outcome(hatCommand(verona.juliet, "unassign", toRomeo)) == "cancel item-not-found");
    CHECK(outcome(hatCommand(verona.juliet, "assign", toRomeo)) == "result");
    CHECK(outcome(hatCommand(verona.juliet, "unassign", toRomeo)) == "result");
    verona.forget();
    verona.romeo.send("<presence to='" + coven +
                      "/romeo'><hats xmlns='urn:xmpp:hats:0'><hat title='King' uri='u'/></hats>"
                      "<status>I</status></presence>");
    const std::string seen = lastPresence(verona.tybalt);
    CHECK(seen.find("<status>I</status>") != std::string::npos);
    CHECK(seen.find("King") == std::string::npos);
    // So many and no more.
    for (int i = 0; i < 99; ++i)
        hatCommand(verona.juliet, "create", {{"title", "x"}, {"uri", "u" + std::to_string(i)}});
    CHECK(outcome(hatCommand(verona.juliet, "create", {{"title", "x"}, {"uri", "more"}})) ==
          "wait resource-constraint");
}
