// Personal eventing of an account as it is exported and imported (XEP-0227, 4.10).
#pragma once

#include "route/account_data.h"

namespace epode::pubsub {

AccountData pepData();

}  // namespace epode::pubsub
