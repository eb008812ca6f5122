#include "cli/archive.h"

namespace epode::cli {

namespace {

Stanza field(const char* name, const std::string& value) {
    return Stanza{"field"}.set("var", name).addText("value", value);
}

Stanza makeQuery(const ArchiveQuery& query, const std::string& queryId) {
    Stanza form{"x", ns::dataForm};
    form.set("type", "submit");
    form.add(field("FORM_TYPE", ns::archive).set("type", "hidden"));
    if (!query.with.empty()) form.add(field("with", query.with));
    if (query.since) form.add(field("start", isoTime(*query.since)));
    if (query.until) form.add(field("end", isoTime(*query.until)));

    Stanza page{"set", ns::resultSet};
    page.addText("max", std::to_string(query.limit));
    if (!query.after.empty()) {
        page.addText("after", query.after);
    } else if (!query.before.empty()) {
        page.addText("before", query.before);
    } else if (query.from == ArchiveQuery::From::Newest) {
        page.add(Stanza{"before"});
    }
    return Stanza{"query", ns::archive}.set("queryid", queryId).add(form).add(page);
}

}  // namespace

ArchivePage fetchPage(Connection& connection, const ArchiveQuery& query) {
    const std::string queryId = newId();
    ArchivePage page;
    const auto live = connection.onStanza;
    connection.onStanza = [&](const Stanza& stanza) {
        const Stanza result = stanza.child("result", ns::archive);
        const std::string from = stanza.get("from");
        const bool isOwn = from.empty() || from == connection.bareJid();
        if (!result || !isOwn || result.get("queryid") != queryId) {
            if (live) live(stanza);
        } else if (auto message = readArchived(result, connection.bareJid())) {
            page.messages.push_back(std::move(*message));
        }
    };
    Stanza answer;
    try {
        answer = connection.ask(Stanza{"iq"}.set("type", "set").add(makeQuery(query, queryId)));
    } catch (...) {
        connection.onStanza = live;
        throw;
    }
    connection.onStanza = live;
    const Stanza fin = answer.child("fin", ns::archive);
    const Stanza set = fin.child("set", ns::resultSet);
    page.isComplete = fin.get("complete") == "true";
    page.first = set.child("first").text();
    page.last = set.child("last").text();
    return page;
}

}  // namespace epode::cli
