// relay: the physical limit. One thread, epoll, no XML: bytes that come from
// one connection of a group are copied to the other members.
//
// First line of each connection: "HELLO <group> <echo>\n"; the answer is "<ok/>".
// echo 0: copy to the others (pairs); echo 1: copy to all, the sender too (rooms).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

struct Connection {
    int fd = -1;
    SSL* ssl = nullptr;
    bool hs = false, hello = false, echo = false, ww = false;
    uint32_t group = 0;
    std::string in, out;
};

static int ep;
static unsigned long dropEvery = 0, dupEvery = 0,
                     chunks = 0;  // faults, to test the generator's own counters
static std::vector<Connection*> byFd;
static std::unordered_map<uint32_t, std::vector<int>> groups;
static char buf[256 * 1024];

static void want(Connection* c, bool w) {
    if (c->ww == w) return;
    c->ww = w;
    epoll_event e{};
    e.events = EPOLLIN | (w ? EPOLLOUT : 0u);
    e.data.fd = c->fd;
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void drop(Connection* c) {
    auto& g = groups[c->group];
    if (c->hello)
        for (size_t i = 0; i < g.size(); i++)
            if (g[i] == c->fd) {
                g.erase(g.begin() + long(i));
                break;
            }
    if (g.empty()) groups.erase(c->group);
    if (c->ssl) SSL_free(c->ssl);
    byFd[size_t(c->fd)] = nullptr;
    close(c->fd);
    delete c;
}

static long rawWrite(Connection* c, const char* p, size_t n) {
    if (c->ssl) {
        ERR_clear_error();
        int r = SSL_write(c->ssl, p, int(n));
        if (r > 0) return r;
        int e = SSL_get_error(c->ssl, r);
        return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL);
    if (r >= 0) return r;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void put(Connection* c, const char* p, size_t n) {
    if (c->out.empty()) {
        while (n) {
            long r = rawWrite(c, p, n);
            if (r < 0) return;
            if (r == 0) break;
            p += r;
            n -= size_t(r);
        }
    }
    if (n) {
        c->out.append(p, n);
        want(c, true);
    }
}

static void flush(Connection* c) {
    size_t off = 0;
    while (off < c->out.size()) {
        long r = rawWrite(c, c->out.data() + off, c->out.size() - off);
        if (r <= 0) break;
        off += size_t(r);
    }
    c->out.erase(0, off);
    if (c->out.empty()) want(c, false);
}

static void data(Connection* c, const char* p, size_t n) {
    if (!c->hello) {
        c->in.append(p, n);
        size_t nl = c->in.find('\n');
        if (nl == std::string::npos) return;
        unsigned g = 0, e = 0;
        sscanf(c->in.c_str(), "HELLO %u %u", &g, &e);
        c->group = g;
        c->echo = e;
        c->hello = true;
        groups[g].push_back(c->fd);
        put(c, "<ok/>", 5);
        std::string rest = c->in.substr(nl + 1);
        std::string().swap(c->in);
        if (rest.empty()) return;
        data(c, rest.data(), rest.size());
        return;
    }
    chunks++;
    if (dropEvery && chunks % dropEvery == 0) return;
    int times = dupEvery && chunks % dupEvery == 0 ? 2 : 1;
    while (times--)
        for (int fd : groups[c->group])
            if (c->echo || fd != c->fd)
                if (Connection* d = byFd[size_t(fd)]) put(d, p, n);
}

int main(int argc, char** argv) {
    int port = 15900;
    const char *cert = nullptr, *key = nullptr;
    for (int i = 1; i < argc; i++) {
        std::string a = argv[i];
        if (a == "--port" && i + 1 < argc)
            port = atoi(argv[++i]);
        else if (a == "--cert" && i + 1 < argc)
            cert = argv[++i];
        else if (a == "--key" && i + 1 < argc)
            key = argv[++i];
        else if (a == "--drop-every" && i + 1 < argc)
            dropEvery = strtoul(argv[++i], nullptr, 10);
        else if (a == "--dup-every" && i + 1 < argc)
            dupEvery = strtoul(argv[++i], nullptr, 10);
        else {
            fprintf(stderr,
                    "relay [--drop-every N] [--dup-every N] [--port P] [--cert PEM --key PEM "
                    "(direct TLS)]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    rlimit rl{1048576, 1048576};
    setrlimit(RLIMIT_NOFILE, &rl);
    byFd.resize(1048576, nullptr);
    SSL_CTX* ctx = nullptr;
    if (cert) {
        ctx = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
            SSL_CTX_use_PrivateKey_file(ctx, key ? key : cert, SSL_FILETYPE_PEM) != 1) {
            ERR_print_errors_fp(stderr);
            return 1;
        }
        SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_num_tickets(ctx, 0);
        SSL_CTX_set_read_ahead(ctx, 1);
    }
    int lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (lfd < 0) {
        perror("socket");
        return 1;
    }
    setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(uint16_t(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(lfd, (sockaddr*)&a, sizeof a) || listen(lfd, 4096)) {
        perror("listen");
        return 1;
    }
    ep = epoll_create1(EPOLL_CLOEXEC);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = lfd;
    epoll_ctl(ep, EPOLL_CTL_ADD, lfd, &e);
    static epoll_event evs[1024];
    for (;;) {
        int n = epoll_wait(ep, evs, 1024, -1);
        for (int i = 0; i < n; i++) {
            int fd = evs[i].data.fd;
            if (fd == lfd) {
                for (;;) {
                    int s = accept4(lfd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (s < 0) break;
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    Connection* c = new Connection;
                    c->fd = s;
                    if (ctx) {
                        c->ssl = SSL_new(ctx);
                        SSL_set_fd(c->ssl, s);
                        SSL_set_accept_state(c->ssl);
                        c->hs = true;
                    }
                    byFd[size_t(s)] = c;
                    epoll_event x{};
                    x.events = EPOLLIN;
                    x.data.fd = s;
                    epoll_ctl(ep, EPOLL_CTL_ADD, s, &x);
                }
                continue;
            }
            Connection* c = byFd[size_t(fd)];
            if (!c) continue;
            if (c->hs) {
                ERR_clear_error();
                int r = SSL_do_handshake(c->ssl);
                if (r != 1) {
                    int er = SSL_get_error(c->ssl, r);
                    if (er == SSL_ERROR_WANT_READ)
                        want(c, false);
                    else if (er == SSL_ERROR_WANT_WRITE)
                        want(c, true);
                    else
                        drop(c);
                    continue;
                }
                c->hs = false;
                want(c, false);
            }
            if (evs[i].events & EPOLLOUT) flush(c);
            if (!(evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            if (c->ssl) {
                for (;;) {
                    ERR_clear_error();
                    int r = SSL_read(c->ssl, buf, sizeof buf);
                    if (r > 0) {
                        data(c, buf, size_t(r));
                        continue;
                    }
                    if (SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ) drop(c);
                    break;
                }
            } else {
                ssize_t r = recv(fd, buf, sizeof buf, 0);
                if (r > 0)
                    data(c, buf, size_t(r));
                else if (r == 0 || (errno != EAGAIN && errno != EINTR))
                    drop(c);
            }
        }
    }
}
