// The verbs: each is declared in the file of its name.
#pragma once

#include "cli/verb.h"

namespace epode::cli {

extern const Verb send, listen, chat, history, rosterList, rosterAdd, rosterRemove, ping, version,
    registerAccount, accountAdd, accountList, accountDefault, accountRemove, help;

}  // namespace epode::cli
