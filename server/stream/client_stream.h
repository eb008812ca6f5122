// A client's XML stream (RFC 6120, 4): from the first header over TLS, SASL and resource binding to
// the session, whose stanzas it then carries.
#pragma once

#include "core/stanza.h"
#include "core/xml_stream.h"
#include "net/transport.h"
#include "route/outlet.h"
#include "route/stream_facts.h"
#include "stream/byte_allowance.h"
#include "stream/store_pressure.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

class Account;
class ClientLogin;
class ClientStreams;
class Session;

class ClientStream final : public TransportUser, public Outlet, public StreamFacts {
public:
    ClientStream(ClientStreams& streams, std::unique_ptr<Transport> transport);
    ~ClientStream() override;

    // TransportUser
    void onData(std::string_view bytes) override;
    void onSecured() override;
    void onClosed(std::string_view reason) override;

    // Outlet: what the session writes to.
    std::string& output() override { return transport_->output(); }
    void wantFlush() override { transport_->wantFlush(); }
    std::string_view streamNs() const override;
    std::size_t unsentBytes() const override { return transport_->unsentBytes(); }
    void end(const StreamError& error) override;
    void stopReading() override;
    void interrupt() override;

    // StreamFacts: what plugins see of it.
    Host& host() const override { return *host_; }
    Shard& shard() const override;
    bool isSecure() const override { return secure_; }
    bool isAuthenticated() const override { return !authenticated_.empty(); }
    std::string peerAddress() const override { return transport_->peerAddress(); }
    StateSlots* slots() const override;

    // Called now and then: pings who is silent, ends who doesn't answer.
    void checkActivity(SteadyTime now);

private:
    friend class ClientLogin;
    friend class ClientStreams;

    // What the stream can be given next.
    enum class Phase : std::uint8_t {
        Header,       // a stream header
        Negotiation,  // TLS, SASL, binding, resumption
        Session,      // stanzas
        Over,
    };

    void process(std::string_view input);
    void receiveHeader();
    void receiveElement();
    void receiveStanza(Document element, std::string_view inner);
    bool serve(const Element& element);
    void sendHeader();
    void sendFeatures();
    void restart();

    // Input is kept back while something that has to come first is waited for.
    void hold() { busy_ = true; }
    void proceed();

    // `then` runs there.
    void moveTo(Shard& home, UniqueFunction<void()> then);
    void closeByPeer();
    void over(std::string_view reason, bool cleanly);
    void slowDown(std::size_t bytes);
    void waitForStore();
    void resumeReading();
    void detach(bool cleanly);

    // Negotiation after login (client_binding.cpp).
    void receiveBeforeSession(Document element);
    void bind(const Stanza& request, const Element& bind);
    void bindTo(Account& account, std::string_view wanted, StanzaPtr request);
    // Null when the account has too many already. It takes the place of one with the same resource.
    Session* makeSession(Account& account, const Jid& full);
    void sessionIsBound(Session& session);
    void resume(const Element& element);
    void resumeWith(Account* account, std::string smId, std::uint32_t h);
    void resumeWhenSafe(const Jid& full, const std::string& smId, std::uint32_t h, int patience);
    void failResumption(Condition condition, std::string_view text);
    void endOldestAway(Account& account);
    bool refusesWhenStopping();
    void begin(Session& session);

    // Stream management (client_sm.cpp).
    void receiveManagement(const Element& element);
    void enableManagement(const Element& element);
    Document makeEnabled(Session& session, const Element& request);
    void failManagement(Condition condition, std::string_view text);
    bool acknowledge(Session& session, std::uint32_t h);

    ClientStreams* streams_;
    std::unique_ptr<Transport> transport_;
    XmlStream xml_;
    Host* host_ = nullptr;
    Session* session_ = nullptr;
    // Until the session begins. Whoever waits for something meanwhile keeps a weak pointer, and finds
    // out by it that the stream is gone.
    std::shared_ptr<ClientLogin> login_;
    Jid authenticated_;                   // bare; empty before
    std::string lang_;                    // of stanzas that don't say theirs (RFC 6120, 4.7.4)
    std::string input_;                   // what came while `busy_`
    SteadyTime lastInput_;
    SteadyTime pinged_{};
    ByteAllowance allowance_;
    Timer rateTimer_;  // while it reads nothing because it came too fast
    StorePressure pressure_;
    Phase phase_ = Phase::Header;
    bool secure_ = false;
    bool busy_ = false;
    bool headerSent_ = false;
    bool dropInput_ = false;  // the rest of this read came before TLS
    bool moving_ = false;     // between two shards
};

}  // namespace epode
