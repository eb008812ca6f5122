// The archive in pages (XEP-0313): the query of a client, under the same rules.
#include "history.h"
#include "pubsub.h"
#include "service.h"

#include "core/data_form.h"
#include "core/forwarded.h"
#include "core/json_writer.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "core/time_format.h"
#include "messages.h"

namespace epode::rest {

namespace {

constexpr std::string_view mamNs = "urn:xmpp:mam:2";

}  // namespace

MutableStanzaPtr archiveRequest(const Jid& archive, const Span& span, std::string_view queryId) {
    auto request = Stanza::iq(StanzaType::Set, {}, archive, "");
    Element& query = request->edit().add("query", mamNs).set("queryid", queryId);
    DataForm form{FormKind::Submit, mamNs};
    if (!span.with.empty()) form.addText("with", span.with.text());
    if (span.start) form.addText("start", formatDateTime(*span.start));
    if (span.end) form.addText("end", formatDateTime(*span.end));
    form.addTo(query);
    Element& set = query.add("set", ns::rsm);
    set.addWithText("max", std::to_string(span.limit));
    if (!span.after.empty()) set.addWithText("after", span.after);
    // Without any of them it is the newest page.
    if (!span.before.empty())
        set.addWithText("before", span.before);
    else if (span.after.empty() && !span.isFromStart)
        set.add("before");
    return request;
}

ArchivePiece readArchive(const Client::Answered& answered) {
    ArchivePiece piece;
    for (const StanzaPtr& stanza : answered.results) {
        const Element* result = stanza->child("result", mamNs);
        const Forwarded forwarded = readForwarded(*result, StanzaKind::Message);
        if (!forwarded.stanza) continue;
        piece.entries.push_back({result->get("id"), forwarded.stanza, forwarded.at});
    }
    const Element* fin = answered.answer ? answered.answer->payload() : nullptr;
    piece.isComplete = fin && (fin->get("complete") == "true" || fin->get("complete") == "1");
    return piece;
}

Task<Outcome> Service::history(Call& call, Jid archive, Jid with) {
    Span span;
    span.with = std::move(with);
    span.start = call.time("start");
    span.end = call.time("end");
    span.after = call.textOr("after", "");
    span.before = call.textOr("before", "");
    span.limit = std::size_t(call.integer("limit", 50));
    if (!span.after.empty() && !span.before.empty())
        co_return badRequest("A page begins after one message or ends before another, not both.");
    // From the beginning of a time on one reads forwards.
    span.isFromStart = span.start.has_value() && !span.end;
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const std::string queryId = randomId();
    auto request = archiveRequest(archive, span, queryId);
    const auto answered = co_await askArchive(found.client, std::move(request), queryId);
    if (auto problem = problemWith(answered)) co_return *problem;
    const ArchivePiece piece = readArchive(answered);
    JsonWriter json;
    json.open('{').key("messages").open('[');
    for (const auto& entry : piece.entries)
        writeMessage(json, *entry.message,
                     {entry.id, entry.at, archive.empty() ? &call.who.account : nullptr});
    json.close(']').key("complete").flag(piece.isComplete);
    if (!piece.entries.empty())
        json.key("first")
            .value(piece.entries.front().id)
            .key("last")
            .value(piece.entries.back().id);
    co_return jsonAnswer(json.close('}').take());
}

Task<Outcome> Service::listMessages(Call& call) {
    const Jid with = call.has("with") ? call.address("with") : Jid{};
    const Jid own;
    auto outcome = co_await history(call, own, with);
    co_return outcome;
}

Task<Outcome> Service::listRoomMessages(Call& call) {
    const Jid nobody;
    auto outcome = co_await history(call, call.address("room"), nobody);
    co_return outcome;
}

}  // namespace epode::rest
