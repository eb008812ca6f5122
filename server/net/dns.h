// Questions to the DNS as federation asks them, and their answers.
#pragma once

#include "core/executor.h"
#include "net/ip_address.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

enum class DnsType : std::uint16_t { A = 1, Aaaa = 28, Srv = 33, Tlsa = 52 };

std::string_view toText(DnsType type);  // "SRV"

struct DnsAnswer {
    enum class Outcome : std::uint8_t {
        Found,
        NoSuchName,  // the name does not exist
        NoData,      // it does, but has no such record
        Failed,      // nobody knows at the moment: no answer in time, servers that fail
        Bogus,       // the answer contradicts the signatures of its zone (DNSSEC)
    };
    Outcome outcome = Outcome::Failed;
    std::vector<std::string> records;  // the data of each, as on the wire
    bool isSecure = false;             // signed, and the signatures are right
    std::string problem;               // of Failed and Bogus: what happened, for people

    bool hasFailed() const { return outcome == Outcome::Failed || outcome == Outcome::Bogus; }
};

// Whom the DNS is asked through. Tests have one that answers what they like.
class Resolver {
public:
    using Done = UniqueFunction<void(DnsAnswer)>;
    virtual ~Resolver() = default;

    // `done` runs on the executor that asks, in a later turn, exactly once unless the executor
    // ends, and within the resolver's own patience. `name` is ASCII.
    virtual void ask(Executor& executor, std::string name, DnsType type, Done done) = 0;
};

// RFC 2782. The target has no dot at its end; it is empty when the service is not offered (".").
struct SrvRecord {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;
    bool operator==(const SrvRecord&) const = default;
};
// Nothing when the data is malformed, or the target is no name of a host.
std::optional<SrvRecord> readSrv(std::string_view data);
// An address of an A or AAAA record.
std::optional<IpAddress> readAddress(DnsType type, std::string_view data, std::uint16_t port);

// For tests: the data of a record.
std::string writeSrv(const SrvRecord& record);
std::string writeAddress(const IpAddress& address);

// The order in which to try (RFC 2782): by priority, and within it by chance according to weight.
// `Record` has both; `random(n)` is a number below n.
template <typename Record>
void orderServices(std::vector<Record>& records,
                   const std::function<std::uint64_t(std::uint64_t)>& random) {
    // Those without weight come first, as the algorithm wants it, so that they have a chance.
    std::stable_sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
        if (a.priority != b.priority) return a.priority < b.priority;
        return (a.weight == 0) > (b.weight == 0);
    });
    for (auto begin = records.begin(); begin != records.end();) {
        const auto end = std::find_if(begin, records.end(), [&](const Record& other) {
            return other.priority != begin->priority;
        });
        for (auto place = begin; place != end; ++place) {
            std::uint64_t sum = 0;
            for (auto it = place; it != end; ++it) sum += it->weight;
            std::uint64_t chosen = random(sum + 1);
            auto it = place;
            for (; it + 1 != end && chosen > it->weight; ++it) chosen -= it->weight;
            std::rotate(place, it, it + 1);
        }
        begin = end;
    }
}

}  // namespace epode
