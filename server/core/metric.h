// Metrics, declared beside what they count: a static object registers itself by its construction.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// A number that the server tells about itself. `name` in the form of Prometheus ("…_total",
// "…_bytes", "…_seconds"); `help` is one sentence. Thread-safe, cheap (relaxed atomics).
class Metric {
public:
    enum class Kind { Counter, Gauge };
    Metric(Kind kind, std::string_view name, std::string_view help);
    ~Metric();
    Metric(const Metric&) = delete;
    Metric& operator=(const Metric&) = delete;

    Kind kind() const { return kind_; }
    std::string_view name() const { return name_; }
    std::string_view help() const { return help_; }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

    // All that exist now and are not hidden, by name.
    static std::vector<const Metric*> all();

    // While a plugin is loaded: those that are made within its shared object; and whether they are
    // told of, which they are not while nobody uses the plugin.
    static std::vector<Metric*> madeSince(std::size_t mark);
    static std::size_t mark();
    void setHidden(bool isHidden) { isHidden_.store(isHidden, std::memory_order_relaxed); }

protected:
    std::atomic<std::int64_t> value_{0};

private:
    std::size_t number_;  // of its making
    std::atomic<bool> isHidden_{false};
    Kind kind_;
    std::string_view name_;
    std::string_view help_;
};

class Counter : public Metric {
public:
    Counter(std::string_view name, std::string_view help) : Metric{Kind::Counter, name, help} {}
    void add(std::int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
};

class Gauge : public Metric {
public:
    Gauge(std::string_view name, std::string_view help) : Metric{Kind::Gauge, name, help} {}
    void add(std::int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
};

}  // namespace epode
