// A receiver with several sessions: one is written to, the others get copies (XEP-0280).
#include "fanout.h"

namespace {

// The first connections are the senders; then come, receiver by receiver, the sessions of each.
class Carbons : public Fanout {
public:
    using Fanout::Fanout;
    uint32_t pairs = 0, sessions = 0;
    uint64_t enabled = 0, refused = 0;

    uint32_t receiver(uint32_t connection) const { return (connection - pairs) / sessions; }
    uint32_t place(uint32_t connection) const { return (connection - pairs) % sessions; }

    std::string user(uint32_t idx) const override {
        return Engine::user(idx < pairs ? 2 * idx : 2 * receiver(idx) + 1);
    }
    std::string resource(uint32_t idx) const override {
        return idx < pairs ? options.resource : options.resource + std::to_string(place(idx));
    }
    void setup() {
        for (uint32_t p = 0; p < pairs; p++) {
            Flow flow;
            flow.tx = p;
            flow.prefix = "<message to='" + full(pairs + p * sessions) + "' type='chat' id='";
            flows.push_back(std::move(flow));
        }
        prepare(sessions);
    }

protected:
    void onOnline(Connection& c) override {
        if (uint32_t(&c - connections.data()) >= pairs)
            queue(c, "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    }
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        const uint32_t me = uint32_t(&c - connections.data());
        if (s[1] == 'i') {
            const auto tag = firstTag(s);
            if (attr(tag, "id") == "carbons") (attr(tag, "type") == "result" ? enabled : refused)++;
            return;
        }
        if (s[1] != 'm') return;
        Tag tag;
        if (isError(s)) {
            if (errors++ < 3) fprintf(stderr, "xmppload: bounced: %.*s\n", int(s.size()), s.data());
        } else if (!parseBody(s, tag)) {
            junk++;
        } else if (me < pairs || tag.flow >= flows.size() || receiver(me) != tag.flow) {
            alien++;
        } else {
            arrived(tag, place(me), t);
        }
    }
};

}  // namespace

int runCarbons(const Options& given) {
    Options options = given;
    options.presence = true;
    Carbons e(options);
    e.pairs = uint32_t(options.pairs);
    e.sessions = uint32_t(options.copies) + 1;
    const uint64_t receivers = uint64_t(e.pairs) * e.sessions;
    e.loginAll(e.pairs + receivers);
    e.runUntil([&] { return e.enabled + e.refused >= receivers; }, nowNs() + 10000000000ull);
    e.setup();
    Meter m(e.options);
    e.measure(m);
    Json j;
    head(j, options);
    j.num("pairs", options.pairs);
    j.num("window", options.window);
    j.num("size", options.size);
    j.num("copies", options.copies);
    j.num("enabled", e.enabled);
    j.num("deliveries_per_s", double(e.deliveredWin) / m.secs(), 1);
    j.lat("lat", e.lat);
    // The first delivery of each message is counted with its copies.
    m.out(j, "delivery", e.deliveredWin);
    e.out(j);
    j.num("login_failed", e.failed);
    e.closeAll(true);
    j.print();
    return e.enabled == receivers ? 0 : 1;
}
