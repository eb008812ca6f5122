// Numbered messages in flows, sent in a closed or an open loop, and checked where they arrive.
#pragma once
#include "support.h"

struct Flow {
    uint32_t tx = 0, rx = 0;  // rx unused for MUC
    uint32_t seq = 0;         // next to send
    int32_t inflight = 0;
    uint64_t sent = 0, recvd = 0, lastProgress = 0;
    std::string prefix;
    SeqCheck check;
};

class Messenger : public Engine {
public:
    std::vector<Flow> flows;
    bool sending = false, measuring = false;
    uint64_t deliveredWin = 0, sentWin = 0, sent = 0, delivered = 0, errors = 0, stalls = 0,
             stalledMsgs = 0;
    uint64_t gaps = 0, late = 0, dup = 0, junk = 0, alien = 0;
    Hist lat;
    uint32_t flowBase = 0;  // number of the first flow, to tell runs apart
    std::string pad;
    // open loop
    double rate = 0;
    uint64_t tOpen = 0, nOpen = 0, maxLag = 0;
    uint64_t lastAny = 0;

    explicit Messenger(const Options& options) : Engine(options) {
        pad.assign(options.size > int(bodyHead) ? size_t(options.size) - bodyHead : 0, 'x');
    }

    void sendMsg(uint32_t fi, uint64_t ts) {
        Flow& f = flows[fi];
        Connection& c = connections[f.tx];
        if (c.state != State::Online) return;
        write(fi, ts);
        onSent(fi, f.seq);
        f.seq++;
        f.sent++;
        f.inflight++;
        sent++;
        if (measuring) sentWin++;
    }
    // The next one of a flow, into its sender's stream.
    virtual void write(uint32_t fi, uint64_t ts) {
        Flow& f = flows[fi];
        Connection& c = connections[f.tx];
        char h[64];
        putHex(h, f.seq, 8);
        c.out.append(f.prefix);
        c.out.append(h, 8);
        c.out.append("'><body>@", 9);
        putHex(h, flowBase + fi, 8);
        putHex(h + 8, f.seq, 8);
        putHex(h + 16, ts, 16);
        c.out.append(h, 32);
        c.out.append(pad);
        c.out.append("</body></message>", 17);
        if (options.smReq && c.smOn && ++c.smSent % uint32_t(options.smReq) == 0)
            c.out.append("<r xmlns='urn:xmpp:sm:3'/>");
        mark(c);
    }
    virtual void onSent(uint32_t fi, uint32_t seq) {}

    void fill(uint32_t fi) {
        uint64_t now = nowNs();
        while (sending && flows[fi].inflight < options.window &&
               connections[flows[fi].tx].state == State::Online)
            sendMsg(fi, now);
    }

    void startClosed() {
        sending = true;
        uint64_t now = nowNs();
        for (uint32_t i = 0; i < flows.size(); i++) {
            flows[i].lastProgress = now;
            fill(i);
        }
    }

    uint64_t onTick(uint64_t now) override {
        if (rate <= 0 || !sending) return 0;
        for (;;) {
            uint64_t due = tOpen + uint64_t(double(nOpen) * 1e9 / rate);
            if (due > now) return due;
            if (now - due > maxLag) maxLag = now - due;
            sendMsg(uint32_t(nOpen % flows.size()),
                    due);  // latency counts from the intended time
            nOpen++;
        }
    }

    void onSecond(uint64_t now) override {
        if (!sending || rate > 0) return;
        for (uint32_t i = 0; i < flows.size(); i++) {
            Flow& f = flows[i];
            if (f.inflight > 0 && now > f.lastProgress + uint64_t(options.stall * 1e9)) {
                stalls++;
                stalledMsgs += uint64_t(f.inflight);
                f.inflight = 0;
                f.lastProgress = now;
                onStall(i);
                fill(i);
            }
        }
    }
    virtual void onStall(uint32_t) {}

    // warm-up, window, drain
    void measure(Meter& m) {
        if (options.rate > 0) {
            rate = options.rate;
            tOpen = nowNs();
            sending = true;
        } else
            startClosed();
        runUntil([] { return false; }, nowNs() + uint64_t(options.warmup * 1e9));
        m.begin();
        measuring = true;
        runUntil([] { return false; }, nowNs() + uint64_t(options.dur * 1e9));
        measuring = false;
        m.end();
        sending = false;
        lastAny = nowNs();
        runUntil(
            [&] { return delivered + errors >= expected() || nowNs() > lastAny + 3000000000ull; },
            nowNs() + uint64_t(options.drain * 1e9));
    }
    virtual uint64_t expected() { return sent; }

    void out(Json& j) {
        j.num("sent", sent);
        j.num("expected", expected());
        j.num("delivered", delivered);
        j.num("lost",
              expected() > delivered + errors ? expected() - delivered - errors : uint64_t(0));
        j.num("errors", errors);
        j.num("gaps", gaps);
        j.num("late", late);
        j.num("dup", dup);
        j.num("stalls", stalls);
        j.num("conns_lost", closedLate);
        if (alien) j.num("alien", alien);
        if (options.rate > 0) {
            j.num("rate_wanted", options.rate, 0);
            j.num("gen_max_lag_us", double(maxLag) / 1e3, 0);
        }
    }
};
