// Strangers at the door of a server: connections that a test makes as another server, and programs
// that answer in the place of one.
#pragma once

#include "core/base64.h"
#include "stream/dialback.h"
#include "tests/stream/s2s_world.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

inline const std::string domain = "capulet.example";

inline std::string header(std::string_view from, std::string_view to = domain) {
    std::string text =
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "version='1.0' to='" +
        std::string{to} + "'";
    if (!from.empty()) text += " from='" + std::string{from} + "'";
    return text + ">";
}

inline SimLinkSettings showing(const std::vector<std::string>& names, bool isTrusted = true) {
    SimLinkSettings settings{.clientAddress = "203.0.113.66"};
    settings.clientCertificate = certificateFor(names);
    settings.isClientVerified = isTrusted;
    return settings;
}

struct Stage {
    explicit Stage(std::string_view s2s = {}) {
        world.s2s = s2s;
        server = &world.add({domain});
    }
    // Another server's connection, as far as its stream under TLS.
    TestClient& secured(std::string_view from, const SimLinkSettings& settings) {
        auto& peer = server->connectServer(settings);
        peer.send(header(from));
        peer.forget().send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        server->clientExecutor().post(
            [&peer] { static_cast<SimTransport&>(peer.transport()).startTls(domain); });
        world.run();
        peer.forget().send(header(from));
        return peer;
    }
    // And authenticated by its certificate.
    TestClient& authenticated(const std::string& from = "montague.example") {
        auto& peer = secured(from, showing({from}));
        peer.forget().send(auth(from));
        CHECK(has(peer.next(), "<success"));
        peer.send(header(from)).forget();
        return peer;
    }
    static std::string auth(std::string_view identity) {
        return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>" +
               (identity.empty() ? std::string{"="} : encodeBase64(identity)) + "</auth>";
    }
    World world;
    TestServer* server;
};

inline std::string message(std::string_view from, std::string_view to) {
    std::string text = "<message id='m' type='chat'";
    if (!from.empty()) text += " from='" + std::string{from} + "'";
    if (!to.empty()) text += " to='" + std::string{to} + "'";
    return text + "><body>Hark</body></message>";
}

inline std::string key(std::string_view from, std::string_view to, std::string_view text = "cafe") {
    return "<db:result from='" + std::string{from} + "' to='" + std::string{to} + "'>" +
           std::string{text} + "</db:result>";
}

// A program that answers as a server would, and says what it likes.
class Impostor final : public TransportUser {
public:
    Impostor(std::unique_ptr<Transport> transport, std::string domain)
        : domain_{std::move(domain)}, transport_{std::move(transport)}, xml_{pool_, {}} {
        transport_->setUser(*this);
    }
    void send(const std::string& xml) { transport_->send(xml); }
    std::vector<std::string> heard;
    // What it does after its features under TLS.
    std::function<void(Impostor&)> act;
    // What it does when it has got something.
    std::function<void(Impostor&, const Element&)> hears;
    std::string features;  // further ones
    bool offersTls = true;

private:
    std::string opening() const {
        std::string text = header(domain_, domain);
        text.insert(text.size() - 1, " id='impostor'");
        return text;
    }
    void onData(std::string_view bytes) override {
        while (!bytes.empty()) {
            switch (xml_.next(bytes)) {
                case XmlStream::Event::Header:
                    send(opening() + "<stream:features>" +
                         (transport_->tls() || !offersTls
                              ? "<dialback xmlns='urn:xmpp:features:dialback'/>"
                              : "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") +
                         features + "</stream:features>");
                    if (transport_->tls() && act) act(*this);
                    break;
                case XmlStream::Event::Element: {
                    const Document element = xml_.takeElement();
                    heard.push_back(toXml(*element, ns::client));
                    if (element->is("starttls", ns::tls)) {
                        send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
                        static const TlsServerContext context;
                        xml_.restart();
                        transport_->startTls(context);
                        return;
                    }
                    if (hears) hears(*this, *element);
                    break;
                }
                default:
                    return;
            }
        }
    }
    void onClosed(std::string_view) override {}

    std::string domain_;
    std::unique_ptr<Transport> transport_;
    XmlParserPool pool_;
    XmlStream xml_;
};

inline std::string chat(std::string_view to, std::string_view body, std::string_view id = "m1") {
    return "<message type='chat' to='" + std::string{to} + "' id='" + std::string{id} + "'><body>" +
           std::string{body} + "</body></message>";
}

}  // namespace epode
