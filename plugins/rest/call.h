// A request as its operation sees it, checked and typed, and what it answers.
#pragma once

#include "declare.h"

#include "core/command.h"
#include "core/jid.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "core/time.h"
#include "net/http_exchange.h"
#include "route/bearers.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace epode {
class Host;
class Shard;
struct Services;
}  // namespace epode

namespace epode::rest {

using Value = std::variant<bool, std::int64_t, std::string, Jid, WallTime, std::vector<std::string>,
                           std::vector<Jid>>;
using Values = std::map<std::string, Value, std::less<>>;

// What goes wrong is an answer as well.
struct Problem {
    int status = 500;
    std::string word;                                           // "not-found"
    std::string detail;                                         // a sentence
    std::vector<std::pair<std::string, std::string>> places{};  // what is wrong where
    std::string condition{};          // of a stanza error, where it was one
    std::vector<HttpField> fields{};  // Retry-After, Allow
};

struct Answer {
    int status = 200;
    std::string body{};
    std::string type = "application/json";
    std::vector<HttpField> fields{};
};

// `Outcome` is what a handler returns; None: it has taken the exchange and answers by itself.
struct Outcome {
    Outcome() = default;
    Outcome(Answer answer) : what{std::move(answer)} {}
    Outcome(Problem problem) : what{std::move(problem)} {}
    std::variant<std::monostate, Answer, Problem> what;
};

// Lives until its handler is done. Handlers run on the shard of the account.
struct Call {
    HttpExchangePtr exchange;
    Bearer who;              // of operations that need a scope
    Host* host = nullptr;    // on `shard`
    Shard* shard = nullptr;  // of the account; of the connection where there is none
    std::shared_ptr<const Services> services{};  // they live as long as the call does
    Values values{};
    RawArguments arguments{};  // of Body::Arguments
    std::string bytes{};       // the body as it came
    std::string token{};

    bool has(std::string_view name) const { return values.find(name) != values.end(); }
    const std::string& text(std::string_view name) const { return get<std::string>(name); }
    // The text, or nothing of it.
    std::string textOr(std::string_view name, std::string_view fallback) const {
        return has(name) ? text(name) : std::string{fallback};
    }
    const Jid& address(std::string_view name) const { return get<Jid>(name); }
    std::int64_t integer(std::string_view name, std::int64_t fallback) const {
        return has(name) ? get<std::int64_t>(name) : fallback;
    }
    bool flag(std::string_view name, bool fallback) const {
        return has(name) ? get<bool>(name) : fallback;
    }
    std::optional<WallTime> time(std::string_view name) const {
        return has(name) ? std::optional{get<WallTime>(name)} : std::nullopt;
    }
    // Of many; empty when there are none.
    const std::vector<std::string>& texts(std::string_view name) const;
    const std::vector<Jid>& addresses(std::string_view name) const;

private:
    template <typename T>
    const T& get(std::string_view name) const {
        return std::get<T>(values.find(name)->second);
    }
};

// As the interface answers it. `instance` is the path that was asked.
HttpResponse responseOf(const Problem& problem);
HttpResponse responseOf(Answer answer);

Problem notFound(std::string sentence);
Problem badRequest(std::string sentence);
Problem unavailable(std::string sentence);
Problem timedOut(std::string sentence);
// What a stanza error means to who asked over HTTP.
Problem problemOf(const StanzaError& error);

Answer jsonAnswer(std::string json, int status = 200);
Answer noContent();

}  // namespace epode::rest
