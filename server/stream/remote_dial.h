// The way to another server: where the DNS says that it is (RFC 6120, 3.2; XEP-0368), and a
// connection to one of these places.
#pragma once

#include "net/dane.h"
#include "net/dns.h"
#include "net/happy_eyeballs.h"
#include "stream/remote_report.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {

// A place where a server is said to be.
struct RemoteTarget {
    std::string host;
    std::uint16_t port = 0;
    bool isDirectTls = false;
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    // That it serves the domain is signed (DNSSEC), hence a certificate for `host` will do.
    bool isSigned = false;
    // The signed DNS has TLSA records for it (RFC 7673): TLS is a must. Those that are usable, none
    // maybe, are what its certificate is judged by.
    std::shared_ptr<const DaneDemand> dane;
    bool hasDemand() const { return dane && !dane->records.empty(); }
};

class RemoteDial : public std::enable_shared_from_this<RemoteDial> {
public:
    struct Parts {
        Resolver& resolver;
        Dialer& dialer;
        Executor& executor;
        Duration connectTimeout;
        bool usesDane = false;
    };
    // `trace` may be empty.
    RemoteDial(const Parts& parts, std::string domain, RemoteTrace trace);

    // A connection to the next place; none when there is no other, and then `failure()` says why.
    // Called in a later turn. Nothing is called after the object is gone.
    struct Connection {
        std::unique_ptr<Transport> transport;
        RemoteTarget target;
    };
    using Done = UniqueFunction<void(Connection)>;
    void next(Done done);

    RemoteFailure failure() const;

private:
    void lookUp();
    void services(bool isDirectTls, const DnsAnswer& answer);
    void chooseTargets();
    void resolveTarget(std::size_t number);
    void addresses(std::size_t number, DnsType type, const DnsAnswer& answer);
    void lookUpTlsa(std::size_t number);
    void tlsa(std::size_t number, const DnsAnswer& answer);
    void feed();
    void find(RemoteStep step, bool isGood, std::string text, std::string advice = {});

    struct Place {
        RemoteTarget target;
        std::vector<IpAddress> v6, v4;
        int missing = 0;
        bool isSigned = false;  // an answer with addresses
        bool isBogus = false;
        std::string problem;
        std::string tlsaName() const;
    };
    const Parts parts_;
    const std::string domain_;
    std::string ascii_;
    const RemoteTrace trace_;
    HappyEyeballs eyes_;
    std::vector<RemoteTarget> services_;
    int missingServices_ = 2;
    bool isServiceRefused_ = false;  // the DNS says that there is none
    bool hasRecords_ = true;         // of services
    bool hasDnsFailed_ = false;
    bool doesDomainExist_ = true;
    std::string dnsProblem_;
    std::vector<Place> places_;
    std::size_t fed_ = 0;  // of `places_`
    std::size_t addresses_ = 0;
    std::vector<std::string> problems_;  // of attempts
    RemoteStep failedStep_ = RemoteStep::Connection;
    bool isStarted_ = false;
};

}  // namespace epode
