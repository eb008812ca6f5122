#include "tests/bench/bench.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace epode::bench {
namespace {

struct Entry {
    const char* name;
    void (*function)(Run&);
};

std::vector<Entry>& entries() {
    static std::vector<Entry> all;
    return all;
}

constexpr int runs = 9;
constexpr double runNanoseconds = 50e6;

// CPU time: other programs on the machine count less that way.
double now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

double measure(const Entry& entry, std::uint64_t count) {
    Run run{count};
    entry.function(run);
    return run.nanoseconds();
}

double median(const Entry& entry) {
    std::uint64_t count = 1;
    double total = measure(entry, count);
    while (total < runNanoseconds / 10 && count < 1'000'000'000) {
        count *= 4;
        total = measure(entry, count);
    }
    count = std::max<std::uint64_t>(1, std::uint64_t(double(count) * runNanoseconds / total));
    std::vector<double> found;
    for (int i = 0; i < runs; ++i) found.push_back(measure(entry, count) / double(count));
    std::nth_element(found.begin(), found.begin() + runs / 2, found.end());
    return found[runs / 2];
}

bool isWanted(std::string_view name, const std::vector<std::string>& parts) {
    return parts.empty() || std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
               return name.find(part) != name.npos;
           });
}

}  // namespace

void Run::start() {
    hasStarted_ = true;
    began_ = now();
}

bool Run::stop() {
    if (hasStarted_) nanoseconds_ = now() - began_;
    return false;
}

Registration::Registration(const char* name, void (*function)(Run&)) {
    entries().push_back({name, function});
}

}  // namespace epode::bench

int main(int argc, char** argv) {
    using namespace epode::bench;
    bool json = false;
    std::vector<std::string> parts;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0)
            json = true;
        else
            parts.emplace_back(argv[i]);
    }
    auto all = entries();
    std::stable_sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) {
        return std::string_view{a.name} < std::string_view{b.name};
    });
    for (const Entry& entry : all) {
        if (!isWanted(entry.name, parts)) continue;
        const double cost = median(entry);
        if (json)
            std::printf("{\"name\":\"%s\",\"ns\":%.1f}\n", entry.name, cost);
        else
            std::printf("%-60s %12.1f ns\n", entry.name, cost);
        std::fflush(stdout);
    }
    return 0;
}
