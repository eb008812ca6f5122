// epode roster list: the contacts (RFC 6121, 2).
#include "cli/connection.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/verbs/verbs.h"

#include <Poco/JSON/Array.h>

namespace epode::cli {

namespace {

std::string subscriptionInWords(const Stanza& item) {
    const auto state = item.get("subscription");
    const std::string asked = item.get("ask") == "subscribe" ? ", asked" : "";
    if (state == "both") return "both see each other";
    if (state == "to") return "you see them";
    if (state == "from") return "they see you" + asked;
    return "no presence" + asked;
}

void print(const Output& out, const Stanza& item) {
    Poco::JSON::Array::Ptr groups{new Poco::JSON::Array};
    std::string shown = printable(item.get("jid"));
    if (!item.get("name").empty()) shown += "  \"" + printable(item.get("name")) + "\"";
    shown += "  " + subscriptionInWords(item);
    std::string inGroups;
    for (const Stanza& group : item.children()) {
        if (group.name() != "group") continue;
        groups->add(group.text());
        inGroups += (inGroups.empty() ? "" : ", ") + printable(group.text());
    }
    if (!inGroups.empty()) shown += "  [" + inGroups + "]";
    auto object = jsonObject({{"jid", item.get("jid")},
                              {"name", item.get("name")},
                              {"subscription", item.get("subscription")},
                              {"ask", item.get("ask")}});
    object->set("groups", groups);
    out.result(shown, *object);
}

ExitCode run(const Invocation& invocation) {
    const Output out{invocation};
    Connection connection{chooseAccount(invocation, out), connectionSettings(invocation)};
    connection.connect();
    const auto answer =
        connection.ask(Stanza{"iq"}.set("type", "get").add(Stanza{"query", ns::roster}));
    const auto items = answer.child("query", ns::roster).children();
    for (const Stanza& item : items) print(out, item);
    if (items.empty()) out.note("-- no contacts yet: epode roster add romeo@montague.example");
    connection.close();
    return ExitCode::Done;
}

}  // namespace

const Verb rosterList{
    .name = "roster list",
    .summary = "List the contacts",
    .examples = {{"epode roster list --json", "For programs"}},
    .run = run,
};

}  // namespace epode::cli
