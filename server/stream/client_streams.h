// All client streams of one shard.
#pragma once

#include "core/executor.h"
#include "net/transport.h"
#include "stream/client_options.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

class ClientStream;
class Shard;
class TlsServerContext;

class ClientStreams {
public:
    // `all` holds the streams of every shard, by its number; it is where a stream moves to after login.
    ClientStreams(Shard& shard, std::vector<std::unique_ptr<ClientStreams>>& all,
                  const TlsServerContext* tls);
    ~ClientStreams();

    // A connection was accepted. With direct TLS (XEP-0368) its handshake has begun already.
    void accept(std::unique_ptr<Transport> transport);

    Shard& shard() { return shard_; }
    const TlsServerContext* tls() const { return tls_; }
    // The limits of a host; before its name is known, those of the default host.
    const ClientLimits& limits(std::string_view host);
    // Reads the options anew.
    void settingsChanged() { limits_.clear(); }
    std::size_t count() const { return streams_.size(); }

    // To the shard that the stream's account lives on; `arrived` runs there.
    void move(ClientStream& stream, unsigned shard, UniqueFunction<void(ClientStream&)> arrived);
    // Frees the stream when the turn is over.
    void release(ClientStream& stream);
    // Ends all with system-shutdown.
    void closeAll();

private:
    void add(std::unique_ptr<ClientStream> stream);
    std::unique_ptr<ClientStream> take(ClientStream& stream);
    void startChecking();
    void check();

    Shard& shard_;
    std::vector<std::unique_ptr<ClientStreams>>& all_;
    const TlsServerContext* tls_;
    std::unordered_map<ClientStream*, std::unique_ptr<ClientStream>> streams_;
    std::map<std::string, ClientLimits, std::less<>> limits_;
    Timer checking_;
};

}  // namespace epode
