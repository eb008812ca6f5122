// Presence of one's own clients: broadcast, probes, directed presence, priorities (RFC 6121, 4).
#include "tests/route/stage.h"

#include "tests/route/contacts.h"

#include <set>

using namespace epode;

TEST_CASE("initial presence is echoed, and nobody else hears of it without a subscription") {
    Stage stage;
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    romeo.sends("<presence/>");
    romeo.forgets();
    auto& juliet = stage.connects("juliet@capulet.example/balcony");

    juliet.sends("<presence id='p1'><show>away</show></presence>");

    juliet.gets(
        "<presence from='juliet@capulet.example/balcony' to='juliet@capulet.example' id='p1'>"
        "<show>away</show></presence>");
    juliet.getsNothing();
    romeo.getsNothing();
}

TEST_CASE("initial presence and the presence of the own resources reach each other") {
    Stage stage;
    auto& balcony = stage.connects("juliet@capulet.example/balcony");
    balcony.sends("<presence id='b'><show>chat</show></presence>");
    balcony.forgets();
    auto& silent = stage.connects("juliet@capulet.example/silent");
    auto& chamber = stage.connects("juliet@capulet.example/chamber");

    chamber.sends("<presence id='c'/>");

    chamber.gets("<presence from='juliet@capulet.example/chamber' id='c'/>");
    chamber.gets(
        "<presence from='juliet@capulet.example/balcony' id='b'><show>chat</show></presence>");
    chamber.getsNothing();
    balcony.gets("<presence from='juliet@capulet.example/chamber' id='c'/>");
    balcony.getsNothing();
    silent.getsNothing();
}

TEST_CASE("initial presence goes to subscribers, and probes bring theirs") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    juliet.sends("<presence type='unavailable'/>");
    romeo.sends("<presence id='r'><show>dnd</show><priority>3</priority></presence>");
    juliet.forgets();
    romeo.forgets();

    juliet.sends("<presence id='j'><status>here</status></presence>");

    romeo.gets(
        "<presence from='juliet@capulet.example/balcony' to='romeo@capulet.example' id='j'>"
        "<status>here</status></presence>");
    romeo.getsNothing();
    juliet.gets(
        "<presence from='juliet@capulet.example/balcony' id='j'><status>here</status></presence>");
    juliet.gets(
        "<presence from='romeo@capulet.example/orchard' to='juliet@capulet.example' id='r'>"
        "<show>dnd</show><priority>3</priority></presence>");
    juliet.getsNothing();
}

TEST_CASE("presence goes only where the subscription says") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& nurse = stage.connects("nurse@capulet.example/kitchen");
    subscribe(nurse, juliet);  // the nurse sees Juliet, and not the other way round
    juliet.forgets();
    nurse.forgets();

    nurse.sends("<presence><show>away</show></presence>");
    juliet.getsNothing();
    nurse.forgets();
    juliet.sends("<presence><show>away</show></presence>");
    nurse.gets("<presence from='juliet@capulet.example/balcony'><show>away</show></presence>");
    nurse.getsNothing();
}

TEST_CASE("subsequent presence is broadcast whole and probes nobody") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);

    juliet.sends(
        "<presence id='2'><show>xa</show><c xmlns='urn:example:caps' hash='sha-1' "
        "node='n' ver='v'/></presence>");

    romeo.gets(
        "<presence from='juliet@capulet.example/balcony' id='2'><show>xa</show>"
        "<c xmlns='urn:example:caps' hash='sha-1' node='n' ver='v'/></presence>");
    romeo.getsNothing();
    juliet.gets(
        "<presence from='juliet@capulet.example/balcony' id='2'><show>xa</show>"
        "<c xmlns='urn:example:caps' hash='sha-1' node='n' ver='v'/></presence>");
    juliet.getsNothing();
}

TEST_CASE("unavailable presence is broadcast with its status, also to the one who sent it") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    chamber.sends("<presence/>");
    for (Actor* actor : {&juliet, &chamber, &romeo}) actor->forgets();

    juliet.sends("<presence type='unavailable'><status>to the friar</status></presence>");

    constexpr auto expected =
        "<presence from='juliet@capulet.example/balcony' type='unavailable'>"
        "<status>to the friar</status></presence>";
    for (Actor* actor : {&juliet, &chamber, &romeo}) {
        actor->gets(expected);
        actor->getsNothing();
    }

    SECTION("once") {
        juliet.sends("<presence type='unavailable'/>");
        for (Actor* actor : {&juliet, &chamber, &romeo}) actor->getsNothing();
    }
    SECTION("and nothing more reaches the resource until it comes back") {
        romeo.sends("<presence><show>away</show></presence>");
        juliet.getsNothing();
        juliet.sends("<presence id='again'/>");
        juliet.gets("<presence from='juliet@capulet.example/balcony' id='again'/>");
        juliet.gets("<presence from='juliet@capulet.example/chamber'/>");
        juliet.gets("<presence from='romeo@capulet.example/orchard'><show>away</show></presence>");
        juliet.getsNothing();
    }
}

TEST_CASE("the server takes back the presence of a client that is gone") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    chamber.sends("<presence/>");
    chamber.forgets();
    romeo.forgets();

    juliet.leaves();

    romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
    romeo.getsNothing();
    chamber.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
    chamber.getsNothing();
}

TEST_CASE("a client that was never available leaves without a word") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    auto& second = stage.connects("juliet@capulet.example/second");
    second.leaves();
    romeo.getsNothing();
    juliet.getsNothing();
}

TEST_CASE("priorities are whole numbers from -128 to 127") {
    struct Row {
        std::string_view xml;
        std::optional<int> priority;  // nothing: refused
    };
    const std::vector<Row> rows{
        {"", 0},
        {"<priority>0</priority>", 0},
        {"<priority>127</priority>", 127},
        {"<priority>-128</priority>", -128},
        {"<priority>+5</priority>", 5},
        {"<priority> 5\n</priority>", 5},
        {"<priority>007</priority>", 7},
        {"<priority xmlns='other'>999</priority>", 0},
        {"<priority>128</priority>", {}},
        {"<priority>-129</priority>", {}},
        {"<priority>99999999999999999999</priority>", {}},
        {"<priority/>", {}},
        {"<priority> </priority>", {}},
        {"<priority>high</priority>", {}},
        {"<priority>1.0</priority>", {}},
        {"<priority>1x</priority>", {}},
        {"<priority>--1</priority>", {}},
        {"<priority>+-1</priority>", {}},
        {"<priority>1</priority><priority>1</priority>", {}},
        {"<priority>1</priority><priority>x</priority>", {}},
    };
    for (const Row& row : rows) {
        Stage stage;
        auto& juliet = stage.connects("juliet@capulet.example/balcony");
        INFO(std::string{row.xml});
        juliet.sends("<presence id='p'>" + std::string{row.xml} + "</presence>");
        if (row.priority) {
            CHECK(juliet.session()->isAvailable());
            CHECK(juliet.session()->priority() == *row.priority);
            CHECK(juliet.session()->takesMessages() == (*row.priority >= 0));
        } else {
            CHECK_FALSE(juliet.session()->isAvailable());
            juliet.gets(
                "<presence type='error' id='p'><error type='modify'>"
                "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
            juliet.getsNothing();
        }
    }
}

TEST_CASE("a bad priority leaves the presence before it in force") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    juliet.sends("<presence><priority>7</priority></presence>");
    romeo.forgets();
    juliet.sends("<presence><show>dnd</show><priority>200</priority></presence>");
    romeo.getsNothing();
    CHECK(juliet.session()->priority() == 7);
}

TEST_CASE("waiting messages come when a resource takes messages for the first time") {
    Stage stage;
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    stage.has("juliet@capulet.example");
    romeo.sends(
        "<message to='juliet@capulet.example' type='chat' id='m'><body>hark</body></message>");
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence><priority>-1</priority></presence>");
    juliet.forgets();
    juliet.getsNothing();

    juliet.sends("<presence><priority>0</priority></presence>");

    juliet.gets("<presence from='*'><priority>0</priority></presence>");
    CHECK(juliet.next().find("<body>hark</body>") != std::string::npos);
    juliet.getsNothing();
}

// ---- directed presence

TEST_CASE("directed presence reaches a stranger, and so does the end of it") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    auto& other = stage.connects("romeo@capulet.example/other");
    romeo.sends("<presence/>");
    other.sends("<presence/>");
    juliet.sends("<presence/>");
    for (Actor* actor : {&juliet, &other, &romeo}) actor->forgets();

    juliet.sends("<presence to='romeo@capulet.example/orchard'><status>you</status></presence>");
    romeo.gets(
        "<presence from='juliet@capulet.example/balcony' to='romeo@capulet.example/orchard'>"
        "<status>you</status></presence>");
    other.getsNothing();

    SECTION("broadcasts do not go there") {
        juliet.sends("<presence><show>away</show></presence>");
        romeo.getsNothing();
    }
    SECTION("unavailable presence does") {
        juliet.sends("<presence type='unavailable'><status>bye</status></presence>");
        romeo.gets(
            "<presence from='juliet@capulet.example/balcony' to='romeo@capulet.example/orchard' "
            "type='unavailable'><status>bye</status></presence>");
        romeo.getsNothing();
        juliet.leaves();
        romeo.getsNothing();
    }
    SECTION("the end of the session does") {
        juliet.leaves();
        romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
        romeo.getsNothing();
    }
    SECTION("directed unavailable presence ends it") {
        juliet.sends("<presence to='romeo@capulet.example/orchard' type='unavailable'/>");
        romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
        juliet.leaves();
        romeo.getsNothing();
    }
    SECTION("unavailable presence of the other side ends it") {
        romeo.sends("<presence to='juliet@capulet.example/balcony' type='unavailable'/>");
        juliet.gets("<presence from='romeo@capulet.example/orchard' type='unavailable'/>");
        juliet.leaves();
        romeo.getsNothing();
    }
}

TEST_CASE("directed presence works without initial presence, and its end is told") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    juliet.sends("<presence to='romeo@capulet.example/orchard'/>");
    romeo.gets("<presence from='juliet@capulet.example/balcony'/>");
    CHECK_FALSE(juliet.session()->isAvailable());
    SECTION("by leaving") { juliet.leaves(); }
    SECTION("by unavailable presence") { juliet.sends("<presence type='unavailable'/>"); }
    romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
    romeo.getsNothing();
}

TEST_CASE("a subscriber who got directed presence hears of the end once") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    juliet.sends("<presence to='romeo@capulet.example'><show>dnd</show></presence>");
    romeo.forgets();
    juliet.leaves();
    romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
    romeo.getsNothing();
}

TEST_CASE("one who subscribes after directed presence hears of the end once") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    juliet.sends("<presence/>");
    juliet.sends("<presence to='romeo@capulet.example'/>");
    befriend(juliet, romeo);
    juliet.leaves();
    romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
    romeo.getsNothing();
}

TEST_CASE("directed presence has a limit") {
    Stage stage{"[presence]\ndirected_max = 10"};
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    for (int i = 1; i <= 10; ++i)
        juliet.sends("<presence to='room@verona.example/" + std::to_string(i) + "'/>");
    juliet.sends("<presence to='room@verona.example/10'/>");
    juliet.getsNothing();
    juliet.sends("<presence to='room@verona.example/11' id='11'/>");
    juliet.gets(
        "<presence from='room@verona.example/11' type='error' id='11'><error type='wait'>"
        "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    juliet.sends("<presence to='room@verona.example/1' type='unavailable'/>");
    juliet.sends("<presence to='room@verona.example/11' id='11'/>");
    juliet.getsNothing();
}

TEST_CASE("presence to oneself goes to the own resources") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    juliet.sends("<presence/>");
    chamber.sends("<presence/>");
    juliet.forgets();
    chamber.forgets();
    juliet.sends("<presence to='juliet@capulet.example'><status>note</status></presence>");
    for (Actor* actor : {&juliet, &chamber}) {
        actor->gets(
            "<presence from='juliet@capulet.example/balcony' to='juliet@capulet.example'>"
            "<status>note</status></presence>");
        actor->getsNothing();
    }
}

TEST_CASE("presence to a resource that is not there is dropped") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    romeo.sends("<presence/>");
    romeo.forgets();
    juliet.sends("<presence to='romeo@capulet.example/elsewhere'/>");
    juliet.sends("<presence to='nobody@capulet.example'/>");
    juliet.getsNothing();
    romeo.getsNothing();
}

// ---- probes

TEST_CASE("probes are answered to subscribers") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);

    SECTION("with the whole presence of each resource and its own id") {
        auto& second = stage.connects("romeo@capulet.example/second");
        second.sends("<presence id='s'><show>away</show></presence>");
        juliet.forgets();
        juliet.sends("<presence type='probe' to='romeo@capulet.example' id='probe'/>");
        juliet.gets("<presence from='romeo@capulet.example/orchard'/>");
        juliet.gets(
            "<presence from='romeo@capulet.example/second' id='s'><show>away</show></presence>");
        juliet.getsNothing();
    }
    SECTION("with unavailable and the probe's id when nobody is there") {
        romeo.leaves();
        juliet.forgets();
        juliet.sends("<presence type='probe' to='romeo@capulet.example' id='probe'/>");
        juliet.gets("<presence from='romeo@capulet.example' type='unavailable' id='probe'/>");
        juliet.getsNothing();
    }
    SECTION("with mere presence for one resource") {
        romeo.sends("<presence><show>dnd</show></presence>");
        juliet.forgets();
        juliet.sends("<presence type='probe' to='romeo@capulet.example/orchard' id='probe'/>");
        juliet.gets("<presence from='romeo@capulet.example/orchard'/>");
        juliet.sends("<presence type='probe' to='romeo@capulet.example/none' id='probe'/>");
        juliet.gets("<presence from='romeo@capulet.example/none' type='unavailable' id='probe'/>");
        juliet.getsNothing();
    }
}

TEST_CASE("a probe of a stranger is answered with unsubscribed from the bare address") {
    Stage stage;
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    romeo.sends("<presence/>");
    romeo.forgets();
    for (const std::string to : {"romeo@capulet.example", "romeo@capulet.example/orchard"}) {
        stage.otherServerSends("<presence type='probe' id='p' from='paris@verona.example' to='" +
                               to + "'/>");
        stage.otherServerGets(
            "<presence from='romeo@capulet.example' to='paris@verona.example' "
            "type='unsubscribed' id='p'/>");
    }
    stage.otherServerGetsNothing();
    romeo.getsNothing();
}

TEST_CASE("a probe of nobody is answered as a stranger's is, so that it tells nothing") {
    Stage stage;
    for (const std::string to : {"nobody@capulet.example", "nobody@capulet.example/orchard"}) {
        stage.otherServerSends("<presence type='probe' id='p' from='paris@verona.example' to='" +
                               to + "'/>");
        stage.otherServerGets(
            "<presence from='nobody@capulet.example' to='paris@verona.example' "
            "type='unsubscribed' id='p'/>");
    }
    stage.otherServerGetsNothing();
}

TEST_CASE("a user who probes a stranger of the own server learns nothing") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    juliet.sends("<presence/>");
    romeo.sends("<presence/>");
    juliet.forgets();
    romeo.forgets();
    for (const std::string who : {"romeo", "nobody"})
        for (const std::string resource : {"", "/orchard"})
            for (const std::string id : {"", " id='p'"}) {
                CAPTURE(who, resource, id);
                juliet.sends("<presence type='probe' to='" + who + "@capulet.example" + resource +
                             "'" + id + "/>");
                juliet.getsNothing();
            }
    romeo.getsNothing();
}

TEST_CASE("who got directed presence may probe that resource") {
    Stage stage;
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    romeo.sends("<presence to='room@chat.verona.example/Romeo'><status>in</status></presence>");
    stage.otherServerGets(
        "<presence from='romeo@capulet.example/orchard' to='room@chat.verona.example/Romeo'>"
        "<status>in</status></presence>");

    stage.otherServerSends(
        "<presence type='probe' id='g' from='room@chat.verona.example/Romeo' "
        "to='romeo@capulet.example/orchard'/>");
    stage.otherServerGets(
        "<presence from='romeo@capulet.example/orchard' to='room@chat.verona.example/Romeo'/>");

    stage.otherServerSends(
        "<presence type='probe' id='g' from='other@chat.verona.example/Romeo' "
        "to='romeo@capulet.example/orchard'/>");
    stage.otherServerGets(
        "<presence from='romeo@capulet.example' to='other@chat.verona.example/Romeo' "
        "type='unsubscribed' id='g'/>");

    romeo.leaves();
    stage.otherServerGets(
        "<presence from='romeo@capulet.example/orchard' to='room@chat.verona.example/Romeo' "
        "type='unavailable'/>");
    stage.otherServerSends(
        "<presence type='probe' id='g' from='room@chat.verona.example/Romeo' "
        "to='romeo@capulet.example/orchard'/>");
    stage.otherServerGets(
        "<presence from='romeo@capulet.example' to='room@chat.verona.example/Romeo' "
        "type='unsubscribed' id='g'/>");
    stage.otherServerGetsNothing();
}

TEST_CASE("a probe without address asks for the own resources") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence id='p'/>");
    juliet.forgets();
    juliet.sends("<presence type='probe'/>");
    juliet.gets("<presence from='juliet@capulet.example/balcony' id='p'/>");
    juliet.getsNothing();
}

TEST_CASE("an account on another server is probed once per contact") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence type='subscribe' to='romeo@verona.example'/>");
    stage.otherServerGets(
        "<presence type='subscribe' from='juliet@capulet.example' to='romeo@verona.example'/>");
    stage.otherServerSends(
        "<presence type='subscribed' from='romeo@verona.example' to='juliet@capulet.example'/>");
    juliet.forgets();

    juliet.sends("<presence/>");

    stage.otherServerGets(
        "<presence type='probe' from='juliet@capulet.example' to='romeo@verona.example'/>");
    stage.otherServerGetsNothing();

    SECTION("a probe that fails is nothing that clients have to know") {
        juliet.forgets();
        stage.otherServerSends(
            "<presence type='error' from='romeo@verona.example' to='juliet@capulet.example'>"
            "<error type='cancel'><remote-server-not-found "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
        juliet.getsNothing();
    }
}

TEST_CASE("an unanswered request to another server is sent again at login") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence type='subscribe' to='romeo@verona.example' id='first'/>");
    stage.otherServerGets("<presence type='subscribe' from='juliet@capulet.example' id='first'/>");
    juliet.forgets();
    juliet.sends("<presence/>");
    stage.otherServerGets(
        "<presence type='subscribe' from='juliet@capulet.example' to='romeo@verona.example' "
        "id='*'/>");
    stage.otherServerGetsNothing();

    SECTION("and its failure is told to the clients") {
        juliet.forgets();
        constexpr auto failure =
            "<presence type='error' from='romeo@verona.example' to='juliet@capulet.example'>"
            "<error type='cancel'><remote-server-not-found "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>";
        stage.otherServerSends(failure);
        juliet.gets(failure);
    }
    SECTION("but not by each further resource") {
        auto& chamber = stage.connects("juliet@capulet.example/chamber");
        chamber.sends("<presence/>");
        stage.otherServerGetsNothing();
    }
}

// ---- what else belongs to it

TEST_CASE("a login does not read the accounts of contacts that are away") {
    Stage stage;
    befriend(stage.connects("juliet@capulet.example/balcony"),
             stage.connects("romeo@capulet.example/orchard"));
    stage.restart();

    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence/>");
    juliet.sends("<presence type='unavailable'/>");

    CHECK(stage.loaded("juliet@capulet.example"));
    CHECK_FALSE(stage.loaded("romeo@capulet.example"));
    juliet.forgets();

    SECTION("a client's own probe does") {
        juliet.sends("<presence/>");
        juliet.forgets();
        juliet.sends("<presence type='probe' to='romeo@capulet.example' id='p'/>");
        juliet.gets("<presence from='romeo@capulet.example' type='unavailable' id='p'/>");
        juliet.getsNothing();
    }
}

TEST_CASE("the own probes of contacts that are away bring nothing") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    romeo.sends("<presence type='unavailable'/>");
    juliet.sends("<presence type='unavailable'/>");
    juliet.forgets();
    juliet.sends("<presence/>");
    juliet.gets("<presence from='juliet@capulet.example/balcony'/>");
    juliet.getsNothing();
}

TEST_CASE("presence crosses shards") {
    Stage stage{"", 3};
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    auto& nurse = stage.connects("nurse@capulet.example/kitchen");
    befriend(juliet, romeo);
    befriend(juliet, nurse);
    romeo.forgets();
    juliet.sends("<presence type='unavailable'/>");
    for (Actor* actor : {&romeo, &nurse}) {
        actor->gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
        actor->getsNothing();
    }
    juliet.forgets();
    juliet.sends("<presence/>");
    for (Actor* actor : {&romeo, &nurse}) {
        actor->gets("<presence from='juliet@capulet.example/balcony'/>");
        actor->getsNothing();
    }
    std::set<std::string> seen;
    for (std::string xml = juliet.next(); !xml.empty(); xml = juliet.next())
        seen.insert(Stanza::parse(xml)->from().text());
    CHECK(seen == std::set<std::string>{"juliet@capulet.example/balcony",
                                        "nurse@capulet.example/kitchen",
                                        "romeo@capulet.example/orchard"});
}

TEST_CASE("plugins hear of each change of presence, and once of the first") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    std::vector<std::string> heard;
    const auto idOf = [](const StanzaPtr& presence) {
        return presence ? std::string{presence->id()} : "nothing";
    };
    stage.listens([&](Services& services) {
        services.presenceChanged.add(Phase::Observe, "test", [&](PresenceEvent& event) {
            heard.push_back(idOf(event.before) + " to " + idOf(event.presence));
            return Verdict::Pass;
        });
        services.sessionAvailable.add(Phase::Observe, "test", [&](SessionEvent& event) {
            heard.push_back("available " + std::string{event.session.jid().resource()});
            return Verdict::Pass;
        });
    });

    juliet.sends("<presence id='1'/>");
    juliet.sends("<presence id='bad'><priority>x</priority></presence>");
    juliet.sends("<presence id='directed' to='romeo@verona.example'/>");
    juliet.sends("<presence id='2'/>");
    juliet.sends("<presence id='3' type='unavailable'/>");
    juliet.sends("<presence id='4' type='unavailable'/>");
    juliet.sends("<presence id='5'/>");
    juliet.leaves();

    CHECK(heard == std::vector<std::string>{"nothing to 1", "available balcony", "1 to 2", "2 to 3",
                                            "nothing to 5", "5 to "});
}

TEST_CASE("what changes contacts is safe when it is stored, and not before") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<enable xmlns='urn:xmpp:sm:3'/>");
    const auto xml = GENERATE("<presence to='romeo@verona.example' type='subscribe'/>",
                              "<presence to='romeo@capulet.example' type='subscribe'/>",
                              "<presence to='romeo@verona.example' type='subscribed'/>",
                              "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item "
                              "jid='a@verona.example'/></query></iq>");
    stage.has("romeo@capulet.example");
    INFO(xml);
    stage.together([&] {
        const auto& window = juliet.session()->sm()->inbound();
        const auto before = window.received();
        juliet.says(xml);
        CHECK(window.received() == before + 1);
        CHECK(window.safe() == before);
    });
    const auto& window = juliet.session()->sm()->inbound();
    CHECK(window.safe() == window.received());
}
