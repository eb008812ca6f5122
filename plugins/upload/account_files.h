// Uploaded files as a part of an account: exported, and erased with it.
#pragma once

#include "route/account_data.h"

namespace epode::upload {

// The export says what there is and where it can be fetched; the bytes are not in it.
AccountData accountFiles();

}  // namespace epode::upload
