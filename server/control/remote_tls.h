// The certificates that are shown to other servers, in both directions, and the authorities theirs
// are trusted from.
#pragma once

#include "core/option.h"
#include "net/tls_context.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace epode {

class RemoteTls {
public:
    // Throws TlsError like TlsStore.
    RemoteTls(std::vector<TlsFiles> files, std::string authorities);

    // For servers that connect to us.
    const TlsServerContext& server();
    // For our connections, as a host; null when it has no certificate that can be used. From any
    // thread.
    std::shared_ptr<const TlsClientContext> client(const std::string& host, bool isDirect);

    // As TlsStore::reload.
    std::vector<std::string> reload(std::vector<TlsFiles> files);
    std::vector<TlsStore::Presented> presented() const { return store_.presented(); }

private:
    const std::string authorities_;
    TlsStore store_;
    std::mutex mutex_;
    std::vector<TlsFiles> files_;
    // Made when they are first asked for.
    std::map<std::pair<std::string, bool>, std::shared_ptr<const TlsClientContext>> clients_;
};

}  // namespace epode
