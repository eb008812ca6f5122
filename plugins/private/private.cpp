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

const FragmentKeeper* keeperOf(const Iq& iq, const Element& fragment) {
    const auto& keepers = iq.host().services().fragments;
    if (keepers.empty()) return nullptr;
    const auto found =
        keepers.find({std::string{fragment.name()}, std::string{fragment.ns()}});
    return found == keepers.end() ? nullptr : &found->second;
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

    const AccountId account = iq.account()->id();
    std::string key = keyOf(wanted);
    const auto stored = co_await store_.get(account, std::move(key));
    const auto fragment = stored ? parseXml(*stored) : std::nullopt;
    Document answer{query.name, query.ns};
    if (const FragmentKeeper* keeper = keeperOf(iq, wanted)) {
        const Element* known = fragment ? &**fragment : nullptr;
        const auto shown = co_await keeper->fetch(iq, known);
        if (shown) {
            answer->add(**shown);
            co_return Reply{std::move(answer)};
        }
    }
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
    KeyedStore::Changes changes;
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
        changes.emplace_back(keyOf(fragment),
                             isEmpty ? std::nullopt : std::optional{std::move(xml)});
    }
    for (const Element& fragment : iq.payload().children()) {
        const FragmentKeeper* keeper = keeperOf(iq, fragment);
        if (!keeper) continue;
        const auto refused = co_await keeper->keep(iq, fragment);
        if (refused) co_return *refused;
    }
    if (!iq.account())
        co_return StanzaError{Condition::ItemNotFound, "The account is gone."};
    const AccountId account = iq.account()->id();
    const bool kept = co_await store_.change(account, std::move(changes), fragmentsMax_);
    if (!kept)
        co_return StanzaError{Condition::ResourceConstraint, "An account keeps at most " +
                                                                 std::to_string(fragmentsMax_) +
                                                                 " elements; remove one first."};
    co_return Reply{};
}

const PluginInfo info{
    .name = "private",
    .summary = "Keeps small fragments of XML for each account",
    .implements = {{"XEP-0049", "1.2"}},
    .options = {&fragmentBytesMax, &fragmentsMax},
};

}  // namespace

DECLARE_PLUGIN(PrivateStorage, info)

}  // namespace epode
