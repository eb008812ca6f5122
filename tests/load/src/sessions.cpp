// Scenarios that only log in: login, register, idle.
#include "support.h"

int runLogin(const Options& options) {
    Engine e(options);
    if (options.fast) {  // not measured: each client gets its token and its TLS session
        if (!options.tls) {
            fprintf(stderr, "xmppload: --fast needs --tls\n");
            return 2;
        }
        if (!e.loginAll(uint64_t(options.n))) return 1;
        e.closeAll(true);
        e.begin();
    }
    Meter m(e.options);
    m.begin();
    e.loginAll(uint64_t(options.n));
    m.end();
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("conc", options.conc);
    if (options.fast) j.num("tls_resumed", e.tlsResumed);
    j.num("ok", e.online);
    j.num("failed", e.failed + e.closedLate);
    j.num("logins_per_s", double(e.online) / m.secs(), 1);
    j.lat("lat", e.loginLat);
    j.num("client_pbkdf2_runs", e.pbkdf2Runs);
    m.out(j, "login", e.online);
    e.closeAll(true);
    j.print();
    return e.failed || (options.fast && e.tlsResumed != uint64_t(options.n)) ? 1 : 0;
}

int runRegister(const Options& options) {
    Engine e(options);
    e.registerMode = true;
    Meter m(e.options);
    m.begin();
    e.loginAll(uint64_t(options.n));
    m.end();
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("registered", e.regOk);
    j.num("existed", e.regConflict);
    j.num("failed", e.failed);
    j.num("registrations_per_s", double(e.regOk) / m.secs(), 1);
    j.lat("lat", e.loginLat);
    m.out(j, "registration", e.regOk);
    j.print();
    return e.failed ? 1 : 0;
}

int runIdle(const Options& options) {
    Engine e(options);
    ProcSample before = sampleTree(e.options.pids, true);
    Meter m(e.options);
    m.begin();
    e.loginAll(uint64_t(options.n));
    m.end();
    e.runUntil([] { return false; }, nowNs() + uint64_t(options.settle * 1e9));
    ProcSample after = sampleTree(e.options.pids, true);
    Meter idle(e.options);
    idle.begin();
    e.runUntil([] { return false; }, nowNs() + 5000000000ull);
    idle.end();
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("ok", e.online);
    j.num("failed", e.failed);
    j.num("closed_meanwhile", e.closedLate);
    j.num("connects_per_s", double(e.online) / m.secs(), 1);
    mem(j, "before", before);
    mem(j, "after", after);
    double n = double(e.online ? e.online : 1);
    j.num("rss_kb_per_session", (double(after.rssKb) - double(before.rssKb)) / n, 2);
    j.num("pss_kb_per_session", (double(after.pssKb) - double(before.pssKb)) / n, 2);
    j.num("anon_kb_per_session", (double(after.anonKb) - double(before.anonKb)) / n, 2);
    j.num("idle_srv_cpu_pct", 100 * (idle.b.total() - idle.a.total()) / idle.secs(), 2);
    m.out(j, "login", e.online);
    j.print();
    if (!options.noClose) e.closeAll(true);
    return e.failed ? 1 : 0;
}
