// What a file is uploaded for (XEP-0363, 5): how long it is kept, and on whose account.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace epode::upload {

inline constexpr std::string_view uploadNs = "urn:xmpp:http:upload:0";
inline constexpr std::string_view purposeNs = "urn:xmpp:http:upload:purpose:0";

// The numbers are stored.
enum class Purpose : std::uint8_t { Message = 0, Profile = 1, Ephemeral = 2, Permanent = 3 };
inline constexpr std::array allPurposes{Purpose::Message, Purpose::Profile, Purpose::Ephemeral,
                                        Purpose::Permanent};

inline std::string_view toText(Purpose purpose) {
    switch (purpose) {
        case Purpose::Message:
            return "message";
        case Purpose::Profile:
            return "profile";
        case Purpose::Ephemeral:
            return "ephemeral";
        case Purpose::Permanent:
            return "permanent";
    }
    return "";
}

inline std::optional<Purpose> parsePurpose(std::string_view name) {
    for (const Purpose purpose : allPurposes)
        if (toText(purpose) == name) return purpose;
    return std::nullopt;
}

// What shares one quota: ephemeral files are messages with an earlier end.
inline Purpose bucketOf(Purpose purpose) {
    return purpose == Purpose::Ephemeral ? Purpose::Message : purpose;
}

}  // namespace epode::upload
