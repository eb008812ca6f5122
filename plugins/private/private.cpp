// Private XML Storage (XEP-0049), for clients that do not keep their data in PEP yet.
#include "plugin/plugin.h"
#include "store/keyed_store.h"

namespace epode {
namespace {

constexpr QName query{"jabber:iq:private", "query"};

const Option<Bytes> fragmentBytesMax{
    .key = "private.fragment_bytes_max",
    .fallback = 64_KiB,
    .range = {1_KiB, 240_KiB},
    .help = "The largest fragment of XML that an account may keep; a larger one is refused.",
};
const Option<std::int64_t> fragmentsMax{
    .key = "private.fragments_max",
    .fallback = 100,
    .range = {1, 10000},
    .help = "How many fragments of XML an account may keep.",
};

class PrivateStorage final : public Plugin {
public:
    explicit PrivateStorage(PluginContext& context)
        : store_{context.server().database(), "private"},
          fragmentBytesMax_{context.value(fragmentBytesMax)},
          fragmentsMax_{context.value(fragmentsMax)} {
        context.onIq(StanzaType::Get, query, Addressee::Account, this, &PrivateStorage::fetch);
        context.onIq(StanzaType::Set, query, Addressee::Account, this, &PrivateStorage::keep);
        context.hostFeature(query.ns);
        context.accountFeature(query.ns);
    }

private:
    Task<Reply> fetch(const Iq& iq);
    Task<Reply> keep(const Iq& iq);

    KeyedStore store_;
    const std::uint64_t fragmentBytesMax_;
    const std::int64_t fragmentsMax_;
};

// A fragment is known by its qualified name. A name holds no blank, so keys can't be confused.
std::string keyOf(const Element& fragment) {
    return std::string{fragment.name()} + " " + std::string{fragment.ns()};
}

StanzaError foreign() {
    return {Condition::Forbidden, "Private storage belongs to its owner alone."};
}
StanzaError unnamed() {
    return {Condition::NotAcceptable, "A fragment has a namespace of its own."};
}

Task<Reply> PrivateStorage::fetch(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    // XEP-0049 asks for not-acceptable in one place and for bad-format in another; the latter
    // exists only as a stream error (RFC 6120, 4.9.3.1).
    if (iq.payload().children().size() != 1)
        co_return StanzaError{Condition::NotAcceptable, "Ask for exactly one element."};
    const Element& wanted = *iq.payload().firstChild();
    if (wanted.ns() == query.ns) co_return unnamed();

    std::optional<std::string> stored;
    if (const auto& hook = iq.host().services().privateXmlAsked; !hook.empty()) {
        const Jid owner = iq.owner();
        PrivateXmlAsked asked{owner, wanted};
        co_await hook.run(asked);
        if (asked.refusal) co_return *asked.refusal;
        stored = std::move(asked.found);
    }
    if (!stored) {
        const Account* owner = iq.account();
        if (!owner) co_return foreign();
        const AccountId account = owner->id();
        std::string key = keyOf(wanted);
        stored = co_await store_.get(account, std::move(key));
    }
    const auto fragment = stored ? parseXml(*stored) : std::nullopt;
    Document answer{query.name, query.ns};
    if (fragment)
        answer->add(**fragment);
    else
        answer->add(wanted.name(), wanted.ns());
    co_return Reply{std::move(answer)};
}

// An empty element takes no place: asking for what was never kept gives the same.
Task<Reply> PrivateStorage::keep(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    if (!iq.payload().firstChild())
        co_return StanzaError{Condition::NotAcceptable, "There is no element to keep."};
    std::vector<std::pair<const Element*, KeyedStore::Changes::value_type>> kept;
    for (const Element& fragment : iq.payload().children()) {
        if (fragment.ns() == query.ns) co_return unnamed();
        const bool isEmpty = !fragment.firstNode() && !fragment.attributes();
        std::string xml = isEmpty ? std::string{} : toXml(fragment);
        if (xml.size() > fragmentBytesMax_)
            co_return StanzaError{Condition::NotAcceptable,
                                  "The element " + std::string{fragment.name()} +
                                      " is larger than " + toText(Bytes{fragmentBytesMax_}) + "."};
        // What could not be read again is refused now.
        if (!isEmpty && !parseXml(xml))
            co_return StanzaError{
                Condition::NotAcceptable,
                "The element " + std::string{fragment.name()} + " has too many parts."};
        kept.emplace_back(&fragment, KeyedStore::Changes::value_type{
                                         keyOf(fragment),
                                         isEmpty ? std::nullopt : std::optional{std::move(xml)}});
    }
    if (!iq.account())
        co_return StanzaError{Condition::ItemNotFound, "The account is gone."};
    const AccountId account = iq.account()->id();
    // Some fragments are kept by other plugins (route/private_xml.h).
    KeyedStore::Changes changes;
    const auto& hook = iq.host().services().privateXmlGiven;
    const Jid owner = iq.owner();
    for (auto& [fragment, change] : kept) {
        PrivateXmlGiven given{owner, *fragment};
        if (!hook.empty()) co_await hook.run(given);
        if (given.refusal) co_return *given.refusal;
        if (!given.isKept) changes.push_back(std::move(change));
    }
    if (changes.empty()) co_return Reply{};
    const bool isKept = co_await store_.change(account, std::move(changes), fragmentsMax_);
    if (!isKept)
        co_return StanzaError{Condition::ResourceConstraint, "An account keeps at most " +
                                                                 std::to_string(fragmentsMax_) +
                                                                 " elements; remove one first."};
    co_return Reply{};
}

// ---- export and import (XEP-0227, 4.6)

Task<std::int64_t> writeFragments(AccountRef account, AccountSink& sink) {
    KeyedStore store{account.server.database(), "private"};
    const std::string all;
    const auto fragments = co_await store.list(account.id, all);
    if (fragments.empty()) co_return 0;
    std::string xml = "<query xmlns='jabber:iq:private'>";
    for (const auto& [key, fragment] : fragments) xml += fragment;
    xml += "</query>";
    co_await sink.write(std::move(xml));
    co_return std::int64_t(fragments.size());
}

Task<DataCount> readFragments(AccountRef account, const Element& element) {
    DataCount count;
    KeyedStore::Values fragments;
    for (const Element& fragment : element.children()) {
        std::string xml = toXml(fragment);
        if (fragment.ns() == query.ns || !parseXml(xml)) {
            ++count.refused;
            continue;
        }
        fragments.emplace_back(keyOf(fragment), std::move(xml));
        ++count.done;
    }
    KeyedStore store{account.server.database(), "private"};
    co_await store.putAll(account.id, std::move(fragments));
    co_return count;
}

const PluginInfo info{
    .name = "private",
    .summary = "Keeps small fragments of XML for each account",
    .implements = {{"XEP-0049", "1.2"}},
    .options = {&fragmentBytesMax, &fragmentsMax},
    .data = {{.what = "private fragments",
              .elements = {query},
              .write = writeFragments,
              .read = readFragments,
              .component = "private"}},
};

}  // namespace

DECLARE_PLUGIN(PrivateStorage, info)

}  // namespace epode
