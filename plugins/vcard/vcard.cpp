// vcard-temp (XEP-0054): what people tell about themselves, the picture among it.
#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "store/keyed_store.h"

namespace epode {
namespace {

constexpr QName vcardElement{"vcard-temp", "vCard"};
constexpr std::string_view onlyKey = "vcard";

const Option<Bytes> bytesMax{
    .key = "vcard.bytes_max",
    .fallback = 128_KiB,
    .range = {1_KiB, 240_KiB},
    .help = "The largest vCard, its picture included; a larger one is refused.",
};

class Vcard final : public Plugin {
public:
    explicit Vcard(PluginContext& context)
        : store_{context.server().database(), "vcard"}, bytesMax_{context.value(bytesMax)} {
        context.onIq(StanzaType::Get, vcardElement, Addressee::Account, this, &Vcard::fetch);
        context.onIq(StanzaType::Set, vcardElement, Addressee::Account, this, &Vcard::keep);
        context.onIq(StanzaType::Get, vcardElement, Addressee::Host, this, &Vcard::tellOfHost);
        context.hostFeature(vcardElement.ns);
        context.accountFeature(vcardElement.ns);
    }

private:
    Task<Reply> fetch(const Iq& iq);
    Task<Reply> keep(const Iq& iq);
    Task<Reply> tellOfHost(const Iq& iq);

    KeyedStore store_;
    const std::uint64_t bytesMax_;
};

// Who sees the account's presence knows that it exists.
bool knowsAccount(const Iq& iq) {
    if (iq.isToOwnAccount()) return true;
    const Account* account = iq.account();
    const Contact* contact = account ? account->roster().find(iq.from().bare()) : nullptr;
    return contact && contact->state.isSeenByContact();
}

// A vCard is public. For strangers an account without one is as if it did not exist.
Task<Reply> Vcard::fetch(const Iq& iq) {
    const StanzaError missing =
        knowsAccount(iq)
            ? StanzaError{Condition::ItemNotFound, "There is no vCard here."}
            : StanzaError{Condition::ServiceUnavailable, "There is nobody here who answers."};
    const Account* account = iq.account();
    if (!account) co_return missing;
    const std::string key{onlyKey};
    const auto stored = co_await store_.get(account->id(), key);
    auto vcard = stored ? parseXml(*stored) : std::nullopt;
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
    if (!parseXml(xml))
        co_return StanzaError{Condition::NotAcceptable, "This vCard has too many parts."};
    const AccountId account = iq.account()->id();
    std::string key{onlyKey};
    co_await store_.put(account, std::move(key), std::move(xml));
    co_return Reply{};
}

Task<Reply> Vcard::tellOfHost(const Iq& iq) {
    Document vcard{vcardElement.name, vcardElement.ns};
    vcard->addWithText("FN", iq.host().domain());
    vcard->addWithText("JABBERID", iq.host().domain());
    co_return Reply{std::move(vcard)};
}

// ---- export and import (XEP-0227, 4.7)

Task<std::int64_t> writeVcard(AccountRef account, AccountSink& sink) {
    KeyedStore store{account.server.database(), "vcard"};
    const std::string key{onlyKey};
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
    std::string key{onlyKey};
    co_await store.put(account.id, std::move(key), std::move(xml));
    ++count.done;
    co_return count;
}

const PluginInfo info{
    .name = "vcard",
    .summary = "Keeps what people tell about themselves, and shows it to others",
    .implements = {{"XEP-0054", "1.3.0"}},
    .options = {&bytesMax},
    .data = {{.what = "vCard",
              .elements = {{vcardElement.ns, vcardElement.name}},
              .write = writeVcard,
              .read = readVcard,
              .component = "vcard"}},
};

}  // namespace

DECLARE_PLUGIN(Vcard, info)

}  // namespace epode
