// The interface as a whole: what is asked over HTTP, done by clients of their accounts.
#pragma once

#include "call.h"
#include "client.h"
#include "idempotency.h"

#include "core/quota.h"
#include "plugin/plugin.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

class Listener;
using ListenerPtr = std::shared_ptr<Listener>;

struct Operation : OperationInfo {
    Task<Outcome> (Service::*run)(Call&) = nullptr;
};

std::vector<OptionRef> restOptions();

struct Limits {
    Limits(const PluginContext& context);

    std::uint64_t bodyBytesMax;
    std::uint64_t pictureBytesMax;
    std::int64_t requestsPerMinute;    // of an account, and of an address; 0: no limit
    std::int64_t eventConnectionsMax;  // of an account
    std::size_t eventBytesMax;         // that wait for one reader
    Duration keepAlive;
    Duration sessionIdle;
    Duration keyLifetime;
    std::int64_t keysMax;  // of an account
    std::int64_t resourcesMax;
};

class Service final : public Plugin {
public:
    explicit Service(PluginContext& context);
    ~Service() override;

    // Of all that can be asked for; the same for every server.
    static const std::vector<Operation>& operations();

private:
    void answer(const HttpExchangePtr& exchange);
    void receive(const HttpExchangePtr& exchange, const Operation& operation,
                 std::map<std::string, std::string, std::less<>> path);
    Task<Outcome> run(HttpExchangePtr exchange, const Operation& operation,
                      std::map<std::string, std::string, std::less<>> path, std::string body);
    Task<std::optional<Problem>> identify(Call& call, const Operation& operation);
    std::uint64_t bodyBytesMaxOf(const Operation& operation) const;
    std::optional<Problem> whyNotNow(const HttpExchangePtr& exchange);

    // Logging in
    Task<Outcome> logIn(Call& call);

    // What people tell about themselves
    Task<Outcome> showOwnProfile(Call& call);
    Task<Outcome> setProfile(Call& call);
    Task<Outcome> showOwnPicture(Call& call);
    Task<Outcome> setPicture(Call& call);
    Task<Outcome> removePicture(Call& call);
    Task<Outcome> showProfile(Call& call);
    Task<Outcome> showPicture(Call& call);
    Task<Outcome> profileOf(Call& call, Jid whose);
    Task<Outcome> pictureOf(Call& call, Jid whose);

    // Contacts
    Task<Outcome> listContacts(Call& call);
    Task<Outcome> listRequests(Call& call);
    Task<Outcome> putContact(Call& call);
    Task<Outcome> removeContact(Call& call);
    Task<Outcome> acceptContact(Call& call);
    Task<Outcome> denyContact(Call& call);
    Task<Outcome> answerContact(Call& call, StanzaType type);

    // Rooms
    std::map<std::string, Jid, std::less<>> roomsOfClients(const Call& call);
    Task<Outcome> listRooms(Call& call);
    Task<Outcome> listPublicRooms(Call& call);
    Task<Outcome> showRoom(Call& call);
    Task<Outcome> putRoom(Call& call);
    Task<Outcome> removeRoom(Call& call);

    // Messages
    Task<Outcome> listMessages(Call& call);
    Task<Outcome> listRoomMessages(Call& call);
    Task<Outcome> history(Call& call, Jid archive, Jid with);
    Task<Outcome> sendMessage(Call& call);
    Task<Outcome> sendNow(Call& call, std::string id);
    // A message that was on its way when the server ended, where an archive knows of it.
    struct Sought {
        std::optional<Answer> answer;
        std::optional<Problem> problem;  // nobody could be asked
    };
    Task<Sought> findSent(Call& call, std::string id, WallTime since);
    Task<Sought> findSentToRoom(Call& call, std::string id, WallTime since);
    Task<Outcome> sendChat(Call& call, ClientPtr client, std::string id);
    Task<Outcome> sendToRoom(Call& call, ClientPtr client, std::string id);
    Task<Outcome> setRead(Call& call);

    // Files
    Task<Outcome> announceUpload(Call& call);
    Task<Outcome> listUploads(Call& call);
    Task<Outcome> removeUpload(Call& call);

    // Live
    Task<Outcome> openEvents(Call& call);
    Task<Outcome> listen(Call& call, ClientPtr client);
    Task<bool> catchUp(ClientPtr client, ListenerPtr listener, std::size_t archive, bool isNew);

    // For operators
    Task<Outcome> listCommands(Call& call);
    Task<Outcome> runCommand(Call& call);

    // About the interface
    Task<Outcome> showDocument(Call& call);
    Task<Outcome> showPage(Call& call);

    // The client by which requests of an account are done. It stays a while: where it has entered a
    // room, it needn't do so for each message.
    struct Found {
        ClientPtr client;
        std::optional<Problem> problem;
    };
    Task<Found> clientOf(Call& call);
    enum class Use : std::uint8_t { Requests, Events };
    Found begin(Account& account, std::string address, Use use);
    // Enters the room unless it is there.
    Task<std::optional<Problem>> enter(ClientPtr client, Jid room, std::string nick,
                                       std::string password);
    Task<std::string> nickFor(Call& call, ClientPtr client, Jid room);
    Verdict release(ReleaseEvent& event);
    Task<Duration> expireKeys();

    // Of one shard. Its clients may end a little later than this object.
    struct Here : std::enable_shared_from_this<Here> {
        Here(Executor& ofShard, Duration ofIdle) : executor{ofShard}, idle{ofIdle} {}
        struct Clients {
            ClientPtr usual;
            std::vector<ClientPtr> listening;
            std::vector<ClientPtr> leaving;
        };
        std::map<std::string, Clients> clients;  // by bare address
        Executor& executor;
        const Duration idle;
        Timer sweep;  // while there are clients
        void sweepLater();
        void endIdle();
        void ended(const std::string& account, const ClientPtr& client);
        // The client that is there for requests, if there is one.
        ClientPtr usual(const std::string& account);
    };
    Here& here(const Shard& shard) { return *here_[shard.number()]; }

    Server& server_;
    const std::string host_;
    const Limits limits_;
    Quota perAddress_;
    Quota perAccount_;
    Idempotency idempotency_;
    std::vector<std::shared_ptr<Here>> here_;
    const std::string document_;
    const std::string page_;
};

// What a path says, if it is the operation's: "/contacts/{address}" with "/contacts/a%40b".
std::optional<std::map<std::string, std::string, std::less<>>> matchPath(std::string_view pattern,
                                                                         std::string_view path);

std::string openApiDocument();
std::string referencePage();  // Markdown
std::string humanPage();      // HTML

}  // namespace epode::rest
