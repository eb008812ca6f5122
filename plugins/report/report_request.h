// A report as a client attaches it to a block (XEP-0377).
#pragma once

#include "core/element.h"
#include "core/uuid.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace epode {

inline constexpr std::string_view reportingNs = "urn:xmpp:reporting:1";

struct ReportLimits {
    std::size_t textBytesMax;
    std::size_t messagesMax;
};

struct ReportRequest {
    std::string reason;          // a URN
    std::string text;            // cut to the limit
    std::vector<Uuid> messages;  // ids of the reporter's archive; what is none of ours is left out
    bool mayTellOrigin = false;
    bool mayTellThirdParty = false;
};

// The report in a blocked item; nothing when it has none, or it names no reason. Also in its older
// form (urn:xmpp:reporting:0), in which the reason is an element, and some clients put it beside a
// single item.
std::optional<ReportRequest> readReport(const Element& item, const ReportLimits& limits);

}  // namespace epode
