// Message Retraction (XEP-0424): what its author takes back is replaced in the archives by a
// tombstone, also while it waits for a client that is away.
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "plugin/plugin.h"
#include "store/database.h"
#include "store/stores.h"

namespace epode {
namespace {

constexpr std::string_view retractNs = "urn:xmpp:message-retract:1";
// What clients did before: a retraction that is fastened to a message.
constexpr std::string_view olderNs = "urn:xmpp:message-retract:0";
constexpr std::string_view fastenNs = "urn:xmpp:fasten:0";
constexpr std::size_t idBytesMax = 1024;

const Log retractionLog{"retraction"};

const Option<bool> makesTombstones{
    .key = "retraction.tombstones",
    .fallback = true,
    .help =
        "Whether the content of a message that its author retracts is removed from the archives. "
        "The retraction itself is kept in any case.",
};
const Option<std::int64_t> searchMax{
    .key = "retraction.search_max",
    .fallback = 500,
    .range = {10, 10000},
    .help =
        "Among how many of the newest messages of a conversation a retracted one is looked for.",
};

Counter buried{"epode_retracted_messages_total",
               "Archived messages that were replaced by a tombstone, in each archive"};

// The id of the message that is taken back; empty when this is no retraction.
std::string_view retractedId(const Stanza& message) {
    if (const Element* retract = message.child("retract", retractNs)) return retract->get("id");
    const Element* fastened = message.child("apply-to", fastenNs);
    return fastened && fastened->child("retract", olderNs) ? fastened->get("id")
                                                           : std::string_view{};
}

// A retraction as one of the two archives has it.
struct Retraction {
    ArchiveStore::MessageSearch search;
    StanzaPtr message;
    WallTime when;
};

// Messages through a room come from all of its occupants by one bare address.
bool isThroughRoom(const Stanza& message) { return message.child("x", ns::mucUser) != nullptr; }

// Whether the retraction may take this back: by the same bare address, which the conversation and
// the direction have said, or in private messages of a room by the same occupant (XEP-0424, 5).
bool mayRetract(const Retraction& retraction, const Stanza& original) {
    if (!retractedId(original).empty() || original.child("retracted", retractNs)) return false;
    if (!isThroughRoom(original) && !isThroughRoom(*retraction.message)) return true;
    return retraction.search.isOutgoing ? original.to() == retraction.message->to()
                                        : original.from() == retraction.message->from();
}

std::string tombstone(const Retraction& retraction, const Stanza& original) {
    auto message = Stanza::message(original.type(), original.from(), original.to(), original.id());
    message->edit()
        .add("retracted", retractNs)
        .set("id", retraction.message->id())
        .set("stamp", formatDateTime(retraction.when));
    return message->toXml();
}

class RetractionPlugin final : public Plugin {
public:
    explicit RetractionPlugin(PluginContext& context)
        : database_{context.server().database()},
          archive_{context.server().stores().archive},
          searchMax_{std::size_t(context.value(searchMax))} {
        context.hostFeature(retractNs);
        context.accountFeature(retractNs);
        if (!context.value(makesTombstones)) return;
        context.hostFeature("urn:xmpp:message-retract:1#tombstone");
        context.accountFeature("urn:xmpp:message-retract:1#tombstone");
        context.on(&Services::delivered, Phase::Act, this, &RetractionPlugin::notice);
    }

private:
    Verdict notice(DeliveredEvent& event);
    Task<bool> bury(Retraction retraction);

    Database& database_;
    ArchiveStore& archive_;
    const std::size_t searchMax_;
};

// It comes by here once for each of the two archives: on the sender's way out, and at its
// addressee.
Verdict RetractionPlugin::notice(DeliveredEvent& event) {
    const Stanza& message = *event.message;
    if (message.type() != StanzaType::Chat && message.type() != StanzaType::Normal)
        return Verdict::Pass;
    const std::string_view id = retractedId(message);
    if (id.empty() || id.size() > idBytesMax || message.id().empty()) return Verdict::Pass;
    const Jid& peer = event.outgoing ? message.to() : message.from();
    Retraction retraction{.search = {.account = event.account.id(),
                                     .peer = std::string{peer.bareText()},
                                     .id = std::string{id},
                                     .isOutgoing = event.outgoing,
                                     .most = searchMax_},
                          .message = event.message,
                          .when = event.account.shard().executor().wallNow()};
    start(bury(std::move(retraction)), [services = event.account.host().sharedServices()](
                                           std::optional<bool>, std::exception_ptr failure) {
        if (failure) retractionLog.warning("a retracted message stays in an archive");
    });
    return Verdict::Pass;
}

Task<bool> RetractionPlugin::bury(Retraction retraction) {
    // What was sent a moment ago can be found only when it is committed.
    auto nothing = [](SqlConnection&) { return true; };
    const bool isSettled = co_await database_.write(nothing);
    (void)isSettled;
    auto looking = archive_.findMessage(retraction.search);
    const auto entry = co_await looking;
    if (!entry) co_return false;
    const auto original = Stanza::parse(entry->stanza);
    if (!original || !mayRetract(retraction, *original)) co_return false;
    std::string stone = tombstone(retraction, *original);
    const Uuid id = entry->id;
    const AccountId account = retraction.search.account;
    const bool isDone = co_await archive_.replace(account, id, std::move(stone));
    if (isDone) buried.add();
    co_return isDone;
}

const PluginInfo info{
    .name = "retraction",
    .summary = "Replaces retracted messages in the archives by tombstones",
    .implements = {{"XEP-0424", "0.4.2"}},
    .options = {&makesTombstones, &searchMax},
};

}  // namespace

DECLARE_PLUGIN(RetractionPlugin, info)

}  // namespace epode
