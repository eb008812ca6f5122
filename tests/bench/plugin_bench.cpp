// What the plugin interface costs: the way of a request to its handler, and what one more plugin
// adds to a message.
#include "plugin/plugin.h"
#include "tests/bench/bench.h"
#include "tests/support/test_server.h"

#include <string>

using namespace epode;

namespace {

// Has hooks wherever a message passes, and nothing to do there.
class Idle final : public Plugin {
public:
    explicit Idle(PluginContext& context) {
        context.on(&Services::outgoing, Phase::Act, this, &Idle::pass<OutgoingEvent>);
        context.on(&Services::incoming, Phase::Act, this, &Idle::pass<IncomingEvent>);
        context.on(&Services::archive, Phase::Act, this, &Idle::pass<ArchiveEvent>);
        context.on(&Services::delivered, Phase::Act, this, &Idle::pass<DeliveredEvent>);
        context.on(&Services::sessionOutput, Phase::Act, this, &Idle::pass<SessionOutputEvent>);
        context.onIq(StanzaType::Get, {"urn:test:idle", "idle"}, Addressee::Host, this,
                     &Idle::answer);
    }

private:
    template <typename E>
    Verdict pass(E&) {
        return Verdict::Pass;
    }
    Task<Reply> answer(const Iq&) { co_return Reply::none(); }
};

const PluginInfo info{.name = "idle", .summary = "Does nothing", .byDefault = false};

DECLARE_PLUGIN(Idle, info)

constexpr int batch = 100;

void exchange(bench::Run& run, const std::string& enabled) {
    TestServer server{"[plugins]\ndisabled = [\"mam\"]\nenabled = [" + enabled +
                      "]\n[client]\nbytes_per_second = \"0 B\""};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.login("romeo@montague.example/orchard");
    std::string messages;
    for (int i = 0; i < batch; ++i)
        messages +=
            "<message to='romeo@montague.example/orchard' type='chat' id='m'><body>Wilt thou be "
            "gone? it is "
            "not yet near day: it was the nightingale, and not the lark</body></message>";
    for (int left = 0; run.next(); --left) {
        if (left > 0) continue;
        juliet.send(messages);
        left = batch;
    }
}

}  // namespace

BENCH("plugin: a request to its handler") {
    TestServer server{"[plugins]\nenabled = [\"idle\"]"};
    Shard& shard = server.server().shard(0);
    Host& host = *shard.host("capulet.example");
    const StanzaPtr request = Stanza::parse(
        "<iq type='get' id='1' from='juliet@capulet.example/balcony' to='capulet.example'><idle "
        "xmlns='urn:test:idle'/></iq>");
    while (run.next()) dispatchIq(shard, host, Addressee::Host, request, {});
}

BENCH("plugin: a message without an idle plugin") { exchange(run, ""); }
BENCH("plugin: a message with an idle plugin in each of its hooks") { exchange(run, "\"idle\""); }
