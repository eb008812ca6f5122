#include "stream/remote_dial.h"

#include "core/ascii_domain.h"
#include "core/random.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace epode {

namespace {

constexpr std::uint16_t usualPort = 5269;
// What is used of answers that are longer than any honest one.
constexpr std::size_t targetsMax = 8;
constexpr std::size_t addressesMax = 6;  // of one family and target

std::string addressText(const IpAddress& address) {
    return address.isV4() ? address.toText() : "[" + address.toText() + "]";
}

// What to do about an answer that is none.
std::string adviceOn(const DnsAnswer& answer) {
    return answer.outcome == DnsAnswer::Outcome::Bogus
               ? "The signatures of the zone (DNSSEC) are wrong or too old, or somebody has "
                 "changed "
                 "the answer on its way."
               : "The name servers of the domain, or this machine's own, have to be looked at.";
}

}  // namespace

RemoteDial::RemoteDial(const Parts& parts, std::string domain, RemoteTrace trace)
    : parts_{parts},
      domain_{std::move(domain)},
      trace_{std::move(trace)},
      eyes_{parts.dialer,
            parts.executor,
            {.timeout = parts.connectTimeout},
            [this](const DialAddress& address, std::string_view problem) {
                const auto& target = places_[address.tag].target;
                std::string text = addressText(address.address) + " port " +
                                   std::to_string(target.port) + ": " + std::string{problem};
                find(RemoteStep::Connection, false, text,
                     "Is the server running, and does a firewall let the port through?");
                if (problems_.size() < targetsMax) problems_.push_back(std::move(text));
            }} {}

void RemoteDial::find(RemoteStep step, bool isGood, std::string text, std::string advice) {
    if (trace_) trace_({step, isGood, std::move(text), std::move(advice)});
}

void RemoteDial::next(Done done) {
    eyes_.next([this, done = std::move(done)](std::unique_ptr<Transport> transport,
                                              DialAddress address) mutable {
        Connection connection;
        if (transport) {
            connection.target = places_[address.tag].target;
            find(RemoteStep::Connection, true,
                 addressText(address.address) + " port " + std::to_string(connection.target.port) +
                     " (" + connection.target.host + ") answers.");
        }
        connection.transport = std::move(transport);
        done(std::move(connection));
    });
    if (!std::exchange(isStarted_, true)) lookUp();
}

void RemoteDial::lookUp() {
    // An address in place of a name, as test networks have it.
    std::string_view literal = domain_;
    if (const auto address = IpAddress::parse(literal, usualPort)) {
        places_.push_back({.target = {.host = domain_, .port = usualPort}});
        addresses_ = 1;
        eyes_.add({*address, 0});
        eyes_.complete();
        return;
    }
    auto ascii = asciiDomain(domain_);
    if (!ascii) {
        doesDomainExist_ = false;
        eyes_.complete();
        return;
    }
    ascii_ = std::move(*ascii);
    for (const bool isDirectTls : {false, true}) {
        const std::string name =
            (isDirectTls ? "_xmpps-server._tcp." : "_xmpp-server._tcp.") + ascii_;
        parts_.resolver.ask(parts_.executor, name, DnsType::Srv,
                            [weak = weak_from_this(), isDirectTls](const DnsAnswer& answer) {
                                if (const auto self = weak.lock())
                                    self->services(isDirectTls, answer);
                            });
    }
}

void RemoteDial::services(bool isDirectTls, const DnsAnswer& answer) {
    const std::string name = isDirectTls ? "_xmpps-server._tcp." : "_xmpp-server._tcp.";
    if (answer.hasFailed()) {
        hasDnsFailed_ = true;
        dnsProblem_ = answer.problem;
        find(RemoteStep::Dns, false, "SRV of " + name + ascii_ + ": " + answer.problem + ".",
             adviceOn(answer));
    }
    std::string listed;
    for (const auto& record : answer.records) {
        const auto service = readSrv(record);
        if (!service) continue;
        if (service->target.empty()) {
            isServiceRefused_ = true;
            listed += (listed.empty() ? "" : ", ") + std::string{"none (\".\")"};
            continue;
        }
        services_.push_back({.host = service->target,
                             .port = service->port,
                             .isDirectTls = isDirectTls,
                             .priority = service->priority,
                             .weight = service->weight,
                             .isSigned = parts_.usesDane && answer.isSecure,
                             .dane = {}});
        listed += (listed.empty() ? "" : ", ") + service->target + " port " +
                  std::to_string(service->port) + " (priority " +
                  std::to_string(service->priority) + ", weight " +
                  std::to_string(service->weight) + ")";
    }
    if (!answer.hasFailed())
        find(RemoteStep::Dns, true,
             "SRV of " + name + ascii_ + ": " + (listed.empty() ? "no record" : listed) + "." +
                 (answer.isSecure && !listed.empty() ? " The answer is signed (DNSSEC)." : ""));
    if (--missingServices_ == 0) chooseTargets();
}

void RemoteDial::chooseTargets() {
    orderServices(services_, [](std::uint64_t bound) { return randomNumber() % bound; });
    if (services_.size() > targetsMax) services_.resize(targetsMax);
    if (services_.empty()) {
        if (isServiceRefused_ || hasDnsFailed_) {
            failedStep_ = RemoteStep::Dns;
            eyes_.complete();
            return;
        }
        // RFC 6120, 3.2.2.
        hasRecords_ = false;
        services_.push_back({.host = ascii_, .port = usualPort});
        find(RemoteStep::Dns, true,
             "There are no SRV records: the domain itself is asked, port " +
                 std::to_string(usualPort) + ".");
    }
    for (auto& target : services_) places_.push_back({.target = std::move(target)});
    for (std::size_t i = 0; i < places_.size(); ++i) resolveTarget(i);
}

void RemoteDial::resolveTarget(std::size_t number) {
    places_[number].missing = 2;
    for (const auto type : {DnsType::Aaaa, DnsType::A})
        parts_.resolver.ask(parts_.executor, places_[number].target.host, type,
                            [weak = weak_from_this(), number, type](const DnsAnswer& answer) {
                                if (const auto self = weak.lock())
                                    self->addresses(number, type, answer);
                            });
}

void RemoteDial::addresses(std::size_t number, DnsType type, const DnsAnswer& answer) {
    Place& place = places_[number];
    auto& list = type == DnsType::A ? place.v4 : place.v6;
    for (const auto& record : answer.records)
        if (const auto address = readAddress(type, record, place.target.port);
            address && list.size() < addressesMax)
            list.push_back(*address);
    if (answer.hasFailed()) {
        hasDnsFailed_ = true;
        dnsProblem_ = place.problem = answer.problem;
        place.isBogus = place.isBogus || answer.outcome == DnsAnswer::Outcome::Bogus;
    } else if (answer.outcome == DnsAnswer::Outcome::NoSuchName && !hasRecords_) {
        doesDomainExist_ = false;
    }
    place.isSigned = place.isSigned || (answer.isSecure && !answer.records.empty());
    if (--place.missing > 0) return;
    // Who forges one of the two answers may have a use for the other one (RFC 7673, 3.2).
    if (place.isBogus) {
        place.v6.clear();
        place.v4.clear();
    }
    std::string text;
    for (const auto* family : {&place.v6, &place.v4})
        for (const auto& address : *family) text += (text.empty() ? "" : ", ") + address.toText();
    const bool isGood = !text.empty();
    if (!isGood) text = place.problem.empty() ? "no address" : place.problem;
    find(RemoteStep::Dns, isGood, "Addresses of " + place.target.host + ": " + text + ".",
         isGood                  ? ""
         : place.problem.empty() ? "An A or AAAA record is missing for " + place.target.host + "."
                                 : adviceOn(answer));
    if (isGood && place.target.isSigned && place.isSigned)
        lookUpTlsa(number);
    else
        feed();
}

// ---- DANE (RFC 7673)

std::string RemoteDial::Place::tlsaName() const {
    return "_" + std::to_string(target.port) + "._tcp." + target.host;
}

void RemoteDial::lookUpTlsa(std::size_t number) {
    Place& place = places_[number];
    place.missing = 1;
    parts_.resolver.ask(parts_.executor, place.tlsaName(), DnsType::Tlsa,
                        [weak = weak_from_this(), number](const DnsAnswer& answer) {
                            if (const auto self = weak.lock()) self->tlsa(number, answer);
                        });
}

void RemoteDial::tlsa(std::size_t number, const DnsAnswer& answer) {
    Place& place = places_[number];
    place.missing = 0;
    const std::string name = "TLSA of " + place.tlsaName() + ": ";
    if (answer.hasFailed()) {
        // Without the answer nobody knows whether the certificate is the right one: going on would
        // be what somebody in between wants (RFC 7673, 3.4).
        hasDnsFailed_ = true;
        dnsProblem_ = place.problem = name + answer.problem;
        place.v6.clear();
        place.v4.clear();
        find(RemoteStep::Dns, false, name + answer.problem + ". It is not connected to.",
             adviceOn(answer));
    } else if (answer.records.empty()) {
        find(RemoteStep::Dns, true, name + "no record; there is no DANE for this server.");
    } else if (!answer.isSecure) {
        find(RemoteStep::Dns, true, name + "not signed (DNSSEC), hence not looked at.");
    } else {
        std::vector<TlsaRecord> records;
        std::string listed;
        for (const auto& data : answer.records) {
            if (auto record = readTlsa(data)) {
                listed += (listed.empty() ? "" : ", ") + toText(*record);
                records.push_back(std::move(*record));
            }
        }
        records = usableOf(records);
        const bool isUsable = !records.empty();
        place.target.dane = std::make_shared<const DaneDemand>(
            DaneDemand{std::move(records), {place.target.host, ascii_}});
        find(
            RemoteStep::Dns, isUsable,
            name + listed +
                (isUsable ? ". The certificate has to be what it says (DANE)."
                          : ". None of it can be used: the certificate is judged without."),
            isUsable ? "" : "The records have to be made anew, as \"3 1 1\" and a SHA-256 digest.");
    }
    feed();
}

// In the order of the targets, IPv6 and IPv4 in turns.
void RemoteDial::feed() {
    for (; fed_ < places_.size() && places_[fed_].missing == 0; ++fed_) {
        const Place& place = places_[fed_];
        const auto most = std::max(place.v6.size(), place.v4.size());
        for (std::size_t i = 0; i < most; ++i) {
            for (const auto* family : {&place.v6, &place.v4}) {
                if (i >= family->size()) continue;
                ++addresses_;
                eyes_.add({(*family)[i], fed_});
            }
        }
    }
    if (fed_ == places_.size()) eyes_.complete();
}

RemoteFailure RemoteDial::failure() const {
    RemoteFailure failure;
    if (addresses_ > 0) {
        failure.step = RemoteStep::Connection;
        failure.text = "The server of " + domain_ + " can't be reached";
        if (!problems_.empty()) failure.text += " (" + problems_.back() + ")";
        failure.text += ".";
        failure.advice = "Is the server running, and does a firewall let the port through?";
        return failure;
    }
    failure.step = RemoteStep::Dns;
    if (hasDnsFailed_) {
        failure.text = "The DNS doesn't tell at the moment where the server of " + domain_ +
                       " is (" + dnsProblem_ + ").";
        failure.advice =
            "The name servers of the domain, or this machine's own, have to be looked at.";
        return failure;
    }
    failure.condition = Condition::RemoteServerNotFound;
    if (isServiceRefused_ && services_.empty()) {
        failure.text = "The DNS says that there is no server for " + domain_ + ".";
    } else if (!doesDomainExist_) {
        failure.text = "There is no domain " + domain_ + " in the DNS.";
        failure.advice = "Is the address written right?";
    } else {
        failure.text = "The DNS has no address of a server for " + domain_ + ".";
        failure.advice =
            "The domain needs SRV records for _xmpp-server._tcp, or an A or AAAA record.";
    }
    return failure;
}

}  // namespace epode
