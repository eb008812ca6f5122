// Result sets by pages (XEP-0059).
#pragma once

#include "core/element.h"
#include "core/stanza_error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace epode {

struct PageRequest {
    bool isAsked = false;               // there was a <set/>
    std::optional<std::uint32_t> max;   // how many at most; 0 asks for the count alone
    std::optional<std::string> after;   // the items behind this one
    std::optional<std::string> before;  // the items ahead of this one, from the end of the set
    std::optional<std::uint32_t> index;
    // An empty <before/>: the last page. `before` is nothing then.
    bool isLastPage = false;

    // Whether the page is counted from its end.
    bool isBackward() const { return isLastPage || before.has_value(); }
};

// Reads the <set/> among the children of `wrapper`, such as <query/>. Without one nothing is asked.
std::variant<PageRequest, StanzaError> readPageRequest(const Element& wrapper);

// What was found. `first` and `last` are both empty when the page is.
struct Page {
    std::string first = {};
    std::string last = {};
    std::optional<std::uint64_t> index = {};  // of the first within all
    std::optional<std::uint64_t> count = {};  // of all
};

// Adds the <set/>; returns it.
Element& addPage(Element& wrapper, const Page& page);

}  // namespace epode
