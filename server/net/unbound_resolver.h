// The resolver of the running server: libunbound, which keeps its own cache, asks on a thread of
// its own, and tells by a descriptor on an event loop that answers are there.
#pragma once

#include "net/dns.h"
#include "net/event_loop.h"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct ub_ctx;
struct ub_result;

namespace epode {

class UnboundResolver final : public Resolver, private EventLoop::Source {
public:
    struct Settings {
        // "192.0.2.53", "127.0.0.1@5353" (with a port); none: those of /etc/resolv.conf.
        std::vector<std::string> servers;
        // A file with the keys of the root (or of a test's zones) for DNSSEC; "": nothing is
        // secure.
        std::string trustAnchors;
        Duration patience = std::chrono::seconds{10};
        std::size_t questionsMax = 1000;  // at a time; more fail at once
    };

    // Throws std::runtime_error with a sentence. Before the loop runs, or on its thread; so is the
    // end.
    UnboundResolver(EventLoop& loop, Settings settings);
    ~UnboundResolver();

    // From any thread.
    void ask(Executor& executor, std::string name, DnsType type, Done done) override;

private:
    struct Question;
    void begin(std::unique_ptr<Question> question);
    void answer(std::uint64_t number, DnsAnswer answer);
    static void answered(void* question, int failure, ub_result* result);
    void onReady(std::uint32_t events) override;

    EventLoop& loop_;
    const Settings settings_;
    ub_ctx* context_ = nullptr;
    EventLoop::Handle handle_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Question>> questions_;
    std::uint64_t next_ = 1;
};

}  // namespace epode
