// A room's vCard and the picture in it (XEP-0054, XEP-0153, XEP-0486).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epode::muc {

// The SHA-1 of each picture in a vCard, in hexadecimal.
std::vector<std::string> pictureHashes(std::string_view vcard);

}  // namespace epode::muc
