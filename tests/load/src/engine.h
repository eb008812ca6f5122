// One-thread epoll engine holding many XMPP client connections.
#pragma once
#include <openssl/ssl.h>
#include <functional>
#include <memory>
#include <unordered_map>
#include "util.h"

struct Options {
    std::string scenario;
    std::string label;
    std::string host = "127.0.0.1";
    int port = 15222;
    std::string domain = "localhost";
    // Where users with odd numbers live, when that is another server: flows go between the two.
    std::string otherHost = "127.0.0.1";
    int otherPort = 0;
    std::string otherDomain;
    std::string mucHost;  // default conference.<domain>
    int tls = 0;          // 0 plain, 1 STARTTLS, 2 direct
    std::string mech = "SCRAM-SHA-1";
    std::string user = "u%d", password = "secret", resource = "x";
    std::string scramCache;  // file
    // SASL2 with Bind 2 and a token (XEP-0484); the TLS session is resumed when there is one.
    bool fast = false;
    bool webSocket = false;  // the streams of RFC 7395, at /xmpp-websocket
    bool sm = false, roster = false, presence = false, raw = false;
    int smReq = 0;  // client asks for an ack each sm_req stanzas it sends (0: never)
    int first = 0, n = 100, conc = 50, nsrc = 0;
    std::vector<int> pids;
    double dur = 10, warmup = 2, settle = 5, drain = 10, loginTimeout = 120, stall = 5;
    // chat
    int pairs = 50, window = 1, size = 100;
    bool bidi = false, bare = false;
    double rate = 0;  // > 0: open loop, messages/s in all
    // muc
    int rooms = 10, occupants = 100, senders = 1, joinConc = 50;
    // mam
    int fill = 1000, page = 50;
    // presence
    int contacts = 10;
    // carbons
    int copies = 3;
    bool noClose = false;
    // crash, verify
    std::string mode = "offline", notes;
    int round = 1;
};

enum class State : uint8_t {
    Free,
    Connecting,
    Tls,
    Stream,
    StartTls,
    Sasl,
    Bind,
    Register,
    Post,
    Raw,
    Online,
    Closed
};

struct Scram {
    std::string nonce, firstBare, serverSig;
};

struct Connection {
    int fd = -1;
    SSL* ssl = nullptr;
    State state = State::Free;
    bool wantWrite = false, dirty = false, authed = false, smOn = false, tlsOn = false,
         busy = false;
    uint8_t pending = 0;
    int32_t depth = 0;
    uint32_t idx = 0;
    uint32_t scanpos = 0;
    uint32_t outoff = 0;
    uint32_t smH = 0, smSent = 0;
    uint64_t tStart = 0;
    std::string in, out;
    // Of a WebSocket: how much of `out` is in frames, and what of a frame has come.
    uint32_t framed = 0;
    bool upgraded = false;
    std::string frames;
    std::unique_ptr<Scram> scram;
};

class Engine {
public:
    explicit Engine(const Options& options);
    virtual ~Engine();

    Options options;
    std::vector<Connection> connections;

    // counters
    uint64_t online = 0, failed = 0, closedLate = 0, nextLogin = 0, inflightLogins = 0;
    uint64_t rxBytes = 0, txBytes = 0, rxStanzas = 0, resMismatch = 0, pbkdf2Runs = 0;
    Hist loginLat;
    bool registerMode = false;
    uint64_t regOk = 0, regConflict = 0;
    bool loginsOpen = true, closing = false;

    // What a client keeps for its next login (--fast).
    struct Kept {
        SSL_SESSION* session = nullptr;
        std::string token;
    };
    std::vector<Kept> kept;
    uint64_t tlsResumed = 0;
    // As at the start, but with what was kept.
    void begin();

    virtual std::string user(uint32_t idx) const;
    bool isElsewhere(uint32_t idx) const { return options.otherPort > 0 && idx % 2 == 1; }
    const std::string& domain(uint32_t idx) const {
        return isElsewhere(idx) ? options.otherDomain : options.domain;
    }
    std::string jid(uint32_t idx) const;   // bare
    std::string full(uint32_t idx) const;  // with resource
    virtual std::string resource(uint32_t idx) const { return options.resource; }

    void startLogin(Connection& c);
    // runs the loop until pred() or the deadline (ns, 0: none); returns pred()
    bool runUntil(const std::function<bool()>& pred, uint64_t deadline = 0);
    bool loginAll(uint64_t total);  // connections [0,total), concurrency options.conc
    void queue(Connection& c, std::string_view data) {
        if (c.fd < 0) return;
        c.out.append(data);
        mark(c);
    }
    void mark(Connection& c) {
        if (!c.dirty) {
            c.dirty = true;
            dirty_.push_back(uint32_t(&c - connections.data()));
        }
    }
    void flushDirty();
    void closeAll(bool graceful);
    void closeConn(Connection& c, const char* why, bool countFail = true);

protected:
    virtual void onOnline(Connection& c) {}
    virtual void onStanza(Connection& c, std::string_view s, uint64_t t) {}
    // The server has acknowledged h stanzas of this connection (XEP-0198).
    virtual void onAck(Connection& c, uint32_t h) {}
    // Whether this connection fetches its roster and sends presence at login.
    virtual bool isPresent(const Connection& c) const { return true; }
    virtual void onClosed(Connection& c) {}
    virtual uint64_t onTick(uint64_t now) { return 0; }  // returns next wanted wake time or 0
    virtual void onSecond(uint64_t now) {}
    virtual std::string rawHello(Connection& c) { return "HELLO 0 0\n"; }

private:
    int ep_ = -1;
    SSL_CTX* ctx_ = nullptr;
    std::vector<uint32_t> dirty_;
    std::vector<char> scratch_;
    int complaints_ = 0;
    struct Keys {
        unsigned char client[20], stored[20], server[20];
    };
    std::unordered_map<uint64_t, Keys> keys_;
    size_t keysLoaded_ = 0;
    std::string unameFmt_;

    void handle(Connection& c, uint32_t ev);
    void connected(Connection& c);
    void beginTls(Connection& c);
    bool stepTls(Connection& c);
    void openStream(Connection& c);
    void doRead(Connection& c);
    bool feedBytes(Connection& c, const char* p, size_t n, uint64_t t);
    bool feedXml(Connection& c, const char* p, size_t n, uint64_t t);
    bool feedFrames(Connection& c, std::string_view bytes, uint64_t t);
    void frameOutput(Connection& c);
    size_t feed(Connection& c, const char* b, size_t n, uint64_t t);
    void stanza(Connection& c, std::string_view s, uint64_t t);
    void features(Connection& c, std::string_view s);
    void auth(Connection& c);
    void fastAuth(Connection& c);
    void fastDone(Connection& c, std::string_view s);
    void challenge(Connection& c, std::string_view s);
    void postBind(Connection& c);
    void postDone(Connection& c, uint8_t bit);
    void nowOnline(Connection& c);
    void flush(Connection& c);
    void wantWrite(Connection& c, bool w);
    void complain(const Connection& c, const char* what, std::string_view detail);
    void loadKeys();
    void saveKeys();
    void startMore();
};

// helpers on a stanza
std::string_view firstTag(std::string_view s);
std::string_view attr(std::string_view tag,
                      std::string_view name);  // value of name='..' within one tag
std::string_view textOf(std::string_view s,
                        std::string_view open);  // text after the first "<open...>" up to '<'
std::string b64(std::string_view s);
void raiseNofile();
