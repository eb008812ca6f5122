#include "chat.h"

int runChat(const Options& options) {
    Chat e(options);
    e.loginAll(uint64_t(options.pairs) * 2);
    if (!e.online) return 1;
    e.setup(options.pairs);
    e.runUntil([] { return false; }, nowNs() + 1000000000ull);
    Meter m(e.options);
    e.measure(m);
    Json j;
    head(j, options);
    j.num("pairs", options.pairs);
    j.num("window", options.window);
    j.num("size", options.size);
    j.str("to", options.bare ? "bare" : "full");
    j.str("loop", options.rate > 0 ? "open" : "closed");
    j.num("msgs_per_s", double(e.deliveredWin) / m.secs(), 1);
    j.lat("lat", e.lat);
    m.out(j, "msg", e.deliveredWin);
    e.out(j);
    j.num("login_failed", e.failed);
    j.num("rx_bytes", e.rxBytes);
    j.num("tx_bytes", e.txBytes);
    ProcSample p = sampleTree(options.pids, true);
    mem(j, "end", p);
    e.closeAll(true);
    j.print();
    return 0;
}
