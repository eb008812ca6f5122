// Options of the web server.
#pragma once

#include "core/option.h"
#include "net/http_address.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::httpOption {

extern const Option<std::vector<std::string>> addresses;
extern const Option<std::vector<std::string>> plainAddresses;
extern const Option<std::int64_t> plainPort;
extern const Option<std::vector<std::string>> trustedProxies;
extern const Option<bool> proxyProtocol;
extern const Option<std::vector<std::string>> names;
extern const Option<std::vector<std::string>> origins;
extern const Option<bool> webSocket;
extern const Option<bool> webSocketCompression;
extern const Option<bool> bosh;
extern const Option<Duration> boshWait;
extern const Option<Duration> boshInactivity;
extern const Option<std::vector<std::string>> statusAddresses;
extern const Option<bool> accessLog;
extern const Option<Bytes> headBytesMax;
extern const Option<std::int64_t> fieldsMax;
extern const Option<Duration> headTimeout;
extern const Option<Duration> bodyTimeout;
extern const Option<Duration> idleTimeout;
extern const Option<Duration> writeTimeout;
extern const Option<std::int64_t> connectionsMax;

}  // namespace epode::httpOption
