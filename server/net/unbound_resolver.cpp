#include "net/unbound_resolver.h"

#include "core/metric.h"

#include <sys/epoll.h>
#include <unbound.h>

#include <stdexcept>
#include <utility>

namespace epode {

namespace {

Counter questionsAsked{"epode_dns_questions_total", "Questions to the DNS"};
Counter questionsFailed{"epode_dns_failures_total",
                        "Questions to the DNS that had no answer, or a wrong one"};

constexpr int internetClass = 1;
constexpr std::size_t recordsMax = 64;  // of one answer; a liar may send hundreds

void check(int failure, const std::string& what) {
    if (failure != 0) throw std::runtime_error{"DNS: " + what + ": " + ub_strerror(failure) + "."};
}

DnsAnswer read(int failure, const ub_result* result) {
    DnsAnswer answer;
    if (failure != 0 || !result) {
        answer.problem = ub_strerror(failure);
        return answer;
    }
    answer.isSecure = result->secure != 0;
    if (result->bogus) {
        answer.outcome = DnsAnswer::Outcome::Bogus;
        answer.problem = result->why_bogus ? result->why_bogus : "the signature is wrong";
    } else if (result->havedata) {
        answer.outcome = DnsAnswer::Outcome::Found;
        for (std::size_t i = 0; result->data[i] && i < recordsMax; ++i)
            answer.records.emplace_back(result->data[i], std::size_t(result->len[i]));
    } else if (result->rcode == 3) {
        answer.outcome = DnsAnswer::Outcome::NoSuchName;
    } else if (result->rcode == 0) {
        answer.outcome = DnsAnswer::Outcome::NoData;
    } else {
        answer.problem = result->rcode == 2 ? "the name servers fail (SERVFAIL)"
                                            : "the name servers refuse to answer";
    }
    return answer;
}

}  // namespace

struct UnboundResolver::Question {
    UnboundResolver* resolver;
    std::uint64_t number = 0;
    Executor* executor;
    std::string name;
    DnsType type;
    Done done;
    int id = 0;  // of libunbound
    Timer patience{};
};

UnboundResolver::UnboundResolver(EventLoop& loop, Settings settings)
    : loop_{loop}, settings_{std::move(settings)}, context_{ub_ctx_create()} {
    if (!context_) throw std::runtime_error{"DNS: there is no memory for a resolver."};
    try {
        check(ub_ctx_async(context_, 1), "threads");
        if (settings_.servers.empty()) {
            check(ub_ctx_resolvconf(context_, nullptr), "/etc/resolv.conf can't be read");
        } else {
            // A resolver on this machine, as tests have it.
            check(ub_ctx_set_option(context_, "do-not-query-localhost:", "no"), "localhost");
            for (const auto& server : settings_.servers)
                check(ub_ctx_set_fwd(context_, server.c_str()),
                      "s2s.resolvers: " + server + " is no address");
        }
        // The servers that are asked keep what they know, too.
        for (const auto* cache : {"msg-cache-size:", "rrset-cache-size:"})
            check(ub_ctx_set_option(context_, cache, "512k"), "memory");
        // Names that only this machine knows. Without the file there are none.
        ub_ctx_hosts(context_, nullptr);
        if (!settings_.trustAnchors.empty())
            check(ub_ctx_add_ta_file(context_, settings_.trustAnchors.c_str()),
                  settings_.trustAnchors + " can't be read");
    } catch (...) {
        ub_ctx_delete(context_);
        throw;
    }
    handle_ = loop_.add(*this);
    if (!loop_.watch(ub_fd(context_), handle_, EPOLLIN)) {
        loop_.remove(handle_);
        ub_ctx_delete(context_);
        throw std::runtime_error{"DNS: the kernel has no room for another descriptor."};
    }
}

UnboundResolver::~UnboundResolver() {
    loop_.unwatch(ub_fd(context_));
    loop_.remove(handle_);
    ub_ctx_delete(context_);
}

void UnboundResolver::ask(Executor& executor, std::string name, DnsType type, Done done) {
    auto question = std::make_unique<Question>();
    question->resolver = this;
    question->executor = &executor;
    question->name = std::move(name);
    question->type = type;
    question->done = std::move(done);
    if (loop_.isCurrent())
        begin(std::move(question));
    else
        loop_.post(
            [this, question = std::move(question)]() mutable { begin(std::move(question)); });
}

void UnboundResolver::begin(std::unique_ptr<Question> question) {
    questionsAsked.add();
    Question& it = *question;
    it.number = next_++;
    const std::uint64_t number = it.number;
    const bool isFull = questions_.size() >= settings_.questionsMax;
    questions_.emplace(number, std::move(question));
    if (isFull) {
        answer(number, {.outcome = DnsAnswer::Outcome::Failed,
                        .records = {},
                        .isSecure = false,
                        .problem = "too many questions wait for an answer"});
        return;
    }
    const int failure = ub_resolve_async(context_, it.name.c_str(), int(it.type), internetClass,
                                         &it, &UnboundResolver::answered, &it.id);
    if (failure != 0) {
        answer(number, {.outcome = DnsAnswer::Outcome::Failed,
                        .records = {},
                        .isSecure = false,
                        .problem = ub_strerror(failure)});
        return;
    }
    it.patience = loop_.after(settings_.patience, [this, number] {
        const auto found = questions_.find(number);
        if (found == questions_.end()) return;
        ub_cancel(context_, found->second->id);
        answer(number, {.outcome = DnsAnswer::Outcome::Failed,
                        .records = {},
                        .isSecure = false,
                        .problem = "no name server has answered in time"});
    });
}

void UnboundResolver::answered(void* question, int failure, ub_result* result) {
    const auto& it = *static_cast<Question*>(question);
    auto read = epode::read(failure, result);
    ub_resolve_free(result);
    it.resolver->answer(it.number, std::move(read));
}

// Within a call of libunbound's, or before one has begun: who has asked hears of it later.
void UnboundResolver::answer(std::uint64_t number, DnsAnswer answer) {
    auto node = questions_.extract(number);
    if (node.empty()) return;
    if (answer.hasFailed()) questionsFailed.add();
    Question& question = *node.mapped();
    question.patience = {};
    question.executor->post([done = std::move(question.done),
                             answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

void UnboundResolver::onReady(std::uint32_t) { ub_process(context_); }

}  // namespace epode
