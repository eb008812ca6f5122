// Who belongs to a room and who must not enter it, by person or by whole domain. A room may have a
// hundred thousand of them: each affiliation is a list of its own, in the order of addresses, so
// that pages of it are read without looking at the others.
#pragma once

#include "privileges.h"

#include "core/jid.h"
#include "core/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace epode::muc {

// What moderators have said about somebody's voice. It lasts across visits, and yields to what an
// admin or owner has by his affiliation.
enum class Voice : std::uint8_t { Usual, Granted, Muted };

// What a room keeps of a person, or of a whole domain.
struct Affiliated {
    Affiliation affiliation = Affiliation::None;
    std::string nick{};    // reserved, or empty
    std::string reason{};  // of a ban or a mute
    Voice voice = Voice::Usual;
    std::optional<WallTime> until{};  // when the ban or the mute ends by itself

    bool isNothing() const {
        return affiliation == Affiliation::None && nick.empty() && voice == Voice::Usual;
    }
    // Forgets what belongs to neither a ban nor a mute.
    void tidy() {
        if (affiliation == Affiliation::Outcast) voice = Voice::Usual;
        if (affiliation == Affiliation::Outcast || voice == Voice::Muted) return;
        reason.clear();
        until.reset();
    }
    bool operator==(const Affiliated&) const = default;
};

class Affiliations {
public:
    using Entry = std::pair<Jid, Affiliated>;

    std::size_t size() const;
    std::size_t count(Affiliation affiliation) const { return list(affiliation).size(); }

    // Of a bare address or a domain, its own; nothing when there is nothing.
    std::optional<Affiliated> find(const Jid& jid) const;
    Affiliation affiliationOf(const Jid& jid) const;
    // What is nothing forgets him.
    void set(const Jid& jid, const Affiliated& entry);

    // Those of one affiliation, at most so many, in the order of addresses: behind `after`, or,
    // from the end, before `before`. Empty ones: from the beginning, or from the end.
    std::vector<Entry> page(Affiliation affiliation, const Jid& after, std::size_t most) const;
    std::vector<Entry> pageBefore(Affiliation affiliation, const Jid& before,
                                  std::size_t most) const;

    std::vector<Entry> entries() const;  // all

    // Whose nickname this is; empty when nobody has reserved it.
    Jid reserver(const std::string& key) const;
    // Of bans and mutes with a term, the one that ends first; null when there is none.
    const std::pair<WallTime, Jid>* firstTerm() const {
        return terms_.empty() ? nullptr : &*terms_.begin();
    }

private:
    // What most have not.
    struct More {
        std::string nick;
        std::string reason;
        Voice voice;
        std::optional<WallTime> until;
    };
    using List = std::map<Jid, std::unique_ptr<const More>>;
    const List& list(Affiliation affiliation) const { return lists_[std::size_t(affiliation)]; }
    static Affiliated read(Affiliation affiliation, const More* more);

    std::array<List, 5> lists_;
    std::set<std::pair<WallTime, Jid>> terms_;
    std::unordered_map<std::string, Jid> reserved_;  // by keys of nicknames
};

}  // namespace epode::muc
