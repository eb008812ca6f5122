#include "route/session_options.h"

namespace epode {

namespace {

const Option<std::int64_t> smQueueMax{
    .key = "sm.queue_max",
    .fallback = 5000,
    .range = {10, 1000000},
    .help = "The most stanzas that are kept for a client which doesn't acknowledge them; beyond it its "
            "session ends. Messages stay in the log.",
};
const Option<Bytes> smQueueBytesMax{
    .key = "sm.queue_bytes_max",
    .fallback = 16_MiB,
    .range = {64_KiB, 1_GiB},
    .help = "The same limit by memory.",
};
const Option<std::int64_t> smRequestEvery{
    .key = "sm.request_every",
    .fallback = 20,
    .range = {1, 1000},
    .help = "After so many stanzas the client is asked to acknowledge them.",
};
const Option<Duration> smRequestDelay{
    .key = "sm.request_delay",
    .fallback = std::chrono::milliseconds{500},
    .range = {std::chrono::milliseconds{1}, std::chrono::seconds{60}},
    .help = "The longest time after a stanza until the client is asked to acknowledge it.",
};
const Option<Duration> smAnswerTimeout{
    .key = "sm.answer_timeout",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{5}, std::chrono::hours{1}},
    .help = "A client that doesn't answer a request for acknowledgement for so long has lost its "
            "connection; its session waits to be resumed.",
};
const Option<Duration> smResumeTimeout{
    .key = "sm.resume_timeout",
    .fallback = std::chrono::minutes{10},
    .range = {std::chrono::seconds{0}, std::chrono::hours{168}},
    .help = "How long a session without connection waits for its client to resume it.",
};
const Option<Bytes> outputBytesMax{
    .key = "client.output_bytes_max",
    .fallback = 4_MiB,
    .range = {64_KiB, 1_GiB},
    .help = "The most bytes that wait for a client that reads too slowly; beyond it its stream ends.",
};
const Option<std::int64_t> offlineMessagesMax{
    .key = "offline.messages_max",
    .fallback = 10000,
    .range = {0, 10000000},
    .help = "How many messages may wait for an account whose clients are all away; more are refused. "
            "With 0 none wait: their senders are told that nobody is there.",
};

}  // namespace

std::vector<OptionRef> sessionOptions() {
    return {&smQueueMax,      &smQueueBytesMax, &smRequestEvery, &smRequestDelay,
            &smAnswerTimeout, &smResumeTimeout, &outputBytesMax, &offlineMessagesMax};
}

SessionLimits::SessionLimits(const Settings& settings, std::string_view host)
    : smQueueMax{std::size_t(settings.get(::epode::smQueueMax, host))},
      smQueueBytesMax{settings.get(::epode::smQueueBytesMax, host)},
      smRequestEvery{std::uint32_t(settings.get(::epode::smRequestEvery, host))},
      smRequestDelay{settings.get(::epode::smRequestDelay, host)},
      smAnswerTimeout{settings.get(::epode::smAnswerTimeout, host)},
      smResumeTimeout{settings.get(::epode::smResumeTimeout, host)},
      outputBytesMax{settings.get(::epode::outputBytesMax, host)},
      offlineMessagesMax{std::size_t(settings.get(::epode::offlineMessagesMax, host))} {}

}  // namespace epode
