#include "core/sasl/scram_client.h"

#include "core/base64.h"
#include "core/jid.h"
#include "core/precis.h"
#include "core/random.h"
#include "core/sasl/scram_message.h"

namespace epode::sasl {

ScramClient::ScramClient(Options options) : options_{std::move(options)} {
    if (options_.nonce.empty()) options_.nonce = randomId();
}

std::string ScramClient::name() const {
    return std::string{scramName(options_.hash)} + (options_.binding ? "-PLUS" : "");
}

std::optional<std::string> ScramClient::first() {
    const auto username = precis::usernameCaseMapped(options_.username);
    auto password = preparePassword(options_.password);
    if (!username) return fail("The username has characters that are not allowed.");
    if (!password) return fail("The password has characters that are not allowed.");
    options_.password = std::move(*password);

    gs2Header_ = options_.binding     ? "p=" + options_.binding->type + ","
                 : options_.couldBind ? "y,"
                                      : "n,";
    if (!options_.authzid.empty()) gs2Header_ += "a=" + escapeName(options_.authzid);
    gs2Header_ += ",";
    messages_ = "n=" + escapeName(*username) + ",r=" + options_.nonce;
    return gs2Header_ + messages_;
}

std::optional<std::string> ScramClient::answer(std::string_view serverFirst) {
    const auto message = readServerFirst(serverFirst);
    if (!message) return fail("The server's message is malformed.");
    const bool isOurNonce =
        message->nonce.starts_with(options_.nonce) && message->nonce.size() > options_.nonce.size();
    if (!isOurNonce) return fail("The server's message is no answer to ours.");
    if (message->iterations < options_.iterationsLeast) {
        return fail("The server asks for too weak a proof.");
    }
    if (message->iterations > options_.iterationsMost) {
        return fail("The server asks for too much work.");
    }
    if (!message->downgradeHash.empty() && !options_.mechanismsSeen.empty() &&
        message->downgradeHash !=
            downgradeHash(options_.hash, options_.mechanismsSeen, options_.bindingTypesSeen)) {
        return fail("Somebody has changed what the server offers.");
    }

    auto binding = gs2Header_;
    if (options_.binding) binding += options_.binding->data;
    std::string out = "c=" + encodeBase64(binding) + ",r=" + std::string{message->nonce};
    messages_.append(",").append(serverFirst).append(",").append(out);

    const auto hash = options_.hash;
    auto salted = pbkdf2(hash, options_.password, message->salt, message->iterations);
    auto proof = hmac(hash, salted, "Client Key");
    const auto signature = hmac(hash, digest(hash, proof), messages_);
    for (std::size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature[i];
    serverSignature_ = hmac(hash, hmac(hash, salted, "Server Key"), messages_);
    wipe(salted);
    return out + ",p=" + encodeBase64(proof);
}

bool ScramClient::isServerProven(std::string_view serverFinal) {
    const auto message = readServerFinal(serverFinal);
    if (!message || serverSignature_.empty()) {
        problem_ = "The server's message is malformed.";
        return false;
    }
    if (!message->error.empty()) {
        problem_ = "The server refuses: " + std::string{message->error} + ".";
        return false;
    }
    if (!equalInConstantTime(message->signature, serverSignature_)) {
        problem_ = "The server doesn't know the password.";
        return false;
    }
    return true;
}

}  // namespace epode::sasl
