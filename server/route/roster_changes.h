// Changes of an account's roster, one after the other: each is decided on the roster as it is
// stored, stored in its turn, and in force and shown once it is durable. So what clients and
// contacts were told is what a restart finds, and a change that could not be stored has never been.
#pragma once

#include "core/jid.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "route/roster.h"
#include "route/state_slots.h"

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace epode {

class Account;

// What becomes of a contact. One that is neither listed nor has a state is forgotten.
struct RosterChange {
    Contact contact;
    // Clients see the difference: it makes a new version of the roster. If not, it is about the
    // contact's request alone: a new one, or one that is answered.
    bool isVisible = false;
    std::string request;  // the new request as XML, kept until it is answered
};

class RosterStep {
public:
    virtual ~RosterStep() = default;

    // Decides on the roster as it stands. Nothing: there is nothing to store.
    virtual std::optional<RosterChange> decide(Account& account) = 0;
    // The change is in force and durable, or there was none (null). The roster's version is this
    // one's.
    virtual void finish(Account& account, const RosterChange* change) = 0;
    // It could not be stored; nothing has changed.
    virtual void fail(Account& account, const std::exception_ptr& failure) = 0;
};

// Takes its turn: at once when no other change is on its way. `contact` is whom it is about.
void changeRoster(Account& account, const Jid& contact, std::unique_ptr<RosterStep> step);

// Something about this contact waits for its turn or is being stored.
bool isRosterChanging(Account& account, const Jid& contact);
// Anything waits or is being stored: the account must stay in memory.
bool isRosterChanging(const StateSlots& slots);

// Why a contact can't be added any more.
StanzaError rosterIsFull();

// A roster set (RFC 6121, 2.3 and 2.4). Nothing when it is durable and pushed, else why not.
// Throws StoreUnavailable.
Task<std::optional<StanzaError>> setContact(Account& account, Jid contact, std::string name,
                                            std::vector<std::string> groups);
// Its removal with all that follows from it (RFC 6121, 2.5).
Task<std::optional<StanzaError>> removeContact(Account& account, Jid contact);
// Resumes when all that was on its way before is done; false when that is not to be had.
Task<bool> rosterTurn(Account& account);

}  // namespace epode
