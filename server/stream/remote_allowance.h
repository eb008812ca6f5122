// How much the connections of another domain may send together, wherever in this server they are.
#pragma once

#include "stream/byte_allowance.h"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace epode {

// So much each second on average, and so much at once. 0 of each second: no limit.
struct RemoteRate {
    double bytesPerSecond = 0;
    double bytesBurst = 0;
    double stanzasPerSecond = 0;
    double stanzasBurst = 0;
};

// From any thread.
class RemoteAllowance {
public:
    RemoteAllowance(const RemoteRate& rate, SteadyTime now);

    // How long nothing more should be read: zero while it is allowed.
    Duration take(std::size_t bytes, std::size_t stanzas, const RemoteRate& rate, SteadyTime now);

    // A connection's place among those of its domain.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept = default;
        Place& operator=(Place&& other) noexcept;
        ~Place();
        RemoteAllowance* operator->() const { return allowance_.get(); }

    private:
        friend class RemoteAllowances;
        explicit Place(std::shared_ptr<RemoteAllowance> allowance)
            : allowance_{std::move(allowance)} {}
        std::shared_ptr<RemoteAllowance> allowance_;
    };

private:
    friend class RemoteAllowances;
    std::mutex mutex_;
    ByteAllowance bytes_;
    ByteAllowance stanzas_;
    SteadyTime lastUsed_;
    std::size_t connections_ = 0;
};

// Those of all domains. A domain that goes and comes again finds its own: nobody gets a fresh start
// by connecting anew.
class RemoteAllowances {
public:
    // Nothing when the domain has `most` connections.
    std::optional<RemoteAllowance::Place> take(const std::string& domain, std::size_t most,
                                               const RemoteRate& rate, SteadyTime now);

private:
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<RemoteAllowance>> domains_;
    std::size_t sweepAt_ = 1000;
};

}  // namespace epode
