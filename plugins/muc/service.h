// The rules of rooms (XEP-0045): what a service does with what is addressed to its rooms. This page
// is the table of contents; each group of rules has a file. Everything about a room happens on the
// room's shard.
#pragma once

#include "limits.h"
#include "listeners.h"
#include "room.h"
#include "rooms.h"
#include "store.h"

#include "route/host.h"
#include "route/iq.h"
#include "route/room_events.h"
#include "route/served_domain.h"
#include "route/server.h"
#include "route/shard.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode::muc {

// A room at work, on its shard; lives for one turn.
struct At {
    Shard& shard;
    Host& host;
    RoomPtr room;
};

// What moderators do to people, whichever way they say it.
struct Order {
    enum class What : std::uint8_t { Ban, Unban, Mute, Unmute, Kick };
    What what;
    Jid person{};                    // bare, or a domain; or, when it is empty,
    std::string nick{};              // an occupant
    std::optional<Duration> term{};  // without it, for good
    std::string reason{};
    std::string by{};                 // in the log
    std::string byNick{};             // what occupants are told; may be empty
    std::optional<Standing> actor{};  // whose privileges count; without it, everything is allowed
};

// What a presence says beside who somebody is.
struct Note {
    std::vector<int> codes;
    std::string actor;  // a nickname, or empty
    std::string reason;
    std::string newNick;          // of one who changes it
    const Jid* client = nullptr;  // of several, whose address is told
};

class Service {
public:
    Service(Server& server, std::string host, std::string domain, Limits limits);

    // Everything but requests to rooms and to the service.
    void receive(ServedStanza served);

    // Requests, by the files that serve them.
    Task<Reply> aboutService(const Iq& iq);  // discovery.cpp
    Task<Reply> roomsOfService(const Iq& iq);
    Task<Reply> aboutRoom(const Iq& iq);
    Task<Reply> itemsOfRoom(const Iq& iq);
    Task<Reply> pingRoom(const Iq& iq);
    Task<Reply> search(const Iq& iq);          // search.cpp
    Task<Reply> searchChannels(const Iq& iq);  // channel_search.cpp
    Task<Reply> uniqueName(const Iq& iq);
    Task<Reply> readLists(const Iq& iq);  // admin.cpp
    Task<Reply> changeLists(const Iq& iq);
    Task<Reply> tellConfig(const Iq& iq);  // owner.cpp
    Task<Reply> changeConfig(const Iq& iq);
    Task<Reply> tellRegistration(const Iq& iq);  // registration.cpp
    Task<Reply> registerNick(const Iq& iq);
    Task<Reply> tellVcard(const Iq& iq);  // avatar.cpp
    Task<Reply> setVcard(const Iq& iq);
    Task<Reply> tellArchiveForm(const Iq& iq);  // archive.cpp
    Task<Reply> queryArchive(const Iq& iq);
    Task<Reply> tellArchiveMetadata(const Iq& iq);
    Task<Reply> moderate(const Iq& iq);  // moderation.cpp
    Task<Reply> moderateInOldWords(const Iq& iq);
    Task<Reply> command(const Iq& iq);  // room_commands.cpp

    // By the clock.
    Task<Duration> care();        // care.cpp
    Task<Duration> expire();      // archive.cpp
    Task<Duration> watchTerms();  // sanctions.cpp
    void accountRemoved(const Jid& account);

    // For the operator's commands; on any shard.
    struct NewRoom {
        Jid address;
        RoomConfig config;
        std::vector<Jid> owners;
    };
    Task<std::optional<StanzaError>> createRoom(NewRoom room);
    Task<std::optional<StanzaError>> destroyRoom(Jid address, std::string reason);
    Task<std::optional<StanzaError>> setMember(Jid address, Jid person, Affiliation affiliation,
                                               std::string by);
    Task<std::optional<StanzaError>> order(Jid address, Order order);
    Task<std::optional<StanzaError>> lockDown(Jid address, bool isOn, std::string by,
                                              std::string reason);
    struct Seen {
        Jid address;
        RoomConfig config;
        std::string subject;
        std::string creator;
        WallTime created{};
        std::vector<Affiliations::Entry> affiliations;
        struct Person {
            std::string nick;
            Jid jid;
            Role role;
        };
        std::vector<Person> occupants;
    };
    Task<std::optional<Seen>> look(Jid address);
    Store& store() { return store_; }
    const std::string& domain() const { return domain_; }
    const Limits& limits() const { return limits_; }

private:
    friend class Telling;

    // ---- finding rooms (service.cpp)
    Rooms& rooms(Shard& shard) { return *rooms_[shard.number()]; }
    Task<RoomPtr> load(Shard& shard, Jid address);
    Task<void> forgetPerson(RoomPtr room, Jid account);
    // Null when there is none, or it is not there for strangers yet. Throws when the store fails.
    Task<RoomPtr> roomOf(const Iq& iq);
    Task<RoomPtr> find(Shard& shard, Host& host, Jid address);
    void receiveIn(const At& at, const StanzaPtr& stanza, Hold hold);
    void refuse(const At& at, const Stanza& stanza, const StanzaError& error) {
        at.shard.refuse(stanza, error);
    }

    // ---- presence (presence.cpp)
    static bool seesAddresses(const Room& room, const Occupant& who);
    StanzaPtr shownPresence(const Room& room, Occupant& about, bool withJid);
    StanzaPtr makePresence(const Room& room, const Occupant& about, StanzaType type,
                           const Stanza* content, bool withJid, const Note& note,
                           std::string_view id = {}) const;
    bool isShown(const Room& room, Role role) const;
    // To everybody but the occupant himself.
    void tellOthers(const At& at, Occupant& about, StanzaType type, const Stanza* content,
                    const Note& note);
    // To his own clients, with 110.
    void tellSelf(const At& at, Occupant& about, StanzaType type, const Stanza* content, Note note,
                  const Jid& except = {});
    void send(const StanzaPtr& stanza, const Jid& to, Hold hold = {});
    void broadcast(const At& at, const StanzaPtr& stanza);
    std::shared_ptr<const Audience> audienceOf(const Room& room);
    MutableStanzaPtr cleanPresence(const Stanza& presence) const;
    void save(const At& at, const Occupant& occupant, const Place& place);

    // ---- coming and going (joining.cpp)
    void receivePresence(const At& at, const StanzaPtr& presence);
    void enter(const At& at, const StanzaPtr& presence, bool isNew);
    std::optional<StanzaError> whyNotEnter(const Room& room, const Jid& bare,
                                           const Stanza& presence) const;
    std::optional<StanzaError> whyNotNick(const Room& room, const Jid& bare,
                                          const Nick& nick) const;
    void welcome(const At& at, Occupant& occupant, const Place& place, const Stanza& presence,
                 bool isNew, bool isNickChanged);
    void changePresence(const At& at, Occupant& occupant, const StanzaPtr& presence);
    // `isEntry`: the client wants to hear everything again.
    void changeNick(const At& at, Occupant& occupant, const StanzaPtr& presence, bool isEntry);
    // The one that he has to use, if there is one.
    std::optional<Nick> lockedNick(const Room& room, const Jid& bare) const;
    bool isTooLarge(const At& at, const Stanza& presence);  // he has been told
    void leave(const At& at, Occupant& occupant, const Jid& client, const Stanza* content,
               Note note);
    // All of his clients at once: kicked, banned, no member any more. Tells nobody but himself;
    // what the others hear comes from the function that is returned.
    UniqueFunction<void()> expel(const At& at, Occupant& occupant, Note note);
    void noteGoing(const At& at, const Occupant& occupant, bool isLastClient);
    void abandonIfEmpty(const At& at);
    bool isShutOut(const Room& room, const Jid& bare, Role role) const;  // while it is locked down
    void create(Shard& shard, Host& host, const StanzaPtr& presence, const Hold& hold);
    void destroy(const At& at, std::string_view reason, std::string_view venue,
                 std::string_view password);

    // ---- what is said (messages.cpp)
    void receiveMessage(const At& at, const StanzaPtr& message, Hold hold);
    void speak(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold);
    void changeSubject(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold);
    void whisper(const At& at, Occupant& occupant, const StanzaPtr& message, Hold hold);
    void bounced(const At& at, const Stanza& stanza);
    // A copy as the room passes it on: without what only a room may say, with who has said it.
    MutableStanzaPtr passedOn(const Stanza& message, const Room& room,
                              const Occupant& occupant) const;
    // Stored first when the room has an archive, then told. `original` is what is refused when it
    // can't be stored; null for what the room itself says.
    struct Saying {
        MutableStanzaPtr message;
        StanzaPtr original;
        Jid author;            // the client; empty for the room itself
        std::string authorId;  // occupant id
        Standing standing;
        bool isKept = false;
        bool isRemembered = false;  // shown to those who enter
        Hold hold;
    };
    Uuid publish(const At& at, Saying saying);
    void said(const At& at);
    void announce(const At& at, std::initializer_list<int> codes);  // a message of the room itself

    // ---- taking back (moderation.cpp)
    struct Retraction {
        Uuid message;
        std::string id;      // of the stanza that takes it back
        std::string author;  // occupant id: only what is his; empty for a moderator
        std::string by;      // the moderator's address in the room, or the room's
        std::string byId;
        std::string reason;
    };
    Task<Reply> moderateMessage(const Iq& iq, std::string message, std::string reason);
    // Puts a tombstone in its place; false when there is no such message.
    Task<bool> entomb(RoomPtr room, Retraction retraction);

    // ---- history (history.cpp)
    void sendHistory(const At& at, Room& room, const Jid& to, const Element* wanted);
    void sendSubject(const At& at, const Room& room, const Jid& to);
    Task<void> recall(RoomPtr room);

    // ---- invitations and voice (invitations.cpp)
    void invite(const At& at, Occupant* occupant, const StanzaPtr& message, const Element& x,
                Hold hold);
    Task<std::optional<StanzaError>> makeMembers(At at, std::vector<Jid> people, std::string by);
    void decline(const At& at, const StanzaPtr& message, const Element& x);
    void sendInvitation(const At& at, const Jid& to, const Jid& from, std::string_view reason,
                        const Element* more);
    void requestVoice(const At& at, Occupant& occupant, const StanzaPtr& message,
                      const DataForm& form);
    // A form that somebody sends to the room: about voice, or about who wants to become a member.
    void takeForm(const At& at, Occupant* occupant, const StanzaPtr& message, const Element& x,
                  Hold hold);

    // ---- asking to become a member (registration.cpp)
    std::optional<StanzaError> knock(const At& at, const Jid& person, const Nick& nick);
    void answerKnock(const At& at, const StanzaPtr& message, const DataForm& form, Hold hold);
    Task<std::optional<StanzaError>> admit(At at, Jid person, std::optional<Nick> nick, Jid admin);

    // ---- forwarded requests (requests.cpp)
    void forward(const At& at, const StanzaPtr& request);
    void forwardAnswer(const At& at, const StanzaPtr& answer);
    void answerRestored(const At& at, const StanzaPtr& ping);

    // ---- roles and affiliations (admin.cpp)
    struct Change {
        Jid person;  // of an affiliation
        Affiliated entry;
        Note note;
        std::string by{};  // in the log
    };
    void changeRole(const At& at, Occupant& occupant, Role role, const Note& note,
                    std::vector<UniqueFunction<void()>>& later);
    // As they are written, with what the log says about them.
    std::optional<StanzaError> rowsOf(const RoomPtr& room, const std::vector<Change>& changes,
                                      std::vector<Affiliations::Entry>& rows,
                                      std::vector<AuditEntry>& entries) const;
    // By who has the turn.
    Task<std::optional<StanzaError>> storeAffiliations(RoomPtr room, std::vector<Change> changes);
    void applyAffiliation(const At& at, const Change& change, int expelCode,
                          std::vector<UniqueFunction<void()>>& later);
    Task<void> giveVoice(At at, Jid client, std::string by);
    // What is to be kept of voice that is given or taken; nothing when there is nothing to keep.
    std::optional<Change> voiceChange(const Room& room, const Jid& bare, Role wanted) const;
    bool mayReadList(const Room& room, const Jid& bare, Affiliation wanted) const;
    void reply(const Iq& iq);

    // ---- what moderators do (sanctions.cpp)
    Task<std::optional<StanzaError>> carryOut(At at, Order order);
    Task<std::optional<StanzaError>> carryOutHere(Shard& shard, Jid address, Order order);
    Task<std::optional<StanzaError>> lockDownIn(At at, bool isOn, std::string by,
                                                std::string reason);
    Task<std::optional<StanzaError>> lockDownHere(Shard& shard, Jid address, bool isOn,
                                                  std::string by, std::string reason);
    void log(const At& at, std::string by, std::string_view action, std::string target,
             std::string reason = {}, std::string details = {});
    // Bans and mutes whose term is over.
    bool hasOverdue(const At& at) const;
    void endTerms(const At& at);
    // What plugins say about it (route/room_events.h). When they refuse, he has been told.
    bool isAllowed(const At& at, RoomAct act, const Stanza& stanza, std::string_view nick,
                   Standing standing, SteadyTime since);

    // ---- hats (hats.cpp)
    static void addHats(Element& presence, const Room& room, const Jid& bare);
    static std::string hashOfHats(const Room& room);
    Task<std::optional<StanzaError>> createHat(At at, const DataForm& form, std::string by);
    Task<std::optional<StanzaError>> destroyHat(At at, const DataForm& form, std::string by);
    Task<std::optional<StanzaError>> wearHat(At at, const DataForm& form, bool isWorn,
                                             std::string by);
    void showAnew(const At& at, const std::vector<Jid>& people);

    // ---- who is told of rooms that he is not in (listeners.cpp; XEP-0437, XEP-0452)
    // A presence to the service; false when it is none of a listener.
    bool receiveListener(Shard& shard, Host& host, const Stanza& stanza);
    Task<void> tellMissed(Jid client);
    void tellListeners(const At& at);
    void tellMentioned(const At& at, const Room::Outgoing& said);

    // ---- commands in a chat client (room_commands.cpp)
    struct RoomCommand;
    static const std::vector<RoomCommand>& roomCommands();
    bool mayUse(const RoomCommand& command, const Room& room, const Jid& client) const;
    std::optional<Reply> aboutCommands(const Iq& iq, const Room& room) const;
    Task<Reply> runHats(const Iq& iq, RoomPtr room, const RoomCommand& command,
                        const std::optional<DataForm>& form, Document& answer);
    Task<Reply> runOrder(const Iq& iq, RoomPtr room, const DataForm& form, Order::What what,
                         Document& answer);

    // ---- owners (owner.cpp)
    void configChanged(const At& at, const RoomConfig& before);
    Task<Reply> destroyBy(const Iq& iq, RoomPtr room, const Element& request);

    // ---- for operators, on the room's shard (operating.cpp)
    Task<std::optional<StanzaError>> destroyHere(Shard& shard, Jid address, std::string reason);
    Task<std::optional<StanzaError>> setMemberHere(Shard& shard, Jid address, Jid person,
                                                   Affiliation affiliation, std::string by);
    Task<std::optional<Seen>> lookHere(Shard& shard, Jid address);

    // ---- archive (archive.cpp)
    std::optional<StanzaError> whyNotRead(const Room& room, const Jid& bare) const;
    Task<void> forget(std::int64_t room);  // its rows and its archive

    Server& server_;
    const std::string host_;
    const std::string domain_;
    const Jid address_;
    const Limits limits_;
    Store store_;
    std::vector<std::unique_ptr<Rooms>> rooms_;
    Listeners listeners_;
    // After a start, on the first shard: rooms to read again, and how often was looked who is
    // missing.
    std::optional<std::vector<std::string>> recalling_;
    int looks_ = 0;
};

// While it lives, what comes to the room waits: its occupants are being told something, and what
// they answer in the same turn must not change who they are.
class Telling {
public:
    explicit Telling(Room& room) : room_{room}, before_{std::exchange(room.isBusy, true)} {}
    ~Telling() { room_.isBusy = before_; }
    Telling(const Telling&) = delete;
    Telling& operator=(const Telling&) = delete;

private:
    Room& room_;
    const bool before_;
};

}  // namespace epode::muc
