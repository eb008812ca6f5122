// A connection that another server has made: it shows by its certificate (SASL EXTERNAL, XEP-0178)
// or by dialback (XEP-0220) for which domains it speaks, and to which of ours; then its stanzas are
// routed, those of these pairs alone.
#pragma once

#include "core/hold.h"
#include "net/address_limit.h"
#include "stream/byte_allowance.h"
#include "stream/dialback.h"
#include "stream/remote_link.h"
#include "stream/remote_stream.h"
#include "stream/store_pressure.h"

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace epode {

class RemoteIncoming final : public RemoteStream {
public:
    RemoteIncoming(Remotes& remotes, std::uint64_t number, std::unique_ptr<Transport> transport,
                   AddressLimit::Place place);
    ~RemoteIncoming() override;

    // A dialback of its has come to an end.
    void verified(const std::string& local, const std::string& remote, RemoteLink::Verdict verdict);
    void checkActivity(SteadyTime now);
    void settingsChanged();
    void closeDown();

    using Pairs = std::set<std::pair<std::string, std::string>>;  // of ours, of theirs
    const Pairs& pairs() const { return pairs_; }
    std::string_view authentication() const { return authentication_; }
    WallTime since() const { return since_; }

private:
    void onSecured() override;
    void receiveHeader(const StreamHeader& header) override;
    void receive(Document element, std::string_view inner) override;
    void ended(std::string_view reason) override;
    std::string from() const override { return local_; }
    std::string to() const override { return remote_; }

    void sendFeatures();
    void receiveAuth(const Element& auth);
    void refuseAuth(std::string_view condition, std::string_view text);
    void receiveDialback(const Element& element);
    void receiveKey(const DialbackElement& request);
    void answerVerification(const DialbackElement& request);
    void answer(const DialbackElement& request, DialbackElement::Type type,
                std::string_view condition = {});
    void receiveStanza(Document element, std::string_view inner);
    void receiveManagement(const Element& element);
    void resumeManagement(const Element& element);
    void failManagement(std::string_view condition);
    // `id` of a session that is resumed, "" for a new one; nothing when it can't be resumed.
    void manage(std::shared_ptr<AckWindow> window, std::optional<std::string> id);
    void answerRequests();
    void sendAck();
    void accept(const std::string& local, const std::string& remote, std::string_view how);
    void refuse(const Stanza& stanza, const StanzaError& error);
    void slowDown(std::size_t bytes);
    void waitForStore();
    void resumeReading();
    void onData(std::string_view bytes) override;

    std::string local_;  // as the header says
    std::string remote_;
    std::string id_;
    RemoteIdentity identity_;
    Pairs pairs_;
    std::set<std::pair<std::string, std::string>> verifying_;
    std::string authentication_;
    AddressLimit::Place place_;
    WallTime since_;
    Timer patience_;
    Timer rateTimer_;
    ByteAllowance allowance_;
    StorePressure pressure_;
    std::shared_ptr<AckWindow> window_;
    std::string smId_;  // when it can be resumed
    std::deque<std::uint32_t> asked_;
    Timer late_;
    unsigned failures_ = 0;
    bool hasHeader_ = false;
    bool isAuthenticatedBySasl_ = false;
};

}  // namespace epode
