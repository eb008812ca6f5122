#include "client.h"

#include "core/namespaces.h"
#include "core/random.h"
#include "route/account.h"
#include "route/hooks.h"
#include "route/host.h"
#include "route/message_content.h"
#include "route/session.h"
#include "route/shard.h"

#include <algorithm>
#include <charconv>

namespace epode::rest {

namespace {

// Long enough for another server that is slow, short enough for who waits with a request.
constexpr Duration patience = std::chrono::seconds{30};

constexpr std::size_t idCharacters = 16;

std::optional<std::uint32_t> handledOf(const Element& element) {
    if (!element.is("a", ns::streamManagement)) return std::nullopt;
    const std::string_view text = element.get("h");
    std::uint32_t h = 0;
    std::from_chars(text.data(), text.data() + text.size(), h);
    return h;
}

}  // namespace

Client::Client(Shard& shard, Jid jid, std::string address)
    : shard_{shard},
      jid_{std::move(jid)},
      address_{std::move(address)},
      lastUsed_{shard.executor().now()} {}

Client::~Client() = default;

ClientPtr Client::begin(Account& account, std::string address) {
    const Jid full = *account.jid().withResource("rest-" + randomId(10));
    Session& session = account.bind(full);
    const ClientPtr client{new Client{account.shard(), full, std::move(address)}};
    // So that it is known when what it sends is safe.
    session.enableSm(randomId(), false);
    session.attach(*client);
    SessionEvent event{session};
    account.host().services().sessionBound.run(event);
    return client;
}

Session* Client::session() const {
    Session* session = isOver_ ? nullptr : shard_.session(jid_);
    return session && session->outlet() == this ? session : nullptr;
}

void Client::close() {
    if (Session* mine = session()) mine->end({});
}

bool Client::isIdle() const { return questions_.empty() && sendings_.empty() && waitings_.empty(); }

// ---- what goes out

void Client::say(MutableStanzaPtr stanza) {
    lastUsed_ = shard_.executor().now();
    Session* mine = session();
    if (!mine) return;
    ++sent_;
    mine->receive(std::move(stanza));
}

void Client::ask(MutableStanzaPtr request, std::string queryId,
                 Callback<Answered>::Resolve resolve) {
    request->setId(randomId(idCharacters));
    Question question;
    question.id = request->id();
    question.to = request->to();
    question.queryId = std::move(queryId);
    question.resolve = std::move(resolve);
    question.patience = shard_.executor().after(patience, [this, id = question.id] {
        const auto late = std::find_if(questions_.begin(), questions_.end(),
                                       [&id](const Question& each) { return each.id == id; });
        auto answered = std::move(late->resolve);
        questions_.erase(late);
        answered({});
    });
    questions_.push_back(std::move(question));
    say(std::move(request));
    if (isOver_) finish();
}

void Client::send(MutableStanzaPtr stanza, Callback<Sent>::Resolve resolve) {
    const std::uint32_t number = sent_ + 1;
    Sending sending;
    sending.id = stanza->id();
    sending.number = number;
    sending.resolve = std::move(resolve);
    sending.patience = shard_.executor().after(patience, [this, number] {
        const auto late =
            std::find_if(sendings_.begin(), sendings_.end(),
                         [number](const Sending& each) { return each.number == number; });
        auto answered = std::move(late->resolve);
        sendings_.erase(late);
        answered({nullptr, true});
    });
    sendings_.push_back(std::move(sending));
    say(std::move(stanza));
    if (Session* mine = session()) mine->ackRequested();
    if (isOver_) finish();
}

void Client::await(Fits fits, Callback<StanzaPtr>::Resolve resolve) {
    Waiting waiting;
    waiting.fits = std::move(fits);
    waiting.resolve = std::move(resolve);
    const auto at = waitings_.insert(waitings_.end(), std::move(waiting));
    at->patience = shard_.executor().after(patience, [this, at] {
        auto answered = std::move(at->resolve);
        waitings_.erase(at);
        answered(nullptr);
    });
    if (isOver_) finish();
}

// ---- what comes

// The server writes one element at a time, in the middle of whatever it does: it is looked at in a
// turn of its own.
void Client::wantFlush() {
    if (output_.empty()) return;
    queue_.push_back(std::exchange(output_, {}));
    if (std::exchange(isDraining_, true)) return;
    shard_.executor().post([self = shared_from_this()] { self->drain(); });
}

std::string_view Client::streamNs() const { return ns::client; }

// What is looked at in the next turn waits for nobody.
std::size_t Client::unsentBytes() const { return unsent ? unsent() : 0; }

void Client::drain() {
    isDraining_ = false;
    const auto texts = std::exchange(queue_, {});
    for (const auto& text : texts) {
        auto document = parseXml(text, ns::client);
        if (!document) continue;
        if (const auto h = handledOf(**document)) {
            noteSafe(*h);
            continue;
        }
        auto problem = Stanza::Problem::None;
        const StanzaPtr stanza = Stanza::fromDocument(std::move(*document), {}, problem);
        if (!stanza) continue;  // <r/>: what is taken is acknowledged anyway
        ++received_;
        take(stanza);
    }
    if (!isAcknowledgedLater_ || (hasPassedAll && hasPassedAll()))
        acknowledge(isLeaving_ ? kept_ : received_);
    if (isLeaving_ && isIdle()) close();
}

void Client::acknowledge(std::uint32_t count) {
    if (Session* mine = session()) mine->acknowledge(count);
}

void Client::take(const StanzaPtr& stanza) {
    if (stanza->isPresence()) noteRoom(*stanza);
    if (stanza->isIq()) {
        if (takeAnswer(stanza)) return;
        const Element* payload = stanza->payload();
        if (stanza->type() == StanzaType::Set && payload && payload->is("query", ns::roster)) {
            say(stanza->result());
            if (received) received(stanza);
            return;
        }
        if (stanza->type() == StanzaType::Get && payload && describe &&
            payload->is("query", ns::discoInfo)) {
            auto answer = stanza->result();
            Element& query = answer->edit().add("query", ns::discoInfo);
            if (!payload->get("node").empty()) query.set("node", payload->get("node"));
            describe(query);
            say(std::move(answer));
            return;
        }
        // Somebody asks this client, which has nothing to say.
        if (stanza->isRequest())
            say(stanza->error({Condition::ServiceUnavailable, "This client answers nothing."}));
        return;
    }
    if (takeAwaited(stanza) || takeResult(stanza) || takeError(stanza)) return;
    if (isGivenBack(*stanza)) return;
    if (received) received(stanza);
}

bool Client::takeAnswer(const StanzaPtr& stanza) {
    if (stanza->isRequest()) return false;
    for (auto at = questions_.begin(); at != questions_.end(); ++at) {
        if (at->id != stanza->id()) continue;
        // From whom it was asked; the own account and the server may answer without an address.
        const bool isFitting =
            stanza->from() == at->to ||
            (at->to.empty() && (stanza->from().empty() || stanza->from() == jid_.bare()));
        if (!isFitting && !(stanza->from().empty() && at->to == jid_.bare())) continue;
        Question question = std::move(*at);
        questions_.erase(at);
        question.resolve({stanza, std::move(question.results)});
        return true;
    }
    return true;  // an answer that nobody waits for any more
}

// A result of an archive (XEP-0313) is one when it comes from the archive that was asked.
bool Client::takeResult(const StanzaPtr& stanza) {
    if (!stanza->isMessage()) return false;
    const Element* result = stanza->child("result", "urn:xmpp:mam:2");
    if (!result) return false;
    const std::string_view queryId = result->get("queryid");
    for (Question& question : questions_) {
        if (question.queryId.empty() || question.queryId != queryId) continue;
        const Jid archive = question.to.empty() ? jid_.bare() : question.to;
        if (stanza->from() != archive && !(stanza->from().empty() && archive == jid_.bare()))
            continue;
        question.results.push_back(stanza);
        break;
    }
    return true;
}

bool Client::takeError(const StanzaPtr& stanza) {
    if (!stanza->isMessage() || !stanza->isError()) return false;
    for (auto at = sendings_.begin(); at != sendings_.end(); ++at) {
        if (at->id.empty() || at->id != stanza->id()) continue;
        auto resolve = std::move(at->resolve);
        sendings_.erase(at);
        resolve({stanza, false});
        return true;
    }
    return false;
}

bool Client::takeAwaited(const StanzaPtr& stanza) {
    for (auto at = waitings_.begin(); at != waitings_.end(); ++at) {
        if (!at->fits(*stanza)) continue;
        auto resolve = std::move(at->resolve);
        waitings_.erase(at);
        resolve(stanza);
        return true;
    }
    return false;
}

bool Client::isGivenBack(const Stanza& stanza) {
    if (!givesBack_ || !stanza.isMessage() || stanza.isError() ||
        stanza.type() == StanzaType::Groupchat || keepingOf(stanza) == Keeping::Nothing)
        return false;
    if (!std::exchange(isLeaving_, true)) kept_ = received_ - 1;
    return true;
}

void Client::noteSafe(std::uint32_t count) {
    for (;;) {
        const auto at = std::find_if(sendings_.begin(), sendings_.end(), [&](const Sending& each) {
            return std::int32_t(count - each.number) >= 0;
        });
        if (at == sendings_.end()) return;
        auto resolve = std::move(at->resolve);
        sendings_.erase(at);
        resolve({});
    }
}

// Where it is in a room is what the room says of it (XEP-0045, 7.2.2).
void Client::noteRoom(const Stanza& presence) {
    const Element* x = presence.child("x", ns::mucUser);
    if (!x) return;
    bool isOwn = false, isRenamed = false;
    for (const Element& child : x->children()) {
        isOwn = isOwn || (child.name() == "status" && child.get("code") == "110");
        isRenamed = isRenamed || (child.name() == "status" && child.get("code") == "303");
    }
    const std::string room{presence.from().bareText()};
    const auto known = rooms_.find(room);
    const bool isKnown = known != rooms_.end() && known->second == presence.from();
    if (presence.type() == StanzaType::None && isOwn)
        rooms_[room] = presence.from();
    else if (presence.type() == StanzaType::Unavailable && (isOwn || isKnown) && !isRenamed)
        rooms_.erase(room);
}

// ---- the end

void Client::end(const StreamError&) {
    if (std::exchange(isOver_, true)) return;
    Session* mine = shard_.session(jid_);
    if (mine && mine->outlet() == this) mine->detach(true);
    shard_.executor().post([self = shared_from_this()] {
        self->drain();
        self->finish();
    });
}

// Nobody waits any longer.
void Client::finish() {
    while (!questions_.empty()) {
        auto resolve = std::move(questions_.front().resolve);
        questions_.pop_front();
        shard_.executor().post([resolve = std::move(resolve)]() mutable { resolve({}); });
    }
    while (!sendings_.empty()) {
        auto resolve = std::move(sendings_.front().resolve);
        sendings_.pop_front();
        shard_.executor().post(
            [resolve = std::move(resolve)]() mutable { resolve({nullptr, true}); });
    }
    while (!waitings_.empty()) {
        auto resolve = std::move(waitings_.front().resolve);
        waitings_.pop_front();
        shard_.executor().post([resolve = std::move(resolve)]() mutable { resolve(nullptr); });
    }
    received = {};
    describe = {};
    unsent = {};
    hasPassedAll = {};
    if (auto last = std::exchange(ended, {})) last();
}

Task<Client::Answered> ask(ClientPtr client, MutableStanzaPtr request) {
    std::string none;
    auto answer = co_await askArchive(client, std::move(request), std::move(none));
    co_return answer;
}

Task<Client::Answered> askArchive(ClientPtr client, MutableStanzaPtr request, std::string queryId) {
    UniqueFunction<void(Callback<Client::Answered>::Resolve)> begin =
        [&](Callback<Client::Answered>::Resolve resolve) {
            client->ask(std::move(request), std::move(queryId), std::move(resolve));
        };
    Callback<Client::Answered> answered(std::move(begin));
    auto answer = co_await answered;
    co_return answer;
}

Task<StanzaPtr> sayAndAwait(ClientPtr client, MutableStanzaPtr stanza, Client::Fits fits) {
    UniqueFunction<void(Callback<StanzaPtr>::Resolve)> begin =
        [&](Callback<StanzaPtr>::Resolve resolve) {
            client->await(std::move(fits), std::move(resolve));
            client->say(std::move(stanza));
        };
    Callback<StanzaPtr> come(std::move(begin));
    auto found = co_await come;
    co_return found;
}

Task<Client::Sent> send(ClientPtr client, MutableStanzaPtr stanza) {
    UniqueFunction<void(Callback<Client::Sent>::Resolve)> begin =
        [&](Callback<Client::Sent>::Resolve resolve) {
            client->send(std::move(stanza), std::move(resolve));
        };
    Callback<Client::Sent> done(std::move(begin));
    auto sent = co_await done;
    co_return sent;
}

}  // namespace epode::rest
