#include "delivery.h"

#include "core/data_form.h"
#include "core/element.h"
#include "core/json_text.h"
#include "core/namespaces.h"
#include "core/stanza.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "net/http_client.h"
#include "route/asking.h"
#include "route/host.h"
#include "route/server.h"
#include "route/shard.h"

namespace epode::push {

namespace {

constexpr std::string_view pubsubNs = "http://jabber.org/protocol/pubsub";
constexpr std::string_view pushNs = "urn:xmpp:push:0";
constexpr auto patience = std::chrono::minutes{2};

// ---- by XMPP

// What will not become right by itself (XEP-0357, 7.1).
bool isFinal(const Stanza& error) {
    const auto read = StanzaError::read(error.root());
    if (!read) return false;
    switch (read->condition) {
        case Condition::ItemNotFound:
        case Condition::Gone:
        case Condition::NotAuthorized:
        case Condition::Forbidden:
        case Condition::FeatureNotImplemented:
            return true;
        default:
            return false;
    }
}

Outcome outcomeOf(const StanzaPtr& answer) {
    if (!answer) return Outcome::Unknown;
    if (!answer->isError()) return Outcome::Taken;
    return isFinal(*answer) ? Outcome::Gone : Outcome::Refused;
}

void publish(Shard& shard, const Host& host, const Notification& told,
             std::function<void(Outcome)> done) {
    DataForm summary{FormKind::Submit, "urn:xmpp:push:summary"};
    summary.addText("message-count", std::to_string(told.messages));
    if (told.requests) summary.addText("pending-subscription-count", std::to_string(told.requests));
    if (!told.sender.empty()) summary.addText("last-message-sender", told.sender);
    if (!told.body.empty()) summary.addText("last-message-body", told.body);

    auto request = Stanza::iq(StanzaType::Set, host.jid(), told.service, "push");
    Element& pubsub = request->edit().add("pubsub", pubsubNs);
    Element& publish = pubsub.add("publish");
    publish.set("node", told.node);
    summary.addTo(publish.add("item").add("notification", pushNs));
    if (!told.options.empty())
        if (const auto options = parseXml(told.options))
            pubsub.add("publish-options").add(**options);
    shard.asking().ask(
        std::move(request), patience,
        [done = std::move(done)](const StanzaPtr& answer) { done(outcomeOf(answer)); });
}

// ---- by HTTP

Outcome outcomeOf(int status) {
    if (status / 100 == 2) return Outcome::Taken;
    return status == 404 || status == 410 ? Outcome::Gone : Outcome::Refused;
}

Task<Outcome> post(HttpClient& client, std::string url, std::string json) {
    HttpCall call{.method = "POST", .url = std::move(url), .body = std::move(json)};
    auto sent = client.send(std::move(call));
    const auto answer = co_await sent;
    co_return outcomeOf(answer.status);
}

void addText(std::string& json, std::string_view name, std::string_view value) {
    if (json.size() > 1) json += ',';
    appendJsonString(json, name);
    json += ':';
    appendJsonString(json, value);
}

void addNumber(std::string& json, std::string_view name, std::int64_t value) {
    if (json.size() > 1) json += ',';
    appendJsonString(json, name);
    json += ':' + std::to_string(value);
}

std::string urlOf(const Host& host, const Jid& service) {
    for (const auto& text : host.get(httpServices)) {
        auto read = readHttpService(text);
        if (read.problem.empty() && read.service == service) return std::move(read.url);
    }
    return {};
}

}  // namespace

HttpService readHttpService(std::string_view text) {
    HttpService found;
    const auto space = text.find(' ');
    const auto url = space == std::string_view::npos ? space : text.find_first_not_of(' ', space);
    const auto jid = Jid::parse(text.substr(0, space));
    if (url == std::string_view::npos || !jid) {
        found.problem = "expected an address, a space, and where to post to";
        return found;
    }
    found.service = *jid;
    found.url = text.substr(url);
    found.problem = HttpClient::whyNot(found.url);
    return found;
}

std::string toJson(const Notification& told) {
    std::string json = "{";
    addText(json, "service", told.service.text());
    addText(json, "node", told.node);
    addNumber(json, "message-count", told.messages);
    if (told.requests) addNumber(json, "pending-subscription-count", std::int64_t(told.requests));
    if (!told.sender.empty()) addText(json, "last-message-sender", told.sender);
    if (!told.body.empty()) addText(json, "last-message-body", told.body);
    const auto options = parseXml(told.options);
    const auto form = options ? DataForm::read(**options) : std::nullopt;
    if (form) {
        std::string fields = "{";
        for (const auto& field : form->fields())
            if (field.var != "FORM_TYPE" && !field.values.empty())
                addText(fields, field.var, field.values.front());
        json += ",\"options\":" + fields + "}";
    }
    return json + "}";
}

void deliver(Shard& shard, const Host& host, Notification told, std::function<void(Outcome)> done) {
    auto url = urlOf(host, told.service);
    if (url.empty()) return publish(shard, host, told, std::move(done));
    start(post(shard.server().httpClient(), std::move(url), toJson(told)),
          [done = std::move(done)](std::optional<Outcome> outcome, std::exception_ptr) {
              done(outcome.value_or(Outcome::Unknown));
          });
}

}  // namespace epode::push
