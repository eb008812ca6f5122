// What people tell about themselves: vcard-temp (XEP-0054) and vCard4 (XEP-0292), the nickname
// (XEP-0172) among it.
#include "core/namespaces.h"
#include "mapping.h"
#include "plugin/plugin.h"
#include "profile.h"
#include "store/keyed_store.h"

namespace epode::vcard {
namespace {

constexpr QName oldElement{oldNs, "vCard"};
constexpr QName newElement{newNs, "vcard"};

const Option<Bytes> bytesMax{
    .key = "vcard.bytes_max",
    .fallback = 128_KiB,
    .range = {1_KiB, 240_KiB},
    .help = "The largest vCard, its picture included; a larger one is refused.",
};

class Vcard final : public Plugin {
public:
    explicit Vcard(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          profile_{context.server(), context.host()},
          bytesMax_{context.value(bytesMax)} {
        context.onIq(StanzaType::Get, oldElement, Addressee::Account, this, &Vcard::fetch);
        context.onIq(StanzaType::Set, oldElement, Addressee::Account, this, &Vcard::keep);
        context.onIq(StanzaType::Get, oldElement, Addressee::Host, this, &Vcard::tellOfHost);
        context.onIq(StanzaType::Get, newElement, Addressee::Account, this, &Vcard::fetch4);
        context.onIq(StanzaType::Get, newElement, Addressee::Host, this, &Vcard::tellOfHost4);
        context.on(&Services::pepRequested, this, &Vcard::requested);
        context.on(&Services::pepChanged, Phase::Act, this, &Vcard::changed);
        for (const auto feature : {oldNs, newNs}) {
            context.hostFeature(feature);
            context.accountFeature(feature);
        }
    }

private:
    Task<Reply> fetch(const Iq& iq);
    Task<Reply> fetch4(const Iq& iq);
    Task<Reply> keep(const Iq& iq);
    Task<Reply> tellOfHost(const Iq& iq);
    Task<Reply> tellOfHost4(const Iq& iq);
    Task<void> requested(PepRequest& request);
    Verdict changed(PepEvent& event);

    Server& server_;
    const std::string host_;
    Profile profile_;
    const std::uint64_t bytesMax_;
};

// Who sees the account's presence knows that it exists.
bool knowsAccount(const Iq& iq) {
    if (iq.isToOwnAccount()) return true;
    const Account* account = iq.account();
    const Contact* contact = account ? account->roster().find(iq.from().bare()) : nullptr;
    return contact && contact->state.isSeenByContact();
}

// For strangers an account without a vCard is as if it did not exist.
StanzaError missingFor(const Iq& iq) {
    if (knowsAccount(iq)) return {Condition::ItemNotFound, "There is no vCard here."};
    return {Condition::ServiceUnavailable, "There is nobody here who answers."};
}

// A vCard is public, unless its owner has made its node something else.
Task<Reply> Vcard::fetch(const Iq& iq) {
    const StanzaError missing = missingFor(iq);
    if (!iq.account()) co_return missing;
    const Jid owner = iq.owner();
    const Jid who = iq.from();
    const auto stored = co_await profile_.vcard(owner, who);
    auto vcard = stored ? parseXml(*stored) : std::nullopt;
    const bool isMade = !vcard;
    if (isMade) vcard = Document{oldElement.name, oldElement.ns};
    if (const auto services = iq.host().sharedServices(); !services->vcardShown.empty()) {
        VcardShown shown{owner, who, **vcard};
        co_await services->vcardShown.run(shown);
        if (shown.refusal) co_return *shown.refusal;
    }
    if (isMade && !(*vcard)->firstChild()) co_return missing;
    co_return Reply{std::move(*vcard)};
}

Task<Reply> Vcard::fetch4(const Iq& iq) {
    const StanzaError missing = missingFor(iq);
    if (!iq.account()) co_return missing;
    const Jid owner = iq.owner();
    const Jid who = iq.from();
    const auto found = co_await profile_.vcard4(owner, who);
    auto vcard = found ? parseXml(*found) : std::nullopt;
    if (!vcard) co_return missing;
    co_return Reply{std::move(*vcard)};
}

Task<Reply> Vcard::keep(const Iq& iq) {
    if (!iq.isToOwnAccount())
        co_return StanzaError{Condition::Forbidden, "A vCard is changed by its owner alone."};
    std::string xml = toXml(iq.payload());
    if (xml.size() > bytesMax_)
        co_return StanzaError{
            Condition::NotAcceptable,
            "A vCard has at most " + toText(Bytes{bytesMax_}) + "; try a smaller picture."};
    // What could not be read again is refused now.
    auto vcard = parseXml(xml);
    if (!vcard) co_return StanzaError{Condition::NotAcceptable, "This vCard has too many parts."};
    const Jid owner = iq.owner();
    if (const auto services = iq.host().sharedServices(); !services->vcardGiven.empty()) {
        VcardGiven given{owner, **vcard};
        co_await services->vcardGiven.run(given);
        if (given.refusal) co_return *given.refusal;
        xml = toXml(**vcard);
    }
    co_await profile_.keep(owner, std::move(xml));
    co_return Reply{};
}

Task<Reply> Vcard::tellOfHost(const Iq& iq) {
    Document vcard{oldElement.name, oldElement.ns};
    vcard->addWithText("FN", iq.host().domain());
    vcard->addWithText("JABBERID", iq.host().domain());
    co_return Reply{std::move(vcard)};
}

// XEP-0292, 6.
Task<Reply> Vcard::tellOfHost4(const Iq& iq) {
    Document vcard{newElement.name, newElement.ns};
    vcard->add("fn").addWithText("text", iq.host().domain());
    vcard->add("impp").addWithText("uri", "xmpp:" + iq.host().domain());
    vcard->add("kind").addWithText("text", "application");
    co_return Reply{std::move(vcard)};
}

// ---- personal eventing

Task<void> Vcard::requested(PepRequest& request) {
    if (request.node != newNode) co_return;
    const Jid account = request.account;
    if (request.kind == PepRequest::Kind::Read) co_await profile_.ensureVcard4(account);
    if (request.kind != PepRequest::Kind::Publish) co_return;
    const Element* item = request.action.child("item");
    const Element* payload = item ? item->firstChild() : nullptr;
    if (payload && !payload->is("vcard", newNs))
        request.refusal = StanzaError(Condition::BadRequest, "A vCard is a <vcard/> of RFC 6351.");
}

Verdict Vcard::changed(PepEvent& event) {
    const bool isVcard = event.node == newNode;
    if ((!isVcard && event.node != nickNode) || event.origin == origin) return Verdict::Pass;
    std::string payload{event.payload};
    start(isVcard ? profile_.vcard4Changed(event.account, std::move(payload))
                  : profile_.nickChanged(event.account, std::move(payload)),
          [keep = server_.here().host(host_)->sharedServices()](std::exception_ptr failure) {
              if (failure) Log{"vcard"}.warning("a change of a vCard could not be stored");
          });
    return Verdict::Pass;
}

// ---- export and import (XEP-0227, 4.7)

Task<std::int64_t> writeVcard(AccountRef account, AccountSink& sink) {
    KeyedStore store{account.server.database(), "vcard"};
    const std::string key{"vcard"};
    auto stored = co_await store.get(account.id, key);
    if (!stored) co_return 0;
    co_await sink.write(std::move(*stored));
    co_return 1;
}

Task<DataCount> readVcard(AccountRef account, const Element& element) {
    DataCount count;
    std::string xml = toXml(element);
    if (!parseXml(xml)) {
        ++count.refused;
        co_return count;
    }
    KeyedStore store{account.server.database(), "vcard"};
    std::string key{"vcard"};
    co_await store.put(account.id, std::move(key), std::move(xml));
    ++count.done;
    co_return count;
}

const PluginInfo vcardInfo{
    .name = "vcard",
    .summary = "Keeps what people tell about themselves, and shows it to others",
    .implements = {{"XEP-0054", "1.3.0"}, {"XEP-0292", "0.12.0"}, {"XEP-0172", "1.1"}},
    .options = {&bytesMax},
    .data = {{.what = "vCard",
              .elements = {oldElement},
              .write = writeVcard,
              .read = readVcard,
              .component = "vcard"}},
};

}  // namespace
}  // namespace epode::vcard

namespace epode {
using vcard::Vcard;
using vcard::vcardInfo;
DECLARE_PLUGIN(Vcard, vcardInfo)
}  // namespace epode
