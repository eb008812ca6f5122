// What the signed DNS says of a server's certificate (DANE: RFC 6698, RFC 7671), and OpenSSL's
// judgement by it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;

namespace epode {

// A record of the type TLSA.
struct TlsaRecord {
    std::uint8_t usage = 3;     // 0, 1: beside a known authority; 2: an authority; 3: the server's
    std::uint8_t selector = 1;  // 0: the whole certificate, 1: its key
    std::uint8_t matching = 1;  // 0: as it is, 1: SHA-256, 2: SHA-512
    std::string data;
    bool operator==(const TlsaRecord&) const = default;
};
// Nothing when the data is malformed. Whether it is of any use is another question.
std::optional<TlsaRecord> readTlsa(std::string_view data);
// The data of the record, as on the wire.
std::string writeTlsa(const TlsaRecord& record);
// As zone files have it ("3 1 1 8cb0…"), with what is longer than any digest cut short.
std::string toText(const TlsaRecord& record);

// Those that OpenSSL can judge by: of known usage, selector and matching, with data that fits.
std::vector<TlsaRecord> usableOf(const std::vector<TlsaRecord>& records);

// What a server has to show. A certificate of usage 3 is good whatever else it says; the others
// have to be for one of the names, to be valid now, and with the usages 0 and 1 to be trusted.
struct DaneDemand {
    std::vector<TlsaRecord> records;  // usable ones, at least one
    std::vector<std::string> names;   // at least one
};

// Makes the connection, whose context knows of DANE, judge by it. Throws TlsError.
void demand(ssl_st* ssl, const DaneDemand& demand);

// Why a server's certificate (DER, without a chain; "" for none) is not what is demanded, "" when
// it is. For connections without OpenSSL, in tests: authorities are not known.
std::string daneProblem(const DaneDemand& demand, std::string_view certificate);

}  // namespace epode
