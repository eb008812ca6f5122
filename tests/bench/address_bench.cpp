// Addresses, ids, stamps and the hashes of a login.
#include "core/digest.h"
#include "core/jid.h"
#include "core/sasl/mechanisms.h"
#include "core/sasl/scram_client.h"
#include "core/time_format.h"
#include "core/uuid.h"
#include "tests/bench/bench.h"

#include <cstdlib>

using namespace epode;

namespace {

void parse(bench::Run& run, std::string_view text) {
    if (!Jid::parse(text)) std::abort();
    while (run.next()) bench::keep(Jid::parse(text));
}

// Everything that the server computes for a login with stored keys.
void logIn(bench::Run& run, Hash hash) {
    const std::string name{sasl::scramName(hash)};
    const sasl::Credentials stored{{*sasl::makeScramKeys(hash, "pencil")}};
    sasl::Setup setup;
    setup.domain = "capulet.example";
    setup.offered = {name};
    setup.secret = "secret";
    setup.nonce = "S";
    sasl::ScramClient client{
        {.hash = hash, .username = "juliet", .password = "pencil", .nonce = "C"}};
    const auto first = *client.first();
    std::string final;
    while (run.next()) {
        const auto machine = sasl::makeMechanism(name, setup);
        machine->start(first);
        const auto challenge = machine->proceed(&stored);
        if (final.empty()) final = *client.answer(std::get<sasl::Challenge>(challenge).bytes);
        if (!std::holds_alternative<sasl::Success>(machine->step(final))) std::abort();
    }
}

constexpr auto stamp = fromMilliseconds(1'795'168'800'123);

}  // namespace

BENCH("jid: parse an ASCII address of 40 bytes") {
    parse(run, "juliet.capulet@verona.example/balcony-77");
}

BENCH("jid: parse a bare ASCII address in capitals") {
    parse(run, "Juliet.Capulet@Verona.Example");
}

BENCH("jid: parse an address with accents") { parse(run, "jülìet@verona.example/balcony"); }

BENCH("jid: parse an address with an A-label") { parse(run, "juliet@xn--bcher-kva.example"); }

BENCH("uuid: make one") {
    while (run.next()) bench::keep(Uuid::at(stamp));
}

BENCH("uuid: write one") {
    const auto uuid = Uuid::at(stamp);
    std::string out;
    while (run.next()) {
        out.clear();
        uuid.appendTo(out);
        bench::keep(out);
    }
}

BENCH("time: write a stamp") {
    std::string out;
    while (run.next()) {
        out.clear();
        appendDateTime(out, stamp);
        bench::keep(out);
    }
}

BENCH("time: read a stamp") {
    while (run.next()) bench::keep(parseDateTime("2026-11-20T10:00:00.123Z"));
}

BENCH("digest: HMAC-SHA-256 of 300 bytes") {
    const std::string key(32, 'k');
    const std::string text(300, 't');
    while (run.next()) bench::keep(hmac(Hash::Sha256, key, text));
}

BENCH("digest: salt a password, SHA-256, 4096 rounds") {
    while (run.next()) bench::keep(sasl::makeScramKeys(Hash::Sha256, "pencil"));
}

BENCH("sasl: a login by SCRAM-SHA-1, server side") { logIn(run, Hash::Sha1); }

BENCH("sasl: a login by SCRAM-SHA-256, server side") { logIn(run, Hash::Sha256); }
