// Small helpers: clock, histogram, JSON line, /proc sampling.
#pragma once
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

inline uint64_t nowNs() {
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return uint64_t(ts.tv_sec) * 1000000000ull + uint64_t(ts.tv_nsec);
}

// Log-linear histogram, 64 sub-buckets per power of two (error < 1.6 %).
struct Hist {
    std::vector<uint64_t> b = std::vector<uint64_t>(64 * 60, 0);
    uint64_t n = 0, mx = 0, mn = ~0ull;
    double sum = 0;
    static size_t index(uint64_t v) {
        if (v < 64) return size_t(v);
        int e = 63 - __builtin_clzll(v);
        return size_t(e - 5) * 64 + size_t((v >> (e - 6)) & 63);
    }
    static double mid(size_t i) {
        if (i < 64) return double(i);
        size_t e = i / 64 + 5, s = i % 64;
        double lo = double((64 + s)) * double(1ull << (e - 6));
        return lo + double(1ull << (e - 6)) / 2;
    }
    void add(uint64_t v) {
        b[index(v)]++;
        n++;
        sum += double(v);
        if (v > mx) mx = v;
        if (v < mn) mn = v;
    }
    double pct(double p) const {
        if (!n) return 0;
        uint64_t want = uint64_t(p * double(n));
        if (want >= n) want = n - 1;
        uint64_t acc = 0;
        for (size_t i = 0; i < b.size(); i++) {
            acc += b[i];
            if (acc > want) return mid(i) < double(mx) ? mid(i) : double(mx);
        }
        return double(mx);
    }
};

struct Json {
    std::string s = "{";
    void key(const char* k) {
        if (s.size() > 1) s += ",";
        s += "\"";
        s += k;
        s += "\":";
    }
    void num(const char* k, double v, int prec = 3) {
        char t[64];
        snprintf(t, sizeof t, "%.*f", prec, v);
        key(k);
        s += t;
    }
    void num(const char* k, uint64_t v) {
        key(k);
        s += std::to_string(v);
    }
    void num(const char* k, int v) {
        key(k);
        s += std::to_string(v);
    }
    void str(const char* k, std::string_view v) {
        key(k);
        s += "\"";
        s += v;
        s += "\"";
    }
    void lat(const char* prefix, const Hist& h) {  // microseconds
        std::string p = prefix;
        num((p + "_p50_us").c_str(), h.pct(.50) / 1e3, 1);
        num((p + "_p95_us").c_str(), h.pct(.95) / 1e3, 1);
        num((p + "_p99_us").c_str(), h.pct(.99) / 1e3, 1);
        num((p + "_p999_us").c_str(), h.pct(.999) / 1e3, 1);
        num((p + "_max_us").c_str(), double(h.mx) / 1e3, 1);
        num((p + "_mean_us").c_str(), h.n ? h.sum / double(h.n) / 1e3 : 0, 1);
    }
    void print() {
        s += "}\n";
        fwrite(s.data(), 1, s.size(), stdout);
        fflush(stdout);
    }
};

struct ProcSample {
    double user = 0, sys = 0;  // seconds, whole tree, reaped children included
    uint64_t rssKb = 0, pssKb = 0, anonKb = 0;
    int procs = 0;
    uint64_t threads = 0;
    double total() const { return user + sys; }
};

inline ProcSample sampleTree(const std::vector<int>& roots, bool mem) {
    ProcSample r;
    if (roots.empty()) return r;
    static const double hz = double(sysconf(_SC_CLK_TCK));
    struct P {
        int ppid;
        double u, s;
        long threads;
    };
    std::map<int, P> all;
    if (DIR* d = opendir("/proc")) {
        while (dirent* e = readdir(d)) {
            if (e->d_name[0] < '0' || e->d_name[0] > '9') continue;
            char path[300], buf[1024];
            snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
            FILE* f = fopen(path, "r");
            if (!f) continue;
            size_t n = fread(buf, 1, sizeof buf - 1, f);
            fclose(f);
            buf[n] = 0;
            char* rp = strrchr(buf, ')');
            if (!rp) continue;
            char st;
            int ppid;
            unsigned long ut = 0, stt = 0;
            long cut = 0, cst = 0, threads = 0;
            if (sscanf(rp + 2,
                       "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld %*d %*d %ld", &st,
                       &ppid, &ut, &stt, &cut, &cst, &threads) < 7)
                continue;
            all[atoi(e->d_name)] =
                P{ppid, (double(ut) + double(cut)) / hz, (double(stt) + double(cst)) / hz, threads};
        }
        closedir(d);
    }
    std::vector<int> q;
    std::map<int, bool> seen;
    for (int p : roots)
        if (all.count(p)) {
            q.push_back(p);
            seen[p] = true;
        }
    for (size_t i = 0; i < q.size(); i++)
        for (auto& [pid, p] : all)
            if (p.ppid == q[i] && !seen.count(pid)) {
                q.push_back(pid);
                seen[pid] = true;
            }
    for (int pid : q) {
        r.user += all[pid].u;
        r.sys += all[pid].s;
        r.procs++;
        r.threads += uint64_t(all[pid].threads);
        if (!mem) continue;
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
        if (FILE* f = fopen(path, "r")) {
            while (fgets(line, sizeof line, f)) {
                unsigned long v;
                if (sscanf(line, "Rss: %lu", &v) == 1)
                    r.rssKb += v;
                else if (sscanf(line, "Pss: %lu", &v) == 1)
                    r.pssKb += v;
                else if (sscanf(line, "Anonymous: %lu", &v) == 1)
                    r.anonKb += v;
            }
            fclose(f);
        }
    }
    return r;
}

inline double selfCpu() {
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           double(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

inline void putHex(char* o, uint64_t v, int digits) {
    static const char* h = "0123456789abcdef";
    for (int i = digits - 1; i >= 0; i--) {
        o[i] = h[v & 15];
        v >>= 4;
    }
}
inline bool getHex(const char* p, int digits, uint64_t& v) {
    v = 0;
    for (int i = 0; i < digits; i++) {
        char c = p[i];
        unsigned d;
        if (c >= '0' && c <= '9')
            d = unsigned(c - '0');
        else if (c >= 'a' && c <= 'f')
            d = unsigned(c - 'a' + 10);
        else
            return false;
        v = v << 4 | d;
    }
    return true;
}
