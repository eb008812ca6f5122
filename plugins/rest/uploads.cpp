// A place for a file (XEP-0363): put and fetched over HTTP as what any client has announced; and
// what one has uploaded.
#include "pubsub.h"
#include "service.h"

#include "core/json_writer.h"

#include <algorithm>
#include <charconv>

namespace epode::rest {

namespace {

constexpr std::string_view uploadNs = "urn:xmpp:http:upload:0";
constexpr std::string_view ownFilesNs = "urn:epode:upload:files";
constexpr std::string_view purposeNs = "urn:xmpp:http:upload:purpose:0";

const ServedDomain* uploadsOf(const Services& services) {
    for (const ServedDomain& domain : services.domains) {
        const auto& features = domain.disco.features;
        if (std::find(features.begin(), features.end(), uploadNs) != features.end()) return &domain;
    }
    return nullptr;
}

std::optional<Jid> serviceOf(const Call& call) {
    const ServedDomain* domain = uploadsOf(*call.services);
    return domain ? Jid::parse(domain->domain) : std::nullopt;
}

Problem noService() { return notFound("This server takes no files."); }

}  // namespace

Task<Outcome> Service::announceUpload(Call& call) {
    const auto service = serviceOf(call);
    if (!service) co_return noService();
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

Task<Outcome> Service::listUploads(Call& call) {
    const auto service = serviceOf(call);
    if (!service) co_return noService();
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = Stanza::iq(StanzaType::Get, {}, *service, "");
    Element& asked = request->edit().add("files", ownFilesNs);
    asked.set("max", std::to_string(call.integer("limit", 50)));
    if (call.has("before")) asked.set("before", std::to_string(call.integer("before", 0)));
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered)) co_return *problem;
    const Element* files = answered.answer->payload();
    if (!files) co_return unavailable("The service of files tells none.");
    const auto number = [](std::string_view text) {
        std::int64_t value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    JsonWriter json;
    json.open('{').key("uploads").open('[');
    for (const Element& file : files->children()) {
        json.open('{').key("id").value(number(file.get("id")));
        json.key("name").value(file.get("name"));
        if (!file.get("type").empty()) json.key("type").value(file.get("type"));
        json.key("bytes").value(number(file.get("bytes")));
        json.key("purpose").value(file.get("purpose"));
        json.key("at").value(file.get("at"));
        if (!file.get("until").empty()) json.key("until").value(file.get("until"));
        json.key("get").value(file.get("url")).close('}');
    }
    json.close(']').key("count").value(number(files->get("count")));
    json.key("bytes").value(number(files->get("bytes")));
    co_return jsonAnswer(json.close('}').take());
}

Task<Outcome> Service::removeUpload(Call& call) {
    const auto service = serviceOf(call);
    if (!service) co_return noService();
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = Stanza::iq(StanzaType::Set, {}, *service, "");
    request->edit()
        .add("files", ownFilesNs)
        .add("delete")
        .set("id", std::to_string(call.integer("file", 0)));
    const auto answered = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(answered)) co_return *problem;
    co_return noContent();
}

}  // namespace epode::rest
