// What clients send and get in jabber:iq:register (XEP-0077): plain elements, or a data form.
#pragma once

#include "core/element.h"

#include <optional>
#include <string>

namespace epode::inband {

inline constexpr std::string_view registerNs = "jabber:iq:register";

struct Request {
    bool isRemoval = false;
    std::optional<std::string> username;
    std::optional<std::string> password;
};

// Nothing when the query contradicts itself: a removal with something beside it, or a data form
// that is no answer to ours.
std::optional<Request> readRequest(const Element& query);

// Asks for name and password, in both ways. `username`: the name that is meant for who asks.
Document makeForm(std::string_view instructions, std::string_view username = {});

}  // namespace epode::inband
