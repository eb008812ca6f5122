#include "core/sasl/mechanisms.h"

#include "core/base64.h"
#include "core/sasl/external.h"
#include "core/sasl/plain.h"
#include "core/sasl/scram.h"

#include <algorithm>

namespace epode::sasl {

namespace {

// "i;octet" compares bytes, which is what std::string does.
void appendSorted(std::string& out, std::vector<std::string>& items) {
    std::sort(items.begin(), items.end());
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out.push_back('\x1E');
        out.append(items[i]);
    }
}

}  // namespace

std::vector<std::string> mechanismsToOffer(const Conditions& conditions) {
    std::vector<std::string> names;
    if (conditions.isEncrypted && conditions.hasCertificateIdentity) names.emplace_back("EXTERNAL");
    if (conditions.isEncrypted && conditions.hasChannelBinding) {
        for (const auto hash : conditions.scramHashes) {
            names.push_back(std::string{scramName(hash)} + "-PLUS");
        }
    }
    for (const auto hash : conditions.scramHashes) names.emplace_back(scramName(hash));
    if (conditions.isEncrypted && conditions.mayUsePlain) names.emplace_back("PLAIN");
    return names;
}

std::unique_ptr<Mechanism> makeMechanism(std::string_view name, const Setup& setup) {
    const auto& offered = setup.offered;
    if (std::find(offered.begin(), offered.end(), name) == offered.end()) return nullptr;

    if (name == "PLAIN") return std::make_unique<Plain>(setup);
    if (name == "EXTERNAL") return std::make_unique<External>(setup);
    const bool isPlus = name.ends_with("-PLUS");
    const auto hash = scramHash(isPlus ? name.substr(0, name.size() - 5) : name);
    if (!hash) return nullptr;
    return std::make_unique<Scram>(setup, *hash, isPlus ? Scram::Plus::Yes : Scram::Plus::No);
}

std::string downgradeHash(Hash hash, std::vector<std::string> mechanisms,
                          std::vector<std::string> bindingTypes) {
    std::string text;
    appendSorted(text, mechanisms);
    if (!bindingTypes.empty()) {
        text.push_back('\x1F');
        appendSorted(text, bindingTypes);
    }
    return encodeBase64(digest(hash, text));
}

}  // namespace epode::sasl
