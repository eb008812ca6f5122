// "Did you mean …?"
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// How many letters to insert, drop, replace or swap with a neighbour to make one of the other; case
// counts for nothing.
std::size_t editDistance(std::string_view one, std::string_view other);

// The candidate that a slip of the hand turned into `word`; nothing when none is near enough.
std::optional<std::string> nearestName(std::string_view word,
                                       const std::vector<std::string>& candidates);

// " Did you mean X?", or nothing.
std::string didYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace epode
