// What a request and its answer have in common: who asked whom, and the id.
#pragma once

#include "core/digest.h"
#include "core/stanza.h"

#include <string>
#include <string_view>

namespace epode {

inline std::string requestKey(const Jid& asking, const Jid& asked, std::string_view id) {
    // Keys are kept by the thousand, and whoever asks makes up the id.
    constexpr std::size_t idBytesMax = 256;
    const std::string shortened = id.size() > idBytesMax ? digest(Hash::Sha256, id) : std::string{};
    if (!shortened.empty()) id = shortened;
    std::string key;
    key.reserve(asking.text().size() + asked.text().size() + id.size() + 2);
    // No address has a line break.
    key.append(asking.text()).append("\n").append(asked.text()).append("\n").append(id);
    return key;
}
inline std::string keyOfRequest(const Stanza& request) {
    return requestKey(request.from(), request.to(), request.id());
}
inline std::string keyOfAnswer(const Stanza& answer) {
    return requestKey(answer.to(), answer.from(), answer.id());
}

}  // namespace epode
