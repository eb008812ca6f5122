// A client without a connection. What the interface does for somebody it does as a client of his
// would, by a session of his account: so all rules are those of every other door, and none has to
// be written twice. Requests, messages and presence go in as stanzas, and what comes back is read
// here.
#pragma once

#include "core/executor.h"
#include "core/stanza.h"
#include "core/task.h"
#include "route/outlet.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {
class Account;
class Session;
class Shard;
}  // namespace epode

namespace epode::rest {

class Client;
using ClientPtr = std::shared_ptr<Client>;

// Of one shard, on which all of it happens.
class Client final : public Outlet, public std::enable_shared_from_this<Client> {
public:
    // Begins a session of the account, which has to end before the client does.
    // `address`: of who asks, for people who look at sessions.
    static ClientPtr begin(Account& account, std::string address);
    ~Client() override;

    const Jid& jid() const { return jid_; }
    Shard& shard() const { return shard_; }
    bool isOver() const { return isOver_; }
    // Ends the session.
    void close();

    // What nobody has asked for: messages, presence.
    std::function<void(const StanzaPtr&)> received;
    // What it can do, for who asks (XEP-0030): fills a disco#info query.
    std::function<void(Element&)> describe;
    // The session is over, for whatever reason; in a turn of its own, once.
    std::function<void()> ended;

    // ---- for who awaits; see the functions below
    struct Answered {
        StanzaPtr answer;                  // null when none came in time
        std::vector<StanzaPtr> results{};  // messages that came before it, with the query's id
    };
    void ask(MutableStanzaPtr request, std::string queryId, Callback<Answered>::Resolve resolve);
    // Until the server answers for it, as XEP-0198 would acknowledge it: then null; or until it
    // comes back as an error.
    struct Sent {
        StanzaPtr error;
        bool isTimedOut = false;
    };
    void send(MutableStanzaPtr stanza, Callback<Sent>::Resolve resolve);
    // The next stanza that `fits`; null when none came in time. What fits is told to nobody else.
    using Fits = std::function<bool(const Stanza&)>;
    void await(Fits fits, Callback<StanzaPtr>::Resolve resolve);
    // Without waiting for anything.
    void say(MutableStanzaPtr stanza);

    // ---- rooms that it has entered, by their bare address
    std::map<std::string, Jid>& rooms() { return rooms_; }

    // ---- what it takes
    // By default everything is acknowledged as soon as it was read. Who passes it on to somebody
    // does that himself, when that one has it, and says how much is on its way to him.
    void acknowledgeLater() { isAcknowledgedLater_ = true; }
    // Nobody reads what others write to this client, whose address they have from what it has sent:
    // it takes none of their messages. With the first one it ends as soon as its requests are
    // answered, and the account has the message back for clients that somebody looks at.
    void giveBackMessages() { givesBack_ = true; }
    bool isLeaving() const { return isLeaving_; }
    void acknowledge(std::uint32_t count);
    std::uint32_t receivedCount() const { return received_; }
    std::function<std::size_t()> unsent;
    std::function<bool()> hasPassedAll;

    bool isIdle() const;
    SteadyTime lastUsed() const { return lastUsed_; }

    // Outlet
    std::string& output() override { return output_; }
    void wantFlush() override;
    std::string_view streamNs() const override;
    std::size_t unsentBytes() const override;
    void end(const StreamError& error) override;
    void stopReading() override {}
    void interrupt() override { end({}); }
    std::string peerAddress() const override { return address_; }
    bool isSecure() const override { return true; }

private:
    struct Question {
        std::string id;
        Jid to;
        std::string queryId;
        std::vector<StanzaPtr> results;
        Callback<Answered>::Resolve resolve;
        Timer patience;
    };
    struct Sending {
        std::string id;
        std::uint32_t number = 0;
        Callback<Sent>::Resolve resolve;
        Timer patience;
    };
    struct Waiting {
        Fits fits;
        Callback<StanzaPtr>::Resolve resolve;
        Timer patience;
    };

    Client(Shard& shard, Jid jid, std::string address);
    Session* session() const;
    void drain();
    void take(const StanzaPtr& stanza);
    bool takeAnswer(const StanzaPtr& stanza);
    bool takeResult(const StanzaPtr& stanza);
    bool takeError(const StanzaPtr& stanza);
    bool takeAwaited(const StanzaPtr& stanza);
    bool isGivenBack(const Stanza& stanza);
    void noteRoom(const Stanza& presence);
    void noteSafe(std::uint32_t count);
    void finish();

    Shard& shard_;
    const Jid jid_;
    const std::string address_;
    std::string output_;
    std::deque<std::string> queue_;
    std::list<Question> questions_;
    std::list<Sending> sendings_;
    std::list<Waiting> waitings_;
    std::map<std::string, Jid> rooms_;
    std::uint32_t sent_ = 0;
    std::uint32_t received_ = 0;
    SteadyTime lastUsed_{};
    bool isDraining_ = false;
    std::uint32_t kept_ = 0;  // of what was received, when it began to leave
    bool isAcknowledgedLater_ = false;
    bool givesBack_ = false;
    bool isLeaving_ = false;
    bool isOver_ = false;
};

// On the client's shard.
Task<Client::Answered> ask(ClientPtr client, MutableStanzaPtr request);
// A query of an archive, whose results have this id.
Task<Client::Answered> askArchive(ClientPtr client, MutableStanzaPtr request, std::string queryId);
// What `await` waits for, after `stanza` was said.
Task<StanzaPtr> sayAndAwait(ClientPtr client, MutableStanzaPtr stanza, Client::Fits fits);
Task<Client::Sent> send(ClientPtr client, MutableStanzaPtr stanza);

}  // namespace epode::rest
