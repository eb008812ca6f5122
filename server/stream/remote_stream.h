// What both directions of a connection between servers have in common (RFC 6120, 4): bytes become
// headers and elements, errors end the stream.
#pragma once

#include "core/namespaces.h"
#include "core/xml_stream.h"
#include "net/certificate.h"
#include "net/transport.h"
#include "stream/remote_options.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

class Remotes;
class Shard;

// XEP-0288.
inline constexpr std::string_view bidiNs = "urn:xmpp:bidi";
inline constexpr std::string_view bidiFeatureNs = "urn:xmpp:features:bidi";

// A count of XEP-0198.
std::optional<std::uint32_t> readCount(std::string_view text);
// For who acknowledges what was not sent.
StreamError countTooHigh(std::uint32_t handled, std::uint32_t sent);

// Whom the other side's certificate speaks for.
struct RemoteIdentity {
    bool hasCertificate = false;
    bool isTrusted = false;  // its chain leads to an authority, and it is valid now
    std::string problem;     // why it isn't trusted
    std::optional<CertificateInfo> certificate;
    // The one domain for which the signed DNS vouches for the certificate (RFC 7673), by the
    // certificate itself (DANE) or by the name of the host that it is for.
    std::string signedFor;
    bool isDane = false;

    static RemoteIdentity of(const TlsInfo* tls);
    bool names(std::string_view domain) const;
    // What was said to be trust was the verdict of DANE: it is about this domain and no other that
    // the certificate may name.
    void takeDane(const std::string& domain);
    // The signed DNS says that this host serves the domain.
    void takeHost(std::string_view host, const std::string& domain);
    // Trusted, and for this domain; or vouched for.
    bool proves(std::string_view domain) const {
        return (isTrusted && names(domain)) || (!signedFor.empty() && signedFor == domain);
    }
    // By what: "certificate", "dane".
    std::string_view proof() const { return isDane ? "dane" : "certificate"; }
    // A sentence about why it does not.
    std::string objection(std::string_view domain) const;
};

class RemoteStream : public TransportUser {
public:
    ~RemoteStream() override;

    std::uint64_t number() const { return number_; }
    bool isOver() const { return isOver_; }
    bool isSecured() const { return transport_->tls() != nullptr; }
    std::string peerAddress() const { return transport_->peerAddress(); }
    SteadyTime lastActivity() const { return lastActivity_; }
    // The other server has closed it as one does what isn't needed.
    bool wasClosedByPeer() const { return wasClosedByPeer_; }

    void end(const StreamError& error);

protected:
    RemoteStream(Remotes& remotes, std::uint64_t number, std::unique_ptr<Transport> transport);

    virtual void receiveHeader(const StreamHeader& header) = 0;
    virtual void receive(Document element, std::string_view inner) = 0;
    // Nothing more is read or written; called once. The object is freed in a later turn.
    virtual void ended(std::string_view reason) = 0;
    // We end it, for this.
    virtual void ending(const StreamError&) {}
    // For the header that an error needs, when none was sent.
    virtual std::string from() const = 0;
    virtual std::string to() const = 0;

    void onData(std::string_view bytes) override;
    void onClosed(std::string_view reason) override;

    Remotes& remotes() const { return remotes_; }
    Shard& shard() const;
    const RemoteSettings& settings() const;
    // By the configuration, as the connection is now.
    bool mayUseDialback() const;
    Transport& transport() { return *transport_; }
    std::string& output() { return transport_->output(); }
    void send(std::string_view xml) { transport_->send(xml); }
    XmlStream& xml() { return xml_; }
    void sendHeader(std::string_view id);
    // The next bytes are a new stream.
    void restart();
    void close(std::string_view reason);
    // What was read of the clear text and not looked at is dropped.
    void dropInput() { dropInput_ = true; }

    // Further input waits until `resume`.
    void hold() { isHeld_ = true; }
    void resume();
    bool isHeld() const { return isHeld_; }
    void noteActivity() { lastActivity_ = now(); }
    SteadyTime now() const;

private:
    void process(std::string_view input);
    void over(std::string_view reason);

    Remotes& remotes_;
    const std::uint64_t number_;
    std::unique_ptr<Transport> transport_;
    XmlStream xml_;
    std::string input_;
    SteadyTime lastActivity_;
    bool headerSent_ = false;
    bool isOver_ = false;
    bool isHeld_ = false;
    bool wasClosedByPeer_ = false;
    bool dropInput_ = false;
};

}  // namespace epode
