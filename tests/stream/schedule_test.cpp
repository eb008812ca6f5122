// Clients with stream management on a bad network, and a server that is restarted and killed:
// hundreds of random schedules, each repeatable by its seed. Whatever happens, no message that was
// acknowledged is lost, none is stored twice, and those of one sender to one receiver keep their
// order.
#include "tests/stream/conversation.h"

#include "core/base64.h"

#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>

using namespace epode;

namespace {

constexpr std::string_view carbonsNs = "urn:xmpp:carbons:2";

// A client as they are in the field: it comes back when its connection is lost, resumes its session
// or binds a new one, and says again what the server says it has not got.
class Person final : public TransportUser {
public:
    Person(TestServer& server, std::string name, std::string resource, SimLinkSettings settings,
           bool wantsCopies)
        : server_{server},
          name_{std::move(name)},
          resource_{std::move(resource)},
          settings_{std::move(settings)},
          wantsCopies_{wantsCopies} {
        server.addAccount(address());
        returnAfter({});
    }
    ~Person() override = default;

    const std::string& name() const { return name_; }
    std::string address() const { return name_ + "@capulet.example"; }
    bool isOnline() const { return phase_ == Phase::Online; }

    // ---- what happens to it

    void says(const Person& to, bool asks) { tells(to, "<body>Hark!</body>", asks); }
    // What an inactive client need not hear at once.
    void hasReceived(const Person& to, bool asks) {
        tells(to, "<received xmlns='urn:xmpp:receipts' id='x'/>", asks);
    }
    // To one of the other's clients alone.
    void saysTo(const Person& to, bool asks) { tells(to, "<body>Hark!</body>", asks, "/" + to.resource_); }
    void looks(bool does) {
        if (isOnline()) write(does ? "<active xmlns='urn:xmpp:csi:0'/>" : "<inactive xmlns='urn:xmpp:csi:0'/>");
    }
    void asks() {
        if (!isOnline()) return;
        const std::string id = "q" + std::to_string(++questions_);
        sends(id, "<iq type='get' id='" + id +
                      "' to='capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    }
    void loses() {
        if (link_) link_->cut();
    }
    void hangs(bool does) {
        if (link_) does ? link_->stall() : link_->goOn();
    }
    // The device is switched off: it knows nothing of its session any more.
    void forgets() {
        loses();
        phase_ = Phase::Away;
        forgetSession();
    }
    void leaves() {
        if (!isOnline()) return;
        write("</stream:stream>");
        phase_ = Phase::Away;
        forgetSession();
    }

    // ---- what came of it

    const std::set<std::string>& acknowledged() const { return acknowledged_; }
    const std::vector<std::string>& received() const { return received_; }
    bool waited(const std::string& id) const { return waited_.contains(id); }
    const std::map<std::string, int>& answers() const { return answers_; }
    std::size_t unacknowledged() const { return unacknowledged_.size(); }
    const std::string& problem() const { return problem_; }

    void onSecured() override { header(); }
    void onData(std::string_view bytes) override {
        while (!bytes.empty() && xml_) {
            switch (xml_->next(bytes)) {
                case XmlStream::Event::NeedMore:
                case XmlStream::Event::Header:
                    break;
                case XmlStream::Event::Element:
                    take(xml_->takeElement());
                    break;
                case XmlStream::Event::Close:
                    phase_ = Phase::Away;
                    transport_->closeGracefully();
                    return;
                case XmlStream::Event::Failure:
                    problem_ = "bad XML: " + xml_->error().text;
                    return;
            }
        }
    }
    void onClosed(std::string_view) override {
        phase_ = Phase::Away;
        link_.reset();
        server_.clientExecutor().post([old = std::move(transport_)] {});
        returnAfter(std::chrono::milliseconds{server_.simulation().random(3000)});
    }

private:
    enum class Phase { Away, Login, Binding, Online };
    struct Sent {
        std::string id;
        std::string xml;
    };

    void returnAfter(Duration wait) {
        returning_ = server_.clientExecutor().after(wait, [this] { connect(); });
    }
    void connect() {
        auto connection = server_.open(settings_, true);
        transport_ = std::move(connection.client);
        link_ = std::move(connection.link);
        transport_->setUser(*this);
        xml_.emplace(pool_, XmlLimits{});
        phase_ = Phase::Login;
        static_cast<SimTransport&>(*transport_).startTls("capulet.example");
    }

    void write(const std::string& bytes) {
        if (transport_) transport_->send(bytes);
    }
    void header() {
        xml_->restart();
        write(
            "<stream:stream xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
            "to='capulet.example'>");
    }
    void tells(const Person& to, const std::string& content, bool asks,
               const std::string& resource = {}) {
        if (!isOnline()) return;
        const std::string id = name_ + "/" + resource_ + ">" + to.name() +
                               (resource.empty() ? "#" : "##") +
                               std::to_string(++said_[to.name()]);
        sends(id, "<message type='chat' to='" + to.address() + resource + "' id='" + id + "'>" + content +
                      "</message>");
        if (asks) write(std::string{request});
    }
    void sends(const std::string& id, const std::string& xml) {
        unacknowledged_.push_back({id, xml});
        write(xml);
    }

    void take(const Document& element) {
        if (phase_ == Phase::Away) return;
        if (element->is("features", ns::streams)) {
            if (phase_ == Phase::Login) {
                const std::string plain = std::string{'\0'} + name_ + '\0' + "secret";
                write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                      encodeBase64(plain) + "</auth>");
            } else if (!smId_.empty()) {
                write(resume(smId_, handled_));
            } else {
                bind();
            }
        } else if (element->is("success", ns::sasl)) {
            phase_ = Phase::Binding;
            header();
        } else if (element->is("error", ns::streams)) {
            const auto condition = element->firstChild()->name();
            if (condition != "system-shutdown" && condition != "conflict" &&
                condition != "connection-timeout")
                problem_ = toXml(*element);
        } else if (element->ns() == ns::streamManagement) {
            manage(*element);
        } else if (element->is("iq", ns::client) && element->get("id") == "bind") {
            // From here on the server counts.
            write(std::string{enableResumption});
            phase_ = Phase::Online;
            if (wantsCopies_)
                sends("", "<iq type='set' id='copies'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
            sends("", "<presence/>");
        } else if (element->ns() == ns::client) {
            if (!smId_.empty()) ++handled_;
            receive(*element);
        }
    }
    void bind() {
        forgetSession();
        write("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
              resource_ + "</resource></bind></iq>");
    }
    // What becomes of that which was not acknowledged is not known.
    void forgetSession() {
        smId_.clear();
        handled_ = acknowledgedCount_ = 0;
        unacknowledged_.clear();
    }
    void manage(const Element& element) {
        const auto name = element.name();
        const auto h =
            std::uint32_t(std::strtoul(std::string{element.get("h")}.c_str(), nullptr, 10));
        if (name == "enabled") {
            smId_ = element.get("id");
        } else if (name == "resumed") {
            acknowledge(h);
            phase_ = Phase::Online;
            for (const auto& sent : unacknowledged_) write(sent.xml);
            write(std::string{request});
        } else if (name == "failed") {
            bind();
        } else if (name == "r") {
            write(ack(handled_));
        } else if (name == "a") {
            acknowledge(h);
        }
    }
    void acknowledge(std::uint32_t h) {
        if (h - acknowledgedCount_ > unacknowledged_.size()) {
            problem_ = "the server counts too much";
            return;
        }
        for (; acknowledgedCount_ != h; ++acknowledgedCount_) {
            acknowledged_.insert(unacknowledged_.front().id);
            unacknowledged_.pop_front();
        }
    }
    void receive(const Element& stanza) {
        const std::string id{stanza.get("id")};
        if (stanza.name() == "message") {
            if (stanza.get("type") == "error")
                problem_ = toXml(stanza);
            else if (const Element* copy = stanza.child("received", carbonsNs))
                received_.emplace_back(copy->firstChild()->firstChild()->get("id"));
            else if (!stanza.child("sent", carbonsNs)) {
                received_.push_back(id);
                if (stanza.child("delay", ns::delay)) waited_.insert(id);
            }
        } else if (stanza.name() == "iq") {
            ++answers_[id];
        }
    }

    TestServer& server_;
    const std::string name_;
    const std::string resource_;
    const SimLinkSettings settings_;
    const bool wantsCopies_;
    XmlParserPool pool_;
    std::optional<XmlStream> xml_;
    std::unique_ptr<Transport> transport_;
    std::shared_ptr<SimLink> link_;
    Timer returning_;
    Phase phase_ = Phase::Away;

    std::string smId_;
    std::uint32_t handled_ = 0;
    std::uint32_t acknowledgedCount_ = 0;
    std::deque<Sent> unacknowledged_;
    std::map<std::string, int> said_;
    int questions_ = 0;

    std::set<std::string> acknowledged_;
    std::vector<std::string> received_;
    std::set<std::string> waited_;  // of those: for its presence
    std::map<std::string, int> answers_;
    std::string problem_;
};

// How bad it gets.
enum class Weather {
    Rain,       // connections are lost and hang, the disk is slow, the server is restarted
    Storm,      // clients forget their sessions and leave
    Lightning,  // the server is killed
};

// What the clients ask of the server beside messages and their resumption.
enum class Clients {
    Plain,
    Modern,  // copies (XEP-0280), and to be spared what can wait (XEP-0352)
};

class Schedule {
public:
    Schedule(Weather weather, Clients clients, std::uint64_t seed)
        : weather_{weather},
          clients_{clients},
          random_{seed * 7919},
          server_{toml(), 1 + unsigned(seed % 3), seed} {
        const auto settings = [this] {
            SimLinkSettings link;
            link.delay = std::chrono::milliseconds{1 + below(30)};
            link.chunkMax = below(2) ? 0 : 1 + below(200);
            return link;
        };
        for (const auto& [name, resource] : {std::pair{"juliet", "phone"},
                                             {"romeo", "phone"},
                                             {"nurse", "phone"},
                                             {"nurse", "desk"}})
            persons_.push_back(std::make_unique<Person>(server_, name, resource, settings(),
                                                        clients == Clients::Modern));
        server_.advance(3s);
    }

    void run() {
        const int steps = 150;
        for (int i = 0; i < steps; ++i) {
            step();
            server_.advance(std::chrono::milliseconds{below(4) ? below(20) : below(800)});
        }
        calm();
        check();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    std::string toml() {
        const auto every = std::to_string(1 + below(6));
        isArchiving_ = below(4) != 0;
        return "[sm]\nrequest_every = " + every + "\nresume_timeout = '60s'\n[archive]\ndefault = '" +
               (isArchiving_ ? "always" : "never") + "'";
    }
    Person& somebody() { return *persons_[below(persons_.size())]; }
    // On the executor of the clients, as all that they do.
    template <typename Act>
    void lets(Act act) {
        server_.clientExecutor().post(std::move(act));
    }

    void step() {
        Person& one = somebody();
        Person& other = somebody();
        const auto dice = below(100);
        const bool asks = below(3) == 0;
        if (clients_ == Clients::Modern && dice < 40) {
            const bool does = below(2);
            if (dice < 10)
                lets([&one, does] { one.looks(does); });
            else if (dice < 30)
                lets([&one, &other, asks] { one.hasReceived(other, asks); });
            else
                lets([&one, &other, asks] { one.saysTo(other, asks); });
        } else if (dice < 65) {
            lets([&one, &other, asks] { one.says(other, asks); });
        } else if (dice < 72) {
            lets([&one] { one.asks(); });
        } else if (dice < 82) {
            lets([&one] { one.loses(); });
        } else if (dice < 87) {
            const bool hangs = below(2);
            lets([&one, hangs] { one.hangs(hangs); });
        } else if (dice < 92) {
            server_.database().setDelay(
                std::chrono::milliseconds{below(3) ? below(20) : below(900)});
        } else if (dice < 95 && weather_ != Weather::Rain) {
            lets([&one] { one.forgets(); });
        } else if (dice < 97 && weather_ != Weather::Rain) {
            lets([&one] { one.leaves(); });
        } else if (dice == 98) {
            server_.restart();
        } else if (dice == 99 && weather_ == Weather::Lightning) {
            server_.crash();
        }
    }

    void calm() {
        server_.database().setDelay({});
        const auto isSettled = [](const auto& person) {
            return person->isOnline() && person->unacknowledged() == 0;
        };
        for (auto& person : persons_) lets([&person] { person->hangs(false); });
        // Longer than any session waits, so that nothing is left with one that nobody resumes.
        server_.advance(150s);
        for (auto& person : persons_) lets([&person] { person->asks(); });
        for (auto& person : persons_) lets([&person] { person->looks(true); });
        server_.advance(5s);
        for (auto& person : persons_) lets([&person] { person->says(*person, true); });
        server_.advance(5s);
        CHECK(std::all_of(persons_.begin(), persons_.end(), isSettled));
    }

    void check() {
        const auto archive = readArchive();
        std::map<std::string, std::set<std::string>> receivedBy;
        for (const auto& person : persons_) {
            CHECK(person->problem() == "");
            for (const auto& id : person->received()) receivedBy[person->name()].insert(id);
            checkOrder(*person);
        }
        for (const auto& person : persons_) {
            for (const auto& id : person->acknowledged()) {
                const auto to = id.find('>');
                if (to == std::string::npos) {
                    if (id.empty() || weather_ != Weather::Rain) continue;
                    const auto answers = person->answers().find(id);
                    INFO(person->name() << " has asked " << id);
                    CHECK((answers == person->answers().end() ? 0 : answers->second) == 1);
                    continue;
                }
                const std::string receiver = id.substr(to + 1, id.find('#') - to - 1);
                if (receivedBy[receiver].contains(id)) continue;
                INFO("lost: " << id);
                // A client that is written to before it has stream management takes it with its
                // connection.
                const bool wasToResource = id.find("##") != std::string::npos;
                CHECK(wasToResource);
                CHECK((!isArchiving_ || archive.contains({receiver, id})));
            }
        }
    }

    // Only the first time counts: what comes again was given back by a session that had ended. What is
    // sent to one client alone reaches it before that which waits for its presence, also before what was
    // sent to it alone when it was away. An account with two clients gives each what the other has not
    // taken.
    void checkOrder(const Person& person) {
        std::set<std::string> seen;
        std::map<std::string, int> last;
        for (const auto& id : person.received()) {
            const bool isNew = seen.insert(id).second;
            INFO(person.name() << " got " << id);
            if (weather_ == Weather::Rain) CHECK(isNew);
            if (!isNew || person.name() == "nurse") continue;
            const bool wasToResource = id.find("##") != std::string::npos;
            if (weather_ != Weather::Rain && wasToResource && person.waited(id)) continue;
            const auto number = id.rfind('#');
            const int count = std::stoi(id.substr(number + 1));
            int& before = last[id.substr(0, number)];
            CHECK(count > before);
            before = count;
        }
    }

    // Account and id of all that is stored, nothing of it twice.
    std::set<std::pair<std::string, std::string>> readArchive() {
        const auto rows = server_.wait(server_.database().read([](SqlConnection& connection) {
            std::vector<std::pair<std::string, std::string>> found;
            connection.run("SELECT jid, stanza FROM archive JOIN account ON account.id = archive.account "
                           "ORDER BY account, stamp",
                           {}, [&found](const SqlRow& row) {
                               const std::string jid{row.text(0)};
                               const auto stanza = parseXml(row.blob(1), ns::client);
                               found.emplace_back(jid.substr(0, jid.find('@')), (*stanza)->get("id"));
                           });
            return found;
        }));
        std::set<std::pair<std::string, std::string>> seen;
        for (const auto& row : rows) {
            INFO("stored twice: " << row.second);
            CHECK(seen.insert(row).second);
        }
        return seen;
    }

    const Weather weather_;
    const Clients clients_;
    bool isArchiving_ = false;
    std::mt19937_64 random_;
    TestServer server_;
    std::vector<std::unique_ptr<Person>> persons_;
};

// More of them: EPODE_SCHEDULES=10000 in the environment.
std::uint64_t schedules() {
    const char* wanted = std::getenv("EPODE_SCHEDULES");
    return wanted ? std::strtoull(wanted, nullptr, 10) : 100;
}

void runSchedules(Weather weather, Clients clients = Clients::Plain) {
    for (std::uint64_t seed = 1; seed <= schedules(); ++seed) {
        INFO("weather " << int(weather) << ", seed " << seed);
        Schedule{weather, clients, seed}.run();
    }
}

}  // namespace

TEST_CASE("on a bad network nothing is lost, doubled or out of order") {
    runSchedules(Weather::Rain);
}

TEST_CASE("clients that forget their sessions lose nothing that was acknowledged") {
    runSchedules(Weather::Storm);
}

TEST_CASE("a server that is killed has lost nothing that it has acknowledged") {
    runSchedules(Weather::Lightning);
}

TEST_CASE("copies, and what is held for clients that nobody looks at, keep to the same") {
    const auto weather = GENERATE(Weather::Rain, Weather::Storm, Weather::Lightning);
    runSchedules(weather, Clients::Modern);
}
