// SCRAM, client side: for our own client, streams to other servers, and tests that need an honest
// opposite.
#pragma once

#include "core/digest.h"
#include "core/sasl/mechanisms.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::sasl {

class ScramClient {
public:
    struct Options {
        Hash hash = Hash::Sha256;
        std::string username;
        std::string password;
        std::string authzid = {};
        std::optional<ChannelBinding> binding = {};  // given: the -PLUS variant
        // Whether we could bind when there is no binding: says "y" instead of "n".
        bool couldBind = false;
        // What the server's stream features have shown; checked when its hash comes (XEP-0474).
        std::vector<std::string> mechanismsSeen = {};
        std::vector<std::string> bindingTypesSeen = {};
        // Fewer give the password away; more are an attack on our time.
        std::uint32_t iterationsLeast = defaultIterations;
        std::uint32_t iterationsMost = 1'000'000;
        std::string nonce = {};  // random when empty
    };

    explicit ScramClient(Options options);

    std::string name() const;  // "SCRAM-SHA-256-PLUS"

    // The initial response; nothing when the username or the password can't be prepared.
    std::optional<std::string> first();

    // The answer to the server's first message; nothing when it is malformed, weak, or shows that
    // somebody has changed the offers: end the attempt, `problem()` says why. Salts the password.
    std::optional<std::string> answer(std::string_view serverFirst);

    // Whether the server knows the password as well. If not, it is not our server.
    bool isServerProven(std::string_view serverFinal);

    const std::string& problem() const { return problem_; }

private:
    std::nullopt_t fail(std::string problem) {
        problem_ = std::move(problem);
        return std::nullopt;
    }

    Options options_;
    std::string gs2Header_;
    std::string messages_;
    std::string serverSignature_;
    std::string problem_;
};

}  // namespace epode::sasl
