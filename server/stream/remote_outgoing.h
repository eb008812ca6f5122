// A connection of ours to another server, for one pair of domains: TLS, SASL EXTERNAL (XEP-0178) or
// dialback (XEP-0220), stream management (XEP-0198), then stanzas.
#pragma once

#include "stream/dialback.h"
#include "stream/remote_link.h"
#include "stream/remote_stream.h"

#include <set>
#include <string>

namespace epode {

class RemoteOutgoing final : public RemoteStream {
public:
    // Ids of the link's own pings begin so.
    static inline const std::string pingPrefix = "s2s-ping-";

    RemoteOutgoing(Remotes& remotes, RemoteLink& link, std::uint64_t number,
                   RemoteDial::Connection connection);
    ~RemoteOutgoing() override;

    void begin();
    // The link has something to send, or to verify.
    void goOn();
    void write(const Stanza& stanza, std::string_view insertion);
    // Asks for an acknowledgement.
    void ask();
    bool takesVerifications() const;
    void verify(const std::string& id, const std::string& key);
    // Bytes that the other server hasn't taken yet.
    std::size_t pendingBytes() { return transport().unsentBytes() + output().size(); }
    void closeIfIdle(SteadyTime now);
    void forgetLink() { link_ = nullptr; }
    // It was made for an explanation, which has got what it wanted.
    void endAsTest() {
        link_ = nullptr;
        close("the test is over");
    }

    const RemoteTarget& target() const { return target_; }
    std::string_view authentication() const { return authentication_; }
    WallTime since() const { return since_; }

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
    std::string from() const override;
    std::string to() const override;

    void receiveFeatures(const Element& features);
    void receiveClearFeatures(const Element& features);
    void receiveDialback(const Element& element);
    void receiveManagement(const Element& element);
    void receiveStreamError(const Element& error);
    void receiveSaslFailure(const Element& failure);
    void startTls();
    void authenticate();
    void startDialback();
    void authenticated(std::string_view how);
    void ready(bool isManaged, std::string id, std::optional<std::uint32_t> resumed);
    void fail(RemoteStep step, std::string text, std::string advice = {},
              bool mayTryOthers = false);
    void find(RemoteStep step, bool isGood, std::string text, std::string advice = {}) const;

    RemoteLink* link_;
    const std::string local_;
    const std::string remote_;
    const RemoteTarget target_;
    Phase phase_ = Phase::ClearHeader;
    RemoteIdentity identity_;
    std::string streamId_;
    std::string authentication_;
    std::string peerError_;
    WallTime since_;
    Timer patience_;
    bool offersExternal_ = false;
    bool offersManagement_ = false;
    bool hasFailed_ = false;
};

}  // namespace epode
