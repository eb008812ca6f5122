// Where the server listens, and with which certificates.
#pragma once

#include "control/config.h"
#include "net/tls_context.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {

OptionList listenOptions();

struct ListenSettings {
    explicit ListenSettings(const Settings& settings);
    std::vector<std::string> addresses;
    std::uint16_t starttlsPort;  // 0: not at all
    std::uint16_t tlsPort;
};

// The files of each host: those of the configuration, else <data>/certs/<host>.pem and .key, which are
// made (signed by themselves) when they are missing. Throws std::runtime_error when they can't be made.
std::vector<TlsFiles> certificateFiles(const Settings& settings, const std::vector<std::string>& hosts,
                                       const std::string& dataFolder);
// Authorities that sign clients' certificates; "" for none: then they aren't asked for.
std::string clientAuthorities(const Settings& settings);

}  // namespace epode
