// Connects to the first of several addresses that answers (RFC 8305, XEP-0495): they are tried in
// their order, each a moment after the one before, so that one that is silent costs that moment
// alone.
#pragma once

#include "net/dialer.h"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace epode {

// One of several ways to a server; `tag` is the user's own.
struct DialAddress {
    IpAddress address;
    std::size_t tag = 0;
};

class HappyEyeballs {
public:
    struct Settings {
        Duration stagger = std::chrono::milliseconds{250};
        Duration timeout = std::chrono::seconds{15};  // of one attempt
    };
    // A connection, or none when nothing is left to be tried. May destroy the object.
    using Done = UniqueFunction<void(std::unique_ptr<Transport> transport, DialAddress address)>;
    // An attempt has failed.
    using Failed = std::function<void(const DialAddress& address, std::string_view problem)>;

    HappyEyeballs(Dialer& dialer, Executor& executor, Settings settings, Failed failed);
    ~HappyEyeballs();

    // Addresses may come while the first are being tried; `complete` says that no more will.
    void add(const DialAddress& address);
    void complete();

    // The next connection; once at a time. Attempts that were overtaken by an earlier one are made
    // again.
    void next(Done done);

private:
    struct Running {
        DialAddress address;
        std::unique_ptr<Dialer::Attempt> attempt;
    };
    void go();
    void begin();
    void ended(std::size_t number, std::unique_ptr<Transport> transport, std::string_view problem);

    Dialer& dialer_;
    Executor& executor_;
    const Settings settings_;
    const Failed failed_;
    std::deque<DialAddress> waiting_;
    std::vector<std::pair<std::size_t, Running>> running_;  // by number
    std::size_t numbers_ = 0;
    Done done_;
    Timer stagger_;
    bool isComplete_ = false;
};

}  // namespace epode
