// What rooms keep of an account, for its export and its erasing.
#pragma once

#include "route/account_data.h"

#include <vector>

namespace epode::muc {

std::vector<AccountData> personalData();

}  // namespace epode::muc
