// Rooms through random schedules: people come, go, rename themselves, speak and lose connections,
// the server restarts and crashes. Nobody loses his place by an orderly stop, nobody is left
// believing that he has one after a crash, and what was told is in the archive, once and in order.
#include "tests/plugins/muc_support.h"

#include <random>
#include <set>

using namespace epode;

namespace {

const std::string room = "coven@conference.capulet.example";
const std::string ping = "<ping xmlns='urn:xmpp:ping'/>";

struct Person {
    std::string local;
    TestClient* client = nullptr;
    std::string sm;
    std::string nick;  // empty while he is not in
};

class Schedule {
public:
    explicit Schedule(std::uint64_t seed) : random_{seed}, server_{"", 2, seed} {
        for (const char* local : {"juliet", "tybalt", "nurse", "paris"}) people_.push_back({local});
        for (Person& person : people_) logsIn(person);
        enters(people_.front());
        people_.front().client->ask("set", configXml({{"persistentroom", "1"}}), room);
        for (Person& person : people_) enters(person);
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) step();
        for (Person& person : people_) listen(person);
        checkArchive();
    }

private:
    int chance(int most) { return int(random_() % std::uint64_t(most)); }

    void logsIn(Person& person) {
        person.client = &server_.login(person.local + "@capulet.example/" + person.local);
        person.client->send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        const std::string enabled = person.client->next();
        const auto at = enabled.find("id='");
        REQUIRE(at != std::string::npos);
        person.sm = enabled.substr(at + 4, enabled.find('\'', at + 4) - at - 4);
        person.nick.clear();
    }
    bool resumes(Person& person) {
        listen(person);
        const std::uint32_t handled = person.client->handled();
        person.client = &server_.connect({}, true);
        person.client->sendHeader("capulet.example").logIn(person.local);
        person.client->sendHeader("capulet.example");
        person.client->forget().send("<resume xmlns='urn:xmpp:sm:3' previd='" + person.sm +
                                     "' h='" + std::to_string(handled) + "'/>");
        const std::string answer = person.client->next();
        UNSCOPED_INFO(answer);
        return answer.starts_with("<resumed");
    }
    void enters(Person& person) {
        if (!person.nick.empty()) return;
        person.nick = person.local;
        person.client->send(joinXml(person.nick, "<history maxstanzas='0'/>", room));
    }

    // What he has heard others and himself say.
    void listen(Person& person) {
        for (const auto& xml : person.client->all()) {
            if (!xml.starts_with("<message") || xml.find("type='groupchat'") == std::string::npos)
                continue;
            const auto body = xml.find("<body>");
            if (body == std::string::npos) continue;
            told_.insert(xml.substr(body + 6, xml.find("</body>") - body - 6));
        }
    }
    // XEP-0410. An answer may wait behind what a client that has come back gets first.
    bool isIn(Person& person) {
        listen(person);
        const std::string answer = person.client->ask("get", ping, room + "/" + person.nick);
        UNSCOPED_INFO(person.nick << " asks: " << answer << person.client->streamErrorXml());
        return outcome(answer) == "result";
    }

    void step() {
        Person& person = people_[std::size_t(chance(int(people_.size())))];
        switch (chance(14)) {
            case 0:
                if (!person.nick.empty())
                    person.client->send("<presence type='unavailable' to='" + room + "/" +
                                        person.nick + "'/>");
                person.nick.clear();
                break;
            case 1:
            case 2:
                enters(person);
                break;
            case 3:
                if (person.nick.empty()) break;
                person.nick = person.local + std::to_string(chance(3));
                person.client->send("<presence to='" + room + "/" + person.nick + "'/>");
                break;
            case 4:
                person.client->cut();
                server_.run();
                REQUIRE(resumes(person));
                if (!person.nick.empty()) CHECK(isIn(person));
                break;
            case 5:
                passes(chance(10));
                break;
            case 6:
                if (chance(3) == 0) restart();
                break;
            case 7:
                if (chance(4) == 0) crash();
                break;
            case 8:
                server_.rewire();
                break;
            default:
                if (person.nick.empty()) break;
                person.client->sendSoon("<message type='groupchat' to='" + room + "'><body>" +
                                        person.local + " " + std::to_string(++said_) +
                                        "</body></message>");
                if (chance(2)) server_.run();
                break;
        }
    }

    // Clients acknowledge what they get, or they would lose their connections.
    void passes(int seconds) {
        for (; seconds > 0; seconds -= 5) {
            server_.advance(std::chrono::seconds{5});
            for (Person& person : people_)
                person.client->send("<a xmlns='urn:xmpp:sm:3' h='" +
                                    std::to_string(person.client->handled()) + "'/>");
        }
    }

    void restart() {
        for (Person& person : people_) listen(person);
        server_.restart(std::chrono::seconds{chance(20)});
        for (Person& person : people_) REQUIRE(resumes(person));
        passes(120);
        for (Person& person : people_)
            if (!person.nick.empty()) {
                INFO(person.local);
                CHECK(isIn(person));
            }
    }

    void crash() {
        for (Person& person : people_) listen(person);
        server_.crash(std::chrono::seconds{chance(20)});
        for (Person& person : people_) {
            const std::string nick = person.nick;
            logsIn(person);
            if (nick.empty()) continue;
            // His new client has entered nothing, and is told so at once.
            // (Under a nickname that was not stored yet, nobody is there at all.)
            const std::string told = outcome(person.client->ask("get", ping, room + "/" + nick));
            CHECK((told == "cancel not-acceptable" || told == "cancel item-not-found"));
            enters(person);
        }
        // Those who were in before have gone when that is known; those who are in again stay.
        passes(180);
        for (Person& person : people_)
            if (!person.nick.empty()) {
                INFO(person.local);
                CHECK(isIn(person));
            }
    }

    void checkArchive() {
        auto& reader = *people_.front().client;
        std::vector<std::string> archived;
        std::string after;
        for (int page = 0; page < 100; ++page) {
            reader.forget();
            const std::string fin = reader.ask(
                "set",
                "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'>"
                "<max>50</max>" +
                    (after.empty() ? "" : "<after>" + after + "</after>") + "</set></query>",
                room);
            for (const auto& xml : reader.all()) {
                const auto body = xml.find("<body>");
                if (xml.find("<result ") != std::string::npos && body != std::string::npos)
                    archived.push_back(xml.substr(body + 6, xml.find("</body>") - body - 6));
            }
            const auto last = fin.find("<last>");
            if (fin.find("complete='true'") != std::string::npos || last == std::string::npos)
                break;
            after = fin.substr(last + 6, fin.find("</last>") - last - 6);
        }
        std::set<std::string> once{archived.begin(), archived.end()};
        CHECK(once.size() == archived.size());
        for (const auto& text : told_) {
            INFO(text);
            CHECK(once.contains(text));
        }
        for (const Person& person : people_) {
            int last = 0;
            for (const auto& text : archived) {
                if (!text.starts_with(person.local + " ")) continue;
                const int number = std::stoi(text.substr(person.local.size() + 1));
                CHECK(number > last);
                last = number;
            }
        }
        CHECK_FALSE(archived.empty());
    }

    std::mt19937_64 random_;
    TestServer server_;
    std::vector<Person> people_;
    std::set<std::string> told_;
    int said_ = 0;
};

}  // namespace

TEST_CASE("rooms keep their people and their words through random schedules") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        INFO("seed " << seed);
        Schedule schedule{seed};
        schedule.run(120);
    }
}
