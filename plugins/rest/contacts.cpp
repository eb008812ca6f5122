// Contacts and who wants to be one (RFC 6121, 2 and 3).
#include "pubsub.h"
#include "service.h"

#include "core/json_writer.h"
#include "core/namespaces.h"
#include "route/account.h"
#include "route/roster.h"
#include "route/shard.h"

#include <vector>

namespace epode::rest {

namespace {

void writeContact(JsonWriter& json, const Element& item) {
    json.open('{').key("address").value(item.get("jid"));
    if (!item.get("name").empty()) json.key("name").value(item.get("name"));
    json.key("subscription").value(item.get("subscription", "none"));
    if (item.get("ask") == "subscribe") json.key("asked").flag(true);
    json.key("groups").open('[');
    for (const Element& child : item.children())
        if (child.is("group", ns::roster)) json.value(child.text());
    json.close(']').close('}');
}

MutableStanzaPtr rosterRequest(StanzaType type) {
    auto request = Stanza::iq(type, {}, {}, "");
    request->edit().add("query", ns::roster);
    return request;
}

Problem isOneself() { return badRequest("This is your own address."); }

}  // namespace

Task<Outcome> Service::listContacts(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const auto answered = co_await ask(found.client, rosterRequest(StanzaType::Get));
    if (auto problem = problemWith(answered)) co_return *problem;
    JsonWriter json;
    json.open('{').key("contacts").open('[');
    if (const Element* query = answered.answer->payload())
        for (const Element& item : query->children())
            if (item.name() == "item") writeContact(json, item);
    co_return jsonAnswer(json.close(']').close('}').take());
}

// They wait with the account until it has answered, and its clients are told of them anew at each
// login (RFC 6121, 3.1.3).
Task<Outcome> Service::listRequests(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    JsonWriter json;
    json.open('{').key("requests").open('[');
    if (const Account* account = call.shard->loaded(call.who.account.text()))
        account->roster().each([&json](const Contact& contact) {
            if (contact.state.pendingIn)
                json.open('{')
                    .key("address")
                    .value(std::string_view{contact.jid.text()})
                    .close('}');
        });
    co_return jsonAnswer(json.close(']').close('}').take());
}

Task<Outcome> Service::putContact(Call& call) {
    const Jid contact = call.address("address");
    if (contact == call.who.account) co_return isOneself();
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = rosterRequest(StanzaType::Set);
    Element& item = request->edit().child("query", ns::roster)->add("item");
    item.set("jid", contact.text());
    // What is not said stays as it is.
    const Account* account = call.shard->loaded(call.who.account.text());
    const Contact* known = account ? account->roster().find(contact) : nullptr;
    const bool isListed = known && known->listed;
    const std::string name = call.has("name") ? call.text("name")
                             : isListed       ? known->name
                                              : std::string{};
    if (!name.empty()) item.set("name", name);
    const auto groups = call.has("groups") || !isListed ? call.texts("groups") : known->groups;
    for (const auto& group : groups) item.addWithText("group", group);
    const auto changed = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(changed)) co_return *problem;
    if (call.flag("subscribe", true)) {
        auto presence = Stanza::presence(StanzaType::Subscribe, {}, contact);
        const auto sent = co_await send(found.client, std::move(presence));
        if (sent.isTimedOut) co_return timedOut("The contact could not be asked in time.");
    }
    co_return Answer{.status = isListed ? 200 : 201, .body = "{}\n"};
}

Task<Outcome> Service::removeContact(Call& call) {
    const Jid contact = call.address("address");
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = rosterRequest(StanzaType::Set);
    request->edit()
        .child("query", ns::roster)
        ->add("item")
        .set("jid", contact.text())
        .set("subscription", "remove");
    const auto changed = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(changed)) co_return *problem;
    co_return noContent();
}

Task<Outcome> Service::answerContact(Call& call, StanzaType type) {
    const Jid contact = call.address("address");
    if (contact == call.who.account) co_return isOneself();
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto presence = Stanza::presence(type, {}, contact);
    const auto sent = co_await send(found.client, std::move(presence));
    if (sent.isTimedOut) co_return timedOut("It could not be stored in time.");
    co_return noContent();
}

Task<Outcome> Service::acceptContact(Call& call) {
    auto outcome = co_await answerContact(call, StanzaType::Subscribed);
    co_return outcome;
}

Task<Outcome> Service::denyContact(Call& call) {
    auto outcome = co_await answerContact(call, StanzaType::Unsubscribed);
    co_return outcome;
}

}  // namespace epode::rest
