// Options of external components (XEP-0114), and their values as the streams read them.
#pragma once

#include "core/option.h"
#include "core/xml_stream.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> componentOptions();

// Where components are waited for.
struct ComponentListen {
    explicit ComponentListen(const Settings& settings);
    std::vector<std::string> addresses;
    std::uint16_t port;  // 0: nowhere
    bool operator==(const ComponentListen&) const = default;
};

// What holds until it is known which component has connected.
struct HandshakeLimits {
    explicit HandshakeLimits(const Settings& settings);
    XmlLimits xml;
    Duration timeout;
};

// What a component and the server both know: of the option or the file. `problem` says why there is
// none, as the end of a sentence about the component.
struct ComponentSecret {
    std::string text;
    std::string problem;
};
ComponentSecret readComponentSecret(const Settings& settings, std::string_view domain);

struct ComponentSettings {
    // Whose stanzas an instance gets, when there are several: everything with this address at one
    // end comes to the same.
    enum class ChosenBy : std::uint8_t { Sender, Addressee };

    // Reads the file of the secret.
    ComponentSettings(const Settings& settings, std::string_view domain);

    std::string domain;
    std::string secret;  // empty: nobody gets in
    std::string name;
    bool isListed;
    ChosenBy chosenBy;
    std::int64_t instancesMax;
    XmlLimits xml;
    double bytesPerSecond;  // 0: unlimited
    double bytesBurst;
    std::size_t outputBytesMax;
    std::size_t unconfirmedMax;
    Duration pingAfter;
    Duration pingTimeout;
};

}  // namespace epode
