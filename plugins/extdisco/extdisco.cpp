// External Service Discovery (XEP-0215): where the STUN and TURN servers are, with credentials that
// end soon.
#include "core/log.h"
#include "core/time_format.h"
#include "plugin/plugin.h"
#include "service_uri.h"
#include "turn_credentials.h"

#include <algorithm>

namespace epode {
namespace {

using extdisco::ExternalService;

const Log extdiscoLog{"plugin.extdisco"};

// The older one is what some clients still ask for.
constexpr std::string_view currentNs = "urn:xmpp:extdisco:2";
constexpr std::string_view olderNs = "urn:xmpp:extdisco:1";

const Option<std::vector<std::string>> services{
    .key = "external_services.uris",
    .fallback = {},
    .help =
        "STUN and TURN servers that clients are told of, each like "
        "\"turn:turn.example.org:3478?transport=udp\" "
        "(stun, stuns, turn, turns, or the type of another service).",
};
const Option<std::string> secret{
    .key = "external_services.secret",
    .fallback = "",
    .help =
        "What the TURN servers know, too (coturn: static-auth-secret); credentials are made with "
        "it. Without it "
        "clients learn of the TURN servers and get no credentials.",
};
const Option<Duration> credentialsLifetime{
    .key = "external_services.credentials_lifetime",
    .fallback = std::chrono::hours{12},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 7}},
    .help = "How long credentials for a TURN server are valid. A call that has begun goes on.",
};

std::vector<ExternalService> readServices(const std::vector<std::string>& uris,
                                          const std::string& host) {
    std::vector<ExternalService> all;
    for (const auto& uri : uris) {
        auto read = extdisco::readServiceUri(uri);
        if (const auto* problem = std::get_if<std::string>(&read))
            extdiscoLog.error("external_services.uris has an entry that can't be used",
                              {{"host", host}, {"entry", uri}, {"problem", *problem}});
        else
            all.push_back(std::move(std::get<ExternalService>(read)));
    }
    return all;
}

class Extdisco final : public Plugin {
public:
    explicit Extdisco(PluginContext& context)
        : services_{readServices(context.value(services), context.host())},
          secret_{context.value(secret)},
          lifetime_{std::chrono::duration_cast<std::chrono::milliseconds>(
              context.value(credentialsLifetime))} {
        if (services_.empty()) return;
        for (const std::string_view ns : {currentNs, olderNs}) {
            context.onIq(StanzaType::Get, {ns, "services"}, Addressee::Host, this, &Extdisco::list);
            context.onIq(StanzaType::Get, {ns, "credentials"}, Addressee::Host, this,
                         &Extdisco::credentials);
            context.hostFeature(ns);
        }
    }

private:
    Task<Reply> list(const Iq& iq);
    Task<Reply> credentials(const Iq& iq);
    void describe(Element& parent, const ExternalService& service, const Iq& iq) const;

    const std::vector<ExternalService> services_;
    const std::string secret_;
    const std::chrono::milliseconds lifetime_;
};

// A relay is paid for by who runs this host, so its users alone learn of it.
bool mayAsk(const Iq& iq) {
    return iq.from().hasLocal() && iq.from().domain() == iq.host().domain();
}

StanzaError stranger() {
    return {Condition::Forbidden, "These services are for the users of this server."};
}

void Extdisco::describe(Element& parent, const ExternalService& service, const Iq& iq) const {
    Element& element = parent.add("service");
    element.set("type", service.type).set("host", service.host);
    if (service.port != 0) element.set("port", std::to_string(service.port));
    if (!service.transport.empty()) element.set("transport", service.transport);
    if (!service.name.empty()) element.set("name", service.name);
    if (!service.isRestricted()) return;
    element.set("restricted", "true");
    if (secret_.empty()) return;
    const auto made =
        extdisco::makeTurnCredentials(secret_, extdisco::pseudonymOf(secret_, iq.from()),
                                      iq.shard().executor().wallNow() + lifetime_);
    element.set("username", made.username).set("password", made.password);
    element.set("expires", formatDateTime(made.expires));
}

// Clients take credentials from the list and don't ask for them again, so that they are in it.
Task<Reply> Extdisco::list(const Iq& iq) {
    if (!mayAsk(iq)) co_return stranger();
    const auto type = iq.payload().find("type");
    Document answer{"services", iq.payload().ns()};
    if (type) answer->set("type", *type);
    for (const auto& service : services_)
        if (!type || *type == service.type) describe(*answer, service, iq);
    co_return Reply{std::move(answer)};
}

bool isMeant(const ExternalService& service, const Element& wanted) {
    const auto type = wanted.find("type");
    const auto port = wanted.find("port");
    return wanted.get("host") == service.host && (!type || *type == service.type) &&
           (!port || *port == std::to_string(service.port));
}

// An iq holds few services, and the answer never more than there are.
Task<Reply> Extdisco::credentials(const Iq& iq) {
    if (!mayAsk(iq)) co_return stranger();
    std::vector<const Element*> wanted;
    for (const Element& child : iq.payload().children()) {
        if (!child.is("service", iq.payload().ns())) continue;
        // The older version asks by the host alone.
        const bool needsType = iq.payload().ns() == currentNs;
        if (child.get("host").empty() || (needsType && child.get("type").empty()))
            co_return StanzaError{Condition::BadRequest,
                                  "A service is asked for by its host and type."};
        wanted.push_back(&child);
    }
    if (wanted.empty())
        co_return StanzaError{Condition::BadRequest, "Name the service to get credentials for."};
    if (wanted.size() > services_.size())
        co_return StanzaError{Condition::ItemNotFound, "There are not so many services here."};
    Document answer{"credentials", iq.payload().ns()};
    for (const auto& service : services_) {
        const bool isWanted = std::any_of(wanted.begin(), wanted.end(), [&](const Element* one) {
            return isMeant(service, *one);
        });
        if (isWanted && service.isRestricted() && !secret_.empty()) describe(*answer, service, iq);
    }
    if (!answer->firstChild())
        co_return StanzaError{Condition::ItemNotFound,
                              "There are no credentials for this service."};
    co_return Reply{std::move(answer)};
}

const PluginInfo info{
    .name = "extdisco",
    .summary = "Tells clients of STUN and TURN servers for calls, with credentials that end soon",
    .implements = {{"XEP-0215", "1.0.0",
                    "tests/plugins/extdisco_test.cpp: the users of a host learn of its services, with credentials where they are needed"}},
    .options = {&services, &secret, &credentialsLifetime},
};

}  // namespace

DECLARE_PLUGIN(Extdisco, info)

}  // namespace epode
