#include "control/listen_check.h"

#include "net/ip_address.h"
#include "stream/remote_options.h"

#include <algorithm>
#include <any>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace epode {

namespace {

using Texts = std::vector<std::string>;

// A port that the server listens on, and where.
struct Place {
    std::string_view port, addresses;  // the keys of the options
    std::int64_t number = 0;
    Texts on;
};

template <typename T>
T valueOf(const Config& config, const OptionList& options, std::string_view key) {
    if (const auto found = config.values.find(key); found != config.values.end())
        if (const T* value = std::any_cast<T>(&found->second.value)) return *value;
    for (const OptionRef& option : options)
        if (option.key() == key)
            if (const auto value = option.fallback(); const T* typed = std::any_cast<T>(&value))
                return *typed;
    return {};
}

bool isEnabled(const Config& config, std::string_view plugin) {
    const auto names = [plugin](const Config::Entries& entries) {
        const auto found = entries.find("plugins.enabled");
        if (found == entries.end()) return false;
        const Texts* all = std::any_cast<Texts>(&found->second.value);
        return all && std::find(all->begin(), all->end(), plugin) != all->end();
    };
    return names(config.values) ||
           std::any_of(config.hostValues.begin(), config.hostValues.end(),
                       [&names](const auto& host) { return names(host.second); });
}

bool listens(const Config& config, const Settings& settings, std::string_view port) {
    const auto section = port.substr(0, port.find('.'));
    if (section == "listen" || section == "http") return true;
    if (section == "component") return !config.components.empty();
    if (section == "s2s") return remoteMode(settings) != RemoteMode::Never;
    return isEnabled(config, section);
}

// An address that both listen on, as the first of them has it; nothing when there is none. All
// addresses of IPv4 and all of IPv6 are different ones.
std::optional<std::string> commonAddress(const Place& one, const Place& other) {
    const auto parsed = [](const std::string& text) { return IpAddress::parse(text); };
    for (const auto& text : one.on) {
        const auto mine = parsed(text);
        if (!mine) continue;
        const auto any = *parsed(mine->isV4() ? "0.0.0.0" : "::");
        for (const auto& otherText : other.on) {
            const auto its = parsed(otherText);
            if (!its || its->isV4() != mine->isV4()) continue;
            if (*its == *mine || *its == any || *mine == any) return *its == any ? text : otherText;
        }
    }
    return std::nullopt;
}

// The line that says it: of the port that was set, else of its addresses.
const ConfigPlace* placeOf(const Config& config, const Place& place, std::string_view& key) {
    for (const auto option : {place.port, place.addresses})
        if (const auto found = config.values.find(option); found != config.values.end()) {
            key = option;
            return &found->second.place;
        }
    return nullptr;
}

ConfigMistake told(const Config& config, const Place& one, const Place& other,
                   const std::string& address) {
    std::string_view key = one.port;
    const ConfigPlace* place = placeOf(config, one, key);
    if (!place) place = placeOf(config, other, key);
    const auto& [mine, its] =
        key == other.port || key == other.addresses ? std::tie(other, one) : std::tie(one, other);
    const std::string number = std::to_string(one.number);
    return {place ? place->file : config.file, place ? place->line : 0,
            place && place->line ? 1 : 0, std::string{key},
            std::string{mine.port} + " is " + number + ", and so is " + std::string{its.port} +
                ": both would listen at " + address + " port " + number +
                "; give one of them another port (0 for none), or other addresses."};
}

}  // namespace

std::vector<ConfigMistake> sharedPorts(const Config& config, const Settings& settings,
                                       const OptionList& options) {
    std::vector<Place> places;
    for (const OptionRef& option : options) {
        if (option.listensOn().empty() || !listens(config, settings, option.key())) continue;
        Place place{option.key(), option.listensOn(), 0, {}};
        place.number = valueOf<std::int64_t>(config, options, place.port);
        place.on = valueOf<Texts>(config, options, place.addresses);
        if (place.on.empty()) place.on = valueOf<Texts>(config, options, "listen.addresses");
        if (place.number != 0) places.push_back(std::move(place));
    }
    std::vector<ConfigMistake> mistakes;
    for (auto one = places.begin(); one != places.end(); ++one)
        for (auto other = places.begin(); other != one; ++other)
            if (one->number == other->number)
                if (const auto address = commonAddress(*one, *other))
                    mistakes.push_back(told(config, *one, *other, *address));
    return mistakes;
}

}  // namespace epode
