// Push Notifications (XEP-0357), with a push service that is a client.
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

#include "core/data_form.h"

using namespace epode;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";
const std::string service = "push@montague.example/service";
constexpr std::string_view pubsubNs = "http://jabber.org/protocol/pubsub";
constexpr std::string_view pushNs = "urn:xmpp:push:0";

std::string enablePush(const std::string& node, const std::string& form = {},
                       const std::string& jid = service) {
    return "<enable xmlns='urn:xmpp:push:0' jid='" + jid + "' node='" + node + "'>" + form +
           "</enable>";
}
std::string disablePush(const std::string& more = {}) {
    return "<disable xmlns='urn:xmpp:push:0' jid='" + service + "'" + more + "/>";
}
std::string optionsForm(const std::string& secret) {
    return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
           "http://jabber.org/protocol/pubsub#publish-options</value></field>"
           "<field var='secret'><value>" +
           secret + "</value></field></x>";
}

// What the service was told: "node count", with more of the summary behind it; it answers as it is
// told to.
struct PushService {
    explicit PushService(TestServer& server) : client{server.login(service)} {}

    Texts told(const std::string& answer = "result") {
        Texts found;
        for (const auto& xml : client.all()) {
            const auto stanza = Stanza::parse(xml);
            if (!stanza || !stanza->isIq() || stanza->type() != StanzaType::Set) continue;
            const Element* pubsub = stanza->child("pubsub", pubsubNs);
            const Element* publish = pubsub ? pubsub->child("publish") : nullptr;
            const Element* item = publish ? publish->child("item") : nullptr;
            const Element* notification = item ? item->child("notification", pushNs) : nullptr;
            const Element* x = notification ? notification->child("x", ns::dataForms) : nullptr;
            const auto summary = x ? DataForm::read(*x) : std::nullopt;
            if (!summary || summary->formType() != "urn:xmpp:push:summary") {
                found.push_back("no summary: " + xml);
                continue;
            }
            std::string text{publish->get("node")};
            text.append(" ").append(summary->text("message-count"));
            for (const char* field :
                 {"pending-subscription-count", "last-message-sender", "last-message-body"})
                if (summary->find(field)) text.append(" ").append(summary->text(field));
            if (const Element* options = pubsub->child("publish-options"))
                if (const auto form = DataForm::read(*options->firstChild()))
                    text.append(" ").append(form->text("secret"));
            found.push_back(std::move(text));
            const std::string head =
                "<iq to='" + stanza->from().text() + "' id='" + std::string{stanza->id()} + "' ";
            if (answer == "result")
                client.send(head + "type='result'/>");
            else if (!answer.empty())
                client.send(head + "type='error'><error type='cancel'><" + answer +
                            " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
        }
        return found;
    }

    TestClient& client;
};

// Juliet's phone has named the service and has gone.
struct Scene {
    explicit Scene(std::string_view toml = {}, const std::string& form = {})
        : server{toml}, pushed{server}, friendly{server.login(romeo + "/orchard")} {
        auto& phone = server.login(juliet + "/phone");
        CHECK(outcome(phone.ask("set", enablePush("n", form))) == "result");
        phone.send("</stream:stream>");
        server.advance(seconds{10});
        friendly.forget();
    }
    TestServer server;
    PushService pushed;
    TestClient& friendly;
};

}  // namespace

TEST_CASE("a client that has gone is woken for a message, by the service that it has named") {
    Scene scene{"", optionsForm("s3cret")};
    CHECK(scene.pushed.told() == Texts{});
    scene.friendly.send(chat(juliet, "one"));
    CHECK(scene.pushed.told() == Texts{"n 1 s3cret"});
    scene.server.advance(seconds{10});
    SECTION("also after a restart, and counts on") {
        scene.server.restart();
        PushService pushed{scene.server};
        scene.server.login(romeo + "/again").send(chat(juliet, "two"));
        CHECK(pushed.told() == Texts{"n 2 s3cret"});
    }
    SECTION("until the client is there again") {
        auto& phone = scene.server.login(juliet + "/phone");
        scene.friendly.send(chat(juliet, "two"));
        CHECK(scene.pushed.told() == Texts{});
        phone.send("</stream:stream>");
        scene.friendly.send(chat(juliet, "three"));
        CHECK(scene.pushed.told() == Texts{"n 1 s3cret"});
    }
    SECTION("while another client reads along") {
        auto& desk = scene.server.login(juliet + "/desk");
        desk.forget();
        scene.friendly.send(chat(juliet, "two"));
        CHECK(heard(desk) == Texts{"two"});
        CHECK(scene.pushed.told() == Texts{"n 2 s3cret"});
        // But not for what the account itself says.
        scene.server.advance(seconds{10});
        desk.send(chat(juliet, "note"));
        desk.send(chat(romeo, "answer"));
        CHECK(scene.pushed.told() == Texts{});
    }
}

TEST_CASE("the feature is the account's, and nobody names services for somebody else") {
    TestServer server;
    auto& phone = server.login(juliet + "/phone");
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    CHECK(phone.ask("get", info, juliet).find("'urn:xmpp:push:0'") != std::string::npos);
    auto& stranger = server.login(romeo + "/orchard");
    for (const auto* to : {"juliet@capulet.example", "nobody@capulet.example"}) {
        CHECK(outcome(stranger.ask("set", enablePush("n"), to)) == "auth forbidden");
        CHECK(outcome(stranger.ask("set", disablePush(), to)) == "auth forbidden");
    }
}

TEST_CASE("what a client names is checked") {
    TestServer server{"[push]\nregistrations_max = 2\noptions_bytes_max = '256 B'"};
    auto& phone = server.login(juliet + "/phone");
    const std::string bad[] = {
        "<enable xmlns='urn:xmpp:push:0' node='n'/>",
        "<enable xmlns='urn:xmpp:push:0' jid='' node='n'/>",
        "<enable xmlns='urn:xmpp:push:0' jid='a@@b' node='n'/>",
        enablePush("n", "<x xmlns='jabber:x:data' type='submit'/>"),
        enablePush("n",
                   "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'><value>"
                   "http://jabber.org/protocol/pubsub#publish-options</value></field></x>"),
        "<disable xmlns='urn:xmpp:push:0'/>",
    };
    for (const auto& xml : bad) {
        INFO(xml);
        CHECK(outcome(phone.ask("set", xml)) == "modify bad-request");
    }
    CHECK(outcome(phone.ask("set", enablePush(std::string(1024, 'n')))) == "modify not-acceptable");
    CHECK(outcome(phone.ask("set", enablePush("n", optionsForm(std::string(256, 's'))))) ==
          "modify not-acceptable");
    CHECK(outcome(phone.ask("set", enablePush("1"))) == "result");
    CHECK(outcome(phone.ask("set", enablePush("2"))) == "result");
    CHECK(outcome(phone.ask("set", enablePush("2", optionsForm("new")))) == "result");
    CHECK(outcome(phone.ask("set", enablePush("3"))) == "wait resource-constraint");
    CHECK(outcome(phone.ask("set", disablePush(" node='1'"))) == "result");
    CHECK(outcome(phone.ask("set", disablePush(" node='1'"))) == "result");
    CHECK(outcome(phone.ask("set", enablePush("3"))) == "result");
}

TEST_CASE("a service that is disabled is told nothing any more") {
    TestServer server;
    PushService pushed{server};
    auto& friendly = server.login(romeo + "/orchard");
    auto& phone = server.login(juliet + "/phone");
    for (const char* node : {"1", "2", "3"})
        CHECK(outcome(phone.ask("set", enablePush(node))) == "result");
    CHECK(outcome(phone.ask("set", disablePush(" node='2'"))) == "result");
    phone.send("</stream:stream>");
    friendly.send(chat(juliet, "one"));
    CHECK(pushed.told() == Texts{"1 1", "3 1"});
    auto& again = server.login(juliet + "/phone");
    CHECK(outcome(again.ask("set", disablePush())) == "result");
    again.send("</stream:stream>");
    friendly.send(chat(juliet, "two"));
    CHECK(pushed.told() == Texts{});
    server.restart();
    PushService later{server};
    server.login(romeo + "/again").send(chat(juliet, "three"));
    CHECK(later.told() == Texts{});
}

TEST_CASE("a person is woken for what he has to see") {
    const std::pair<const char*, bool> rows[] = {
        {"<body>x</body>", true},
        {"<encrypted xmlns='eu.siacs.conversations.axolotl'/>", true},
        {"<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", true},
        {"<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b.example'/></x>", true},
        {"<composing xmlns='http://jabber.org/protocol/chatstates'/>", false},
        {"<received xmlns='urn:xmpp:receipts' id='1'/>", false},
        {"<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", false},
        {"<data xmlns='urn:example:data'/>", false},
    };
    Scene scene;
    for (const auto& [content, wakes] : rows) {
        INFO(content);
        scene.server.advance(seconds{10});
        scene.friendly.send("<message to='" + juliet + "' type='chat'>" + content + "</message>");
        CHECK(scene.pushed.told().size() == (wakes ? 1 : 0));
    }
}

TEST_CASE("what comes soon after a notification is told in one") {
    Scene scene{"[push]\ninterval = '5s'"};
    for (const char* text : {"1", "2", "3"}) scene.friendly.send(chat(juliet, text));
    CHECK(scene.pushed.told() == Texts{"n 1"});
    scene.server.advance(seconds{4});
    CHECK(scene.pushed.told() == Texts{});
    scene.server.advance(seconds{2});
    CHECK(scene.pushed.told() == Texts{"n 3"});
    scene.server.advance(seconds{60});
    CHECK(scene.pushed.told() == Texts{});
}

TEST_CASE("sender and text are told only when the operator wants it") {
    Scene scene{"[push]\nwith_sender = true\nwith_body = true"};
    scene.friendly.send(chat(juliet, "a secret"));
    CHECK(scene.pushed.told() == Texts{"n 1 " + romeo + "/orchard a secret"});
    scene.server.advance(seconds{10});
    std::string longText;
    for (int i = 0; i < 150; ++i) longText += "é";
    scene.friendly.send(chat(juliet, longText));
    CHECK(scene.pushed.told() == Texts{"n 2 " + romeo + "/orchard " + longText.substr(0, 200)});
    scene.server.advance(seconds{10});
    scene.friendly.send(message(juliet, "[encrypted]", "chat",
                                "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>"));
    CHECK(scene.pushed.told() == Texts{"n 3 " + romeo + "/orchard"});
}

TEST_CASE(
    "a service that doesn't know the node is forgotten; one that is troubled, after some errors") {
    SECTION("forgotten") {
        Scene scene;
        const auto* condition = GENERATE("item-not-found", "gone", "not-authorized");
        scene.friendly.send(chat(juliet, "one"));
        CHECK(scene.pushed.told(condition).size() == 1);
        scene.server.advance(seconds{10});
        scene.friendly.send(chat(juliet, "two"));
        CHECK(scene.pushed.told() == Texts{});
        scene.server.restart();
        PushService later{scene.server};
        scene.server.login(romeo + "/again").send(chat(juliet, "three"));
        CHECK(later.told() == Texts{});
    }
    SECTION("troubled") {
        Scene scene{"[push]\nfailures_max = 3"};
        for (const char* answer :
             {"service-unavailable", "service-unavailable", "result", "service-unavailable",
              "service-unavailable", "service-unavailable"}) {
            scene.friendly.send(chat(juliet, "one"));
            CHECK(scene.pushed.told(answer).size() == 1);
            scene.server.advance(seconds{10});
        }
        scene.friendly.send(chat(juliet, "one"));
        CHECK(scene.pushed.told().empty());
    }
}

TEST_CASE("nobody else can answer for the service") {
    Scene scene;
    scene.friendly.send(chat(juliet, "one"));
    for (const auto& xml : scene.pushed.client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza || !stanza->isIq()) continue;
        scene.friendly.send("<iq to='capulet.example' id='" + std::string{stanza->id()} +
                            "' type='error'><error type='cancel'>"
                            "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    }
    scene.server.advance(seconds{10});
    scene.friendly.send(chat(juliet, "two"));
    CHECK(scene.pushed.told() == Texts{"n 2"});
}

TEST_CASE("a session that waits to be resumed is woken") {
    TestServer server;
    PushService pushed{server};
    auto& friendly = server.login(romeo + "/orchard");
    auto& phone = server.login(juliet + "/phone");
    phone.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    const std::string id{(*parseXml(phone.next(), ns::client))->get("id")};
    CHECK(outcome(phone.ask("set", enablePush("n"))) == "result");
    SECTION("when something comes") {
        acknowledge(phone, int(phone.handled()));
        phone.cut();
        server.advance(seconds{60});
        CHECK(pushed.told() == Texts{});
        friendly.send(chat(juliet, "one"));
        CHECK(pushed.told() == Texts{"n 1"});
    }
    SECTION("when something came that was not acknowledged") {
        friendly.send(chat(juliet, "one") + chat(juliet, "two"));
        phone.cut();
        server.advance(seconds{4});
        CHECK(pushed.told() == Texts{});
        SECTION("after a while") {
            server.advance(seconds{2});
            CHECK(pushed.told() == Texts{"n 2"});
        }
        SECTION("unless it comes back before") {
            auto& back = server.connect({}, true);
            back.sendHeader().logIn("juliet").sendHeader().forget();
            back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='1'/>");
            CHECK(heard(back) == Texts{"one", "two"});
            server.advance(seconds{10});
            CHECK(pushed.told() == Texts{});
        }
    }
}

TEST_CASE("nobody is woken for a chat that he has muted") {
    const auto settings = [](const std::string& chat, const std::string& rules) {
        return "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
               "node='urn:xmpp:bookmarks:1'><item id='" +
               chat +
               "'><conference xmlns='urn:xmpp:bookmarks:1'><extensions><notify "
               "xmlns='urn:xmpp:notification-settings:1'>" +
               rules + "</notify></extensions></conference></item></publish></pubsub>";
    };
    struct Row {
        std::string chat, rules;
        bool isWoken;
    };
    const Row row = GENERATE(
        Row{romeo, "<never/>", false}, Row{romeo, "<on-mention/>", false},
        Row{romeo, "<always/>", true}, Row{"mercutio@montague.example", "<never/>", true},
        Row{romeo, "<never/><always identity-category='client' identity-type='phone'/>", true},
        Row{romeo, "<never identity-category='client' identity-type='pc'/>", true});
    CAPTURE(row.chat, row.rules);
    Scene scene;
    auto& desk = scene.server.login(juliet + "/desk");
    CHECK(outcome(desk.ask("set", settings(row.chat, row.rules))) == "result");
    scene.friendly.send(chat(juliet, "one"));
    CHECK(scene.pushed.told() == (row.isWoken ? Texts{"n 1"} : Texts{}));
    // Nor for what its client has not acknowledged.
    auto& phone = scene.server.login(juliet + "/phone");
    phone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    scene.friendly.send(chat(juliet, "two"));
    phone.cut();
    scene.server.advance(seconds{6});
    CHECK(scene.pushed.told() == (row.isWoken ? Texts{"n 1"} : Texts{}));
}

TEST_CASE("what is not archived wakes as well") {
    Scene scene{"[archive]\ndefault = 'never'"};
    scene.friendly.send(chat(juliet, "one"));
    CHECK(scene.pushed.told() == Texts{"n 1"});
}
