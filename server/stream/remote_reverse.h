// The way back on a connection that another server has made (XEP-0288), as our link to that server
// sees it. The connection may live on another shard: what is written is collected, and posted there
// at the end of the turn.
#pragma once

#include "stream/remote_carrier.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace epode {

class Remotes;

class RemoteReverse final : public RemoteCarrier {
public:
    // What its connection tells.
    struct Offer {
        unsigned shard = 0;
        std::uint64_t stream = 0;
        Status status;
        bool isManaged = false;                  // the other server will acknowledge (XEP-0198)
        std::string id{};                        // for its next resumption, "" when there is none
        std::optional<std::uint32_t> resumed{};  // of an earlier connection
    };

    RemoteReverse(Remotes& home, Offer offer);
    ~RemoteReverse() override;

    const Offer& offer() const { return offer_; }
    bool isOf(unsigned shard, std::uint64_t stream) const {
        return offer_.shard == shard && offer_.stream == stream;
    }

    void goOn() override {}
    void write(const Stanza& stanza, std::string_view insertion) override;
    void ask() override;
    // A key is not verified on connections that the other server has made (XEP-0288, 2.2).
    bool takesVerifications() const override { return false; }
    void verify(const std::string&, const std::string&) override {}
    std::size_t pendingBytes() override;
    void forgetLink() override {}
    void dismiss() override {}
    void endWith(const StreamError& error) override;
    Status status() const override { return offer_.status; }

private:
    void flushSoon();
    void flush();

    Remotes& home_;
    const Offer offer_;
    std::string buffer_;
    // What the connection has not got rid of; it says so itself.
    const std::shared_ptr<std::atomic<std::size_t>> pending_;
    const std::shared_ptr<RemoteReverse*> self_;
    bool isFlushing_ = false;
};

}  // namespace epode
