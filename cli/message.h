// Chat messages: what is read from a stanza, and stanzas made to send.
#pragma once

#include "cli/output.h"
#include "cli/stanza.h"
#include "cli/text.h"

#include <optional>
#include <string>

namespace epode::cli {

struct Message {
    std::string from;
    std::string to;
    std::string type;
    std::string id;         // the sender's
    std::string archiveId;  // our server's (XEP-0359), if it keeps one
    std::string subject;
    std::string body;
    WallClock::time_point time;
    bool isDelayed = false;
    bool isOwn = false;  // sent by this account, from here or elsewhere
    bool wantsReceipt = false;
    std::string receiptFor;  // the id of a message of ours that has arrived (XEP-0184)
    std::string chatState;   // XEP-0085
    std::optional<ErrorReport> error;

    std::string peer() const { return isOwn ? to : from; }
};

// Reads a message of the account `ownBare`; opens carbon copies that come from the account itself
// (XEP-0280, section 11: nobody else's are true). Nothing when the stanza is no message, or an
// archive's result.
std::optional<Message> readMessage(const Stanza& stanza, const std::string& ownBare);
// One result of an archive query (XEP-0313).
std::optional<Message> readArchived(const Stanza& result, const std::string& ownBare);

Poco::JSON::Object::Ptr toJson(const Message& message);

enum class Receipt { No, Wanted };
Stanza makeMessage(const std::string& to, const std::string& type, const std::string& id,
                   const std::string& body, Receipt receipt);
Stanza makeReceipt(const Message& received);
Stanza makeChatState(const std::string& to, const char* state);

}  // namespace epode::cli
