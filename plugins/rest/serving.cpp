// From a request of HTTP to its operation, and back.
#include "body.h"
#include "service.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/worker_pool.h"
#include "net/ip_address.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/database.h"

#include <algorithm>
#include <set>

namespace epode::rest {

namespace {

const Log restLog{"plugin.rest"};

Counter served{"epode_rest_requests_total", "Requests of REST that were answered"};
Counter refused{"epode_rest_refused_total", "Requests of REST that were answered with a problem"};
Counter limited{"epode_rest_limited_total", "Requests of REST that came too fast"};

std::vector<std::string_view> partsOf(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const auto end = std::min(path.find('/'), path.size());
        parts.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return parts;
}

std::string challengeOf(std::string_view error, std::string_view scope = {}) {
    std::string text = "Bearer realm=\"rest\"";
    if (!error.empty()) text.append(", error=\"").append(error).append("\"");
    if (!scope.empty()) text.append(", scope=\"").append(scope).append("\"");
    return text;
}

Problem notLoggedIn(std::string sentence, std::string_view error) {
    return {.status = 401,
            .word = "not-logged-in",
            .detail = std::move(sentence),
            .fields = {{"WWW-Authenticate", challengeOf(error)}}};
}

// On the executor of its connection, whatever thread this is.
void settle(const HttpExchangePtr& exchange, Outcome outcome) {
    if (std::holds_alternative<std::monostate>(outcome.what)) return;
    served.add();
    HttpResponse response;
    if (auto* answer = std::get_if<Answer>(&outcome.what)) {
        response = responseOf(std::move(*answer));
    } else {
        refused.add();
        response = responseOf(std::get<Problem>(outcome.what));
    }
    if (exchange->executor().isCurrent()) {
        exchange->answer(std::move(response));
        return;
    }
    exchange->executor().post([exchange, response = std::move(response)]() mutable {
        exchange->answer(std::move(response));
    });
}

Outcome outcomeOf(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const StoreUnavailable&) {
        return unavailable("The server can't reach its storage at the moment; try again later.");
    } catch (const std::exception& problem) {
        restLog.error("a request failed", {{"failure", problem.what()}});
    }
    return Problem{.status = 500, .word = "failed", .detail = "The server has failed."};
}

// Resumes on another executor's thread.
Task<void> goTo(Executor& executor) {
    UniqueFunction<void(Callback<bool>::Resolve)> begin =
        [&executor](Callback<bool>::Resolve resolve) {
            executor.post([resolve = std::move(resolve)]() mutable { resolve(true); });
        };
    Callback<bool> there(std::move(begin));
    co_await there;
}

}  // namespace

std::optional<PathValues> matchPath(std::string_view pattern, std::string_view path) {
    const auto wanted = partsOf(pattern);
    const auto given = partsOf(path);
    if (wanted.size() != given.size()) return std::nullopt;
    PathValues values;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i].starts_with('{') && !given[i].empty())
            values.emplace(wanted[i].substr(1, wanted[i].size() - 2), given[i]);
        else if (wanted[i] != given[i])
            return std::nullopt;
    }
    return values;
}

void Service::answer(const HttpExchangePtr& exchange) {
    const HttpRequest& request = exchange->request();
    const std::string_view path = std::string_view{request.path}.substr(basePath.size());
    const HttpMethod method = request.method == HttpMethod::Head ? HttpMethod::Get : request.method;
    const Operation* found = nullptr;
    PathValues values;
    std::set<std::string> allowed;
    for (const Operation& operation : operations()) {
        auto matched = matchPath(operation.path, path);
        if (!matched) continue;
        // What is written out wins over what is a place for anything.
        if (found && operation.path.find('{') != std::string_view::npos) continue;
        allowed.insert(std::string{toText(operation.method)});
        if (operation.method == HttpMethod::Get) allowed.insert("HEAD");
        if (operation.method != method) continue;
        found = &operation;
        values = std::move(*matched);
    }
    if (!found && allowed.empty()) {
        settle(exchange, notFound("There is no such resource; " + std::string{basePath} +
                                  "/ tells what there is."));
        return;
    }
    if (!found) {
        std::string allow;
        for (const auto& each : allowed) allow.append(allow.empty() ? "" : ", ").append(each);
        Problem problem{.status = 405,
                        .word = "method-not-allowed",
                        .detail = "With this one may " + allow + "."};
        problem.fields.push_back({"Allow", allow});
        settle(exchange, std::move(problem));
        return;
    }
    receive(exchange, *found, std::move(values));
}

std::uint64_t Service::bodyBytesMaxOf(const Operation& operation) const {
    if (operation.body == Body::None) return 0;
    return operation.body == Body::Bytes ? limits_.pictureBytesMax : limits_.bodyBytesMax;
}

std::optional<Problem> Service::whyNotNow(const HttpExchangePtr& exchange) {
    const std::string network = networkOf(exchange->request().address);
    if (perAddress_.take(network, exchange->executor().now())) return std::nullopt;
    limited.add();
    return Problem{.status = 429,
                   .word = "too-many",
                   .detail = "Too many requests come from this address.",
                   .fields = {{"Retry-After", "10"}}};
}

void Service::receive(const HttpExchangePtr& exchange, const Operation& operation,
                      PathValues path) {
    const HttpRequest& request = exchange->request();
    if (auto problem = whyNotNow(exchange)) {
        settle(exchange, std::move(*problem));
        return;
    }
    if (operation.body == Body::Json || operation.body == Body::Arguments) {
        const std::string_view type = request.field("content-type");
        const std::string_view media = type.substr(0, type.find_first_of("; "));
        if (request.hasBody() && !equalIgnoringCase(media, "application/json")) {
            settle(exchange, Problem{.status = 415,
                                     .word = "wrong-type",
                                     .detail = "The body has to be application/json."});
            return;
        }
    }
    const std::uint64_t most = bodyBytesMaxOf(operation);
    const auto tooLarge = [most] {
        return Problem{
            .status = 413,
            .word = "too-large",
            .detail = most == 0 ? "This takes no body."
                                : "The body has more than " + std::to_string(most) + " bytes."};
    };
    if (request.contentLength.value_or(0) > most) {
        settle(exchange, tooLarge());
        return;
    }
    const auto body = std::make_shared<std::string>();
    const auto isRefused = std::make_shared<bool>(false);
    exchange->takeBody(
        [exchange, body, isRefused, most, tooLarge](std::string_view piece) {
            if (*isRefused) return;
            if (body->size() + piece.size() > most) {
                *isRefused = true;
                settle(exchange, tooLarge());
                return;
            }
            body->append(piece);
        },
        [this, exchange, body, isRefused, &operation, path = std::move(path)] {
            if (*isRefused) return;
            // The exchange keeps the plugin.
            start(run(exchange, operation, path, std::move(*body)),
                  [exchange](std::optional<Outcome> outcome, std::exception_ptr failure) {
                      settle(exchange, failure ? outcomeOf(failure) : std::move(*outcome));
                  });
        });
}

// Who asks, and whether he may.
Task<std::optional<Problem>> Service::identify(Call& call, const Operation& operation) {
    Host& host = *call.host;
    if (!host.services().bearers)
        co_return unavailable(
            "This server gives out no tokens: its operator has to load the plugin "
            "\"token\".");
    if (!call.exchange->request().isSecure)
        co_return Problem{.status = 403,
                          .word = "forbidden",
                          .detail = "Tokens are sent over https alone: others could read them."};
    const std::string_view given = call.exchange->request().field("authorization");
    constexpr std::string_view scheme = "bearer ";
    if (given.empty())
        co_return notLoggedIn("Log in, and send the token as \"Authorization: Bearer …\".", "");
    if (given.size() <= scheme.size() || !equalIgnoringCase(given.substr(0, scheme.size()), scheme))
        co_return notLoggedIn("A token is sent as \"Authorization: Bearer …\".", "invalid_request");
    const auto text = given.substr(scheme.size());
    std::string token{text.substr(std::min(text.find_first_not_of(' '), text.size()))};
    call.token = token;
    auto asked = host.services().bearers->bearerOf(std::move(token));
    auto bearer = co_await asked;
    if (!bearer) {
        co_return notLoggedIn("The token is not valid, or not any more; log in again.",
                              "invalid_token");
    }
    if (!bearer->may(toText(operation.scope))) {
        const auto scope = toText(operation.scope);
        co_return Problem{
            .status = 403,
            .word = "insufficient-scope",
            .detail = "The token needs the scope \"" + std::string{scope} + "\".",
            .fields = {{"WWW-Authenticate", challengeOf("insufficient_scope", scope)}}};
    }
    if (!perAccount_.take(bearer->account.text(), call.exchange->executor().now())) {
        limited.add();
        co_return Problem{.status = 429,
                          .word = "too-many",
                          .detail = "Your account asks too often.",
                          .fields = {{"Retry-After", "10"}}};
    }
    call.who = std::move(*bearer);
    co_return std::nullopt;
}

// Begins on the executor of the connection, and ends on that of the account.
Task<Outcome> Service::run(HttpExchangePtr exchange, const Operation& operation, PathValues path,
                           std::string body) {
    Call call;
    call.exchange = exchange;
    call.shard = &server_.here();
    call.host = call.shard->host(host_);
    call.services = call.host->sharedServices();
    if (operation.scope != Scope::None) {
        auto problem = co_await identify(call, operation);
        if (problem) co_return std::move(*problem);
    }
    if (auto problem = readRequest(operation, path, exchange->request(), body, call))
        co_return std::move(*problem);
    call.bytes = std::move(body);
    if (operation.scope != Scope::None) {
        Shard& home = server_.shardOf(call.who.account.text());
        if (&home != call.shard) {
            auto going = goTo(home.executor());
            co_await going;
        }
        call.shard = &home;
        call.host = home.host(host_);
        call.services = call.host->sharedServices();
    }
    auto task = (this->*operation.run)(call);
    auto outcome = co_await task;
    co_return outcome;
}

// ---- the clients of a shard

Service::Found Service::begin(Account& account, std::string address, Use use) {
    if (server_.isStopping()) return {nullptr, unavailable("The server is going down.")};
    if (std::int64_t(account.sessions().size()) >= limits_.resourcesMax)
        return {nullptr, unavailable("Too many clients of the account are logged in.")};
    auto client = Client::begin(account, std::move(address));
    const std::string bare = account.jid().text();
    Here& mine = here(account.shard());
    const std::weak_ptr<Here> weak = mine.weak_from_this();
    if (use == Use::Events) {
        mine.clients[bare].listening.push_back(client);
    } else {
        client->giveBackMessages();
        auto& clients = mine.clients[bare];
        if (clients.usual) clients.leaving.push_back(std::move(clients.usual));
        clients.usual = client;
    }
    client->ended = [weak, bare, ofClient = std::weak_ptr<Client>{client}] {
        const auto there = weak.lock();
        const auto gone = ofClient.lock();
        if (there && gone) there->ended(bare, gone);
    };
    if (!mine.sweep) mine.sweepLater();
    return {client, std::nullopt};
}

void Service::Here::sweepLater() {
    sweep = executor.after(idle / 2, [this] { endIdle(); });
}

void Service::Here::endIdle() {
    const SteadyTime before = executor.now() - idle;
    std::vector<ClientPtr> over;
    for (const auto& [bare, mine] : clients)
        if (mine.usual && mine.usual->isIdle() && mine.usual->lastUsed() <= before)
            over.push_back(mine.usual);
    for (const auto& client : over) client->close();
    sweepLater();
}

void Service::Here::ended(const std::string& account, const ClientPtr& client) {
    const auto found = clients.find(account);
    if (found == clients.end()) return;
    auto& mine = found->second;
    if (mine.usual == client) mine.usual.reset();
    std::erase(mine.listening, client);
    std::erase(mine.leaving, client);
    if (!mine.usual && mine.listening.empty() && mine.leaving.empty()) clients.erase(found);
    if (clients.empty()) sweep = {};
}

ClientPtr Service::Here::usual(const std::string& account) {
    const auto found = clients.find(account);
    const ClientPtr client = found == clients.end() ? nullptr : found->second.usual;
    return client && !client->isOver() && !client->isLeaving() ? client : nullptr;
}

Task<Service::Found> Service::clientOf(Call& call) {
    if (auto known = here(*call.shard).usual(call.who.account.text()))
        co_return Found{std::move(known), std::nullopt};
    UniqueFunction<void(Callback<int>::Resolve)> begin = [&call](Callback<int>::Resolve resolve) {
        auto shared = std::make_shared<Callback<int>::Resolve>(std::move(resolve));
        Executor& executor = call.shard->executor();
        // In a turn of its own, whether the account is in memory or not.
        call.shard->withAccount(
            call.who.account,
            [shared, &executor](Account* account) {
                executor.post(
                    [shared, isThere = account != nullptr] { (*shared)(isThere ? 1 : 0); });
            },
            [shared, &executor] { executor.post([shared] { (*shared)(-1); }); });
    };
    Callback<int> loaded(std::move(begin));
    const int outcome = co_await loaded;
    if (outcome < 0) throw StoreUnavailable{"the account could not be read"};
    Account* account = call.shard->loaded(call.who.account.text());
    if (outcome == 0 || !account || account->id() != call.who.id)
        co_return Found{nullptr, notLoggedIn("The account is gone.", "invalid_token")};
    if (auto meanwhile = here(*call.shard).usual(call.who.account.text()))
        co_return Found{std::move(meanwhile), std::nullopt};
    co_return this->begin(*account, call.exchange->request().address, Use::Requests);
}

// Plugins are made anew: another object of this one serves from now on.
Verdict Service::release(ReleaseEvent& event) {
    if (event.reason != ReleaseEvent::Reason::Rewired) return Verdict::Pass;
    Here& mine = here(event.session.shard());
    const auto found = mine.clients.find(event.session.account().jid().text());
    if (found == mine.clients.end()) return Verdict::Pass;
    const auto endSoon = [&event](const ClientPtr& client) {
        if (client && client->jid() == event.session.jid())
            client->shard().executor().post([client] { client->close(); });
    };
    endSoon(found->second.usual);
    for (const auto& client : found->second.listening) endSoon(client);
    for (const auto& client : found->second.leaving) endSoon(client);
    return Verdict::Pass;
}

}  // namespace epode::rest
