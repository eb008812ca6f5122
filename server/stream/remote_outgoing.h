// A connection of ours to another server, for one pair of domains: TLS, SASL EXTERNAL (XEP-0178) or
// dialback (XEP-0220), stream management (XEP-0198), then stanzas; in both directions when the
// other server agrees (XEP-0288).
#pragma once

#include "stream/remote_carrier.h"
#include "stream/remote_link.h"
#include "stream/remote_receiver.h"

#include <string>

namespace epode {

class RemoteOutgoing final : public RemoteReceiver, public RemoteCarrier {
public:
    // Ids of the link's own pings begin so.
    static inline const std::string pingPrefix = "s2s-ping-";

    RemoteOutgoing(Remotes& remotes, RemoteLink& link, std::uint64_t number,
                   RemoteDial::Connection connection);
    ~RemoteOutgoing() override;

    void begin();
    void closeIfIdle(SteadyTime now);
    const RemoteTarget& target() const { return target_; }

    // RemoteCarrier
    void goOn() override;
    void write(const Stanza& stanza, std::string_view insertion) override;
    void ask() override;
    bool takesVerifications() const override;
    void verify(const std::string& id, const std::string& key) override;
    std::size_t pendingBytes() override { return transport().unsentBytes() + output().size(); }
    void forgetLink() override { link_ = nullptr; }
    void dismiss() override;
    void endWith(const StreamError& error) override;
    Status status() const override;

private:
    enum class Phase : std::uint8_t {
        Securing,     // direct TLS
        ClearHeader,  // the first stream, without TLS
        Proceed,      // <starttls/> was sent
        Header,       // the stream under TLS
        Negotiating,  // its features are known; not authenticated
        External,     // <auth/> was sent
        Dialback,     // <db:result/> was sent
        FinalHeader,  // after SASL
        Managing,     // <enable/> or <resume/> was sent
        Ready,
    };

    void onSecured() override;
    void onDrained() override;
    void receiveHeader(const StreamHeader& header) override;
    void receive(Document element, std::string_view inner) override;
    void ended(std::string_view reason) override;
    // The other server speaks for further domains of its own (XEP-0288, 2.2).
    void accepted(const std::string&, const std::string&, bool) override {}
    std::string from() const override;
    std::string to() const override;

    void receiveFeatures(const Element& features);
    void receiveClearFeatures(const Element& features);
    void receiveDialback(const Element& element);
    void receiveManagement(const Element& element);
    void receiveStreamError(const Element& error);
    void receiveSaslFailure(const Element& failure);
    void startTls();
    bool judge();
    void authenticate();
    void startDialback();
    void authenticated(std::string_view how);
    void askToResume(std::uint32_t handled);
    void noteUnasked(const DialbackElement& answer);
    void countFrom(std::uint32_t handled);
    void ready(bool isManaged, std::string id, std::optional<std::uint32_t> resumed);
    void fail(RemoteStep step, std::string text, std::string advice = {},
              bool mayTryOthers = false);
    void find(RemoteStep step, bool isGood, std::string text, std::string advice = {}) const;

    RemoteLink* link_;
    const std::string local_;
    const std::string remote_;
    const RemoteTarget target_;
    Phase phase_ = Phase::ClearHeader;
    std::string streamId_;
    std::string authentication_;
    std::string peerError_;
    Timer patience_;
    std::uint32_t handled_ = 0;  // as was said when resuming
    bool offersExternal_ = false;
    bool offersManagement_ = false;
    bool offersWayBack_ = false;
    bool isWayBack_ = false;  // the other server sends on it, too
    bool isIdle_ = false;     // we have closed it because nothing was said
    bool hasFailed_ = false;
    bool hasBabbled_ = false;  // said what nobody had asked
};

}  // namespace epode
