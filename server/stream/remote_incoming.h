// A connection that another server has made: it shows by its certificate (SASL EXTERNAL, XEP-0178)
// or by dialback (XEP-0220) for which domains it speaks, and to which of ours; then its stanzas are
// routed, those of these pairs alone. When it wants that (XEP-0288), our link for the first of them
// sends on it, too.
#pragma once

#include "net/address_limit.h"
#include "stream/remote_receiver.h"
#include "stream/remote_reverse.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace epode {

class RemoteIncoming final : public RemoteReceiver {
public:
    RemoteIncoming(Remotes& remotes, std::uint64_t number, std::unique_ptr<Transport> transport,
                   AddressLimit::Place place);
    ~RemoteIncoming() override;

    void checkActivity(SteadyTime now);
    void closeDown();
    // Whether our link sends on it, and ends it at a stop.
    bool isWayBack() const { return wayBack_ == WayBack::Open; }
    // What the link sends; `pending` is told what is left of it.
    void sendBack(const std::string& bytes,
                  const std::shared_ptr<std::atomic<std::size_t>>& pending);
    void endWith(const StreamError& error);

private:
    // Of XEP-0288.
    enum class WayBack : std::uint8_t {
        None,
        Wanted,  // once it is known who this is, and whether stanzas are counted
        Open,
    };

    void onSecured() override;
    void onDrained() override;
    void receiveHeader(const StreamHeader& header) override;
    void receive(Document element, std::string_view inner) override;
    void ended(std::string_view reason) override;
    void accepted(const std::string& local, const std::string& remote, bool isFirst) override;
    void refused() override;
    std::string from() const override { return local_; }
    std::string to() const override { return remote_; }

    void sendFeatures();
    void receiveAuth(const Element& auth);
    void refuseAuth(std::string_view condition, std::string_view text);
    void receiveDialback(const Element& element);
    void receiveWayBack();
    void waitToOpenWayBack();
    void openWayBack();
    RemoteReverse::Offer makeOffer() const;
    void receiveManagement(const Element& element);
    void enableManagement(const Element& element);
    void resumeManagement(const Element& element);
    void resumeWith(const std::string& id, std::uint32_t handled);
    void failManagement(std::string_view condition, std::optional<std::uint32_t> handled = {});
    void acknowledge(const Element& element);
    // `id` of a session that is resumed, "" for a new one; nothing when it can't be resumed.
    void manage(std::shared_ptr<AckWindow> window, std::optional<std::string> id);

    std::string local_;  // as the header says
    std::string remote_;
    std::string id_;
    // The pair that was shown first.
    std::string wayBackFrom_, wayBackTo_;
    AddressLimit::Place place_;
    Timer patience_;
    Timer wayBackPatience_;
    std::string smId_;  // when it can be resumed
    std::shared_ptr<std::atomic<std::size_t>> pending_;
    unsigned failures_ = 0;
    WayBack wayBack_ = WayBack::None;
    bool isAuthenticatedBySasl_ = false;
};

}  // namespace epode
