// A place for a file (XEP-0363): put and fetched over HTTP as what any client has announced.
#include "pubsub.h"
#include "service.h"

#include "core/json_writer.h"

#include <algorithm>

namespace epode::rest {

namespace {

constexpr std::string_view uploadNs = "urn:xmpp:http:upload:0";
constexpr std::string_view purposeNs = "urn:xmpp:http:upload:purpose:0";

const ServedDomain* uploadsOf(const Services& services) {
    for (const ServedDomain& domain : services.domains) {
        const auto& features = domain.disco.features;
        if (std::find(features.begin(), features.end(), uploadNs) != features.end()) return &domain;
    }
    return nullptr;
}

}  // namespace

Task<Outcome> Service::announceUpload(Call& call) {
    const ServedDomain* domain = uploadsOf(*call.services);
    const auto service = domain ? Jid::parse(domain->domain) : std::optional<Jid>{};
    if (!service) co_return notFound("This server takes no files.");
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = Stanza::iq(StanzaType::Get, {}, *service, "");
    Element& asked = request->edit().add("request", uploadNs);
    asked.set("filename", call.text("name"));
    asked.set("size", std::to_string(call.integer("bytes", 0)));
    if (call.has("type")) asked.set("content-type", call.text("type"));
    if (call.has("purpose")) asked.add(call.text("purpose"), purposeNs);
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered)) {
        const Element* error = answered.answer ? answered.answer->root().child("error") : nullptr;
        if (error && error->child("file-too-large", uploadNs)) {
            problem->status = 413;
            problem->word = "too-large";
        }
        co_return *problem;
    }
    const Element* slot = answered.answer->payload();
    const Element* put = slot ? slot->child("put") : nullptr;
    const Element* get = slot ? slot->child("get") : nullptr;
    if (!put || !get) co_return unavailable("The service of files has given no place.");
    JsonWriter json;
    json.open('{').key("put").value(put->get("url")).key("get").value(get->get("url"));
    json.key("headers").open('{');
    for (const Element& child : put->children())
        if (child.name() == "header") json.key(child.get("name")).value(child.text());
    co_return jsonAnswer(json.close('}').close('}').take(), 201);
}

}  // namespace epode::rest
