#include "net/dialer.h"

#include "net/connector.h"

namespace epode {

namespace {

class SocketAttempt final : public Dialer::Attempt {
public:
    SocketAttempt(EventLoop& loop, const IpAddress& address, Duration timeout, Dialer::Done done)
        : connector_{loop, address, timeout, std::move(done)} {}

private:
    Connector connector_;
};

}  // namespace

std::unique_ptr<Dialer::Attempt> SocketDialer::dial(Executor& executor, const IpAddress& address,
                                                    Duration timeout, Done done) {
    return std::make_unique<SocketAttempt>(static_cast<EventLoop&>(executor), address, timeout,
                                           std::move(done));
}

}  // namespace epode
