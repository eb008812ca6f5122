// What the further clients of an account add to the cost of a message: see route_bench.cpp for the
// rest of it.
#include "tests/bench/bench.h"
#include "tests/support/test_server.h"

#include <string>

using namespace epode;

namespace {

constexpr int batch = 100;

// Romeo's `others` clients besides the one that is addressed, each doing what `does` says.
void exchange(bench::Run& run, int others, std::string_view does) {
    TestServer server{"[plugins]\ndisabled = [\"mam\"]\n[client]\nbytes_per_second = \"0 B\""};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.login("romeo@montague.example/orchard");
    for (int i = 0; i < others; ++i)
        server.login("romeo@montague.example/other" + std::to_string(i)).send(does);
    std::string messages;
    for (int i = 0; i < batch; ++i)
        messages +=
            "<message to='romeo@montague.example/orchard' type='chat' id='m'>"
            "<body>Wilt thou be gone? it is not yet near day: it was the nightingale, and not the "
            "lark, "
            "that pierced the fearful hollow of thine ear</body></message>";
    for (int left = 0; run.next(); --left) {
        if (left > 0) continue;
        juliet.send(messages);
        left = batch;
    }
}

}  // namespace

BENCH("devices: a message, three further clients without carbons") { exchange(run, 3, ""); }

BENCH("devices: a message, and its carbons to three further clients") {
    exchange(run, 3, "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
}
