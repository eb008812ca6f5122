// A small world of servers on a simulated network: each in the test's own process, all on the same
// virtual time, with a DNS and a wire that the test can disturb.
#pragma once

#include "core/base64.h"
#include "core/namespaces.h"
#include "net/certificate.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

using namespace std::chrono_literals;

inline std::string derOfPem(const std::string& pem) {
    const std::string_view begin = "-----BEGIN CERTIFICATE-----";
    const auto from = pem.find(begin) + begin.size();
    std::string text = pem.substr(from, pem.find("-----END", from) - from);
    std::erase(text, '\n');
    return decodeBase64(text).value();
}

// A certificate for these names, of a kind that is made once.
inline const std::string& certificateFor(const std::vector<std::string>& names) {
    static std::map<std::vector<std::string>, std::string> made;
    auto& der = made[names];
    if (der.empty()) der = derOfPem(makeSelfSigned(names, 24h * 90).certificatePem);
    return der;
}

class World final : public Resolver, public Dialer {
public:
    struct Place {
        std::string address;
        std::unique_ptr<TestServer> server;
        std::string certificate;  // DER
        bool isTrusted = true;
    };

    explicit World(std::uint64_t seed = 1) : simulation_{seed} {}

    // A server for these domains, which the DNS knows by an A record and nothing else. Its rooms
    // are below the first.
    TestServer& add(const std::vector<std::string>& hosts, std::string_view toml = {},
                    unsigned shards = 1) {
        Place place;
        place.address = "198.51.100." + std::to_string(places_.size() + 1);
        std::vector<std::string> names;
        for (const auto& host : hosts) {
            names.push_back(host);
            names.push_back("*." + host);
            say(host, DnsType::A, {writeAddress(*IpAddress::parse(place.address))});
            say("conference." + host, DnsType::A, {writeAddress(*IpAddress::parse(place.address))});
        }
        place.certificate = certificateFor(names);
        place.server = std::make_unique<TestServer>(
            TestServer::Neighbourhood{simulation_, *this, *this}, hosts,
            std::string{toml} + "\n[s2s]\nenabled = true\n" + s2s, shards);
        places_.push_back(std::move(place));
        return *places_.back().server;
    }

    Place& placeOf(const TestServer& server) {
        for (auto& place : places_)
            if (place.server.get() == &server) return place;
        throw std::logic_error{"no such server"};
    }
    const std::string& addressOf(const TestServer& server) { return placeOf(server).address; }

    Simulation& simulation() { return simulation_; }
    void run() { simulation_.runUntilIdle(); }
    void advance(Duration duration) { simulation_.advance(duration); }

    // ---- the DNS

    void say(const std::string& name, DnsType type, std::vector<std::string> records) {
        dns_[{name, type}] = {.outcome = DnsAnswer::Outcome::Found, .records = std::move(records)};
    }
    void say(const std::string& name, DnsType type, DnsAnswer::Outcome outcome,
             std::string problem = {}) {
        dns_[{name, type}] = {
            .outcome = outcome, .records = {}, .isSecure = false, .problem = std::move(problem)};
    }
    void unsay(const std::string& name, DnsType type) { dns_.erase({name, type}); }
    // What was said is signed (DNSSEC).
    void sign(const std::string& name, DnsType type) { dns_.at({name, type}).isSecure = true; }
    Duration dnsDelay = 5ms;
    std::vector<std::pair<std::string, DnsType>> asked;

    void ask(Executor& executor, std::string name, DnsType type, Resolver::Done done) override {
        asked.emplace_back(name, type);
        DnsAnswer answer;
        answer.outcome = DnsAnswer::Outcome::NoSuchName;
        for (const auto& [key, known] : dns_)
            if (key.first == name) answer.outcome = DnsAnswer::Outcome::NoData;
        if (const auto found = dns_.find({name, type}); found != dns_.end()) answer = found->second;
        later(executor, dnsDelay,
              [done = std::move(done), answer]() mutable { done(std::move(answer)); });
    }

    // ---- the network

    SimLinkSettings link{.delay = 5ms};
    std::set<std::string> silent;  // addresses that swallow every packet
    // Somebody else's program at an address, in place of a server.
    using Listener = std::function<void(std::unique_ptr<Transport>)>;
    std::map<std::string, Listener> listeners;
    std::vector<std::string> dialled;  // "198.51.100.1:5269"
    std::vector<std::weak_ptr<SimLink>> links;

    std::unique_ptr<Attempt> dial(Executor& executor, const IpAddress& address, Duration timeout,
                                  Dialer::Done done) override {
        const std::string host = address.toText();
        dialled.push_back(host + ":" + std::to_string(address.port()));
        struct Pending final : Attempt {
            std::shared_ptr<bool> isGone;
            explicit Pending(std::shared_ptr<bool> gone) : isGone{std::move(gone)} {}
            ~Pending() override { *isGone = true; }
        };
        auto gone = std::make_shared<bool>(false);
        const bool isSilent = silent.contains(host);
        later(executor, isSilent ? timeout : link.delay * 2,
              [this, &executor, host, port = address.port(), gone, isSilent,
               done = std::move(done)]() mutable {
                  if (*gone) return;
                  auto transport = isSilent ? nullptr : connect(executor, host, port);
                  done(std::move(transport),
                       isSilent ? "Connection timed out" : "Connection refused");
              });
        return std::make_unique<Pending>(std::move(gone));
    }

    void cutAll() {
        for (const auto& one : std::exchange(links, {}))
            if (const auto open = one.lock()) open->cut();
    }

    // Options of [s2s] that the next servers have beside `enabled`.
    std::string s2s;

private:
    void later(Executor& executor, Duration delay, UniqueFunction<void()> work) {
        const auto number = next_++;
        executor.post([this, number, &executor, delay, work = std::move(work)]() mutable {
            timers_[number] =
                executor.after(delay, [this, number, work = std::move(work)]() mutable {
                    const auto mine = timers_.extract(number);
                    work();
                });
        });
    }

    std::unique_ptr<Transport> connect(Executor& executor, const std::string& host,
                                       std::uint16_t port) {
        auto& from = static_cast<SimExecutor&>(executor);
        SimLinkSettings settings = link;
        settings.serverAddress = host;
        for (const auto& place : places_) {
            if (!place.server || !place.server->hasExecutor(executor)) continue;
            settings.clientAddress = place.address;
            settings.clientCertificate = place.certificate;
            settings.isClientVerified = place.isTrusted;
        }
        if (const auto found = listeners.find(host); found != listeners.end()) {
            auto connection = SimTransport::connect(from, from, settings);
            links.push_back(connection.link);
            from.post([listener = found->second, moved = std::move(connection.server)]() mutable {
                listener(std::move(moved));
            });
            return std::move(connection.client);
        }
        for (const auto& place : places_) {
            if (place.address != host || !place.server || place.server->isDown()) continue;
            if (port != 5269 && port != 5270) return nullptr;
            settings.serverCertificate = place.certificate;
            settings.isServerVerified = place.isTrusted;
            std::shared_ptr<SimLink> made;
            auto transport = place.server->openServer(from, settings, port == 5270, &made);
            links.push_back(made);
            return transport;
        }
        return nullptr;
    }

    Simulation simulation_;
    std::map<std::pair<std::string, DnsType>, DnsAnswer> dns_;
    std::map<std::uint64_t, Timer> timers_;
    std::uint64_t next_ = 1;
    std::vector<Place> places_;
};

inline bool isNot(const std::string& text, std::string_view part) {
    return text.find(part) == std::string::npos;
}
inline bool has(const std::string& text, std::string_view part) { return !isNot(text, part); }

}  // namespace epode
