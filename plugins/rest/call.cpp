#include "call.h"

#include "core/json_writer.h"

#include <algorithm>

namespace epode::rest {

const std::vector<std::string>& Call::texts(std::string_view name) const {
    static const std::vector<std::string> none;
    return has(name) ? get<std::vector<std::string>>(name) : none;
}

const std::vector<Jid>& Call::addresses(std::string_view name) const {
    static const std::vector<Jid> none;
    return has(name) ? get<std::vector<Jid>>(name) : none;
}

const std::vector<ProblemKind>& problemKinds() {
    static const std::vector<ProblemKind> all{
        {400, "bad-request", "The request is not as it has to be"},
        {401, "not-logged-in", "A token is needed"},
        {401, "wrong-credentials", "The name or the password is wrong"},
        {403, "forbidden", "This is not allowed"},
        {403, "insufficient-scope", "The token is not good for this"},
        {404, "not-found", "There is nothing of this name"},
        {405, "method-not-allowed", "This can't be done with it"},
        {409, "conflict", "Something else is in the way"},
        {409, "under-way", "The same request is being worked on"},
        {410, "gone", "It is not here any more"},
        {413, "too-large", "The request is too large"},
        {415, "wrong-type", "The request is of another type than wanted"},
        {422, "refused", "It was understood, and refused"},
        {422, "key-used", "The key stands for another request"},
        {429, "too-many", "These are too many requests"},
        {500, "failed", "The server has failed"},
        {502, "remote-failed", "Another server has refused or could not be reached"},
        {503, "unavailable", "This can't be done at the moment"},
        {504, "timed-out", "There was no answer in time"},
        {507, "no-room", "There is no room for it"},
    };
    return all;
}

HttpResponse responseOf(const Problem& problem) {
    std::string_view title = "The request has failed";
    for (const ProblemKind& kind : problemKinds())
        if (kind.word == problem.word) title = kind.title;
    JsonWriter json;
    json.open('{');
    // Relative to the interface's own page, which tells what each of them means (RFC 9457, 3.1.1).
    json.key("type").value(std::string{basePath} + "/#problem-" + problem.word);
    json.key("title").value(title).key("status").value(std::int64_t{problem.status});
    json.key("detail").value(std::string_view{problem.detail});
    if (!problem.condition.empty())
        json.key("condition").value(std::string_view{problem.condition});
    if (!problem.places.empty()) {
        json.key("errors").open('[');
        for (const auto& [place, why] : problem.places)
            json.open('{')
                .key("name")
                .value(std::string_view{place})
                .key("detail")
                .value(std::string_view{why})
                .close('}');
        json.close(']');
    }
    json.close('}');
    HttpResponse response = HttpResponse::of("application/problem+json", json.take() + "\n");
    response.status = problem.status;
    response.fields.insert(response.fields.end(), problem.fields.begin(), problem.fields.end());
    response.set("Cache-Control", "no-store");
    return response;
}

HttpResponse responseOf(Answer answer) {
    HttpResponse response;
    if (answer.status != 204 || !answer.body.empty())
        response = HttpResponse::of(answer.type, std::move(answer.body));
    response.status = answer.status;
    bool hasCaching = false;
    for (auto& field : answer.fields) {
        hasCaching = hasCaching || field.name == "Cache-Control";
        response.fields.push_back(std::move(field));
    }
    if (!hasCaching) response.set("Cache-Control", "no-store");
    return response;
}

Problem notFound(std::string sentence) {
    return {.status = 404, .word = "not-found", .detail = std::move(sentence)};
}
Problem badRequest(std::string sentence) {
    return {.status = 400, .word = "bad-request", .detail = std::move(sentence)};
}
Problem unavailable(std::string sentence) {
    return {.status = 503,
            .word = "unavailable",
            .detail = std::move(sentence),
            .fields = {{"Retry-After", "30"}}};
}
Problem timedOut(std::string sentence) {
    return {.status = 504, .word = "timed-out", .detail = std::move(sentence)};
}

Problem problemOf(const StanzaError& error) {
    struct Meaning {
        Condition condition;
        int status;
        std::string_view word;
    };
    static constexpr Meaning meanings[]{
        {Condition::BadRequest, 400, "bad-request"},
        {Condition::JidMalformed, 400, "bad-request"},
        {Condition::Conflict, 409, "conflict"},
        {Condition::Forbidden, 403, "forbidden"},
        {Condition::NotAllowed, 403, "forbidden"},
        {Condition::NotAuthorized, 403, "forbidden"},
        {Condition::RegistrationRequired, 403, "forbidden"},
        {Condition::SubscriptionRequired, 403, "forbidden"},
        {Condition::PolicyViolation, 429, "too-many"},
        {Condition::Gone, 410, "gone"},
        {Condition::ItemNotFound, 404, "not-found"},
        {Condition::NotAcceptable, 422, "refused"},
        {Condition::ResourceConstraint, 507, "no-room"},
        {Condition::RemoteServerNotFound, 502, "remote-failed"},
        {Condition::RemoteServerTimeout, 502, "remote-failed"},
        {Condition::InternalServerError, 503, "unavailable"},
    };
    Problem problem{.status = 422,
                    .word = "refused",
                    .detail = error.text.empty() ? "It was refused." : error.text,
                    .condition = std::string{toText(error.condition)}};
    for (const Meaning& meaning : meanings)
        if (meaning.condition == error.condition) {
            problem.status = meaning.status;
            problem.word = meaning.word;
        }
    if (problem.status == 429 || problem.status == 503)
        problem.fields.push_back({"Retry-After", "30"});
    return problem;
}

Answer jsonAnswer(std::string json, int status) {
    return {.status = status, .body = std::move(json) + "\n"};
}
Answer noContent() { return {.status = 204}; }

}  // namespace epode::rest
