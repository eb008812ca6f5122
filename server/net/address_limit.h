// How many connections one address may have at a time, counted over all loops.
#pragma once

#include "core/option.h"
#include "net/ip_address.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace epode {

extern const Option<std::int64_t> connectionsPerAddressMax;

class AddressLimit : public std::enable_shared_from_this<AddressLimit> {
public:
    enum class Loopback { Free, Counted };

    // Connections from this machine are not counted, unless a test wants it: behind a local proxy
    // everybody comes from there.
    static std::shared_ptr<AddressLimit> make(std::int64_t most,
                                              Loopback loopback = Loopback::Free);

    // A connection's place, given back by its end.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept = default;
        Place& operator=(Place&& other) noexcept {
            std::swap(limit_, other.limit_);
            std::swap(network_, other.network_);
            return *this;
        }
        ~Place();

    private:
        friend class AddressLimit;
        std::shared_ptr<AddressLimit> limit_;
        std::array<std::uint8_t, 16> network_{};
    };

    // Nothing when the address (with IPv6: its /64) has as many as it may. From any thread.
    std::optional<Place> take(const IpAddress& address);

    // For a reload; those who are there stay.
    void setMost(std::int64_t most);

private:
    struct Hash {
        std::size_t operator()(const std::array<std::uint8_t, 16>& network) const;
    };
    AddressLimit(std::int64_t most, Loopback loopback) : most_{most}, loopback_{loopback} {}
    void release(const std::array<std::uint8_t, 16>& network);

    std::mutex mutex_;
    std::int64_t most_;
    const Loopback loopback_;
    std::unordered_map<std::array<std::uint8_t, 16>, std::int64_t, Hash> counts_;
};

}  // namespace epode
