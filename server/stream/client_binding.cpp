// From login to the session: resource binding (RFC 6120, 7) and resumption (XEP-0198, 5).
#include "core/log.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "route/account.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/stores.h"
#include "stream/client_login.h"
#include "stream/client_stream.h"
#include "stream/client_streams.h"

#include <charconv>

namespace epode {

namespace {

const Log streamLog{"stream"};

// How often, and how many times, resumption looks whether everything is stored that the client had
// sent: five seconds at most.
constexpr auto safeCheck = std::chrono::milliseconds{2};
constexpr int safeChecksMax = 2500;

}  // namespace

void ClientStream::receiveBeforeSession(Document element) {
    if (!isAuthenticated()) {
        // The session may begin within it, which frees it.
        const auto login = login_;
        login->receive(std::move(element));
        return;
    }
    if (element->is("resume", ns::streamManagement)) {
        resume(*element);
        return;
    }
    if (element->ns() == ns::streamManagement) {
        failManagement(Condition::UnexpectedRequest, "Bind a resource first.");
        return;
    }
    auto problem = Stanza::Problem::None;
    const auto stanza = Stanza::fromDocument(std::move(element), {}, problem);
    const Element* payload = stanza && stanza->isIq() ? stanza->payload() : nullptr;
    const bool isBinding = payload && payload->is("bind", ns::bind) &&
                           stanza->type() == StanzaType::Set && problem == Stanza::Problem::None;
    if (!isBinding) {
        end({.condition = StreamCondition::NotAuthorized,
             .text = "Bind a resource before anything else."});
        return;
    }
    bind(*stanza, *payload);
}

void ClientStream::bind(const Stanza& request, const Element& bind) {
    std::string wanted{bind.childText("resource")};
    if (!wanted.empty() && !authenticated_.withResource(wanted)) {
        request.error({Condition::BadRequest, "This resource is no valid one."})->write(output(), ns::client);
        wantFlush();
        return;
    }
    hold();
    StanzaPtr kept = request.copy();
    std::weak_ptr<ClientLogin> alive = login_;
    shard().withAccount(
        authenticated_,
        [this, alive, wanted, kept](Account* account) {
            if (alive.expired() || phase_ == Phase::Over) return;
            if (!account) {
                end({.condition = StreamCondition::NotAuthorized, .text = "The account was removed."});
                return;
            }
            bindTo(*account, wanted, kept);
        },
        [this, alive] {
            if (alive.expired()) return;
            end({.condition = StreamCondition::InternalServerError,
                 .text = "The server can't reach its storage at the moment; try again later."});
        });
}

void ClientStream::bindTo(Account& account, std::string_view wanted, StanzaPtr request) {
    const Jid full =
        *authenticated_.withResource(wanted.empty() ? std::string_view{randomId(10)} : wanted);
    if (refusesWhenStopping() || login_->refusesRevoked()) return;
    Session* session = makeSession(account, full);
    if (!session) {
        request->error({ErrorType::Wait, Condition::ResourceConstraint,
                        "This account has too many sessions."})
            ->write(output(), ns::client);
        wantFlush();
        proceed();
        return;
    }
    const std::string device = login_->deviceId();
    if (!device.empty()) session->state<SessionDevice>().id = device;
    Document answer{"bind", ns::bind};
    answer->addWithText("jid", full.text());
    request->result(*answer)->write(output(), ns::client);
    wantFlush();
    begin(*session);
    sessionIsBound(*session);
}

Session* ClientStream::makeSession(Account& account, const Jid& full) {
    if (Session* before = account.session(full.resource())) {
        // The newer connection wins (RFC 6120, 7.7.2.2): the old one is most often dead.
        before->end({.condition = StreamCondition::Conflict,
                     .text = "Another connection has taken this resource."});
    }
    const auto most = std::size_t(streams_->limits(host_->domain()).resourcesMax);
    if (account.sessions().size() >= most) endOldestAway(account);
    if (account.sessions().size() >= most) return nullptr;
    return &account.bind(full);
}

void ClientStream::sessionIsBound(Session& session) {
    Executor& executor = shard().executor();
    shard().server().stores().accounts.noteLogin(executor, session.account().id(),
                                                 executor.wallNow());
    SessionEvent event{session};
    host_->services().sessionBound.run(event);
    proceed();
}

// Who comes back again and again without resuming must not be locked out by the sessions that he has
// left behind.
void ClientStream::endOldestAway(Account& account) {
    for (const auto& session : account.sessions()) {
        if (session->outlet()) continue;
        session->end({});
        return;
    }
}

bool ClientStream::refusesWhenStopping() {
    if (!shard().server().isStopping()) return false;
    end({.condition = StreamCondition::SystemShutdown, .text = "The server is going down."});
    return true;
}

// The session carries on with this stream.
void ClientStream::begin(Session& session) {
    session_ = &session;
    session.attach(*this);
    phase_ = Phase::Session;
    xml_.setLimits(streams_->limits(host_->domain()).afterLogin);
    transport_->forgetLoginSecrets();
    login_->leave();
    login_.reset();
    streamLog.info("session began", {{"session", session.jid().text()},
                                     {"address", peerAddress()},
                                     {"tls", secure_}});
}

// ---- resumption

void ClientStream::resume(const Element& element) {
    std::uint32_t h = 0;
    const std::string_view text = element.get("h");
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), h);
    std::string smId{element.get("previd")};
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || smId.empty()) {
        failResumption(Condition::BadRequest, "A resumption has 'previd' and a number 'h'.");
        return;
    }
    hold();
    std::weak_ptr<ClientLogin> alive = login_;
    shard().withAccount(
        authenticated_,
        [this, alive, smId, h](Account* account) {
            if (!alive.expired() && phase_ != Phase::Over) resumeWith(account, smId, h);
        },
        [this, alive] {
            if (alive.expired()) return;
            failResumption(Condition::InternalServerError, "The storage can't be reached.");
        });
}

void ClientStream::failResumption(Condition condition, std::string_view text) {
    if (login_->isInline()) {
        login_->resumptionFailed(condition, text);
        return;
    }
    failManagement(condition, text);
    proceed();
}

void ClientStream::resumeWith(Account* account, std::string smId, std::uint32_t h) {
    // An id is looked for among the sessions of the account that has logged in: another account's is
    // as unknown as one that has expired.
    Session* session = account ? account->sessionBySmId(smId) : nullptr;
    if (!session || !session->sm()->isResumable()) {
        failResumption(Condition::ItemNotFound, "There is no such session, or it has expired.");
        return;
    }
    if (refusesWhenStopping()) return;
    const Jid full = session->jid();
    if (Outlet* old = session->outlet())
        old->end({.condition = StreamCondition::Conflict,
                  .text = "The session was resumed by another connection."});
    resumeWhenSafe(full, smId, h, safeChecksMax);
}

// The client repeats what our `h` does not cover: it has to cover all that we work on already.
void ClientStream::resumeWhenSafe(const Jid& full, const std::string& smId, std::uint32_t h,
                                  int patience) {
    Session* session = shard().session(full);
    if (!session || !session->sm() || session->sm()->id() != smId || session->outlet()) {
        failResumption(Condition::ItemNotFound, "The session has ended meanwhile.");
        return;
    }
    if (session->sm()->inbound().unsafe() > 0 && patience > 0) {
        login_->timer = shard().executor().after(safeCheck, [this, full, smId, h, patience] {
            resumeWhenSafe(full, smId, h, patience - 1);
        });
        return;
    }
    if (login_->refusesRevoked()) return;
    if (!acknowledge(*session, h)) return;
    StreamManagement& sm = *session->sm();
    // The database still works on the rest: what it stores of it may come twice, but is not lost.
    if (sm.inbound().unsafe() > 0) session->restartInbound(sm.inbound().safe());
    if (login_->isInline()) {
        login_->resumed(full, sm.inbound().safe(), sm.id());
    } else {
        std::string& out = output();
        out.append("<resumed xmlns='urn:xmpp:sm:3' previd='");
        escapeAttribute(out, sm.id());
        out.append("' h='").append(std::to_string(sm.inbound().safe())).append("'/>");
        wantFlush();
    }
    sm.expiry = {};
    begin(*session);
    session->resend();
    SessionEvent event{*session};
    host_->services().sessionResumed.run(event);
    // While it was away, older messages stayed in the log.
    if (session->takesMessages()) session->account().deliverPending(*session);
    proceed();
}

}  // namespace epode
