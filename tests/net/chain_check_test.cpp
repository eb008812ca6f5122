// Whether others would trust what we present.
#include "net/chain_check.h"

#include "net/certificate.h"
#include "net/tls_error.h"
#include "tests/support/catch.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace epode;

namespace {

std::string fileWith(const std::string& name, const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("epode-chain-" + std::to_string(::getpid()) + name);
    std::ofstream{path} << text;
    return path.string();
}

}  // namespace

TEST_CASE("a chain that leads to an authority is good, and any other one is not") {
    const auto own = makeSelfSigned({"capulet.example"}, std::chrono::hours{24});
    const auto other = makeSelfSigned({"montague.example"}, std::chrono::hours{24});
    const auto expired = makeSelfSigned({"capulet.example"}, -std::chrono::minutes{30});
    const auto ownFile = fileWith("own", own.certificatePem);
    const auto otherFile = fileWith("other", other.certificatePem);
    const auto expiredFile = fileWith("expired", expired.certificatePem);
    const auto nothing = fileWith("nothing", "nothing");
    CHECK(chainProblem(ownFile, ownFile) == "");
    CHECK(chainProblem(ownFile, otherFile) != "");
    CHECK(chainProblem(ownFile) != "");
    CHECK(chainProblem(expiredFile, expiredFile).find("expired") != std::string::npos);
    CHECK_THROWS_AS(chainProblem(nothing, ownFile), TlsError);
    CHECK_THROWS_AS(chainProblem(ownFile, nothing), TlsError);
    CHECK_THROWS_AS(chainProblem("/no/such/file", ownFile), TlsError);
    for (const auto& file : {ownFile, otherFile, expiredFile, nothing})
        std::filesystem::remove(file);
}
