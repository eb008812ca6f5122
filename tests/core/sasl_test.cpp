#include "tests/support/catch.h"

#include "core/sasl/mechanisms.h"

#include <string>
#include <vector>

using namespace epode;
using namespace epode::sasl;
using namespace std::string_literals;

namespace {

using Names = std::vector<std::string>;

Setup setupOf(Names offered) {
    Setup setup;
    setup.domain = "capulet.example";
    setup.offered = std::move(offered);
    setup.secret = "the server's";
    return setup;
}

std::string told(const Step& step) {
    if (const auto* challenge = std::get_if<Challenge>(&step))
        return "challenge " + challenge->bytes;
    if (const auto* success = std::get_if<Success>(&step)) {
        return "success " + success->identity.text() + success->bytes;
    }
    if (const auto* need = std::get_if<NeedCredentials>(&step)) {
        return "need " + need->username + (need->isSlow ? ", slow" : "");
    }
    return std::string{toText(std::get<Failure>(step).condition)};
}

const Credentials& nurse() {
    static const Credentials made{{*makeScramKeys(Hash::Sha256, "knocks twice")}};
    return made;
}

std::string plain(const std::string& message, const Credentials* found) {
    const auto setup = setupOf({"PLAIN"});
    auto machine = makeMechanism("PLAIN", setup);
    const auto step = machine->start(message);
    if (!std::holds_alternative<NeedCredentials>(step)) return told(step);
    return told(machine->proceed(found));
}

std::vector<Jid> jids(const Names& texts) {
    std::vector<Jid> out;
    for (const auto& text : texts) out.push_back(*Jid::parse(text));
    return out;
}

}  // namespace

TEST_CASE("PLAIN logs in with the right password") {
    const auto setup = setupOf({"PLAIN"});
    auto machine = makeMechanism("PLAIN", setup);
    CHECK(told(machine->start("\0Nurse\0knocks twice"s)) == "need nurse, slow");
    CHECK(told(machine->proceed(&nurse())) == "success nurse@capulet.example");
    CHECK(told(machine->proceed(&nurse())) == "malformed-request");

    CHECK(plain("nurse@capulet.example\0nurse\0knocks twice"s, &nurse()) ==
          "success nurse@capulet.example");
    CHECK(plain("\0nurse\0knocks\u00A0twice"s, &nurse()) == "success nurse@capulet.example");
}

TEST_CASE("PLAIN refuses a wrong password and an unknown account alike") {
    CHECK(plain("\0nurse\0knocks once"s, &nurse()) == "not-authorized");
    CHECK(plain("\0nurse\0knocks twice"s, nullptr) == "not-authorized");
    const Credentials keyless{};
    CHECK(plain("\0nurse\0knocks twice"s, &keyless) == "not-authorized");
    CHECK(plain("\0nurse\0tab\t"s, &nurse()) == "not-authorized");
    CHECK(plain("\0nur se\0knocks twice"s, &nurse()) == "not-authorized");

    auto disabled = nurse();
    disabled.state = AccountState::Disabled;
    CHECK(plain("\0nurse\0knocks twice"s, &disabled) == "account-disabled");
    CHECK(plain("\0nurse\0knocks once"s, &disabled) == "not-authorized");
}

TEST_CASE("PLAIN refuses to act for somebody else") {
    for (const std::string authzid : {"juliet@capulet.example", "nurse", "nurse@montague.example",
                                      "nurse@capulet.example/x", "capulet.example", "@"}) {
        CAPTURE(authzid);
        CHECK(plain(authzid + "\0nurse\0knocks twice"s, &nurse()) == "invalid-authzid");
    }
}

TEST_CASE("what is no message of PLAIN is malformed") {
    const auto row = GENERATE(values<std::string>({
        "",
        "nurse",
        "\0"s,
        "\0\0"s,
        "\0nurse\0"s,
        "\0\0password"s,
        "nurse\0password"s,
        "\0nurse\0pass\0word"s,
        "\0nurse\0password\0"s,
        "\0\0nurse\0password"s,
    }));
    CAPTURE(row);
    CHECK(plain(row, &nurse()) == "malformed-request");
}

TEST_CASE("EXTERNAL takes the account that the certificate names") {
    struct Row {
        Names identities;
        std::string message;
        std::string result;
    };
    const std::vector<Row> rows = {
        {{"juliet@capulet.example"}, "", "need juliet"},
        {{"juliet@capulet.example"}, "juliet@capulet.example", "need juliet"},
        {{"juliet@capulet.example", "nurse@capulet.example"},
         "nurse@capulet.example",
         "need nurse"},
        {{"juliet@capulet.example", "juliet@montague.example"}, "", "need juliet"},
        {{"juliet@capulet.example", "juliet@capulet.example"}, "", "need juliet"},
        {{"juliet@capulet.example"}, "nurse@capulet.example", "invalid-authzid"},
        {{"juliet@capulet.example"}, "juliet@capulet.example/x", "invalid-authzid"},
        {{"juliet@capulet.example"}, "no address", "invalid-authzid"},
        {{"juliet@capulet.example"}, "\0"s, "invalid-authzid"},
        {{"juliet@capulet.example", "nurse@capulet.example"}, "", "invalid-authzid"},
        {{"juliet@montague.example"}, "juliet@montague.example", "invalid-authzid"},
        {{"juliet@montague.example"}, "", "not-authorized"},
        {{"capulet.example"}, "", "not-authorized"},
        {{"capulet.example"}, "capulet.example", "invalid-authzid"},
        {{"juliet@capulet.example/x"}, "", "not-authorized"},
        {{}, "", "not-authorized"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.identities, row.message);
        auto setup = setupOf({"EXTERNAL"});
        setup.certificateIdentities = jids(row.identities);
        auto machine = makeMechanism("EXTERNAL", setup);
        CHECK(told(machine->start(row.message)) == row.result);
    }
}

TEST_CASE("EXTERNAL needs an account that exists and may be used, but no password") {
    auto setup = setupOf({"EXTERNAL"});
    setup.certificateIdentities = jids({"juliet@capulet.example"});
    const auto with = [&](const Credentials* found) {
        auto machine = makeMechanism("EXTERNAL", setup);
        machine->start("");
        return told(machine->proceed(found));
    };
    Credentials account;
    CHECK(with(&account) == "success juliet@capulet.example");
    account.state = AccountState::PasswordExpired;
    CHECK(with(&account) == "success juliet@capulet.example");
    account.state = AccountState::Disabled;
    CHECK(with(&account) == "account-disabled");
    CHECK(with(nullptr) == "not-authorized");
}

TEST_CASE("EXTERNAL lets another server in as its domain") {
    auto setup = setupOf({"EXTERNAL"});
    setup.peer = Peer::Server;
    setup.certificateIdentities = jids({"montague.example", "romeo@capulet.example"});
    const auto with = [&](const std::string& message) {
        return told(makeMechanism("EXTERNAL", setup)->start(message));
    };
    CHECK(with("") == "success montague.example");
    CHECK(with("montague.example") == "success montague.example");
    CHECK(with("capulet.example") == "invalid-authzid");
    CHECK(with("romeo@capulet.example") == "invalid-authzid");
}

TEST_CASE("a mechanism that was not offered does not exist") {
    const auto setup = setupOf({"SCRAM-SHA-256", "X-OWN"});
    CHECK(makeMechanism("SCRAM-SHA-256", setup));
    for (const std::string name : {"", "PLAIN", "EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS",
                                   "scram-sha-256", "X-OWN", "SCRAM-SHA-256 "}) {
        CAPTURE(name);
        CHECK_FALSE(makeMechanism(name, setup));
    }
}

TEST_CASE("what is offered depends on the stream") {
    Conditions conditions;
    CHECK(mechanismsToOffer(conditions) == Names{"SCRAM-SHA-256", "SCRAM-SHA-1"});
    conditions.hasChannelBinding = true;
    conditions.hasCertificateIdentity = true;
    CHECK(mechanismsToOffer(conditions) == Names{"SCRAM-SHA-256", "SCRAM-SHA-1"});
    conditions.isEncrypted = true;
    CHECK(mechanismsToOffer(conditions) == Names{"EXTERNAL", "SCRAM-SHA-256-PLUS",
                                                 "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1",
                                                 "PLAIN"});
    conditions.mayUsePlain = false;
    conditions.hasChannelBinding = false;
    conditions.hasCertificateIdentity = false;
    conditions.scramHashes = {Hash::Sha512};
    CHECK(mechanismsToOffer(conditions) == Names{"SCRAM-SHA-512"});
}

TEST_CASE("the hash of XEP-0474 does not depend on the order of the offers") {
    CHECK(downgradeHash(Hash::Sha1, {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"},
                        {"tls-server-end-point", "tls-exporter"}) ==
          "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    CHECK(downgradeHash(Hash::Sha1, {"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"},
                        {"tls-exporter", "tls-server-end-point"}) ==
          "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    CHECK(downgradeHash(Hash::Sha1, {"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"}, {"tls-exporter"}) !=
          "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    CHECK(downgradeHash(Hash::Sha1, {"SCRAM-SHA-1"}, {}) !=
          downgradeHash(Hash::Sha1, {"SCRAM-SHA-1", ""}, {}));
}

TEST_CASE("conditions have the names of RFC 6120, 6.5") {
    CHECK(toText(Condition::Aborted) == "aborted");
    CHECK(toText(Condition::AccountDisabled) == "account-disabled");
    CHECK(toText(Condition::CredentialsExpired) == "credentials-expired");
    CHECK(toText(Condition::EncryptionRequired) == "encryption-required");
    CHECK(toText(Condition::IncorrectEncoding) == "incorrect-encoding");
    CHECK(toText(Condition::InvalidAuthzid) == "invalid-authzid");
    CHECK(toText(Condition::InvalidMechanism) == "invalid-mechanism");
    CHECK(toText(Condition::MalformedRequest) == "malformed-request");
    CHECK(toText(Condition::MechanismTooWeak) == "mechanism-too-weak");
    CHECK(toText(Condition::NotAuthorized) == "not-authorized");
    CHECK(toText(Condition::TemporaryAuthFailure) == "temporary-auth-failure");
}
