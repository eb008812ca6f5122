#include "control/remote_tls.h"

#include "core/log.h"
#include "net/tls_error.h"

#include <algorithm>

namespace epode {

namespace {

const Log tlsLog{"tls"};

}  // namespace

RemoteTls::RemoteTls(std::vector<TlsFiles> files, std::string authorities)
    : authorities_{std::move(authorities)}, store_{files, authorities_}, files_{std::move(files)} {}

const TlsServerContext& RemoteTls::server() {
    // Servers that connect keep a ticket for as long as they are connected, and resume nothing.
    return store_.context(
        {.alpn = {"xmpp-server"}, .askClientCertificate = true, .givesTickets = false});
}

std::shared_ptr<const TlsClientContext> RemoteTls::client(const std::string& host, bool isDirect) {
    const std::lock_guard lock{mutex_};
    auto& context = clients_[{host, isDirect}];
    if (context) return context;
    TlsClientContext::Settings settings{.alpn = {}, .certificate = {}, .trustFile = authorities_};
    if (isDirect) settings.alpn = {"xmpp-server"};
    const auto found = std::find_if(files_.begin(), files_.end(), [&host](const TlsFiles& files) {
        return std::find(files.hosts.begin(), files.hosts.end(), host) != files.hosts.end();
    });
    if (found != files_.end()) settings.certificate = *found;
    try {
        context = std::make_shared<const TlsClientContext>(settings);
    } catch (const TlsError& error) {
        tlsLog.error("there is no certificate to be shown to other servers",
                     {{"host", host}, {"problem", error.what()}});
    }
    return context;
}

std::vector<std::string> RemoteTls::reload(std::vector<TlsFiles> files) {
    auto problems = store_.reload(files);
    const std::lock_guard lock{mutex_};
    files_ = std::move(files);
    clients_.clear();
    return problems;
}

}  // namespace epode
