#include "route/asking.h"

#include "core/random.h"
#include "route/server.h"
#include "route/shard.h"

#include <charconv>

namespace epode {

namespace {

// Who asks so much has made a mistake; what he doesn't hear he can do without.
constexpr std::size_t questionsMax = 20000;

// "ask-3-<chance>": the answer may come in on another shard than the one that waits for it.
constexpr std::string_view prefix = "ask-";

}  // namespace

void Asking::ask(MutableStanzaPtr request, Duration patience, Answered answered) {
    if (questions_.size() >= questionsMax) {
        answered(nullptr);
        return;
    }
    std::string id{prefix};
    id += std::to_string(shard_.number()) + "-" + randomId();
    request->setId(id);
    questions_.emplace(
        id, Question{request->to(), std::move(answered),
                     shard_.executor().after(patience, [this, id] { end(id, nullptr); })});
    shard_.server().route(std::move(request));
}

void Asking::answer(Shard& here, const StanzaPtr& stanza) {
    std::string_view id = stanza->id();
    if (!id.starts_with(prefix)) return;
    id.remove_prefix(prefix.size());
    unsigned number = 0;
    const auto parsed = std::from_chars(id.data(), id.data() + id.size(), number);
    if (parsed.ec != std::errc{} || number >= here.server().shardCount()) return;
    Shard& shard = here.server().shard(number);
    if (&shard == &here) {
        shard.asking().answer(stanza);
        return;
    }
    shard.executor().post([&shard, stanza] { shard.asking().answer(stanza); });
}

void Asking::answer(const StanzaPtr& stanza) {
    const auto found = questions_.find(stanza->id());
    if (found != questions_.end() && found->second.asked == stanza->from())
        end(found->first, stanza);
}

void Asking::end(const std::string& id, const StanzaPtr& answer) {
    // The id may be the entry's own key, or its timer's.
    const auto ended = questions_.extract(id);
    if (ended) ended.mapped().answered(answer);
}

}  // namespace epode
