// Archive: fills it by chat, then pages backwards from its end.
#include "chat.h"

class Mam : public Chat {
public:
    using Chat::Chat;
    bool querying = false;
    uint64_t queries = 0, results = 0, queriesWin = 0, resultsWin = 0, fails = 0, wraps = 0;
    std::vector<uint64_t> asked;
    Hist qlat;
    void ask(uint32_t i, std::string_view before) {
        asked[i] = nowNs();
        std::string q =
            "<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2' queryid='q'><set "
            "xmlns='http://jabber.org/protocol/rsm'><max>" +
            std::to_string(options.page) + "</max>";
        if (before.empty())
            q += "<before/>";
        else {
            q += "<before>";
            q += before;
            q += "</before>";
        }
        q += "</set></query></iq>";
        queue(connections[i], q);
    }
    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        if (!querying) {
            Chat::onStanza(c, s, t);
            return;
        }
        uint32_t me = uint32_t(&c - connections.data());
        if (s[1] == 'm') {
            if (s.find("urn:xmpp:mam:2") != std::string_view::npos) {
                results++;
                if (measuring) resultsWin++;
            }
            return;
        }
        if (s[1] != 'i') return;
        std::string_view tg = firstTag(s);
        if (attr(tg, "id") != "mam") return;
        if (attr(tg, "type") != "result") {
            if (fails++ < 3) fprintf(stderr, "xmppload: mam: %.*s\n", int(s.size()), s.data());
            return;
        }
        queries++;
        if (measuring) {
            queriesWin++;
            qlat.add(t - asked[me]);
        }
        size_t fp = s.find("<fin");
        std::string_view fin =
            fp == std::string_view::npos ? std::string_view{} : firstTag(s.substr(fp));
        std::string_view first = textOf(s, "<first");
        bool end = attr(fin, "complete") == "true" || first.empty();
        if (end) wraps++;
        if (sending) ask(me, end ? std::string_view{} : first);
    }
};

int runMam(const Options& options) {
    Mam e(options);
    e.loginAll(uint64_t(options.pairs) * 2);
    if (e.failed) {
        fprintf(stderr, "xmppload: %llu logins failed\n", (unsigned long long)e.failed);
        return 1;
    }
    e.setup(options.pairs);
    Json j;
    head(j, options);
    uint64_t want = uint64_t(options.fill) * uint64_t(options.pairs);
    Meter mf(e.options);
    if (want) {
        mf.begin();
        e.startClosed();
        e.runUntil([&] { return e.sent >= want; });
        e.sending = false;
        e.runUntil([&] { return e.delivered + e.errors >= e.sent; }, nowNs() + 10000000000ull);
        mf.end();
        j.num("fill_msgs", e.delivered);
        j.num("fill_per_s", double(e.delivered) / mf.secs(), 1);
    }
    e.runUntil([] { return false; }, nowNs() + 2000000000ull);
    Meter m(e.options);
    e.querying = true;
    e.sending = true;
    e.asked.assign(e.connections.size(), 0);
    for (uint32_t i = 0; i < e.connections.size() && i < uint32_t(options.conc); i++) e.ask(i, {});
    e.runUntil([] { return false; }, nowNs() + uint64_t(options.warmup * 1e9));
    m.begin();
    e.measuring = true;
    e.runUntil([] { return false; }, nowNs() + uint64_t(options.dur * 1e9));
    e.measuring = false;
    m.end();
    e.sending = false;
    j.num("page", options.page);
    j.num("parallel", std::min(options.conc, options.pairs * 2));
    j.num("queries_per_s", double(e.queriesWin) / m.secs(), 1);
    j.num("results_per_s", double(e.resultsWin) / m.secs(), 1);
    j.lat("lat", e.qlat);
    m.out(j, "query", e.queriesWin);
    j.num("wraps", e.wraps);
    j.num("query_errors", e.fails);
    e.runUntil([] { return false; }, nowNs() + 1000000000ull);
    e.closeAll(true);
    j.print();
    return 0;
}
