#include "stream/unconfirmed.h"

#include "stream/request_key.h"

#include <algorithm>
#include <utility>

namespace epode {

namespace {

// An error is made of the addresses and the id: so many stanzas may be here that large ones are not
// kept for it.
constexpr std::size_t wholeBytesMax = 4096;
// Who makes up longer ids is told nothing.
constexpr std::size_t idBytesMax = 1024;

StanzaPtr kept(const StanzaPtr& stanza) {
    if (stanza->cost() <= wholeBytesMax) return stanza;
    return stanza->isMessage()
               ? Stanza::message(stanza->type(), stanza->from(), stanza->to(), stanza->id())
               : Stanza::iq(stanza->type(), stanza->from(), stanza->to(), stanza->id());
}

}  // namespace

void Unconfirmed::written(const StanzaPtr& stanza, const Hold& hold, SteadyTime now,
                          std::size_t most) {
    if (stanza->id().size() > idBytesMax) return;
    if (stanza->isMessage() && !stanza->isError()) {
        if (messages_.size() >= most) {
            messages_.pop_front();
            withoutHold_ -= std::min<std::size_t>(withoutHold_, 1);
        }
        messages_.push_back({next_++, kept(stanza), hold, now});
    } else if (stanza->isIq() && stanza->isRequest()) {
        auto key = keyOfRequest(*stanza);
        // The same id again: both can expect no more than one answer.
        if (byKey_.contains(key)) return;
        if (requests_.size() >= most) {
            byKey_.erase(keyOfRequest(*requests_.front()));
            requests_.pop_front();
        }
        byKey_.emplace(std::move(key), requests_.insert(requests_.end(), kept(stanza)));
    }
}

void Unconfirmed::confirmed() {
    while (!messages_.empty() && messages_.front().number < asked_) {
        messages_.pop_front();
        withoutHold_ -= std::min<std::size_t>(withoutHold_, 1);
    }
}

void Unconfirmed::received(const Stanza& stanza) {
    if (requests_.empty() || !stanza.isIq() || stanza.isRequest()) return;
    const auto found = byKey_.find(keyOfAnswer(stanza));
    if (found == byKey_.end()) return;
    requests_.erase(found->second);
    byKey_.erase(found);
}

void Unconfirmed::dropHolds(SteadyTime before) {
    for (; withoutHold_ < messages_.size() && messages_[withoutHold_].at < before; ++withoutHold_)
        messages_[withoutHold_].hold = {};
}

void Unconfirmed::takeAll(const std::function<void(const StanzaPtr&, const Hold&)>& use) {
    const auto messages = std::exchange(messages_, {});
    const auto requests = std::exchange(requests_, {});
    byKey_.clear();
    withoutHold_ = 0;
    for (const auto& message : messages) use(message.stanza, message.hold);
    for (const auto& request : requests) use(request, {});
}

}  // namespace epode
