// HTTP File Upload (XEP-0363), over a whole server.
#include "tests/plugins/run_command.h"
#include "tests/plugins/upload_support.h"

#include "core/time_format.h"
#include "net/fd.h"
#include "plugins/upload/file_store.h"
#include "route/account_admin.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>

using namespace epode;
using namespace epode::upload;

namespace {

const std::string juliet = "juliet@capulet.example/balcony";
const std::string romeo = "romeo@montague.example/garden";

std::string stampIn(const std::string& answer) {
    const auto at = answer.find("stamp='");
    return at == std::string::npos ? "" : answer.substr(at + 7, 24);
}

}  // namespace

TEST_CASE("a file is announced, put, and fetched by whoever knows its address") {
    Stage stage{"", GENERATE(1u, 2u)};
    auto& client = stage.server.login(juliet);
    const Slot slot = slotFor(client, fileOf("tr\xC3\xA8s cool.jpg", 5, "image/jpeg"));
    CHECK(slot.get.starts_with("/upload/"));
    CHECK(slot.get.ends_with("/tr%C3%A8s%20cool.jpg"));
    CHECK(slot.put.starts_with(slot.get + "?key="));
    CHECK(getStatus(stage.server, slot.get) == "404");

    WebClient web{stage.server};
    const auto stored = put(web, slot.put, "bytes", "Content-Type: image/jpeg\r\n");
    CHECK(statusOf(stored) == "201");
    CHECK(fieldOf(stored, "Access-Control-Allow-Origin") == "*");
    CHECK(stage.kept() == 1);
    CHECK(stage.incoming() == 0);

    const auto got = web.get(slot.get);
    CHECK(statusOf(got) == "200");
    CHECK(bodyOf(got) == "bytes");
    CHECK(fieldOf(got, "Content-Type") == "image/jpeg");
    CHECK(fieldOf(got, "Content-Length") == "5");
    CHECK(fieldOf(got, "Content-Disposition") == "inline; filename*=UTF-8''tr%C3%A8s%20cool.jpg");
    CHECK(fieldOf(got, "Content-Security-Policy") ==
          "default-src 'none'; frame-ancestors 'none'; sandbox");
    CHECK(fieldOf(got, "X-Content-Type-Options") == "nosniff");
    CHECK(fieldOf(got, "Access-Control-Allow-Origin") == "*");
    CHECK(fieldOf(got, "Cross-Origin-Resource-Policy") == "cross-origin");
    // SHA-256 of "bytes".
    const std::string tag = "\"277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9\"";
    CHECK(fieldOf(got, "ETag") == tag);
    CHECK(fieldOf(got, "Repr-Digest") == "sha-256=:J3CJ2RwL308uaGK6fkoHYFEZQx9dE/cm3TUrBvGyBqk=:");

    const auto head = web.ask("HEAD " + slot.get + " HTTP/1.1\r\nHost: capulet.example\r\n\r\n");
    CHECK(statusOf(head) == "200");
    CHECK(fieldOf(head, "Content-Length") == "5");
    CHECK(bodyOf(head) == "");
    const auto part = web.get(slot.get, "Range: bytes=1-2\r\n");
    CHECK(statusOf(part) == "206");
    CHECK(bodyOf(part) == "yt");
    CHECK(fieldOf(part, "Content-Range") == "bytes 1-2/5");
    CHECK(statusOf(web.get(slot.get, "Range: bytes=5-\r\n")) == "416");
    CHECK(statusOf(web.get(slot.get, "If-None-Match: " + tag + "\r\n")) == "304");
    CHECK(statusOf(web.get(slot.get, "Range: bytes=0-0\r\nIf-Range: " + tag + "\r\n")) == "206");
    CHECK(statusOf(web.get(slot.get, "Range: bytes=0-0\r\nIf-Range: \"x\"\r\n")) == "200");

    // It is there for good: neither does the slot end it, nor can it be put again.
    stage.server.advance(10min);
    CHECK(getStatus(stage.server, slot.get) == "200");
    CHECK(putStatus(stage.server, slot.put, "BYTES") == "409");
    CHECK(putStatus(stage.server, slot.get, "BYTES") == "404");
    CHECK(bodyOf(WebClient{stage.server}.get(slot.get)) == "bytes");
    // A restart doesn't change that.
    stage.server.restart(1s);
    CHECK(getStatus(stage.server, slot.get) == "200");
}

TEST_CASE("browsers of other origins may put and fetch") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const Slot slot = slotFor(client, fileOf("a.txt", 5));
    WebClient web{stage.server};
    const auto preflight =
        web.ask("OPTIONS " + slot.put +
                " HTTP/1.1\r\nHost: capulet.example\r\nOrigin: https://chat.example\r\n"
                "Access-Control-Request-Method: PUT\r\n"
                "Access-Control-Request-Headers: content-type\r\n\r\n");
    CHECK(statusOf(preflight) == "204");
    CHECK(fieldOf(preflight, "Access-Control-Allow-Origin") == "*");
    CHECK(has(fieldOf(preflight, "Access-Control-Allow-Methods"), "PUT"));
    CHECK(has(fieldOf(preflight, "Access-Control-Allow-Headers"), "Content-Type"));
}

TEST_CASE("clients find the service, its largest file and its purposes") {
    Stage stage{"upload.file_bytes_max = '5 MiB'\nupload.permanent_bytes_max = 0"};
    auto& client = stage.server.login(juliet);
    const auto items = payload(client.ask(
        "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "capulet.example"));
    CHECK(has(items, "jid='upload.capulet.example'"));
    const auto info = payload(
        client.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", service));
    CHECK(has(info, "<identity category='store' type='file' name='HTTP File Upload'/>"));
    CHECK(has(info, "<feature var='urn:xmpp:http:upload:0'/>"));
    for (const auto* name : {"message", "profile", "ephemeral"})
        CHECK(has(info, std::string{"urn:xmpp:http:upload:purpose:0#"} + name));
    CHECK_FALSE(has(info, "purpose:0#permanent"));
    CHECK(has(info, "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value>"));
    CHECK(has(info, "<field var='max-file-size'"));
    CHECK(has(info, "<value>5242880</value>"));
}

TEST_CASE("requests for a slot that make no sense are refused") {
    struct Row {
        std::string request;
        std::string outcome;
    };
    const std::string longest(255, 'n');
    const std::vector<Row> rows{
        {asking(fileOf("a.txt", 1)), "result"},
        {asking(fileOf("a.txt", 1, "text/plain; charset=UTF-8")), "result"},
        {asking("filename='a' size='1' content-type=''"), "result"},
        {asking(fileOf(longest, 1)), "result"},
        {asking(fileOf("../../etc/passwd", 1)), "result"},
        {asking(fileOf("a", 1), purpose("message")), "result"},
        {asking(fileOf("a", 1), purpose("profile")), "result"},
        {asking(fileOf("a", 1), purpose("permanent")), "result"},
        {asking(fileOf("a", 1), "<new xmlns='urn:example'/>"), "result"},
        {asking("size='1'"), "modify bad-request"},
        {asking("filename='' size='1'"), "modify bad-request"},
        {asking("filename='.' size='1'"), "modify bad-request"},
        {asking("filename='..' size='1'"), "modify bad-request"},
        {asking("filename='a/' size='1'"), "modify bad-request"},
        {asking(fileOf(longest + "n", 1)), "modify bad-request"},
        {asking("filename='a'"), "modify bad-request"},
        {asking("filename='a' size=''"), "modify bad-request"},
        {asking("filename='a' size='0'"), "modify bad-request"},
        {asking("filename='a' size='-1'"), "modify bad-request"},
        {asking("filename='a' size='1.5'"), "modify bad-request"},
        {asking("filename='a' size='1e3'"), "modify bad-request"},
        {asking("filename='a' size=' 1'"), "modify bad-request"},
        {asking("filename='a' size='99999999999999999999'"), "modify not-acceptable"},
        {asking("filename='a' size='9223372036854775807'"), "modify not-acceptable"},
        {asking(fileOf("a", 1, "text")), "modify bad-request"},
        {asking(fileOf("a", 1, "text/")), "modify bad-request"},
        {asking(fileOf("a", 1, "te xt/plain")), "modify bad-request"},
        {asking(fileOf("a", 1, std::string(200, 't') + "/x")), "modify bad-request"},
        {asking(fileOf("a", 1), purpose("burial")), "cancel feature-not-implemented"},
        {asking(fileOf("a", 1), purpose("message") + purpose("profile")), "modify bad-request"},
        {asking(fileOf("a", 1), purpose("ephemeral")), "modify bad-request"},
        {asking(fileOf("a", 1), purpose("ephemeral", "expire-before='tomorrow'")),
         "modify bad-request"},
        {asking(fileOf("a", 1), purpose("ephemeral", "expire-before='1999-01-01T00:00:00Z'")),
         "modify bad-request"},
    };
    Stage stage;
    auto& client = stage.server.login(juliet);
    for (const auto& row : rows) {
        INFO(row.request);
        CHECK(outcome(client.ask("get", row.request, service)) == row.outcome);
    }
    CHECK(outcome(client.ask("set", asking(fileOf("a", 1)), service)) ==
          "cancel service-unavailable");
    CHECK(outcome(client.ask("get", asking(fileOf("a", 1)), "capulet.example")) ==
          "cancel service-unavailable");
}

TEST_CASE("what is too large is refused with the largest size, by purpose") {
    Stage stage{"upload.file_bytes_max = '20000 B'\nupload.profile_file_bytes_max = '3000 B'"};
    auto& client = stage.server.login(juliet);
    const auto refused = client.ask("get", asking(fileOf("a.jpg", 20001)), service);
    CHECK(outcome(refused) == "modify not-acceptable");
    CHECK(has(refused,
              "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size>"
              "</file-too-large>"));
    CHECK(outcome(client.ask("get", asking(fileOf("a.jpg", 20000)), service)) == "result");
    CHECK(has(client.ask("get", asking(fileOf("a.jpg", 3001), purpose("profile")), service),
              "<max-file-size>3000</max-file-size>"));
}

TEST_CASE("uploads are for the users of the host, and for guests that the operator names") {
    Stage stage{"upload.guests = ['montague.example']\n[host.\"montague.example\"]\n"};
    auto& guest = stage.server.login(romeo);
    CHECK(outcome(guest.ask("get", asking(fileOf("a", 1)), service)) == "result");
    Stage other;
    auto& stranger = other.server.login(romeo);
    CHECK(outcome(stranger.ask("get", asking(fileOf("a", 1)), service)) == "auth forbidden");
    CHECK(outcome(stranger.ask("get", asking(fileOf("a", 1)), "upload.montague.example")) ==
          "result");
}

TEST_CASE("a put that is not the announced one is refused, and the slot stays as it was") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const Slot slot = slotFor(client, fileOf("a.png", 5, "image/png"));
    const std::string key = slot.put.substr(slot.put.find('?'));
    const auto swapped = [&](std::string path) {
        path[10] = path[10] == 'A' ? 'B' : 'A';
        return path;
    };
    struct Row {
        std::string bytes;
        std::string status;
    };
    const std::vector<Row> rows{
        {putHead(swapped(slot.put), 5) + "bytes", "404"},
        {putHead(slot.get, 5) + "bytes", "404"},
        {putHead(slot.get + "?key=", 5) + "bytes", "404"},
        {putHead(slot.put + "x", 5) + "bytes", "403"},
        {putHead(slot.get + "?key=" + std::string(22, 'A'), 5) + "bytes", "403"},
        {putHead("/upload/a.png" + key, 5) + "bytes", "404"},
        {putHead("/upload/" + std::string(22, '\xFF') + "/a.png" + key, 5) + "bytes", "400"},
        {putHead("/upload/%FF%FF" + std::string(20, 'A') + "/a.png" + key, 5) + "bytes", "404"},
        {putHead(slot.get.substr(0, slot.get.rfind('/')) + "/b.png" + key, 5) + "bytes", "404"},
        {putHead(slot.put, 4) + "byte", "400"},
        {putHead(slot.put, 0), "400"},
        {putHead(slot.put, 6) + "bytes!", "413"},
        {putHead(slot.put, 1000000000000) + "bytes", "413"},
        {"PUT " + slot.put +
             " HTTP/1.1\r\nHost: capulet.example\r\nTransfer-Encoding: chunked\r\n"
             "\r\n5\r\nbytes\r\n0\r\n\r\n",
         "411"},
        {putHead(slot.put, 5, "Content-Type: text/html\r\n") + "bytes", "415"},
        {putHead(slot.put, 5, "Content-Type: nonsense\r\n") + "bytes", "415"},
        {"POST " + slot.put +
             " HTTP/1.1\r\nHost: capulet.example\r\nContent-Length: 5\r\n\r\nbytes",
         "405"},
        {"DELETE " + slot.put + " HTTP/1.1\r\nHost: capulet.example\r\n\r\n", "405"},
    };
    for (const auto& row : rows) {
        INFO(row.bytes);
        WebClient web{stage.server};
        CHECK(statusOf(web.ask(row.bytes)) == row.status);
        CHECK(stage.kept() == 0);
        CHECK(stage.incoming() == 0);
    }
    CHECK(putStatus(stage.server, slot.put, "bytes", "Content-Type: IMAGE/png\r\n") == "201");
}

TEST_CASE("a slot is good for a while") {
    Stage stage{"upload.slot_lifetime = '1 min'"};
    auto& client = stage.server.login(juliet);
    const Slot slot = slotFor(client, fileOf("a", 5));
    stage.server.advance(59s);
    CHECK(putStatus(stage.server, slot.put, "bytes!") == "413");
    const Slot late = slotFor(client, fileOf("a", 5));
    stage.server.advance(61s);
    CHECK(putStatus(stage.server, late.put, "bytes") == "410");
    stage.server.advance(10min);
    CHECK(putStatus(stage.server, late.put, "bytes") == "404");
    CHECK(stage.kept() == 0);
}

TEST_CASE("an upload that began in time may take long, and not for ever") {
    Stage stage{"upload.slot_lifetime = '1 min'\nupload.duration_max = '10 min'"};
    const auto drip = [&](Duration pause) {
        auto& client = stage.server.login(juliet);
        const Slot slot = slotFor(client, fileOf("a", 40));
        WebClient web{stage.server};
        web.send(putHead(slot.put, 40));
        for (int i = 0; i < 40; ++i) {
            stage.server.advance(pause);
            web.send("x");
        }
        return statusOf(web.received);
    };
    CHECK(drip(10s) == "201");
    CHECK(stage.kept() == 1);
    CHECK(drip(25s) == "410");
    stage.server.advance(1h);
    CHECK(stage.kept() == 1);
    CHECK(stage.incoming() == 0);
}

TEST_CASE("an upload that breaks leaves nothing and may be repeated") {
    Stage stage{"", 1, GENERATE(range(1u, 6u))};
    auto& client = stage.server.login(juliet);
    const std::string body(300000, 'x');
    const Slot slot = slotFor(client, fileOf("a", body.size()));
    {
        WebClient web{stage.server};
        web.send(putHead(slot.put, body.size()) + body.substr(0, 299999));
        CHECK(stage.incoming() == 1);
        // Nobody else puts it meanwhile.
        CHECK(putStatus(stage.server, slot.put, body) == "409");
        CHECK(getStatus(stage.server, slot.get) == "404");
        web.cut();
    }
    stage.server.run();
    CHECK(stage.incoming() == 0);
    CHECK(stage.kept() == 0);
    CHECK(getStatus(stage.server, slot.get) == "404");
    // Who stops in the middle and says nothing is given up.
    WebClient silent{stage.server};
    silent.send(putHead(slot.put, body.size()) + "x");
    stage.server.advance(40s);
    CHECK(statusOf(silent.received) == "408");
    CHECK(stage.incoming() == 0);

    CHECK(putStatus(stage.server, slot.put, body) == "201");
    CHECK(bodyOf(WebClient{stage.server}.get(slot.get)) == body);
}

TEST_CASE("what a killed server was writing is removed when it starts") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const auto kept = store(stage.server, client, fileOf("kept", 4), "kept");
    const Slot slot = slotFor(client, fileOf("a", 5));
    WebClient web{stage.server};
    // As a kill leaves it: the file is there, and nobody who would remove it.
    web.send(putHead(slot.put, 5) + "byt");
    CHECK(stage.incoming() == 1);
    const auto folder = stage.folder() + "/uploads/incoming";
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        std::filesystem::copy_file(entry.path(), folder + "/1-1.copy");
    CHECK(stage.incoming() == 2);
    stage.server.crash(1s);
    stage.server.advance(5s);
    CHECK(stage.incoming() == 0);
    CHECK(stage.kept() == 1);
    CHECK(getStatus(stage.server, kept) == "200");
    // The slot is what it was.
    CHECK(putStatus(stage.server, slot.put, "bytes") == "201");
}

TEST_CASE("however the bytes come, the file is what was sent") {
    const auto seed = GENERATE(range(1u, 9u));
    Stage stage{"", 1 + seed % 2, seed};
    auto& client = stage.server.login(juliet);
    std::string body;
    for (int i = 0; body.size() < 1000003; ++i) body += std::to_string(i * 7919) + "\n";
    const Slot slot = slotFor(client, fileOf("a", body.size()));
    SimLinkSettings settings;
    settings.chunkMax = seed * 777;
    WebClient web{stage.server, settings, seed % 3 != 0};
    web.send(putHead(slot.put, body.size(), "Expect: 100-continue\r\n"));
    CHECK(statusOf(web.received) == "100");
    web.received.clear();
    for (std::size_t at = 0; at < body.size(); at += 99991) web.send(body.substr(at, 99991));
    CHECK(statusOf(web.received) == "201");
    // The connection goes on.
    const auto got = web.get(slot.get);
    CHECK(statusOf(got) == "200");
    CHECK(bodyOf(got) == body);
}

TEST_CASE("what the system has forgotten is read from the disk, by somebody else than the loop") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const std::string body(3'000'000, 'x');
    const auto path = store(stage.server, client, fileOf("a", body.size()), body);
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator{stage.folder() + "/uploads/files"}) {
        if (!entry.is_regular_file()) continue;
        const Fd file{::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC)};
        ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    }
    {
        WebClient gone{stage.server};
        gone.send("GET " + path + " HTTP/1.1\r\nHost: capulet.example\r\n\r\n");
        gone.cut();
    }
    CHECK(bodyOf(WebClient{stage.server}.get(path)) == body);
    CHECK(bodyOf(WebClient{stage.server}.get(path, "Range: bytes=-5\r\n")) == "xxxxx");
}

TEST_CASE("quotas of an account are per purpose, and say when there is room again") {
    Stage stage{
        "upload.account_bytes_max = '10000 B'\nupload.profile_bytes_max = '5000 B'\n"
        "upload.expire_after = '1 d'\nupload.slot_lifetime = '1 min'"};
    auto& client = stage.server.login(juliet);
    const WallTime start = stage.server.simulation().wallNow();
    store(stage.server, client, fileOf("a", 6000), std::string(6000, 'a'));
    stage.server.advance(1h);
    auto& later = stage.server.login(juliet);
    store(stage.server, later, fileOf("b", 3000), std::string(3000, 'b'));
    const auto refused = later.ask("get", asking(fileOf("c", 2000)), service);
    CHECK(outcome(refused) == "wait resource-constraint");
    CHECK(stampIn(refused) == formatDateTime(start + 24h));
    // An ephemeral one is a message, a picture of oneself is not.
    const auto soon = purpose("ephemeral", "expire-before='" + formatDateTime(start + 3h) + "'");
    CHECK(outcome(later.ask("get", asking(fileOf("c", 2000), soon), service)) ==
          "wait resource-constraint");
    CHECK(outcome(later.ask("get", asking(fileOf("c", 2000), purpose("profile")), service)) ==
          "result");
    // Two have to go before this one fits.
    CHECK(stampIn(later.ask("get", asking(fileOf("c", 9000)), service)) ==
          formatDateTime(start + 25h));
    CHECK(stampIn(later.ask("get", asking(fileOf("c", 10001)), service)) == "");
    // What is announced counts, until it isn't any more.
    CHECK(outcome(later.ask("get", asking(fileOf("c", 1000)), service)) == "result");
    CHECK(outcome(later.ask("get", asking(fileOf("d", 1)), service)) == "wait resource-constraint");
    stage.server.advance(10min);
    auto& afterwards = stage.server.login(juliet);
    CHECK(outcome(afterwards.ask("get", asking(fileOf("d", 1)), service)) == "result");
    // Somebody else has his own.
    auto& other = stage.server.login("nurse@capulet.example/hall");
    CHECK(outcome(other.ask("get", asking(fileOf("c", 10000)), service)) == "result");
    stage.server.advance(24h);
    auto& nextDay = stage.server.login(juliet);
    CHECK(outcome(nextDay.ask("get", asking(fileOf("c", 6000)), service)) == "result");
}

TEST_CASE("an account announces so many uploads at once, a host keeps so much") {
    Stage stage{"upload.open_slots_max = 2\nupload.host_bytes_max = '1 MiB'"};
    auto& client = stage.server.login(juliet);
    slotFor(client, fileOf("a", 500000));
    const Slot second = slotFor(client, fileOf("b", 5));
    const WallTime now = stage.server.simulation().wallNow();
    const auto refused = client.ask("get", asking(fileOf("c", 5)), service);
    CHECK(outcome(refused) == "wait resource-constraint");
    CHECK(stampIn(refused) == formatDateTime(now + 5min));
    CHECK(putStatus(stage.server, second.put, "bytes") == "201");
    CHECK(outcome(client.ask("get", asking(fileOf("c", 5)), service)) == "result");

    auto& other = stage.server.login("nurse@capulet.example/hall");
    CHECK(outcome(other.ask("get", asking(fileOf("c", 700000)), service)) ==
          "wait resource-constraint");
    CHECK(outcome(other.ask("get", asking(fileOf("c", 400000)), service)) == "result");
    stage.server.advance(10min);
    auto& later = stage.server.login("nurse@capulet.example/hall");
    CHECK(outcome(later.ask("get", asking(fileOf("c", 700000)), service)) == "result");
}

TEST_CASE("files expire by their purpose, and are gone from the disk then") {
    Stage stage{"upload.expire_after = '30 d'\nupload.profile_expire_after = '60 d'"};
    auto& client = stage.server.login(juliet);
    const WallTime start = stage.server.simulation().wallNow();
    const auto until = [&](Duration after) {
        return purpose(
            "ephemeral",
            "expire-before='" +
                formatDateTime(start +
                               std::chrono::duration_cast<std::chrono::milliseconds>(after)) +
                "'");
    };
    const auto brief = store(stage.server, client, fileOf("brief", 5), "brief", until(1h));
    const auto message = store(stage.server, client, fileOf("message", 7), "message");
    const auto late = store(stage.server, client, fileOf("late", 4), "late", until(24h * 100));
    const auto profile = store(stage.server, client, fileOf("me", 2), "me", purpose("profile"));
    const auto permanent =
        store(stage.server, client, fileOf("blog", 4), "blog", purpose("permanent"));
    const auto all = [&] {
        std::string statuses;
        for (const auto& path : {brief, message, late, profile, permanent})
            statuses += getStatus(stage.server, path) == "200" ? "+" : "-";
        return statuses + std::to_string(stage.kept());
    };
    CHECK(all() == "+++++5");
    CHECK(fieldOf(WebClient{stage.server}.get(brief), "Cache-Control") ==
          "private, max-age=3600, immutable");
    CHECK(fieldOf(WebClient{stage.server}.get(permanent), "Cache-Control") ==
          "private, max-age=604800, immutable");
    stage.server.advance(59min);
    CHECK(all() == "+++++5");
    // Not a moment longer, whenever the disk is looked after.
    stage.server.advance(61s);
    CHECK(getStatus(stage.server, brief) == "404");
    stage.server.advance(10min);
    CHECK(all() == "-++++4");
    stage.server.advance(24h * 30);
    CHECK(all() == "---++2");
    stage.server.advance(24h * 31);
    CHECK(all() == "----+1");
    stage.server.restart(24h * 365);
    stage.server.advance(10min);
    CHECK(all() == "----+1");
}

TEST_CASE("files go with their account, and with nobody else's") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    auto& other = stage.server.login("nurse@capulet.example/hall");
    const auto hers = store(stage.server, client, fileOf("a", 4), "hers");
    slotFor(client, fileOf("b", 4));
    const auto others = store(stage.server, other, fileOf("a", 6), "others");
    CHECK(stage.kept() == 2);
    CHECK(stage.server.wait(
        removeAccount(stage.server.server(), *Jid::parse("juliet@capulet.example"))));
    // Who gets the address next has none of it.
    stage.server.addAccount("juliet@capulet.example");
    stage.server.advance(2s);
    CHECK(getStatus(stage.server, hers) == "404");
    CHECK(getStatus(stage.server, others) == "200");
    CHECK(stage.kept() == 1);
    const auto stats = runCommand(stage.server, "upload", "upload stats");
    REQUIRE(stats.rows().size() == 2);
    CHECK(textOf(stats.rows()[0][1]) == "1");
}

TEST_CASE("files whose account has gone while nobody looked are found") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const auto hers = store(stage.server, client, fileOf("a", 4), "hers");
    // Past the plugin.
    CHECK(stage.server.wait(
        stage.server.server().stores().accounts.remove("juliet@capulet.example")));
    CHECK(stage.kept() == 1);
    stage.server.advance(25h);
    CHECK(stage.kept() == 0);
    CHECK(getStatus(stage.server, hers) == "404");
}

TEST_CASE("operators list, count and delete files") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    auto& other = stage.server.login("nurse@capulet.example/hall");
    const auto first = store(stage.server, client, fileOf("a.txt", 5, "text/plain"), "first");
    const auto second = store(stage.server, other, fileOf("b", 6), "second");
    slotFor(client, fileOf("announced", 4));
    const auto all = runCommand(stage.server, "upload", "upload list");
    REQUIRE(all.rows().size() == 2);
    CHECK(textOf(all.rows()[0][1]) == "nurse@capulet.example");
    CHECK(textOf(all.rows()[1][2]) == "a.txt");
    CHECK(textOf(all.rows()[1][8]) == std::string{site} + first);
    const auto hers = runCommand(stage.server, "upload", "upload list",
                                 {{"account", *Jid::parse("juliet@capulet.example")}});
    REQUIRE(hers.rows().size() == 1);
    const auto elsewhere = runCommand(stage.server, "upload", "upload list",
                                      {{"host", std::string{"montague.example"}}});
    CHECK(elsewhere.rows().empty());
    const auto page =
        runCommand(stage.server, "upload", "upload list", {{"most", std::int64_t{1}}});
    REQUIRE(page.rows().size() == 1);
    const auto next = runCommand(stage.server, "upload", "upload list",
                                 {{"before", std::get<std::int64_t>(page.rows()[0][0].value())}});
    REQUIRE(next.rows().size() == 1);
    CHECK(textOf(next.rows()[0][2]) == "a.txt");

    const auto words = [](std::string word) { return std::vector<std::string>{std::move(word)}; };
    for (const auto* unknown : {"nothing", "/upload/x", "https://capulet.example/upload/"})
        CHECK(runCommand(stage.server, "upload", "upload delete", {{"file", words(unknown)}})
                  .isRefusal());
    runCommand(stage.server, "upload", "upload delete",
               {{"file", words(std::string{site} + first)}});
    CHECK(getStatus(stage.server, first) == "404");
    CHECK(getStatus(stage.server, second) == "200");
    stage.server.advance(2s);
    CHECK(stage.kept() == 1);
    runCommand(stage.server, "upload", "upload delete",
               {{"file", words(textOf(all.rows()[0][0]))}});
    stage.server.advance(2s);
    CHECK(stage.kept() == 0);
    // What is announced still counts.
    const auto stats = runCommand(stage.server, "upload", "upload stats");
    CHECK(textOf(stats.rows()[0][0]) == "capulet.example");
    CHECK(textOf(stats.rows()[0][1]) == "1");
}

TEST_CASE("people see and delete their own files, and nobody else's") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    auto& other = stage.server.login("nurse@capulet.example/hall");
    const auto hers = store(stage.server, client, fileOf("balcony.jpg", 4), "hers");
    const auto others = store(stage.server, other, fileOf("hall.jpg", 6), "others");
    const auto command = [](TestClient& who, std::string_view rest, std::string_view content = {}) {
        return who.ask("set",
                       "<command xmlns='http://jabber.org/protocol/commands' "
                       "node='urn:epode:upload:files' " +
                           std::string{rest} + ">" + std::string{content} + "</command>",
                       "capulet.example");
    };
    const auto shown = command(client, "action='execute'");
    CHECK(has(shown, "balcony.jpg"));
    CHECK_FALSE(has(shown, "hall.jpg"));
    const auto valueIn = [](const std::string& form) {
        const auto at = form.find("<option");
        const auto begin = form.find("<value>", at) + 7;
        return form.substr(begin, form.find('<', begin) - begin);
    };
    const auto session = [](const std::string& answer) {
        const auto begin = answer.find("sessionid='") + 11;
        return answer.substr(begin, answer.find('\'', begin) - begin);
    };
    const auto choose = [](const std::string& value) {
        return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>"
               "urn:epode:upload:files</value></field><field var='delete'><value>" +
               value + "</value></field></x>";
    };
    // What she isn't shown she can't choose.
    const auto foreign = valueIn(command(other, "action='execute'"));
    CHECK(outcome(command(client, "action='complete' sessionid='" + session(shown) + "'",
                          choose(foreign))) != "result");
    CHECK(getStatus(stage.server, others) == "200");
    const auto again = command(client, "action='execute'");
    CHECK(has(command(client, "action='complete' sessionid='" + session(again) + "'",
                      choose(valueIn(again))),
              "One file was deleted."));
    CHECK(getStatus(stage.server, hers) == "404");
    CHECK(getStatus(stage.server, others) == "200");
    CHECK(has(command(client, "action='execute'"), "You have no uploaded files."));
    CHECK(stage.server.wait(FileStore{stage.server.server().database()}.doom(
              {std::stoll(foreign)}, "juliet@capulet.example")) == 0);
}

TEST_CASE("a disk that is full stops an upload, and nobody else") {
    // The limit on the size of a file looks like it, and can be had without a disk.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    Stage stage;
    auto& client = stage.server.login(juliet);
    const Slot large = slotFor(client, fileOf("large", 300000));
    const Slot small = slotFor(client, fileOf("small", 5));
    rlimit limit = before;
    limit.rlim_cur = 200000;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const auto refused = putStatus(stage.server, large.put, std::string(300000, 'x'));
    const auto stored = putStatus(stage.server, small.put, "bytes");
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, ignored);
    CHECK(refused == "507");
    CHECK(stored == "201");
    CHECK(stage.incoming() == 0);
    CHECK(stage.kept() == 1);
    CHECK(putStatus(stage.server, large.put, std::string(300000, 'x')) == "201");
}

TEST_CASE("where others need the rest of the disk, no slot is given") {
    Stage stage{"upload.free_bytes_min = '1000000 GiB'"};
    auto& client = stage.server.login(juliet);
    CHECK(outcome(client.ask("get", asking(fileOf("a", 1)), service)) ==
          "wait resource-constraint");
}

TEST_CASE("while the database is away files are neither taken nor given, and nothing stays") {
    Stage stage;
    auto& client = stage.server.login(juliet);
    const auto path = store(stage.server, client, fileOf("a", 5), "bytes");
    const Slot slot = slotFor(client, fileOf("b", 5));
    WebClient web{stage.server};
    web.send(putHead(slot.put, 5) + "byt");
    stage.server.database().fail();
    CHECK(getStatus(stage.server, path) == "503");
    CHECK(putStatus(stage.server, slot.put, "bytes") == "503");
    web.send("es");
    CHECK(statusOf(web.received) == "503");
    CHECK(outcome(client.ask("get", asking(fileOf("c", 5)), service)).starts_with("wait "));
    stage.server.database().repair();
    CHECK(stage.incoming() == 0);
    CHECK(stage.kept() == 1);
    CHECK(getStatus(stage.server, path) == "200");
    CHECK(putStatus(stage.server, slot.put, "bytes") == "201");
}

TEST_CASE("without an address that others reach nothing is offered") {
    Stage stage{"http.tls_port = 0"};
    auto& client = stage.server.login(juliet);
    CHECK(outcome(client.ask("get", asking(fileOf("a", 1)), service)) != "result");
    Stage named{"http.tls_port = 0\nupload.public_url = 'https://files.example/'"};
    auto& other = named.server.login(juliet);
    CHECK(has(other.ask("get", asking(fileOf("a", 1)), service),
              "url='https://files.example/upload/"));
}
