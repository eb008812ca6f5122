// One sender and one receiver for each flow.
#pragma once
#include "messenger.h"

class Chat : public Messenger {
public:
    using Messenger::Messenger;
    void setup(int pairs) {
        for (int p = 0; p < pairs; p++) {
            add(uint32_t(2 * p), uint32_t(2 * p + 1));
            if (options.bidi) add(uint32_t(2 * p + 1), uint32_t(2 * p));
        }
        byTx.resize(connections.size(), 0);
        for (uint32_t i = 0; i < flows.size(); i++) byTx[flows[i].tx] = i;
    }
    std::vector<uint32_t> byTx;

protected:
    void add(uint32_t a, uint32_t b) {
        Flow f;
        f.tx = a;
        f.rx = b;
        f.prefix = "<message to='" + (options.bare ? jid(b) : full(b)) + "' type='chat' id='";
        flows.push_back(std::move(f));
    }
    std::string rawHello(Connection& c) override {
        return "HELLO " + std::to_string(c.idx / 2) + " 0\n";
    }
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        if (s[1] != 'm') {
            junk++;
            return;
        }
        uint32_t me = uint32_t(&c - connections.data());
        if (isError(s)) {
            errors++;
            if (errors < 4) fprintf(stderr, "xmppload: bounced: %.*s\n", int(s.size()), s.data());
            if (byTx.empty()) return;
            Flow& f = flows[byTx[me]];
            if (f.inflight > 0) f.inflight--;
            if (sending && options.rate <= 0) fill(byTx[me]);
            return;
        }
        Tag g;
        if (!parseBody(s, g)) {
            junk++;
            return;
        }
        if (g.flow >= flows.size() || flows[g.flow].rx != me) {
            alien++;
            return;
        }
        Flow& f = flows[g.flow];
        if (g.seq >= f.seq) {
            alien++;
            return;
        }  // stale, from an earlier run
        int k = f.check.see(g.seq);
        if (k == 1)
            gaps++;
        else if (k == 2)
            late++;
        else if (k == 3) {
            dup++;
            return;
        }
        delivered++;
        f.recvd++;
        f.lastProgress = t;
        lastAny = t;
        if (f.inflight > 0) f.inflight--;
        if (measuring) {
            deliveredWin++;
            lat.add(t > g.ts ? t - g.ts : 0);
        }
        if (sending && options.rate <= 0) fill(g.flow);
    }
};
