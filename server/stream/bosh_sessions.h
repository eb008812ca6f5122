// The sessions of BOSH (XEP-0124, XEP-0206) of the whole server, found by their ids from whichever
// loop a request comes in on.
#pragma once

#include "core/option.h"
#include "net/address_limit.h"
#include "net/http_exchange.h"
#include "stream/bosh_body.h"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

class BoshTransport;
class ClientStreams;

struct BoshSettings {
    Duration waitMax = std::chrono::seconds{60};
    Duration inactivity = std::chrono::seconds{60};
    Duration polling = std::chrono::seconds{2};
    Duration pauseMax = std::chrono::minutes{2};
    unsigned holdMax = 2;
};

// A request with the text that its payloads are views of.
struct BoshRequest {
    HttpExchangePtr exchange;
    std::shared_ptr<const std::string> text;
    BoshBody body;
};

// Its sessions keep it: they may end after whoever has made it.
class BoshSessions : public std::enable_shared_from_this<BoshSessions> {
public:
    explicit BoshSessions(std::shared_ptr<AddressLimit> limit) : limit_{std::move(limit)} {}

    // A request, its body read, on the loop of its connection, whose streams these are.
    void receive(HttpExchangePtr exchange, std::string text, ClientStreams& streams,
                 const BoshSettings& settings);

    std::size_t count() const;

private:
    friend class BoshTransport;

    struct Entry {
        BoshTransport* session = nullptr;
        Executor* executor = nullptr;
        bool isMoving = false;
        std::vector<BoshRequest> waiting;  // for its arrival
    };

    void create(BoshRequest request, ClientStreams& streams, const BoshSettings& settings);
    void deliver(BoshRequest request);
    // For the sessions.
    void add(const std::string& sid, BoshTransport& session, Executor& executor);
    void remove(const std::string& sid);
    void leave(const std::string& sid);
    void arrive(const std::string& sid, Executor& executor);

    std::shared_ptr<AddressLimit> limit_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
};

// Answers from whatever thread: a body that ends the session, or any other one.
void answerBosh(const HttpExchangePtr& exchange, std::string body);
std::string boshTermination(std::string_view condition);

}  // namespace epode
