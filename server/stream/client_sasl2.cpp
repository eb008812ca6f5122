// SASL2 (XEP-0388): a login that brings along what the client wants besides, so that it is there
// after one round trip: its session by Bind 2 (XEP-0386), or the one it had (XEP-0198, 9).
#include "core/base64.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "core/sasl/oauth_bearer.h"
#include "net/ip_address.h"
#include "route/account.h"
#include "route/login_limiter.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/stores.h"
#include "stream/client_login.h"
#include "stream/client_stream.h"
#include "stream/client_streams.h"
#include "stream/user_agent.h"

#include <algorithm>

namespace epode {

namespace {

// Base 64 as SASL2 has it: "=" has no meaning of its own. White space is not forbidden, and the
// examples of the specification are full of it.
std::optional<std::string> decodeData(const Element& element) {
    std::string text{element.text()};
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
    return decodeBase64(text);
}

}  // namespace

// ---- the offer

void ClientLogin::addSasl2(Element& features) {
    if (!stream_.isSecure()) return;  // XEP-0388, 3
    Element& authentication = features.add("authentication", ns::sasl2);
    for (const auto& name : setup_.offered) authentication.addWithText("mechanism", name);
    Element& inlined = authentication.add("inline");
    inlined.add("sm", ns::streamManagement);
    Element& bindInline = inlined.add("bind", ns::bind2).add("inline");
    bindInline.add("feature").set("var", ns::streamManagement);
    const Services& services = stream_.host().services();
    std::string_view last;
    for (const auto& feature : services.inlines) {
        if (feature.ns != last) bindInline.add("feature").set("var", feature.ns);
        last = feature.ns;
    }
    if (services.loginFeatures.empty()) return;
    std::vector<std::string> types;
    for (const auto& binding : setup_.bindings) types.push_back(binding.type);
    LoginFeaturesEvent event{stream_, types, authentication, inlined};
    services.loginFeatures.run(event);
}

// ---- the exchange

// XEP-0388, 2.4: while it lasts nothing may come but the answer to the last step.
void ClientLogin::receiveSasl2(Document element) {
    profile_ = Profile::Sasl2;
    const std::string_view name = element->name();
    const auto refuse = [this](std::string_view text) {
        stream_.end({.condition = StreamCondition::NotAuthorized, .text = std::string{text}});
    };
    if (!stream_.isSecure()) return refuse("This is not offered without TLS.");
    if (!login_) {
        if (name == "authenticate") return beginSasl2(std::move(element));
        if (name == "abort") return fail(sasl::Condition::Aborted, "The client has given up.");
        return fail(sasl::Condition::MalformedRequest, "No login is under way.");
    }
    if (name == "abort") return fail(sasl::Condition::Aborted, "The client has given up.");
    if (name == "response" && mechanism_) {
        const auto bytes = decodeData(*element);
        if (!bytes) return fail(sasl::Condition::IncorrectEncoding, "The response is no base 64.");
        return take(mechanism_->step(*bytes));
    }
    if (name == "response" && isRefused_)
        return fail(sasl::Condition::NotAuthorized, "The token is not accepted.");
    if (task_ && name == (isTaskBegun_ ? "task-data" : "next")) return takeTask(std::move(element));
    refuse("Only the answer to the last step may come now.");
}

const LoginMethod* ClientLogin::methodFor(std::string_view mechanism,
                                          const std::optional<std::string>& initial) const {
    const auto& methods = stream_.host().services().loginMethods;
    const auto method = methods.find(mechanism);
    if (method == methods.end()) return nullptr;
    const auto& offered = setup_.offered;
    const bool isOffered = std::find(offered.begin(), offered.end(), mechanism) != offered.end();
    // A password is a token by its looks alone; the mechanism stays what it is for all others.
    if (mechanism == "PLAIN")
        return isOffered && initial && sasl::readPlainToken(*initial) ? &method->second : nullptr;
    // What else plugins have is offered by themselves, and within SASL2.
    return isOffered || profile_ == Profile::Sasl2 ? &method->second : nullptr;
}

void ClientLogin::beginLogin(std::string mechanism) {
    services_ = stream_.host().sharedServices();
    login_ = std::make_unique<Login>();
    login_->shard = &stream_.shard();
    login_->began = stream_.shard().executor().now();
    login_->host = &stream_.host();
    login_->address = stream_.peerAddress();
    login_->mechanism = std::move(mechanism);
    login_->claimed = setup_.claimed;
    login_->bindings = setup_.bindings;
}

void ClientLogin::beginSasl2(Document request) {
    isMethod_ = isRefused_ = false;
    username_.clear();
    const std::string mechanism{request->get("mechanism")};
    auto userAgent = readUserAgent(*request);
    std::optional<std::string> initial;
    const Element* response = request->child("initial-response");
    if (response) initial = decodeData(*response);
    if (response && !initial)
        return fail(sasl::Condition::IncorrectEncoding, "The initial response is no base 64.");
    if (!userAgent)
        return fail(sasl::Condition::MalformedRequest,
                    "The id of a user agent is a UUID of version 4.");

    beginLogin(mechanism);
    login_->userAgent = std::move(*userAgent);
    login_->request = std::move(request);
    taskMaker_ = 0;

    if (const auto* method = methodFor(mechanism, initial)) {
        if (!initial)
            return fail(sasl::Condition::MalformedRequest, "The initial response is missing.");
        login_->message = std::move(*initial);
        return runMethod(*method);
    }
    mechanism_ = sasl::makeMechanism(mechanism, setup_);
    if (!mechanism_)
        return fail(sasl::Condition::InvalidMechanism, "This mechanism was not offered.");
    take(initial ? mechanism_->start(*initial) : mechanism_->start(std::nullopt));
}

void ClientLogin::runMethod(const LoginMethod& method) {
    isMethod_ = true;
    Shard& shard = stream_.shard();
    if (!shard.server().loginLimiter().allows(networkOf(stream_.peerAddress()),
                                              shard.executor().now()))
        return fail(sasl::Condition::TemporaryAuthFailure,
                    "There were too many failed attempts; try again in some minutes.");
    hold();
    start(method.run(*login_),
          [self = shared_from_this()](std::optional<sasl::Step> step, std::exception_ptr failure) {
              if (self->isOver()) return;
              if (failure)
                  self->fail(sasl::Condition::TemporaryAuthFailure,
                             "The server can't check this at the moment; try again later.");
              else
                  self->take(std::move(*step));
              self->proceed();
          });
}

// ---- what has to be done before it counts

void ClientLogin::proved(const sasl::Success& success) {
    isCompleting_ = true;
    hold();
    login_->account = success.identity.bare();
    login_->deviceId = deviceIdOf(stream_.shard().server(), login_->account, login_->userAgent.id);
    login_->hasPassword = !isMethod_ && mechanism_->name() != "EXTERNAL";
    additionalData_ = success.bytes;
    mechanism_.reset();
    // A token stands for a login that was complete (XEP-0484, 4.2).
    if (isMethod_) taskMaker_ = services_->loginTasks.size();
    makeTask();
}

void ClientLogin::makeTask() {
    if (taskMaker_ >= services_->loginTasks.size()) return complete();
    const auto& maker = services_->loginTasks[taskMaker_++];
    start(maker.make(*login_),
          [self = shared_from_this()](std::optional<std::unique_ptr<LoginTask>> task,
                                      std::exception_ptr failure) {
              if (self->isOver()) return;
              // Whether a second factor is needed is not known: then nobody logs in.
              if (failure)
                  self->fail(sasl::Condition::TemporaryAuthFailure,
                             "The server can't check this at the moment; try again later.");
              else if (*task)
                  self->offerTask(std::move(*task));
              else
                  self->makeTask();
              self->proceed();
          });
}

void ClientLogin::offerTask(std::unique_ptr<LoginTask> task) {
    task_ = std::move(task);
    isTaskBegun_ = false;
    isCompleting_ = false;
    std::string& out = stream_.output();
    out.append("<continue xmlns='urn:xmpp:sasl:2'>");
    if (!additionalData_.empty())
        out.append("<additional-data>")
            .append(encodeBase64(std::exchange(additionalData_, {})))
            .append("</additional-data>");
    out.append("<tasks><task>");
    escapeText(out, task_->name());
    out.append("</task></tasks></continue>");
    stream_.wantFlush();
}

void ClientLogin::takeTask(Document element) {
    if (!isTaskBegun_ && element->get("task") != task_->name())
        return fail(sasl::Condition::MalformedRequest, "This task was not offered.");
    isTaskBegun_ = true;
    isCompleting_ = true;
    hold();
    const auto kept = std::make_shared<Document>(std::move(element));
    const Element& request = **kept;
    start(task_->take(*login_, request),
          [self = shared_from_this(), kept](std::optional<TaskStep> step,
                                            std::exception_ptr failure) {
              if (self->isOver()) return;
              if (failure) {
                  self->fail(sasl::Condition::TemporaryAuthFailure,
                             "The server can't do this at the moment; try again later.");
              } else if (const auto* refusal = std::get_if<sasl::Failure>(&*step)) {
                  self->fail(refusal->condition, refusal->text);
              } else if (const auto* data = std::get_if<Document>(&*step)) {
                  self->isCompleting_ = false;
                  std::string& out = self->stream_.output();
                  out.append("<task-data xmlns='urn:xmpp:sasl:2'>");
                  writeXml(out, **data, ns::sasl2);
                  out.append("</task-data>");
                  self->stream_.wantFlush();
              } else {
                  self->task_.reset();
                  self->makeTask();
              }
              self->proceed();
          });
}

// ---- along with it

// The session will live where its account does; so the connection goes there.
void ClientLogin::complete() {
    countSuccess(login_->account);
    Shard& here = stream_.shard();
    Shard& home = here.server().shardOf(login_->account.text());
    if (&home == &here) return load();
    leave();
    stream_.moveTo(home, [self = shared_from_this()] {
        self->login_->shard = &self->stream_.shard();
        self->login_->host = &self->stream_.host();
        self->services_ = self->stream_.host().sharedServices();
        self->load();
    });
}

// Calls `then` with the account; without it the stream ends.
template <typename Then>
void ClientLogin::withAccount(Then then) {
    stream_.shard().withAccount(
        login_->account,
        [self = shared_from_this(), then](Account* account) {
            if (self->isOver()) return;
            if (account) return then(*self, *account);
            self->stream_.end(
                {.condition = StreamCondition::NotAuthorized, .text = "The account was removed."});
        },
        [self = shared_from_this()] {
            if (self->isOver()) return;
            self->stream_.end(
                {.condition = StreamCondition::InternalServerError,
                 .text = "The server can't reach its storage at the moment; try again later."});
        });
}

void ClientLogin::load() {
    withAccount([](ClientLogin& self, Account& account) {
        self.login_->id = account.id();
        if (self.services_->logins.empty()) return self.resumeOrBind();
        start(self.runAll(self.services_->logins),
              [kept = self.shared_from_this()](std::exception_ptr) {
                  if (!kept->isOver()) kept->resumeOrBind();
              });
    });
}

// What goes along with a login is an addition: that a plugin can't do its part ends no login.
Task<void> ClientLogin::runAll(const std::vector<LoginHandler>& handlers) {
    for (const LoginHandler& handler : handlers) {
        try {
            auto task = handler.run(*login_);
            co_await task;
        } catch (const std::exception& failure) {
            Log{"plugin"}.error("a login handler failed",
                                {{"plugin", handler.owner}, {"failure", failure.what()}});
        }
        if (isOver()) co_return;
    }
}

void ClientLogin::resumeOrBind() {
    if (refusesRevoked()) return;
    stream_.authenticated_ = login_->account;
    const Element* resume = login_->request->child("resume", ns::streamManagement);
    if (resume)
        stream_.resume(*resume);
    else
        bindOrFinish();
}

void ClientLogin::resumed(const Jid& full, std::uint32_t h, std::string_view smId) {
    std::string more{"<resumed xmlns='urn:xmpp:sm:3' previd='"};
    escapeAttribute(more, smId);
    more.append("' h='").append(std::to_string(h)).append("'/>");
    writeSuccess(full.text(), more);
    isHeld_ = false;  // the session goes on by itself
}

void ClientLogin::resumptionFailed(Condition condition, std::string_view text) {
    Element& failed = login_->success->add("failed", ns::streamManagement);
    failed.add(toText(condition), ns::stanzaErrors);
    failed.add("text", ns::stanzaErrors).addText(text);
    bindOrFinish();
}

void ClientLogin::bindOrFinish() {
    if (!login_->bind()) return finishUnbound();
    const auto withHandlersDone = [](ClientLogin& self) {
        self.withAccount([](ClientLogin& same, Account& account) { same.bind(account); });
    };
    if (services_->bindings.empty()) return withHandlersDone(*this);
    start(runAll(services_->bindings),
          [self = shared_from_this(), withHandlersDone](std::exception_ptr) {
              if (!self->isOver()) withHandlersDone(*self);
          });
}

// The client goes on with RFC 6120, 7, on the same stream.
void ClientLogin::finishUnbound() {
    if (refusesRevoked()) return;
    writeSuccess(login_->account.text());
    stream_.sendFeatures();
    isCompleting_ = false;
    proceed();
}

// It was valid when the token was looked up; meanwhile its owner may have taken it away.
bool ClientLogin::refusesRevoked() {
    if (!login_ || !isRevokedSince(stream_.host(), login_->account, login_->deviceId, login_->began))
        return false;
    stream_.end({.condition = StreamCondition::NotAuthorized,
                 .text = "The access of this device was revoked."});
    return true;
}

void ClientLogin::bind(Account& account) {
    if (stream_.refusesWhenStopping() || refusesRevoked()) return;
    const auto full = account.jid().withResource(resourceFor(*login_->bind()));
    endEarlierSessions(account);
    Session* session = stream_.makeSession(account, *full);
    if (!session) {
        stream_.end({.condition = StreamCondition::ResourceConstraint,
                     .text = "This account has too many sessions."});
        return;
    }
    if (!login_->deviceId.empty()) session->state<SessionDevice>().id = login_->deviceId;
    addInline(*session);
    for (const auto& then : login_->whenBound) then(*session);
    std::string bound;
    writeXml(bound, *login_->bound, ns::sasl2);
    writeSuccess(full->text(), bound);
    isHeld_ = false;  // the session goes on by itself
    stream_.begin(*session);
    stream_.sendFeatures();
    stream_.sessionIsBound(*session);
}

// `[client tag]/[server generated identifier]`: the same for each login of an installation, so that
// it takes the place of its own session that it has lost (XEP-0386, 3.2.1).
std::string ClientLogin::resourceFor(const Element& bind) const {
    constexpr std::size_t tagBytesMax = 128;
    const std::string own = login_->deviceId.empty() ? randomId(16) : login_->deviceId;
    const Element* tag = bind.child("tag");
    if (!tag || tag->text().empty() || tag->text().size() > tagBytesMax) return own;
    std::string both{tag->text()};
    both.append("/").append(own);
    return login_->account.withResource(both) ? both : own;
}

// Under another tag, or bound as RFC 6120 has it; what it hasn't acknowledged goes to the new one.
void ClientLogin::endEarlierSessions(Account& account) {
    if (login_->deviceId.empty()) return;
    std::vector<Session*> earlier;
    for (const auto& session : account.sessions()) {
        const auto* device = session->slots().find<SessionDevice>();
        if (device && device->id == login_->deviceId) earlier.push_back(session.get());
    }
    for (Session* session : earlier)
        session->end({.condition = StreamCondition::Conflict,
                      .text = "The same client has logged in again."});
}

void ClientLogin::addInline(Session& session) {
    Element& bound = *login_->bound;
    for (const Element& child : login_->bind()->children()) {
        if (child.is("enable", ns::streamManagement)) {
            if (!session.sm()) bound.add(*stream_.makeEnabled(session, child));
            continue;
        }
        for (const auto& feature : services_->inlines) {
            if (!child.is(feature.name, feature.ns)) continue;
            try {
                InlineRequest request{session, child, bound};
                feature.run(request);
            } catch (const std::exception& failure) {
                Log{"plugin"}.error("an inline feature failed",
                                    {{"plugin", feature.owner}, {"failure", failure.what()}});
            }
        }
    }
}

void ClientLogin::writeSuccess(std::string_view identity, std::string_view more) {
    std::string& out = stream_.output();
    out.append("<success xmlns='urn:xmpp:sasl:2'>");
    if (!additionalData_.empty())
        out.append("<additional-data>")
            .append(encodeBase64(additionalData_))
            .append("</additional-data>");
    out.append("<authorization-identifier>");
    escapeText(out, identity);
    out.append("</authorization-identifier>");
    writeInnerXml(out, *login_->success);
    out.append(more).append("</success>");
    stream_.wantFlush();
}

void ClientLogin::writeFailure(sasl::Condition condition, std::string_view text) {
    std::string& out = stream_.output();
    out.append("<failure xmlns='urn:xmpp:sasl:2'><").append(toText(condition));
    out.append(" xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/><text>");
    escapeText(out, text);
    out.append("</text></failure>");
    stream_.wantFlush();
}

}  // namespace epode
