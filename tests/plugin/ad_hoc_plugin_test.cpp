// Commands that a plugin offers to users in their clients (route/ad_hoc.h).
#include "plugin/plugin.h"
#include "tests/plugins/commands.h"

#include <stdexcept>

using namespace epode;

namespace {

// Names two things, one after the other, and tells both.
class Offering final : public Plugin {
public:
    explicit Offering(PluginContext& context) {
        context.onAdHoc({.node = "urn:test#two", .name = "Two questions"}, this, &Offering::ask);
        context.onAdHoc({.node = "urn:test#mine", .name = "Mine", .addressee = Addressee::Account},
                        this, &Offering::now);
        context.onAdHoc({.node = "urn:test#fails", .name = "Fails"}, this, &Offering::fail);
        AdHocCommand anybody{.node = "urn:test#anybody", .name = "Anybody's"};
        anybody.isFor = [](const Jid&, const Host&) { return true; };
        context.onAdHoc(std::move(anybody), this, &Offering::now);
    }

private:
    Task<AdHocReply> ask(const AdHocCall& call) {
        DataForm form{call.answers.size() < 2 ? FormKind::Form : FormKind::Result, "urn:test"};
        if (call.answers.empty()) {
            form.add({.var = "first", .isRequired = true});
            co_return AdHocReply::ask(std::move(form), AdHocReply::Order::MoreToCome);
        }
        if (call.answers.size() == 1) {
            form.add({.var = "second", .type = FieldType::TextPrivate, .isRequired = true});
            co_return AdHocReply::ask(std::move(form));
        }
        form.addText("both", std::string{call.answers[0].text("first")} + " " +
                                 std::string{call.answers[1].text("second")});
        auto reply = AdHocReply::done(std::move(form));
        reply.note("Thanks");
        co_return reply;
    }
    Task<AdHocReply> now(const AdHocCall& call) {
        auto reply = AdHocReply::done();
        reply.note("You are " + call.caller.text());
        co_return reply;
    }
    Task<AdHocReply> fail(const AdHocCall& call) {
        if (call.caller.local() == "juliet") throw std::runtime_error{"on purpose"};
        co_return AdHocReply::failed({Condition::Conflict, "No."});
    }
};

const PluginInfo info{
    .name = "offering", .summary = "Offers commands to users", .byDefault = false};

DECLARE_PLUGIN(Offering, info)

constexpr std::string_view toml = "[plugins]\nenabled = ['offering']\n[invite]\nusers_may = 'nothing'\n[upload]\ndomain = ''";
const std::string capulet = "capulet.example";

}  // namespace

TEST_CASE("a plugin's commands are offered to the users of the host") {
    TestServer server{toml};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(commandNodes(juliet, capulet) ==
          std::set<std::string>{"urn:test#two", "urn:test#fails", "urn:test#anybody"});
    CHECK(commandNodes(juliet, "juliet@capulet.example") == std::set<std::string>{"urn:test#mine"});
    CHECK(commandNodes(romeo, capulet) == std::set<std::string>{"urn:test#anybody"});
    CHECK(outcome(execute(romeo, capulet, "urn:test#two")) == "cancel forbidden");
    CHECK(command(execute(romeo, capulet, "urn:test#anybody")).notes ==
          std::vector<std::string>{"info: You are romeo@montague.example/orchard"});
    // What belongs to an account is its owner's alone, and is not to be had at the host.
    CHECK(command(execute(juliet, "juliet@capulet.example", "urn:test#mine")).status ==
          "completed");
    for (const std::string to : {"juliet@capulet.example", "nobody@capulet.example"}) {
        CHECK(outcome(execute(romeo, to, "urn:test#mine")) == "cancel service-unavailable");
        CHECK(outcome(romeo.ask("get",
                                "<query xmlns='http://jabber.org/protocol/disco#items' "
                                "node='http://jabber.org/protocol/commands'/>",
                                to)) ==
              outcome(romeo.ask("get",
                                "<query xmlns='http://jabber.org/protocol/disco#items' "
                                "node='x'/>",
                                "nobody@capulet.example")));
    }
    CHECK(outcome(execute(juliet, capulet, "urn:test#mine")) == "cancel item-not-found");
}

TEST_CASE("a command of several stages goes forth and back, and remembers what it was told") {
    TestServer server{toml};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto asked = command(execute(juliet, capulet, "urn:test#two"));
    CHECK(asked.actions == "next");
    CHECK(commandOutcome(answer(juliet, capulet, asked, {{"first", "a"}}, "complete")) ==
          "modify bad-request bad-action");
    asked = command(answer(juliet, capulet, asked, {{"first", "a"}}, "next"));
    CHECK(asked.actions == "prev complete");
    asked = command(act(juliet, capulet, asked, "prev"));
    CHECK(asked.form->text("first") == "a");
    asked = command(answer(juliet, capulet, asked, {{"first", "b"}}));
    const auto done = command(answer(juliet, capulet, asked, {{"second", "c"}}, "complete"));
    CHECK(done.status == "completed");
    CHECK(done.form->text("both") == "b c");
    CHECK(done.notes == std::vector<std::string>{"info: Thanks"});
}

TEST_CASE("a command that fails costs its caller the command") {
    TestServer server{toml};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& tybalt = server.login("tybalt@capulet.example/street");
    CHECK(outcome(execute(juliet, capulet, "urn:test#fails")) == "wait internal-server-error");
    CHECK(outcome(execute(tybalt, capulet, "urn:test#fails")) == "cancel conflict");
    CHECK(command(execute(juliet, capulet, "urn:test#two")).status == "executing");
}
