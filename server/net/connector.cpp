#include "net/connector.h"

#include "net/tcp_transport.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace epode {

Connector::Connector(EventLoop& loop, const IpAddress& address, Duration timeout, Done done)
    : loop_{loop}, address_{address}, done_{std::move(done)} {
    handle_ = loop_.add(*this);
    timeout_ = loop_.after(timeout, [this] { fail(ETIMEDOUT); });

    sockaddr_storage storage;
    const auto length = address.toSockaddr(storage);
    socket_ = Fd{::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    int error = 0;
    if (!socket_) {
        error = errno;
    } else if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
               errno != EINPROGRESS) {
        error = errno;
    } else if (!loop_.watch(socket_.get(), handle_, EPOLLOUT)) {
        error = errno;
    }
    if (error) {
        timeout_ = loop_.after(Duration::zero(), [this, error] { fail(error); });
    }
}

Connector::~Connector() {
    if (socket_) loop_.unwatch(socket_.get());
    loop_.remove(handle_);
}

void Connector::onReady(std::uint32_t) {
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        fail(error);
        return;
    }
    timeout_.cancel();
    loop_.unwatch(socket_.get());
    auto transport = std::make_unique<TcpTransport>(loop_, std::move(socket_), address_);
    auto done = std::move(done_);
    done(std::move(transport), {});
}

void Connector::fail(int error) {
    timeout_.cancel();
    if (socket_) loop_.unwatch(socket_.get());
    socket_.reset();
    const auto problem = std::generic_category().message(error);
    auto done = std::move(done_);
    done(nullptr, problem);
}

}  // namespace epode
