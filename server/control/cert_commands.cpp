#include "control/cert_commands.h"

#include "core/ascii_domain.h"
#include "core/worker_pool.h"
#include "net/chain_check.h"
#include "net/dane.h"
#include "net/tls_error.h"
#include "route/server.h"
#include "route/shard.h"

#include <memory>

namespace epode {

namespace {

constexpr auto renewBefore = std::chrono::hours{24 * 14};

struct CertCommands {
    Server& server;
    PresentedCertificates presented;
    std::string authorities;

    CommandResult list(CommandCall&) const {
        auto result = CommandResult::table({"host", "names", "issuer", "expires", "file", "tlsa"});
        for (const auto& [files, certificate] : presented())
            for (const auto& host : files.hosts)
                result.row({host, certificate.dnsNames, certificate.issuer, certificate.notAfter,
                            files.certificateFile,
                            toText(TlsaRecord{.data = certificate.keyDigest})});
        return result;
    }

    static bool names(const CertificateInfo& certificate, const std::string& domain) {
        const auto ascii = asciiDomain(domain);
        return ascii && namesDomain(certificate, *ascii, "xmpp-server");
    }

    // What is wrong with a host's certificate, and what to do about it.
    std::vector<std::pair<std::string, std::string>> problemsOf(
        const std::string& host, const TlsFiles& files, const CertificateInfo& certificate,
        const std::vector<std::string>& served, WallTime now) const {
        std::vector<std::pair<std::string, std::string>> problems;
        if (certificate.isSelfSigned) {
            problems.emplace_back(
                "It is signed by itself: clients ask whether to trust it, and other "
                "servers believe a dialback at best.",
                "Get one from an authority (Let's Encrypt) and set tls.certificate.");
        } else {
            try {
                const std::string problem = chainProblem(files.certificateFile, authorities);
                if (!problem.empty())
                    problems.emplace_back(
                        "Others won't trust it: " + problem + ".",
                        "The file has to hold the whole chain: fullchain.pem, not cert.pem.");
            } catch (const TlsError& error) {
                problems.emplace_back(error.what(), "");
            }
        }
        if (certificate.notAfter <= now)
            problems.emplace_back("It has expired.", "Renew it, then `epodectl reload`.");
        else if (certificate.notAfter - now < renewBefore)
            problems.emplace_back("It expires within two weeks.",
                                  "Renew it, then `epodectl reload`.");
        if (certificate.notBefore > now)
            problems.emplace_back("It is not valid yet.", "Is the clock of this machine right?");
        if (!names(certificate, host))
            problems.emplace_back("It is not for " + host + ".",
                                  "It needs that name, as DNS name.");
        for (const auto& domain : served)
            if (!names(certificate, domain))
                problems.emplace_back(
                    "It is not for " + domain + ", which this host serves.",
                    "Add the name, or *." + host + ", so that other servers believe it.");
        return problems;
    }

    // A host with what it presents and serves.
    struct Subject {
        std::string host;
        TlsStore::Presented presented;
        std::vector<std::string> served;
    };
    using Problems = std::vector<std::pair<std::string, std::string>>;

    // Authorities are files of hundreds of certificates: that is nothing for a loop.
    Task<CommandResult> check(CommandCall& call) {
        Shard& shard = server.here();
        std::vector<Subject> subjects;
        for (const auto& one : presented()) {
            for (const auto& host : one.files.hosts) {
                subjects.push_back({host, one, {}});
                if (Host* found = shard.host(host))
                    for (const auto& domain : found->services().domains)
                        subjects.back().served.push_back(domain.domain);
            }
        }
        auto work = [this, &subjects, now = call.executor().wallNow()] {
            std::vector<Problems> all;
            for (const auto& one : subjects)
                all.push_back(problemsOf(one.host, one.presented.files, one.presented.certificate,
                                         one.served, now));
            return all;
        };
        const auto all = co_await offload(server.workers(), work);
        auto result = CommandResult::table({"host", "result", "finding", "what to do"});
        std::size_t count = 0;
        for (std::size_t i = 0; i < subjects.size(); ++i) {
            const std::string& host = subjects[i].host;
            count += all[i].size();
            if (all[i].empty())
                result.row({host, "good", "Its certificate is trusted, and for all that it serves.",
                            nullptr});
            for (const auto& [finding, advice] : all[i])
                result.row({host, "problem", finding, advice.empty() ? Cell{} : Cell{advice}});
        }
        result.say(count == 0 ? "All certificates are good."
                              : std::to_string(count) + (count == 1 ? " problem." : " problems."));
        co_return result;
    }
};

}  // namespace

std::vector<CommandRegistry::Registration> addCertCommands(CommandRegistry& registry,
                                                           Server& server,
                                                           PresentedCertificates presented,
                                                           std::string authorities) {
    auto commands = std::make_shared<CertCommands>(
        CertCommands{server, std::move(presented), std::move(authorities)});
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "cert list",
        .summary = "Lists the certificates that the hosts present",
        .details =
            "The last column is what a TLSA record in a signed zone says of the certificate's key "
            "(DANE), for _5269._tcp and _5270._tcp below the name of the machine.",
        .permission = Permission::Operate,
        .answer = [commands](CommandCall& call) { return commands->list(call); },
    }));
    all.push_back(registry.add({
        .name = "cert check",
        .summary = "Tells whether clients and other servers will take the hosts' certificates",
        .details =
            "Looked at are the chain up to a known authority, the dates, and whether the names "
            "cover the host and what is served below it (rooms, pubsub).",
        .permission = Permission::Operate,
        .run = [commands](CommandCall& call) { return commands->check(call); },
    }));
    return all;
}

}  // namespace epode
