#include "route/presence_options.h"

namespace epode {

const Option<std::int64_t> rosterItemsMax{
    .key = "roster.items_max",
    .fallback = 2000,
    .range = {1, 100000},
    .help = "The most contacts in one account's roster; more are refused.",
};
const Option<std::int64_t> presenceRequestsMax{
    .key = "presence.requests_max",
    .fallback = 500,
    .range = {1, 100000},
    .help =
        "The most unanswered subscription requests that are kept for an account; more are dropped.",
};
const Option<Bytes> presenceRequestBytesMax{
    .key = "presence.request_bytes_max",
    .fallback = 4_KiB,
    .range = {256_B, 256_KiB},
    .help = "A larger subscription request is kept without its content.",
};
const Option<std::int64_t> presenceDirectedMax{
    .key = "presence.directed_max",
    .fallback = 1000,
    .range = {10, 100000},
    .help =
        "The most addresses that one client sends its presence to beside its contacts, rooms for "
        "the most part; more are refused.",
};

std::vector<OptionRef> presenceOptions() {
    return {&rosterItemsMax, &presenceRequestsMax, &presenceRequestBytesMax, &presenceDirectedMax};
}

}  // namespace epode
