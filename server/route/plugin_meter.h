// What a plugin costs: how often its handlers are called, how long that takes, how often they fail.
// Every call is counted; the clock is looked at for one call in some (not the first, which is slow),
// and what it says stands for the others. Each thread has counters of its own, so that a call costs a
// nanosecond.
#pragma once

#include "core/time.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace epode {

class PluginMeter {
public:
    enum class Kind : std::uint8_t { Hook, Request, Background, Command };
    static constexpr std::size_t kinds = 4;

    struct Reading {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0;
        // Of all calls, estimated from those that were measured. For what may wait (requests,
        // background work, commands) it is the time until the answer, waiting included.
        Duration time{};
    };

    // One call: from its construction to `end`, or to its destruction.
    class Call {
    public:
        Call(PluginMeter* meter, Kind kind) {
            if (!meter) return;
            cell_ = &meter->cell(kind);
            // One thread alone writes here: no need for an atomic addition.
            const auto calls = cell_->calls.load(std::memory_order_relaxed);
            cell_->calls.store(calls + 1, std::memory_order_relaxed);
            if (calls % measuredOneIn(kind) == measuredOneIn(kind) / 2) [[unlikely]] {
                isMeasured_ = true;
                weight_ = measuredOneIn(kind);
                began_ = std::chrono::steady_clock::now();
            }
        }
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        ~Call() { end(); }

        void end() {
            if (!isMeasured_) return;
            isMeasured_ = false;
            const Duration took = std::chrono::steady_clock::now() - began_;
            cell_->nanoseconds.fetch_add(std::uint64_t(took.count()) * weight_,
                                         std::memory_order_relaxed);
        }
        void failed() {
            if (cell_) cell_->failures.fetch_add(1, std::memory_order_relaxed);
        }

    private:
        friend class PluginMeter;
        struct alignas(64) Cell {
            std::atomic<std::uint64_t> calls{0};
            std::atomic<std::uint64_t> failures{0};
            std::atomic<std::uint64_t> nanoseconds{0};
        };
        Cell* cell_ = nullptr;
        bool isMeasured_ = false;
        unsigned weight_ = 0;
        std::chrono::steady_clock::time_point began_;
    };

    Reading read(Kind kind) const;
    // Those of all kinds together.
    Reading read() const;

private:
    // Threads beyond these share counters, and may lose a count now and then.
    static constexpr std::size_t threads = 16;
    static constexpr unsigned measuredOneIn(Kind kind) {
        return kind == Kind::Hook ? 256 : kind == Kind::Request ? 16 : 1;
    }
    static std::size_t thisThread() {
        thread_local const std::size_t number = nextThread().fetch_add(1) % threads;
        return number;
    }
    static std::atomic<std::size_t>& nextThread();
    Call::Cell& cell(Kind kind) { return cells_[thisThread()][std::size_t(kind)]; }

    std::array<std::array<Call::Cell, kinds>, threads> cells_;
};

}  // namespace epode
