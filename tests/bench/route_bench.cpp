// What a message costs between two clients, without the kernel and without TLS: parsed, routed by
// the rules, written, and parsed once more by the client that gets it. A whole server runs in this
#include "tests/bench/bench.h"
#include "tests/support/test_server.h"

#include <string>

using namespace epode;

namespace {

constexpr int batch = 100;


void exchange(bench::Run& run, std::string_view configuration, unsigned shards) {
    TestServer server{configuration, shards};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.login("romeo@montague.example/orchard");
    std::string messages;
    for (int i = 0; i < batch; ++i)
        messages += "<message to='romeo@montague.example/orchard' type='chat' id='m'>"
                    "<body>Wilt thou be gone? it is not yet near day: it was the nightingale, and not the lark, "
                    "that pierced the fearful hollow of thine ear</body></message>";
    for (int left = 0; run.next(); --left) {
        if (left > 0) continue;
        juliet.send(messages);
        left = batch;
    }
}

}  // namespace

BENCH("route: a message, simulated connections, no archive") {
    exchange(run, "[plugins]\ndisabled = [\"mam\"]\n[client]\nbytes_per_second = \"0 B\"", 1);
}

BENCH("route: a message between two shards, no archive") {
    exchange(run, "[plugins]\ndisabled = [\"mam\"]\n[client]\nbytes_per_second = \"0 B\"", 2);
}

BENCH("route: a message, both archives in memory") {
    exchange(run, "[client]\nbytes_per_second = \"0 B\"", 1);
}
