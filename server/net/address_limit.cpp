#include "net/address_limit.h"

#include <random>
#include <string_view>

namespace epode {

const Option<std::int64_t> connectionsPerAddressMax{
    .key = "net.connections_per_address_max",
    .fallback = 1000,
    .range = {1, 1'000'000},
    .help =
        "How many connections one address may have at a time (with IPv6 one /64 network); "
        "further ones are closed at once. The machine itself is not limited.",
    .scope = Scope::Server,
};

std::shared_ptr<AddressLimit> AddressLimit::make(std::int64_t most, Loopback loopback) {
    return std::shared_ptr<AddressLimit>{new AddressLimit{most, loopback}};
}

std::optional<AddressLimit::Place> AddressLimit::take(const IpAddress& address) {
    Place place;
    if (loopback_ == Loopback::Free && address.isLoopback()) return place;
    const auto network = address.network();
    {
        const std::lock_guard lock{mutex_};
        auto& count = counts_[network];
        if (count >= most_) return std::nullopt;
        ++count;
    }
    place.limit_ = shared_from_this();
    place.network_ = network;
    return place;
}

AddressLimit::Place::~Place() {
    if (limit_) limit_->release(network_);
}

void AddressLimit::release(const std::array<std::uint8_t, 16>& network) {
    const std::lock_guard lock{mutex_};
    const auto found = counts_.find(network);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

void AddressLimit::setMost(std::int64_t most) {
    const std::lock_guard lock{mutex_};
    most_ = most;
}

std::size_t AddressLimit::Hash::operator()(const std::array<std::uint8_t, 16>& network) const {
    // Seeded, because strangers choose their addresses.
    static const std::string seed = [] {
        std::random_device random;
        std::string bytes;
        for (auto i = 0; i < 16; ++i) bytes += static_cast<char>(random());
        return bytes;
    }();
    std::array<char, 32> bytes;
    std::copy(seed.begin(), seed.end(), bytes.begin());
    std::copy(network.begin(), network.end(), bytes.begin() + 16);
    return std::hash<std::string_view>{}({bytes.data(), bytes.size()});
}

}  // namespace epode
