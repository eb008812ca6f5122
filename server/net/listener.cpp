#include "net/listener.h"

#include "core/log.h"
#include "core/metric.h"
#include "net/tcp_transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace epode {

namespace {

const Log log{"net"};
Counter acceptedConnections{"net_accepted_total", "Connections that were accepted"};
Counter overLimit{"net_refused_address_total",
                  "Connections refused because their address had as many as it may"};
Counter noDescriptor{
    "net_refused_resources_total",
    "Times that connections could not be accepted for want of descriptors or memory"};

constexpr int backlogMax = 4096;
// A burst is shared with the events of those who are connected already.
constexpr int acceptsPerTurn = 64;
constexpr auto pauseWithoutDescriptors = std::chrono::milliseconds{100};
constexpr auto betweenComplaints = std::chrono::minutes{1};

Fd openSpare() { return Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

std::string textOf(const IpAddress& address, std::uint16_t port) {
    const auto text = address.toText();
    return (address.isV4() ? text : "[" + text + "]") + ":" + std::to_string(port);
}

Fd listenOn(const IpAddress& address, bool isFirst) {
    const auto check = [&](bool worked) {
        if (!worked) {
            const auto error = errno;
            auto text = "cannot listen on " + textOf(address, address.port());
            if (error == EADDRINUSE)
                text +=
                    " (another program or another option of this server does; ss -ltnp shows who)";
            throw std::system_error{error, std::generic_category(), text};
        }
    };
    sockaddr_storage storage;
    const auto length = address.toSockaddr(storage);
    const auto bound = [&](bool isShared) {
        Fd socket{::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        check(static_cast<bool>(socket));
        const int on = 1;
        check(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
        const int shared = isShared ? 1 : 0;
        check(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &shared, sizeof shared) == 0);
        // [::] means IPv6 alone, whatever the system's default is: who wants both lists both.
        if (!address.isV4()) {
            check(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
        }
        check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0);
        return socket;
    };
    if (isFirst) bound(false);
    Fd socket = bound(true);
    check(::listen(socket.get(), backlogMax) == 0);
    return socket;
}

}  // namespace

Listener::Listener(EventLoop& loop, Settings settings, Accepted accepted)
    : loop_{loop},
      settings_{std::move(settings)},
      accepted_{std::move(accepted)},
      socket_{listenOn(settings_.address, settings_.isFirst)},
      spare_{openSpare()},
      port_{IpAddress::ofLocal(socket_.get()).port()} {
    handle_ = loop_.add(*this);
    if (!loop_.watch(socket_.get(), handle_, EPOLLIN)) {
        const auto error = errno;
        loop_.remove(handle_);
        throw std::system_error{error, std::generic_category(),
                                "cannot listen on " + textOf(settings_.address, port_)};
    }
}

Listener::~Listener() {
    if (!pause_) loop_.unwatch(socket_.get());
    loop_.remove(handle_);
}

void Listener::onReady(std::uint32_t) {
    // The callback may end this listener.
    const auto handle = handle_;
    auto& loop = loop_;
    for (auto i = 0; i < acceptsPerTurn && loop.find(handle); ++i) {
        sockaddr_storage storage;
        socklen_t length = sizeof storage;
        Fd socket{::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                            SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (socket) {
            admit(std::move(socket), IpAddress::from(reinterpret_cast<const sockaddr*>(&storage)));
            continue;
        }
        switch (errno) {
            case EAGAIN:
                return;
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
                turnAwayOne();
                return;
            default:
                break;  // this one has gone already; the next may be there
        }
    }
}

void Listener::admit(Fd socket, const IpAddress& peer) {
    AddressLimit::Place place;
    if (settings_.limit) {
        auto taken = settings_.limit->take(peer);
        if (!taken) {
            overLimit.add();
            return;
        }
        place = std::move(*taken);
    }
    acceptedConnections.add();
    auto transport =
        std::make_unique<TcpTransport>(loop_, std::move(socket), peer, std::move(place));
    if (settings_.directTls) transport->startDirectTls(*settings_.directTls);
    accepted_(std::move(transport));
}

void Listener::turnAwayOne() {
    const auto error = errno;
    noDescriptor.add();
    if (loop_.now() - complained_ >= betweenComplaints) {
        complained_ = loop_.now();
        log.error("connections cannot be accepted; raise the limit of open files (LimitNOFILE)",
                  {{"address", textOf(settings_.address, port_)},
                   {"error", std::generic_category().message(error)}});
    }
    spare_.reset();
    Fd{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    spare_ = openSpare();
    pause();
}

// The sockets that wait would report themselves at every turn.
void Listener::pause() {
    loop_.unwatch(socket_.get());
    pause_ = loop_.after(pauseWithoutDescriptors, [this] {
        if (!loop_.watch(socket_.get(), handle_, EPOLLIN)) pause();
    });
}

}  // namespace epode
