// Messages that wait for their addressee (XEP-0160), and when they have arrived.
#include "core/time_format.h"
#include "core/uuid.h"
#include "tests/support/catch.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";

// A server on which romeo is online; what he says to juliet waits while she is away.
struct Play {
    explicit Play(std::string_view toml = {}, unsigned shards = 1) : server{toml, shards} {
        server.addAccount(juliet);
        romeo = &server.login("romeo@montague.example/orchard");
    }
    void says(std::string_view text) { romeo->send(chat(juliet, text)); }
    // A new client of juliet's; it has stream management when `sm` is set.
    TestClient& arrives(std::string resource, bool sm = false, int priority = 0) {
        auto& client = server.login(juliet + "/" + resource, false);
        if (sm) enableSm(client);
        client.forget();
        client.available(priority);
        return client;
    }
    void crashes() {
        server.crash();
        romeo = &server.login("romeo@montague.example/orchard");
    }
    void restarts() {
        server.restart();
        romeo = &server.login("romeo@montague.example/orchard");
    }

    TestServer server;
    TestClient* romeo;
};

const std::string archiveOff = "[archive]\ndefault = 'never'";

// How many stanzas a client has been sent under stream management, by what it took from `all`.
int countStanzas(const std::vector<std::string>& all) {
    int count = 0;
    for (const auto& xml : all)
        if (xml.starts_with("<message") || xml.starts_with("<presence") || xml.starts_with("<iq"))
            ++count;
    return count;
}

}  // namespace

TEST_CASE(
    "what waits comes with the first available presence, in order, with its time and its id") {
    for (const unsigned shards : {1u, 2u}) {
        Play play{"", shards};
        play.says("one");
        play.server.advance(std::chrono::seconds{60});
        play.says("two");
        const auto sent = play.server.simulation().wallNow();
        play.server.advance(std::chrono::seconds{60});

        auto& client = play.server.login(juliet + "/balcony", false);
        client.forget();
        CHECK(client.next() == "");
        client.available();

        auto all = client.all();
        std::erase_if(all, [](const auto& xml) { return !xml.starts_with("<message"); });
        REQUIRE(all.size() == 2);
        CHECK(all[0].find("<body>one</body>") != std::string::npos);
        CHECK(all[1].find("<body>two</body>") != std::string::npos);
        const auto second = Stanza::parse(all[1]);
        CHECK(second->from().text() == "romeo@montague.example/orchard");
        const Element* delay = second->child("delay", ns::delay);
        REQUIRE(delay);
        CHECK(delay->get("from") == "capulet.example");
        CHECK(parseDateTime(delay->get("stamp")) == sent);
        const auto id = Uuid::parse(stanzaId(all[1]));
        REQUIRE(id);
        CHECK(id->stamp() == sent);
        CHECK(second->child("stanza-id", ns::stanzaIds)->get("by") == juliet);
    }
}

TEST_CASE("a client that takes no messages gets nothing of what waits") {
    Play play;
    play.says("one");
    auto& low = play.arrives("low", false, -1);
    CHECK(heard(low) == Texts{});
    auto& silent = play.server.login(juliet + "/silent", false);
    CHECK(heard(silent) == Texts{});

    SECTION("until its priority rises") {
        low.available(0);
        CHECK(heard(low) == Texts{"late one"});
    }
    SECTION("and the next one does") {
        CHECK(heard(play.arrives("balcony")) == Texts{"late one"});
        low.available(0);
        CHECK(heard(low) == Texts{});
    }
}

TEST_CASE("a client that acknowledges nothing has got what was sent to it") {
    Play play;
    play.says("one");
    auto& first = play.arrives("balcony");
    CHECK(heard(first) == Texts{"late one"});
    first.cut();
    CHECK(heard(play.arrives("garden")) == Texts{});
    play.server.advance(std::chrono::seconds{2});
    play.crashes();
    CHECK(heard(play.arrives("balcony")) == Texts{});
}

TEST_CASE("what waits survives a stop and a crash") {
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'",
                       "[plugins]\ndisabled = ['mam']")};
    play.says("one");
    play.crashes();
    play.says("two");
    play.restarts();
    play.says("three");
    CHECK(heard(play.arrives("balcony")) == Texts{"late one", "late two", "late three"});
}

TEST_CASE("a message is delivered when a client has acknowledged it, and not again") {
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'",
                       "[plugins]\ndisabled = ['mam']")};
    play.says("one");
    auto& first = play.arrives("balcony", true);
    const auto got = first.all();
    const int count = countStanzas(got);
    play.says("two");
    CHECK(heard(first) == Texts{"two"});

    SECTION("after it has acknowledged all") {
        acknowledge(first, count + 1);
        play.server.advance(std::chrono::seconds{2});
        play.crashes();
        CHECK(heard(play.arrives("garden")) == Texts{});
    }
    SECTION("after it has acknowledged some") {
        acknowledge(first, count);
        play.server.advance(std::chrono::seconds{2});
        play.crashes();
        CHECK(heard(play.arrives("garden")) == Texts{"late two"});
    }
    SECTION("after it has acknowledged none") {
        play.server.advance(std::chrono::seconds{2});
        play.crashes();
        CHECK(heard(play.arrives("garden")) == Texts{"late one", "late two"});
    }
    SECTION("and after an orderly stop it waits for the resumption") {
        play.restarts();
        CHECK(heard(play.arrives("garden")) == Texts{});
        play.server.advance(std::chrono::hours{1});
        CHECK(heard(play.arrives("cellar")) == Texts{"late one", "late two"});
    }
}

TEST_CASE("a session that ends without acknowledging gives its messages to the other client") {
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'\n") +
              "[sm]\nresume_timeout = '30 s'"};
    auto& high = play.arrives("high", true, 5);
    auto& low = play.arrives("low", false, 1);
    low.forget();
    high.forget();
    play.says("one");
    play.says("two");
    CHECK(heard(high) == Texts{"one", "two"});
    CHECK(heard(low) == Texts{});

    SECTION("when it closes its stream") {
        high.send("</stream:stream>");
        CHECK(heard(low) == Texts{"late one", "late two"});
    }
    SECTION("when it isn't resumed in time") {
        high.cut();
        CHECK(heard(low) == Texts{});
        play.server.advance(std::chrono::seconds{31});
        CHECK(heard(low) == Texts{"late one", "late two"});
    }
    SECTION("and the one that acknowledged keeps what it has") {
        acknowledge(high, 3);  // two presences, one message
        high.send("</stream:stream>");
        CHECK(heard(low) == Texts{"late two"});
    }
}

TEST_CASE("what several clients have is delivered when one of them acknowledges it") {
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'")};
    auto& one = play.arrives("one", true);
    auto& two = play.arrives("two", true);
    one.forget();
    two.forget();
    play.says("hello");
    CHECK(heard(one) == Texts{"hello"});
    CHECK(heard(two) == Texts{"hello"});
    acknowledge(one, 3);
    one.send("</stream:stream>");
    two.send("</stream:stream>");
    CHECK(heard(play.arrives("three")) == Texts{});
}

TEST_CASE("a message that nobody acknowledged is given out alone, not those behind it") {
    Play play;
    auto& low = play.arrives("low", true, -1);
    play.romeo->send(chat(juliet + "/low", "for low"));
    auto& high = play.arrives("high", true, 5);
    const int before = countStanzas(high.all());
    play.says("for high");
    CHECK(heard(high) == Texts{"for high"});
    acknowledge(high, before + 1);
    low.send("</stream:stream>");
    CHECK(heard(high) == Texts{"late for low"});
}

// The texts from `first` to `last`, in their order.
Texts numbers(int first, int last, std::string_view before = "") {
    Texts texts;
    for (int i = first; i <= last; ++i) texts.push_back(std::string{before} + std::to_string(i));
    return texts;
}

std::string chats(int first, int last) {
    std::string xml;
    for (int i = first; i <= last; ++i) xml += chat(juliet, std::to_string(i));
    return xml;
}

// Whether a message came by way of the log counts for nothing here.
Texts withoutLate(Texts texts) {
    for (auto& text : texts)
        if (text.starts_with("late ")) text.erase(0, 5);
    return texts;
}

TEST_CASE("what arrives while older messages are read comes after them") {
    const unsigned shards = GENERATE(1u, 2u);
    const bool hasSm = GENERATE(false, true);
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'"), shards};
    play.romeo->send(chats(1, 350));
    auto& client = play.server.login(juliet + "/balcony", false);
    if (hasSm) enableSm(client);

    client.forget().sendSoon("<presence/>");
    for (int i = 351; i <= 1200; ++i) play.romeo->sendSoon(chat(juliet, std::to_string(i)));
    play.server.run();
    CHECK(withoutLate(heard(client)) == numbers(1, 1200));
}

TEST_CASE("a client is fed no faster than it acknowledges") {
    Play play{"[sm]\nqueue_max = 200\nrequest_every = 10"};
    play.romeo->send(chats(1, 1000));
    auto& client = play.arrives("balcony", true);

    Texts texts;
    int handled = 0;
    for (int round = 0; round < 100 && texts.size() < 1010; ++round) {
        if (round == 3) play.romeo->send(chats(1001, 1010));  // while older ones wait
        play.server.advance(std::chrono::seconds{1});
        const auto all = client.all();
        for (const auto& xml : all)
            if (const auto stanza = Stanza::parse(xml); stanza && stanza->isMessage())
                texts.push_back(std::string{stanza->body()});
        handled += countStanzas(all);
        CHECK(countStanzas(all) <= 200);
        acknowledge(client, handled);
    }
    CHECK(texts == numbers(1, 1010));
    CHECK_FALSE(client.isClosed());
    play.romeo->send(chat(juliet, "now"));
    CHECK(heard(client) == Texts{"now"});
}

TEST_CASE("a client that is cut off while it is fed goes on where it was") {
    Play play{"[sm]\nqueue_max = 200"};
    play.romeo->send(chats(1, 500));
    auto& client = play.arrives("balcony", true);
    const auto before = heard(client);
    client.cut();
    play.says("501");
    play.server.advance(std::chrono::hours{1});
    CHECK(before.size() >= 100);
    CHECK(before.size() < 300);
    auto& other = play.arrives("garden");
    CHECK(withoutLate(heard(other)) == numbers(1, 501));
}

TEST_CASE("at most so many messages wait as the option says") {
    Play play{"[offline]\nmessages_max = 3"};
    play.romeo->send(chats(1, 5));
    CHECK(heard(*play.romeo) == Texts{"error service-unavailable", "error service-unavailable"});
    CHECK(storedMessages(play.server) == 3 + 5);  // his own archive has them all
    play.crashes();
    play.romeo->send(chats(6, 6));
    CHECK(heard(*play.romeo) == Texts{"error service-unavailable"});

    auto& client = play.arrives("balcony");
    CHECK(heard(client) == numbers(1, 3, "late "));
    play.romeo->send(chats(7, 9));
    CHECK(heard(client) == numbers(7, 9));
    client.cut();
    play.romeo->send(chats(10, 13));
    CHECK(heard(*play.romeo) == Texts{"error service-unavailable"});
}

TEST_CASE("with a limit of none nothing waits") {
    Play play{"[offline]\nmessages_max = 0"};
    play.says("one");
    CHECK(heard(*play.romeo) == Texts{"error service-unavailable"});
    CHECK(heard(play.arrives("balcony")) == Texts{});
    play.says("two");
    CHECK(heard(*play.romeo) == Texts{});
}

TEST_CASE("what must not be stored is refused when its client ends without it") {
    Play play;
    auto& client = play.arrives("balcony", true);
    play.romeo->send(message(juliet, "burn this", "chat", "<no-store xmlns='urn:xmpp:hints'/>"));
    CHECK(heard(client) == Texts{"burn this"});
    CHECK(storedMessages(play.server) == 0);
    client.send("</stream:stream>");
    CHECK(heard(*play.romeo) == Texts{"error service-unavailable"});
}

TEST_CASE("the clock may go back without a message being taken for delivered") {
    Play play{"[archive]\ndefault = 'never'"};
    play.says("one");
    auto& client = play.arrives("balcony");
    CHECK(heard(client) == Texts{"late one"});
    client.cut();
    play.server.advance(std::chrono::seconds{2});
    play.crashes();
    play.server.simulation().setWallNow(play.server.simulation().wallNow() -
                                        std::chrono::hours{24});
    play.says("two");
    play.crashes();
    CHECK(heard(play.arrives("garden")) == Texts{"late two"});
}

TEST_CASE("reading the archive counts as delivery") {
    Play play;
    play.romeo->send(chats(1, 30));
    auto& client = play.server.login(juliet + "/balcony", false);
    const std::string query = "<query xmlns='urn:xmpp:mam:2'>";
    const auto read = [&](std::string_view set) {
        return client.ask("set", query + "<set xmlns='http://jabber.org/protocol/rsm'>" +
                                     std::string{set} + "</set></query>");
    };
    const auto itemOf = [](const std::string& answer, const std::string& name) {
        const auto from = answer.find('>', answer.find("<" + name)) + 1;
        return answer.substr(from, answer.find("</" + name + ">") - from);
    };

    SECTION("all of it") {
        read("<max>50</max>");
        client.forget().available();
        CHECK(heard(client) == Texts{});
    }
    SECTION("the first pages") {
        const auto first = read("<max>10</max>");
        read("<max>10</max><after>" + itemOf(first, "last") + "</after>");
        client.forget().available();
        CHECK(heard(client) == numbers(21, 30, "late "));
    }
    SECTION("the last pages, backwards") {
        const auto first = read("<max>10</max><before/>");
        read("<max>10</max><before>" + itemOf(first, "first") + "</before>");
        client.forget().available();
        CHECK(heard(client) == numbers(1, 10, "late "));
    }
    SECTION("but not what was looked up with one contact") {
        client.ask(
            "set",
            query +
                "<x xmlns='jabber:x:data' type='submit'>"
                "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
                "<field var='with'><value>romeo@montague.example</value></field></x></query>");
        client.forget().available();
        CHECK(heard(client) == numbers(1, 30, "late "));
    }
    SECTION("and not what is not in it") {
        play.romeo->send(
            message(juliet, "off", "chat", "<no-permanent-store xmlns='urn:xmpp:hints'/>"));
        play.romeo->send(chats(31, 31));
        read("<max>50</max>");
        client.forget().available();
        CHECK(heard(client) == Texts{"late off"});
    }
    SECTION("after a crash of the server as well") {
        read("<max>50</max>");
        play.server.advance(std::chrono::seconds{2});
        play.crashes();
        CHECK(heard(play.arrives("garden")) == Texts{});
    }
}

TEST_CASE("what comes while waiting messages are read keeps its order when the client goes meanwhile") {
    Play play{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'")};
    play.says("one");
    auto& client = play.server.login(juliet + "/balcony", false);
    play.server.database().stall();
    client.available();
    play.says("two");
    client.send("</stream:stream>");
    play.says("three");
    play.server.database().goOn();
    play.server.run();
    CHECK(heard(client) == Texts{});
    CHECK(heard(play.arrives("chamber")) == Texts{"late one", "late two", "late three"});
}
