// What was written to a component that may not have read it: XEP-0114 knows no acknowledgements. A
// request is known to have arrived by its answer; a message by the answer to a ping that was
// written after it, since a stream is read in order. Whatever is still here when the connection is
// lost goes back to its sender as an error.
#pragma once

#include "core/hold.h"
#include "core/stanza.h"
#include "core/time.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <unordered_map>

namespace epode {

class Unconfirmed {
public:
    // It was written. What is neither a message nor a request, or is an error, is not kept. Of more
    // than `most` messages, or requests, the oldest is forgotten; what has a huge id isn't kept.
    void written(const StanzaPtr& stanza, const Hold& hold, SteadyTime now, std::size_t most);
    // A ping is written now, or was answered: what was written before it has arrived.
    void asked() { asked_ = next_; }
    void confirmed();
    // A stanza has come from the component: is it the answer to a request?
    void received(const Stanza& stanza);

    // Senders don't wait for a component that takes its time: the holds of older messages are
    // dropped.
    void dropHolds(SteadyTime before);

    bool hasMessages() const { return !messages_.empty(); }
    // Messages that came after the last ping.
    bool hasUnasked() const { return !messages_.empty() && messages_.back().number >= asked_; }
    std::size_t size() const { return messages_.size() + requests_.size(); }
    // Everything, in order, and forgets it. Of a large stanza there are but kind, type, addresses and
    // id.
    void takeAll(const std::function<void(const StanzaPtr&, const Hold&)>& use);

private:
    struct Message {
        std::uint64_t number;
        StanzaPtr stanza;
        Hold hold;
        SteadyTime at;
    };
    std::deque<Message> messages_;
    std::uint64_t next_ = 0;
    std::uint64_t asked_ = 0;
    std::size_t withoutHold_ = 0;  // of `messages_`, from the front
    std::list<StanzaPtr> requests_;
    std::unordered_map<std::string, std::list<StanzaPtr>::iterator> byKey_;
};

}  // namespace epode
