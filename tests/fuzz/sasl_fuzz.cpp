// Any bytes as the messages of a client to each mechanism, and as those of a server to our client.
// The first byte chooses who is spoken to, line feeds part the messages.
//
// Nobody gets in as somebody else, a machine that is done stays so, and nobody is let in by a
// mechanism without having the password in the input or a proof made from it.
#include "core/base64.h"
#include "core/sasl/ht.h"
#include "core/sasl/mechanisms.h"
#include "core/sasl/scram_client.h"
#include "core/sasl/scram_message.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace epode;
using namespace epode::sasl;

namespace {

void demand(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

std::optional<std::string_view> nextLine(std::optional<std::string_view>& rest) {
    if (!rest) return std::nullopt;
    const auto end = rest->find('\n');
    const auto line = rest->substr(0, end);
    rest = end == std::string_view::npos ? std::nullopt : std::optional{rest->substr(end + 1)};
    return line;
}

constexpr std::string_view salt = "0123456789abcdef";

const Credentials& stored() {
    static const Credentials made{{*makeScramKeys(Hash::Sha1, "pencil", 1, salt),
                                   *makeScramKeys(Hash::Sha256, "pencil", 1, salt)}};
    return made;
}

const Setup& setup() {
    static const Setup made{
        .domain = "capulet.example",
        .offered = {"EXTERNAL", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1",
                    "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"},
        .bindings = {{"tls-exporter", "exported"}},
        .certificateIdentities = {*Jid::parse("nurse@capulet.example"),
                                  *Jid::parse("juliet@montague.example")},
        .secret = "secret",
        .iterations = 1,
        .nonce = "S",
    };
    return made;
}

// What an honest client with the password would answer in place of `final`.
bool isHonest(const std::string& name, std::string_view first, std::string_view serverFirst,
              std::string_view final) {
    const auto message = readClientFirst(first);
    const auto last = readClientFinal(final);
    if (!message || !last) return false;
    const auto hash = *scramHash(name.ends_with("-PLUS") ? name.substr(0, name.size() - 5) : name);
    const auto* keys = keysOf(stored(), hash);
    if (!keys) return false;
    const auto salted = pbkdf2(hash, "pencil", keys->salt, keys->iterations);
    auto proof = hmac(hash, salted, "Client Key");
    std::string messages{message->bare};
    messages.append(",").append(serverFirst).append(",").append(last->withoutProof);
    const auto signature = hmac(hash, digest(hash, proof), messages);
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = char(proof[i] ^ signature[i]);
    return proof == last->proof;
}

void speakToServer(const std::string& name, std::optional<std::string_view> rest) {
    auto machine = makeMechanism(name, setup());
    demand(machine && machine->name() == name, "an offered mechanism exists");
    const auto first = nextLine(rest);
    std::string_view said = first.value_or("");
    std::string challenge;
    auto step = machine->start(first);
    for (int turns = 0; turns < 8; ++turns) {
        if (const auto* need = std::get_if<NeedCredentials>(&step)) {
            demand(prepareLocal(need->username) == need->username, "a username is prepared");
            // Half of all names are somebody's.
            step = machine->proceed(need->username.size() % 2 == 0 ? nullptr : &stored());
        } else if (const auto* asked = std::get_if<Challenge>(&step)) {
            challenge = asked->bytes;
            const auto line = nextLine(rest);
            if (!line) return;
            said = *line;
            step = machine->step(said);
        } else {
            break;
        }
    }
    if (const auto* success = std::get_if<Success>(&step)) {
        demand(success->identity.domain() == "capulet.example", "an account of this domain");
        demand(success->identity.isBare() && success->identity.hasLocal(), "a bare address");
        if (name == "EXTERNAL") {
            demand(success->identity.local() == "nurse", "the one in the certificate");
        } else if (name == "PLAIN") {
            demand(said.find("pencil") != std::string_view::npos ||
                       preparePassword(said.substr(said.rfind('\0') + 1)) == "pencil",
                   "the right password");
        } else {
            demand(isHonest(name, *first, challenge, said), "the right proof");
        }
    }
    demand(std::holds_alternative<Failure>(machine->step(said)), "a machine is used up");
    demand(std::holds_alternative<Failure>(machine->proceed(&stored())), "a machine is used up");
}

void speakToClient(std::optional<std::string_view> rest) {
    ScramClient client{{.username = "juliet",
                        .password = "pencil",
                        .iterationsLeast = 1,
                        .iterationsMost = 16,
                        .nonce = "C"}};
    demand(client.first().has_value(), "the client begins");
    const auto first = nextLine(rest);
    const auto final = nextLine(rest);
    const auto answer = client.answer(first.value_or(""));
    const bool isProven = client.isServerProven(final.value_or(""));
    demand(answer || !isProven, "no proof without an answer");
    demand(isProven || !client.problem().empty(), "a refusal says why");
}

void readAll(std::string_view text) {
    (void)readClientFirst(text);
    (void)readServerFirst(text);
    (void)readClientFinal(text);
    (void)readServerFinal(text);
    if (const auto keys = parseScramKeys(text)) {
        demand(toText(*keys) == text, "keys are written as they are read");
    }
    if (const auto token = readHtMessage(text)) {
        demand(!token->username.empty() && token->proof.size() == bytesOf(Hash::Sha256),
               "a message of HT has a name and a proof");
        demand(text == std::string{token->username} + '\0' + std::string{token->proof},
               "a message of HT is read whole");
    }
    if (const auto bytes = decodeBase64(text)) {
        demand(encodeBase64(*bytes) == text, "base 64 is written in one way");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text{reinterpret_cast<const char*>(data + 1), size - 1};
    const auto& offered = setup().offered;
    const std::size_t choice = data[0] % (offered.size() + 2);
    if (choice < offered.size()) {
        speakToServer(offered[choice], text);
    } else if (choice == offered.size()) {
        speakToClient(text);
    } else {
        readAll(text);
    }
    return 0;
}
