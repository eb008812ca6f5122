// SOCKS5 Bytestreams (XEP-0065): the proxy for clients that can't reach each other.
#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "proxy.h"
#include "route/served_domain.h"

namespace epode {
namespace {

using proxy65::Proxy;

constexpr QName query{"http://jabber.org/protocol/bytestreams", "query"};

const Option<std::string> domain{
    .key = "proxy65.domain",
    .fallback = "proxy.{host}",
    .help = "The address of the proxy for bytestreams.",
};
const Option<std::vector<std::string>> addresses{
    .key = "proxy65.addresses",
    .fallback = {"0.0.0.0", "::"},
    .help = "The addresses of this machine on which the proxy listens.",
    .scope = Scope::Server,
};
const Option<std::int64_t> port{
    .key = "proxy65.port",
    .fallback = 7777,
    .range = {1, 65535},
    .help = "The port on which the proxy listens, and that clients are told.",
    .scope = Scope::Server,
    .listensOn = "proxy65.addresses",
};
const Option<std::string> publicHost{
    .key = "proxy65.host",
    .fallback = "",
    .help = "The domain or address that clients are told to connect to; empty: the virtual host.",
};
const Option<bool> strangers{
    .key = "proxy65.strangers",
    .fallback = false,
    .help =
        "Whether users of other domains may begin streams. With whom one's own users have them is "
        "not asked.",
};
const Option<std::int64_t> connectionsMax{
    .key = "proxy65.connections_max",
    .fallback = 1000,
    .range = {2, 100000},
    .help = "How many connections the proxy has at most; a stream needs two.",
    .scope = Scope::Server,
};
const Option<std::int64_t> perAddressMax{
    .key = "proxy65.connections_per_address_max",
    .fallback = 20,
    .range = {1, 100000},
    .help = "How many of them may come from one address.",
    .scope = Scope::Server,
};
const Option<std::int64_t> perAccountMax{
    .key = "proxy65.streams_per_account_max",
    .fallback = 5,
    .range = {1, 10000},
    .help = "How many streams an account may have at a time.",
    .scope = Scope::Server,
};
const Option<Duration> activationMax{
    .key = "proxy65.activation_max",
    .fallback = std::chrono::minutes{2},
    .range = {std::chrono::seconds{5}, std::chrono::hours{1}},
    .help = "How long a connection may wait to become a stream.",
    .scope = Scope::Server,
};
const Option<Duration> idleMax{
    .key = "proxy65.idle_max",
    .fallback = std::chrono::minutes{5},
    .range = {std::chrono::seconds{10}, std::chrono::hours{24}},
    .help = "How long a stream may be silent.",
    .scope = Scope::Server,
};
const Option<Bytes> streamRate{
    .key = "proxy65.stream_bytes_per_second",
    .fallback = 4_MiB,
    .range = {1_KiB, 1024_GiB},
    .help = "How fast one stream may be.",
    .scope = Scope::Server,
};
const Option<Bytes> totalRate{
    .key = "proxy65.total_bytes_per_second",
    .fallback = 32_MiB,
    .range = {1_KiB, 1024_GiB},
    .help = "How fast all streams together may be.",
    .scope = Scope::Server,
};

constexpr std::size_t sidBytesMax = 256;

Proxy::Settings readSettings(const PluginContext& context) {
    Proxy::Settings settings;
    settings.addresses = context.value(addresses);
    settings.port = std::uint16_t(context.value(port));
    settings.connectionsMax = std::size_t(context.value(connectionsMax));
    settings.connectionsPerAddressMax = context.value(perAddressMax);
    settings.streamsPerAccountMax = std::size_t(context.value(perAccountMax));
    settings.activationMax = context.value(activationMax);
    settings.idleMax = context.value(idleMax);
    settings.streamBytesPerSecond = context.value(streamRate);
    settings.totalBytesPerSecond = context.value(totalRate);
    return settings;
}

class Proxy65 final : public Plugin {
public:
    explicit Proxy65(PluginContext& context)
        : host_{context.host()},
          publicHost_{context.value(publicHost).empty() ? context.host()
                                                        : context.value(publicHost)},
          isForStrangers_{context.value(strangers)},
          settings_{readSettings(context)},
          proxy_{Proxy::of(context.server())} {
        ServedDomain& served = context.serve(context.value(domain));
        served.disco.identities.push_back({"proxy", "bytestreams", "SOCKS5 bytestreams"});
        served.disco.features.emplace_back(query.ns);
        context.onIq(StanzaType::Get, query, Addressee::Domain, served, this,
                     &Proxy65::tellAddress);
        context.onIq(StanzaType::Set, query, Addressee::Domain, served, this, &Proxy65::activate);
        context.inBackground(Duration{0}, this, &Proxy65::configure);
    }

private:
    Task<Reply> tellAddress(const Iq& iq);
    Task<Reply> activate(const Iq& iq);
    // On the first shard, where the streams are.
    Task<Duration> configure() {
        proxy_->configure(settings_);
        co_return std::chrono::hours{24};
    }
    bool mayAsk(const Iq& iq) const {
        return isForStrangers_ || (iq.from().hasLocal() && iq.from().domain() == host_);
    }

    const std::string host_;
    const std::string publicHost_;
    const bool isForStrangers_;
    const Proxy::Settings settings_;
    const std::shared_ptr<Proxy> proxy_;
};

StanzaError forbidden() {
    return {Condition::Forbidden, "This proxy is for the users of this server."};
}

Task<Reply> Proxy65::tellAddress(const Iq& iq) {
    if (!mayAsk(iq)) co_return forbidden();
    Document answer{query.name, query.ns};
    answer->add("streamhost")
        .set("jid", iq.to().text())
        .set("host", publicHost_)
        .set("port", std::to_string(settings_.port));
    co_return Reply{std::move(answer)};
}

// Done on the executor of the streams; the caller goes on on his own.
Task<Proxy::Activation> activateThere(std::shared_ptr<Proxy> proxy, std::string hash,
                                      std::string account) {
    Executor* const back = Executor::current();
    using Resolve = Callback<Proxy::Activation>::Resolve;
    UniqueFunction<void(Resolve)> begin = [&, back](Resolve resolve) {
        proxy->executor().post(
            [proxy, hash, account, back, resolve = std::move(resolve)]() mutable {
                const auto done = proxy->activate(hash, account);
                back->post([done, resolve = std::move(resolve)]() mutable { resolve(done); });
            });
    };
    Callback<Proxy::Activation> answered(std::move(begin));
    const auto done = co_await answered;
    co_return done;
}

Task<Reply> Proxy65::activate(const Iq& iq) {
    if (!mayAsk(iq)) co_return forbidden();
    const auto sid = iq.payload().get("sid");
    const auto target = Jid::parse(iq.payload().childText("activate"));
    if (sid.empty() || sid.size() > sidBytesMax || !target)
        co_return StanzaError{Condition::BadRequest,
                              "A stream is activated by its sid and the address of its target."};
    // Only who asks from the requester's own address finds the hash that both have named.
    const std::string hash = proxy65::streamHash(sid, iq.from().text(), target->text());
    const std::string account{iq.from().bareText()};
    const auto done = co_await activateThere(proxy_, hash, account);
    switch (done) {
        case Proxy::Activation::Done:
            break;
        case Proxy::Activation::Unknown:
            co_return StanzaError{Condition::ItemNotFound,
                                  "Nobody waits for a stream between you."};
        case Proxy::Activation::OnlyOneIsThere:
            co_return StanzaError{Condition::NotAllowed,
                                  "Only one of you is connected to the proxy."};
        case Proxy::Activation::TooMany:
            co_return StanzaError{Condition::ResourceConstraint,
                                  "You have as many streams as you may; end one."};
    }
    co_return Reply{};
}

const PluginInfo info{
    .name = "proxy65",
    .summary = "A proxy for file transfers between clients that can't reach each other",
    .implements = {{"XEP-0065", "1.8.2"}},
    .options = {&domain, &addresses, &port, &publicHost, &strangers, &connectionsMax,
                &perAddressMax, &perAccountMax, &activationMax, &idleMax, &streamRate, &totalRate},
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Proxy65, info)

}  // namespace epode
