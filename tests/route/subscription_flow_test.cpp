// Subscriptions between people, from the request to the end (RFC 6121, 3).
#include "tests/route/contacts.h"

using namespace epode;

namespace {

// A client as most are: it has asked for its roster and is available.
Actor& present(Stage& stage, std::string jid) {
    Actor& actor = stage.connects(std::move(jid));
    actor.sends("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    actor.sends("<presence/>");
    actor.forgets();
    return actor;
}

std::string push(std::string_view item) {
    return "<iq type='set'><query xmlns='jabber:iq:roster'>" + std::string{item} + "</query></iq>";
}

std::string request(std::string_view from) {
    return "<presence type='subscribe' from='" + std::string{from} + "'/>";
}

}  // namespace

TEST_CASE("a request is pushed to the one who asks and shown to the one who is asked") {
    Stage stage;
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    auto& second = present(stage, "romeo@capulet.example/second");
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    auto& chamber = present(stage, "juliet@capulet.example/chamber");
    for (Actor* actor : {&romeo, &juliet}) actor->forgets();

    romeo.sends(
        "<presence to='juliet@capulet.example/balcony' type='subscribe' id='s1'>"
        "<status>It is I</status></presence>");

    const auto pending =
        push("<item jid='juliet@capulet.example' subscription='none' ask='subscribe'/>");
    for (Actor* actor : {&romeo, &second}) {
        actor->gets(pending);
        actor->getsNothing();
    }
    for (Actor* actor : {&juliet, &chamber}) {
        actor->gets(
            "<presence from='romeo@capulet.example' to='juliet@capulet.example' type='subscribe' "
            "id='s1'><status>It is I</status></presence>");
        actor->getsNothing();
    }

    SECTION("and asking again is not shown again") {
        romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
        for (Actor* actor : {&romeo, &second, &juliet, &chamber}) actor->getsNothing();
    }

    SECTION("approval ends with presence on the other side (3.1.5, 3.1.6)") {
        chamber.sends("<presence><show>away</show></presence>");
        for (Actor* actor : {&juliet, &chamber}) actor->forgets();
        juliet.sends("<presence to='romeo@capulet.example' type='subscribed' id='s2'/>");

        for (Actor* actor : {&romeo, &second}) {
            actor->gets(
                "<presence from='juliet@capulet.example' to='romeo@capulet.example' "
                "type='subscribed' id='s2'/>");
            actor->gets(push("<item jid='juliet@capulet.example' subscription='to'/>"));
            actor->gets("<presence from='juliet@capulet.example/balcony'/>");
            actor->gets(
                "<presence from='juliet@capulet.example/chamber'><show>away</show></presence>");
            actor->getsNothing();
        }
        for (Actor* actor : {&juliet, &chamber}) {
            actor->gets(push("<item jid='romeo@capulet.example' subscription='from'/>"));
            actor->getsNothing();
        }
    }

    SECTION("denial is told, and the one who denies keeps no contact (3.2)") {
        juliet.sends("<presence to='romeo@capulet.example' type='unsubscribed' id='no'/>");
        for (Actor* actor : {&romeo, &second}) {
            actor->gets("<presence from='juliet@capulet.example' type='unsubscribed' id='no'/>");
            actor->gets(push("<item jid='juliet@capulet.example' subscription='none'/>"));
            actor->getsNothing();
        }
        for (Actor* actor : {&juliet, &chamber}) actor->getsNothing();
        CHECK(juliet.session()->account().roster().contacts().empty());

        romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
        juliet.gets(request("romeo@capulet.example"));
    }

    SECTION("a request that is taken back is gone (3.3)") {
        romeo.sends("<presence to='juliet@capulet.example' type='unsubscribe' id='u'/>");
        for (Actor* actor : {&romeo, &second}) {
            actor->gets(push("<item jid='juliet@capulet.example' subscription='none'/>"));
            actor->getsNothing();
        }
        for (Actor* actor : {&juliet, &chamber}) {
            actor->gets("<presence from='romeo@capulet.example' type='unsubscribe' id='u'/>");
            actor->getsNothing();
        }
        auto& third = present(stage, "juliet@capulet.example/third");
        third.getsNothing();
        CHECK(third.session()->account().roster().contacts().empty());
    }
}

TEST_CASE("requests go to available resources, what follows from them to interested ones") {
    Stage stage;
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    auto& available = stage.connects("juliet@capulet.example/available");
    available.sends("<presence/>");
    available.forgets();
    auto& interested = stage.connects("juliet@capulet.example/interested");
    interested.sends("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    interested.forgets();

    romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
    available.gets(request("romeo@capulet.example"));
    interested.getsNothing();

    available.sends("<presence to='romeo@capulet.example' type='subscribed'/>");
    interested.gets(push("<item jid='romeo@capulet.example' subscription='from'/>"));
    available.getsNothing();

    romeo.sends("<presence to='juliet@capulet.example' type='unsubscribe'/>");
    interested.gets("<presence from='romeo@capulet.example' type='unsubscribe'/>");
    interested.gets(push("<item jid='romeo@capulet.example' subscription='none'/>"));
    interested.getsNothing();
    available.getsNothing();
}

TEST_CASE("a mutual subscription is taken apart step by step") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    befriend(juliet, romeo);

    SECTION("the user leaves: unsubscribe (3.3)") {
        romeo.sends("<presence to='juliet@capulet.example' type='unsubscribe' id='u'/>");
        romeo.gets(push("<item jid='juliet@capulet.example' subscription='from'/>"));
        romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
        romeo.getsNothing();
        juliet.gets("<presence from='romeo@capulet.example' type='unsubscribe' id='u'/>");
        juliet.gets(push("<item jid='romeo@capulet.example' subscription='to'/>"));
        juliet.getsNothing();

        juliet.sends("<presence><show>away</show></presence>");
        romeo.getsNothing();
        romeo.sends("<presence><show>dnd</show></presence>");
        juliet.gets("<presence from='juliet@capulet.example/balcony'><show>away</show></presence>");
        juliet.gets("<presence from='romeo@capulet.example/orchard'><show>dnd</show></presence>");
    }
    SECTION("the user shuts the other out: unsubscribed (3.2)") {
        romeo.sends("<presence to='juliet@capulet.example' type='unsubscribed' id='n'/>");
        juliet.gets("<presence from='romeo@capulet.example/orchard' type='unavailable'/>");
        juliet.gets("<presence from='romeo@capulet.example' type='unsubscribed' id='n'/>");
        juliet.gets(push("<item jid='romeo@capulet.example' subscription='from'/>"));
        juliet.getsNothing();
        romeo.gets(push("<item jid='juliet@capulet.example' subscription='to'/>"));
        romeo.getsNothing();

        romeo.sends("<presence><show>away</show></presence>");
        juliet.getsNothing();
    }
    SECTION("the user removes the contact (2.5.2)") {
        romeo.sends(
            "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
            "<item jid='juliet@capulet.example' subscription='remove'/></query></iq>");
        romeo.gets(push("<item jid='juliet@capulet.example' subscription='remove'/>"));
        romeo.gets("<iq type='result' id='r'/>");
        romeo.gets("<presence from='juliet@capulet.example/balcony' type='unavailable'/>");
        romeo.getsNothing();
        juliet.gets("<presence from='romeo@capulet.example' type='unsubscribe'/>");
        juliet.gets(push("<item jid='romeo@capulet.example' subscription='to'/>"));
        juliet.gets("<presence from='romeo@capulet.example/orchard' type='unavailable'/>");
        juliet.gets("<presence from='romeo@capulet.example' type='unsubscribed'/>");
        juliet.gets(push("<item jid='romeo@capulet.example' subscription='none'/>"));
        juliet.getsNothing();
        CHECK(romeo.session()->account().roster().contacts().empty());
    }
}

TEST_CASE("a request waits for the one who is asked, over a restart, until it is answered") {
    Stage stage;
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    stage.has("juliet@capulet.example");
    romeo.sends(
        "<presence to='juliet@capulet.example' type='subscribe' id='first'><status>O</status>"
        "<nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick></presence>");
    romeo.sends("<presence to='juliet@capulet.example' type='subscribe' id='second'/>");
    constexpr auto kept =
        "<presence from='romeo@capulet.example' to='juliet@capulet.example' type='subscribe' "
        "id='first'><status>O</status><nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick>"
        "</presence>";

    stage.restart();
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.gets("<iq type='result' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    juliet.getsNothing();
    juliet.sends("<presence/>");
    juliet.gets("<presence from='juliet@capulet.example/balcony'/>");
    juliet.gets(kept);
    juliet.getsNothing();

    juliet.sends("<presence><show>away</show></presence>");
    juliet.gets("<presence from='juliet@capulet.example/balcony'><show>away</show></presence>");
    juliet.getsNothing();

    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    chamber.sends("<presence/>");
    chamber.forgets();
    juliet.forgets();
    juliet.sends("<presence type='unavailable'/>");
    juliet.forgets();
    juliet.sends("<presence/>");
    juliet.gets("<presence from='juliet@capulet.example/balcony'/>");
    juliet.gets("<presence from='juliet@capulet.example/chamber'/>");
    juliet.gets(kept);
    juliet.getsNothing();

    const auto answer = GENERATE("subscribed", "unsubscribed");
    juliet.sends("<presence to='romeo@capulet.example' type='" + std::string{answer} + "'/>");
    stage.restart();
    auto& again = stage.connects("juliet@capulet.example/balcony");
    again.sends("<presence/>");
    again.gets("<presence from='juliet@capulet.example/balcony'/>");
    again.getsNothing();
}

TEST_CASE("a request that is answered while it is read again is not delivered") {
    Stage stage;
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
    SECTION("from a stranger") {}
    SECTION("from one in the roster") {
        juliet.sends(
            "<iq type='set' id='s'><query xmlns='jabber:iq:roster'>"
            "<item jid='romeo@capulet.example'/></query></iq>");
    }
    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    juliet.forgets();

    stage.together([&] {
        juliet.says("<presence to='romeo@capulet.example' type='unsubscribed'/>");
        chamber.says("<presence/>");
    });

    chamber.gets("<presence from='juliet@capulet.example/chamber'/>");
    chamber.gets("<presence from='juliet@capulet.example/balcony'/>");
    chamber.getsNothing();
}

TEST_CASE("approval and denial reach one who is offline in the roster") {
    Stage stage;
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
    romeo.leaves();
    const auto [answer, subscription] =
        GENERATE(table<std::string, std::string>({{"subscribed", "to"}, {"unsubscribed", "none"}}));
    juliet.sends("<presence to='romeo@capulet.example' type='" + answer + "'/>");
    stage.restart();

    auto& back = stage.connects("romeo@capulet.example/orchard");
    back.sends("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    back.gets(
        "<iq type='result' id='r'><query xmlns='jabber:iq:roster'>"
        "<item jid='juliet@capulet.example' subscription='" +
        subscription + "'/></query></iq>");
}

TEST_CASE("a request of one who sees us already is answered by the server (3.1.3)") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence/>");
    stage.otherServerSends(
        "<presence type='subscribe' from='romeo@verona.example' to='juliet@capulet.example'/>");
    juliet.sends("<presence type='subscribed' to='romeo@verona.example'/>");
    juliet.forgets();
    stage.otherServerGets("<presence type='subscribed' from='juliet@capulet.example'/>");
    stage.otherServerGets("<presence from='juliet@capulet.example/balcony'/>");

    stage.otherServerSends(
        "<presence type='subscribe' from='romeo@verona.example/orchard' id='again' "
        "to='juliet@capulet.example'/>");

    stage.otherServerGets(
        "<presence type='subscribed' from='juliet@capulet.example' to='romeo@verona.example' "
        "id='again'/>");
    stage.otherServerGets("<presence from='juliet@capulet.example/balcony'/>");
    stage.otherServerGetsNothing();
    juliet.getsNothing();
}

TEST_CASE("one who leaves is answered with unsubscribed and unavailable presence (A.3.2, 3.3.3)") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    stage.otherServerSends(
        "<presence type='subscribe' from='romeo@verona.example' to='juliet@capulet.example'/>");
    juliet.sends("<presence type='subscribed' to='romeo@verona.example'/>");
    stage.otherServerGets("<presence type='subscribed' from='juliet@capulet.example'/>");
    stage.otherServerGets("<presence from='juliet@capulet.example/balcony'/>");

    stage.otherServerSends(
        "<presence type='unsubscribe' from='romeo@verona.example' id='u' "
        "to='juliet@capulet.example'/>");
    stage.otherServerGets(
        "<presence type='unavailable' from='juliet@capulet.example/balcony' "
        "to='romeo@verona.example'/>");
    stage.otherServerGets(
        "<presence type='unsubscribed' from='juliet@capulet.example' to='romeo@verona.example' "
        "id='u'/>");
    stage.otherServerGetsNothing();
}

TEST_CASE("what a stranger says about subscriptions that there are not is not shown") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    for (const std::string type : {"subscribed", "unsubscribed", "unsubscribe"}) {
        stage.otherServerSends(
            "<presence from='paris@verona.example' to='juliet@capulet.example' type='" + type +
            "'/>");
        juliet.getsNothing();
        stage.otherServerGetsNothing();
    }
    CHECK(juliet.session()->account().roster().contacts().empty());
    CHECK(isEmpty(stage.stored("juliet@capulet.example")));
}

TEST_CASE("subscriptions are addressed to accounts, not to resources (8.5.3.2.2)") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    stage.otherServerSends(
        "<presence type='subscribe' from='romeo@verona.example/orchard' "
        "to='juliet@capulet.example/gone'/>");
    juliet.gets(
        "<presence type='subscribe' from='romeo@verona.example' to='juliet@capulet.example'/>");
    stage.otherServerSends(
        "<presence type='unsubscribe' from='romeo@verona.example' "
        "to='juliet@capulet.example/gone'/>");
    juliet.getsNothing();
    stage.otherServerGetsNothing();
    stage.otherServerSends(
        "<presence type='unsubscribe' from='romeo@verona.example' "
        "to='juliet@capulet.example/balcony'/>");
    juliet.gets(
        "<presence type='unsubscribe' from='romeo@verona.example' to='juliet@capulet.example'/>");
}

// ---- pre-approval (3.4)

TEST_CASE("a pre-approved contact is let in without asking") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='romeo@capulet.example' type='subscribed'/>");
    juliet.gets(push("<item jid='romeo@capulet.example' subscription='none' approved='true'/>"));
    juliet.getsNothing();

    SECTION("also after a restart") { stage.restart(); }
    SECTION("at once") {}
    auto& host = stage.find("juliet@capulet.example/balcony")
                     ? juliet
                     : present(stage, "juliet@capulet.example/balcony");
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    romeo.sends("<presence to='juliet@capulet.example' type='subscribe' id='s'/>");

    romeo.gets(push("<item jid='juliet@capulet.example' subscription='none' ask='subscribe'/>"));
    romeo.gets("<presence from='juliet@capulet.example' type='subscribed' id='s'/>");
    romeo.gets(push("<item jid='juliet@capulet.example' subscription='to'/>"));
    romeo.gets("<presence from='juliet@capulet.example/balcony'/>");
    romeo.getsNothing();
    host.gets(push("<item jid='romeo@capulet.example' subscription='from' approved='true'/>"));
    host.getsNothing();
}

TEST_CASE("a pre-approval that was taken back lets nobody in") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    juliet.sends("<presence to='romeo@capulet.example' type='subscribed'/>");
    juliet.forgets();
    juliet.sends("<presence to='romeo@capulet.example' type='unsubscribed'/>");
    juliet.gets(push("<item jid='romeo@capulet.example' subscription='none'/>"));
    romeo.getsNothing();
    romeo.sends("<presence to='juliet@capulet.example' type='subscribe'/>");
    juliet.gets(request("romeo@capulet.example"));
}

// ---- oneself, nobody, nonsense

TEST_CASE("everybody sees his own presence and needs no subscription for it") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='juliet@capulet.example' type='subscribe' id='s'/>");
    juliet.gets("<presence from='juliet@capulet.example' type='subscribed' id='s'/>");
    for (const std::string type : {"subscribed", "unsubscribe", "unsubscribed"})
        juliet.sends("<presence to='juliet@capulet.example' type='" + type + "'/>");
    juliet.getsNothing();
    CHECK(juliet.session()->account().roster().contacts().empty());
    CHECK(isEmpty(stage.stored("juliet@capulet.example")));
}

TEST_CASE("a subscription names its contact") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    for (const std::string type : {"subscribe", "subscribed", "unsubscribe", "unsubscribed"}) {
        juliet.sends("<presence type='" + type + "' id='x'/>");
        juliet.gets(
            "<presence type='error' id='x'><error type='modify'>"
            "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    }
}

TEST_CASE("asking nobody looks like asking somebody who does not answer") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='nobody@capulet.example' type='subscribe'/>");
    juliet.gets(push("<item jid='nobody@capulet.example' subscription='none' ask='subscribe'/>"));
    juliet.getsNothing();
}

TEST_CASE("a request that can't be sent on is answered with an error to the clients") {
    Stage stage;
    stage.hasNoOtherServers();
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='romeo@verona.example' type='subscribe' id='s'/>");
    juliet.gets(
        "<presence from='romeo@verona.example' to='juliet@capulet.example' type='error' id='s'>"
        "<error type='cancel'><remote-server-not-found "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    juliet.gets(push("<item jid='romeo@verona.example' subscription='none' ask='subscribe'/>"));
}

// ---- limits and failures

TEST_CASE("unanswered requests have a limit, and a stranger does not learn of it") {
    Stage stage{"[presence]\nrequests_max = 2"};
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    for (const std::string who : {"a", "b", "c"})
        stage.otherServerSends("<presence type='subscribe' to='juliet@capulet.example' from='" +
                               who + "@verona.example'/>");
    juliet.gets(request("a@verona.example"));
    juliet.gets(request("b@verona.example"));
    juliet.getsNothing();
    stage.otherServerGetsNothing();

    juliet.sends("<presence type='unsubscribed' to='a@verona.example'/>");
    stage.otherServerSends(
        "<presence type='subscribe' to='juliet@capulet.example' from='c@verona.example'/>");
    juliet.gets(request("c@verona.example"));
}

TEST_CASE("a large request is delivered whole and kept without its content") {
    Stage stage{"[presence]\nrequest_bytes_max = 300"};
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    const std::string status = "<status>" + std::string(300, 'x') + "</status>";
    stage.otherServerSends(
        "<presence type='subscribe' to='juliet@capulet.example' from='a@verona.example' id='i'>" +
        status + "</presence>");
    juliet.gets("<presence type='subscribe' from='a@verona.example' id='i'>" + status +
                "</presence>");
    stage.restart();
    auto& again = stage.connects("juliet@capulet.example/balcony");
    again.sends("<presence/>");
    again.gets("<presence from='juliet@capulet.example/balcony'/>");
    again.gets("<presence type='subscribe' from='a@verona.example' id='i'/>");
}

TEST_CASE("subscribing fills the roster no further than it may grow") {
    Stage stage{"[roster]\nitems_max = 1"};
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='a@verona.example' type='subscribe'/>");
    juliet.forgets();
    stage.otherServerGets("<presence from='juliet@capulet.example' type='subscribe'/>");
    for (const std::string type : {"subscribe", "subscribed"}) {
        juliet.sends("<presence to='b@verona.example' id='b' type='" + type + "'/>");
        juliet.gets(
            "<presence from='b@verona.example' to='juliet@capulet.example/balcony' type='error' "
            "id='b'><error type='wait'><resource-constraint "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
        juliet.getsNothing();
    }
    stage.otherServerGetsNothing();
    CHECK(juliet.session()->account().roster().contacts().size() == 1);
}

TEST_CASE("what could not be stored has never been, and who asked is told") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    constexpr auto failed =
        "<error type='wait'><internal-server-error "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>";
    stage.breaksStoring();

    juliet.sends("<presence to='romeo@verona.example' type='subscribe' id='s'/>");
    juliet.gets("<presence from='romeo@verona.example' type='error' id='s'>" + std::string{failed});
    juliet.getsNothing();
    stage.otherServerGetsNothing();
    stage.otherServerSends(
        "<presence type='subscribe' to='juliet@capulet.example' from='romeo@verona.example' "
        "id='i'/>");
    stage.otherServerGets("<presence from='juliet@capulet.example' type='error' id='i'>" +
                          std::string{failed});
    juliet.getsNothing();
    CHECK(juliet.session()->account().roster().contacts().empty());

    stage.repairsStoring();
    juliet.sends("<presence to='romeo@verona.example' type='subscribe' id='s'/>");
    juliet.gets(push("<item jid='romeo@verona.example' subscription='none' ask='subscribe'/>"));
}

TEST_CASE("presence comes after what its sender has said before it") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    juliet.sends("<presence to='romeo@verona.example' type='subscribe'/>");
    juliet.forgets();
    stage.together([&] {
        stage.otherServerSays(
            "<presence type='subscribed' from='romeo@verona.example' "
            "to='juliet@capulet.example'/>");
        stage.otherServerSays(
            "<presence from='romeo@verona.example/orchard' to='juliet@capulet.example'/>");
        stage.otherServerSays(
            "<presence from='paris@verona.example/hall' to='juliet@capulet.example'/>");
    });
    juliet.gets("<presence from='paris@verona.example/hall'/>");
    juliet.gets("<presence type='subscribed' from='romeo@verona.example'/>");
    juliet.gets(push("<item jid='romeo@verona.example' subscription='to'/>"));
    juliet.gets("<presence from='romeo@verona.example/orchard'/>");
    juliet.getsNothing();
}

TEST_CASE("requests that cross each other come to a mutual subscription") {
    Stage stage;
    auto& juliet = present(stage, "juliet@capulet.example/balcony");
    auto& romeo = present(stage, "romeo@capulet.example/orchard");
    stage.together([&] {
        juliet.says("<presence to='romeo@capulet.example' type='subscribe'/>");
        romeo.says("<presence to='juliet@capulet.example' type='subscribe'/>");
    });
    stage.together([&] {
        juliet.says("<presence to='romeo@capulet.example' type='subscribed'/>");
        romeo.says("<presence to='juliet@capulet.example' type='subscribed'/>");
    });
    const auto state = [](Actor& actor, std::string_view contact) {
        return actor.session()->account().roster().find(*Jid::parse(contact))->state;
    };
    CHECK(state(juliet, "romeo@capulet.example") == ContactState{Subscription::Both});
    CHECK(state(romeo, "juliet@capulet.example") == ContactState{Subscription::Both});
}
