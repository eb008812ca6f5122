#include "engine.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <cerrno>
#include <cstdlib>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static constexpr uint8_t pSm = 1, pRoster = 2, pBarrier = 4;

std::string_view firstTag(std::string_view s) {
    // quotes respected
    char q = 0;
    for (size_t i = 0; i < s.size(); i++) {
        char c = s[i];
        if (q) {
            if (c == q) q = 0;
        } else if (c == '\'' || c == '"')
            q = c;
        else if (c == '>')
            return s.substr(0, i + 1);
    }
    return s;
}

std::string_view attr(std::string_view tag, std::string_view name) {
    size_t p = 0;
    while ((p = tag.find(name, p)) != std::string_view::npos) {
        size_t e = p + name.size();
        if (p > 0 && (tag[p - 1] == ' ' || tag[p - 1] == '\n' || tag[p - 1] == '\t') &&
            e + 1 < tag.size() && tag[e] == '=') {
            char q = tag[e + 1];
            size_t f = tag.find(q, e + 2);
            if (f == std::string_view::npos) return {};
            return tag.substr(e + 2, f - e - 2);
        }
        p = e;
    }
    return {};
}

std::string_view textOf(std::string_view s, std::string_view open) {
    size_t p = s.find(open);
    if (p == std::string_view::npos) return {};
    p = s.find('>', p);
    if (p == std::string_view::npos || s[p - 1] == '/') return {};
    size_t e = s.find('<', p);
    if (e == std::string_view::npos) return {};
    return s.substr(p + 1, e - p - 1);
}

void raiseNofile() {
    rlimit r{1048576, 1048576};
    if (setrlimit(RLIMIT_NOFILE, &r) != 0) {
        getrlimit(RLIMIT_NOFILE, &r);
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

std::string b64(std::string_view s) {
    std::string r((s.size() + 2) / 3 * 4 + 1, 0);
    int n =
        EVP_EncodeBlock((unsigned char*)r.data(), (const unsigned char*)s.data(), int(s.size()));
    r.resize(size_t(n));
    return r;
}
static std::string unb64(std::string_view s) {
    std::string r(s.size() / 4 * 3 + 3, 0);
    int n =
        EVP_DecodeBlock((unsigned char*)r.data(), (const unsigned char*)s.data(), int(s.size()));
    if (n < 0) return {};
    while (!s.empty() && s.back() == '=') {
        n--;
        s.remove_suffix(1);
    }
    r.resize(size_t(n));
    return r;
}

Engine::Engine(const Options& opt) : options(opt) {
    ep_ = epoll_create1(EPOLL_CLOEXEC);
    scratch_.resize(256 * 1024);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    if (options.tls) {
        ctx_ = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(ctx_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_verify(ctx_, SSL_VERIFY_NONE, nullptr);
        SSL_CTX_set_options(ctx_, SSL_OP_IGNORE_UNEXPECTED_EOF);
        if (options.fast) {
            SSL_CTX_set_session_cache_mode(ctx_,
                                           SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
            SSL_CTX_sess_set_new_cb(ctx_, [](SSL* ssl, SSL_SESSION* session) {
                auto& kept = *static_cast<Kept*>(SSL_get_app_data(ssl));
                SSL_SESSION_free(kept.session);
                kept.session = session;
                return 1;  // it is ours now
            });
        } else {
            SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_OFF);  // always full handshakes
            SSL_CTX_set_options(ctx_, SSL_OP_NO_TICKET);
        }
        SSL_CTX_set_read_ahead(ctx_, 1);
    }
    loadKeys();
}

Engine::~Engine() {
    saveKeys();
    for (auto& c : connections) {
        if (c.ssl) SSL_free(c.ssl);
        if (c.fd >= 0) close(c.fd);
    }
    for (auto& one : kept) SSL_SESSION_free(one.session);
    if (ctx_) SSL_CTX_free(ctx_);
    close(ep_);
}

void Engine::loadKeys() {
    if (options.scramCache.empty()) return;
    if (FILE* f = fopen(options.scramCache.c_str(), "rb")) {
        uint64_t k;
        Keys v;
        while (fread(&k, 8, 1, f) == 1 && fread(&v, sizeof v, 1, f) == 1) keys_[k] = v;
        fclose(f);
    }
    keysLoaded_ = keys_.size();
}
void Engine::saveKeys() {
    if (options.scramCache.empty() || keys_.size() == keysLoaded_) return;
    if (FILE* f = fopen(options.scramCache.c_str(), "wb")) {
        for (auto& [k, v] : keys_) {
            fwrite(&k, 8, 1, f);
            fwrite(&v, sizeof v, 1, f);
        }
        fclose(f);
    }
}

std::string Engine::user(uint32_t idx) const {
    char b[128];
    snprintf(b, sizeof b, options.user.c_str(), options.first + int(idx));
    return b;
}
std::string Engine::jid(uint32_t idx) const { return user(idx) + "@" + domain(idx); }
std::string Engine::full(uint32_t idx) const { return jid(idx) + "/" + resource(idx); }

void Engine::complain(const Connection& c, const char* what, std::string_view d) {
    if (complaints_++ > 3) return;
    fprintf(stderr, "xmppload: user %u: %s %.*s\n", c.idx, what,
            int(d.size() > 400 ? 400 : d.size()), d.data());
}

void Engine::wantWrite(Connection& c, bool w) {
    if (c.wantWrite == w) return;
    c.wantWrite = w;
    epoll_event e{};
    e.events = EPOLLIN | EPOLLRDHUP | (w ? EPOLLOUT : 0u);
    e.data.u32 = uint32_t(&c - connections.data());
    epoll_ctl(ep_, EPOLL_CTL_MOD, c.fd, &e);
}

void Engine::startLogin(Connection& c) {
    uint32_t me = uint32_t(&c - connections.data());
    c.idx = me;
    c.state = State::Connecting;
    c.depth = 0;
    c.scanpos = 0;
    c.outoff = 0;
    c.pending = 0;
    c.smH = c.smSent = 0;
    c.authed = c.smOn = c.tlsOn = false;
    c.in.clear();
    c.out.clear();
    c.frames.clear();
    c.framed = 0;
    c.upgraded = false;
    c.tStart = nowNs();
    inflightLogins++;
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c.fd < 0) {
        complain(c, "socket", strerror(errno));
        closeConn(c, "socket");
        return;
    }
    int one = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (options.nsrc > 1) {
        sockaddr_in s{};
        s.sin_family = AF_INET;
        s.sin_addr.s_addr = htonl(0x7f000001u + (me % uint32_t(options.nsrc)));
        setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(c.fd, (sockaddr*)&s, sizeof s) != 0) {
            complain(c, "bind", strerror(errno));
            closeConn(c, "bind");
            return;
        }
    }
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(uint16_t(isElsewhere(c.idx) ? options.otherPort : options.port));
    const std::string& host = isElsewhere(c.idx) ? options.otherHost : options.host;
    inet_pton(AF_INET, host.c_str(), &a.sin_addr);
    int r = connect(c.fd, (sockaddr*)&a, sizeof a);
    if (r != 0 && errno != EINPROGRESS) {
        complain(c, "connect", strerror(errno));
        closeConn(c, "connect");
        return;
    }
    epoll_event e{};
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    e.data.u32 = me;
    c.wantWrite = true;
    epoll_ctl(ep_, EPOLL_CTL_ADD, c.fd, &e);
}

void Engine::closeConn(Connection& c, const char* why, bool countFail) {
    if (c.state == State::Free || c.state == State::Closed) return;
    bool wasOnline = c.state == State::Online;
    if (c.ssl) {
        // OpenSSL never resumes a session whose connection ended without close_notify.
        SSL_set_shutdown(c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(c.ssl);
        c.ssl = nullptr;
    }
    if (c.fd >= 0) {
        close(c.fd);
        c.fd = -1;
    }
    if (countFail && !closing) {
        if (wasOnline)
            closedLate++;
        else
            failed++;
        complain(c, "closed:", why);
    }
    if (!wasOnline && inflightLogins) inflightLogins--;
    c.state = State::Closed;
    std::string().swap(c.in);
    std::string().swap(c.out);
    std::string().swap(c.frames);
    c.framed = 0;
    c.scram.reset();
    onClosed(c);
}

void Engine::openStream(Connection& c) {
    c.depth = 0;
    c.scanpos = 0;
    c.state = State::Stream;
    if (options.webSocket) {
        if (!c.upgraded && c.out.empty()) {
            queue(c, "GET /xmpp-websocket HTTP/1.1\r\nHost: " + domain(c.idx) +
                         "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n");
            c.framed = uint32_t(c.out.size());
        }
        c.depth = 1;  // no header comes
        queue(c, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='" + domain(c.idx) + "'/>");
        return;
    }
    std::string h =
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" +
        domain(c.idx) + "'>";
    queue(c, h);
    // The offer is known from the last time: the login goes along with the header.
    if (options.fast && c.tlsOn && !kept[c.idx].token.empty()) fastAuth(c);
}

void Engine::connected(Connection& c) {
    wantWrite(c, false);
    if (options.tls == 2) {
        beginTls(c);
        return;
    }
    if (options.raw) {
        c.state = State::Raw;
        c.depth = 1;
        queue(c, rawHello(c));
        return;
    }
    openStream(c);
}

void Engine::beginTls(Connection& c) {
    c.ssl = SSL_new(ctx_);
    SSL_set_fd(c.ssl, c.fd);
    SSL_set_tlsext_host_name(c.ssl, domain(c.idx).c_str());
    if (options.fast) {
        SSL_set_app_data(c.ssl, &kept[c.idx]);
        if (kept[c.idx].session) SSL_set_session(c.ssl, kept[c.idx].session);
    }
    if (options.tls == 2 && !options.raw)
        SSL_set_alpn_protos(
            c.ssl, (const unsigned char*)(options.webSocket ? "\x08http/1.1" : "\x0bxmpp-client"),
            options.webSocket ? 9 : 12);
    SSL_set_connect_state(c.ssl);
    c.state = State::Tls;
    stepTls(c);
}

bool Engine::stepTls(Connection& c) {
    ERR_clear_error();
    int r = SSL_do_handshake(c.ssl);
    if (r == 1) {
        c.tlsOn = true;
        tlsResumed += uint64_t(SSL_session_reused(c.ssl));
        wantWrite(c, false);
        if (options.raw) {
            c.state = State::Raw;
            c.depth = 1;
            queue(c, rawHello(c));
        } else
            openStream(c);
        return true;
    }
    int e = SSL_get_error(c.ssl, r);
    if (e == SSL_ERROR_WANT_READ) {
        wantWrite(c, false);
        return false;
    }
    if (e == SSL_ERROR_WANT_WRITE) {
        wantWrite(c, true);
        return false;
    }
    char eb[200];
    ERR_error_string_n(ERR_get_error(), eb, sizeof eb);
    complain(c, "tls handshake", eb);
    closeConn(c, "tls handshake");
    return false;
}

void Engine::handle(Connection& c, uint32_t ev) {
    if (c.fd < 0) return;
    if (c.state == State::Connecting) {
        int err = 0;
        socklen_t l = sizeof err;
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &err, &l);
        if (err) {
            closeConn(c, strerror(err));
            return;
        }
        if (!(ev & EPOLLOUT)) return;
        connected(c);
        return;
    }
    if (c.state == State::Tls) {
        if (!stepTls(c)) return;
    }
    if (ev & EPOLLOUT) flush(c);
    if (c.fd >= 0 && (ev & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP))) doRead(c);
}

void Engine::doRead(Connection& c) {
    if (!c.ssl) {
        for (;;) {
            ssize_t n = recv(c.fd, scratch_.data(), scratch_.size(), 0);
            if (n > 0) {
                rxBytes += uint64_t(n);
                if (!feedBytes(c, scratch_.data(), size_t(n), nowNs())) return;
                if (c.state == State::Tls) return;
                if (size_t(n) < scratch_.size()) return;
                continue;
            }
            if (n == 0) {
                closeConn(c, "eof");
                return;
            }
            if (errno == EAGAIN || errno == EINTR) return;
            closeConn(c, strerror(errno));
            return;
        }
    }
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(c.ssl, scratch_.data(), int(scratch_.size()));
        if (n > 0) {
            rxBytes += uint64_t(n);
            if (!feedBytes(c, scratch_.data(), size_t(n), nowNs())) return;
            continue;
        }
        int e = SSL_get_error(c.ssl, n);
        if (e == SSL_ERROR_WANT_READ) return;
        if (e == SSL_ERROR_WANT_WRITE) {
            wantWrite(c, true);
            return;
        }
        closeConn(c, e == SSL_ERROR_ZERO_RETURN ? "tls eof" : "tls error");
        return;
    }
}

// returns false when the connection is gone
bool Engine::feedBytes(Connection& c, const char* p, size_t n, uint64_t t) {
    if (!options.webSocket) return feedXml(c, p, n, t);
    std::string_view bytes{p, n};
    std::string kept;
    if (!c.frames.empty()) {
        kept.swap(c.frames);
        bytes = kept.append(p, n);
    }
    return feedFrames(c, bytes, t);
}

// The answer to the handshake, then frames with an element each.
bool Engine::feedFrames(Connection& c, std::string_view bytes, uint64_t t) {
    if (!c.upgraded) {
        const auto end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) {
            c.frames = bytes;
            return true;
        }
        if (!bytes.starts_with("HTTP/1.1 101")) {
            complain(c, "upgrade", bytes.substr(0, 100));
            closeConn(c, "upgrade");
            return false;
        }
        c.upgraded = true;
        bytes.remove_prefix(end + 4);
    }
    while (bytes.size() >= 2) {
        const auto byte = [&](size_t i) { return uint64_t((unsigned char)bytes[i]); };
        size_t head = 2;
        uint64_t length = byte(1);
        if (length == 126) head = 4;
        if (length == 127) head = 10;
        if (bytes.size() < head) break;
        if (head > 2) {
            length = 0;
            for (size_t i = 2; i < head; i++) length = length << 8 | byte(i);
        }
        if (bytes.size() < head + length) break;
        const std::string_view payload = bytes.substr(head, length);
        if (byte(0) != 0x81 || payload.starts_with("<close ")) {
            closeConn(c, "stream closed by server");
            return false;
        }
        if (!payload.starts_with("<open ") && !feedXml(c, payload.data(), payload.size(), t))
            return false;
        bytes.remove_prefix(head + length);
    }
    c.frames = bytes;
    return true;
}

bool Engine::feedXml(Connection& c, const char* p, size_t n, uint64_t t) {
    if (c.in.empty()) {
        size_t used = feed(c, p, n, t);
        if (c.fd < 0) return false;
        if (used < n) c.in.assign(p + used, n - used);
    } else {
        c.in.append(p, n);
        std::string tmp;
        tmp.swap(c.in);
        size_t used = feed(c, tmp.data(), tmp.size(), t);
        if (c.fd < 0) return false;
        if (used < tmp.size()) {
            tmp.erase(0, used);
            c.in.swap(tmp);
        }
    }
    return true;
}

static inline size_t tagEnd(const char* b, size_t i, size_t n) {
    const char* p = b + i + 1;
    const char* e = b + n;
    while (p < e) {
        char ch = *p;
        if (ch == '>') return size_t(p - b);
        if (ch == '\'' || ch == '"') {
            p = (const char*)memchr(p + 1, ch, size_t(e - p - 1));
            if (!p) return size_t(-1);
        }
        p++;
    }
    return size_t(-1);
}

// What was queued as over TCP gets a frame for each element, masked by zeros.
void Engine::frameOutput(Connection& c) {
    const std::string raw = c.out.substr(c.framed);
    c.out.resize(c.framed);
    size_t at = 0;
    while (at < raw.size()) {
        size_t pos = at;
        int depth = 0;
        do {
            const size_t end = tagEnd(raw.data(), pos, raw.size());
            if (end == size_t(-1)) break;
            if (raw[pos + 1] == '/')
                depth--;
            else if (raw[end - 1] != '/')
                depth++;
            const size_t next = raw.find('<', end);
            pos = depth > 0 && next != std::string::npos ? next : end + 1;
        } while (depth > 0 && pos < raw.size());
        std::string_view element = std::string_view(raw).substr(at, pos - at);
        if (element.starts_with("</"))
            element = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
        c.out += char(0x81);
        if (element.size() < 126) {
            c.out += char(0x80 | element.size());
        } else {
            c.out += char(0x80 | 126);
            c.out += char(element.size() >> 8);
            c.out += char(element.size() & 0xff);
        }
        c.out.append(4, '\0');
        c.out.append(element);
        at = pos;
    }
    c.framed = uint32_t(c.out.size());
}

// Splits the byte stream into first-level elements. Returns bytes consumed.
size_t Engine::feed(Connection& c, const char* b, size_t n, uint64_t t) {
    size_t base = 0, pos = c.scanpos;
    for (;;) {
        const char* lt = pos < n ? (const char*)memchr(b + pos, '<', n - pos) : nullptr;
        if (!lt) {
            if (c.depth <= 1) base = n;
            pos = n;
            break;
        }
        size_t i = size_t(lt - b);
        if (c.depth <= 1) base = i;
        size_t e = tagEnd(b, i, n);
        if (e == size_t(-1)) {
            pos = i;
            break;
        }
        pos = e + 1;
        char k = b[i + 1];
        if (k == '?' || k == '!') {
            if (c.depth <= 1) base = pos;
            continue;
        }
        bool complete = false;
        if (k == '/') {
            c.depth--;
            if (c.depth <= 0) {
                closeConn(c, "stream closed by server");
                return n;
            }
            complete = c.depth == 1;
        } else if (b[e - 1] == '/') {
            complete = c.depth == 1;
        } else {
            c.depth++;
            if (c.depth == 1) {
                base = pos;
                continue;
            }
        }
        if (complete) {
            rxStanzas++;
            stanza(c, std::string_view(b + base, pos - base), t);
            if (c.fd < 0) return n;
            base = pos;
            if (c.state == State::Tls) return n;
        }
    }
    c.scanpos = uint32_t(pos - base);
    return base;
}

void Engine::stanza(Connection& c, std::string_view s, uint64_t t) {
    if (c.state == State::Online) {
        char k = s[1];
        if (c.smOn) {
            if (k == 'r' && (s.size() > 2 && (s[2] == ' ' || s[2] == '/' || s[2] == '>'))) {
                char a[80];
                int l = snprintf(a, sizeof a, "<a xmlns='urn:xmpp:sm:3' h='%u'/>", c.smH);
                queue(c, std::string_view(a, size_t(l)));
                return;
            }
            if (k == 'a' && s[2] == ' ') {
                onAck(c, uint32_t(strtoul(std::string(attr(s, "h")).c_str(), nullptr, 10)));
                return;
            }
            if (k == 'm' || k == 'p' || k == 'i') c.smH++;
        }
        if (k == 's' && s.starts_with("<stream:error")) {
            complain(c, "stream error", s);
            return;
        }
        onStanza(c, s, t);
        return;
    }
    if (s.starts_with("<stream:error")) {
        complain(c, "stream error", s);
        return;
    }
    switch (c.state) {
        case State::Raw:
            nowOnline(c);
            return;
        case State::Stream:
            if (s.starts_with("<stream:features")) features(c, s);
            return;
        case State::StartTls:
            if (s.starts_with("<proceed"))
                beginTls(c);
            else {
                complain(c, "starttls refused", s);
                closeConn(c, "starttls");
            }
            return;
        case State::Sasl:
            if (s.starts_with("<challenge"))
                challenge(c, s);
            else if (options.fast) {
                fastDone(c, s);
                return;
            } else if (s.starts_with("<success")) {
                if (c.scram) {
                    std::string v = unb64(textOf(s, "<success"));
                    if (v != "v=" + c.scram->serverSig) {
                        complain(c, "bad server signature", v);
                        closeConn(c, "scram");
                        return;
                    }
                    c.scram.reset();
                }
                c.authed = true;
                openStream(c);
            } else {
                complain(c, "auth", s);
                closeConn(c, "auth");
            }
            return;
        case State::Register: {
            std::string_view tag = firstTag(s);
            if (attr(tag, "id") != "reg") return;
            if (attr(tag, "type") == "result")
                regOk++;
            else if (s.find("<conflict") != std::string_view::npos)
                regConflict++;
            else {
                complain(c, "register", s);
                closeConn(c, "register");
                return;
            }
            loginLat.add(nowNs() - c.tStart);
            online++;
            inflightLogins--;
            c.state = State::Online;
            queue(c, "</stream:stream>");
            flush(c);
            closeConn(c, "", false);
            return;
        }
        case State::Bind: {
            std::string_view tag = firstTag(s);
            if (attr(tag, "id") != "bind") return;
            if (attr(tag, "type") != "result") {
                complain(c, "bind", s);
                closeConn(c, "bind");
                return;
            }
            if (textOf(s, "<jid") != full(c.idx)) {
                if (!resMismatch++) complain(c, "resource differs", s);
            }
            postBind(c);
            return;
        }
        case State::Post: {
            if (c.smOn) {
                if (s.starts_with("<r ") || s.starts_with("<r/")) {
                    char a[80];
                    int l = snprintf(a, sizeof a, "<a xmlns='urn:xmpp:sm:3' h='%u'/>", c.smH);
                    queue(c, std::string_view(a, size_t(l)));
                    return;
                }
                if (s[1] == 'm' || s[1] == 'p' || s[1] == 'i') c.smH++;
            }
            if (s.starts_with("<enabled")) {
                c.smOn = true;
                c.smH = 0;
                postDone(c, pSm);
                return;
            }
            if (s.starts_with("<failed")) {
                complain(c, "sm", s);
                postDone(c, pSm);
                return;
            }
            if (s.starts_with("<iq")) {
                std::string_view tag = firstTag(s);
                std::string_view id = attr(tag, "id");
                if (id == "ros") {
                    postDone(c, pRoster);
                    return;
                }
                if (id == "bar") {
                    postDone(c, pBarrier);
                    return;
                }
            }
            onStanza(c, s, t);  // presence etc. that comes early
            return;
        }
        default:
            return;
    }
}

void Engine::features(Connection& c, std::string_view s) {
    if (options.tls == 1 && !c.tlsOn) {
        if (s.find("<starttls") == std::string_view::npos) {
            complain(c, "no starttls", s);
            closeConn(c, "starttls");
            return;
        }
        c.state = State::StartTls;
        queue(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        return;
    }
    if (registerMode) {
        c.state = State::Register;
        queue(c, "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>" +
                     user(c.idx) + "</username><password>" + options.password +
                     "</password></query></iq>");
        return;
    }
    if (!c.authed) {
        auth(c);
        return;
    }
    if (s.find("urn:ietf:params:xml:ns:xmpp-bind") == std::string_view::npos) {
        complain(c, "no bind", s);
        closeConn(c, "bind");
        return;
    }
    c.state = State::Bind;
    queue(c, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
                 resource(c.idx) + "</resource></bind></iq>");
}

void Engine::auth(Connection& c) {
    if (options.fast) {
        fastAuth(c);
        return;
    }
    c.state = State::Sasl;
    std::string u = user(c.idx);
    if (options.mech == "PLAIN") {
        std::string m = std::string("\0", 1) + u + std::string("\0", 1) + options.password;
        queue(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + b64(m) +
                     "</auth>");
        return;
    }
    c.scram = std::make_unique<Scram>();
    unsigned char r[18];
    RAND_bytes(r, sizeof r);
    c.scram->nonce = b64(std::string_view((char*)r, sizeof r));
    c.scram->firstBare = "n=" + u + ",r=" + c.scram->nonce;
    queue(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>" +
                 b64("n,," + c.scram->firstBare) + "</auth>");
}

// With the password the first time, which brings a token.
void Engine::fastAuth(Connection& c) {
    c.state = State::Sasl;
    const std::string u = user(c.idx);
    const std::string& token = kept[c.idx].token;
    std::string message = std::string("\0", 1) + u + std::string("\0", 1) + options.password;
    std::string_view mechanism = "PLAIN";
    std::string more = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>";
    if (!token.empty()) {
        unsigned char text[9 + 32] = "Initiator", proof[32];
        static const char label[] = "EXPORTER-Channel-Binding";
        SSL_export_keying_material(c.ssl, text + 9, 32, label, sizeof label - 1,
                                   (const unsigned char*)"", 0, 1);
        unsigned length = sizeof proof;
        HMAC(EVP_sha256(), token.data(), int(token.size()), text, sizeof text, proof, &length);
        message = u + std::string("\0", 1) + std::string((char*)proof, sizeof proof);
        mechanism = "HT-SHA-256-EXPR";
        more = "<fast xmlns='urn:xmpp:fast:0'/>";
    }
    if (options.sm)
        more += "<bind xmlns='urn:xmpp:bind:0'><tag>load</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";
    else
        more += "<bind xmlns='urn:xmpp:bind:0'><tag>load</tag></bind>";
    queue(c, "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + std::string(mechanism) +
                 "'><initial-response>" + b64(message) +
                 "</initial-response><user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>" + more +
                 "</authenticate>");
}

void Engine::fastDone(Connection& c, std::string_view s) {
    // The features that answer the header come before.
    if (s.starts_with("<stream:features")) return;
    if (!s.starts_with("<success") || s.find("<bound") == std::string_view::npos) {
        complain(c, "sasl2", s);
        closeConn(c, "auth");
        return;
    }
    const auto at = s.find("<token");
    if (at != std::string_view::npos)
        kept[c.idx].token = attr(firstTag(s.substr(at)), "token");
    c.smOn = options.sm;
    nowOnline(c);
}

void Engine::begin() {
    connections.clear();
    dirty_.clear();
    online = failed = closedLate = nextLogin = inflightLogins = tlsResumed = 0;
    loginLat = Hist{};
    loginsOpen = true;
    closing = false;
}

static void hmac1(const unsigned char* k, size_t kl, std::string_view m, unsigned char* out) {
    unsigned l = 20;
    HMAC(EVP_sha1(), k, int(kl), (const unsigned char*)m.data(), m.size(), out, &l);
}

void Engine::challenge(Connection& c, std::string_view s) {
    std::string sf = unb64(textOf(s, "<challenge"));
    std::string nonce, salt;
    int iter = 0;
    for (size_t p = 0; p < sf.size();) {
        size_t e = sf.find(',', p);
        if (e == std::string::npos) e = sf.size();
        if (sf[p] == 'r')
            nonce = sf.substr(p + 2, e - p - 2);
        else if (sf[p] == 's')
            salt = unb64(std::string_view(sf).substr(p + 2, e - p - 2));
        else if (sf[p] == 'i')
            iter = atoi(sf.c_str() + p + 2);
        p = e + 1;
    }
    if (!nonce.starts_with(c.scram->nonce) || iter < 1) {
        complain(c, "scram challenge", sf);
        closeConn(c, "scram");
        return;
    }
    // cache by digest of (password, salt, iterations)
    std::string ck = options.password + '\0' + salt + '\0' + std::to_string(iter);
    unsigned char d[20];
    EVP_Digest(ck.data(), ck.size(), d, nullptr, EVP_sha1(), nullptr);
    uint64_t key;
    memcpy(&key, d, 8);
    auto it = keys_.find(key);
    if (it == keys_.end()) {
        unsigned char sp[20];
        PKCS5_PBKDF2_HMAC(options.password.data(), int(options.password.size()),
                          (const unsigned char*)salt.data(), int(salt.size()), iter, EVP_sha1(), 20,
                          sp);
        pbkdf2Runs++;
        Keys k;
        hmac1(sp, 20, "Client Key", k.client);
        EVP_Digest(k.client, 20, k.stored, nullptr, EVP_sha1(), nullptr);
        hmac1(sp, 20, "Server Key", k.server);
        it = keys_.emplace(key, k).first;
    }
    const Keys& k = it->second;
    std::string fin = "c=biws,r=" + nonce;
    std::string am = c.scram->firstBare + "," + sf + "," + fin;
    unsigned char sig[20];
    hmac1(k.stored, 20, am, sig);
    for (int i = 0; i < 20; i++) sig[i] ^= k.client[i];
    fin += ",p=" + b64(std::string_view((char*)sig, 20));
    unsigned char ss[20];
    hmac1(k.server, 20, am, ss);
    c.scram->serverSig = b64(std::string_view((char*)ss, 20));
    queue(c, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64(fin) + "</response>");
}

void Engine::postBind(Connection& c) {
    c.pending = 0;
    std::string m;
    if (options.sm) {
        m += "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
        c.pending |= pSm;
    }
    if (options.roster && isPresent(c)) {
        m += "<iq type='get' id='ros'><query xmlns='jabber:iq:roster'/></iq>";
        c.pending |= pRoster;
    }
    if (options.presence && isPresent(c)) {
        // the ping is a barrier: its answer tells that the presence was handled
        m += "<presence/><iq type='get' id='bar' to='" + domain(c.idx) +
             "'><ping xmlns='urn:xmpp:ping'/></iq>";
        c.pending |= pBarrier;
    }
    if (!c.pending) {
        nowOnline(c);
        return;
    }
    c.state = State::Post;
    queue(c, m);
}

void Engine::postDone(Connection& c, uint8_t bit) {
    c.pending &= uint8_t(~bit);
    if (!c.pending) nowOnline(c);
}

void Engine::nowOnline(Connection& c) {
    loginLat.add(nowNs() - c.tStart);
    c.state = State::Online;
    online++;
    inflightLogins--;
    onOnline(c);
}

void Engine::flush(Connection& c) {
    if (c.fd < 0 || c.state == State::Connecting || c.state == State::Tls) return;
    if (options.webSocket && c.framed < c.out.size()) frameOutput(c);
    while (c.outoff < c.out.size()) {
        size_t left = c.out.size() - c.outoff;
        ssize_t n;
        if (c.ssl) {
            ERR_clear_error();
            int r = SSL_write(c.ssl, c.out.data() + c.outoff, int(left));
            if (r <= 0) {
                int e = SSL_get_error(c.ssl, r);
                if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ) {
                    wantWrite(c, e == SSL_ERROR_WANT_WRITE);
                    return;
                }
                closeConn(c, "tls write");
                return;
            }
            n = r;
        } else {
            n = send(c.fd, c.out.data() + c.outoff, left, MSG_NOSIGNAL);
            if (n < 0) {
                if (errno == EAGAIN || errno == EINTR) {
                    wantWrite(c, true);
                    return;
                }
                closeConn(c, strerror(errno));
                return;
            }
        }
        txBytes += uint64_t(n);
        c.outoff += uint32_t(n);
    }
    c.outoff = 0;
    c.framed = 0;
    if (c.out.capacity() > 4096)
        std::string().swap(c.out);
    else
        c.out.clear();
    wantWrite(c, false);
}

void Engine::flushDirty() {
    for (size_t i = 0; i < dirty_.size(); i++) {
        Connection& c = connections[dirty_[i]];
        c.dirty = false;
        if (c.fd >= 0 && !c.wantWrite) flush(c);
    }
    dirty_.clear();
}

void Engine::startMore() {
    while (loginsOpen && nextLogin < connections.size() && inflightLogins < uint64_t(options.conc))
        startLogin(connections[nextLogin++]);
}

bool Engine::runUntil(const std::function<bool()>& pred, uint64_t deadline) {
    static thread_local epoll_event evs[1024];
    static uint64_t nextSecond = 0;
    while (!pred()) {
        startMore();
        uint64_t now = nowNs();
        if (deadline && now >= deadline) return false;
        uint64_t wake = onTick(now);
        flushDirty();
        uint64_t lim = now + 100000000ull;
        if (deadline && deadline < lim) lim = deadline;
        if (wake && wake < lim) lim = wake;
        now = nowNs();
        uint64_t wait = lim > now ? lim - now : 0;
        timespec ts{time_t(wait / 1000000000ull), long(wait % 1000000000ull)};
        int n = epoll_pwait2(ep_, evs, 1024, &ts, nullptr);
        for (int i = 0; i < n; i++) handle(connections[evs[i].data.u32], evs[i].events);
        flushDirty();
        now = nowNs();
        if (now >= nextSecond) {
            nextSecond = now + 1000000000ull;
            if (inflightLogins) {
                uint64_t lim2 = uint64_t(options.loginTimeout * 1e9);
                for (size_t i = 0; i < nextLogin; i++) {
                    Connection& c = connections[i];
                    if (c.state != State::Free && c.state != State::Online &&
                        c.state != State::Closed && now > c.tStart + lim2) {
                        char w[64];
                        snprintf(w, sizeof w, "login timeout in state %d", int(c.state));
                        closeConn(c, w);
                    }
                }
            }
            onSecond(now);
        }
    }
    return true;
}

bool Engine::loginAll(uint64_t total) {
    connections.resize(total);
    kept.resize(total);
    runUntil([&] { return online + failed >= total; });
    return failed == 0;
}

void Engine::closeAll(bool graceful) {
    loginsOpen = false;
    closing = true;
    size_t open = 0;
    if (graceful && !options.raw) {
        for (auto& c : connections)
            if (c.state == State::Online) {
                queue(c, "</stream:stream>");
                open++;
            }
        flushDirty();
        // let the servers close their side, so that nothing is left hibernating
        runUntil(
            [&] {
                static uint64_t next = 0;
                if (nowNs() < next) return false;
                next = nowNs() + 50000000ull;
                for (auto& c : connections)
                    if (c.state == State::Online) return false;
                return true;
            },
            nowNs() + 5000000000ull + open * 500000ull);
    }
    for (auto& c : connections) closeConn(c, "", false);
    dirty_.clear();
}
