// A room in memory: what it is, who is in it, what was said last. Pure state; the rules are in
// service.h. It lives on the shard of its address.
#pragma once

#include "affiliations.h"
#include "config.h"

#include "core/hold.h"
#include "core/jid.h"
#include "core/stanza.h"
#include "core/time.h"
#include "core/turns.h"
#include "core/uuid.h"
#include "store/account_store.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace epode::muc {

// A client that is in the room.
struct Place {
    Jid jid;                  // its real, full address
    unsigned serial;          // its name in forwarded requests
    StanzaPtr presence;       // the last that it has sent here, cleaned
    bool isRestored = false;  // from before a start, and not heard of since
};

// Somebody under one nickname, with one or several clients.
struct Occupant {
    std::string nick;
    std::string key;  // nicknames with equal keys conflict (RFC 8266)
    Jid address;      // room@service/nick
    Jid bare;         // real
    std::string id;   // XEP-0421
    // By what it looks like, when that matters (core/confusable.h); as it is written, and in one
    // case.
    std::string looks;
    std::string keyLooks;
    Affiliation affiliation = Affiliation::None;
    Role role = Role::None;
    std::vector<Place> places;  // the first one's presence is shown to others
    SteadyTime since{};         // when he has come; long ago after a restart
    SteadyTime mayWriteAt{};    // slow mode
    SteadyTime mayAskAt{};      // for voice
    // His presence as others see it, without and with his real address; made when it is needed.
    StanzaPtr shown;
    StanzaPtr shownWithJid;

    Standing standing() const { return {affiliation, role}; }
    Place* place(const Jid& full);
    void changed() { shown = shownWithJid = nullptr; }
};

// XEP-0317: what people wear is for show, and gives no rights.
struct Hat {
    std::string title{};
    std::string hue{};  // an angle in degrees, or empty
};
struct Hats {
    std::map<std::string, Hat> all;                             // by URI
    std::unordered_map<Jid, std::vector<std::string>> wearers;  // bare addresses; URIs
};

struct Subject {
    std::string xml;  // the <subject/> elements; empty when there never was one
    std::string text;
    std::string nick;  // who has set it
    std::string occupantId;
    WallTime at{};
};

struct Remembered {
    Uuid id;            // of the archive; its stamp is when it was said
    StanzaPtr message;  // as it went to everybody
    std::size_t characters;
    std::string author;   // occupant id
    StanzaPtr delayed{};  // as it goes to those who come later; made when it is needed
};

// Where what is said to all goes.
struct Audience {
    std::vector<std::vector<Jid>> shards;  // clients of this server, by the number of their shard
    std::vector<Jid> others;               // of other servers, and of components
};

class Room {
public:
    Room(Jid roomAddress, std::int64_t roomId);
    ~Room();
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    const Jid address;
    const std::int64_t id;  // in the store; negative, so that its archive is nobody's account's
    const RoomConfig& config = config_;
    void configure(RoomConfig config);
    // What the configuration says in fields of plugins; another object when it has changed.
    const std::shared_ptr<const RoomSettings>& settings() const { return settings_; }
    Subject subject;
    Hats hats;
    std::string secret;  // for occupant ids
    std::string vcard;   // XML, or empty
    std::string creator;
    bool isLocked = false;  // until its owner has configured it
    bool isGone = false;    // destroyed: whoever still has it looks for another
    Jid lockedBy;           // the client that has to configure it
    WallTime created{};
    SteadyTime lastUsed{};

    // Who may do what.
    const Affiliations& affiliations() const { return affiliations_; }
    void setAffiliations(Affiliations all) { affiliations_ = std::move(all); }
    // Of a bare address: its own, else its domain's.
    Affiliation affiliationOf(const Jid& bare) const;
    Affiliation ownAffiliationOf(const Jid& bare) const {
        return affiliations_.affiliationOf(bare);
    }
    std::optional<Affiliated> entryOf(const Jid& bare) const { return affiliations_.find(bare); }
    // With which role somebody is here who has this affiliation.
    Role usualRole(const Jid& bare, Affiliation affiliation) const {
        return withVoice(bare, roleAtEntry(affiliation, config.kind()));
    }
    // The same, from the role that the tables give him.
    Role withVoice(const Jid& bare, Role role) const;
    // Of bans and mutes with a term, the one that ends first; null when there is none.
    const std::pair<WallTime, Jid>* firstTerm() const { return affiliations_.firstTerm(); }
    // What is nothing forgets him.
    void setAffiliation(const Jid& bare, const Affiliated& entry) {
        affiliations_.set(bare, entry);
    }
    // Whose nickname this is; empty when nobody has reserved it.
    Jid reserver(const std::string& key) const { return affiliations_.reserver(key); }
    std::size_t ownerCount() const { return affiliations_.count(Affiliation::Owner); }

    // Who is here.
    const std::vector<std::unique_ptr<Occupant>>& occupants() const { return occupants_; }
    Occupant* byKey(const std::string& key) const;
    Occupant* byNick(std::string_view nick) const;  // by any spelling that conflicts
    Occupant* byClient(const Jid& full) const;
    std::vector<Occupant*> byBare(const Jid& bare) const;
    std::size_t clientCount() const { return byClient_.size(); }
    Occupant& enter(Occupant occupant);
    Place& addPlace(Occupant& occupant, Jid full, StanzaPtr presence);
    void removePlace(Occupant& occupant, const Jid& full);
    void leave(Occupant& occupant);  // destroys it
    // The nick is free, and address and key belong to it.
    void rename(Occupant& occupant, std::string nick, std::string key, Jid address);
    Occupant* bySerial(unsigned serial, Place*& place) const;

    // Those who are here; null when somebody has come or gone since it was made.
    std::shared_ptr<const Audience> audience;

    std::string occupantId(const Jid& bare) const;

    // What was said.
    std::deque<Remembered> history;
    void remember(Remembered message, std::size_t most);
    // Strictly increasing, in milliseconds.
    WallTime nextStamp(WallTime now);
    void noteStamp(WallTime stamp) { lastStamp_ = std::max(lastStamp_, stamp); }

    // Messages that are told when the store has them, in their order, and what has come behind them
    // and must stay behind them.
    struct Outgoing {
        StanzaPtr message;
        Uuid id;
        std::string author;  // occupant id
        Hold hold;
        bool isRemembered = false;
        enum class State : std::uint8_t { Waits, Ready, Failed } state = State::Ready;
    };
    struct Waiting {
        StanzaPtr stanza;
        Hold hold;
    };
    std::deque<std::shared_ptr<Outgoing>> outgoing;
    std::deque<Waiting> waiting;
    bool isBusy = false;  // telling its occupants something

    // Of those who listen to what happens in rooms (XEP-0437): as of which change to them everybody
    // has been told of this one. 0: not everybody.
    std::uint64_t toldListeners = 0;

    // How much somebody has made others hear lately beside his words: by coming, a new status, a
    // new nickname, invitations. False when it was too much. 0: any number.
    bool mayAct(const Jid& bare, std::int64_t perMinute, SteadyTime now, std::size_t times = 1);

    // Who has asked lately to become a member.
    std::unordered_map<Jid, SteadyTime> knocks;

    // Changes by requests, one after the other.
    Turns turns;

private:
    RoomConfig config_;
    std::shared_ptr<const RoomSettings> settings_ = std::make_shared<RoomSettings>();
    Affiliations affiliations_;
    std::vector<std::unique_ptr<Occupant>> occupants_;
    std::unordered_map<std::string, Occupant*> byKey_;
    std::unordered_map<Jid, Occupant*> byClient_;
    struct Pace {
        double left;
        SteadyTime at;
    };
    std::unordered_map<Jid, Pace> paces_;
    std::size_t tidyPacesAt_ = 64;
    WallTime lastStamp_{};
    unsigned lastSerial_ = 0;
};
using RoomPtr = std::shared_ptr<Room>;

// A nickname as it is shown, and the key under which it conflicts (RFC 8266). Nothing when it is
// none.
struct Nick {
    std::string text;
    std::string key;
};
std::optional<Nick> readNick(std::string_view text, std::size_t bytesMax);

}  // namespace epode::muc
