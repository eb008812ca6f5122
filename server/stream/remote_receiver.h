// What both ends of a connection between servers do with what comes in on it: the other server
// shows for which domains it speaks, and to which of ours (for one that we have connected to,
// XEP-0288); stanzas of these pairs are routed, and counted when that was agreed on (XEP-0198).
#pragma once

#include "core/hold.h"
#include "core/queue.h"
#include "stream/dialback.h"
#include "stream/remote_allowance.h"
#include "stream/remote_link.h"
#include "stream/remote_stream.h"
#include "stream/store_pressure.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace epode {

class RemoteReceiver : public RemoteStream {
public:
    ~RemoteReceiver() override;

    // A dialback of the other server's has come to an end.
    void verified(const std::string& local, const std::string& remote, RemoteLink::Verdict verdict);
    void settingsChanged();

    using Pairs = std::set<std::pair<std::string, std::string>>;  // of ours, of theirs
    const Pairs& pairs() const { return pairs_; }
    // How the other server has shown who it is: "certificate", "dane", "dialback".
    std::string_view shownBy() const { return shownBy_; }
    WallTime since() const { return since_; }

protected:
    RemoteReceiver(Remotes& remotes, std::uint64_t number, std::unique_ptr<Transport> transport);

    const RemoteIdentity& identity() const { return identity_; }
    void setIdentity(RemoteIdentity identity) { identity_ = std::move(identity); }
    void readIdentity() { setIdentity(RemoteIdentity::of(transport().tls())); }

    // False when the domain has as many connections as it may.
    bool makeRoomFor(const std::string& remote);
    // The pair is shown, and there is room.
    void accept(const std::string& local, const std::string& remote, std::string_view how);
    virtual void accepted(const std::string& local, const std::string& remote, bool isFirst) = 0;
    // It was not shown.
    virtual void refused() {}

    // A request of dialback; `streamId` is what its key has to be made for.
    void receiveRequest(const DialbackElement& request, const std::string& streamId);
    void answerWith(const DialbackElement& request, DialbackElement::Type type,
                    std::string_view condition = {});
    void receiveStanza(Document element, std::string_view inner);

    // Stanzas are counted from now on.
    void count(std::shared_ptr<AckWindow> window);
    const std::shared_ptr<AckWindow>& window() const { return window_; }
    // How much has come is asked (<r/>).
    void receiveCountRequest();
    void sendAck();
    // The stream is over.
    void endReceiving();

    void onData(std::string_view bytes) override;
    void ending(const StreamError& error) override;

private:
    void receiveKey(const DialbackElement& request, const std::string& streamId);
    void answerVerification(const DialbackElement& request);
    void refuse(const Stanza& stanza, const StanzaError& error);
    void answerRequests();
    void slowDown(Duration wait);
    void waitForStore();
    void resumeReading();

    RemoteIdentity identity_;
    Pairs pairs_;
    std::set<std::pair<std::string, std::string>> verifying_;
    std::string first_;  // of the domains that it speaks for
    std::string shownBy_;
    const WallTime since_;
    // One of each domain; what comes in is taken from that of the first.
    std::vector<RemoteAllowance::Place> places_;
    std::size_t stanzas_ = 0;  // of this read
    Timer rateTimer_;
    std::optional<SteadyTime> complainedAt_;  // that it sends too much
    StorePressure pressure_;
    std::shared_ptr<AckWindow> window_;
    Queue<std::uint32_t> asked_;
    Timer late_;
};

}  // namespace epode
