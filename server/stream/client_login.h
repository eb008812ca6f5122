// What a stream needs until its session begins: STARTTLS and SASL (RFC 6120, 5 and 6), SASL2 with
// what a client asks for along with it (XEP-0388), and requests before login (in-band
// registration). Freed when the session begins.
#pragma once

#include "core/element.h"
#include "core/executor.h"
#include "core/sasl/mechanisms.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "route/state_slots.h"
#include "route/host.h"
#include "route/login.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Account;
class ClientStream;
class Session;

class ClientLogin : public std::enable_shared_from_this<ClientLogin> {
public:
    explicit ClientLogin(ClientStream& stream);

    // The TLS handshake has ended.
    void secured();
    // Whom the header of a stream says it is from; may be empty.
    void setClaimed(Jid bare) { setup_.claimed = std::move(bare); }
    // Adds STARTTLS, the mechanisms and the channel bindings (XEP-0440) to the features.
    void addFeatures(Element& features);
    // An element of a client that hasn't logged in.
    void receive(Document element);

    // The resumption that came along with a login (XEP-0198, 9.2) has succeeded: what goes into
    // <success/>; or has failed: then a session is bound.
    bool isInline() const { return isCompleting_; }
    void resumed(const Jid& full, std::uint32_t h, std::string_view smId);
    // Of the client that has logged in by SASL2 and said which one it is; else "".
    std::string deviceId() const { return login_ ? login_->deviceId : std::string{}; }
    // Ends the stream when the device's access was revoked while it was logging in.
    bool refusesRevoked();
    void resumptionFailed(Condition condition, std::string_view text);

    // The stream goes to another shard, or is gone: no timer of ours fires any more. After `arrive`
    // they run again.
    void leave();
    void arrive();
    void streamGone() {
        leave();
        gone_ = true;
    }

    Timer timer;  // for what the negotiation waits for after login
    StateSlots slots;

private:
    enum class Profile : std::uint8_t { Sasl1, Sasl2 };

    void startTls();
    void authenticate(const Element& auth);
    void respond(const Element& response);
    void take(sasl::Step step);
    bool isOver() const;
    Task<void> lookUp(sasl::NeedCredentials needed);
    void succeed(const sasl::Success& success);
    void fail(sasl::Condition condition, std::string_view text);
    void countSuccess(const Jid& account);
    void countFailure(sasl::Condition condition);
    void hold();
    void proceed();
    void receiveIq(Document element);

    // SASL2 (client_sasl2.cpp), step by step.
    void addSasl2(Element& features);
    void receiveSasl2(Document element);
    void beginSasl2(Document request);
    // The plugin's method for a login by this mechanism, if it is one.
    const LoginMethod* methodFor(std::string_view mechanism,
                                 const std::optional<std::string>& initial) const;
    void beginLogin(std::string mechanism);
    void runMethod(const LoginMethod& method);
    void proved(const sasl::Success& success);
    void makeTask();
    void offerTask(std::unique_ptr<LoginTask> task);
    void takeTask(Document element);
    void complete();
    void load();
    Task<void> runAll(const std::vector<LoginHandler>& handlers);
    void resumeOrBind();
    void bindOrFinish();
    void bind(Account& account);
    void addInline(Session& session);
    std::string resourceFor(const Element& bind) const;
    void endEarlierSessions(Account& account);
    void finishUnbound();
    void writeSuccess(std::string_view identity, std::string_view more = {});
    void writeFailure(sasl::Condition condition, std::string_view text);
    template <typename Then>
    void withAccount(Then then);

    ClientStream& stream_;
    Timer timeout_;
    sasl::Setup setup_;
    std::unique_ptr<sasl::Mechanism> mechanism_;
    std::string username_;  // of the attempt under way
    int failures_ = 0;
    int mismatches_ = 0;  // attempts that ended before any password was tried
    Profile profile_ = Profile::Sasl1;
    bool isHeld_ = false;  // input waits for a step of ours
    bool gone_ = false;    // the stream doesn't exist any more

    // Of a login by SASL2, or by a plugin's method, that is under way; else null.
    std::unique_ptr<Login> login_;
    std::shared_ptr<const Services> services_;
    std::string additionalData_;  // of the mechanism, for the next <continue/> or <success/>
    std::unique_ptr<LoginTask> task_;
    std::size_t taskMaker_ = 0;  // the next to be asked
    bool isTaskBegun_ = false;
    bool isMethod_ = false;      // a plugin's
    bool isMethodAwaited_ = false;  // its client has not sent the message yet
    bool isRefused_ = false;     // by it: the client's answer to why ends the attempt
    bool isCompleting_ = false;  // proved; nothing of the client is looked at meanwhile
};

}  // namespace epode
