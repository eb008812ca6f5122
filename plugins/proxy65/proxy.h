// Bytestreams between two clients that can't reach each other (XEP-0065): connections wait in pairs
// by their hash, and an activated pair is one stream. Nothing is lost: who reads slowly slows the
// sender.
//
// Everything happens on one executor, on which it also ends.
#pragma once

#include "core/executor.h"
#include "net/listener.h"
#include "net/transport.h"
#include "socks5.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace epode {

class Server;

namespace proxy65 {

class Proxy : public std::enable_shared_from_this<Proxy> {
public:
    struct Settings {
        std::vector<std::string> addresses;  // to listen on
        std::uint16_t port = 0;              // 0: none
        std::size_t connectionsMax = 1000;
        std::int64_t connectionsPerAddressMax = 20;
        std::size_t streamsPerAccountMax = 5;
        Duration activationMax = std::chrono::minutes{2};  // from the connection to the activation
        Duration idleMax = std::chrono::minutes{5};
        std::uint64_t streamBytesPerSecond = 0;  // 0: as much as there is
        std::uint64_t totalBytesPerSecond = 0;
        bool operator==(const Settings&) const = default;
    };

    // One for each server, so that streams go on when plugins are made anew; made when there is
    // none.
    static std::shared_ptr<Proxy> of(Server& server);
    static std::shared_ptr<Proxy> make(Executor& executor);
    ~Proxy();

    Executor& executor() const { return executor_; }

    // All that follows: on the executor.

    // Begins to listen, or on other addresses than before. What can't be listened on is logged.
    void configure(Settings settings);
    // A new connection.
    void accept(std::unique_ptr<Transport> transport);

    enum class Activation : std::uint8_t { Done, Unknown, OnlyOneIsThere, TooMany };
    // Makes a stream of the two connections that wait with this hash, on behalf of `account`.
    Activation activate(const std::string& hash, const std::string& account);

    std::size_t connectionCount() const { return connections_.size(); }
    std::size_t streamCount() const { return streams_.size(); }

private:
    explicit Proxy(Executor& executor);
    class Connection;
    struct Stream;
    struct Waiting {
        Connection* first = nullptr;
        Connection* second = nullptr;
    };

    bool wait(Connection& connection, const std::string& hash);
    void forget(Connection& connection);
    void end(Stream& stream, Connection& closed);
    void setTick();
    void tick();
    Duration tickInterval() const;
    bool isLimited() const {
        return settings_.streamBytesPerSecond || settings_.totalBytesPerSecond;
    }
    std::int64_t share(std::uint64_t perSecond) const;

    Executor& executor_;
    Settings settings_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::map<std::string, Waiting> waiting_;  // by hash
    std::vector<std::unique_ptr<Stream>> streams_;
    std::uint64_t nextId_ = 0;
    std::int64_t budget_ = 0;  // of all streams, until the next tick
    Timer tick_;
};

}  // namespace proxy65
}  // namespace epode
