// What plugins take part in while a client logs in by SASL2 (XEP-0388), whose <authenticate/>
// brings along what the client wants besides. The steps, in their order:
//
//     Services::loginFeatures   the offer is written (a hook)
//     onLoginMethod             a mechanism of the plugin's own, of one message each way
//     onLoginTask               what has to be done before the login counts: a second factor
//     onLogin                   the client has proved who it is
//     onBinding                 a session is about to be bound by Bind 2 (XEP-0386); not when one
//     is resumed onInline                  an element in <bind/> switches something on for the
//     session Services::sessionBound    or sessionResumed, as after any other login
//
// Handlers that wait are coroutines. Accounts and sessions are looked up again after each wait; the
// `Login` itself stays until its handlers are done.
#pragma once

#include "core/element.h"
#include "core/executor.h"
#include "core/jid.h"
#include "core/sasl/mechanisms.h"
#include "core/task.h"
#include "route/state_slots.h"
#include "store/account_store.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epode {

class Host;
class Server;
class Session;
class Shard;

// What a client says of itself. Told to nobody but the account's owner (XEP-0388, 2.3).
struct UserAgent {
    std::string
        id;  // of the installation: a UUID of version 4 in lowercase; "" when it has told none
    std::string software;
    std::string device;
};

// One attempt to log in, and what came of it.
struct Login {
    Shard* shard = nullptr;  // the account's own from onLogin on
    SteadyTime began{};
    Host* host = nullptr;
    std::string address;  // the peer's
    std::string mechanism;
    std::string message;  // for a method of a plugin: the initial response
    UserAgent userAgent;
    Jid claimed;  // bare; whom the stream's header says it is; may be empty
    std::vector<sasl::ChannelBinding> bindings;  // that can be used on this connection
    Document request;                            // <authenticate/>

    // From the proof on:
    Jid account;               // bare
    AccountId id = 0;          // from onLogin on
    std::string deviceId;      // see deviceIdOf; "" when the user agent has no id
    bool hasPassword = false;  // it was a password that was proved

    Document success{"success", "urn:xmpp:sasl:2"};  // what onLogin adds goes into <success/>
    Document bound{"bound", "urn:xmpp:bind:0"};  // what onBinding and onInline add: into <bound/>
    StateSlots slots;                            // of the plugins, for this login
    // What onBinding wants done to the session, when it exists.
    std::vector<std::function<void(Session&)>> whenBound;

    const Element* bind() const { return request->child("bind", "urn:xmpp:bind:0"); }
};

// What an installation of a client is called here: always the same for an account and the id of a
// user agent, and nothing of that id can be told from it. Ends the resource of its sessions
// (XEP-0386, 3.2.1).
std::string deviceIdOf(const Server& server, const Jid& account, std::string_view userAgentId);

// Kept with a session whose client has told an id, as state.
struct SessionDevice {
    std::string id;
    std::string save() const { return id; }
    static SessionDevice restore(std::string_view text) { return {std::string{text}}; }
};

// The access of a device is taken away, on its account's shard: whatever login of it is under way at
// this moment gets no session, though it has proved who it is before.
void noteRevocation(Host& host, const Jid& account, std::string device, SteadyTime now);
// Whether that has happened since then.
bool isRevokedSince(Host& host, const Jid& account, std::string_view device, SteadyTime began);

// An answer to one step of a task: data for the client, the end, or a refusal of the login.
struct TaskDone {};
using TaskStep = std::variant<Document, TaskDone, sasl::Failure>;

// Something to be done after the password and before the login counts (XEP-0388, 2.6.3). Made for
// one login.
class LoginTask {
public:
    virtual ~LoginTask() = default;
    virtual std::string_view name() const = 0;  // "UPGR-SCRAM-SHA-256"
    // <next/>, then each <task-data/> of the client. A Document goes into our <task-data/>.
    virtual Task<TaskStep> take(Login& login, const Element& element) = 0;
};

// An element of <bind/> that a client asks for; it adds its answer, if there is one, to `bound`.
// Runs when the session exists and before its client hears of it.
struct InlineRequest {
    Session& session;
    const Element& element;
    Element& bound;
};

// What plugins have wired, with the plugin's name.
struct LoginMethod {
    std::string owner;
    // Success, Failure, or as a last word a Challenge (RFC 7628); who can't find out throws.
    std::function<Task<sasl::Step>(Login&)> run;
};
struct LoginTaskMaker {
    std::string owner;
    // Null when this login needs none.
    std::function<Task<std::unique_ptr<LoginTask>>(Login&)> make;
};
struct LoginHandler {
    std::string owner;
    std::function<Task<void>(Login&)> run;
};
struct InlineFeature {
    std::string owner;
    std::string name;
    std::string ns;  // is advertised as well
    std::function<void(InlineRequest&)> run;
};

}  // namespace epode
