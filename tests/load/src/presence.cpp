#include "support.h"

// Ring: user i and i+d (d = 1..K/2, modulo ringSize) are mutual contacts.
class Roster : public Engine {
public:
    using Engine::Engine;
    uint64_t subscribed = 0, started = 0, done = 0, errors = 0;
    uint32_t ringSize = 0, halfContacts = 0;
    // presence storm
    bool storm = false;
    uint64_t presences = 0, dups = 0, fullUsers = 0;
    std::vector<uint64_t> seen, wantmask;
    std::vector<uint32_t> have;

    bool indexOf(std::string_view from, uint32_t& i) {
        size_t p = 0;
        while (p < from.size() && (from[p] < '0' || from[p] > '9')) p++;
        if (p == from.size()) return false;
        i = uint32_t(atoi(std::string(from.substr(p)).c_str()) - options.first);
        return i < ringSize;
    }
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        uint32_t me = uint32_t(&c - connections.data());
        if (s[1] == 'i') {
            std::string_view tg = firstTag(s);
            if (attr(tg, "type") == "set")
                queue(c, "<iq type='result' id='" + std::string(attr(tg, "id")) + "'/>");
            return;
        }
        if (s[1] != 'p') return;
        std::string_view tg = firstTag(s);
        std::string_view type = attr(tg, "type");
        uint32_t i;
        if (!indexOf(attr(tg, "from"), i)) return;
        if (storm) {
            if (!type.empty() || i == me) return;
            presences++;
            uint32_t d = (i + ringSize - me) % ringSize;  // ring distance, either way
            uint32_t bit =
                d <= halfContacts
                    ? d - 1
                    : (ringSize - d <= halfContacts ? halfContacts + (ringSize - d) - 1 : 64);
            if (bit >= 64) return;
            if (seen[me] >> bit & 1) {
                dups++;
                return;
            }
            seen[me] |= 1ull << bit;
            if (++have[me] == 2 * halfContacts) fullUsers++;
            return;
        }
        if (type == "subscribe") {
            queue(c, "<presence to='" + jid(i) + "' type='subscribed'/>");
            uint32_t d = (me + ringSize - i) % ringSize;
            if (d >= 1 && d <= halfContacts)
                queue(c, "<presence to='" + jid(i) + "' type='subscribe'/>");
        } else if (type == "subscribed") {
            subscribed++;
        } else if (type == "error") {
            if (errors++ < 3)
                fprintf(stderr, "xmppload: presence error: %.*s\n", int(s.size()), s.data());
        }
    }
};

int runRoster(const Options& given) {
    Options options = given;
    options.roster = options.presence = true;
    Roster e(options);
    e.ringSize = uint32_t(options.n);
    e.halfContacts = uint32_t(options.contacts / 2);
    Meter m(e.options);
    e.loginAll(uint64_t(options.n));
    m.begin();
    uint64_t want = uint64_t(e.ringSize) * e.halfContacts * 2,
             pairs = uint64_t(e.ringSize) * e.halfContacts, k = 0;
    e.runUntil(
        [&] {
            while (k < pairs && 2 * k < e.subscribed + e.errors * 2 + 400) {
                uint32_t i = uint32_t(k % e.ringSize), d = uint32_t(k / e.ringSize) + 1;
                e.queue(e.connections[i],
                        "<presence to='" + e.jid((i + d) % e.ringSize) + "' type='subscribe'/>");
                k++;
            }
            return e.subscribed >= want;
        },
        nowNs() + uint64_t(options.dur * 1e9));
    m.end();
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("contacts", int(e.halfContacts * 2));
    j.num("subscribed", e.subscribed);
    j.num("wanted", want);
    j.num("errors", e.errors);
    m.out(j, "subscription", e.subscribed);
    e.closeAll(true);
    j.print();
    return e.subscribed >= want ? 0 : 1;
}

int runPresence(const Options& given) {
    Options options = given;
    options.roster = true;
    options.presence = false;
    if (options.contacts > 62) {
        fprintf(stderr, "contacts: 62 at most\n");
        return 2;
    }
    Roster e(options);
    e.ringSize = uint32_t(options.n);
    e.halfContacts = uint32_t(options.contacts / 2);
    e.storm = true;
    e.seen.assign(e.ringSize, 0);
    e.have.assign(e.ringSize, 0);
    e.loginAll(uint64_t(options.n));
    e.runUntil([] { return false; }, nowNs() + 2000000000ull);
    Meter m(e.options);
    m.begin();
    for (auto& c : e.connections) e.queue(c, "<presence/>");
    e.runUntil([&] { return e.fullUsers >= e.ringSize; }, nowNs() + uint64_t(options.dur * 1e9));
    m.end();
    Json j;
    head(j, options);
    j.num("n", options.n);
    j.num("contacts", int(e.halfContacts * 2));
    j.num("complete_users", e.fullUsers);
    j.num("presences", e.presences);
    j.num("repeated", e.dups);
    j.num("presences_per_s", double(e.presences) / m.secs(), 1);
    m.out(j, "presence", e.presences);
    e.closeAll(true);
    j.print();
    return e.fullUsers >= e.ringSize ? 0 : 1;
}
