// One thread's share of the server: the accounts that live on it, and the turns in which they act.
#pragma once

#include "core/executor.h"
#include "core/hold.h"
#include "core/stanza.h"
#include "core/xml_stream.h"
#include "route/asking.h"
#include "route/host.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

class Account;
class Server;
class Session;
struct ServerSaved;

class Shard {
public:
    Shard(Server& server, Executor& executor, unsigned number);
    ~Shard();

    Server& server() { return server_; }
    Executor& executor() { return executor_; }
    XmlParserPool& parsers() { return parsers_; }
    unsigned number() const { return number_; }
    Asking& asking() { return asking_; }

    // The virtual host of a domain, or null.
    Host* host(std::string_view domain);
    // The domain that a plugin serves, and the host that it belongs to; null when there is none.
    struct Served {
        Host* host;
        const ServedDomain* domain;
    };
    const Served* served(std::string_view domain) const;
    const std::map<std::string, std::unique_ptr<Host>, std::less<>>& hosts() const { return hosts_; }

    // The account if it is in memory, else null. Own thread only, as all that follows.
    Account* loaded(std::string_view bare);
    Session* session(const Jid& full);

    // Calls `use` with the account, loaded from the store when needed, or null when there is no such
    // account. At once when it is in memory and nobody waits before; calls for one account keep their
    // order. `failed` instead when the store does not answer.
    using UseAccount = UniqueFunction<void(Account*)>;
    void withAccount(const Jid& bare, UseAccount use, UniqueFunction<void()> failed);

    // Delivers what is addressed to this shard: an account of it, a host, or what a plugin serves.
    void receive(StanzaPtr stanza, Hold hold);

    // Forgets an account that was removed, ending its sessions.
    void drop(const Jid& bare);
    // Every loaded account, for commands and shutdown.
    void eachAccount(const std::function<void(Account&)>& visit);

    // Answers on behalf of somebody: routes an error back unless the stanza must not have one.
    void refuse(const Stanza& stanza, const StanzaError& error);

private:
    friend class Server;
    struct Loading;
    // The steps of Server::shutdown, defined beside it.
    void quietStreams();
    void awaitSafety(std::shared_ptr<void> settled, int patience);
    void saveSessions(ServerSaved& saved);
    void load(Host& host, const Jid& key);
    void replace(Host& host, std::shared_ptr<const Services> services, std::shared_ptr<void> all,
                 std::shared_ptr<const ServicesChange> change);
    void inForce(Host& host, std::shared_ptr<const Services> services, const ServicesChange* change);
    void releaseHeld(Host& host);
    void receiveForHost(Host& host, const StanzaPtr& stanza, Hold hold);
    void receiveForDomain(const Served& served, const StanzaPtr& stanza, Hold hold);
    void replace(Host& host, std::shared_ptr<const Services> services);
    void startUnloading();
    void unloadIdle();

    Server& server_;
    Executor& executor_;
    unsigned number_;
    XmlParserPool parsers_;
    Asking asking_;
    std::map<std::string, std::unique_ptr<Host>, std::less<>> hosts_;
    std::map<std::string, Served, std::less<>> served_;
    // Keys are views of the accounts' own addresses.
    std::unordered_map<std::string_view, std::unique_ptr<Account>> accounts_;
    std::map<std::string, std::unique_ptr<Loading>, std::less<>> loading_;
    Timer unloading_;
    std::map<std::string, Timer, std::less<>> replacing_;  // by host
    Timer stopping_;
};

// Runs the handler of a request and routes its answer; `service-unavailable` when nobody serves it.
void dispatchIq(Shard& shard, Host& host, Addressee addressee, const StanzaPtr& stanza, Hold hold,
                const ServedDomain* domain = nullptr);
// Gives a stanza to the plugin that serves its domain, which has a `receive`.
void receiveServed(ServedStanza stanza);

}  // namespace epode
