// HT (draft-schmaus-kitten-sasl-ht-09): a token that the server gave out proves itself by a hash,
// in one round trip. The messages alone; whose token it is, and how long, is for who keeps tokens.
#pragma once

#include "core/digest.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::sasl {

struct HtMechanism {
    Hash hash = Hash::Sha256;
    std::string_view bindingType;  // "tls-exporter"; "" for HT-…-NONE
};

// Nothing for what is none that we know.
std::optional<HtMechanism> parseHtName(std::string_view name);

// What can be offered on a connection with these types of channel binding, the best first.
std::vector<std::string> htNames(const std::vector<std::string>& bindingTypes);

// The client's one message. Views are into the text that was read.
struct HtMessage {
    std::string_view username;  // not prepared
    std::string_view proof;
};
std::optional<HtMessage> readHtMessage(std::string_view bytes);

// What the client sends, and what it gets: both prove the token for this connection alone.
std::string htProof(Hash hash, std::string_view token, std::string_view bindingData);
std::string htAnswer(Hash hash, std::string_view token, std::string_view bindingData);

}  // namespace epode::sasl
