// The transport of a stream over BOSH: requests come in by any connection, in the order of their
// numbers; what the stream writes leaves with the oldest one that waits.
#pragma once

#include "core/executor.h"
#include "net/address_limit.h"
#include "net/transport.h"
#include "stream/bosh_sessions.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace epode {

class BoshTransport final : public Transport {
public:
    // Of a request for a session, which is known to be a good one. On the current executor.
    BoshTransport(std::shared_ptr<BoshSessions> sessions, std::string sid,
                  const BoshRequest& request, const BoshSettings& settings,
                  AddressLimit::Place place);
    ~BoshTransport() override;

    // After the user is set: opens the stream.
    void begin(BoshRequest request);
    void receive(BoshRequest request);
    bool isSecure() const { return isSecure_; }

    void setUser(TransportUser& user) override { user_ = &user; }
    std::string& output() override { return text_; }
    void wantFlush() override;
    std::size_t unsentBytes() const override { return text_.size() + pending_.size(); }
    void closeGracefully() override;
    void abort() override;
    void startTls(const TlsServerContext&) override {}
    void startTls(const TlsClientContext&, std::string_view) override {}
    bool mayStartTls() const override { return false; }
    const TlsInfo* tls() const override;
    void forgetLoginSecrets() override {}
    void pauseReading() override { isPaused_ = true; }
    void resumeReading() override;
    std::string peerAddress() const override { return address_; }
    std::string localAddress() const override { return {}; }

private:
    enum class Phase : std::uint8_t { Open, Closing, Closed };
    // A request that waits for something to tell.
    struct Held {
        std::uint64_t rid;
        HttpExchangePtr exchange;
        SteadyTime until;
    };
    struct Answered {
        std::uint64_t rid;
        std::string body;
        SteadyTime at;
    };

    void doMove(std::unique_ptr<Transport> self, Executor& to,
                UniqueFunction<void(std::unique_ptr<Transport>)> arrived) override;

    void takeInOrder();
    void take(BoshRequest request);
    bool isTooFrequent(const BoshRequest& request);
    void takeAgain(BoshRequest request);
    void takeAcknowledgement(const BoshBody& body);
    void keepAnswer(std::uint64_t rid, std::string body);
    // What the attributes of a response to this request say of requests that have come.
    std::string acknowledgementFor(std::uint64_t rid) const;
    void openStream(const BoshBody& body);
    void deliver(std::string_view xml);
    void writePieces();
    void answerLater();
    void answerSome();
    void answerOldest(std::string_view attributes, bool withPending);
    void pause(Duration duration);
    void terminate(std::string_view condition);
    void refuse(const HttpExchangePtr& exchange, std::string_view condition) const;
    void endNow(std::string_view reason);
    void setTimers();
    void post(UniqueFunction<void()> work);

    const std::shared_ptr<BoshSessions> sessions_;
    const std::string sid_;
    const BoshSettings settings_;
    TransportUser* user_ = nullptr;
    std::string address_;
    std::string text_;
    std::string pending_;           // payloads that wait for a request
    std::string creation_;          // attributes of the first response
    std::string headerAttributes_;  // of the stream, for the next response
    std::string report_;            // of an answer that has got lost, for the next response
    std::string ending_;            // why the stream is over: the attributes of the last response
    std::map<std::uint64_t, BoshRequest> early_;  // by number
    std::deque<Held> held_;
    std::deque<Answered> answered_;
    std::uint64_t rid_ = 0;       // the last that was taken
    std::uint64_t reported_ = 0;  // the last answer that was reported as lost
    unsigned hold_ = 1;
    unsigned window_ = 2;
    Duration wait_{};
    Duration inactivity_{};   // in force
    SteadyTime lastEmpty_{};  // when the last request without payloads came
    SteadyTime lastArrival_{};
    AddressLimit::Place place_;
    Timer waitTimer_;
    Timer inactivityTimer_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
    Phase phase_ = Phase::Open;
    bool isSecure_ = false;
    bool isPolling_ = false;
    bool hasAcknowledgements_ = false;  // XEP-0124, 9
    bool isLegacy_ = false;             // a client that knows the errors of HTTP alone
    bool wasAnswerEmpty_ = false;
    bool isPaused_ = false;
    bool isMoving_ = false;
    bool isTaking_ = false;
    bool isAnswerDue_ = false;
    bool hasEnded_ = false;
};

}  // namespace epode
