// Private XML Storage (XEP-0049).
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

std::string query(const std::string& content = {}) {
    return content.empty() ? "<query xmlns='jabber:iq:private'/>"
                           : "<query xmlns='jabber:iq:private'>" + content + "</query>";
}
std::string note(const std::string& name, const std::string& text = {}) {
    return "<" + name + " xmlns='notes'" + (text.empty() ? "/>" : ">" + text + "</" + name + ">");
}

}  // namespace

TEST_CASE("fragments are kept by name and namespace, over a restart") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string prefs =
        "<exodus xmlns='exodus:prefs'><defaultnick a='1'>Hamlet &amp; I</defaultnick></exodus>";
    const std::string other = "<exodus xmlns='other:prefs'>other</exodus>";
    CHECK(outcome(juliet.ask("set", query(prefs + other))) == "result");
    CHECK(outcome(juliet.ask("set", query(note("first", "1")))) == "result");
    server.restart();

    auto& again = server.login("juliet@capulet.example/balcony");
    CHECK(payload(again.ask("get", query("<exodus xmlns='exodus:prefs'/>"))) == query(prefs));
    CHECK(payload(again.ask("get", query("<exodus xmlns='other:prefs'/>"),
                            "juliet@capulet.example")) == query(other));
    CHECK(payload(again.ask("get", query(note("first")))) == query(note("first", "1")));
    CHECK(payload(again.ask("get", query(note("second", "asked with content")))) ==
          query(note("second")));
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(payload(romeo.ask("get", query(note("first")))) == query(note("first")));
}

TEST_CASE("private storage belongs to its owner alone") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(juliet.ask("set", query(note("diary", "mine")))) == "result");
    for (const std::string who : {"juliet@capulet.example", "nobody@capulet.example"}) {
        CHECK(outcome(romeo.ask("get", query(note("diary")), who)) == "auth forbidden");
        CHECK(outcome(romeo.ask("set", query(note("diary", "his")), who)) == "auth forbidden");
    }
    CHECK(payload(juliet.ask("get", query(note("diary")))) == query(note("diary", "mine")));
}

TEST_CASE("a request without exactly one fragment of its own namespace is refused") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const auto& bad : {query(), query("<note/>")}) {
        INFO(bad);
        CHECK(outcome(juliet.ask("get", bad)) == "modify not-acceptable");
        CHECK(outcome(juliet.ask("set", bad)) == "modify not-acceptable");
    }
    CHECK(outcome(juliet.ask("get", query(note("a") + note("b")))) == "modify not-acceptable");
    // All or none.
    CHECK(outcome(juliet.ask("set", query(note("a", "1") + "<note/>"))) == "modify not-acceptable");
    CHECK(payload(juliet.ask("get", query(note("a")))) == query(note("a")));
}

TEST_CASE("a fragment over the limit is refused and the earlier one stays") {
    TestServer server{"[private]\nfragment_bytes_max = '1 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string text(1024 - note("n", "-").size() + 1, 'x');
    CHECK(outcome(juliet.ask("set", query(note("n", text)))) == "result");
    CHECK(outcome(juliet.ask("set", query(note("m", "1") + note("n", text + "x")))) ==
          "modify not-acceptable");
    CHECK(payload(juliet.ask("get", query(note("n")))) == query(note("n", text)));
    CHECK(payload(juliet.ask("get", query(note("m")))) == query(note("m")));
}

TEST_CASE("the number of fragments is limited, and an empty one gives its place back") {
    TestServer server{"[private]\nfragments_max = 2"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(juliet.ask("set", query(note("a", "1") + note("b", "2") + note("c", "3")))) ==
          "wait resource-constraint");
    CHECK(payload(juliet.ask("get", query(note("a")))) == query(note("a")));
    CHECK(outcome(juliet.ask("set", query(note("a", "1") + note("b", "2")))) == "result");
    CHECK(outcome(juliet.ask("set", query(note("c", "3")))) == "wait resource-constraint");
    CHECK(outcome(juliet.ask("set", query(note("b", "other")))) == "result");
    CHECK(outcome(juliet.ask("set", query(note("a")))) == "result");
    CHECK(outcome(juliet.ask("set", query(note("c", "3")))) == "result");
    CHECK(payload(juliet.ask("get", query(note("b")))) == query(note("b", "other")));
    CHECK(payload(juliet.ask("get", query(note("c")))) == query(note("c", "3")));
    CHECK(payload(juliet.ask("get", query(note("a")))) == query(note("a")));
    CHECK(outcome(romeo.ask("set", query(note("a", "1") + note("b", "2")))) == "result");
}
