// The stream of an external component (XEP-0114): a header that names the component, a handshake
// that shows that it knows the secret, then stanzas of everybody at its domain.
#pragma once

#include "core/stanza.h"
#include "core/xml_stream.h"
#include "net/transport.h"
#include "stream/byte_allowance.h"
#include "stream/components.h"
#include "stream/store_pressure.h"
#include "stream/unconfirmed.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace epode {

class ComponentStreams;
class Shard;

class ComponentStream final : public TransportUser {
public:
    ComponentStream(ComponentStreams& streams, std::uint64_t number,
                    std::unique_ptr<Transport> transport);
    ~ComponentStream() override;

    // TransportUser
    void onData(std::string_view bytes) override;
    void onClosed(std::string_view reason) override;

    // The handshake was right, and the stream has not ended.
    bool isServing() const { return phase_ == Phase::Stanzas && !ending_; }
    const std::string& domain() const { return domain_; }

    // A stanza for the component.
    void deliver(const StanzaPtr& stanza, const Hold& hold);

    void settingsChanged();
    // Pings who is silent, ends who doesn't answer.
    void checkActivity(SteadyTime now);
    // It has to show that it is there, soon.
    void provePresence();

    void end(const StreamError& error);
    // The same, as soon as what was written to it is confirmed; at the latest after a second.
    // `kept` is dropped then.
    void endSoon(StreamError error, std::shared_ptr<void> kept = {});

private:
    enum class Phase : std::uint8_t { Header, Handshake, Stanzas, Over };

    Shard& shard() const;
    void process(std::string_view input);
    void receiveHeader();
    void receiveHandshake(const Element& element);
    void begin();
    void receiveStanza(Document element, std::string_view inner);
    bool isPong(const Stanza& stanza);
    void refuse(const Stanza& stanza, const StanzaError& error);
    void sendHeader();
    void write(const StanzaPtr& stanza);
    void ping();
    void startConfirming();
    void confirm();
    void slowDown(std::size_t bytes);
    void waitForStore();
    void resumeReading();
    void over(std::string_view reason);
    void detach();

    ComponentStreams& streams_;
    const std::uint64_t number_;
    std::unique_ptr<Transport> transport_;
    XmlStream xml_;
    std::shared_ptr<const ComponentSettings> settings_;
    std::string domain_;
    std::string id_;
    std::string input_;  // what came while the database has too much to do
    std::shared_ptr<ComponentTraffic> traffic_;
    Unconfirmed unconfirmed_;
    ByteAllowance allowance_;
    StorePressure pressure_;
    Timer handshakeTimer_;
    Timer rateTimer_;
    Timer confirmTimer_;
    Timer endTimer_;                       // while it ends soon
    std::unique_ptr<StreamError> ending_;  // its end waits for what is unconfirmed
    std::shared_ptr<void> kept_;
    SteadyTime lastInput_;
    SteadyTime pingedAt_{};  // of the ping that was not answered yet
    Duration patience_{};    // with its answer
    std::string pingId_;
    Phase phase_ = Phase::Header;
    bool headerSent_ = false;
    bool answersPings_ = false;
    bool isDeaf_ = false;  // it doesn't, and nothing can be confirmed
};

}  // namespace epode
