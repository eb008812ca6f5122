// Nothing of a room is lost: by a restart, by a crash, by leaving memory; and rooms on the disk
// cost nothing.
#include "core/metric.h"
#include "tests/plugins/muc_support.h"

#include <algorithm>

using namespace epode;

namespace {

std::int64_t roomsLoaded() {
    for (const Metric* metric : Metric::all())
        if (metric->name() == "epode_muc_rooms_loaded") return metric->value();
    return -1;
}

// A client that can be resumed.
struct Person {
    Person(TestServer& s, const std::string& name) : server{s}, local{name} {
        client = &server.login(local + "@capulet.example/x");
        client->send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        const std::string enabled = client->next();
        const auto at = enabled.find("id='");
        REQUIRE(at != std::string::npos);
        sm = enabled.substr(at + 4, enabled.find('\'', at + 4) - at - 4);
        client->send(joinXml(local));
        client->forget();
    }
    // What he had not heard yet.
    Texts resumes() {
        const std::uint32_t handled = client->handled();
        client = &server.connect({}, true);
        client->sendHeader("capulet.example").logIn(local);
        client->sendHeader("capulet.example");
        client->forget().send("<resume xmlns='urn:xmpp:sm:3' previd='" + sm + "' h='" +
                              std::to_string(handled) + "'/>");
        Texts all;
        for (const auto& xml : client->all())
            if (xml.starts_with("<presence") || xml.starts_with("<message"))
                all.push_back(heard(xml));
        return all;
    }
    bool isIn() {
        return outcome(client->ask("get", "<ping xmlns='urn:xmpp:ping'/>", coven + "/" + local)) ==
               "result";
    }
    void says(const std::string& text) {
        client->send("<message type='groupchat' to='" + coven + "'><body>" + text +
                     "</body></message>");
    }

    TestServer& server;
    std::string local;
    TestClient* client;
    std::string sm;
};

const std::string patience = "[client]\nping_after = '24h'";

}  // namespace

TEST_CASE("a hundred thousand rooms on the disk cost a start nothing") {
    Coven verona{{{"persistentroom", "1"}}, patience};
    verona.juliet.send("<presence type='unavailable' to='" + coven + "/juliet'/>");
    const auto readsOfStart = [&] {
        const auto before = verona.server.database().activity().reads;
        verona.server.restart();
        verona.server.advance(std::chrono::minutes{2});
        return verona.server.database().activity().reads - before;
    };
    (void)readsOfStart();
    const auto withOne = readsOfStart();
    CHECK(roomsLoaded() == 0);
    auto insert = [](SqlConnection& connection) {
        return connection.run(
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i <= 100000) "
            "INSERT INTO muc_room(id, domain, name, creator, created_at, locked_by, is_public, "
            "retention, title, config, secret, subject, subject_nick, subject_by, subject_at, "
            "vcard) "
            "SELECT -i, r.domain, 'room' || i, r.creator, r.created_at, '', 0, 0, 'room' || i, "
            "r.config, r.secret, '', '', '', 0, '' FROM n, muc_room r");
    };
    CHECK(verona.server.wait(verona.server.database().write(insert)) == 100'000);
    CHECK(readsOfStart() == withOne);
    CHECK(roomsLoaded() == 0);
    // One that is asked for is one that is read.
    auto& romeo = verona.server.login("romeo@montague.example/later");
    romeo.send(joinXml("romeo", {}, "room77777@conference.capulet.example"));
    CHECK(hears(romeo).front().starts_with("+romeo none/participant"));
    CHECK(roomsLoaded() == 1);
    romeo.send("<presence type='unavailable' to='room77777@conference.capulet.example/romeo'/>");
    verona.server.advance(std::chrono::minutes{20});
    CHECK(roomsLoaded() == 0);
}

TEST_CASE("only rooms with people in them are read when the server starts") {
    Coven verona{{{"persistentroom", "1"}}, patience};
    Person nurse{verona.server, "nurse"};
    for (int i = 0; i < 20; ++i) {
        const std::string room = "room" + std::to_string(i) + "@conference.capulet.example";
        nurse.client->send(joinXml("nurse", {}, room));
        nurse.client->ask("set", configXml({{"persistentroom", "1"}}), room);
        if (i % 4) nurse.client->send("<presence type='unavailable' to='" + room + "/nurse'/>");
    }
    CHECK(roomsLoaded() == 21);
    verona.server.restart();
    verona.server.advance(std::chrono::seconds{1});
    CHECK(roomsLoaded() == 6);
}

TEST_CASE("after an orderly restart nobody has to come again, and nobody has missed anything") {
    Coven verona{{{"persistentroom", "1"}}, patience};
    verona.juliet.send("<presence type='unavailable' to='" + coven + "/juliet'/>");
    Person nurse{verona.server, "nurse"};
    Person peter{verona.server, "peter"};
    Person paris{verona.server, "paris"};
    nurse.client->forget();
    peter.client->forget();
    // Peter's connection is lost before; what is said meanwhile is his as well.
    peter.client->cut();
    verona.server.run();
    nurse.says("before");
    paris.client->forget();
    nurse.client->forget();
    verona.server.restart(std::chrono::seconds{20});
    CHECK(nurse.resumes().empty());
    nurse.says("after");
    CHECK(hears(*nurse.client) == Texts{"nurse: after"});
    CHECK(paris.resumes() == Texts{"nurse: after"});
    verona.server.advance(std::chrono::seconds{30});
    nurse.says("later");
    const auto missed = peter.resumes();
    CHECK(missed == Texts{"nurse: before", "nurse: after", "nurse: later"});
    for (Person* person : {&nurse, &peter, &paris}) CHECK(person->isIn());
    // Nobody was seen to go or to come.
    for (Person* person : {&nurse, &paris})
        for (const auto& text : hears(*person->client)) CHECK(text == "nurse: later");
}

TEST_CASE("after a crash who was in hears at once that he is out, and others that he has gone") {
    Coven verona{{{"persistentroom", "1"}}, patience};
    verona.everybodyIn();
    verona.says(verona.romeo, "stored");
    verona.server.crash();
    auto& romeo = verona.server.login("romeo@montague.example/orchard");
    auto& juliet = verona.server.login("juliet@capulet.example/balcony");
    // Whatever his client does, it learns that it is out: by speaking, by asking, by its status.
    romeo.send("<message type='groupchat' id='m' to='" + coven + "'><body>Hello?</body></message>");
    juliet.forget().send("<presence to='" + coven + "/juliet'><show>away</show></presence>");
    CHECK(outcome(romeo.ask("get", "<ping xmlns='urn:xmpp:ping'/>", coven + "/romeo")) ==
          "cancel not-acceptable");
    verona.server.advance(std::chrono::seconds{10});
    romeo.forget();
    juliet.forget();
    juliet.send(joinXml("juliet"));
    const auto all = hears(juliet);
    REQUIRE(!all.empty());
    CHECK(all.front().starts_with("+juliet owner/moderator"));
    // What was acknowledged is there.
    CHECK(std::find(all.begin(), all.end(), "romeo: stored delayed") != all.end());
}

TEST_CASE("a room that has left memory comes back as it was") {
    Coven verona{{{"persistentroom", "1"}, {"roomname", "A Dark Cave"}, {"moderatedroom", "1"}},
                 patience};
    verona.everybodyIn();
    verona.juliet.send("<message type='groupchat' to='" + coven +
                       "'><subject>Fire burn</subject></message>");
    verona.says(verona.juliet, "said");
    verona.juliet.ask("set", giveRole("romeo", "participant"), coven);
    verona.juliet.ask(
        "set", affiliate("tybalt@capulet.example", "outcast", "<reason>duels</reason>"), coven);
    verona.juliet.ask("set", affiliate("nurse@capulet.example", "member"), coven);
    const std::string before = verona.juliet.ask("get", ownerXml(), coven);
    for (TestClient* client : {&verona.juliet, &verona.romeo})
        client->send("<presence type='unavailable' to='" + coven + "/" +
                     (client == &verona.juliet ? "juliet" : "romeo") + "'/>");
    CHECK(roomsLoaded() == 1);
    verona.server.advance(std::chrono::minutes{20});
    CHECK(roomsLoaded() == 0);
    auto all = verona.joins(verona.juliet, "juliet");
    REQUIRE(all.size() == 3);
    CHECK(all[0].starts_with("+juliet owner/moderator"));
    CHECK(all[1] == "juliet: said delayed");
    CHECK(all[2] == "juliet# Fire burn delayed");
    // (Without the id of the request.)
    const std::string after = verona.juliet.ask("get", ownerXml(), coven);
    CHECK(after.substr(after.find("<query")) == before.substr(before.find("<query")));
    // The voice that he was given, the ban with its reason, the member.
    all = verona.joins(verona.romeo, "romeo");
    CHECK(std::any_of(all.begin(), all.end(), [](const std::string& text) {
        return text.starts_with("+romeo none/participant");
    }));
    CHECK(verona.joins(verona.tybalt, "tybalt") == Texts{"!presence auth forbidden"});
    auto& nurse = verona.server.login("nurse@capulet.example/house");
    CHECK(outcome(nurse.ask("get", "<query xmlns='urn:xmpp:mam:2'/>", coven)) == "result");
}
