// What the scenarios share: the result line's head, CPU and memory of the server, numbered bodies.
#pragma once
#include "engine.h"
#include "scenarios.h"

#include <algorithm>
#include <cstdlib>

inline const char* tlsName(int t) { return t == 0 ? "none" : t == 1 ? "starttls" : "direct"; }

inline void head(Json& j, const Options& options) {
    j.str("scenario", options.scenario);
    if (!options.label.empty()) j.str("label", options.label);
    j.str("tls", tlsName(options.tls));
    if (!options.raw) j.str("mech", options.mech);
    j.num("sm", int(options.sm));
}

// Server CPU and generator CPU over a window.
struct Meter {
    const Options& options;
    ProcSample a, b;
    double g0 = 0, g1 = 0;
    uint64_t t0 = 0, t1 = 0;
    explicit Meter(const Options& given) : options(given) {}
    void begin() {
        a = sampleTree(options.pids, false);
        g0 = selfCpu();
        t0 = nowNs();
    }
    void end() {
        t1 = nowNs();
        b = sampleTree(options.pids, false);
        g1 = selfCpu();
    }
    double secs() const { return double(t1 - t0) / 1e9; }
    void out(Json& j, const char* per, uint64_t units) {
        double s = secs();
        j.num("secs", s);
        if (!options.pids.empty()) {
            double c = b.total() - a.total();
            j.num("srv_cpu_s", c, 2);
            j.num("srv_cpu_pct", 100 * c / s, 1);
            if (units) {
                std::string p = per;
                j.num(("srv_cpu_us_per_" + p).c_str(), c * 1e6 / double(units), 2);
                j.num(("srv_user_us_per_" + p).c_str(), (b.user - a.user) * 1e6 / double(units), 2);
                j.num(("srv_sys_us_per_" + p).c_str(), (b.sys - a.sys) * 1e6 / double(units), 2);
            }
        }
        j.num("gen_cpu_pct", 100 * (g1 - g0) / s, 1);
    }
};

inline void mem(Json& j, const char* prefix, const ProcSample& p) {
    std::string s = prefix;
    j.num((s + "_rss_kb").c_str(), p.rssKb);
    j.num((s + "_pss_kb").c_str(), p.pssKb);
    j.num((s + "_anon_kb").c_str(), p.anonKb);
    j.num((s + "_threads").c_str(), p.threads);
}

// Numbered message bodies: "@" flow(8) seq(8) time(16) pad
constexpr size_t bodyHead = 33;
struct Tag {
    uint32_t flow, seq;
    uint64_t ts;
};
inline bool parseBody(std::string_view s, Tag& t) {
    size_t p = s.find("<body");
    if (p == std::string_view::npos) return false;
    p = s.find('>', p);
    if (p == std::string_view::npos || p + 1 + bodyHead > s.size() || s[p + 1] != '@') return false;
    uint64_t f, q;
    if (!getHex(&s[p + 2], 8, f) || !getHex(&s[p + 10], 8, q) || !getHex(&s[p + 18], 16, t.ts))
        return false;
    t.flow = uint32_t(f);
    t.seq = uint32_t(q);
    return true;
}
inline bool isError(std::string_view s) {
    std::string_view tag = s.substr(0, s.find('>'));
    return tag.find("type='error'") != std::string_view::npos ||
           tag.find("type=\"error\"") != std::string_view::npos;
}

// Duplicate / reordering detector for one ordered stream of numbers from 0.
struct SeqCheck {
    uint32_t next = 0;
    uint64_t window = 0;  // bit i: (next-1-i) was seen
    // 0 in order, 1 gap before it, 2 late (reordered), 3 duplicate
    int see(uint32_t s) {
        if (s >= next) {
            uint32_t d = s - next + 1;
            window = d >= 64 ? 1 : (window << d) | 1;
            next = s + 1;
            return d > 1 ? 1 : 0;
        }
        uint32_t back = next - 1 - s;
        if (back < 64) {
            if (window >> back & 1) return 3;
            window |= 1ull << back;
        }
        return 2;
    }
};
