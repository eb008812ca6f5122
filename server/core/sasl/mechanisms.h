// Which mechanisms a stream offers, and how an attempt with one of them is begun.
#pragma once

#include "core/digest.h"
#include "core/sasl/credentials.h"
#include "core/sasl/mechanism.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode::sasl {

// What an offer depends on.
struct Conditions {
    bool isEncrypted = false;
    bool hasChannelBinding = false;       // at least one type can be used on this connection
    bool hasCertificateIdentity = false;  // the client has shown a certificate that names somebody
    bool mayUsePlain = true;              // and even then inside of TLS alone
    std::vector<Hash> scramHashes = {Hash::Sha256, Hash::Sha1};
};

// The names in our order of preference.
std::vector<std::string> mechanismsToOffer(const Conditions& conditions);

struct ChannelBinding {
    std::string type;  // "tls-exporter"
    std::string data;
};

// Whether the server's first message says what was offered (XEP-0474).
enum class DowngradeProtection : std::uint8_t { Off, On };

// Who wants to log in.
enum class Peer : std::uint8_t { Client, Server };

// What a machine has to know about the server and the stream.
struct Setup {
    std::string domain;  // of the accounts
    Peer peer = Peer::Client;
    std::vector<std::string> offered;        // the mechanisms that the client was told
    std::vector<ChannelBinding> bindings;    // the types it was told (XEP-0440)
    std::vector<Jid> certificateIdentities;  // accounts, or the domain of another server
    Jid claimed;  // whom the stream's header says it is; empty when it says nothing, or no account
    std::string secret;  // the server's own, never empty: for the salts of nobody
    std::uint32_t iterations = defaultIterations;  // that accounts usually have
    DowngradeProtection protection = DowngradeProtection::On;
    std::string nonce;  // the server's part; random when empty
};

// Null when the mechanism was not offered (invalid-mechanism). `setup` lives as long as the
// machine: the stream owns both.
std::unique_ptr<Mechanism> makeMechanism(std::string_view name, const Setup& setup);

// XEP-0474, 6.1: the hash of what was offered, in base 64.
std::string downgradeHash(Hash hash, std::vector<std::string> mechanisms,
                          std::vector<std::string> bindingTypes);

}  // namespace epode::sasl
