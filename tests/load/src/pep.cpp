// Items that are published to an account's node reach all its contacts, by what their clients say
// that they want (XEP-0163, XEP-0115). The contacts are the ring of the scenario `roster`.
#include "fanout.h"

#include <openssl/evp.h>

namespace {

constexpr std::string_view node = "urn:xmpp:load:0";

// The only features of this client, and their hash (XEP-0115, 5.1).
std::string capsVer() {
    const std::string s =
        "client/pc//load<http://jabber.org/protocol/caps<"
        "http://jabber.org/protocol/disco#info<" +
        std::string(node) + "+notify<";
    unsigned char digest[20];
    EVP_Digest(s.data(), s.size(), digest, nullptr, EVP_sha1(), nullptr);
    return b64(std::string_view(reinterpret_cast<char*>(digest), sizeof digest));
}

class Pep : public Fanout {
public:
    using Fanout::Fanout;
    uint64_t queries = 0, published = 0;
    const std::string ver = capsVer();

    void setup(uint32_t publishers) {
        for (uint32_t p = 0; p < publishers; p++) {
            Flow flow;
            flow.tx = p;
            flows.push_back(std::move(flow));
        }
        prepare(uint32_t(connections.size()));  // oneself among them
    }
    void announce() {
        for (auto& c : connections)
            queue(c,
                  "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
                  "node='https://load.example' ver='" +
                      ver + "'/></presence>");
    }
    void write(uint32_t fi, uint64_t ts) override {
        const Flow& flow = flows[fi];
        char numbers[32];
        putHex(numbers, fi, 8);
        putHex(numbers + 8, flow.seq, 8);
        putHex(numbers + 16, ts, 16);
        queue(connections[flow.tx],
              "<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish "
              "node='" +
                  std::string(node) + "'><item id='current'><load xmlns='" + std::string(node) +
                  "'><body>@" + std::string(numbers, 32) + pad +
                  "</body></load></item></publish></pubsub></iq>");
    }

protected:
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        const uint32_t me = uint32_t(&c - connections.data());
        if (s[1] == 'i') {
            request(c, s);
            return;
        }
        if (s[1] != 'm') return;
        Tag tag;
        if (isError(s))
            errors++;
        else if (!parseBody(s, tag))
            junk++;
        else if (tag.flow >= flows.size())
            alien++;
        else
            arrived(tag, me, t);
    }

private:
    void request(Connection& c, std::string_view s) {
        const auto tag = firstTag(s);
        const auto type = attr(tag, "type");
        if (type == "result") {
            published++;
        } else if (type == "error") {
            if (errors++ < 3) fprintf(stderr, "xmppload: refused: %.*s\n", int(s.size()), s.data());
        } else if (s.find("disco#info") != std::string_view::npos) {
            queries++;
            queue(c, "<iq type='result' id='" + std::string(attr(tag, "id")) + "' to='" +
                         std::string(attr(tag, "from")) +
                         "'><query xmlns='http://jabber.org/protocol/disco#info' "
                         "node='https://load.example#" +
                         ver +
                         "'><identity category='client' type='pc' name='load'/>"
                         "<feature var='http://jabber.org/protocol/caps'/>"
                         "<feature var='http://jabber.org/protocol/disco#info'/><feature var='" +
                         std::string(node) + "+notify'/></query></iq>");
        }
    }
};

}  // namespace

int runPep(const Options& given) {
    Options options = given;
    options.roster = true;
    Pep e(options);
    e.loginAll(uint64_t(options.n));
    e.announce();
    e.runUntil([] { return false; }, nowNs() + 2000000000ull);
    e.setup(uint32_t(std::min(options.senders, options.n)));
    Meter m(e.options);
    e.measure(m);
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("senders", options.senders);
    j.num("window", options.window);
    j.num("caps_queries", e.queries);
    j.num("published", e.published);
    j.num("notifications_per_s", double(e.deliveredWin) / m.secs(), 1);
    j.lat("lat", e.lat);
    m.out(j, "notification", e.deliveredWin);
    e.out(j);
    j.num("login_failed", e.failed);
    e.closeAll(true);
    j.print();
    return 0;
}
