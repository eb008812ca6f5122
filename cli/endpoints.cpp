#include "cli/endpoints.h"

#include "cli/failure.h"
#include "cli/text.h"

#include <sys/socket.h>

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <algorithm>
#include <memory>

namespace epode::cli {

namespace {

struct Service {
    std::string host;
    std::uint16_t port;
    Tls tls;
    unsigned priority = 0;
    unsigned weight = 0;
};

// The SRV records of one service; empty when there are none, or when its only target is "." (not
// provided).
std::vector<Service> lookUpSrv(const std::string& service, const std::string& domain, Tls tls) {
    unsigned char answer[4096];
    const std::string name = service + "._tcp." + domain;
    const int bytes = res_query(name.c_str(), ns_c_in, ns_t_srv, answer, sizeof answer);
    ns_msg message;
    std::vector<Service> found;
    if (bytes < 0 || ns_initparse(answer, bytes, &message) < 0) return found;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, i, &record) < 0 || ns_rr_type(record) != ns_t_srv ||
            ns_rr_rdlen(record) < 7) {
            continue;
        }
        const unsigned char* data = ns_rr_rdata(record);
        char target[NS_MAXDNAME];
        if (dn_expand(ns_msg_base(message), ns_msg_end(message), data + 6, target, sizeof target) <
            0) {
            continue;
        }
        if (*target == '\0' || std::string_view{target} == ".") continue;
        found.push_back({target, static_cast<std::uint16_t>(ns_get16(data + 4)), tls,
                         ns_get16(data), ns_get16(data + 2)});
    }
    return found;
}

std::vector<Service> servicesOf(const Account& account) {
    const std::string domain = domainOf(account.jid);
    const std::uint16_t usualPort = account.tls == Tls::Direct ? 5223 : 5222;
    const auto tlsAt = [&](std::uint16_t port) {
        if (account.tls != Tls::ByPort) return account.tls;
        return port == 5223 || port == 443 ? Tls::Direct : Tls::StartTls;
    };
    if (!account.host.empty() || account.port != 0) {
        const std::uint16_t port = account.port ? account.port : usualPort;
        return {{account.host.empty() ? domain : account.host, port, tlsAt(port)}};
    }
    std::vector<Service> services;
    if (account.tls != Tls::StartTls) services = lookUpSrv("_xmpps-client", domain, Tls::Direct);
    if (account.tls != Tls::Direct) {
        const auto more = lookUpSrv("_xmpp-client", domain, Tls::StartTls);
        services.insert(services.end(), more.begin(), more.end());
    }
    // XEP-0368: both kinds are one list. The heavier first stands in for the weighted draw, which
    // exists to spread load and is of no use to a program that connects once.
    std::sort(services.begin(), services.end(), [](const Service& a, const Service& b) {
        if (a.priority != b.priority) return a.priority < b.priority;
        if (a.tls != b.tls) return a.tls == Tls::Direct;
        return a.weight > b.weight;
    });
    if (services.empty()) services.push_back({domain, usualPort, tlsAt(usualPort)});
    return services;
}

}  // namespace

std::vector<Endpoint> endpointsOf(const Account& account) {
    std::vector<Endpoint> endpoints;
    std::string failed;
    for (const Service& service : servicesOf(account)) {
        addrinfo wanted{};
        wanted.ai_family = AF_UNSPEC;
        wanted.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        const int error = getaddrinfo(service.host.c_str(), nullptr, &wanted, &list);
        if (error != 0) {
            failed = service.host + ": " + gai_strerror(error);
            continue;
        }
        const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner{list, freeaddrinfo};
        for (const addrinfo* at = list; at; at = at->ai_next) {
            char numeric[NI_MAXHOST];
            if (getnameinfo(at->ai_addr, at->ai_addrlen, numeric, sizeof numeric, nullptr, 0,
                            NI_NUMERICHOST) == 0) {
                endpoints.push_back({numeric, service.port, service.tls,
                                     service.host + ":" + std::to_string(service.port)});
            }
        }
    }
    if (endpoints.empty()) {
        throw Failure(ExitCode::NoConnection, "host-unresolved",
                      "The server of " + domainOf(account.jid) + " was not found (" + failed + ").",
                      "Check the address, or say where the server is: --host HOST --port PORT");
    }
    return endpoints;
}

}  // namespace epode::cli
