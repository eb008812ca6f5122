// Blocking Command Reports (XEP-0377).
#include "plugins/report/report_request.h"
#include "plugins/report/report_store.h"
#include "tests/plugins/answers.h"
#include "tests/plugins/run_command.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string spammer = "spam@montague.example";

std::string report(std::string_view content = {}, std::string_view reason = "spam") {
    return "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:" +
           std::string{reason} + "'>" + std::string{content} + "</report>";
}
std::string block(const std::string& jid, const std::string& content) {
    return "<block xmlns='urn:xmpp:blocking'><item jid='" + jid + "'>" + content +
           "</item></block>";
}
std::string named(const std::string& id) {
    return "<stanza-id xmlns='urn:xmpp:sid:0' by='" + juliet + "' id='" + id + "'/>";
}

std::vector<Report> reports(TestServer& server, bool withClosed = true) {
    ReportStore store{server.server().database()};
    auto all = server.wait(store.list({.withClosed = withClosed}));
    for (auto& report : all) report = *server.wait(store.find(report.id));
    return all;
}

}  // namespace

TEST_CASE("a report is kept with copies of the messages it names, and the block holds") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& sender = server.login(spammer + "/bot");
    sender.send(chat(juliet, "Buy poison!")).send(chat(juliet, "Cheap poison!"));
    const auto first = stanzaId(balcony.next());
    const auto second = stanzaId(balcony.next());
    CHECK(outcome(balcony.ask(
              "set", block(spammer, report(named(first) + named(second) +
                                           "<text>Never came trouble to my house.</text>")))) ==
          "result");

    const auto all = reports(server);
    REQUIRE(all.size() == 1);
    CHECK(all[0].host == "capulet.example");
    CHECK(all[0].reporter == juliet);
    CHECK(all[0].reported == spammer);
    CHECK(all[0].reason == "urn:xmpp:reporting:spam");
    CHECK(all[0].text == "Never came trouble to my house.");
    CHECK_FALSE(all[0].mayTellOrigin);
    REQUIRE(all[0].messages.size() == 2);
    CHECK(all[0].messages[0].stanza.find("Buy poison!") != std::string::npos);
    CHECK(all[0].messages[1].stanza.find("Cheap poison!") != std::string::npos);

    sender.forget().send(chat(juliet, "More?"));
    CHECK(heard(sender) == Texts{"error service-unavailable"});
    // Also when the account and its archive are gone.
    CHECK(outcome(balcony.ask("set", "<query xmlns='jabber:iq:register'><remove/></query>")) ==
          "result");
    CHECK(reports(server).at(0).messages.size() == 2);
}

TEST_CASE("nobody can report what was not sent to him by whom he reports") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& nurse = server.login("nurse@capulet.example/door");
    auto& sender = server.login(spammer + "/bot");
    sender.send(chat("nurse@capulet.example", "for nurse"));
    const auto ofNurse = stanzaId(nurse.next());
    nurse.send(chat(juliet, "by nurse"));
    const auto byNurse = stanzaId(balcony.next());
    REQUIRE(!ofNurse.empty());
    REQUIRE(!byNurse.empty());
    CHECK(outcome(balcony.ask(
              "set", block(spammer, report(named(ofNurse) + named(byNurse) +
                                           named("28482-98726-73623") + named(""))))) == "result");
    REQUIRE(reports(server).size() == 1);
    CHECK(reports(server)[0].messages.empty());
}

TEST_CASE("a block with a report that says nothing is a block") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    for (const std::string content :
         {"<report xmlns='urn:xmpp:reporting:1'/>",
          "<report xmlns='urn:xmpp:reporting:1' reason=''/>",
          "<report xmlns='urn:xmpp:reporting:0'/>", "<report xmlns='somebody:else' reason='x'/>",
          "", "<report xmlns='urn:xmpp:reporting:1' reason='x'/>"}) {
        INFO(content);
        CHECK(outcome(balcony.ask("set", block(spammer, content))) == "result");
    }
    CHECK(reports(server).size() == 1);
    CHECK(reports(server)[0].reason == "x");
    const std::string reason(200, 'x');
    balcony.ask("set",
                block(spammer, "<report xmlns='urn:xmpp:reporting:1' reason='" + reason + "'/>"));
    CHECK(reports(server).size() == 1);
}

TEST_CASE("the older form of a report is understood") {
    const auto read = [](const std::string& content) {
        const auto item = parseXml("<item xmlns='urn:xmpp:blocking'>" + content + "</item>");
        return readReport(**item, {.textBytesMax = 10, .messagesMax = 2});
    };
    const auto older =
        read("<report xmlns='urn:xmpp:reporting:0'><abuse/><text>bad</text></report>");
    REQUIRE(older);
    CHECK(older->reason == "urn:xmpp:reporting:abuse");
    CHECK(older->text == "bad");

    const std::string beside = "<report xmlns='urn:xmpp:reporting:0'><spam/></report>";
    const auto one =
        parseXml("<block xmlns='urn:xmpp:blocking'><item jid='a.example'/>" + beside + "</block>");
    const auto spam = readReport(*(*one)->child("item"), {.textBytesMax = 10, .messagesMax = 2});
    REQUIRE(spam);
    CHECK(spam->reason == "urn:xmpp:reporting:spam");
    const auto two =
        parseXml("<block xmlns='urn:xmpp:blocking'><item jid='a.example'/><item jid='b.example'/>" +
                 beside + "</block>");
    CHECK_FALSE(readReport(*(*two)->child("item"), {.textBytesMax = 10, .messagesMax = 2}));
}

TEST_CASE("what a report holds has limits") {
    const auto id = [](char digit) {
        return "0190b0a0-5b1c-7c3e-8f2a-01234567890" + std::string(1, digit);
    };
    const auto item =
        parseXml("<item xmlns='urn:xmpp:blocking'>" +
                 report(named(id('1')) + named(id('1')) + named(id('2')) + named(id('3')) +
                        "<text>1234567Ä€</text><report-origin/><third-party/>") +
                 "</item>");
    const auto read = readReport(**item, {.textBytesMax = 10, .messagesMax = 2});
    REQUIRE(read);
    CHECK(read->text == "1234567Ä");
    CHECK(read->messages.size() == 2);
    CHECK(read->mayTellOrigin);
    CHECK(read->mayTellThirdParty);
}

TEST_CASE("one account has so many open reports, and more when some are closed") {
    TestServer server{"[report]\nopen_per_account_max = 2"};
    auto& balcony = server.login(juliet + "/balcony");
    for (const std::string name : {"a", "b", "c"})
        CHECK(outcome(balcony.ask("set", block(name + "@montague.example", report()))) == "result");
    CHECK(reports(server).size() == 2);
    CHECK_FALSE(runCommand(server, "report", "report close",
                           {{"number", reports(server)[0].id}, {"note", std::string{"done"}}})
                    .isRefusal());
    CHECK(outcome(balcony.ask("set", block("d@montague.example", report()))) == "result");
    CHECK(reports(server).size() == 3);
}

TEST_CASE("operators list, read and close reports") {
    TestServer server;
    auto& balcony = server.login(juliet + "/balcony");
    auto& sender = server.login(spammer + "/bot");
    sender.send(chat(juliet, "Buy poison!"));
    const auto id = stanzaId(balcony.next());
    balcony.ask("set", block(spammer, report(named(id) + "<text>again</text>", "abuse")));

    const auto list = runCommand(server, "report", "report list");
    REQUIRE(list.rows().size() == 1);
    const std::int64_t number = std::get<std::int64_t>(list.rows()[0][0].value());
    CHECK(textOf(list.rows()[0][2]) == "abuse");
    CHECK(textOf(list.rows()[0][3]) == spammer);
    CHECK(textOf(list.rows()[0][5]) == "1");
    CHECK(runCommand(server, "report", "report list", {{"host", std::string{"montague.example"}}})
              .rows()
              .empty());

    const auto shown = runCommand(server, "report", "report show", {{"number", number}});
    CHECK(textOf(shown, "text") == "again");
    CHECK(textOf(shown, "reporter") == juliet);
    REQUIRE(shown.rows().size() == 1);
    CHECK(textOf(shown.rows()[0][1]).find("Buy poison!") != std::string::npos);

    CHECK_FALSE(runCommand(server, "report", "report close", {{"number", number}}).isRefusal());
    CHECK(runCommand(server, "report", "report close", {{"number", number}}).isRefusal());
    CHECK(runCommand(server, "report", "report list").rows().empty());
    CHECK(runCommand(server, "report", "report list", {{"all", true}}).rows().size() == 1);
    CHECK(runCommand(server, "report", "report show", {{"number", number + 1}}).isRefusal());
}

TEST_CASE("a report is told to whom the operator has named") {
    TestServer server{"[report]\nforward_to = ['abuse@capulet.example']"};
    auto& abuse = server.login("abuse@capulet.example/desk");
    auto& balcony = server.login(juliet + "/balcony");
    auto& sender = server.login(spammer + "/bot");
    sender.send(chat(juliet, "Buy poison!"));
    const auto id = stanzaId(balcony.next());
    balcony.ask("set", block(spammer, report(named(id))));
    const auto told = Stanza::parse(abuse.next());
    REQUIRE(told);
    CHECK(told->from().text() == "capulet.example");
    CHECK(told->body().find(spammer) != std::string_view::npos);
    CHECK(told->child("report", "urn:xmpp:reporting:1")->get("reason") ==
          "urn:xmpp:reporting:spam");
    CHECK(told->child("jid", "urn:xmpp:jid:0")->text() == spammer);
    const Element* forwarded = told->child("forwarded", ns::forward);
    REQUIRE(forwarded);
    CHECK(forwarded->child("message", ns::client)->childText("body") == "Buy poison!");
}

TEST_CASE("reports go when they are old") {
    TestServer server{"[report]\nkeep_for = '1 h'"};
    auto& balcony = server.login(juliet + "/balcony");
    balcony.ask("set", block(spammer, report()));
    CHECK(reports(server).size() == 1);
    server.advance(std::chrono::minutes{50});
    CHECK(reports(server).size() == 1);
    server.advance(std::chrono::hours{2});
    CHECK(reports(server).empty());
}
