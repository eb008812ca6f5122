// What the transports cost without any chat on top: copies bytes between the connections of a
// group. The first line of a connection is "HELLO <group> <echo>\n", answered by "<ok/>"; what
// follows goes to the others of the group, with echo 1 to the sender as well.
//
//     epode_relay [--port 15900] [--cert chain.pem --key key.pem] [--loops 1]
//
// A connection stays on the loop that accepted it, so that more than one loop suits groups of one.
#include "net/event_loop.h"
#include "net/listener.h"
#include "net/tls_context.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace epode;

namespace {

class Member;
thread_local std::unordered_map<unsigned, std::vector<Member*>> groups;

// Owns itself until its connection is closed.
class Member final : public TransportUser {
public:
    explicit Member(std::unique_ptr<Transport> transport) : transport_{std::move(transport)} {
        transport_->setUser(*this);
    }

    void onData(std::string_view bytes) override {
        if (!isGreeted_) {
            greet(bytes);
            return;
        }
        for (auto* member : groups[group_]) {
            if (hasEcho_ || member != this) member->transport_->send(bytes);
        }
    }

    void onSecured() override { transport_->forgetLoginSecrets(); }

    void onClosed(std::string_view) override {
        std::erase(groups[group_], this);
        if (groups[group_].empty()) groups.erase(group_);
        delete this;
    }

private:
    void greet(std::string_view bytes) {
        const std::string line{bytes};
        int echo = 0;
        if (std::sscanf(line.c_str(), "HELLO %u %d", &group_, &echo) != 2) {
            transport_->abort();
            return;
        }
        hasEcho_ = echo != 0;
        isGreeted_ = true;
        groups[group_].push_back(this);
        transport_->send("<ok/>");
    }

    std::unique_ptr<Transport> transport_;
    unsigned group_ = 0;
    bool hasEcho_ = false;
    bool isGreeted_ = false;
};

std::string argument(int argc, char** argv, std::string_view name, std::string fallback) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (name == argv[i]) return argv[i + 1];
    }
    return fallback;
}

}  // namespace

int main(int argc, char** argv) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    const auto port = std::atoi(argument(argc, argv, "--port", "15900").c_str());
    const auto certificate = argument(argc, argv, "--cert", "");
    const auto key = argument(argc, argv, "--key", certificate);
    const auto loopCount = std::atoi(argument(argc, argv, "--loops", "1").c_str());

    std::unique_ptr<TlsStore> store;
    Listener::Settings settings{
        .address = *IpAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port))};
    if (!certificate.empty()) {
        store = std::make_unique<TlsStore>(std::vector<TlsFiles>{{{}, certificate, key}});
        settings.directTls = &store->context({});
    }

    std::vector<std::jthread> threads;
    for (int i = 0; i < loopCount; ++i) {
        threads.emplace_back([&settings] {
            EventLoop loop;
            const Listener listener{loop, settings, [](std::unique_ptr<Transport> transport) {
                                        new Member{std::move(transport)};
                                    }};
            loop.run();
        });
    }
}
