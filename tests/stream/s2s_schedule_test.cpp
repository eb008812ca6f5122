// Two servers on a bad network, which are restarted and killed, with people on them who talk
// across: random schedules, each repeatable by its seed. Whatever happens, a message that was
// acknowledged to its sender arrives, those of one sender keep their order, and nobody gets what is
// not his.
#include "tests/stream/s2s_world.h"

#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>

using namespace epode;

namespace {

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

    // Reads what has come, and comes back when the connection is lost.
    void tend() {
        if (client_) read();
        if (isOnline() || server_.isDown()) return;
        unacknowledged_.clear();
        acknowledgedCount_ = 0;
        ++logins_;
        client_ = &server_.login(address_ + "/phone", false);
        client_->showsRequests = true;
        // What follows is counted, presence included.
        unacknowledged_.push_back({});
        client_->send("<enable xmlns='urn:xmpp:sm:3'/>").available();
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
            } else if (root.is("message", ns::client)) {
                if (root.get("type") == "error")
                    returned_.insert(id);
                else
                    received_.push_back(id);
            }
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
        world_.s2s = weather != Weather::Rain && below(3) == 0 ? "resume_timeout = '0s'"
                                                               : "resume_timeout = '90s'";
        servers_[0] = &world_.add({"capulet.example"}, {}, 1 + unsigned(seed % 3));
        servers_[1] = &world_.add({"montague.example"}, {}, 1 + unsigned(below(2)));
        // Dialback in place of certificates, now and then.
        for (auto* server : servers_) world_.placeOf(*server).isTrusted = below(4) != 0;
        persons_.push_back(std::make_unique<Person>(*servers_[0], "juliet", "capulet.example"));
        persons_.push_back(std::make_unique<Person>(*servers_[1], "romeo", "montague.example"));
        persons_.push_back(std::make_unique<Person>(*servers_[0], "nurse", "capulet.example"));
    }

    void run() {
        for (int i = 0; i < 80; ++i) {
            step();
            world_.advance(std::chrono::milliseconds{below(4) ? below(50) : below(3000)});
            for (auto& person : persons_) person->tend();
        }
        calm();
        check();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    void step() {
        TestServer& server = *servers_[below(2)];
        const std::string& address = world_.addressOf(server);
        const auto dice = below(100);
        if (dice < 65) {
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
                    // Again when somebody forgot: one of the servers, or the one who listens.
                    CHECK((weather_ != Weather::Rain || person->logins() > 1));
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
    const auto count = number("EPODE_SCHEDULES", 60);
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
