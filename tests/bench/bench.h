// A small harness: what one operation costs in CPU time, as the median of several runs.
//
//   BENCH("xml: write a message") { while (run.next()) write(stanza); }
#pragma once

#include <cstddef>
#include <cstdint>

namespace epode::bench {

// Counts the operations of one run; what stands before the loop is not measured.
class Run {
public:
    explicit Run(std::uint64_t count) : left_{count} {}
    bool next() {
        if (left_ == 0) return stop();
        if (!hasStarted_) start();
        --left_;
        return true;
    }
    double nanoseconds() const { return nanoseconds_; }

private:
    void start();
    bool stop();

    std::uint64_t left_;
    bool hasStarted_ = false;
    double began_ = 0;
    double nanoseconds_ = 0;
};

struct Registration {
    Registration(const char* name, void (*function)(Run&));
};

// The compiler must believe that somebody looks at `value`.
template <typename Value>
inline void keep(const Value& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace epode::bench

#define EPODE_BENCH_WITH(id, name)                                      \
    static void id(epode::bench::Run& run);                             \
    static const epode::bench::Registration id##Registration{name, id}; \
    static void id([[maybe_unused]] epode::bench::Run& run)
#define EPODE_BENCH_AT(line, name) EPODE_BENCH_WITH(bench##line, name)
#define EPODE_BENCH_EXPAND(line, name) EPODE_BENCH_AT(line, name)
#define BENCH(name) EPODE_BENCH_EXPAND(__LINE__, name)
