// Service administration (XEP-0133).
#include "control/stop_commands.h"
#include "tests/plugins/commands.h"

using namespace epode;

namespace {

constexpr std::string_view toml = R"(
[commands]
admins = ["escalus@capulet.example"]
operators = ["peter@capulet.example"]
[host."capulet.example".commands]
host_admins = ["nurse@capulet.example"]
)";

const std::string capulet = "capulet.example";

std::string admin(const std::string& name) { return "http://jabber.org/protocol/admin#" + name; }

// Runs a command with its one form; what it has answered last.
std::string run(TestClient& client, const std::string& name, const FormValues& values,
                const std::string& host = capulet) {
    const auto asked = command(execute(client, host, admin(name)));
    CHECK(asked.status == "executing");
    CHECK(asked.form->formType() == "http://jabber.org/protocol/admin");
    return answer(client, host, asked, values);
}

}  // namespace

TEST_CASE("an administrator adds a user, and removes him") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const auto add = [&](const std::string& jid, const std::string& password,
                         const std::string& again) {
        return run(escalus, "add-user",
                   {{"accountjid", jid}, {"password", password}, {"password-verify", again}});
    };
    CHECK(outcome(add("paris@capulet.example", "secret", "other")) == "modify not-acceptable");
    CHECK(outcome(add("paris@montague.example", "secret", "secret")) == "cancel item-not-found");
    CHECK(outcome(add("capulet.example", "secret", "secret")) == "cancel item-not-found");
    CHECK(commandOutcome(add("@", "secret", "secret")) == "modify bad-request bad-payload");
    CHECK(commandOutcome(add("paris@capulet.example", "", "")) == "modify bad-request bad-payload");
    CHECK(command(add("paris@capulet.example", "secret", "secret")).status == "completed");
    CHECK(outcome(add("paris@capulet.example", "secret", "secret")) == "cancel conflict");
    stage.server.login("paris@capulet.example/street");

    const auto remove = [&](const std::string& jids) {
        return run(escalus, "delete-user", {{"accountjids", jids}});
    };
    CHECK(outcome(remove("nobody@capulet.example")) == "cancel item-not-found");
    CHECK(outcome(remove("romeo@montague.example")) == "cancel item-not-found");
    // What fails for one does not keep the other from it.
    const auto some = command(remove("paris@capulet.example\nnobody@capulet.example"));
    CHECK(some.status == "completed");
    CHECK(some.notes.size() == 1);
    CHECK(outcome(remove("paris@capulet.example")) == "cancel item-not-found");
}

TEST_CASE("a user is disabled, and enabled again") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& tybalt = stage.server.login("tybalt@capulet.example/street");
    CHECK(
        command(run(escalus, "disable-user", {{"accountjids", "tybalt@capulet.example"}})).status ==
        "completed");
    CHECK(tybalt.isClosed());
    const auto number = command(execute(escalus, capulet, admin("get-disabled-users-num")));
    CHECK(number.form->text("disabledusersnum") == "1");
    const auto list = command(run(escalus, "get-disabled-users-list", {{"max_items", "25"}}));
    CHECK(list.form->text("disableduserjids") == "tybalt@capulet.example");
    CHECK(command(run(escalus, "reenable-user", {{"accountjids", "tybalt@capulet.example"}}))
              .status == "completed");
    stage.server.login("tybalt@capulet.example/street");
}

TEST_CASE("an administrator changes a password, and ends sessions") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    CHECK(command(run(escalus, "change-user-password",
                      {{"accountjid", "juliet@capulet.example"}, {"password", "new"}}))
              .status == "completed");
    CHECK(outcome(run(escalus, "change-user-password",
                      {{"accountjid", "x@capulet.example"}, {"password", "new"}})) ==
          "cancel item-not-found");
    CHECK(command(run(escalus, "end-user-session", {{"accountjids", "juliet@capulet.example"}}))
              .status == "completed");
    CHECK(juliet.isClosed());
    CHECK(outcome(run(escalus, "end-user-session", {{"accountjids", "juliet@capulet.example"}})) ==
          "cancel item-not-found");
    auto& again = stage.server.connect({}, true);
    again.sendHeader().logIn("juliet", "new").bind("balcony");
    CHECK(again.jid() == "juliet@capulet.example/balcony");
}

TEST_CASE("an administrator sees what there is") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    auto& romeo = stage.server.login("romeo@montague.example/orchard");
    stage.server.addAccount("tybalt@capulet.example");
    subscribe(romeo, juliet);
    const auto number = [&](const std::string& name, const std::string& var) {
        return std::string{command(execute(escalus, capulet, admin(name))).form->text(var)};
    };
    CHECK(number("get-registered-users-num", "registeredusersnum") == "3");
    CHECK(number("get-online-users-num", "onlineusersnum") == "2");
    const auto list = [&](const std::string& name, const std::string& var,
                          const std::string& most) {
        return command(run(escalus, name, {{"max_items", most}})).form->find(var)->values;
    };
    using Jids = std::vector<std::string>;
    CHECK(list("get-registered-users-list", "registereduserjids", "none") ==
          Jids{"escalus@capulet.example", "juliet@capulet.example", "tybalt@capulet.example"});
    CHECK(list("get-online-users-list", "onlineuserjids", "25") ==
          Jids{"escalus@capulet.example", "juliet@capulet.example"});
    CHECK(commandOutcome(run(escalus, "get-online-users-list", {{"max_items", "26"}})) ==
          "modify bad-request bad-payload");

    const auto last =
        command(run(escalus, "get-user-lastlogin", {{"accountjids", "juliet@capulet.example"}}));
    CHECK(last.form->text("accountjids") == "juliet@capulet.example");
    CHECK(last.form->text("lastlogin").starts_with("20"));
    const auto never =
        command(run(escalus, "get-user-lastlogin", {{"accountjids", "tybalt@capulet.example"}}));
    CHECK(never.form->text("lastlogin") == "never");
    const auto statistics =
        command(run(escalus, "user-stats", {{"accountjid", "juliet@capulet.example"}}));
    CHECK(statistics.form->text("rostersize") == "1");
    CHECK(statistics.form->text("onlineresources") == "balcony");
    CHECK(statistics.form->text("ipaddresses") == "192.0.2.1");
    const auto roster =
        run(escalus, "get-user-roster", {{"accountjids", "juliet@capulet.example"}});
    CHECK(roster.find("<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example' "
                      "subscription='from'/>") != std::string::npos);
    for (const std::string name : {"get-user-lastlogin", "get-user-roster"}) {
        CHECK(outcome(run(escalus, name, {{"accountjids", "nobody@capulet.example"}})) ==
              "cancel item-not-found");
        CHECK(outcome(run(escalus, name, {{"accountjids", "romeo@montague.example"}})) ==
              "cancel item-not-found");
    }
}

TEST_CASE("the administrator of a host administers this host") {
    CommandStage stage{toml};
    auto& nurse = stage.server.login("nurse@capulet.example/room");
    CHECK(command(run(nurse, "add-user",
                      {{"accountjid", "paris@capulet.example"},
                       {"password", "a"},
                       {"password-verify", "a"}}))
              .status == "completed");
    CHECK(outcome(execute(nurse, capulet, admin("shutdown"))) == "cancel forbidden");
    CHECK(outcome(execute(nurse, "montague.example", admin("add-user"))) == "cancel forbidden");
    CHECK(outcome(execute(nurse, capulet, "urn:epode:command:user.add")) == "cancel forbidden");
    // An operator looks, and changes nothing.
    auto& peter = stage.server.login("peter@capulet.example/hall");
    CHECK(command(execute(peter, capulet, admin("get-online-users-num"))).status == "completed");
    CHECK(outcome(execute(peter, capulet, admin("add-user"))) == "cancel forbidden");
    CHECK(outcome(execute(peter, capulet, admin("get-user-roster"))) == "cancel forbidden");
}

TEST_CASE("administrators of a host are named by those of the server, also over a restart") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& paris = stage.server.login("paris@capulet.example/street");
    auto& nurse = stage.server.login("nurse@capulet.example/room");
    CHECK(outcome(execute(nurse, capulet, admin("edit-admin"))) == "cancel forbidden");
    CHECK(outcome(execute(paris, capulet, admin("add-user"))) == "cancel forbidden");
    for (const std::string jids :
         {"nobody@capulet.example", "romeo@montague.example", "paris@capulet.example/street"})
        CHECK(outcome(run(escalus, "edit-admin", {{"adminjids", jids}})) ==
              "cancel item-not-found");
    CHECK(command(run(escalus, "edit-admin", {{"adminjids", "paris@capulet.example"}})).status ==
          "completed");
    CHECK(command(execute(paris, capulet, admin("add-user"))).status == "executing");
    CHECK(outcome(execute(paris, capulet, admin("shutdown"))) == "cancel forbidden");
    CHECK(outcome(execute(paris, "montague.example", admin("add-user"))) == "cancel forbidden");
    stage.restart();
    auto& again = stage.server.login("paris@capulet.example/street");
    CHECK(command(execute(again, capulet, admin("add-user"))).status == "executing");
    auto& prince = stage.server.login("escalus@capulet.example/throne");
    const auto asked = command(execute(prince, capulet, admin("edit-admin")));
    CHECK(asked.form->text("adminjids") == "paris@capulet.example");
    // Who gets the address of one who is gone is no administrator.
    CHECK(command(run(prince, "delete-user", {{"accountjids", "paris@capulet.example"}})).status ==
          "completed");
    auto& heir = stage.server.login("paris@capulet.example/street");
    CHECK(outcome(execute(heir, capulet, admin("add-user"))) == "cancel forbidden");
    CHECK(command(run(prince, "edit-admin", {{"adminjids", "paris@capulet.example"}})).status ==
          "completed");
    CHECK(command(execute(heir, capulet, admin("add-user"))).status == "executing");
    stage.server.rewire();
    CHECK(command(execute(heir, capulet, admin("add-user"))).status == "executing");
    CHECK(command(run(prince, "edit-admin", {})).status == "completed");
    CHECK(outcome(execute(heir, capulet, admin("add-user"))) == "cancel forbidden");
}

TEST_CASE("passwords can't be asked for") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    for (const std::string name : {"get-user-password", "edit-whitelist", ""})
        CHECK(outcome(execute(escalus, capulet, admin(name))) == "cancel item-not-found");
}

TEST_CASE("who is online is told, and nobody else") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    auto& romeo = stage.server.login("romeo@montague.example/orchard");
    stage.server.addAccount("tybalt@capulet.example");
    juliet.forget();
    romeo.forget();
    CHECK(command(run(escalus, "announce", {{"announcement", "Down in 2 minutes!\nSorry."}}))
              .status == "completed");
    stage.server.advance(std::chrono::seconds{1});
    CHECK(bodies(juliet) == std::vector<std::string>{"Down in 2 minutes!\nSorry."});
    CHECK(bodies(romeo).empty());
    CHECK(bodies(arrive(stage.server, "tybalt@capulet.example/street")).empty());
}

TEST_CASE("the message of the day is set, edited and deleted in a client") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    CHECK(command(run(escalus, "set-motd", {{"motd", "The Globe reopens\ntomorrow."}})).status ==
          "completed");
    const auto asked = command(execute(escalus, capulet, admin("edit-motd")));
    CHECK(asked.form->lines("motd") == "The Globe reopens\ntomorrow.");
    CHECK(command(answer(escalus, capulet, asked, {{"motd", "The Globe is open."}})).status ==
          "completed");
    stage.server.advance(std::chrono::seconds{1});
    CHECK(bodies(arrive(stage.server, "juliet@capulet.example/balcony")) ==
          std::vector<std::string>{"The Globe is open."});
    CHECK(command(execute(escalus, capulet, admin("delete-motd"))).status == "completed");
    stage.server.advance(std::chrono::seconds{1});
    CHECK(bodies(arrive(stage.server, "tybalt@capulet.example/street")).empty());
    CHECK(commandOutcome(run(escalus, "set-motd", {{"motd", ""}})) ==
          "modify bad-request bad-payload");
}

TEST_CASE("a stop or a restart is announced and waits for its time") {
    const bool isRestart = GENERATE(false, true);
    const std::string name = isRestart ? "restart" : "shutdown";
    CAPTURE(name);
    CommandStage stage{toml};
    int stops = 0, restarts = 0;
    const auto end = std::make_shared<PlannedEnd>(
        stage.registry, PlannedEnd::Ways{.stop = [&] { ++stops; }, .restart = [&] { ++restarts; }});
    for (auto& one : addStopCommands(stage.registry, end))
        stage.registrations.push_back(std::move(one));
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& peter = stage.server.login("peter@capulet.example/hall");
    auto& juliet = stage.server.login("juliet@capulet.example/balcony");
    juliet.forget();
    CHECK(outcome(execute(peter, capulet, admin(name))) == "cancel forbidden");
    const auto done = run(escalus, name, {{"delay", "30"}, {"announcement", "Good night"}});
    CHECK(command(done).status == "completed");
    CHECK(end->next()->in > std::chrono::seconds{20});
    stage.server.advance(std::chrono::seconds{29});
    CHECK(bodies(juliet) == std::vector<std::string>{"Good night"});
    CHECK(stops + restarts == 0);
    // A later request takes the place of the first.
    CHECK(command(run(escalus, name, {{"delay", "60"}})).status == "completed");
    stage.server.advance(std::chrono::seconds{31});
    CHECK(stops + restarts == 0);
    stage.server.advance(std::chrono::seconds{30});
    CHECK(stops == (isRestart ? 0 : 1));
    CHECK(restarts == (isRestart ? 1 : 0));
    stage.server.advance(std::chrono::seconds{120});
    CHECK(stops + restarts == 1);
    CHECK(commandOutcome(run(escalus, name, {{"delay", "1"}})) == "modify bad-request bad-payload");
}

TEST_CASE("active is who uses a client that is here, idle who doesn't") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const auto arrives = [&](const std::string& full, const std::string& presence) -> TestClient& {
        auto& client = stage.server.login(full, false);
        client.send(presence);
        return client;
    };
    arrives("juliet@capulet.example/balcony", "<presence/>");
    arrives("nurse@capulet.example/room", "<presence><show>away</show></presence>");
    arrives("paris@capulet.example/a", "<presence><show>xa</show></presence>");
    arrives("paris@capulet.example/b", "<presence><show>dnd</show></presence>");
    auto& phone = arrives("tybalt@capulet.example/phone", "<presence/>");
    phone.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    auto& gone = stage.server.login("peter@capulet.example/hall", false);
    gone.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>").send("<presence/>");
    gone.cut();
    stage.server.run();
    stage.server.login("sampson@capulet.example/silent", false);
    arrives("romeo@montague.example/orchard", "<presence/>");

    const auto number = [&](const std::string& which) {
        const auto told = command(execute(escalus, capulet, admin("get-" + which + "-users-num")));
        CHECK(told.status == "completed");
        return std::string{told.form->text(which + "usersnum")};
    };
    const auto listed = [&](const std::string& node, const std::string& var) {
        const auto told = command(run(escalus, node, {{"max_items", "50"}}));
        CHECK(told.status == "completed");
        return told.form->find(var)->values;
    };
    using Jids = std::vector<std::string>;
    CHECK(number("online") == "6");
    CHECK(number("active") == "3");
    CHECK(number("idle") == "3");
    CHECK(listed("get-active-users", "activeuserjids") ==
          Jids{"escalus@capulet.example", "juliet@capulet.example", "paris@capulet.example"});
    CHECK(listed("get-idle-users", "idleuserjids") ==
          Jids{"nurse@capulet.example", "peter@capulet.example", "tybalt@capulet.example"});
    phone.send("<active xmlns='urn:xmpp:csi:0'/>");
    CHECK(number("active") == "4");
}

TEST_CASE("the list of blocked addresses is edited as a whole") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    auto& nurse = stage.server.login("nurse@capulet.example/room");
    auto& peter = stage.server.login("peter@capulet.example/hall");
    for (auto* stranger : {&nurse, &peter})
        CHECK(outcome(execute(*stranger, capulet, admin("edit-blacklist"))) == "cancel forbidden");
    const auto shown = [&] {
        const auto asked = command(execute(escalus, capulet, admin("edit-blacklist")));
        return asked.form->find("blacklistjids")->values;
    };
    using Jids = std::vector<std::string>;
    CHECK(shown().empty());
    CHECK(command(run(escalus, "edit-blacklist",
                      {{"blacklistjids", "tybalt@verona.example/street\nspam.example"}}))
              .notes.empty());
    CHECK(shown() == Jids{"spam.example", "tybalt@verona.example"});
    // The own hosts can't be blocked; the rest of the list is taken.
    const auto some = command(
        run(escalus, "edit-blacklist",
            {{"blacklistjids", "capulet.example\ntybalt@verona.example\nparis@verona.example"}}));
    CHECK(some.status == "completed");
    REQUIRE(some.notes.size() == 1);
    CHECK(some.notes.front().find("capulet.example") != std::string::npos);
    CHECK(shown() == Jids{"paris@verona.example", "tybalt@verona.example"});
    CHECK(commandOutcome(run(escalus, "edit-blacklist", {{"blacklistjids", "@"}})) ==
          "modify bad-request bad-payload");
    CHECK(command(run(escalus, "edit-blacklist", {})).status == "completed");
    CHECK(shown().empty());
}

TEST_CASE("every use case of XEP-0133 has its command, but for those that are not to be had") {
    CommandStage stage{toml};
    auto& escalus = stage.server.login("escalus@capulet.example/throne");
    const auto nodes = commandNodes(escalus, capulet);
    for (const std::string name : {"add-user",
                                   "delete-user",
                                   "disable-user",
                                   "reenable-user",
                                   "end-user-session",
                                   "change-user-password",
                                   "get-user-roster",
                                   "get-user-lastlogin",
                                   "user-stats",
                                   "edit-blacklist",
                                   "get-registered-users-num",
                                   "get-disabled-users-num",
                                   "get-online-users-num",
                                   "get-active-users-num",
                                   "get-idle-users-num",
                                   "get-registered-users-list",
                                   "get-disabled-users-list",
                                   "get-online-users-list",
                                   "get-active-users",
                                   "get-idle-users",
                                   "announce",
                                   "set-motd",
                                   "edit-motd",
                                   "delete-motd",
                                   "set-welcome",
                                   "delete-welcome",
                                   "edit-admin",
                                   "restart",
                                   "shutdown"}) {
        CAPTURE(name);
        CHECK(nodes.contains(admin(name)));
    }
    // plugins/adhoc/README.md tells why.
    for (const std::string name : {"get-user-password", "edit-whitelist", "add-to-whitelist"})
        CHECK(!nodes.contains(admin(name)));
}
