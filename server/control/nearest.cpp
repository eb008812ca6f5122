#include "control/nearest.h"

#include <algorithm>

namespace epode {

namespace {

char folded(char letter) {
    if (letter >= 'A' && letter <= 'Z') return static_cast<char>(letter - 'A' + 'a');
    return letter == '-' ? '_' : letter;
}

// Words longer than this are no slips.
constexpr std::size_t lettersMax = 100;

}  // namespace

std::size_t editDistance(std::string_view one, std::string_view other) {
    // Three rows suffice: a swap of neighbours looks back two.
    std::vector<std::size_t> twoAbove(other.size() + 1), above(other.size() + 1),
        row(other.size() + 1);
    for (std::size_t j = 0; j <= other.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= one.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= other.size(); ++j) {
            const bool same = folded(one[i - 1]) == folded(other[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && folded(one[i - 1]) == folded(other[j - 2]) &&
                folded(one[i - 2]) == folded(other[j - 1])) {
                row[j] = std::min(row[j], twoAbove[j - 2] + 1);
            }
        }
        std::swap(twoAbove, above);
        std::swap(above, row);
    }
    return above[other.size()];
}

std::optional<std::string> nearestName(std::string_view word,
                                       const std::vector<std::string>& candidates) {
    if (word.empty() || word.size() > lettersMax) return std::nullopt;
    const std::string* best = nullptr;
    std::size_t bestDistance = 0;
    for (const auto& candidate : candidates) {
        if (candidate.size() > lettersMax) continue;
        const auto distance = editDistance(word, candidate);
        if (!best || distance < bestDistance) {
            best = &candidate;
            bestDistance = distance;
        }
    }
    // A third of the letters may be wrong, at least one; more would be guessing.
    if (!best || bestDistance > std::max<std::size_t>(1, std::min(word.size(), best->size()) / 3)) {
        return std::nullopt;
    }
    return *best;
}

std::string didYouMean(std::string_view word, const std::vector<std::string>& candidates) {
    const auto nearest = nearestName(word, candidates);
    return nearest ? " Did you mean " + *nearest + "?" : "";
}

}  // namespace epode
