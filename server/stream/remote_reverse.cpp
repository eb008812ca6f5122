#include "stream/remote_reverse.h"

#include "core/namespaces.h"
#include "route/shard.h"
#include "stream/federation.h"
#include "stream/remote_incoming.h"
#include "stream/remotes.h"

#include <utility>

namespace epode {

RemoteReverse::RemoteReverse(Remotes& home, Offer offer)
    : home_{home},
      offer_{std::move(offer)},
      pending_{std::make_shared<std::atomic<std::size_t>>(0)},
      self_{std::make_shared<RemoteReverse*>(this)} {}

RemoteReverse::~RemoteReverse() { *self_ = nullptr; }

void RemoteReverse::write(const Stanza& stanza, std::string_view insertion) {
    stanza.write(buffer_, ns::server, nullptr, insertion);
    flushSoon();
}

void RemoteReverse::ask() {
    buffer_.append("<r xmlns='urn:xmpp:sm:3'/>");
    flushSoon();
}

std::size_t RemoteReverse::pendingBytes() {
    return buffer_.size() + pending_->load(std::memory_order_relaxed);
}

void RemoteReverse::flushSoon() {
    if (std::exchange(isFlushing_, true)) return;
    home_.shard().executor().atEndOfTurn([self = self_] {
        if (*self) (*self)->flush();
    });
}

void RemoteReverse::flush() {
    isFlushing_ = false;
    if (buffer_.empty()) return;
    pending_->fetch_add(buffer_.size(), std::memory_order_relaxed);
    Remotes& there = home_.federation().remotes(offer_.shard);
    there.shard().executor().post(
        [&there, stream = offer_.stream, pending = pending_, bytes = std::exchange(buffer_, {})] {
            if (RemoteIncoming* incoming = there.incoming(stream))
                incoming->sendBack(bytes, pending);
        });
}

void RemoteReverse::endWith(const StreamError& error) {
    flush();
    Remotes& there = home_.federation().remotes(offer_.shard);
    there.shard().executor().post([&there, stream = offer_.stream, error] {
        if (RemoteIncoming* incoming = there.incoming(stream)) incoming->endWith(error);
    });
}

}  // namespace epode
