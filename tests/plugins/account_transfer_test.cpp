// An account leaves one server and comes to another (XEP-0227), seen from its client.
#include "control/account_commands.h"
#include "store/stores.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/plugins/answers.h"

#include <filesystem>
#include <fstream>
#include <map>

using namespace epode;

namespace {

const Jid juliet = *Jid::parse("juliet@capulet.example");

struct AccountCommands {
    TestServer& server;
    PluginHost plugins{""};
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> added;
    explicit AccountCommands(TestServer& tested, const std::string& folder = "")
        : server{tested}, added{addAccountCommands(registry, tested.server(), plugins, folder)} {}

    CommandResult call(const std::string& name, const RawArguments& arguments) {
        std::optional<CommandResult> result;
        registry.call(name, arguments, {"root", Permission::Administer, "test"},
                      server.server().shard(0).executor(),
                      [&result](CommandResult given) { result = std::move(given); });
        server.run();
        REQUIRE(result);
        return std::move(*result);
    }
    // "where | what" → how many.
    static std::map<std::string, std::int64_t> rows(const CommandResult& result) {
        std::map<std::string, std::int64_t> all;
        for (const auto& row : result.rows()) {
            const auto& where = std::get<std::string>(row[0].value());
            const auto& what = std::get<std::string>(row[1].value());
            all[where + " | " + what] = std::get<std::int64_t>(row[2].value());
        }
        return all;
    }
};

std::string messageTo(const std::string& to, const std::string& body) {
    return "<message type='chat' to='" + to + "'><body>" + body + "</body></message>";
}

// What a client finds of its account.
struct Seen {
    std::string roster, vcard, notes, prefs, blocked, mood, moodNode;
    std::vector<std::string> archive, ids, waiting;
};

Seen lookAt(TestServer& server) {
    Seen seen;
    auto& client = server.login("juliet@capulet.example/balcony", false);
    const auto roster = parseXml(payload(client.ask("get", "<query xmlns='jabber:iq:roster'/>")));
    REQUIRE(roster);
    Document query{**roster};
    query->unset("ver");
    seen.roster = toXml(*query);
    seen.vcard = payload(client.ask("get", "<vCard xmlns='vcard-temp'/>"));
    seen.notes = payload(client.ask(
        "get", "<query xmlns='jabber:iq:private'><notes xmlns='urn:example:notes'/></query>"));
    seen.prefs = payload(client.ask("get", "<prefs xmlns='urn:xmpp:mam:2'/>"));
    seen.blocked = payload(client.ask("get", "<blocklist xmlns='urn:xmpp:blocking'/>"));
    seen.mood = payload(client.ask("get",
                                   "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items "
                                   "node='urn:example:mood'/></pubsub>"));
    seen.moodNode =
        payload(client.ask("get",
                           "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure "
                           "node='urn:example:mood'/></pubsub>"));
    // Before the archive, which counts as fetched what it has shown.
    client.available();
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (stanza && stanza->isMessage()) seen.waiting.push_back(xml);
    }
    client.forget();
    client.ask("set", "<query xmlns='urn:xmpp:mam:2'/>");
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        const Element* result = stanza ? stanza->child("result", "urn:xmpp:mam:2") : nullptr;
        if (!result) continue;
        seen.ids.emplace_back(result->get("id"));
        seen.archive.push_back(toXml(*result));
    }
    return seen;
}

// An account with something of everything.
void live(TestServer& server) {
    auto& client = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    subscribe(client, romeo);
    client.ask(
        "set",
        "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example' name='Romeo &amp; "
        "I'><group>Friends</group><group>Montagues</group></item></query>");
    client.ask("set", "<vCard xmlns='vcard-temp'><FN>Juliet &lt;3</FN><NOTE>é</NOTE></vCard>");
    client.ask("set",
               "<query xmlns='jabber:iq:private'><notes xmlns='urn:example:notes'><note "
               "about='play@rooms.example'/></notes></query>");
    client.ask(
        "set",
        "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.example</jid>"
        "</always><never><jid>paris@capulet.example</jid></never></prefs>");
    client.ask("set",
               "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.example'/></block>");
    client.ask(
        "set",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:example:mood'><item "
        "id='one'><mood xmlns='urn:example:mood'>in "
        "love</mood></item></publish><publish-options><x "
        "xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>"
        "http://jabber.org/protocol/pubsub#publish-options</value></field><field "
        "var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></"
        "pubsub>");
    client.send(messageTo("romeo@montague.example", "How cam'st thou hither?"));
    server.advance(std::chrono::seconds{5});
    romeo.send(
        messageTo("juliet@capulet.example", "With love's light wings &amp; \xF0\x9F\x95\x8A"));
    server.advance(std::chrono::seconds{5});
    client.send("<presence type='unavailable'><status>asleep</status></presence></stream:stream>");
    server.advance(std::chrono::seconds{5});
    romeo.send(messageTo("juliet@capulet.example", "One kiss"));
    romeo.send(
        "<message type='chat' to='juliet@capulet.example'><body>A secret</body><no-permanent-store "
        "xmlns='urn:xmpp:hints'/></message>");
    server.login("nurse@capulet.example/kitchen")
        .send(
            "<presence type='subscribe' "
            "to='juliet@capulet.example'><status>Please</status></presence>");
    server.advance(std::chrono::seconds{5});
}

void write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << text;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string userFile(const std::string& inside, const std::string& name = "juliet") {
    return "<?xml version='1.0'?><server-data xmlns='urn:xmpp:pie:0'><host "
           "jid='capulet.example'><user name='" +
           name + "'>" + inside + "</user></host></server-data>";
}

}  // namespace

TEST_CASE("an account that was exported, erased and imported elsewhere is the same to its client") {
    const test::TemporaryFolder folder;
    const std::string file = folder / "juliet.xml";
    Seen before;
    {
        TestServer server;
        live(server);
        AccountCommands commands{server};
        const auto exported =
            commands.call("account export", {{"address", juliet.text()}, {"file", file}});
        INFO((exported.isRefusal() ? exported.error().message : ""));
        REQUIRE_FALSE(exported.isRefusal());
        auto rows = AccountCommands::rows(exported);
        CHECK(rows["server | contacts"] == 1);
        CHECK(rows["server | requests of contacts"] == 1);
        CHECK(rows["server | messages of the archive"] == 3);
        CHECK(rows["server | messages that wait"] == 2);
        CHECK(rows["vcard | vCard"] == 1);
        CHECK(rows["private | private fragments"] == 1);
        CHECK(rows["last | values"] == 1);
        CHECK(rows["blocking | blocked addresses"] == 1);
        CHECK(rows["pubsub | items of personal eventing"] >= 1);
        CHECK(std::filesystem::status(file).permissions() ==
              (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));

        const auto erased = commands.call("account erase", {{"address", juliet.text()}});
        REQUIRE_FALSE(erased.isRefusal());
        CHECK(erased.warnings().empty());
        rows = AccountCommands::rows(erased);
        CHECK(rows["archive | messages"] == 4);
        CHECK(rows["roster_item | contacts"] == 1);
        CHECK(rows["keyed | values of vcard"] == 1);
        CHECK_FALSE(server.wait(server.server().stores().accounts.find(juliet.text())));
        CHECK(commands.call("account erase", {{"address", juliet.text()}}).error().code ==
              "not-found");

        // What its client sees is compared with the same account on a server where nothing
        // happened.
        TestServer same;
        live(same);
        before = lookAt(same);
    }
    TestServer other;
    other.advance(std::chrono::minutes{1});  // no message is from the future
    AccountCommands commands{other};
    const auto imported = commands.call("account import", {{"file", file}});
    INFO((imported.isRefusal() ? imported.error().message : ""));
    REQUIRE_FALSE(imported.isRefusal());
    for (const auto& warning : imported.warnings()) FAIL_CHECK(warning);
    CHECK(imported.text() == "Accounts that were made: 1.");
    const Seen after = lookAt(other);
    CHECK(after.roster == before.roster);
    CHECK(after.vcard == before.vcard);
    CHECK(after.notes == before.notes);
    CHECK(after.prefs == before.prefs);
    CHECK(after.blocked == before.blocked);
    CHECK(after.mood == before.mood);
    CHECK(after.mood.find("in love") != std::string::npos);
    CHECK(after.moodNode == before.moodNode);
    CHECK(after.moodNode.find("whitelist") != std::string::npos);
    CHECK(before.archive.size() == 3);
    REQUIRE(after.archive.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        INFO(after.archive[i]);
        // Ids are random, stamps are not.
        CHECK(after.archive[i].substr(after.archive[i].find("<forwarded")) ==
              before.archive[i].substr(before.archive[i].find("<forwarded")));
        CHECK(read(file).find(after.ids[i]) != std::string::npos);
    }
    // The two that waited, and the nurse who asks.
    CHECK(after.waiting.size() == 2);
    CHECK(before.waiting.size() == 2);
    auto& again = other.login("juliet@capulet.example/hall");
    const std::string last = again.ask("get", "<query xmlns='jabber:iq:last'/>");
    CHECK(outcome(last) == "result");
}

TEST_CASE("an imported account has the requests of those who asked it before") {
    const test::TemporaryFolder folder;
    const std::string file = folder / "juliet.xml";
    write(file,
          userFile("<presence xmlns='jabber:client' type='subscribe' from='romeo@montague.example'>"
                   "<nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick></presence>"));
    TestServer server;
    AccountCommands commands{server};
    REQUIRE_FALSE(commands.call("account import", {{"file", file}}).isRefusal());
    const auto account = server.wait(server.server().stores().accounts.find(juliet.text()));
    REQUIRE(account);
    const auto requests = server.wait(server.server().stores().rosters.requests(*account));
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].jid == "romeo@montague.example");
    CHECK(requests[0].stanza.find("http://jabber.org/protocol/nick") != std::string::npos);
}

TEST_CASE("a file of another server is imported: plain password, included files, unknown parts") {
    const test::TemporaryFolder folder;
    write(folder / "all.xml",
          "<?xml version='1.0' encoding='UTF-8'?><server-data xmlns='urn:xmpp:pie:0' "
          "xmlns:xi='http://www.w3.org/2001/XInclude'>\n<!-- by hand --><xi:include "
          "href='capulet.example.xml'/><host jid='elsewhere.example'><user "
          "name='x'/></host></server-data>");
    write(folder / "capulet.example.xml",
          "<host xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude' "
          "jid='capulet.example'>"
          "<xi:include href='capulet.example/juliet.xml'/><user name='nurse' "
          "password='angelica'/></host>");
    write(
        folder / "capulet.example/juliet.xml",
        "<user xmlns='urn:xmpp:pie:0' name='juliet' password='secret'>"
        "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.example' subscription='both'/>"
        "<item jid='@' subscription='both'/><item jid='a@b.example' subscription='maybe'/></query>"
        "<query xmlns='jabber:iq:privacy'><list name='x'/></query>"
        "<archive xmlns='urn:xmpp:pie:0#mam'><result xmlns='urn:xmpp:mam:2' id='28482-98726-73623'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' "
        "stamp='2010-07-10T23:08:25Z'/><message xmlns='jabber:client' "
        "to='juliet@capulet.example/balcony' "
        "from='romeo@montague.example/orchard' type='chat'><body>Call me but love</body></message>"
        "</forwarded></result><result xmlns='urn:xmpp:mam:2' id='2'><forwarded "
        "xmlns='urn:xmpp:forward:0'/></result></archive>"
        "<offline-messages><message xmlns='jabber:client' from='romeo@montague.example/orchard' "
        "to='juliet@capulet.example' type='chat'><body>Neither, fair saint</body><delay "
        "xmlns='urn:xmpp:delay' from='capulet.example' stamp='1969-07-21T00:32:29Z'>Offline "
        "Storage</delay></message></offline-messages></user>");
    TestServer server;
    AccountCommands commands{server};
    const auto imported = commands.call("account import", {{"file", folder / "all.xml"}});
    REQUIRE_FALSE(imported.isRefusal());
    CHECK(imported.text() == "Accounts that were made: 2.");
    REQUIRE(imported.columns().size() == 4);  // something was refused
    for (const auto& row : imported.rows()) {
        const auto what = std::get<std::string>(row[1].value());
        if (what == "contacts") CHECK(std::get<std::int64_t>(row[3].value()) == 2);
        if (what == "messages of the archive") CHECK(std::get<std::int64_t>(row[3].value()) == 1);
    }
    std::string warnings;
    for (const auto& warning : imported.warnings()) warnings += warning + "\n";
    CHECK(warnings.find("jabber:iq:privacy") != std::string::npos);
    CHECK(warnings.find("elsewhere.example") != std::string::npos);

    auto& client = server.login("juliet@capulet.example/balcony", false);
    CHECK(client.ask("get", "<query xmlns='jabber:iq:roster'/>").find("romeo@montague.example") !=
          std::string::npos);
    client.forget();
    client.ask("set", "<query xmlns='urn:xmpp:mam:2'/>");
    CHECK(client.next().find("Call me but love") != std::string::npos);
    client.forget().available();
    std::string all;
    for (const auto& xml : client.all()) all += xml;
    CHECK(all.find("Neither, fair saint") != std::string::npos);
    auto& nurse = server.connect({}, true);
    nurse.sendHeader("capulet.example").logIn("nurse", "angelica").bind("kitchen");
    CHECK(nurse.jid() == "nurse@capulet.example/kitchen");
}

TEST_CASE("a file that can't be read makes nothing") {
    const test::TemporaryFolder folder;
    const std::string good = "<query xmlns='jabber:iq:roster'/>";
    const std::pair<const char*, std::string> files[] = {
        {"cut off", userFile(good).substr(0, 150)},
        {"not XML", "once upon a time"},
        {"empty", ""},
        {"another root", "<iq xmlns='jabber:client'/>"},
        {"entities", "<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + userFile("&a;")},
        {"an account twice",
         "<server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.example'><user "
         "name='juliet'/><user "
         "name='Juliet'/></host></server-data>"},
        {"includes upwards",
         "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host "
         "jid='capulet.example'><user name='juliet'/><xi:include "
         "href='../other.xml'/></host></server-data>"},
        {"includes from the root",
         "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host "
         "jid='capulet.example'><user name='juliet'/><xi:include "
         "href='/etc/passwd'/></host></server-data>"},
        {"includes itself",
         "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host "
         "jid='capulet.example'><user name='juliet'/><xi:include "
         "href='file.xml'/></host></server-data>"},
        {"includes text",
         "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host "
         "jid='capulet.example'><user name='juliet'/><xi:include parse='text' "
         "href='file.xml'/></host></server-data>"},
    };
    TestServer server;
    AccountCommands commands{server};
    const std::string file = folder / "file.xml";
    for (const auto& [name, text] : files) {
        INFO(name);
        write(file, text);
        CHECK(commands.call("account import", {{"file", file}}).isRefusal());
        CHECK_FALSE(server.wait(server.server().stores().accounts.find(juliet.text())));
    }
    CHECK(commands.call("account import", {{"file", file + ".missing"}}).isRefusal());
    CHECK(commands.call("account import", {{"file", std::string{"file.xml"}}}).isRefusal());
    write(file, userFile(good));
    CHECK(commands
              .call("account import",
                    {{"file", file}, {"address", std::string{"paris@capulet.example"}}})
              .isRefusal());
    CHECK_FALSE(
        commands.call("account import", {{"file", file}, {"address", juliet.text()}}).isRefusal());
}

TEST_CASE("an import leaves an account that exists as it is") {
    const test::TemporaryFolder folder;
    const std::string file = folder / "file.xml";
    write(file, userFile("<vCard xmlns='vcard-temp'><FN>Somebody else</FN></vCard>"));
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    AccountCommands commands{server};
    const auto imported = commands.call("account import", {{"file", file}});
    REQUIRE_FALSE(imported.isRefusal());
    CHECK(imported.text() == "Accounts that were made: 0.");
    REQUIRE(imported.warnings().size() == 1);
    auto& client = server.login("juliet@capulet.example/hall");
    CHECK(outcome(client.ask("get", "<vCard xmlns='vcard-temp'/>")) == "cancel item-not-found");
}

TEST_CASE("an export replaces no file and leaves none behind when it fails") {
    const test::TemporaryFolder folder;
    TestServer server;
    server.login("juliet@capulet.example/balcony");
    AccountCommands commands{server, folder / "exports"};
    const std::string file = folder / "file.xml";
    write(file, "precious");
    CHECK(
        commands.call("account export", {{"address", juliet.text()}, {"file", file}}).isRefusal());
    CHECK(read(file) == "precious");
    const std::string other = folder / "other.xml";
    CHECK(commands
              .call("account export",
                    {{"address", std::string{"paris@capulet.example"}}, {"file", other}})
              .error()
              .code == "not-found");
    CHECK_FALSE(std::filesystem::exists(other));
    CHECK(
        commands
            .call("account export", {{"address", juliet.text()}, {"file", std::string{"here.xml"}}})
            .isRefusal());
    const auto placed = commands.call("account export", {{"address", juliet.text()}});
    REQUIRE_FALSE(placed.isRefusal());
    CHECK(std::filesystem::exists(std::get<std::string>(placed.facts().front().value.value())));
}

TEST_CASE(
    "SCRAM keys that contradict themselves are refused, and the account is made without them") {
    const test::TemporaryFolder folder;
    const std::string file = folder / "file.xml";
    const auto credentials = [](const std::string& mechanism, const std::string& count,
                                const std::string& key) {
        return "<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='" + mechanism +
               "'><iter-count>" + count + "</iter-count><salt>TmFDbA==</salt><server-key>" + key +
               "</server-key><stored-key>" + key + "</stored-key></scram-credentials>";
    };
    const std::string key = "Q6qT/SbybblGCZz8e8eSfCJOQic=";
    const std::pair<std::string, int> rows[] = {
        {credentials("SCRAM-SHA-1", "10000", key), 1},
        {credentials("SCRAM-SHA-1", "0", key), 0},
        {credentials("SCRAM-SHA-1", "-1", key), 0},
        {credentials("SCRAM-SHA-1", "1e3", key), 0},
        {credentials("SCRAM-SHA-1", "99999999999999999999", key), 0},
        {credentials("SCRAM-SHA-256", "10000", key), 0},  // too short
        {credentials("SCRAM-MD5", "10000", key), 0},
        {credentials("SCRAM-SHA-1", "10000", "?"), 0},
    };
    for (const auto& [xml, keys] : rows) {
        INFO(xml);
        write(file, userFile(xml));
        TestServer server;
        AccountCommands commands{server};
        const auto imported = commands.call("account import", {{"file", file}});
        REQUIRE_FALSE(imported.isRefusal());
        const auto found =
            server.wait(server.server().stores().accounts.credentials(juliet.text()));
        REQUIRE(found);
        CHECK(int(found->keys.size()) == keys);
    }
}
