// Requests about nodes of personal eventing (XEP-0163), as a client makes them.
#pragma once

#include "call.h"
#include "client.h"

#include "core/element.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

// Why an answer is no result; nothing when it is one.
std::optional<Problem> problemWith(const Client::Answered& answered);
// The same of one whose absence is as good as an empty one.
bool isAbsent(const Client::Answered& answered);

// Items of a node: of all ids, or of one. `whose` is empty for the own account.
MutableStanzaPtr askForItems(const Jid& whose, std::string_view node, std::string_view id = {});
// Those that an answer has.
std::vector<const Element*> itemsOf(const Client::Answered& answered);

// The payload is added to what this returns.
struct Publication {
    MutableStanzaPtr stanza;
    Element* item;
};
Publication publication(std::string_view node, std::string_view id);
MutableStanzaPtr retraction(std::string_view node, std::string_view id);

}  // namespace epode::rest
