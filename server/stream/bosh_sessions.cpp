#include "stream/bosh_sessions.h"

#include "core/jid.h"
#include "core/metric.h"
#include "core/random.h"
#include "net/ip_address.h"
#include "route/shard.h"
#include "stream/bosh_transport.h"
#include "stream/client_streams.h"

namespace epode {

namespace {

Counter boshFailures{"epode_bosh_failures_total", "Requests of BOSH that were refused"};

constexpr std::size_t sidCharacters = 32;

}  // namespace

std::string boshTermination(std::string_view condition) {
    std::string body = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate'";
    if (!condition.empty()) body.append(" condition='").append(condition).append("'");
    return body.append("/>");
}

void answerBosh(const HttpExchangePtr& exchange, std::string body) {
    auto answer = [exchange, body = std::move(body)]() mutable {
        // Whatever type a client asks for: ours can't be taken for a page.
        HttpResponse response = HttpResponse::of("text/xml; charset=utf-8", std::move(body));
        response.set("Cache-Control", "no-store");
        exchange->answer(std::move(response));
    };
    if (exchange->executor().isCurrent())
        answer();
    else
        exchange->executor().post(std::move(answer));
}

void BoshSessions::receive(HttpExchangePtr exchange, std::string text, ClientStreams& streams,
                           const BoshSettings& settings) {
    BoshRequest request;
    request.exchange = std::move(exchange);
    request.text = std::make_shared<const std::string>(std::move(text));
    auto body = parseBoshBody(*request.text);
    if (!body) {
        boshFailures.add();
        answerBosh(request.exchange, boshTermination("bad-request"));
        return;
    }
    request.body = std::move(*body);
    if (request.body.get("sid").empty())
        create(std::move(request), streams, settings);
    else
        deliver(std::move(request));
}

void BoshSessions::create(BoshRequest request, ClientStreams& streams,
                          const BoshSettings& settings) {
    const auto refuse = [&](std::string_view condition) {
        boshFailures.add();
        answerBosh(request.exchange, boshTermination(condition));
    };
    const std::string_view to = request.body.get("to");
    if (to.empty()) return refuse("improper-addressing");
    const auto domain = Jid::parse(to);
    if (!domain || !domain->isDomain() || !streams.shard().host(domain->domain()))
        return refuse("host-unknown");
    for (const std::string_view name : {"wait", "hold"})
        if (!request.body.get(name).empty() && !request.body.number(name))
            return refuse("bad-request");
    AddressLimit::Place place;
    if (const auto address = IpAddress::parse(request.exchange->request().address);
        address && limit_) {
        auto taken = limit_->take(*address);
        if (!taken) return refuse("policy-violation");
        place = std::move(*taken);
    }
    std::string sid = randomId(sidCharacters);
    auto transport = std::make_unique<BoshTransport>(shared_from_this(), sid, request, settings,
                                                     std::move(place));
    BoshTransport& session = *transport;
    add(sid, session, streams.shard().executor());
    streams.accept(std::move(transport));
    session.begin(std::move(request));
}

// On the executor where the session is at that time; it may be another one when it gets there.
void BoshSessions::deliver(BoshRequest request) {
    std::string sid{request.body.get("sid")};
    Executor* executor = nullptr;
    BoshTransport* session = nullptr;
    {
        const std::lock_guard lock{mutex_};
        const auto found = entries_.find(sid);
        if (found != entries_.end()) {
            if (found->second.isMoving) {
                found->second.waiting.push_back(std::move(request));
                return;
            }
            executor = found->second.executor;
            if (executor->isCurrent()) session = found->second.session;
        }
    }
    if (!executor) {
        boshFailures.add();
        answerBosh(request.exchange, boshTermination("item-not-found"));
    } else if (session) {
        // XEP-0124, 19.1: who asks in the open is told nothing, and ends nothing.
        if (session->isSecure() && !request.exchange->request().isSecure) {
            answerBosh(request.exchange, boshTermination("item-not-found"));
            return;
        }
        session->receive(std::move(request));
    } else {
        executor->post([self = shared_from_this(), request = std::move(request)]() mutable {
            self->deliver(std::move(request));
        });
    }
}

void BoshSessions::add(const std::string& sid, BoshTransport& session, Executor& executor) {
    const std::lock_guard lock{mutex_};
    Entry& entry = entries_[sid];
    entry.session = &session;
    entry.executor = &executor;
}

void BoshSessions::remove(const std::string& sid) {
    std::vector<BoshRequest> waiting;
    {
        const std::lock_guard lock{mutex_};
        const auto found = entries_.find(sid);
        if (found == entries_.end()) return;
        waiting = std::move(found->second.waiting);
        entries_.erase(found);
    }
    for (auto& request : waiting) answerBosh(request.exchange, boshTermination("item-not-found"));
}

void BoshSessions::leave(const std::string& sid) {
    const std::lock_guard lock{mutex_};
    if (const auto found = entries_.find(sid); found != entries_.end())
        found->second.isMoving = true;
}

void BoshSessions::arrive(const std::string& sid, Executor& executor) {
    std::vector<BoshRequest> waiting;
    {
        const std::lock_guard lock{mutex_};
        const auto found = entries_.find(sid);
        if (found == entries_.end()) return;
        found->second.isMoving = false;
        found->second.executor = &executor;
        waiting = std::exchange(found->second.waiting, {});
    }
    for (auto& request : waiting)
        executor.post([self = shared_from_this(), request = std::move(request)]() mutable {
            self->deliver(std::move(request));
        });
}

std::size_t BoshSessions::count() const {
    const std::lock_guard lock{mutex_};
    return entries_.size();
}

}  // namespace epode
