// What the tests of real sockets share: a loop on its own thread, a user that remembers what it was
// told, and clients that are made of nothing but system calls and OpenSSL.
#pragma once

#include "net/event_loop.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "net/transport.h"
#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace epode::test {

// So long may a step take before the test counts as hanging. Nothing depends on it otherwise.
constexpr auto patience = std::chrono::seconds{30};

class LoopThread {
public:
    LoopThread() : thread_{[this] { loop.run(); }} {}
    ~LoopThread() { loop.stop(); }

    // Runs `call` on the loop and hands its result here.
    template <typename Call>
    auto run(Call call) {
        using Result = decltype(call());
        std::promise<Result> promise;
        auto future = promise.get_future();
        loop.post([&] {
            if constexpr (std::is_void_v<Result>) {
                call();
                promise.set_value();
            } else {
                promise.set_value(call());
            }
        });
        return future.get();
    }

    // Whether `condition`, asked on the loop, becomes true.
    bool eventually(std::function<bool()> condition) {
        std::promise<bool> promise;
        auto future = promise.get_future();
        const auto deadline = std::chrono::steady_clock::now() + patience;
        Timer timer;
        std::function<void()> check = [&] {
            if (condition() || std::chrono::steady_clock::now() > deadline) {
                promise.set_value(condition());
            } else {
                timer = loop.after(std::chrono::milliseconds{1}, [&] { check(); });
            }
        };
        loop.post([&] { check(); });
        return future.get();
    }

    EventLoop loop;

private:
    std::jthread thread_;
};

// Everything happens on its transport's loop.
struct RecordingUser : TransportUser {
    RecordingUser() = default;
    explicit RecordingUser(std::unique_ptr<Transport> given) { take(std::move(given)); }

    void take(std::unique_ptr<Transport> given) {
        transport = std::move(given);
        transport->setUser(*this);
    }
    void onData(std::string_view bytes) override {
        data += bytes;
        ++reads;
        if (whenData) whenData(bytes);
    }
    void onSecured() override {
        isSecured = true;
        if (whenSecured) whenSecured();
    }
    void onDrained() override { ++drains; }
    void onClosed(std::string_view reason) override {
        ++closes;
        closeReason = reason;
        if (whenClosed) whenClosed();
    }

    std::unique_ptr<Transport> transport;
    std::string data;
    int reads = 0;
    bool isSecured = false;
    int drains = 0;
    int closes = 0;
    std::string closeReason;
    std::function<void(std::string_view)> whenData;
    std::function<void()> whenSecured;
    std::function<void()> whenClosed;
};

// Lets both finish their turns, so that neither is still inside a post to the other when that one
// ends.
inline void settle(LoopThread& one, LoopThread& other) {
    one.run([] {});
    other.run([] {});
}

// A loop that listens on a port of loopback and keeps a user for each connection.
class Server : public LoopThread {
public:
    explicit Server(Listener::Settings settings = {}) {
        run([&] {
            settings.address = *IpAddress::parse("127.0.0.1");
            listener_ = std::make_unique<Listener>(
                loop, settings, [this](std::unique_ptr<Transport> transport) {
                    users.push_back(std::make_unique<RecordingUser>(std::move(transport)));
                    if (whenAccepted) whenAccepted(*users.back());
                });
        });
    }
    ~Server() {
        run([&] {
            users.clear();
            listener_.reset();
        });
    }

    std::uint16_t port() const { return listener_->port(); }
    // The user of the only connection, once it is there.
    RecordingUser& only() {
        REQUIRE(eventually([&] { return users.size() == 1; }));
        return *users.front();
    }

    std::vector<std::unique_ptr<RecordingUser>> users;
    std::function<void(RecordingUser&)> whenAccepted;

private:
    std::unique_ptr<Listener> listener_;
};

// A blocking client.
class RawClient {
public:
    RawClient() : socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    explicit RawClient(std::uint16_t port) : RawClient{} { connect(port); }

    void connect(std::uint16_t port) {
        sockaddr_storage storage;
        const auto length = IpAddress::parse("127.0.0.1", port)->toSockaddr(storage);
        REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    }
    // Stops at a failure, which shows in what does not come back. From any thread.
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // As many bytes, or fewer when the connection ends before.
    std::string receive(std::size_t size) {
        std::string bytes(size, '\0');
        std::size_t got = 0;
        while (got < size) {
            const auto now = ::recv(socket.get(), bytes.data() + got, size - got, 0);
            if (now <= 0) break;
            got += static_cast<std::size_t>(now);
        }
        bytes.resize(got);
        return bytes;
    }
    // All until the other side ends.
    std::string receiveAll() {
        std::string bytes;
        while (true) {
            auto part = receive(4096);
            if (part.empty()) return bytes;
            bytes += part;
        }
    }
    void endSending() { ::shutdown(socket.get(), SHUT_WR); }
    void reset() {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        socket.reset();
    }

    Fd socket;
};

// TLS by OpenSSL's own blocking calls over a client's socket.
class TlsClient {
public:
    struct Wish {
        int version = TLS1_3_VERSION;
        std::string serverName{};
        std::string alpn{};  // in wire form: "\x0bxmpp-client"
        std::string certificateFile{};
        std::string keyFile{};
        const char* groups = nullptr;
        SSL_SESSION* session = nullptr;
    };

    TlsClient(RawClient& client, const Wish& wish) : ctx_{SSL_CTX_new(TLS_client_method())} {
        SSL_CTX_set_min_proto_version(ctx_, wish.version);
        SSL_CTX_set_max_proto_version(ctx_, wish.version);
        if (!wish.certificateFile.empty()) {
            SSL_CTX_use_certificate_chain_file(ctx_, wish.certificateFile.c_str());
            SSL_CTX_use_PrivateKey_file(ctx_, wish.keyFile.c_str(), SSL_FILETYPE_PEM);
        }
        ssl = SSL_new(ctx_);
        SSL_set_fd(ssl, client.socket.get());
        if (!wish.serverName.empty()) SSL_set_tlsext_host_name(ssl, wish.serverName.c_str());
        if (!wish.alpn.empty()) {
            SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wish.alpn.data()),
                                static_cast<unsigned>(wish.alpn.size()));
        }
        if (wish.groups) SSL_set1_groups_list(ssl, wish.groups);
        if (wish.session) SSL_set_session(ssl, wish.session);
        isConnected = SSL_connect(ssl) == 1;
        ERR_clear_error();
    }
    ~TlsClient() {
        SSL_free(ssl);
        SSL_CTX_free(ctx_);
    }

    void send(std::string_view bytes) {
        SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
    }
    std::string receive(std::size_t size) {
        std::string bytes(size, '\0');
        std::size_t got = 0;
        while (got < size) {
            const auto now = SSL_read(ssl, bytes.data() + got, static_cast<int>(size - got));
            if (now <= 0) break;
            got += static_cast<std::size_t>(now);
        }
        bytes.resize(got);
        return bytes;
    }
    bool hasCloseNotify() const { return SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN; }
    std::string exporter() const {
        static constexpr unsigned char none = 0;
        std::string value(32, '\0');
        REQUIRE(SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(value.data()), 32,
                                           "EXPORTER-Channel-Binding", 24, &none, 0, 1) == 1);
        return value;
    }
    std::string certificateName() const {
        char name[256] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)),
                                  NID_commonName, name, sizeof name);
        return name;
    }

    SSL* ssl = nullptr;
    bool isConnected = false;

private:
    SSL_CTX* ctx_;
};

// A folder that is gone with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        auto pattern = (std::filesystem::temp_directory_path() / "epode-net-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()));
        path = pattern;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }

    std::string write(const std::string& name, const std::string& contents) const {
        std::ofstream{path / name, std::ios::binary} << contents;
        return (path / name).string();
    }
    // A certificate for the names, as the files of a host.
    TlsFiles certificate(const std::string& name, const std::vector<std::string>& names,
                         const std::vector<std::string>& hosts = {}) const {
        const auto made = makeSelfSigned(names, std::chrono::hours{24});
        return {hosts, write(name + ".crt", made.certificatePem),
                write(name + ".key", made.keyPem)};
    }

    std::filesystem::path path;
};

// Bytes in which a lost, doubled or moved part shows.
inline std::string pattern(std::size_t size) {
    std::string bytes;
    bytes.reserve(size + 16);
    for (std::size_t i = 0; bytes.size() < size; ++i) bytes += std::to_string(i) + ' ';
    bytes.resize(size);
    return bytes;
}

}  // namespace epode::test
