// Rooms: a message is done when all occupants have it.
#include "messenger.h"

class Muc : public Messenger {
public:
    explicit Muc(const Options& given) : Messenger(given) {
        perRoom = uint32_t(options.occupants);
        roomCount = uint32_t(options.rooms);
        senderCount = uint32_t(std::min(options.senders, options.occupants));
        char b[32];
        snprintf(b, sizeof b, "r%llx", (unsigned long long)(nowNs() / 1000000 % 0xffffffffull));
        tag = b;
        if (options.mucHost.empty()) options.mucHost = "conference." + options.domain;
    }
    uint32_t perRoom, roomCount, senderCount;
    std::string tag;
    std::vector<uint8_t> joined;  // 0 not asked, 1 asked, 2 in
    uint64_t in = 0, configured = 0, joinFail = 0, presences = 0, joining = 0;
    bool joinPhase = false;
    std::vector<SeqCheck> checks;             // [conn][sender]
    std::vector<std::vector<uint32_t>> left;  // [flow][seq & 4095] deliveries outstanding
    uint64_t expectedTotal = 0;
    uint64_t expected() override { return expectedTotal; }

    std::string room(uint32_t r) { return tag + "-" + std::to_string(r) + "@" + options.mucHost; }
    void join(uint32_t ci) {
        joined[ci] = 1;
        joining++;
        queue(connections[ci], "<presence to='" + room(ci / perRoom) + "/n" +
                                   std::to_string(ci % perRoom) +
                                   "'><x xmlns='http://jabber.org/protocol/muc'><history "
                                   "maxstanzas='0'/></x></presence>");
    }
    bool joinAll() {
        joined.assign(connections.size(), 0);
        joinPhase = true;
        for (uint32_t r = 0; r < roomCount; r++) join(r * perRoom);
        runUntil([&] { return configured + joinFail >= roomCount; }, nowNs() + 60000000000ull);
        if (configured < roomCount) return false;
        next = 0;
        uint64_t idleSince = nowNs();
        (void)idleSince;
        runUntil(
            [&] {
                while (next < connections.size() && joining < uint64_t(options.joinConc)) {
                    // round robin over the rooms
                    uint32_t k = next++;
                    uint32_t ci = (k % roomCount) * perRoom + k / roomCount;
                    if (!joined[ci]) join(ci);
                }
                return in + joinFail >= connections.size();
            },
            nowNs() + 600000000000ull);
        joinPhase = false;
        return in == connections.size();
    }
    void setup() {
        for (uint32_t r = 0; r < roomCount; r++)
            for (uint32_t s = 0; s < senderCount; s++) {
                Flow f;
                f.tx = r * perRoom + (s * (perRoom / senderCount));
                f.prefix = "<message to='" +
                           (options.raw ? std::string("room@conference.localhost") : room(r)) +
                           "' type='groupchat' id='";
                flows.push_back(std::move(f));
            }
        checks.assign(connections.size() * senderCount, SeqCheck{});
        left.assign(flows.size(), std::vector<uint32_t>(4096, 0));
    }
    void onSent(uint32_t fi, uint32_t seq) override {
        left[fi][seq & 4095] = perRoom;
        expectedTotal += perRoom;
    }

protected:
    uint32_t next = 0;
    std::string rawHello(Connection& c) override {
        return "HELLO " + std::to_string(c.idx / perRoom) + " 1\n";
    }
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        uint32_t me = uint32_t(&c - connections.data());
        if (s[1] == 'p') {
            presences++;
            if (!joinPhase || joined[me] != 1) return;
            if (isError(s)) {
                joinFail++;
                joining--;
                joined[me] = 3;
                if (joinFail < 4)
                    fprintf(stderr, "xmppload: join: %.*s\n", int(s.size()), s.data());
                return;
            }
            if (s.find("code='110'") == std::string_view::npos &&
                s.find("code=\"110\"") == std::string_view::npos)
                return;
            joined[me] = 2;
            in++;
            joining--;
            if (me % perRoom == 0)
                queue(c, "<iq type='set' to='" + room(me / perRoom) +
                             "' id='own'><query xmlns='http://jabber.org/protocol/muc#owner'><x "
                             "xmlns='jabber:x:data' type='submit'/></query></iq>");
            return;
        }
        if (s[1] == 'i') {
            std::string_view tg = firstTag(s);
            if (attr(tg, "id") == "own") {
                if (attr(tg, "type") == "result")
                    configured++;
                else {
                    joinFail++;
                    fprintf(stderr, "xmppload: owner: %.*s\n", int(s.size()), s.data());
                }
            }
            return;
        }
        if (s[1] != 'm') return;
        if (isError(s)) {
            errors++;
            if (errors < 4) fprintf(stderr, "xmppload: bounced: %.*s\n", int(s.size()), s.data());
            return;
        }
        Tag g;
        if (!parseBody(s, g)) {
            junk++;
            return;
        }
        if (g.flow >= flows.size() || g.flow / senderCount != me / perRoom ||
            g.seq >= flows[g.flow].seq) {
            alien++;
            return;
        }
        Flow& f = flows[g.flow];
        int k = checks[size_t(me) * senderCount + g.flow % senderCount].see(g.seq);
        if (k == 1)
            gaps++;
        else if (k == 2)
            late++;
        else if (k == 3) {
            dup++;
            return;
        }
        delivered++;
        f.lastProgress = t;
        lastAny = t;
        if (measuring) {
            deliveredWin++;
            lat.add(t > g.ts ? t - g.ts : 0);
        }
        uint32_t& l = left[g.flow][g.seq & 4095];
        if (l == 0) return;
        l--;
        if (l == 0) {
            if (f.inflight > 0) f.inflight--;
            if (sending && options.rate <= 0) fill(g.flow);
        }
    }
};

int runMuc(const Options& options) {
    if (options.window > 4000) {
        fprintf(stderr, "window too large\n");
        return 2;
    }
    Muc e(options);
    e.loginAll(uint64_t(options.rooms) * uint64_t(options.occupants));
    if (!e.online) return 1;
    Json j;
    head(j, options);
    j.num("rooms", options.rooms);
    j.num("occupants", options.occupants);
    j.num("senders", int(e.senderCount));
    j.num("window", options.window);
    j.num("size", options.size);
    if (!options.raw) {
        Meter mj(e.options);
        mj.begin();
        bool ok = e.joinAll();
        mj.end();
        j.num("joined", e.in);
        j.num("join_failed", e.joinFail);
        j.num("join_secs", mj.secs());
        j.num("join_presences", e.presences);
        if (!options.pids.empty())
            j.num("join_srv_cpu_ms_per_join",
                  (mj.b.total() - mj.a.total()) * 1e3 / double(e.in ? e.in : 1), 3);
        if (!ok) fprintf(stderr, "xmppload: joined only %llu\n", (unsigned long long)e.in);
        // presences of the storm may still be on their way
        uint64_t seen = 0;
        do {
            seen = e.presences;
            e.runUntil([] { return false; }, nowNs() + 2000000000ull);
        } while (e.presences != seen);
    }
    e.setup();
    Meter m(e.options);
    e.measure(m);
    j.num("deliveries_per_s", double(e.deliveredWin) / m.secs(), 1);
    j.lat("lat", e.lat);
    m.out(j, "delivery", e.deliveredWin);
    e.out(j);
    j.num("login_failed", e.failed);
    mem(j, "end", sampleTree(options.pids, true));
    e.closeAll(true);
    j.print();
    return 0;
}
