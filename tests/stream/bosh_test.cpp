// Streams over BOSH (XEP-0124, XEP-0206).
#include "tests/stream/web_client.h"

using namespace epode;

namespace {

// A client with as many connections as it likes.
class BoshClient {
public:
    explicit BoshClient(TestServer& server, bool isTls = true, unsigned connections = 2)
        : server_{server} {
        for (unsigned i = 0; i < connections; ++i)
            connections_.push_back(std::make_unique<WebClient>(server, SimLinkSettings{}, isTls));
    }
    WebClient& connection(unsigned number) { return *connections_[number]; }
    void addConnection(unsigned shard) {
        connections_.push_back(
            std::make_unique<WebClient>(server_, SimLinkSettings{}, true, shard));
    }

    // Asks for a session, and keeps its id.
    std::string create(std::string_view more = "ver='1.11' wait='30' hold='1'",
                       std::string_view to = "capulet.example") {
        std::string body =
            "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' "
            "xmpp:version='1.0' rid='" +
            std::to_string(rid) + "' ";
        if (!to.empty()) body += "to='" + std::string{to} + "' ";
        const auto answer = raw(0, body + std::string{more} + "/>");
        sid = attribute(answer, "sid");
        return answer;
    }
    // A request with the next number; returns what came on that connection.
    std::string ask(std::string_view payloads, std::string_view attributes = {},
                    unsigned number = 0) {
        return request(++rid, payloads, attributes, number);
    }
    std::string request(std::uint64_t withRid, std::string_view payloads,
                        std::string_view attributes = {}, unsigned number = 0) {
        return raw(number, wrap(withRid, payloads, attributes));
    }
    std::string wrap(std::uint64_t withRid, std::string_view payloads,
                     std::string_view attributes) const {
        return "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' "
               "rid='" +
               std::to_string(withRid) + "' sid='" + sid + "' " + std::string{attributes} + ">" +
               std::string{payloads} + "</body>";
    }
    std::string raw(unsigned number, std::string_view body) {
        connection(number).received.clear();
        connection(number).post(body);
        return got(number);
    }
    std::string got(unsigned number) {
        const auto& received = connection(number).received;
        return received.empty() ? std::string{} : bodyOf(received);
    }

    void logIn(std::string_view local, std::string_view session = "ver='1.11' wait='30' hold='1'") {
        create(session);
        ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
            encodeBase64(std::string{'\0'} + std::string{local} + '\0' + "secret") + "</auth>");
        CHECK(has(got(0), "<success "));
        CHECK(has(ask("", "to='capulet.example' xmpp:restart='true'"), "<bind "));
        CHECK(has(ask("<iq xmlns='jabber:client' type='set' id='b'><bind "
                      "xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                      "<resource>balcony</resource></bind></iq>"),
                  "balcony</jid>"));
    }

    std::uint64_t rid = 1573741820;
    std::string sid;

private:
    TestServer& server_;
    std::vector<std::unique_ptr<WebClient>> connections_;
};

constexpr std::string_view emptyBody = "<body xmlns='http://jabber.org/protocol/httpbind'/>";

std::string ended(std::string_view condition) {
    return "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='" +
           std::string{condition} + "'/>";
}

std::string message(std::string_view text) {
    return "<message xmlns='jabber:client' to='romeo@montague.example/garden' type='chat'><body>" +
           std::string{text} + "</body></message>";
}

}  // namespace

TEST_CASE("a session of BOSH begins with its rules and the features of the stream") {
    TestServer server;
    BoshClient juliet{server};
    const auto answer =
        juliet.create("ver='1.11' wait='3600' hold='1' xml:lang='en' content='text/html'");
    CHECK(attribute(answer, "wait") == "60");
    CHECK(attribute(answer, "hold") == "1");
    CHECK(attribute(answer, "requests") == "2");
    CHECK(attribute(answer, "inactivity") == "60");
    CHECK(attribute(answer, "polling") == "2");
    CHECK(attribute(answer, "maxpause") == "120");
    CHECK(attribute(answer, "from") == "capulet.example");
    CHECK(attribute(answer, "sid").size() == 32);
    CHECK(attribute(answer, "authid") != "");
    CHECK(has(answer, "xmpp:restartlogic='true'"));
    CHECK(has(answer, "xmpp:version='1.0'"));
    CHECK(has(answer, "<stream:features>"));
    CHECK(has(answer, "<mechanism>PLAIN</mechanism>"));
    CHECK(!has(answer, "starttls"));
    // Never as a page, whatever a client asks for; for pages of everywhere.
    CHECK(has(juliet.connection(0).received, "Content-Type: text/xml; charset=utf-8\r\n"));
    CHECK(has(juliet.connection(0).received, "Access-Control-Allow-Origin: *\r\n"));
}

TEST_CASE("a request waits until there is something to tell, and stanzas keep their order") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server};
    juliet.logIn("juliet");
    auto& romeo = server.login("romeo@montague.example/garden");
    juliet.ask("<presence xmlns='jabber:client'/>");
    CHECK(juliet.got(0) != "");  // her own presence comes back
    CHECK(juliet.ask("") == "");
    romeo.send(
        "<message to='juliet@capulet.example' type='chat' id='m1'><body>1</body></message>"
        "<message to='juliet@capulet.example' type='chat' id='m2'><body>2</body></message>");
    const auto both = juliet.got(0);
    CHECK(both.find("<body>1</body>") < both.find("<body>2</body>"));
    CHECK(has(both, "<message xmlns='jabber:client' "));
    // While one waits, another brings a message: the first is answered.
    CHECK(juliet.ask("") == "");
    CHECK(juliet.ask(message("a") + " \r\n" + message("b"), {}, 1) == "");
    CHECK(juliet.got(0) == emptyBody);
    CHECK(has(romeo.next(), "<body>a</body>"));
    CHECK(has(romeo.next(), "<body>b</body>"));
    // Clients that leave the namespace of stanzas out are understood (XEP-0206, 2).
    juliet.ask("<message to='romeo@montague.example/garden' type='chat'><body>c</body></message>",
               {}, 0);
    CHECK(has(romeo.next(), "<body>c</body>"));
    // It is answered in time when there is nothing.
    server.advance(31s);
    CHECK(juliet.got(0) == emptyBody);
}

TEST_CASE("requests that come out of order are taken in order") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 3};
    juliet.logIn("juliet");
    auto& romeo = server.login("romeo@montague.example/garden");
    const auto rid = juliet.rid;
    CHECK(juliet.request(rid + 2, message("2"), {}, 1) == "");
    CHECK(romeo.next() == "");
    CHECK(juliet.request(rid + 1, message("1"), {}, 0) == emptyBody);
    CHECK(has(romeo.next(), "<body>1</body>"));
    CHECK(has(romeo.next(), "<body>2</body>"));
}

TEST_CASE("an answer that was lost is given again, and nothing is done twice") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 4};
    juliet.logIn("juliet");
    juliet.ask("<presence xmlns='jabber:client'/>");
    auto& romeo = server.login("romeo@montague.example/garden");
    juliet.ask(message("once"));
    CHECK(has(romeo.next(), "<body>once</body>"));
    // The connection breaks while the answer is on its way.
    juliet.connection(0).cut();
    romeo.send(
        "<message to='juliet@capulet.example' type='chat' id='m1'><body>lost?</body></message>");
    const auto again = juliet.request(juliet.rid, message("once"), {}, 1);
    CHECK(has(again, "<body>lost?</body>"));
    CHECK(juliet.request(juliet.rid, message("once"), {}, 2) == again);
    CHECK(romeo.next() == "");
    // Repeated while it waits: the earlier connection is freed, the later gets the answer.
    CHECK(juliet.ask("", {}, 1) == "");
    CHECK(juliet.request(juliet.rid, "", {}, 2) == "");
    CHECK(juliet.got(1) == "<body xmlns='http://jabber.org/protocol/httpbind' type='error'/>");
    romeo.send(
        "<message to='juliet@capulet.example' type='chat' id='m2'><body>new</body></message>");
    CHECK(has(juliet.got(2), "<body>new</body>"));
}

TEST_CASE("numbers outside of the window end the session, and tell nobody which are inside") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    for (const std::int64_t offset : {-1000, -5, 4, 1000}) {
        BoshClient juliet{server};
        juliet.logIn("juliet");
        CHECK(juliet.request(juliet.rid + std::uint64_t(offset), "", {}, 1) ==
              ended("item-not-found"));
        CHECK(juliet.ask("") == ended("item-not-found"));
        server.advance(1s);
    }
    CHECK(server.streamCount() == 0);
}

TEST_CASE("requests that are none are refused") {
    TestServer server;
    const std::string good = "xmlns='http://jabber.org/protocol/httpbind'";
    const std::vector<std::string> rows{
        "",
        "hello",
        "<body/>",
        "<body " + good + "/>",
        "<body " + good + " rid='x'/>",
        "<body " + good + " rid='0'/>",
        "<body " + good + " rid='-1'/>",
        "<body " + good + " rid='9007199254740992'/>",
        "<body " + good + " rid='1' rid='2'/>",
        "<html " + good + " rid='1'/>",
        "<body xmlns='jabber:client' rid='1'/>",
        "<body " + good + " rid='1'>text</body>",
        "<body " + good + " rid='1'><!-- comment --></body>",
        "<body " + good + " rid='1'><?target x?></body>",
        "<body " + good + " rid='1'><message></body>",
        "<body " + good + " rid='1'></message>",
        "<body " + good + " rid='1'/><body " + good + " rid='2'/>",
        "<!DOCTYPE body []><body " + good + " rid='1'/>",
        "<body " + good + " rid='1' to='capulet.example' wait='x' hold='1'/>",
    };
    for (const auto& row : rows) {
        INFO(row);
        BoshClient client{server};
        CHECK(client.raw(0, row) == ended("bad-request"));
    }
    BoshClient client{server};
    CHECK(client.create("wait='1' hold='1'", "") == ended("improper-addressing"));
    CHECK(client.create("wait='1' hold='1'", "denmark.example") == ended("host-unknown"));
    CHECK(client.create("wait='1' hold='1'", "@") == ended("host-unknown"));
    client.sid = "made-up";
    CHECK(client.ask("") == ended("item-not-found"));
    CHECK(server.streamCount() == 0);
    CHECK(statusOf(client.connection(0).get("/http-bind")) == "405");
}

TEST_CASE("a client that asks too often has broken the rules") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server};
    juliet.logIn("juliet");
    CHECK(juliet.ask("") == "");
    server.advance(1s);
    CHECK(juliet.ask("", {}, 1) == ended("policy-violation"));
    // After a while it may.
    BoshClient patient{server};
    patient.logIn("juliet");
    CHECK(patient.ask("") == "");
    server.advance(3s);
    CHECK(patient.ask("", {}, 1) == "");
    CHECK(patient.got(0) == emptyBody);
    // Who polls is answered at once, and has to wait between two polls.
    BoshClient polling{server};
    CHECK(attribute(polling.create("ver='1.11' wait='0' hold='0'"), "requests") == "1");
    CHECK(polling.ask("") == emptyBody);
    server.advance(3s);
    CHECK(polling.ask("") == emptyBody);
    server.advance(1s);
    CHECK(polling.ask("") == ended("policy-violation"));
}

TEST_CASE("more requests at once than a client may make end its session") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 4};
    juliet.logIn("juliet");
    CHECK(juliet.ask("") == "");
    server.advance(5s);
    // Two more at the same moment, in whatever order: three are without an answer.
    const auto rid = juliet.rid;
    CHECK(juliet.request(rid + 2, message("2"), {}, 2) == "");
    CHECK(juliet.request(rid + 1, message("1"), {}, 1) == ended("other-request"));
    CHECK(juliet.got(2) == ended("policy-violation"));
    CHECK(juliet.got(0) == ended("other-request"));
    // One more it may make to go away.
    for (const std::string way : {"pause='60'", "type='terminate'"}) {
        BoshClient leaving{server, true, 4};
        leaving.logIn("juliet");
        CHECK(leaving.ask("") == "");
        server.advance(5s);
        const auto last = leaving.rid;
        CHECK(leaving.request(last + 2, "", way, 2) == "");
        CHECK(leaving.request(last + 1, message("1"), {}, 1) == emptyBody);
        CHECK(leaving.got(2) == emptyBody);
    }
}

TEST_CASE("a pause takes what it brings, and tells nothing") {
    TestServer server{"[http]\nidle_timeout = '1 h'"};
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 4};
    juliet.logIn("juliet");
    auto& romeo = server.login("romeo@montague.example/garden");
    juliet.ask("<presence xmlns='jabber:client'/>");
    CHECK(juliet.ask("") == "");
    CHECK(juliet.ask("<message xmlns='jabber:client' to='juliet@capulet.example/balcony' "
                     "type='chat'><body>to myself</body></message>" +
                         message("wait for me"),
                     "pause='100'", 1) == emptyBody);
    CHECK(juliet.got(0) == emptyBody);
    CHECK(has(romeo.next(), "<body>wait for me</body>"));
    // The request that had waited can be repeated, the pause can't.
    CHECK(juliet.request(juliet.rid - 1, "", {}, 2) == emptyBody);
    server.advance(90s);
    CHECK(has(juliet.ask("", {}, 3), "<body>to myself</body>"));
    // A longer one than there may be is none.
    CHECK(juliet.ask("", "pause='121'", 0) == "");
}

TEST_CASE("both sides say what they have got, when the client begins with it") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 6};
    const auto first = juliet.rid;
    CHECK(attribute(juliet.create("ver='1.11' wait='30' hold='1' ack='1'"), "ack") ==
          std::to_string(first));
    BoshClient without{server};
    const auto created = without.create("ver='1.11' wait='30' hold='1'");
    CHECK(!has(created, " ack='"));

    BoshClient romeo{server, true, 6};
    romeo.logIn("juliet", "ver='1.11' wait='30' hold='1' ack='1'");
    romeo.ask("<presence xmlns='jabber:client'/>");
    // The answer to a request says nothing of that request itself, and of later ones what has come.
    CHECK(!has(romeo.got(0), " ack='"));
    CHECK(romeo.ask("") == "");
    server.advance(5s);
    CHECK(romeo.ask("", {}, 1) == "");
    CHECK(romeo.got(0) == "<body xmlns='http://jabber.org/protocol/httpbind' ack='" +
                              std::to_string(romeo.rid) + "'/>");
    // What is acknowledged is kept no longer.
    server.advance(31s);
    CHECK(romeo.got(1) == emptyBody);
    const auto known = romeo.rid;
    CHECK(romeo.ask("", {}, 2) == "");
    CHECK(romeo.request(known, "", {}, 3) == ended("item-not-found"));
    CHECK(romeo.got(2) == ended("other-request"));
}

TEST_CASE("an answer that has got lost is reported, once, and can be had however late") {
    TestServer server{"[http]\nidle_timeout = '1 h'"};
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 12};
    juliet.logIn("juliet", "ver='1.11' wait='30' hold='1' ack='1'");
    juliet.ask("<presence xmlns='jabber:client'/>");
    auto& romeo = server.login("romeo@montague.example/garden");
    const auto before = juliet.rid;
    CHECK(juliet.ask("") == "");
    const auto lost = juliet.rid;
    juliet.connection(0).cut();
    romeo.send(
        "<message to='juliet@capulet.example' type='chat' id='m'><body>lost</body></message>");
    const std::string ack = "ack='" + std::to_string(before) + "'";
    // It may still be on its way,
    server.advance(1s);
    CHECK(juliet.ask("", ack, 1) == "");
    // and after a while it isn't.
    server.advance(4s);
    CHECK(juliet.ask(message("x"), ack, 2) == "");
    CHECK(juliet.got(1) == "<body xmlns='http://jabber.org/protocol/httpbind' ack='" +
                               std::to_string(juliet.rid) + "' report='" + std::to_string(lost) +
                               "' time='5000'/>");
    // Once is enough; and other answers go on.
    server.advance(4s);
    CHECK(juliet.ask("", ack, 3) == "");
    for (unsigned i = 0; i < 5; ++i) {
        server.advance(4s);
        CHECK(juliet.ask("", ack, i % 2 ? 3 : 4) == "");
    }
    CHECK(has(juliet.request(lost, "", {}, 5), "<body>lost</body>"));
    // What nobody acknowledges is not kept for ever.
    for (unsigned i = 0; i < 16; ++i) {
        server.advance(4s);
        juliet.ask("", ack, i % 2 ? 4 : 3);
    }
    CHECK(juliet.request(lost, "", {}, 6) == ended("item-not-found"));
}

TEST_CASE("an acknowledgement of what was never said changes nothing") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    for (const std::string ack : {"ack='0'", "ack='x'", "ack='-1'", "ack='9007199254740991'",
                                  "ack='99999999999999999999'"}) {
        INFO(ack);
        BoshClient juliet{server, true, 3};
        juliet.logIn("juliet", "ver='1.11' wait='30' hold='1' ack='1'");
        CHECK(has(juliet.ask("<presence xmlns='jabber:client'/>", ack), "<presence"));
        CHECK(juliet.ask("", ack, 1) == "");
        CHECK(!has(juliet.got(1), "report="));
        CHECK(juliet.ask("", "type='terminate'", 2) == emptyBody);
    }
}

TEST_CASE("the version of a session is the lower one, and old clients get what they know") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    struct Row {
        std::string asked;
        std::string got;
    };
    for (const Row& row : {Row{"1.6", "1.6"}, Row{"1.11", "1.11"}, Row{"1.12", "1.11"},
                           Row{"2.0", "1.11"}, Row{"0.9", "0.9"}, Row{"1", "1.11"},
                           Row{"1.x", "1.11"}, Row{"1.6.1", "1.11"}, Row{"", "1.11"}}) {
        INFO(row.asked);
        BoshClient client{server};
        CHECK(attribute(client.create("wait='1' hold='1' ver='" + row.asked + "'"), "ver") ==
              row.got);
        client.ask("", "type='terminate'");
    }
    BoshClient old{server};
    old.logIn("juliet", "wait='30' hold='1'");
    old.request(old.rid + 1000, "", {}, 1);
    CHECK(statusOf(old.connection(1).received) == "404");
    BoshClient hasty{server};
    hasty.logIn("juliet", "wait='30' hold='1'");
    CHECK(hasty.ask("") == "");
    hasty.ask("", {}, 1);
    CHECK(statusOf(hasty.connection(1).received) == "403");
}

TEST_CASE("a session ends when its client has gone, and waits longer when that was announced") {
    TestServer server{"[http]\nidle_timeout = '1 h'"};
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server, true, 3};
    juliet.logIn("juliet");
    CHECK(juliet.ask("") == "");
    server.advance(31s);  // answered with nothing
    server.advance(55s);
    CHECK(juliet.ask("", {}, 1) == "");  // just in time
    CHECK(juliet.ask("", "pause='120'", 2) == emptyBody);
    CHECK(juliet.got(1) == emptyBody);
    server.advance(110s);
    CHECK(server.streamCount() == 1);
    BoshClient back{server};
    back.sid = juliet.sid;
    back.rid = juliet.rid;
    CHECK(back.ask("") == "");
    server.advance(31s);
    CHECK(back.got(0) == emptyBody);
    server.advance(61s);
    CHECK(server.streamCount() == 0);
    BoshClient late{server};
    late.sid = juliet.sid;
    late.rid = back.rid;
    CHECK(late.ask("") == ended("item-not-found"));
}

TEST_CASE("either side ends a session") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server};
    juliet.logIn("juliet");
    CHECK(juliet.ask("") == "");
    auto& romeo = server.login("romeo@montague.example/garden");
    juliet.ask(message("bye"), "type='terminate'", 1);
    CHECK(has(romeo.next(), "<body>bye</body>"));
    CHECK(juliet.got(0) == "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>");
    CHECK(juliet.got(1) == emptyBody);
    server.advance(1s);
    CHECK(server.streamCount() == 1);  // romeo's

    BoshClient wrong{server};
    wrong.logIn("juliet");
    const auto answer = wrong.ask("<nonsense xmlns='jabber:client'/>");
    CHECK(has(answer, "type='terminate'"));
    CHECK(has(answer, "condition='remote-stream-error'"));
    CHECK(has(answer, "<stream:error>"));
    CHECK(has(answer, "xmlns:stream='http://etherx.jabber.org/streams'"));
}

TEST_CASE("a session that began with TLS is not found without it, and survives who tries") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server};
    juliet.logIn("juliet");
    BoshClient thief{server, false};
    thief.sid = juliet.sid;
    thief.rid = juliet.rid;
    CHECK(thief.ask("") == ended("item-not-found"));
    CHECK(juliet.ask("") == "");
    // Without TLS there is no session at all, since nobody could log in.
    BoshClient open{server, false};
    CHECK(has(open.create(), "<policy-violation "));
}

TEST_CASE("a session is found from every shard, also after it has moved to that of its account") {
    TestServer server{{}, 3};
    auto& romeo = server.login("romeo@montague.example/garden");
    for (const std::string name : {"juliet", "nurse", "tybalt", "paris"}) {
        server.addAccount(name + "@capulet.example");
        BoshClient client{server};
        client.logIn(name);
        for (unsigned shard = 0; shard < 3; ++shard) {
            client.addConnection(shard);
            client.ask(message(name), {}, 2 + shard);
            CHECK(has(romeo.next(), "<body>" + name + "</body>"));
        }
    }
}

TEST_CASE("a session over BOSH is resumed as any other") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    BoshClient juliet{server};
    juliet.logIn("juliet");
    const auto id = [&] {
        const auto answer = juliet.ask(enableResumption);
        const auto at = answer.find(" id='") + 5;
        return answer.substr(at, answer.find('\'', at) - at);
    }();
    server.advance(120s);
    CHECK(server.streamCount() == 0);
    SocketClient again{server};
    again.open().forget();
    again.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
              encodeBase64(std::string{'\0'} + "juliet" + '\0' + "secret") + "</auth>");
    again.forget().open().forget();
    again.say(resume(id, 0));
    CHECK(has(again.next(), "<resumed "));
}

TEST_CASE("one address has only so many sessions") {
    TestServer server{"[net]\nconnections_per_address_max = 3"};
    for (int i = 0; i < 3; ++i) {
        BoshClient client{server};
        CHECK(client.create() != ended("policy-violation"));
    }
    BoshClient client{server};
    CHECK(client.create() == ended("policy-violation"));
}
