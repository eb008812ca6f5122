// epode ping: round trips to a server or a client (XEP-0199), in the manner of ping(8).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace epode::cli {

namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::duration<double, std::milli>;

std::string decimal(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", number);
    return text;
}

class RoundTrips {
public:
    void add(double milliseconds) { times_.push_back(milliseconds); }
    std::size_t count() const { return times_.size(); }
    double least() const { return *std::min_element(times_.begin(), times_.end()); }
    double most() const { return *std::max_element(times_.begin(), times_.end()); }
    double mean() const {
        double sum = 0;
        for (const double time : times_) sum += time;
        return sum / static_cast<double>(times_.size());
    }
    double deviation() const {
        double sum = 0;
        for (const double time : times_) sum += (time - mean()) * (time - mean());
        return std::sqrt(sum / static_cast<double>(times_.size()));
    }

private:
    std::vector<double> times_;
};

void summarise(const Output& out, const std::string& peer, long asked, const RoundTrips& trips) {
    std::string words = "\n--- " + peer + " ---\n" + std::to_string(asked) + " asked, " +
                        std::to_string(trips.count()) + " answered";
    if (trips.count() == 0) {
        out.result(words, {{"to", peer}, {"asked", asked}, {"answered", 0}});
        return;
    }
    words += "\nround trip min/avg/max/mdev = " + decimal(trips.least()) + "/" +
             decimal(trips.mean()) + "/" + decimal(trips.most()) + "/" +
             decimal(trips.deviation()) + " ms";
    out.result(words, {{"to", peer},
                       {"asked", asked},
                       {"answered", static_cast<long>(trips.count())},
                       {"min_ms", trips.least()},
                       {"avg_ms", trips.mean()},
                       {"max_ms", trips.most()},
                       {"mdev_ms", trips.deviation()}});
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    const long count = invocation.number("count", 4, 1, 1'000'000'000);
    const auto interval = invocation.duration("interval").value_or(1s);
    const auto timeout = invocation.duration("timeout").value_or(10s);
    if (!invocation.arguments().empty() && !looksLikeAddress(invocation.argument(0))) {
        throw usage("\"" + invocation.argument(0) + "\" is no address.");
    }
    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    catchInterrupts();
    const std::string peer =
        invocation.arguments().empty() ? connection.domain() : invocation.argument(0);

    RoundTrips trips;
    long asked = 0;
    for (; asked < count && !isInterrupted(); ++asked) {
        const auto start = Clock::now();
        if (asked > 0) connection.runUntil([] { return false; }, start + interval);
        if (isInterrupted()) break;
        const auto sent = Clock::now();
        try {
            connection.ask(
                Stanza{"iq"}.set("type", "get").set("to", peer).add(Stanza{"ping", ns::ping}),
                timeout);
        } catch (const Failure& failure) {
            if (failure.code != ExitCode::TimedOut) throw;
            out.note("no answer from " + peer + ": seq=" + std::to_string(asked + 1));
            continue;
        }
        const double time = Milliseconds{Clock::now() - sent}.count();
        trips.add(time);
        out.result("answer from " + peer + ": seq=" + std::to_string(asked + 1) +
                       " time=" + decimal(time) + " ms",
                   {{"to", peer}, {"seq", asked + 1}, {"time_ms", time}});
    }
    summarise(out, peer, asked, trips);
    connection.close();
    if (trips.count() == 0) return ExitCode::TimedOut;
    return static_cast<long>(trips.count()) < asked ? ExitCode::PartlyDone : ExitCode::Done;
}

}  // namespace

const Verb ping{
    .name = "ping",
    .summary = "Measure round trips to the server or a client",
    .description =
        "Without PEER it is the account's own server. A client is reached by its full\n"
        "address; whoever refuses the question counts as refused (exit code 1).",
    .arguments = {{"PEER", "A server, or a client's full address", Argument::Count::Optional}},
    .options =
        {
            {.name = "count", .value = "N", .help = "How often (default: 4)", .letter = 'n'},
            {.name = "interval",
             .value = "TIME",
             .help = "Pause in between (default: 1 s)",
             .letter = 'i'},
            {.name = "timeout",
             .value = "TIME",
             .help = "Patience for each answer (default: 10 s)"},
        },
    .examples =
        {
            {"epode ping", "The own server, four times"},
            {"epode ping montague.example --count 1 --json", "Does federation work?"},
        },
    .run = run,
};

}  // namespace epode::cli
