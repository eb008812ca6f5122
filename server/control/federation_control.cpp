#include "control/federation_control.h"

#include "control/listen_options.h"
#include "core/ascii_domain.h"
#include "core/log.h"
#include "core/worker_pool.h"
#include "net/chain_check.h"
#include "net/tls_error.h"
#include "route/every_shard.h"

#include <functional>
#include <stdexcept>
#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};

constexpr std::size_t reasonsMax = 3;

// Why other servers would not take a host's certificate; "" when they would.
std::string objection(const std::string& host, const TlsStore::Presented& presented,
                      const std::string& authorities, WallTime now) {
    const CertificateInfo& certificate = presented.certificate;
    const auto ascii = asciiDomain(host);
    if (certificate.isSelfSigned) return "is signed by itself";
    if (certificate.notAfter <= now) return "has expired";
    if (!ascii || !namesDomain(certificate, *ascii, "xmpp-server")) return "is not for it";
    try {
        return chainProblem(presented.files.certificateFile, authorities);
    } catch (const TlsError& error) {
        return error.what();
    }
}

}  // namespace

FederationControl::FederationControl(Server& server, const Loops& loops, const Config& config,
                                     std::string data)
    : server_{server},
      loops_{loops},
      data_{std::move(data)},
      mode_{remoteMode(*config.settings)},
      where_{*config.settings},
      authorities_{remoteAuthorities(*config.settings)},
      listeners_(loops.size()) {
    if (mode_ == RemoteMode::Never) {
        turnOff("s2s.enabled is false.");
        return;
    }
    try {
        tls_ = std::make_unique<RemoteTls>(files(config), authorities_);
        const RemoteDns dns{*config.settings};
        resolver_ = std::make_unique<UnboundResolver>(
            *loops.front(), UnboundResolver::Settings{.servers = dns.servers,
                                                      .trustAnchors = dns.trustAnchors,
                                                      .patience = dns.patience});
    } catch (const std::exception& failure) {
        if (mode_ == RemoteMode::Always) throw;
        turnOff(failure.what());
        return;
    }
    const Verdict verdict = judge(tls_->presented(), loops.front()->wallNow());
    federation_ = std::make_unique<Federation>(
        server,
        Federation::Parts{
            .resolver = *resolver_,
            .dialer = dialer_,
            .tls = tls_->server(),
            .clientTls = [&tls = *tls_](const std::string& host,
                                        bool isDirect) { return tls.client(host, isDirect); }},
        *config.settings, verdict.isGood);
    server.addElsewhere(*federation_);
    verdict.isGood ? turnOn(verdict.reason) : turnOff(verdict.reason);
}

FederationControl::~FederationControl() = default;

std::vector<TlsFiles> FederationControl::files(const Config& config) const {
    return certificateFiles(*config.settings, config.hosts, data_);
}

FederationControl::Verdict FederationControl::judge(
    const std::vector<TlsStore::Presented>& certificates, WallTime now) const {
    if (mode_ == RemoteMode::Always) return {true, "s2s.enabled is true."};
    std::string objections;
    std::size_t count = 0;
    for (const auto& presented : certificates) {
        for (const auto& host : presented.files.hosts) {
            const std::string problem = objection(host, presented, authorities_, now);
            if (problem.empty())
                return {true,
                        "s2s.enabled is \"auto\", and other servers can trust the certificate of " +
                            host + " (" + presented.files.certificateFile + ")."};
            if (++count > reasonsMax) continue;
            objections += (objections.empty() ? "" : "; ") + host + ": it " + problem;
        }
    }
    if (count > reasonsMax) objections += "; …";
    return {false,
            "s2s.enabled is \"auto\", and no host has a certificate that other servers trust (" +
                objections + ")."};
}

std::string FederationControl::whyOff() const {
    const std::lock_guard lock{mutex_};
    return whyOff_;
}

void FederationControl::turnOn(const std::string& reason) {
    remoteLog.notice("federation is on", {{"cause", reason}});
    const std::lock_guard lock{mutex_};
    whyOff_.clear();
}

void FederationControl::turnOff(std::string reason) {
    const std::lock_guard lock{mutex_};
    if (whyOff_ != reason) remoteLog.info("federation is off", {{"cause", reason}});
    whyOff_ = std::move(reason);
}

// ---- listening

void FederationControl::restore(UniqueFunction<void()> done) {
    if (federation_ && whyOff().empty())
        federation_->restore(std::move(done));
    else
        done();
}

void FederationControl::listen(unsigned loop) {
    if (!federation_ || !whyOff().empty()) return;
    try {
        open(loop);
    } catch (const std::exception& failure) {
        if (mode_ == RemoteMode::Always) throw;
        remoteLog.error("other servers can't be served",
                        {{"cause", std::string_view{failure.what()}}});
    }
}

void FederationControl::open(unsigned loop) {
    for (const bool isDirectTls : {false, true}) {
        const std::uint16_t port = isDirectTls ? where_.tlsPort : where_.starttlsPort;
        if (port == 0) continue;
        for (const auto& text : where_.addresses) {
            const auto address = IpAddress::parse(text, port);
            if (!address) throw std::runtime_error{"s2s.addresses: " + text + " is no address."};
            // Servers of many domains have many connections: those that haven't shown whose they
            // are have a limit of their own.
            listeners_[loop].push_back(std::make_unique<Listener>(
                *loops_[loop],
                Listener::Settings{.address = *address,
                                   .directTls = isDirectTls ? &tls_->server() : nullptr,
                                   .limit = nullptr,
                                   .isFirst = loop == 0},
                [this, loop](std::unique_ptr<Transport> transport) {
                    federation_->accept(loop, std::move(transport));
                }));
        }
    }
}

// ---- reloads

// What has begun goes on: who has links is not cut off by a certificate that has run out.
Task<> FederationControl::apply(ConfigPtr config) {
    if (!federation_) co_return;
    for (const auto& problem : tls_->reload(files(*config)))
        remoteLog.error("a certificate could not be loaded; the one before stays",
                        {{"problem", problem}});
    if (whyOff().empty()) {
        federation_->configure(*config->settings, true);
        co_return;
    }
    // Authorities are files of hundreds of certificates: that is nothing for a loop.
    auto work = [this, certificates = tls_->presented(), now = Executor::current()->wallNow()] {
        return judge(certificates, now);
    };
    const Verdict verdict = co_await offload(server_.workers(), work);
    federation_->configure(*config->settings, verdict.isGood);
    if (!verdict.isGood) {
        turnOff(verdict.reason);
        co_return;
    }
    turnOn(verdict.reason);
    auto waiting = [this](UniqueFunction<void(bool)> resolve) {
        federation_->restore([back = Executor::current(), resolve = std::move(resolve)]() mutable {
            back->post([resolve = std::move(resolve)]() mutable { resolve(true); });
        });
    };
    Callback<bool> restored(std::move(waiting));
    co_await restored;
    // The first who listens makes sure that nobody else has the port.
    listen(0);
    std::function<bool(Shard&)> others = [this](Shard& shard) {
        if (shard.number() != 0 && !listeners_[0].empty()) listen(shard.number());
        return true;
    };
    co_await everyShard<bool>(server_, others);
}

}  // namespace epode
