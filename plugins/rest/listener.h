// Somebody who listens to what happens to his account (server-sent events of HTML, 9.2).
//
// He is two things on two threads: a client of the account on the account's shard, and an answer
// that doesn't end on the loop of his connection. What is on its way between them is counted, and
// acknowledged to the account when the connection has taken it: what it hasn't taken when it is
// lost goes back, as for any client.
#pragma once

#include "client.h"
#include "history.h"

#include "net/http_exchange.h"
#include "route/host.h"

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

class Listener : public std::enable_shared_from_this<Listener> {
public:
    struct Settings {
        std::size_t bytesMax = 0;  // on their way to a reader, or waiting for him
        Duration keepAlive{};
        Duration lifetime{};  // of the token
        std::string token{};
        std::shared_ptr<const Services> services{};  // who looks at it now and then
    };
    // The archives that he hears of: first the account's own, then that of each room.
    Listener(HttpExchangePtr exchange, ClientPtr client, std::vector<Jid> rooms, Settings settings);

    // ---- on the account's shard
    // Begins the answer; what happens is kept until `live`.
    void begin();
    // What is behind the cursor, oldest first; each is told once, here or live. Who has more of it
    // awaits `drained` first.
    void replay(std::size_t archive, const ArchivePiece& piece);
    void drained(Callback<bool>::Resolve resolve);
    void tell(std::string_view event, const std::string& json);
    // All that was missed has been told; with the cursor to come back with.
    void ready(const std::string& json);
    void live();
    void take(const StanzaPtr& stanza);
    bool isOver() const { return client_->isOver(); }

    // "…,-,…": up to where he has heard of each archive, for Last-Event-ID.
    std::string cursor() const;
    bool setCursor(std::string_view text);
    std::string cursorOf(std::size_t archive) const { return cursors_[archive]; }
    void advance(std::size_t archive, std::string_view id);
    const Jid& archiveOf(std::size_t archive) const { return archives_[archive]; }
    std::size_t archiveCount() const { return archives_.size(); }

private:
    // What belongs to the loop of the connection.
    struct Wire;

    void tellStanza(const StanzaPtr& stanza);
    void takeMessage(const StanzaPtr& stanza);
    void takePresence(const Stanza& presence);
    void takeNews(const Element& event, const Jid& from);
    void message(std::size_t archive, const Element& message, std::string_view id,
                 std::optional<WallTime> at);
    std::size_t archiveFor(const Jid& from) const;
    void write(std::string text);
    void confirmed(std::size_t bytes, std::uint32_t count);

    const ClientPtr client_;
    const std::shared_ptr<Wire> wire_;
    const Settings settings_;
    std::vector<Jid> archives_;  // the first is the account
    std::vector<std::string> cursors_;
    std::set<std::string, std::less<>> replayed_;
    std::vector<StanzaPtr> kept_;
    std::size_t inFlight_ = 0;
    std::uint32_t begun_ = 0;  // of what was received, before anything is told live
    Callback<bool>::Resolve waiting_;
    bool isLive_ = false;
};

// What its presence announces, and what it answers when it is asked (XEP-0030, XEP-0115, XEP-0163).
void addCaps(Element& presence);
void answerInfo(Element& query);

}  // namespace epode::rest
