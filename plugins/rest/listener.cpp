#include "listener.h"

#include "messages.h"

#include "core/caps.h"
#include "core/forwarded.h"
#include "core/json_writer.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "core/uuid.h"
#include "route/shard.h"

#include <algorithm>

namespace epode::rest {

namespace {

Gauge listeners{"epode_rest_listeners", "Clients that listen to live events"};
Counter eventsTold{"epode_rest_events_total", "Events that were told to who listens"};
Counter slowReaders{"epode_rest_slow_readers_total",
                    "Clients whose events were ended as they took too little of them"};

constexpr std::string_view carbonsNs = "urn:xmpp:carbons:2";
constexpr std::string_view pubsubEventNs = "http://jabber.org/protocol/pubsub#event";
constexpr std::string_view displayedNs = "urn:xmpp:mds:displayed:0";
constexpr std::string_view nothingYet = "-";
// How often a connection is looked at that has something to take.
constexpr Duration lookAgain = std::chrono::milliseconds{250};
constexpr Duration recheckEvery = std::chrono::minutes{1};
constexpr std::string_view capsAddress = "https://epode.example/rest";

}  // namespace

// ---- on the loop of the connection

struct Listener::Wire : std::enable_shared_from_this<Wire> {
    explicit Wire(HttpExchangePtr ofExchange) : exchange{std::move(ofExchange)} { listeners.add(); }
    ~Wire() { listeners.add(-1); }

    Executor& executor() const { return exchange->executor(); }

    // `ofOver` keeps whatever belongs to this until it is over.
    void begin(Settings ofSettings, std::function<void()> ofOver,
               std::function<void(std::size_t, std::uint32_t)> ofConfirmed) {
        settings = std::move(ofSettings);
        over = std::move(ofOver);
        confirmed = std::move(ofConfirmed);
        if (exchange->isGone() || isOver) {
            stop();
            return;
        }
        exchange->whenGone([self = shared_from_this()] { self->stop(); });
        HttpResponse head;
        head.set("Content-Type", "text/event-stream")
            .set("Cache-Control", "no-store")
            .set("X-Accel-Buffering", "no");  // nginx would wait for more
        exchange->begin(std::move(head), std::nullopt);
        beat();
        recheckLater();
        expiry = executor().after(settings.lifetime, [this] { finish(); });
    }
    void beat() {
        beating = executor().after(settings.keepAlive, [this] {
            exchange->write(":\n\n");
            beat();
        });
    }
    // A token may end before its time.
    void recheckLater() {
        rechecking = executor().after(recheckEvery, [this] { recheck(); });
    }
    void recheck() {
        start(settings.services->bearers->bearerOf(settings.token),
              [self = shared_from_this()](std::optional<std::optional<Bearer>> bearer,
                                          std::exception_ptr) {
                  if (self->isOver) return;
                  if (bearer && !*bearer)
                      self->finish();
                  else
                      self->recheckLater();
              });
    }
    void write(const std::string& text, std::uint32_t count) {
        if (isOver || exchange->isGone()) return;
        exchange->write(text);
        bytes += text.size();
        latest = count;
        if (isLooking) return;
        isLooking = true;
        executor().post([self = shared_from_this()] { self->look(); });
    }
    // What the transport has no more of the connection has taken.
    void look() {
        if (isOver || exchange->isGone()) return;
        if (exchange->unsentBytes() > 0) {
            looking = executor().after(lookAgain, [this] { look(); });
            return;
        }
        isLooking = false;
        confirmed(std::exchange(bytes, 0), latest);
    }
    void finish() {
        const auto self = shared_from_this();
        if (isOver) return;
        stop();
        exchange->finish();
    }
    void abandon() {
        const auto self = shared_from_this();
        if (isOver) return;
        stop();
        exchange->abandon();
    }
    void stop() {
        isOver = true;
        beating = {};
        looking = {};
        rechecking = {};
        expiry = {};
        confirmed = {};
        settings.services.reset();
        if (auto last = std::exchange(over, {})) last();
    }

    const HttpExchangePtr exchange;
    std::function<void(std::size_t, std::uint32_t)> confirmed;
    std::function<void()> over;
    Settings settings{};
    Timer beating, looking, rechecking, expiry;
    std::size_t bytes = 0;
    std::uint32_t latest = 0;
    bool isLooking = false;
    bool isOver = false;
};

// ---- on the account's shard

Listener::Listener(HttpExchangePtr exchange, ClientPtr client, std::vector<Jid> rooms,
                   Settings settings)
    : client_{std::move(client)},
      wire_{std::make_shared<Wire>(std::move(exchange))},
      settings_{std::move(settings)},
      archives_{client_->jid().bare()},
      cursors_(rooms.size() + 1, std::string{nothingYet}) {
    archives_.insert(archives_.end(), std::make_move_iterator(rooms.begin()),
                     std::make_move_iterator(rooms.end()));
}

void Listener::begin() {
    Executor& home = client_->shard().executor();
    // Who waits for the answer keeps all of it.
    auto over = [&home, self = shared_from_this()] {
        home.post([self] { self->client_->close(); });
    };
    auto confirmed = [&home, weak = weak_from_this()](std::size_t bytes, std::uint32_t count) {
        home.post([weak, bytes, count] {
            if (const auto self = weak.lock()) self->confirmed(bytes, count);
        });
    };
    wire_->executor().post([wire = wire_, settings = settings_, over = std::move(over),
                            confirmed = std::move(confirmed)]() mutable {
        wire->begin(settings, std::move(over), std::move(confirmed));
    });
    client_->unsent = [weak = weak_from_this()] {
        const auto self = weak.lock();
        return self ? self->inFlight_ : 0;
    };
    client_->hasPassedAll = [weak = weak_from_this()] {
        const auto self = weak.lock();
        return self && self->isLive_ && self->inFlight_ == 0;
    };
    begun_ = client_->receivedCount();
    client_->acknowledge(begun_);
    client_->ended = [weak = std::weak_ptr<Wire>{wire_}, listener = weak_from_this(),
                      before = std::move(client_->ended)] {
        if (const auto self = listener.lock())
            if (auto waiting = std::exchange(self->waiting_, {})) waiting(false);
        if (const auto wire = weak.lock()) wire->executor().post([wire] { wire->finish(); });
        if (before) before();
    };
}

std::string Listener::cursor() const {
    std::string text;
    for (const auto& each : cursors_) text.append(text.empty() ? "" : ",").append(each);
    return text;
}

bool Listener::setCursor(std::string_view text) {
    std::vector<std::string> read;
    for (;;) {
        const auto part = text.substr(0, text.find(','));
        if (part != nothingYet && !Uuid::parse(part)) return false;
        read.emplace_back(part);
        if (part.size() == text.size()) break;
        text.remove_prefix(part.size() + 1);
    }
    if (read.size() != cursors_.size()) return false;
    cursors_ = std::move(read);
    return true;
}

// Older ones come later as well: what has waited for a client.
void Listener::advance(std::size_t archive, std::string_view id) {
    const auto uuid = Uuid::parse(id);
    const auto before = Uuid::parse(cursors_[archive]);
    if (uuid && (!before || *before < *uuid)) cursors_[archive] = id;
}

void Listener::write(std::string text) {
    if (client_->isOver()) return;
    inFlight_ += text.size();
    eventsTold.add();
    if (isLive_ && inFlight_ > settings_.bytesMax) {
        slowReaders.add();
        wire_->executor().post([wire = wire_] { wire->abandon(); });
        client_->shard().executor().post([client = client_] { client->close(); });
        return;
    }
    wire_->executor().post(
        [wire = wire_, text = std::move(text),
         count = isLive_ ? client_->receivedCount() : begun_] { wire->write(text, count); });
}

void Listener::drained(Callback<bool>::Resolve resolve) {
    if (!client_->isOver() && inFlight_ > settings_.bytesMax / 2) {
        waiting_ = std::move(resolve);
        return;
    }
    client_->shard().executor().post([resolve = std::move(resolve)]() mutable { resolve(true); });
}

void Listener::confirmed(std::size_t bytes, std::uint32_t count) {
    inFlight_ -= std::min(bytes, inFlight_);
    client_->acknowledge(count);
    if (inFlight_ > settings_.bytesMax / 2) return;
    if (auto waiting = std::exchange(waiting_, {})) waiting(true);
}

void Listener::tell(std::string_view event, const std::string& json) {
    std::string text{"event: "};
    text.append(event).append("\ndata: ").append(json).append("\n\n");
    write(std::move(text));
}

void Listener::ready(const std::string& json) {
    write("event: ready\nid: " + cursor() + "\ndata: " + json + "\n\n");
}

void Listener::message(std::size_t archive, const Element& element, std::string_view id,
                       std::optional<WallTime> at) {
    JsonWriter json;
    writeMessage(json, element, {id, at, archive == 0 ? &archives_.front() : nullptr});
    std::string text{"event: message\n"};
    if (!id.empty()) {
        advance(archive, id);
        text.append("id: ").append(cursor()).append("\n");
    }
    text.append("data: ").append(json.take()).append("\n\n");
    write(std::move(text));
}

void Listener::replay(std::size_t archive, const ArchivePiece& piece) {
    for (const auto& entry : piece.entries) {
        replayed_.emplace(entry.id);
        message(archive, *entry.message, entry.id, entry.at);
    }
}

void Listener::live() {
    for (const auto& stanza : std::exchange(kept_, {})) tellStanza(stanza);
    isLive_ = true;
    // Behind all of that: it is taken when this is.
    write(":\n\n");
}

std::size_t Listener::archiveFor(const Jid& from) const {
    for (std::size_t i = 1; i < archives_.size(); ++i)
        if (archives_[i].text() == from.bareText()) return i;
    return 0;
}

void Listener::take(const StanzaPtr& stanza) {
    if (!isLive_) {
        kept_.push_back(stanza);
        return;
    }
    tellStanza(stanza);
}

void Listener::tellStanza(const StanzaPtr& stanza) {
    if (stanza->isMessage()) {
        takeMessage(stanza);
    } else if (stanza->isPresence()) {
        takePresence(*stanza);
    } else if (const Element* query = stanza->payload()) {
        // A contact has changed (RFC 6121, 2.1.6).
        for (const Element& item : query->children()) {
            JsonWriter json;
            json.open('{').key("address").value(item.get("jid"));
            if (!item.get("name").empty()) json.key("name").value(item.get("name"));
            json.key("subscription").value(item.get("subscription", "none")).close('}');
            tell("contact", json.take());
        }
    }
}

void Listener::takeMessage(const StanzaPtr& stanza) {
    const Jid& self = archives_.front();
    Document holder{"holder", ns::client};
    const Element* told = &stanza->addTo(*holder);
    std::size_t archive = archiveFor(stanza->from());
    std::optional<WallTime> at = delayOf(*told);
    // Copies for his other clients are made by the account itself (XEP-0280).
    if (stanza->from().bareText() == self.text())
        for (const std::string_view side : {"sent", "received"})
            if (const Element* copy = stanza->child(side, carbonsNs)) {
                const Forwarded forwarded = readForwarded(*copy, StanzaKind::Message);
                if (!forwarded.stanza) return;
                told = forwarded.stanza;
                at = forwarded.at ? forwarded.at : delayOf(*told);
                archive = 0;
            }
    if (const Element* event = told->child("event", pubsubEventNs)) {
        takeNews(*event, stanza->from());
        return;
    }
    const std::string_view id = archiveIdOf(*told, archives_[archive].text());
    if (!id.empty() && replayed_.contains(id)) return;
    if (const auto uuid = Uuid::parse(id); uuid && !at) at = uuid->stamp();
    if (!isTold(*told)) {
        JsonWriter json;
        writeMessage(json, *told, {"", at, archive == 0 ? &self : nullptr});
        tell("typing", json.take());
        return;
    }
    if (told->get("type") == "error") {
        JsonWriter json;
        writeMessage(json, *told, {"", at, &self});
        tell("error", json.take());
        return;
    }
    const Element* subject = told->child("subject", ns::client);
    if (archive != 0 && subject && !told->child("body", ns::client)) {
        JsonWriter json;
        json.open('{').key("room").value(stanza->from().bareText());
        json.key("subject").value(subject->text()).close('}');
        tell("subject", json.take());
        return;
    }
    message(archive, *told, id, at);
}

// How far he has read on his other clients (XEP-0490).
void Listener::takeNews(const Element& event, const Jid& from) {
    if (from.bareText() != archives_.front().text()) return;
    const Element* items = event.child("items");
    if (!items || items->get("node") != displayedNs) return;
    for (const Element& item : items->children()) {
        const Element* displayed = item.child("displayed", displayedNs);
        const Element* id = displayed ? displayed->child("stanza-id", ns::stanzaIds) : nullptr;
        if (!id) continue;
        JsonWriter json;
        json.open('{').key("with").value(item.get("id")).key("id").value(id->get("id")).close('}');
        tell("read", json.take());
    }
}

void Listener::takePresence(const Stanza& presence) {
    JsonWriter json;
    json.open('{');
    const Jid& from = presence.from();
    const auto text = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) json.key(name).value(value);
    };
    const bool isWish =
        presence.type() == StanzaType::Subscribe || presence.type() == StanzaType::Subscribed ||
        presence.type() == StanzaType::Unsubscribe || presence.type() == StanzaType::Unsubscribed;
    if (isWish) {
        text("address", from.bareText());
        text("what", toText(presence.type()));
        text("status", presence.root().childText("status"));
        tell("request", json.close('}').take());
        return;
    }
    if (presence.type() != StanzaType::None && presence.type() != StanzaType::Unavailable) return;
    if (from.bareText() == archives_.front().text()) return;  // his own clients
    const std::string_view show = presence.root().childText("show");
    const std::string_view state = presence.type() == StanzaType::Unavailable ? "unavailable"
                                   : show.empty()                             ? "available"
                                                                              : show;
    if (const Element* x = presence.child("x", ns::mucUser)) {
        text("room", from.bareText());
        text("nick", from.resource());
        if (const Element* item = x->child("item")) {
            text("role", item->get("role"));
            text("affiliation", item->get("affiliation"));
            text("address", item->get("jid"));
        }
    } else {
        text("from", from.text());
    }
    text("state", state);
    text("status", presence.root().childText("status"));
    tell("presence", json.close('}').take());
}

// ---- what it says of itself

void answerInfo(Element& query) {
    query.add("identity").set("category", "client").set("type", "bot").set("name", "Epode REST");
    for (const std::string_view feature :
         {std::string_view{"http://jabber.org/protocol/disco#info"},
          std::string_view{"urn:xmpp:mds:displayed:0+notify"}})
        query.add("feature").set("var", feature);
}

void addCaps(Element& presence) {
    static const std::string hash = [] {
        Document query{"query", ns::discoInfo};
        answerInfo(*query);
        return capsVerification(*query).value_or("");
    }();
    presence.add("c", ns::caps).set("hash", "sha-1").set("node", capsAddress).set("ver", hash);
}

}  // namespace epode::rest
