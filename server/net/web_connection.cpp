#include "net/web_connection.h"

#include "net/http_parser.h"

#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <system_error>

namespace epode {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t lineBytesMax = 16 * 1024;
constexpr std::size_t headBytesMax = 64 * 1024;
constexpr int interimMax = 10;  // answers such as 100 before the one that counts

std::string errorText(int error) { return std::generic_category().message(error); }

bool isAddress(const std::string& host) {
    std::array<unsigned char, 16> address{};
    return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// One for all who trust the same: reading the system's authorities takes milliseconds.
SSL_CTX* tlsContext(const std::string& trustFile) {
    using Context = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;
    static std::mutex mutex;
    static std::map<std::string, Context> all;
    const std::lock_guard lock{mutex};
    if (const auto found = all.find(trustFile); found != all.end()) return found->second.get();
    Context made{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    const bool isTrusting =
        made && (trustFile.empty() ? SSL_CTX_set_default_verify_paths(made.get())
                                   : SSL_CTX_load_verify_file(made.get(), trustFile.c_str())) == 1;
    if (!isTrusting)
        throw WebFailure{trustFile.empty() ? "TLS can't be used"
                                           : "the authorities in " + trustFile + " can't be read"};
    SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(made.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return all.emplace(trustFile, std::move(made)).first->second.get();
}

std::string tlsProblem(SSL* tls) {
    const long verified = SSL_get_verify_result(tls);
    if (verified != X509_V_OK)
        return std::string{"the certificate is not good: "} +
               X509_verify_cert_error_string(verified);
    std::array<char, 256> text{};
    const unsigned long error = ERR_get_error();
    if (error == 0) return "TLS has failed";
    ERR_error_string_n(error, text.data(), text.size());
    return text.data();
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

template <typename Number>
std::optional<Number> numberIn(std::string_view text, int base = 10) {
    Number value{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return value;
}

}  // namespace

std::optional<WebOrigin> WebOrigin::parse(const std::string& url, std::string* target) {
    try {
        const Poco::URI uri{url};
        WebOrigin origin;
        if (uri.getScheme() != "https" && uri.getScheme() != "http") return std::nullopt;
        origin.isSecure = uri.getScheme() == "https";
        origin.host = uri.getHost();
        origin.port = uri.getPort();
        if (origin.host.empty() || origin.port == 0) return std::nullopt;
        if (target) *target = uri.getPathEtc();
        if (target && !target->starts_with('/')) target->insert(0, "/");
        // Poco has left its fragment on.
        if (target) target->resize(std::min(target->size(), target->find('#')));
        return origin;
    } catch (const Poco::Exception&) {
        return std::nullopt;
    }
}

std::string WebOrigin::hostField() const {
    std::string field = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (isSecure ? 443 : 80)) field += ":" + std::to_string(port);
    return field;
}

std::string_view WebHead::field(std::string_view name) const {
    for (const HttpField& one : fields)
        if (one.name == name) return one.value;
    return {};
}

WebConnection::WebConnection(WebOrigin origin, WebPatience patience, std::string trustFile)
    : origin_{std::move(origin)},
      trustFile_{std::move(trustFile)},
      patience_{patience},
      tls_{nullptr, SSL_free} {}

WebConnection::~WebConnection() { close(); }

void WebConnection::stop() {
    const std::lock_guard lock{mutex_};
    isStopped_ = true;
    if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
}

void WebConnection::close() {
    tls_.reset();
    const std::lock_guard lock{mutex_};
    socket_.reset();
}

// ---- bytes

void WebConnection::wait(short events) {
    const auto left = deadline_ - Clock::now();
    if (left <= Duration::zero()) throw WebFailure{"it takes too long"};
    pollfd watched{socket_.get(), events, 0};
    const auto patience = std::min<Clock::duration>(left, patience_.step);
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    const int ready = ::poll(&watched, 1, int(std::min<std::int64_t>(ms, 1 << 30)));
    if (ready < 0 && errno != EINTR) throw WebFailure{errorText(errno)};
    if (ready == 0)
        throw WebFailure{Clock::now() >= deadline_ ? "it takes too long"
                                                   : "the other side does not answer"};
}

void WebConnection::connect() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    if (isAddress(origin_.host)) hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(origin_.host.c_str(), std::to_string(origin_.port).c_str(), &hints, &found);
    if (failed != 0) throw WebFailure{origin_.host + ": " + ::gai_strerror(failed)};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses{found, ::freeaddrinfo};
    // The name was looked up; the time runs from here.
    deadline_ = Clock::now() + patience_.whole;
    std::string problem = "there is no address";
    for (const addrinfo* at = found; at; at = at->ai_next) {
        Fd socket{::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        if (!socket) continue;
        const int done = ::connect(socket.get(), at->ai_addr, at->ai_addrlen);
        const int begun = done == 0 ? 0 : errno;
        {
            const std::lock_guard lock{mutex_};
            if (isStopped_) throw WebFailure{"the server stops"};
            socket_ = std::move(socket);
        }
        try {
            if (begun != 0 && begun != EINPROGRESS) throw WebFailure{errorText(begun)};
            int error = 0;
            socklen_t size = sizeof error;
            if (begun != 0) wait(POLLOUT);
            ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) throw WebFailure{errorText(error)};
            const int on = 1;
            ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (origin_.isSecure) startTls();
            return;
        } catch (const WebFailure& failure) {
            problem = failure.what();
            close();
        }
    }
    throw WebFailure{problem};
}

void WebConnection::startTls() {
    tls_.reset(SSL_new(tlsContext(trustFile_)));
    if (!tls_ || SSL_set_fd(tls_.get(), socket_.get()) != 1) throw WebFailure{"TLS can't be used"};
    if (isAddress(origin_.host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), origin_.host.c_str());
    } else {
        SSL_set_tlsext_host_name(tls_.get(), origin_.host.c_str());
        SSL_set_hostflags(tls_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(tls_.get(), origin_.host.c_str());
    }
    while (true) {
        ERR_clear_error();
        const int done = SSL_connect(tls_.get());
        if (done == 1) return;
        switch (SSL_get_error(tls_.get(), done)) {
            case SSL_ERROR_WANT_READ:
                wait(POLLIN);
                break;
            case SSL_ERROR_WANT_WRITE:
                wait(POLLOUT);
                break;
            default:
                throw WebFailure{tlsProblem(tls_.get())};
        }
    }
}

void WebConnection::writeAll(std::string_view bytes) {
    while (!bytes.empty()) {
        short needs = POLLOUT;
        if (tls_) {
            ERR_clear_error();
            const int most = int(std::min<std::size_t>(bytes.size(), 1 << 20));
            const int done = SSL_write(tls_.get(), bytes.data(), most);
            if (done > 0) {
                bytes.remove_prefix(std::size_t(done));
                continue;
            }
            const int error = SSL_get_error(tls_.get(), done);
            if (error == SSL_ERROR_WANT_READ)
                needs = POLLIN;
            else if (error != SSL_ERROR_WANT_WRITE)
                throw WebFailure{"the other side has closed the connection"};
        } else {
            const auto done = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done > 0) {
                bytes.remove_prefix(std::size_t(done));
                continue;
            }
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                throw WebFailure{errorText(errno)};
        }
        wait(needs);
    }
}

std::size_t WebConnection::receiveSome(char* into, std::size_t bytes) {
    while (true) {
        // Also when something is there at once, each time.
        if (Clock::now() >= deadline_) throw WebFailure{"it takes too long"};
        short needs = POLLIN;
        if (tls_) {
            ERR_clear_error();
            const int done = SSL_read(tls_.get(), into, int(std::min<std::size_t>(bytes, 1 << 20)));
            if (done > 0) return std::size_t(done);
            const int error = SSL_get_error(tls_.get(), done);
            if (error == SSL_ERROR_ZERO_RETURN) return 0;
            if (error == SSL_ERROR_WANT_WRITE)
                needs = POLLOUT;
            else if (error != SSL_ERROR_WANT_READ)
                throw WebFailure{"the connection was lost"};
        } else {
            const auto done = ::recv(socket_.get(), into, bytes, 0);
            if (done >= 0) return std::size_t(done);
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                throw WebFailure{errorText(errno)};
        }
        wait(needs);
    }
}

// ---- requests

void WebConnection::send(const WebRequest& request) {
    deadline_ = Clock::now() + patience_.whole;
    if (!isReusable()) {
        close();
        input_.clear();
        used_ = 0;
        connect();
    }
    isHeadAsked_ = request.method == "HEAD";
    std::string head = request.method + " " + request.target +
                       " HTTP/1.1\r\nHost: " + origin_.hostField() + "\r\n";
    for (const HttpField& field : request.fields)
        head.append(field.name).append(": ").append(field.value).append("\r\n");
    if (request.bodyBytes) head += "Content-Length: " + std::to_string(*request.bodyBytes) + "\r\n";
    writeAll(head.append("\r\n"));
}

void WebConnection::write(std::string_view body) { writeAll(body); }

std::string WebConnection::takeLine(std::size_t most) {
    std::size_t looked = used_;
    while (true) {
        const auto end = input_.find('\n', looked);
        if (end != std::string::npos) {
            std::string line = input_.substr(used_, end - used_);
            used_ = end + 1;
            if (line.ends_with('\r')) line.pop_back();
            if (line.find('\0') != std::string::npos) throw WebFailure{"that is not HTTP"};
            return line;
        }
        looked = input_.size();
        if (looked - used_ > most) throw WebFailure{"the head of the answer is too long"};
        std::array<char, 4096> piece{};
        const auto bytes = receiveSome(piece.data(), piece.size());
        if (bytes == 0) throw WebFailure{"the connection was closed before the answer"};
        input_.append(piece.data(), bytes);
    }
}

WebHead WebConnection::receive() {
    for (int interim = 0; interim < interimMax; ++interim) {
        input_.erase(0, std::exchange(used_, 0));
        const std::string line = takeLine(lineBytesMax);
        // "HTTP/1.1 200 OK"
        const bool isHttp = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ';
        const auto status =
            isHttp ? numberIn<int>(std::string_view{line}.substr(9, 3)) : std::nullopt;
        if (!status || *status < 100 || (line.size() > 12 && line[12] != ' '))
            throw WebFailure{"that is not HTTP"};
        WebHead head{.status = *status};
        isPersistent_ = line[7] == '1';
        bool isChunked = false;
        std::size_t size = line.size();
        for (std::string field = takeLine(lineBytesMax); !field.empty();
             field = takeLine(lineBytesMax)) {
            const auto colon = field.find(':');
            size += field.size();
            if (size > headBytesMax) throw WebFailure{"the head of the answer is too long"};
            if (colon == std::string::npos ||
                !isHttpToken(std::string_view{field}.substr(0, colon)))
                throw WebFailure{"that is not HTTP"};
            HttpField read{field.substr(0, colon),
                           std::string{trimmed(std::string_view{field}.substr(colon + 1))}};
            for (char& c : read.name)
                if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
            if (read.name == "connection" && equalIgnoringCase(read.value, "close"))
                isPersistent_ = false;
            if (read.name == "transfer-encoding") {
                if (!equalIgnoringCase(read.value, "chunked") || isChunked)
                    throw WebFailure{"the answer has an unknown encoding"};
                isChunked = true;
            }
            if (read.name == "content-length") {
                const auto bytes = numberIn<std::uint64_t>(read.value);
                if (!bytes || (head.bytes && *head.bytes != *bytes))
                    throw WebFailure{"the answer tells its length badly"};
                head.bytes = bytes;
            }
            head.fields.push_back(std::move(read));
        }
        if (head.status < 200 && head.status != 101) continue;
        if (isChunked && head.bytes) throw WebFailure{"the answer tells its length twice"};
        left_ = 0;
        if (isHeadAsked_ || head.status == 204 || head.status == 304) {
            body_ = Body::None;
        } else if (isChunked) {
            body_ = Body::Chunked;
        } else if (head.bytes) {
            left_ = *head.bytes;
            body_ = left_ > 0 ? Body::Sized : Body::None;
        } else {
            body_ = Body::UntilClosed;
            isPersistent_ = false;
        }
        return head;
    }
    throw WebFailure{"there is no end of interim answers"};
}

std::size_t WebConnection::takeBytes(char* into, std::size_t bytes) {
    if (used_ < input_.size()) {
        const auto taken = std::min(bytes, input_.size() - used_);
        std::memcpy(into, input_.data() + used_, taken);
        used_ += taken;
        return taken;
    }
    return receiveSome(into, bytes);
}

// False: it was the last one.
bool WebConnection::beginChunk() {
    input_.erase(0, std::exchange(used_, 0));
    const std::string line = takeLine(lineBytesMax);
    const auto size =
        numberIn<std::uint64_t>(trimmed(std::string_view{line}.substr(0, line.find(';'))), 16);
    if (!size) throw WebFailure{"the answer has a bad chunk"};
    left_ = *size;
    if (left_ > 0) return true;
    std::size_t trailer = 0;
    for (std::string field = takeLine(lineBytesMax); !field.empty(); field = takeLine(lineBytesMax))
        if ((trailer += field.size()) > headBytesMax)
            throw WebFailure{"the end of the answer is too long"};
    return false;
}

std::size_t WebConnection::read(char* into, std::size_t bytes) {
    if (body_ == Body::None || bytes == 0) return 0;
    if (body_ == Body::Chunked && left_ == 0 && !beginChunk()) {
        endBody();
        return 0;
    }
    const bool isBounded = body_ != Body::UntilClosed;
    const auto most = isBounded ? std::size_t(std::min<std::uint64_t>(bytes, left_)) : bytes;
    const auto taken = takeBytes(into, most);
    if (taken == 0) {
        if (isBounded) throw WebFailure{"the answer is not complete"};
        endBody();
        return 0;
    }
    if (!isBounded) return taken;
    left_ -= taken;
    if (left_ == 0 && body_ == Body::Sized) endBody();
    if (left_ == 0 && body_ == Body::Chunked && !takeLine(2).empty())
        throw WebFailure{"the answer has a bad chunk"};
    return taken;
}

std::string WebConnection::readAll(std::size_t most) {
    std::string body;
    std::array<char, 16384> piece{};
    while (const auto bytes = read(piece.data(), piece.size())) {
        body.append(piece.data(), bytes);
        if (body.size() > most) throw WebFailure{"the answer is too large"};
    }
    return body;
}

}  // namespace epode
