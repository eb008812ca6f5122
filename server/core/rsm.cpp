#include "core/rsm.h"

#include "core/namespaces.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace epode {

namespace {

// An unsigned number; what is larger than we count to is as good as the largest.
std::optional<std::uint32_t> parseCount(std::string_view text) {
    const bool isNumber = !text.empty() && std::all_of(text.begin(), text.end(),
                                                       [](char c) { return c >= '0' && c <= '9'; });
    if (!isNumber) return std::nullopt;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range) return std::numeric_limits<std::uint32_t>::max();
    return value;
}

StanzaError badNumber(std::string_view name) {
    return {Condition::BadRequest, "<" + std::string{name} + "/> must be a number."};
}

}  // namespace

std::variant<PageRequest, StanzaError> readPageRequest(const Element& wrapper) {
    PageRequest request;
    const auto* set = wrapper.child("set", ns::rsm);
    if (!set) return request;
    request.isAsked = true;
    if (const auto* max = set->child("max")) {
        request.max = parseCount(max->text());
        if (!request.max) return badNumber("max");
    }
    if (const auto* index = set->child("index")) {
        request.index = parseCount(index->text());
        if (!request.index) return badNumber("index");
    }
    if (const auto* after = set->child("after")) {
        // XEP-0059, 2.2: without an item it means the start, as if it were not there.
        if (!after->text().empty()) request.after = after->text();
    }
    if (const auto* before = set->child("before")) {
        if (before->text().empty()) {
            request.isLastPage = true;
        } else {
            request.before = before->text();
        }
    }
    if (request.index && (request.after || request.isBackward())) {
        return StanzaError{Condition::BadRequest,
                           "A page begins at an index or beside an item, not both."};
    }
    return request;
}

Element& addPage(Element& wrapper, const Page& page) {
    Element& set = wrapper.add("set", ns::rsm);
    if (!page.first.empty()) {
        Element& first = set.addWithText("first", page.first);
        if (page.index) first.set("index", std::to_string(*page.index));
        set.addWithText("last", page.last);
    }
    if (page.count) set.addWithText("count", std::to_string(*page.count));
    return set;
}

}  // namespace epode
