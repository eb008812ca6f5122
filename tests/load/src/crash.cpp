// What a server loses that it had acknowledged, in two steps around a kill: `crash` sends until the
// server is gone and writes notes, `verify` looks for each acknowledged message in the server that
// was started again. tests/crash/crash.py kills and starts it.
//
// Flow i goes from user 2i to user 2i+1. Senders send nothing but messages after <enable/>, so an
// acknowledgement of h covers exactly their first h messages.
#include "messenger.h"

#include <ctime>
#include <fstream>

namespace {

// The notes: what was sent, acknowledged, and seen by the receiver before the kill.
struct Notes {
    std::string stamp;  // a moment before the first message, as XEP-0082 writes it
    uint32_t flowBase = 0;
    struct Line {
        uint32_t sent = 0, acked = 0;
        std::vector<bool> live;
    };
    std::vector<Line> lines;

    bool write(const std::string& path) const {
        std::ofstream out(path);
        out << stamp << ' ' << flowBase << ' ' << lines.size() << '\n';
        for (const auto& line : lines) {
            out << line.sent << ' ' << line.acked << ' ';
            for (bool seen : line.live) out << (seen ? '1' : '0');
            out << ".\n";
        }
        out.close();
        return out.good();
    }
    bool read(const std::string& path) {
        std::ifstream in(path);
        size_t count = 0;
        in >> stamp >> flowBase >> count;
        lines.resize(in ? count : 0);
        for (auto& line : lines) {
            std::string bits;
            in >> line.sent >> line.acked >> bits;
            line.live.assign(line.sent, false);
            for (size_t i = 0; i + 1 < bits.size() && i < line.sent; i++)
                line.live[i] = bits[i] == '1';
        }
        return in.good() && !lines.empty();
    }
};

std::string stampOf(time_t when) {
    char text[32];
    tm parts{};
    gmtime_r(&when, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

class Crash : public Messenger {
public:
    Crash(const Options& given) : Messenger(given), pairs(uint32_t(given.pairs)) {
        flowBase = uint32_t(options.round) * pairs;
        lines.resize(pairs);
    }

    std::string user(uint32_t idx) const override {
        return Messenger::user(idx < pairs ? 2 * idx : 2 * (idx - pairs) + 1);
    }

    void setup() {
        for (uint32_t i = 0; i < pairs; i++) {
            Flow f;
            f.tx = i;
            f.rx = pairs + i;
            f.prefix = "<message to='" + jid(pairs + i) + "' type='chat' id='c" +
                       std::to_string(options.round) + "-" + std::to_string(i) + "-";
            flows.push_back(std::move(f));
        }
    }

    // Cuts the receivers' connections without a goodbye: their sessions wait to be resumed.
    void hibernateReceivers() {
        for (uint32_t i = pairs; i < connections.size(); i++) closeConn(connections[i], "", false);
    }

    bool areSendersGone() const {
        for (uint32_t i = 0; i < pairs; i++)
            if (connections[i].state == State::Online) return false;
        return true;
    }

    const uint32_t pairs;
    std::vector<Notes::Line> lines;
    uint64_t acked = 0, firstSent = 0, lastAck = 0;

protected:
    bool isPresent(const Connection& c) const override { return c.idx >= pairs; }

    void onAck(Connection& c, uint32_t h) override {
        if (c.idx >= pairs || flows.empty()) return;
        Flow& f = flows[c.idx];
        if (h > f.seq) {
            errors++;  // more than was sent
            return;
        }
        Notes::Line& line = lines[c.idx];
        if (h <= line.acked) return;
        acked += h - line.acked;
        f.inflight -= int32_t(h - line.acked);
        line.acked = h;
        lastAck = nowNs();
        if (sending) fill(c.idx);
    }

    void onStanza(Connection& c, std::string_view s, uint64_t) override {
        if (s[1] != 'm') return;
        if (isError(s)) {
            if (errors++ < 3) {
                fprintf(stderr, "xmppload: bounced: %.*s\n", int(s.size()), s.data());
            }
            return;
        }
        Tag g;
        // Messages of an earlier round may still be on their way to this receiver.
        if (!parseBody(s, g) || g.flow < flowBase || g.flow - flowBase >= pairs) return;
        if (c.idx != pairs + g.flow - flowBase) {
            alien++;
            return;
        }
        auto& live = lines[g.flow - flowBase].live;
        if (live.size() <= g.seq) live.resize(g.seq + 1);
        if (live[g.seq]) dup++;
        live[g.seq] = true;
        delivered++;
    }
};

// Receivers (and then senders) of the notes, logged in to the server that was started again.
class Verify : public Engine {
public:
    Verify(const Options& given, const Notes& read) : Engine(given), notes(read) {
        later.resize(notes.lines.size());
        archived.resize(notes.lines.size());
        sentArchive.resize(notes.lines.size());
        for (size_t i = 0; i < notes.lines.size(); i++) {
            later[i].assign(notes.lines[i].sent, false);
            archived[i].assign(notes.lines[i].sent, false);
            sentArchive[i].assign(notes.lines[i].sent, false);
        }
        lastSeq.assign(notes.lines.size(), -1);
    }

    std::string user(uint32_t idx) const override {
        const auto pairs = uint32_t(notes.lines.size());
        return Engine::user(idx < pairs ? 2 * idx + 1 : 2 * (idx - pairs));
    }

    // Pages forward through everything since the notes began; one query at a time for each user.
    bool pageAll() {
        paging = true;
        for (auto& c : connections) ask(c, {});
        runUntil([&] { return ended + closedLate >= connections.size(); },
                 nowNs() + uint64_t(options.drain * 60e9));
        paging = false;
        return ended == connections.size() && queryErrors == 0;
    }

    const Notes& notes;
    std::vector<std::vector<bool>> later, archived, sentArchive;
    std::vector<int64_t> lastSeq;
    bool paging = false;
    uint64_t ended = 0, queryErrors = 0, duplicates = 0, orderBreaks = 0, lastMessage = 0;
    uint64_t offlineCount = 0, unsent = 0;

protected:
    bool isPresent(const Connection& c) const override { return c.idx < notes.lines.size(); }

    void ask(Connection& c, std::string_view after) {
        std::string query =
            "<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2' queryid='q'>"
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
            "<value>urn:xmpp:mam:2</value></field><field var='start'><value>" +
            notes.stamp + "</value></field></x><set xmlns='http://jabber.org/protocol/rsm'><max>" +
            std::to_string(options.page) + "</max>";
        if (!after.empty()) {
            query += "<after>";
            query += after;
            query += "</after>";
        }
        query += "</set></query></iq>";
        queue(c, query);
    }

    void onStanza(Connection& c, std::string_view s, uint64_t t) override {
        if (s[1] == 'm') {
            lastMessage = t;
            if (!isError(s)) message(c, s);
            return;
        }
        if (s[1] != 'i' || !paging) return;
        const std::string_view tag = firstTag(s);
        if (attr(tag, "id") != "mam") return;
        if (attr(tag, "type") != "result") {
            if (queryErrors++ < 3) {
                fprintf(stderr, "xmppload: mam: %.*s\n", int(s.size()), s.data());
            }
            ended++;
            return;
        }
        const size_t at = s.find("<fin");
        const std::string_view fin =
            at == std::string_view::npos ? std::string_view{} : firstTag(s.substr(at));
        const std::string_view last = textOf(s, "<last");
        if (attr(fin, "complete") == "true" || last.empty())
            ended++;
        else
            ask(c, last);
    }

    void message(const Connection& c, std::string_view s) {
        Tag g;
        const auto pairs = uint32_t(notes.lines.size());
        if (!parseBody(s, g) || g.flow < notes.flowBase || g.flow - notes.flowBase >= pairs) return;
        const uint32_t flow = g.flow - notes.flowBase;
        if (flow != c.idx % pairs) return;
        if (g.seq >= notes.lines[flow].sent) {
            unsent++;
            return;
        }
        const bool isResult = s.find("urn:xmpp:mam:2") != std::string_view::npos &&
                              s.find("urn:xmpp:forward:0") != std::string_view::npos;
        if (!isResult) {
            offlineCount++;
            later[flow][g.seq] = true;
            return;
        }
        if (c.idx >= pairs) {
            sentArchive[flow][g.seq] = true;
            return;
        }
        if (archived[flow][g.seq]) duplicates++;
        archived[flow][g.seq] = true;
        if (int64_t(g.seq) <= lastSeq[flow]) orderBreaks++;
        lastSeq[flow] = g.seq;
    }
};

}  // namespace

int runCrash(const Options& given) {
    Options options = given;
    options.sm = options.presence = true;
    options.bare = true;
    if (options.smReq == 0) options.smReq = 10;
    const bool isOffline = options.mode == "offline", isHibernating = options.mode == "hibernating";
    if (options.notes.empty() || (!isOffline && !isHibernating && options.mode != "online")) {
        fprintf(stderr,
                "xmppload: crash needs --notes, and --mode online, offline or hibernating\n");
        return 2;
    }
    Crash e(options);
    Notes notes;
    notes.stamp = stampOf(time(nullptr) - 2);
    notes.flowBase = e.flowBase;
    if (!e.loginAll(uint64_t(options.pairs) * (isOffline ? 1 : 2))) return 1;
    e.setup();
    e.closing = true;  // from here on a lost connection is what we are waiting for
    if (isHibernating) e.hibernateReceivers();
    printf("sending\n");
    fflush(stdout);
    e.firstSent = nowNs();
    e.startClosed();
    const bool isKilled =
        e.runUntil([&] { return e.areSendersGone(); }, nowNs() + uint64_t(options.dur * 1e9));
    e.sending = false;
    // What was on the wire to the receivers when the server died.
    e.runUntil([] { return false; }, nowNs() + 200000000ull);
    notes.lines = e.lines;
    for (uint32_t i = 0; i < e.flows.size(); i++) notes.lines[i].sent = e.flows[i].seq;
    for (auto& line : notes.lines) line.live.resize(line.sent);
    if (!notes.write(options.notes)) {
        fprintf(stderr, "xmppload: cannot write %s\n", options.notes.c_str());
        return 1;
    }
    Json j;
    head(j, options);
    const double secs = e.lastAck > e.firstSent ? double(e.lastAck - e.firstSent) / 1e9 : 0;
    j.str("mode", options.mode);
    j.num("pairs", options.pairs);
    j.num("killed", int(isKilled));
    j.num("secs", secs);
    j.num("sent", e.sent);
    j.num("acked", e.acked);
    j.num("acked_per_s", secs > 0 ? double(e.acked) / secs : 0, 1);
    j.num("delivered_live", e.delivered);
    j.num("live_duplicates", e.dup);
    j.num("alien", e.alien);
    j.num("error_bounces", e.errors);
    j.print();
    return isKilled ? 0 : 3;
}

int runVerify(const Options& given) {
    Options options = given;
    options.presence = true;
    options.resource = "after";
    Notes notes;
    if (!notes.read(options.notes)) {
        fprintf(stderr, "xmppload: no notes in %s\n", options.notes.c_str());
        return 2;
    }
    Verify e(options, notes);
    if (!e.loginAll(notes.lines.size() * 2)) return 1;
    const auto quiet = uint64_t(options.settle * 1e9);
    e.lastMessage = nowNs();
    e.runUntil([&] { return nowNs() > e.lastMessage + quiet; });
    const bool isComplete = e.pageAll();
    uint64_t sent = 0, acked = 0, lost = 0, missing = 0, missingSent = 0, unseen = 0, archived = 0;
    std::string examples;
    for (size_t f = 0; f < notes.lines.size(); f++) {
        const auto& line = notes.lines[f];
        sent += line.sent;
        acked += line.acked;
        for (uint32_t i = 0; i < line.sent; i++) {
            archived += e.archived[f][i];
            if (i >= line.acked) continue;
            const bool isDelivered = line.live[i] || e.later[f][i];
            unseen += !isDelivered;
            missing += !e.archived[f][i];
            missingSent += !e.sentArchive[f][i];
            if (isDelivered || e.archived[f][i]) continue;
            if (lost++ < 5) examples += std::to_string(f) + "-" + std::to_string(i) + " ";
        }
    }
    Json j;
    head(j, options);
    j.num("complete", int(isComplete));
    j.num("sent", sent);
    j.num("acked", acked);
    j.num("delivered_after_restart", e.offlineCount);
    j.num("in_receiver_archive", archived);
    j.num("acked_but_lost", lost);
    j.num("acked_missing_in_receiver_archive", missing);
    j.num("acked_missing_in_sender_archive", missingSent);
    j.num("acked_not_delivered_without_archive", unseen);
    j.num("archive_duplicates", e.duplicates);
    j.num("archive_order_breaks", e.orderBreaks);
    j.num("never_sent", e.unsent);
    j.str("lost_examples", examples);
    e.closeAll(true);
    j.print();
    return isComplete ? 0 : 1;
}
