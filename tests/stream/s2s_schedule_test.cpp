// Two servers on a bad network, which are restarted and killed, with people on them who talk
// across: random schedules, each repeatable by its seed. Whatever happens, a message that was
// acknowledged to its sender arrives, those of one sender keep their order, and nobody gets what is
// not his; and when it is over each sees of the others what they are, and the room that they have
// in common works.
#include "tests/stream/s2s_world.h"

#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>

using namespace epode;

namespace {

const std::string room = "verona@conference.capulet.example";

class Person {
public:
    Person(TestServer& server, std::string name, const std::string& domain)
        : server_{server}, name_{std::move(name)}, address_{name_ + "@" + domain} {
        tend();
    }
    const std::string& name() const { return name_; }
    const std::string& address() const { return address_; }

    void says(const Person& to) {
        if (!isOnline()) return;
        const std::string id = name_ + ">" + to.name() + "#" + std::to_string(++said_[to.name()]);
        unacknowledged_.push_back(id);
        client_->sendSoon("<message type='chat' to='" + to.address() + "' id='" + id +
                          "'><body>Hark!</body></message><r xmlns='urn:xmpp:sm:3'/>");
    }
    void asks() {
        if (isOnline()) client_->sendSoon("<r xmlns='urn:xmpp:sm:3'/>");
    }

    void sends(const std::string& xml) {
        if (!isOnline()) return;
        unacknowledged_.push_back({});
        client_->sendSoon(xml);
    }
    // Says what it is doing, which those who see it see.
    void does(const std::string& what) {
        status_ = what;
        sends("<presence><status>" + status_ + "</status></presence>");
    }
    void befriends(const Person& other) {
        for (const std::string type : {"subscribe", "subscribed"})
            sends("<presence type='" + type + "' to='" + other.address() + "'/>");
    }
    void enters() {
        sends(
            "<presence to='" + room + "/" + name_ +
            "'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>");
    }
    // Rooms don't wait for who is away: what is said may be lost, not turned around.
    void saysInRoom(const std::string& id) {
        sends("<message type='groupchat' to='" + room + "' id='" + id +
              "'><body>Hear!</body></message>");
    }
    void saysInRoom() { saysInRoom(name_ + "#" + std::to_string(++saidInRoom_)); }

    const std::string& status() const { return status_; }
    // Of the other's resources; none when it is not there.
    std::string seen(const Person& other) const {
        const auto found = seen_.find(other.address() + "/phone");
        return found == seen_.end() ? "" : found->second;
    }
    // Since the last time that it has come into the room.
    const std::vector<std::string>& heard() const { return heard_; }
    bool isInRoom() const { return isInRoom_; }

    // Reads what has come, and comes back when the connection is lost.
    void tend() {
        if (client_) read();
        if (isOnline() || server_.isDown()) return;
        unacknowledged_.clear();
        acknowledgedCount_ = 0;
        ++logins_;
        seen_.clear();
        isInRoom_ = false;
        client_ = &server_.login(address_ + "/phone", false);
        client_->showsRequests = true;
        // What follows is counted, presence included.
        unacknowledged_.push_back({});
        client_->send("<enable xmlns='urn:xmpp:sm:3'/>");
        client_->sendSoon("<presence><status>" + status_ + "</status></presence>");
        read();
    }

    int logins() const { return logins_; }
    const std::set<std::string>& acknowledged() const { return acknowledged_; }
    const std::set<std::string>& returned() const { return returned_; }
    const std::vector<std::string>& received() const { return received_; }

private:
    bool isOnline() const { return client_ && !client_->isClosed() && !client_->isStreamClosed(); }
    void read() {
        for (const auto& xml : client_->all()) {
            const auto element = parseXml(xml, ns::client);
            if (!element) continue;
            const Element& root = **element;
            const std::string id{root.get("id")};
            if (root.is("r", ns::streamManagement)) {
                client_->sendSoon("<a xmlns='urn:xmpp:sm:3' h='" +
                                  std::to_string(client_->handled()) + "'/>");
            } else if (root.is("iq", ns::client) && root.get("type") == "get") {
                unacknowledged_.push_back({});
                client_->sendSoon("<iq type='result' to='" + std::string{root.get("from")} +
                                  "' id='" + id + "'/>");
            } else if (root.is("a", ns::streamManagement)) {
                const auto h = std::strtoul(std::string{root.get("h")}.c_str(), nullptr, 10);
                for (; acknowledgedCount_ < h && !unacknowledged_.empty(); ++acknowledgedCount_) {
                    if (!unacknowledged_.front().empty())
                        acknowledged_.insert(unacknowledged_.front());
                    unacknowledged_.pop_front();
                }
            } else if (root.is("presence", ns::client)) {
                sees(root);
            } else if (root.is("message", ns::client)) {
                if (root.get("type") == "groupchat") {
                    if (id.find('#') != std::string::npos) heard_.push_back(id);
                    continue;
                }
                // The room's own: it has made somebody leave, or refuses what was said there.
                if (root.get("from").starts_with(room)) {
                    if (root.get("type") == "error") isInRoom_ = false;
                    continue;
                }
                if (root.get("type") == "error")
                    returned_.insert(id);
                else
                    received_.push_back(id);
            }
        }
    }

    void sees(const Element& presence) {
        const std::string from{presence.get("from")};
        const auto type = presence.get("type");
        if (from == room + "/" + name_) {
            isInRoom_ = type.empty();
            if (type.empty()) heard_.clear();
        } else if (type.empty()) {
            const Element* status = presence.child("status", ns::client);
            seen_[from] = status ? std::string{status->text()} : "";
        } else if (type == "unavailable") {
            // All of it, when the bare address says so.
            std::erase_if(seen_, [&](const auto& entry) {
                return entry.first == from || entry.first.starts_with(from + "/");
            });
        }
    }

    TestServer& server_;
    const std::string name_;
    const std::string address_;
    TestClient* client_ = nullptr;
    std::map<std::string, int> said_;
    std::deque<std::string> unacknowledged_;
    unsigned long acknowledgedCount_ = 0;
    int logins_ = 0;
    std::set<std::string> acknowledged_;
    std::set<std::string> returned_;
    std::vector<std::string> received_;
    std::string status_ = "sleeps";
    std::map<std::string, std::string> seen_;  // by full address
    int saidInRoom_ = 0;
    bool isInRoom_ = false;
    std::vector<std::string> heard_;
};

// How bad it gets.
enum class Weather {
    Rain,       // connections between the servers are lost and hang, the disk is slow
    Storm,      // servers are restarted, the DNS fails, packets vanish
    Lightning,  // servers are killed
};

class Schedule {
public:
    Schedule(Weather weather, std::uint64_t seed)
        : weather_{weather}, random_{seed * 104729}, world_{seed} {
        world_.link.delay = std::chrono::milliseconds{1 + below(40)};
        world_.link.chunkMax = below(2) ? 0 : 1 + below(300);
        // Without resumption what was on its way comes a second time.
        world_.s2s = weather != Weather::Rain && below(3) == 0 ? "resume_timeout = '0s'\n"
                                                               : "resume_timeout = '90s'\n";
        // In both directions on one connection, only one end can resume it: when the network hangs for
        // longer than the other one waits for that, it sends a second time what was on its way.
        isBidirectional_ = below(2);
        if (!isBidirectional_) world_.s2s += "bidirectional = false\n";
        servers_[0] = &world_.add({"capulet.example"}, {}, 1 + unsigned(seed % 3));
        servers_[1] = &world_.add({"montague.example"}, {}, 1 + unsigned(below(2)));
        // Dialback in place of certificates, now and then.
        for (auto* server : servers_) world_.placeOf(*server).isTrusted = below(4) != 0;
        persons_.push_back(std::make_unique<Person>(*servers_[0], "juliet", "capulet.example"));
        persons_.push_back(std::make_unique<Person>(*servers_[1], "romeo", "montague.example"));
        persons_.push_back(std::make_unique<Person>(*servers_[0], "nurse", "capulet.example"));
        meet();
    }

    void run() {
        for (int i = 0; i < 80; ++i) {
            INFO("step " << i);
            step();
            world_.advance(std::chrono::milliseconds{below(4) ? below(50) : below(3000)});
            for (auto& person : persons_) person->tend();
        }
        calm();
        check();
        checkPresence();
        checkRoom();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    // In good weather.
    void meet() {
        Person& romeo = *persons_[1];
        for (auto* one : {persons_[0].get(), persons_[2].get()}) {
            one->befriends(romeo);
            romeo.befriends(*one);
        }
        persons_[0]->enters();
        settle(5);
        persons_[0]->sends("<iq type='set' id='open' to='" + room +
                           "'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                           "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
                           "http://jabber.org/protocol/muc#roomconfig</value></field>"
                           "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"
                           "</x></query></iq>");
        settle(2);
        for (auto& person : persons_) person->enters();
        settle(5);
        for (auto& person : persons_) CHECK(person->isInRoom());
    }
    void settle(int seconds) {
        for (int i = 0; i < seconds; ++i) {
            world_.advance(1s);
            for (auto& person : persons_) person->tend();
        }
    }

    void step() {
        TestServer& server = *servers_[below(2)];
        const std::string& address = world_.addressOf(server);
        const auto dice = below(100);
        if (dice < 8) {
            persons_[below(persons_.size())]->does("act " + std::to_string(++acts_));
        } else if (dice < 16) {
            Person& one = *persons_[below(persons_.size())];
            if (one.isInRoom())
                one.saysInRoom();
            else
                one.enters();
        } else if (dice < 65) {
            Person& one = *persons_[below(persons_.size())];
            // Across, in both directions.
            Person& other = one.name() == "romeo" ? *persons_[below(2) * 2] : *persons_[1];
            const auto times = 1 + below(3);
            for (std::uint64_t i = 0; i < times; ++i) one.says(other);
        } else if (dice < 75) {
            world_.cutAll();
        } else if (dice < 82) {
            const bool hangs = below(2);
            for (const auto& link : world_.links)
                if (const auto open = link.lock()) hangs ? open->stall() : open->goOn();
        } else if (dice < 86) {
            server.database().setDelay(
                std::chrono::milliseconds{below(3) ? below(20) : below(700)});
        } else if (weather_ == Weather::Rain) {
            return;
        } else if (dice < 90) {
            world_.silent.contains(address) ? world_.silent.erase(address)
                                            : world_.silent.insert(address).second;
        } else if (dice < 94) {
            const std::string domain = below(2) ? "capulet.example" : "montague.example";
            for (const auto* service : {"_xmpp-server._tcp.", "_xmpps-server._tcp."}) {
                if (below(2))
                    world_.say(service + domain, DnsType::Srv, DnsAnswer::Outcome::Failed,
                               "SERVFAIL");
                else
                    world_.unsay(service + domain, DnsType::Srv);
            }
        } else if (dice < 97 || weather_ == Weather::Storm) {
            server.restart(std::chrono::milliseconds{below(5000)});
        } else {
            // Also those that it has made itself: the dead say nothing any more.
            world_.cutAll();
            server.crash(std::chrono::milliseconds{below(5000)});
        }
    }

    void calm() {
        world_.silent.clear();
        for (const std::string domain : {"capulet.example", "montague.example"})
            for (const auto* service : {"_xmpp-server._tcp.", "_xmpps-server._tcp."})
                world_.unsay(service + domain, DnsType::Srv);
        for (const auto& link : world_.links)
            if (const auto open = link.lock()) open->goOn();
        for (auto* server : servers_) server->database().setDelay({});
        for (int i = 0; i < 60; ++i) {
            world_.advance(10s);
            for (auto& person : persons_) {
                person->tend();
                person->asks();
            }
        }
    }

    // When somebody forgot: one of the servers, or the one who listens.
    bool mayRepeat(const Person& person) const {
        return weather_ != Weather::Rain || isBidirectional_ || person.logins() > 1;
    }

    void checkPresence() {
        Person& romeo = *persons_[1];
        for (const auto* one : {persons_[0].get(), persons_[2].get()}) {
            INFO(one->name() << " sees romeo, and is seen by him");
            CHECK(one->seen(romeo) == romeo.status());
            CHECK(romeo.seen(*one) == one->status());
        }
    }

    void checkRoom() {
        for (const auto& person : persons_) {
            std::map<std::string, int> last;
            std::set<std::string> seen;
            for (const auto& id : person->heard()) {
                INFO(person->name() << " hears " << id << " in the room");
                if (!seen.insert(id).second) {
                    CHECK(mayRepeat(*person));
                    continue;
                }
                const auto number = id.rfind('#');
                int& before = last[id.substr(0, number)];
                CHECK(std::stoi(id.substr(number + 1)) > before);
                before = std::stoi(id.substr(number + 1));
            }
        }
        for (auto& person : persons_) person->enters();
        settle(60);
        for (auto& person : persons_) person->saysInRoom(person->name() + "#1000000");
        settle(10);
        for (const auto& person : persons_) {
            INFO(person->name() << " in the room, in the end");
            auto heard = person->heard();
            std::sort(heard.begin(), heard.end());
            CHECK(heard ==
                  std::vector<std::string>{"juliet#1000000", "nurse#1000000", "romeo#1000000"});
        }
    }

    // For who looks for the reason of a failure.
    std::string state() {
        std::string text;
        for (auto* server : servers_) {
            text += world_.addressOf(*server) + ":\n";
            for (unsigned i = 0; i < server->federation()->shardCount(); ++i)
                for (const auto& one : server->federation()->remotes(i).status())
                    text += "  " + one.direction + " " + one.local + " " + one.remote + " " +
                            one.state + " " + one.authentication + " " +
                            std::to_string(one.queued) + " " + one.problem + "\n";
        }
        return text;
    }

    void check() {
        INFO(state());
        std::map<std::string, std::set<std::string>> got;
        std::map<std::string, std::set<std::string>> back;
        for (const auto& person : persons_) {
            std::map<std::string, int> last;
            auto& seen = got[person->name()];
            back[person->name()] = person->returned();
            for (const auto& id : person->received()) {
                INFO(person->name() << " got " << id);
                CHECK(id.find(">" + person->name() + "#") != std::string::npos);
                if (!seen.insert(id).second) {
                    CHECK(mayRepeat(*person));
                    continue;
                }
                const auto number = id.rfind('#');
                const int count = std::stoi(id.substr(number + 1));
                int& before = last[id.substr(0, number)];
                CHECK(count > before);
                before = std::max(before, count);
            }
        }
        for (const auto& person : persons_) {
            for (const auto& id : person->acknowledged()) {
                const auto to = id.substr(id.find('>') + 1, id.rfind('#') - id.find('>') - 1);
                INFO("acknowledged and lost: " << id);
                // One that came back with an error is not lost without a word.
                CHECK((got[to].contains(id) || person->returned().contains(id)));
            }
            INFO(person->name() << " got " << person->returned().size() << " back");
            CHECK(person->returned().empty());
            CHECK(person->acknowledged().size() > 0);
        }
    }

    const Weather weather_;
    std::mt19937_64 random_;
    World world_;
    int acts_ = 0;
    bool isBidirectional_ = true;
    TestServer* servers_[2];
    std::vector<std::unique_ptr<Person>> persons_;
};

// More of them: EPODE_SCHEDULES=10000 in the environment; from another one: EPODE_SEED.
std::uint64_t number(const char* name, std::uint64_t fallback) {
    const char* wanted = std::getenv(name);
    return wanted ? std::strtoull(wanted, nullptr, 10) : fallback;
}

void runSchedules(Weather weather) {
    const auto first = number("EPODE_SEED", 1);
    const auto count = number("EPODE_SCHEDULES", 100);
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        INFO("weather " << int(weather) << ", seed " << seed);
        Schedule{weather, seed}.run();
    }
}

}  // namespace

TEST_CASE("s2s: on a bad network nothing is lost, doubled or out of order between two servers") {
    runSchedules(Weather::Rain);
}

TEST_CASE("s2s: restarts and a failing DNS lose nothing that was acknowledged") {
    runSchedules(Weather::Storm);
}

TEST_CASE("s2s: servers that are killed have lost nothing that they have acknowledged") {
    runSchedules(Weather::Lightning);
}
