// The roster as clients read and change it (RFC 6121, 2).
#include "tests/route/contacts.h"

using namespace epode;

namespace {

std::string set(std::string_view item) {
    return "<iq type='set' id='set'><query xmlns='jabber:iq:roster'>" + std::string{item} +
           "</query></iq>";
}
std::string get(std::string_view attributes = {}) {
    return "<iq type='get' id='get'><query xmlns='jabber:iq:roster' " + std::string{attributes} +
           "/></iq>";
}
std::string push(std::string_view item) {
    return "<iq type='set'><query xmlns='jabber:iq:roster' ver='*'>" + std::string{item} +
           "</query></iq>";
}
std::string roster(std::string_view items) {
    return "<iq type='result' id='get'><query xmlns='jabber:iq:roster' ver='*'>" +
           std::string{items} + "</query></iq>";
}
std::string error(std::string_view id, std::string_view type, std::string_view condition) {
    const std::string_view code = condition == "item-not-found" ? "' code='404" : "";
    return "<iq type='error' id='" + std::string{id} + "'><error type='" + std::string{type} +
           std::string{code} + "'><" + std::string{condition} +
           " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
}
constexpr auto shortNames = "[roster]\nname_bytes_max = 64\ngroup_bytes_max = 64\ngroups_max = 2";
constexpr auto done = "<iq type='result' id='set'/>";
constexpr auto unchanged = "<iq type='result' id='get'/>";

// The 'ver' of a stanza with a roster query.
std::string versionIn(const std::string& xml) {
    const auto stanza = Stanza::parse(xml);
    REQUIRE(stanza);
    REQUIRE(stanza->payload());
    return std::string{stanza->payload()->get("ver")};
}

}  // namespace

TEST_CASE("an empty roster is a query without items") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(get());
    juliet.gets(roster(""));
    juliet.getsNothing();
}

TEST_CASE("a contact is added, changed and removed, and every interested resource is told") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& chamber = stage.connects("juliet@capulet.example/chamber");
    auto& deaf = stage.connects("juliet@capulet.example/deaf");
    for (Actor* actor : {&juliet, &chamber}) {
        actor->sends(get());
        actor->forgets();
    }
    const auto sends = [&](const std::string& item, const std::string& shown) {
        juliet.sends(set(item));
        juliet.gets(push(shown));
        juliet.gets(done);
        juliet.getsNothing();
        chamber.gets(push(shown));
        chamber.getsNothing();
        deaf.getsNothing();
    };

    const std::string nurse =
        "<item jid='nurse@capulet.example' name='Nurse' subscription='none'>"
        "<group>Servants</group><group>Old &amp; &lt;new&gt;</group></item>";
    sends(
        "<item jid='Nurse@Capulet.example' name='Nurse'><group>Servants</group>"
        "<group>Old &amp; &lt;new&gt;</group></item>",
        nurse);
    stage.restart();
    auto& back = stage.connects("juliet@capulet.example/back");
    back.sends(get());
    back.gets(roster(nurse));

    back.sends(set("<item jid='nurse@capulet.example' name=''/>"));
    const std::string bare = "<item jid='nurse@capulet.example' subscription='none'/>";
    back.gets(push(bare));
    back.gets(done);
    back.sends(get());
    back.gets(roster(bare));

    back.sends(set("<item jid='nurse@capulet.example' subscription='remove' name='x'/>"));
    back.gets(push("<item jid='nurse@capulet.example' subscription='remove'/>"));
    back.gets(done);
    back.sends(get());
    back.gets(roster(""));
    back.getsNothing();
}

TEST_CASE("a client that has not asked for the roster is told of no change, not even its own") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(set("<item jid='nurse@capulet.example'/>"));
    juliet.gets(done);
    juliet.getsNothing();
}

TEST_CASE("a client changes names and groups only") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    juliet.sends(get());
    juliet.forgets();
    const std::string shown = "<item jid='romeo@capulet.example' name='R' subscription='both'/>";
    for (const std::string claim :
         {"", "subscription='none'", "subscription='to'", "subscription='nonsense'",
          "ask='subscribe'", "approved='true'"}) {
        INFO(claim);
        juliet.sends(set("<item jid='romeo@capulet.example' name='R' " + claim + "/>"));
        juliet.gets(push(shown));
        juliet.gets(done);
        juliet.sends(get());
        juliet.gets(roster(shown));
    }
    romeo.getsNothing();
}

TEST_CASE("a roster set that breaks a rule is refused and changes nothing") {
    struct Row {
        std::string_view items;
        std::string_view type;
        std::string_view condition;
    };
    const std::string long65(65, 'x');
    const std::string longName = "<item jid='a@verona.example' name='" + long65 + "'/>";
    const std::string longGroup =
        "<item jid='a@verona.example'><group>" + long65 + "</group></item>";
    const std::vector<Row> rows{
        // 2.1.5, 2.3.3
        {"", "modify", "bad-request"},
        {"<item jid='a@verona.example'/><item jid='b@verona.example'/>", "modify", "bad-request"},
        {"<thing jid='a@verona.example'/>", "modify", "bad-request"},
        {"<item jid='a@verona.example'/><thing/>", "modify", "bad-request"},
        {"<item/>", "modify", "bad-request"},
        {"<item name='x'/>", "modify", "bad-request"},
        {"<item jid=''/>", "modify", "jid-malformed"},
        {"<item jid='@verona.example'/>", "modify", "jid-malformed"},
        {"<item jid='a@b@verona.example'/>", "modify", "jid-malformed"},
        {"<item jid='a@verona.example/'/>", "modify", "jid-malformed"},
        {"<item jid='a@verona.example/orchard'/>", "modify", "bad-request"},
        {"<item jid='juliet@capulet.example'/>", "cancel", "not-allowed"},
        {"<item jid='a@verona.example'><group>A</group><group>A</group></item>", "modify",
         "bad-request"},
        // The same by the rules of resourceparts: U+00A0 is a space.
        {"<item jid='a@verona.example'><group>A B</group><group>A\xC2\xA0"
         "B</group></item>",
         "modify", "bad-request"},
        {"<item jid='a@verona.example'><group/></item>", "modify", "not-acceptable"},
        {"<item jid='a@verona.example'><group></group></item>", "modify", "not-acceptable"},
        {longName, "modify", "not-acceptable"},
        {longGroup, "modify", "not-acceptable"},
        {"<item jid='a@verona.example'><group>1</group><group>2</group><group>3</group></item>",
         "modify", "not-acceptable"},
        // 2.5.3
        {"<item jid='a@verona.example' subscription='remove'/>", "modify", "item-not-found"},
        {"<item jid='juliet@capulet.example' subscription='remove'/>", "cancel", "not-allowed"},
    };
    for (const Row& row : rows) {
        Stage stage{shortNames};
        auto& juliet = stage.connects("juliet@capulet.example/balcony");
        juliet.sends(get());
        juliet.forgets();
        INFO(std::string{row.items});
        juliet.sends(set(row.items));
        juliet.gets(error("set", row.type, row.condition));
        juliet.getsNothing();
        CHECK(isEmpty(stage.stored("juliet@capulet.example")));
        CHECK(juliet.session()->account().roster().contacts().empty());
    }
}

TEST_CASE("what is just within the limits is kept as it is") {
    Stage stage{shortNames};
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    const std::string text(64, 'x');
    const std::string item = "<item jid='gateway.verona.example' name='" + text +
                             "' subscription='none'><group>" + text +
                             "</group><group>B</group></item>";
    juliet.sends(set(item));
    juliet.gets(done);
    juliet.sends(get());
    juliet.gets(roster(item));
}

TEST_CASE("a roster has a limit, and within it contacts can still be changed") {
    Stage stage{"[roster]\nitems_max = 2"};
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(set("<item jid='a@verona.example'/>"));
    juliet.sends(set("<item jid='b@verona.example'/>"));
    juliet.forgets();
    juliet.sends(set("<item jid='c@verona.example'/>"));
    juliet.gets(error("set", "wait", "resource-constraint"));
    juliet.sends(set("<item jid='a@verona.example' name='A'/>"));
    juliet.gets(done);
    juliet.sends(set("<item jid='b@verona.example' subscription='remove'/>"));
    juliet.gets(done);
    juliet.sends(set("<item jid='c@verona.example'/>"));
    juliet.gets(done);
}

TEST_CASE("a roster is its owner's alone") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    auto& romeo = stage.connects("romeo@capulet.example/orchard");
    befriend(juliet, romeo);
    for (const std::string type : {"get", "set"}) {
        juliet.sends("<iq type='" + type +
                     "' id='x' to='romeo@capulet.example'><query xmlns='jabber:iq:roster'>" +
                     (type == "set" ? "<item jid='paris@capulet.example'/>" : "") +
                     "</query></iq>");
        juliet.gets(error("x", "auth", "forbidden").insert(4, "from='romeo@capulet.example' "));
    }
    juliet.getsNothing();
    romeo.getsNothing();

    juliet.sends(
        "<iq type='get' id='mine' to='juliet@capulet.example'>"
        "<query xmlns='jabber:iq:roster'/></iq>");
    juliet.gets(
        "<iq type='result' id='mine' from='juliet@capulet.example'><query xmlns='jabber:iq:roster'>"
        "<item jid='romeo@capulet.example' subscription='both'/></query></iq>");
}

TEST_CASE("a roster get has no items") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(
        "<iq type='get' id='get'><query xmlns='jabber:iq:roster'><item "
        "jid='a@b.example'/></query></iq>");
    juliet.gets(error("get", "modify", "bad-request"));
    CHECK_FALSE(juliet.session()->isInterested());
}

TEST_CASE("an unanswered request is not shown in the roster") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    stage.otherServerSends(
        "<presence type='subscribe' to='juliet@capulet.example' from='romeo@verona.example'/>");
    juliet.sends(get());
    juliet.gets(roster(""));

    SECTION("and a contact that is added keeps it") {
        juliet.sends(set("<item jid='romeo@verona.example' name='R'/>"));
        juliet.gets(push("<item jid='romeo@verona.example' name='R' subscription='none'/>"));
        juliet.gets(done);
        juliet.sends("<presence/>");
        juliet.gets("<presence from='juliet@capulet.example/balcony'/>");
        juliet.gets("<presence type='subscribe' from='romeo@verona.example'/>");
        juliet.sends("<presence type='subscribed' to='romeo@verona.example'/>");
        juliet.gets(push("<item jid='romeo@verona.example' name='R' subscription='from'/>"));
    }
    SECTION("and it is no contact that can be removed") {
        juliet.sends(set("<item jid='romeo@verona.example' subscription='remove'/>"));
        juliet.gets(error("set", "modify", "item-not-found"));
    }
    SECTION("and the removal of its contact denies it") {
        juliet.sends(set("<item jid='romeo@verona.example'/>"));
        juliet.sends(set("<item jid='romeo@verona.example' subscription='remove'/>"));
        stage.otherServerGets(
            "<presence type='unsubscribed' from='juliet@capulet.example' "
            "to='romeo@verona.example'/>");
        stage.otherServerGetsNothing();
        juliet.forgets();
        juliet.sends("<presence/>");
        juliet.gets("<presence from='juliet@capulet.example/balcony'/>");
        juliet.getsNothing();
    }
}

TEST_CASE("removing a contact that has not answered takes the request back") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends("<presence type='subscribe' to='romeo@verona.example'/>");
    stage.otherServerGets("<presence type='subscribe' from='juliet@capulet.example'/>");
    juliet.sends(set("<item jid='romeo@verona.example' subscription='remove'/>"));
    stage.otherServerGets("<presence type='unsubscribe' from='juliet@capulet.example'/>");
    stage.otherServerGetsNothing();
}

TEST_CASE("removing a contact without subscription sends nothing") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(set("<item jid='romeo@verona.example'/>"));
    juliet.sends(set("<item jid='romeo@verona.example' subscription='remove'/>"));
    stage.otherServerGetsNothing();
}

TEST_CASE("the result of a set waits until it is stored, and a failure is told") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(get());
    juliet.forgets();
    stage.breaksStoring();
    juliet.sends(set("<item jid='nurse@capulet.example'/>"));
    juliet.gets(error("set", "wait", "internal-server-error"));
    juliet.getsNothing();
    stage.repairsStoring();
    juliet.sends(get());
    juliet.gets(roster(""));
}

TEST_CASE("changes of one roster keep the order in which they were sent") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(get());
    juliet.forgets();
    stage.together([&] {
        juliet.says(set("<item jid='a@verona.example' name='1'/>"));
        juliet.says(set("<item jid='a@verona.example' subscription='remove'/>"));
        juliet.says(set("<item jid='a@verona.example' subscription='remove'/>"));
        juliet.says(set("<item jid='a@verona.example' name='2'/>"));
        juliet.says(get());
    });
    juliet.gets(push("<item jid='a@verona.example' name='1' subscription='none'/>"));
    juliet.gets(done);
    juliet.gets(push("<item jid='a@verona.example' subscription='remove'/>"));
    juliet.gets(done);
    juliet.gets(error("set", "modify", "item-not-found"));
    juliet.gets(push("<item jid='a@verona.example' name='2' subscription='none'/>"));
    juliet.gets(done);
    juliet.gets(roster("<item jid='a@verona.example' name='2' subscription='none'/>"));
    juliet.getsNothing();
}

// ---- versions (2.6)

TEST_CASE("a client that has the roster gets what has changed since") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(get("ver=''"));
    const std::string empty = versionIn(juliet.next());
    for (const std::string who : {"a", "b", "c", "d"})
        juliet.sends(set("<item jid='" + who + "@verona.example'/>"));
    juliet.forgets();
    juliet.sends(get("ver=''"));
    const std::string version = versionIn(juliet.next());
    CHECK(version != empty);

    SECTION("nothing") {
        stage.restart();
        auto& back = stage.connects("juliet@capulet.example/back");
        back.sends(get("ver='" + version + "'"));
        back.gets(unchanged);
        back.getsNothing();
        // It is interested all the same.
        back.sends(set("<item jid='e@verona.example'/>"));
        back.gets(push("<item jid='e@verona.example' subscription='none'/>"));
    }
    SECTION("one push for each contact, in the order of change, with versions to go on from") {
        juliet.sends(set("<item jid='c@verona.example' name='C'/>"));
        juliet.sends(set("<item jid='b@verona.example' subscription='remove'/>"));
        juliet.sends(set("<item jid='c@verona.example' name='CC'/>"));
        juliet.forgets();
        auto& back = stage.connects("juliet@capulet.example/back");
        back.sends(get("ver='" + version + "'"));
        back.gets(unchanged);
        const std::string first = back.next();
        CHECK(mismatch(push("<item jid='b@verona.example' subscription='remove'/>"), first) == "");
        const std::string second = back.next();
        CHECK(mismatch(push("<item jid='c@verona.example' name='CC' subscription='none'/>"),
                       second) == "");
        back.getsNothing();
        CHECK(versionIn(first) != versionIn(second));

        back.sends(get("ver='" + versionIn(second) + "'"));
        back.gets(unchanged);
        back.getsNothing();
        back.sends(get("ver='" + versionIn(first) + "'"));
        back.gets(unchanged);
        back.gets(push("<item jid='c@verona.example' name='CC' subscription='none'/>"));
        back.getsNothing();
    }
    SECTION("or the whole roster when that is shorter") {
        for (const std::string who : {"a", "b", "c"})
            juliet.sends(set("<item jid='" + who + "@verona.example' subscription='remove'/>"));
        juliet.forgets();
        juliet.sends(get("ver='" + version + "'"));
        juliet.gets(roster("<item jid='d@verona.example' subscription='none'/>"));
    }
    SECTION("or the whole roster when the version is not ours") {
        for (const std::string ver : {"", "ver14", "0", "999.1", "1.", "1.x", "1.-1", "1.1 ",
                                      "1.99999", "1.99999999999999999999", ".1"}) {
            INFO(ver);
            juliet.sends(get("ver='" + ver + "'"));
            juliet.gets(
                roster("<item jid='a@verona.example' subscription='none'/>"
                       "<item jid='b@verona.example' subscription='none'/>"
                       "<item jid='c@verona.example' subscription='none'/>"
                       "<item jid='d@verona.example' subscription='none'/>"));
            juliet.getsNothing();
        }
    }
}

TEST_CASE("each push has a version of its own, the last one is the roster's") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(get());
    juliet.forgets();
    std::set<std::string> versions;
    for (const std::string who : {"a", "b", "a"}) {
        juliet.sends(set("<item jid='" + who + "@verona.example'/>"));
        versions.insert(versionIn(juliet.next()));
        juliet.gets(done);
    }
    juliet.sends("<presence type='subscribe' to='a@verona.example'/>");
    const std::string last = versionIn(juliet.next());
    versions.insert(last);
    CHECK(versions.size() == 4);
    juliet.sends(get("ver='" + last + "'"));
    juliet.gets(unchanged);
}

TEST_CASE("a request that nobody has answered makes no new version") {
    Stage stage;
    auto& juliet = stage.connects("juliet@capulet.example/balcony");
    juliet.sends(set("<item jid='romeo@verona.example'/>"));
    juliet.forgets();
    juliet.sends(get());
    const std::string version = versionIn(juliet.next());
    for (const std::string type : {"subscribe", "unsubscribe"}) {
        stage.otherServerSends(
            "<presence from='romeo@verona.example' "
            "to='juliet@capulet.example' type='" +
            type + "'/>");
        juliet.forgets();
        juliet.sends(get("ver='" + version + "'"));
        juliet.gets(unchanged);
        juliet.getsNothing();
    }
}
