// The plugin interface: what a feature is written against, in the tree and outside of it.
//
// A plugin is a class whose constructor only wires: it asks the context for the values of its options
// and registers handlers, hooks and what it adds to service discovery. The server makes one object of
// it for each virtual host that has it enabled, and undoes the wiring when it is unloaded. Handlers run
// on the shard of the account that they serve, several shards at a time: what a plugin keeps in its own
// members is constant or thread-safe, what belongs to an account or a session is a typed slot
// (`session.state<MyState>()`), what must last goes to a store.
#pragma once

#include "core/command.h"
#include "core/option.h"
#include "core/qname.h"
#include "core/task.h"
#include "route/account.h"
#include "route/account_data.h"
#include "route/host.h"
#include "route/plugin_meter.h"
#include "route/server.h"
#include "route/session.h"
#include "store/account_store.h"

#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

struct Migration;


// A document that a plugin implements, for docs and for the DOAP file: {"XEP-0030", "2.5.0"}.
struct Specification {
    std::string_view document;
    std::string_view version = {};
    // The file that shows it, when it is not tests/plugins/<plugin>_test.cpp, and after ": " the test
    // in it, when that is not the first.
    std::string_view test = {};
};

class PluginContext;

class Plugin {
public:
    virtual ~Plugin() = default;
};

// What a plugin is, before it is made: static data.
struct PluginInfo {
    std::string_view name;     // of its folder and in the configuration
    std::string_view summary;  // one line
    std::vector<Specification> implements{};
    std::vector<OptionRef> options{};
    std::vector<const Migration*> migrations{};
    // Own tables whose rows belong to accounts: they go when their account is removed.
    std::vector<AccountTable> accountTables{};
    // Commands for `epodectl`, there while any host has the plugin. Called once when the plugin is
    // loaded; the server outlives the commands, while an object of the plugin may not.
    std::vector<Command> (*commands)(Server& server) = nullptr;
    // What it keeps of accounts, for export and import.
    std::vector<AccountData> data{};
    bool byDefault = true;  // loaded when the configuration does not say
};

// Handed to the constructor; valid only there. References to the server and to options stay valid.
class PluginContext {
public:
    PluginContext(Server& server, std::string host, const Settings& settings, Services& services,
                  std::string_view plugin, bool isFirstHost, PluginMeter* meter = nullptr)
        : server_{server},
          host_{std::move(host)},
          settings_{settings},
          services_{services},
          plugin_{plugin},
          isFirstHost_{isFirstHost},
          meter_{meter} {}

    Server& server() { return server_; }
    const std::string& host() const { return host_; }

    // All that is configured, for the options of components.
    const Settings& settings() const { return settings_; }
    // The value of an option for this host. A plugin is made anew when its options change.
    template <typename T>
    const T& value(const Option<T>& option) const {
        return settings_.get(option, host_);
    }

    // Handlers of requests, as member functions `Task<Reply> handler(const Iq&)`.
    template <typename P>
    void onIq(StanzaType type, QName element, Addressee addressee, P* plugin,
              Task<Reply> (P::*handler)(const Iq&)) {
        services_.iqs.add(IqKey{type, std::string{element.name}, std::string{element.ns}, addressee},
                          plugin_, [plugin, handler](const Iq& iq) { return (plugin->*handler)(iq); }, meter_);
    }
    // The same for requests to a served domain (Addressee::Domain) or below it (Addressee::Below).
    // Without the domain, onIq with these addressees is for all that the host's plugins serve.
    template <typename P>
    void onIq(StanzaType type, QName element, Addressee addressee, ServedDomain& domain, P* plugin,
              Task<Reply> (P::*handler)(const Iq&)) {
        domain.iqs.add(IqKey{type, std::string{element.name}, std::string{element.ns}, addressee},
                       plugin_, [plugin, handler](const Iq& iq) { return (plugin->*handler)(iq); }, meter_);
    }
    // Serves a domain of its own: "{host}" in it stands for the virtual host ("pubsub.{host}"). Its
    // discovery entry, handlers of requests and place are set on what is returned (see
    // served_domain.h); `receive` gets everything else that comes to it. A domain that is no valid
    // name, or is taken by a host or by another plugin of this one, is logged and not served.
    ServedDomain& serve(std::string_view domain);
    template <typename P>
    ServedDomain& serve(std::string_view domain, P* plugin, void (P::*receive)(ServedStanza)) {
        ServedDomain& served = serve(domain);
        served.receive = [plugin, receive](ServedStanza stanza) {
            (plugin->*receive)(std::move(stanza));
        };
        return served;
    }
    // Hooks whose handlers may wait: `Task<void> handler(Event&)`.
    template <typename P, typename E>
    void on(AsyncHook<E> Services::*hook, P* plugin, Task<void> (P::*handler)(E&)) {
        (services_.*hook).add(plugin_, [plugin, handler](E& event) { return (plugin->*handler)(event); });
    }
    // What nodes of this name in accounts are; of several plugins the first says it.
    void knowPepNode(PepNode node) { services_.pepNodes.try_emplace(node.name, node); }
    // One more thing that owners configure about their rooms (route/room_events.h).
    void roomField(RoomField field) { services_.roomFields.push_back(std::move(field)); }
    void offerChatSettings(ChatSettings& settings) { services_.chatSettings = &settings; }
    void offerBearers(Bearers& bearers) { services_.bearers = &bearers; }
    void offerPermissions(Permissions& permissions) { services_.permissions = &permissions; }
    // This plugin serves personal eventing: others find it at `Services::pep`.
    void offerPep(Pep& pep) { services_.pep = &pep; }
    // Requests before login.
    template <typename P>
    void onStreamIq(QName element, P* plugin,
                    Task<Reply> (P::*handler)(const StreamFacts&, StanzaPtr)) {
        services_.streamIqs[{std::string{element.name}, std::string{element.ns}}] =
            [plugin, handler, meter = meter_](const StreamFacts& stream, StanzaPtr stanza) {
                const PluginMeter::Call call{meter, PluginMeter::Kind::Request};
                return (plugin->*handler)(stream, std::move(stanza));
            };
    }

    // Elements of a session's stream that are no stanzas, as member functions
    // `void handler(Session&, const Element&)`.
    template <typename P>
    void onElement(QName element, P* plugin, void (P::*handler)(Session&, const Element&)) {
        services_.streamElements[{std::string{element.name}, std::string{element.ns}}] =
            [plugin, handler](Session& session, const Element& element) { (plugin->*handler)(session, element); };
    }
    // A session's slot of this type is saved with the session when the server stops, and is there again
    // when the session is. The type has `std::string save() const` and `static T restore(std::string_view)`.
    template <typename T>
    void savedState(std::string name) {
        services_.savedStates.push_back(savedSlot<T>(std::move(name)));
    }

    // Hooks, as member functions `Verdict handler(Event&)`; the event decides which.
    template <typename P, typename E>
    void on(Hook<E> Services::*hook, Phase phase, P* plugin, Verdict (P::*handler)(E&)) {
        (services_.*hook).add(phase, plugin_, [plugin, handler](E& event) { return (plugin->*handler)(event); }, meter_);
    }

    // What the plugin has to know of an account before its first stanza (route/host.h).
    void onAccountRead(std::function<AccountSetup(SqlConnection&, AccountId)> read) {
        services_.accountReaders.push_back({plugin_, std::move(read)});
    }

    // While a client logs in (route/login.h tells the order of these). An element that a client may put
    // into its <bind/> (XEP-0386), as a member function `void handler(InlineRequest&)`; its namespace is
    // advertised: `context.onInline({"enable", "urn:xmpp:carbons:2"}, this, &Carbons::enableInline)`.
    template <typename P>
    void onInline(QName element, P* plugin, void (P::*handler)(InlineRequest&)) {
        services_.inlines.push_back({plugin_, std::string{element.name}, std::string{element.ns},
                                     [plugin, handler](InlineRequest& request) { (plugin->*handler)(request); }});
    }
    // `Task<void> handler(Login&)`: the client has proved who it is; or a session will be bound for it.
    template <typename P>
    void onLogin(P* plugin, Task<void> (P::*handler)(Login&)) {
        services_.logins.push_back({plugin_, [plugin, handler](Login& login) { return (plugin->*handler)(login); }});
    }
    template <typename P>
    void onBinding(P* plugin, Task<void> (P::*handler)(Login&)) {
        services_.bindings.push_back({plugin_, [plugin, handler](Login& login) { return (plugin->*handler)(login); }});
    }
    // A mechanism of its own: `Task<sasl::Step> handler(Login&)`. It is offered by who announces it
    // (Services::loginFeatures).
    template <typename P>
    void onLoginMethod(std::string_view mechanism, P* plugin, Task<sasl::Step> (P::*handler)(Login&)) {
        services_.loginMethods[std::string{mechanism}] = {
            plugin_, [plugin, handler](Login& login) { return (plugin->*handler)(login); }};
    }
    // Asked after each proof of a password: `Task<std::unique_ptr<LoginTask>> handler(Login&)`.
    template <typename P>
    void onLoginTask(P* plugin, Task<std::unique_ptr<LoginTask>> (P::*handler)(Login&)) {
        services_.loginTasks.push_back({plugin_, [plugin, handler](Login& login) { return (plugin->*handler)(login); }});
    }

    // Work by the clock, as a member function `Task<Duration> step()`: one bounded step, which returns
    // how long to wait before the next. It runs on the first shard, never twice at a time, and not any
    // more when the plugin is unloaded (a step under way ends before the plugin does). What is returned
    // calls for the next step at once.
    template <typename P>
    std::shared_ptr<Waker> inBackground(Duration first, P* plugin, Task<Duration> (P::*step)()) {
        services_.background.push_back(
            {plugin_, first, [plugin, step] { return (plugin->*step)(); }, std::make_shared<Waker>(), meter_});
        return services_.background.back().waker;
    }
    // Of the hosts that have this plugin this is the first: who does something for the whole server
    // does it here.
    bool isFirstHost() const { return isFirstHost_; }

    // An ad-hoc command (route/ad_hoc.h), as a member function `Task<AdHocReply> run(const AdHocCall&)`.
    template <typename P>
    void onAdHoc(AdHocCommand command, P* plugin, Task<AdHocReply> (P::*run)(const AdHocCall&)) {
        command.run = [plugin, run](const AdHocCall& call) { return (plugin->*run)(call); };
        services_.adHocCommands.push_back(std::move(command));
    }

    // What the web server serves at a path of this host (net/http_route.h), as a member function
    // `void handler(const HttpExchangePtr&)`, or as one that waits: `Task<HttpResponse> handler(HttpExchangePtr)`.
    template <typename P>
    void route(HttpRoute route, P* plugin, void (P::*handler)(const HttpExchangePtr&)) {
        route.owner = plugin_;
        route.handle = [plugin, handler, meter = meter_](const HttpExchangePtr& exchange) {
            const PluginMeter::Call call{meter, PluginMeter::Kind::Request};
            (plugin->*handler)(exchange);
        };
        services_.httpRoutes.push_back(std::move(route));
    }
    template <typename P>
    void route(HttpRoute route, P* plugin, Task<HttpResponse> (P::*handler)(HttpExchangePtr)) {
        route.owner = plugin_;
        route.handle = answering([plugin, handler, meter = meter_](HttpExchangePtr exchange) {
            const PluginMeter::Call call{meter, PluginMeter::Kind::Request};
            return (plugin->*handler)(std::move(exchange));
        });
        services_.httpRoutes.push_back(std::move(route));
    }

    // Service discovery.
    DiscoEntry& hostDisco() { return services_.hostDisco; }
    DiscoEntry& accountDisco() { return services_.accountDisco; }
    // Requests about nodes, as member functions `bool isOwn(const Iq&) const` and
    // `Task<Reply> answer(const Iq&)`.
    template <typename P>
    void onDiscoNodes(Addressee addressee, P* plugin, bool (P::*isOwn)(const Iq&) const,
                      Task<Reply> (P::*answer)(const Iq&)) {
        services_.discoNodes.push_back(
            {addressee, [plugin, isOwn](const Iq& iq) { return (plugin->*isOwn)(iq); },
             [plugin, answer](const Iq& iq) { return (plugin->*answer)(iq); }});
    }
    void hostFeature(std::string_view feature) { services_.hostDisco.features.emplace_back(feature); }
    void accountFeature(std::string_view feature) { services_.accountDisco.features.emplace_back(feature); }
    // One that is there while personal eventing is.
    void accountFeatureWithPep(std::string_view feature);

private:
    Server& server_;
    std::string host_;
    const Settings& settings_;
    Services& services_;
    std::string plugin_;
    bool isFirstHost_;
    std::deque<ServedDomain> refused_;  // somewhere to write to
    PluginMeter* meter_;
};

// A plugin that was built against other headers would misunderstand this server. The first number is
// raised by hand when a meaning changes; the sizes catch most changes that were forgotten.
namespace detail {
constexpr unsigned mixedSizes(std::initializer_list<std::size_t> sizes) {
    unsigned mixed = 2166136261u;
    for (const std::size_t size : sizes) mixed = (mixed ^ unsigned(size)) * 16777619u;
    return mixed;
}
}  // namespace detail
inline constexpr unsigned pluginAbi =
    2u << 24 |
    (detail::mixedSizes({sizeof(Services), sizeof(Host), sizeof(Account), sizeof(Session),
                         sizeof(Shard), sizeof(Server), sizeof(Stanza), sizeof(Element), sizeof(Iq),
                         sizeof(Reply), sizeof(Stores), sizeof(Command), sizeof(CommandCall),
                         sizeof(CommandResult), sizeof(PluginInfo), sizeof(PluginContext),
                         sizeof(OptionRef), sizeof(Contact), sizeof(std::string)}) &
     0xffffffu);

// Stands in the shared object so that it can be read before any of its code is run.
struct PluginMark {
    char magic[24];
    unsigned abi;
};
inline constexpr char pluginMagic[] = "Epode plugin interface:";  // with its end, 24 bytes

// What a shared object exports.
struct PluginEntry {
    unsigned abi;
    const PluginInfo* info;
    std::unique_ptr<Plugin> (*make)(PluginContext&);
};

struct StaticPlugin {
    explicit StaticPlugin(const PluginEntry* entry);
};

}  // namespace epode

// As a shared object a plugin exports one symbol; linked in (EPODE_STATIC_PLUGINS) it registers itself.
#ifdef EPODE_STATIC_PLUGINS
#define EPODE_EXPORT_PLUGIN(entry) static const ::epode::StaticPlugin registration{&entry};
#else
#define EPODE_EXPORT_PLUGIN(entry) \
    extern "C" __attribute__((visibility("default"))) const ::epode::PluginEntry* epodePlugin() { return &entry; } \
    extern "C" {                                                                                                   \
    extern const ::epode::PluginMark epodePluginMark __attribute__((visibility("default")));                       \
    const ::epode::PluginMark epodePluginMark{"Epode plugin interface:", ::epode::pluginAbi};                      \
    }
#endif

#define DECLARE_PLUGIN(Type, info)                                                             \
    static const ::epode::PluginEntry pluginEntry{                                             \
        ::epode::pluginAbi, &info,                                                             \
        [](::epode::PluginContext& context) -> std::unique_ptr<::epode::Plugin> {              \
            return std::make_unique<Type>(context);                                            \
        }};                                                                                    \
    EPODE_EXPORT_PLUGIN(pluginEntry)
